"""A call that its agent was never cleared for counts more; the store remembers what was cleared, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.center.desks import AGENT, NONCE, OTHER_AGENT, READ, Office
from tests.center.stores import by_hand, driver, one_commit
from tests.helpers import an_action

from clearance.center.moves import SECOND
from clearance.center.policy import parse
from clearance.center.records import Record, Submission, call_of
from clearance.center.risk import RiskModel
from clearance.center.store.base import Tx
from clearance.center.store.databases import is_url
from clearance.models import Status

CLEARED = {Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.FAILED}


@pytest.fixture
def office(database_address: str) -> Iterator[Office]:
    office = Office(database_address)
    yield office
    office.close()


def is_new(record: Record) -> bool:
    """Did it count that its agent was never cleared for it?"""
    return any(factor.name == "novelty" for factor in record.factors)


def test_the_first_call_is_new_and_the_same_one_again_is_familiar_and_less_risky(office: Office) -> None:
    first, second, third = (office.submit(READ, nonce=NONCE) for _ in range(3))

    assert [is_new(record) for record in (first, second, third)] == [True, False, False]
    assert first.risk_score - second.risk_score == RiskModel().novelty
    assert second.factors == third.factors


@pytest.mark.parametrize("status", sorted(CLEARED))
def test_what_a_person_cleared_is_familiar(office: Office, status: Status) -> None:
    record = office.at(status)

    assert is_new(record)
    assert not is_new(office.submit(record.action))


@pytest.mark.parametrize(
    "status",
    [status for status in Status if status not in (Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.FAILED)],
)
def test_what_was_not_cleared_or_was_taken_back_or_is_in_doubt_stays_new(office: Office, status: Status) -> None:
    record = office.at(status)

    assert is_new(office.submit(record.action))


def test_what_an_approver_changed_was_not_cleared_as_it_was_asked(office: Office) -> None:
    action = an_action(editable=("amount",))
    office.approve(office.submit(action), amount=4)

    assert is_new(office.submit(action))


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"charge_id": "ch_1", "amount": 6}},
        {"parameters": {"charge_id": "ch_1", "amount": "5"}},
        {"parameters": {"charge_id": "ch_1", "amount": 5.0}},
        {"parameters": {}},
        {"digest": "another"},
        {"agent_id": "another"},
        {"action_type": "payment.refunds"},
        {"tool_name": "paypal"},
        {"resource": ""},
        {"resource": "order:1"},
    ],
    ids=str,
)
def test_whatever_is_different_is_new_though_it_has_the_same_digest(office: Office, changes: dict[str, Any]) -> None:
    office.approve(office.submit(an_action()))

    assert not is_new(office.submit(an_action()))
    assert is_new(office.submit(an_action(**changes)))


def test_the_order_of_the_parameters_and_what_is_only_said_of_a_call_make_no_difference(office: Office) -> None:
    office.approve(office.submit(an_action()))
    same = an_action(parameters={"amount": 5, "charge_id": "ch_1"}, description="Please", reasoning="I must")

    assert not is_new(office.submit(same))


def test_what_another_key_was_cleared_for_is_new(office: Office) -> None:
    office.submit(READ, who=OTHER_AGENT)

    assert is_new(office.submit(READ, who=AGENT))


def test_two_in_one_commit_are_told_apart_as_any_two(office: Office) -> None:
    submission = Submission(READ, None, NONCE, claims=True)
    with one_commit(office.store):
        asked = [office.store.submit(lambda tx: office.desk.submit(tx, AGENT, submission)) for _ in range(2)]

    assert [is_new(each.result(30)) for each in asked] == [True, False]


def test_it_is_remembered_over_a_restart(database_address: str) -> None:
    office = Office(database_address)
    office.submit(READ)
    office.close()

    office = Office(database_address)
    assert not is_new(office.submit(READ))
    office.close()


def test_the_same_idempotency_key_again_is_not_looked_at_again(office: Office) -> None:
    first = office.submit(READ, key="k", nonce=NONCE)

    assert office.submit(READ, key="k", nonce=NONCE).factors == first.factors
    assert is_new(first)


def test_only_the_first_clearing_of_a_call_is_in_the_index(office: Office, database_address: str) -> None:
    for _ in range(3):
        office.submit(READ, nonce=NONCE)
    office.submit()

    with by_hand(database_address) as execute:
        found = execute("SELECT cleared_call FROM actions ORDER BY id")

    assert found == [(call_of(READ),), (None,), (None,), (None,)]


def test_a_policy_to_which_novelty_is_nothing_spares_the_look_up_and_the_memory(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise AssertionError("was asked")

    office.desk.policy = parse("risk: {clear_up_to: 30, novelty: 0}")
    monkeypatch.setattr("clearance.center.store.sql.SqlTx.was_cleared", refuse)

    record = office.submit(READ)

    assert (is_new(record), office.stored(record).new_call) == (False, None)


def test_a_policy_says_what_novelty_and_the_hour_add(office: Office) -> None:
    office.clock.now = 1_700_438_400 * SECOND  # 2023-11-20 00:00 UTC
    office.desk.policy = parse("risk: {clear_up_to: 30, novelty: 20, off_hours: {points: 7, zone: Asia/Tokyo}}")
    night = office.submit(READ, nonce=NONCE)
    office.clock.advance(12 * 3_600)
    noon = office.submit(READ, nonce=NONCE)

    assert [(factor.name, factor.points) for factor in night.factors] == [("action type", 5), ("novelty", 20)]
    assert [(factor.name, factor.points) for factor in noon.factors] == [("action type", 5), ("hour", 7)]
    assert (night.status, noon.status) == (Status.EXECUTING, Status.EXECUTING)


def test_the_look_up_reads_nothing_but_its_index(office: Office, database_address: str) -> None:
    office.submit(READ)
    query = "SELECT requester FROM actions WHERE requester = 'agent-1' AND cleared_call = 'x' LIMIT 1"

    def explain(tx: Tx) -> list[str]:
        connection = driver(tx)
        if not is_url(database_address):
            return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {query}")]

    plan = " ".join(office.do(explain))

    assert "COVERING INDEX cleared_calls" in plan or "Index Only Scan using cleared_calls" in plan
