"""`clearance policy`, and a Center, on a file in Cedar: what works, and what says that it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.center.desks import AGENT, DAVE
from tests.helpers import an_action
from tests.servers import Api, running_center

from clearance.center import policy as policies
from clearance.center import trail
from clearance.center.policy import PolicyError
from clearance.center.records import Role, Submission
from clearance.center.service import Center
from clearance.cli.commands import cli
from clearance.models import Status

EXAMPLE = Path(__file__).parents[2] / "examples" / "policies" / "support-desk.cedar"
BROKEN = '@id("a")\npermit(principal, action, ressource);\n'


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["policy", *arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The working directory is a fresh one for every test."""
    for source in (EXAMPLE, EXAMPLE.with_suffix(".tests.yaml")):
        shutil.copy(source, tmp_path)
    return tmp_path / EXAMPLE.name


@pytest.fixture
def center(tmp_path: Path, file: Path) -> Iterator[Center]:
    found = Center.open(tmp_path / "center.db", file)
    yield found
    found.close()


def test_check_counts_its_policies_or_tells_what_is_wrong(file: Path) -> None:
    assert "can be used: 6 rules, version" in run("check", str(file)).output

    file.write_text(BROKEN)

    assert "support-desk.cedar:2:27: Cedar cannot read this" in run("check", str(file), code=1).stderr


def test_check_names_what_no_guard_uses_but_not_the_groups_that_one_is_in(file: Path) -> None:
    guards = [("order.lookup", "shop"), ("payment.refunds", "stripe"), ("payment.payout", "stripe")]
    records = {f"shop.{name}": {"action_type": name, "tool_name": tool} for name, tool in guards}
    Path("guards.json").write_text(json.dumps(records))

    said = run("check", str(file), "--guards", "guards.json", code=1).stderr.splitlines()

    assert len(said) == 3
    assert said[0].endswith(
        "support-desk.cedar:16:21: no guard has action_type 'payment.refund'; did you mean 'payment.refunds'?"
    )


def test_its_cases_are_run_with_coverage(file: Path) -> None:
    assert run("test", str(file)).output == ("All 10 cases hold.\n6 of 6 rules decided a case.\n")


def test_an_action_is_explained_by_the_policies_that_fit_it(file: Path) -> None:
    Path("action.json").write_text('{"action_type": "payment.payout", "parameters": {"amount": "many"}}')

    said = run("explain", "action.json", "--policy", str(file)).output

    assert said.startswith("deny by no-payouts (policy ")
    assert "yes  the action fits 'forbid (principal, action == Action::\"payment.payout\", resource);'" in said
    assert "?    the action fits" in said
    assert "Cedar says: " in said


def test_diff_says_that_it_is_for_files_of_ours(file: Path) -> None:
    assert "this one is in Cedar. Nothing was compared." in run("diff", str(file), str(file), code=1).stderr


def test_a_center_judges_by_it_keeps_it_and_tells_of_it(center: Center, file: Path) -> None:
    refund = an_action(digest="r", parameters={"amount": -1})
    record = center.do(lambda tx: center.desk.submit(tx, AGENT, Submission(refund, None, None, True)))

    assert (record.status, record.rule) == (Status.DENIED, "no-negative-sums")
    assert record.reason == "A payment of nothing, or of less, is a mistake."
    kept = center.do(lambda tx: tx.policy(center.desk.policy.version))
    assert kept is not None
    assert (kept.format, kept.text) == ("cedar", file.read_text())
    assert trail.verify(center).problem is None


def test_what_it_kept_explains_an_action_and_simulates_another_policy(center: Center, tmp_path: Path) -> None:
    refund = an_action(digest="s", parameters={"amount": 2_000})
    record = center.do(lambda tx: center.desk.submit(tx, AGENT, Submission(refund, None, None, True)))
    assert [stage.quorum for stage in record.stages] == [2]
    other = tmp_path / "other.cedar"
    other.write_text('@id("none") forbid(principal, action, resource);')
    center.close()

    said = run("explain", str(record.id), "--database", str(tmp_path / "center.db")).output
    found = run("simulate", str(other), "--database", str(tmp_path / "center.db")).output

    assert said.startswith("ask by refunds, 2 must agree")
    assert "1 would be refused; it was 0" in found


def test_a_reload_puts_another_in_force_and_a_broken_one_leaves_the_old(center: Center, file: Path) -> None:
    before = center.desk.policy
    file.write_text(BROKEN)
    with pytest.raises(PolicyError, match=":2:27: Cedar cannot read this"):
        center.rollout.reload(lambda _tx: DAVE)
    assert center.desk.policy is before

    file.write_text('@id("none") forbid(principal, action, resource);')
    change = center.rollout.reload(lambda _tx: DAVE)

    assert change.is_new
    refund = an_action(digest="n")
    assert center.do(lambda tx: center.desk.submit(tx, AGENT, Submission(refund, None, None, True))).rule == "none"


def test_no_center_starts_on_one_that_is_broken(tmp_path: Path, file: Path) -> None:
    file.write_text(BROKEN)

    with pytest.raises(PolicyError):
        Center.open(tmp_path / "new.db", file)


def test_the_api_tells_the_policy_in_force_and_what_could_not_be_evaluated(tmp_path: Path, file: Path) -> None:
    with running_center(tmp_path / "center.db", policy=policies.load(file), policy_file=file) as running:
        running.center.rollout.begin()
        with Api(running.url, running.center.create_key(Role.USER, "bot")) as agent:
            assert (
                agent.submit(action_type="payment.refund", tool_name="stripe", action_details={"note": "x"})["status"]
                == "pending_approval"
            )
        with Api(running.url, running.center.create_key(Role.AUDITOR, "ann")) as auditor:
            found = auditor.get("/api/v1/policy").json()

    assert (found["format"], found["text"]) == ("cedar", file.read_text())
    assert found["unclear"] == {"no-negative-sums": 1, "refunds": 1, "large-refunds": 1}
