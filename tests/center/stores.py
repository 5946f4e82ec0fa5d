"""What the tests of both stores share: records to keep, and a way to have many units in one commit."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from tests.center.desks import AGENT
from tests.helpers import an_action

from clearance.center.records import Record
from clearance.center.store.base import Tx
from clearance.center.store.databases import is_url
from clearance.center.store.sql import SqlTx
from clearance.testing.contract.units import do, one_commit

__all__ = ["a_record", "adding", "by_hand", "do", "driver", "one_commit"]


def a_record(key: str | None = None) -> Record:
    """A pending action that was not kept yet."""
    return Record(an_action(), AGENT.id, AGENT.name, 1, 2, "correlation", "policy", key=key)


def adding(key: str | None = None) -> Callable[[Tx], Record]:
    """The unit of work that keeps one."""
    return lambda tx: tx.add_action(a_record(key))


def driver(tx: Tx) -> Any:
    """The connection beneath a transaction, as SQLAlchemy has it."""
    assert isinstance(tx, SqlTx)
    return tx._connection


@contextlib.contextmanager
def by_hand(address: str) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """A way to send statements to the database, with nothing of ours in between; each is committed."""
    if is_url(address):
        import psycopg

        with psycopg.connect(address, autocommit=True) as connection:

            def execute(statement: Any) -> list[tuple[Any, ...]]:
                cursor = connection.execute(statement)
                return cursor.fetchall() if cursor.description else []

            yield execute
    else:
        with closing(sqlite3.connect(address, isolation_level=None)) as raw:
            yield lambda statement: raw.execute(statement).fetchall()
