"""What a Center asks of its database all day is found by an index, however much is stored. The database itself says so.

Each test runs on both databases, with whatever statements the desk, the inbox and the timer come to send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import pytest
from sqlalchemy import Connection, event
from tests.center.desks import AGENT, CAROL, DAVE, DROP, NONCE, READ, Office
from tests.center.stores import driver
from tests.helpers import an_action

from clearance.center import breakglass, keys
from clearance.center.inbox import pages
from clearance.center.inbox.emergencies import banners
from clearance.center.policy import parse
from clearance.center.records import KeyRecord, Role, Submission
from clearance.center.standing.approval import StandingApproval
from clearance.center.store import tables
from clearance.center.store.base import Tx
from clearance.models import Status

Statement: TypeAlias = tuple[str, Any]
SMALL = tables.kill_switches.name
"""Is meant to be read whole: it has as many rows as switches were ever pulled, by hand."""


@pytest.fixture
def office(database_address: str) -> Iterator[Office]:
    office = Office(database_address)
    for status in (Status.PENDING, Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.DENIED):
        office.at(status)
    yield office
    office.close()


def asked(office: Office, work: Callable[[Tx], object]) -> list[Statement]:
    """The statements that one unit of work sends, with their values."""
    sent: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    def traced(tx: Tx) -> None:
        connection: Connection = driver(tx)
        raw: Any = connection.connection.driver_connection
        if (
            connection.dialect.name == "sqlite"
        ):  # some go by the driver alone; it tells them with their values filled in
            raw.set_trace_callback(lambda statement: sent.append((statement, ())))
            work(tx)
            raw.set_trace_callback(None)
        else:
            event.listen(connection, "before_cursor_execute", note)
            work(tx)
            event.remove(connection, "before_cursor_execute", note)

    office.do(traced)
    return [statement for statement in sent if statement[0].startswith(("SELECT", "UPDATE", "DELETE"))]


def plan_of(office: Office, statement: Statement) -> list[str]:
    """How the database would go about it, if it were large."""
    text, values = statement

    def explain(tx: Tx) -> list[str]:
        connection: Connection = driver(tx)
        if connection.dialect.name == "sqlite":
            return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        # A table of five rows is read whole whenever that is possible: so it is made to look dear.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {text}", values)]

    return office.do(explain)


def is_scan(statement: Statement, step: str) -> bool:
    """Does this step of a plan look at every row? To walk along the primary key until there are enough does not."""
    words = statement[0].split()
    is_walk = {"ORDER", "LIMIT"} <= {*words} and "WHERE" not in words
    if SMALL in step or "VIRTUAL TABLE" in step:  # the second is a list that came with the statement
        return False
    return "Seq Scan on" in step or (step.startswith("SCAN") and not is_walk)


def as_the_inbox(_office: Office, tx: Tx) -> object:
    tx.actions(statuses=[Status.PENDING], oldest_first=True, limit=pages.MOST_WAITING)
    return tx.actions(statuses=pages.DECIDED, limit=pages.LOOKED_THROUGH)


def with_a_key(office: Office, tx: Tx) -> object:
    text, _ = keys.create(tx, Role.USER, "bot", office.clock(), "local")
    return keys.principal(tx, text, office.clock())


def allowed_again(office: Office, tx: Tx) -> StandingApproval:
    return office.desk.make_standing(tx, CAROL, 1, reason="as before")


def with_a_standing_approval(office: Office, tx: Tx) -> object:
    tx.add_key(KeyRecord(CAROL.id, CAROL.role, CAROL.name, "", 0))
    allowed_again(office, tx)
    record = tx.action(1)
    assert record is not None
    cleared = office.desk.submit(tx, AGENT, Submission(record.action, None, None, claims=True))
    assert cleared.status is Status.APPROVED
    return cleared


WORK: dict[str, Callable[[Office, Tx], object]] = {
    "a status": lambda office, tx: office.desk.read(tx, AGENT, 1),
    "a wait for many": lambda office, tx: office.desk.settled_among(tx, AGENT, [1, 2, 3]),
    "a decision": lambda office, tx: office.desk.decide(tx, CAROL, 1, approve=True),
    "a claim": lambda office, tx: office.desk.claim(tx, AGENT, 2, str(stored_digest(tx, 2)), NONCE),
    "a withdrawal": lambda office, tx: office.desk.withdraw(tx, AGENT, 1, ""),
    "one answer for many": lambda office, tx: office.desk.decide_all(tx, CAROL, frozenset({"low", "medium"})),
    "all approvals taken back": lambda office, tx: office.desk.revoke_unclaimed(tx, "admin", ""),
    "the timer": lambda office, tx: office.desk.sweep(tx),
    "the inbox": as_the_inbox,
    "a list": lambda office, tx: office.desk.list(tx, CAROL),
    "a list of one status": lambda office, tx: office.desk.list(tx, CAROL, status=Status.EXPIRED),
    "a list of one's own": lambda office, tx: office.desk.list(tx, AGENT),
    "a list of one's own of one status": lambda office, tx: office.desk.list(tx, AGENT, status=Status.EXPIRED),
    "the entries about an action": lambda office, tx: list(tx.audit_of(1)),
    "a key": with_a_key,
    "a session": lambda office, tx: tx.session("x", 1),
    "a standing approval": lambda office, tx: office.desk.make_standing(tx, CAROL, 1, reason="as before"),
    "its use": with_a_standing_approval,
    "its end": lambda office, tx: office.desk.revoke_standing(tx, CAROL, allowed_again(office, tx).id),
    "the standing approvals": lambda office, tx: office.desk.list_standing(tx, CAROL),
    "those that have ended": lambda office, tx: office.desk.list_standing(tx, CAROL, ended=True),
    "one's own standing approvals": lambda office, tx: office.desk.list_standing(tx, AGENT),
    "a sign-in": lambda office, tx: tx.take_sign_in("x", 1),
}


GLASS_WORK: dict[str, Callable[[Office, Tx], object]] = {
    "a submit": lambda office, tx: office.desk.submit(
        tx, AGENT, Submission(an_action(digest="new"), None, NONCE, claims=True)
    ),
    "the timer": lambda office, tx: office.desk.sweep(tx),
    "a status": lambda office, tx: office.desk.read(tx, AGENT, 6),
    "the banner": lambda office, tx: banners(tx, CAROL, office.clock()),
    "a closing": lambda office, tx: office.desk.close_glass(tx, CAROL, 1),
}


@pytest.mark.parametrize("name", GLASS_WORK)
def test_nor_does_anything_while_a_break_glass_is_open(office: Office, name: str) -> None:
    office.do(lambda tx: breakglass.open_one(tx, DAVE, office.clock(), agent="billing-bot", tool="stripe", reason="x"))
    assert office.submit().id == 6
    office.clock.advance(1)

    for statement in asked(office, lambda tx: GLASS_WORK[name](office, tx)):
        plan = plan_of(office, statement)
        assert not [step for step in plan if is_scan(statement, step)], (statement, plan)


def stored_digest(tx: Tx, action_id: int) -> str:
    record = tx.action(action_id)
    assert record is not None
    return record.action.digest


@pytest.mark.parametrize("name", WORK)
def test_nothing_that_is_asked_all_day_reads_a_whole_table(office: Office, name: str) -> None:
    sent = asked(office, lambda tx: WORK[name](office, tx))

    assert sent
    for statement in sent:
        plan = plan_of(office, statement)
        assert not [step for step in plan if is_scan(statement, step)], (statement, plan)


@pytest.mark.parametrize("action", [None, READ, DROP], ids=["asked", "cleared", "denied"])
def test_no_submit_reads_a_whole_table(office: Office, action: Any) -> None:
    first = office.submit(action)
    submission = Submission(first.action, "the-key", NONCE, claims=True)
    for _ in range(2):  # the second one is the same again
        for statement in asked(office, lambda tx: office.desk.submit(tx, AGENT, submission)):
            plan = plan_of(office, statement)
            assert not [step for step in plan if is_scan(statement, step)], (statement, plan)


LIMITED = parse("""
rules: [{name: cleared, match: {agent_id: "*"}, then: allow}]
limits:
- {name: calls, match: {agent_id: "*"}, calls: 5, within: 24h, then: deny}
- {name: sum, match: {agent_id: "*"}, sum: parameters.amount, at_most: 500, within: 1h, per: all, then: ask}
""")


def test_no_limit_over_time_reads_more_than_what_counts_to_it(office: Office) -> None:
    office.desk.policy = LIMITED
    for number in range(7):  # five run, two are refused
        action = replace(READ, parameters={"amount": 1}, digest=f"limited-{number}")
        submission = Submission(action, None, NONCE, claims=True)
        sent = asked(office, partial(office.desk.submit, who=AGENT, submission=submission))
        assert any("FROM quota_uses" in statement for statement, _ in sent)
        for statement in sent:
            plan = plan_of(office, statement)
            assert not [step for step in plan if is_scan(statement, step)], (statement, plan)
    office.clock.advance(24 * 3600)
    for statement in (swept := asked(office, office.desk.sweep)):
        plan = plan_of(office, statement)
        assert not [step for step in plan if is_scan(statement, step)], (statement, plan)
    assert any(statement.startswith("DELETE FROM quota_uses") for statement, _ in swept)


def test_the_test_would_notice(office: Office) -> None:
    def read_all(tx: Tx) -> None:
        driver(tx).exec_driver_sql("SELECT * FROM actions\nWHERE version = 7 ORDER BY record LIMIT 1")

    (statement,) = asked(office, read_all)

    assert any(is_scan(statement, step) for step in plan_of(office, statement))
