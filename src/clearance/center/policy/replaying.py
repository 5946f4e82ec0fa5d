"""Limits over time, replayed over recorded actions: what would have been used of them when each was asked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from clearance.center.policy.asked import Asked
from clearance.center.policy.engine import PolicyEngine, Verdict
from clearance.center.policy.limits import Charge
from clearance.center.policy.rules import Effect
from clearance.center.records import Record
from clearance.models import Status

SECOND = 1_000_000
_RAN = frozenset({Status.EXECUTING, Status.COMPLETED, Status.FAILED, Status.UNKNOWN})


@dataclass(slots=True)
class _Use:
    """What was taken of one limit, for one subject: times and amounts, oldest first."""

    taken: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0

    def since(self, after: int) -> int:
        while self.taken and self.taken[0][0] <= after:
            self.total -= self.taken.popleft()[1]
        return self.total

    def take(self, at: int, amount: int) -> None:
        self.taken.append((at, amount))
        self.total += amount


class Replay:
    """Counts from the first action on that it is told of, each from when it was asked.

    One that would be cleared counts, and so does one that would be asked about if it did run. What it holds grows with
    what counts at a time, not with the actions.
    """

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str], _Use] = {}

    def judge(self, engine: PolicyEngine, asked: Asked, record: Record) -> Verdict:
        """What the policy says of a recorded action, behind those that came before."""
        found = [(self._use(charge, record), charge) for charge in engine.charges(asked)]
        charges = tuple(replace(charge, used=use.since(_start(charge, record))) for use, charge in found)
        verdict = engine.judge(asked, charges)
        if verdict.effect is Effect.ALLOW or (verdict.effect is Effect.ASK and record.status in _RAN):
            for use, charge in found:
                use.take(record.created_at, charge.takes or 0)
        return verdict

    def _use(self, charge: Charge, record: Record) -> _Use:
        subject = charge.limit.subject(record.requester, record.action.agent_id)
        return self._uses.setdefault((charge.limit.kept_as, subject), _Use())


def _start(charge: Charge, record: Record) -> int:
    return record.created_at - round(charge.limit.within * SECOND)
