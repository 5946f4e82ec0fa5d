"""The canonical form: injective, typed, complete; what it shows, what it hides and what it refuses."""

from __future__ import annotations

import hashlib
import json
import string
import threading
from base64 import urlsafe_b64decode
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from dataclasses import InitVar, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, ClassVar
from unittest.mock import Mock
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr
from tests.values import (
    Access,
    Attrs,
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
    shown,
    spelled,
    values,
)

from clearance.canonical import DOMAIN, MAX_DEPTH, SHOWN_ITEMS, digest
from clearance.errors import UnserializableArgument
from clearance.models import Json
from clearance.redaction import REDACTED, SHOWN_BYTES, SHOWN_CHARACTERS, View


@dataclass
class Counted:
    """Has what is of the class (and has no form), and what is for the constructor only."""

    item: object
    made: ClassVar[list[object]] = [object()]
    rate: InitVar[int] = 3


# ---------------------------------------------------------------------------------------------------------------------
# Equal values spell the same bytes, different ones do not
# ---------------------------------------------------------------------------------------------------------------------


@given(values)
def test_the_same_value_made_anew_and_in_another_order_spells_the_same_bytes(value: object) -> None:
    assert spelled(rebuilt(value)) == spelled(value)


@given(values, values)
def test_two_values_spell_the_same_bytes_exactly_if_they_are_the_same(one: object, other: object) -> None:
    assert (spelled(one) == spelled(other)) == (identity(one) == identity(other))


@given(values, st.data())
def test_a_value_is_never_taken_for_one_that_resembles_it(value: object, data: st.DataObject) -> None:
    near = data.draw(st.sampled_from([near for near in lookalikes(value) if is_spellable(near)]))

    assert (spelled(near) == spelled(value)) == (identity(near) == identity(value))


@given(st.lists(values, max_size=3), st.lists(values, max_size=3))
def test_no_values_in_a_row_spell_what_other_values_in_a_row_do(row: list[object], other: list[object]) -> None:
    together = [b"".join(map(spelled, items)) for items in (row, other)]

    assert (together[0] == together[1]) == (identity(row) == identity(other))


SAME_TO_THE_EYE: dict[str, list[object]] = {
    "one": [1, 1.0, True, "1", b"1", Decimal(1), Fraction(1), Level.LOW, Colour.RED, Access.READ, "0x1"],
    "nothing": [None, False, 0, 0.0, -0.0, "", b"", bytearray(), [], (), set(), frozenset(), {}, OrderedDict(), "None"],
    "zeroes after the point": [Decimal("1.0"), Decimal("1.00"), Decimal("1"), Decimal("1E+1"), Decimal("10"), 1.0],
    "minus zero": [Decimal(0), Decimal("-0"), 0.0, -0.0, 0],
    "a text": ["a", b"a", bytearray(b"a"), ["a"], ("a",), {"a"}, frozenset("a"), {"a": None}, PurePosixPath("a")],
    "sequences": [["a", "b"], ("a", "b"), [["a"], "b"], [["a", "b"]], ["a", ["b"]], ["ab"], [["a"], ["b"]]],
    "pairs": [{"a": 1, "b": 2}, {"a": 2, "b": 1}, [("a", 1), ("b", 2)], {("a", 1), ("b", 2)}, {"a": {"b": 2}}],
    "orders": [{"a": 1, "b": 2}, OrderedDict(a=1, b=2), OrderedDict([("b", 2), ("a", 1)])],
    "keys": [{1: "x"}, {"1": "x"}, {1.5: "x"}, {Level.LOW: "x"}, {(1,): "x"}, {None: "x"}],
    "members": [Colour.RED, Paint.RED, Colour.GREEN, Colour.RED.value, "RED", "Colour.RED"],
    "words": [Word.RED, "red", "Word.RED"],
    "flags": [Access.READ, Access.WRITE, Access.READ | Access.WRITE, Access(0)],
    "days": [date(2026, 1, 1), datetime(2026, 1, 1), "2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)],
    "zones": [
        datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1), "Europe/Berlin")),
        datetime(2025, 12, 31, 23, tzinfo=UTC),
    ],
    "the hour that comes twice": [
        datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin")) for fold in (0, 1)
    ],
    "times": [time(1), time(1, tzinfo=UTC), time(1, fold=1), timedelta(hours=1), "01:00:00"],
    "spans": [timedelta(days=1), timedelta(days=1, microseconds=1), timedelta(0), 86400],
    "paths": [PurePosixPath("a"), PureWindowsPath("a"), PurePosixPath("a/b"), "a"],
    "addresses": [IPv4Address("10.0.0.1"), IPv4Interface("10.0.0.1"), IPv4Network("10.0.0.1"), IPv6Address("::a00:1")],
    "numbers in other clothes": [UUID(int=1), str(UUID(int=1)), 1],
    "objects": [
        Order("a", 1),
        Offer("a", 1),
        BigOrder("a", 1),
        Order(1, "a"),
        Pair("a", 1),
        Couple("a", 1),
        ("a", 1),
        {"item": "a", "price": 1},
    ],
    "one field": [Slotted("a"), Product(item="a"), Attrs("a"), {"item": "a"}],
}  # fmt: skip


