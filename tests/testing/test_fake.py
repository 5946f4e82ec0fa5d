"""The fake that users test with: one approver, who is a function, and the same lifecycle as everywhere."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from tests.helpers import LEVEL_2, Door, an_action

from clearance import ActionUndecided, AuthorizationUnavailable, Decision, Outcome, Status, requires_authorization
from clearance.commands import Await, Claim, Report, Submit, Withdraw
from clearance.lifecycle import CLAIMED, OPEN, REFUSED
from clearance.testing import Asked, FakeTransport, VirtualClock
from clearance.transports import AsyncTransport, Transport

DIGEST = an_action().digest


def submit(key: str = "our-key", nonce: str = "", **changes: Any) -> Submit:
    return Submit(an_action(**changes), key, nonce, timeout=1.0)


def claim(digest: str = DIGEST, nonce: str = "our-nonce") -> Claim:
    return Claim("1", digest, nonce, timeout=1.0)


def report(status: Status = Status.COMPLETED, nonce: str = "our-nonce") -> Report:
    return Report("1", nonce, Outcome(status), timeout=1.0)


WAIT = Await("1", hold=10.0, timeout=1.0)
WITHDRAW = Withdraw("1", "undecided", timeout=1.0)


# ---------------------------------------------------------------------------------------------------------------------
# The approver
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (True, Status.APPROVED),
        (False, Status.DENIED),
        (lambda _asked: True, Status.APPROVED),
        (lambda _asked: False, Status.DENIED),
        (lambda _asked: None, Status.PENDING),
        (lambda _asked: "yes", Status.DENIED),
        (lambda _asked: 1, Status.DENIED),
        *((lambda _asked, status=status: Decision("", status), status) for status in Status),
    ],
)
def test_the_approvers_answer_is_the_decision_and_only_true_is_yes(answer: Any, status: Status) -> None:
    transport = FakeTransport(answer)

    decision = transport.send(submit())

    assert (decision.action_id, decision.status, decision.offers) == ("1", status, LEVEL_2)
    assert transport.asked[0].status is status


def test_a_decision_of_the_approvers_is_taken_over_but_for_its_id_and_its_offers() -> None:
    transport = FakeTransport(lambda _asked: Decision("99", Status.DENIED, reason="no", decided_by="ann"))

    assert transport.send(submit()) == Decision("1", Status.DENIED, reason="no", decided_by="ann", offers=LEVEL_2)


def test_the_approver_sees_what_is_asked() -> None:
    seen: list[Asked] = []

    def look(asked: Asked) -> bool:
        seen.append(asked)
        return True

    FakeTransport(look).send(submit(resource="acct_1"))

    (asked,) = seen
    assert (asked.action_type, asked.tool_name, asked.description) == ("payment.refund", "stripe", "Refund 5 on ch_1")
    assert (asked.parameters, asked.resource) == ({"charge_id": "ch_1", "amount": 5}, "acct_1")
    assert (asked.status, asked.ran, asked.outcome) == (Status.PENDING, False, None)


def test_requests_are_listed_in_the_order_of_asking() -> None:
    transport = FakeTransport(lambda asked: asked.resource == "b")
    for resource in "abc":
        transport.send(submit(key=resource, resource=resource))

    assert [(asked.decision.action_id, asked.resource, asked.status) for asked in transport.asked] == [
        ("1", "a", Status.DENIED),
        ("2", "b", Status.APPROVED),
        ("3", "c", Status.DENIED),
    ]


def test_the_list_of_requests_is_the_readers_own() -> None:
    transport = FakeTransport(True)
    transport.send(submit())

    transport.asked.clear()

    assert len(transport.asked) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Submit, wait, claim, report, withdraw
# ---------------------------------------------------------------------------------------------------------------------


def test_the_same_key_is_the_same_request_and_the_approver_is_asked_once() -> None:
    seen: list[Asked] = []

    def look(asked: Asked) -> bool:
        seen.append(asked)
        return True

    transport = FakeTransport(look)

    assert transport.send(submit("one")) == transport.send(submit("one"))
    assert transport.send(submit("two")).action_id == "2"
    assert len(seen) == 2


def test_the_same_key_for_another_action_is_refused_and_the_approver_is_not_asked() -> None:
    transport = FakeTransport(True)
    transport.send(submit("one"))

    with pytest.raises(AuthorizationUnavailable, match="already used for another request") as refused:
        transport.send(submit("one", resource="acct_2"))

    assert refused.value.reason_code == "rejected"
    assert len(transport.asked) == 1


def test_an_approval_is_claimed_on_submit_if_the_submit_brings_a_nonce() -> None:
    decision = FakeTransport(True).send(submit(nonce="our-nonce"))

    assert (decision.status, decision.nonce) == (Status.EXECUTING, "our-nonce")


def test_a_wait_for_what_nobody_decides_passes_at_once_on_the_virtual_clock() -> None:
    transport = FakeTransport(lambda _asked: None)
    transport.send(submit())

    assert transport.send(WAIT).status is Status.PENDING
    assert transport.clock.now() == 10.0


def test_a_wait_for_what_is_decided_takes_no_time() -> None:
    transport = FakeTransport(True)
    transport.send(submit())

    assert transport.send(WAIT).status is Status.APPROVED
    assert transport.clock.now() == 0.0


def test_an_approval_is_spent_once_and_the_same_nonce_hears_the_same_yes() -> None:
    transport = FakeTransport(True)
    transport.send(submit())

    first = transport.send(claim())

    assert (first.status, first.nonce) == (Status.EXECUTING, "our-nonce")
    assert transport.send(claim()) == first
    assert transport.send(claim(nonce="another")) == first  # which is not the yes of whoever asks


def test_a_claim_with_another_digest_spends_nothing() -> None:
    transport = FakeTransport(True)
    transport.send(submit())

    refused = transport.send(claim(digest="another"))

    assert (refused.status, refused.nonce) == (Status.STALE, None)
    assert transport.asked[0].status is Status.APPROVED


def test_a_repeated_claim_is_confirmed_only_for_the_call_that_was_claimed() -> None:
    transport = FakeTransport(True)
    transport.send(submit(nonce="our-nonce"))

    for other in (claim(digest="another"), replace(claim(), edited_digest="another")):
        refused = transport.send(other)
        assert (refused.status, refused.nonce) == (Status.STALE, None)
    assert transport.send(claim()).nonce == "our-nonce"


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.UNKNOWN])
def test_an_outcome_ends_a_claimed_action_and_the_first_one_stays(status: Status) -> None:
    transport = FakeTransport(True)
    transport.send(submit(nonce="our-nonce"))

    assert transport.send(report(status)).status is status
    assert transport.asked[0].outcome == Outcome(status)
    if status is not Status.UNKNOWN:  # doubt may still be settled
        other = Status.FAILED if status is Status.COMPLETED else Status.COMPLETED
        assert transport.send(report(other)).status is status
        assert transport.asked[0].outcome == Outcome(status)


@pytest.mark.parametrize("nonce", ["", "another"])
def test_an_outcome_under_another_nonce_changes_nothing(nonce: str) -> None:
    transport = FakeTransport(True)
    transport.send(submit(nonce="our-nonce"))

    assert transport.send(report(nonce=nonce)).status is Status.EXECUTING
    assert transport.asked[0].outcome is None


def test_a_pending_request_can_be_withdrawn_and_a_claimed_one_cannot() -> None:
    pending, claimed = FakeTransport(lambda _asked: None), FakeTransport(True)
    pending.send(submit())
    claimed.send(submit(nonce="our-nonce"))

    assert pending.send(WITHDRAW).status is Status.WITHDRAWN
    assert claimed.send(WITHDRAW).status is Status.EXECUTING


@pytest.mark.parametrize("action_id", ["0", "2", "-1", "x", "", "99999999999999999999"])
def test_an_action_that_was_never_submitted_is_not_found(action_id: str) -> None:
    transport = FakeTransport(True)
    transport.send(submit())

    with pytest.raises(AuthorizationUnavailable, match="was never submitted here") as refused:
        transport.send(Await(action_id, 0.0, 1.0))
    assert refused.value.reason_code == "not_found"


@pytest.mark.parametrize("status", Status)
def test_an_asked_request_ran_if_its_approval_was_spent(status: Status) -> None:
    assert Asked(an_action(), Decision("1", status)).ran is (status in CLAIMED)


# ---------------------------------------------------------------------------------------------------------------------
# As a transport
# ---------------------------------------------------------------------------------------------------------------------


def test_it_is_a_transport_of_both_kinds() -> None:
    transport = FakeTransport(True)

    assert isinstance(transport, Transport)
    assert isinstance(transport, AsyncTransport)
    assert asyncio.run(transport.asend(submit())) == transport.asked[0].decision


def test_threads_may_share_it() -> None:
    transport = FakeTransport(lambda asked: asked.parameters["n"] != 3)

    @requires_authorization(action_type="test.act", transport=transport, on_denied="return")
    def number(n: int) -> int:
        return n

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(number, range(50)))

    assert [result for result in results if isinstance(result, int)] == [n for n in range(50) if n != 3]
    assert len(transport.asked) == 50


def test_virtual_time_passes_only_when_somebody_waits_and_never_goes_back() -> None:
    clock = VirtualClock()

    async def awaited() -> float:
        for seconds in (5.0, -3.0, 0.5):
            await clock.asleep(seconds)
        return clock.now()

    for seconds in (5.0, -3.0, 0.5):
        clock.sleep(seconds)

    assert clock.now() == 5.5
    assert asyncio.run(awaited()) == 5.5
    assert clock.now() == 5.5


def test_each_thread_and_each_task_has_its_own_virtual_time() -> None:
    """Where one call waits an hour, another one beside it has all of its minute left."""
    transport = FakeTransport(lambda asked: None)

    @requires_authorization(action_type="test.act", transport=transport, timeout=3600)
    async def patient() -> None: ...

    @requires_authorization(action_type="test.act", transport=transport, timeout=60)
    async def hasty() -> None: ...

    async def both() -> tuple[BaseException | None, BaseException | None]:
        return await asyncio.gather(patient(), hasty(), return_exceptions=True)

    assert [type(end) for end in asyncio.run(both())] == [ActionUndecided, ActionUndecided]
    assert [asked.waited for asked in transport.asked] == [3600, 60]
    assert transport.clock.now() == 3600
    transport.clock.sleep(7)
    assert transport.clock.now() == 3607
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(transport.clock.now).result() == 0.0


# ---------------------------------------------------------------------------------------------------------------------
# Whatever it is sent
# ---------------------------------------------------------------------------------------------------------------------

nonces = st.sampled_from(["one-nonce", "other-nonce"])


class AnyConversation(RuleBasedStateMachine):
    """Commands in any order, from any number of clients, to a fake whose approver answers anything."""

    actions = Bundle("actions")

    def __init__(self) -> None:
        super().__init__()
        self.transport = FakeTransport(lambda asked: self.answers.get(asked.tool_name))
        self.answers: dict[str, bool | None] = {}
        self.ways: dict[str, list[Status]] = {}

    @rule(target=actions, answer=st.sampled_from([True, False, None]), nonce=st.just("") | nonces)
    def submit(self, answer: bool | None, nonce: str) -> str:
        key = f"key-{len(self.answers)}"
        self.answers[key] = answer
        return self.transport.send(submit(key, nonce, tool_name=key)).action_id

    @rule(action_id=actions, nonce=nonces, digest=st.sampled_from([DIGEST, DIGEST, "another"]))
    def claim(self, action_id: str, nonce: str, digest: str) -> None:
        before = self.transport.asked[int(action_id) - 1]
        decision = self.transport.send(Claim(action_id, digest, nonce, 1.0))
        if (decision.status, decision.nonce) == (Status.EXECUTING, nonce):
            assert before.status is Status.APPROVED or before.decision.nonce == nonce
            assert digest == DIGEST

    @rule(action_id=actions, nonce=nonces, status=st.sampled_from([Status.COMPLETED, Status.FAILED, Status.UNKNOWN]))
    def report(self, action_id: str, nonce: str, status: Status) -> None:
        self.transport.send(Report(action_id, nonce, Outcome(status), 1.0))

    @rule(action_id=actions)
    def withdraw(self, action_id: str) -> None:
        self.transport.send(Withdraw(action_id, "", 1.0))

    @rule(action_id=actions)
    def wait(self, action_id: str) -> None:
        assert self.transport.send(Await(action_id, 1.0, 1.0)) == self.transport.asked[int(action_id) - 1].decision

    @invariant()
    def every_action_goes_its_way_and_never_back(self) -> None:
        for asked in self.transport.asked:
            way = self.ways.setdefault(asked.decision.action_id, [asked.status])
            if way[-1] is not asked.status:
                assert asked.status not in way
                assert way[-1] not in REFUSED
                assert way[-1] in OPEN or asked.status not in OPEN
                way.append(asked.status)

    @invariant()
    def nothing_ran_that_was_not_claimed_and_nothing_was_claimed_that_was_not_approved(self) -> None:
        for asked in self.transport.asked:
            if asked.ran:
                assert asked.decision.nonce
                assert self.answers[asked.tool_name] is True


TestAnyConversation = AnyConversation.TestCase
TestAnyConversation.settings = settings(stateful_step_count=30)


# ---------------------------------------------------------------------------------------------------------------------
# Edits
# ---------------------------------------------------------------------------------------------------------------------


def edit(**edits: Any) -> FakeTransport:
    return FakeTransport(lambda _asked: Decision("", Status.APPROVED, edits=edits))


def test_an_approver_who_edits_clears_the_call_with_the_changed_values(door: Door) -> None:
    def pay(amount: int) -> int:
        return amount

    fake = edit(amount=3)

    assert door.guard(pay, editable={"amount"}, transport=fake)(5) == 3
    assert fake.asked[0].decision.edits == {"amount": 3}
    assert fake.asked[0].status is Status.COMPLETED
    assert fake.asked[0].parameters == {"amount": 5}


def test_an_approver_of_a_test_can_edit_only_what_the_guard_allows(door: Door) -> None:
    def pay(amount: int) -> int:
        return amount

    with pytest.raises(AuthorizationUnavailable) as refused:
        door.guard(pay, transport=edit(amount=3))(5)

    assert "edits amount; this guard allows: no edits" in str(refused.value.__cause__)


def test_an_edited_approval_is_spent_only_by_the_edited_call() -> None:
    fake = edit(amount=3)
    fake.send(submit(nonce="our-nonce", editable=("amount",)))

    for edited_digest in (None, DIGEST):
        assert fake.send(replace(claim(), edited_digest=edited_digest)).status is Status.STALE
    assert fake.send(replace(claim(), edited_digest="other")).status is Status.EXECUTING
