"""The life of an action, as one table: ``{status: {event: status}}``.

The guard, the fake and the Center all move through this table. A missing row is the refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from clearance.models import Status


class Event(StrEnum):
    """What can happen to an action."""

    VOTE = "vote"
    ESCALATE = "escalate"
    APPROVE = "approve"
    DENY = "deny"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    REVOKE = "revoke"
    CLAIM = "claim"
    LAPSE = "lapse"
    OUTDATE = "outdate"
    COMPLETE = "complete"
    FAIL = "fail"
    LOSE = "lose"


class IllegalTransition(ValueError):
    """The table has no row for this: the event cannot happen to an action that stands so."""

    def __init__(self, status: Status, event: Event) -> None:
        super().__init__(f"an action that is {status} cannot {event}")
        self.status = status
        self.event = event


_ENDED: Mapping[Event, Status] = MappingProxyType({})

TABLE: Mapping[Status, Mapping[Event, Status]] = MappingProxyType(
    {
        Status.PENDING: MappingProxyType(
            {
                # One of several who must agree has; or half of the time has passed.
                Event.VOTE: Status.PENDING,
                Event.ESCALATE: Status.PENDING,
                Event.APPROVE: Status.APPROVED,
                Event.DENY: Status.DENIED,
                Event.EXPIRE: Status.EXPIRED,
                Event.WITHDRAW: Status.WITHDRAWN,
            }
        ),
        Status.APPROVED: MappingProxyType(
            {
                Event.CLAIM: Status.EXECUTING,
                Event.WITHDRAW: Status.WITHDRAWN,
                Event.REVOKE: Status.REVOKED,
                Event.LAPSE: Status.LAPSED,
                Event.OUTDATE: Status.STALE,
                # A client that never claims had read its approval: it may have run.
                Event.LOSE: Status.UNKNOWN,
            }
        ),
        Status.EXECUTING: MappingProxyType(
            {
                Event.COMPLETE: Status.COMPLETED,
                Event.FAIL: Status.FAILED,
                Event.LOSE: Status.UNKNOWN,
            }
        ),
        # The only way out of doubt is to learn what happened; never back to a state that may run.
        Status.UNKNOWN: MappingProxyType({Event.COMPLETE: Status.COMPLETED, Event.FAIL: Status.FAILED}),
        Status.COMPLETED: _ENDED,
        Status.FAILED: _ENDED,
        Status.DENIED: _ENDED,
        Status.EXPIRED: _ENDED,
        Status.LAPSED: _ENDED,
        Status.WITHDRAWN: _ENDED,
        Status.REVOKED: _ENDED,
        Status.STALE: _ENDED,
    }
)

OPEN = frozenset({Status.PENDING, Status.APPROVED})
"""Not run and not refused yet."""

REFUSED = frozenset({Status.DENIED, Status.EXPIRED, Status.LAPSED, Status.WITHDRAWN, Status.REVOKED, Status.STALE})
"""Ended without a run, for good."""

CLAIMED = frozenset({Status.EXECUTING, Status.COMPLETED, Status.FAILED, Status.UNKNOWN})
"""An executor owned it: it may have run, and will not run again."""

OUTCOMES: Mapping[Status, Event] = MappingProxyType(
    {Status.COMPLETED: Event.COMPLETE, Status.FAILED: Event.FAIL, Status.UNKNOWN: Event.LOSE}
)
"""The event that an outcome is."""


def after(status: Status, event: Event) -> Status:
    """The status that ``event`` leads to.

    Raises:
        IllegalTransition: the table has no such row.
    """
    try:
        return TABLE[status][event]
    except KeyError:
        raise IllegalTransition(status, event) from None


def diagram() -> str:
    """The table as a Mermaid state diagram; the documentation's picture is this text."""
    rows = [
        f"    {status} --> {target}: {event}" for status, events in TABLE.items() for event, target in events.items()
    ]
    return "\n".join(["stateDiagram-v2", "    [*] --> pending: submit", *rows]) + "\n"
