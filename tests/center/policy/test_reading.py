"""What a policy file says, in TOML as in YAML, and every way in which it is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.center.policies import judged

from clearance.center.policy import Effect, PolicyError, Verdict, load
from clearance.center.records import Stage


def written(tmp_path: Path, text: str) -> Path:
    """A policy file."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    return file


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

    assert judged(policy).rule == "small-refunds"
    assert judged(policy, action_type="order.lookup").effect is Effect.ASK
    refused = judged(policy, action_type="money.transfer")
    assert (refused.effect, refused.rule, refused.reason) == (
        Effect.DENY,
        "no-transfers",
        "Transfers are made by hand.",
    )


def test_an_empty_file_has_no_rules_and_clears_nothing(tmp_path: Path) -> None:
    policy = load(written(tmp_path, ""))

    assert (policy.rules, policy.clear_up_to) == ((), -1)


def test_the_version_is_the_digest_of_what_the_file_says(tmp_path: Path) -> None:
    first = load(written(tmp_path, "[risk]\nclear_up_to = 10\n")).version
    again = load(written(tmp_path, "[risk]\nclear_up_to = 10\n")).version
    other = load(written(tmp_path, "[risk]\nclear_up_to = 11\n")).version

    assert first == again != other


RULE = 'name = "r"\nmatch = { action_type = "x.*" }\nthen = "deny"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rulez = []", ":1:1: unknown key 'rulez' in the file; did you mean 'rules'?"),
        ("zebra = 1", ":1:1: unknown key 'zebra' in the file; known here: limits, risk, rules."),
        ("risk = 3", ":1:8: risk must be a table of keys and values."),
        ("[risk]\nclear_upto = 3", ":2:1: unknown key 'clear_upto' in risk; did you mean 'clear_up_to'?"),
        ("[risk]\nclear_up_to = 101", ":2:15: risk: clear_up_to must be a whole number from -1 to 100."),
        ("[risk]\nclear_up_to = -2", "risk: clear_up_to must be a whole number"),
        ("[risk]\nclear_up_to = true", "risk: clear_up_to must be a whole number"),
        ("[risk]\nclear_up_to = 30.0", "risk: clear_up_to must be a whole number"),
        ('[risk]\nclear_up_to = "30"', "risk: clear_up_to must be a whole number"),
        ("rules = 3", ":1:9: rules must be a list with something in it."),
        ("[rules]\n" + RULE, ":1:1: rules must be a list with something in it."),
        ("rules = [1]", ":1:10: rule 1 must be a table of keys and values."),
        ("[[rules]]\n" + RULE + "[[rules]]\n" + RULE.replace("then", "than"), "unknown key 'than' in rule 2; "),
        ("[[rules]]\n" + RULE.replace("then", "than"), "did you mean 'then'?"),
        (
            "[[rules]]\n" + RULE.replace("action_type", "action_typ"),
            ":3:11: unknown key 'action_typ' in rule 'r': match; did you",
        ),
        ("[[rules]]\n" + RULE.replace("action_type", "tool"), "did you mean 'tool_name'?"),
        ("[[rules]]\n" + RULE.replace('"r"', '""'), ":2:8: name must be a text."),
        ("[[rules]]\n" + RULE.replace('"r"', "3"), ":2:8: name must be a text. Put it in quotes."),
        ('[[rules]]\nname = "r"\nthen = "deny"', ":1:1: rule 'r' has no match; give it one, such as match = "),
        ("[[rules]]\n" + RULE.replace('"x.*"', '""'), "match: action_type must be a text that is not empty."),
        ("[[rules]]\n" + RULE.replace('"x.*"', "[]"), ":3:25: rule 'r': match: action_type must be a list"),
        (
            '[[rules]]\nname = "r"\nmatch = "x.*"\nthen = "deny"',
            ":3:9: rule 'r': match must be a table of keys and values.",
        ),
        ("[[rules]]\n" + RULE.replace('"deny"', '"refuse"'), 'then must be one of "deny", "ask", "allow".'),
        ("[[rules]]\n" + RULE.replace('"deny"', "[]"), 'then must be one of "deny", "ask", "allow".'),
        (
            "[[rules]]\n" + RULE.replace('"deny"', '"Deny"'),
            'then must be one of "deny", "ask", "allow". Did you mean "deny"?',
        ),
        ('[[rules]]\nname = "r"\nmatch = { action_type = "x.*" }', "rule 'r' has no then; give it one"),
        ("[[rules]]\n" + RULE + "reason = 3", ":5:10: rule 'r': reason must be a text. Put it in quotes."),
        ("[[rules]]\n" + RULE + "[[rules]]\n" + RULE, ":5:1: two rules are named 'r' (see line 1)"),
        ("[[rules", ":1:8: this is not TOML: "),
    ],
)
def test_a_file_that_is_not_understood_is_refused_whole_saying_where(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text)

    with pytest.raises(PolicyError) as refused:
        load(file)
    assert str(refused.value).startswith(f"{file}:")
    assert says in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.toml: cannot be read"):
        load(tmp_path / "nowhere.toml")
    file = tmp_path / "policy.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match=r"policy\.toml:1:1: is not UTF-8 text"):
        load(file)


