"""Break-glass at a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.servers import Api, Running, running_center

from clearance.center.records import Role
from clearance.cli.commands import cli

SAID = ["--agent", "billing-bot", "--tool", "stripe", "--reason", "the queue is stuck"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as running:
        yield running


@pytest.fixture
def chief(running: Running) -> str:
    """A file with the settings of a super admin."""
    return running.env_file(running.center.create_key(Role.SUPER_ADMIN, "dave"))


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["break-glass", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_one_is_opened_used_listed_and_closed(running: Running, chief: str) -> None:
    assert run("list", "--env-file", chief).output == "No break-glass was ever opened.\n"

    opened = run("open", *SAID, "--minutes", "5", "--env-file", chief).output
    with Api(running.url, running.user_key) as agent:
        assert agent.submit()["reason_code"] == "break_glass"
    listed = run("list", "--env-file", chief).output
    closed = run("close", "1", "--reason", "fixed", "--env-file", running.env_file()).output
    over = run("list", "--env-file", chief).output

    assert opened.startswith("Break-glass 1 is open until 20")
    assert opened.endswith(": agent billing-bot with tool stripe.\nClose it with: clearance break-glass close 1\n")
    assert "OPEN until 20" in listed
    assert "agent billing-bot with tool stripe, 1 cleared, 0 of them ran or may have; the queue is stuck" in listed
    assert "(opened by dave, 20" in listed
    assert closed == (
        "Break-glass 1 is closed: agent billing-bot with tool stripe, 1 cleared, 1 of them ran or may have.\n"
    )
    assert "closed by carol" in over  # its client never claims and had read the approval, so it may have run
    assert "OPEN" not in over


def test_it_speaks_json_and_is_for_one_key(running: Running, chief: str) -> None:
    key = running.user_key.split("_")[2]

    opened = json.loads(run("open", *SAID, "--key", key, "--env-file", chief, "--json").output)

    assert (opened["open"], opened["key"]) == (True, key)
    assert f"and key {key}" in run("list", "--env-file", chief).output
    assert json.loads(run("list", "--env-file", chief, "--json").output) == [opened]
    assert json.loads(run("close", "1", "--env-file", chief, "--json").output)["open"] is False


def test_only_a_super_admin_opens_it_and_whoever_may_not_is_told(running: Running) -> None:
    found = run("open", *SAID, "--env-file", running.env_file(), code=1)

    assert "super_admin" in found.output


@pytest.mark.parametrize("left_out", ["--agent", "--tool", "--reason"])
def test_an_agent_a_tool_and_a_reason_are_needed(chief: str, left_out: str) -> None:
    at = SAID.index(left_out)

    assert left_out in run("open", *SAID[:at], *SAID[at + 2 :], "--env-file", chief, code=2).output


@pytest.mark.parametrize("minutes", ["0", "61", "x", "1.5"])
def test_so_many_minutes_and_no_more(chief: str, minutes: str) -> None:
    run("open", *SAID, "--minutes", minutes, "--env-file", chief, code=2)

    assert "No break-glass" in run("list", "--env-file", chief).output


def test_what_is_written_into_a_terminal_cannot_act_there(chief: str) -> None:
    run("open", "--agent", "a", "--tool", "t", "--reason", "it \x1b[2J", "--env-file", chief)

    assert "\x1b" not in run("list", "--env-file", chief).output


def test_what_is_not_open_cannot_be_closed(chief: str) -> None:
    assert "no break-glass 7" in run("close", "7", "--env-file", chief, code=1).output
