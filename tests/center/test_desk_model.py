"""The desk against a model of it: whatever is done in whatever order, the lifecycle's invariants hold."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.center.desks import AGENT, CAROL, DAVE, DROP, READ, Office
from tests.helpers import an_action
from tests.postgres import Cluster

from clearance.center import trail
from clearance.center.audit import Link, verify
from clearance.center.desk import REPEAT_CLAIM_WITHIN, RUN_FOR
from clearance.center.moves import SECOND
from clearance.center.records import Conflict, Forbidden, Principal, Record
from clearance.center.refusals import ALARM, MOST_REFUSALS, REFUSED
from clearance.lifecycle import CLAIMED, OUTCOMES, TABLE, Event
from clearance.lifecycle import REFUSED as ENDED_WITHOUT_A_RUN
from clearance.models import Status
from clearance.witness import Head

ENDED = ENDED_WITHOUT_A_RUN | {Status.COMPLETED, Status.FAILED}
OVERDUE = {
    (Status.PENDING, Status.EXPIRED),
    (Status.APPROVED, Status.LAPSED),
    (Status.APPROVED, Status.UNKNOWN),
    (Status.APPROVED, Status.REVOKED),
    (Status.EXECUTING, Status.UNKNOWN),
}
"""How the store may lag behind the model until somebody looks."""
KILLED = {(Status.APPROVED, Status.REVOKED), (Status.APPROVED, Status.UNKNOWN)}
"""How the store may lag behind until somebody looks, once a kill switch is off again."""
ACTIONS = {"held": an_action(), "cleared": READ, "denied": DROP}
NONCES = ("nonce-one", "nonce-two")
KEYS = ("key-one", "key-two", None)
WAITS = (1.0, 59.0, 61.0, 301.0, RUN_FOR)


@dataclass
class Expected:
    """What the model knows of one action."""

    first: Record
    status: Status
    policy: str
    decide_by: int
    decider: Principal | None = None
    run_by: int = 0
    nonce: str | None = None
    claimed_at: int = 0
    run_until: int = 0
    read: bool = False

    def kill(self) -> None:
        """What the kill switch does."""
        if self.status is Status.APPROVED:
            is_lost = self.read and not self.first.claims
            self.status = Status.UNKNOWN if is_lost else Status.REVOKED
            self.decider = self.decider if is_lost else None

    def outdate(self, policy: str) -> None:
        """What the timer does when another policy is in force."""
        if self.status is Status.APPROVED and self.policy != policy:
            self.status = Status.UNKNOWN if self.read and not self.first.claims else Status.STALE

    def pass_time(self, now: int) -> None:
        """What time has done by ``now``."""
        if self.status is Status.PENDING and now >= self.decide_by:
            self.status = Status.EXPIRED
        elif self.status is Status.APPROVED and now >= self.run_by:
            self.status = Status.UNKNOWN if self.read and not self.first.claims else Status.LAPSED
        elif self.status is Status.EXECUTING and now >= self.run_until:
            self.status = Status.UNKNOWN


class DeskMachine(RuleBasedStateMachine):
    """One agent, two approvers, two workers with a nonce each, a clock, a policy that changes and a kill switch."""

    actions = Bundle("actions")

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.office = Office(self.database())
        self.known: dict[int, Expected] = {}
        self.keys: dict[str, tuple[str, bool, int]] = {}
        self.heads: list[Link] = []
        self.handed_out: set[Head] = set()
        self.refused: Counter[tuple[int, str, str]] = Counter()
        self.is_stopped = False

    def database(self) -> str:
        """Where the store is; gone with `resources`."""
        folder = self.resources.enter_context(tempfile.TemporaryDirectory(prefix="clearance-model-"))
        return str(Path(folder) / "center.db")

    def teardown(self) -> None:
        """Close and remove the store."""
        self.office.close()
        self.resources.close()

    def attempt(
        self,
        deed: Callable[[], Record],
        expected: Expected,
        event: Event,
        becomes: Status | None,
        word: str = REFUSED,
    ) -> None:
        """Do it; it must lead there, or be refused, which is audited, where the model says None."""
        try:
            record = deed()
        except (Conflict, Forbidden):
            self.refused[expected.first.id, word, event.value] += 1
            assert becomes is None, f"refused, although {expected.status} may become {becomes}"
        else:
            assert becomes is not None
            assert record.status is becomes
            expected.status = becomes

    @rule(
        target=actions,
        kind=st.sampled_from(sorted(ACTIONS)),
        key=st.sampled_from(KEYS),
        nonce=st.sampled_from((*NONCES, None)),
        claims=st.booleans(),
    )
    def submit(self, kind: str, key: str | None, nonce: str | None, claims: bool) -> int:
        """Ask; under a key that was used before it is the same action, or refused for another body."""
        if key in self.keys and self.keys[key][:2] != (kind, claims):
            key = None
        action = replace(ACTIONS[kind], digest=f"digest-{len(self.known) if key is None else key}")
        record = self.office.submit(action, key=key, nonce=nonce, claims=claims)
        if key in self.keys:
            assert record.id == self.keys[key][2]
            self.see(record)
            return record.id
        assert record.id not in self.known
        if key is not None:
            self.keys[key] = (kind, claims, record.id)
        now = self.office.clock.now
        expected = Expected(record, Status.PENDING, self.office.desk.policy.version, now + 60 * SECOND)
        self.known[record.id] = expected
        if kind == "denied" or self.is_stopped:
            expected.status = Status.DENIED
        elif kind == "cleared":
            self.approved(expected, None)
            if claims and nonce:
                self.claimed(expected, nonce)
        self.see(record)
        return record.id

    @rule(action=actions, who=st.sampled_from((CAROL, DAVE, AGENT)), approve=st.booleans())
    def decide(self, action: int, who: Principal, approve: bool) -> None:
        """Approve or deny it: a pending one once, by somebody who may."""
        expected = self.known[action]
        target = Status.APPROVED if approve else Status.DENIED
        may = who is not AGENT and (
            (expected.status is Status.PENDING and not (approve and self.is_stopped))
            or (expected.status is target and expected.decider is who)
        )
        was = expected.status
        deed, event = (self.office.approve, Event.APPROVE) if approve else (self.office.deny, Event.DENY)
        self.attempt(lambda: deed(expected.first, who), expected, event, target if may else None)
        if expected.status is not was and approve:
            self.approved(expected, who)
            self.outdate()  # it was asked under another policy, maybe
        elif expected.status is not was:
            expected.decider = who

    @rule(action=actions, nonce=st.sampled_from(NONCES), digest=st.sampled_from(("right", "wrong")))
    def claim(self, action: int, nonce: str, digest: str) -> None:
        """Spend the approval: once, for the right digest, under the policy that cleared it."""
        expected, now = self.known[action], self.office.clock.now
        becomes = None
        if expected.status is Status.EXECUTING and expected.nonce == nonce:
            recent = now <= expected.claimed_at + REPEAT_CLAIM_WITHIN * SECOND
            becomes = Status.EXECUTING if recent and not self.is_stopped else None
        elif expected.status is Status.APPROVED and digest == "right":
            becomes = Status.EXECUTING
        was = expected.status
        sent = None if digest == "right" else "another-digest"
        deed = self.office.claim
        self.attempt(lambda: deed(expected.first, digest=sent, nonce=nonce), expected, Event.CLAIM, becomes)
        if was is Status.APPROVED and expected.status is Status.EXECUTING:
            self.claimed(expected, nonce)

    @rule(
        action=actions,
        nonce=st.sampled_from(NONCES),
        outcome=st.sampled_from((Status.COMPLETED, Status.FAILED, Status.UNKNOWN)),
    )
    def report(self, action: int, nonce: str, outcome: Status) -> None:
        """Say what came of it: the first outcome stands, and only the claim's holder has one to tell."""
        expected = self.known[action]
        may = expected.nonce == nonce and expected.status in (Status.EXECUTING, Status.UNKNOWN, outcome)
        deed, event = self.office.report, OUTCOMES[outcome]
        becomes = outcome if may else None
        stands = expected.nonce == nonce and expected.status in (Status.COMPLETED, Status.FAILED)
        word = ALARM if stands else REFUSED
        self.attempt(lambda: deed(expected.first, outcome, nonce=nonce), expected, event, becomes, word)

    @rule(action=actions)
    def withdraw(self, action: int) -> None:
        """Close it before it runs."""
        expected = self.known[action]
        may = expected.status in (Status.PENDING, Status.APPROVED, Status.WITHDRAWN)
        becomes = Status.WITHDRAWN if may else None
        self.attempt(lambda: self.office.withdraw(expected.first), expected, Event.WITHDRAW, becomes)

    @rule(action=actions, who=st.sampled_from((CAROL, DAVE, AGENT)))
    def revoke(self, action: int, who: Principal) -> None:
        """Take the approval back."""
        expected = self.known[action]
        may = who is not AGENT and (
            expected.status is Status.APPROVED or (expected.status is Status.REVOKED and expected.decider is who)
        )
        becomes = Status.UNKNOWN if expected.read and not expected.first.claims else Status.REVOKED
        was = expected.status
        deed = self.office.revoke
        self.attempt(lambda: deed(expected.first, who), expected, Event.REVOKE, becomes if may else None)
        if was is Status.APPROVED and expected.status is Status.REVOKED:
            expected.decider = who

    @rule()
    def kill(self) -> None:
        """Turn the kill switch on, or off again; what was approved before is void in any case."""
        self.is_stopped = not self.is_stopped
        self.office.clock.now += 1  # an approval of the same microsecond as the alarm counts as before it
        for expected in self.known.values():
            expected.pass_time(self.office.clock.now)
        self.office.kill(on=self.is_stopped)
        if self.is_stopped:
            for expected in self.known.values():
                expected.kill()
        self.office.clock.now += 1
        for expected in self.known.values():
            expected.pass_time(self.office.clock.now)

    @rule(action=actions, who=st.sampled_from((AGENT, CAROL)))
    def read(self, action: int, who: Principal) -> None:
        """Look how it stands."""
        record = self.office.read(self.known[action].first, who)
        if who is AGENT:
            self.see(record)
        assert record.status is self.known[action].status

    @rule(seconds=st.sampled_from(WAITS))
    def advance(self, seconds: float) -> None:
        """Let time pass; nobody looks yet."""
        self.office.clock.advance(seconds)
        for expected in self.known.values():
            expected.pass_time(self.office.clock.now)

    @rule()
    def sweep(self) -> None:
        """The timer looks; after it the store lags behind only in what a kill switch that is off again made void."""
        self.office.sweep()
        for action, expected in self.known.items():
            stored = self.office.stored(replace(expected.first, id=action)).status
            lags = not self.is_stopped and (stored, expected.status) in KILLED
            assert stored is expected.status or lags

    @rule()
    def change_policy(self) -> None:
        """From now on another version of the policy counts, and the timer looks."""
        self.office.change_policy()
        self.outdate()

    def outdate(self) -> None:
        """What the timer does after a change."""
        assert self.office.outdate() is None
        for expected in self.known.values():
            expected.outdate(self.office.desk.policy.version)

    def see(self, record: Record) -> None:
        """Its requester was told how it stands."""
        expected = self.known[record.id]
        assert record.status is expected.status
        expected.read = expected.read or record.status is Status.APPROVED

    def approved(self, expected: Expected, who: Principal | None) -> None:
        """Note an approval."""
        expected.status, expected.decider = Status.APPROVED, who
        expected.run_by = self.office.clock.now + 300 * SECOND

    def claimed(self, expected: Expected, nonce: str) -> None:
        """Note a claim."""
        expected.status, expected.nonce, expected.claimed_at = Status.EXECUTING, nonce, self.office.clock.now
        expected.run_until = self.office.clock.now + round(RUN_FOR * SECOND)

    @invariant()
    def the_store_is_the_model_and_the_fold_of_its_log(self) -> None:
        """I1, I2, I3, I5, I6, I7, I8, I9."""
        links = self.office.trail()
        head = self.office.store.head
        assert head is not None
        self.handed_out.add(head)
        assert verify(links, self.handed_out).problem is None
        assert links[: len(self.heads)] == self.heads  # I8: what was handed out stays
        self.heads = links
        folded: dict[int, Status] = {}
        claims: Counter[int] = Counter()
        digests: dict[int, str] = {}
        refusals: Counter[tuple[int, str, str]] = Counter()
        for entry in (json.loads(link.body) for link in links):
            if entry["event"].startswith("kill."):
                continue  # about no action
            action, event, now = entry["action_id"], entry["event"], Status(entry["status"])
            if event in (REFUSED, ALARM):
                refusals[action, event, entry["details"]["tried"]] += 1
                assert now is folded[action]  # what is refused moves nothing
            elif event == "submit":
                assert action not in folded
                digests[action] = entry["details"]["digest"]
                assert now is Status.PENDING
            else:
                assert folded[action] not in ENDED  # I5
                assert now is TABLE[folded[action]][Event(event)]  # I9: one entry for each change, no gap
            if event == "claim":
                assert folded[action] is Status.APPROVED  # I3
                assert digests[action] == self.known[action].first.action.digest  # I1
                assert entry["details"]["digest"] == digests[action]
                assert entry["details"]["nonce"] == self.known[action].nonce
                claims[action] += 1
            folded[action] = now
        assert all(count == 1 for count in claims.values())  # I2
        assert refusals == {which: min(count, MOST_REFUSALS) for which, count in self.refused.items()}  # I14
        assert trail.verify(self.office).problem is None
        self.check_records(folded)

    def check_records(self, folded: dict[int, Status]) -> None:
        """The rows: as the log says, as the model says, and unchanged in what may not change."""
        records = {record.id: record for record in self.office.do(lambda tx: tx.actions(limit=1_000))}
        assert set(records) == set(self.known) == set(folded)
        for action, record in records.items():
            expected = self.known[action]
            assert record.status is folded[action]  # I7
            assert record.status is expected.status or (record.status, expected.status) in OVERDUE
            first = expected.first
            fixed = ("action", "requester", "created_at", "decide_by", "correlation_id", "key")
            assert all(getattr(record, name) == getattr(first, name) for name in fixed)  # I6
            assert (record.nonce is not None) == (record.status in CLAIMED and record.claimed_at is not None)
            assert record.nonce == expected.nonce


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(max_examples=40, stateful_step_count=30)


@pytest.mark.postgres
def test_the_desk_agrees_with_the_model_on_postgresql_too(cluster: Cluster) -> None:
    class PostgresDeskMachine(DeskMachine):
        def database(self) -> str:
            return self.resources.enter_context(cluster.database())

    run_state_machine_as_test(PostgresDeskMachine, settings=settings(max_examples=15, stateful_step_count=30))