# Who must agree


def judged_by(tmp_path: Path, *rules: str) -> Verdict:
    """What a file with these rules says about a refund."""
    file = tmp_path / "policy.toml"
    for_refunds = 'match = { action_type = "payment.*" }'
    file.write_text(
        "".join(f'[[rules]]\nname = "r{number}"\n{for_refunds}\n{rule}\n' for number, rule in enumerate(rules))
    )
    return judged(load(file))


def test_a_rule_says_how_many_must_agree_and_who(tmp_path: Path) -> None:
    verdict = judged_by(tmp_path, 'then = "ask"\nquorum = 2\napprovers = ["carol", "dave"]\nescalate_to = ["chief"]')

    assert verdict.stages == (Stage(2, ("carol", "dave")),)
    assert verdict.escalate_to == ("chief",)


def test_a_rule_says_in_which_stages(tmp_path: Path) -> None:
    verdict = judged_by(tmp_path, 'then = "ask"\nstages = [{ approvers = ["carol"] }, { quorum = 2 }]')

    assert verdict.stages == (Stage(1, ("carol",)), Stage(2))


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('then = "allow"\nquorum = 2', 'is only for a rule that says then = "ask".'),
        ('then = "deny"\nescalate_to = ["chief"]', 'is only for a rule that says then = "ask".'),
        ('then = "ask"\nescalate_to = ["chief"]', "none are named"),
        ('then = "ask"\nquorum = 0', "quorum must be a whole number from 1 to 20."),
        ('then = "ask"\nquorum = 21', "quorum must be a whole number from 1 to 20."),
        ('then = "ask"\nquorum = true', "quorum must be a whole number from 1 to 20."),
        ('then = "ask"\nquorum = 3\napprovers = ["carol", "dave"]', "only 2 can approve: carol, dave."),
        ('then = "ask"\napprovers = 3', "approvers must name somebody"),
        ('then = "ask"\napprovers = []', "approvers must name somebody"),
        ('then = "ask"\napprovers = ["carol", "carol"]', "approvers names 'carol' twice."),
        ('then = "ask"\nstages = []', "stages must be a list with something in it."),
        (
            'then = "ask"\nquorum = 2\nstages = [{ quorum = 1 }]',
            "stages take the place of quorum; write it into a stage.",
        ),
        ('then = "ask"\nstages = [1]', "stage 1 must be a table of keys and values."),
        ('then = "ask"\nstages = [{ quorun = 1 }]', "did you mean 'quorum'?"),
    ],
)
def test_an_agreement_that_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, rule: str, says: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(says)):
        judged_by(tmp_path, rule)
