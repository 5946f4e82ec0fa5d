"""How an action moves: one step of the lifecycle with its audit entry, or a refusal with its own.

Every function runs inside one transaction. A state change and its entry are made in one place (`Moves._move`), so
that neither can be without the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from clearance import lifecycle
from clearance.center import breakglass, quotas, switches
from clearance.center.emergencies import BreakGlass
from clearance.center.faults import Conflict, DeskError, Forbidden, NotFound
from clearance.center.policy import PolicyEngine
from clearance.center.records import Entry, KillSwitch, Principal, Record
from clearance.center.refusals import REFUSED, audited
from clearance.center.store.base import Tx
from clearance.lifecycle import Event
from clearance.models import Status
from clearance.quick import replace

SECOND = 1_000_000
"""Microseconds."""


class Moves:
    """What the desk, its approvers and time do to an action.

    Args:
        policy: what is in force at this Center.
        now: the Center's clock, in microseconds since 1970.
        leapt: by how much the machine's clock was set forward while a Center ran, in microseconds.
    """

    def __init__(self, policy: PolicyEngine, now: Callable[[], int], leapt: Callable[[], int] = lambda: 0) -> None:
        self.policy: PolicyEngine = policy
        self.now: Callable[[], int] = now
        self.leapt: Callable[[], int] = leapt

    def paced(self) -> int:
        """The time by which limits count. What expires may expire too early, and what is used is never free too early:
        so here no time has passed only because the machine's clock was set forward.
        """
        return self.now() - self.leapt()

    def _find(self, tx: Tx, who: Principal, action_id: int) -> Record:
        record = tx.action(action_id)
        if record is None or not (who.may_read_all or record.requester == who.id):
            raise NotFound(f"Action {action_id} not found")
        return record

    def _own(self, tx: Tx, who: Principal, action_id: int, event: Event) -> Record:
        record = self._find(tx, who, action_id)
        if record.requester != who.id:
            raise self._refused(tx, who, record, event, Forbidden("Only whoever asked can do that"))
        return record

    def _settled(self, tx: Tx, record: Record) -> Record:
        """The record after whatever time has done to it; a reader and the timer find the same."""
        now = self.now()
        match record.status:
            case Status.PENDING if now >= record.decide_by:
                reason = "Nobody decided in time"
                return self._move(tx, record, Event.EXPIRE, "clock", reason=reason, reason_code="expired")
            case Status.PENDING if record.escalated_at is None and now >= record.escalates_at:
                return self._move(tx, record, Event.ESCALATE, "clock", escalated_at=record.escalates_at)
            # Before its time is looked at: one that was stopped in time has not lapsed, however late anybody looks.
            case Status.APPROVED if (switch := switches.stopping(tx, record)) is not None:
                return self._halted(tx, record, switch)
            case Status.APPROVED if (glass := breakglass.that_took_back(tx, record)) is not None:
                return self._voided(tx, record, glass)
            case Status.APPROVED if record.run_by is not None and now >= record.run_by:
                # Who never claims and had read the approval may have run it; nobody can say that it did not.
                event = Event.LOSE if record.approval_read and not record.claims else Event.LAPSE
                return self._move(tx, record, event, "clock", reason="approval lapsed", reason_code="lapsed")
            case Status.APPROVED if record.policy_version != self._version_in_force(tx):
                return self._outdated(tx, record)
            case Status.EXECUTING if record.run_until is not None and now >= record.run_until:
                return self._move(tx, record, Event.LOSE, "clock")
            case _:
                return record

    def _close_overdue(self, tx: Tx) -> None:
        """Do what time has done to what is overdue: some of it may hold a share of a limit."""
        for record in tx.overdue(self.now()):
            self._settled(tx, record)

    def _mark_read(self, tx: Tx, record: Record) -> Record:
        if record.status is not Status.APPROVED or record.claims or record.approval_read:
            return record
        return tx.save_action(replace(record, approval_read=True))

    def _decided(
        self,
        tx: Tx,
        record: Record,
        event: Event,
        actor: str,
        name: str,
        reason: str,
        code: str,
        channel: str,
        *,
        latest: int | None = None,
        **more: Any,
    ) -> Record:
        """A decision. An approval is good until ``latest`` at most."""
        now = self.now()
        lasts_until = now + round(record.approval_lasts * SECOND)
        run_by = min(lasts_until, latest or lasts_until) if event is Event.APPROVE else None
        return self._move(
            tx,
            record,
            event,
            actor,
            **more,
            decider=actor,
            decided_by=name,
            decided_at=now,
            reason=reason,
            reason_code=code,
            channel=channel,
            run_by=run_by,
        )

    def _is_stopped(self, tx: Tx, record: Record) -> bool:
        """Does a kill switch that is on cover it?"""
        return any(switch.covers(record) for switch in switches.on(tx))

    def _halted(self, tx: Tx, record: Record, switch: KillSwitch) -> Record:
        """What a kill switch does: to a request that just came in, or to an approval."""
        actor, name = switches.author(switch.activated_by), switches.author(switch.activated_by_name)
        reason, code = f"Kill switch: {switch.reason}", switches.REASON_CODE
        if record.status is Status.PENDING:
            return self._decided(tx, record, Event.DENY, actor, name, reason, code, code)
        return self._revoked(tx, record, actor, name, reason, code, code)

    def _unlocked(self, tx: Tx, record: Record, glass: BreakGlass) -> Record:
        """What a break-glass does to a request that just came in; the approval ends with it."""
        actor, name = breakglass.author(glass.opened_by), breakglass.author(glass.opened_by_name)
        reason, code, channel = f"Break-glass: {glass.reason}", breakglass.REASON_CODE, breakglass.CHANNEL
        breakglass.note_use(tx, glass, record)
        more = {"latest": glass.ends_at, "break_glass": glass.id}
        return self._decided(tx, record, Event.APPROVE, actor, name, reason, code, channel, **more)

    def _voided(self, tx: Tx, record: Record, glass: BreakGlass) -> Record:
        """An approval of a break-glass that was closed before anybody claimed it."""
        actor, name = breakglass.author(glass.closed_by or ""), breakglass.author(glass.closed_by_name or "")
        reason = "The break-glass that cleared it was closed"
        return self._revoked(tx, record, actor, name, reason, breakglass.CLOSED_CODE, breakglass.CHANNEL)

    def _revoked(self, tx: Tx, record: Record, actor: str, name: str, reason: str, code: str, channel: str) -> Record:
        # Who never claims and had read the approval may have run it; nobody can say that it did not.
        if record.approval_read and not record.claims:
            return self._move(tx, record, Event.LOSE, actor, reason=reason, reason_code=code)
        return self._decided(tx, record, Event.REVOKE, actor, name, reason, code, channel)

    def _version_in_force(self, tx: Tx) -> str:
        """The policy that counts: of several Centers on one database, that of the one where it was changed last."""
        found = tx.policy_in_force()
        return self.policy.version if found is None else found.version

    def _outdated(self, tx: Tx, record: Record) -> Record:
        """An approval that another policy than the one in force was behind."""
        reason = "The policy changed after the approval"
        # Who never claims and had read the approval may have run it; nobody can say that it did not.
        event = Event.LOSE if record.approval_read and not record.claims else Event.OUTDATE
        return self._move(tx, record, event, "policy", reason=reason, reason_code="stale")

    def _require(self, tx: Tx, who: Principal, record: Record, event: Event, word: str = REFUSED) -> None:
        try:
            lifecycle.after(record.status, event)
        except lifecycle.IllegalTransition:
            by = f" by {record.decided_by}" if record.decided_by else ""
            refusal = Conflict(f"Action {record.id} is {record.status}{by}; it cannot {event}", record)
            raise self._refused(tx, who, record, event, refusal, word) from None

    def _refused(
        self, tx: Tx, who: Principal, record: Record, tried: Event, refusal: DeskError, word: str = REFUSED
    ) -> DeskError:
        """The refusal, once it stands in the trail; what time did to the action before stays done."""
        return audited(tx, self.now(), who, record, tried, refusal, word)

    def _move(self, tx: Tx, record: Record, event: Event, actor: str, **changes: Any) -> Record:
        status = lifecycle.after(record.status, event)
        changed = tx.save_action(replace(record, status=status, **changes))
        if record.shares:
            quotas.follow(tx, record, changed, self.paced())
        details = {name: value for name, value in changes.items() if name in _AUDITED and value not in (None, "")}
        if event is Event.APPROVE and record.edits:
            details["edits"] = dict(record.edits)
        if event in _BINDING:
            details |= {"digest": record.action.digest, "policy": record.policy_version}
        if "votes" in changes:
            details["stage"] = changes["votes"][-1].stage
        if "outcome" in changes:
            details["outcome"] = {**asdict(changes["outcome"]), "status": status.value}
        tx.append(Entry(self.now(), event.value, actor, record.id, status, details))
        return changed


_AUDITED = frozenset(
    {
        *("decided_by", "reason", "reason_code", "channel", "nonce", "run_by", "run_until", "edited_digest"),
        *("break_glass", "standing"),
    }
)
_BINDING = frozenset({Event.VOTE, Event.APPROVE, Event.DENY, Event.CLAIM})
"""Events whose entries say which call they are about, and under which policy it was asked."""
