"""SQLite: which files it serves from, and who else may write to one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.center import rivals
from tests.center.desks import Office
from tests.center.stores import adding, do, driver, one_commit
from tests.servers import PATIENCE, Api, center_process, command

from clearance.center import audit, backups
from clearance.center.faults import DatabaseRefused, StoreUnavailable
from clearance.center.service import Center
from clearance.center.store import sqlite, tables
from clearance.center.store.base import Store, Tx, Use
from clearance.center.store.sqlite import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "store.db")
    yield store
    store.close()


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


# The file


def test_the_settings_are_those_that_lose_nothing(store: Store) -> None:
    def pragmas(tx: Tx) -> list[Any]:
        raw: Any = driver(tx).connection.driver_connection
        names = ("journal_mode", "synchronous", "foreign_keys", "application_id")
        return [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert store.submit(pragmas).result(30) == ["wal", 2, 1, sqlite.APPLICATION_ID]


def written_and_failed(tx: Tx) -> None:
    adding("0")(tx)
    raise LookupError  # and all units are run again, in savepoints


STEPS: dict[str, Callable[[Tx], object]] = {
    "given up": lambda tx: driver(tx).connection.driver_connection.rollback(),  # as SQLite may, when a disk is full
    "read": lambda tx: tx.keys(),
    "nested": lambda tx: driver(tx).begin_nested(),
}


@pytest.mark.parametrize("before", [adding("1"), written_and_failed], ids=["without savepoints", "in savepoints"])
@pytest.mark.parametrize("after", [[], [adding("3")]], ids=["last", "amid"])
@pytest.mark.parametrize(
    "steps", ["given up", "given up, read", "given up, nested", "read, given up", "read, given up, nested"]
)
def test_what_sqlite_gave_up_by_itself_is_answered_as_kept_to_nobody(
    store: Store, before: Callable[[Tx], object], after: list[Callable[[Tx], object]], steps: str
) -> None:
    def given_up(tx: Tx) -> None:
        for step in steps.split(", "):
            STEPS[step](tx)

    with one_commit(store):
        futures: list[Future[Any]] = [store.submit(work) for work in (before, adding("2"), given_up, *after)]

    for future in futures:
        with pytest.raises(StoreUnavailable, match="nothing was changed"):
            future.result(PATIENCE)
    assert do(store, lambda tx: tx.actions()) == []
    assert do(store, adding("4")).id == 1


def test_a_new_database_is_its_owners_alone(store: Store, tmp_path: Path) -> None:
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


def cut_to_nothing(file: Path) -> None:
    """One of ours of which only the log is left."""
    file.touch()
    Path(f"{file}-wal").write_bytes(b"the log")


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
        (cut_to_nothing, "is damaged: it was cut off to nothing"),
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


# Who else writes


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


def test_four_processes_race_for_actions_and_exactly_one_wins_each(tmp_path: Path, store: Store) -> None:
    address = str(tmp_path / "store.db")
    rivals.exactly_one_wins(address, store, actions=50, processes=4, use=Use.VISIT)


def test_a_second_center_on_one_file_is_refused_while_the_first_serves(tmp_path: Path) -> None:
    file = tmp_path / "center.db"
    with center_process(file) as process:
        with pytest.raises(DatabaseRefused, match="another Center serves from it"):
            open_store(file)
        process.kill()
    first = open_store(file)  # whoever is dead does not serve
    with pytest.raises(DatabaseRefused, match="another Center serves from it"):
        open_store(file)
    visiting = open_store(file, Use.VISIT)
    first.close()
    second = open_store(file)
    visiting.close()
    second.close()

    assert {found.name for found in tmp_path.iterdir()} == {"center.db", "center.db.key"}


def test_a_second_process_is_refused_in_plain_words(tmp_path: Path, store: Store) -> None:
    line = command("center", "--port", "0", "--database", str(tmp_path / "store.db"))
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 1
    assert "another Center serves from it. Stop that one first" in done.stderr


def test_a_center_that_could_not_start_leaves_the_file_to_another(tmp_path: Path) -> None:
    damaged(tmp_path / "center.db")
    with pytest.raises(DatabaseRefused, match=r"damaged|malformed"):
        open_store(tmp_path / "center.db")
    (tmp_path / "center.db").unlink()

    open_store(tmp_path / "center.db").close()


def test_keys_are_made_while_the_center_runs_and_work_at_once(tmp_path: Path) -> None:
    line = command("keys", "create", "--role", "user", "--database", str(tmp_path / "center.db"))

    def make() -> str:
        return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.strip()

    with center_process(tmp_path / "center.db") as process:
        makers = ThreadPoolExecutor(4)
        with makers, Api(process.url, process.key("user")) as agent:
            made = [makers.submit(make) for _ in range(4)]
            asked = [agent.submit()["id"] for _ in range(50)]
            for future in made:
                with Api(process.url, future.result(PATIENCE)) as other:
                    assert other.get("/api/deployment-info").status_code == 200
    center = Center.open(tmp_path / "center.db")
    report = center.do(lambda tx: audit.verify(tx.audit()))
    center.close()

    assert asked == list(range(1, 51))
    assert (report.entries, report.problem) == (1 + 5 + 50, None)  # the policy, five keys, what was asked


def test_who_has_to_wait_too_long_for_its_turn_is_told_and_served_again_afterwards(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    visiting = open_store(tmp_path / "store.db", Use.VISIT)
    monkeypatch.setattr(sqlite, "_BUSY_MS", 20)
    has_turn, go = threading.Event(), threading.Event()

    def stay(_tx: Tx) -> None:
        has_turn.set()
        assert go.wait(PATIENCE)

    staying = visiting.submit(stay)
    assert has_turn.wait(PATIENCE)
    with pytest.raises(StoreUnavailable, match="database is locked"):
        store.submit(adding()).result(PATIENCE)
    go.set()
    staying.result(PATIENCE)

    monkeypatch.undo()
    assert store.submit(adding()).result(PATIENCE).id == 1
    visiting.close()


def test_who_waits_for_another_process_is_told_too(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_MS", 20)
    holder = lock_holder(f"{tmp_path / 'store.db'}-lock")
    with holder, pytest.raises(StoreUnavailable, match="locked by another process"):
        store.submit(adding()).result(PATIENCE)
    assert store.submit(adding()).result(PATIENCE).id == 1


@contextlib.contextmanager
def lock_holder(lock_file: str) -> Iterator[None]:
    """A process that has the turn to write, and does not end it."""
    script = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+'); fcntl.lockf(file, fcntl.LOCK_EX, 1, 2); print(); input()"
    )
    line = [sys.executable, "-c", script, lock_file]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        yield
        process.communicate("\n", timeout=PATIENCE)


def test_to_open_a_file_again_gives_up_none_of_the_locks_on_it(tmp_path: Path, store: Store) -> None:
    file = tmp_path / "store.db"
    for use in (Use.VISIT, Use.READ):
        open_store(file, use).close()
    backups.backup(str(file), tmp_path / "copy.db")
    # Who believes to be the last to leave moves the log into the database and removes it.
    script = (
        "import sqlite3, sys; raw = sqlite3.connect(sys.argv[1]); raw.execute('SELECT * FROM actions'); raw.close()"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], timeout=PATIENCE, check=True)

    assert Path(f"{file}-wal").exists()
    store.submit(adding()).result(PATIENCE)
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("SELECT id FROM actions").fetchall() == [(1,)]


def test_a_child_process_has_none_of_its_parents_locks(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    open_store(file).close()
    script = """
