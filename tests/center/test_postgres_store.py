"""PostgreSQL: several Centers on one database, connections that break, and who is woken by whom."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import text
from tests import postgres as clusters
from tests.center import rivals
from tests.center.desks import AGENT
from tests.center.stores import a_record, adding, by_hand, do, driver, one_commit
from tests.servers import PATIENCE, Api, center_process, in_thread

from clearance.center import audit
from clearance.center.faults import StoreUnavailable
from clearance.center.records import Entry
from clearance.center.store.base import Store, Tx, Use
from clearance.center.store.databases import open_store

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
from clearance.center.store import postgres, wakeups  # noqa: E402 - they need it

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = open_store(postgres_url)
    yield store
    store.close()


@pytest.fixture
def other(postgres_url: str, store: Store) -> Iterator[Store]:
    """Another Center on the same database."""
    other = open_store(postgres_url)
    yield other
    other.close()


def end_connection(address: str, name: str) -> None:
    """As a server would that is shut down, or a network that breaks."""
    with by_hand(address) as execute:
        ended = execute(
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
            f"WHERE datname = current_database() AND application_name = '{name}'"
        )
    assert ended
    assert all(success for (success,) in ended)


# Several Centers


def test_two_centers_append_to_one_trail_without_a_gap_or_a_fork(store: Store, other: Store) -> None:
    def entry(number: int) -> None:
        do((store, other)[number % 2], lambda tx: tx.append(Entry(number, "submit", "agent-1", number)))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(entry, range(1, 401)))

    for each in (store, other):
        report = do(each, lambda tx: audit.verify(tx.audit()))
        assert (report.entries, report.problem) == (400, None)


def test_three_processes_race_for_actions_and_exactly_one_wins_each(postgres_url: str, store: Store) -> None:
    rivals.exactly_one_wins(postgres_url, store, actions=50, processes=3, use=Use.SERVE)


def test_the_same_key_at_two_centers_at_once_is_one_action(store: Store, other: Store) -> None:
    def ask(center: Store, key: str) -> int:
        def work(tx: Tx) -> int:
            known = tx.action_by_key(AGENT.id, key)
            return (known or tx.add_action(a_record(key))).id

        return do(center, work)

    keys = [str(number) for number in range(50)]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, center, key) for key in keys for center in (store, other)]
        ids = [future.result() for future in asked]

    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == len(keys)


def test_a_unit_that_writes_sees_what_others_wrote_before_and_is_run_again_for_that(store: Store) -> None:
    seen: list[int] = []

    def reading(tx: Tx) -> None:
        seen.append(len(tx.actions()))

    def writing(tx: Tx) -> None:
        reading(tx)
        tx.add_action(a_record())

    do(store, reading)
    assert seen == [0]
    do(store, writing)
    assert seen == [0, 0, 0]
    with one_commit(store):
        both = [store.submit(writing), store.submit(writing)]
    for future in both:
        future.result(30)
    assert seen[3:] == [1, 1, 2]  # the second of them may write at once


def test_who_waits_too_long_for_its_turn_to_write_is_told_and_may_read_meanwhile(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_LOCK_MS", 50)
    store = open_store(postgres_url)
    with psycopg.connect(postgres_url) as frozen:
        frozen.execute("SELECT pg_advisory_xact_lock(%s)", (postgres._WRITERS,))
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            do(store, adding())
        assert do(store, lambda tx: tx.actions()) == []

    assert do(store, adding()).id
    store.close()


def test_a_center_that_freezes_amid_a_transaction_does_not_stop_the_others(postgres_url: str, store: Store) -> None:
    freezing = open_store(postgres_url)
    limit = do(freezing, lambda tx: driver(tx).execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one())
    frozen, thaw = threading.Event(), threading.Event()

    def freeze(tx: Tx) -> int:
        action = tx.add_action(a_record("frozen")).id
        if not frozen.is_set():  # the same limit, sooner over
            driver(tx).execute(text("SET LOCAL idle_in_transaction_session_timeout = 50"))
        frozen.set()
        assert thaw.wait(30)
        return action

    late = freezing.submit(freeze)
    assert frozen.wait(30)
    first = do(store, adding("first"))
    thaw.set()

    assert limit == "15s"
    assert late.result(30) > first.id  # its transaction was undone, and it was run again
    assert [record.key for record in do(store, lambda tx: tx.actions())] == ["frozen", "first"]
    freezing.close()


# Connections that break


def test_a_connection_that_broke_while_nothing_was_done_is_made_again(store: Store, postgres_url: str) -> None:
    do(store, adding("before"))
    end_connection(postgres_url, "clearance")
    do(store, adding("after"))

    assert [record.key for record in do(store, lambda tx: tx.actions())] == ["after", "before"]


@pytest.mark.parametrize(
    "fault",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'no order' USING ERRCODE = '40001'; END $$",
    ],
    ids=["lost", "deadlock", "serialization"],
)
def test_a_transaction_that_the_database_gave_up_is_run_again_once(store: Store, fault: str) -> None:
    runs = 0

    def unlucky(tx: Tx) -> int:
        nonlocal runs
        runs += 1
        action = tx.add_action(a_record("unlucky")).id
        if runs == 2:  # the first run only found that it has to lock
            driver(tx).execute(text(fault))
        return action

    with one_commit(store):
        futures = [store.submit(work) for work in (adding("1"), unlucky, adding("2"))]
    kept: list[Any] = [future.result(30) for future in futures]

    assert [record.key for record in do(store, lambda tx: tx.actions(oldest_first=True))] == ["1", "unlucky", "2"]
    assert kept[1] == do(store, lambda tx: tx.action_by_key(AGENT.id, "unlucky")).id  # type: ignore[union-attr]


def test_a_transaction_that_is_given_up_again_and_again_is_told_to_everybody(store: Store) -> None:
    told: list[Collection[int]] = []
    store.on_change = told.append

    def doomed(tx: Tx) -> None:
        tx.add_action(a_record("doomed"))
        driver(tx).execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with one_commit(store):
        futures: list[Future[Any]] = [store.submit(adding("1")), store.submit(doomed)]
    for future in futures:
        with pytest.raises(StoreUnavailable, match="nothing was changed") as refused:
            future.result(30)
        assert not refused.value.unknown

    assert do(store, lambda tx: tx.actions()) == []
    assert told == []


@pytest.mark.parametrize("kept", [False, True], ids=["before it was done", "after it was done"])
def test_a_connection_that_breaks_at_the_commit_leaves_it_unknown_and_nothing_is_done_twice(
    store: Store, postgres_url: str, kept: bool
) -> None:
    runs: list[int] = []
    told: list[set[int]] = []
    store.on_change = lambda ids: told.append(set(ids))

    def unlucky(tx: Tx) -> None:
        runs.append(tx.add_action(a_record("unlucky")).id)
        dialect = driver(tx).dialect
        commit = dialect.do_commit

        def break_off(connection: Any) -> None:
            failing.undo()
            if kept:
                commit(connection)
            end_connection(postgres_url, "clearance")
            connection.execute("SELECT 1") if kept else commit(connection)

        failing.setattr(dialect, "do_commit", break_off)

    with pytest.MonkeyPatch.context() as failing, pytest.raises(StoreUnavailable, match="is not known") as refused:
        do(store, unlucky)

    assert refused.value.unknown
    assert len(runs) == 1
    assert told[:1] == [{runs[0]}]  # whoever waits looks for themselves
    assert [record.id for record in do(store, lambda tx: tx.actions())] == (runs if kept else [])


def test_a_server_that_crashes_is_used_again_when_it_is_back_and_has_lost_nothing() -> None:
    clusters.require()
    with clusters.cluster() as cluster, cluster.database() as url:
        store = open_store(url)
        ids = [do(store, adding()).id for _ in range(20)]
        cluster.stop(signal.SIGQUIT)
        with pytest.raises(StoreUnavailable):
            do(store, adding())
        cluster.start()

        assert [record.id for record in do(store, lambda tx: tx.actions(oldest_first=True))] == ids
        assert do(store, adding()).id > ids[-1]
        store.close()


# Wake-ups


class Listener:
    """What a store was told of changes, by whichever thread."""

    def __init__(self, store: Store) -> None:
        self._told: set[int] = set()
        self._change = threading.Condition()
        store.on_change = self._hear

    def _hear(self, ids: Collection[int]) -> None:
        with self._change:
            self._told |= set(ids)
            self._change.notify_all()

    def hears(self, *ids: int) -> bool:
        """Were these told, or will they be? False if it never comes to that."""
        with self._change:
            return self._change.wait_for(lambda: self._told >= set(ids), PATIENCE)


def changing(tx: Tx) -> int:
    """A change as the desk makes it: an action, and its entry."""
    action = tx.add_action(a_record()).id
    tx.append(Entry(1, "submit", "agent-1", action))
    return action


@pytest.fixture
def never_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks unless called."""
    monkeypatch.setattr(wakeups, "LOOK_EVERY", 24 * 3600.0)


