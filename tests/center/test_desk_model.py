"""The desk against its reference: whatever is done in whatever order, both answer the same, and the invariants hold.

hypothesis finds the shortest program that fails. Hundreds of thousands of steps are in the campaigns.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.center import reference
from tests.center.campaign import LENGTH, Campaign, Run, failure, is_sound, main, shortened
from tests.center.memory import MemoryStore, MemoryTx
from tests.center.programs import Step, program, steps
from tests.center.stores import a_record
from tests.center.systems import opened
from tests.postgres import Cluster

from clearance.center import agreement, desk, intake, moves, switches
from clearance.center.desk import Desk
from clearance.center.records import Entry, KillSwitch, Principal, Record, Stage
from clearance.center.store.base import Tx
from clearance.lifecycle import TABLE
from clearance.models import Status


class DeskMachine(RuleBasedStateMachine):
    """A program on a desk in memory. After each step the whole trail is verified, against every head so far."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.system = self.resources.enter_context(opened(self.where()))
        self.both = Run(self.system)
        self.has_failed = False

    def where(self) -> str:
        """On which system; see `opened`."""
        return "memory"

    @rule(step=steps())
    def take(self, step: Step) -> None:
        """Any step, on both sides."""
        self.has_failed = True
        self.both.step(step)
        self.has_failed = False

    @invariant()
    def the_trail_is_sound(self) -> None:
        """I7, I8 and I9, by the verification that people use."""
        is_sound(self.system, self.both.heads)

    def teardown(self) -> None:
        """Nothing lags, and all is as expected, when everything was looked at."""
        with self.resources:
            if not self.has_failed:
                self.both.end()


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.mark.parametrize("store", ["sqlite", "http"])
def test_the_desk_on_a_file_and_a_center_over_http_agree_with_the_reference_too(store: str) -> None:
    class StoredDeskMachine(DeskMachine):
        def where(self) -> str:
            return store

    run_state_machine_as_test(StoredDeskMachine, settings=settings(max_examples=10, stateful_step_count=30))


@pytest.mark.postgres
def test_the_desk_on_postgresql_agrees_with_the_reference_too(cluster: Cluster) -> None:
    class PostgresDeskMachine(DeskMachine):
        def where(self) -> str:
            return self.resources.enter_context(cluster.database())

    run_state_machine_as_test(PostgresDeskMachine, settings=settings(max_examples=10, stateful_step_count=30))


# The reference, and what it finds


def test_the_reference_has_the_table_of_the_lifecycle_written_down_once_more() -> None:
    assert {status.value: {**events} for status, events in TABLE.items()} == reference.TABLE


def _stopped_while_on_or_before(switch: KillSwitch, record: Record) -> bool:
    """As `KillSwitch.stops`, but for approvals that had lapsed before, too."""
    is_before = record.decided_at is not None and record.decided_at <= switch.activated_at
    return (switch.is_on or is_before) and switch.covers(record)


def _without_revocations(tx: MemoryTx, entry: Entry, _append: Any = MemoryTx.append) -> None:
    if entry.event != "revoke":
        _append(tx, entry)


def _unlike(record: Record, other: Record) -> bool:
    return record.id == other.id


FLAWS: dict[str, tuple[Any, str, Any]] = {
    "a claim may be repeated for ever": (desk, "REPEAT_CLAIM_WITHIN", 1e9),
    "who runs long is given up early": (desk, "RUN_FOR", 60.0),
    "one approval is enough": (agreement, "is_reached", lambda _record: True),
    "anybody may refuse": (agreement, "bar_to_denying", lambda _record, _who: None),
    "anybody may approve": (Stage, "is_for", lambda *_: True),
    "one person approves twice": (agreement, "bar_to_approving", lambda _record, _who: None),
    "people decide their own": (Principal, "is_behind", lambda _who, _record: False),
    "users may decide": (Principal, "may_decide", True),
    "a refusal is forgotten": (Desk, "_just_denied", lambda *_: None),
    "a refusal is remembered too long": (desk, "REMEMBER_DENIALS", 1e9),
    "a refusal is of one request only": (Record, "is_like", _unlike),
    "a kill switch takes nothing back": (switches, "stopping", lambda *_: None),
    "a kill switch stops no approval": (Desk, "_is_stopped", lambda *_: False),
    "a kill switch takes back what had lapsed": (KillSwitch, "stops", _stopped_while_on_or_before),
    "a key stands for any request": (intake, "is_same", lambda *_: True),
    "any number may wait": (MemoryTx, "pending_of", lambda *_: 0),
    "time does nothing": (Desk, "_settled", lambda _desk, _tx, record: record),
    "nobody is known to have read": (Desk, "_mark_read", lambda _desk, _tx, record: record),
    "nobody else is asked at half time": (Record, "escalates_at", property(lambda record: record.decide_by)),
    "refusals are not written down": (
        moves,
        "audited",
        lambda _tx, _now, _who, _record, _tried, refusal, _word: refusal,
    ),
    "a change is not written down": (MemoryTx, "append", _without_revocations),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_desk_with_a_flaw_is_found(
    flaw: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "clearance.center")
    where, name, instead = FLAWS[flaw]
    if name == "REMEMBER_DENIALS":
        where, name, instead = Desk.__init__, "__defaults__", (*(Desk.__init__.__defaults__ or ())[:-1], instead)
    monkeypatch.setattr(where, name, instead)

    with pytest.raises(Exception) as found:
        Campaign().run("memory", "flaw", 30_000)

    assert any("To see it again: python -m tests.center.campaign flaw." in note for note in found.value.__notes__)


def test_a_program_that_fails_is_shown_again_without_what_it_fails_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main("flaw.0")
    assert capsys.readouterr().out == "Alone on memory, all is well.\n"
    monkeypatch.setattr(agreement, "is_reached", lambda _record: True)
    seed = next(
        seed for seed in (f"flaw.{number}" for number in range(100)) if failure("memory", program(seed, LENGTH))
    )

    with pytest.raises(SystemExit, match="the answer should be"):
        main(seed)

    shown = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[0] for line in shown] == ["submit", "decide"]
    assert len(shortened("memory", program(seed, LENGTH))) == 2


# The store in memory


def test_the_store_in_memory_undoes_all_of_a_unit_that_fails() -> None:
    store = MemoryStore()
    kept = store.submit(lambda tx: tx.add_action(a_record())).result()
    head = store.head

    def half(tx: Tx) -> None:
        tx.add_action(a_record())
        tx.save_action(kept)
        tx.append(Entry(1, "submit", "agent-1", kept.id, Status.PENDING))
        tx.put_switch(KillSwitch("", "", True, "smoke", 1, "admin-1", "carol"))
        raise LookupError

    with pytest.raises(LookupError):
        store.submit(half).result()

    assert store.do(lambda tx: (tx.actions(), tx.audit_length(), list(tx.audit_of(kept.id)), tx.switches())) == (
        [kept],
        0,
        [],
        [],
    )
    assert store.head == head
