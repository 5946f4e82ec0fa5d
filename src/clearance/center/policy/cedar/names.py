"""Action types and tools that a Cedar file names, and no guard uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cedarpy import pst

from clearance.center.policy.cedar import vocabulary
from clearance.center.policy.cedar.reading import templates
from clearance.center.policy.cedar.source import Source
from clearance.center.policy.document import Problems, nearest

_FIELDS = {"Action": "action_type", "Tool": "tool_name"}


def check(text: str, known: Mapping[str, Collection[str]], problems: Problems) -> None:
    """Note each action and tool of the policies that is none of those ``known``, nor a group of actions."""
    source = Source(text, problems)
    for piece, template in templates(text, problems.file):
        for node in vocabulary.nodes((template.action, template.resource, template.clauses)):
            field = _FIELDS.get(str(node.type)) if isinstance(node, pst.EntityUid) else None
            if field is None or not isinstance(node, pst.EntityUid) or _is_used(node.id, field, known[field]):
                continue
            hint = nearest(node.id, known[field], "guards use") if known[field] else "there are no guards."
            problems.add(source.of(piece, f'"{node.id}"'), f"no guard has {field} {node.id!r}; {hint}")


def _is_used(name: str, field: str, known: Collection[str]) -> bool:
    return name in known or (field == "action_type" and any(each.startswith(f"{name}.") for each in known))
