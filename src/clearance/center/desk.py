"""The desk: takes in what agents ask, answers them, and keeps time. It knows no HTTP and no SQL.

Every function runs inside one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import islice

from clearance import lifecycle
from clearance.center import intake, switches
from clearance.center.approvals import LONGEST_REASON, Approvals
from clearance.center.faults import Conflict, Forbidden, Invalid, NotFound, TooMany
from clearance.center.moves import SECOND
from clearance.center.policy import Asked, Effect, PolicyEngine
from clearance.center.policy.rules import LONGEST_RUN_WITHIN
from clearance.center.records import Entry, KillSwitch, Principal, Record, Submission, call_of
from clearance.center.refusals import ALARM
from clearance.center.store.base import Tx
from clearance.lifecycle import Event
from clearance.models import Action, Outcome, Status

RUN_FOR = 3600.0
"""Seconds after a claim until an action without an outcome counts as unknown."""
REPEAT_CLAIM_WITHIN = 60.0
"""Seconds in which the same nonce gets the same yes again."""
MAX_PENDING = 1_000
"""Actions of one key that may wait for a decision at once."""
PENDING_RETRY_AFTER = 5.0
"""Seconds after which a key with that many may ask again."""
REMEMBER_DENIALS = 60.0
"""Seconds for which a call that a person refused is refused again, if the same requester asks for the same."""
HALTED_AT_ONCE = 200
"""Approvals that the timer holds against the kill switches, or a new policy, at a time."""
MOST_TOLD = 100
"""Actions that one wait for many answers at most; the others are told at the next."""
MEMORY = "memory"
"""Who refuses what a person has just refused, and by which channel."""
DENIED_BEFORE = "denied_before"
"""The reason code of a request that is refused because the same was, a moment ago."""


class Desk(Approvals):
    """Takes in, keeps and answers for actions; what approvers do there is in `Approvals`.

    Args:
        policy: what needs no person, what none may allow, and who must agree to the rest.
        now: the Center's clock, in microseconds since 1970.
        max_pending: actions of one key that may wait for a decision at once.
        remember_denials: seconds for which a call that a person refused is refused again; 0 for not at all.
    """

    def __init__(
        self,
        policy: PolicyEngine,
        now: Callable[[], int],
        max_pending: int = MAX_PENDING,
        remember_denials: float = REMEMBER_DENIALS,
    ) -> None:
        super().__init__(policy, now)
        self.max_pending: int = max_pending
        self.remember_denials: float = remember_denials

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
        if submission.key is not None and (known := tx.action_by_key(who.id, submission.key)) is not None:
            return self._again(tx, known, submission)
        now, is_new, new_call = self.now(), *self._novelty(tx, who, submission.action)
        risks = self.policy.risk.assess(submission.action, at=now, is_new=is_new)
        verdict = self.policy.judge(Asked.by(who, submission.action, now, risks.score))
        record = intake.record_of(who, submission, verdict, risks, now, self.policy.version, new_call)
        record = tx.add_action(record)
        facts = intake.facts(record, verdict.unclear)
        tx.append(Entry(now, "submit", who.id, record.id, Status.PENDING, facts))
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
        now, due = self.now(), set()
        unseen = set(action_ids)
        for standing in tx.standings(action_ids):
            if who.may_read_all or standing.requester == who.id:
                unseen.discard(standing.id)
            if standing.status is not Status.PENDING or standing.due_at <= now:
                due.add(standing.id)
        if unseen:
            raise NotFound(f"Action {min(unseen)} not found")
        read = (self.read(tx, who, action_id) for action_id in sorted(due))
        return list(islice((record for record in read if record.status is not Status.PENDING), MOST_TOLD))

    def claim(
        self, tx: Tx, who: Principal, action_id: int, digest: str, nonce: str, edited_digest: str | None = None
    ) -> Record:
        """Spend an approval, for the call with this digest. The same nonce gets the same yes for a minute.

        Where the approver changed parameters, ``edited_digest`` is that of the call as it will run.

        Raises:
            Forbidden: somebody else asked for it.
            Conflict: anything else.
        """
        found = self._own(tx, who, action_id, Event.CLAIM)
        record = self._settled(tx, found)
        if record.status is Status.STALE and found.status is Status.APPROVED:
            return record  # Not raised as well: the move is the entry that tells of it, and its status refuses.
        is_same_call = digest == record.action.digest and edited_digest == record.edited_digest
        is_repeat = is_same_call and record.nonce == nonce
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
        if record.policy_version != self.policy.version:  # another Center's, which this one does not know
            return self._outdated(tx, record)
        return self._claimed(tx, record, who, nonce, edited_digest)

    def report(self, tx: Tx, who: Principal, action_id: int, nonce: str, outcome: Outcome) -> Record:
        """Take the outcome of a claimed action. The first one stands; the same again is fine.

        Raises:
            Forbidden: somebody else asked for it.
            Conflict: the nonce is not the claim's, or another outcome stands.
        """
        event = lifecycle.OUTCOMES[outcome.status]
        record = self._own(tx, who, action_id, event)
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
            Forbidden: somebody else asked for it.
            Conflict: it is claimed or ended.
        """
        record = self._settled(tx, self._own(tx, who, action_id, Event.WITHDRAW))
        if record.status is Status.WITHDRAWN:
            return record
        self._require(tx, who, record, Event.WITHDRAW)
        return self._move(tx, record, Event.WITHDRAW, who.id, reason=reason[:LONGEST_REASON], reason_code="withdrawn")

    def turn_switch(
        self, tx: Tx, who: Principal, *, on: bool, agent: str = switches.ALL, tool: str = switches.ALL, reason: str
    ) -> KillSwitch:
        """Turn a kill switch on or off; see `switches.turn`."""
        remember = round(LONGEST_RUN_WITHIN * SECOND)
        return switches.turn(tx, who, self.now(), on=on, agent=agent, tool=tool, reason=reason, remember=remember)

    def sweep(self, tx: Tx) -> int | None:
        """Do what time has done to every overdue action; returns when the next one is due."""
        for record in tx.overdue(self.now()):
            self._settled(tx, record)
        if switches.on(tx):
            for record in tx.actions(statuses=[Status.APPROVED], limit=HALTED_AT_ONCE):
                self._settled(tx, record)
        return tx.next_deadline()

    def outdate(self, tx: Tx, after: int) -> int | None:
        """Look at some approvals, from behind action ``after`` on: the policy was changed.

        Returns the last one that was looked at; None when there are no more.
        """
        approved = tx.actions(statuses=[Status.APPROVED], oldest_first=True, after=after, limit=HALTED_AT_ONCE)
        for record in approved:
            self._settled(tx, record)
        return approved[-1].id if len(approved) == HALTED_AT_ONCE else None

    def list(
        self, tx: Tx, who: Principal, *, status: Status | None = None, limit: int = 50, offset: int = 0
    ) -> list[Record]:
        """Actions, newest first: all for those who may see all, their own for the others."""
        statuses = None if status is None else [status]
        requester = None if who.may_read_all else who.id
        found = tx.actions(statuses=statuses, requester=requester, limit=limit, offset=offset)
        return [self._seen(tx, who, record) for record in found]

    # Inside

    def _again(self, tx: Tx, known: Record, submission: Submission) -> Record:
        """The same submit again: the same action."""
        if not intake.is_same(known, submission):
            raise Invalid("This Idempotency-Key was already used for another request")
        record = self._settled(tx, known)
        if record.status is Status.EXECUTING and self._is_stopped(tx, record):
            return replace(record, nonce=None)  # without its nonce nobody takes it for leave to run
        return self._mark_read(tx, record)

    def _novelty(self, tx: Tx, who: Principal, action: Action) -> tuple[bool | None, str | None]:
        """Was this requester never cleared for this very call? And the call, if so. None where it counts nothing."""
        if not self.policy.risk.novelty:
            return None, None
        call = call_of(action)
        return (False, None) if tx.was_cleared(who.id, call) else (True, call)

    def _held(self, tx: Tx, record: Record) -> Record:
        """A new action that waits for a person: unless one has just refused the same, or too many do."""
        if (denied := self._just_denied(tx, record)) is not None:
            since = (record.created_at - (denied.decided_at or 0)) // SECOND
            reason = f"The same was refused {since} s ago{f': {denied.reason}' if denied.reason else ''}"
            # The trail never says that somebody decided what they have not seen.
            return self._decided(
                tx,
                record,
                Event.DENY,
                MEMORY,
                denied.decided_by or "",
                reason[:LONGEST_REASON],
                DENIED_BEFORE,
                MEMORY,
            )
        if tx.pending_of(record.requester) > self.max_pending:
            self.sweep(tx)  # some of them may be overdue
            if tx.pending_of(record.requester) > self.max_pending:
                detail = f"{self.max_pending:,} requests of this key wait for a decision already; ask again later"
                raise TooMany(detail, PENDING_RETRY_AFTER)
        return record

    def _just_denied(self, tx: Tx, record: Record) -> Record | None:
        """The same call of the same requester, that a person refused a moment ago."""
        denied = tx.last_denied(record.requester, record.action.digest) if record.action.digest else None
        if denied is None or denied.decided_at is None or not denied.is_like(record):
            return None
        is_recent = record.created_at < denied.decided_at + self.remember_denials * SECOND
        return denied if is_recent else None

    def _seen(self, tx: Tx, who: Principal, record: Record) -> Record:
        record = self._settled(tx, record)
        return self._mark_read(tx, record) if record.requester == who.id else record

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