def test_what_one_center_changes_is_told_to_the_other_at_once(never_looks: None, store: Store, other: Store) -> None:
    mine, theirs = Listener(store), Listener(other)
    ids = [do(center, changing) for center in (store, other) for _ in range(5)]

    assert mine.hears(*ids)
    assert theirs.hears(*ids)


def test_a_call_that_got_lost_only_delays_until_the_next_look(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "LOOK_EVERY", 0.05)
    store = open_store(postgres_url)
    listener = Listener(store)
    visiting = open_store(postgres_url, Use.VISIT)  # it calls nobody

    assert listener.hears(do(visiting, changing))
    visiting.close()
    store.close()


def test_nothing_that_was_changed_while_a_center_did_not_hear_is_lost(
    never_looks: None, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "RETRY_AFTER", 0.05)
    may_connect, connect = threading.Event(), postgres._connect

    def connecting(url: str, application: str, use: Use) -> Any:
        if application == "clearance wake-ups" and threading.current_thread().name == "clearance-wakeups":
            assert may_connect.wait(PATIENCE)
        return connect(url, application, use)

    monkeypatch.setattr(postgres, "_connect", connecting)
    store = open_store(postgres_url)
    visiting = open_store(postgres_url, Use.VISIT)
    listener = Listener(store)
    end_connection(postgres_url, "clearance wake-ups")
    ids = [do(visiting, changing) for _ in range(3)]  # nobody listens now
    may_connect.set()

    assert listener.hears(*ids)
    visiting.close()
    store.close()


