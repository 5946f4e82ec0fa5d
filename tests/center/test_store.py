"""The SQLite store: one commit for many, all or nothing for each, and only files that are safe to serve from."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import AGENT, Office
from tests.helpers import an_action

from clearance.center import audit
from clearance.center.records import Conflict, DatabaseRefused, Entry, Record, Role, Session, StoreUnavailable
from clearance.center.store import sqlite, tables
from clearance.center.store.base import Tx
from clearance.center.store.sql import SqlTx
from clearance.center.store.sqlite import open_store
from clearance.center.store.writer import MOST_A_COMMIT, GroupCommitStore
from clearance.models import Status


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one action in it."""
    office = Office(tmp_path / "center.db")
    office.submit()
    office.close()
    return tmp_path / "center.db"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GroupCommitStore]:
    store = open_store(tmp_path / "store.db")
    yield store
    store.close()


def a_record(key: str | None = None) -> Record:
    """A pending action that was not kept yet."""
    return Record(an_action(), AGENT.id, AGENT.name, "print", 1, 2, "correlation", "policy", key=key)


def adding(key: str | None = None) -> Callable[[Tx], Record]:
    """The unit of work that keeps one."""
    return lambda tx: tx.add_action(a_record(key))


@contextlib.contextmanager
def one_commit(store: GroupCommitStore) -> Iterator[None]:
    """What is submitted inside is queued, and taken up together."""
    go = threading.Event()
    store.submit(lambda _: go.wait(30))
    try:
        yield
    finally:
        go.set()


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's leave to write everywhere; as whoever runs the tests, if that is not root."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


# Transactions


def test_one_failing_unit_takes_no_other_with_it(store: GroupCommitStore) -> None:
    def failing(tx: Tx) -> None:
        tx.add_action(a_record("lost"))
        raise LookupError("mine")

    with one_commit(store):
        first, second, third = store.submit(adding("1")), store.submit(failing), store.submit(adding("3"))

    assert first.result(30).id == 1
    with pytest.raises(LookupError, match="mine"):
        second.result(30)
    third.result(30)
    kept = store.submit(lambda tx: [record.key for record in tx.actions(oldest_first=True)]).result(30)
    assert kept == ["1", "3"]


def test_a_unit_that_the_database_refuses_takes_no_other_with_it(store: GroupCommitStore) -> None:
    with one_commit(store):
        first, twice, third = (store.submit(adding(key)) for key in ("same", "same", "other"))

    assert first.result(30).key == "same"
    with pytest.raises(StoreUnavailable, match="UNIQUE"):
        twice.result(30)
    assert third.result(30).key == "other"


@pytest.mark.parametrize(("words", "full"), [("database or disk is full", True), ("disk I/O error", False)])
def test_a_commit_that_fails_is_told_to_everybody_in_it_and_keeps_nothing(
    store: GroupCommitStore, words: str, full: bool
) -> None:
    told: list[Any] = []
    store.on_change = told.append

    def refuse(_: object) -> None:
        raise sqlite3.OperationalError(words)

    def broken(tx: Tx) -> None:
        assert isinstance(tx, SqlTx)
        failing.setattr(tx._connection.dialect, "do_commit", refuse)  # as a full disk would, at COMMIT

    with pytest.MonkeyPatch.context() as failing:
        with one_commit(store):
            futures: list[Future[Any]] = [store.submit(adding("1")), store.submit(broken), store.submit(adding("2"))]
        for future in futures:
            with pytest.raises(StoreUnavailable, match=words) as refused:
                future.result(30)
            assert refused.value.full is full

    assert store.submit(lambda tx: tx.actions()).result(30) == []
    assert told == []
    assert store.submit(adding("1")).result(30).id


def test_a_database_that_stays_locked_is_told_to_everybody_and_served_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_MS", 10)
    store = open_store(tmp_path / "store.db")
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for future in [store.submit(adding()) for _ in range(3)]:
            with pytest.raises(StoreUnavailable, match="locked"):
                future.result(30)
        other.execute("ROLLBACK")

    assert store.submit(adding()).result(30).id == 1
    store.close()


def test_what_changed_is_told_after_it_is_durable(store: GroupCommitStore, tmp_path: Path) -> None:
    told: list[set[int]] = []

    def look(ids: Any) -> None:
        with closing(sqlite3.connect(tmp_path / "store.db")) as other:
            durable = {row[0] for row in other.execute("SELECT id FROM actions")}
        assert set(ids) <= durable
        told.append(set(ids))

    store.on_change = look
    with one_commit(store):
        futures = [store.submit(adding()) for _ in range(3)]
    assert [future.result(30).id for future in futures] == [1, 2, 3]
    store.submit(lambda tx: tx.actions()).result(30)

    assert told == [{1, 2, 3}]


