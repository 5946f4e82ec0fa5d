"""``clearance audit``, ``receipt`` and ``check --heads``, against a real Center and without one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.center.trails import heads_of
from tests.servers import Api, Running, center_process, running_center

from clearance.center import trail
from clearance.center.records import Entry
from clearance.center.service import Center
from clearance.center.store.base import Tx, Use
from clearance.cli import heads
from clearance.cli.commands import cli
from clearance.witness import Head


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        with Api(found.url, found.user_key) as agent:
            for _ in range(4):
                agent.submit()
        yield found


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A Center's database that nobody serves from now, with six entries in its trail."""
    with running_center(tmp_path / "center.db") as running, Api(running.url, running.user_key) as agent:
        for _ in range(4):
            agent.submit()
    return tmp_path / "center.db"


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == code, result.output
    return result


def tamper(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("DROP TRIGGER IF EXISTS audit_no_update")
        raw.execute("DROP TRIGGER IF EXISTS audit_no_delete")
        raw.execute(statement)


def known_heads(database: Path) -> list[Head]:
    center = Center.open(database, use=Use.READ)
    found = heads_of(trail.pages(center))
    center.close()
    return found


def append(database: Path, count: int) -> None:
    """Let a Center go on on this database."""

    def work(tx: Tx) -> None:
        for number in range(count):
            tx.append(Entry(number, "key.created", "another history"))

    center = Center.open(database)
    center.do(work)
    center.close()


def write_heads(file: Path, *known: Head) -> str:
    file.write_text("# heads of the Center\n\n" + "".join(f"{heads.line_of(head)}  # kept\n" for head in known))
    return str(file)


# audit verify


def test_a_whole_trail_is_verified_and_its_head_can_be_kept_as_it_is_printed(database: Path, tmp_path: Path) -> None:
    printed = run("audit", "verify", "--database", str(database)).output
    line = printed.strip().partition("head ")[2]
    (tmp_path / "heads").write_text(f"{line}\n")

    assert printed.startswith("Verified 6 entries; head 6 ")
    again = run("audit", "verify", "--database", str(database), "--heads", str(tmp_path / "heads")).output
    assert again.startswith("Verified 6 entries, 1 known heads among them; head 6 ")


def test_json_says_the_same(database: Path) -> None:
    found = json.loads(run("audit", "verify", "--database", str(database), "--json").output)
    assert found == {"entries": 6, "head": known_heads(database)[6].root, "problem": None}

    tamper(database, "DELETE FROM audit WHERE seq = 3")
    found = json.loads(run("audit", "verify", "--database", str(database), "--json", code=1).output)
    assert found["entries"] == 2
    assert found["problem"] == "entry 3 is missing (the next one there is 4)"


def test_truncation_is_found_by_a_head_that_somebody_kept(database: Path, tmp_path: Path) -> None:
    file = write_heads(tmp_path / "heads", known_heads(database)[6])
    tamper(database, "DELETE FROM audit WHERE seq > 4")
    tamper(database, "DELETE FROM actions WHERE id > 2")

    assert run("audit", "verify", "--database", str(database)).output.startswith("Verified 4 entries")
    found = run("audit", "verify", "--database", str(database), "--heads", file, code=1).output
    assert found == "BROKEN after 4 entries: entries 5 to 6 are missing: there was a head of 6 entries\n"


def test_an_old_backup_that_went_on_is_found_by_heads(database: Path, tmp_path: Path) -> None:
    known = known_heads(database)
    file = write_heads(tmp_path / "heads", known[3], known[6])
    tamper(database, "DELETE FROM audit WHERE seq > 4")
    tamper(database, "DELETE FROM actions WHERE id > 2")
    append(database, 5)

    found = run("audit", "verify", "--database", str(database), "--heads", file, code=1).output
    assert found.startswith("BROKEN after 3 entries: a head of 6 entries was another: something in entries 4 to 6 was ")


@pytest.mark.parametrize("line", ["6", "six abc", f"6 {'0' * 63}", f"6 {'G' * 64}", f"{'0' * 64} 6"])
def test_a_line_that_is_no_head_is_not_skipped(database: Path, tmp_path: Path, line: str) -> None:
    (tmp_path / "heads").write_text(f"# first\n{line}\n")

    found = run("audit", "verify", "--database", str(database), "--heads", str(tmp_path / "heads"), code=1).output
    assert "heads, line 2: is no head" in found


@pytest.mark.parametrize("options", [[], ["--database", "{0}", "--exported", "{0}"]])
def test_it_takes_either_a_database_or_an_exported_file(database: Path, options: list[str]) -> None:
    assert "--exported" in run("audit", "verify", *[o.format(database) for o in options], code=2).output


# audit export


def exported(database: Path, file: Path, *options: str) -> list[Any]:
    file.write_text(run("audit", "export", "--database", str(database), *options).output)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_export_is_one_entry_a_line_and_can_be_verified_without_the_database(database: Path, tmp_path: Path) -> None:
    lines = exported(database, tmp_path / "trail.jsonl")
    file = write_heads(tmp_path / "heads", *known_heads(database))

    assert [line["entry"]["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["entry"]["event"] for line in lines] == ["key.created"] * 2 + ["submit"] * 4
    assert all(set(line) == {"hash", "entry"} for line in lines)
    found = run("audit", "verify", "--exported", str(tmp_path / "trail.jsonl"), "--heads", file).output
    assert found.startswith("Verified 6 entries, 7 known heads among them")
    assert exported(database, tmp_path / "rest.jsonl", "--after", "4") == lines[4:]
    assert exported(database, tmp_path / "none.jsonl", "--after", "99") == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("billing-bot", "killing-bot", "BROKEN after 0 entries: entry 1 does not fit"),
        ('"seq":4', '"seq":5', "BROKEN after 3 entries: entry 4 is missing"),
        ('{"hash"', '{"hush"', "BROKEN after 0 entries: entry 1 is missing"),
        ("\n", "\n\n", "BROKEN after 1 entries: entry 2 is missing"),
        ("local", "l\N{CYRILLIC SMALL LETTER O}cal", "BROKEN after 0 entries: entry 1 does not fit"),
    ],
)
def test_an_export_that_was_changed_is_found(database: Path, tmp_path: Path, old: str, new: str, says: str) -> None:
    file = tmp_path / "trail.jsonl"
    exported(database, file)
    file.write_text(file.read_text().replace(old, new, 1))

    assert run("audit", "verify", "--exported", str(file), code=1).output.startswith(says)


def test_an_export_that_was_cut_off_is_found_by_a_head(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    exported(database, file)
    kept = write_heads(tmp_path / "heads", known_heads(database)[6])
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))

    assert "entry 6 is missing" in run("audit", "verify", "--exported", str(file), "--heads", kept, code=1).output


