"""What a transaction over SQL keeps of break-glass."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, func, or_, select

from clearance import lifecycle
from clearance.center.emergencies import BreakGlass, Count
from clearance.center.store import tables
from clearance.center.store.prepared import Prepared
from clearance.models import Status

if TYPE_CHECKING:
    from clearance.center.store.sql import Known


class SqlGlass:
    """See `clearance.center.store.base.Tx`."""

    _connection: Connection
    _known: Known
    changed: set[int]

    def add_break_glass(self, glass: BreakGlass) -> BreakGlass:
        """See `Tx`."""
        number = _ADD.add(self._connection, **_values(glass))
        self._note_change()
        return replace(glass, id=number)

    def break_glass(self, number: int) -> BreakGlass | None:
        """See `Tx`."""
        found = _ONE.first(self._connection, wanted=number)
        return _read(found) if found else None

    def open_break_glasses(self) -> list[BreakGlass]:
        """See `Tx`. Read once a transaction: every request that people are asked about looks for them."""
        if self._known.glasses is None:
            self._known.glasses = [_read(row) for row in _OPEN.all(self._connection)]
        return self._known.glasses

    def break_glasses(self, *, limit: int, offset: int = 0) -> list[BreakGlass]:
        """See `Tx`."""
        query = select(tables.break_glasses).order_by(tables.break_glasses.c.id.desc()).limit(limit).offset(offset)
        return [_read(row) for row in self._connection.execute(query)]

    def save_break_glass(self, glass: BreakGlass) -> None:
        """See `Tx`."""
        update = tables.break_glasses.update().where(tables.break_glasses.c.id == glass.id)
        self._connection.execute(update.values(_values(glass)))
        self._note_change()

    def use_break_glass(self, number: int, action_id: int) -> None:
        """See `Tx`."""
        _USE.change(self._connection, break_glass=number, action_id=action_id)

    def uses_of_break_glass(self, number: int) -> Count:
        """See `Tx`."""
        found = _USES.first(self._connection, wanted=number)
        return Count(found.cleared, found.ran)

    def cleared_by_break_glass(
        self, number: int, *, limit: int, statuses: Collection[Status] | None = None
    ) -> list[int]:
        """See `Tx`."""
        uses, actions = tables.break_glass_uses.c, tables.actions.c
        query = select(uses.action_id).where(uses.break_glass == number).order_by(uses.action_id).limit(limit)
        if statuses is not None:
            words = [status.value for status in statuses]
            query = query.join(tables.actions, actions.id == uses.action_id).where(actions.status.in_(words))
        return list(self._connection.execute(query).scalars())

    def _note_change(self) -> None:
        self._known.glasses = None
        self.changed.add(0)


_ADD = Prepared(
    tables.break_glasses.insert(), *(column.name for column in tables.break_glasses.c if column.name != "id")
)
_ONE = Prepared(select(tables.break_glasses).where(tables.break_glasses.c.id == bindparam("wanted")))
_OPEN = Prepared(
    select(tables.break_glasses)
    .where(tables.break_glasses.c.closed_at.is_(None))
    .order_by(tables.break_glasses.c.id.desc())
)
_USE = Prepared(tables.break_glass_uses.insert())
_RAN = or_(*(tables.actions.c.status == status.value for status in sorted(lifecycle.CLAIMED)))
_USES = Prepared(
    select(func.count().label("cleared"), func.count().filter(_RAN).label("ran"))
    .select_from(tables.break_glass_uses)
    .join(tables.actions, tables.actions.c.id == tables.break_glass_uses.c.action_id)
    .where(tables.break_glass_uses.c.break_glass == bindparam("wanted"))
)


def _values(glass: BreakGlass) -> dict[str, Any]:
    values = asdict(glass)
    del values["id"]
    return values


def _read(row: Any) -> BreakGlass:
    return BreakGlass(**row._asdict())
