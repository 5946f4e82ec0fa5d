"""The desk's part in standing approvals: making one, letting it answer in a person's place, and taking it back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from clearance.center import agreement, keys
from clearance.center.approvals import LONGEST_REASON, MAY_NOT_DECIDE, MOST_AT_ONCE, Approvals
from clearance.center.faults import Conflict, DeskError, Forbidden, Invalid, NotFound
from clearance.center.moves import SECOND
from clearance.center.policy import Verdict
from clearance.center.records import Entry, Principal, Record
from clearance.center.standing import scope
from clearance.center.standing.approval import BY_STANDING, MADE, REVOKED, StandingApproval
from clearance.center.store.base import Tx
from clearance.lifecycle import Event
from clearance.models import Json, Status

USES = 10
"""How often one answers, unless said otherwise."""
MOST_USES = 1_000
HOURS = 24.0
"""Hours that one lives, unless said otherwise."""
MOST_HOURS = 7 * 24.0
MOST_LIVE = 50
"""Live ones for one key: each request of it is held against all of them."""
CHANNEL = "standing"
_OWN = "Nobody allows in advance what they, or another key of the same owner, ask for"
_SEVERAL = "Several people must agree on this call, each having seen it; it cannot be allowed in advance"


class StandingApprovals(Approvals):
    """What approvers do in advance."""

    def make_standing(
        self,
        tx: Tx,
        who: Principal,
        action_id: int,
        *,
        reason: str,
        uses: int = USES,
        hours: float = HOURS,
        match: Mapping[str, Json] = MappingProxyType({}),
        free: Collection[str] = (),
    ) -> StandingApproval:
        """Allow again what this action asks, ``uses`` times within ``hours``.

        That is exactly the same call; with ``match`` (conditions on some parameters) and ``free`` (parameters that may
        have any value), also one that differs only there.

        Raises:
            Forbidden: without the right to decide it, or for one's own key or another of the same owner.
            Conflict: it was refused, the kill switch is on, or this key has too many.
            Invalid: no reason, a number out of bounds, several who must agree, or a scope that cannot be.
        """
        record = self._settled(tx, self._find(tx, who, action_id))
        if (refusal := self._bar_to_standing(tx, who, record)) is not None:
            raise self._refused(tx, who, record, Event.APPROVE, refusal)
        reason = _checked(reason, uses, hours)
        scope.check(record, match, free)
        now = self.now()
        if len(tx.live_standing_approvals(record.requester, now)) >= MOST_LIVE:
            raise Conflict(f"This key has {MOST_LIVE} standing approvals already; revoke one of them first")
        drawn_up = replace(
            _like(record, who, now),
            ends_at=now + round(hours * 3600 * SECOND),
            uses=uses,
            reason=reason,
            same=scope.imprint(record.action, (*match, *free)),
            match=dict(match),
            free=tuple(free),
        )
        made = tx.add_standing_approval(drawn_up)
        tx.append(Entry(now, MADE, who.id, details=_told(made)))
        return made

    def revoke_standing(self, tx: Tx, who: Principal, standing_id: int, *, reason: str = "") -> StandingApproval:
        """End a standing approval at once, with what it approved and nobody has claimed. Again is fine.

        Raises:
            NotFound: there is none, or it is about somebody else.
            Forbidden: without the right to decide.
        """
        found = tx.standing_approval(standing_id)
        if found is None or not (who.may_read_all or found.requester == who.id):
            raise NotFound(f"Standing approval {standing_id} not found")
        if not who.may_decide:
            raise Forbidden(MAY_NOT_DECIDE)
        if found.revoked_at is not None:
            return found
        now, reason = self.now(), reason.strip()[:LONGEST_REASON]
        revoked = tx.revoke_standing_approval(found, now, who.name)
        details: dict[str, object] = {"standing": found.id, "by": who.name, "reason": reason}
        tx.append(Entry(now, REVOKED, who.id, details=details))
        self._void(tx, who, found, f"Standing approval {found.id} was revoked{f': {reason}' if reason else ''}")
        return revoked

    def list_standing(
        self, tx: Tx, who: Principal, *, ended: bool = False, limit: int = 50, offset: int = 0
    ) -> list[StandingApproval]:
        """Standing approvals, newest first: all for those who may see all, those about them for the others.

        Only the live ones, unless ``ended`` says that the others are wanted, too.
        """
        requester, live_at = (None if who.may_read_all else who.id), (None if ended else self.now())
        return tx.standing_approvals(requester=requester, live_at=live_at, limit=limit, offset=offset)

    def _stood_in(self, tx: Tx, record: Record, verdict: Verdict) -> Record:
        """A new action that waits for a person: approved, if one has allowed it in advance.

        Where several must agree, none of them is stood in for: what they are to be is several who have looked. What
        could not be evaluated is for a person, too, and so is one call too many for a limit over time.
        """
        if verdict.unclear or verdict.is_over_limit or agreement.needed(record) != 1:
            return record
        for approval in tx.live_standing_approvals(record.requester, record.created_at):
            if not scope.covers(approval, record) or not self._could_decide(tx, approval, record):
                continue
            if (spent := tx.spend_standing_approval(approval, record.created_at)) is not None:
                return self._approved_by(tx, spent, record)
        return record

    def _could_decide(self, tx: Tx, approval: StandingApproval, record: Record) -> bool:
        """Could whoever made it decide this very request now, with the rights that their key has today?"""
        maker = keys.holder(tx, approval.made_by, record.created_at)
        return maker is not None and maker.may_decide and _bar_for(maker, record) is None

    def _approved_by(self, tx: Tx, spent: StandingApproval, record: Record) -> Record:
        use: dict[str, Json] = {"id": spent.id, "maker": spent.made_by, "use": spent.used, "of": spent.uses}
        # The trail never says that somebody decided what they have not seen.
        name = f"{spent.title} by {spent.made_by_name}"
        reason = f"Use {spent.used:,} of {spent.uses:,}: {spent.reason}"[:LONGEST_REASON]
        return self._decided(
            tx,
            record,
            Event.APPROVE,
            spent.title,
            name,
            reason,
            BY_STANDING,
            CHANNEL,
            standing={**use, "by": spent.made_by_name},
        )

    def _bar_to_standing(self, tx: Tx, who: Principal, record: Record) -> DeskError | None:
        """What stands between a principal and allowing this action again."""
        if (refusal := bar_to_allowing(record, who)) is not None:
            return refusal
        if record.status in (Status.DENIED, Status.REVOKED):
            by = f" by {record.decided_by}" if record.decided_by else ""
            return Conflict(f"Action {record.id} is {record.status}{by}; it cannot be allowed again", record)
        if self._is_stopped(tx, record):
            return Conflict("The kill switch is on: nothing is approved until it is off", record)
        return None

    def _void(self, tx: Tx, who: Principal, ended: StandingApproval, why: str) -> None:
        """Take back what it approved and nobody has claimed. No more can come of it, so once is enough."""
        after: int | None = 0
        while after is not None:
            some = tx.actions(
                statuses=[Status.APPROVED],
                requester=ended.requester,
                oldest_first=True,
                after=after,
                limit=MOST_AT_ONCE,
            )
            for record in some:
                if record.decider == ended.title and self._settled(tx, record).status is Status.APPROVED:
                    self._revoked(tx, record, who.id, who.name, why, "revoked", CHANNEL)
            after = some[-1].id if len(some) == MOST_AT_ONCE else None


def bar_to_allowing(record: Record, who: Principal) -> DeskError | None:
    """Why this principal cannot allow such a request in advance, however it stands; None if they can."""
    if not who.may_decide:
        return Forbidden(MAY_NOT_DECIDE)
    if (why := _bar_for(who, record)) is not None:
        return Forbidden(why)
    return Invalid(_SEVERAL) if agreement.needed(record) > 1 else None


def _bar_for(who: Principal, record: Record) -> str | None:
    """Why somebody who may decide in general cannot decide such a request."""
    if who.is_behind(record):
        return _OWN
    if not any(stage.is_for(who) for stage in agreement.stages_of(record)):
        return "The policy leaves this to others; your approval does not count here"
    return None


def _checked(reason: str, uses: int, hours: float) -> str:
    """The reason, if all of this can be meant.

    Raises:
        Invalid: there is none, or a number is out of bounds.
    """
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise Invalid("Say why: reason is empty")
    if not 1 <= uses <= MOST_USES:
        raise Invalid(f"uses is a whole number from 1 to {MOST_USES:,}")
    if not 0 < hours <= MOST_HOURS:
        raise Invalid(f"A standing approval lives up to {MOST_HOURS:.0f} hours")
    return reason


def _like(record: Record, who: Principal, now: int) -> StandingApproval:
    """One about this action, by this principal, that has ended already and has no use: its terms are still to come."""
    action = record.action
    return StandingApproval(
        requester=record.requester,
        requester_name=record.requester_name,
        agent_id=action.agent_id,
        action_type=action.action_type,
        tool_name=action.tool_name,
        rule=record.rule,
        risk_level=record.risk_level,
        same="",
        made_from=record.id,
        made_by=who.id,
        made_by_name=who.name,
        made_at=now,
        ends_at=now,
        uses=0,
        reason="",
    )


def _told(made: StandingApproval) -> dict[str, object]:
    """What the trail keeps of one that was made: whom and what it is for, and a hash over all that never changes."""
    return {
        "standing": made.id,
        "requester": made.requester,
        "agent_id": made.agent_id,
        "action_type": made.action_type,
        "tool_name": made.tool_name,
        "made_from": made.made_from,
        "uses": made.uses,
        "ends_at": made.ends_at,
        "by": made.made_by_name,
        "reason": made.reason,
        "sha256": made.digest(),
    }
