"""The desk: takes in what agents ask, answers them, and keeps time. It knows no HTTP and no SQL.

Every function runs inside one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import islice

from clearance import lifecycle
from clearance.center import breakglass, intake, quotas, switches
from clearance.center.approvals import LONGEST_REASON
from clearance.center.emergencies import BreakGlass
from clearance.center.faults import Conflict, Forbidden, Invalid, NotFound, TooMany
from clearance.center.moves import SECOND
from clearance.center.policy import Asked, Effect, PolicyEngine, Verdict
from clearance.center.policy.limits import Charge, over
from clearance.center.policy.rules import LONGEST_RUN_WITHIN
from clearance.center.records import Entry, KillSwitch, Principal, Record, Submission, call_of
from clearance.center.refusals import ALARM
from clearance.center.risk import Assessment
from clearance.center.standing.desk import StandingApprovals
from clearance.center.store.base import Leaps, Tx
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


class Desk(StandingApprovals):
    """Takes in, keeps and answers for actions; what approvers do there is in `Approvals` and `StandingApprovals`.

    Args:
        policy: what needs no person, what none may allow, and who must agree to the rest.
        now: the Center's clock, in microseconds since 1970.
        max_pending: actions of one key that may wait for a decision at once.
        remember_denials: seconds for which a call that a person refused is refused again; 0 for not at all.
        leapt: by how much the machine's clock was set forward while a Center ran, in microseconds.
    """

    def __init__(
        self,
        policy: PolicyEngine,
        now: Callable[[], int],
        max_pending: int = MAX_PENDING,
        remember_denials: float = REMEMBER_DENIALS,
        leapt: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(policy, now, leapt)
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
        asked, risks, new_call, charges = self._weighed(tx, who, submission.action)
        if any(over(charges)):
            self._close_overdue(tx)  # some of what holds a share may be over by now
            asked, risks, new_call, charges = self._weighed(tx, who, submission.action)
        now, verdict = asked.at, self.policy.judge(asked, charges)
        record = intake.record_of(who, submission, verdict, risks, now, self.policy.version, new_call)
        record = self._added(tx, record, verdict, charges)
        facts = intake.facts(record, verdict.unclear)
        tx.append(Entry(now, "submit", who.id, record.id, Status.PENDING, facts))
        if (switch := switches.stopping(tx, record)) is not None:
            return self._halted(tx, record, switch)
        if verdict.effect is Effect.ASK:
            record = self._held(tx, record, verdict)
        else:
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

    def close_glass(self, tx: Tx, who: Principal, number: int, reason: str = "") -> BreakGlass:
        """Close a break-glass; see `breakglass.close`.

        Some of what it cleared is taken back at once, the rest when anybody looks at it, or claims it.
        """
        glass = breakglass.close(tx, who, self.now(), number, reason)
        unclaimed = tx.cleared_by_break_glass(number, statuses=[Status.APPROVED], limit=HALTED_AT_ONCE)
        for record in filter(None, map(tx.action, unclaimed)):
            self._settled(tx, record)
        return glass

    def sweep(self, tx: Tx) -> int | None:
        """Do what time has done to every overdue action, and to break-glass; returns when the next action is due."""
        breakglass.end_overdue(tx, self.now())
        self._close_overdue(tx)
        leaps = Leaps(self.leapt(), self.now())
        quotas.tidy(tx, [limit.within for limit in self.policy.limits], self.paced(), leaps)
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

    def _weighed(
        self, tx: Tx, who: Principal, action: Action
    ) -> tuple[Asked, Assessment, str | None, tuple[Charge, ...]]:
        """What is asked now, how risky it looks, the call if it is a new one, and what it takes of limits over time."""
        now, is_new, new_call = self.now(), *self._novelty(tx, who, action)
        risks = self.policy.risk.assess(action, at=now, is_new=is_new)
        asked = Asked.by(who, action, now, risks.score)
        return asked, risks, new_call, quotas.charged(tx, self.policy, asked, who.id, self.paced)

    def _added(self, tx: Tx, record: Record, verdict: Verdict, charges: tuple[Charge, ...]) -> Record:
        """Keep a new action, which takes its share unless it is refused at once."""
        if not charges:
            return tx.add_action(record)
        shares = quotas.shares_of(charges, record.requester, record.action.agent_id)
        record = tx.add_action(replace(record, shares=shares))
        if verdict.effect is not Effect.DENY:
            quotas.hold(tx, record)
        return record

    def _novelty(self, tx: Tx, who: Principal, action: Action) -> tuple[bool | None, str | None]:
        """Was this requester never cleared for this very call? And the call, if so. None where it counts nothing."""
        if not self.policy.risk.novelty:
            return None, None
        call = call_of(action)
        return (False, None) if tx.was_cleared(who.id, call) else (True, call)

    def _held(self, tx: Tx, record: Record, verdict: Verdict) -> Record:
        """A new action that waits for a person.

        Unless one has just refused the same, a break-glass is open for it, or somebody has allowed it in advance.

        Raises:
            TooMany: too many wait already.
        """
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
        if (glass := breakglass.clearing(tx, record, verdict, self.now())) is not None:
            return self._unlocked(tx, record, glass)
        if (record := self._stood_in(tx, record, verdict)).status is Status.APPROVED:
            return record
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
