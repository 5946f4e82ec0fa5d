"""The words that a Cedar policy may use for an action: what is misspelled would quietly never match."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from cedarpy import pst

from clearance.center.policy.cedar.source import Piece, Source
from clearance.center.policy.document import Problems, nearest

TYPES = ("Action", "Agent", "Key", "Null", "Number", "Owner", "Tool")
"""Of entities."""
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "principal": ("key", "name", "owner"),
    "action": ("name",),
    "resource": ("name", "resource"),
    "context": ("caller", "decimals", "parameters", "reasoning", "risk", "time"),
}
_TABLES = ("caller", "decimals", "parameters", "time")
TIME = ("at", "hour", "minute", "weekday")


def nodes(node: object) -> Iterator[object]:
    """A node of a parsed policy, and all within it."""
    todo = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, tuple):
            todo.extend(one)
        elif isinstance(one, Mapping):
            todo.extend(one.values())
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            yield one
            todo.extend(getattr(one, field.name) for field in dataclasses.fields(one))


def check(template: pst.Template, piece: Piece, source: Source, problems: Problems) -> None:
    """Note each word of the policy that no action has."""
    looked_into = set()
    for node in nodes((template.principal, template.action, template.resource, template.clauses)):
        if isinstance(node, pst.EntityType) and str(node) not in TYPES:
            sentence = f"there is no entity type {str(node)!r} here; {nearest(str(node), TYPES)}"
            problems.add(source.of(piece, node.basename), sentence)
        elif isinstance(node, (pst.GetAttr, pst.HasAttr)):
            attrs = node.attrs if isinstance(node, pst.HasAttr) else (node.attr,)
            looked_into.add(id(node.base))
            _attribute(node.base, attrs, piece, source, problems)
        if (whole := _whole(node)) and id(node) not in looked_into:
            word = whole.rpartition(".")[2]
            problems.add(source.of(piece, word), f"{whole} is not compared as a whole; name what of it you mean.")


def _whole(node: object) -> str:
    """What is only ever looked into: the rest of it may be hidden, or be no record to Cedar."""
    if isinstance(node, pst.Var) and node.name == "context":
        return "context"
    if isinstance(node, pst.GetAttr) and isinstance(node.base, pst.Var) and node.attr in _TABLES:
        return f"context.{node.attr}"
    return ""


def _attribute(base: pst.Expr, attrs: tuple[str, ...], piece: Piece, source: Source, problems: Problems) -> None:
    """Of ``time`` and of what a policy is about all attributes are known."""
    if isinstance(base, pst.Var):
        of, known = str(base.name), ATTRIBUTES[base.name]
    elif isinstance(base, pst.GetAttr) and isinstance(base.base, pst.Var) and base.attr == "time":
        of, known = "context.time", TIME
    else:
        return
    if attrs[0] in known:
        return
    hint = nearest(attrs[0], known)
    if of == "context":
        hint = f"is it context.parameters.{attrs[0]}? {hint[0].upper()}{hint[1:]}"
    problems.add(source.of(piece, attrs[0]), f"{of} has no {attrs[0]!r}; {hint}")
