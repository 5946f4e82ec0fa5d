"""What a value can be held against: the operators. Each says yes, no, or that it cannot tell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from clearance.center.policy import patterns

Answer: TypeAlias = bool | None
"""True, False, or None for "cannot tell"."""
Check: TypeAlias = Callable[[Any], Answer]
Number: TypeAlias = int | Decimal

MOST_ITEMS = 1_000
"""Items of a list in which something is looked for; of a longer one nobody can say what it holds."""
_NUMERAL = re.compile(r"[-+]?[0-9]{1,40}(?:\.[0-9]{1,40})?")

COMPARISONS: dict[str, Callable[[Number, Number], bool]] = {
    "lt": lambda value, bound: value < bound,
    "le": lambda value, bound: value <= bound,
    "gt": lambda value, bound: value > bound,
    "ge": lambda value, bound: value >= bound,
}


def number_of(value: Any) -> Number | None:
    """The value as an exact number; so is a text that is nothing but a numeral, as amounts of money often are."""
    if type(value) is int:
        return value
    if type(value) is float:
        return Decimal(repr(value)) if math.isfinite(value) else None
    if type(value) is str and _NUMERAL.fullmatch(value):
        return Decimal(value)
    return None


def equal_to(operand: Any) -> Check:
    """Numbers are equal by value, texts by their characters; true and false equal no number."""
    if isinstance(operand, bool) or operand is None:
        return lambda value: value is operand
    if isinstance(operand, str):
        return lambda value: type(value) is str and value == operand
    bound = number_of(operand)
    return lambda value: number_of(value) == bound


def not_equal_to(operand: Any) -> Check:
    """The opposite of `equal_to`."""
    is_equal = equal_to(operand)
    return lambda value: not is_equal(value)


def one_of(operands: list[Any]) -> Check:
    """Equal to one of these."""
    texts = frozenset(each for each in operands if isinstance(each, str))
    numbers = frozenset(number_of(each) for each in operands if type(each) in (int, float))
    bools = tuple(each for each in operands if isinstance(each, bool))

    def check(value: Any) -> bool:
        if type(value) is bool:
            return value in bools
        if type(value) is str and value in texts:
            return True
        return bool(numbers) and (number := number_of(value)) is not None and number in numbers

    return check


def compared(operator: str, operand: int | float) -> Check:
    """Less or more than a number; of what is no number nobody can tell."""
    compare, bound = COMPARISONS[operator], number_of(operand)
    assert bound is not None

    def check(value: Any) -> Answer:
        number = value if type(value) is int else number_of(value)
        return None if number is None else compare(number, bound)

    return check


def containing(operand: Any) -> Check:
    """A text with this in it, a list with an item that is equal to it, a table with this key."""
    is_it = equal_to(operand)

    def check(value: Any) -> Answer:
        if isinstance(value, str):
            too_long = len(value) > patterns.LONGEST_TEXT
            return None if too_long or not isinstance(operand, str) else operand in value
        if isinstance(value, dict):
            return operand in value if isinstance(operand, str) else None
        if isinstance(value, list) and len(value) <= MOST_ITEMS:
            return any(is_it(item) for item in value)
        return None

    return check


def fitting(pattern: patterns.Pattern) -> Check:
    """A text that fits the pattern; of what is no text, or a very long one, nobody can tell."""
    fits = pattern.fits
    if pattern.size == 0:
        return lambda value: fits(value) if type(value) is str else None

    def check(value: Any) -> Answer:
        if type(value) is not str or len(value) > patterns.LONGEST_TEXT:
            return None
        try:
            # Characters take up to four bytes.
            return None if len(value) * 4 > patterns.LONGEST_TEXT < len(value.encode()) else fits(value)
        except UnicodeEncodeError:
            return None

    return check


def any_of(checks: list[Check]) -> Check:
    """One of several; where none says yes and one cannot tell, nobody can."""
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> Answer:
        answers = [each(value) for each in checks]
        return True if True in answers else None if None in answers else False

    return check
