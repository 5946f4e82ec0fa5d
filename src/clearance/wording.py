"""How a guard says what is asked: fixed values, templates over the parameters, or functions of them.

Everything is checked when the guard is written; at call time only values are filled in.
"""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from clearance.arguments import secret_fields
from clearance.errors import ConfigurationError
from clearance.redaction import REDACTED, View

if TYPE_CHECKING:
    from clearance.models import Json

LONGEST_DESCRIPTION = 2_000
"""Characters of a description; a longer one is cut, and says so."""

_PLAIN = (str, int, float)
_PLAIN_MODULES = ("decimal", "datetime", "uuid", "pathlib")


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
        """The text for one call.

        Raises:
            ConfigurationError: a field names what is not there, or a format that does not fit.
        """
        known = {name: (arguments[name], shown.get(name), view) for name in arguments}
        try:
            return self.vformat(self._text, (), known)
        except Exception as error:
            raise ConfigurationError(
                f"The description template {self._text!r} could not be filled ({type(error).__name__}).",
                next_step="The cause is attached; name what every such argument has.",
            ) from error

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        """What stands for one field; called by `string.Formatter`."""
        first, rest = _split_field(field_name)
        if first not in kwargs:  # `self` of a method that was called as a plain function
            return _Text("[not given]"), first
        real, shown, view = kwargs[first]
        hidden = view.hides(first) or shown == REDACTED
        for is_attribute, name in rest:
            label = _label(real, name)
            hidden = hidden or view.hides(str(label)) or str(label) in secret_fields(type(real))
            shown = _inside(shown, label, real)
            real = getattr(real, str(name)) if is_attribute else real[name]
            hidden = hidden or shown == REDACTED
        if hidden:
            return _Text(REDACTED), first
        if isinstance(shown, str) and (isinstance(real, str) or REDACTED in shown):
            return _Text(shown) if REDACTED in shown else shown, first  # a credential in it is hidden there
        if isinstance(real, _PLAIN) or type(real).__module__.partition(".")[0] in _PLAIN_MODULES:
            return real, first
        return _Text(shown if shown is not None else "[not shown]"), first


def _label(whole: object, name: str | int) -> str | int:
    """What a part is called in the view: an item of a named tuple goes by its name."""
    fields = getattr(type(whole), "_fields", ())
    return fields[name] if isinstance(name, int) and isinstance(whole, tuple) and name < len(fields) else name


def _inside(shown: Json, name: str | int, whole: object) -> Json:
    """What is shown of a part of ``whole``; None if that cannot be told."""
    if isinstance(shown, dict):
        return shown.get(str(name))
    if isinstance(whole, Mapping) or not isinstance(shown, list) or not isinstance(name, int):
        return None  # a mapping with a key that is no text is shown as a list of pairs
    return shown[name] if name < len(shown) else None


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

    __slots__ = ("_all", "_function", "_names", "_what")

    def __init__(self, function: Callable[..., Any], parameters: Collection[str], what: str) -> None:
        signature = _parameters(function, what)
        self._all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature)
        self._names = [p.name for p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        required = [p.name for p in signature if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        check_names(required, parameters, f"{what}=")
        self._function = function
        self._what = what

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """The value for one call.

        Raises:
            ConfigurationError: the function failed.
        """
        wanted = arguments if self._all else {name: arguments[name] for name in self._names if name in arguments}
        try:
            return self._function(**wanted)
        except Exception as error:
            raise ConfigurationError(
                f"The function given as {self._what}= failed with {type(error).__name__}, "
                "so it could not be said what is asked.",
                next_step="The cause is attached; mend the function.",
            ) from error


def _parameters(function: Callable[..., Any], what: str) -> Collection[inspect.Parameter]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{what}= is {function!r}, whose parameters cannot be read.",
            next_step="Write a function of yours, or a lambda, that names the parameters it needs.",
        ) from None
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        raise ConfigurationError(
            f"{what}= is a coroutine function, whose answer would come too late.", next_step="Write a plain function."
        )
    if any(parameter.kind is parameter.POSITIONAL_ONLY for parameter in found):
        raise ConfigurationError(
            f"{what}= takes parameters by position only, but is given them by name.",
            next_step="Leave the slash out of its signature.",
        )
    return found


def shorten(text: str) -> str:
    """The text, at most `LONGEST_DESCRIPTION` characters of it, with a note of how much there is."""
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    return f"{text[:LONGEST_DESCRIPTION]}… [{LONGEST_DESCRIPTION:,} of {len(text):,} characters shown]"