# check --heads


def check(running: Running, file: Path, code: int = 0) -> str:
    return run("check", "--env-file", running.env_file(), "--heads", str(file), code=code).output


def test_check_keeps_a_head_and_has_it_proven_later_that_the_trail_continues_it(
    running: Running, tmp_path: Path
) -> None:
    file = tmp_path / "heads"
    assert "Audit trail: 6 entries. Its head is the first in" in check(running, file)
    with Api(running.url, running.user_key) as agent:
        for entries in (7, 8):
            agent.submit()
            assert f"Audit trail: {entries} entries. It continues all {entries - 6} heads in" in check(running, file)
    assert "It continues all 3 heads" in check(running, file)  # nothing new, so nothing is added

    assert heads.read(file) == heads_of(trail.pages(running.center))[6:9]
    assert run("audit", "verify", "--database", str(running.database), "--heads", str(file)).exit_code == 0


@pytest.mark.parametrize("entries", [3, 6, 9])
def test_check_finds_a_center_that_went_back(running: Running, tmp_path: Path, entries: int) -> None:
    file = tmp_path / "heads"
    head = Head(entries, "0" * 64)
    heads_before = write_heads(file, *heads_of(trail.pages(running.center))[2:4], head)

    found = check(running, file, code=1)

    assert "audit trail does not continue the head" in found
    assert heads.read(heads_before)[-1] == head  # and nothing was added


def test_check_finds_two_histories_in_one_file(running: Running, tmp_path: Path) -> None:
    """Each of them could be proven alone to somebody who does not hold them together."""
    known = heads_of(trail.pages(running.center))
    file = write_heads(tmp_path / "heads", known[3], Head(4, "0" * 64), known[5])

    assert "does not continue" in check(running, Path(file), code=1)


def test_check_against_a_server_without_heads_says_so(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.center.store, "_head", None)

    assert "does not say how its audit trail stands" in check(running, tmp_path / "heads", code=1)
    assert not (tmp_path / "heads").exists()


def test_a_file_of_heads_that_cannot_be_used_is_told(running: Running, tmp_path: Path) -> None:
    (tmp_path / "heads").write_bytes(b"\xff\xfe")
    assert "cannot be read" in check(running, tmp_path / "heads", code=1)
    assert "cannot be written" in check(running, tmp_path / "nowhere" / "heads", code=1)


# receipt


