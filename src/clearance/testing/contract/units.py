"""Units of work: all of one happens or none, many may share a commit, and what is told is durable."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from clearance.center import audit
from clearance.center.faults import Conflict, StoreUnavailable
from clearance.center.records import Entry, KillSwitch, Record
from clearance.center.store.base import Store, Tx
from clearance.models import Action, Status
from clearance.testing.contract.declared import Declared, case

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds until a unit of work that should be done counts as never being done."""
REQUESTER = "agent-1"
ABILITIES: Mapping[str, str] = {
    "threads": "may be used by many threads at once, and takes in units while another one runs",
    "durable": "has what was kept when it is opened again at the same place",
}


def a_record(key: str | None = None, **changes: Any) -> Record:
    """A pending action that was not kept yet."""
    action = Action(
        agent_id="billing-bot",
        action_type="payment.refund",
        tool_name="stripe",
        description="Refund 5 on ch_1",
        parameters={"charge_id": "ch_1", "amount": 5},
        digest="the-digest",
        decide_within=60.0,
        run_within=300.0,
    )
    return replace(Record(action, REQUESTER, "billing-bot", 1, 2, "correlation", "policy", key=key), **changes)


def adding(key: str | None = None, **changes: Any) -> Callable[[Tx], Record]:
    """The unit of work that keeps one."""
    return lambda tx: tx.add_action(a_record(key, **changes))


@contextlib.contextmanager
def one_commit(store: Store) -> Iterator[None]:
    """What is submitted inside is queued, and taken up together, by a store that has a queue."""
    go = threading.Event()
    store.submit(lambda _: go.wait(PATIENCE))
    try:
        yield
    finally:
        go.set()


def do(store: Store, work: Callable[[Tx], T]) -> T:
    """One transaction."""
    return store.submit(work).result(PATIENCE)


class StoreCases(Declared):
    """What there is for all cases: a place for a new store, and the store that was opened there.

    Attributes:
        cannot: words of `ABILITIES` for what the store does not have; the cases that need it are left out.
        crowd: units that many threads submit at once; more than one commit of the store takes, if that has a bound.
    """

    abilities: ClassVar[Mapping[str, str]] = ABILITIES
    crowd: ClassVar[int] = 300

    @classmethod
    def open(cls, where: Any) -> Store:
        """Open the store at this place, as a Center does. Override it."""
        raise NotImplementedError(f"{cls.__name__} says of no store that it is to be tested: override open(where).")

    @pytest.fixture
    def where(self, tmp_path: Path) -> Any:
        """A place at which there is no store yet: a file that is not there. Override it for other places."""
        return tmp_path / "center.db"

    @pytest.fixture
    def store(self, where: Any) -> Iterator[Store]:
        """A new store."""
        store = self.open(where)
        yield store
        store.close()


