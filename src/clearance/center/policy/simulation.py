"""What another policy would have said of actions that a Center has judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from clearance.center.policy.asked import Asked
from clearance.center.policy.engine import Policy
from clearance.center.policy.replaying import Replay
from clearance.center.policy.rules import Effect
from clearance.center.records import Record
from clearance.models import Status

MOST_NAMED = 100
"""Actions of a kind of change that are named; all are counted."""
MOST_OF_THE_ASKING = 0.9
DAY = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Changed:
    """An action of which the other policy says something else."""

    id: int
    action_type: str
    tool_name: str
    was_by: str
    now_by: str


@dataclass(slots=True)
class Simulation:
    """Counts what the policy says of each action. It grows with the tools, the rules and what limits count at a time,
    not with the actions.
    """

    policy: Policy
    total: int = 0
    effects: Counter[tuple[Effect, Effect]] = field(default_factory=Counter)
    """How many were judged so, and would be now: (was, now) -> number."""
    asking: Counter[str] = field(default_factory=Counter)
    """How many would ask, by tool."""
    rules: Counter[str] = field(default_factory=Counter)
    """How many each rule would decide."""
    unclear: Counter[str] = field(default_factory=Counter)
    """How often each rule could not be told."""
    changed: dict[tuple[Effect, Effect], list[Changed]] = field(default_factory=dict)
    replay: Replay = field(default_factory=Replay)
    first: int | None = None
    last: int = 0

    def add(self, record: Record) -> None:
        """Judge one action as if it were asked when it was, behind those that were added before it."""
        risk = self.policy.risk.assess(record.action, at=record.created_at, is_new=record.new_call is not None)
        verdict = self.replay.judge(self.policy, Asked.again(record, risk.score), record)
        was = effect_of(record)
        self.total += 1
        self.first = record.created_at if self.first is None else self.first
        self.last = record.created_at
        self.effects[was, verdict.effect] += 1
        self.rules[verdict.rule] += 1
        self.unclear.update(verdict.unclear)
        if verdict.effect is Effect.ASK:
            self.asking[record.action.tool_name] += 1
        named = self.changed.setdefault((was, verdict.effect), [])
        if was is not verdict.effect and len(named) < MOST_NAMED:
            action = record.action
            named.append(Changed(record.id, action.action_type, action.tool_name, record.rule, verdict.rule))

    def now(self, effect: Effect) -> int:
        """How many would be judged so."""
        return sum(number for (_, now), number in self.effects.items() if now is effect)

    def was(self, effect: Effect) -> int:
        """How many were judged so."""
        return sum(number for (was, _), number in self.effects.items() if was is effect)

    def days(self, until: int) -> float:
        """Over how many days they were asked, at least one."""
        return max(1.0, (until - self.first) / DAY) if self.first is not None else 1.0

    def most_asking(self) -> list[str]:
        """The fewest tools that make most of the asking."""
        wanted, found, tools = MOST_OF_THE_ASKING * sum(self.asking.values()), 0, []
        for tool, number in sorted(self.asking.items(), key=lambda item: (-item[1], item[0])):
            if found >= wanted:
                break
            tools.append(tool)
            found += number
        return tools


def effect_of(record: Record) -> Effect:
    """What the policy of its time said of an action: what a person, a switch or time did, it had asked about."""
    if record.status is Status.REVOKED:  # its decider is whoever took it back
        return Effect.ASK if record.votes else Effect.ALLOW
    if not (record.decider or "").startswith("policy:"):
        return Effect.ASK
    return Effect.DENY if record.status is Status.DENIED else Effect.ALLOW
