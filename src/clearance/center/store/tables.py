"""The tables, and the numbered steps that make them. A step and its record share one transaction."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from clearance.center.faults import DatabaseRefused
from clearance.center.store.base import Use
from clearance.witness import TILE, Tiles, fold, leaf

NUMBER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits everywhere: microseconds need them, and SQLite numbers its rows only in a column called INTEGER."""

metadata: MetaData = MetaData()

steps: Table = Table("schema_steps", metadata, Column("number", Integer, primary_key=True, autoincrement=False))

actions: Table = Table(
    "actions",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("version", NUMBER, nullable=False),
    Column("status", String(16), nullable=False),
    Column("requester", String(16), nullable=False),
    Column("key", String(200)),
    Column("due_at", NUMBER),
    Column("denied_digest", String(64)),  # of a call that a person refused
    Column("cleared_call", String(32)),  # of one that its requester was cleared for, the first time
    Column("record", Text, nullable=False),
    UniqueConstraint("requester", "key"),
    Index("actions_by_status", "status", "id"),
    Index("actions_due", "due_at"),
    sqlite_autoincrement=True,
)

audit: Table = Table(
    "audit",
    metadata,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    Column("action_id", NUMBER),  # also in the body, which is what counts; here to be found by
    Column("body", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_by_action", "action_id", "seq"),
)

audit_nodes: Table = Table(
    "audit_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", NUMBER, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
)
"""What is kept of the tree over the audit trail; all of it follows from the entries."""

keys: Table = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", NUMBER, nullable=False),
    Column("revoked_at", NUMBER),
    Column("expires_at", NUMBER),
    Column("owner", String(64)),
    Column("last_used_at", NUMBER),
)

sign_ins: Table = Table(
    "sign_ins",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("principal_id", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("expires_at", NUMBER, nullable=False),
    Column("used", Boolean, nullable=False, default=False),
)

sessions: Table = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("principal_id", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("form_token", String(64), nullable=False),
    Column("expires_at", NUMBER, nullable=False),
)


kill_switches: Table = Table(
    "kill_switches",
    metadata,
    Column("agent", String(200), primary_key=True),  # "" is every agent
    Column("tool", String(200), primary_key=True),  # "" is every tool
    Column("is_on", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("activated_at", NUMBER, nullable=False),
    Column("activated_by", String(16), nullable=False),
    Column("activated_by_name", String(200), nullable=False),
)

policies: Table = Table(
    "policies",
    metadata,
    Column("version", String(64), primary_key=True),
    Column("format", String(16), nullable=False),
    Column("text", Text, nullable=False),
)
"""Every policy that was ever in force, as it was written."""

policies_in_force: Table = Table(
    "policies_in_force",
    metadata,
    Column("entry", NUMBER, primary_key=True, autoincrement=False),  # of the audit trail, that tells of it
    Column("version", String(64), nullable=False),
    Column("at", NUMBER, nullable=False),
    Column("author", String(16), nullable=False),
    Column("author_name", String(200), nullable=False),
)
"""Which of them came in force when; the newest is."""

uses: Table = Table(
    "quota_uses",
    metadata,
    Column("quota", String(32), primary_key=True),
    Column("subject", String(32), primary_key=True),
    Column("at", NUMBER, primary_key=True),  # when it began to run; `quotas.HELD` for what still can
    Column("action_id", NUMBER, primary_key=True),
    Column("amount", NUMBER, nullable=False),
    Index("quota_uses_by_time", "at"),
    sqlite_with_rowid=False,
)
"""What actions have taken of the limits over time."""

clock_leaps: Table = Table(
    "clock_leaps",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("total", NUMBER, nullable=False),
    Column("at", NUMBER, nullable=False),
)
"""In one row: by how much the machine's clock was set forward while a Center ran, and what time it was then."""

standing_approvals: Table = Table(
    "standing_approvals",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("requester", String(16), nullable=False),
    Column("ends_at", NUMBER, nullable=False),
    Column("uses", NUMBER, nullable=False),
    Column("used", NUMBER, nullable=False),
    Column("revoked_at", NUMBER),
    Column("revoked_by", String(200)),
    Column("document", Text, nullable=False),  # all that never changes
    CheckConstraint("used >= 0 AND used <= uses", name="standing_approvals_used"),
    Index("standing_approvals_by_requester", "requester", "ends_at"),
    Index("standing_approvals_by_end", "ends_at"),
    sqlite_autoincrement=True,
)
"""None is ever deleted: what it decided names it."""

break_glasses: Table = Table(
    "break_glasses",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("agent", String(200), nullable=False),
    Column("tool", String(200), nullable=False),
    Column("key", String(16), nullable=False),  # "" is any key
    Column("reason", Text, nullable=False),
    Column("opened_at", NUMBER, nullable=False),
    Column("opened_by", String(16), nullable=False),
    Column("opened_by_name", String(200), nullable=False),
    Column("opened_by_owner", String(64)),
    Column("ends_at", NUMBER, nullable=False),
    Column("closed_at", NUMBER),
    Column("closed_by", String(16)),
    Column("closed_by_name", String(200)),
    Index("break_glasses_by_end", "closed_at", "id"),
    sqlite_autoincrement=True,
)

break_glass_uses: Table = Table(
    "break_glass_uses",
    metadata,
    Column("break_glass", NUMBER, primary_key=True, autoincrement=False),
    Column("action_id", NUMBER, primary_key=True, autoincrement=False),
)
"""Which actions were cleared by which of them."""

own_by_status: Index = Index("actions_by_requester_and_status", actions.c.requester, actions.c.status, actions.c.id)

# SQLite merges the statuses of the index above as well, and every index is a page more in each commit.
own_by_id: Index = Index("actions_by_requester", actions.c.requester, actions.c.id).ddl_if(dialect="postgresql")

WAS_DENIED = actions.c.denied_digest.is_not(None)

denied_calls: Index = Index(
    "denied_calls", actions.c.requester, actions.c.denied_digest, sqlite_where=WAS_DENIED, postgresql_where=WAS_DENIED
)

WAS_CLEARED = actions.c.cleared_call.is_not(None)

cleared_calls: Index = Index(
    "cleared_calls", actions.c.requester, actions.c.cleared_call, sqlite_where=WAS_CLEARED, postgresql_where=WAS_CLEARED
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    for statement in _APPEND_ONLY[connection.dialect.name]:
        connection.execute(text(statement))


def _second(connection: Connection) -> None:
    """Nodes over the entries that are there."""
    audit_nodes.create(connection, checkfirst=True)
    tiles = Tiles()
    found = connection.execute(select(audit.c.body).order_by(audit.c.seq)).scalars()
    while len(tile := list(islice(found, TILE))) == TILE:
        for node in tiles.add(fold(leaf(body.encode()) for body in tile)):
            values = {"level": node.level, "position": node.position, "hash": node.digest.hex()}
            connection.execute(audit_nodes.insert().values(values))


_REFUSAL = "the audit trail is append-only"
_CHANGES = {
    "update": "UPDATE ON audit",
    "delete": "DELETE ON audit",
    # REPLACE fires no DELETE trigger
    "replace": "INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)",
}
_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{name} BEFORE {change} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for name, change in _CHANGES.items()
    ],
    "postgresql": [
        f"CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$",
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    ],
}


def _third(connection: Connection) -> None:
    """Keys with an end and an owner, and kill switches; in a new database step 1 made them."""
    _add_columns(connection, keys.c.expires_at, keys.c.owner, keys.c.last_used_at)
    kill_switches.create(connection, checkfirst=True)


def _fourth(connection: Connection) -> None:
    """One's own actions by their status, and the calls that people refused; in a new database step 1 made room."""
    own_by_status.create(connection, checkfirst=True)
    connection.execute(text("DROP INDEX IF EXISTS pending_by_requester"))
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"DROP INDEX IF EXISTS {own_by_id.name}"))
    _add_columns(connection, actions.c.denied_digest)
    denied_calls.create(connection, checkfirst=True)


