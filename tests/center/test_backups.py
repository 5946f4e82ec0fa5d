"""Backups: a copy that can be trusted, a restore that lets nothing run twice, an export that tells no secrets."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import CAROL, Office
from tests.center.stores import by_hand

from clearance.center import audit, backups, breakglass
from clearance.center.audit import verify
from clearance.center.faults import Conflict, DatabaseRefused
from clearance.center.records import Entry, Principal, Role
from clearance.center.service import Center
from clearance.center.store import copies, tables
from clearance.center.store.base import Use
from clearance.models import Status


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with an action in every state that a restore may meet."""
    office = Office(tmp_path / "center.db")
    for status in (Status.PENDING, Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.DENIED):
        office.at(status)
    office.close()
    return tmp_path / "center.db"


def folder(of: Path) -> list[str]:
    return sorted(file.name for file in of.parent.iterdir())


def records(database: Path | str) -> dict[int, Status]:
    center = Center.open(database, use=Use.READ)
    found = {record.id: record.status for record in center.do(lambda tx: tx.actions(limit=100_000))}
    center.close()
    return found


def test_a_backup_holds_everything_and_is_one_file_of_its_owners_alone(database: Path) -> None:
    copy = database.with_name("copy.db")
    report = backups.backup(str(database), copy)

    assert report.problem is None
    assert folder(copy) == ["center.db", "copy.db"]
    assert copy.stat().st_mode & 0o077 == 0
    assert records(copy) == records(database)
    with by_hand(str(database)) as theirs, by_hand(str(copy)) as mine:
        for table in tables.metadata.tables:
            assert mine(f"SELECT * FROM {table}") == theirs(f"SELECT * FROM {table}")
        assert mine("PRAGMA journal_mode") == [("wal",)]


def test_a_backup_of_a_center_that_is_at_work_is_whole_and_holds_what_was_answered(tmp_path: Path) -> None:
    office = Office(tmp_path / "center.db")
    answered, done = [office.submit().id], threading.Event()
    before: list[int] = []

    def work() -> None:
        while not done.is_set():
            answered.append(office.submit().id)

    working = threading.Thread(target=work)
    working.start()
    try:
        for number in range(10):
            before = list(answered)
            report = backups.backup(str(tmp_path / "center.db"), tmp_path / f"{number}.db")
            assert report.problem is None
            assert report.entries >= len(before)
    finally:
        done.set()
        working.join(30)
    office.close()
    assert set(records(tmp_path / "9.db")) >= set(before)


def test_what_is_in_the_log_only_is_in_the_backup_too(tmp_path: Path) -> None:
    office = Office(tmp_path / "center.db")
    record = office.submit()
    backups.backup(str(tmp_path / "center.db"), tmp_path / "copy.db")  # the Center still runs
    office.close()

    assert records(tmp_path / "copy.db") == {record.id: Status.PENDING}


@pytest.mark.parametrize("ending", ["", "-wal", "-journal"])
@pytest.mark.parametrize("how", ["backup", "restore"])
def test_nothing_that_is_there_is_overwritten(database: Path, ending: str, how: str) -> None:
    there = Path(f"{database.with_name('there.db')}{ending}")
    there.write_text("dear to somebody")
    target = database.with_name("there.db")

    with pytest.raises(DatabaseRefused, match="is there already, and was left alone"):
        backups.backup(str(database), target) if how == "backup" else backups.restore(database, str(target))

    assert there.read_text() == "dear to somebody"
    assert folder(database) == sorted(["center.db", there.name])


