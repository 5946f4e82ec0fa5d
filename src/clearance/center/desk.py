"""The desk: moves actions through the lifecycle. It knows no HTTP and no SQL.

Every function runs inside one transaction. A state change and its audit entry are made in one place
(`Desk._move`), so that neither can be without the other.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from clearance import lifecycle
from clearance.center import switches
from clearance.center.edits import checked
from clearance.center.policy import Effect, Policy
from clearance.center.records import (
    Conflict,
    DeskError,
    Entry,
    Forbidden,
    Invalid,
    KillSwitch,
    NotFound,
    Principal,
    Record,
    Submission,
    TooMany,
    fields_of,
)
from clearance.center.refusals import ALARM, REFUSED, audited
from clearance.center.store.base import Tx
from clearance.lifecycle import Event
from clearance.models import Json, Outcome, Status

SECOND = 1_000_000
"""Microseconds."""
LONGEST_DECIDE_WITHIN = 30 * 24 * 3600.0
LONGEST_RUN_WITHIN = 14 * 24 * 3600.0
RUN_FOR = 3600.0
"""Seconds after a claim until an action without an outcome counts as unknown."""
REPEAT_CLAIM_WITHIN = 60.0
"""Seconds in which the same nonce gets the same yes again."""
LONGEST_REASON = 2_000
"""Characters of a reason."""
MOST_TOLD = 100
"""Actions that one wait for many answers at most; the others are told at the next."""
MAX_PENDING = 1_000
"""Actions of one key that may wait for a decision at once."""
PENDING_RETRY_AFTER = 5.0
"""Seconds after which a key with that many may ask again."""
HALTED_AT_ONCE = 200
"""Approvals that the timer holds against the kill switches at a time."""


class Desk:
    """Decides, keeps and answers for actions.

    Args:
        policy: what needs no person and what none may allow.
        now: the Center's clock, in microseconds since 1970.
        max_pending: actions of one key that may wait for a decision at once.
    """

    def __init__(self, policy: Policy, now: Callable[[], int], max_pending: int = MAX_PENDING) -> None:
        self.policy = policy
        self.now = now
        self.max_pending = max_pending

    def submit(self, tx: Tx, who: Principal, submission: Submission) -> Record:
        """Take in an action: the policy clears it, refuses it, or leaves it to a person.

        The same idempotency key again is the same action, however it stands by now.

        Raises:
            Forbidden: this principal may not ask.
            Invalid: the same key came with another body, or a time is out of bounds.
            TooMany: too much of this principal waits for a decision already.
        """
        if not who.may_ask:
            raise Forbidden("This key reads; it may not ask")
        fingerprint = _fingerprint(submission)
        if submission.key is not None and (known := tx.action_by_key(who.id, submission.key)) is not None:
            return self._again(tx, known, fingerprint)
        now, action = self.now(), submission.action
        _bounded("decide_within_s", action.decide_within, LONGEST_DECIDE_WITHIN)
        _bounded("run_within_s", action.run_within, LONGEST_RUN_WITHIN)
        verdict = self.policy.judge(action)
        record = tx.add_action(
            Record(
                action=action,
                requester=who.id,
                requester_name=who.name,
                fingerprint=fingerprint,
                created_at=now,
                decide_by=now + round(action.decide_within * SECOND),
                correlation_id=str(uuid.uuid4()),
                policy_version=self.policy.version,
                key=submission.key,
                claims=submission.claims,
                risk_score=verdict.risk_score,
                risk_level=verdict.risk_level,
                factors=verdict.factors,
                rule=verdict.rule,
                requester_owner=who.owner,
            )
        )
        tx.append(Entry(now, "submit", who.id, record.id, Status.PENDING, _facts(record)))
        if (switch := switches.stopping(tx, record)) is not None:
            return self._halted(tx, record, switch)
        if verdict.effect is Effect.ASK:
            return self._held(tx, record)
        event = Event.APPROVE if verdict.effect is Effect.ALLOW else Event.DENY
        actor = f"policy:{verdict.rule}@{self.policy.version}"
        record = self._decided(tx, record, event, actor, actor, verdict.reason, "policy", "policy")
        if record.status is Status.APPROVED and submission.claims and submission.nonce:
            return self._claimed(tx, record, who, submission.nonce)
        return self._mark_read(tx, record)

    def read(self, tx: Tx, who: Principal, action_id: int) -> Record:
        """How an action stands, after whatever time has done to it.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        return self._seen(tx, who, self._find(tx, who, action_id))

    def settled_among(self, tx: Tx, who: Principal, action_ids: Collection[int]) -> list[Record]:
        """Those of these actions that do not wait for a decision any more, `MOST_TOLD` at most, oldest first.

        Raises:
            NotFound: one of them is not there, or is somebody else's.
        """
        now, settled = self.now(), set()
        unseen = set(action_ids)
        for standing in tx.standings(action_ids):
            if who.may_read_all or standing.requester == who.id:
                unseen.discard(standing.id)
            if standing.status is not Status.PENDING or standing.decide_by <= now:
                settled.add(standing.id)
        if unseen:
            raise NotFound(f"Action {min(unseen)} not found")
        return [self.read(tx, who, action_id) for action_id in sorted(settled)[:MOST_TOLD]]

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

        Raises:
            Forbidden: without the right to decide, or for one's own request.
            Conflict: it is not pending; the same decision by the same person again is fine.
            Invalid: the guard does not allow these edits.
        """
        record = self._settled(tx, self._find(tx, who, action_id))
        event = Event.APPROVE if approve else Event.DENY
        if not who.may_decide:
            raise self._refused(tx, who, record, event, Forbidden(MAY_NOT_DECIDE))
        if who.is_behind(record):
            refusal: DeskError = Forbidden("Nobody decides their own request, nor one of another key of the same owner")
            raise self._refused(tx, who, record, event, refusal)
        if record.status is lifecycle.after(Status.PENDING, event) and record.decider == who.id:
            return record
        self._require(tx, who, record, event)
        if edits and not approve:
            raise Invalid("A call that is refused cannot be changed")
        if approve and self._is_stopped(tx, record):
            refusal = Conflict("The kill switch is on: nothing is approved until it is off", record)
            raise self._refused(tx, who, record, event, refusal)
        record = replace(record, edits=checked(record, edits))
        return self._decided(tx, record, event, who.id, who.name, reason[:LONGEST_REASON], "approver", channel)

    def claim(
        self, tx: Tx, who: Principal, action_id: int, digest: str, nonce: str, edited_digest: str | None = None
    ) -> Record:
        """Spend an approval, for the call with this digest. The same nonce gets the same yes for a minute.

        Where the approver changed parameters, ``edited_digest`` is that of the call as it will run.

        Raises:
            Conflict: anything else.
        """
        record = self._settled(tx, self._own(tx, who, action_id))
        is_repeat = record.nonce == nonce and record.edited_digest == edited_digest
        if record.status is Status.EXECUTING and is_repeat and self._is_recent(record):
            if self._is_stopped(tx, record):
                refusal = Conflict("The kill switch is on: this claim is not confirmed again", record)
                raise self._refused(tx, who, record, Event.CLAIM, refusal)
            return record
        self._require(tx, who, record, Event.CLAIM)
        if not digest or digest != record.action.digest:
            refusal = Conflict("The digest is not the one that was approved", record)
            raise self._refused(tx, who, record, Event.CLAIM, refusal)
        if bool(record.edits) != (edited_digest is not None) or edited_digest == digest:
            refusal = Conflict("The approver changed parameters; the claim must be for the call with them", record)
            raise self._refused(tx, who, record, Event.CLAIM, refusal)
        if record.policy_version != self.policy.version:
            # Not raised as well: the move is the entry that tells of it, and the status of the record refuses.
            return self._move(tx, record, Event.OUTDATE, who.id, reason="The policy changed after the approval")
        return self._claimed(tx, record, who, nonce, edited_digest)

    def report(self, tx: Tx, who: Principal, action_id: int, nonce: str, outcome: Outcome) -> Record:
        """Take the outcome of a claimed action. The first one stands; the same again is fine.

        Raises:
            Conflict: the nonce is not the claim's, or another outcome stands.
        """
        record = self._own(tx, who, action_id)
        event = lifecycle.OUTCOMES[outcome.status]
        if record.nonce is None or record.nonce != nonce:
            refusal = Conflict("This claim is not the one that is being reported on", record)
            raise self._refused(tx, who, record, event, refusal)
        if record.status is outcome.status:
            return record
        self._require(tx, who, record, event, word=ALARM)
        return self._move(tx, record, event, who.id, outcome=outcome)

    def withdraw(self, tx: Tx, who: Principal, action_id: int, reason: str) -> Record:
        """Close one's own request before it runs.

        Raises:
            Conflict: it is claimed or ended.
        """
        record = self._settled(tx, self._own(tx, who, action_id))
        if record.status is Status.WITHDRAWN:
            return record
        self._require(tx, who, record, Event.WITHDRAW)
        return self._move(tx, record, Event.WITHDRAW, who.id, reason=reason[:LONGEST_REASON], reason_code="withdrawn")

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

    def turn_switch(
        self, tx: Tx, who: Principal, *, on: bool, agent: str = switches.ALL, tool: str = switches.ALL, reason: str
    ) -> KillSwitch:
        """Turn a kill switch on or off; see `switches.turn`."""
        remember = round(LONGEST_RUN_WITHIN * SECOND)
        return switches.turn(tx, who, self.now(), on=on, agent=agent, tool=tool, reason=reason, remember=remember)

    def may_approve(self, tx: Tx, who: Principal, record: Record) -> bool:
        """May this principal approve it now?"""
        may = who.may_decide and record.status is Status.PENDING and not who.is_behind(record)
        return may and not self._is_stopped(tx, record)

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
            self._decided(tx, record, Event.APPROVE, who.id, who.name, "", "approver", channel)
            for record in waiting
            if record.risk_level in levels and self.may_approve(tx, who, record)
        ]

    def sweep(self, tx: Tx) -> int | None:
        """Do what time has done to every overdue action; returns when the next one is due."""
        for record in tx.overdue(self.now()):
            self._settled(tx, record)
        if switches.on(tx):
            for record in tx.actions(statuses=[Status.APPROVED], limit=HALTED_AT_ONCE):
                self._settled(tx, record)
        return tx.next_deadline()

    def list(
        self, tx: Tx, who: Principal, *, status: Status | None = None, limit: int = 50, offset: int = 0
    ) -> list[Record]:
        """Actions, newest first: all for those who may see all, their own for the others."""
        statuses = None if status is None else [status]
        requester = None if who.may_read_all else who.id
        found = tx.actions(statuses=statuses, requester=requester, limit=limit, offset=offset)
        return [self._seen(tx, who, record) for record in found]

    # Inside

    def _again(self, tx: Tx, known: Record, fingerprint: str) -> Record:
        """The same submit again: the same action."""
        if known.fingerprint != fingerprint:
            raise Invalid("This Idempotency-Key was already used for another request")
        record = self._settled(tx, known)
        if record.status is Status.EXECUTING and self._is_stopped(tx, record):
            return replace(record, nonce=None)  # without its nonce nobody takes it for leave to run
        return self._mark_read(tx, record)

    def _held(self, tx: Tx, record: Record) -> Record:
        """A new action that waits for a person, unless too many do."""
        if tx.pending_of(record.requester, record.created_at) > self.max_pending:
            detail = f"{self.max_pending:,} requests of this key wait for a decision already; ask again later"
            raise TooMany(detail, PENDING_RETRY_AFTER)
        return record

    def _find(self, tx: Tx, who: Principal, action_id: int) -> Record:
        record = tx.action(action_id)
        if record is None or not (who.may_read_all or record.requester == who.id):
            raise NotFound(f"Action {action_id} not found")
        return record

    def _own(self, tx: Tx, who: Principal, action_id: int) -> Record:
        record = self._find(tx, who, action_id)
        if record.requester != who.id:
            raise Forbidden("Only whoever asked can do that")
        return record

    def _settled(self, tx: Tx, record: Record) -> Record:
        """The record after whatever time has done to it; a reader and the timer find the same."""
        now = self.now()
        match record.status:
            case Status.PENDING if now >= record.decide_by:
                reason = "Nobody decided in time"
                return self._move(tx, record, Event.EXPIRE, "clock", reason=reason, reason_code="expired")
            case Status.APPROVED if record.run_by is not None and now >= record.run_by:
                # Who never claims and had read the approval may have run it; nobody can say that it did not.
                event = Event.LOSE if record.approval_read and not record.claims else Event.LAPSE
                return self._move(tx, record, event, "clock", reason="approval lapsed", reason_code="lapsed")
            case Status.APPROVED if (switch := switches.stopping(tx, record)) is not None:
                return self._halted(tx, record, switch)
            case Status.EXECUTING if record.run_until is not None and now >= record.run_until:
                return self._move(tx, record, Event.LOSE, "clock")
            case _:
                return record

    def _seen(self, tx: Tx, who: Principal, record: Record) -> Record:
        record = self._settled(tx, record)
        return self._mark_read(tx, record) if record.requester == who.id else record

    def _mark_read(self, tx: Tx, record: Record) -> Record:
        if record.status is not Status.APPROVED or record.claims or record.approval_read:
            return record
        return tx.save_action(replace(record, approval_read=True))

    def _decided(
        self, tx: Tx, record: Record, event: Event, actor: str, name: str, reason: str, code: str, channel: str
    ) -> Record:
        now = self.now()
        run_by = now + round(record.action.run_within * SECOND) if event is Event.APPROVE else None
        return self._move(
            tx,
            record,
            event,
            actor,
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

    def _revoked(self, tx: Tx, record: Record, actor: str, name: str, reason: str, code: str, channel: str) -> Record:
        # Who never claims and had read the approval may have run it; nobody can say that it did not.
        if record.approval_read and not record.claims:
            return self._move(tx, record, Event.LOSE, actor, reason=reason, reason_code=code)
        return self._decided(tx, record, Event.REVOKE, actor, name, reason, code, channel)

    def _claimed(self, tx: Tx, record: Record, who: Principal, nonce: str, edited_digest: str | None = None) -> Record:
        now = self.now()
        return self._move(
            tx,
            record,
            Event.CLAIM,
            who.id,
            nonce=nonce,
            claimed_at=now,
            run_until=now + round(RUN_FOR * SECOND),
            edited_digest=edited_digest,
        )

    def _is_recent(self, record: Record) -> bool:
        return record.claimed_at is not None and self.now() <= record.claimed_at + REPEAT_CLAIM_WITHIN * SECOND

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
        details = {name: value for name, value in changes.items() if name in _AUDITED and value not in (None, "")}
        if event is Event.APPROVE and record.edits:
            details["edits"] = dict(record.edits)
        if event in _BINDING:
            details |= {"digest": record.action.digest, "policy": record.policy_version}
        if "outcome" in changes:
            details["outcome"] = {**asdict(changes["outcome"]), "status": status.value}
        tx.append(Entry(self.now(), event.value, actor, record.id, status, details))
        return changed


MAY_NOT_DECIDE = "This key may not decide; ask for one with the role admin"
BULK_LEVELS = frozenset({"low", "medium"})
"""Risk levels that may be approved together."""
MOST_AT_ONCE = 1_000
"""Actions that one such approval covers at most."""
_AUDITED = frozenset(
    {"decided_by", "reason", "reason_code", "channel", "nonce", "run_by", "run_until", "edited_digest"}
)
_BINDING = frozenset({Event.APPROVE, Event.DENY, Event.CLAIM})
"""Events whose entries say which call they are about, and under which policy it was asked."""


def _facts(record: Record) -> dict[str, object]:
    """What the trail keeps of a submit: enough to tell what was asked, and that it was not changed since."""
    action = record.action
    return {
        "agent_id": action.agent_id,
        "action_type": action.action_type,
        "tool_name": action.tool_name,
        "digest": action.digest,
        "view": hashlib.sha256(json.dumps(dict(action.parameters), sort_keys=True).encode()).hexdigest(),
        "decide_by": record.decide_by,
        "policy": record.policy_version,
        "rule": record.rule,
        "risk": record.risk_score,
    }


def _fingerprint(submission: Submission) -> str:
    """What makes two submits the same: everything but the nonce, which names the worker, not the request."""
    document = {**fields_of(submission), "nonce": None}
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=fields_of).encode()).hexdigest()


def _bounded(name: str, seconds: float, longest: float) -> None:
    if not 0 < seconds <= longest:
        raise Invalid(f"{name} must be a number of seconds from 0 to {longest:.0f}")


__all__ = ["BULK_LEVELS", "RUN_FOR", "SECOND", "Desk", "DeskError"]
