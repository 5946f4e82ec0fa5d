"""Copies of a SQLite database: made while it is in use, checked, and only then given their name."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from clearance.center import audit
from clearance.center.audit import Link, Report
from clearance.center.faults import DatabaseRefused
from clearance.center.store import filelock, tables
from clearance.center.store.sqlite import check_file

_BESIDE = ("", "-wal", "-shm", "-journal", "-lock")
"""What SQLite and we keep beside a database."""
ROOM = 1_000_000
"""Numbers that are left out after a restore."""


def copy(source: Path, target: Path, finish: Callable[[Path, Report], None] = lambda _file, _report: None) -> Report:
    """Copy a database, which may be in use, into a new file; returns what was found of the copy's audit trail.

    ``finish`` is called with the copy before it gets its name; what it raises undoes everything.

    Raises:
        DatabaseRefused: there is something at ``target``, or ``source`` is none of ours, newer or damaged.
    """
    with filelock.GUARD:
        if check_file(source):
            raise DatabaseRefused(f"{source}: is empty. There is nothing to copy.")
    for beside in (Path(f"{target}{ending}") for ending in _BESIDE):
        if os.path.lexists(beside):
            raise DatabaseRefused(f"{beside}: is there already, and was left alone. Choose another path.")
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".part")
        os.close(descriptor)
        part = Path(name)
        try:
            report = _copied(source, part)
            finish(part, report)
            _name(part, target)
        finally:
            for ending in _BESIDE:
                Path(f"{part}{ending}").unlink(missing_ok=True)
    except OSError as error:
        raise DatabaseRefused(f"{target}: cannot be made ({error.strerror}). Nothing was changed.") from None
    except sqlite3.DatabaseError as error:
        raise DatabaseRefused(f"{source}: cannot be copied ({error}). Nothing was changed.") from None
    return report


def _copied(source: Path, part: Path) -> Report:
    with closing(_reading(source)) as original, closing(sqlite3.connect(part, isolation_level=None)) as copied:
        copied.execute("PRAGMA synchronous=EXTRA")
        original.backup(copied)
        if copied.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise DatabaseRefused(f"{source}: is damaged, and so would be its copy. Nothing was kept of it.")
        version = copied.execute(f"SELECT max(number) FROM {tables.steps.name}").fetchone()[0]  # noqa: S608 - our name
        if version is None or version > tables.SCHEMA_VERSION:
            raise DatabaseRefused(f"{source}: was written by a newer Clearance (schema {version}). Upgrade Clearance.")
        links = copied.execute("SELECT seq, body, hash FROM audit ORDER BY seq")
        return audit.verify(Link(*link) for link in links)


def _reading(source: Path) -> sqlite3.Connection:
    """A connection that only reads; also where nothing can be written, if the file is one that nobody has open."""
    address = f"file:{quote(str(source.absolute()))}"
    try:
        return _tried(f"{address}?mode=rw")
    except sqlite3.OperationalError:
        if Path(f"{source}-wal").exists():
            raise
        return _tried(f"{address}?immutable=1")


def _tried(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def leave_room(file: Path) -> None:
    """Number what is to come far behind what is there: the numbers between may be in use elsewhere."""
    numbered = [(table.name,) for table in (tables.actions, tables.break_glasses)]
    with closing(sqlite3.connect(file)) as raw, raw:
        for name in numbered:
            query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"
            last = raw.execute(query, name).fetchone()[0]
            raw.execute("DELETE FROM sqlite_sequence WHERE name = ?", name)
            raw.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (*name, last + ROOM))


def _name(part: Path, target: Path) -> None:
    """Give the finished copy its name, unless that was taken meanwhile; on disk when this returns."""
    if Path(f"{part}-wal").exists():
        raise DatabaseRefused(f"{target}: could not be finished; the disk may be full. Nothing was kept.")
    _sync(part)
    try:
        os.link(part, target)
    except FileExistsError:
        raise DatabaseRefused(f"{target}: is there already, and was left alone. Choose another path.") from None
    except OSError:  # a file system without links
        part.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot do that with a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
