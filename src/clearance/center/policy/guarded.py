"""Names in rules that no guard uses: a rule about them would never match."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clearance.center.policy import patterns
from clearance.center.policy.described import document
from clearance.center.policy.document import Node, Problems, nearest
from clearance.center.policy.files import text_of

FIELDS = ("action_type", "tool_name")


def check_names(path: Path, guards: Iterable[Mapping[str, Any]]) -> None:
    """Hold the action types and tools that the rules and limits of a policy name against the guards of a program.

    Args:
        path: a policy file that can be loaded.
        guards: what `clearance.registry.snapshot_of` says of each guard.

    Raises:
        PolicyError: no guard uses a name, or fits a pattern; with the place of each, and the nearest right word.
    """
    problems = Problems(str(path))
    records = tuple(guards)
    known = {field: sorted({str(record[field]) for record in records if field in record}) for field in FIELDS}
    if path.suffix.lower() == ".cedar":
        from clearance.center.policy.cedar import names

        names.check(text_of(path), known, problems)
    else:
        _check_rules(document(path, problems), known, problems)
    if problems:
        raise problems.error()


def _check_rules(root: Node, known: Mapping[str, Collection[str]], problems: Problems) -> None:
    for match in _matches(root):
        _check(match, known, problems)


def _matches(root: Node) -> Iterator[Node]:
    tables = root.value if isinstance(root.value, dict) else {}
    for entries in (tables[key].value for key in ("rules", "limits") if key in tables):
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry.value, dict):
                yield entry.value["match"]


def _check(match: Node, known: Mapping[str, Collection[str]], problems: Problems) -> None:
    if not isinstance(match.value, dict):
        return
    for key, value in match.value.items():
        if key in FIELDS:
            for node, operator in _texts(value):
                _hold(node, operator, key, known[key], problems)
        elif key in ("all", "any", "not"):
            for part in value.value if isinstance(value.value, list) else [value]:
                _check(part, known, problems)


def _texts(value: Node) -> Iterator[tuple[Node, str]]:
    """Each text that the field is held against, and by which operator."""
    if isinstance(value.value, dict):
        pairs = [(each, operator) for operator, each in value.value.items()]
    else:
        pairs = [(value, "glob")]
    for node, operator in pairs:
        for each in node.value if isinstance(node.value, list) else [node]:
            if isinstance(each.value, str):
                yield each, operator


def _hold(node: Node, operator: str, field: str, known: Collection[str], problems: Problems) -> None:
    text = str(node.value)
    if operator in ("glob", "regex"):
        fits = (patterns.glob(text) if operator == "glob" else patterns.regex(text)).fits
        is_used = any(fits(each) for each in known)
    elif operator == "contains":
        is_used = any(text in each for each in known)
    else:
        is_used = text in known
    if is_used:
        return
    hint = nearest(text, known, "guards use") if known else "there are no guards."
    is_pattern = operator in ("regex", "contains") or (operator == "glob" and not patterns.is_plain(text))
    verb = "fits" if is_pattern else "has"
    problems.add(node.place, f"no guard {verb} {field} {text!r}; {hint}")
