"""What a rule may ask of a value: it matches, or says why not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.models import Json
from clearance.redaction import REDACTED
from clearance.testing import Matcher
from clearance.testing.matchers import (
    anything,
    between,
    containing,
    hidden,
    matching,
    of_type,
    one_of,
    over,
    under,
    wanted,
)

MATCHES: list[tuple[Any, Json]] = [
    (5, 5),
    (Decimal("4.90"), "4.90"),
    (date(2024, 1, 2), "2024-01-02"),
    ((1, "a"), [1, "a"]),
    ({"a": [1]}, {"a": [1]}),
    (lambda value: value > 3, 5),
    (under(6), 5),
    (under(6), "5.5"),
    (over(4), 5),
    (between(5, 5), 5),
    (one_of(4, Decimal("5")), "5"),
    (containing("b"), "abc"),
    (containing(2), [1, 2]),
    (containing("key"), {"key": 1}),
    (matching(r"^ch_\d+$"), "ch_1"),
    (of_type(int), 5),
    (anything, None),
    (hidden, REDACTED),
]


@pytest.mark.parametrize(("what", "value"), MATCHES)
def test_what_matches_has_nothing_against_it(what: Any, value: Json) -> None:
    assert wanted(what).why_not(value) == ""


def accepted(value: Any) -> bool:
    return bool(value == 1)


MISSES: list[tuple[Any, Json, str]] = [
    (5, 6, "is 6, not 5"),
    (1, True, "is True, not 1 (bool, not int)"),
    (1.0, 1, "is 1, not 1.0 (int, not float)"),
    ([1, [True]], [1, [1]], "is [1, [1]], not [1, [True]] (other types inside)"),
    ("hunter2", REDACTED, "is hidden from approvers, so that no rule can go by it (write matchers.hidden)"),
    (accepted, 5, "is 5, not what accepted accepts"),
    (lambda value: 1, 5, "is 5, not what <lambda> accepts"),
    (lambda value: value["x"], 5, "is 5, of which what <lambda> accepts cannot be told (TypeError)"),
    (under(6), 6, "is 6, not under 6"),
    (under(6), True, "is True, of which under 6 cannot be told (TypeError)"),
    (over(4), "four", "is 'four', of which over 4 cannot be told (ValueError)"),
    (between(1, 3), 4, "is 4, not between 1 and 3"),
    (one_of(4, "5"), 5, "is 5, not one of 4, '5'"),
    (containing("b"), "ac", "is 'ac', not containing 'b'"),
    (matching("^ch"), 5, "is 5, of which matching '^ch' cannot be told (TypeError)"),
    (of_type(int), True, "is True, not of type int"),
    (hidden, "seen", "is 'seen', not hidden from approvers"),
]


@pytest.mark.parametrize(("what", "value", "why"), MISSES)
def test_what_does_not_match_says_why(what: Any, value: Json, why: str) -> None:
    assert wanted(what).why_not(value) == why


def test_a_long_value_is_told_in_part() -> None:
    assert len(wanted("a").why_not("b" * 10_000)) < 300


def test_a_matcher_of_ones_own_says_what_it_wants() -> None:
    class Even(Matcher):
        def __repr__(self) -> str:
            return "even"

        def why_not(self, value: Json) -> str:
            return "" if isinstance(value, int) and value % 2 == 0 else f"is {value!r}, not even"

    assert wanted(Even()).why_not(3) == "is 3, not even"
    with pytest.raises(NotImplementedError):
        Matcher().why_not(1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(json_values, json_values)
def test_a_plain_value_matches_itself_and_nothing_that_is_spelled_otherwise(one: Any, other: Any) -> None:
    assert wanted(one).why_not(one) == ""
    if repr(one) == repr(other):
        assert wanted(one).why_not(other) == ""
    elif one != other:
        assert wanted(one).why_not(other)
