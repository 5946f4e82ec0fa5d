"""The approver's side of the desk: approve, refuse, take back, and close what nobody knows the end of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from clearance import lifecycle
from clearance.center import agreement, quotas
from clearance.center.edits import checked
from clearance.center.faults import Conflict, DeskError, Forbidden, Invalid
from clearance.center.moves import Moves
from clearance.center.records import BY_A_PERSON, Principal, Record, Vote
from clearance.center.store.base import Tx
from clearance.lifecycle import Event
from clearance.models import Json, Outcome, Status

LONGEST_REASON = 2_000
"""Characters of a reason."""
BULK_LEVELS = frozenset({"low", "medium"})
"""Risk levels that may be approved together."""
MOST_AT_ONCE = 1_000
"""Actions that one such approval covers at most."""
MAY_NOT_DECIDE = "This key may not decide; ask for one with the role admin"
_OWN = "Nobody decides their own request, nor one of another key of the same owner"
_SHARED = "A call that several people must agree on cannot be changed by one of them"
_STOPPED = "The kill switch is on: nothing is approved until it is off"


class Approvals(Moves):
    """What approvers do."""

    def decide(
        self,
        tx: Tx,
        who: Principal,
        action_id: int,
        *,
        approve: bool,
        reason: str = "",
        channel: str = "api",
        edits: Mapping[str, Json] = MappingProxyType({}),
    ) -> Record:
        """Approve or refuse a pending action; ``edits`` clear it with other values of some parameters.

        Where several must agree, an approval counts as one of theirs, and the last one clears the action. One refusal
        is enough, and refuses every identical request of the same requester that waits.

        Raises:
            Forbidden: without the right to decide, for one's own request, or where others must.
            Conflict: it is not pending; the same decision by the same person again is fine.
            Invalid: the guard does not allow these edits, or several must agree.
        """
        if edits and self.policy.limits:
            self._close_overdue(tx)
        record = self._settled(tx, self._find(tx, who, action_id))
        event = Event.APPROVE if approve else Event.DENY
        if not who.may_decide:
            raise self._refused(tx, who, record, event, Forbidden(MAY_NOT_DECIDE))
        if who.is_behind(record):
            raise self._refused(tx, who, record, event, Forbidden(_OWN))
        if _has_said(record, who, approve=approve):
            return record
        self._require(tx, who, record, event)
        if edits and not approve:
            raise Invalid("A call that is refused cannot be changed")
        if edits and agreement.needed(record) > 1:
            raise Invalid(_SHARED)
        if (refusal := self._bar(tx, who, record, approve=approve)) is not None:
            raise self._refused(tx, who, record, event, refusal)
        reason = reason[:LONGEST_REASON]
        if not approve:
            return self._denied(tx, who, record, reason, channel)
        record = replace(record, edits=checked(record, edits))
        if record.edits and (record.shares or self.policy.limits):
            record = quotas.changed(tx, self.policy, record, self.paced)
        return self._approved(tx, who, record, reason, channel)

    def revoke(self, tx: Tx, who: Principal, action_id: int, *, reason: str = "", channel: str = "api") -> Record:
        """Take an approval back before it is claimed. If its client never claims and has read it, it may have run.

        Raises:
            Forbidden: without the right to decide.
            Conflict: it is not approved, or claimed already; the same person again is fine.
        """
        record = self._settled(tx, self._find(tx, who, action_id))
        if not who.may_decide:
            raise self._refused(tx, who, record, Event.REVOKE, Forbidden(MAY_NOT_DECIDE))
        if record.status is Status.REVOKED and record.decider == who.id:
            return record
        self._require(tx, who, record, Event.REVOKE)
        return self._revoked(tx, record, who.id, who.name, reason[:LONGEST_REASON], "revoked", channel)

    def revoke_unclaimed(self, tx: Tx, actor: str, reason: str) -> int:
        """Take back every approval that nobody has claimed; returns how many there were."""
        count = 0
        while approved := tx.actions(statuses=[Status.APPROVED], limit=MOST_AT_ONCE):
            for record in approved:
                self._revoked(tx, record, actor, actor, reason, "revoked", "local")
            count += len(approved)
        return count

    def resolve(self, tx: Tx, who: Principal, action_id: int, *, status: Status, reason: str) -> Record:
        """Close an action that may have run and never said so, as ``COMPLETED`` or ``FAILED``: somebody has looked.

        It never runs again for that. Its own late report still counts as an alarm if it says something else.

        Raises:
            Forbidden: without the right to decide, or for one's own request.
            Conflict: its end is known, or it has none yet; the same again is fine.
            Invalid: without a reason, or another status.
        """
        record = self._settled(tx, self._find(tx, who, action_id))
        if status not in (Status.COMPLETED, Status.FAILED):
            raise Invalid("An action is closed as completed or as failed")
        event = lifecycle.OUTCOMES[status]
        if not who.may_decide:
            raise self._refused(tx, who, record, event, Forbidden(MAY_NOT_DECIDE))
        if who.is_behind(record):
            raise self._refused(tx, who, record, event, Forbidden("Nobody closes their own request"))
        if record.status is status:
            return record
        if record.status is not Status.UNKNOWN:
            refusal = Conflict(f"Action {record.id} is {record.status}; only what is unknown can be closed", record)
            raise self._refused(tx, who, record, event, refusal)
        reason = reason.strip()[:LONGEST_REASON]
        if not reason:
            raise Invalid("Say how you know: reason is empty")
        outcome = Outcome(status, notes=(f"closed by {who.name}: {reason}",))
        return self._move(tx, record, event, who.id, outcome=outcome)

    def may_approve(self, tx: Tx, who: Principal, record: Record) -> bool:
        """Is this principal's approval one that it waits for, now?"""
        may = who.may_decide and record.status is Status.PENDING and not who.is_behind(record)
        return may and self._bar(tx, who, record, approve=True) is None

    def decide_all(self, tx: Tx, who: Principal, levels: frozenset[str], channel: str = "api") -> list[Record]:
        """Approve everything pending of these risk levels that this principal may decide.

        Raises:
            Forbidden: without the right to decide.
            Invalid: a level for which one answer for all is not offered.
        """
        if not who.may_decide:
            raise Forbidden(MAY_NOT_DECIDE)
        if not levels or not levels <= BULK_LEVELS:
            raise Invalid("Only low and medium risks can be approved together; look at each of the others")
        waiting = [self._settled(tx, record) for record in tx.actions(statuses=[Status.PENDING], limit=MOST_AT_ONCE)]
        return [
            self._approved(tx, who, record, "", channel)
            for record in waiting
            if record.risk_level in levels and self.may_approve(tx, who, record)
        ]

    def _bar(self, tx: Tx, who: Principal, record: Record, *, approve: bool) -> DeskError | None:
        """What stands between an entitled approver and this pending request."""
        find = agreement.bar_to_approving if approve else agreement.bar_to_denying
        if (why := find(record, who)) is not None:
            return Forbidden(why)
        return Conflict(_STOPPED, record) if approve and self._is_stopped(tx, record) else None

    def _approved(self, tx: Tx, who: Principal, record: Record, reason: str, channel: str) -> Record:
        """One approval more; the last one that is needed clears it."""
        vote = Vote(agreement.stage_of(record), who.id, who.name, self.now(), who.owner)
        votes = (*record.votes, vote)
        if not agreement.is_reached(replace(record, votes=votes)):
            return self._move(tx, record, Event.VOTE, who.id, votes=votes, reason=reason, channel=channel)
        names = ", ".join(vote.name for vote in votes)
        return self._decided(tx, record, Event.APPROVE, who.id, names, reason, BY_A_PERSON, channel, votes=votes)

    def _denied(self, tx: Tx, who: Principal, record: Record, reason: str, channel: str) -> Record:
        """Refuse it, and whatever is like it and waits."""
        for each in self._waiting_like(tx, record):
            self._decided(tx, each, Event.DENY, who.id, who.name, reason, BY_A_PERSON, channel)
        return self._decided(tx, record, Event.DENY, who.id, who.name, reason, BY_A_PERSON, channel)

    def _waiting_like(self, tx: Tx, record: Record) -> list[Record]:
        """The other requests of the same requester for the same call that wait, in time."""
        waiting = tx.actions(statuses=[Status.PENDING], requester=record.requester, limit=MOST_AT_ONCE)
        alike = [each for each in waiting if each.id != record.id and each.is_like(record)]
        return [each for each in (self._settled(tx, one) for one in alike) if each.status is Status.PENDING]


def _has_said(record: Record, who: Principal, *, approve: bool) -> bool:
    """Is this the decision that this principal has made already?"""
    if approve:
        return record.status in (Status.PENDING, Status.APPROVED) and agreement.has_voted(record, who)
    return record.status is Status.DENIED and record.decider == who.id
