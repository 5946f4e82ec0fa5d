"""Which store it is: a path is a SQLite file, ``postgresql://`` is a database on a server."""

from __future__ import annotations

import os
import re
from typing import TypeGuard

from clearance.center.faults import DatabaseRefused
from clearance.center.store import sqlite
from clearance.center.store.base import Use
from clearance.center.store.writer import GroupCommitStore

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PASSWORD = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")
_PASSWORD_OPTION = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&#]*", re.IGNORECASE)


def is_url(database: str | os.PathLike[str]) -> TypeGuard[str]:
    """Is it the address of a server, rather than a file?"""
    return isinstance(database, str) and _SCHEME.match(database) is not None


def shown(database: str | os.PathLike[str]) -> str:
    """The database as it may be printed: without its password."""
    if not is_url(database):
        return str(database)
    return _PASSWORD_OPTION.sub(r"\1=***", _PASSWORD.sub(r"\1:***@", database))


def open_store(database: str | os.PathLike[str], use: Use = Use.SERVE) -> GroupCommitStore:
    """Open a SQLite file or a PostgreSQL database.

    Raises:
        DatabaseRefused: it may not be used so; the message says why and what to do.
    """
    if not is_url(database):
        return sqlite.open_store(database, use)
    if not database.startswith(("postgresql://", "postgres://")):
        raise DatabaseRefused(
            f"{shown(database)}: is no database that is known here. Give the path of a SQLite file, or postgresql://..."
        )
    try:
        from clearance.center.store import postgres
    except ModuleNotFoundError as missing:
        if missing.name != "psycopg":
            raise
        raise DatabaseRefused("PostgreSQL needs 'psycopg': pip install 'clearance[postgres]'") from None
    return postgres.open_store(database, use, shown(database))
