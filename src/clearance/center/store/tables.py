"""The tables, and the numbered steps that make them. A step and its record share one transaction."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from sqlalchemy import (
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

from clearance.witness import TILE, Tiles, fold, leaf

SCHEMA_VERSION = 2
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

audit_nodes = Table(
    "audit_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
)
"""What is kept of the tree over the audit trail; all of it follows from the entries."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("revoked_at", Integer),
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


def _second(connection: Connection) -> None:
    """Nodes over the entries that are there."""
    audit_nodes.create(connection, checkfirst=True)
    tiles = Tiles()
    found = connection.execute(select(audit.c.body).order_by(audit.c.seq)).scalars()
    while len(tile := list(islice(found, TILE))) == TILE:
        for node in tiles.add(fold(leaf(body.encode()) for body in tile)):
            values = {"level": node.level, "position": node.position, "hash": node.digest.hex()}
            connection.execute(audit_nodes.insert().values(values))


STEPS: dict[int, Callable[[Connection], None]] = {1: _first, 2: _second}


def migrate(connection: Connection) -> None:
    """Bring the database to `SCHEMA_VERSION`, inside the caller's transaction."""
    done = schema_version(connection)
    for number in range(done + 1, SCHEMA_VERSION + 1):
        STEPS[number](connection)
        connection.execute(steps.insert().values(number=number))


def schema_version(connection: Connection) -> int:
    """The last step that the database has had; 0 for an empty one."""
    if not inspect(connection).has_table(steps.name):
        return 0
    return max(connection.execute(select(steps.c.number)).scalars(), default=0)
