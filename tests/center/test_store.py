"""What every store promises: all of a unit of work or none, one commit for many, and what is told is durable.

Each test runs on both databases.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, text
from tests.center.stores import a_record, adding, by_hand, do, driver, one_commit

from clearance.center import audit
from clearance.center.faults import Conflict, DatabaseRefused, StoreUnavailable
from clearance.center.records import Entry
from clearance.center.store import tables
from clearance.center.store.base import Store, Tx, Use
from clearance.center.store.databases import open_store
from clearance.center.store.writer import MOST_A_COMMIT
from clearance.testing.contract import StoreContract


@pytest.fixture
def store(database_address: str) -> Iterator[Store]:
    store = open_store(database_address)
    yield store
    store.close()


class TestBoth(StoreContract):
    """The contract that we ship, on both."""

    crowd = MOST_A_COMMIT + 50

    @pytest.fixture
    def where(self, database_address: str) -> str:
        return database_address

    @classmethod
    def open(cls, where: str) -> Store:
        return open_store(where)


# Units of work


def test_units_share_one_run_unless_one_of_them_wrote_and_failed(store: Store) -> None:
    runs: list[str] = []

    def unit(name: str, *, writes: bool, fails: bool) -> Callable[[Tx], None]:
        def work(tx: Tx) -> None:
            runs.append(name)
            if writes:
                tx.add_action(a_record(name))
            if fails:
                raise LookupError(name)

        return work

    with one_commit(store):
        futures = [store.submit(unit("a", writes=True, fails=False)), store.submit(unit("b", writes=False, fails=True))]
    assert [type(future.exception(30)) for future in futures] == [type(None), LookupError]
    assert runs.count("b") == 1, "a unit that wrote nothing spoils nothing"

    runs.clear()
    with one_commit(store):
        futures = [store.submit(unit("c", writes=True, fails=False)), store.submit(unit("d", writes=True, fails=True))]
    assert [type(future.exception(30)) for future in futures] == [type(None), LookupError]
    assert runs[-2:] == ["c", "d"]
    assert do(store, lambda tx: [record.key for record in tx.actions(oldest_first=True)]) == ["a", "c"]


@pytest.mark.parametrize(
    ("words", "full"),
    [
        ("database or disk is full", True),
        ("could not extend file: No space left on device", True),
        ("disk I/O error", False),
    ],
)
def test_a_commit_that_fails_is_told_to_everybody_in_it_and_keeps_nothing(store: Store, words: str, full: bool) -> None:
    told: list[Any] = []
    store.on_change = told.append

    def broken(tx: Tx) -> None:
        dialect = driver(tx).dialect

        def refuse(_: object) -> None:
            raise dialect.dbapi.OperationalError(words)

        failing.setattr(dialect, "do_commit", refuse)  # as a full disk would, at COMMIT

    def conflicting(_tx: Tx) -> None:
        raise Conflict("because of what the first unit did")

    with pytest.MonkeyPatch.context() as failing:
        with one_commit(store):
            futures: list[Future[Any]] = [store.submit(work) for work in (adding("1"), broken, conflicting)]
        for future in futures:
            with pytest.raises(StoreUnavailable, match=words) as refused:
                future.result(30)
            assert refused.value.full is full
            assert not refused.value.unknown

    assert do(store, lambda tx: tx.actions()) == []
    assert told == []
    assert do(store, adding("1")).id


def test_what_changed_is_told_after_it_is_durable(store: Store, database_address: str) -> None:
    told: list[set[int]] = []
    durable: list[set[int]] = []

    def look(ids: Any) -> None:
        with by_hand(database_address) as execute:
            durable.append({row[0] for row in execute("SELECT id FROM actions")})
        told.append(set(ids))

    store.on_change = look
    with one_commit(store):
        futures = [store.submit(adding()) for _ in range(3)]
    assert [future.result(30).id for future in futures] == [1, 2, 3]
    do(store, lambda tx: tx.actions())

    assert told == durable == [{1, 2, 3}]


# The database


@pytest.mark.parametrize("change", ["UPDATE audit SET body = '{}'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_the_trail(store: Store, database_address: str, change: str) -> None:
    do(store, lambda tx: tx.append(Entry(1, "submit", "agent-1", 1)))

    with by_hand(database_address) as execute:
        with pytest.raises(Exception, match="the audit trail is append-only"):
            execute(change)
        assert execute("SELECT seq, action_id FROM audit") == [(1, 1)]


def test_a_schema_step_that_fails_leaves_nothing_behind(database_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(connection: Any) -> None:
        tables.metadata.create_all(connection)
        raise DatabaseRefused("half way")

    with monkeypatch.context() as patched:
        patched.setattr(tables, "STEPS", {1: half})
        with pytest.raises(DatabaseRefused, match="half way"):
            open_store(database_address)
    store = open_store(database_address)
    assert do(store, adding()).id == 1
    store.close()


@pytest.fixture
def old(database_address: str) -> str:
    """A database from before a step that the tests add."""
    store = open_store(database_address)
    do(store, adding())
    store.close()
    return database_address


@pytest.fixture
def a_second_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer Clearance: one whose schema has a step more."""

    def second(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE second (id INTEGER)"))

    number = tables.SCHEMA_VERSION + 1
    monkeypatch.setattr(tables, "SCHEMA_VERSION", number)
    monkeypatch.setattr(tables, "STEPS", {**tables.STEPS, number: second})


def recorded(address: str) -> int:
    """The last step that is on record."""
    with by_hand(address) as execute:
        number: int = execute("SELECT max(number) FROM schema_steps")[0][0]
        return number


def test_a_center_brings_an_older_database_forward_and_keeps_what_is_in_it(old: str, a_second_step: None) -> None:
    store = open_store(old)
    assert [record.id for record in do(store, lambda tx: tx.actions())] == [1]
    store.close()

    assert recorded(old) == tables.SCHEMA_VERSION
    with by_hand(old) as execute:
        assert execute("SELECT * FROM second") == []


def test_a_later_step_that_fails_leaves_the_database_as_it_was(
    old: str, a_second_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables.SCHEMA_VERSION - 1

    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        connection.execute(text("SELECT 1 FROM nowhere"))

    with monkeypatch.context() as patched:
        patched.setattr(tables, "STEPS", {**tables.STEPS, tables.SCHEMA_VERSION: half})
        with pytest.raises(DatabaseRefused, match="nowhere"):
            open_store(old)

    assert recorded(old) == before
    with by_hand(old) as execute, pytest.raises(Exception, match="half"):
        execute("SELECT * FROM half")


@pytest.mark.parametrize("use", [Use.VISIT, Use.READ])
def test_a_command_leaves_an_older_database_to_the_center(old: str, a_second_step: None, use: Use) -> None:
    mine = tables.SCHEMA_VERSION
    says = rf"older Clearance \(schema {mine - 1}, this one has {mine}\). Start the Center once"
    with pytest.raises(DatabaseRefused, match=says):
        open_store(old, use)

    assert recorded(old) == mine - 1


def test_a_newer_database_is_refused_and_left_as_it_is(old: str) -> None:
    mine = tables.SCHEMA_VERSION
    with by_hand(old) as execute:
        execute(f"INSERT INTO schema_steps VALUES ({mine + 1})")

    says = rf"newer Clearance \(schema {mine + 1}, this one knows {mine}\). Upgrade Clearance"
    with pytest.raises(DatabaseRefused, match=says):
        open_store(old)

    assert recorded(old) == mine + 1


@pytest.mark.parametrize("use", list(Use))
def test_a_database_that_lacks_a_table_is_refused(old: str, use: Use) -> None:
    with by_hand(old) as execute:
        execute("DROP TABLE sessions")

    with pytest.raises(DatabaseRefused, match="is damaged: it has no table sessions"):
        open_store(old, use)


def test_who_only_reads_can_change_nothing(old: str) -> None:
    store = open_store(old, Use.READ)
    with pytest.raises(StoreUnavailable, match=r"(?i)read-?only"):
        do(store, adding())
    assert [record.id for record in do(store, lambda tx: tx.actions())] == [1]
    store.close()


def test_a_command_works_beside_a_center_that_serves(database_address: str) -> None:
    serving = open_store(database_address)
    for use in (Use.VISIT, Use.VISIT, Use.READ):
        visiting = open_store(database_address, use)
        if use is Use.VISIT:
            do(visiting, lambda tx: tx.append(Entry(1, "key.created", "local")))
        do(serving, lambda tx: tx.append(Entry(2, "submit", "agent-1", 1)))
        report = do(visiting, lambda tx: audit.verify(tx.audit()))
        visiting.close()
        assert report.problem is None
    assert do(serving, lambda tx: audit.verify(tx.audit())).entries == 5
    serving.close()


def test_who_only_reads_holds_up_no_center(database_address: str) -> None:
    serving = open_store(database_address)
    do(serving, adding())
    reading = open_store(database_address, Use.READ)
    looked, go = threading.Event(), threading.Event()

    def look(tx: Tx) -> int:
        before = len(tx.actions())
        looked.set()
        assert go.wait(30)
        return before

    looking = reading.submit(look)
    assert looked.wait(30)
    assert do(serving, adding()).id == 2  # while the other is amid its transaction
    go.set()
    assert looking.result(30) == 1
    reading.close()
    serving.close()


def test_many_commands_at_once_make_one_database(database_address: str) -> None:
    def visit(number: int) -> None:
        store = open_store(database_address, Use.VISIT)
        do(store, lambda tx: tx.append(Entry(number, "key.created", "local")))
        store.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(16)))

    store = open_store(database_address, Use.READ)
    report = do(store, lambda tx: audit.verify(tx.audit()))
    store.close()
    assert (report.entries, report.problem) == (16, None)
