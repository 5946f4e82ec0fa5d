"""SQLite: one file, one writing connection, every commit on disk before it is answered.

The settings are those that lost nothing in simulated power loss: the database is created under
``synchronous=EXTRA``, then runs in WAL mode with ``synchronous=FULL``; both are read back at start.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from clearance.center.faults import DatabaseRefused, StoreUnavailable
from clearance.center.store import filelock, tables
from clearance.center.store.base import Use
from clearance.center.store.writer import GroupCommitStore

APPLICATION_ID = 0x434C5243
"""``CLRC``: written into the file's header, so that a foreign database is told from ours."""
_BEGIN = {Use.SERVE: "BEGIN IMMEDIATE", Use.VISIT: "BEGIN IMMEDIATE", Use.READ: "BEGIN"}
_FULL = 2
_BUSY_MS = 5_000
_LOG_PAGES = 4_000
"""Pages of the write-ahead log after which a commit moves it into the database, and takes that much longer.

With SQLite's own 1,000 that is one submit of eighty; the more is stored, the more pages of it must be written then.
"""


def open_store(path: str | os.PathLike[str], use: Use = Use.SERVE) -> GroupCommitStore:
    """Open the database at ``path``, or make it if there is no file.

    Raises:
        DatabaseRefused: not a database, not ours, newer than this version, damaged, not writable, or served from by
            another Center.
    """
    file = Path(path)
    try:
        with filelock.GUARD:
            is_new = check_file(file, use)
            lock = filelock.FileLock.join(file)
        try:
            return SqliteStore(file, use, lock, is_new=is_new)
        except BaseException:
            lock.leave()
            raise
    except OSError as error:
        raise DatabaseRefused(f"{file}: cannot be used ({error.strerror}). Nothing was changed.") from None
    except (DatabaseError, sqlite3.DatabaseError) as error:
        words = getattr(error, "orig", error)
        raise DatabaseRefused(f"{file}: cannot be used ({words}). Nothing was changed.") from None


class SqliteStore(GroupCommitStore):
    """One file. Its writer thread takes turns with the commands of other processes; nobody else serves from it."""

    _always_has_savepoints = False  # hardly any unit that writes fails after all

    def __init__(self, file: Path, use: Use, lock: filelock.FileLock, *, is_new: bool) -> None:
        self._file, self._use, self._file_lock, self._is_new = file, use, lock, is_new
        self._left = False
        if use is Use.SERVE:
            lock.serve()
        try:
            super().__init__(_engine(file))
        except BaseException:
            self._cease()
            raise

    def close(self) -> None:
        """See `Store`."""
        super().close()
        if not self._left:
            self._left = True
            self._cease()
            self._file_lock.leave()

    def _cease(self) -> None:
        if self._use is Use.SERVE:
            self._file_lock.cease_to_serve()

    def _turn(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._use is Use.READ else self._file_lock.turn(_BUSY_MS / 1000)

    @contextlib.contextmanager
    def _begin(self, connection: Connection) -> Iterator[None]:
        """By the driver alone, where nothing in between has gone by SQLAlchemy; it takes a quarter of the time."""
        raw: Any = connection.connection.dbapi_connection
        raw.execute(_BEGIN[self._use])
        try:
            yield
            if connection.in_transaction():
                connection.commit()
            else:
                _check_open(connection)
                connection.dialect.do_commit(connection.connection)
        except BaseException:
            connection.rollback()
            raw.rollback()
            raise

    def _written(self, connection: Connection) -> object:
        _check_open(connection)
        raw: Any = connection.connection.dbapi_connection
        return raw.total_changes

    def _prepare(self, connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        if self._use is Use.READ:
            raw.execute("PRAGMA query_only=ON")
        else:
            with self._turn():
                self._settle(raw)
        if not self._is_new and raw.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise DatabaseRefused(f"{self._file}: is damaged. Restore a backup; do not go on with this file.")
        with self._turn(), self._begin(connection):
            tables.bring_forward(connection, str(self._file), self._use)
        raw.execute("PRAGMA synchronous=FULL")
        mode = raw.execute("PRAGMA journal_mode").fetchone()[0]
        if raw.execute("PRAGMA synchronous").fetchone()[0] != _FULL or mode != "wal":
            raise DatabaseRefused(
                f"{self._file}: this file system does not take the safe settings (journal mode {mode})."
            )

    def _settle(self, raw: Any) -> None:
        raw.execute("PRAGMA synchronous=EXTRA" if self._is_new else "PRAGMA synchronous=FULL")
        if self._is_new:
            raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        raw.execute("PRAGMA foreign_keys=ON")


def _engine(file: Path) -> Engine:
    engine = create_engine("sqlite://", poolclass=NullPool, creator=lambda: _connect(file))
    # SQLAlchemy joins the transaction that the store began. If SQLite has given that up, a savepoint would quietly
    # begin another, a statement would be kept by itself, and a commit of none says nothing.
    event.listen(engine, "begin", _check_open)
    event.listen(engine, "savepoint", lambda connection, _name: _check_open(connection))
    event.listen(engine, "commit", _check_open)
    return engine


def _check_open(connection: Connection) -> None:
    """Make sure that the transaction that was begun goes on.

    Raises:
        StoreUnavailable: SQLite has rolled all of it back by itself, as it may when a disk is full.
    """
    raw: Any = connection.connection.dbapi_connection
    if not raw.in_transaction:
        raise StoreUnavailable("The database gave the transaction up; nothing was changed")


def check_file(file: Path, use: Use = Use.READ) -> bool:
    """True if the file is new or empty. Hold `filelock.GUARD`: this may open the file and close it.

    Raises:
        DatabaseRefused: it is none of ours, or cannot be used so.
    """
    if not file.parent.is_dir():
        raise DatabaseRefused(f"{file}: there is no folder {file.parent}. Make it, or choose another path.")
    if not file.exists():
        if use is Use.READ:
            raise DatabaseRefused(f"{file}: there is no such file.")
        if not os.access(file.parent, os.W_OK):
            raise DatabaseRefused(f"{file}: the folder is not writable. Choose another path for --database.")
        file.touch(mode=0o600)
        return True
    if filelock.is_open_here(file):
        return False
    with file.open("rb") as stream:
        head = stream.read(100)
    if not head and Path(f"{file}-wal").exists():
        raise DatabaseRefused(f"{file}: is damaged: it was cut off to nothing. Restore a backup.")
    if head:
        _check_head(file, head)
        if use is not Use.READ and not os.access(file, os.W_OK):
            raise DatabaseRefused(f"{file}: is read-only. Make it and its folder writable for this user.")
    return not head


def _check_head(file: Path, head: bytes) -> None:
    if not head.startswith(b"SQLite format 3\0"):
        raise DatabaseRefused(f"{file}: is not a SQLite database. Choose another path for --database.")
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise DatabaseRefused(
            f"{file}: is a database of another program, and was left alone. Choose another path for --database."
        )


def _connect(file: Path) -> Any:
    address = f"file:{quote(str(file.absolute()))}?mode=rw"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
