"""The bodies that the guarded callables of these tests are made around: each writes down what it was given."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SYNC, ASYNC, GENERATOR, ASYNC_GENERATOR = "sync", "async", "generator", "async generator"
FLAVOURS = (SYNC, ASYNC, GENERATOR, ASYNC_GENERATOR)


@dataclass
class Ledger:
    """What bodies write down of each run: what they were given, as it was then, and what they were called on."""

    runs: list[tuple[Any, ...]] = field(default_factory=list)
    receivers: list[object] = field(default_factory=list)

    def note(self, lines: Any, amount: Any, receiver: object = None) -> tuple[Any, ...]:
        self.runs.append((tuple(lines), amount))
        self.receivers.append(receiver)
        return self.runs[-1]


@dataclass(frozen=True)
class Bodies:
    """Functions of one flavour, ``pay(lines, amount=7)``, that write what they are given into the ledger."""

    ledger: Ledger
    flavour: str

    def free(self) -> Any:
        """A function."""
        return _FREE[self.flavour](self.ledger)

    def method(self, home: str) -> Any:
        """A method, as if it were written in the body of the class with this name."""
        return _at(home, _METHODS[self.flavour](self.ledger))

    def static(self, home: str) -> Any:
        """A function, as if it were written in the body of the class with this name."""
        return _at(home, self.free())

    def layer(self, inner: Callable[..., Any]) -> Any:
        """A decorator's wrapper, of the same flavour, that hands everything on and tells nothing of what is inside."""
        return _LAYERS[self.flavour](inner)

    def wrapping(self, inner: Callable[..., Any]) -> Any:
        """The same, as `functools.wraps` would have it."""
        return functools.wraps(inner)(self.layer(inner))


def _at(home: str, body: Any) -> Any:
    body.__module__ = sys._getframe(2).f_globals["__name__"]  # where whoever asks for it writes the class
    body.__qualname__ = f"{home}.pay"
    return body


def a_function(ledger: Ledger) -> Any:
    def pay(lines: list[str], amount: int = 7) -> tuple[Any, ...]:
        """Pay."""
        return ledger.note(lines, amount)

    return pay


def a_coroutine_function(ledger: Ledger) -> Any:
    async def pay(lines: list[str], amount: int = 7) -> tuple[Any, ...]:
        """Pay."""
        return ledger.note(lines, amount)

    return pay


def a_generator(ledger: Ledger) -> Any:
    def pay(lines: list[str], amount: int = 7) -> Iterator[tuple[Any, ...]]:
        """Pay."""
        yield ledger.note(lines, amount)

    return pay


def an_async_generator(ledger: Ledger) -> Any:
    async def pay(lines: list[str], amount: int = 7) -> AsyncIterator[tuple[Any, ...]]:
        """Pay."""
        yield ledger.note(lines, amount)

    return pay


def _method(ledger: Ledger) -> Any:
    def pay(self: object, lines: list[str], amount: int = 7) -> tuple[Any, ...]:
        """Pay."""
        return ledger.note(lines, amount, self)

    return pay


def _coroutine_method(ledger: Ledger) -> Any:
    async def pay(self: object, lines: list[str], amount: int = 7) -> tuple[Any, ...]:
        """Pay."""
        return ledger.note(lines, amount, self)

    return pay


def _generator_method(ledger: Ledger) -> Any:
    def pay(self: object, lines: list[str], amount: int = 7) -> Iterator[tuple[Any, ...]]:
        """Pay."""
        yield ledger.note(lines, amount, self)

    return pay


def _async_generator_method(ledger: Ledger) -> Any:
    async def pay(self: object, lines: list[str], amount: int = 7) -> AsyncIterator[tuple[Any, ...]]:
        """Pay."""
        yield ledger.note(lines, amount, self)

    return pay


def _layer(inner: Callable[..., Any]) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    return wrapper


def _coroutine_layer(inner: Callable[..., Any]) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await inner(*args, **kwargs)

    return wrapper


def _generator_layer(inner: Callable[..., Any]) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        yield from inner(*args, **kwargs)

    return wrapper


def _async_generator_layer(inner: Callable[..., Any]) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        async for item in inner(*args, **kwargs):
            yield item

    return wrapper


_Maker = Callable[..., Any]
_FREE: dict[str, _Maker] = {
    SYNC: a_function,
    ASYNC: a_coroutine_function,
    GENERATOR: a_generator,
    ASYNC_GENERATOR: an_async_generator,
}
_METHODS: dict[str, _Maker] = {
    SYNC: _method,
    ASYNC: _coroutine_method,
    GENERATOR: _generator_method,
    ASYNC_GENERATOR: _async_generator_method,
}
_LAYERS: dict[str, _Maker] = {
    SYNC: _layer,
    ASYNC: _coroutine_layer,
    GENERATOR: _generator_layer,
    ASYNC_GENERATOR: _async_generator_layer,
}


def finished(result: Any) -> Any:
    """What comes of a call of any flavour, awaited or iterated to its end, as it asks for."""
    if inspect.iscoroutine(result):
        return asyncio.run(_awaited(result))
    if hasattr(result, "__anext__"):
        return asyncio.run(_collected(result))
    if hasattr(result, "__next__"):
        return list(result)[-1]
    return result


async def _awaited(result: Any) -> Any:
    return await result


async def _collected(result: AsyncIterator[Any]) -> Any:
    return [item async for item in result][-1]