@pytest.mark.parametrize("alike", SAME_TO_THE_EYE.values(), ids=SAME_TO_THE_EYE)
def test_what_looks_the_same_to_the_eye_or_to_python_is_kept_apart(alike: list[object]) -> None:
    assert len({spelled(value) for value in alike}) == len(alike)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, b"n"),
        (True, b"t"),
        (-255, b"i-ff;"),
        (1.0, b"d0x1.0000000000000p+0;"),
        ("é:", b"s3:\xc3\xa9:"),
        (b"\0", b"b1:\0"),
        (bytearray(b"\0"), b"a1:\0"),
        ([1, ["a"]], b"[i1;[s1:a]]"),
        ((), b"()"),
        ({2, 1}, b"<i1;i2;>"),
        (frozenset(), b"z<>"),
        ({"b": 1, "a": 2}, b"{s1:ai2;s1:bi1;}"),
        (Decimal("1.0"), b"x15:decimal:Decimals3:1.0"),
    ],
)
def test_the_form_is_pinned_because_a_changed_one_would_void_every_digest_there_is(value: object, form: bytes) -> None:
    assert spelled(value) == form


def test_a_digest_is_the_unpadded_base64url_sha256_of_the_pieces_behind_the_domain_tag() -> None:
    found = digest([b"a", b"b"])

    assert urlsafe_b64decode(found + "=") == hashlib.sha256(DOMAIN + b"ab").digest()
    assert set(found) <= set(string.ascii_letters + string.digits + "-_")


# ---------------------------------------------------------------------------------------------------------------------
# Objects: everything a body could read of them
# ---------------------------------------------------------------------------------------------------------------------


def test_an_attribute_that_is_no_field_is_shown_and_digested_too() -> None:
    order = Order("a")
    order.discount = 5  # type: ignore[attr-defined]

    assert shown(order) == {"item": "a", "price": 0, "discount": 5}
    assert spelled(order) != spelled(Order("a"))


def test_a_cached_property_is_no_part_of_the_value() -> None:
    order = Order("a")
    before = spelled(order)

    assert order.total == 1
    assert spelled(order) == before


def test_a_pydantic_model_brings_its_extra_and_its_private_attributes() -> None:
    product = Product.model_validate({"item": "a", "colour": "red"})
    product._margin = 3

    assert shown(product) == {"item": "a", "colour": "red", "_margin": 3}


@pytest.mark.parametrize("change", [{"item": "b"}, {"item": "a", "colour": "red"}])
def test_any_change_of_a_pydantic_model_changes_its_bytes(change: dict[str, str]) -> None:
    assert spelled(Product.model_validate(change)) != spelled(Product(item="a"))


# ---------------------------------------------------------------------------------------------------------------------
# What is shown
# ---------------------------------------------------------------------------------------------------------------------


