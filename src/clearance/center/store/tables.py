"""The tables, and the numbered steps that make them. A step and its record share one transaction."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
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

SCHEMA_VERSION = 3
"""The last step; a database with a later one was made by a newer Clearance."""

metadata = MetaData()

steps = Table("schema_steps", metadata, Column("number", Integer, primary_key=True, autoincrement=False))

actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("requester", String(16), nullable=False),
    Column("key", String(200)),
    Column("due_at", Integer),
    Column("record", Text, nullable=False),
    UniqueConstraint("requester", "key"),
    Index("actions_by_status", "status", "id"),
    Index("actions_by_requester", "requester", "id"),
    Index("actions_due", "due_at"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("action_id", Integer),  # also in the body, which is what counts; here to be found by
    Column("body", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_by_action", "action_id", "seq"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("revoked_at", Integer),
    Column("expires_at", BigInteger),
    Column("owner", String(64)),
    Column("last_used_at", BigInteger),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("principal_id", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("used", Boolean, nullable=False, default=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("principal_id", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("form_token", String(64), nullable=False),
    Column("expires_at", Integer, nullable=False),
)


kill_switches = Table(
    "kill_switches",
    metadata,
    Column("agent", String(200), primary_key=True),  # "" is every agent
    Column("tool", String(200), primary_key=True),  # "" is every tool
    Column("is_on", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("activated_at", BigInteger, nullable=False),
    Column("activated_by", String(16), nullable=False),
    Column("activated_by_name", String(200), nullable=False),
)

IS_PENDING = actions.c.status == text("'pending'")
"""Spelled out, not a parameter: a database uses the index below only for a query that says the same."""

pending_by_requester = Index(
    "pending_by_requester",
    actions.c.requester,
    actions.c.due_at,
    actions.c.status,  # always the same here, but SQLite would open each row to see it
    sqlite_where=IS_PENDING,
    postgresql_where=IS_PENDING,
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection)
    replaced = (
        "INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)"  # REPLACE fires no DELETE trigger
    )
    for name, change in (("update", "UPDATE ON audit"), ("delete", "DELETE ON audit"), ("replace", replaced)):
        connection.execute(
            text(
                f"CREATE TRIGGER audit_no_{name} BEFORE {change} "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )
        )


def _third(connection: Connection) -> None:
    """Keys with an end and an owner, kill switches, a count of what waits; in a new database step 1 made them."""
    there = {column["name"] for column in inspect(connection).get_columns(keys.name)}
    for column in (keys.c.expires_at, keys.c.owner, keys.c.last_used_at):
        if column.name not in there:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {keys.name} ADD COLUMN {definition}"))
    kill_switches.create(connection, checkfirst=True)
    pending_by_requester.create(connection, checkfirst=True)


STEPS: dict[int, Callable[[Connection], None]] = {
    1: _first,
    3: _third,
}


def migrate(connection: Connection) -> None:
    """Bring the database to `SCHEMA_VERSION`, inside the caller's transaction."""
    done = schema_version(connection)
    for number in sorted(number for number in STEPS if number > done):
        STEPS[number](connection)
        connection.execute(steps.insert().values(number=number))


def schema_version(connection: Connection) -> int:
    """The last step that the database has had; 0 for an empty one."""
    if not inspect(connection).has_table(steps.name):
        return 0
    return max(connection.execute(select(steps.c.number)).scalars(), default=0)
