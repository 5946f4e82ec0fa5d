"""A database of an earlier version is brought forward when it is opened, with everything in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import AGENT, DAVE, Office

from clearance.center import keys
from clearance.center.faults import Conflict
from clearance.center.records import Role
from clearance.center.store import tables
from clearance.center.store.sql import SqlTx
from clearance.models import Status

NEW_COLUMNS = ("expires_at", "owner", "last_used_at")


def turned_back(file: Path) -> None:
    """Make it what step 1 once made: without what the later steps add."""
    with closing(sqlite3.connect(file, isolation_level=None)) as raw:
        raw.execute("DROP TABLE audit_nodes")
        raw.execute("DROP TABLE kill_switches")
        raw.execute("DROP TABLE quota_uses")
        raw.execute("DROP TABLE clock_leaps")
        raw.execute("DROP TABLE break_glasses")
        raw.execute("DROP TABLE break_glass_uses")
        raw.execute("DROP TABLE policies")
        raw.execute("DROP TABLE policies_in_force")
        raw.execute("DROP TABLE standing_approvals")
        raw.execute("DROP INDEX actions_by_requester_and_status")
        raw.execute("CREATE INDEX actions_by_requester ON actions (requester, id)")
        raw.execute("DROP INDEX denied_calls")
        raw.execute("ALTER TABLE actions DROP COLUMN denied_digest")
        raw.execute("DROP INDEX cleared_calls")
        raw.execute("ALTER TABLE actions DROP COLUMN cleared_call")
        for column in NEW_COLUMNS:
            raw.execute(f"ALTER TABLE keys DROP COLUMN {column}")
        raw.execute(
            "UPDATE actions SET record = json_set(record, '$.fingerprint', 'f', '$.outcome', NULL, '$.reason', '')"
        )
        raw.execute("DELETE FROM schema_steps WHERE number > 1")


def schema(file: Path) -> set[tuple[str, str, frozenset[str]]]:
    """Every table and index, with its columns."""
    with closing(sqlite3.connect(file)) as raw:
        named = raw.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return {
            (kind, name, frozenset(row[1] for row in raw.execute(f"PRAGMA table_xinfo({name})")))
            for kind, name in named
        }


def test_a_database_of_the_first_version_gets_what_a_new_one_has_and_keeps_what_it_had(tmp_path: Path) -> None:
    office = Office(tmp_path / "old.db")
    record = office.submit()
    key, made = office.do(lambda tx: keys.create(tx, Role.USER, "billing", office.clock.now, "local"))
    trail = office.trail()
    office.close()
    turned_back(tmp_path / "old.db")
    Office(tmp_path / "new.db").close()
    assert schema(tmp_path / "old.db") != schema(tmp_path / "new.db")

    office = Office(tmp_path / "old.db")

    assert office.stored(record) == record
    assert office.trail() == trail
    assert office.do(lambda tx: keys.principal(tx, key, office.clock.now)).id == made.id
    (kept,) = office.do(lambda tx: tx.keys())
    assert replace(kept, last_used_at=None) == made
    assert office.approve(record).status is Status.APPROVED
    office.kill(DAVE)
    with pytest.raises(Conflict, match="revoked"):
        office.claim(record)
    office.close()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as raw:
        done = {number for (number,) in raw.execute("SELECT number FROM schema_steps")}
    assert done == set(tables.STEPS)
    assert max(done) == tables.SCHEMA_VERSION


def test_bringing_a_database_forward_twice_changes_nothing(tmp_path: Path) -> None:
    Office(tmp_path / "center.db").close()
    before = schema(tmp_path / "center.db")

    Office(tmp_path / "center.db").close()

    assert schema(tmp_path / "center.db") == before


def plan(office: Office, deed: Any) -> list[str]:
    """How SQLite would look up what ``deed`` asks for: the plan of its last statement."""

    def explain(tx: Any) -> list[str]:
        assert isinstance(tx, SqlTx)
        statements: list[tuple[str, Any]] = []
        raw: Any = tx._connection.connection.driver_connection
        raw.set_trace_callback(lambda sql: statements.append((sql, None)))
        deed(tx)
        raw.set_trace_callback(None)
        return [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statements[-1][0]}")]

    return office.do(explain)


def test_what_waits_is_counted_without_reading_what_does_not(office: Office) -> None:
    for _ in range(5):
        office.withdraw(office.submit())
    office.submit()

    (step,) = plan(office, lambda tx: tx.pending_of(AGENT.id))

    assert "USING COVERING INDEX actions_by_requester_and_status" in step
    assert office.do(lambda tx: tx.pending_of(AGENT.id)) == 1