def test_what_a_center_has_to_tell_is_told_when_its_connection_is_back(
    never_looks: None, store: Store, other: Store, postgres_url: str
) -> None:
    listener = Listener(other)
    for _ in range(3):
        end_connection(postgres_url, "clearance wake-ups")
        assert listener.hears(do(store, changing))


def test_a_call_that_could_not_be_sent_is_sent_when_the_connection_is_back(
    never_looks: None, store: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    connect = postgres._connect

    def connecting(url: str, application: str, use: Use) -> Any:
        connection = connect(url, application, use)
        execute = connection.execute

        def fail_once(statement: Any, *parameters: Any) -> Any:
            if str(statement).startswith("NOTIFY") and not failures:
                failures.append(statement)
                raise psycopg.OperationalError("the connection is lost")
            return execute(statement, *parameters)

        monkeypatch.setattr(connection, "execute", fail_once)
        return connection

    monkeypatch.setattr(postgres, "_connect", connecting)
    telling = open_store(postgres_url)
    listener = Listener(store)

    assert listener.hears(do(telling, changing))
    assert failures
    telling.close()


def test_a_burst_of_changes_far_longer_than_one_look_is_told_whole(
    never_looks: None, store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "_AT_ONCE", 7)
    listener = Listener(other)
    with one_commit(store):
        futures = [store.submit(changing) for _ in range(100)]

    assert listener.hears(*(future.result(30) for future in futures))


def test_a_trail_that_was_cut_off_is_called_so_and_changes_are_told_all_the_same(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(wakeups, "LOOK_EVERY", 0.05)
    store, visiting = open_store(postgres_url), open_store(postgres_url, Use.VISIT)
    listener = Listener(store)
    assert listener.hears(*[do(visiting, changing) for _ in range(3)])  # so it has seen the trail so far
    with by_hand(postgres_url) as execute:
        execute("DROP TRIGGER audit_append_only ON audit")
        execute("DELETE FROM audit WHERE seq > 1")
    end_connection(postgres_url, "clearance wake-ups")

    with pytest.raises(StoreUnavailable, match="damaged"):  # whoever knew the newest head adds nothing behind another
        do(visiting, changing)
    stranger = open_store(postgres_url, Use.VISIT)
    assert listener.hears(do(stranger, changing))
    assert "The audit trail ends at entry" in caplog.text
    for opened in (stranger, visiting, store):
        opened.close()


def test_whoever_waits_at_one_center_is_woken_by_a_decision_at_another(postgres_url: str) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(center_process(postgres_url)) for _ in range(2))
        agent = stack.enter_context(Api(first.url, first.key("user")))
        approver = stack.enter_context(Api(second.url, second.key("admin")))
        for decide, status in (("approve", "approved"), ("reject", "denied")):
            asked = agent.submit()["id"]
            assert agent.get(f"/api/v1/actions/{asked}/status").json()["status"] == "pending_approval"
            path, held = f"/api/v1/actions/{asked}/status", {"Prefer": "wait=60"}
            with in_thread(lambda path=path, held=held: agent.get(path, headers=held)) as answers:  # type: ignore[misc]
                approver.post(f"/api/v1/actions/{asked}/{decide}", {"reason": "seen"})
                answer = answers.get(timeout=PATIENCE)
            assert not isinstance(answer, BaseException)
            assert answer.json()["status"] == status


def test_what_was_answered_is_there_after_the_sudden_death_of_a_center(postgres_url: str) -> None:
    with center_process(postgres_url) as process, Api(process.url, process.key("user")) as agent:
        ids = [agent.submit()["id"] for _ in range(5)]
        process.kill()
        process.start()
        assert [action["id"] for action in agent.get("/api/v1/actions").json()] == ids[::-1]
