"""What actions have taken of limits over time, over SQL."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, select

from clearance.center.store.base import Leaps
from clearance.center.store.prepared import Prepared
from clearance.center.store.tables import clock_leaps, uses

HELD = 2**62
"""Stands for the time at which something runs that has not begun to, and still can."""
_UNITS = 1_000_000


class SqlUses:
    """See `clearance.center.store.base.Uses`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def used(self, quota: str, subject: str, after: int) -> int:
        """See `Uses`."""
        found = _USED.first(self._connection, quota=quota, subject=subject, after=after)
        return int(found.units or 0) * _UNITS + int(found.parts or 0)

    def hold_use(self, quota: str, subject: str, action_id: int, amount: int) -> None:
        """See `Uses`."""
        values = {"quota": quota, "subject": subject, "at": HELD, "action_id": action_id, "amount": amount}
        _HOLD.change(self._connection, **values)

    def date_use(self, quota: str, subject: str, action_id: int, at: int) -> None:
        """See `Uses`."""
        newest = _NEWEST.first(self._connection)[0] or 0
        _DATE.change(self._connection, wanted=quota, whose=subject, action=action_id, since=max(at, newest))

    def free_use(self, quota: str, subject: str, action_id: int) -> None:
        """See `Uses`."""
        _FREE.change(self._connection, wanted=quota, whose=subject, action=action_id)

    def forget_uses(self, until: int, most: int) -> None:
        """See `Uses`."""
        oldest = [row.at for row in _OLDEST.all(self._connection, until=until, most=most)]
        if oldest:
            _FORGET.change(self._connection, until=oldest[-1])

    def leaps(self) -> Leaps:
        """See `Uses`."""
        found = _LEAPS.first(self._connection)
        return Leaps(found.total, found.at) if found else Leaps()

    def note_leaps(self, leaps: Leaps) -> None:
        """See `Uses`."""
        values = leaps._asdict()
        if not self._connection.execute(clock_leaps.update().where(clock_leaps.c.id == 1).values(values)).rowcount:
            self._connection.execute(clock_leaps.insert().values(id=1, **values))


_HELD_BY = (
    (uses.c.quota == bindparam("wanted"))
    & (uses.c.subject == bindparam("whose"))
    & (uses.c.at == HELD)
    & (uses.c.action_id == bindparam("action"))
)
# In two parts, so that no number of large amounts is more than 64 bits hold.
_USED = Prepared(
    select(func.sum(uses.c.amount // _UNITS).label("units"), func.sum(uses.c.amount % _UNITS).label("parts")).where(
        uses.c.quota == bindparam("quota"), uses.c.subject == bindparam("subject"), uses.c.at > bindparam("after")
    )
)
_HOLD = Prepared(uses.insert())
_NEWEST = Prepared(select(func.max(uses.c.at).label("newest")).where(uses.c.at < HELD))
_DATE = Prepared(uses.update().where(_HELD_BY).values(at=bindparam("since")))
_FREE = Prepared(uses.delete().where(_HELD_BY))
_OLDEST = Prepared(
    select(uses.c.at).where(uses.c.at <= bindparam("until")).order_by(uses.c.at).limit(bindparam("most"))
)
_FORGET = Prepared(uses.delete().where(uses.c.at <= bindparam("until")))
_LEAPS = Prepared(select(clock_leaps.c.total, clock_leaps.c.at).where(clock_leaps.c.id == 1))
