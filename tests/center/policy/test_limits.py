"""Limits over time as the policy reads them: what they are about, what a call takes, and the laws that they keep."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.policy.pairs import action_document, asked, in_short
from tests.center.policy.test_meaning import SEEDS, WIDTH, a_policy, rules_of
from tests.helpers import an_action

from clearance.center.policy import Asked, Effect, Policy, PolicyError, Rule, Verdict, parse
from clearance.center.policy.conditions import parameter
from clearance.center.policy.limits import LARGEST_SUM, Charge, Limit, Per

CALLS = "limits:\n- {name: five, match: {action_type: payment.refund}, calls: 5, within: 24h, then: deny}\n"
SUM = (
    "limits:\n- {name: much, match: {tool_name: stripe}, sum: 'parameters.order.lines[0].amount', at_most: 0.5, "
    "within: 1h30m, per: all, then: ask, quorum: 2, reason: It is much.}\n"
)


def the_limit(text: str) -> Limit:
    (limit,) = parse(text).limits
    return limit


def as_limit(rule: Rule, **more: Any) -> Limit:
    """The rule as a limit."""
    of_rule = {field.name: getattr(rule, field.name) for field in fields(Rule)}
    return Limit(**of_rule, **{"at_most": 3, "within": 60.0, "within_said": "1m", **more})


def limits_of(dice: Random, **more: Any) -> tuple[Limit, ...]:
    """Limits about what rules of another policy are about."""
    rules = (*rules_of(dice, Effect.DENY, "no"), *rules_of(dice, Effect.ASK, "ask"))
    return tuple(as_limit(rule, **more) for rule in dice.sample(rules, dice.randint(1, len(rules))))


def with_limits(policy: Policy, limits: tuple[Limit, ...]) -> Policy:
    return Policy(policy.rules, policy.clear_up_to, limits=limits)


def where(used: int | None, policy: Policy, action: Asked, dice: Random) -> Verdict:
    """What it says where so much is used of each limit; None for anything."""
    charges = policy.charges(action)
    return policy.judge(
        action, tuple(replace(each, used=dice.randint(0, 6) if used is None else used) for each in charges)
    )


# Reading


def test_a_limit_says_what_it_counts_for_how_long_and_whose() -> None:
    calls, much = the_limit(CALLS), the_limit(SUM)

    assert (calls.at_most, calls.within, calls.per, calls.amount, calls.then) == (5, 86_400, Per.KEY, None, Effect.DENY)
    assert (much.at_most, much.within, much.per, much.then) == (500_000, 5_400, Per.ALL, Effect.ASK)
    assert (much.stages[0].quorum, much.reason) == (2, "It is much.")
    assert much.amount is not None
    assert much.amount.name == "parameters.order.lines[0].amount"


def test_a_limit_can_be_written_in_toml() -> None:
    text = '[[limits]]\nname = "five"\nmatch = { action_type = "payment.refund" }\ncalls = 5\nwithin = "24h"\n'
    (limit,) = parse(f'{text}then = "deny"\n', "toml").limits

    assert limit.kept_as == the_limit(CALLS).kept_as
    assert parse("limits: []").limits == ()


def test_uses_are_kept_under_the_name_and_what_is_counted() -> None:
    limit = the_limit(CALLS)

    assert limit.kept_as == the_limit(CALLS.replace("calls: 5", "calls: 9").replace("24h", "1h")).kept_as
    other = CALLS.replace("calls: 5", "sum: parameters.amount, at_most: 5")
    assert len({limit.kept_as, the_limit(other).kept_as, the_limit(CALLS.replace("five", "six")).kept_as}) == 3


def test_a_key_and_an_agent_can_not_be_taken_for_others() -> None:
    key, agent = the_limit(CALLS), the_limit(CALLS.replace("within", "per: agent, within"))

    assert key.subject("k", "a") == key.subject("k", "b") != key.subject("l", "a")
    assert len({agent.subject(*who) for who in [("k", "a"), ("k", "b"), ("l", "a"), ("ka", ""), ("", "ka")]}) == 5
    assert all(len(limit.subject("0123456789abcdef", "x" * 200)) <= 32 for limit in (key, agent))


def test_what_limits_may_take_of_a_decision_is_bounded_like_that_of_rules() -> None:
    glob = "*" + "a*" * 20
    entries = [
        f"- {{name: l{number}, match: {{resource: '{glob}{number}'}}, calls: 1, within: 1h, then: deny}}"
        for number in range(90)
    ]

    with pytest.raises(PolicyError, match=r"policy:2:1: one action may take .* steps to judge"):
        parse("limits:\n" + "\n".join(entries))
    with pytest.raises(PolicyError, match="there are 101 limits; 100 is the most"):
        parse("limits:\n" + "- {name: a, match: {tool_name: a}, calls: 1, within: 1h, then: ask}\n" * 101)


ONE = "{name: one, match: {tool_name: a}, calls: 5, within: 1h, then: ask}"


@pytest.mark.parametrize(
    ("changes", "is_void"),
    [
        ({}, True),
        ({"calls: 5": "calls: 6"}, True),
        ({"calls: 5": "calls: 4"}, False),
        ({"then: ask": "then: deny"}, False),  # the one that asks is void then, and told so
        ({"then: ask": "then: deny", "calls: 5": "calls: 6"}, False),
        ({"then: ask": "then: ask, quorum: 2", "calls: 5": "calls: 6"}, False),
        ({"within: 1h": "within: 60m"}, True),
        ({"within: 1h": "within: 2h", "calls: 5": "calls: 6"}, False),
        ({"within": "per: all, within"}, False),
        ({"within": "per: key, within"}, True),
        ({"tool_name: a": "tool_name: b"}, False),
        ({"calls: 5": "sum: parameters.amount, at_most: 9"}, False),
    ],
    ids=str,
)
def test_a_limit_that_another_leaves_no_use_for_is_refused(changes: dict[str, str], is_void: bool) -> None:
    other = ONE.replace("name: one", "name: other")
    for before, after in changes.items():
        other = other.replace(before, after)
    try:
        parse(f"limits:\n- {ONE}\n- {other}\n")
    except PolicyError as error:
        told = str(error)
    else:
        told = ""

    assert ("limit 'other' has no effect: limit 'one' in line 2" in told) is is_void
    assert ("limit 'one' has no effect" in told) is (changes in ({"calls: 5": "calls: 4"}, {"then: ask": "then: deny"}))


# What a call takes


@given(st.one_of(st.integers(0, 10**45), st.decimals(0, 10**15, allow_nan=False), st.floats(0, allow_infinity=False)))
def test_an_amount_is_taken_exactly_rounded_up_to_a_millionth_and_cut_above_the_largest(amount: Any) -> None:
    shown = f"{amount:f}" if isinstance(amount, Decimal) else amount
    policy = parse(CALLS.replace("calls: 5", "sum: parameters.amount, at_most: 1"))

    (charge,) = policy.charges(Asked(an_action(parameters={"amount": shown})))

    if isinstance(shown, str) and any(len(part) > 40 for part in shown.split(".")):
        assert charge.takes is None  # no numeral that conditions read
        return
    exact = Fraction(repr(amount)) if isinstance(amount, float) else Fraction(amount)
    assert charge.takes == min(math.ceil(exact * 10**6), LARGEST_SUM * 10**6 + 1)
    assert charge.is_over is (exact > 1)


@pytest.mark.parametrize(
    ("used", "takes", "said"),
    [
        (
            5_000_000,
            1,
            "Limit 'much': 5 of 1,000,000 of parameters.amount in 1h are used, and this call takes 0.000001.",
        ),
        (
            1_234_500_000,
            10**12,
            "Limit 'much': 1,234.5 of 1,000,000 of parameters.amount in 1h are used, and this call takes 1,000,000.",
        ),
    ],
)
def test_how_much_is_used_is_said_in_the_units_of_the_file(used: int, takes: int, said: str) -> None:
    rule = replace(the_limit(CALLS), name="much", then=Effect.ASK)
    limit = as_limit(rule, at_most=10**12, within_said="1h", amount=parameter("parameters", ("amount",)))

    assert Charge(limit, takes, used=used).said == said


# Laws


@given(SEEDS)
def test_a_limit_never_allows_more(seed: int) -> None:
    dice = Random(seed)
    policy, action = a_policy(dice), asked(action_document(dice))
    limited = with_limits(policy, limits_of(dice))

    for used in (None, 0, 3, 10**9):
        assert WIDTH[where(used, limited, action, dice).effect] <= WIDTH[policy.judge(action).effect]


@given(SEEDS)
def test_a_limit_without_room_says_what_a_rule_in_its_place_would(seed: int) -> None:
    dice = Random(seed)
    policy, action, limits = a_policy(dice), asked(action_document(dice)), limits_of(dice)

    found = where(3, with_limits(policy, limits), action, dice)

    assert in_short(found) == in_short(Policy((*policy.rules, *limits), policy.clear_up_to).judge(action))


@given(SEEDS)
def test_a_limit_with_room_says_nothing(seed: int) -> None:
    dice = Random(seed)
    policy, action = a_policy(dice), asked(action_document(dice))
    limits = tuple(each for each in limits_of(dice) if each.test(action) is not None)

    assert where(2, with_limits(policy, limits), action, dice) == policy.judge(action)


@given(SEEDS)
def test_a_limit_that_cannot_be_evaluated_asks_at_least_and_never_denies(seed: int) -> None:
    dice = Random(seed)
    policy, action = a_policy(dice), asked(action_document(dice) | {"redacted": ["amount"], "abridged": []})
    limits = limits_of(dice, amount=parameter("parameters", ("amount",)))

    verdict = where(10**9, with_limits(policy, limits), action, dice)

    about_it = [limit.name for limit in limits if limit.test(action) is not False]
    assert verdict.unclear[len(verdict.unclear) - len(about_it) :] == tuple(about_it)
    before = policy.judge(action).effect
    assert verdict.effect is (before if before is not Effect.ALLOW or not about_it else Effect.ASK)


@given(SEEDS)
def test_their_order_never_matters(seed: int) -> None:
    dice = Random(seed)
    policy, action, limits = a_policy(dice), asked(action_document(dice)), limits_of(dice)
    used = {limit.name: dice.randint(0, 6) for limit in limits}

    def decided(order: list[Limit]) -> tuple[Any, ...]:
        limited = with_limits(policy, tuple(order))
        charges = tuple(replace(each, used=used[each.limit.name]) for each in limited.charges(action))
        verdict = limited.judge(action, charges)
        who = (verdict.effect, frozenset(verdict.stages), frozenset(verdict.escalate_to), frozenset(verdict.unclear))
        return (*who, verdict.decide_within, verdict.run_within, verdict.editable)

    assert decided(list(limits)) == decided(dice.sample(limits, len(limits)))


def test_without_being_told_what_is_used_nothing_is() -> None:
    policy = parse("risk: {clear_up_to: 100}\n" + CALLS)
    action = Asked(an_action())

    assert policy.judge(action).effect is Effect.ALLOW
    assert policy.judge(Asked(an_action(action_type="other.action")), ()).effect is Effect.ALLOW
    (charge,) = policy.charges(action)
    assert policy.judge(action, (replace(charge, used=5),)).effect is Effect.DENY
