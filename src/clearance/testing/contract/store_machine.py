"""Units of work of anything in any order, some of which fail, held against lists and dictionaries."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from clearance.center import audit
from clearance.center.faults import Conflict
from clearance.center.records import Entry, KillSwitch, Record
from clearance.center.store.base import Store, Tx
from clearance.models import Status
from clearance.testing.contract.declared import case
from clearance.testing.contract.units import REQUESTER, StoreCases, a_record, do

Step: TypeAlias = tuple[str, int, Status]
_steps = st.tuples(
    st.sampled_from(["add", "save", "save", "save the old one", "append", "switch", "drop"]),
    st.integers(0, 30),
    st.sampled_from(Status),
)
_units = st.tuples(st.lists(_steps, min_size=1, max_size=5), st.booleans())
LAST = 200
"""Actions and entries that are compared after each unit, from the newest on."""


class Failed(Exception):
    """A unit that has thought better of it."""


class Kept:
    """What the store must hold, as plain as can be."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self.entries: list[tuple[str, int | None]] = []
        self.switches: dict[str, KillSwitch] = {}

    def copy(self) -> Kept:
        """The same, to be changed by a unit that may fail."""
        other = Kept()
        other.records, other.entries, other.switches = dict(self.records), list(self.entries), dict(self.switches)
        return other

    def nth(self, number: int) -> Record | None:
        """One of its actions."""
        ids = sorted(self.records)
        return self.records[ids[number % len(ids)]] if ids else None

    def take(self, tx: Tx, step: Step) -> None:
        """Take the step on both sides."""
        deed, number, status = step
        record = self.nth(number)
        match deed:
            case "add":
                self._put(tx.add_action(a_record(None, status=status, created_at=number, decide_by=number * 2)))
            case "save" if record is not None:
                self._put(tx.save_action(replace(record, status=status)))
            case "save the old one" if record is not None:
                with pytest.raises(Conflict):
                    tx.save_action(replace(record, version=record.version - 1))
                raise Failed
            case "append":
                about = record.id if record is not None else None
                tx.append(Entry(number, status.value, REQUESTER, about))
                self.entries.append((status.value, about))
            case "switch":
                switch = KillSwitch(str(number % 3), "", True, status.value, number, "admin-2", "dave")
                tx.put_switch(switch)
                self.switches[switch.agent] = switch
            case "drop" if str(number % 3) in self.switches:
                tx.drop_switch(self.switches.pop(str(number % 3)))

    def _put(self, record: Record) -> None:
        self.records[record.id] = record


class StoreMachineCases(StoreCases):
    """The state machine."""

    @case()
    def test_any_units_of_work_leave_what_they_would_in_plain_lists(self, store: Store) -> None:
        """Hypothesis looks for the shortest ones that do not."""
        runs = settings(
            max_examples=settings().max_examples // 8 + 1,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )
        run_state_machine_as_test(_machine(store), settings=runs)


def _machine(store: Store) -> type[RuleBasedStateMachine]:
    """The machine on this store, on which each run goes on where the last one has ended."""
    holder = [Kept()]

    class AnyUnits(RuleBasedStateMachine):
        @rule(unit=_units)
        def run(self, unit: tuple[list[Step], bool]) -> None:
            """A unit, which keeps all of it or nothing."""
            found, fails = unit
            with suppress(Failed):
                holder[0] = do(store, _work(holder[0], found, fails=fails))

        @invariant()
        def all_is_as_in_the_lists(self) -> None:
            """By every way there is to look at it."""
            do(store, lambda tx: _compare(tx, holder[0]))
            assert store.head is not None
            assert store.head.entries == len(holder[0].entries)

    return AnyUnits


def _work(kept: Kept, found: list[Step], *, fails: bool) -> Callable[[Tx], Kept]:
    def work(tx: Tx) -> Kept:
        then = kept.copy()  # anew each time: a unit may be run more than once
        for step in found:
            then.take(tx, step)
        if fails:
            raise Failed
        return then

    return work


def _compare(tx: Tx, kept: Kept) -> None:
    records = [kept.records[number] for number in sorted(kept.records)]
    assert tx.actions(limit=LAST) == records[: -LAST - 1 : -1]
    assert tx.pending_of(REQUESTER) == sum(each.status is Status.PENDING for each in records)
    assert tx.audit_length() == len(kept.entries)
    links: list[Any] = list(tx.audit(after=max(0, len(kept.entries) - LAST)))
    assert [json.loads(link.body)["event"] for link in links] == [event for event, _ in kept.entries[-LAST:]]
    if len(kept.entries) <= LAST:
        assert audit.verify(links).problem is None
    assert {switch.agent: switch for switch in tx.switches()} == kept.switches
    for record in records[-3:]:
        numbers = [number for number, (_, about) in enumerate(kept.entries, 1) if about == record.id]
        assert [link.seq for link in tx.audit_of(record.id)] == numbers
