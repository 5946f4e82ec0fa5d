"""Limits over time: how many calls, or how much of an argument, until people are asked or nothing more is cleared.

What was used is kept elsewhere; here is only what a limit is about, and how much an action takes of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from clearance.center.policy import checks
from clearance.center.policy.asked import Asked
from clearance.center.policy.checks import Answer
from clearance.center.policy.conditions import Field
from clearance.center.policy.rules import Rule

MICRO = 1_000_000
"""Parts of one in which sums are counted, rounded up for each call."""
LARGEST_SUM = 10**12
"""A call that takes more than this counts as one that takes just over it, which no limit has room for."""


class Per(StrEnum):
    """Whose calls are counted together."""

    KEY = "key"
    """Those of one key, however its holder calls itself."""
    AGENT = "agent"
    """Those of one key under one ``agent_id``. Whoever has the key can give another, and is counted anew."""
    ALL = "all"
    """Everybody's."""


@dataclass(frozen=True)
class Limit(Rule):
    """What says ``deny`` or ``ask`` like a rule, once what it counts is used up.

    Attributes:
        at_most: calls, or millionths of what is summed up.
        within: seconds for which a call counts, from when it began to run.
        within_said: the same, as the file has it.
        per: whose calls are counted together.
        amount: what is summed up; None counts calls.
    """

    at_most: int = 0
    within: float = 0.0
    within_said: str = ""
    per: Per = Per.KEY
    amount: Field | None = None

    @cached_property
    def kept_as(self) -> str:
        """What its uses are kept under: it counts on under another policy that names and counts the same."""
        path = None if self.amount is None else self.amount.path
        return hashlib.sha256(json.dumps([self.name, path]).encode()).hexdigest()[:32]

    @property
    def measure(self) -> str:
        """What it counts, in words."""
        return "calls" if self.amount is None else f"of {self.amount.name}"

    def subject(self, key: str, agent_id: str) -> str:
        """Whose use a call counts to: under which name that is kept.

        Args:
            key: the id of the key that asks.
            agent_id: as its holder calls itself.
        """
        match self.per:
            case Per.KEY:
                return key
            case Per.ALL:
                return ""
            case Per.AGENT:
                return hashlib.sha256(json.dumps([key, agent_id]).encode()).hexdigest()[:32]

    def shown(self, number: int) -> str:
        """A number of what it counts, for people."""
        if self.amount is None:
            return f"{number:,}"
        whole, part = divmod(number, MICRO)
        return f"{whole:,}" + (f".{part:06}".rstrip("0") if part else "")


@dataclass(frozen=True, slots=True)
class Charge:
    """What an action takes of a limit that is about it. ``takes`` is None where nobody can tell.

    ``is_clear`` is also false where nobody can tell whether the limit is about it. ``used`` is what others have taken.
    """

    limit: Limit
    takes: int | None
    is_clear: bool = True
    used: int = 0

    @property
    def is_over(self) -> bool:
        """Is there no room for it?"""
        return self.is_clear and self.takes is not None and self.used + self.takes > self.limit.at_most

    @property
    def said(self) -> str:
        """How much of it is used, in a sentence."""
        limit = self.limit
        used = f"{limit.shown(self.used)} of {limit.shown(limit.at_most)} {limit.measure} in {limit.within_said}"
        takes = "" if limit.amount is None or self.takes is None else f", and this call takes {limit.shown(self.takes)}"
        return f"Limit {limit.name!r}: {used} are used{takes}."


def charge_of(limit: Limit, asked: Asked, found: Answer) -> Charge | None:
    """What an action takes of a limit whose conditions came out so; None if it is not about it."""
    if found is False:
        return None
    takes = _takes(limit, asked)
    return Charge(limit, takes, is_clear=found is True and takes is not None)


def amount_trouble(limit: Limit, asked: Asked) -> str:
    """Why nobody can tell how much an action takes of it; empty if that can be told."""
    if limit.amount is None or _takes(limit, asked) is not None:
        return ""
    return limit.amount.trouble(asked) or f"{limit.amount.name} is no number from 0 on"


def over(charges: Iterable[Charge]) -> Iterator[Charge]:
    """Those that there is no room for."""
    return (charge for charge in charges if charge.is_over)


def in_micro(value: checks.Number) -> int:
    """A number in millionths, rounded up; just over `LARGEST_SUM` for any that is more."""
    return min(math.ceil(Fraction(value) * MICRO), LARGEST_SUM * MICRO + 1)


def _takes(limit: Limit, asked: Asked) -> int | None:
    if limit.amount is None:
        return 1
    if limit.amount.trouble(asked) is not None:
        return None
    number = checks.number_of(limit.amount.get(asked))
    return in_micro(number) if number is not None and number >= 0 else None
