"""Generators: held at the first step, and from then on the generator that was guarded, to everybody's eyes."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import ActionDenied, AuthorizationError, Status, requires_authorization
from clearance.testing import Asked, FakeTransport

pytestmark = pytest.mark.usefixtures("little_to_collect")


def guard_over(transport: FakeTransport, **options: Any) -> Callable[[Any], Any]:
    decorator: Callable[[Any], Any] = requires_authorization(action_type="test.act", transport=transport, **options)
    return decorator


class Odd(Exception):
    """Thrown in, and raised, by these tests."""


def counting(began: list[object], upto: int = 3) -> Iterator[int]:
    began.append("here")
    yield from range(upto)


async def acounting(began: list[object], upto: int = 3) -> AsyncIterator[int]:
    began.append("here")
    for number in range(upto):
        yield number


def letters(of: str) -> Iterator[str]:
    yield from of


def ended(transport: FakeTransport) -> tuple[object, ...]:
    """How the only call ended, as it was reported."""
    (asked,) = transport.asked
    assert asked.outcome is not None
    return (asked.outcome.status, asked.outcome.error_type, asked.outcome.notes)


COMPLETED = (Status.COMPLETED, None, ())
CLOSED = (Status.COMPLETED, None, ("closed before its end",))

# ---------------------------------------------------------------------------------------------------------------------
# Before the first step
# ---------------------------------------------------------------------------------------------------------------------


def unstarted(transport: FakeTransport, kind: str, began: list[object]) -> Any:
    """A generator of a guarded function that shares its list with the test."""
    body = counting if kind == "generator" else acounting
    return guard_over(transport, opaque=("began",))(body)(began)


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_until_the_first_step_nobody_is_asked_and_nothing_runs(kind: str) -> None:
    transport, began = FakeTransport(True), list[object]()

    generator = unstarted(transport, kind, began)

    assert (transport.asked, began) == ([], [])
    assert next(generator) == 0 if kind == "generator" else asyncio.run(generator.__anext__()) == 0
    assert began == ["here"]
    assert len(transport.asked) == 1


@pytest.mark.parametrize("kind", ["generator", "async generator"])
@pytest.mark.parametrize("end", ["close", "throw", "forget"])
def test_a_generator_that_is_never_started_asks_nobody(kind: str, end: str) -> None:
    transport, began = FakeTransport(True), list[object]()
    generator = unstarted(transport, kind, began)

    if end == "close":
        assert generator.close() is None if kind == "generator" else asyncio.run(generator.aclose()) is None
    elif end == "throw":
        with pytest.raises(Odd):
            generator.throw(Odd()) if kind == "generator" else asyncio.run(generator.athrow(Odd()))
    del generator
    gc.collect()

    assert (transport.asked, began) == ([], [])


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_arguments_that_do_not_fit_are_an_error_at_the_call_as_they_always_were(kind: str) -> None:
    with pytest.raises(TypeError, match="began"):
        guard_over(FakeTransport(True))(counting if kind == "generator" else acounting)()


def test_the_arguments_are_those_of_the_call_whenever_the_first_step_is_made() -> None:
    transport = FakeTransport(True)

    @guard_over(transport)
    def each(items: list[str]) -> Iterator[str]:
        yield from items

    items = ["a"]
    generator = each(items)
    items.append("mallory")

    assert list(generator) == ["a"]
    assert transport.asked[0].parameters == {"items": ["a"]}


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_refused_generator_raises_at_its_first_step_and_is_over(kind: str) -> None:
    transport, began = FakeTransport(False), list[object]()
    generator = unstarted(transport, kind, began)

    def step() -> object:
        return next(generator) if kind == "generator" else asyncio.run(anext(generator))

    with pytest.raises(ActionDenied):
        step()
    with pytest.raises(StopIteration if kind == "generator" else StopAsyncIteration):
        step()
    assert began == []
    assert len(transport.asked) == 1


# ---------------------------------------------------------------------------------------------------------------------
# After it: everything passes through
# ---------------------------------------------------------------------------------------------------------------------


def echo(stubborn: bool, cleanup: str) -> Generator[object, object, str]:
    """Answers what it is sent; swallows what is thrown, or not; ends in some way."""
    try:
        said: object = "ready"
        while said != "enough":
            try:
                said = yield ("echo", said)
            except Odd as odd:
                if not stubborn:
                    raise
                said = f"swallowed {odd}"
            if said == "burst":
                raise LookupError(said)
        return "all said"
    except GeneratorExit:
        if cleanup == "raises":
            raise Odd("while closing") from None
        raise
    finally:
        if cleanup == "finally raises":
            raise Odd("at the end")


async def aecho(stubborn: bool, cleanup: str) -> AsyncGenerator[object, object]:
    """As `echo`, but for the value at its end, which async generators do not have."""
    try:
        said: object = "ready"
        while said != "enough":
            try:
                said = yield ("echo", said)
            except Odd as odd:
                if not stubborn:
                    raise
                said = f"swallowed {odd}"
            if said == "burst":
                raise LookupError(said)
    except GeneratorExit:
        if cleanup == "raises":
            raise Odd("while closing") from None
        raise
    finally:
        if cleanup == "finally raises":
            raise Odd("at the end")


STEPS = st.one_of(
    st.just(("next", None)),
    st.tuples(st.just("send"), st.sampled_from([None, "hello", "burst", "enough"])),
    st.tuples(st.just("throw"), st.sampled_from(["odd", "other", "stop"])),
    st.just(("close", None)),
)
TO_THE_END: list[tuple[str, str | None]] = [("close", None), ("close", None)]
THROWN: dict[str | None, Callable[[], BaseException]] = {
    "odd": lambda: Odd("in"),
    "other": lambda: KeyError("in"),
    "stop": lambda: StopIteration("in"),
}


def said_to(generator: Any, steps: list[tuple[str, str | None]]) -> list[object]:
    """What a generator answers to each step."""
    answers: list[object] = []
    for step, value in steps:
        try:
            match step:
                case "next":
                    answers.append(next(generator))
                case "send":
                    answers.append(generator.send(value))
                case "throw":
                    answers.append(generator.throw(THROWN[value]()))
                case "close":
                    answers.append(("closed", generator.close()))
        except BaseException as error:
            answers.append(told(error))
    return answers


def told(error: BaseException) -> tuple[object, ...]:
    cause = error.__cause__
    return (type(error), error.args, type(cause) if cause is not None else None)


async def asaid_to(generator: Any, steps: list[tuple[str, str | None]]) -> list[object]:
    """As `said_to`."""
    answers: list[object] = []
    for step, value in steps:
        try:
            match step:
                case "next":
                    answers.append(await anext(generator))
                case "send":
                    answers.append(await generator.asend(value))
                case "throw":
                    answers.append(await generator.athrow(THROWN[value]()))
                case "close":
                    answers.append(("closed", await generator.aclose()))
        except BaseException as error:
            answers.append(told(error))
    return answers


scripts = given(
    st.lists(STEPS, max_size=6),
    st.booleans(),
    st.sampled_from(["nothing", "raises", "finally raises"]),
    st.booleans(),
)


@scripts
def test_a_guarded_generator_answers_every_step_as_the_generator_would_have(
    steps: list[tuple[str, str | None]], stubborn: bool, cleanup: str, asks: bool
) -> None:
    guarded = guard_over(FakeTransport(True), when=lambda: asks)(echo)(stubborn, cleanup)
    assert type(guarded) is types.GeneratorType

    assert said_to(guarded, [*steps, *TO_THE_END]) == said_to(echo(stubborn, cleanup), [*steps, *TO_THE_END])


@scripts
def test_a_guarded_async_generator_answers_every_step_as_the_generator_would_have(
    steps: list[tuple[str, str | None]], stubborn: bool, cleanup: str, asks: bool
) -> None:
    guarded = guard_over(FakeTransport(True), when=lambda: asks)(aecho)(stubborn, cleanup)
    assert type(guarded) is types.AsyncGeneratorType

    async def main() -> tuple[list[object], list[object]]:
        plain = aecho(stubborn, cleanup)
        return await asaid_to(guarded, [*steps, *TO_THE_END]), await asaid_to(plain, [*steps, *TO_THE_END])

    ours, theirs = asyncio.run(main())
    assert ours == theirs


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_body_that_will_not_be_closed_is_the_error_it_always_was(kind: str) -> None:
    transport = FakeTransport(True)

    def body() -> Iterator[int]:
        try:
            yield 1
        finally:
            yield 2

    async def abody() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            yield 2

    async def main(generator: Any) -> None:
        await anext(generator)
        await generator.aclose()

    generator: Any = guard_over(transport)(body if kind == "generator" else abody)()
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        (next(generator), generator.close()) if kind == "generator" else asyncio.run(main(generator))

    assert ended(transport) == (Status.FAILED, "RuntimeError", ())


# ---------------------------------------------------------------------------------------------------------------------
# What is reported
# ---------------------------------------------------------------------------------------------------------------------


def test_a_generator_is_executing_until_its_end_and_then_completed() -> None:
    transport = FakeTransport(True)
    generator = guard_over(transport)(letters)("ab")

    statuses = [(letter, transport.asked[0].status) for letter in generator]

    assert statuses == [("a", Status.EXECUTING), ("b", Status.EXECUTING)]
    assert ended(transport) == COMPLETED


def test_the_value_at_a_generators_end_is_handed_on() -> None:
    def outer(inner: Any) -> Generator[object, object, object]:
        return (yield from inner)

    def body() -> Generator[int, None, str]:
        yield 1
        return "the end"

    generator = outer(guard_over(FakeTransport(True))(body)())
    next(generator)

    with pytest.raises(StopIteration) as stopped:
        next(generator)
    assert stopped.value.value == "the end"


@pytest.mark.parametrize("end", ["close", "break", "forget"])
def test_a_generator_that_is_closed_early_is_completed_with_a_note(end: str) -> None:
    transport = FakeTransport(True)
    generator = guard_over(transport)(letters)("abc")

    if end == "break":
        for letter in generator:
            if letter == "a":
                break
        generator.close()
    else:
        next(generator)
        if end == "close":
            generator.close()
    del generator
    gc.collect()

    assert ended(transport) == CLOSED


@pytest.mark.parametrize("end", ["close", "break"])
def test_an_async_generator_that_is_closed_early_is_completed_with_a_note(end: str) -> None:
    transport = FakeTransport(True)

    @guard_over(transport)
    async def aletters() -> AsyncIterator[str]:
        for letter in "abc":
            yield letter

    left: list[Any] = []

    async def close() -> None:
        async with aclosing(aletters()) as generator:
            async for _ in generator:
                return

    async def leave_open() -> None:
        left.append(aletters())
        async for _ in left[0]:
            return  # and the loop closes it, when it is shut down

    asyncio.run(close() if end == "close" else leave_open())

    assert ended(transport) == CLOSED


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_bodys_exception_passes_untouched_and_only_its_kind_is_reported(kind: str) -> None:
    transport, error = FakeTransport(True), Odd("card 4242")

    def body() -> Iterator[int]:
        yield 1
        raise error

    async def abody() -> AsyncIterator[int]:
        yield 1
        raise error

    async def collect(generator: AsyncIterator[int]) -> list[int]:
        return [item async for item in generator]

    generator: Any = guard_over(transport)(body if kind == "generator" else abody)()
    with pytest.raises(Odd) as raised:
        list(generator) if kind == "generator" else asyncio.run(collect(generator))

    assert raised.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    assert ended(transport) == (Status.FAILED, "Odd", ())


def test_what_is_thrown_in_and_not_caught_is_the_calls_failure() -> None:
    transport, error = FakeTransport(True), Odd()
    generator = guard_over(transport)(letters)("a")
    next(generator)

    with pytest.raises(Odd) as raised:
        generator.throw(error)

    assert raised.value is error
    assert ended(transport) == (Status.FAILED, "Odd", ())


def test_a_cancelled_async_generator_is_reported_as_failed() -> None:
    transport = FakeTransport(True)

    async def main() -> None:
        inside = asyncio.Event()

        @guard_over(transport)
        async def waiting() -> AsyncIterator[int]:
            inside.set()
            await asyncio.Event().wait()
            yield 1

        async def consume() -> None:
            async for _ in waiting():
                raise AssertionError("nothing is ever yielded")

        task = asyncio.create_task(consume())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert ended(transport) == (Status.FAILED, "CancelledError", ())


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_each_generator_is_a_call_of_its_own(kind: str) -> None:
    answers = iter([True, False])

    def answer(_asked: Asked) -> bool:
        return next(answers)

    transport, began = FakeTransport(answer), list[object]()
    first, second = (unstarted(transport, kind, began) for _ in range(2))

    def step(generator: Any) -> object:
        return next(generator) if kind == "generator" else asyncio.run(anext(generator))

    assert step(first) == 0
    with pytest.raises(AuthorizationError):
        step(second)
    assert began == ["here"]
