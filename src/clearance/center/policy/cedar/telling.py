"""An action as Cedar is asked about it: principal, action, resource, and a context.

Nothing may look like what it is not. What is hidden or cut is an unknown to Cedar, so that no policy that depends on it
can be evaluated. What Cedar has no kind of value for is an entity, which equals only itself and is less than nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from clearance.center.policy.asked import MOST_BLURRED, Asked
from clearance.center.policy.checks import MOST_ITEMS, number_of
from clearance.center.policy.hours import DAYS
from clearance.center.policy.patterns import LONGEST_TEXT
from clearance.redaction import above

MOST_VALUES = 5_000
"""Values of the parameters, or of the caller's context, that Cedar is told; of more it is told none."""
LARGEST_CONTEXT = 64 * 1024
"""Characters of the context, as JSON; of a larger one Cedar is told neither parameters nor the caller's context."""
DEEPEST = 32
_LONG = 2**63
_LARGEST_DECIMAL = 900_000_000_000_000
_UNIT = Decimal("0.0001")
_ESCAPES = frozenset(("__entity", "__extn", "__expr"))
"""Keys by which JSON for Cedar says entities and functions; no caller may."""
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Told:
    """What Cedar is asked; ``unknown`` says of each unknown, by its number, what it is and why."""

    request: dict[str, Any]
    entities: str
    unknown: tuple[str, ...]


class _TooMuch(Exception):
    """There are more values than Cedar is told."""


def tell(asked: Asked) -> Told:
    """Spell an action for Cedar."""
    unknown: list[str] = []
    blurred = _blurred(asked)
    parameters = _tree("parameters", asked.action.parameters, blurred, unknown)
    caller = _tree("context", asked.action.context, blurred, unknown)
    context = _context(asked, parameters, caller, unknown)
    text = json.dumps(context)
    if len(text) > LARGEST_CONTEXT:
        parameters, caller = (_unknown(unknown, f"{name} is too large") for name in ("parameters", "context"))
        text = json.dumps(_context(asked, parameters, caller, unknown))
    action = asked.action
    request = {
        "principal": {"type": "Agent", "id": action.agent_id},
        "action": {"type": "Action", "id": action.action_type},
        "resource": {"type": "Tool", "id": action.tool_name},
        "context": text,
    }
    decimals = {} if _is_unknown(parameters) else _decimals(parameters, action.parameters)
    who = _entities(
        action.agent_id, asked.requester, asked.owner, action.action_type, action.tool_name, action.resource or ""
    )
    return Told(request, f"[{who},{json.dumps(_entity('Decimals', 'call', decimals))}]", tuple(unknown))


@lru_cache(1_000)
def _entities(agent: str, key: str, owner: str, action_type: str, tool: str, resource: str) -> str:
    """Who asks, what they would do, and with what: entities with attributes and groups, without their brackets."""
    parents = [_uid("Key", key), *([_uid("Owner", owner)] if owner else [])]
    words = action_type.split(".")
    groups = [_uid("Action", ".".join(words[:count])) for count in range(1, len(words))]
    entities = [
        _entity("Agent", agent, {"name": agent, "key": key, "owner": owner}, parents),
        _entity("Action", action_type, {"name": action_type}, groups),
        _entity("Tool", tool, {"name": tool, "resource": resource}),
    ]
    return json.dumps(entities)[1:-1]


