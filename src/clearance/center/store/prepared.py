"""Statements that every request needs: built by SQLAlchemy once, then run with as little around them as there can be.

To build a statement takes three times as long as to run it, and on SQLite, what SQLAlchemy does around each run takes
ten times as long as SQLite itself. So there the driver runs the text that SQLAlchemy made. Other databases are a round
trip away, and need what SQLAlchemy does around it: a lost connection is noticed, and a lock is taken before a write.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError


class Prepared:
    """One statement with named parameters (`bindparam`).

    Args:
        statement: a select, insert, update or delete of SQLAlchemy Core.
        columns: those that an insert or update sets, if it does not say so itself; none are all of the table's.
    """

    def __init__(self, statement: Any, *columns: str) -> None:
        self._statement = statement
        compiled = statement.compile(dialect=sqlite.dialect(), column_keys=columns or None)
        self._text = str(compiled)
        own = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._arranged = _arrangement(compiled.positiontup or [], own)
        # The result's columns as SQLAlchemy names them, so that a row reads the same whoever ran the statement.
        names = statement.selected_columns.keys() if isinstance(statement, Select) else []
        row: Any = namedtuple("Row", names)  # type: ignore[misc]
        self._row: Callable[[Any], Any] = row._make

    def first(self, connection: Connection, **parameters: Any) -> Any:
        """The first row, with its columns as attributes; None if there is none."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, parameters).first()
        found = self._by_driver(connection, parameters).fetchone()
        return self._row(found) if found is not None else None

    def all(self, connection: Connection, **parameters: Any) -> list[Any]:
        """All rows."""
        if connection.dialect.name != "sqlite":
            return list(connection.execute(self._statement, parameters))
        return [self._row(found) for found in self._by_driver(connection, parameters).fetchall()]

    def change(self, connection: Connection, **parameters: Any) -> int:
        """Run an update, a delete, or an insert with its own key; returns the number of rows that it changed."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, parameters).rowcount
        count: int = self._by_driver(connection, parameters).rowcount
        return count

    def add(self, connection: Connection, **parameters: Any) -> int:
        """Insert one row; returns the number that the database gave it."""
        number: int
        if connection.dialect.name != "sqlite":
            numbers: Any = connection.execute(self._statement, parameters).inserted_primary_key
            number = numbers[0]
        else:
            number = self._by_driver(connection, parameters).lastrowid
        return number

    def _by_driver(self, connection: Connection, parameters: dict[str, Any]) -> Any:
        raw: Any = connection.connection.dbapi_connection  # the driver's own; what finds it in all cases takes longer
        try:
            return raw.execute(self._text, self._arranged(parameters))
        except raw.Error as error:
            raise DBAPIError.instance(
                self._text, None, error, raw.Error, hide_parameters=True, dialect=connection.dialect
            ) from error


def _arrangement(names: list[str], own: dict[str, Any]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Puts named values into the order of the text; the statement has some values of its own."""
    if own.keys() >= {*names}:
        fixed = tuple(own[name] for name in names)
        return lambda _values: fixed
    if own:
        return lambda values: tuple(map({**own, **values}.__getitem__, names))
    match names:
        case [name]:
            return lambda values: (values[name],)
        case _:
            return itemgetter(*names)
