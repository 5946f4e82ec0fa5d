"""Why a policy says what it says: what matched, what nearly did, and what could not be told."""

from __future__ import annotations

from tests.center.policies import saying
from tests.helpers import an_action

from clearance.center.policy import Asked, Effect
from clearance.center.policy.explaining import Explanation, explain, in_words


def told(*rules: str, **changes: object) -> Explanation:
    return explain(saying(*rules), Asked(an_action(**changes)))


def names(rules: tuple[object, ...]) -> list[str]:
    return [each.rule.name for each in rules]  # type: ignore[attr-defined]


def test_what_matched_what_nearly_did_and_what_was_far_are_told_apart() -> None:
    found = told(
        "match: {action_type: 'payment.*', parameters.amount: {le: 5}}, then: ask",
        "match: {action_type: 'payment.*', parameters.amount: {gt: 5}}, then: deny",
        "match: {action_type: 'mail.*'}, then: deny",
        "match: {action_type: 'mail.*', tool_name: smtp}, then: deny",
    )

    assert (found.verdict.effect, found.verdict.rule) == (Effect.ASK, "r0")
    assert (names(found.matched), names(found.nearly), found.unclear) == (["r0"], ["r1"], ())
    assert [each.said for each in found.nearly[0].missed] == ["parameters.amount gt 5"]


def test_conditions_within_all_count_one_by_one() -> None:
    rule = "match: {all: [{action_type: 'payment.*'}, {tool_name: smtp}]}, then: deny"
    assert names(told(rule).nearly) == ["r0"]


def test_what_could_not_be_told_is_told_with_its_reason() -> None:
    found = told(
        "match: {action_type: 'payment.*', parameters.amount: {gt: 5}}, then: allow",
        parameters={"amount": 6},
        redacted=("amount",),
    )

    assert names(found.unclear) == ["r0"]
    assert [each.why for each in found.unclear[0].unclear] == ["parameters.amount is hidden from the Center"]
    assert found.verdict.effect is Effect.ASK


def test_a_group_is_told_with_its_parts() -> None:
    found = told("match: {any: [{action_type: 'payment.*'}, {not: {tool_name: smtp}}]}, then: ask")
    (condition,) = found.matched[0].conditions
    assert in_words(condition) == (
        "any of (all of (action_type glob 'payment.*'); all of (not (tool_name glob 'smtp')))"
    )
