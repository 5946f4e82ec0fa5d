"""What changes from one policy to another, searched for over actions drawn from the rules of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from clearance.center.policy import spaces
from clearance.center.policy.asked import Asked
from clearance.center.policy.checks import Number
from clearance.center.policy.engine import Policy, Verdict
from clearance.center.policy.limits import Limit
from clearance.center.policy.rules import Effect

MOST = 20_000
"""Actions that are tried."""
_LIKELY = {Effect.ALLOW: 0, Effect.ASK: 1, Effect.DENY: 2}


@dataclass(slots=True)
class Change:
    """Actions that come out otherwise in the same way; the smallest of them as the example."""

    before: Verdict
    after: Verdict
    example: Asked
    used: Mapping[str, Number] = field(default_factory=dict)
    """What is used of limits in the example, by their names."""
    count: int = 1

    @property
    def is_wider(self) -> bool:
        """Is it easier now?"""
        return _LIKELY[self.after.effect] < _LIKELY[self.before.effect]


@dataclass(slots=True)
class Comparison:
    """What a search found. That it found nothing proves nothing."""

    tried: int = 0
    undrawn: int = 0
    changes: list[Change] = field(default_factory=list)
    counting: list[str] = field(default_factory=list)
    """Limits that count otherwise, in words."""


def compare(old: Policy, new: Policy, most: int = MOST, seed: int = 1) -> Comparison:
    """Judge drawn actions by both policies; returns the changes, those that make something easier first.

    Args:
        old: the policy as it was.
        new: the policy as it would be.
        most: how many actions to try.
        seed: which mixtures to draw.
    """
    found = Comparison(undrawn=spaces.undrawn((old, new)), counting=_counting(old, new))
    groups: dict[tuple[object, ...], Change] = {}
    for described in spaces.draw((old, new), most, seed):
        found.tried += 1
        asked, used = described.asked(new), described.used
        before = old.judge(described.asked(old), described.charges(old))
        after = new.judge(asked, described.charges(new))
        kind = (before.effect, before.rule, after.effect, after.rule, before.stages, after.stages)
        if _said(before) == _said(after):
            continue
        if kind not in groups:
            groups[kind] = Change(before, after, asked, used)
            continue
        change = groups[kind]
        change.count += 1
        if _size(asked, used) < _size(change.example, change.used):
            change.before, change.after, change.example, change.used = before, after, asked, used
    found.changes = sorted(
        groups.values(), key=lambda each: (not each.is_wider, each.before.effect is each.after.effect, -each.count)
    )
    return found


def _said(verdict: Verdict) -> tuple[object, ...]:
    """All that matters to whoever asks or decides; not in which words it is said."""
    return (
        verdict.effect,
        verdict.rule,
        verdict.stages,
        verdict.escalate_to,
        verdict.decide_within,
        verdict.run_within,
        verdict.editable,
    )


def _counting(old: Policy, new: Policy) -> list[str]:
    """Limits of one name that count something else, or for another time, which no action shows."""
    before = {limit.name: _counted(limit) for limit in old.limits}
    after = {limit.name: _counted(limit) for limit in new.limits}
    same = [name for name in before if name in after and before[name] != after[name]]
    return [f"limit {name!r} counts {before[name]} -> {after[name]}" for name in same]


def _counted(limit: Limit) -> str:
    what = "calls" if limit.amount is None else limit.amount.name
    return f"{what} in {limit.within_said} per {limit.per}"


def _size(asked: Asked, used: Mapping[str, Number]) -> int:
    return len(in_words(asked, used))


def in_words(asked: Asked, used: Mapping[str, Number] = MappingProxyType({})) -> str:
    """An action that was drawn, in a line; what is as it is by default is left out."""
    action = asked.action
    named = [("with", key, value) for key, value in action.parameters.items()]
    named += [("in context", key, value) for key, value in action.context.items()]
    pieces = [f"{how} {key} {value!r}" for how, key, value in named]
    for how, text in (
        ("on", action.resource),
        ("for key", asked.requester),
        ("of", asked.owner),
        ("because", action.reasoning),
    ):
        if text:
            pieces.append(f"{how} {text!r}")
    pieces += [f"with {number} used of limit {name!r}" for name, number in used.items()]
    tool = "" if action.tool_name == "other-tool" else f" by {action.tool_name}"
    agent = "" if action.agent_id == "other-agent" else f" for {action.agent_id}"
    return " ".join([f"{action.action_type}{tool}{agent}", *pieces])