@pytest.fixture
def receipt(running: Running, tmp_path: Path) -> Path:
    """The receipt of an approval."""
    with running.approver() as approver:
        approver.approve(2, "seen")
    file = tmp_path / "receipt.json"
    file.write_text(run("receipt", "get", "2", "--env-file", running.env_file()).output)
    return file


def key_of(running: Running) -> str:
    return run("receipt", "key", "--database", str(running.database)).output.strip()


def test_a_receipt_is_got_and_checked_offline(running: Running, receipt: Path, tmp_path: Path) -> None:
    key = key_of(running)
    running.center.close()  # nobody is asked

    found = run("receipt", "verify", str(receipt), "--key", key).output
    told = json.loads(run("receipt", "verify", str(receipt), "--key", key, "--json").output)

    assert "Genuine: action 2, payment.refund (stripe) of billing-bot, was approved" in found
    assert "by carol (" in found
    assert told["problem"] is None
    assert told["receipt"] == json.loads(receipt.read_text())
    assert told["receipt"]["reason"] == "seen"
    line = next(line for line in found.splitlines() if line.startswith("head "))
    (tmp_path / "heads").write_text(f"{line.removeprefix('head ')}\n")
    verified = run("audit", "verify", "--database", str(running.database), "--heads", str(tmp_path / "heads")).output
    assert "1 known heads" in verified


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("approved", "APPROVED", "signature does not fit"),
        ("seen", "sean", "signature does not fit"),
        ("}\n", "", "cut off"),
        ('"v":1', '"v": 1', "as the Center writes it"),
    ],
)
def test_a_receipt_that_was_changed_is_a_failure_with_the_reason(
    running: Running, receipt: Path, old: str, new: str, says: str
) -> None:
    receipt.write_text(receipt.read_text().replace(old, new, 1))

    found = run("receipt", "verify", str(receipt), "--key", key_of(running), code=1).output

    assert found.startswith("NOT GENUINE: ")
    assert says in found
    told = json.loads(run("receipt", "verify", str(receipt), "--key", key_of(running), "--json", code=1).output)
    assert says in told["problem"]


def test_a_receipt_under_another_key_is_a_failure(receipt: Path, tmp_path: Path) -> None:
    other = run("receipt", "key", "--signing-key", str(tmp_path / "other.key")).output.strip()

    assert "another Center" in run("receipt", "verify", str(receipt), "--key", other, code=1).output
    assert "no Center's public key" in run("receipt", "verify", str(receipt), "--key", "x", code=1).output


def test_a_receipt_that_cannot_be_given_is_told(running: Running) -> None:
    assert "no decision" in run("receipt", "get", "1", "--env-file", running.env_file(), code=1).output


def test_the_key_is_that_of_the_file_beside_the_database_or_of_the_one_that_is_named(
    running: Running, tmp_path: Path
) -> None:
    key = key_of(running)

    assert key == running.center.signing_key.public()
    assert key == run("receipt", "key", "--signing-key", f"{running.database}.key").output.strip()
    assert "--signing-key" in run("receipt", "key", code=2).output
    (tmp_path / "loose").write_text("")
    (tmp_path / "loose").chmod(0o644)
    assert "others may read" in run("receipt", "key", "--signing-key", str(tmp_path / "loose"), code=1).output


def test_a_center_can_have_its_key_elsewhere_and_makes_it_when_it_starts(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "center.pem"
    file.parent.mkdir()
    with (
        center_process(tmp_path / "c.db", "--signing-key", str(file)) as center,
        Api(center.url, center.key("user")) as agent,
    ):
        assert file.exists()
        key = agent.get("/api/v1/center-key").json()["public_key"]

    assert key == run("receipt", "key", "--signing-key", str(file)).output.strip()
    assert not (tmp_path / "c.db.key").exists()


def test_a_center_that_can_have_no_key_does_not_start(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere" / "key")

    found = run("center", "--database", str(tmp_path / "c.db"), "--signing-key", nowhere, "--port", "0", code=1).output

    assert "the signing key cannot be made" in found


def test_hostile_text_in_a_receipt_is_spelled_out(running: Running, tmp_path: Path) -> None:
    with Api(running.url, running.user_key) as agent:
        action = agent.submit(action_type="order.lookup", tool_name="a\x1b[2Jb\u202e")
    file = tmp_path / "hostile.json"
    file.write_text(run("receipt", "get", str(action["id"]), "--env-file", running.env_file()).output)

    found = run("receipt", "verify", str(file), "--key", key_of(running)).output

    assert {"\x1b", "\u202e"}.isdisjoint(found + file.read_text())
    assert r"a\u{1b}[2Jb\u{202e}" in found
