"""Guards a class: its constructor is held, and the class stays the class that it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import MethodType
from typing import Any

from clearance.errors import UnguardableCallable
from clearance.guards.reading import Guard, Options
from clearance.guards.shells import Shell, shell_for
from clearance.guards.wrapper import Guarded

_HARMLESS_NEW = frozenset({object.__new__, list.__new__, dict.__new__, set.__new__})
"""They make an empty object: nothing has happened by then."""


def guard_class(cls: type, options: Options) -> type:
    """The class itself, with its ``__init__`` (or, where it has none of its own, its ``__new__``) behind a gate.

    Raises:
        UnguardableCallable: there is not one place where the gate could stand.
    """
    new, init = cls.__new__, cls.__init__  # type: ignore[misc]
    if type(cls).__call__ is not type.__call__:
        raise _unguardable(cls, f"its metaclass {type(cls).__qualname__} makes its objects in its own way")
    if new in _HARMLESS_NEW or _makes_exceptions(new):
        _put(cls, "__init__", _guarded_init(cls, options))
    elif hasattr(new, "__code__") and init is object.__init__:
        _put(cls, "__new__", _guarded_new(cls, options))
    else:
        raise _unguardable(cls, "it makes its objects both in __new__ and in __init__, or in C")
    return cls


def _guarded_init(cls: type, options: Options) -> Any:
    init: Any = cls.__init__  # type: ignore[misc]
    if not hasattr(init, "__code__"):
        init = _spelled_out(init)
    if issubclass(cls, BaseException):
        init = _with_arguments_of_its_own(init)
    guard = Guard(init, options, owner=cls)
    call = shell_for(guard, returns_denial=False)
    if "__signature__" in vars(cls) and all(label.startswith("*") for label in [*guard.callee.labels.values()][1:]):
        call = _with_names(cls, call)
    return Guarded(init, call)


def _with_names(cls: type, call: Shell) -> Shell:
    """For a constructor that takes ``*args`` for what the class gives names to: they may be those of secrets."""
    positional = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]

    def named(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        given = dict(zip(positional, args, strict=False))
        for name in given.keys() & kwargs.keys():
            raise TypeError(f"{cls.__qualname__}() got multiple values for argument {name!r}")
        return call(wrapped, instance, args[len(given) :], {**given, **kwargs})

    return named


def _guarded_new(cls: type, options: Options) -> Any:
    new = cls.__new__
    call = shell_for(Guard(new, options, owner=cls), returns_denial=False)

    @functools.wraps(new)
    def __new__(made: type, *args: Any, **kwargs: Any) -> Any:
        return call(MethodType(new, made), made, args, kwargs)

    return staticmethod(__new__)


def _spelled_out(init: Any) -> Callable[..., None]:
    """A constructor in C, as a function."""
    if init is object.__init__:

        def empty(self: object) -> None:
            init(self)

        empty.__annotations__.clear()
        return empty

    @functools.wraps(init, assigned=("__doc__",), updated=())
    def passing_on(self: object, /, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)

    passing_on.__annotations__.clear()
    del passing_on.__wrapped__
    return passing_on


def _makes_exceptions(new: Any) -> bool:
    """Is this the ``__new__`` of a built-in exception, which keeps the arguments, and does nothing else with them?"""
    maker = getattr(new, "__self__", None)
    return isinstance(maker, type) and issubclass(maker, BaseException) and not issubclass(maker, BaseExceptionGroup)


def _with_arguments_of_its_own(init: Callable[..., None]) -> Callable[..., None]:
    """The constructor of an exception: ``__new__`` has kept the caller's own arguments, which become those shown."""

    @functools.wraps(init)
    def __init__(*args: Any, **kwargs: Any) -> None:
        made, *given = args
        made.args = given[: len(made.args)]
        init(*args, **kwargs)

    return __init__


def _put(cls: type, name: str, guarded: Any) -> None:
    try:
        setattr(cls, name, guarded)
    except TypeError:
        raise _unguardable(cls, "nothing can be put into it") from None


def _unguardable(cls: type, why: str) -> UnguardableCallable:
    return UnguardableCallable(
        f"The constructor of {cls.__qualname__!r} cannot be held: {why}.",
        next_step="Guard a function that makes the object.",
    )
