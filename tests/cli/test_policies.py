"""`clearance policy`: reloading, the history, and the text of what was in force, at a terminal and by a signal."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.servers import Api, CenterProcess, Running, center_process, running_center

from clearance.center import policy
from clearance.center.records import Role
from clearance.center.service import Center
from clearance.center.store.base import Use
from clearance.cli.commands import cli

FIRST = "[risk]\nclear_up_to = 30\n"
SECOND = "# größer\r\n[risk]\r\nclear_up_to = -1\r\n"


def version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "policy.toml"
    found.write_bytes(FIRST.encode())
    return found


@pytest.fixture
def running(tmp_path: Path, file: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db", policy=policy.load(file), policy_file=file) as running:
        running.center.rollout.begin()
        yield running


@pytest.fixture
def chief(running: Running) -> str:
    """A file with the settings of a super admin."""
    return running.env_file(running.center.create_key(Role.SUPER_ADMIN, "dave"))


# clearance policy reload


def test_a_reload_says_what_is_in_force_now_and_what_was(file: Path, chief: str) -> None:
    assert "as before" in run("policy", "reload", "--env-file", chief).output
    file.write_bytes(SECOND.encode())

    said = run("policy", "reload", "--env-file", chief).output

    assert said == (
        f"Policy {version(SECOND)} is in force instead of {version(FIRST)}. "
        "Approvals from before can no longer be claimed.\n"
    )
    assert json.loads(run("policy", "reload", "--env-file", chief, "--json").output)["changed"] is False


def test_a_file_with_a_mistake_is_printed_whole_and_nothing_is_reloaded(
    running: Running, file: Path, chief: str
) -> None:
    file.write_text('[[rules]]\nname = "a"\nmacth = { action_type = "*" }\nthen = "ask"\n')
    with pytest.raises(policy.PolicyError) as wrong:
        policy.load(file)

    refused = run("policy", "reload", "--env-file", chief, code=1)

    assert "the old one stays in force" in refused.stderr
    assert str(wrong.value) in refused.stderr
    assert running.center.desk.policy.version == version(FIRST)


def test_nothing_in_the_file_acts_on_the_terminal(file: Path, chief: str) -> None:
    file.write_text('[[rules]]\nname = "a"\n"\\u001b[2J\\n\u202e" = 1\n')

    refused = run("policy", "reload", "--env-file", chief, code=1)

    assert "unknown key" in refused.stderr
    assert not {"\x1b", "\u202e"} & set(refused.output)


def test_only_a_super_admin_reloads_and_a_center_without_a_file_says_so(tmp_path: Path, running: Running) -> None:
    assert "super_admin" in run("policy", "reload", "--env-file", running.env_file(), code=1).stderr

    with running_center(tmp_path / "other.db") as other:
        env_file = other.env_file(other.center.create_key(Role.SUPER_ADMIN))
        assert "--policy FILE" in run("policy", "reload", "--env-file", env_file, code=1).stderr


# clearance policy history, and show


@pytest.mark.parametrize("way", ["the API", "the database"])
def test_the_history_is_told_newest_first_and_each_text_to_the_last_byte(
    running: Running, file: Path, chief: str, way: str
) -> None:
    file.write_bytes(SECOND.encode())
    run("policy", "reload", "--env-file", chief)
    source = ["--env-file", running.env_file()] if way == "the API" else ["--database", str(running.database)]

    lines = run("policy", "history", *source).output.splitlines()
    told = json.loads(run("policy", "history", "--json", *source).output)

    assert [line.split()[1] for line in lines] == [version(SECOND), version(FIRST)]
    assert [line.partition("by ")[2] for line in lines] == ["dave", "the start of a Center"]
    assert [each["version"] for each in told] == [version(SECOND), version(FIRST)]
    assert run("policy", "show", *source).stdout_bytes == SECOND.encode()
    assert run("policy", "show", version(FIRST), *source).stdout_bytes == FIRST.encode()
    assert "was ever in force" in run("policy", "show", "nonsense", *source, code=1).stderr


def test_both_ways_tell_the_same_history(running: Running) -> None:
    by_api = run("policy", "history", "--json", "--env-file", running.env_file()).output
    assert by_api == run("policy", "history", "--json", "--database", str(running.database)).output


def test_a_database_that_no_center_has_served_from_has_no_policy(tmp_path: Path) -> None:
    database = str(tmp_path / "new.db")
    Center.open(database, use=Use.VISIT).close()

    assert run("policy", "history", "--database", database).output == "No policy was put in force yet.\n"
    assert "No policy was put in force yet" in run("policy", "show", "--database", database, code=1).stderr


def test_the_verdict_on_the_trail_tells_of_the_policy_in_words(running: Running, file: Path, chief: str) -> None:
    file.write_bytes(SECOND.encode())
    run("policy", "reload", "--env-file", chief)

    said = run("audit", "verify", "--database", str(running.database)).output

    assert f"Policy {version(SECOND)} is in force since entry 5, put there by dave; " in said
    assert "a policy came in force 2 times, each kept as it was" in said


# SIGHUP


@pytest.fixture
def process(tmp_path: Path, file: Path) -> Iterator[CenterProcess]:
    with center_process(tmp_path / "center.db", "--policy", str(file)) as process:
        yield process


def test_sighup_reloads_the_file_says_so_and_serving_goes_on(process: CenterProcess, file: Path) -> None:
    with Api(process.url, process.key("user")) as agent:
        assert agent.submit(action_type="order.lookup")["status"] == "approved"
        file.write_bytes(SECOND.encode())

        said = process.signalled(signal.SIGHUP)

        assert f"Policy {version(SECOND)} is in force instead of {version(FIRST)}" in said
        assert agent.submit(action_type="order.lookup", action_details={})["status"] == "pending_approval"
    history = run("policy", "history", "--database", str(process.database)).output
    assert history.splitlines()[0].endswith(f"{version(SECOND)}  by SIGHUP")
    assert process.terminate() == 0


def test_sighup_with_a_broken_file_changes_nothing_and_the_next_one_finds_it_mended(
    process: CenterProcess, file: Path
) -> None:
    with Api(process.url, process.key("user")) as agent, Api(process.url, process.key("admin")) as admin:
        file.write_text("nonsense")
        process.send(signal.SIGHUP)
        assert agent.submit(action_type="order.lookup")["status"] == "approved"
        file.write_bytes(SECOND.encode())
        assert version(SECOND) in process.signalled(signal.SIGHUP)
        assert admin.get("/api/v1/policy").json()["version"] == version(SECOND)