class UnitCases(StoreCases):
    """Units of work."""

    @case()
    def test_a_failing_unit_keeps_nothing_and_its_error_comes_out(self, store: Store) -> None:
        """As it was raised."""

        def failing(tx: Tx) -> None:
            tx.add_action(a_record("lost"))
            tx.append(Entry(1, "lost", REQUESTER))
            raise LookupError("mine")

        with pytest.raises(LookupError, match="mine"):
            do(store, failing)

        assert do(store, lambda tx: (tx.actions(), tx.audit_length())) == ([], 0)
        kept = do(store, adding("kept"))
        assert do(store, lambda tx: tx.actions()) == [kept]

    @case("threads")
    def test_one_failing_unit_takes_no_other_with_it(self, store: Store) -> None:
        """Also where they share a commit."""

        def failing(tx: Tx) -> None:
            tx.add_action(a_record("lost"))
            raise LookupError("mine")

        with one_commit(store):
            first, second, third = store.submit(adding("1")), store.submit(failing), store.submit(adding("3"))

        assert first.result(PATIENCE).id == 1
        with pytest.raises(LookupError, match="mine"):
            second.result(PATIENCE)
        third.result(PATIENCE)
        kept = do(store, lambda tx: [record.key for record in tx.actions(oldest_first=True)])
        assert kept == ["1", "3"]

    @case("threads")
    def test_what_a_failed_unit_did_is_not_so_for_those_behind_it(self, store: Store) -> None:
        """Neither in the tables nor in the trail."""
        switch = KillSwitch("", "", True, "smoke", 1, "admin-2", "dave")

        def entering(event: str) -> Callable[[Tx], list[KillSwitch]]:
            def work(tx: Tx) -> list[KillSwitch]:
                tx.append(Entry(1, event, "admin-2"))
                return list(tx.switches())

            return work

        def failing(tx: Tx) -> None:
            tx.put_switch(switch)
            assert entering("lost")(tx) == [switch]
            raise LookupError("mine")

        with one_commit(store):
            seen = [store.submit(work) for work in (entering("a"), failing, entering("b"), entering("c"))]

        assert [future.exception(PATIENCE) is None for future in seen] == [True, False, True, True]
        assert [future.result(PATIENCE) for future in seen if future.exception(PATIENCE) is None] == [[], [], []]
        links = do(store, lambda tx: list(tx.audit()))
        assert [json.loads(link.body)["event"] for link in links] == ["a", "b", "c"]
        assert audit.verify(links).problem is None

    @case()
    def test_a_unit_sees_what_it_has_done_itself(self, store: Store) -> None:
        """Before it is kept."""

        def work(tx: Tx) -> None:
            record = tx.add_action(a_record("a"))
            assert tx.action(record.id) == record == tx.action_by_key(REQUESTER, "a")
            saved = tx.save_action(replace(record, status=Status.DENIED))
            assert tx.action(record.id) == saved
            tx.append(Entry(1, "deny", "admin-1", record.id))
            assert tx.audit_length() == len(list(tx.audit())) == len(list(tx.audit_of(record.id))) == 1

        do(store, work)

    @case("threads")
    def test_a_unit_that_was_cancelled_before_its_turn_is_not_run(self, store: Store) -> None:
        """And it keeps up none behind it."""
        with one_commit(store):
            future = store.submit(adding())
            assert future.cancel()

        assert do(store, lambda tx: tx.actions()) == []

    @case("threads")
    def test_many_threads_submit_at_once_and_every_unit_is_kept_once(self, store: Store) -> None:
        """Under numbers without gaps, with a trail that is whole."""

        def entry(number: int) -> int:
            def work(tx: Tx) -> int:
                tx.append(Entry(number, "submit", REQUESTER))
                return tx.add_action(a_record(str(number))).id

            return do(store, work)

        with ThreadPoolExecutor(16) as pool:
            ids = list(pool.map(entry, range(self.crowd)))

        assert sorted(ids) == list(range(1, self.crowd + 1))
        report = do(store, lambda tx: audit.verify(tx.audit()))
        assert (report.entries, report.problem) == (self.crowd, None)

    @case("threads", round=range(3))
    def test_of_many_who_change_the_same_action_at_once_one_wins(self, store: Store, round: int) -> None:
        """The others are told that somebody has."""
        record = do(store, adding())
        barrier = threading.Barrier(8)

        def change(number: int) -> bool:
            barrier.wait(PATIENCE)
            changed = replace(record, reason=str(number))
            try:
                do(store, lambda tx: tx.save_action(changed))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(change, range(8)))

        assert won.count(True) == 1
        assert do(store, lambda tx: tx.actions()[0].reason) == str(won.index(True))

    @case()
    def test_two_who_read_the_same_version_cannot_both_save_it(self, store: Store) -> None:
        """The second is told, and nothing of its change is kept."""
        record = do(store, adding())
        do(store, lambda tx: tx.save_action(replace(record, reason="first")))

        with pytest.raises(Conflict, match="changed by somebody else"):
            do(store, lambda tx: tx.save_action(replace(record, reason="second")))

        assert [each.reason for each in do(store, lambda tx: tx.actions())] == ["first"]

    @case()
    def test_a_second_action_under_one_key_is_refused(self, store: Store) -> None:
        """One idempotency key, one action, whatever the desk does; another requester may use the same."""
        do(store, adding("same"))

        with pytest.raises(StoreUnavailable) as refused:
            do(store, adding("same"))

        assert "same" not in str(refused.value)
        assert do(store, adding("same", requester="agent-2")).id > 1
        assert do(store, adding(None)).key is do(store, adding(None)).key is None

    @case("threads")
    def test_a_unit_that_is_refused_takes_no_other_with_it(self, store: Store) -> None:
        """Also where they share a commit."""
        with one_commit(store):
            first, twice, third = (store.submit(adding(key)) for key in ("same", "same", "other"))

        assert first.result(PATIENCE).key == "same"
        with pytest.raises(StoreUnavailable):
            twice.result(PATIENCE)
        assert third.result(PATIENCE).key == "other"

    @case()
    def test_what_changed_is_told_and_what_failed_is_not(self, store: Store) -> None:
        """By the numbers of the actions; 0 stands for a kill switch."""
        told: list[set[int]] = []

        def listen(ids: Collection[int]) -> None:
            told.append(set(ids))

        store.on_change = listen

        def failing(tx: Tx) -> None:
            tx.save_action(replace(first, reason="lost"))
            raise LookupError

        first = do(store, adding("1"))
        do(store, adding("2"))
        with pytest.raises(LookupError):
            do(store, failing)
        do(store, lambda tx: tx.put_switch(KillSwitch("", "", True, "smoke", 1, "admin-2", "dave")))
        do(store, lambda tx: tx.actions())

        assert set().union(*told) == {0, 1, 2}
        assert all(ids for ids in told)

    @case("threads")
    def test_closing_finishes_what_is_queued_and_then_takes_nothing_more(self, where: Any) -> None:
        """To close twice is fine."""
        store = self.open(where)
        futures: list[Future[Record]] = [store.submit(adding()) for _ in range(50)]
        store.close()
        store.close()

        assert [future.result(0).id for future in futures] == list(range(1, 51))
        with pytest.raises(StoreUnavailable, match="closed"):
            store.submit(adding())

    @case("durable")
    def test_what_was_kept_is_there_after_opening_again(self, where: Any) -> None:
        """Actions, the trail and its head."""
        store = self.open(where)
        record = do(store, adding())
        do(store, lambda tx: tx.append(Entry(1, "submit", REQUESTER, record.id)))
        head = store.head
        store.close()
        store = self.open(where)

        assert do(store, lambda tx: tx.actions()) == [record]
        assert [link.seq for link in do(store, lambda tx: list(tx.audit_of(record.id)))] == [1]
        assert store.head == head
        assert do(store, adding()).id > record.id
        store.close()
