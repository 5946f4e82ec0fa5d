"""A transaction over SQL: SQLAlchemy Core, parameters only, the same for every database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from clearance.center import audit
from clearance.center.audit import Link
from clearance.center.records import Conflict, Entry, KeyRecord, KillSwitch, Principal, Record, Role, Session
from clearance.center.store import rows, tables
from clearance.models import Status


class SqlTx:
    """See `clearance.center.store.base.Tx`. ``changed`` collects the ids of the actions it touched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._switches: list[KillSwitch] | None = None
        self.changed: set[int] = set()

    def add_action(self, record: Record) -> Record:
        """See `Tx`."""
        record = replace(record, version=1)
        insert = tables.actions.insert().values(rows.to_row(record)).returning(tables.actions.c.id)
        action_id = self._connection.execute(insert).scalar_one()
        self.changed.add(action_id)
        return replace(record, id=action_id)

    def action(self, action_id: int) -> Record | None:
        """See `Tx`."""
        found = self._connection.execute(select(tables.actions).where(tables.actions.c.id == action_id)).first()
        return rows.from_row(found) if found else None

    def action_by_key(self, requester: str, key: str) -> Record | None:
        """See `Tx`."""
        same = (tables.actions.c.requester == requester) & (tables.actions.c.key == key)
        found = self._connection.execute(select(tables.actions).where(same)).first()
        return rows.from_row(found) if found else None

    def save_action(self, record: Record) -> Record:
        """See `Tx`."""
        changed = replace(record, version=record.version + 1)
        unchanged_since = (tables.actions.c.id == record.id) & (tables.actions.c.version == record.version)
        update = tables.actions.update().where(unchanged_since).values(rows.to_row(changed))
        if self._connection.execute(update.returning(tables.actions.c.id)).first() is None:
            raise Conflict(f"Action {record.id} was changed by somebody else at the same time")
        self.changed.add(record.id)
        return changed

    def actions(
        self,
        *,
        statuses: Collection[Status] | None = None,
        requester: str | None = None,
        oldest_first: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Record]:
        """See `Tx`."""
        columns = tables.actions.c
        query = select(tables.actions).order_by(columns.id if oldest_first else columns.id.desc())
        if statuses is not None:
            query = query.where(columns.status.in_([status.value for status in statuses]))
        if requester is not None:
            query = query.where(columns.requester == requester)
        return [rows.from_row(row) for row in self._connection.execute(query.limit(limit).offset(offset))]

    def overdue(self, now: int, limit: int = 500) -> list[Record]:
        """See `Tx`."""
        due_at = tables.actions.c.due_at
        query = select(tables.actions).where(due_at <= now).order_by(due_at).limit(limit)
        return [rows.from_row(row) for row in self._connection.execute(query)]

    def pending_of(self, requester: str, now: int) -> int:
        """See `Tx`."""
        count: int = self._connection.execute(_PENDING_OF, {"requester": requester, "now": now}).scalar_one()
        return count

    def next_deadline(self) -> int | None:
        """See `Tx`."""
        earliest: int | None = self._connection.execute(select(func.min(tables.actions.c.due_at))).scalar_one()
        return earliest

    def append(self, entry: Entry) -> None:
        """See `Tx`."""
        newest = select(tables.audit.c.seq, tables.audit.c.hash).order_by(tables.audit.c.seq.desc()).limit(1)
        last = self._connection.execute(newest).first()
        seq, before = (last.seq + 1, last.hash) if last else (1, audit.GENESIS)
        body = audit.body_of(seq, entry)
        values = {"seq": seq, "action_id": entry.action_id, "body": body, "hash": audit.chain(before, body)}
        self._connection.execute(tables.audit.insert().values(values))

    def audit(self, *, after: int = 0, limit: int | None = None) -> Iterator[Link]:
        """See `Tx`."""
        query = select(tables.audit).where(tables.audit.c.seq > after).order_by(tables.audit.c.seq).limit(limit)
        for row in self._connection.execute(query):
            yield Link(row.seq, row.body, row.hash)

    def audit_length(self) -> int:
        """See `Tx`."""
        newest: int | None = self._connection.execute(select(func.max(tables.audit.c.seq))).scalar_one()
        return newest or 0

    def audit_of(self, action_id: int) -> Iterator[Link]:
        """See `Tx`."""
        query = select(tables.audit).where(tables.audit.c.action_id == action_id).order_by(tables.audit.c.seq)
        for row in self._connection.execute(query):
            yield Link(row.seq, row.body, row.hash)

    def add_key(self, record: KeyRecord) -> None:
        """See `Tx`."""
        self._connection.execute(tables.keys.insert().values(_key_values(record)))

    def key(self, key_id: str) -> KeyRecord | None:
        """See `Tx`."""
        found = self._connection.execute(select(tables.keys).where(tables.keys.c.id == key_id)).first()
        return _key(found) if found else None

    def save_key(self, record: KeyRecord) -> None:
        """See `Tx`."""
        update = tables.keys.update().where(tables.keys.c.id == record.id)
        self._connection.execute(update.values(_key_values(record)))

    def keys(self) -> list[KeyRecord]:
        """See `Tx`."""
        return [_key(row) for row in self._connection.execute(select(tables.keys).order_by(tables.keys.c.created_at))]

    def switches(self) -> list[KillSwitch]:
        """See `Tx`. Read once a transaction: every approval that is looked at asks for them."""
        if self._switches is None:
            self._switches = [KillSwitch(**row._mapping) for row in self._connection.execute(_SWITCHES)]
        return self._switches

    def put_switch(self, switch: KillSwitch) -> None:
        """See `Tx`."""
        self.drop_switch(switch)
        self._connection.execute(tables.kill_switches.insert().values(asdict(switch)))
        self.changed.add(0)

    def drop_switch(self, switch: KillSwitch) -> None:
        """See `Tx`."""
        columns = tables.kill_switches.c
        same = (columns.agent == switch.agent) & (columns.tool == switch.tool)
        self._connection.execute(tables.kill_switches.delete().where(same))
        self._switches = None

    def add_sign_in(self, token_digest: str, principal: Principal, expires_at: int) -> None:
        """See `Tx`."""
        values = {"digest": token_digest, "expires_at": expires_at, "used": False, **_principal_values(principal)}
        self._connection.execute(tables.sign_ins.insert().values(values))

    def take_sign_in(self, token_digest: str, now: int) -> Principal | None:
        """See `Tx`."""
        table = tables.sign_ins
        usable = (table.c.digest == token_digest) & (table.c.used.is_(False)) & (table.c.expires_at > now)
        found = self._connection.execute(table.update().where(usable).values(used=True).returning(table)).first()
        return _principal(found) if found else None

    def add_session(self, session: Session) -> None:
        """See `Tx`."""
        values = {"id": session.id, "form_token": session.form_token, "expires_at": session.expires_at}
        self._connection.execute(tables.sessions.insert().values({**values, **_principal_values(session.principal)}))

    def session(self, session_id: str, now: int) -> Session | None:
        """See `Tx`."""
        table = tables.sessions
        query = select(table).where((table.c.id == session_id) & (table.c.expires_at > now))
        found = self._connection.execute(query).first()
        return Session(found.id, _principal(found), found.form_token, found.expires_at) if found else None

    def end_session(self, session_id: str) -> None:
        """See `Tx`."""
        self._connection.execute(tables.sessions.delete().where(tables.sessions.c.id == session_id))

    def end_sessions_of(self, principal_id: str) -> None:
        """See `Tx`."""
        for table in (tables.sessions, tables.sign_ins):
            self._connection.execute(table.delete().where(table.c.principal_id == principal_id))

    def forget_expired(self, now: int) -> None:
        """See `Tx`."""
        for table in (tables.sessions, tables.sign_ins):
            self._connection.execute(table.delete().where(table.c.expires_at <= now))


# Built once: every submit asks both.
_SWITCHES = select(tables.kill_switches).order_by(tables.kill_switches.c.activated_at.desc())
_PENDING_OF = (
    select(func.count())
    .select_from(tables.actions)
    .where(
        tables.IS_PENDING,
        tables.actions.c.requester == bindparam("requester"),
        tables.actions.c.due_at > bindparam("now"),
    )
)


def _key_values(record: KeyRecord) -> dict[str, Any]:
    return {**asdict(record), "role": record.role.value}


def _key(row: Any) -> KeyRecord:
    return KeyRecord(**{**row._mapping, "role": Role(row.role)})


def _principal_values(principal: Principal) -> dict[str, str]:
    return {"principal_id": principal.id, "name": principal.name, "role": principal.role.value}


def _principal(row: Any) -> Principal:
    return Principal(row.principal_id, row.name, Role(row.role))
