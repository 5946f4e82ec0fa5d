"""A transport over which things go wrong, by a seed: the way to see that nothing runs twice, or without leave.

    faulty = FaultyTransport(transport, seed=7)

What happens to each exchange is decided in one place, without I/O (`Faults`); the two transports carry it out.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from clearance.commands import Await, Command, Pause
from clearance.drivers import Clock
from clearance.errors import AuthorizationUnavailable
from clearance.models import Decision, Status
from clearance.testing.clock import VirtualClock
from clearance.transports.base import AsyncTransport, Transport


class Fault(StrEnum):
    """What can happen to one exchange."""

    NONE = "none"
    REQUEST_LOST = "request lost"
    """It never arrives; the exchange takes all of its time."""
    REPLY_LOST = "reply lost"
    """It is done, and nobody hears of it; the exchange takes all of its time."""
    DUPLICATED = "duplicated"
    """It arrives twice; the second answer is heard."""
    DELAYED = "delayed"
    """It arrives late, but in time."""
    REORDERED = "reordered"
    """It arrives when nobody waits for it any more: behind a later one."""
    SERVER_ERROR = "server error"
    """A 5xx, before anything was done."""
    SERVER_ERROR_AFTER = "server error after"
    """A 5xx, after it was done."""
    TOO_MANY = "too many"
    """A 429 whose ``Retry-After`` is short, long, absurd or missing."""
    RESET = "reset"
    """The connection breaks before anything arrived."""
    RESET_AFTER = "reset after"
    """The connection breaks once it was done."""
    REFUSED_ANSWER = "refused answer"
    """It is done; the answer cannot be read, which a good transport says."""
    OTHER_ACTION = "another action"
    """It is done; the answer is about another action."""
    NO_DECISION = "no decision"
    """It is done; the answer is no decision at all, as of a transport with a mistake in it."""
    UNKNOWN_STATUS = "unknown status"
    """It is done; the answer has a status that there is not."""
    BROKEN_TRANSPORT = "broken transport"
    """The transport itself fails with an error of its own."""


TRANSIENT: frozenset[Fault] = frozenset(
    {Fault.SERVER_ERROR, Fault.SERVER_ERROR_AFTER, Fault.TOO_MANY, Fault.RESET, Fault.RESET_AFTER}
)
"""The faults that pass, and are told as such at once: a guarded call goes on as if there had been none."""

RETRY_AFTER: tuple[float | None, ...] = (None, 0.0, 1.0, 2.5, 1e9)
"""Seconds that a 429 may ask for."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange as it went: its number, from 1; what was sent, by the name of its class; and what happened."""

    number: int
    command: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.number}. {self.command}: {self.fault}"


Draw: TypeAlias = Callable[[int, Command, random.Random], Fault]
"""Says what happens to the exchange with this number (from 1), by chance where it likes."""
_Carry: TypeAlias = Generator[Command | Pause, Any, Any]
"""Yields the commands that arrive, and is sent the decisions; or yields time that passes."""


def mostly(calm: float = 0.5) -> Draw:
    """One exchange in so many goes well, and every fault is as likely as the others.

    Args:
        calm: the share of exchanges that go well, from 0 to 1.
    """
    faults = [fault for fault in Fault if fault is not Fault.NONE]
    return lambda _number, _command, dice: Fault.NONE if dice.random() < calm else dice.choice(faults)


def once(kind: type[Command], fault: Fault) -> Draw:
    """The first command of this kind meets this fault; all else goes well.

    Args:
        kind: the class of the command, such as `clearance.commands.Claim`.
        fault: what happens to it.
    """
    met: list[int] = []

    def draw(number: int, command: Command, _dice: random.Random) -> Fault:
        if isinstance(command, kind) and not met:
            met.append(number)
            return fault
        return Fault.NONE

    return draw


class Faults:
    """What happens to each exchange, as a conversation without any I/O.

    Args:
        seed: the same seed and the same commands, in the same order, meet the same faults.
        draw: says what happens; default: half of all exchanges meet a fault, see `mostly`.
    """

    def __init__(self, seed: int | str, draw: Draw | None = None) -> None:
        self.seed: int | str = seed
        self.log: list[Exchange] = []
        self._draw = draw or mostly()
        self._held: list[Command] = []
        self._lock = threading.Lock()

    def exchange(self, command: Command) -> _Carry:
        """One exchange: yields what arrives and what time passes, and returns or raises what is heard."""
        with self._lock:
            number = len(self.log) + 1
            dice = random.Random(f"{self.seed}:{number}")
            fault = self._draw(number, command, dice)
            self.log.append(Exchange(number, type(command).__name__, fault))
            late, self._held = self._held, [command] if fault is Fault.REORDERED else []
        before = [each for each in late if dice.random() < 0.5]
        yield from _arrive(before)
        after = [each for each in late if each not in before]
        try:
            heard = yield from _carried(command, fault, dice)
        except Exception:
            yield from _arrive(after)
            raise
        yield from _arrive(after)
        return heard


