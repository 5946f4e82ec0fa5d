"""What changes from one policy to another, and what the search for it draws from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.center.policies import saying

from clearance.center.policy import Effect, Policy, parse, spaces
from clearance.center.policy.comparing import Comparison, compare, in_words

OLD = "match: {action_type: payment.refund, tool_name: stripe, parameters.amount: {le: 50}}, then: allow"


def found(old: str, new: str) -> list[tuple[str, str, str]]:
    """Each change: its example, what was said, what is said."""
    changes = compare(saying(old), saying(new), 3_000).changes
    return [(in_words(each.example), each.before.effect.value, each.after.effect.value) for each in changes]


def test_a_bound_that_is_lower_is_found_between_the_two() -> None:
    (change,) = found(OLD, OLD.replace("50", "40"))
    assert change == ("payment.refund by stripe with amount 50", "allow", "ask")


def test_the_same_policy_changes_nothing() -> None:
    assert compare(saying(OLD), saying(OLD)).changes == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tool_name: stripe", "tool_name: strip"),
        ("tool_name: 'str*'", "tool_name: 'stri*'"),
        ("tool_name: [a, b]", "tool_name: [a, b, c]"),
        ("tool_name: {ne: a}", "tool_name: {ne: b}"),
        ("agent_id: a", "agent_id: b"),
        ("resource: {contains: prod}", "resource: prod"),
        ("requester: a", "requester: b"),
        ("owner: a", "owner: b"),
        ("reasoning: {present: true}", "tool_name: a"),
        ("parameters.a: 3", "parameters.a: {in: [3, 4]}"),
        ("parameters.a: true", "parameters.a: false"),
        ("parameters.a: {gt: 0.5}", "parameters.a: {ge: 0.5}"),
        ("parameters: {'a.b[1]': 3}", "parameters: {'a.b[0]': 3}"),
        ("parameters.a: {contains: prod}", "parameters.a: {contains: live}"),
        ("context.a: 3", "parameters.a: 3"),
        ("parameters.a: {regex: '^abc$'}", "parameters.a: {regex: '^abcd$'}"),
        ("risk: {ge: 50}", "risk: {ge: 49}"),
        ("time: {hours: '09:00-17:00'}", "time: {hours: '09:00-17:30'}"),
        ("time: {days: mon-fri}", "time: {days: mon-sat}"),
        ("time: {hours: '09:00-17:00'}", "time: {hours: '09:00-17:00', zone: Europe/Berlin}"),
        ("any: [{tool_name: a}, {agent_id: b}]", "any: [{tool_name: a}, {agent_id: c}]"),
        ("not: {tool_name: a}", "not: {tool_name: b}"),
        ("all: [{tool_name: a}, {agent_id: b}]", "tool_name: a"),
    ],
)
def test_a_change_in_any_kind_of_condition_is_found(before: str, after: str) -> None:
    assert found(f"match: {{{before}}}, then: deny", f"match: {{{after}}}, then: deny")


def test_a_change_in_who_must_agree_is_found() -> None:
    rule = "match: {action_type: a.b}, then: ask"
    (change,) = compare(saying(rule), saying(f"{rule}, quorum: 2"), 500).changes
    assert [stage.quorum for stage in change.after.stages] == [2]


def test_a_change_of_what_the_risk_clears_is_found() -> None:
    old, new = parse("risk: {clear_up_to: 20}"), parse("risk: {clear_up_to: 30}")
    (change,) = compare(old, new, 100).changes
    assert (change.before.rule, change.after.rule, change.is_wider) == ("risk-ask", "risk-clear", True)


def test_what_gets_easier_comes_first() -> None:
    old = saying("match: {tool_name: a}, then: deny", "match: {tool_name: b}, then: allow")
    new = saying("match: {tool_name: a}, then: allow", "match: {tool_name: b}, then: deny")
    changes = compare(old, new).changes
    assert [each.is_wider for each in changes] == sorted((each.is_wider for each in changes), reverse=True)
    assert changes[0].after.effect is Effect.ALLOW


def told(comparison: Comparison) -> list[tuple[str, int]]:
    return [(in_words(each.example), each.count) for each in comparison.changes]


def test_the_search_is_the_same_every_time_and_another_with_another_seed() -> None:
    old, new = saying(OLD), saying(OLD.replace("stripe", "stripes"))
    assert told(compare(old, new, 500)) == told(compare(old, new, 500))

    def drawn(seed: int) -> list[object]:
        return list(spaces.draw((old, new), 60, seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_patterns_that_nothing_is_drawn_from_are_counted() -> None:
    assert compare(saying("match: {tool_name: {regex: '^[0-9]{3}$'}}, then: deny"), Policy()).undrawn == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(-1_000, 1_000), st.integers(-1_000, 1_000))
def test_two_bounds_that_differ_are_always_told_apart(one: int, other: int) -> None:
    rule = "rules: [{{name: a, match: {{parameters.n: {{lt: {}}}}}, then: deny}}]"
    changes = compare(parse(rule.format(one)), parse(rule.format(other)), 300).changes
    assert bool(changes) is (one != other)


def test_no_more_are_tried_than_asked_for() -> None:
    assert compare(saying(OLD), saying(OLD), 7).tried == 7