@given(values)
def test_whatever_is_shown_is_json(value: object) -> None:
    found = shown(value)

    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    ("value", "view"),
    [
        (None, None),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "0x8000000000000000"),
        (-(2**63), "-0x8000000000000000"),
        (0.1, 0.1),
        (b"a", "base64:YQ=="),
        ((1, [2]), [1, [2]]),
        ({2, 1}, [1, 2]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        ({1: "x", "y": 2}, [[1, "x"], ["y", 2]]),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 3), "1/3"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 1, 2, tzinfo=UTC), "2026-01-31T01:02:00+00:00"),
        (timedelta(days=1), "1 day, 0:00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/tmp"), "/tmp"),
        (Colour.RED, "Colour.RED"),
        (Word.RED, "red"),
        (Pair(1, 2), {"item": 1, "price": 2}),
        (Order(Offer("a")), {"item": {"item": "a", "price": 0}, "price": 0}),
        (Slotted(1), {"item": 1}),
        (Attrs(1), {"item": 1}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    ],
)
def test_a_value_is_shown_as_json_closest_to_it(value: object, view: Json) -> None:
    assert shown(value) == view


LONG = {
    "text": (lambda n: "x" * n, SHOWN_CHARACTERS),
    "path": (lambda n: PurePosixPath("x" * n), SHOWN_CHARACTERS),
    "decimal": (lambda n: Decimal("1" * n), SHOWN_CHARACTERS),
    "list": (lambda n: [1] * n, SHOWN_ITEMS),
    "tuple": (lambda n: (1,) * n, SHOWN_ITEMS),
    "set": (lambda n: set(range(n)), SHOWN_ITEMS),
    "frozenset": (lambda n: frozenset(range(n)), SHOWN_ITEMS),
    "dict": (lambda n: {str(i): i for i in range(n)}, SHOWN_ITEMS),
    "dict with keys that are no text": (lambda n: {i: i for i in range(n)}, SHOWN_ITEMS),
}  # fmt: skip
long_ones = pytest.mark.parametrize(("make", "limit"), LONG.values(), ids=LONG)


@long_ones
def test_a_value_of_the_limit_is_shown_whole(make: Callable[[int], object], limit: int) -> None:
    view = View()

    found = shown(make(limit), view)

    assert isinstance(found, (str, list, dict))
    assert len(found) == limit
    assert view.abridged == {}


@long_ones
def test_a_value_over_the_limit_is_shown_in_part_and_says_of_how_much(
    make: Callable[[int], object], limit: int
) -> None:
    view = View()

    found = shown(make(limit + 1), view)

    assert isinstance(found, (str, list, dict))
    assert found.endswith(f" of {limit + 1:,} characters shown]") if isinstance(found, str) else len(found) == limit
    assert view.abridged == {"it": (limit, limit + 1)}


@long_ones
def test_what_is_shown_in_part_is_digested_whole(make: Callable[[int], object], limit: int) -> None:
    assert spelled(make(limit + 2)) != spelled(make(limit + 1))


def test_bytes_are_cut_by_what_is_shown_of_them() -> None:
    view = View()
    shown(b"x" * SHOWN_CHARACTERS, view)

    assert view.abridged == {"it": (SHOWN_BYTES, SHOWN_CHARACTERS)}


def test_two_keys_that_differ_only_past_what_is_shown_of_them_stay_two() -> None:
    prefix = "k" * SHOWN_CHARACTERS

    found = shown({prefix + "1": "one", prefix + "2": "two"})

    assert isinstance(found, list)
    assert [pair[1] for pair in found if isinstance(pair, list)] == ["one", "two"]


def test_a_part_that_is_cut_is_named_by_its_path() -> None:
    view = View()
    shown({"order": Order([{"note": "x" * 5_000}])}, view)

    assert view.abridged == {"it.order.item[0].note": (4_000, 5_000)}


# ---------------------------------------------------------------------------------------------------------------------
# Secrets
# ---------------------------------------------------------------------------------------------------------------------