import os, pathlib, sys
from clearance.center.store import filelock
file = pathlib.Path(sys.argv[1])
lock = filelock.FileLock.join(file)
lock.serve()
if not (child := os.fork()):
    os._exit(10 + filelock.is_open_here(file))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10
assert filelock.is_open_here(file)
lock.leave()
"""
    subprocess.run([sys.executable, "-c", script, str(file)], timeout=PATIENCE, check=True)
    assert [found.name for found in tmp_path.iterdir()] == ["store.db"]


def test_whoever_leaves_last_takes_the_lock_file_away(tmp_path: Path) -> None:
    file, beside = tmp_path / "center.db", tmp_path / "center.db-lock"
    open_store(file).close()
    with lock_file_taken_away_once(beside):
        store = open_store(file)
        assert beside.exists()
        assert beside.stat().st_mode & 0o077 == 0
    store.close()
    assert not beside.exists()


@contextlib.contextmanager
def lock_file_taken_away_once(beside: Path) -> Iterator[None]:
    """Somebody leaves, and takes the lock file away, between the opening of it and the locking."""
    lockf = fcntl.lockf
    gone: list[Path] = []

    def lock(descriptor: int, *how: int) -> None:
        if not gone:
            beside.unlink()
            gone.append(beside)
        lockf(descriptor, *how)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fcntl, "lockf", lock)
        yield
    assert gone
