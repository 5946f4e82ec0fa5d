"""A callable and its arguments -> a `Call`: every parameter bound, a private copy of every value.

The call's view, its digest and what the body receives all come from that one copy, so the caller may do
with its own lists what it likes while a person thinks.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from clearance import canonical
from clearance.errors import ConfigurationError, UnserializableArgument
from clearance.models import CodeIdentity, Json
from clearance.redaction import View

R = TypeVar("R")

_IMMUTABLE = frozenset({type(None), bool, int, float, complex, str, bytes})
_STARS: Mapping[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Callee:
    """What can be known of a callable when it is decorated.

    ``run(function, values)`` calls a function of this signature with bound values.

    Raises:
        ConfigurationError: its signature cannot be read, so its arguments could not be named; or it is a
            generator, whose body would run after the call.
    """

    __slots__ = ("_bind", "code", "is_coroutine_function", "labels", "run", "signature", "summary")

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            self.signature = inspect.signature(function)
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"The signature of {function!r} cannot be read, so nobody could be shown its arguments.",
                next_step="Guard a function of yours that calls it, with the parameters spelled out.",
            ) from None
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(
                f"{getattr(function, '__qualname__', function)!r} is a generator: its body runs after the call "
                "that would have been cleared.",
                next_step="Guard the function that uses it, or write `with authorized(...)` inside it.",
            )
        self.is_coroutine_function = inspect.iscoroutinefunction(function)
        kind = "coroutine function" if self.is_coroutine_function else "function"
        qualname = getattr(function, "__qualname__", type(function).__qualname__)
        self.code = CodeIdentity(getattr(function, "__module__", "") or "", qualname, kind)
        self.summary = (inspect.getdoc(function) or "").strip().partition("\n")[0]
        # `*args` and `**kwargs` keep their stars: no keyword a caller makes up can then look like a parameter.
        self.labels = {
            name: _STARS.get(parameter.kind, "") + name for name, parameter in self.signature.parameters.items()
        }
        self._bind = _binder(self.signature, qualname)
        self.run = _runner(self.signature)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Bind a call as Python would, defaults included, and take a private copy of every value.

        Raises:
            TypeError: the arguments do not fit the signature, as when calling the function itself.
            UnserializableArgument: a value cannot be copied.
        """
        values = self._bind(*args, **kwargs)
        if not _are_fixed(values):
            values = list(private_copy(dict(zip(self.labels, values, strict=True))).values())
        return Call(self, values)


class Call:
    """One call: its arguments, by parameter, as a private copy."""

    __slots__ = ("callee", "values")

    def __init__(self, callee: Callee, values: list[Any]) -> None:
        self.callee = callee
        self.values = values

    def run(self, function: Callable[..., R]) -> R:
        """Call ``function`` with the private copy."""
        result: R = self.callee.run(function, self.values)
        return result

    @property
    def arguments(self) -> dict[str, Any]:
        """The private copy, by parameter name."""
        return dict(zip(self.callee.labels, self.values, strict=True))

    @property
    def labelled(self) -> dict[str, Any]:
        """The private copy, by label."""
        return dict(zip(self.callee.labels.values(), self.values, strict=True))

    @property
    def is_frozen(self) -> bool:
        """True if no value could change, whoever held it."""
        return _are_fixed(self.values)

    def title(self, shown: Mapping[str, Json]) -> str:
        """The call as a line of code, with what is shown for values: ``refund(charge_id='ch_1', amount='5')``."""
        inside = ", ".join([f"{label}={value!r}" for label, value in shown.items()])
        return f"{self.callee.code.qualname}({inside})"


def _are_fixed(values: list[Any]) -> bool:
    for value in values:
        if type(value) not in _IMMUTABLE and not (type(value) is tuple and _are_fixed(list(value))):
            return False
    return True


def _binder(signature: inspect.Signature, name: str) -> Callable[..., list[Any]]:
    """A function with exactly this signature that returns its arguments: Python itself does the binding."""
    defaults: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for number, parameter in enumerate(signature.parameters.values()):
        plain = parameter.replace(annotation=parameter.empty)
        if parameter.default is not parameter.empty:
            defaults[f"_{number}"] = parameter.default
            plain = plain.replace(default=_Name(f"_{number}"))
        parameters.append(plain)
    header = str(inspect.Signature(parameters))[1:-1]
    values = ", ".join(signature.parameters)
    # The source is made of parameter names alone, which `inspect` has checked to be identifiers.
    binder: Callable[..., list[Any]] = eval(f"lambda {header}: [{values}]", defaults)  # noqa: S307
    binder.__qualname__ = name
    return binder


def _runner(signature: inspect.Signature) -> Callable[[Callable[..., Any], list[Any]], Any]:
    """A function that hands bound values over, each the way its parameter takes it."""
    handed = []
    for number, parameter in enumerate(signature.parameters.values()):
        prefix = f"{parameter.name}=" if parameter.kind is parameter.KEYWORD_ONLY else _STARS.get(parameter.kind, "")
        handed.append(f"{prefix}values[{number}]")
    runner: Callable[[Callable[..., Any], list[Any]], Any] = eval(  # noqa: S307 - as in `_binder`
        f"lambda function, values: function({', '.join(handed)})"
    )
    return runner


class _Name(str):
    """Stands for a default in a signature's text, as the name that it is looked up by."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def spell(arguments: Mapping[str, object], view: View, key: bytes) -> tuple[dict[str, Json], canonical.Pieces]:
    """What is shown of labelled arguments, and their canonical bytes: one walk for both."""
    walk = canonical.Walk(view, key)
    pieces: canonical.Pieces = []
    shown: dict[str, Json] = {}
    for label, value in arguments.items():
        data = label.encode()
        pieces.append(b"p%d:%b" % (len(data), data))
        shown[label] = walk.named(label.lstrip("*"), value, label, 0, pieces)
    return shown, pieces


def private_copy(arguments: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of the values that could change; shared references stay shared.

    Raises:
        UnserializableArgument: a value cannot be copied.
    """
    memo: dict[int, object] = {}
    copied: dict[str, Any] = {}
    for name, value in arguments.items():
        if type(value) in _IMMUTABLE:
            copied[name] = value
            continue
        try:
            copied[name] = copy.deepcopy(value, memo)
        except RecursionError:
            raise UnserializableArgument(name, "is nested too deeply to be copied") from None
        except Exception as error:
            raise UnserializableArgument(
                name,
                f"cannot be copied ({type(error).__name__}), so it could change between the approval and the run",
                next_step="Pass plain values (its id, say) and look the object up in the body.",
            ) from error
    return copied


def seal(
    agent_id: str,
    action_type: str,
    tool_name: str,
    resource: str | None,
    code: CodeIdentity,
    arguments: canonical.Pieces,
) -> str:
    """The digest of a call: who acts, what is asked, by which code, with exactly which arguments."""
    header = _header(agent_id, action_type, tool_name, resource, code.module, code.qualname)
    return canonical.digest([header, *arguments])


@lru_cache(maxsize=1024)
def _header(*names: str | None) -> bytes:
    pieces: canonical.Pieces = []
    canonical.Walk(View(), b"").value(names, "action", 0, pieces)
    return b"".join(pieces)
