"""How risky an action looks, as a sum of named factors. A guess to sort by, never a reason to allow on its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from clearance.center.records import Factor
from clearance.models import Action, Json

BANDS = (("low", 30), ("medium", 60), ("high", 85), ("critical", 100))
"""The highest score of each level."""

# What the last words of an action type usually mean, most harmful first.
_KINDS: tuple[tuple[int, str, str], ...] = (
    (85, "destroys", "delete destroy drop erase purge remove terminate truncate wipe"),
    (60, "changes systems", "deploy exec execute grant install migrate restart rotate run shell"),
    (55, "moves money", "charge pay payment payout purchase refund transfer wire withdraw"),
    (40, "writes or sends", "create edit email insert message post publish send update write"),
    (10, "reads", "check count describe fetch find get list lookup read search show view"),
)
_VERBS = tuple((points, meaning, frozenset(verbs.split())) for points, meaning, verbs in _KINDS)
_UNKNOWN_KIND = 50
_AMOUNTS = ((10_000, 30), (1_000, 15))
INDICATOR_POINTS = 10
"""Points of an indicator that the caller gives as true; ``risk_score`` counts as the number that it is."""
MOST_INDICATORS = 20
_PRODUCTION = re.compile(r"\b(prod|production|live)\b")


@dataclass(frozen=True, slots=True)
class Assessment:
    """How risky an action looks: the score (0-100), its level, and what it is made of."""

    score: int
    level: str
    factors: tuple[Factor, ...]


def assess(action: Action) -> Assessment:
    """The score (0-100), its level and what it is made of."""
    factors = [
        _kind(action.action_type),
        *_amount(action.parameters),
        *_environment(action),
        *_indicated(action.risk_indicators),
    ]
    score = min(100, sum(factor.points for factor in factors))
    return Assessment(score, level_of(score), tuple(factors))


def level_of(score: int) -> str:
    """``low``, ``medium``, ``high`` or ``critical``."""
    return next(level for level, highest in BANDS if score <= highest)


def _kind(action_type: str) -> Factor:
    words = re.findall(r"[a-z]+", action_type.lower())
    for points, meaning, verbs in _VERBS:
        if found := verbs.intersection(words):
            return Factor("action type", points, f"{sorted(found)[0]!r} {meaning}")
    return Factor("action type", _UNKNOWN_KIND, f"{action_type!r} is of no known kind")


def _amount(parameters: object) -> list[Factor]:
    if not isinstance(parameters, dict):
        return []
    largest = max((_number(parameters.get(name)) for name in ("amount", "total", "sum", "value")), default=Decimal(0))
    for limit, points in _AMOUNTS:
        if largest >= limit:
            return [Factor("amount", points, f"{largest:,} is {limit:,} or more")]
    return []


def _number(value: Json) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return Decimal(0)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return abs(number) if number.is_finite() else Decimal(0)


def _indicated(indicators: Mapping[str, Json]) -> list[Factor]:
    """What the caller itself knows of the risk. It can only raise the score: nobody talks a risk down."""
    factors: list[Factor] = []
    for name, value in list(indicators.items())[:MOST_INDICATORS]:
        points = INDICATOR_POINTS if value is True else 0
        if name == "risk_score" and isinstance(value, (int, float)) and not isinstance(value, bool):
            points = round(min(100, max(0, value)))
        if points:
            factors.append(Factor(f"indicator {name[:60]!r}", points, "the caller says so"))
    return factors


def _environment(action: Action) -> list[Factor]:
    said = " ".join(str(part) for part in (action.resource, *action.context.values()) if isinstance(part, str)).lower()
    if found := _PRODUCTION.search(said):
        return [Factor("environment", 15, f"{found.group()!r} is named in the resource or context")]
    return []