HOLDERS: dict[str, Callable[[Any], object]] = {
    "a key": lambda secret: {"password": secret},
    "a key that is a member": lambda secret: {Word.PASSWORD: secret},
    "a key among keys that are no text": lambda secret: {1: 2, "password": secret},
    "a key far down": lambda secret: [{"users": ({"password": secret},)}],
    "an ordered key": lambda secret: OrderedDict(password=secret),
    "a field": lambda secret: namedtuple("Login", ["password"])(secret),
    "an attribute": lambda secret: replace(Order(0), price={"api_key": secret}),
    "a SecretStr": lambda secret: SecretStr(str(secret)),
    "a SecretBytes": lambda secret: SecretBytes(str(secret).encode()),
}
holders = pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)


@holders
def test_a_secret_is_hidden_in_the_view_and_stands_in_the_bytes_only_as_a_keyed_hash(
    holder: Callable[[Any], object],
) -> None:
    view = View()

    found = json.dumps(shown(holder("hunter2"), view))

    assert "hunter2" not in found
    assert REDACTED in found
    assert len(view.redacted) == 1
    assert b"hunter2" not in spelled(holder("hunter2"))


@holders
def test_the_bytes_of_a_secret_depend_on_the_secret_and_on_the_key(holder: Callable[[Any], object]) -> None:
    bytes_of = {
        "once": spelled(holder("hunter2"), b"one key"),
        "again": spelled(holder("hunter2"), b"one key"),
        "another secret": spelled(holder("hunter3"), b"one key"),
        "another key": spelled(holder("hunter2"), b"other key"),
    }

    assert bytes_of["once"] == bytes_of["again"]
    assert len(set(bytes_of.values())) == 3


@given(values, values)
def test_secrets_are_as_typed_as_anything_else(one: object, other: object) -> None:
    assert (spelled({"password": one}) == spelled({"password": other})) == (identity(one) == identity(other))


@pytest.mark.parametrize("value", [None, True, False])
def test_a_missing_secret_and_a_switch_with_a_secrets_name_are_shown(value: Json) -> None:
    view = View()

    assert shown({"password": value}, view) == {"password": value}
    assert view.redacted == []


@pytest.mark.parametrize("value", ["", 0, 1234, [], {"user": "ann"}, ["a"] * 500])
def test_everything_else_under_a_secrets_name_is_hidden_whole(value: object) -> None:
    view = View()

    assert shown({"pin": value}, view) == {"pin": REDACTED}
    assert (view.redacted, view.abridged) == (["it.pin"], {})


def test_a_name_that_the_author_declared_is_hidden_wherever_it_stands() -> None:
    view = View(named=("iban",))

    assert shown([{"iban": "DE00"}, {"to": {"iban": "DE01"}}], view) == [{"iban": REDACTED}, {"to": {"iban": REDACTED}}]
    assert view.redacted == ["it[0].iban", "it[1].to.iban"]


def test_a_secret_in_the_part_that_is_not_shown_is_noted_all_the_same() -> None:
    view = View()
    shown([*range(SHOWN_ITEMS), {"token": "x"}], view)

    assert view.redacted == [f"it[{SHOWN_ITEMS}].token"]


# ---------------------------------------------------------------------------------------------------------------------
# Refusals
# ---------------------------------------------------------------------------------------------------------------------


class Text(str):
    """Could say anything when printed."""

    __slots__ = ()


@dataclass(init=False)
class Tagged(frozenset[str]):
    """A dataclass whose contents are in none of its fields."""

    tag: str = ""


@dataclass
class Fault(Exception):
    """Another one: an exception's args."""

    code: int = 0


def test_what_is_of_a_dataclass_and_not_of_its_object_is_no_part_of_the_object() -> None:
    assert shown(Counted(5)) == {"item": 5}


