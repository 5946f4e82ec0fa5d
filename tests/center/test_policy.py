"""The policy: built-in bands and denials, rules from a file, and every way in which a file is refused."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import an_action

from clearance.center.policy import Effect, Policy, PolicyError, Rule, Verdict, load
from clearance.center.records import Stage
from clearance.center.risk import RiskModel


def written(tmp_path: Path, text: str) -> Path:
    """A policy file."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    return file


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
    verdict = Policy().judge(an_action(action_type=action_type))

    assert (verdict.effect, verdict.rule) == (effect, rule)
    assert verdict.reason


@given(st.integers(-1, 100), st.text(max_size=40))
def test_without_a_matching_rule_the_score_alone_decides_between_clearing_and_asking(limit: int, kind: str) -> None:
    action = an_action(action_type=kind)
    score, level, factors = RiskModel().assess(action)

    verdict = Policy(rules=(), clear_up_to=limit).judge(action)

    assert verdict.effect is (Effect.ALLOW if score <= limit else Effect.ASK)
    assert (verdict.risk_score, verdict.risk_level, verdict.factors) == (score, level, factors)


@pytest.mark.parametrize("order", list(itertools.permutations(Effect)), ids=" ".join)
def test_deny_beats_ask_beats_allow_whatever_the_order(order: tuple[Effect, ...]) -> None:
    rules = tuple(Rule(f"{effect}-it", effect, "", {"action_type": "payment.*"}) for effect in order)

    assert Policy(rules).judge(an_action()).effect is Effect.DENY
    without_deny = tuple(rule for rule in rules if rule.then is not Effect.DENY)
    assert Policy(without_deny).judge(an_action()).effect is Effect.ASK


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({"action_type": "payment.*"}, True),
        ({"action_type": "payment"}, False),
        ({"action_type": "PAYMENT.*"}, False),
        ({"action_type": "payment.*", "tool_name": "stripe"}, True),
        ({"action_type": "payment.*", "tool_name": "paypal"}, False),
        ({"agent_id": "billing-???"}, True),
        ({"resource": "order:*"}, True),
        ({"resource": "customer:*"}, False),
    ],
    ids=str,
)
def test_a_rule_fits_when_every_one_of_its_patterns_does(match: dict[str, str], fits: bool) -> None:
    assert Rule("r", Effect.DENY, "", match).matches(an_action(resource="order:1")) is fits


def test_a_rule_about_a_resource_does_not_fit_an_action_without_one() -> None:
    assert not Rule("r", Effect.ALLOW, "", {"resource": "order:*"}).matches(an_action())


def test_a_file_says_all_of_it(tmp_path: Path) -> None:
    policy = load(
        written(
            tmp_path,
            """
            [risk]
            clear_up_to = -1
            [[rules]]
            name = "small-refunds"
            match = { action_type = "payment.refund", tool_name = "stripe" }
            then = "allow"
            [[rules]]
            name = "no-transfers"
            match = { action_type = "*.transfer" }
            then = "deny"
            reason = "Transfers are made by hand."
            """,
        )
    )

    assert policy.judge(an_action()).rule == "small-refunds"
    assert policy.judge(an_action(action_type="order.lookup")).effect is Effect.ASK
    refused = policy.judge(an_action(action_type="money.transfer"))
    assert (refused.effect, refused.rule, refused.reason) == (
        Effect.DENY,
        "no-transfers",
        "Transfers are made by hand.",
    )


def test_an_empty_file_keeps_the_bands_and_has_no_rules(tmp_path: Path) -> None:
    policy = load(written(tmp_path, ""))

    assert (policy.rules, policy.clear_up_to) == ((), 30)


def test_the_version_is_the_digest_of_what_the_file_says(tmp_path: Path) -> None:
    first = load(written(tmp_path, "[risk]\nclear_up_to = 10\n")).version
    again = load(written(tmp_path, "[risk]\nclear_up_to = 10\n")).version
    other = load(written(tmp_path, "[risk]\nclear_up_to = 11\n")).version

    assert first == again != other


