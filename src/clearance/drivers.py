"""Carries a conversation over a transport. The only place where sync and async differ."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from clearance.commands import Pause
from clearance.errors import AuthorizationError, AuthorizationUnavailable
from clearance.flow import Conversation

if TYPE_CHECKING:
    from clearance.models import Decision
    from clearance.transports.base import AsyncTransport, Transport

T = TypeVar("T")


class Clock(Protocol):
    """Monotonic time and the waiting for it, in seconds. A transport may bring its own as ``clock``."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass in this thread."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Let ``seconds`` pass on the running event loop."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """See `Clock`."""
        import asyncio  # an event loop runs, so it is loaded; importing clearance alone must not load it

        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


def clock_of(transport: object) -> Clock:
    """The transport's own clock, or the machine's."""
    clock: Clock = getattr(transport, "clock", SYSTEM_CLOCK)
    return clock


def run(conversation: Conversation[T], transport: Transport) -> T:
    """Carry the conversation to its end in this thread."""
    answer: Decision | None = None
    fault: BaseException | None = None
    while True:
        try:
            step = conversation.send(answer) if fault is None else conversation.throw(fault)
        except StopIteration as done:
            result: T = done.value
            return result
        answer = fault = None
        try:
            if isinstance(step, Pause):
                clock_of(transport).sleep(step.seconds)
            else:
                answer = transport.send(step)
        except BaseException as interruption:  # noqa: BLE001 - the conversation decides what it means
            fault = _typed(interruption)


async def arun(conversation: Conversation[T], transport: AsyncTransport) -> T:
    """Carry the conversation to its end on the running event loop."""
    answer: Decision | None = None
    fault: BaseException | None = None
    while True:
        try:
            step = conversation.send(answer) if fault is None else conversation.throw(fault)
        except StopIteration as done:
            result: T = done.value
            return result
        answer = fault = None
        try:
            if isinstance(step, Pause):
                await clock_of(transport).asleep(step.seconds)
            else:
                answer = await transport.asend(step)
        except BaseException as interruption:  # noqa: BLE001 - the conversation decides what it means
            fault = _typed(interruption)


def _typed(fault: BaseException) -> BaseException:
    """A transport's own surprise, as a refusal; interruptions and typed errors stay what they are."""
    if isinstance(fault, AuthorizationError) or not isinstance(fault, Exception):
        return fault
    refusal = AuthorizationUnavailable(
        f"The transport failed with {type(fault).__name__}.",
        reason_code="transport_error",
        next_step="The cause is attached; this is a fault of the transport or of what it stands on.",
    )
    refusal.__cause__ = fault
    return refusal
