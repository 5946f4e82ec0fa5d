"""The contract for stores finds what it is for: a broken store, made of one in memory, for each of its rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.center.memory import MemoryStore, MemoryTx

from clearance.center.faults import Conflict
from clearance.center.records import Record
from clearance.center.store import rows
from clearance.center.store.base import Store
from clearance.models import Status
from clearance.testing.contract import StoreContract
from clearance.testing.contract.declared import marked, values_of


class TestInMemory(StoreContract):
    """What the broken ones are made of has no mistake; it serves one thread, for as long as it lives."""

    cannot = frozenset({"threads", "durable"})

    @classmethod
    def open(cls, where: object) -> Store:
        return MemoryStore()


def _blind_save(tx: MemoryTx, record: Record) -> Record:
    changed = replace(record, version=record.version + 1)
    tx._put(tx.records, record.id, changed)
    tx.changed.add(record.id)
    return changed


def _save_that_conflicts_too_late(tx: MemoryTx, record: Record, _save: Any = MemoryTx.save_action) -> Record:
    before = tx.records[record.id].version
    saved = _blind_save(tx, replace(record, version=before))
    if before != record.version:
        tx._undo.clear()
        raise Conflict("changed by somebody else")
    return saved


def _without(field: str, empty: Any) -> Callable[[MemoryTx, Record], Record]:
    def save(tx: MemoryTx, record: Record, _add: Any = MemoryTx.add_action) -> Record:
        changes: dict[str, Any] = {field: empty}
        added: Record = _add(tx, replace(record, **changes))
        return added

    return save


def _first_overdue(tx: MemoryTx, now: int, limit: int = 500) -> list[Record]:
    return [record for record in tx.records.values() if (at := rows.due_at(record)) and at <= now][:limit]


def _any_key(tx: MemoryTx, record: Record) -> Record:
    record = replace(record, id=len(tx.records) + 1, version=1)
    tx._put(tx.records, record.id, record)
    tx.changed.add(record.id)
    return record


def _quiet_do(store: MemoryStore, work: Any, _do: Any = MemoryStore.do) -> Any:
    told, store.on_change = store.on_change, lambda _ids: None
    try:
        return _do(store, work)
    finally:
        store.on_change = told


def _loud_do(store: MemoryStore, work: Any, _do: Any = MemoryStore.do) -> Any:
    try:
        return _do(store, work)
    except BaseException:
        store.on_change({99})
        raise


UNITS = "test_a_failing_unit_keeps_nothing_and_its_error_comes_out"
FIELDS = "test_every_field_of_an_action_comes_back_as_it_was"
FLAWS: dict[str, tuple[str, Any, str, Any]] = {
    "keeps what failed": (UNITS, MemoryTx, "undo", lambda _tx: None),
    "keeps the entries of what failed": (
        "test_any_units_of_work_leave_what_they_would_in_plain_lists",
        MemoryTx,
        "undo",
        lambda tx: [step() for step in reversed(tx._undo) if step.__name__ == "back"],
    ),
    "lets the last one win": (
        "test_two_who_read_the_same_version_cannot_both_save_it", MemoryTx, "save_action", _blind_save,
    ),
    "keeps what it has refused": (
        "test_two_who_read_the_same_version_cannot_both_save_it",
        MemoryTx,
        "save_action",
        _save_that_conflicts_too_late,
    ),
    "keeps two actions under one key": (
        "test_a_second_action_under_one_key_is_refused", MemoryTx, "add_action", _any_key,
    ),
    "looks for a key among all requesters": (
        "test_an_action_is_found_by_its_requester_and_key",
        MemoryTx,
        "action_by_key",
        lambda tx, _requester, key: next((each for each in tx.records.values() if each.key == key), None),
    ),
    "tells nobody": ("test_what_changed_is_told_and_what_failed_is_not", MemoryStore, "do", _quiet_do),
    "tells of what failed": ("test_what_changed_is_told_and_what_failed_is_not", MemoryStore, "do", _loud_do),
    "loses votes": (FIELDS, MemoryTx, "add_action", _without("votes", ())),
    "loses edits": (FIELDS, MemoryTx, "add_action", _without("edits", {})),
    "counts all requests": (
        "test_requests_that_wait_are_counted_for_each_requester",
        MemoryTx,
        "pending_of",
        lambda tx, requester: sum(each.requester == requester for each in tx.records.values()),
    ),
    "finds the overdue by number": (
        "test_what_is_overdue_is_found_the_earliest_first", MemoryTx, "overdue", _first_overdue,
    ),
    "forgets refusals": (
        "test_the_newest_refusal_by_a_person_is_found_for_a_call", MemoryTx, "last_denied", lambda *_: None,
    ),
    "takes every call for familiar": (
        "test_a_call_is_familiar_once_its_requester_was_cleared_for_it", MemoryTx, "was_cleared", lambda *_: True,
    ),
    "lists in no order": (
        "test_actions_are_listed_from_either_end_and_from_behind_one",
        MemoryTx,
        "actions",
        lambda tx, **_: list(tx.records.values()),
    ),
    "reads the trail from the start": (
        "test_the_trail_is_read_from_behind_an_entry_up_to_a_limit_and_may_be_left_midway",
        MemoryTx,
        "audit",
        lambda tx, **_: iter(tx.links),
    ),
    "keeps no nodes": (
        "test_the_head_and_the_nodes_are_those_of_the_tree_over_all_entries", MemoryTx, "audit_nodes", lambda *_: [],
    ),
    "uses a link twice": (
        "test_a_sign_in_link_works_once_and_in_time_and_a_session_until_its_end",
        MemoryTx,
        "take_sign_in",
        lambda tx, token, now: tx._sign_ins[token][0] if tx._sign_ins[token][1] > now else None,
    ),
    "knows ended sessions": (
        "test_a_sign_in_link_works_once_and_in_time_and_a_session_until_its_end",
        MemoryTx,
        "session",
        lambda tx, session_id, _now: tx._sessions.get(session_id),
    ),
    "forgets nothing": (
        "test_what_is_past_its_time_is_forgotten_and_nothing_else", MemoryTx, "forget_expired", lambda *_: None,
    ),
    "ends nobody's sessions": (
        "test_every_session_and_link_of_one_principal_ends_and_no_other", MemoryTx, "end_sessions_of", lambda *_: None,
    ),
    "keeps one kill switch": (
        "test_there_is_one_kill_switch_for_each_agent_and_tool",
        MemoryTx,
        "put_switch",
        lambda tx, switch: tx._put(tx._switches, ("", ""), switch),
    ),
    "shows the first policy": (
        "test_policies_are_kept_with_when_they_came_in_force",
        MemoryTx,
        "policy_in_force",
        lambda tx: tx._in_force[0] if tx._in_force else None,
    ),
    "has no entries with its actions": (
        "test_actions_come_with_their_entries_as_of_one_moment", MemoryTx, "audit_of", lambda *_: iter(()),
    ),
    "tells waits of what is not there": (
        "test_waits_are_told_how_those_stand_that_there_are",
        MemoryTx,
        "standings",
        lambda tx, ids: [(number, Status.PENDING) for number in ids],
    ),
}  # fmt: skip


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_broken_store_is_found_by_the_case_of_its_rule(flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, where, name, instead = FLAWS[flaw]
    monkeypatch.setattr(where, name, instead)
    found: list[Exception] = []

    for values in values_of(TestInMemory, getattr(TestInMemory, case)):
        try:
            getattr(TestInMemory(), case)(store=MemoryStore(), **values)
        except Exception as error:
            found.append(error)
        except pytest.fail.Exception as error:  # an error that is due did not come
            found.append(AssertionError(str(error)))

    assert found, f"{case} does not find a store that {flaw}"


def test_every_case_says_in_a_sentence_what_it_holds_a_store_to() -> None:
    for _, case in marked(StoreContract):
        assert inspect.getdoc(case)
