"""Putting an action to Cedar, and what it answers: which policies hold, and which cannot be evaluated, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from cedarpy import Decision, PolicySet, is_authorized

from clearance.center.policy.asked import Asked
from clearance.center.policy.cedar.telling import Told, tell
from clearance.center.policy.checks import Answer

MOST_UNKNOWN = 5
"""Unknowns that are named of one policy."""
_ERROR = re.compile(r"error while evaluating policy `policy([0-9]+)`: (.*)", re.DOTALL)
_UNKNOWN = re.compile(r'unknown\("([0-9]+)"\)')
_PROBE = "permit(principal, action, resource); forbid(principal, action, resource) when { context.x == 1 };"


@dataclass(frozen=True, slots=True)
class Found:
    """What Cedar makes of an action.

    Attributes:
        allows: does Cedar allow it?
        holding: the numbers of the policies that led there, all of its permits or all of its forbids that hold.
        failed: the numbers of those that could not be evaluated, and why.
    """

    allows: bool
    holding: frozenset[int]
    failed: Mapping[int, str]


def ask(policies: PolicySet, told: Told) -> Found | None:
    """Put it to these policies, which are numbered as they stand; None where Cedar gives no answer."""
    try:
        answer = is_authorized(told.request, policies, told.entities)
        holding = frozenset(int(name.removeprefix("policy")) for name in answer.diagnostics.reasons)
    except Exception:  # noqa: BLE001 - whatever it is, nobody can tell then
        return None
    failed: dict[int, str] = {}
    for error in answer.diagnostics.errors:
        found = _ERROR.fullmatch(error)
        if found is None:
            return None
        failed[int(found[1])] = _why(found[2], told)
    return None if answer.decision is Decision.NoDecision else Found(answer.allowed, holding, failed)


def parsed(text: str) -> str | None:
    """What Cedar says of a text that is not Cedar; None if it is."""
    try:
        PolicySet.from_str(text)
    except ValueError as error:
        return str(error)
    return None


@cache
def keeps_apart() -> bool:
    """Does this Cedar know what it does not know? All that is hidden rests on that; so it is tried, once."""
    unknown = '{"x": {"__extn": {"fn": "unknown", "arg": "0"}}}'
    uids = {"principal": 'Agent::"a"', "action": 'Action::"a"', "resource": 'Tool::"a"'}
    found = ask(PolicySet.from_str(_PROBE), Told(uids | {"context": unknown}, "[]", ("x",)))
    return found is not None and found.failed.keys() == {1}


@dataclass(frozen=True)
class Alone:
    """One policy, put to Cedar by itself, to tell how it came out."""

    text: str

    def answer(self, asked: Asked) -> Answer:
        """Does it hold? None if that cannot be told."""
        found = ask(self._policies, tell(asked))
        return None if found is None or found.failed else bool(found.holding)

    def why(self, asked: Asked) -> str:
        """Why that cannot be told."""
        found = ask(self._policies, tell(asked))
        return "Cedar gives no answer" if found is None else found.failed.get(0, "")

    @cached_property
    def _policies(self) -> PolicySet:
        return PolicySet.from_str(self.text)


def _why(error: str, told: Told) -> str:
    """Cedar's own sentence; or what it was not told, and why not."""
    numbers = dict.fromkeys(int(number) for number in _UNKNOWN.findall(error))
    known = [told.unknown[number] for number in numbers if number < len(told.unknown)]
    return "; ".join(known[:MOST_UNKNOWN]) or f"Cedar says: {error}"
