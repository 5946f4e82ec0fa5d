"""The few lines that stand in front of a body: ask, compare, call, report. One for each kind of callable."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from types import CoroutineType, GeneratorType
from typing import Any

from clearance.callables import Kind
from clearance.calls import Call
from clearance.errors import ActionDenied, UnguardableCallable
from clearance.guards.granted import enter, leave
from clearance.guards.reading import Guard

Shell = Callable[[Any, Any, Any, Any], Any]


def shell_for(guard: Guard, *, returns_denial: bool) -> Shell:
    """What wrapt calls in place of the guarded callable."""
    match guard.callee.anatomy.kind:
        case Kind.FUNCTION:
            return _function(guard, returns_denial=returns_denial)
        case Kind.COROUTINE:
            return _later(guard, _coroutine(guard, returns_denial=returns_denial))
        case Kind.GENERATOR:
            return _later(guard, _generator(guard))
        case Kind.ASYNC_GENERATOR:
            return _later(guard, _async_generator(guard))


def _later(guard: Guard, body: Callable[[Call], Any]) -> Shell:
    """Binds at the call, so that the arguments are those of the call, whenever the body is awaited or iterated."""

    def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return body(guard.bind(wrapped, instance, args, kwargs))

    return call


def _function(guard: Guard, *, returns_denial: bool) -> Shell:
    def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        bound = guard.bind(wrapped, instance, args, kwargs)
        if not guard.asks(bound):
            return bound.run()
        gate = guard.gate(bound)
        try:
            grant = gate.open()
        except ActionDenied as denial:
            if returns_denial:
                return denial
            raise
        try:
            outer = enter(grant)
            try:
                result = bound.run()
            finally:
                leave(outer)
            if result is not None and _is_awaitable(result):
                raise _refused_awaitable(bound, result)
        except BaseException as error:
            gate.close(error)
            raise
        gate.close(None)
        return result

    return call


def _coroutine(guard: Guard, *, returns_denial: bool) -> Callable[[Call], Any]:
    async def body(bound: Call) -> Any:
        if not guard.asks(bound):
            return await bound.run()
        gate = await guard.agate(bound)
        try:
            grant = await gate.aopen()
        except ActionDenied as denial:
            if returns_denial:
                return denial
            raise
        try:
            outer = enter(grant)
            try:
                result = await bound.run()
            finally:
                leave(outer)
        except BaseException as error:
            await gate.aclose(error)
            raise
        await gate.aclose(None)
        return result

    return body


def _generator(guard: Guard) -> Callable[[Call], Any]:
    def body(bound: Call) -> Generator[Any, Any, Any]:
        if not guard.asks(bound):
            return (yield from bound.run())
        gate = guard.gate(bound)
        gate.open()
        try:
            result = yield from bound.run()
        except BaseException as error:
            gate.close(error)
            raise
        gate.close(None)
        return result

    return body


def _async_generator(guard: Guard) -> Callable[[Call], Any]:
    async def body(bound: Call) -> AsyncGenerator[Any, Any]:
        gate = None
        if guard.asks(bound):
            gate = await guard.agate(bound)
            await gate.aopen()
        error: BaseException | None = None
        inner = bound.run()
        try:
            # `yield from` is not to be had here: what is sent and thrown is handed on by hand.
            step = inner.__anext__()
            while True:
                value = await step
                try:
                    sent = yield value
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the body's to handle, whatever it is
                    step = inner.athrow(thrown)
                else:
                    step = inner.asend(sent)
        except StopAsyncIteration:
            return
        except BaseException as raised:
            error = raised
            raise
        finally:
            if gate is not None:
                await gate.aclose(error)

    return body


def _is_awaitable(result: Any) -> bool:
    cls = type(result)
    return hasattr(cls, "__await__") or (cls is GeneratorType and inspect.isawaitable(result))


def _refused_awaitable(call: Call, result: Any) -> UnguardableCallable:
    """A plain function that hands back an awaitable: its body would run later, when nothing is held any more."""
    refusal = UnguardableCallable(
        f"{call.callee.qualname!r} is a plain function, but handed back a {type(result).__name__} to be awaited.",
        next_step="Guard the `async def` function itself.",
    )
    if isinstance(result, (CoroutineType, GeneratorType)):
        result.close()
    else:
        with suppress(Exception):
            getattr(result, "cancel", lambda: None)()
        refusal.not_run = "It was cancelled where that could be done, but may have begun."
    return refusal