def _fifth(connection: Connection) -> None:
    """The policies; in a new database step 1 made room."""
    policies.create(connection, checkfirst=True)
    policies_in_force.create(connection, checkfirst=True)


def _sixth(connection: Connection) -> None:
    """The calls that a requester was cleared for; in a new database step 1 made room."""
    _add_columns(connection, actions.c.cleared_call)
    cleared_calls.create(connection, checkfirst=True)


def _seventh(connection: Connection) -> None:
    """The uses of limits over time; in a new database step 1 made room."""
    uses.create(connection, checkfirst=True)
    clock_leaps.create(connection, checkfirst=True)


def _eighth(connection: Connection) -> None:
    """The standing approvals; in a new database step 1 made room."""
    standing_approvals.create(connection, checkfirst=True)


def _ninth(connection: Connection) -> None:
    """Break-glass; in a new database step 1 made room."""
    break_glasses.create(connection, checkfirst=True)
    break_glass_uses.create(connection, checkfirst=True)


def _add_columns(connection: Connection, *columns: Column[Any]) -> None:
    for column in columns:
        if column.name not in {there["name"] for there in inspect(connection).get_columns(column.table.name)}:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {definition}"))


STEPS: dict[int, Callable[[Connection], None]] = {
    1: _first,
    2: _second,
    3: _third,
    4: _fourth,
    5: _fifth,
    6: _sixth,
    7: _seventh,
    8: _eighth,
    9: _ninth,
}
SCHEMA_VERSION: int = max(STEPS)
"""The last step; a database with a later one was made by a newer Clearance."""


def bring_forward(connection: Connection, where: str, use: Use) -> None:
    """Bring a database that holds nothing, or our tables, to `SCHEMA_VERSION`, inside the caller's transaction.

    Only a Center that serves does so with one that is older, and only who writes makes a new one.

    Raises:
        DatabaseRefused: it is newer, older or empty where that may not be changed, or lacks a table; with ``where``.
    """
    found = schema_version(connection)
    if found > SCHEMA_VERSION:
        raise DatabaseRefused(
            f"{where}: was written by a newer Clearance (schema {found}, this one knows {SCHEMA_VERSION}). "
            "Upgrade Clearance."
        )
    if found == 0 and use is Use.READ:
        raise DatabaseRefused(f"{where}: is empty. No Center has kept anything in it yet.")
    if 0 < found < SCHEMA_VERSION and use is not Use.SERVE:
        raise DatabaseRefused(
            f"{where}: was written by an older Clearance (schema {found}, this one has {SCHEMA_VERSION}). "
            "Start the Center once: that brings the database forward."
        )
    for number in range(found + 1, SCHEMA_VERSION + 1):
        STEPS[number](connection)
        connection.execute(steps.insert().values(number=number))
    missing = sorted(metadata.tables.keys() - set(inspect(connection).get_table_names()))
    if missing:
        raise DatabaseRefused(
            f"{where}: is damaged: it has no table {', '.join(missing)}. Restore a backup; do not go on with it."
        )


def schema_version(connection: Connection) -> int:
    """The last step that the database has had; 0 for an empty one."""
    if not inspect(connection).has_table(steps.name):
        return 0
    return max(connection.execute(select(steps.c.number)).scalars(), default=0)
