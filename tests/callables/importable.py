"""Guarded things at the top of a module, for whoever finds them by their names: pickles, and other processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import attrs
from pydantic import BaseModel

from clearance import Secret, requires_authorization
from clearance.testing import FakeTransport

APPROVER = FakeTransport(lambda asked: asked.parameters.get("amount") != 13)
"""Clears everything but what costs 13."""

guard = requires_authorization(action_type="test.act", transport=APPROVER)


def asked() -> list[dict[str, Any]]:
    """What this process was asked so far."""
    return [dict(request.parameters) for request in APPROVER.asked]


@guard
def pay(lines: list[str], amount: int = 5, *, note: Annotated[str, Secret] = "") -> tuple[list[str], int]:
    """Pay for the lines.

    At once.
    """
    return lines, amount


@guard
async def apay(lines: list[str], amount: int = 5) -> tuple[list[str], int]:
    """Pay for the lines, later."""
    return lines, amount


@guard
def each(lines: list[str]) -> Iterator[str]:
    """Pay for the lines, one by one."""
    yield from lines


@guard
async def aeach(lines: list[str]) -> AsyncIterator[str]:
    """Pay for the lines, one by one, later."""
    for line in lines:
        yield line


@dataclass
class Account:
    """Something with guarded methods of each kind."""

    balance: int = 0

    @guard
    def pay(self, amount: int) -> int:
        """Pay."""
        self.balance -= amount
        return self.balance

    @classmethod
    @guard
    def open(cls, amount: int) -> Account:
        """Open one."""
        return cls(amount)

    @guard
    @classmethod
    def reopen(cls, amount: int) -> Account:
        """Open another one."""
        return cls(amount)

    @staticmethod
    @guard
    def check(amount: int) -> bool:
        """See whether it could."""
        return amount > 0

    @guard
    @staticmethod
    def recheck(amount: int) -> bool:
        """See again."""
        return amount > 0

    class Limits:
        """Something in it."""

        @guard
        def lift(self, amount: int) -> int:
            """Lift."""
            return amount


@guard
@dataclass
class Order:
    """A dataclass."""

    lines: list[str]
    amount: int = 5


@guard
@dataclass(frozen=True, slots=True)
class Receipt:
    """A frozen one, with slots."""

    lines: tuple[str, ...]
    amount: int = 5


@guard
@attrs.frozen
class Ticket:
    """A class of attrs."""

    lines: tuple[str, ...]
    amount: int = 5


@guard
class Invoice(BaseModel):
    """A model of pydantic."""

    lines: list[str]
    amount: int = 5


@guard
class Pair(NamedTuple):
    """A named tuple."""

    lines: tuple[str, ...]
    amount: int = 5


@guard
class Failure(Exception):
    """An exception."""

    def __init__(self, lines: list[str], amount: int = 5) -> None:
        super().__init__(lines, amount)
        self.lines = lines
