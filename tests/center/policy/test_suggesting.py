"""Rules from what people decided: what they clear, and how much they never do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import an_action

from clearance.center.policy import Asked, Effect, Policy, parse
from clearance.center.policy.suggesting import Suggesting, yaml_of
from clearance.center.records import Record, Vote
from clearance.models import Status

numbers = itertools.count(1)
VOTE = Vote(0, "admin-1", "carol", 1)


A_RECORD = Record(
    action=an_action(),
    requester="agent-1",
    requester_name="billing",
    created_at=1,
    decide_by=2,
    correlation_id="c",
    policy_version="v",
)


def a_record(status: Status = Status.COMPLETED, votes: tuple[Vote, ...] = (VOTE,), **changes: Any) -> Record:
    """A refund that a person cleared, or what it is changed to."""
    more: dict[str, Any] = {name: changes.pop(name) for name in ("edits", "rule", "requester_name") if name in changes}
    kept: dict[str, Any] = {"requester_name": "billing", "rule": "no-rule", **more}
    number = next(numbers)
    return replace(
        A_RECORD, action=an_action(**changes), id=number, created_at=number, status=status, votes=votes, **kept
    )


def cleared(*amounts: Any) -> list[Record]:
    return [a_record(parameters={"amount": amount}) for amount in amounts]


def policy_of(*records: Record) -> Policy:
    """What is proposed after these, read as a policy file."""
    suggesting = Suggesting()
    for record in records:
        suggesting.add(record)
    return parse(yaml_of(suggesting.suggestions()))


def allows(policy: Policy, record: Record) -> bool:
    return policy.judge(Asked.again(record, 0)).effect is Effect.ALLOW


def test_what_was_cleared_five_times_is_proposed_and_four_times_is_not() -> None:
    assert allows(policy_of(*cleared(*[5] * 5)), a_record(parameters={"amount": 5}))
    assert policy_of(*cleared(*[5] * 4)).rules == ()


def test_numbers_are_cleared_within_what_was_cleared() -> None:
    policy = policy_of(*cleared(10, 12.5, 30, 11, 20))
    for amount, within in ((9.99, False), (10, True), (30, True), (30.01, False)):
        assert allows(policy, a_record(parameters={"amount": amount})) is within


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_id": "other"},
        {"action_type": "payment.refund.x"},
        {"tool_name": "stripes"},
        {"resource": "account:1"},
        {"requester_name": "other"},
        {"parameters": {"to": "eve", "items": [1, 2], "deep": {"a.b": True}}},
        {"parameters": {"to": "ada*", "items": [1, 2], "deep": {"a.b": True}}},
        {"parameters": {"to": "ada", "items": [1, 2, 3], "deep": {"a.b": True}}},
        {"parameters": {"to": "ada", "items": [1], "deep": {"a.b": True}}},
        {"parameters": {"to": "ada", "items": [1, 2], "deep": {"a.b": False}}},
        {"parameters": {"to": "ada", "items": [1, 2], "deep": {"a": {"b": True}}}},
        {"parameters": {"to": "ada", "items": [1, 2]}},
        {"redacted": ("to",)},
    ],
)
def test_nothing_else_is_cleared(changes: dict[str, Any]) -> None:
    same: dict[str, Any] = {"parameters": {"to": "ada", "items": [1, 2], "deep": {"a.b": True}}}
    policy = policy_of(*(a_record(**same) for _ in range(5)))

    assert allows(policy, a_record(**same))
    assert not allows(policy, a_record(**{**same, **changes}))


@pytest.mark.parametrize(
    "spoiling",
    [
        lambda: a_record(Status.DENIED, ()),
        lambda: a_record(Status.REVOKED),
        lambda: a_record(Status.UNKNOWN),
        lambda: a_record(edits={"amount": 3}),
        lambda: a_record(parameters={"charge_id": "ch_2", "amount": 5}),
        lambda: a_record(parameters={"charge_id": "ch_1", "amount": 5, "more": 1}),
        lambda: a_record(parameters={"charge_id": "ch_1"}),
        lambda: a_record(parameters={"charge_id": "ch_1", "amount": True}),
        lambda: a_record(redacted=("amount",)),
        lambda: a_record(abridged={"charge_id": (1, 2)}),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_one_that_was_refused_or_differs_spoils_it_whenever_it_came(
    spoiling: Callable[[], Record], first: bool
) -> None:
    records = [a_record() for _ in range(9)]
    assert policy_of(*records).rules
    records.insert(0 if first else 9, spoiling())
    assert policy_of(*records).rules == ()


@pytest.mark.parametrize("value", [None, {}, [], {"a": None}, float("inf"), "\ud800", list(range(100))])
def test_what_no_condition_can_hold_fast_is_never_proposed(value: Any) -> None:
    assert policy_of(*cleared(*[value] * 9)).rules == ()


def test_what_only_the_policy_or_time_decided_counts_for_nothing() -> None:
    records = [a_record(votes=()) for _ in range(9)] + [a_record(Status.EXPIRED, ()) for _ in range(9)]
    assert policy_of(*records).rules == ()
    assert policy_of(*(a_record(Status.PENDING) for _ in range(9))).rules == ()


def test_a_rule_that_would_still_ask_is_told_of() -> None:
    suggesting = Suggesting()
    for _ in range(5):
        suggesting.add(a_record(rule="large\n- x"))
    assert '# Ask beats allow, so this has no effect while these ask about it: "large\\n- x"' in yaml_of(
        suggesting.suggestions()
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(texts, texts.filter(bool), st.lists(st.one_of(st.booleans(), st.integers(-99, 99), texts), min_size=1))
def test_whatever_was_cleared_is_cleared_by_the_rule_and_its_text_passes_check(
    text: str, name: str, items: list[Any]
) -> None:
    changes: dict[str, Any] = {"tool_name": text, "resource": text, "parameters": {name: text, f"{name}x": items}}
    policy = policy_of(*(a_record(**changes) for _ in range(5)))
    assert allows(policy, a_record(**changes))
    assert not allows(policy, a_record(**{**changes, "tool_name": f"{text}x"}))
