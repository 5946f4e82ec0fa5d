"""What cannot be guarded truthfully is refused where the guard is written, or, if it shows only then, at the call."""

from __future__ import annotations

import asyncio
import datetime
import enum
import functools
import gc
import types
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Literal, NoReturn, TypedDict

import pytest

from clearance import ConfigurationError, Status, UnguardableCallable, requires_authorization
from clearance.testing import FakeTransport

pytestmark = pytest.mark.usefixtures("little_to_collect")


def guard_over(transport: FakeTransport, **options: Any) -> Callable[[Any], Any]:
    decorator: Callable[[Any], Any] = requires_authorization(action_type="test.act", transport=transport, **options)
    return decorator


# ---------------------------------------------------------------------------------------------------------------------
# Where the guard is written
# ---------------------------------------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1


class Mode(enum.StrEnum):
    ON = "on"


class Code(str):
    """Has its value from `str.__new__`, before any constructor of ours could be asked for."""

    __slots__ = ()


class Amount(int):
    pass


class Day(datetime.date):
    pass


class Options(TypedDict):
    amount: int


class Both:
    def __new__(cls, amount: int) -> Both:
        return super().__new__(cls)

    def __init__(self, amount: int) -> None:
        self.amount = amount


class Registry(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


class Registered(metaclass=Registry):
    pass


class Several(ExceptionGroup[Exception]):
    pass


@types.coroutine
def old_style() -> Generator[None, None, None]:
    yield


class Account:
    @property
    def balance(self) -> int:
        return 0


UNGUARDABLE: dict[str, tuple[Any, str]] = {
    "no signature": (max, r"signature of .* cannot be read.*Guard a function of yours that calls it"),
    "a coroutine in the form of a generator": (old_style, r"types\.coroutine.*Write it with `async def`"),
    "an enum": (Colour, "metaclass EnumType makes its objects in its own way.*Guard a function that makes the object"),
    "an enum of texts": (Mode, "metaclass EnumType"),
    "a text with a value": (Code, "makes its objects both in __new__ and in __init__, or in C"),
    "a number with a value": (Amount, "or in C"),
    "a date": (Day, "or in C"),
    "a typed dict": (Options, "metaclass _TypedDictMeta"),
    "a class with two constructors": (Both, "both in __new__ and in __init__"),
    "a class with a metaclass of its own mind": (Registered, "metaclass Registry"),
    "an exception group": (Several, "or in C"),
    "a class in C": (bytearray, "or in C|nothing can be put into it"),
    "another class in C": (dict, "nothing can be put into it|signature"),
    "a property": (Account.__dict__["balance"], r"property cannot be called.*directly above `def`"),
    "a cached property": (functools.cached_property(lambda self: 0), "cannot be called"),
    "a number": (5, r"int cannot be called, so there is nothing to guard"),
    "a text": ("refund", "cannot be called"),
    "nothing": (None, "cannot be called"),
    "an object": (object(), "cannot be called"),
}


@pytest.mark.parametrize(("thing", "problem"), UNGUARDABLE.values(), ids=UNGUARDABLE)
def test_what_cannot_be_guarded_truthfully_is_refused_with_the_reason_and_what_to_do(thing: Any, problem: str) -> None:
    before = dict(vars(thing)) if isinstance(thing, type) else None

    with pytest.raises(UnguardableCallable, match=problem) as refused:
        guard_over(FakeTransport(True))(thing)

    assert isinstance(refused.value, TypeError)
    assert refused.value.next_step
    assert refused.value.reason_code == "unguardable"
    assert before is None or dict(vars(thing)) == before  # it is left as it was


def a_generator() -> Generator[int, None, None]:
    yield 1


async def an_async_generator() -> Any:
    yield 1


class AClass:
    pass


@pytest.mark.parametrize("thing", [a_generator, an_async_generator, AClass])
def test_what_could_not_return_a_denial_is_not_asked_to(thing: Any) -> None:
    with pytest.raises(ConfigurationError, match=r'has nobody to return a denial to.*Leave out on_denied="return"'):
        guard_over(FakeTransport(True), on_denied="return")(thing)

    assert "__init__" not in vars(AClass)


# ---------------------------------------------------------------------------------------------------------------------
# At the call: a plain function that hands back something to be awaited
# ---------------------------------------------------------------------------------------------------------------------

ran: list[str] = []


async def work() -> str:
    ran.append("work")
    return "done"


class Promise:
    """An awaitable of somebody's own."""

    def __await__(self) -> Generator[None, None, str]:
        ran.append("promise")
        yield
        return "done"


@types.coroutine
def older_work() -> Generator[None, None, str]:
    ran.append("older work")
    yield
    return "done"


def _wrapped() -> Callable[[], Any]:
    @functools.wraps(work)
    def wrapper() -> Coroutine[Any, Any, str]:
        return work()

    return wrapper


class Teller:
    def __call__(self) -> Coroutine[Any, Any, str]:
        return work()

    def method(self) -> Coroutine[Any, Any, str]:
        return work()


AWAITABLES: dict[str, tuple[Callable[[], Any], Literal["coroutine", "Task", "Future", "Promise", "generator"]]] = {
    "a lambda": (lambda: work(), "coroutine"),
    "a decorator's wrapper": (_wrapped(), "coroutine"),
    "a callable object": (Teller(), "coroutine"),
    "a method": (Teller().method, "coroutine"),
    "a partial of a lambda": (functools.partial(lambda amount: work(), 5), "coroutine"),
    "a task": (lambda: asyncio.ensure_future(work()), "Task"),
    "a future": (lambda: asyncio.get_running_loop().create_future(), "Future"),
    "an awaitable": (Promise, "Promise"),
    "a coroutine in the form of a generator": (lambda: older_work(), "generator"),
}


@pytest.mark.parametrize(("function", "kind"), AWAITABLES.values(), ids=AWAITABLES)
def test_a_plain_function_that_hands_back_an_awaitable_is_an_error_and_nothing_of_it_runs(
    function: Callable[[], Any], kind: str
) -> None:
    transport = FakeTransport(True)
    ran.clear()
    handed: list[Any] = []

    def keeping() -> Any:
        handed.append(function())
        return handed[0]

    async def main() -> None:
        with pytest.raises(UnguardableCallable, match=f"plain function, but handed back a {kind} to be awaited"):
            guard_over(transport)(keeping)()
        if kind in ("Task", "Future"):
            with pytest.raises(asyncio.CancelledError):
                await handed[0]

    asyncio.run(main())
    handed.clear()
    gc.collect()  # a coroutine that was not closed would warn here, which is an error

    assert ran == []
    assert transport.asked[0].outcome is not None
    assert transport.asked[0].outcome.status is Status.FAILED
    assert transport.asked[0].outcome.error_type == "UnguardableCallable"


@pytest.mark.parametrize(("function", "kind"), list(AWAITABLES.values())[:5], ids=list(AWAITABLES)[:5])
def test_whatever_hands_it_back_is_named(function: Callable[[], Any], kind: str) -> None:
    ran.clear()

    with pytest.raises(UnguardableCallable, match=r"handed back a coroutine.*Guard the `async def` function itself"):
        guard_over(FakeTransport(True))(function)()

    assert ran == []


def test_the_refusal_says_what_may_have_begun() -> None:
    async def main() -> tuple[str, str]:
        told = []
        for function in (work, lambda: asyncio.ensure_future(work())):
            with pytest.raises(UnguardableCallable) as refused:
                guard_over(FakeTransport(True))(lambda function=function: function())()
            told.append(str(refused.value))
        return told[0], told[1]

    of_a_coroutine, of_a_task = asyncio.run(main())

    assert "Nothing was run." in of_a_coroutine
    assert "It was cancelled where that could be done, but may have begun." in of_a_task


def test_a_future_of_a_thread_is_a_result_like_any_other() -> None:
    future: Future[int] = Future()

    assert guard_over(FakeTransport(True))(lambda: future)() is future


def test_an_awaitable_that_will_not_be_cancelled_does_not_hide_the_refusal() -> None:
    class Stubborn(Promise):
        def cancel(self) -> NoReturn:
            raise LookupError("cannot be cancelled")

    with pytest.raises(UnguardableCallable, match="handed back a Stubborn"):
        guard_over(FakeTransport(True))(lambda: Stubborn())()


def test_a_call_that_is_not_asked_for_hands_back_what_it_always_did() -> None:
    async def main() -> str:
        result: str = await guard_over(FakeTransport(True), when=lambda: False)(lambda: work())()
        return result

    assert asyncio.run(main()) == "done"
