"""`clearance policy init`, `check`, `test` and `explain`: what an owner sees at work on a policy."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.center.desks import CAROL, Office
from tests.helpers import an_action

from clearance.center.policy import load
from clearance.center.service import Center
from clearance.center.store.base import Use
from clearance.cli.commands import cli
from clearance.cli.common import opened

BROKEN = "rules:\n- {name: a, macth: {tool_name: x}, then: ask}\n- {name: b, match: {tool_name: x}, then: alow}\n"
POLICY = """
risk: {clear_up_to: 10}
rules:
- {name: small, match: {action_type: payment.refund, parameters.amount: {le: 50}}, then: allow}
- {name: large, match: {action_type: payment.refund, parameters.amount: {gt: 50}}, then: ask}
"""
REFUND = "{name: a refund, action: {action_type: payment.refund, parameters: {amount: 60}}"


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["policy", *arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The working directory is a fresh one for every test."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path / "policy.yaml"


# init


def test_what_init_writes_passes_check_and_test_with_full_coverage() -> None:
    assert "policy.yaml, and its cases: policy.tests.yaml" in run("init").output
    assert "can be used: 6 rules" in run("check", "policy.yaml").output
    assert run("test", "policy.yaml", "--require-coverage").output == (
        "All 9 cases hold.\n6 of 6 rules decided a case.\n"
    )


def test_init_writes_over_nothing(file: Path) -> None:
    assert "is there already" in run("init", str(file), code=1).stderr
    assert file.read_text() == POLICY


# check


def test_check_prints_all_problems_as_a_center_would() -> None:
    Path("policy.yaml").write_text(BROKEN)
    said = run("check", "policy.yaml", code=1).stderr
    assert "policy.yaml:2:13: unknown key 'macth'" in said
    assert "policy.yaml:3:42:" in said
    assert 'Did you mean "allow"?' in said


def test_check_names_what_no_guard_uses(file: Path) -> None:
    record = {"action_type": "payment.refunds", "tool_name": "stripe"}
    Path("guards.json").write_text(json.dumps({"shop.refund": record}))

    said = run("check", str(file), "--guards", "guards.json", code=1).stderr

    assert "policy.yaml:4:38: no guard has action_type 'payment.refund'; did you mean 'payment.refunds'?" in said
    Path("guards.json").write_text("[]")
    assert "no snapshot of guards" in run("check", str(file), "--guards", "guards.json", code=1).stderr


def test_nothing_in_a_file_acts_on_the_terminal() -> None:
    Path("policy.yaml").write_text('"\\u001b[2J\\u202e": 1\n')
    assert not {"\x1b", "\u202e"} & set(run("check", "policy.yaml", code=1).output)


# test


def test_a_case_that_fails_is_told_with_what_came_instead_and_why(file: Path) -> None:
    file.with_suffix(".tests.yaml").write_text(f"cases:\n- {REFUND}, expect: allow, by: small}}\n")

    said = run("test", str(file), code=1).output.splitlines()

    assert said == [
        f"FAILED: a refund ({file.with_suffix('.tests.yaml')}:2)",
        "  expected allow, but it is ask by large",
        "  large matched: action_type glob 'payment.refund'; parameters.amount gt 50",
        "  small nearly matched, but not: parameters.amount le 50",
        "0 of 1 cases hold.",
        "1 of 2 rules decided a case; never: small.",
    ]


def test_coverage_fails_only_where_it_is_required(file: Path) -> None:
    Path("other.yaml").write_text(f"cases:\n- {REFUND}, expect: ask}}\n")

    assert "1 of 2 rules decided a case; never: small." in run("test", str(file), "other.yaml").output
    found = json.loads(run("test", str(file), "other.yaml", "--require-coverage", "--json", code=1).output)

    assert (found["failed"], found["rules"], found["never"]) == (0, 2, ["small"])
    assert found["cases"][0] | {"line": 2, "passed": True, "effect": "ask", "rule": "large"} == found["cases"][0]


def test_without_cases_nothing_is_tested_and_that_is_a_failure(file: Path) -> None:
    assert "policy.tests.yaml: cannot be read" in run("test", str(file), code=1).stderr


# explain


def test_an_action_of_a_file_is_explained(file: Path) -> None:
    Path("action.json").write_text('{"action_type": "payment.refund", "parameters": {"amount": 60}}')

    said = run("explain", "action.json", "--policy", str(file)).output
    found = json.loads(run("explain", "action.json", "--policy", str(file), "--json").output)

    assert said.startswith(f"ask by large, 1 must agree (policy {load(file).version})\n")
    assert "Nearly matched, but for one condition:\n  small (allow, line 4)\n" in said
    assert "    no   parameters.amount le 50\n" in said
    assert "Risk 50:\n  +50  action type: 'refund' moves money\n" in said
    assert [each["rule"] for each in found["matched"]] == ["large"]
    assert found["nearly"][0]["conditions"][1] == {"condition": "parameters.amount le 50", "holds": False, "why": ""}


def test_what_could_not_be_told_is_explained(file: Path) -> None:
    Path("action.yaml").write_text("action_type: payment.refund\nredacted: [amount]\nparameters: {amount: 1}\n")
    said = run("explain", "action.yaml", "--policy", str(file)).output
    assert "    ?    parameters.amount le 50: parameters.amount is hidden from the Center\n" in said


def test_a_recorded_action_is_explained_by_the_policy_that_judged_it(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "center.db"
    Center.open(database, file).close()
    office = Office(database, load(file))
    record = office.submit(an_action(parameters={"amount": 60}))
    office.close()
    Path("other.yaml").write_text("rules:\n- {name: none, match: {tool_name: stripe}, then: deny}\n")

    said = run("explain", str(record.id), "--database", str(database)).output
    other = run("explain", str(record.id), "--database", str(database), "--policy", "other.yaml").output

    assert said.startswith("ask by large")
    assert "never cleared for exactly this before" in said
    assert other.startswith("deny by none")
    assert "There is no action 99" in run("explain", "99", "--database", str(database), code=1).stderr


def test_an_action_whose_policy_is_not_kept_needs_one_named(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "center.db"
    office = Office(database, load(file))
    record = office.submit()
    office.close()
    said = run("explain", str(record.id), "--database", str(database), code=1).stderr
    assert "which is not kept" in said
    assert "--policy FILE" in said


def test_explain_says_what_it_lacks(file: Path) -> None:
    assert "--database DATABASE" in run("explain", "17", code=2).stderr
    assert "--policy FILE" in run("explain", "action.json", code=2).stderr
    assert "cannot be read" in run("explain", "action.json", "--policy", str(file), code=1).stderr


# simulate


def test_a_policy_is_simulated_over_what_was_asked_and_nothing_is_written(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "center.db"
    office = Office(database, load(file))
    office.clock.now = time.time_ns() // 1_000
    cleared, old = office.submit(an_action(parameters={"amount": 6})), office.submit(an_action(tool_name="old"))
    asked = office.submit(an_action(parameters={"amount": 60}, digest="other"))
    entries = office.do(lambda tx: tx.audit_length())
    office.close()
    Path("new.yaml").write_text(POLICY.replace("50", "5") + "- {name: gone, match: {tool_name: old}, then: deny}\n")

    lines = run("simulate", "new.yaml", "--database", str(database)).output.splitlines()
    found = json.loads(run("simulate", "new.yaml", "--database", str(database), "--json", "--since", "1d").output)

    assert lines[1:] == [
        "  1 would be refused; it was 0",
        "  2 would ask a person, 2 a day; it was 1",
        "  0 would be cleared without a person; it was 2",
        "1 tool makes 90 % of the asking: stripe (2)",
        "Would ask a person, and was cleared by the policy: 1",
        f"  {cleared.id}  payment.refund (stripe): by large, it was small",
        "Would be refused, and was cleared by the policy: 1",
        f"  {old.id}  payment.refund (old): by gone, it was small",
    ]
    assert lines[0].startswith("3 actions in 1.0 days")
    assert (found["actions"], found["now"]["ask"], found["was"]["ask"]) == (3, 2, 1)
    assert [each["actions"][0]["id"] for each in found["changes"]] == [cleared.id, old.id]
    assert asked.id not in {each["id"] for change in found["changes"] for each in change["actions"]}
    with opened(str(database), Use.READ) as center:
        assert center.do(lambda tx: tx.audit_length()) == entries


# diff


def test_what_changes_is_told_with_an_example_and_that_it_is_a_search(file: Path) -> None:
    Path("new.yaml").write_text(POLICY.replace("50", "40"))

    said = run("diff", str(file), "new.yaml").output
    found = json.loads(run("diff", str(file), "new.yaml", "--json").output)

    assert "payment.refund with amount 50: allow (small) -> ask (large)  and " in said
    assert "This is a search, not a proof." in said
    (change,) = [each for each in found["changes"] if each["after"]["rule"] == "large"]
    assert change["action"]["parameters"] == {"amount": 50}
    Path("action.json").write_text(json.dumps(change["action"]))
    assert run("explain", "action.json", "--policy", "new.yaml").output.startswith("ask by large")
    assert "No action was found" in run("diff", str(file), str(file)).output


# limits over time


LIMITED = (
    POLICY
    + "limits:\n- {name: five a day, match: {action_type: payment.refund}, calls: 5, within: 24h, then: deny}\n"
    + "- {name: much, match: {action_type: payment.refund}, sum: parameters.amount, at_most: 90, within: 1h, "
    + "then: ask}\n"
)
SMALL = "action_type: payment.refund, parameters: {amount: 6}"


def test_limits_are_checked_tested_and_compared_as_rules_are(file: Path) -> None:
    Path("limited.yaml").write_text(LIMITED)
    cases = f"cases:\n- {{name: full, action: {{{SMALL}, used: {{five a day: 5}}}}, expect: deny, by: five a day}}\n"
    Path("limited.tests.yaml").write_text(cases)

    assert "can be used: 2 rules and 2 limits over time, version" in run("check", "limited.yaml").output
    assert run("test", "limited.yaml").output == (
        "All 1 cases hold.\n1 of 4 rules and limits decided a case; never: small, large, much.\n"
    )
    Path("limited.tests.yaml").write_text(cases.replace("day: 5", "day: 4"))
    assert "  Limit 'five a day': 4 of 5 calls in 24h are used." in run("test", "limited.yaml", code=1).output
    Path("other.yaml").write_text(LIMITED.replace("calls: 5", "calls: 6").replace("1h", "2h"))
    said = run("diff", "limited.yaml", "other.yaml").output
    assert "with 5 used of limit 'five a day': deny (five a day) -> " in said
    assert "limit 'much' counts parameters.amount in 1h per key -> parameters.amount in 2h per key\n" in said
    found = json.loads(run("diff", "limited.yaml", "other.yaml", "--json").output)
    assert found["counting"]
    change = next(each for each in found["changes"] if each["before"]["rule"] == "five a day")
    Path("action.json").write_text(json.dumps(change["action"]))
    assert run("explain", "action.json", "--policy", "limited.yaml").output.startswith("deny by five a day")


def test_how_much_is_used_of_each_limit_is_explained_and_simulated(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "center.db"
    Path("limited.yaml").write_text(LIMITED)
    Center.open(database, "limited.yaml").close()
    office = Office(database, load(Path("limited.yaml")))
    office.clock.now = time.time_ns() // 1_000
    *_, record = [office.submit(an_action(parameters={"amount": 6}, digest=f"d-{number}")) for number in range(6)]
    office.close()

    said = run("explain", str(record.id), "--database", str(database)).output
    found = json.loads(run("explain", str(record.id), "--database", str(database), "--json").output)
    Path("other.yaml").write_text(LIMITED.replace("five a day", "a few"))
    other = run("explain", str(record.id), "--database", str(database), "--policy", "other.yaml").output
    simulated = run("simulate", "limited.yaml", "--database", str(database)).output

    assert said.startswith("deny by five a day (policy ")
    assert "  Limit 'five a day': 5 of 5 calls in 24h are used. There is no room for it.\n" in said
    assert (
        "  Limit 'much': 30 of 90 of parameters.amount in 1h are used, and this call takes 6. There is room for it.\n"
    ) in said
    assert [(each["limit"], each["used"], each["over"]) for each in found["limits"]] == [
        ("five a day", "5", True),
        ("much", "30", False),
    ]
    assert "  a few: what was used of it then is not kept; counted as nothing\n" in other
    assert "  1 would be refused; it was 1\n" in simulated
    assert "Limits are counted from the first of these actions on" in simulated


# suggest


def test_what_people_always_cleared_is_printed_as_a_policy_that_passes_check(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "center.db"
    office = Office(database, load(file))
    office.clock.now = time.time_ns() // 1_000
    for number in range(5):
        office.approve(office.submit(an_action(parameters={"amount": 60 + number}, digest=f"d-{number}")))
    office.deny(office.submit(an_action(parameters={"amount": 60}, agent_id="other")), CAROL)
    office.close()

    said = run("suggest", "--database", str(database)).output
    Path("suggested.yaml").write_text(said)

    assert "can be used: 1 rule," in run("check", "suggested.yaml").output
    assert '"parameters[\\"amount\\"]": {"ge": 60, "le": 64}' in said.replace("ge:", '"ge":').replace("le:", '"le":')
    assert "# No rule for 1 kinds of calls: it was refused or taken back" in said
    assert 'no effect while these ask about it: "large"' in said
    assert run("suggest", "--database", str(database), "--least", "6").output.endswith("rules: []\n")


def test_the_schema_is_printed_as_it_is_shipped() -> None:
    printed = run("schema").output

    assert json.loads(printed)["title"].startswith("A policy of a Clearance")
