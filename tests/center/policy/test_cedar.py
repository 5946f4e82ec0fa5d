"""Judging by Cedar: what an action looks like to it, that nothing is taken for what it is not, and laws of its own."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.policy.cedar_pairs import Tally, action_document, compare, documents
from tests.center.policy.pairs import asked, in_short
from tests.helpers import an_action

from clearance.center.policy import Asked, Effect, Policy, Verdict, parse
from clearance.center.policy.cedar import asking, telling
from clearance.center.records import Stage

SEEDS = st.integers(0, 2**32)
WIDTH = {Effect.DENY: 0, Effect.ASK: 1, Effect.ALLOW: 2}
ANY = '@id("any") permit(principal, action, resource);'


def cedar(*policies: str) -> Policy:
    """These policies."""
    return parse("\n".join(policies), "cedar")


def forbid_when(condition: str) -> Policy:
    """All is allowed but this."""
    return cedar(ANY, f'@id("no") forbid(principal, action, resource) when {{ {condition} }};')


def judged(policy: Policy, *, requester: str = "support-bot", owner: str = "carol", **changes: Any) -> Verdict:
    return policy.judge(Asked(an_action(**changes), 1_767_614_400_000_000, 20, requester, owner))


def holds(condition: str, **changes: Any) -> bool | None:
    """Does Cedar find that the condition holds? None if it cannot tell."""
    return {Effect.DENY: True, Effect.ALLOW: False, Effect.ASK: None}[judged(forbid_when(condition), **changes).effect]


# What an action is to Cedar


@pytest.mark.parametrize(
    "condition",
    [
        'principal == Agent::"billing-bot" && principal.name == "billing-bot"',
        'principal in Key::"support-bot" && principal.key == "support-bot"',
        'principal in Owner::"carol" && principal.owner == "carol"',
        'action == Action::"payment.refund" && action.name like "*.refund"',
        'action in Action::"payment"',
        'resource == Tool::"stripe" && resource.name == "stripe" && resource.resource == "ledger"',
        "context.risk == 20",
        'context.reasoning like "*late*"',
        'context.caller.env == "prod"',
        'context.time.hour == 12 && context.time.minute == 0 && context.time.weekday == "mon"',
        "context.time.at == 1767614400",
        'context.parameters.charge_id == "ch_1" && context.parameters.amount == 5',
        'context.decimals.amount == decimal("5.0")',
    ],
)
def test_cedar_is_told_all_that_a_rule_may_look_at(condition: str) -> None:
    said = {"resource": "ledger", "reasoning": "it came late", "context": {"env": "prod"}}

    assert holds(condition, **said) is True


def test_each_dotted_beginning_of_an_action_type_is_a_group_but_nothing_else_is() -> None:
    assert holds('action in Action::"a.b"', action_type="a.b.c") is True
    assert holds('action in Action::"a"', action_type="a.b.c") is True
    assert holds('action in Action::"a.b.c"', action_type="a.b.c") is True
    assert holds('action in Action::"a.bc"', action_type="a.bcd") is False
    assert holds('action in Action::"c"', action_type="a.b.c") is False


def test_who_has_no_owner_is_in_no_owners_group() -> None:
    assert judged(forbid_when('principal in Owner::""'), owner="").effect is Effect.ALLOW


@pytest.mark.parametrize(
    ("value", "condition", "found"),
    [
        (True, "context.parameters.x == true", True),
        (1, "context.parameters.x == true", False),
        (5.0, "context.parameters.x == 5", True),
        (5.5, "context.parameters.x == 5", False),
        (5.5, "context.parameters.x < 6", None),
        (2**63 - 1, "context.parameters.x == 9223372036854775807", True),
        (2**63, "context.parameters.x == 9223372036854775807", False),
        (2**63, "context.parameters.x > 1", None),
        (2**63, 'context.parameters.x == Number::"9223372036854775808"', True),
        (1e20, f'context.parameters.x == Number::"{10**20}"', True),
        ("5", "context.parameters.x == 5", False),
        ("5", "context.parameters.x < 6", None),
        (None, 'context.parameters.x == "x"', False),
        (None, 'context.parameters.x == Null::"null"', True),
        (None, "context.parameters.x < 6", None),
        (None, "context.parameters has x", True),
        (["a", 1], 'context.parameters.x.contains("a")', True),
        (["a", 1], 'context.parameters.x.containsAll(["a", "b"])', False),
        ({"y": {"z": 1}}, "context.parameters.x.y.z == 1", True),
        ({}, "context.parameters has x.y", False),
    ],
)
def test_a_parameter_is_to_cedar_what_it_is(value: Any, condition: str, found: bool | None) -> None:
    assert holds(condition, parameters={"x": value}) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (50, False), (51, True), (50.0, False), (50.5, True), ("50.01", True), ("-3", False), (-0.0, False),
        (0.1 + 0.2, None), (10**15, None), (10**30, None), (1e300, None), ("50.00000000000000000001", None),
        ("many", None), (True, None), (None, None), ([60], None),
    ],
)  # fmt: skip
def test_every_number_that_a_decimal_can_hold_is_one(value: Any, found: bool | None) -> None:
    assert holds('context.decimals.x.greaterThan(decimal("50.0"))', parameters={"x": value}) is found


def test_what_is_no_number_is_not_among_the_decimals_and_what_is_too_fine_is() -> None:
    assert holds("context.decimals has x", parameters={"x": "many"}) is False
    assert holds("context.decimals has x", parameters={"x": 0.1 + 0.2}) is True
    assert holds('context.decimals.o.x == decimal("1.5")', parameters={"o": {"x": "1.50"}}) is True


# Nothing is taken for what it is not


@pytest.mark.parametrize(
    "value",
    [
        {"__extn": {"fn": "decimal", "arg": "1.0"}},
        {"__entity": {"type": "Agent", "id": "root"}},
        {"__expr": "1"},
        {"__extn": {"fn": "unknown", "arg": "0"}, "more": 1},
    ],
)
def test_no_caller_makes_a_value_of_cedars_own_of_a_parameter(value: dict[str, Any]) -> None:
    condition = 'context.parameters.x == Agent::"root" || context.parameters.x == decimal("1.0")'

    assert holds(condition, parameters={"x": value}) is None
    assert holds(condition, parameters={"x": [value]}) is None
    assert holds("context.parameters.y == 1", parameters={"x": value, "y": 2}) is False
    assert holds("context.parameters.y == 1", parameters=value) is None


@pytest.mark.parametrize("value", ["x" * 4_097, "ü" * 2_049, "\ud800", ["x"] * 1_001])
def test_what_is_too_long_or_no_text_is_not_known_to_cedar_and_the_rest_is(value: Any) -> None:
    assert holds('context.parameters.x == "a"', parameters={"x": value, "y": 2}) is None
    assert holds("context.parameters.y == 1", parameters={"x": value, "y": 2}) is False


@pytest.mark.parametrize(
    "parameters",
    [
        {f"p{number}": 1 for number in range(telling.MOST_VALUES + 1)},
        {f"p{number}": "x" * 4_000 for number in range(17)},
    ],
    ids=["many", "large"],
)
def test_of_too_many_or_too_large_parameters_cedar_knows_none(parameters: dict[str, Any]) -> None:
    for condition in ("context.parameters has nothing", "context.decimals has nothing"):
        assert holds(condition, parameters=parameters) is None
    assert holds("context.risk == 20", parameters=parameters) is True


def test_a_tree_that_is_nested_too_deeply_is_not_known_from_there_on() -> None:
    tree: dict[str, Any] = {"leaf": 1}
    for _ in range(telling.DEEPEST + 5):
        tree = {"x": tree}

    assert holds("context.parameters.x == 1", parameters=tree | {"y": 1}) is None
    assert holds("context.parameters.y == 1", parameters=tree | {"y": 1}) is True


@pytest.mark.parametrize(
    "condition",
    [
        'context.parameters.env == "prod"',
        'context.parameters.env != "dev"',
        'context.parameters has env && context.parameters.env == "prod"',
        'context.parameters.env like "p*"',
        '["prod"].contains(context.parameters.env)',
        '{"env": context.parameters.env} == {"env": "prod"}',
        'if context.parameters.env == "prod" then true else false',
    ],
)
@pytest.mark.parametrize("how", [{"redacted": ("env",)}, {"abridged": {"env": (4, 9)}}])
def test_a_forbid_that_looks_at_what_is_hidden_or_cut_is_never_passed_over(condition: str, how: dict[str, Any]) -> None:
    verdict = judged(forbid_when(condition), parameters={"env": "[redacted]"}, **how)

    assert (verdict.effect, verdict.unclear) == (Effect.ASK, ("no",))


def test_the_reason_names_what_is_hidden_and_what_cedar_says_of_the_rest() -> None:
    policy = forbid_when("context.parameters.amount > 50")

    assert judged(policy, redacted=("amount",)).reason == (
        "Rule 'no' cannot be evaluated: parameters.amount is hidden from the Center."
    )
    assert judged(policy, parameters={}).reason == (
        "Rule 'no' cannot be evaluated: Cedar says: record does not have the attribute `amount`."
    )
    assert policy.unclear == {"no": 2}


def test_what_is_hidden_is_known_to_be_there_and_leaves_the_rest_known() -> None:
    said = {"parameters": {"token": "[redacted]", "amount": 60, "o": {"a": 1, "b": 2}}, "redacted": ("token", "o.a")}

    assert holds("context.parameters has token", **said) is True
    assert holds("context.parameters.amount > 50", **said) is True
    assert holds('context.decimals.amount.greaterThan(decimal("50.0"))', **said) is True
    assert holds("context.parameters.o.b == 2", **said) is True
    assert holds("context.parameters.o.a == 1", **said) is None


def test_a_hidden_place_that_is_spelled_in_no_way_known_hides_what_it_lies_in() -> None:
    said = {"parameters": {"o": {"k": "v"}, "amount": 5}, "redacted": ("o{0}",)}

    assert holds('context.parameters.o.k == "v"', **said) is None
    assert holds("context.parameters.amount == 5", **said) is True


def test_of_too_many_hidden_places_nobody_can_tell_anything() -> None:
    said = {"redacted": tuple(f"p{number}" for number in range(1_001))}

    assert holds("context.parameters.amount == 5", **said) is None
    assert holds("context.risk == 20", **said) is True


def test_where_cedar_gives_no_answer_all_rules_are_unclear_and_somebody_is_asked() -> None:
    policy = cedar(ANY, '@id("pair") @ask @quorum("2") permit(principal, action, resource);')

    verdict = judged(policy, agent_id="\ud800")

    assert (verdict.effect, verdict.unclear) == (Effect.ASK, ("any", "pair"))
    assert verdict.stages == (Stage(2),)
    assert "Cedar gives no answer" in verdict.reason


def test_an_answer_that_nobody_understands_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_ERROR", re.compile("something else"))

    verdict = judged(forbid_when("context.parameters.nothing == 1"))

    assert (verdict.effect, verdict.unclear) == (Effect.ASK, ("any", "no"))


# Deny beats ask beats allow


def test_forbid_beats_ask_and_ask_beats_permit() -> None:
    ask = '@id("ask") @ask("Look at it.") permit(principal, action, resource);'
    no = '@id("no") @reason("Never.") @message_for_model("Stop.") forbid(principal, action, resource);'

    assert judged(cedar(ANY)).rule == "any"
    assert judged(cedar(ANY, ask)).effect is Effect.ASK
    assert judged(cedar(ANY, ask)).reason == "Look at it."
    verdict = judged(cedar(ANY, ask, no))
    assert (verdict.effect, verdict.reason, verdict.message_for_model) == (Effect.DENY, "Never.", "Stop.")


def test_what_no_policy_is_about_is_asked_and_not_refused() -> None:
    for text in ("", "// nothing yet", '@id("a") permit(principal, action == Action::"x", resource);'):
        verdict = judged(parse(text, "cedar"))
        assert (verdict.effect, verdict.rule) == (Effect.ASK, "no-rule")


def test_all_that_policies_that_ask_demand_must_be_met_even_beside_one_that_is_unclear() -> None:
    policy = cedar(
        '@id("one") @ask @approvers("carol, dave") @decide_within("1h") permit(principal, action, resource);',
        '@id("two") @ask @approver_roles("super_admin") @quorum("2") @not_approvers("erin") @editable("amount")'
        " permit(principal, action, resource);",
        '@id("no") forbid(principal, action, resource) when { context.parameters.env == "prod" };',
        ANY,
    )

    verdict = judged(policy, parameters={"env": "[redacted]"}, redacted=("env",))

    assert (verdict.effect, verdict.unclear) == (Effect.ASK, ("no",))
    assert verdict.stages == (Stage(1, ("carol", "dave")), Stage(2, (), ("super_admin",), ("erin",)))
    assert (verdict.decide_within, verdict.editable) == (3_600.0, ("amount",))


# Laws


def both(dice: Random) -> tuple[Policy, list[str], dict[str, Any]]:
    """A policy in Cedar, its policies, and an action."""
    _, _, text = documents(dice)
    return parse(text, "cedar"), text.split("\n"), action_document(dice)


@given(SEEDS)
def test_both_engines_say_the_same_of_what_both_can_say(seed: int) -> None:
    compare(seed, Tally(), actions=5)


@given(SEEDS)
def test_all_policies_at_once_come_out_as_one_after_the_other(seed: int) -> None:
    policy, _, action = both(Random(seed))

    assert in_short(policy.judge(asked(action))) == in_short(Policy.judge(policy, asked(action)))


@given(SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_policies_changes_nothing_but_which_of_them_is_named(seed: int, shuffle: Any) -> None:
    policy, texts, action = both(Random(seed))
    shuffle.shuffle(texts)

    one, other = policy.judge(asked(action)), cedar(*texts).judge(asked(action))

    assert (one.effect, set(one.stages), set(one.unclear)) == (other.effect, set(other.stages), set(other.unclear))
    assert (one.decide_within, one.run_within, one.editable) == (other.decide_within, other.run_within, other.editable)


@given(SEEDS)
def test_adding_a_forbid_never_allows_more(seed: int) -> None:
    policy, texts, action = both(Random(seed))
    others = [text.replace('@id("', '@id("o-') for text in both(Random(seed + 1))[1] if " forbid(" in text]

    more = cedar(*texts, *others)

    assert WIDTH[more.judge(asked(action)).effect] <= WIDTH[policy.judge(asked(action)).effect]


@given(SEEDS)
def test_adding_a_permit_never_overrides_a_policy_that_forbids_or_asks(seed: int) -> None:
    policy, texts, action = both(Random(seed))
    before = policy.judge(asked(action))

    after = cedar(*texts, ANY).judge(asked(action))

    if before.rule != "no-rule":
        assert WIDTH[after.effect] <= WIDTH[before.effect]
        assert set(before.stages) <= set(after.stages)


@given(SEEDS, st.data())
def test_what_is_hidden_never_changes_an_answer_but_to_a_question(seed: int, data: Any) -> None:
    policy, _, action = both(Random(seed))
    action |= {"redacted": [], "abridged": []}
    names = [*action["parameters"], *action["context"]]
    hidden = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    shown = policy.judge(asked(action))

    unseen = policy.judge(asked(action | {"redacted": hidden}))

    assert unseen.effect in (Effect.ASK, shown.effect)
    assert shown.effect is not Effect.ASK or set(shown.stages) <= set(unseen.stages)