def test_a_unit_that_was_cancelled_before_its_turn_is_not_run(store: GroupCommitStore) -> None:
    with one_commit(store):
        future = store.submit(adding())
        assert future.cancel()

    assert store.submit(lambda tx: tx.actions()).result(30) == []


def test_many_threads_submit_at_once_and_every_unit_is_kept_once(store: GroupCommitStore) -> None:
    count = MOST_A_COMMIT + 50

    def entry(number: int) -> int:
        def work(tx: Tx) -> int:
            tx.append(Entry(number, "submit", "agent-1"))
            return tx.add_action(a_record(str(number))).id

        return store.submit(work).result(30)

    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(entry, range(count)))

    assert sorted(ids) == list(range(1, count + 1))
    report = store.submit(lambda tx: audit.verify(tx.audit())).result(30)
    assert (report.entries, report.problem) == (count, None)


def test_two_who_read_the_same_version_cannot_both_save_it(store: GroupCommitStore) -> None:
    record = store.submit(adding()).result(30)
    store.submit(lambda tx: tx.save_action(record)).result(30)

    with pytest.raises(Conflict, match="changed by somebody else"):
        store.submit(lambda tx: tx.save_action(record)).result(30)


def test_closing_finishes_what_is_queued_and_then_takes_nothing_more(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store.db")
    futures = [store.submit(adding()) for _ in range(50)]
    store.close()
    store.close()

    assert [future.result(0).id for future in futures] == list(range(1, 51))
    with pytest.raises(StoreUnavailable, match="closed"):
        store.submit(adding())


def test_what_was_kept_is_there_after_opening_again(database: Path) -> None:
    store = open_store(database)
    (record,) = store.submit(lambda tx: tx.actions()).result(30)
    store.close()

    assert record.action == an_action()
    assert record.status is Status.PENDING


def test_a_sign_in_link_works_once_and_in_time_and_a_session_until_its_end(store: GroupCommitStore) -> None:
    def do(work: Callable[[Tx], Any]) -> Any:
        return store.submit(work).result(30)

    do(lambda tx: tx.add_sign_in("one", AGENT, 100))
    do(lambda tx: tx.add_sign_in("late", AGENT, 100))
    assert do(lambda tx: tx.take_sign_in("one", 99)) == AGENT
    assert do(lambda tx: tx.take_sign_in("one", 99)) is None
    assert do(lambda tx: tx.take_sign_in("late", 100)) is None
    session = Session("id", AGENT, "form", 100)
    do(lambda tx: tx.add_session(session))
    assert do(lambda tx: tx.session("id", 99)) == session
    assert do(lambda tx: tx.session("id", 100)) is None
    do(lambda tx: tx.end_session("id"))
    assert do(lambda tx: tx.session("id", 99)) is None


# The file


def test_the_settings_are_those_that_lose_nothing(store: GroupCommitStore) -> None:
    def pragmas(tx: Tx) -> list[Any]:
        assert isinstance(tx, SqlTx)
        raw: Any = tx._connection.connection.driver_connection
        names = ("journal_mode", "synchronous", "foreign_keys", "application_id")
        return [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert store.submit(pragmas).result(30) == ["wal", 2, 1, sqlite.APPLICATION_ID]


def test_a_new_database_is_its_owners_alone(store: GroupCommitStore, tmp_path: Path) -> None:
    assert (tmp_path / "store.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["what?.db", "a#b.db", "100%41.db", "a b&c=d.db", "ö.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        store = open_store(tmp_path / name)
        store.submit(adding()).result(30)
        store.close()

    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "center.db").touch()
    store = open_store(tmp_path / "center.db")

    assert store.submit(adding()).result(30).id == 1
    store.close()


def foreign(file: Path) -> None:
    """A database of another program."""
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("CREATE TABLE theirs (id)")


def not_sqlite(file: Path) -> None:
    """Not a database at all."""
    file.write_text("id,name\n1,Ada\n")


def newer(file: Path) -> None:
    """A database of a newer Clearance."""
    open_store(file).close()
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("INSERT INTO schema_steps VALUES (?)", (tables.SCHEMA_VERSION + 1,))


def damaged(file: Path) -> None:
    """One of ours, after a bad block."""
    office = Office(file)
    for _ in range(40):
        office.submit()
    office.close()
    content = bytearray(file.read_bytes())
    size = 4096
    for page in range(2, len(content) // size):
        content[page * size : page * size + 64] = b"\xa5" * 64
    file.write_bytes(content)


def truncated(file: Path) -> None:
    """One of ours, after half of it was lost."""
    damaged_free = Office(file)
    for _ in range(40):
        damaged_free.submit()
    damaged_free.close()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def header_only(file: Path) -> None:
    """Nothing but the first bytes of a database."""
    file.write_bytes(b"SQLite format 3\0")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (foreign, "is a database of another program"),
        (not_sqlite, "is not a SQLite database"),
        (newer, f"newer Clearance (schema {tables.SCHEMA_VERSION + 1}, this one knows {tables.SCHEMA_VERSION})"),
        (damaged, ""),
        (truncated, ""),
        (header_only, "is a database of another program"),
    ],
)
def test_a_file_that_cannot_be_served_from_is_refused_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    file = tmp_path / "center.db"
    spoil(file)
    before = file.read_bytes()

    with pytest.raises(DatabaseRefused) as refused:
        open_store(file)

    assert str(refused.value).startswith(f"{file}: ")
    assert says in str(refused.value)
    assert file.read_bytes() == before


def test_a_damaged_file_is_called_so(tmp_path: Path) -> None:
    damaged(tmp_path / "center.db")

    with pytest.raises(DatabaseRefused, match=r"damaged|malformed"):
        open_store(tmp_path / "center.db")


def test_a_path_without_its_folder_or_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseRefused, match="there is no folder"):
        open_store(tmp_path / "nowhere" / "center.db")
    with pytest.raises(DatabaseRefused, match="cannot be used"):
        open_store(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_file_is_refused_and_left_as_it_is(public_folder: Path) -> None:
    file = public_folder / "center.db"
    open_store(file).close()
    file.chmod(0o444)
    before = file.read_bytes()

    with as_nobody(), pytest.raises(DatabaseRefused, match="read-only"):
        open_store(file)

    assert file.read_bytes() == before


def test_a_database_in_a_read_only_folder_is_refused_and_left_as_it_is(public_folder: Path) -> None:
    file = public_folder / "center.db"
    open_store(file).close()
    file.chmod(0o666)
    public_folder.chmod(0o555)
    before = file.read_bytes()

    try:
        with as_nobody(), pytest.raises(DatabaseRefused) as refused:
            open_store(file)
    finally:
        public_folder.chmod(0o755)

    assert str(refused.value).startswith(f"{file}: ")
    assert file.read_bytes() == before


def test_a_new_database_in_a_read_only_folder_is_refused(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    try:
        with as_nobody(), pytest.raises(DatabaseRefused, match="folder is not writable"):
            open_store(public_folder / "center.db")
    finally:
        public_folder.chmod(0o755)

    assert list(public_folder.iterdir()) == []


def test_a_file_that_may_not_even_be_read_is_refused(public_folder: Path) -> None:
    file = public_folder / "center.db"
    open_store(file).close()
    file.chmod(0)

    with as_nobody(), pytest.raises(DatabaseRefused, match="cannot be used"):
        open_store(file)


def test_a_file_system_without_the_safe_settings_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A database in memory has no write-ahead log, as some network file systems have none.
    monkeypatch.setattr(sqlite, "_connect", lambda _: sqlite3.connect(":memory:", isolation_level=None))

    with pytest.raises(DatabaseRefused, match="safe settings"):
        open_store(tmp_path / "center.db")


def test_a_schema_step_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(connection: Any) -> None:
        tables.metadata.create_all(connection)
        raise DatabaseRefused("half way")

    with monkeypatch.context() as patched:
        patched.setattr(tables, "STEPS", {1: half})
        with pytest.raises(DatabaseRefused, match="half way"):
            open_store(tmp_path / "center.db")
    with closing(sqlite3.connect(tmp_path / "center.db")) as raw:
        assert raw.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)

    store = open_store(tmp_path / "center.db")
    assert store.submit(adding()).result(30).id == 1
    store.close()


def test_keys_are_listed_oldest_first(tmp_path: Path) -> None:
    from clearance.center import keys

    office = Office(tmp_path / "center.db")
    for name in ("first", "second"):
        office.do(lambda tx, name=name: keys.create(tx, Role.USER, name, office.clock.now, "local"))  # type: ignore[misc]
        office.clock.advance(1)

    assert [record.name for record in office.do(lambda tx: tx.keys())] == ["first", "second"]
    office.close()
