"""Values of every kind that has a canonical form: generated, made anew, and made to resemble each other."""

from __future__ import annotations

import copy
import types
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from fractions import Fraction
from functools import cached_property
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, PrivateAttr

from clearance.canonical import Walk
from clearance.errors import UnserializableArgument
from clearance.models import Json
from clearance.redaction import View

KEY = b"one key"


def spelled(value: object, key: bytes = KEY) -> bytes:
    """The canonical bytes of a value."""
    pieces: list[bytes] = []
    Walk(View(), key).value(value, "it", 0, pieces)
    return b"".join(pieces)


def shown(value: object, view: View | None = None) -> Json:
    """What an approver sees of a value."""
    return Walk(view or View(), KEY).value(value, "it", 0, [])


class Colour(Enum):
    RED = 1
    GREEN = 2


class Paint(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    PASSWORD = "password"
    RED = "red"


class Access(Flag):
    READ = 1
    WRITE = 2


@dataclass
class Order:
    item: object
    price: object = 0

    @cached_property
    def total(self) -> int:
        return 1


@dataclass
class Offer:
    item: object
    price: object = 0


class BigOrder(Order):
    pass


@dataclass(frozen=True, slots=True)
class Slotted:
    item: object


Pair = namedtuple("Pair", ["item", "price"])
Couple = namedtuple("Couple", ["item", "price"])


class Product(BaseModel):
    model_config = ConfigDict(extra="allow")

    item: object
    _margin: int = PrivateAttr(default=0)


class Attrs:
    """What attrs makes of a class, as far as anybody can see from outside."""

    __attrs_attrs__ = (types.SimpleNamespace(name="item"),)

    def __init__(self, item: object) -> None:
        self.item = item


texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text("01:;[](){}<>abdefiknopstxz.\0é", max_size=8)
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=1)), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")])
immutables = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 2),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.binary(max_size=20),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.timedeltas(),
    st.times(timezones=zones),
    st.datetimes(timezones=zones),
    st.ip_addresses(),
    st.sampled_from([*Colour, *Paint, *Level, *Word, Access.READ, Access.READ | Access.WRITE]),
    st.builds(PurePosixPath, texts),
    st.complex_numbers(allow_nan=False, allow_infinity=False),
    st.builds(range, st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([-1, 1, 2])),
    zones.filter(lambda zone: isinstance(zone, timezone)),
)
hashables = st.recursive(
    immutables, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4
)
values = st.recursive(
    immutables | st.builds(bytearray, st.binary(max_size=20)) | st.sets(hashables, max_size=3) | hashables,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(hashables, inner, max_size=3),
        st.dictionaries(texts, inner, max_size=3),
        st.builds(OrderedDict, st.dictionaries(texts, inner, max_size=3)),
        st.builds(MappingProxyType, st.dictionaries(texts, inner, max_size=3)),
        st.builds(defaultdict, st.sampled_from([None, int, list]), st.dictionaries(texts, inner, max_size=3)),
        st.builds(Counter, st.dictionaries(texts, st.integers(-2, 2), max_size=3)),
        st.builds(deque, st.lists(inner, max_size=3), st.none() | st.integers(3, 5)),
        st.dictionaries(st.sampled_from(["a", "b"]), inner).map(lambda fields: types.SimpleNamespace(**fields)),
        *(st.builds(cls, inner, inner) for cls in (Order, Offer, BigOrder, Pair, Couple)),
    ),
    max_leaves=12,
)


def identity(value: object) -> tuple[object, ...]:
    """Two values are the same if this is: an independent statement of what the canonical form promises."""
    match value:
        case Order() | Offer():
            return type(value), identity(value.item), identity(value.price)
        case OrderedDict():
            return OrderedDict, *((identity(key), identity(item)) for key, item in value.items())
        case dict() | MappingProxyType():
            factory = getattr(value, "default_factory", None)
            return type(value), factory, frozenset((identity(key), identity(item)) for key, item in value.items())
        case types.SimpleNamespace():
            return types.SimpleNamespace, identity(vars(value))
        case deque():
            return deque, value.maxlen, *(identity(item) for item in value)
        case range():  # equal ranges of other bounds are other ranges here: what is shown differs
            return range, value.start, value.stop, value.step
        case set() | frozenset():
            return type(value), frozenset(identity(item) for item in value)
        case list() | tuple():
            return type(value), *(identity(item) for item in value)
        case _:
            return type(value), repr(value)


def rebuilt(value: Any) -> Any:
    """The same value again: none of the objects, and every mapping and set filled in another order."""
    match value:
        case Order() | Offer():
            return type(value)(rebuilt(value.item), rebuilt(value.price))
        case OrderedDict():
            return OrderedDict((rebuilt(key), rebuilt(item)) for key, item in value.items())
        case MappingProxyType():
            return MappingProxyType(rebuilt(dict(value)))
        case types.SimpleNamespace():
            return types.SimpleNamespace(**rebuilt(vars(value)))
        case deque():
            return deque(map(rebuilt, value), value.maxlen)
        case Counter() | defaultdict():
            again = copy.copy(value)
            again.clear()
            again.update(rebuilt(dict(value)))
            return again
        case dict():
            return {rebuilt(key): rebuilt(item) for key, item in reversed(value.items())}
        case Pair() | Couple():
            return type(value)(*map(rebuilt, value))
        case set() | frozenset() | list() | tuple():
            make: Any = type(value)
            items = [rebuilt(item) for item in value]
            return make(items[::-1] if isinstance(value, (set, frozenset)) else items)
        case _:
            return copy.deepcopy(value)


def lookalikes(value: Any) -> Iterator[object]:
    """Values that resemble this one: of another type, shifted into or out of a container, a little longer."""
    yield from ([value], (value,), str(value), repr(value), {"": value})
    if isinstance(value, (bool, int, float, Decimal, Fraction)):
        for number in (bool, int, float, Decimal, Fraction, complex):
            with suppress(ArithmeticError, ValueError, TypeError):
                yield number(value)  # type: ignore[arg-type]
    match value:
        case str():
            yield from (value.encode(), value + "\0", value + "0", f"s{len(value.encode())}:{value}", [value, ""])
        case bytes() | bytearray():
            yield from (bytes(value), bytearray(value), bytes(value).hex())
        case set() | frozenset():
            yield from (set(value), frozenset(value), [*value], {frozenset(value)})
        case OrderedDict() | dict():
            yield from (dict(value), OrderedDict(value), OrderedDict(reversed(value.items())), [*value.items()])
        case Order() | Offer() | Pair() | Couple():
            item, price = value if isinstance(value, tuple) else (value.item, value.price)
            yield from (cls(item, price) for cls in (Order, Offer, BigOrder, Pair, Couple))
            yield from (type(value)(price, item), (item, price), {"item": item, "price": price})
        case list() | tuple():
            make = type(value)
            yield from (list(value), tuple(value), make(value[::-1]), make(value[:-1]), make([*value, *value]))
            yield from (make([make(value[:1]), *value[1:]]), make([*value[:1], make(value[1:])]))
            for index, inner in enumerate(value):
                yield from (make([*value[:index], near, *value[index + 1 :]]) for near in lookalikes(inner))


def is_spellable(value: object) -> bool:
    try:
        spelled(value)
    except UnserializableArgument:
        return False
    return True