def _carried(command: Command, fault: Fault, dice: random.Random) -> _Carry:
    match fault:
        case Fault.NONE:
            return (yield command)
        case Fault.DUPLICATED:
            yield from _arrive([command])
            return (yield command)
        case Fault.DELAYED:
            yield Pause(command.timeout * dice.random() / 2)
            return (yield command)
        case Fault.REQUEST_LOST | Fault.REORDERED:
            yield Pause(command.timeout)
            raise _fault("timeout", "No answer came in time.", transient=True)
        case Fault.REPLY_LOST:
            yield from _arrive([command])
            yield Pause(command.timeout)
            raise _fault("timeout", "No answer came in time.", transient=True)
        case Fault.TOO_MANY:
            raise _fault("rate_limited", "HTTP 429.", transient=True, retry_after=dice.choice(RETRY_AFTER))
        case Fault.SERVER_ERROR:
            raise _fault("server_error", f"HTTP {dice.choice([500, 502, 503, 504])}.", transient=True)
        case Fault.RESET:
            raise _fault("unreachable", "The connection was reset.", transient=True)
    return (yield from _done_and_not_heard(command, fault))


def _done_and_not_heard(command: Command, fault: Fault) -> _Carry:
    """What was asked for is done; its answer does not come through as it was given."""
    decision = yield command
    match fault:
        case Fault.SERVER_ERROR_AFTER:
            raise _fault("server_error", "HTTP 500.", transient=True)
        case Fault.RESET_AFTER:
            raise _fault("unreachable", "The connection was reset.", transient=True)
        case Fault.REFUSED_ANSWER:
            raise _fault("bad_answer", "The answer cannot be read.")
        case Fault.OTHER_ACTION:
            return replace(decision, action_id=f"{decision.action_id}0")
        case Fault.NO_DECISION:
            return {"status": "approved"}
        case Fault.UNKNOWN_STATUS:
            return replace(decision, status="cleared")
        case _:
            raise RuntimeError("a mistake in the transport")


def _arrive(commands: Iterable[Command]) -> _Carry:
    """They arrive, and what is answered is heard by nobody."""
    for command in commands:
        try:
            yield command
        except AuthorizationUnavailable:
            continue


def _fault(code: str, what: str, *, transient: bool = False, retry_after: float | None = None) -> Exception:
    return AuthorizationUnavailable(
        f"A fault was injected: {what}", reason_code=code, transient=transient, retry_after=retry_after
    )


class _Faulty:
    """What both transports are: the faults, the clock, and what the inner transport has."""

    def __init__(self, inner: Any, seed: int | str = 0, draw: Draw | None = None) -> None:
        self.inner: Any = inner
        self.faults: Faults = Faults(seed, draw)
        self.clock: Clock = getattr(inner, "clock", None) or VirtualClock()
        self.binding_key: bytes | None = getattr(inner, "binding_key", None)

    @property
    def log(self) -> list[Exchange]:
        """Every exchange so far, with what happened to it, in the order of asking."""
        return list(self.faults.log)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r}, seed={self.faults.seed!r})"


class FaultyTransport(_Faulty):
    """Carries commands over ``inner``, and lets things go wrong on the way.

    Args:
        inner: the transport that works.
        seed: decides which faults there are; `log` lists them. The same seed and the same commands in the same order
            meet the same faults again.
        draw: what decides instead; see `mostly` and `once`.

    Nothing is ever waited for: ``clock`` is virtual (the inner transport's, if it has one), and an answer that would be
    held back is asked for at once. Threads may share it; then their order decides, too.
    """

    def send(self, command: Command) -> Decision:
        """Carry one command; see `clearance.transports.Transport`."""
        exchange, answer, error = self.faults.exchange(command), None, None
        while True:
            try:
                step = exchange.send(answer) if error is None else exchange.throw(error)
            except StopIteration as done:
                heard: Decision = done.value
                return heard
            answer = error = None
            try:
                answer = self._taken(step)
            except Exception as raised:  # noqa: BLE001 - what it means is the rule's to say
                error = raised

    def _taken(self, step: Command | Pause) -> Decision | None:
        if isinstance(step, Pause):
            self.clock.sleep(step.seconds)
            return None
        inner: Transport = self.inner
        decision = inner.send(_at_once(step))
        self.clock.sleep(_hold(step, decision))
        return decision


class AsyncFaultyTransport(_Faulty):
    """The same for event loops; see `FaultyTransport`."""

    async def asend(self, command: Command) -> Decision:
        """Carry one command; see `clearance.transports.AsyncTransport`."""
        exchange, answer, error = self.faults.exchange(command), None, None
        while True:
            try:
                step = exchange.send(answer) if error is None else exchange.throw(error)
            except StopIteration as done:
                heard: Decision = done.value
                return heard
            answer = error = None
            try:
                answer = await self._taken(step)
            except Exception as raised:  # noqa: BLE001 - what it means is the rule's to say
                error = raised

    async def _taken(self, step: Command | Pause) -> Decision | None:
        if isinstance(step, Pause):
            await self.clock.asleep(step.seconds)
            return None
        inner: AsyncTransport = self.inner
        decision = await inner.asend(_at_once(step))
        await self.clock.asleep(_hold(step, decision))
        return decision


def _at_once(command: Command) -> Command:
    return replace(command, hold=0.0) if isinstance(command, Await) else command


def _hold(command: Command, decision: Decision) -> float:
    """Seconds for which this answer would have been held back."""
    return command.hold if isinstance(command, Await) and decision.status is Status.PENDING else 0.0
