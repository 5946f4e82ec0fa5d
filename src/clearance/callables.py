"""What kind of callable something is, looked through every layer that Python puts around a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial, partialmethod
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from clearance.errors import UnguardableCallable


class Kind(StrEnum):
    """When the body runs: at the call, when it is awaited, or while it is iterated."""

    FUNCTION = "function"
    COROUTINE = "coroutine function"
    GENERATOR = "generator function"
    ASYNC_GENERATOR = "async generator function"


class Anatomy(NamedTuple):
    """A callable, taken apart.

    ``core`` is the innermost function or callable object, ``body`` the function that runs: a callable object's
    ``__call__``, a class's constructor. ``name`` is the core's module and qualified name. ``signature`` is all that the
    body takes; if ``has_receiver``, the first parameter is ``self`` or ``cls`` when it is called on something, as the
    body of a callable object (``is_object``) always is. ``home`` is the qualified name of the class in whose body the
    core was written, or "". If ``is_layered``, a `functools.partial` is on the way, with arguments of its own.
    """

    core: Callable[..., Any]
    body: Callable[..., Any]
    kind: Kind
    name: tuple[str, str]
    signature: inspect.Signature
    has_receiver: bool
    is_object: bool
    home: str
    is_layered: bool

    def takes_as_receiver(self, first: object) -> bool:
        """Is the first argument of a plain call what the core is called on, as a method?

        So it is where a decorator above the guard, `property` or (on Python 3.13) `classmethod` calls it without
        binding. As a parameter it would be shown, copied, and the copy be worked on.
        """
        if self.home:
            for cls in (first if isinstance(first, type) else type(first)).__mro__:
                if cls.__qualname__ == self.home and cls.__module__ == self.name[0]:
                    name = self.name[1].rpartition(".")[2]
                    found = vars(cls).get(name)
                    return found is not None and (not isinstance(found, staticmethod) or name == "__new__")
        return isinstance(first, type) and _has_in_a_classmethod(first, self.core)


def take_apart(function: Any) -> Anatomy:
    """See `Anatomy`.

    Raises:
        UnguardableCallable: it is no callable, its arguments cannot be named, or the guard stands in the wrong place.
    """
    _refuse_misplaced(function)
    core = _core(function)
    body = _body(core)
    is_object = _is_object(core)
    return Anatomy(
        core=core,
        body=body,
        kind=_kind(body),
        name=_name(core),
        signature=_signature(body if is_object else core),
        has_receiver=is_object or hasattr(type(core), "__get__"),
        is_object=is_object,
        home=_home(core),
        is_layered=_is_layered(function),
    )


def _name(core: Any) -> tuple[str, str]:
    cls = type(core)
    module, qualname = getattr(core, "__module__", None), getattr(core, "__qualname__", None)
    return str(module or cls.__module__), str(qualname or cls.__qualname__)


Bound = tuple[Any, tuple[Any, ...], Mapping[str, Any]]
"""What is called, and with which arguments."""


def unwrap_partials(wrapped: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Bound:
    """A call of a `functools.partial`, as the call of what is inside: nothing that was bound before stays hidden."""
    while True:
        if isinstance(wrapped, partial):
            args, kwargs = (*wrapped.args, *args), {**wrapped.keywords, **kwargs}
            wrapped = wrapped.func
        elif isinstance(wrapped, MethodType) and isinstance(wrapped.__func__, partial):
            args = (wrapped.__self__, *args)
            wrapped = wrapped.__func__
        else:
            return wrapped, args, kwargs


def unwrap_partialmethod(
    layer: partialmethod[Any], wrapped: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Bound:
    """A call of what a `functools.partialmethod` made of itself, as the call of the bound method inside."""
    if isinstance(wrapped, partial):
        return unwrap_partials(wrapped, args, kwargs)
    # Its own `_method(self, *args)`, found on the class, or around something that does not bind.
    receiver, *rest = (wrapped.__self__, *args) if isinstance(wrapped, MethodType) else args or (None,)
    bind = getattr(layer.func, "__get__", None)
    given = (*layer.args, *rest)
    if bind is None:
        return unwrap_partials(layer.func, (receiver, *given), {**layer.keywords, **kwargs})
    return unwrap_partials(bind(receiver, type(receiver)), given, {**layer.keywords, **kwargs})


def _home(core: Any) -> str:
    home: str = core.__qualname__.rpartition(".")[0] if hasattr(core, "__code__") else ""
    return "" if home.endswith("<locals>") else home


def _has_in_a_classmethod(owner: type, core: object) -> bool:
    for cls in owner.__mro__:
        for found in vars(cls).values():
            layer = found.__func__ if isinstance(found, classmethod) else None
            while layer is not None:
                if layer is core:
                    return True
                layer = getattr(layer, "__wrapped__", None)
    return False


def _core(function: Any) -> Any:
    while True:
        if isinstance(function, (staticmethod, classmethod, MethodType)):
            function = function.__func__
        elif isinstance(function, (partial, partialmethod)):
            function = function.func
        else:
            return function


def _body(core: Any) -> Any:
    if hasattr(core, "__code__") or inspect.isroutine(core):
        return core
    if not isinstance(core, type):
        return _core(type(core).__call__)
    init: Any = core.__init__  # type: ignore[misc]
    return init if hasattr(init, "__code__") else core.__new__


def _is_object(core: Any) -> bool:
    """Is it an object whose class has a method ``__call__``, in Python?"""
    if isinstance(core, type) or hasattr(core, "__code__") or inspect.isroutine(core):
        return False
    return inspect.isfunction(inspect.getattr_static(type(core), "__call__", None))


def _is_layered(function: Any) -> bool:
    while isinstance(function, (staticmethod, classmethod, MethodType)):
        function = function.__func__
    return isinstance(function, (partial, partialmethod))


def _kind(body: Any) -> Kind:
    if inspect.iscoroutinefunction(body):
        return Kind.COROUTINE
    if inspect.isasyncgenfunction(body):
        return Kind.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(body):
        if body.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE:
            raise UnguardableCallable(
                f"{body.__qualname__!r} is a coroutine in the form of a generator (types.coroutine).",
                next_step="Write it with `async def`.",
            )
        return Kind.GENERATOR
    return Kind.FUNCTION


def _signature(core: Any) -> inspect.Signature:
    try:
        shown = inspect.signature(core)
        actual = _actual(core)
    except (TypeError, ValueError):
        raise UnguardableCallable(
            f"The signature of {core!r} cannot be read, so nobody could be shown its arguments.",
            next_step="Guard a function of yours that calls it, with the parameters spelled out.",
        ) from None
    return shown if actual is None or _hands_on(actual, shown) else actual


def _actual(core: Any) -> inspect.Signature | None:
    """What Python binds by, where another decorator shows a signature that is not its own."""
    if type(core) is not FunctionType or not (hasattr(core, "__wrapped__") or hasattr(core, "__signature__")):
        return None
    bare = FunctionType(core.__code__, {}, core.__name__, core.__defaults__, core.__closure__)
    bare.__kwdefaults__ = core.__kwdefaults__
    return inspect.signature(bare)


def _hands_on(actual: inspect.Signature, shown: inspect.Signature) -> bool:
    """Does it take ``*args, **kwargs``, behind nothing but what is shown there, too (``self``, say)?

    Then the names that are shown say more, and mean the same.
    """
    kinds = [parameter.kind for parameter in actual.parameters.values()]
    named = len(kinds) - 2
    if kinds[-2:] != [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]:
        return False
    return list(actual.parameters)[:named] == list(shown.parameters)[:named]


_TOOL_MAKERS = {
    **dict.fromkeys(
        """
        autogen_core crewai google haystack langchain langchain_core langgraph llama_index
        semantic_kernel smolagents strands
        """.split(),  # noqa: SIM905 - a list of words reads better as words
        "tool",
    ),
    "agents": "function_tool",
    "fastmcp": "mcp.tool",
    "mcp": "mcp.tool()",
    "pydantic_ai": "agent.tool",
}
"""Packages of frameworks that make tool objects of functions, and the decorator that does it."""
_COMMON_NAMES = frozenset({"agents", "google", "mcp"})
"""Those whose name another package may well have: there, only a class that is named a tool counts."""


def _refuse_misplaced(function: Any) -> None:
    """A guard above a framework's decorator would guard nothing: the framework calls the function inside."""
    cls = type(function)
    if not inspect.isroutine(function) and (decorator := _tool_maker(cls)):
        raise _misplaced(f"a {cls.__module__}.{cls.__qualname__}", decorator)
    if hasattr(_core(function), "__fastmcp__"):
        raise _misplaced("a function that FastMCP has already made a tool of", _TOOL_MAKERS["fastmcp"])
    if not callable(function) and not isinstance(function, (staticmethod, classmethod, partialmethod)):
        raise UnguardableCallable(
            f"A {cls.__module__}.{cls.__qualname__} cannot be called, so there is nothing to guard.",
            next_step="Put @requires_authorization directly above `def`, below whatever makes an object of it.",
        )


def _tool_maker(cls: type) -> str | None:
    """The decorator that objects of this class come from, if a framework makes them."""
    for base in cls.__mro__:
        package = base.__module__.partition(".")[0]
        if package in _TOOL_MAKERS and (package not in _COMMON_NAMES or base.__name__.endswith("Tool")):
            return _TOOL_MAKERS[package]
    return None


def _misplaced(given: str, decorator: str) -> UnguardableCallable:
    return UnguardableCallable(
        f"The guard stands above the decorator of a framework: it was given {given}, "
        "whose function the framework would call without the guard.",
        next_step=(
            "Put @requires_authorization directly above `def`, below the framework's decorator: "
            f"@{decorator}, then @requires_authorization(...), then def."
        ),
    )
