"""``clearance center`` as a group: it serves as ever, and looks after its database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.servers import Api, Running, center_process, running_center

from clearance.cli.commands import cli


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == code, result.output
    return result


def test_center_without_a_database_says_which_option_is_missing() -> None:
    found = run("center", "--port", "0", code=2)
    assert "Usage: clearance center" in found.output.replace("cli center", "clearance center")
    assert "Missing option '--database'" in found.output


def test_center_does_not_take_a_word_for_a_database() -> None:
    assert "No such command 'center.db'" in run("center", "center.db", code=2).output


def test_what_a_running_center_holds_is_backed_up_restored_and_served_again(tmp_path: Path) -> None:
    with center_process(tmp_path / "center.db") as center, Api(center.url, center.key("user")) as agent:
        ids = [agent.submit()["id"] for _ in range(3)]
        found = run("center", "backup", str(tmp_path / "copy.db"), "--database", str(tmp_path / "center.db"))
        assert f"Backed up to {tmp_path / 'copy.db'}: 5 audit entries, verified; head " in found.output
        key = center.key("user")
        agent.submit()
    found = run("center", "restore", str(tmp_path / "copy.db"), "--database", str(tmp_path / "new.db"))
    assert f"Restored to {tmp_path / 'new.db'}: 5 audit entries, verified; head " in found.output
    assert "Approvals that nobody had claimed, now revoked: 0" in found.output

    with center_process(tmp_path / "new.db") as center:
        with Api(center.url, center.key("admin")) as admin:
            assert [action["id"] for action in admin.get("/api/v1/actions").json()] == ids[::-1]
        with Api(center.url, key) as later:  # made after the backup
            assert later.get("/api/v1/actions").status_code == 401


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    run("keys", "create", "--role", "user", "--database", str(tmp_path / "a.db"))
    run("center", "backup", str(tmp_path / "b.db"), "--database", str(tmp_path / "a.db"))
    for words in (
        ("center", "backup", str(tmp_path / "b.db"), "--database", str(tmp_path / "a.db")),
        ("center", "restore", str(tmp_path / "b.db"), "--database", str(tmp_path / "a.db")),
    ):
        assert "is there already, and was left alone" in run(*words, code=1).output


def test_a_backup_with_a_broken_trail_is_kept_and_is_a_failure(tmp_path: Path) -> None:
    run("keys", "create", "--role", "user", "--database", str(tmp_path / "a.db"))
    with closing(sqlite3.connect(tmp_path / "a.db")) as raw, raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("UPDATE audit SET body = '{}'")

    found = run("center", "backup", str(tmp_path / "b.db"), "--database", str(tmp_path / "a.db"), code=1)
    assert "its audit trail is BROKEN after 0 entries" in found.output
    assert (tmp_path / "b.db").exists()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        yield found


def test_an_export_is_json_lines(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        asked = agent.submit()["id"]
    lines = [
        json.loads(line) for line in run("center", "export", "--database", str(running.database)).output.splitlines()
    ]

    assert [line["kind"] for line in lines] == ["action", "audit", "audit", "audit"]
    assert lines[0]["id"] == asked
    assert json.loads(lines[3]["body"])["event"] == "submit"


@pytest.mark.postgres
def test_on_postgresql_the_same_commands_work_and_backups_are_left_to_its_own_tools(
    postgres_url: str, tmp_path: Path
) -> None:
    address = f"{postgres_url}&password=hunter2"
    key = run("keys", "create", "--role", "admin", "--name", "ana", "--database", address).output.strip()
    key_id = key.split("_")[2]
    assert "ana" in run("keys", "list", "--database", address).output
    assert "/sign-in?token=" in run("keys", "sign-in", key_id, "--database", address).output
    assert run("audit", "verify", "--database", address).output.startswith("Verified 1 entries")
    exported = run("center", "export", "--database", address).output
    assert json.loads(exported)["kind"] == "audit"
    assert key not in exported
    backup = run("center", "backup", str(tmp_path / "copy.db"), "--database", address, code=1)
    assert "Back it up with pg_dump" in backup.output
    assert "hunter2" not in backup.output
    absent = run("keys", "sign-in", "absent", "--database", address, code=1)
    assert "There is no key 'absent'" in absent.output
    assert "hunter2" not in absent.output


@pytest.mark.postgres
def test_the_greeting_of_a_center_on_postgresql_tells_no_password(postgres_url: str) -> None:
    with center_process(f"{postgres_url}&password=hunter2") as process:
        assert "password=***" in process.greeting[2]
        assert "hunter2" not in "".join(process.greeting)