def test_a_name_that_is_taken_while_it_copies_is_left_alone(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, sync = database.with_name("there.db"), copies._sync

    def taken(path: Path) -> None:
        target.write_text("dear to somebody")
        sync(path)

    monkeypatch.setattr(copies, "_sync", taken)
    with pytest.raises(DatabaseRefused, match="is there already"):
        backups.backup(str(database), target)
    assert target.read_text() == "dear to somebody"
    assert folder(database) == ["center.db", "there.db"]


def test_a_backup_goes_to_file_systems_without_links_too(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    backups.backup(str(database), database.with_name("copy.db"))

    assert folder(database) == ["center.db", "copy.db"]
    assert records(database.with_name("copy.db")) == records(database)


def test_a_database_in_a_folder_that_cannot_be_written_is_copied_unless_it_may_be_in_use(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = copies._tried

    def unwritable(address: str) -> Any:
        if "mode=rw" in address:
            raise sqlite3.OperationalError("unable to open database file")
        return tried(address)

    monkeypatch.setattr(copies, "_tried", unwritable)
    backups.backup(str(database), database.with_name("copy.db"))
    assert records(database.with_name("copy.db")) == records(database)
    Path(f"{database}-wal").touch()
    with pytest.raises(DatabaseRefused, match="unable to open database file"):
        backups.backup(str(database), database.with_name("second.db"))
    assert folder(database) == ["center.db", "center.db-wal", "copy.db"]


# Sources that are no good


def foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("CREATE TABLE theirs (id)")


def damaged(file: Path) -> None:
    office = Office(file)
    for _ in range(60):
        office.submit()
    office.close()
    content = bytearray(file.read_bytes())
    for page in range(8, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    file.write_bytes(content)


def truncated(file: Path) -> None:
    office = Office(file)
    for _ in range(60):
        office.submit()
    office.close()
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def newer(file: Path) -> None:
    Office(file).close()
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("INSERT INTO schema_steps VALUES (?)", (tables.SCHEMA_VERSION + 1,))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (foreign, "is a database of another program"),
        (lambda file: file.write_text("id,name"), "is not a SQLite database"),
        (lambda file: file.touch(), "is empty"),
        (lambda file: None, "there is no such file"),
        (damaged, "damaged|malformed"),
        (truncated, "damaged|malformed"),
        (newer, "newer Clearance"),
    ],
    ids=["foreign", "a text", "empty", "absent", "damaged", "truncated", "newer"],
)
@pytest.mark.parametrize("how", ["backup", "restore"])
def test_what_is_no_sound_database_is_neither_backed_up_nor_restored(
    tmp_path: Path, spoil: Callable[[Path], Any], says: str, how: str
) -> None:
    source, target = tmp_path / "source.db", tmp_path / "target.db"
    spoil(source)
    before = folder(source)

    with pytest.raises(DatabaseRefused, match=says):
        backups.backup(str(source), target) if how == "backup" else backups.restore(source, str(target))
    assert folder(source) == before


def tamper(database: Path) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("UPDATE audit SET body = replace(body, 'agent-1', 'agent-2') WHERE seq = 2")


def test_a_broken_trail_is_backed_up_and_called_so_but_not_restored(database: Path) -> None:
    tamper(database)
    copy, restored = database.with_name("copy.db"), database.with_name("restored.db")

    report = backups.backup(str(database), copy)
    assert (report.entries, report.problem) == (1, "entry 2 does not fit the chain: it, or its hash, was changed")
    with pytest.raises(DatabaseRefused, match=r"its audit trail is broken after 1 entries .*Nothing was restored"):
        backups.restore(copy, str(restored))
    assert not restored.exists()


def test_an_action_that_does_not_stand_as_its_trail_says_is_not_restored(database: Path) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("UPDATE actions SET status = 'denied' WHERE status = 'approved'")

    with pytest.raises(DatabaseRefused, match=r"kept as denied, but by the trail it is approved.*Nothing was"):
        backups.restore(database, str(database.with_name("restored.db")))
    assert folder(database) == ["center.db"]


def test_a_folder_that_is_not_there_or_may_not_be_written_is_told(database: Path) -> None:
    with pytest.raises(DatabaseRefused, match=r"nowhere/copy.db: cannot be made \(No such file or directory\)"):
        backups.backup(str(database), database.parent / "nowhere" / "copy.db")


def test_a_full_disk_leaves_nothing_of_a_restore(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reopened = backups._reopened

    def full(file: Path, part: Path, report: audit.Report) -> int:
        revoked = reopened(file, part, report)
        Path(f"{part}-wal").write_bytes(b"what did not get into the database")
        return revoked

    monkeypatch.setattr(backups, "_reopened", full)
    with pytest.raises(DatabaseRefused, match="could not be finished; the disk may be full"):
        backups.restore(database, str(database.with_name("restored.db")))
    assert folder(database) == ["center.db"]


# What a restore lets happen


@pytest.fixture
def restored(database: Path) -> Path:
    """A database that was restored from a backup of `database`."""
    backups.backup(str(database), database.with_name("copy.db"))
    target = database.with_name("restored.db")
    found = backups.restore(database.with_name("copy.db"), str(target))
    assert found.revoked == 1
    assert found.trail.problem is None
    return target


def test_what_was_approved_and_not_claimed_may_have_run_since_and_never_runs_again(
    database: Path, restored: Path
) -> None:
    before = records(database)
    assert records(restored) == {
        action: Status.REVOKED if status is Status.APPROVED else status for action, status in before.items()
    }
    office = Office(restored)
    (revoked,) = [record for record in office.do(lambda tx: tx.actions()) if record.status is Status.REVOKED]
    with pytest.raises(Conflict, match="is revoked"):
        office.claim(revoked)
    assert "Restored from a backup" in revoked.reason
    office.close()


def test_a_client_that_never_claims_may_have_run_what_it_had_read(tmp_path: Path) -> None:
    office = Office(tmp_path / "center.db")
    read, unread = (office.approve(office.submit(claims=False)) for _ in range(2))
    office.read(read)
    office.close()
    backups.restore(tmp_path / "center.db", str(tmp_path / "restored.db"))

    assert records(tmp_path / "restored.db") == {read.id: Status.UNKNOWN, unread.id: Status.REVOKED}


def test_a_break_glass_that_may_have_been_closed_since_is_closed(tmp_path: Path) -> None:
    dave = Principal("admin-2", "dave", Role.SUPER_ADMIN)
    with closing(Center.open(tmp_path / "center.db")) as center:
        now = center.desk.now()
        center.do(lambda tx: breakglass.open_one(tx, dave, now, agent="a", tool="t", reason="stuck"))
    backups.restore(tmp_path / "center.db", str(tmp_path / "restored.db"))

    with closing(Center.open(tmp_path / "restored.db", use=Use.READ)) as center:
        (glass,) = center.do(lambda tx: tx.break_glasses(limit=2))
    assert glass.closed_by == "local"
    with closing(Center.open(tmp_path / "restored.db")) as center:
        now = center.desk.now()
        again = center.do(lambda tx: breakglass.open_one(tx, dave, now, agent="a", tool="t", reason="stuck"))
    assert again.id == glass.id + copies.ROOM + 1  # the numbers between may have been given since


def test_a_number_that_was_given_to_an_action_since_is_not_given_to_another(database: Path, restored: Path) -> None:
    office = Office(restored)
    assert office.submit().id == max(records(database)) + copies.ROOM + 1
    office.close()


def test_also_where_there_was_no_action_yet_no_number_is_given_again(tmp_path: Path) -> None:
    Office(tmp_path / "center.db").close()
    backups.restore(tmp_path / "center.db", str(tmp_path / "restored.db"))
    office = Office(tmp_path / "restored.db")
    assert office.submit().id == copies.ROOM + 1
    office.close()


def test_the_trail_goes_on_and_tells_of_the_restore(database: Path, restored: Path) -> None:
    office = Office(database)
    before = office.trail()
    office.close()
    office = Office(restored)
    after = office.trail()
    office.close()

    assert verify(after).problem is None
    assert after[: len(before)] == before
    revoked, told = (json.loads(link.body) for link in after[len(before) :])
    assert (revoked["event"], revoked["status"], revoked["actor"]) == ("revoke", "revoked", "local")
    assert told["event"] == "center.restored"
    assert told["details"] == {"entries": len(before), "head": verify(before).head, "revoked": 1}


def test_many_approvals_are_all_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearance.center.approvals.MOST_AT_ONCE", 3)
    office = Office(tmp_path / "center.db")
    for _ in range(10):
        office.approve(office.submit(), CAROL)
    office.close()

    assert backups.restore(tmp_path / "center.db", str(tmp_path / "restored.db")).revoked == 10
    assert set(records(tmp_path / "restored.db").values()) == {Status.REVOKED}


def test_a_backup_of_an_older_version_is_brought_forward(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = tables.SCHEMA_VERSION + 1
    monkeypatch.setattr(tables, "SCHEMA_VERSION", number)
    monkeypatch.setattr(tables, "STEPS", {**tables.STEPS, number: lambda _: None})
    copy, restored = database.with_name("copy.db"), database.with_name("restored.db")
    backups.backup(str(database), copy)
    backups.restore(copy, str(restored))

    steps = "SELECT max(number) FROM schema_steps"
    found = {}
    for file in (database, copy, restored):
        with by_hand(str(file)) as execute:
            found[file.name] = execute(steps)[0][0]
    assert found == {"center.db": number - 1, "copy.db": number - 1, "restored.db": number}


def test_a_database_on_a_server_has_tools_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(DatabaseRefused, match=r"//u:\*\*\*@h/db: is a database on a server. Back it up with pg_dump"):
        backups.backup("postgresql://u:pw@h/db", tmp_path / "copy.db")
    with pytest.raises(DatabaseRefused, match="Restore it with pg_restore"):
        backups.restore(tmp_path / "copy.db", "postgresql://u:pw@h/db")


# Export


def test_an_export_is_every_action_and_the_whole_trail_and_no_secret(
    database_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_AT_ONCE", 3)
    office = Office(database_address)
    ended = [office.at(status) for status in (Status.EXECUTING, Status.COMPLETED, Status.DENIED, Status.PENDING)]
    center = Center(office.store)
    key = center.create_key(Role.ADMIN, "carol")
    center.sign_in_token(CAROL)
    center.do(lambda tx: center.start_session(tx, CAROL))
    office.close()

    center = Center.open(database_address, use=Use.READ)
    lines = [json.loads(json.dumps(line)) for line in backups.export(center)]
    (admin,) = center.do(lambda tx: tx.keys())
    trail = center.do(lambda tx: list(tx.audit()))
    center.close()

    actions = [line for line in lines if line["kind"] == "action"]
    entries = [line for line in lines if line["kind"] == "audit"]
    assert [line["id"] for line in actions] == [record.id for record in ended]
    assert [line["status"] for line in actions] == [record.status.value for record in ended]
    assert actions[0]["action"]["parameters"] == {"charge_id": "ch_1", "amount": 5}
    assert all("nonce" not in line for line in actions)
    links = [audit.Link(line["seq"], line["body"], line["hash"]) for line in entries]
    assert links == trail
    assert verify(links).problem is None
    assert len(lines) == len(actions) + len(entries)
    text = json.dumps(lines)
    assert key not in text
    assert admin.digest not in text
    assert "form_token" not in text


def test_an_export_of_a_center_at_work_ends_and_holds_what_was_there(tmp_path: Path) -> None:
    office = Office(tmp_path / "center.db")
    ids = [office.submit().id for _ in range(5)]
    center = Center.open(tmp_path / "center.db", use=Use.READ)
    seen = []
    for line in backups.export(center):
        seen.append(line)
        if len(seen) < 5:
            ids.append(office.submit().id)
            office.do(lambda tx: tx.append(Entry(1, "key.created", "local")))
    center.close()
    office.close()

    assert {line["id"] for line in seen if line["kind"] == "action"} >= set(ids[:5])
    assert [line["seq"] for line in seen if line["kind"] == "audit"] == list(range(1, 5 + 8 + 1))