def _context(asked: Asked, parameters: Any, caller: Any, unknown: list[str]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(asked.at // 1_000_000, UTC)
    context: dict[str, Any] = {
        "parameters": parameters,
        "caller": caller,
        # An entity: what of it is unknown leaves the rest known, though a decimal is no plain value to Cedar.
        "decimals": parameters if _is_unknown(parameters) else _value_of(_uid("Decimals", "call")),
        "risk": asked.risk,
        "time": {
            "at": asked.at // 1_000_000,
            "hour": moment.hour,
            "minute": moment.minute,
            "weekday": DAYS[moment.weekday()],
        },
    }
    if reasoning := asked.action.reasoning:
        context["reasoning"] = reasoning if _fits(reasoning) else _unknown(unknown, "reasoning is too long, or no text")
    return context


def _blurred(asked: Asked) -> Mapping[str, str] | None:
    """The places that are not shown whole, and why; None for too many."""
    action = asked.action
    if len(action.redacted) + len(action.abridged) > MOST_BLURRED:
        return None
    return dict.fromkeys(action.abridged, "shown only in part") | dict.fromkeys(
        action.redacted, "hidden from the Center"
    )


def _tree(name: str, tree: Mapping[str, Any], blurred: Mapping[str, str] | None, unknown: list[str]) -> Any:
    """The parameters, or the caller's context; an unknown if they are too much."""
    if blurred is None:
        return _unknown(unknown, f"{name} has too many hidden places")
    known = len(unknown)
    while True:
        branch = _Branch(name, blurred, unknown)
        try:
            found = {key: branch.value(each, key, 1) for key, each in tree.items()}
        except _TooMuch:
            return _unknown(unknown, f"{name} has too many values")
        missed = branch.missed()
        if not missed:
            return found if _ESCAPES.isdisjoint(found) else _unknown(unknown, f"{name} has a name that Cedar reserves")
        blurred = {**blurred, **missed}
        del unknown[known:]


class _Branch:
    """Spells the values of one tree."""

    def __init__(self, name: str, blurred: Mapping[str, str], unknown: list[str]) -> None:
        self._name, self._blurred, self._unknown = name, blurred, unknown
        self._left = MOST_VALUES
        self._visited: set[str] = set()

    def value(self, value: Any, path: str, depth: int) -> Any:
        """One value, in JSON for Cedar."""
        self._left -= 1
        if self._left < 0:
            raise _TooMuch
        if self._blurred:
            self._visited.add(path)
            if path in self._blurred:
                return self._hidden(path, self._blurred[path])
        if isinstance(value, (dict, list)):
            if depth > DEEPEST:
                return self._hidden(path, "nested too deeply")
            return self._list(value, path, depth) if isinstance(value, list) else self._record(value, path, depth)
        if type(value) is str:
            return value if _fits(value) else self._hidden(path, "too long, or no text")
        return _plain(value)

    def missed(self) -> dict[str, str]:
        """Blurred places that were not found, although something was that they lie in: that is blurred, then."""
        found: dict[str, str] = {}
        for path, why in self._blurred.items():
            if path not in self._visited:
                near = [each for each in above(path)[1:] if each in self._visited and each not in self._blurred]
                if near:
                    found[max(near, key=len)] = why
        return found

    def _record(self, value: dict[str, Any], path: str, depth: int) -> Any:
        if not _ESCAPES.isdisjoint(value):
            return self._hidden(path, "a table with a name that Cedar reserves")
        return {key: self.value(each, f"{path}.{key}", depth + 1) for key, each in value.items()}

    def _list(self, value: list[Any], path: str, depth: int) -> Any:
        if len(value) > MOST_ITEMS:
            return self._hidden(path, "too long a list")
        return [self.value(each, f"{path}[{number}]", depth + 1) for number, each in enumerate(value)]

    def _hidden(self, path: str, why: str) -> Any:
        return _unknown(self._unknown, f"{self._name}.{path} is {why}")


def _plain(value: Any) -> Any:
    """A number, true, false or nothing; numbers by value, so that 5.0 is 5."""
    if type(value) is bool:
        return value
    if value is None:
        return _value_of(_uid("Null", "null"))
    number = number_of(value)
    if number is None:
        return _value_of(_uid("Number", str(value)))
    if number == int(number):
        return int(number) if -_LONG <= number < _LONG else _number(int(number))
    return _number(number)


def _decimals(told: dict[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    """All numbers of the tree as Cedar's decimals; what Cedar is not ``told`` of it is as unknown here."""
    spelled = {key: _decimal(told[key], each) for key, each in tree.items()}
    return {key: each for key, each in spelled.items() if each is not _ABSENT}


def _decimal(told: Any, value: Any) -> Any:
    if _is_unknown(told):
        return told
    if isinstance(value, dict):
        return _decimals(told, value)
    number = number_of(value)
    if number is None:
        return _ABSENT
    exact = Decimal(number)
    if abs(exact) > _LARGEST_DECIMAL or exact.quantize(_UNIT) != exact:
        return _number(number)
    return {"__extn": {"fn": "decimal", "arg": f"{exact + 0:.4f}"}}


def _number(number: int | Decimal) -> dict[str, Any]:
    """A number that Cedar has no value for; the same number is the same entity."""
    text = f"{number:f}" if isinstance(number, Decimal) else str(number)
    return _value_of(_uid("Number", text.rstrip("0").rstrip(".") if "." in text else text))


def _fits(text: str) -> bool:
    """Is it a text that Cedar can hold, and short enough for patterns?"""
    if text.isascii() or len(text) > LONGEST_TEXT:
        return len(text) <= LONGEST_TEXT
    try:
        return len(text.encode()) <= LONGEST_TEXT
    except UnicodeEncodeError:
        return False


def _unknown(unknown: list[str], why: str) -> Any:
    unknown.append(why)
    return {"__extn": {"fn": "unknown", "arg": str(len(unknown) - 1)}}


def _is_unknown(told: Any) -> bool:
    # No caller's table has this key.
    return isinstance(told, dict) and told.get("__extn", {}).get("fn") == "unknown"


def _uid(type: str, id: str) -> dict[str, str]:
    return {"type": type, "id": id}


def _value_of(uid: dict[str, str]) -> dict[str, Any]:
    return {"__entity": uid}


def _entity(type: str, id: str, attrs: dict[str, Any], parents: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"uid": _uid(type, id), "attrs": attrs, "parents": parents or []}
