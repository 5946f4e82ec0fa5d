"""The canonical form under many values at once: no two different ones meet, and the limits hold on both sides."""

from __future__ import annotations

import enum
import itertools
import os
from array import array
from collections import Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, ip_network
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from pydantic import SecretBytes, SecretStr
from tests.values import (
    KEY,
    Access,
    BigOrder,
    Colour,
    Couple,
    Level,
    Offer,
    Order,
    Paint,
    Pair,
    Product,
    Slotted,
    Word,
    identity,
    is_spellable,
    lookalikes,
    rebuilt,
    spelled,
    values,
)

from clearance.calls import Callee
from clearance.canonical import MAX_DEPTH, MAX_VALUES, register
from clearance.errors import UnserializableArgument
from clearance.forms import Uninspected
from clearance.redaction import View
from clearance.sealing import seal, spell
from clearance.snapshot import is_fixed, snapshot

DEEP = os.environ.get("CLEARANCE_DEEP") == "1"


# ---------------------------------------------------------------------------------------------------------------------
# All against all
# ---------------------------------------------------------------------------------------------------------------------


def take(x: object = None, /, *args: object, **kwargs: object) -> None:
    """Takes anything, in every way."""


def digest_of(*args: object, **kwargs: object) -> str:
    """The digest of a call of `take`."""
    return digest_in(TAKER.bind(args, kwargs).labelled)


def digest_in(labelled: Mapping[str, object]) -> str:
    return seal("bot", "test.act", "tool", None, TAKER.code, spell(labelled, View(), KEY)[1])


TAKER = Callee(take)


@dataclass
class Pairs:
    """How many pairs were compared, and which of them lie."""

    equal: int
    unequal: int
    two_digests_of_one_value: list[object]
    two_values_of_one_digest: list[object]


