"""Rules from what people decided: never broader than what they always cleared, and only ever proposed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from clearance.center.policy import checks
from clearance.center.records import Record
from clearance.models import Action, Status

LEAST = 5
"""How often something was cleared by people before a rule is proposed."""
MOST_PATHS = 60
"""Values within the parameters of a call, of a rule that is proposed."""
_CLEARED = frozenset({Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.FAILED, Status.LAPSED, Status.STALE})
_TAKEN_BACK = frozenset({Status.DENIED, Status.REVOKED, Status.UNKNOWN})
_NO_RULE = frozenset({"no-rule", "risk-ask", "risk-clear"})

Key: TypeAlias = tuple[str, str, str, str, str]
Shape: TypeAlias = dict[str, Any]
"""Each value within the parameters, by its path; `END` for where a list ends."""


class _End:
    """Nothing may be here: the list ends before."""

    def __repr__(self) -> str:
        return "END"


END = _End()


@dataclass(slots=True)
class _Seen:
    """What is known of calls that differ in their parameters at most."""

    cleared: int = 0
    same: Shape = field(default_factory=dict)
    spans: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    asked_by: set[str] = field(default_factory=set)
    spoilt: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rule that clears what was always cleared. ``asked_by`` are rules that ask about it, which would still."""

    name: str
    match: Mapping[str, Mapping[str, Any]]
    cleared: int
    asked_by: tuple[str, ...]


class Suggesting:
    """Collects decisions. What it holds grows with the different calls, not with their number."""

    def __init__(self, least: int = LEAST) -> None:
        self.least = least
        self._seen: dict[Key, _Seen] = {}

    def add(self, record: Record) -> None:
        """Take one action into account."""
        seen = self._seen.setdefault(_key(record), _Seen())
        if seen.spoilt:
            return
        if record.status in _TAKEN_BACK:
            self._spoil(seen, "it was refused or taken back, or may not have ended")
        elif record.edits:
            self._spoil(seen, "it was cleared with changed parameters")
        elif record.votes and record.status in _CLEARED:
            self._clear(seen, record)

    def suggestions(self) -> Iterator[Suggestion]:
        """The rules, those that would spare the most decisions first."""
        found = [(key, seen) for key, seen in self._seen.items() if not seen.spoilt and seen.cleared >= self.least]
        found.sort(key=lambda item: (-item[1].cleared, item[0]))
        for number, (key, seen) in enumerate(found, 1):
            yield Suggestion(f"cleared-{number}", _match(key, seen), seen.cleared, tuple(sorted(seen.asked_by)))

    def spoilt(self) -> Counter[str]:
        """Why there is no rule for calls however often they were cleared: each reason, and for how many kinds."""
        return Counter(seen.spoilt for seen in self._seen.values() if seen.spoilt)

    def _clear(self, seen: _Seen, record: Record) -> None:
        shape = _shape(record.action)
        if shape is None:
            self._spoil(seen, "it holds what no condition can tell")
        elif not seen.cleared:
            seen.same = shape
        elif seen.same.keys() | seen.spans.keys() != shape.keys() or not _widen(seen, shape):
            self._spoil(seen, "its parameters differ in more than numbers")
        seen.cleared += 1
        if record.rule not in _NO_RULE:
            seen.asked_by.add(record.rule)

    @staticmethod
    def _spoil(seen: _Seen, why: str) -> None:
        seen.spoilt = why
        seen.same, seen.spans = {}, {}


def yaml_of(suggestions: Iterator[Suggestion] | list[Suggestion]) -> str:
    """The rules as a policy file has them. Every text is quoted, and what is not ASCII is spelled."""
    lines = ["rules:"]
    for each in suggestions:
        lines.append(f"  # People cleared this {each.cleared} times, and never refused it.")
        if each.asked_by:
            names = ", ".join(map(quoted, each.asked_by))
            lines.append(f"  # Ask beats allow, so this has no effect while these ask about it: {names}")
        lines.append(f"  - name: {each.name}")
        lines.append("    match:")
        for field_name, operators in each.match.items():
            said = ", ".join(f"{operator}: {quoted(operand)}" for operator, operand in operators.items())
            lines.append(f"      {quoted(field_name)}: {{{said}}}")
        lines.append("    then: allow")
    return "\n".join(lines) + "\n" if len(lines) > 1 else "rules: []\n"


def quoted(value: Any) -> str:
    """A text, a number, true or false as both YAML and JSON write it."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isascii() and each.isprintable() else f"\\U{ord(each):08x}" for each in plain)


def _key(record: Record) -> Key:
    action = record.action
    return (record.requester_name, action.agent_id, action.action_type, action.tool_name, action.resource or "")


def _match(key: Key, seen: _Seen) -> dict[str, dict[str, Any]]:
    names = ("requester", "agent_id", "action_type", "tool_name", "resource")
    match: dict[str, dict[str, Any]] = {name: {"eq": value} for name, value in zip(names, key, strict=True)}
    for path in sorted(seen.same.keys() | seen.spans.keys()):
        name = f"parameters{path}"
        if path in seen.spans:
            low, high = seen.spans[path]
            match[name] = {"ge": low, "le": high}
        else:
            value = seen.same[path]
            match[name] = {"present": False} if value is END else {"eq": value}
    return match


def _widen(seen: _Seen, shape: Shape) -> bool:
    """Take the values of another call in: the same, or numbers. False if they are neither."""
    for path, value in shape.items():
        if path in seen.spans:
            low, high = seen.spans[path]
        elif type(seen.same[path]) is type(value) and seen.same[path] == value:
            continue
        else:
            low = high = seen.same[path]
        if not (_is_number(low) and _is_number(value)):
            return False
        seen.same.pop(path, None)
        seen.spans[path] = (min(low, value), max(high, value))
    return True


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _shape(action: Action) -> Shape | None:
    """Every value within the parameters by its path; None where no condition could hold all of them fast."""
    if action.redacted or action.abridged:
        return None
    found: Shape = {}
    texts = [action.agent_id, action.action_type, action.tool_name, action.resource or ""]
    is_whole = all(_walk(value, _step(name), found) for name, value in action.parameters.items())
    texts += [value for value in found.values() if isinstance(value, str)] + list(found)
    if not is_whole or len(found) > MOST_PATHS or any("\ud800" <= each <= "\udfff" for text in texts for each in text):
        return None
    return found


def _walk(value: Any, path: str, found: Shape) -> bool:
    if len(found) > MOST_PATHS:
        return False
    if isinstance(value, dict):
        return bool(value) and all(_walk(inner, path + _step(name), found) for name, inner in value.items())
    if isinstance(value, list):
        found[f"{path}[{len(value)}]"] = END
        return bool(value) and all(_walk(inner, f"{path}[{number}]", found) for number, inner in enumerate(value))
    found[path] = value
    return isinstance(value, (bool, str)) or checks.number_of(value) is not None


def _step(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'
