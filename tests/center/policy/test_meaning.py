"""The engine against a second, slower reading of the same documents; and laws that no policy may break."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.policy import reference
from tests.center.policy.pairs import Tally, action_document, asked, compare, in_short, policy_document, read

from clearance.center.policy import Effect, Policy, Rule

SEEDS = st.integers(0, 2**32)
WIDTH = {Effect.DENY: 0, Effect.ASK: 1, Effect.ALLOW: 2}


def a_policy(dice: Random) -> Policy:
    """A policy that is not refused."""
    while (policy := read(policy_document(dice), "yaml")) is None:
        pass
    return policy


def rules_of(dice: Random, then: Effect, prefix: str) -> tuple[Rule, ...]:
    """The rules of another policy, under other names, that all say this."""
    return tuple(replace(rule, name=f"{prefix}-{rule.name}", then=then) for rule in a_policy(dice).rules)


@given(SEEDS)
def test_the_engine_decides_as_the_reference_says(seed: int) -> None:
    compare(seed, Tally(), actions=5)


@given(SEEDS)
def test_adding_a_deny_never_allows_more(seed: int) -> None:
    dice = Random(seed)
    policy, action = a_policy(dice), asked(action_document(dice))

    more = Policy((*policy.rules, *rules_of(dice, Effect.DENY, "no")), policy.clear_up_to)

    assert WIDTH[more.judge(action).effect] <= WIDTH[policy.judge(action).effect]


@given(SEEDS)
def test_adding_an_allow_never_overrides_a_rule_that_denies_or_asks(seed: int) -> None:
    dice = Random(seed)
    policy, action = a_policy(dice), asked(action_document(dice))
    before = policy.judge(action)

    after = Policy((*policy.rules, *rules_of(dice, Effect.ALLOW, "yes")), policy.clear_up_to).judge(action)

    if before.effect is Effect.DENY or before.rule not in ("no-rule", "risk-ask"):
        assert WIDTH[after.effect] <= WIDTH[before.effect]
        assert set(before.stages) <= set(after.stages)


@given(SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_rules_changes_nothing_but_which_of_them_is_named(seed: int, shuffle: Any) -> None:
    dice = Random(seed)
    policy, action = a_policy(dice), asked(action_document(dice))
    rules = list(policy.rules)
    shuffle.shuffle(rules)

    one, other = policy.judge(action), Policy(rules, policy.clear_up_to).judge(action)

    assert one.effect is other.effect
    assert set(one.stages) == set(other.stages)
    assert set(one.unclear) == set(other.unclear)
    assert (one.decide_within, one.run_within, one.editable) == (
        other.decide_within,
        other.run_within,
        other.editable,
    )


@given(SEEDS)
def test_what_is_hidden_or_missing_never_widens(seed: int) -> None:
    dice = Random(seed)
    policy, action = a_policy(dice), action_document(dice)
    before = policy.judge(asked(action))

    hidden = policy.judge(asked(action | {"redacted": [*action["parameters"], *action["context"]]}))

    if hidden.effect is Effect.ALLOW:
        assert before.effect is Effect.ALLOW


@given(SEEDS)
def test_a_policy_means_the_same_in_yaml_and_in_toml_whatever_the_order_of_its_keys(seed: int) -> None:
    dice = Random(seed)
    document, action = policy_document(dice), asked(action_document(dice))
    turned = json.loads(json.dumps(document), object_pairs_hook=lambda pairs: dict(reversed(pairs)))

    verdicts = [policy.judge(action) for kind in ("yaml", "toml") if (policy := read(document, kind))]
    if (policy := read(turned, "yaml")) is not None:
        verdicts.append(policy.judge(action))

    assert all(in_short(verdict) == in_short(verdicts[0]) for verdict in verdicts)


@pytest.mark.parametrize(
    ("answers", "all_of", "any_of"),
    [
        (["yes", "yes"], "yes", "yes"),
        (["yes", "no"], "no", "yes"),
        (["yes", "who knows"], "who knows", "yes"),
        (["no", "who knows"], "no", "who knows"),
        (["who knows", "who knows"], "who knows", "who knows"),
    ],
)
def test_the_reference_knows_that_a_no_is_a_no_whatever_nobody_knows_of_the_rest(
    answers: list[str], all_of: str, any_of: str
) -> None:
    assert (reference.both(answers), reference.either(answers)) == (all_of, any_of)