def compared(pool: list[object]) -> Pairs:
    """Every value of the pool against every other: by digest, and by the independent statement of what is the same."""
    digests: dict[object, set[str]] = {}
    identities: dict[str, set[object]] = {}
    met: Counter[object] = Counter()
    for value in pool:
        same, digest = identity(value), digest_in({"x": value})
        met[same] += 1
        digests.setdefault(same, set()).add(digest)
        identities.setdefault(digest, set()).add(same)
    equal = sum(count * (count - 1) // 2 for count in met.values())
    return Pairs(
        equal,
        len(pool) * (len(pool) - 1) // 2 - equal,
        [same for same, found in digests.items() if len(found) > 1],
        [found for found in identities.values() if len(found) > 1],
    )


def test_of_very_many_pairs_of_values_the_equal_share_their_digest_and_no_others_do() -> None:
    pool: list[object] = []

    @settings(max_examples=1_000 if DEEP else 100)
    @given(values)
    def gather(value: object) -> None:
        pool.extend((value, rebuilt(value)))
        pool.extend(near for near in itertools.islice(lookalikes(value), 20) if is_spellable(near))

    gather()
    pairs = compared(pool)

    assert (pairs.two_digests_of_one_value, pairs.two_values_of_one_digest) == ([], [])
    assert pairs.unequal >= (1_000_000 if DEEP else 100_000)
    assert pairs.equal >= (1_000 if DEEP else 100)


# ---------------------------------------------------------------------------------------------------------------------
# Made by hand: what others take for one another
# ---------------------------------------------------------------------------------------------------------------------


class Loose(enum.Enum):
    """Prints itself as another class does."""

    RED = 1

    def __str__(self) -> str:
        return "Colour.RED"


class Tokenized(UserDict[str, object]):
    """For `Uninspected`."""


BERLIN = ZoneInfo("Europe/Berlin")
TWICE = datetime(2026, 10, 25, 2, 30)

CONFUSIONS: dict[str, str] = {
    # one, in every coat
    "1": digest_of(1),
    "1.0": digest_of(1.0),
    "True": digest_of(True),
    "text 1": digest_of("1"),
    "bytes 1": digest_of(b"1"),
    "bytearray 1": digest_of(bytearray(b"1")),
    "text of bytes 1": digest_of("b'1'"),
    "complex 1": digest_of(1 + 0j),
    "Decimal 1": digest_of(Decimal(1)),
    "Decimal 1.0": digest_of(Decimal("1.0")),
    "Fraction 1": digest_of(Fraction(1)),
    "IntEnum 1": digest_of(Level.LOW),
    "Enum 1": digest_of(Colour.RED),
    "another Enum 1": digest_of(Paint.RED),
    "an Enum that prints as another": digest_of(Loose.RED),
    "Flag 1": digest_of(Access.READ),
    "a second": digest_of(timedelta(seconds=1)),
    "range 1": digest_of(range(1)),
    "list of range 1": digest_of([0]),
    # zero and nothing
    "0": digest_of(0),
    "0.0": digest_of(0.0),
    "-0.0": digest_of(-0.0),
    "Decimal -0": digest_of(Decimal("-0")),
    "False": digest_of(False),
    "None": digest_of(None),
    "text None": digest_of("None"),
    "empty text": digest_of(""),
    "empty bytes": digest_of(b""),
    "empty list": digest_of([]),
    "empty tuple": digest_of(()),
    "empty set": digest_of(set()),
    "empty frozenset": digest_of(frozenset()),
    "empty dict": digest_of({}),
    "empty deque": digest_of(deque()),
    "empty deque that keeps 3": digest_of(deque(maxlen=3)),
    "empty range": digest_of(range(0)),
    "another empty range": digest_of(range(1, 1)),
    "empty OrderedDict": digest_of(OrderedDict()),
    "empty Counter": digest_of(Counter()),
    "empty defaultdict": digest_of(defaultdict()),
    "empty defaultdict of int": digest_of(defaultdict(int)),
    "empty mapping proxy": digest_of(MappingProxyType({})),
    "empty namespace": digest_of(SimpleNamespace()),
    # a text and what holds or names it
    "text a": digest_of("a"),
    "path a": digest_of(PurePosixPath("a")),
    "windows path a": digest_of(PureWindowsPath("a")),
    "secret a": digest_of(SecretStr("a")),
    "secret bytes a": digest_of(SecretBytes(b"a")),
    "StrEnum red": digest_of(Word.RED),
    "text red": digest_of("red"),
    "text of StrEnum": digest_of("Word.RED"),
    "text e with an accent": digest_of("\u00e9"),
    "text e and an accent": digest_of("e\u0301"),
    # where one text ends and the next begins
    "ab, c": digest_of(["ab", "c"]),
    "a, bc": digest_of(["a", "bc"]),
    "abc": digest_of(["abc"]),
    "ab, c in one": digest_of("ab\x1fc"),
    "ab, c by commas": digest_of("['ab', 'c']"),
    "a text that spells a list": digest_of("s2:abs1:c"),
    "a list of such a text": digest_of(["s2:abs1:c"]),
    "unit separators": digest_of(["a\x1f", "b"]),
    "unit separators elsewhere": digest_of(["a", "\x1fb"]),
    "nested left": digest_of([["a"], "b"]),
    "nested right": digest_of(["a", ["b"]]),
    "nested both": digest_of([["a", "b"]]),
    # sequences and sets of the same
    "list": digest_of(["a", "b"]),
    "tuple": digest_of(("a", "b")),
    "set": digest_of({"a", "b"}),
    "frozenset": digest_of(frozenset("ab")),
    "deque": digest_of(deque("ab")),
    "deque that keeps 2": digest_of(deque("ab", 2)),
    "list the other way round": digest_of(["b", "a"]),
    # mappings of the same
    "dict": digest_of({"item": "a", "price": 1}),
    "OrderedDict": digest_of(OrderedDict(item="a", price=1)),
    "OrderedDict the other way round": digest_of(OrderedDict(price=1, item="a")),
    "defaultdict": digest_of(defaultdict(None, item="a", price=1)),
    "mapping proxy": digest_of(MappingProxyType({"item": "a", "price": 1})),
    "namespace": digest_of(SimpleNamespace(item="a", price=1)),
    "pairs": digest_of([("item", "a"), ("price", 1)]),
    "dataclass": digest_of(Order("a", 1)),
    "another dataclass": digest_of(Offer("a", 1)),
    "a subclass of it": digest_of(BigOrder("a", 1)),
    "named tuple": digest_of(Pair("a", 1)),
    "another named tuple": digest_of(Couple("a", 1)),
    "its values": digest_of(("a", 1)),
    "pydantic model": digest_of(Product.model_validate({"item": "a", "price": 1})),
    "slotted": digest_of(Slotted("a")),
    "key 1": digest_of({1: "x"}),
    "key text 1": digest_of({"1": "x"}),
    "key True": digest_of({True: "x"}),
    "key bytes 1": digest_of({b"1": "x"}),
    "key None": digest_of({None: "x"}),
    "Counter": digest_of(Counter({"1": 1})),
    "dict of a Counter": digest_of({"1": 1}),
    # moments
    "date": digest_of(date(2026, 10, 25)),
    "midnight": digest_of(datetime(2026, 10, 25)),
    "midnight in UTC": digest_of(datetime(2026, 10, 25, tzinfo=UTC)),
    "midnight in a zone called UTC": digest_of(datetime(2026, 10, 25, tzinfo=ZoneInfo("UTC"))),
    "text of the date": digest_of("2026-10-25"),
    "the hour that comes twice": digest_of(TWICE.replace(tzinfo=BERLIN)),
    "the hour that comes twice, again": digest_of(TWICE.replace(tzinfo=BERLIN, fold=1)),
    "that hour at its offset": digest_of(TWICE.replace(tzinfo=timezone(timedelta(hours=2)))),
    "that hour at its offset by name": digest_of(TWICE.replace(tzinfo=timezone(timedelta(hours=2), "CEST"))),
    "that hour nowhere": digest_of(TWICE),
    "that hour nowhere, again": digest_of(TWICE.replace(fold=1)),
    "time": digest_of(time(2, 30)),
    "time in UTC": digest_of(time(2, 30, tzinfo=UTC)),
    "time, again": digest_of(time(2, 30, fold=1)),
    # numbers in other clothes
    "UUID": digest_of(UUID(int=1)),
    "text of the UUID": digest_of(str(UUID(int=1))),
    "address": digest_of(IPv4Address("10.0.0.1")),
    "network": digest_of(ip_network("10.0.0.1")),
    "text of the address": digest_of("10.0.0.1"),
    # what was not looked into
    "opaque": digest_of(Uninspected(None)),
    "opaque of another class": digest_of(Uninspected(Tokenized())),
    "what an opaque is shown as": digest_of("[not inspected: builtins.NoneType]"),
    # the way that it was passed
    "*args": digest_of(None, "a", "b"),
    "*args of one list": digest_of(None, ["a", "b"]),
    "*args of one text": digest_of(None, "ab"),
    "a keyword like the parameter": digest_of(None, x=1),
    "a keyword like the star": digest_of(None, args=("a", "b")),
    "a keyword like its label": digest_of(None, **{"*args": ("a", "b")}),
    "a keyword": digest_of(None, a=1),
    "a keyword of another name": digest_of(None, b=1),
    "a keyword with a dict": digest_of(None, kwargs={"a": 1}),
}


def test_what_others_take_for_one_another_is_pairwise_apart() -> None:
    met: dict[str, str] = {}
    for name, digest in CONFUSIONS.items():
        assert met.setdefault(digest, name) == name

    assert len(met) == len(CONFUSIONS) >= 40


# ---------------------------------------------------------------------------------------------------------------------
# Limits
# ---------------------------------------------------------------------------------------------------------------------

BULK: dict[str, Callable[[int], object]] = {
    "list": lambda n: [0] * n,
    "tuple": lambda n: (0,) * n,
    "deque": lambda n: deque([0] * n),
    "set": lambda n: set(range(n)),
    "dict": lambda n: dict.fromkeys(range(n)),
    "list of lists": lambda n: [[0] * 999] * (n // 1_000) + [0] * (n % 1_000),
    "a list under a key": lambda n: {"items": [0] * (n - 1)},
    "a list in a field": lambda n: Slotted([0] * (n - 1)),
    "a secret list": lambda n: {"password": [0] * (n - 1)},
    "beside a secret list": lambda n: {"password": [0] * 1_000, "items": [0] * (n - 1_002)},
}


@pytest.mark.parametrize("make", BULK.values(), ids=BULK)
def test_values_are_accepted_to_the_limit_and_refused_past_it(make: Callable[[int], object]) -> None:
    assert spelled(make(MAX_VALUES))
    with pytest.raises(UnserializableArgument, match="more than 100,000 values"):
        spelled(make(MAX_VALUES + 1))


def test_the_arguments_of_a_call_count_together() -> None:
    half = [0] * (MAX_VALUES // 2)

    assert digest_of(half, **{"a": half[2:]})
    with pytest.raises(UnserializableArgument, match="more than 100,000 values"):
        digest_of(half, a=half)


class Leaf:
    """Counts how often somebody looks at it, and has enough after far more often than anybody need."""

    looks = 0

    def __deepcopy__(self, _memo: object) -> Leaf:
        return self.looked()

    def looked(self) -> Leaf:
        self.looks += 1
        assert self.looks <= 2 * MAX_VALUES, "every path was walked"
        return self


register(Leaf, lambda leaf: [id(leaf.looked())])


def shared(make: Callable[[object, object], object], leaf: object) -> Any:
    """Thirty levels of containers, each with the one below twice: more values than anybody can count."""
    found = leaf
    for _ in range(30):
        found = make(found, found)
    return found


SHARERS: dict[str, Callable[[object, object], object]] = {
    "list": lambda one, other: [one, other],
    "tuple": lambda one, other: (one, other),
    "dict": lambda one, other: {"a": one, "b": other},
    "mapping proxy": lambda one, other: MappingProxyType({"a": one, "b": other}),
    "dataclass": Order,
    "named tuple": Pair,
    "deque": lambda one, other: deque((one, other)),
}


@pytest.mark.parametrize("make", SHARERS.values(), ids=SHARERS)
def test_what_is_shared_over_and_over_is_copied_once_and_refused_before_it_is_walked(
    make: Callable[[object, object], object],
) -> None:
    leaf = Leaf()

    copied = snapshot("tree", shared(make, leaf), {})

    assert leaf.looks <= 2
    with pytest.raises(UnserializableArgument, match="more than 100,000 values"):
        spelled(copied)


class Looked(enum.Enum):
    """A member that counts."""

    LEAF = 1

    @property
    def value(self) -> int:
        LOOKS.append(1)
        assert len(LOOKS) <= 2 * MAX_VALUES, "every path was walked"
        return 1


LOOKS: list[int] = []


@pytest.mark.parametrize(
    "make",
    [lambda one, other: (one, other), lambda one, _other: frozenset({one, frozenset({one})})],
    ids=["tuple", "frozenset"],
)
def test_whether_something_shared_over_and_over_can_change_is_found_without_walking_every_path(
    make: Callable[[object, object], object],
) -> None:
    LOOKS.clear()

    assert is_fixed(shared(make, Looked.LEAF))
    assert len(LOOKS) <= 3


def nested(nest: Callable[[Any], object], levels: int, value: object = 1) -> object:
    for _ in range(levels):
        value = nest(value)
    return value


NESTERS: dict[str, Callable[[Any], object]] = {
    "frozenset": lambda inner: frozenset({inner}),
    "deque": lambda inner: deque([inner]),
    "mapping proxy": lambda inner: MappingProxyType({"a": inner}),
    "namespace": lambda inner: SimpleNamespace(a=inner),
    "pydantic model": lambda inner: Product(item=inner),
    "secret": lambda inner: {"password": inner},
    "registered": lambda inner: Wrapped(inner),
}


class Wrapped:
    """Has a form by registration only."""

    def __init__(self, inner: object) -> None:
        self.inner = inner


register(Wrapped, lambda wrapped: wrapped.inner)


@pytest.mark.parametrize("nest", NESTERS.values(), ids=NESTERS)
def test_nesting_of_every_kind_is_accepted_to_the_limit_and_refused_past_it(nest: Callable[[Any], object]) -> None:
    assert spelled(nested(nest, MAX_DEPTH))
    with pytest.raises(UnserializableArgument, match="nested deeper than 32 levels"):
        spelled(nested(nest, MAX_DEPTH + 1))


class Matryoshka:
    """Looks like a holder of a secret, which is itself."""

    def get_secret_value(self) -> Matryoshka:
        return self


def test_a_secret_that_holds_itself_is_refused() -> None:
    with pytest.raises(UnserializableArgument, match="contains itself"):
        spelled(Matryoshka())


@pytest.mark.parametrize("value", [itertools.count(), iter([1]), array("i", [1]), UserDict(a=1)], ids=repr)
def test_what_only_resembles_a_collection_is_refused_and_not_read(value: object) -> None:
    with pytest.raises(UnserializableArgument, match="of which nothing is known"):
        spelled(value)
