"""What the parameters of a call hold: sums of money, and names of what is personal. At any depth, up to a limit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

MOST_NAMES = 500
"""Named values of one call that are looked at."""
MOST_ITEMS = 5_000
"""Items of its lists that are looked at; they have no names of their own, but may hold what has."""
LONGEST_PARAMETER = 100
"""Characters of a parameter's name that are read."""
LONGEST_NUMBER = 60
"""Characters of a text that may be a number."""
ENDLESS = Decimal("Infinity")

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Up to four characters of a currency on either side: "EUR 1,000.00", "1000 $".
_MONEY = re.compile(r"[^\d.+-]{0,4}([+-]?[\d.][\d.,_' ]*(?:[eE][+-]?\d{1,9})?)\D{0,4}")
_BETWEEN_DIGITS = str.maketrans("", "", ",_' ")
_LARGEST_BITS = 128


@dataclass(slots=True)
class Contents:
    """What was found. ``is_whole``: everything was looked at."""

    largest: Decimal = Decimal(0)
    personal: str | None = None
    is_whole: bool = True


def reader(amount_names: Iterable[str], personal_words: Iterable[str]) -> Callable[[Mapping[str, Any]], Contents]:
    """A function that looks through parameters for these."""
    amounts = frozenset(name.lower() for name in amount_names)
    personal = frozenset(word.lower() for word in personal_words)

    @lru_cache(maxsize=4096)
    def meaning(name: str) -> tuple[bool, bool]:
        words = [word.lower() for word in _WORDS.findall(name)]
        pairs = (one + other for one, other in pairwise(words))
        return name.lower() in amounts, not personal.isdisjoint((*words, *pairs))

    def read(parameters: Mapping[str, Any]) -> Contents:
        found = Contents()
        for seen, (name, value) in enumerate(_named(parameters, found)):
            if seen == MOST_NAMES:
                found.is_whole = False
                break
            is_amount, is_personal = meaning(name[:LONGEST_PARAMETER])
            if is_amount:
                found.largest = max(found.largest, number(value))
            if is_personal and found.personal is None:
                found.personal = name
        return found

    return read


def number(value: object) -> Decimal:
    """How large a number is, or a text that holds one, whatever its sign; 0 for none, `ENDLESS` beyond all reason."""
    match value:
        case bool():
            return Decimal(0)
        case int():
            return Decimal(value).copy_abs() if value.bit_length() <= _LARGEST_BITS else ENDLESS
        case float():
            return Decimal(0) if math.isnan(value) else Decimal(str(value)).copy_abs()
        case str():
            return _number_in(value)
        case _:
            return Decimal(0)


def _number_in(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        # Whoever writes that many digits means a large number; a longer look could take long.
        return ENDLESS if text[:LONGEST_NUMBER].strip().lstrip("+-").isdecimal() else Decimal(0)
    if text.strip().lstrip("+-").lower() in ("inf", "infinity"):
        return ENDLESS
    found = _MONEY.fullmatch(text)
    if found is None:
        return Decimal(0)
    written = found[1]
    digits = written.translate(_BETWEEN_DIGITS)
    if written.count(".") > 1 or written.rfind(",") > written.rfind(".") >= 0:
        digits = digits.replace(".", "")  # as in 1.000,50: rather read as too much than as too little
    try:
        return Decimal(digits).copy_abs()
    except InvalidOperation:
        return Decimal(0)


def _named(parameters: Mapping[str, Any], found: Contents) -> Iterator[tuple[str, Any]]:
    """Every value that has a name, those at the top first."""
    items = MOST_ITEMS
    waiting: list[Any] = [parameters]
    for container in waiting:  # it grows on the way
        if isinstance(container, Mapping):
            yield from container.items()
            inside: Iterable[Any] = container.values()
        else:
            inside = islice(container, items)
            items -= len(container)
        waiting += [value for value in inside if isinstance(value, (dict, list))]
        if items < 0:
            found.is_whole = False
            return
