"""The commands, against a real Center."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.center.policies import together
from tests.servers import PATIENCE, Api, Running, center_process, claiming, command, running_center

from clearance.center.records import Role, Stage
from clearance.cli.commands import cli
from clearance.models import Status


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        yield found


def run(*arguments: str, code: int = 0, **environ: str) -> Result:
    result = CliRunner().invoke(cli, arguments, env=environ)
    assert result.exit_code == code, result.output
    return result


def test_check_says_where_it_is_connected_and_as_what(running: Running) -> None:
    found = run("check", OWKAI_API_URL=running.url, OWKAI_API_KEY=running.user_key)
    assert f"Center: {running.url}" in found.output
    assert "Connected: version" in found.output
    assert "role user" in found.output


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "API key required. Set OWKAI_API_KEY environment variable."),
        ({"OWKAI_API_KEY": "k", "OWKAI_API_URL": "http://127.0.0.1:9"}, "could not be reached"),
        ({"OWKAI_API_KEY": "k", "OWKAI_API_URL": "http://center.example.com"}, "in clear"),
        ({"OWKAI_API_KEY": "k", "OWKAI_API_URL": "center"}, "not a plain http(s) address"),
        ({"OWKAI_API_KEY": "a b", "OWKAI_API_URL": "http://127.0.0.1:9"}, "characters that no key has"),
        ({"OWKAI_API_KEY": "k", "OWKAI_TIMEOUT": "soon"}, "OWKAI_TIMEOUT"),
    ],
    ids=["no key", "refused", "plain http", "no address", "a broken key", "a bad timeout"],
)
def test_check_says_in_plain_words_what_is_wrong(environ: dict[str, str], words: str) -> None:
    assert words in run("check", code=1, **environ).output


def test_check_does_not_call_a_wrong_key_connected(running: Running) -> None:
    found = run("check", code=1, OWKAI_API_URL=running.url, OWKAI_API_KEY="owkai_user_wrong")
    assert "does not accept the API key" in found.output
    assert "Connected" not in found.output


def test_an_approver_lists_approves_and_denies_at_a_terminal(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        first, second = agent.submit(), agent.submit(action_type="db.migrate")
    env_file = running.env_file()

    listed = run("pending", "--env-file", env_file).output
    assert "payment.refund (stripe)" in listed
    assert 'charge_id="ch_1", amount=5' in listed
    assert len(json.loads(run("pending", "--env-file", env_file, "--json").output)) == 2
    assert f"Approved {first['id']}: payment.refund" in run("approve", str(first["id"]), "--env-file", env_file).output
    denied = run("deny", str(second["id"]), "--reason", "not today", "--env-file", env_file).output
    assert f"Denied {second['id']}: db.migrate" in denied

    assert "Nothing waits" in run("pending", "--env-file", env_file).output
    assert [record.status for record in running.records()] == [Status.APPROVED, Status.DENIED]
    assert running.records()[1].reason == "not today"


def test_all_up_to_medium_are_approved_at_once_and_the_high_ones_stay(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        agent.submit()
        agent.submit(action_type="orders.delete")
    assert "Approved 1: 1" in run("approve", "--all", "medium", "--env-file", running.env_file()).output
    assert [record.status for record in running.records()] == [Status.APPROVED, Status.PENDING]


def test_deciding_twice_says_how_the_action_stands(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        action = agent.submit()
    run("deny", str(action["id"]), "--reason", "no", "--env-file", running.env_file())
    again = run("approve", str(action["id"]), "--env-file", running.env_file(), code=1)
    assert "is denied by carol" in again.output


def test_an_approval_that_is_not_the_last_one_needed_says_that_others_are_waited_for(running: Running) -> None:
    running.center.desk.policy = together(Stage(2))
    with Api(running.url, running.user_key) as agent:
        action = str(agent.submit()["id"])
    dave = running.env_file(running.center.create_key(Role.ADMIN, "dave"))

    first = run("approve", action, "--env-file", dave).output
    last = run("approve", action, "--env-file", running.env_file()).output

    assert first == f"Your approval counts (1 of 2), it still waits for others: {action}: payment.refund (stripe)\n"
    assert last == f"Approved {action}: payment.refund (stripe)\n"


def test_identical_requests_are_one_line(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        first, _, other = agent.submit(), agent.submit(), agent.submit(action_details={"amount": 6})

    lines = run("pending", "--env-file", running.env_file()).output.splitlines()

    assert [line.split()[0] for line in lines] == [str(first["id"]), str(other["id"])]
    assert [line.endswith("(asked 2 times)") for line in lines] == [True, False]


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_what_became_of_an_unknown_action_is_said_with_a_reason(running: Running, outcome: str) -> None:
    with Api(running.url, running.user_key) as agent:
        action = str(agent.submit(extra_data=claiming(nonce="nonce-one"))["id"])
        run("approve", action, "--env-file", running.env_file())
        claim = {"digest": "the-digest", "nonce": "nonce-one"}
        assert agent.post(f"/api/v1/actions/{action}/claim", claim).status_code == 200
        lost = {"nonce": "nonce-one", "outcome": "unknown"}
        assert agent.post(f"/api/v1/actions/{action}/outcome", lost).status_code == 200
    line = ["resolve", action, "--reason", "on the statement", "--env-file", running.env_file()]

    assert "Give --completed or --failed" in run(*line, code=2).output
    assert run(*line, f"--{outcome}").output == f"Closed {action} as {outcome}: payment.refund (stripe)\n"
    assert running.records()[0].status.value == outcome


def test_a_user_key_cannot_decide(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        action = agent.submit()
    found = run("approve", str(action["id"]), "--env-file", running.env_file(running.user_key), code=1)
    assert "may not decide" in found.output
    assert running.records()[0].status is Status.PENDING


def test_hostile_text_is_spelled_out_in_the_pending_list(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        agent.submit(tool_name="a\x1b[2Jb", action_details={"note": "x\u202ey\u200b"})
    listed = run("pending", "--env-file", running.env_file()).output
    assert {"\x1b", "\u202e", "\u200b"}.isdisjoint(listed)
    assert r"\u{1b}" in listed


def test_keys_create_prints_the_key_and_nothing_else_on_standard_output(tmp_path: Path) -> None:
    line = command("keys", "create", "--role", "admin", "--name", "Ana", "--database", str(tmp_path / "c.db"))
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.startswith("owkai_admin_")
    assert len(done.stdout.splitlines()) == 1
    assert "Ana" in run("keys", "list", "--database", str(tmp_path / "c.db")).output
    assert done.stdout.strip().encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("c.db*"))


def test_a_broken_trail_is_found_and_is_a_failure(running: Running) -> None:
    assert run("audit", "verify", "--database", str(running.database)).output.startswith("Verified ")
    with closing(sqlite3.connect(running.database)) as database, database:
        database.execute("DROP TRIGGER audit_no_update")
        database.execute("UPDATE audit SET body = replace(body, 'key.created', 'key.erased') WHERE seq = 1")
    assert run("audit", "verify", "--database", str(running.database), code=1).output.startswith("BROKEN after 0")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("[risk]\nclear_upto = 5\n", "unknown key 'clear_upto' in risk; did you mean 'clear_up_to'?"),
        ('[[rules]]\nname = "a"\nthen = "allow"\nmatch = { action_typ = "a" }\n', "did you mean 'action_type'?"),
        ('[[rules]]\nname = "a"\nthen = "permit"\nmatch = { action_type = "a" }\n', 'then must be one of "deny"'),
        ("not toml", "is not TOML"),
    ],
)
def test_a_policy_that_is_not_understood_stops_the_center_from_starting(
    tmp_path: Path, policy: str, words: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(policy)
    found = run("center", "--database", str(tmp_path / "c.db"), "--policy", str(file), "--port", "0", code=1)
    assert words in found.output
    assert not (tmp_path / "c.db").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"this is a diary, not a database" * 10, "is not a SQLite database"), (None, "another program")],
    ids=["a text", "another program's database"],
)
def test_a_database_that_is_not_ours_is_left_alone(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "theirs.db"
    if content is None:
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("CREATE TABLE theirs (id)")
        content = file.read_bytes()
    else:
        file.write_bytes(content)
    assert words in run("center", "--database", str(file), "--port", "0", code=1).output
    assert file.read_bytes() == content


def test_a_port_in_use_and_a_bare_public_address_are_refused(tmp_path: Path, running: Running) -> None:
    port = running.url.rsplit(":", 1)[1]
    database = str(tmp_path / "c.db")
    assert "Choose another --port" in run("center", "--database", database, "--port", port, code=1).output
    assert "--behind-proxy" in run("center", "--database", database, "--host", "0.0.0.0", code=1).output


def test_sigterm_stops_the_center_and_answers_who_waits(tmp_path: Path) -> None:
    with center_process(tmp_path / "center.db") as center, Api(center.url, center.key("user")) as agent:
        action = agent.submit()
        answer = agent.get(f"/api/v1/actions/{action['id']}/status", headers={"Prefer": "wait=1"})
        assert (answer.json()["status"], answer.headers["Preference-Applied"]) == ("pending_approval", "wait=1")
        center.terminate()


def ask_for_what_may_be_changed(running: Running) -> int:
    with Api(running.url, running.user_key) as api:
        found: int = api.submit(extra_data=claiming(editable=["amount"]))["id"]
    return found


def test_approve_clears_with_another_value(running: Running) -> None:
    wanted = ask_for_what_may_be_changed(running)

    told = run("approve", str(wanted), "--set", "amount=3", "--env-file", running.env_file())

    assert f"Approved {wanted}: payment.refund (stripe), changed: amount=3" in told.output
    assert running.records()[-1].edits == {"amount": 3}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("charge_id=ch_2", "parameters that may be changed here: amount"),
        ("amount", "--set takes NAME=VALUE"),
        ("amount=three", "--set amount: write a value like 5"),
    ],
)
def test_approve_says_what_may_be_changed_and_to_what(running: Running, typed: str, words: str) -> None:
    wanted = ask_for_what_may_be_changed(running)

    told = run("approve", str(wanted), "--set", typed, "--env-file", running.env_file(), code=2)

    assert words in told.output
    assert running.records()[-1].status is Status.PENDING
