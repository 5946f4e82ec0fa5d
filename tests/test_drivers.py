"""The drivers: both carry a conversation the same way, and know nothing of what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

import pytest
from tests.helpers import a_decision, an_action

from clearance.commands import Await, Command, Pause, Submit, Withdraw
from clearance.drivers import SYSTEM_CLOCK, arun, clock_of, run
from clearance.errors import ActionDenied, AuthorizationError, AuthorizationUnavailable
from clearance.flow import Conversation, Terms, authorization
from clearance.models import Decision, Status
from clearance.testing import VirtualClock

T = TypeVar("T")
AWAIT = Await("1", hold=0.0, timeout=1.0)
WITHDRAW = Withdraw("1", "interrupted", timeout=1.0)


class Line:
    """A transport, sync and async, that gives what ``replies`` holds, in turn, and notes what it carried."""

    def __init__(self, *replies: Any) -> None:
        self._replies = list(replies)
        self.carried: list[Command] = []
        self.clock = VirtualClock()

    def send(self, command: Command) -> Decision:
        self.carried.append(command)
        reply = self._replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        decision: Decision = reply
        return decision

    async def asend(self, command: Command) -> Decision:
        return self.send(command)


class Carry(Protocol):
    def __call__(self, conversation: Conversation[T], line: Line) -> T: ...


def carry_sync(conversation: Conversation[T], line: Line) -> T:
    return run(conversation, line)


def carry_async(conversation: Conversation[T], line: Line) -> T:
    async def main() -> T:
        return await arun(conversation, line)

    return asyncio.run(main())


@pytest.fixture(params=[carry_sync, carry_async], ids=["run", "arun"])
def carry(request: pytest.FixtureRequest) -> Carry:
    driver: Carry = request.param
    return driver


def asking() -> Conversation[list[Decision | None]]:
    """Asks twice, with a pause between; comes to all that it was answered."""
    first = yield AWAIT
    between = yield Pause(30.0)
    second = yield AWAIT
    return [first, between, second]


def catching() -> Conversation[BaseException]:
    """Asks, and comes to whatever that met with."""
    try:
        yield AWAIT
    except BaseException as fault:
        return fault
    raise AssertionError("there should have been a fault")


def closing() -> Conversation[None]:
    """Asks, and takes its leave before it passes on what interrupted it."""
    try:
        yield AWAIT
    except BaseException:
        yield WITHDRAW
        raise


def test_every_answer_goes_back_into_the_conversation_and_its_result_comes_out(carry: Carry) -> None:
    line = Line(a_decision(), a_decision(Status.APPROVED))

    assert carry(asking(), line) == [a_decision(), None, a_decision(Status.APPROVED)]
    assert line.carried == [AWAIT, AWAIT]


def test_a_pause_passes_on_the_transports_own_clock(carry: Carry) -> None:
    line = Line(a_decision(), a_decision())

    carry(asking(), line)

    assert line.clock.now() == 30.0


def test_a_conversation_that_says_nothing_needs_no_transport(carry: Carry) -> None:
    def silent() -> Conversation[str]:
        return "done"
        yield AWAIT

    assert carry(silent(), Line()) == "done"


def test_a_transports_own_surprise_arrives_as_could_not_ask_with_its_cause(carry: Carry) -> None:
    surprise = ZeroDivisionError("division by zero")

    fault = carry(catching(), Line(surprise))

    assert type(fault) is AuthorizationUnavailable
    assert fault.happened == "The transport failed with ZeroDivisionError."
    assert (fault.reason_code, fault.transient, fault.__cause__) == ("transport_error", False, surprise)


@pytest.mark.parametrize(
    "error",
    [
        AuthorizationUnavailable("No line.", transient=True),
        ActionDenied("No."),
        KeyboardInterrupt(),
        SystemExit(1),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
def test_typed_errors_and_interruptions_arrive_as_they_are(carry: Carry, error: BaseException) -> None:
    assert carry(catching(), Line(error)) is error


def test_what_is_said_after_an_interruption_is_still_carried(carry: Carry) -> None:
    interruption = KeyboardInterrupt()
    line = Line(interruption, a_decision(Status.WITHDRAWN))

    with pytest.raises(KeyboardInterrupt) as raised:
        carry(closing(), line)

    assert raised.value is interruption
    assert line.carried == [AWAIT, WITHDRAW]


def test_an_error_of_the_conversation_comes_out_untouched(carry: Carry) -> None:
    error = ActionDenied("No.")

    def refusing() -> Conversation[None]:
        yield AWAIT
        raise error

    with pytest.raises(AuthorizationError) as raised:
        carry(refusing(), Line(a_decision()))
    assert raised.value is error


class Silence(Line):
    """Never answers an Await; ``asked`` is set once somebody waits."""

    def __init__(self) -> None:
        super().__init__(a_decision(Status.WITHDRAWN))
        self.asked = asyncio.Event()

    async def asend(self, command: Command) -> Decision:
        if isinstance(command, Await):
            self.carried.append(command)
            self.asked.set()
            await asyncio.Event().wait()
        return self.send(command)


def test_a_cancelled_task_takes_its_leave_before_it_ends() -> None:
    async def main() -> list[Command]:
        line = Silence()
        task = asyncio.create_task(_started(line))
        await line.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return line.carried

    async def _started(line: Line) -> None:
        await arun(closing(), line)

    assert asyncio.run(main()) == [AWAIT, WITHDRAW]


class Suspended(Line):
    """Suspends whoever asks, for good, without any event loop."""

    async def asend(self, command: Command) -> Decision:
        self.carried.append(command)
        await self
        raise AssertionError("nobody resumes this")

    def __await__(self) -> Generator[None, None, None]:
        yield


def test_a_coroutine_that_is_closed_asks_for_nothing_more() -> None:
    line = Suspended()
    terms = Terms("our-key", "our-nonce", now=lambda: 0.0, jitter=lambda: 0.5)
    coroutine = arun(authorization(an_action(), terms), line)
    coroutine.send(None)

    coroutine.close()

    assert [type(command) for command in line.carried] == [Submit]


def test_a_transport_without_a_clock_goes_by_the_machines() -> None:
    line = Line()

    assert clock_of(line) is line.clock
    assert clock_of(object()) is SYSTEM_CLOCK


@pytest.mark.parametrize("sleep", [SYSTEM_CLOCK.sleep, lambda s: asyncio.run(SYSTEM_CLOCK.asleep(s))])
def test_the_machines_clock_never_goes_back_and_waits_at_least_as_long_as_asked(
    sleep: Callable[[float], object],
) -> None:
    before = SYSTEM_CLOCK.now()

    sleep(0.001)

    assert SYSTEM_CLOCK.now() - before >= 0.001
