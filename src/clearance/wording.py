"""How a guard says what is asked: fixed values, templates over the parameters, or functions of them.

Everything is checked when the guard is written; at call time only values are filled in.
"""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable, Collection, Mapping
from typing import Any

from clearance.errors import ConfigurationError
from clearance.models import Json
from clearance.redaction import View

LONGEST_DESCRIPTION = 2_000
"""Characters of a description; a longer one is cut, and says so."""

_PLAIN = (str, int, float)


def _nearest(name: str, known: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 1)
    there = ", ".join(known) or "none"
    return "".join(f"Did you mean {name!r}? " for name in close) + f"Parameters here: {there}."


def check_names(names: Collection[str], known: Collection[str], what: str) -> None:
    """Refuse a name that no parameter has.

    Raises:
        ConfigurationError: with the nearest name that exists.
    """
    for name in names:
        if name not in known:
            raise ConfigurationError(f"{what} names {name!r}, which is no parameter.", next_step=_nearest(name, known))


class Template(string.Formatter):
    """A description such as ``"Refund {amount} to {customer.name}"``, filled from the arguments.

    A secret stays hidden in it, and an object that is not a plain value appears as it is shown to the
    approver, so that its own ``str()`` cannot tell more.
    """

    def __init__(self, text: str, parameters: Collection[str]) -> None:
        try:
            fields = [field for _, field, _, _ in self.parse(text) if field is not None]
        except ValueError as error:
            raise ConfigurationError(
                f"The description template {text!r} cannot be read: {error}.",
                next_step="Write a literal brace twice: {{ and }}.",
            ) from None
        names = [_first_name(field) for field in fields]
        check_names(names, parameters, "The description template")
        self._text = text

    def fill(self, arguments: Mapping[str, Any], shown: Mapping[str, Json], view: View) -> str:
        """The text for one call."""
        return self.vformat(self._text, (), {name: (arguments[name], shown[name], view) for name in arguments})

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        """What stands for one field; called by `string.Formatter`."""
        first, rest = _split_field(field_name)
        real, shown, view = kwargs[first]
        hidden = view.hides(first)
        for is_attribute, name in rest:
            hidden = hidden or view.hides(str(name))
            real = getattr(real, str(name)) if is_attribute else real[name]
            shown = shown.get(str(name)) if isinstance(shown, dict) else None
        if hidden:
            return _Text("[redacted]"), first
        if isinstance(real, _PLAIN) or type(real).__module__ in ("decimal", "datetime", "uuid", "pathlib"):
            return real, first
        return _Text(shown if shown is not None else "[not shown]"), first


class _Text(str):
    """Stands in a template for what must not be formatted as itself: takes any format, prints as it is."""

    __slots__ = ()

    def __new__(cls, value: object) -> _Text:
        return super().__new__(cls, value)

    def __format__(self, spec: str) -> str:
        return str(self)


def _split_field(field: str) -> tuple[str, list[tuple[bool, str | int]]]:
    import _string  # pyright: ignore[reportMissingImports] - the parser behind str.format and string.Formatter

    first, rest = _string.formatter_field_name_split(field)
    return str(first), list(rest)


def _first_name(field: str) -> str:
    return _split_field(field)[0]


class Computed:
    """A function of the parameters: it is given those that it names.

    Raises:
        ConfigurationError: it asks for a parameter that the guarded callable does not have.
    """

    __slots__ = ("_all", "_function", "_names")

    def __init__(self, function: Callable[..., Any], parameters: Collection[str], what: str) -> None:
        signature = inspect.signature(function).parameters.values()
        self._all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature)
        self._names = [p.name for p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        required = [p.name for p in signature if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        check_names(required, parameters, f"{what}=")
        self._function = function

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """The value for one call."""
        wanted = arguments if self._all else {name: arguments[name] for name in self._names if name in arguments}
        return self._function(**wanted)


def shorten(text: str) -> str:
    """The text, at most `LONGEST_DESCRIPTION` characters of it, with a note of how much there is."""
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    return f"{text[:LONGEST_DESCRIPTION]}… [{LONGEST_DESCRIPTION:,} of {len(text):,} characters shown]"
