"""PostgreSQL: one database for several Centers, on as many machines.

Whoever writes first takes one lock for the whole database and holds it until the commit. So all that is written is
written one transaction after the other, whichever Centers write it: the audit trail has no gap and no fork, and
what a unit of work has read is still so when it writes. Reading takes no lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from clearance.center.faults import DatabaseRefused
from clearance.center.store import tables
from clearance.center.store.base import Use
from clearance.center.store.wakeups import Wakeups
from clearance.center.store.writer import GroupCommitStore, NotYetLocked, first_line

_WRITERS = 0x434C5243_77726974
"""The lock that whoever writes holds (``CLRCwrit``)."""
_LOCK_MS = 5_000
_FIRST_LOCK_MS = 60_000
"""For the schema: another Center may be at it just now."""
_IDLE_MS = 15_000
"""How long a Center that froze amid a transaction may hold up the others."""
_GIVE_UP = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""How soon a connection that leads nowhere is given up; the URL may say otherwise."""
_SESSION: LiteralString = """
SELECT set_config('search_path', quote_ident(current_schema()), false),  -- no table of another schema is ever meant
       set_config('lock_timeout', %s, false),
       set_config('idle_in_transaction_session_timeout', %s, false),
       set_config('default_transaction_read_only',
                  CASE WHEN %s THEN 'on' ELSE current_setting('default_transaction_read_only') END, false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                  WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""
_UNDONE = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the database has rolled the transaction back, to be run again."""


def open_store(url: str, use: Use, where: str) -> GroupCommitStore:
    """Open the database at ``url``, which a refusal calls ``where``; one that is empty gets its tables.

    Raises:
        DatabaseRefused: it cannot be reached or written, is not ours, newer than this version, damaged, or on a server
            that answers before it has written to disk.
    """
    try:
        return PostgresStore(url, use, where)
    except (DBAPIError, psycopg.Error) as error:
        raise DatabaseRefused(f"{where}: cannot be used ({first_line(error)}). Nothing was changed.") from None


class PostgresStore(GroupCommitStore):
    """One of the Centers on a database, or a command beside them."""

    def __init__(self, url: str, use: Use, where: str) -> None:
        self._use, self._where = use, where
        self._locked = False
        self._wakeups: Wakeups | None = None
        super().__init__(self._make_engine(url))
        if use is Use.SERVE:
            try:
                self._wakeups = Wakeups(lambda: _connect(url, "clearance wake-ups", use), self._hear)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """See `Store`."""
        super().close()
        wakeups, self._wakeups = self._wakeups, None
        if wakeups is not None:
            wakeups.close()

    def _hear(self, changed: Collection[int]) -> None:
        self.on_change(changed)

    def _make_engine(self, url: str) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: _connect(url, "clearance", self._use),
            poolclass=NullPool,
            isolation_level="READ COMMITTED",  # once it has the lock, each statement sees all that was committed
            use_native_hstore=False,
        )

        @event.listens_for(engine, "before_execute")
        def lock_before_writing(_connection: Connection, statement: Any, *_: Any) -> None:
            if getattr(statement, "is_dml", False) and not self._locked:
                raise NotYetLocked

        return engine

    def _prepare(self, connection: Connection) -> None:
        with self._turn(), connection.begin():
            self._check(connection)
            if self._use is not Use.READ:
                connection.execute(text(f"SET LOCAL lock_timeout = {_FIRST_LOCK_MS}"))
                self._keep_others_out(connection)
            tables.bring_forward(connection, self._where, self._use)

    def _check(self, connection: Connection) -> None:
        """Refuse a database that would not keep what it is given, or that is somebody else's."""
        names = ("server_encoding", "fsync", "transaction_read_only")
        encoding, fsync, read_only = (connection.execute(text(f"SHOW {name}")).scalar_one() for name in names)
        if connection.execute(text("SELECT current_schema()")).scalar_one() is None:
            raise DatabaseRefused(f"{self._where}: there is no schema to work in. Make it, or change the search_path.")
        if encoding != "UTF8":
            raise DatabaseRefused(f"{self._where}: keeps text as {encoding}. Make a database with the encoding UTF8.")
        if read_only == "on" and self._use is not Use.READ:
            raise DatabaseRefused(f"{self._where}: is read-only, as a standby is. Give the address of the primary.")
        if fsync != "on" and self._use is not Use.READ:
            raise DatabaseRefused(f"{self._where}: this server does not write to disk (fsync = {fsync}). Turn it on.")
        found = set(inspect(connection).get_table_names())
        if found and tables.steps.name not in found:
            raise DatabaseRefused(
                f"{self._where}: holds tables of another program ({', '.join(sorted(found)[:3])}), and was left alone. "
                "Make a database for Clearance alone."
            )

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        self._locked = False
        yield

    def _keep_others_out(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:writers)"), {"writers": _WRITERS})
        self._locked = True

    def _is_undone(self, error: DBAPIError) -> bool:
        return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _UNDONE

    def _tell(self, changed: Collection[int]) -> None:
        super()._tell(changed)
        if self._wakeups is not None:
            self._wakeups.pass_on()


def _connect(url: str, application: str, use: Use) -> psycopg.Connection[Any]:
    given = conninfo_to_dict(url)
    more = {name: value for name, value in _GIVE_UP.items() if name not in given}
    connection = psycopg.connect(url, autocommit=True, application_name=application, **more)  # type: ignore[arg-type]
    try:
        connection.execute(_SESSION, (f"{_LOCK_MS}ms", f"{_IDLE_MS}ms", use is Use.READ))
    except BaseException:
        connection.close()
        raise
    return connection
