"""What a policy decides: the built-in one, and how rules count together."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.policies import a_rule, judged, saying
from tests.helpers import an_action

from clearance.center.policy import Effect, Policy, built_in
from clearance.center.records import Stage
from clearance.center.risk import RiskModel

DAY = 24 * 3600 * 1_000_000


@pytest.mark.parametrize(
    ("action_type", "effect", "rule"),
    [
        ("order.lookup", Effect.ALLOW, "risk-clear"),
        ("users.list", Effect.ALLOW, "risk-clear"),
        ("payment.refund", Effect.ASK, "risk-ask"),
        ("order.delete", Effect.ASK, "risk-ask"),
        ("something.unheard.of", Effect.ASK, "risk-ask"),
        ("customer.drop", Effect.DENY, "deny-drop"),
        ("disk.wipe", Effect.DENY, "deny-wipe"),
        ("audit.read", Effect.DENY, "deny-audit"),
        ("audit.delete", Effect.DENY, "deny-audit"),
    ],
)
def test_the_built_in_policy_clears_reading_asks_for_the_rest_and_never_drops(
    action_type: str, effect: Effect, rule: str
) -> None:
    verdict = judged(built_in(), action_type=action_type)

    assert (verdict.effect, verdict.rule) == (effect, rule)
    assert verdict.reason


@given(st.integers(-1, 100), st.text(max_size=40))
def test_without_a_matching_rule_the_score_alone_decides_between_clearing_and_asking(limit: int, kind: str) -> None:
    score = RiskModel().assess(an_action(action_type=kind)).score

    verdict = judged(Policy((), clear_up_to=limit), action_type=kind)

    assert verdict.effect is (Effect.ALLOW if score <= limit else Effect.ASK)


def test_where_nothing_is_said_of_risk_and_no_rule_matches_a_person_is_asked() -> None:
    verdict = judged(saying("match: {action_type: order.*}, then: allow"), action_type="users.list")

    assert (verdict.effect, verdict.rule) == (Effect.ASK, "no-rule")


def test_two_stages_alike_in_one_rule_want_two_people_and_two_rules_that_want_the_same_want_it_once() -> None:
    twice = "match: {risk: {ge: 0}}, then: ask, stages: [{approvers: carol}, {approvers: carol}]"
    once = "match: {risk: {ge: 0}}, then: ask, approvers: carol"
    too = once.replace("risk", "action_type").replace("ge: 0", "contains: pay")
    carol = Stage(1, ("carol",))

    assert judged(saying(twice)).stages == (carol, carol)
    assert judged(saying(once, too)).stages == (carol,)
    assert judged(saying(too, twice)).stages == judged(saying(twice, too)).stages == (carol, carol)


@pytest.mark.parametrize("order", list(itertools.permutations(Effect)), ids=" ".join)
def test_deny_beats_ask_beats_allow_whatever_the_order(order: tuple[Effect, ...]) -> None:
    rules = tuple(a_rule(f"{effect}-it", effect) for effect in order)

    assert judged(Policy(rules)).effect is Effect.DENY
    without_deny = tuple(rule for rule in rules if rule.then is not Effect.DENY)
    assert judged(Policy(without_deny)).effect is Effect.ASK


def test_a_rule_that_cannot_be_evaluated_asks_whatever_it_says_and_is_named_and_counted() -> None:
    for then in ("allow", "deny"):
        policy = saying(f"match: {{action_type: payment.*, parameters: {{total: {{gt: 5}}}}}}, then: {then}")
        verdict = judged(policy)

        assert (verdict.effect, verdict.unclear) == (Effect.ASK, ("r0",))
        assert verdict.reason == "Rule 'r0' cannot be evaluated: parameters.total is not there."
        assert policy.unclear == {"r0": 1}


def test_what_an_asking_rule_that_cannot_be_evaluated_demands_must_be_met() -> None:
    policy = saying(
        "match: {action_type: payment.*, parameters: {total: {gt: 5}}}, then: ask, quorum: 2",
        "match: {action_type: payment.*}, then: ask, reason: Payments are looked at.",
    )

    verdict = judged(policy)

    assert (verdict.rule, verdict.reason) == ("r1", "Payments are looked at.")
    assert verdict.stages == (Stage(2),)


def test_a_deny_stands_whatever_cannot_be_evaluated() -> None:
    policy = saying(
        "match: {parameters: {total: {gt: 5}}}, then: allow",
        "match: {action_type: payment.*}, then: deny",
    )

    assert (judged(policy).effect, judged(policy).unclear) == (Effect.DENY, ("r0",))


def test_what_each_of_the_asking_rules_demands_must_be_met() -> None:
    rules = [
        "match: {action_type: payment.*}, then: ask, quorum: 2, decide_within: 10m, editable: [amount, note]",
        "match: {tool_name: stripe}, then: allow, run_within: 1s",
        "match: {agent_id: b*}, then: ask, approvers: carol, decide_within: 5m, run_within: 1h, editable: [amount]",
        "match: {parameters: {amount: 5}}, then: ask",
    ]

    for order in (rules, rules[::-1]):
        verdict = judged(saying(*order))
        assert set(verdict.stages) == {Stage(2), Stage(1, ("carol",))}
        assert (verdict.decide_within, verdict.run_within, verdict.editable) == (300.0, 3600.0, ("amount",))
    assert judged(saying(*rules, "match: {risk: {ge: 0}}, then: deny")).stages == ()


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("action_type: payment.*", True),
        ("action_type: payment", False),
        ("action_type: PAYMENT.*", False),
        ("action_type: [order.*, payment.*]", True),
        ("action_type: payment.*, tool_name: stripe", True),
        ("action_type: payment.*, tool_name: paypal", False),
        ('agent_id: "billing-???"', True),
        ('resource: "order:*"', True),
        ('resource: "customer:*"', False),
        ("resource: {present: true}", True),
        ("reasoning: {present: true}", False),
        ("reasoning: {present: false}", True),
        ("requester: billing", True),
        ("requester: {ne: billing}", False),
        ("risk: {ge: 100}", False),
        ("parameters: {amount: 5}", True),
        ("parameters.amount: 5.0", True),
        ("parameters.amount: true", False),
        ("parameters.amount: {gt: 4.99, le: 5}", True),
        ("parameters.amount: {in: [1, 5]}", True),
        ("parameters.price: {lt: 20}", True),
        ("parameters.price: {eq: 19.9}", True),
        ("parameters.price: {ge: 19.91}", False),
        ("parameters: {charge_id: {glob: ch_*}}", True),
        ('parameters: {charge_id: {regex: "^ch_[0-9]+$"}}', True),
        ("parameters: {charge_id: {contains: h_}}", True),
        ("parameters: {charge_id: {eq: ch_*}}", False),
        ("parameters: {tags: {contains: urgent}}", True),
        ("parameters: {tags: {contains: 3}}", False),
        ("parameters: {order: {contains: lines}}", True),
        ('parameters: {"order.lines[0].sku": s-1}', True),
        ('parameters: {"order.lines[1].sku": {present: false}}', True),
        ('"parameters.order.lines[0].sku": {ne: s-1}', False),
        ("not: {parameters.amount: 5}", False),
        ("any: [{tool_name: paypal}, {parameters.amount: 5}]", True),
        ("all: [{tool_name: paypal}, {parameters.amount: 5}]", False),
        ("context: {env: staging}", True),
        ("time: {days: thu}", True),
        ('time: {hours: "09:00-17:00"}', False),
        ('time: {hours: "22:00-06:00"}', True),
        ('time: {hours: "09:00-17:00", zone: Asia/Tokyo}', True),
        ("time: {days: [fri-sun]}", False),
    ],
    ids=str,
)
def test_a_rule_fits_when_every_one_of_its_conditions_does(match: str, fits: bool) -> None:
    parameters = {
        "charge_id": "ch_1",
        "amount": 5,
        "price": "19.90",
        "tags": ["urgent", True],
        "order": {"lines": [{"sku": "s-1"}]},
    }
    # 1970 began on a Thursday, at midnight in UTC and at nine in Tokyo.
    verdict = judged(
        saying(f"match: {{{match}}}, then: deny"),
        requester="billing",
        resource="order:1",
        parameters=parameters,
        context={"env": "staging"},
    )

    assert verdict.unclear == ()
    assert verdict.effect is (Effect.DENY if fits else Effect.ASK)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("parameters.total: 5", "parameters.total is not there"),
        ("parameters.total: {gt: 0, le: 50}", "parameters.total is not there"),
        ("parameters.charge_id: {gt: 5}", "parameters.charge_id is too long, or of a kind that cannot be compared so"),
        ("parameters.amount: {glob: 5*}", "parameters.amount is too long, or of a kind that cannot be compared so"),
        ("parameters.amount: {contains: 5}", "parameters.amount is too long, or of a kind that cannot be compared so"),
        ("parameters.card: {ne: x}", "parameters.card is hidden from the Center"),
        ("parameters.card.number: {ne: x}", "parameters.card.number is not there"),
        ("parameters.text: {contains: x}", "parameters.text is shown only in part"),
        ("context.env: prod", "context.env is not there"),
        ("reasoning: {contains: x}", "reasoning is not there"),
        ("not: {parameters.total: 5}", "parameters.total is not there"),
    ],
)
def test_nobody_can_tell_of_what_is_missing_hidden_cut_or_of_another_kind(condition: str, why: str) -> None:
    verdict = judged(
        saying(f"match: {{{condition}}}, then: deny"),
        parameters={"charge_id": "ch_1", "amount": 5, "card": "[redacted]", "text": "a… [1 of 9 characters shown]"},
        redacted=("card",),
        abridged={"text": (1, 9)},
    )

    assert (verdict.effect, verdict.unclear) == (Effect.ASK, ("r0",))
    assert verdict.reason == f"Rule 'r0' cannot be evaluated: {why}."
