"""How risky an action looks: named factors, and the bands they add up to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import an_action

from clearance.center.risk import BANDS, assess, level_of
from clearance.models import Json

json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0, "low"),
        (30, "low"),
        (31, "medium"),
        (60, "medium"),
        (61, "high"),
        (85, "high"),
        (86, "critical"),
        (100, "critical"),
    ],
)
def test_a_score_falls_into_its_band(score: int, level: str) -> None:
    assert level_of(score) == level


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({"action_type": "order.lookup"}, 10),
        ({"action_type": "mail.send"}, 40),
        ({"action_type": "quantum.frobnicate"}, 50),
        ({"action_type": "payment.refund"}, 55),
        ({"action_type": "db.migrate"}, 60),
        ({"action_type": "customer.delete"}, 85),
        ({"action_type": "list_and_delete"}, 85),
        ({"action_type": "PAYMENT.REFUND"}, 55),
        ({"action_type": "undeleted"}, 50),
        ({"parameters": {"amount": 999.99}}, 55),
        ({"parameters": {"amount": 1_000}}, 70),
        ({"parameters": {"amount": "10000.00"}}, 85),
        ({"parameters": {"amount": -20_000}}, 85),
        ({"parameters": {"amount": 1, "total": 5_000}}, 70),
        ({"parameters": {"amount": True}}, 55),
        ({"parameters": {"amount": "a lot"}}, 55),
        ({"parameters": {"amount": "NaN"}}, 55),
        ({"parameters": {"amount": [50_000]}}, 55),
        ({"resource": "db:production"}, 70),
        ({"resource": "db:reproduction"}, 55),
        ({"context": {"env": "PROD"}}, 70),
        ({"context": {"env": ["prod"]}}, 55),
        ({"action_type": "x.delete", "parameters": {"amount": 10_000}, "resource": "live"}, 100),
    ],
    ids=str,
)
def test_the_score_is_the_sum_of_what_is_known_to_be_risky(changes: dict[str, Any], score: int) -> None:
    found = assess(an_action(**changes))

    assert found.score == score
    assert found.score == min(100, sum(factor.points for factor in found.factors))
    assert all(factor.reason for factor in found.factors)


@given(st.text(), st.dictionaries(st.text() | st.just("amount"), json_values, max_size=4), st.text(), json_values)
def test_whatever_an_agent_sends_there_is_a_score_in_a_band(
    action_type: str, parameters: dict[str, Json], resource: str, value: Json
) -> None:
    action = an_action(action_type=action_type, parameters=parameters, resource=resource, context={"env": value})

    found = assess(action)

    assert 0 <= found.score <= 100
    assert found.level in dict(BANDS)


@given(st.floats(min_value=0, max_value=1e12), st.floats(min_value=0, max_value=1e12))
def test_more_money_is_never_less_risky(one: float, other: float) -> None:
    less, more = (assess(an_action(parameters={"amount": amount})).score for amount in sorted((one, other)))

    assert less <= more
