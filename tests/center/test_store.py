"""What every store promises: all of a unit of work or none, one commit for many, and what is told is durable.

Each test runs on both databases.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text
from tests.center.desks import AGENT, DAVE
from tests.center.stores import a_record, adding, by_hand, do, driver, one_commit
from tests.helpers import an_action

from clearance.center import audit, keys
from clearance.center.faults import Conflict, DatabaseRefused, StoreUnavailable
from clearance.center.records import Entry, KillSwitch, Role, Session
from clearance.center.store import tables
from clearance.center.store.base import Store, Tx, Use
from clearance.center.store.databases import open_store
from clearance.center.store.writer import MOST_A_COMMIT
from clearance.models import Status


@pytest.fixture
def store(database_address: str) -> Iterator[Store]:
    store = open_store(database_address)
    yield store
    store.close()


# Units of work


def test_one_failing_unit_takes_no_other_with_it(store: Store) -> None:
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


def test_what_a_failed_unit_did_is_not_so_for_those_behind_it(store: Store) -> None:
    switch = KillSwitch("", "", True, "smoke", 1, DAVE.id, DAVE.name)

    def entering(event: str) -> Callable[[Tx], list[KillSwitch]]:
        def work(tx: Tx) -> list[KillSwitch]:
            tx.append(Entry(1, event, DAVE.id))
            return list(tx.switches())

        return work

    def failing(tx: Tx) -> None:
        tx.put_switch(switch)
        assert entering("lost")(tx) == [switch]
        raise LookupError("mine")

    with one_commit(store):
        seen = [store.submit(work) for work in (entering("a"), failing, entering("b"), entering("c"))]

    assert [future.exception(30) is None for future in seen] == [True, False, True, True]
    assert [future.result(30) for future in seen if future.exception(30) is None] == [[], [], []]
    links = do(store, lambda tx: list(tx.audit()))
    assert [json.loads(link.body)["event"] for link in links] == ["a", "b", "c"]
    assert audit.verify(links).problem is None


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


def test_a_unit_that_was_cancelled_before_its_turn_is_not_run(store: Store) -> None:
    with one_commit(store):
        future = store.submit(adding())
        assert future.cancel()

    assert store.submit(lambda tx: tx.actions()).result(30) == []


def test_many_threads_submit_at_once_and_every_unit_is_kept_once(store: Store) -> None:
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


def test_two_who_read_the_same_version_cannot_both_save_it(store: Store) -> None:
    record = store.submit(adding()).result(30)
    store.submit(lambda tx: tx.save_action(record)).result(30)

    with pytest.raises(Conflict, match="changed by somebody else"):
        store.submit(lambda tx: tx.save_action(record)).result(30)


def test_a_unit_that_the_database_refuses_takes_no_other_with_it(store: Store) -> None:
    with one_commit(store):
        first, twice, third = (store.submit(adding(key)) for key in ("same", "same", "other"))

    assert first.result(30).key == "same"
    with pytest.raises(StoreUnavailable, match=r"(?i)unique") as refused:
        twice.result(30)
    assert third.result(30).key == "other"
    assert "same" not in str(refused.value)


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


def test_closing_finishes_what_is_queued_and_then_takes_nothing_more(database_address: str) -> None:
    store = open_store(database_address)
    futures = [store.submit(adding()) for _ in range(50)]
    store.close()
    store.close()

    assert [future.result(0).id for future in futures] == list(range(1, 51))
    with pytest.raises(StoreUnavailable, match="closed"):
        store.submit(adding())


def test_what_was_kept_is_there_after_opening_again(database_address: str) -> None:
    store = open_store(database_address)
    do(store, adding())
    store.close()
    store = open_store(database_address)
    (record,) = do(store, lambda tx: tx.actions())
    store.close()

    assert record.action == an_action()
    assert record.status is Status.PENDING


@pytest.mark.parametrize("number", [2**31, 10**18 - 1])
def test_a_number_beyond_32_bits_is_a_number_like_others(store: Store, number: int) -> None:
    def due(tx: Tx) -> None:
        tx.save_action(replace(do_now, decide_by=number, escalated_at=1))

    do_now = do(store, adding())
    do(store, due)

    assert do(store, lambda tx: tx.action(number)) is None
    assert do(store, lambda tx: tx.next_deadline()) == number
    assert do(store, lambda tx: list(tx.audit_of(number))) == []


def test_actions_are_listed_from_either_end_and_from_behind_one(store: Store) -> None:
    for key in "abcde":
        do(store, adding(key))

    def listed(**how: Any) -> str:
        return "".join(record.key or "" for record in do(store, lambda tx: tx.actions(**how)))

    assert listed() == "edcba"
    assert listed(oldest_first=True, after=2) == "cde"
    assert listed(oldest_first=True, after=2, limit=2) == "cd"
    assert listed(after=3) == "ed"
    assert listed(limit=2, offset=1) == "dc"
    assert listed(requester="nobody", statuses=[Status.PENDING]) == ""


def test_the_trail_is_read_from_behind_an_entry_up_to_a_limit_and_may_be_left_midway(store: Store) -> None:
    def append(tx: Tx) -> None:
        for number in range(1, 8):
            tx.append(Entry(number, "submit", "agent-1", number % 2))

    do(store, append)

    assert [link.seq for link in do(store, lambda tx: list(tx.audit(after=3, limit=2)))] == [4, 5]
    assert [link.seq for link in do(store, lambda tx: list(tx.audit_of(1)))] == [1, 3, 5, 7]
    assert do(store, lambda tx: next(tx.audit()).seq) == 1
    assert do(store, lambda tx: audit.verify(tx.audit())).entries == 7


def test_a_sign_in_link_works_once_and_in_time_and_a_session_until_its_end(store: Store) -> None:
    do(store, lambda tx: tx.add_sign_in("one", AGENT, 100))
    do(store, lambda tx: tx.add_sign_in("late", AGENT, 100))
    assert do(store, lambda tx: tx.take_sign_in("one", 99)) == AGENT
    assert do(store, lambda tx: tx.take_sign_in("one", 99)) is None
    assert do(store, lambda tx: tx.take_sign_in("late", 100)) is None
    session = Session("id", AGENT, "form", 100)
    do(store, lambda tx: tx.add_session(session))
    assert do(store, lambda tx: tx.session("id", 99)) == session
    assert do(store, lambda tx: tx.session("id", 100)) is None
    do(store, lambda tx: tx.end_session("id"))
    assert do(store, lambda tx: tx.session("id", 99)) is None


def test_keys_are_listed_oldest_first(store: Store) -> None:
    for now, name in enumerate(("first", "second")):
        do(store, lambda tx, now=now, name=name: keys.create(tx, Role.USER, name, now, "local"))  # type: ignore[misc]

    assert [record.name for record in do(store, lambda tx: tx.keys())] == ["first", "second"]


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
