"""The weights of a risk score, and the score that they give an action."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from clearance.center.records import Factor
from clearance.center.risk import signs, verbs
from clearance.center.risk.verbs import KINDS, Kind
from clearance.models import Action

PERSONAL_WORDS = tuple(
    """
    accountnumber bankaccount birth birthday birthdate cardholder cardnumber creditcard debitcard diagnosis dob
    driverlicense driverslicense email ethnicity firstname fullname gender homeaddress iban lastname maidenname
    maritalstatus medical nationality nationalid passport patient phone postcode religion salary ssn surname taxid
    taxpayer zipcode
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Words of a parameter's name that mark what is personal: NIST SP 800-122 (2.2), GDPR articles 4 and 9, PCI DSS."""
DAY = 24 * 60
"""Minutes."""
HIGHEST = 100
"""The highest score, and the most points of one factor."""


@dataclass(frozen=True, slots=True)
class Bands:
    """The highest score of each level; above ``high`` it is critical.

    Raises:
        ValueError: they do not rise.
    """

    low: int = 30
    medium: int = 60
    high: int = 85

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.medium < self.high < HIGHEST:
            raise ValueError("low, medium and high must be numbers from 0 to 99, each above the one before.")

    def level(self, score: int) -> str:
        """``low``, ``medium``, ``high`` or ``critical``."""
        if score <= self.low:
            return "low"
        if score <= self.medium:
            return "medium"
        return "high" if score <= self.high else "critical"


class Assessment(NamedTuple):
    """How risky an action looks: 0 to 100, the level that this is, and what it is made of."""

    score: int
    level: str
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class RiskModel:
    """What each sign of risk adds to a score.

    Args:
        kinds: the kinds of deed, and the words of an action type that mark them.
        unknown_kind: points of an action type without such a word.
        tools: points of a tool, by its name.
        environments: points of a word in the resource or the context.
        secret_data: points of a call that carries what is hidden from its approver.
        personal_data: points of a call with a parameter whose name has one of the ``personal_words``; of the two, the
            higher counts.
        personal_words: words, or two words written as one.
        amounts: sums, each with the points from there on.
        amount_names: the parameters that hold a sum.
        novelty: points of a call that its agent was never cleared for. 0 spares the store the look-up.
        off_hours: points of a time outside of business hours.
        hours: when these begin and end, in minutes of the day; over midnight where the end comes first.
        days: on which days: ``mon``, ``tue`` ...
        time_zone: where, as an IANA name.
        indicator: points of an indicator that the caller gives as true; its ``risk_score`` counts as what it is.
        most_indicators: how many of these count.
        bands: which score is of which level.

    Raises:
        ValueError: one of these cannot be meant.
    """

    kinds: tuple[Kind, ...] = KINDS
    unknown_kind: int = 45
    tools: tuple[tuple[str, int], ...] = ()
    environments: tuple[tuple[str, int], ...] = (("prod", 15), ("production", 15), ("live", 15))
    secret_data: int = 5
    personal_data: int = 5
    personal_words: tuple[str, ...] = PERSONAL_WORDS
    amounts: tuple[tuple[int, int], ...] = ((1_000, 15), (10_000, 30))
    amount_names: tuple[str, ...] = ("amount", "total", "sum", "value")
    novelty: int = 5
    off_hours: int = 0
    hours: tuple[int, int] = (8 * 60, 18 * 60)
    days: tuple[str, ...] = signs.DAYS[:5]
    time_zone: str = "UTC"
    indicator: int = 10
    most_indicators: int = 20
    bands: Bands = Bands()
    _kind_of: Callable[[str], tuple[Kind, str] | None] = field(init=False, repr=False, compare=False)
    _finders: tuple[signs.Finder, ...] = field(init=False, repr=False, compare=False)
    _hour: Callable[[int], Iterable[Factor]] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        content = (self.amounts, self.amount_names, self.secret_data, self.personal_data, self.personal_words)
        finders = [
            signs.environment(self.environments),
            signs.inside(*content),
            signs.indicated(self.indicator, self.most_indicators),
        ]
        if self.tools:
            finders.append(signs.tool(self.tools))
        zone = _zone(self.time_zone)
        hour = signs.hour(self.off_hours, self.hours, self.days, zone) if self.off_hours else None
        object.__setattr__(self, "_kind_of", verbs.reader(self.kinds))
        object.__setattr__(self, "_finders", tuple(finders))
        object.__setattr__(self, "_hour", hour)

    def assess(self, action: Action, *, at: int | None = None, is_new: bool | None = None) -> Assessment:
        """The score of an action, its level and what it is made of.

        Args:
            action: what is asked.
            at: when, in microseconds since 1970; None counts as within business hours.
            is_new: was this agent never cleared for this very call? None, for not known, counts nothing.
        """
        found = self._kind_of(action.action_type)
        points, why = verbs.describe(action.action_type, found, self.unknown_kind)
        factors = [Factor("action type", points, why)]
        for find in self._finders:
            factors.extend(factor for factor in find(action) if factor.points)
        if self._hour is not None and at is not None:
            factors.extend(self._hour(at))
        if is_new and self.novelty:
            factors.append(Factor("novelty", self.novelty, "this agent was never cleared for exactly this before"))
        score = min(HIGHEST, sum(factor.points for factor in factors))
        return Assessment(score, self.bands.level(score), tuple(factors))

    def kind_of(self, action_type: str) -> str | None:
        """The name of the kind of deed that an action type names; None if no word of it is known."""
        found = self._kind_of(action_type)
        return found[0].name if found is not None else None

    def _check(self) -> None:
        single = ("unknown_kind", "secret_data", "personal_data", "novelty", "off_hours", "indicator")
        weights: list[tuple[object, object]] = [
            *((kind.name, kind.points) for kind in self.kinds),
            *((name, getattr(self, name)) for name in single),
            *self.tools,
            *self.environments,
            *self.amounts,
        ]
        for name, points in weights:
            if type(points) is not int or not 0 <= points <= HIGHEST:
                raise ValueError(f"{name}: the points must be a number from 0 to {HIGHEST}.")
        if not all(type(limit) is int and limit > 0 for limit, _ in self.amounts):
            raise ValueError("amounts: each must be a number over 0.")
        if not all(type(minute) is int and 0 <= minute <= DAY for minute in self.hours):
            raise ValueError(f"hours: each must be a number of minutes from 0 to {DAY}.")
        if not set(self.days) <= set(signs.DAYS):
            raise ValueError(f"days: each must be one of {', '.join(signs.DAYS)}.")
        if type(self.most_indicators) is not int or not 0 <= self.most_indicators <= HIGHEST:
            raise ValueError(f"most_indicators must be a number from 0 to {HIGHEST}.")


def _zone(name: str) -> tzinfo:
    """The time zone of that name; UTC needs no table of zones on the machine.

    Raises:
        ValueError: this machine knows none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"time_zone: {name!r} is not known on this machine. Write an IANA name, such as Europe/Berlin."
        ) from error


BUILT_IN = RiskModel()
"""The weights of the built-in policy, and of a policy that gives no others."""