RULE = 'name = "r"\nmatch = { action_type = "x.*" }\nthen = "deny"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rulez = []", "unknown key 'rulez'; did you mean 'rules'?"),
        ("zebra = 1", "unknown key 'zebra'; known here: risk, rules."),
        ("risk = 3", "[risk] must be a table."),
        ("[risk]\nclear_upto = 3", "[risk] unknown key 'clear_upto'; did you mean 'clear_up_to'?"),
        ("[risk]\nclear_up_to = 101", "[risk] clear_up_to must be a number from -1 (clear nothing) to 100."),
        ("[risk]\nclear_up_to = -2", "[risk] clear_up_to must be a number"),
        ("[risk]\nclear_up_to = true", "[risk] clear_up_to must be a number"),
        ("[risk]\nclear_up_to = 30.0", "[risk] clear_up_to must be a number"),
        ('[risk]\nclear_up_to = "30"', "[risk] clear_up_to must be a number"),
        ("rules = 3", "write each rule as a [[rules]] table."),
        ("[rules]\n" + RULE, "write each rule as a [[rules]] table."),
        ("rules = [1]", "rule 1 must be a table."),
        ("[[rules]]\n" + RULE + "[[rules]]\n" + RULE.replace("then", "than"), "rule 2: unknown key 'than'; "),
        ("[[rules]]\n" + RULE.replace("then", "than"), "did you mean 'then'?"),
        ("[[rules]]\n" + RULE.replace("action_type", "action_typ"), "rule 1: match: unknown key 'action_typ'; "),
        ("[[rules]]\n" + RULE.replace("action_type", "tool"), "did you mean 'tool_name'?"),
        ("[[rules]]\n" + RULE.replace('"r"', '""'), 'rule 1: give it a name = "...".'),
        ("[[rules]]\n" + RULE.replace('"r"', "3"), 'rule 1: give it a name = "...".'),
        ('[[rules]]\nname = "r"\nthen = "deny"', "rule 1: match needs patterns"),
        ("[[rules]]\n" + RULE.replace('"x.*"', '""'), "rule 1: match needs patterns"),
        ("[[rules]]\n" + RULE.replace('"x.*"', '["x"]'), "rule 1: match needs patterns"),
        ('[[rules]]\nname = "r"\nmatch = "x.*"\nthen = "deny"', "rule 1: match must be a table."),
        ("[[rules]]\n" + RULE.replace('"deny"', '"refuse"'), 'rule 1: then must be "allow", "ask" or "deny".'),
        ("[[rules]]\n" + RULE.replace('"deny"', "[]"), 'rule 1: then must be "allow", "ask" or "deny".'),
        ("[[rules]]\n" + RULE.replace('"deny"', '"Deny"'), "rule 1: then must be"),
        ('[[rules]]\nname = "r"\nmatch = { action_type = "x.*" }', "rule 1: then must be"),
        ("[[rules]]\n" + RULE + "reason = 3", "rule 1: reason must be a text."),
        ("[[rules]]\n" + RULE + "[[rules]]\n" + RULE, "two rules are named 'r'"),
        ("[[rules", "is not TOML: "),
    ],
)
def test_a_file_that_is_not_understood_is_refused_whole_saying_where(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text)

    with pytest.raises(PolicyError) as refused:
        load(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert says in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.toml: cannot be read"):
        load(tmp_path / "nowhere.toml")
    file = tmp_path / "policy.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="is not TOML"):
        load(file)


# Who must agree


def judged(tmp_path: Path, *rules: str) -> Verdict:
    """What a file with these rules says about a refund."""
    file = tmp_path / "policy.toml"
    for_refunds = 'match = { action_type = "payment.*" }'
    file.write_text(
        "".join(f'[[rules]]\nname = "r{number}"\n{for_refunds}\n{rule}\n' for number, rule in enumerate(rules))
    )
    return load(file).judge(an_action())


def test_a_rule_says_how_many_must_agree_and_who(tmp_path: Path) -> None:
    verdict = judged(tmp_path, 'then = "ask"\nquorum = 2\napprovers = ["carol", "dave"]\nescalate_to = ["chief"]')

    assert verdict.stages == (Stage(2, ("carol", "dave")),)
    assert verdict.escalate_to == ("chief",)


def test_a_rule_says_in_which_stages(tmp_path: Path) -> None:
    verdict = judged(tmp_path, 'then = "ask"\nstages = [{ approvers = ["carol"] }, { quorum = 2 }]')

    assert verdict.stages == (Stage(1, ("carol",)), Stage(2))


def test_what_each_of_the_asking_rules_demands_must_be_met(tmp_path: Path) -> None:
    rules = ('then = "ask"\nquorum = 2', 'then = "allow"', 'then = "ask"\napprovers = ["carol"]', 'then = "ask"')

    assert set(judged(tmp_path, *rules).stages) == {Stage(2), Stage(1, ("carol",))}
    assert set(judged(tmp_path, *rules[::-1]).stages) == {Stage(2), Stage(1, ("carol",))}
    assert judged(tmp_path, *rules, 'then = "deny"').stages == ()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('then = "allow"\nquorum = 2', 'only a rule that says then = "ask"'),
        ('then = "deny"\nescalate_to = ["chief"]', 'only a rule that says then = "ask"'),
        ('then = "ask"\nescalate_to = ["chief"]', "none are named"),
        ('then = "ask"\nquorum = 0', "quorum must be a number from 1 to 20"),
        ('then = "ask"\nquorum = 21', "quorum must be a number from 1 to 20"),
        ('then = "ask"\nquorum = true', "quorum must be a number from 1 to 20"),
        ('then = "ask"\nquorum = 3\napprovers = ["carol", "dave"]', "only 2 approvers are named"),
        ('then = "ask"\napprovers = "carol"', "approvers must be a list of names"),
        ('then = "ask"\napprovers = []', "approvers must name somebody"),
        ('then = "ask"\napprovers = ["carol", "carol"]', "nobody twice"),
        ('then = "ask"\nstages = []', "stages is a list of tables"),
        ('then = "ask"\nquorum = 2\nstages = [{ quorum = 1 }]', "takes the place of quorum and approvers"),
        ('then = "ask"\nstages = [1]', "stage 1 must be a table"),
        ('then = "ask"\nstages = [{ quorun = 1 }]', "did you mean 'quorum'?"),
    ],
)
def test_an_agreement_that_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, rule: str, says: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(says)):
        judged(tmp_path, rule)
