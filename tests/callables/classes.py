"""Every kind of class whose constructor can be guarded. See `tests.callables.catalogue`."""

from __future__ import annotations

import dataclasses
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
from pydantic import BaseModel
from pydantic import dataclasses as pydantic_dataclasses
from tests.callables.bodies import SYNC, Bodies, Ledger
from tests.callables.catalogue import Decorator, Kind, Made

CLASSES: list[Kind] = []

T = TypeVar("T")


def a_class(
    name: str, **facts: Any
) -> Callable[[Callable[[Decorator, Ledger], Any]], Callable[[Decorator, Ledger], Any]]:
    """Put the class into the catalogue. Its objects have ``lines`` and ``amount``."""

    def register(make: Callable[[Decorator, Ledger], Any]) -> Callable[[Decorator, Ledger], Any]:
        def made(guard: Decorator, bodies: Bodies) -> Made:
            cls = make(guard, bodies.ledger)

            def call(lines: list[str], amount: int) -> tuple[Any, ...]:
                order = cls(lines, amount=amount)
                assert type(order) is cls
                return (tuple(order.lines), order.amount)

            return Made(call)

        CLASSES.append(Kind(name, made, (SYNC,), **facts))
        return make

    return register


@a_class("a class")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Order:
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    return Order


@a_class("a class with slots")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Order:
        __slots__ = ("amount", "lines")

        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    return Order


@a_class("a class whose __init__ is guarded, not the class")
def _(guard: Decorator, ledger: Ledger) -> Any:
    class Order:
        @guard
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    return Order


@a_class("a class with a metaclass")
def _(guard: Decorator, ledger: Ledger) -> Any:
    class Meta(type):
        pass

    @guard
    class Order(metaclass=Meta):
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    return Order


@a_class("a generic class")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Order(Generic[T]):
        def __init__(self, lines: list[T], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    return Order


@a_class("a concrete class of a guarded abstract one")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Paper(ABC):
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

        @abstractmethod
        def title(self) -> str: ...

    class Order(Paper):
        def title(self) -> str:
            return "order"

    return Order


@a_class("a subclass that leaves the guarded constructor as it is")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Paper:
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    class Order(Paper):
        pass

    return Order


@a_class("a subclass that calls the guarded constructor")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Paper:
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    class Order(Paper):
        def __init__(self, lines: list[str], amount: int) -> None:
            super().__init__(lines, amount)

    return Order


@a_class("a guarded subclass of a guarded class", requests=2)
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Paper:
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            self.lines, self.amount = lines, amount

    @guard
    class Order(Paper):
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            super().__init__(lines, amount)

    return Order


@a_class("a dataclass")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    @dataclass
    class Order:
        lines: list[str]
        amount: int = 7

        def __post_init__(self) -> None:
            ledger.note(self.lines, self.amount)

    return Order


@a_class("a frozen dataclass")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    @dataclass(frozen=True)
    class Order:
        lines: list[str]
        amount: int = 7

        def __post_init__(self) -> None:
            ledger.note(self.lines, self.amount)

    return Order


@a_class("a dataclass with slots")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    @dataclass(slots=True, frozen=True)
    class Order:
        lines: list[str]
        amount: int = 7

        def __post_init__(self) -> None:
            ledger.note(self.lines, self.amount)

    return Order


@a_class("a dataclass with a default of its own making", more_shown={"tags": "[its default]"})
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    @dataclass
    class Order:
        lines: list[str]
        amount: int = 7
        tags: list[str] = dataclasses.field(default_factory=list)

        def __post_init__(self) -> None:
            assert self.tags == []
            ledger.note(self.lines, self.amount)

    return Order


@a_class("an attrs class")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    @attrs.define
    class Order:
        lines: list[str]
        amount: int = 7

        def __attrs_post_init__(self) -> None:
            ledger.note(self.lines, self.amount)

    return Order


@a_class("a frozen attrs class")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    @attrs.frozen
    class Order:
        lines: list[str]
        amount: int = 7

        def __attrs_post_init__(self) -> None:
            ledger.note(self.lines, self.amount)

    return Order


@a_class("a named tuple")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Order(NamedTuple):
        lines: list[str]
        amount: int = 7

    return _noting(Order, ledger)


def _noting(cls: Any, ledger: Ledger) -> Any:
    """A named tuple cannot say when it is made: what it holds is noted right after."""
    new = cls.__new__

    def __new__(made: type, lines: list[str], amount: int = 7) -> Any:
        order = new(made, lines, amount)
        ledger.note(order.lines, order.amount)
        return order

    cls.__new__ = __new__
    return cls


@a_class("a class that is made by its __new__")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Order(tuple[Any, ...]):
        __slots__ = ()

        def __new__(cls, lines: list[str], amount: int = 7) -> Order:
            ledger.note(lines, amount)
            return super().__new__(cls, (lines, amount))

        lines = property(operator.itemgetter(0))
        amount = property(operator.itemgetter(1))

    return Order


@a_class("a class whose __new__ is guarded, not the class")
def _(guard: Decorator, ledger: Ledger) -> Any:
    class Order:
        lines: list[str]
        amount: int

        @guard
        def __new__(cls, lines: list[str], amount: int = 7) -> Order:
            ledger.note(lines, amount)
            order = super().__new__(cls)
            order.lines, order.amount = lines, amount
            return order

    return Order


@a_class("an exception")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Order(Exception):
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            assert self.args == (lines,)  # `BaseException.__new__` has kept them: those that were shown
            self.lines, self.amount = lines, amount

    return Order


@a_class("a list")
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    class Order(list[str]):
        def __init__(self, lines: list[str], amount: int = 7) -> None:
            ledger.note(lines, amount)
            super().__init__(lines)
            self.lines, self.amount = lines, amount

    return Order


@a_class("a pydantic dataclass", no_edits="which is no parameter", inside="**kwargs", more_shown={"*args": []})
def _(guard: Decorator, ledger: Ledger) -> Any:
    @guard
    @pydantic_dataclasses.dataclass
    class Order:
        lines: list[str]
        amount: int = 7

        def __post_init__(self) -> None:
            ledger.note(self.lines, self.amount)

    return Order


def _model(guard: Decorator, bodies: Bodies) -> Made:
    @guard
    class Order(BaseModel):
        lines: list[str]
        amount: int = 7

        def model_post_init(self, _context: Any) -> None:
            bodies.ledger.note(self.lines, self.amount)

    def call(lines: list[str], amount: int) -> tuple[Any, ...]:
        order = Order(lines=lines, amount=amount)
        return (tuple(order.lines), order.amount)

    return Made(call)


CLASSES.append(Kind("a pydantic model", _model, (SYNC,), no_edits="which is no parameter", inside="**data"))
