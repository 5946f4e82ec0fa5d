"""What the tests of every framework say: the tool's body, the approvers, and a call that is held."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import typing
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NoReturn, TypeVar

from clearance import ActionDenied, AuthorizationError, Decision, Status, requires_authorization
from clearance.commands import Await, Command
from clearance.lifecycle import Event
from clearance.testing import Asked, FakeTransport

T = TypeVar("T")

ARGUMENTS = {"charge": "ch_1", "amount": 25, "lines": ["broken", "late"]}
"""What the scripted models call the tool with."""
HINT = "ask me again after lunch"
"""What a person writes with a refusal; it is not for a model to read."""
NOTICE = "This action was refused and was not executed."
"""How `ActionDenied.for_model` begins."""


class Session:
    """What a context holds in real life: an open connection, say, of which there is no copy."""

    def __deepcopy__(self, _memo: Any) -> NoReturn:
        raise TypeError("There is no copy of a session.")


class Till:
    """Notes what the bodies did: with which arguments and context, and whether on the event loop or in a thread."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.contexts: list[Any] = []
        self.on_loop: list[bool] = []

    def take(self, charge: str, amount: int, lines: object, context: object = None) -> str:
        self.calls.append({"charge": charge, "amount": amount, "lines": lines})
        self.contexts.append(context)
        self.on_loop.append(threading.current_thread() is threading.main_thread())
        return f"refunded {amount} on {charge}"


def refund_into(till: Till, kind: str, spelling: str = "as text") -> Callable[..., Any]:
    """A function without a guard; a fresh one each time, because some frameworks write on it."""
    return spelled(_coroutine_function(till) if kind == "async" else _function(till), spelling)


def _function(till: Till) -> Callable[..., Any]:
    def refund(charge: str, amount: int = 10, lines: list[str] | None = None) -> str:
        """Give a customer money back.

        Args:
            charge: The id of the charge.
            amount: How much, in cents.
            lines: What was wrong.
        """
        return till.take(charge, amount, lines)

    return refund


def _coroutine_function(till: Till) -> Callable[..., Any]:
    async def refund(charge: str, amount: int = 10, lines: list[str] | None = None) -> str:
        """Give a customer money back.

        Args:
            charge: The id of the charge.
            amount: How much, in cents.
            lines: What was wrong.
        """
        return till.take(charge, amount, lines)

    return refund


def spelled(function: Callable[..., T], spelling: str) -> Callable[..., T]:
    """The function, with its annotations left as the text that they are here, or evaluated."""
    if spelling == "as objects":
        function.__annotations__ = typing.get_type_hints(function, include_extras=True)
    return function


def guarded(function: Callable[..., T], transport: FakeTransport, **options: Any) -> Callable[..., T]:
    """The function behind a gate."""
    held: Callable[..., T] = requires_authorization(
        action_type="payment.refund", tool_name="stripe", transport=transport, **options
    )(function)
    return held


def telling_the_model(function: Callable[..., Any]) -> Callable[..., Any]:
    """A tool's function that hands a returned denial on as the sentence for a model."""

    def told(result: Any) -> Any:
        return result.for_model() if isinstance(result, ActionDenied) else result

    return _around(function, told, nullcontext)


def with_tool_errors(function: Callable[..., Any], tool_error: type[Exception]) -> Callable[..., Any]:
    """A tool's function whose refusals are tool errors, with the sentence for a model."""

    @contextmanager
    def translated() -> Iterator[None]:
        try:
            yield
        except AuthorizationError as refusal:
            raise tool_error(refusal.for_model()) from refusal

    return _around(function, lambda result: result, translated)


def _around(
    function: Callable[..., Any], told: Callable[[Any], Any], during: Callable[[], AbstractContextManager[None]]
) -> Callable[..., Any]:
    """The function, sync or async as it is, with something around its calls and something done with their results."""

    @functools.wraps(function)
    async def later(*args: Any, **kwargs: Any) -> Any:
        with during():
            return told(await function(*args, **kwargs))

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        with during():
            return told(function(*args, **kwargs))

    return later if inspect.iscoroutinefunction(function) else now


def cleared() -> FakeTransport:
    """An approver who clears everything."""
    return FakeTransport(True)


def refused() -> FakeTransport:
    """An approver who refuses everything, with a hint in her own words."""
    return FakeTransport(lambda _asked: Decision("", Status.DENIED, reason=HINT, reason_code="approver"))


def the_only(transport: FakeTransport) -> Asked:
    """The one request that was made."""
    (asked,) = transport.asked
    return asked


class Patient(FakeTransport):
    """An approver who leaves a call waiting, on the loop or in a thread, until another task says `decide`."""

    def __init__(self) -> None:
        super().__init__(lambda _asked: None)
        self.waiting = asyncio.Event()
        self._answered = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def decide(self, event: Event) -> None:
        self._find("1").move(event)
        self._answered.set()

    async def asend(self, command: Command) -> Decision:
        if isinstance(command, Await):
            self.waiting.set()
            await self._answered.wait()
        return super().send(command)

    def send(self, command: Command) -> Decision:
        return asyncio.run_coroutine_threadsafe(self.asend(command), self._loop).result()


async def held(run: Coroutine[Any, Any, T], approver: Patient, till: Till) -> T:
    """Start ``run``; see that its call is held; then, from this task, clear it, and let it go on."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run)
        await approver.waiting.wait()
        assert the_only(approver).status is Status.PENDING
        assert not till.calls
        assert not running.done()
        approver.decide(Event.APPROVE)
    return running.result()
