"""Cases beside the rules: what they hold a policy against, what they say where it differs, and every slip in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clearance.center.policy import Policy, PolicyError, cases, parse, starting
from clearance.center.policy import load as load_policy
from clearance.center.policy.cases import Report

POLICY = """
rules:
- {name: small, match: {action_type: payment.refund, parameters.amount: {le: 50}}, then: allow}
- {name: large, match: {action_type: payment.refund, parameters.amount: {gt: 50}}, then: ask, stages: [
    {approvers: [carol, dave], quorum: 2}, {approvers: {roles: [super_admin], not: [erin]}}]}
- {name: office, match: {action_type: mail.send, time: {hours: "09:00-17:00"}}, then: allow}
- {name: never, match: {requester: mallory, owner: eve, risk: {ge: 90}}, then: deny}
"""


def read(tmp_path: Path, text: str) -> tuple[Policy, tuple[cases.Case, ...]]:
    file = tmp_path / "policy.tests.yaml"
    file.write_text(text)
    policy = parse(POLICY)
    return policy, cases.load_cases(file, policy)


def report(tmp_path: Path, *entries: str) -> Report:
    lines = [f"- {{name: c{number}, {entry}}}" for number, entry in enumerate(entries)]
    return cases.run(*read(tmp_path, "cases:\n" + "\n".join(lines)))


def refund(amount: object) -> str:
    return f"action: {{action_type: payment.refund, parameters: {{amount: {amount}}}}}"


def test_cases_hold_where_the_policy_says_what_they_say(tmp_path: Path) -> None:
    stages = "[{approvers: [carol, dave], quorum: 2}, {approvers: {roles: [super_admin], not: [erin]}}]"
    found = report(
        tmp_path,
        f"{refund(50)}, expect: allow, by: small",
        f"{refund(51)}, expect: ask, by: large, quorum: 3, stages: {stages}",
        "action: {action_type: mail.send}, expect: allow, by: office",
        'action: {action_type: mail.send, at: "2026-01-05T18:00:00+00:00"}, expect: ask, by: no-rule, quorum: 1',
        "action: {action_type: a, requester: mallory, owner: eve, risk: 90}, expect: deny, by: never",
    )

    assert not found.failed
    assert found.never == ()


def test_a_rule_that_decides_no_case_is_told(tmp_path: Path) -> None:
    found = report(tmp_path, f"{refund(50)}, expect: allow")
    assert (found.rules, found.never) == (4, ("large", "office", "never"))


def test_a_rule_that_could_not_be_told_has_decided_nothing(tmp_path: Path) -> None:
    action = "action: {action_type: payment.refund, parameters: {amount: 51}, redacted: [amount]}"
    found = report(tmp_path, f"{action}, expect: ask, quorum: 3")
    assert not found.failed
    assert "large" in found.never


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        (f"{refund(51)}, expect: allow", "expected allow, but it is ask by large"),
        (f"{refund(50)}, expect: allow, by: office", "expected allow by office, but it is by small"),
        (f"{refund(51)}, expect: ask, quorum: 2", "expected that 2 must agree, but it is 3"),
        (
            f"{refund(51)}, expect: ask, stages: [{{quorum: 2}}]",
            "expected 2 of any approver, but it is 2 of carol, dave then 1 of any super_admin, not erin",
        ),
    ],
)
def test_what_came_instead_is_told(tmp_path: Path, entry: str, wrong: str) -> None:
    (failed,) = report(tmp_path, entry).failed
    assert failed.wrong == (wrong,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "1:1: the file has no cases"),
        ("cases: []", "1:8: cases must be a list with something in it."),
        ("case: []", "1:1: unknown key 'case' in the file; did you mean 'cases'?"),
        ("cases:\n- name: a", "2:3: case 'a' has no action"),
        ("cases:\n- 3", "2:3: case 1 must be a table"),
        ("cases:\n- {name: a, action: {action_type: b}, expect: alow}", 'Did you mean "allow"?'),
        ("cases:\n- {name: a, action: {action_tipe: b}, expect: ask}", "2:22: unknown key 'action_tipe'"),
        ("cases:\n- {name: a, action: {agent_id: b}, expect: ask}", "has no action_type"),
        ("cases:\n- {name: a, action: {action_type: b}, expect: ask, by: smal}", "did you mean 'small'?"),
        ("cases:\n- {name: a, action: {action_type: b}, expect: deny, quorum: 2}", "quorum is only for a case"),
        ("cases:\n- {name: a, action: {action_type: b}, expect: ask, stages: [{quorun: 2}]}", "'quorum'?"),
        ("cases:\n- {name: a, action: {action_type: b, at: noon}, expect: ask}", "2:42: case 'a': action: at must be"),
        ('cases:\n- {name: a, action: {action_type: b, at: "2026-01-05T12:00"}, expect: ask}', "with its zone"),
        ("cases:\n- {name: a, action: {action_type: b, risk: 101}, expect: ask}", "from 0 to 100"),
        ("cases:\n- {name: a, action: {action_type: b, parameters: 3}, expect: ask}", "must be a table"),
        (
            "cases:\n- {name: a, action: {action_type: b}, expect: ask}\n"
            "- {name: a, action: {action_type: b}, expect: ask}",
            "3:3: two cases are named 'a' (see line 2)",
        ),
        ("cases: [", "this is not YAML"),
    ],
)
def test_a_slip_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(says)):
        read(tmp_path, text)


def test_the_slips_of_all_cases_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as wrong:
        read(tmp_path, "cases:\n- {name: a}\n- {name: b, action: {action_type: c}, expect: x}")
    assert {line.split(":")[1] for line in str(wrong.value).splitlines()} == {"2", "3"}


def test_cases_can_be_written_in_toml_or_json(tmp_path: Path) -> None:
    policy = parse(POLICY)
    (tmp_path / "a.toml").write_text('[[cases]]\nname = "a"\nexpect = "ask"\naction = { action_type = "b" }\n')
    (tmp_path / "a.json").write_text('{"cases": [{"name": "a", "expect": "ask", "action": {"action_type": "b"}}]}')

    for name in ("a.toml", "a.json"):
        assert not cases.run(policy, cases.load_cases(tmp_path / name, policy)).failed
    with pytest.raises(PolicyError, match="cannot be read"):
        cases.load_cases(tmp_path / "b.yaml", policy)
    with pytest.raises(PolicyError, match="must end in"):
        cases.load_cases(tmp_path / "b.txt", policy)


def test_the_policy_to_start_from_holds_all_its_cases_and_they_reach_each_rule(tmp_path: Path) -> None:
    policy_file, cases_file = starting.write(tmp_path / "mine.yaml")
    policy = load_policy(policy_file)

    found = cases.run(policy, cases.load_cases(cases_file, policy))

    assert not found.failed
    assert (found.never, found.rules) == ((), 6)


@pytest.mark.parametrize("there", ["mine.yaml", "mine.tests.yaml"])
def test_what_is_there_is_never_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")

    with pytest.raises(PolicyError, match="is there already"):
        starting.write(tmp_path / "mine.yaml")

    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_policy_to_start_from_is_yaml_and_goes_where_it_can(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"ends in \.yaml"):
        starting.write(tmp_path / "mine.toml")
    with pytest.raises(PolicyError, match="cannot be written"):
        starting.write(tmp_path / "nowhere" / "mine.yaml")
