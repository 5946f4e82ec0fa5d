"""SQLite: one file, one writing connection, every commit on disk before it is answered.

The settings are those that lost nothing in simulated power loss: the database is created under
``synchronous=EXTRA``, then runs in WAL mode with ``synchronous=FULL``; both are read back at start.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from clearance.center.records import DatabaseRefused
from clearance.center.store import tables
from clearance.center.store.writer import GroupCommitStore

APPLICATION_ID = 0x434C5243
"""``CLRC``: written into the file's header, so that a foreign database is told from ours."""
_FULL = 2
_BUSY_MS = 5_000


def open_store(path: str | os.PathLike[str]) -> GroupCommitStore:
    """Open the database at ``path``, or make it if there is no file.

    Raises:
        DatabaseRefused: not a database, not ours, newer than this version, damaged, or not writable.
    """
    file = Path(path)
    try:
        is_new = _check_file(file)
    except OSError as error:
        raise DatabaseRefused(f"{file}: cannot be used ({error.strerror}). Nothing was changed.") from None
    engine = create_engine("sqlite://", poolclass=NullPool, creator=lambda: _connect(file))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The driver's own idea of when a transaction begins is switched off; this is the real one.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        return GroupCommitStore(engine, lambda connection: _prepare(connection, file, is_new=is_new))
    except (DatabaseError, sqlite3.DatabaseError) as error:
        words = getattr(error, "orig", error)
        raise DatabaseRefused(f"{file}: cannot be used ({words}). Nothing was changed.") from None


def _check_file(file: Path) -> bool:
    """True if the file is new or empty."""
    if not file.parent.is_dir():
        raise DatabaseRefused(f"{file}: there is no folder {file.parent}. Make it, or choose another path.")
    if not file.exists():
        if not os.access(file.parent, os.W_OK):
            raise DatabaseRefused(f"{file}: the folder is not writable. Choose another path for --database.")
        file.touch(mode=0o600)
        return True
    with file.open("rb") as stream:
        head = stream.read(100)
    if not head:
        return True
    if not head.startswith(b"SQLite format 3\0"):
        raise DatabaseRefused(f"{file}: is not a SQLite database. Choose another path for --database.")
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise DatabaseRefused(
            f"{file}: is a database of another program, and was left alone. Choose another path for --database."
        )
    if not os.access(file, os.W_OK):
        raise DatabaseRefused(f"{file}: is read-only. Make it and its folder writable for this user.")
    return False


def _connect(file: Path) -> Any:
    address = f"file:{quote(str(file.absolute()))}?mode=rw"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _prepare(connection: Connection, file: Path, *, is_new: bool) -> None:
    raw: Any = connection.connection.driver_connection
    raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    raw.execute("PRAGMA synchronous=EXTRA" if is_new else "PRAGMA synchronous=FULL")
    if is_new:
        raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
    mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    raw.execute("PRAGMA foreign_keys=ON")
    if not is_new and raw.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise DatabaseRefused(f"{file}: is damaged. Restore a backup; do not go on with this file.")
    with connection.begin():
        found = tables.schema_version(connection)
        if found > tables.SCHEMA_VERSION:
            raise DatabaseRefused(
                f"{file}: was written by a newer Clearance (schema {found}, this one knows {tables.SCHEMA_VERSION}). "
                "Upgrade Clearance."
            )
        tables.migrate(connection)
    raw.execute("PRAGMA synchronous=FULL")
    if raw.execute("PRAGMA synchronous").fetchone()[0] != _FULL or mode != "wal":
        raise DatabaseRefused(f"{file}: this file system does not take the safe settings (journal mode {mode}).")