REFUSED: dict[str, object] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "Decimal nan": Decimal("NaN"),
    "signalling nan": Decimal("sNaN"),
    "Decimal infinity": Decimal("Infinity"),
    "half a character": "a\ud800",
    "half a character in a path": PurePosixPath("a\udcff"),
    "half a character in a zone": timezone(timedelta(0), "\ud800"),
    "more digits than Python writes": Fraction(10**5_000),
    "an object": object(),
    "a class": Order,
    "a function": spelled,
    "a generator": (letter for letter in "ab"),
    "a module": json,
    "a lock": threading.Lock(),
    "a mock": Mock(),
    "a complex nan": complex(0, float("nan")),
    "a memory view": memoryview(b"a"),
    "a defaultdict with code in it": defaultdict(lambda: 1),
    "a str of one's own": Text("a"),
    "a list of one's own": type("Items", (list,), {})(),
    "a dataclass that is a set": Tagged(["a"]),
    "a dataclass that is an exception": Fault(1),
    "an exception": ValueError("a"),
    "an ellipsis": ...,
}
WHERE: dict[str, tuple[Callable[[Any], object], str]] = {
    "itself": (lambda value: value, "it"),
    "an item": (lambda value: [0, value], "it[1]"),
    "a value": (lambda value: {"order": {"lines": [value]}}, "it.order.lines[0]"),
    "a value under a key that is no text": (lambda value: {7: value}, "it[7]"),
    "a field": (lambda value: Order(value), "it.item"),
    "a field of a tuple": (lambda value: (Pair(0, value),), "it[0].price"),
    "a secret": (lambda value: {"password": value}, "it.password"),
}


@pytest.mark.parametrize(("holder", "path"), WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_spelled_exactly_is_refused_with_its_path(
    value: object, holder: Callable[[object], object], path: str
) -> None:
    with pytest.raises(UnserializableArgument) as refused:
        spelled(holder(value))

    assert refused.value.path == path


@pytest.mark.parametrize(
    ("value", "path"),
    [({float("nan"): 1}, "it (key)"), ({"a": {(object(),): 1}}, "it.a (key)[0]"), ([{object()}], "it[0]{}")],
    ids=["key", "part of a key", "item of a set"],
)
def test_keys_and_items_of_sets_are_refused_with_their_paths_too(value: object, path: str) -> None:
    with pytest.raises(UnserializableArgument) as refused:
        spelled(value)

    assert refused.value.path == path


def test_a_refused_secret_does_not_appear_in_the_refusal() -> None:
    with pytest.raises(UnserializableArgument) as refused:
        spelled({"password": Text("hunter2")})

    assert "hunter2" not in str(refused.value)


NESTERS: dict[str, Callable[[object], object]] = {
    "list": lambda inner: [inner],
    "tuple": lambda inner: (inner,),
    "dict": lambda inner: {"a": inner},
    "dataclass": Order,
    "named tuple": lambda inner: Pair(inner, 0),
}  # fmt: skip


@pytest.mark.parametrize("nest", NESTERS.values(), ids=NESTERS)
def test_nesting_is_accepted_to_the_limit_and_refused_past_it(nest: Callable[[object], object]) -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = nest(value)

    assert spelled(value)
    with pytest.raises(UnserializableArgument, match="nested deeper than 32 levels"):
        spelled(nest(value))


def test_a_secret_does_not_get_around_the_limit_of_nesting() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]

    with pytest.raises(UnserializableArgument, match="nested deeper"):
        spelled({"password": value})


def a_list_in_itself() -> object:
    items: list[object] = []
    items.append(items)
    return items


def a_dict_in_itself() -> object:
    pairs: dict[str, object] = {}
    pairs["a"] = [pairs]
    return pairs


def an_object_in_itself() -> object:
    order = Order(0)
    order.item = order
    return order


@pytest.mark.parametrize("make", [a_list_in_itself, a_dict_in_itself, an_object_in_itself])
def test_a_value_that_contains_itself_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UnserializableArgument, match="contains itself"):
        spelled(make())


def test_the_word_behind_an_option_that_names_a_secret_is_hidden() -> None:
    view = View()

    assert shown(["login", "--password", "hunter2", "--user", "ada"], view) == [
        *("login", "--password", REDACTED, "--user", "ada")
    ]
    assert view.redacted == ["it[2]"]
