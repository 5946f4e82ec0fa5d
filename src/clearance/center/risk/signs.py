"""The factors of a risk score, each found by a function that is made once from the weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from itertools import islice
from typing import Any, TypeAlias

from clearance.center.records import Factor
from clearance.center.risk import contents
from clearance.center.risk.wording import LONGEST_NAME, quoted
from clearance.models import Action, Json

Finder: TypeAlias = Callable[[Action], Iterable[Factor]]
Weights: TypeAlias = Iterable[tuple[str, int]]

LONGEST_SURROUNDINGS = 10_000
"""Characters of the resource and the context that are looked through for the name of an environment."""
MOST_FACTS = 500
"""Entries of the context, and indicators, that are looked at."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SECOND = 1_000_000


def tool(weights: Weights) -> Finder:
    """Points of a tool, by its name."""
    points = {name.casefold(): more for name, more in weights}

    def find(action: Action) -> Iterator[Factor]:
        if more := points.get(action.tool_name[:LONGEST_NAME].casefold()):
            yield Factor("tool", more, f"the tool is {quoted(action.tool_name)}")

    return find


def environment(weights: Weights) -> Finder:
    """Points of an environment that the resource or the context names."""
    points = {word.lower(): more for word, more in weights}
    pattern = re.compile(rf"(?<![a-z])(?:{'|'.join(sorted(map(re.escape, points), reverse=True))})(?![a-z])")

    def find(action: Action) -> Iterator[Factor]:
        text, is_whole = _surroundings(action)
        named = set(pattern.findall(text)) if any(word in text for word in points) else set[str]()
        if not is_whole:
            reason = "the resource and the context are too long to be looked through"
            yield Factor("environment", max(points.values()), reason)
        elif named:
            word = max(sorted(named), key=points.__getitem__)
            yield Factor("environment", points[word], f"{word!r} is named in the resource or context")

    return find if points else _nothing


def inside(
    amounts: Iterable[tuple[int, int]],
    amount_names: Iterable[str],
    secret_data: int,
    personal_data: int,
    personal_words: Iterable[str],
) -> Finder:
    """Points of what the parameters hold: a sum of money, secrets, what is personal."""
    look = contents.reader(amount_names, personal_words)
    limits = sorted(amounts, key=lambda limit: limit[1], reverse=True)
    most = max([points for _, points in limits] + [secret_data, personal_data])

    def find(action: Action) -> Iterator[Factor]:
        found = look(action.parameters)
        for limit, points in limits:
            if found.largest >= limit:
                yield Factor("amount", points, f"{_spelled(found.largest)} is {limit:,} or more")
                break
        personal = personal_data if found.personal is not None else 0
        if action.redacted and secret_data >= personal:
            yield Factor("data", secret_data, f"it carries what is hidden: {quoted(action.redacted[0])}")
        elif found.personal is not None:
            yield Factor("data", personal, f"{quoted(found.personal)} is personal")
        if not found.is_whole:
            yield Factor("size", most, "it holds more values than are looked at")

    return find


def indicated(points: int, most: int) -> Finder:
    """Points of what the caller itself knows of the risk. They can only raise it: nobody talks a risk down."""

    def find(action: Action) -> Iterator[Factor]:
        indicators = action.risk_indicators
        if score := _score(indicators.get("risk_score")):
            yield Factor("indicator 'risk_score'", score, "the caller says so")
        true = (name for name, value in islice(indicators.items(), MOST_FACTS) if value is True)
        for name in islice(true, most):
            yield Factor(f"indicator {quoted(name)}", points, "the caller says so")

    return find


def hour(points: int, hours: tuple[int, int], days: Iterable[str], zone: tzinfo) -> Callable[[int], Iterable[Factor]]:
    """Points of a time outside of business hours, in minutes; where the end comes first, they go over midnight."""
    (begin, end), open_on = hours, frozenset(days)

    def find(at: int) -> Iterator[Factor]:
        now = datetime.fromtimestamp(at // _SECOND, UTC).astimezone(zone)
        minute = now.hour * 60 + now.minute
        is_between = begin <= minute < end if begin <= end else minute >= begin or minute < end
        if not (is_between and DAYS[now.weekday()] in open_on):
            when = f"{DAYS[now.weekday()]} {now:%H:%M} {zone}"
            yield Factor("hour", points, f"{when} is outside of business hours")

    return find


def _nothing(_action: Action) -> Iterable[Factor]:
    return ()


def _surroundings(action: Action) -> tuple[str, bool]:
    """The resource and the context as one text, up to a limit; and whether that is all of it."""
    context: Mapping[str, Any] = action.context
    parts = [action.resource or ""]
    for name, value in islice(context.items(), MOST_FACTS):
        if isinstance(value, str):
            parts.append(value)
        elif value is True:
            parts.append(name)
    is_whole = len(context) <= MOST_FACTS and sum(map(len, parts)) <= LONGEST_SURROUNDINGS
    return (" ".join(parts).lower() if is_whole else ""), is_whole


def _score(value: Json) -> int:
    """The caller's own score, as points."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return round(min(100, max(0, value)))


def _spelled(number: Decimal) -> str:
    return f"{number:,}" if number < 10**15 else "a number of more than 15 digits"
