"""A callable and its arguments -> a `Call`: every parameter bound, a private copy of every value.

The call's view, its digest and what the body receives all come from that one copy, so the caller may do
with its own lists what it likes while a person thinks.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from clearance import canonical
from clearance.errors import ConfigurationError, UnserializableArgument
from clearance.models import CodeIdentity, Json
from clearance.redaction import View

_IMMUTABLE = frozenset({type(None), bool, int, float, complex, str, bytes})
_STARS: Mapping[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Callee:
    """What can be known of a callable when it is decorated.

    Raises:
        ConfigurationError: its signature cannot be read, so its arguments could not be named.
    """

    __slots__ = ("code", "is_coroutine_function", "labels", "signature", "summary")

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            self.signature = inspect.signature(function)
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"The signature of {function!r} cannot be read, so nobody could be shown its arguments.",
                next_step="Guard a function of yours that calls it, with the parameters spelled out.",
            ) from None
        self.is_coroutine_function = inspect.iscoroutinefunction(function)
        kind = "coroutine function" if self.is_coroutine_function else "function"
        qualname = getattr(function, "__qualname__", type(function).__qualname__)
        self.code = CodeIdentity(getattr(function, "__module__", "") or "", qualname, kind)
        self.summary = (inspect.getdoc(function) or "").strip().partition("\n")[0]
        # `*args` and `**kwargs` keep their stars: no keyword a caller makes up can then look like a parameter.
        self.labels = {
            name: _STARS.get(parameter.kind, "") + name for name, parameter in self.signature.parameters.items()
        }

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Call:
        """Bind a call as Python would, defaults included, and take a private copy of every value.

        Raises:
            TypeError: the arguments do not fit the signature, as when calling the function itself.
            UnserializableArgument: a value cannot be copied, or nothing is known that could be shown of it.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        bound.arguments = private_copy(bound.arguments)
        return Call(self, bound)


class Call:
    """One call: its arguments, by parameter, as a private copy."""

    __slots__ = ("bound", "callee")

    def __init__(self, callee: Callee, bound: inspect.BoundArguments) -> None:
        self.callee = callee
        self.bound = bound

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The private copy, by parameter name."""
        return self.bound.arguments

    @property
    def is_frozen(self) -> bool:
        """True if no value could change, whoever held it."""
        return all(type(value) in _IMMUTABLE for value in self.bound.arguments.values())

    @property
    def labelled(self) -> dict[str, Any]:
        """The private copy, by label."""
        labels = self.callee.labels
        return {labels[name]: value for name, value in self.bound.arguments.items()}

    @property
    def args(self) -> tuple[Any, ...]:
        """What the body receives, by position."""
        return self.bound.args

    @property
    def kwargs(self) -> dict[str, Any]:
        """What the body receives, by keyword."""
        return self.bound.kwargs

    def title(self, shown: Mapping[str, Json]) -> str:
        """The call as a line of code, with what is shown for values: ``refund(charge_id='ch_1', amount='5')``."""
        inside = ", ".join(f"{label}={value!r}" for label, value in shown.items())
        return f"{self.callee.code.qualname}({inside})"


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
    header: canonical.Pieces = []
    walk = canonical.Walk(View(), b"")
    walk.value((agent_id, action_type, tool_name, resource, code.module, code.qualname), "action", 0, header)
    return canonical.digest(header + arguments)
