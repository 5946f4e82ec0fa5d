"""Keys with an end and an owner, and the kill switch, at a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.servers import Api, Running, claiming, running_center

from clearance.center.records import KeyRecord, Role
from clearance.cli.commands import cli
from clearance.models import Status


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as running:
        yield running


@pytest.fixture
def chief(running: Running) -> str:
    """A file with the settings of a super admin."""
    return running.env_file(running.center.create_key(Role.SUPER_ADMIN, "dave"))


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == code, result.output
    return result


def kept(running: Running, name: str) -> KeyRecord:
    """What is kept of the key with that name."""
    (found,) = [key for key in running.center.do(lambda tx: tx.keys()) if key.name == name]
    return found


# Keys


@pytest.mark.parametrize(
    ("expires", "seconds"), [("30m", 1_800), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600), ("1D", 86_400)]
)
def test_a_key_is_made_with_an_end_and_an_owner(running: Running, expires: str, seconds: int) -> None:
    database = str(running.database)
    made = run(
        "keys",
        "create",
        "--role",
        "user",
        "--name",
        "Bo",
        "--owner",
        "Ada",
        "--expires",
        expires,
        "--database",
        database,
    )

    key = kept(running, "Bo")
    assert made.stdout.startswith(f"owkai_user_{key.id}_")
    assert key.owner == "ada"
    assert key.expires_at == key.created_at + seconds * 1_000_000


@pytest.mark.parametrize("expires", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "1y", "99999999d", "d90"])
def test_an_end_that_is_no_length_of_time_makes_no_key(tmp_path: Path, expires: str) -> None:
    database = tmp_path / "center.db"
    found = run("keys", "create", "--role", "user", "--expires", expires, "--database", str(database), code=2)

    assert "write it as 90d, 12h or 30m" in found.output
    assert not database.exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--name", "a:b"], "A key's name"),
        (["--owner", "a b"], "An owner is"),
        (["--expires", "9999w"], "lives up to"),
    ],
)
def test_a_key_that_cannot_be_meant_is_refused_in_a_sentence(tmp_path: Path, option: list[str], words: str) -> None:
    found = run("keys", "create", "--role", "user", *option, "--database", str(tmp_path / "c.db"), code=1)

    assert words in found.output
    assert "owkai_" not in found.output


def test_the_list_says_how_each_key_stands(running: Running) -> None:
    database = str(running.database)
    for name, options in (("Bo", ["--owner", "ada"]), ("Cy", ["--expires", "90d"]), ("Di", [])):
        run("keys", "create", "--role", "auditor", "--name", name, *options, "--database", database)
    run("keys", "revoke", kept(running, "Di").id, "--database", database)
    with Api(running.url, running.user_key) as agent:
        agent.get("/api/v1/actions")

    listed = run("keys", "list", "--database", database).output.splitlines()
    lines = {name: next(line for line in listed if f"  {name}" in line) for name in ("Bo", "Cy", "Di", "billing-bot")}

    assert "of ada" in lines["Bo"]
    assert "(until 20" in lines["Cy"]
    assert "(revoked)" in lines["Di"]
    assert "last used 20" in lines["billing-bot"]
    assert "last used" not in lines["Bo"]
    assert all("auditor" in lines[name] for name in ("Bo", "Cy", "Di"))


def test_a_key_is_revoked_while_the_center_runs(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        assert agent.get("/api/v1/actions").status_code == 200
        found = run("keys", "revoke", running.user_key.split("_")[2], "--database", str(running.database))
        assert agent.get("/api/v1/actions").status_code == 401

    assert "Revoked" in found.output
    assert "billing-bot" in found.output


def test_a_key_that_is_not_there_cannot_be_revoked(running: Running) -> None:
    assert "no such key" in run("keys", "revoke", "zzzzzzzz", "--database", str(running.database), code=1).output


def test_no_sign_in_link_is_made_for_a_key_that_has_ended(running: Running) -> None:
    key_id = running.admin_key.split("_")[2]
    run("keys", "revoke", key_id, "--database", str(running.database))

    found = run("keys", "sign-in", key_id, "--database", str(running.database), code=1)

    assert f"The key {key_id!r} is revoked" in found.output
    assert "token=" not in found.output


# The kill switch


def test_the_kill_switch_is_turned_on_shown_and_turned_off(running: Running, chief: str) -> None:
    assert "No kill switch is on" in run("kill", "status", "--env-file", chief).output

    on = run("kill", "on", "--reason", "it deletes too much", "--env-file", chief).output
    with Api(running.url, running.user_key) as agent:
        assert agent.submit(action_type="order.lookup")["reason_code"] == "kill_switch"
    shown = run("kill", "status", "--env-file", chief).output
    off = run("kill", "off", "--reason", "fixed", "--env-file", chief).output

    assert on == "Kill switch on: everything.\n"
    assert "On for everything: it deletes too much (by dave" in shown
    assert off == "Kill switch off: everything.\n"
    assert "No kill switch is on" in run("kill", "status", "--env-file", chief).output


def test_one_agent_with_one_tool_is_stopped_and_no_other(running: Running, chief: str) -> None:
    said = run("kill", "on", "--agent", "billing-bot", "--tool", "stripe", "--reason", "x", "--env-file", chief)

    assert said.output == "Kill switch on: agent billing-bot with tool stripe.\n"
    with Api(running.url, running.user_key) as agent:
        assert agent.submit()["reason_code"] == "kill_switch"
        assert agent.submit(tool_name="paypal")["status"] == "pending_approval"


def test_the_kill_switch_speaks_json(chief: str) -> None:
    on = json.loads(run("kill", "on", "--tool", "stripe", "--reason", "x", "--env-file", chief, "--json").output)
    status = json.loads(run("kill", "status", "--env-file", chief, "--json").output)

    assert (on["on"], on["tool"], on["agent"], on["activated_by"]) == (True, "stripe", None, "dave")
    assert (status["blocked"], status["switches"]) == (False, [on])


def test_a_key_that_is_stopped_is_told_so(running: Running, chief: str) -> None:
    run("kill", "on", "--agent", "billing-bot", "--reason", "it \x1b[2J", "--env-file", chief, "--json")

    shown = run("kill", "status", "--env-file", running.env_file(running.user_key)).output

    assert "by dave" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("way", ["on", "off"])
def test_only_a_super_admin_turns_it_and_a_reason_is_needed(running: Running, way: str) -> None:
    refused = run("kill", way, "--reason", "x", "--env-file", running.env_file(), code=1)

    assert "super_admin" in refused.output
    assert "--reason" in run("kill", way, "--env-file", running.env_file(), code=2).output
    assert running.center.do(lambda tx: tx.switches()) == []


def test_turning_off_what_is_not_on_is_said(chief: str) -> None:
    assert "is not on" in run("kill", "off", "--reason", "x", "--env-file", chief, code=1).output


# Taking an approval back


def test_an_approval_is_taken_back_at_a_terminal(running: Running) -> None:
    env_file = running.env_file()
    with Api(running.url, running.user_key) as agent:
        action_id = str(agent.submit(extra_data=claiming())["id"])
    run("approve", action_id, "--env-file", env_file)

    found = run("revoke", action_id, "--reason", "wrong customer", "--env-file", env_file)
    again = run("revoke", action_id, "--reason", "wrong customer", "--env-file", env_file, "--json")

    assert f"Taken back: {action_id}, payment.refund (stripe)" in found.output
    assert json.loads(again.output)["lifecycle"] == "revoked"
    (record,) = running.records()
    assert (record.status, record.reason) == (Status.REVOKED, "wrong customer")


def test_what_may_have_run_already_is_said(running: Running) -> None:
    env_file = running.env_file()
    with Api(running.url, running.user_key) as agent:
        action_id = str(agent.submit()["id"])
        run("approve", action_id, "--env-file", env_file)
        assert agent.get(f"/api/v1/actions/{action_id}/status").json()["status"] == "approved"

    found = run("revoke", action_id, "--reason", "wrong customer", "--env-file", env_file)

    assert "It may have run already" in found.output


# The Center's limits


def test_a_centers_limits_are_set_on_its_command_line(tmp_path: Path) -> None:
    from tests.servers import a_submit, center_process

    with (
        center_process(tmp_path / "center.db", "--rate", "123", "--max-pending", "2") as process,
        Api(process.url, process.key("user")) as agent,
    ):
        answers = [agent.post("/api/v1/actions/submit", a_submit()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-RateLimit-Limit"] == "1230"


@pytest.mark.parametrize(("seconds", "again"), [("60", "denied"), ("0", "pending_approval")])
def test_how_long_a_center_remembers_denials_is_set_on_its_command_line(
    tmp_path: Path, seconds: str, again: str
) -> None:
    from tests.servers import a_submit, center_process

    same = a_submit(extra_data={"clearance": {"v": 1, "digest": "d" * 43}})
    with (
        center_process(tmp_path / "center.db", "--remember-denials", seconds) as process,
        Api(process.url, process.key("user")) as agent,
        Api(process.url, process.key("admin")) as approver,
    ):
        first = agent.post("/api/v1/actions/submit", same).json()
        approver.post(f"/api/v1/actions/{first['id']}/reject", {"reason": "no"})
        second = agent.post("/api/v1/actions/submit", same).json()

    assert (first["status"], second["status"]) == ("pending_approval", again)


@pytest.mark.parametrize("option", [["--rate", "-1"], ["--rate", "x"], ["--max-pending", "0"], ["--max-pending", "x"]])
def test_limits_that_cannot_be_meant_start_no_center(tmp_path: Path, option: list[str]) -> None:
    run("center", "--database", str(tmp_path / "center.db"), "--port", "0", *option, code=2)
    assert not (tmp_path / "center.db").exists()
