"""What actions have taken of the limits over time: held while they can still run, then dated, or freed.

An action takes its share in the transaction of its submit. One that can no longer run and never did gives it back.
From when it begins to run, its share counts for as long as the limit says. So within no such time more begins to run
than there is room for, however long anybody waited for an approval.

Every function runs inside one transaction, and no two that write run at once, so nobody is counted past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from clearance.center.faults import Invalid
from clearance.center.policy import Asked, Effect, PolicyEngine
from clearance.center.policy.limiting import LONGEST_WINDOW
from clearance.center.policy.limits import Charge
from clearance.center.records import Record, Share
from clearance.center.store.base import Leaps, Uses
from clearance.models import Status

SECOND = 1_000_000
"""Microseconds."""
FORGOTTEN_AT_ONCE = 1_000
"""Shares that no limit counts any more, which the timer forgets at a time."""
_CAN_RUN = frozenset({Status.PENDING, Status.APPROVED})
_MAY_HAVE_RUN = frozenset({Status.EXECUTING, Status.UNKNOWN})


def charged(tx: Uses, engine: PolicyEngine, asked: Asked, key: str, now: Callable[[], int]) -> tuple[Charge, ...]:
    """What an action of this key (its id) takes of the limits about it, and what is used of them.

    ``now`` tells the time by which limits count: the Center's, less what the machine's clock was set forward.
    """
    charges = engine.charges(asked)
    if not charges:
        return ()
    at = now()
    return tuple(replace(charge, used=_used(tx, charge, asked, key, at)) for charge in charges)


def shares_of(charges: Iterable[Charge], key: str, agent_id: str) -> tuple[Share, ...]:
    """The same, as it is kept with the action."""
    return tuple(_share(each, key, agent_id) for each in charges)


def hold(tx: Uses, record: Record) -> None:
    """Take what an action that can run from now on takes."""
    for share in record.shares:
        if share.takes:
            tx.hold_use(share.quota, share.subject, record.id, share.takes)


def free(tx: Uses, record: Record) -> None:
    """Give back what an action held that can no longer run, and never did."""
    for share in record.shares:
        if share.takes:
            tx.free_use(share.quota, share.subject, record.id)


def follow(tx: Uses, before: Record, after: Record, now: int) -> None:
    """What a step of its life does to what an action holds."""
    if before.status not in _CAN_RUN or after.status in _CAN_RUN:
        return
    # Who never claims and had read the approval may have run it, whatever is said of it since.
    if after.status not in _MAY_HAVE_RUN and (before.claims or not before.approval_read):
        free(tx, before)
        return
    for share in before.shares:
        if share.takes:
            tx.date_use(share.quota, share.subject, before.id, now)


def changed(tx: Uses, engine: PolicyEngine, record: Record, now: Callable[[], int]) -> Record:
    """A pending action that is about to be cleared with the edits it has, and takes what it takes with them.

    Raises:
        Invalid: with them it takes more than there is room for, and nobody was asked about that.
    """
    action = replace(record.action, parameters={**record.action.parameters, **record.edits})
    asked = Asked.again(replace(record, action=action), record.risk_score)
    charges: list[Charge] = []
    for charge in charged(tx, engine, asked, record.requester, now):
        own = next((share for share in record.shares if share.quota == charge.limit.kept_as), None)
        before = (own.takes or 0) if own is not None else 0
        found = replace(charge, used=max(charge.used - before, 0))
        was_asked = own is not None and own.is_over and charge.limit.then is Effect.ASK
        if found.is_over and (found.takes or 0) > before and not was_asked:
            raise Invalid(f"With this change there is no room for the call. {found.said}")
        charges.append(found)
    free(tx, record)
    record = replace(record, shares=shares_of(charges, record.requester, action.agent_id))
    hold(tx, record)
    return record


def tidy(tx: Uses, windows: Iterable[float], now: int, leaps: Leaps) -> None:
    """Forget what nothing counts any more, and note by how much the machine's clock was set forward.

    Args:
        tx: where.
        windows: seconds for which the limits in force count. Where there are none, others may come.
        now: the time by which limits count.
        leaps: those of the machine's clock by now.
    """
    longest = max(windows, default=LONGEST_WINDOW)
    tx.forget_uses(now - round(longest * SECOND), FORGOTTEN_AT_ONCE)
    if leaps.total - tx.leaps().total > SECOND:
        tx.note_leaps(leaps)


def _share(charge: Charge, key: str, agent_id: str) -> Share:
    limit = charge.limit
    subject = limit.subject(key, agent_id)
    return Share(limit.name, limit.kept_as, subject, charge.takes, charge.used, charge.is_over)


def _used(tx: Uses, charge: Charge, asked: Asked, key: str, now: int) -> int:
    limit = charge.limit
    return tx.used(limit.kept_as, limit.subject(key, asked.action.agent_id), now - round(limit.within * SECOND))
