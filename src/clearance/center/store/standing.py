"""The standing approvals of a transaction over SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal, select, true

from clearance.center.standing import approval as approvals
from clearance.center.standing.approval import StandingApproval
from clearance.center.store import tables
from clearance.center.store.prepared import Prepared


class StandingRows:
    """See `clearance.center.store.base.Tx`."""

    _connection: Connection
    changed: set[int]

    def add_standing_approval(self, approval: StandingApproval) -> StandingApproval:
        """See `Tx`."""
        values = {name: getattr(approval, name) for name in approvals.KEPT_APART if name != "id"}
        number = _ADD.add(self._connection, **values, document=approval.written())
        self.changed.add(0)
        return replace(approval, id=number)

    def standing_approval(self, approval_id: int) -> StandingApproval | None:
        """See `Tx`."""
        found = _ONE.first(self._connection, wanted=approval_id)
        return _read(found) if found else None

    def live_standing_approvals(self, requester: str, now: int) -> list[StandingApproval]:
        """See `Tx`."""
        return [_read(row) for row in _LIVE.all(self._connection, requester=requester, now=now)]

    def standing_approvals(
        self,
        *,
        requester: str | None = None,
        live_at: int | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[StandingApproval]:
        """See `Tx`."""
        # The few that live are found by their end; by their id alone, all that ever were would be gone through.
        query = select(_TABLE).order_by(_COLUMNS.id.desc() if live_at is None else (_COLUMNS.id + 0).desc())
        if requester is not None:
            query = query.where(_COLUMNS.requester == requester)
        if live_at is not None:
            query = query.where(_COLUMNS.ends_at > live_at, *_CAN_ANSWER)
        return [_read(row) for row in self._connection.execute(query.limit(limit).offset(offset))]

    def kept_standing_approvals(self) -> tuple[int, list[StandingApproval]]:
        """See `Tx`. One statement, for another Center may write between two."""
        length = select(func.coalesce(func.max(tables.audit.c.seq), 0)).scalar_subquery()
        both = select(length.label("length"), _TABLE).select_from(_ONCE.outerjoin(_TABLE, true())).order_by(_COLUMNS.id)
        found = list(self._connection.execute(both))
        return found[0].length, [_read(row) for row in found if row.id is not None]

    def spend_standing_approval(self, approval: StandingApproval, now: int) -> StandingApproval | None:
        """See `Tx`."""
        if not _SPEND.change(self._connection, wanted=approval.id, read=approval.used, now=now, more=approval.used + 1):
            return None
        self.changed.add(0)
        return replace(approval, used=approval.used + 1)

    def revoke_standing_approval(self, approval: StandingApproval, now: int, by: str) -> StandingApproval:
        """See `Tx`."""
        _REVOKE.change(self._connection, wanted=approval.id, at=now, by=by)
        self.changed.add(0)
        return replace(approval, revoked_at=now, revoked_by=by)


def _read(row: Any) -> StandingApproval:
    apart = {name: getattr(row, name) for name in approvals.KEPT_APART}
    return approvals.read(row.document, **apart)


_TABLE = tables.standing_approvals
_COLUMNS = _TABLE.c
_ONCE = select(literal(1).label("one")).subquery()
_CAN_ANSWER = (_COLUMNS.revoked_at.is_(None), _COLUMNS.used < _COLUMNS.uses)
_ADD = Prepared(_TABLE.insert(), *[column.name for column in _COLUMNS if column.name != "id"])
_ONE = Prepared(select(_TABLE).where(_COLUMNS.id == bindparam("wanted")))
_LIVE = Prepared(
    select(_TABLE)
    .where(_COLUMNS.requester == bindparam("requester"), _COLUMNS.ends_at > bindparam("now"), *_CAN_ANSWER)
    .order_by(_COLUMNS.ends_at, _COLUMNS.id)
)
_SPEND = Prepared(
    _TABLE.update()
    .where(
        _COLUMNS.id == bindparam("wanted"),
        _COLUMNS.used == bindparam("read"),
        _COLUMNS.ends_at > bindparam("now"),
        *_CAN_ANSWER,
    )
    .values(used=bindparam("more"))
)
_REVOKE = Prepared(
    _TABLE.update()
    .where(_COLUMNS.id == bindparam("wanted"))
    .values(revoked_at=bindparam("at"), revoked_by=bindparam("by"))
)
