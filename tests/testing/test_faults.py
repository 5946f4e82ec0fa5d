"""A transport over which things go wrong: what arrives, what is heard; and what can never come of it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.helpers import an_action

from clearance import AuthorizationError, AuthorizationUnavailable, Decision, Status, requires_authorization
from clearance.commands import Await, Claim, Command, Submit
from clearance.lifecycle import CLAIMED
from clearance.testing import Asked, FakeTransport
from clearance.testing.faults import AsyncFaultyTransport, Fault, FaultyTransport, mostly, once
from clearance.transports import AsyncTransport, Transport

Faulty = FaultyTransport | AsyncFaultyTransport
CALLS = 10_000 if os.environ.get("CLEARANCE_DEEP") == "1" else 1_000
TIMEOUT = 8.0


class Inner:
    """Notes what arrives, and answers that it waits."""

    binding_key = b"the inner one's"

    def __init__(self) -> None:
        self.arrived: list[str] = []

    def send(self, command: Command) -> Decision:
        self.arrived.append(command.key if isinstance(command, Submit) else command.action_id)
        return Decision("1", Status.PENDING)

    async def asend(self, command: Command) -> Decision:
        return self.send(command)


def submit(key: str = "a") -> Submit:
    return Submit(an_action(), key, "", TIMEOUT)


def sync_send(inner: Any, fault: Fault, command: Command) -> tuple[object, Any]:
    faulty = FaultyTransport(inner, 1, once(type(command), fault))
    try:
        return faulty.send(command), faulty
    except Exception as error:
        return error, faulty


def async_send(inner: Any, fault: Fault, command: Command) -> tuple[object, Any]:
    faulty = AsyncFaultyTransport(inner, 1, once(type(command), fault))
    try:
        return asyncio.run(faulty.asend(command)), faulty
    except Exception as error:
        return error, faulty


sides = pytest.mark.parametrize("sent", [sync_send, async_send], ids=["sync", "async"])
Sent = Callable[[Any, Fault, Command], tuple[Any, Any]]

HEARD: dict[Fault, tuple[int, str, bool]] = {
    Fault.REQUEST_LOST: (0, "timeout", True),
    Fault.REPLY_LOST: (1, "timeout", True),
    Fault.REORDERED: (0, "timeout", True),
    Fault.SERVER_ERROR: (0, "server_error", True),
    Fault.SERVER_ERROR_AFTER: (1, "server_error", True),
    Fault.TOO_MANY: (0, "rate_limited", True),
    Fault.RESET: (0, "unreachable", True),
    Fault.RESET_AFTER: (1, "unreachable", True),
    Fault.REFUSED_ANSWER: (1, "bad_answer", False),
}
"""How often what is sent arrives, why there is no answer, and whether it may pass."""
ANSWERED = {Fault.NONE: 1, Fault.DUPLICATED: 2, Fault.DELAYED: 1}
"""How often what is answered as if nothing had happened has arrived."""
ODD = {Fault.OTHER_ACTION, Fault.NO_DECISION, Fault.UNKNOWN_STATUS, Fault.BROKEN_TRANSPORT}


def test_every_fault_is_looked_at_here() -> None:
    assert {*HEARD, *ANSWERED, *ODD} == set(Fault)


@sides
@pytest.mark.parametrize("fault", HEARD)
def test_a_fault_that_leaves_no_answer_is_told_as_a_transport_tells_it(sent: Sent, fault: Fault) -> None:
    inner = Inner()

    error, faulty = sent(inner, fault, submit())

    assert isinstance(error, AuthorizationUnavailable)
    assert (len(inner.arrived), error.reason_code, error.transient) == HEARD[fault]
    assert faulty.clock.now() == (TIMEOUT if error.reason_code == "timeout" else 0)
    assert [str(each) for each in faulty.log] == [f"1. Submit: {fault}"]


@sides
@pytest.mark.parametrize("fault", ANSWERED)
def test_what_comes_through_is_answered_as_it_was(sent: Sent, fault: Fault) -> None:
    inner = Inner()

    answer, faulty = sent(inner, fault, submit())

    assert answer == Decision("1", Status.PENDING)
    assert len(inner.arrived) == ANSWERED[fault]
    assert 0 <= faulty.clock.now() < TIMEOUT
    assert (faulty.clock.now() > 0) is (fault is Fault.DELAYED)


@sides
@pytest.mark.parametrize("fault", sorted(ODD))
def test_an_odd_answer_is_no_decision_about_this_action(sent: Sent, fault: Fault) -> None:
    inner = Inner()

    answer, _ = sent(inner, fault, submit())

    assert len(inner.arrived) == 1
    if isinstance(answer, Decision):
        assert answer.action_id != "1" or not isinstance(answer.status, Status)
    else:
        assert isinstance(answer, (dict, RuntimeError))


@sides
def test_what_was_overtaken_arrives_with_a_later_exchange(sent: Sent) -> None:
    inner = Inner()

    _, faulty = sent(inner, Fault.REORDERED, submit("early"))
    if isinstance(faulty, FaultyTransport):
        faulty.send(submit("later"))
    else:
        asyncio.run(faulty.asend(submit("later")))

    assert sorted(inner.arrived) == ["early", "later"]


@sides
def test_a_held_answer_is_asked_for_at_once_and_its_time_passes_on_the_virtual_clock(sent: Sent) -> None:
    answer, faulty = sent(Inner(), Fault.NONE, Await("1", 600.0, 630.0))

    assert answer.status is Status.PENDING
    assert faulty.clock.now() == 600.0


def test_both_have_what_the_inner_one_has_and_say_what_they_are() -> None:
    fake = FakeTransport(True)

    assert FaultyTransport(fake).clock is fake.clock
    assert FaultyTransport(Inner()).binding_key == AsyncFaultyTransport(Inner()).binding_key == b"the inner one's"
    assert isinstance(FaultyTransport(fake), Transport)
    assert isinstance(AsyncFaultyTransport(fake), AsyncTransport)
    assert repr(FaultyTransport(fake, 7)).endswith("seed=7)")


def faults_of(seed: int, calls: int = 300) -> list[Fault]:
    faulty = FaultyTransport(Inner(), seed)
    for _ in range(calls):
        try:
            faulty.send(submit())
        except (AuthorizationUnavailable, RuntimeError):
            continue
    return [each.fault for each in faulty.log]


def test_a_seed_meets_the_same_faults_again_and_another_one_others() -> None:
    assert faults_of(7) == faults_of(7) != faults_of(8)


def test_by_default_half_goes_well_and_every_fault_comes_up() -> None:
    met = Counter(faults_of(7, 2_000))

    assert set(met) == set(Fault)
    assert 900 < met[Fault.NONE] < 1_100


@pytest.mark.parametrize("calm", [0.0, 1.0])
def test_as_much_goes_well_as_was_asked_for(calm: float) -> None:
    faulty = FaultyTransport(FakeTransport(True), 1, mostly(calm))
    for number in range(50):
        try:
            faulty.send(submit(str(number)))
        except (AuthorizationUnavailable, RuntimeError):
            continue

    assert {each.fault is Fault.NONE for each in faulty.log} == {calm == 1.0}


# The campaign


def answer(asked: Asked) -> bool | None:
    """A fifth is refused, a few are never answered."""
    number = int(str(asked.parameters["number"]))
    return False if number % 5 == 0 else None if number % 23 == 0 else True


def came_to(
    fake: FakeTransport, faulty: FaultyTransport | AsyncFaultyTransport, ran: list[int], refused: list[int]
) -> None:
    """What must be so, whatever went wrong: nothing twice, nothing without leave, one action a call."""
    actions = Counter(asked.parameters["number"] for asked in fake.asked)
    assert max(actions.values()) == 1
    assert sorted(ran + refused) == list(range(CALLS)), "each ran once, or was refused"
    claimed = {int(str(asked.parameters["number"])) for asked in fake.asked if asked.status in CLAIMED}
    assert set(ran) <= claimed
    assert not any(number % 5 == 0 or number % 23 == 0 for number in ran)
    assert {each.fault for each in faulty.log} == set(Fault)
    assert len(ran) > CALLS / 4, "most calls should get through, or this shows nothing"


def test_whatever_goes_wrong_no_body_runs_without_leave_or_twice_and_no_call_becomes_two_actions() -> None:
    fake, ran, refused = FakeTransport(answer), list[int](), list[int]()
    faulty = FaultyTransport(fake, seed=20)

    @requires_authorization(action_type="test.act", transport=faulty)
    def act(number: int) -> int:
        ran.append(number)
        return number

    for number in range(CALLS):
        try:
            assert act(number) == number
        except AuthorizationError:
            refused.append(number)

    came_to(fake, faulty, ran, refused)


def test_the_same_holds_on_an_event_loop_with_many_calls_at_a_time() -> None:
    fake, ran, refused = FakeTransport(answer), list[int](), list[int]()
    faulty = AsyncFaultyTransport(fake, seed=21)

    @requires_authorization(action_type="test.act", transport=faulty)
    async def act(number: int) -> int:
        ran.append(number)
        await asyncio.sleep(0)
        return number

    async def one(number: int) -> None:
        try:
            assert await act(number) == number
        except AuthorizationError:
            refused.append(number)

    async def all_of_them() -> None:
        for first in range(0, CALLS, 50):
            await asyncio.gather(*(one(number) for number in range(first, first + 50)))

    asyncio.run(all_of_them())
    came_to(fake, faulty, ran, refused)


def test_a_claim_whose_reply_is_lost_on_a_reset_is_asked_again_and_runs_once() -> None:
    fake, ran = FakeTransport(lambda asked: None), list[int]()

    class Approving:
        """Approves between the submit and the first wait, so that there is a claim of its own."""

        clock = fake.clock

        def send(self, command: Command) -> Decision:
            decision = fake.send(command)
            if isinstance(command, Submit):
                fake._find(decision.action_id).status = Status.APPROVED
            return decision

    faulty = FaultyTransport(Approving(), 1, once(Claim, Fault.RESET_AFTER))

    @requires_authorization(action_type="test.act", transport=faulty)
    def act(number: int) -> None:
        ran.append(number)

    act(1)

    assert ran == [1]
    assert [each.command for each in faulty.log] == ["Submit", "Await", "Claim", "Claim", "Report"]
