"""What a rule of a test may ask of a value, and why a value is not that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from clearance.models import Json
from clearance.redaction import REDACTED, View
from clearance.sealing import spell

__all__ = [
    "Matcher",
    "anything",
    "between",
    "containing",
    "hidden",
    "matching",
    "of_type",
    "one_of",
    "over",
    "under",
]


class Matcher:
    """What a value must be. Subclass it with a `__repr__` that says what, and with `why_not`."""

    def why_not(self, value: Json) -> str:
        """Why ``value`` is not what is wanted, as in "is 500, not under 100"; "" if it is."""
        raise NotImplementedError


Wanted: TypeAlias = "Matcher | Callable[[Any], bool] | object"
"""A plain value, which must be equal; a function that returns True; or a `Matcher`."""


class _Equal(Matcher):
    """As an approver sees it, the value is this one."""

    def __init__(self, wanted: object) -> None:
        self._wanted = spell({"it": wanted}, View(), b"")[0]["it"]

    def __repr__(self) -> str:
        return repr(self._wanted)

    def why_not(self, value: Json) -> str:
        if _same(value, self._wanted):
            return ""
        if value == REDACTED:
            return "is hidden from approvers, so that no rule can go by it (write matchers.hidden)"
        one, other = type(value).__name__, type(self._wanted).__name__
        apart = f"{one}, not {other}" if one != other else "other types inside"
        kinds = f" ({apart})" if value == self._wanted else ""
        return f"is {_short(value)}, not {_short(self._wanted)}{kinds}"


class Recorded(_Equal):
    """The very value of a view, hidden or not: what a cassette has of a parameter."""

    def __init__(self, shown: Json) -> None:
        self._wanted = shown


class _Satisfying(Matcher):
    """A function says so."""

    def __init__(self, predicate: Callable[[Any], bool], words: str) -> None:
        self._predicate = predicate
        self._words = words

    def __repr__(self) -> str:
        return self._words

    def why_not(self, value: Json) -> str:
        try:
            answer = self._predicate(value)
        except Exception as error:  # noqa: BLE001 - what cannot be compared does not match
            return f"is {_short(value)}, of which {self._words} cannot be told ({type(error).__name__})"
        return "" if answer is True else f"is {_short(value)}, not {self._words}"


def under(limit: float) -> Matcher:
    """A number smaller than ``limit``."""
    return _Satisfying(lambda value: _number(value) < limit, f"under {limit!r}")


def over(limit: float) -> Matcher:
    """A number larger than ``limit``."""
    return _Satisfying(lambda value: _number(value) > limit, f"over {limit!r}")


def between(low: float, high: float) -> Matcher:
    """A number from ``low`` to ``high``, both included."""
    return _Satisfying(lambda value: low <= _number(value) <= high, f"between {low!r} and {high!r}")


def one_of(*values: object) -> Matcher:
    """One of these values."""
    choices = [_Equal(value) for value in values]
    words = f"one of {', '.join(map(repr, choices))}"
    return _Satisfying(lambda value: any(not choice.why_not(value) for choice in choices), words)


def containing(part: object) -> Matcher:
    """A text with ``part`` in it, a list with such an item, an object with such a key."""
    return _Satisfying(lambda value: part in value, f"containing {part!r}")


def matching(pattern: str) -> Matcher:
    """A text in which the regular expression ``pattern`` is found."""
    compiled = re.compile(pattern)
    return _Satisfying(lambda value: compiled.search(value) is not None, f"matching {pattern!r}")


def of_type(kind: type) -> Matcher:
    """A value that an approver sees as a ``str``, ``int``, ``float``, ``bool``, ``list`` or ``dict``."""
    return _Satisfying(lambda value: type(value) is kind, f"of type {kind.__name__}")


anything: Matcher = _Satisfying(lambda _value: True, "anything")
"""Any value: the parameter must be there."""

hidden: Matcher = _Satisfying(lambda value: value == REDACTED, "hidden from approvers")
"""A value that approvers do not see."""


def wanted(value: Wanted) -> Matcher:
    """What a rule was given, as a matcher."""
    if isinstance(value, Matcher):
        return value
    if callable(value) and not isinstance(value, type):
        predicate: Callable[..., Any] = value
        return _Satisfying(predicate, f"what {getattr(value, '__name__', repr(value))} accepts")
    return _Equal(value)


def _number(value: Json) -> float:
    """Decimals are shown as texts; a rule may compare them as what they are."""
    if isinstance(value, (bool, list, dict)) or value is None:
        raise TypeError(type(value).__name__)
    return value if isinstance(value, (int, float)) else float(value)


def _same(one: Json, other: Json) -> bool:
    """Equal, and of one type all through: True is not 1, and 1 is not 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _short(value: Json) -> str:
    """The value in a sentence."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


LONGEST = 200
"""Characters of a value that a sentence shows."""
