"""The private copy: of everything that could change, and of nothing else; each reference where it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from tests.values import identity, values

from clearance.errors import UnserializableArgument
from clearance.snapshot import is_fixed, snapshot


class Basket(Enum):
    """A member that can be changed, and one that cannot."""

    OPEN = ["a"]
    CLOSED = ("a",)


@dataclass
class Order:
    lines: list[str]


def copied(value: Any) -> Any:
    return snapshot("it", value, {})


@given(values)
def test_a_copy_is_the_same_value_unless_it_cannot_be_made(value: object) -> None:
    try:
        found = copied(value)
    except UnserializableArgument:  # a mapping proxy inside an object of a class
        assert "mappingproxy" in repr(value)
    else:
        assert identity(found) == identity(value)


UNCOPIED: list[object] = [None, True, 1, 1.5, 1j, "a", b"a", range(3), date(2026, 1, 1), (), (1, ("a",)), Basket.CLOSED]
FIXED: list[object] = [
    *UNCOPIED,
    *(Decimal(1), Fraction(1), UUID(int=1), PurePosixPath("a"), IPv4Address("10.0.0.1")),
    frozenset({1, frozenset("a")}),
]
NOT_FIXED: list[object] = [[], {}, set(), bytearray(), Order([]), ([],), (1, (2, [3])), Basket.OPEN, object()]


@pytest.mark.parametrize("value", FIXED, ids=repr)
def test_what_nobody_can_change_is_known(value: object) -> None:
    assert is_fixed(value)


@pytest.mark.parametrize("value", NOT_FIXED, ids=repr)
def test_what_somebody_can_change_is_known(value: object) -> None:
    assert not is_fixed(value)


@pytest.mark.parametrize("value", UNCOPIED, ids=repr)
def test_what_nobody_can_change_is_mostly_not_copied(value: object) -> None:
    assert copied(value) is value


def test_a_tuple_is_copied_as_far_as_something_in_it_can_change() -> None:
    inner = (1, 2)
    value = (inner, [inner])

    found = copied(value)

    assert found == value
    assert found is not value
    assert found[1] is not value[1]
    assert found[0] is found[1][0] is inner


def test_a_tuple_that_contains_itself_by_a_list_is_copied_as_it_is() -> None:
    items: list[object] = []
    loop = (items,)
    items.append(loop)

    found = copied(loop)

    assert found[0][0] is found
    assert found is not loop


class OnDemand(Mapping[str, object]):
    """Makes its values as it is asked, each time anew."""

    def __init__(self, make: Callable[[str], object]) -> None:
        self.make = make

    def __getitem__(self, key: str) -> object:
        return self.make(key)

    def __iter__(self) -> Iterator[str]:
        return iter("abcdefgh")

    def __len__(self) -> int:
        return 8


@pytest.mark.parametrize(
    "make",
    [lambda key: [key], lambda key: ([key],), lambda key: {key: [key]}, lambda key: (key, [key], [key, key])],
    ids=["list", "list in a tuple", "dict", "several"],
)
def test_values_that_are_made_on_demand_are_not_taken_for_one_another(make: Callable[[str], object]) -> None:
    """Each is gone once it is copied, and the next may lie at the very address that it had."""
    behind = OnDemand(make)

    assert copied(MappingProxyType(behind)) == dict(behind)


def test_a_mapping_proxy_is_a_view_of_a_copy() -> None:
    behind = {"a": [1]}
    found = copied(MappingProxyType(behind))

    behind["a"].append(2)
    behind["b"] = [3]

    assert type(found) is MappingProxyType
    assert found == {"a": [1]}


class Uncopiable:
    """Refuses to be copied, in its own words."""

    def __deepcopy__(self, _memo: object) -> Uncopiable:
        raise LookupError("hunter2")


@pytest.mark.parametrize("value", [threading.Lock(), Uncopiable(), [Uncopiable()], {"a": (Uncopiable(),)}], ids=repr)
def test_what_cannot_be_copied_is_refused_with_the_cause_and_the_way_out(value: object) -> None:
    with pytest.raises(UnserializableArgument) as refused:
        snapshot("*lines", value, {})

    assert refused.value.path == "*lines"
    assert refused.value.__cause__ is not None
    assert "hunter2" not in str(refused.value)
    assert "opaque=('lines',)" in str(refused.value)
