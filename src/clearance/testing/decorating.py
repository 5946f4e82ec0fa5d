"""A fake as a decorator: of functions, of coroutine functions, and of classes of tests."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])

TEST = "test"
"""How the methods of a class begin that are tests."""


def decorated(test: T, fake: AbstractContextManager[Any]) -> T:
    """The test, which runs inside ``with fake:``; of a class, each of its own methods whose name says that it is one.

    Raises:
        TypeError: it is a generator function: its body would run after the block.
    """
    if inspect.isclass(test):
        _decorate_the_tests_of(test, fake)
        same: Any = test
        return same  # type: ignore[no-any-return]
    if inspect.isgeneratorfunction(test) or inspect.isasyncgenfunction(test):
        raise TypeError(f"{test.__qualname__} is a generator function; write `with fake:` inside it")
    wrapper: Any = _around_coroutine(test, fake) if inspect.iscoroutinefunction(test) else _around(test, fake)
    return functools.wraps(test)(wrapper)  # type: ignore[return-value]


def _decorate_the_tests_of(cls: type, fake: AbstractContextManager[Any]) -> None:
    for name, method in list(vars(cls).items()):
        if name.startswith(TEST) and inspect.isfunction(method):
            setattr(cls, name, decorated(method, fake))


def _around(test: Callable[..., Any], fake: AbstractContextManager[Any]) -> Callable[..., Any]:
    def inside(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with fake:
            return test(*args, **kwargs)

    return inside


def _around_coroutine(test: Callable[..., Any], fake: AbstractContextManager[Any]) -> Callable[..., Any]:
    async def inside(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with fake:
            return await test(*args, **kwargs)

    return inside
