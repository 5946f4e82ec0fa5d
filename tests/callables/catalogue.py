"""The catalogue of callables that can be guarded, with the guard in each place that it can stand in.

All of them take the same two arguments, ``(lines, amount)``, and end in the same body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.callables.bodies import FLAVOURS, Bodies

from clearance.models import Json

Decorator = Callable[[Any], Any]


@dataclass(frozen=True)
class Made:
    """Something guarded, ready to be called with ``(lines, amount)``; and what its body is to be called on, if any."""

    call: Callable[..., Any]
    receiver: object = None


@dataclass(frozen=True)
class Kind:
    """One kind of callable with a guard in one place.

    ``requests`` is how often one call is asked for. ``no_edits`` is what the guard says where no approver could change
    the ``amount``. The two arguments are shown under ``names`` (in the parameter ``inside``), beside ``more_shown``.
    """

    name: str
    make: Callable[[Decorator, Bodies], Made]
    flavours: tuple[str, ...] = FLAVOURS
    requests: int = 1
    no_edits: str = ""
    names: tuple[str, str] = ("lines", "amount")
    inside: str = ""
    more_shown: Mapping[str, Json] = field(default_factory=dict)

    def shown(self, lines: list[Json], amount: Json) -> dict[str, object]:
        """What an approver sees of a call."""
        arguments: dict[str, object] = dict(zip(self.names, (lines, amount), strict=True))
        return {**self.more_shown, **({self.inside: arguments} if self.inside else arguments)}

    def __str__(self) -> str:
        return self.name


Maker = Callable[[Decorator, Bodies], Made]
Order = Callable[[Decorator, Decorator], Decorator]
"""Puts the guard (first) and another decorator around a body."""
OrderedMaker = Callable[[Decorator, Bodies, Order], Made]


def above(guard: Decorator, other: Decorator) -> Decorator:
    return lambda body: guard(other(body))


def below(guard: Decorator, other: Decorator) -> Decorator:
    return lambda body: other(guard(body))


class Catalogue(list[Kind]):
    """Kinds, put in by decorators of the functions that make them."""

    def kind(self, name: str, **facts: Any) -> Callable[[Maker], Maker]:
        """Put in what the function makes."""

        def register(make: Maker) -> Maker:
            self.append(Kind(name, make, **facts))
            return make

        return register

    def both_orders(self, name: str) -> Callable[[OrderedMaker], OrderedMaker]:
        """Put in what the function makes, with the guard above and below the other decorator."""

        def register(make: OrderedMaker) -> OrderedMaker:
            self.append(Kind(f"{name}, the guard above it", lambda guard, bodies: make(guard, bodies, above)))
            self.append(Kind(f"{name}, the guard below it", lambda guard, bodies: make(guard, bodies, below)))
            return make

        return register
