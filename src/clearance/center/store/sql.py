"""A transaction over SQL: SQLAlchemy Core, parameters only, the same for every database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from clearance.center import audit
from clearance.center.audit import DAMAGED, Link
from clearance.center.emergencies import BreakGlass
from clearance.center.faults import Conflict, StoreUnavailable
from clearance.center.records import Entry, InForce, KeptPolicy, KeyRecord, KillSwitch, Principal, Record, Role, Session
from clearance.center.store import rows, tables
from clearance.center.store.base import Life, Standing
from clearance.center.store.glass import SqlGlass
from clearance.center.store.prepared import Prepared
from clearance.center.store.standing import StandingRows
from clearance.center.store.uses import SqlUses
from clearance.models import Status
from clearance.quick import replace
from clearance.witness import TILE, fold, leaf

AT_ONCE = 1_000
"""Entries of the audit trail that are in memory at a time, and ids in one statement."""


@dataclass(slots=True)
class Known:
    """What the units of one transaction found out, for those behind them: nobody else changes it before the commit."""

    newest: tuple[int, str] | None = None
    """The number of the audit trail's newest entry, and its hash."""
    switches: list[KillSwitch] | None = None
    in_force: list[InForce] | None = None
    glasses: list[BreakGlass] | None = None

    def forget(self) -> None:
        """It may not be so: a unit was undone, or nobody else was kept out yet."""
        self.newest = self.switches = self.in_force = self.glasses = None


class SqlTx(SqlGlass, SqlUses, StandingRows):
    """See `clearance.center.store.base.Tx`. ``changed`` collects the ids of the actions it touched.

    ``appended`` has the hashes of the entries that it added to the audit trail, by their numbers; ``warnings`` what is
    to be said in the log.
    """

    def __init__(self, connection: Connection, known: Known | None = None) -> None:
        super().__init__(connection)
        self._known = known or Known()
        self.changed: set[int] = set()
        self.appended: dict[int, bytes] = {}
        self.warnings: list[str] = []

    def add_action(self, record: Record) -> Record:
        """See `Tx`."""
        action_id = _ADD_ACTION.add(self._connection, **{**rows.to_row(record), "version": 1})
        self.changed.add(action_id)
        return replace(record, id=action_id, version=1)

    def action(self, action_id: int) -> Record | None:
        """See `Tx`."""
        found = _ACTION.first(self._connection, wanted=action_id)
        return rows.from_row(found) if found else None

    def standings(self, action_ids: Collection[int]) -> list[Standing]:
        """See `Tx`."""
        found: list[Any] = []
        for some in batched(action_ids, AT_ONCE):
            if self._connection.dialect.name == "sqlite":
                found += _STANDINGS_OF_LIST.all(self._connection, ids=json.dumps(some))
            else:
                found += self._connection.execute(_STANDINGS, {"ids": some})
        return [Standing(row.id, row.requester, Status(row.status), row.due_at or 0) for row in found]

    def action_by_key(self, requester: str, key: str) -> Record | None:
        """See `Tx`."""
        found = _ACTION_BY_KEY.first(self._connection, requester=requester, key=key)
        return rows.from_row(found) if found else None

    def save_action(self, record: Record) -> Record:
        """See `Tx`."""
        changed = replace(record, version=record.version + 1)
        if not _SAVE_ACTION.change(self._connection, wanted=record.id, read=record.version, **rows.to_row(changed)):
            raise Conflict(f"Action {record.id} was changed by somebody else at the same time")
        self.changed.add(record.id)
        return changed

    def actions(
        self,
        *,
        statuses: Collection[Status] | None = None,
        requester: str | None = None,
        oldest_first: bool = False,
        after: int = 0,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Record]:
        """See `Tx`."""
        columns = tables.actions.c
        query = select(tables.actions).order_by(columns.id if oldest_first else columns.id.desc())
        if after:
            query = query.where(columns.id > after)
        if requester is not None:
            query = query.where(columns.requester == requester)
            statuses = list(Status) if statuses is None else statuses  # by which they are found in their index
        if statuses is not None:
            query = query.where(columns.status.in_([status.value for status in statuses]))
        return [rows.from_row(row) for row in self._connection.execute(query.limit(limit).offset(offset))]

    def overdue(self, now: int, limit: int = 500) -> list[Record]:
        """See `Tx`."""
        return [rows.from_row(row) for row in _OVERDUE.all(self._connection, now=now, most=limit)]

    def pending_of(self, requester: str) -> int:
        """See `Tx`."""
        count: int = _PENDING_OF.first(self._connection, requester=requester).pending
        return count

    def last_denied(self, requester: str, digest: str) -> Record | None:
        """See `Tx`."""
        found = _LAST_DENIED.first(self._connection, requester=requester, digest=digest)
        return rows.from_row(found) if found else None

    def was_cleared(self, requester: str, call: str) -> bool:
        """See `Tx`."""
        return _WAS_CLEARED.first(self._connection, requester=requester, call=call) is not None

    def next_deadline(self) -> int | None:
        """See `Tx`."""
        earliest: int | None = _NEXT_DEADLINE.first(self._connection)[0]
        return earliest

    def append(self, entry: Entry) -> int:
        """See `Tx`."""
        newest, before = self._known.newest or _NEWEST_ENTRY.first(self._connection) or (0, audit.GENESIS)
        seq = newest + 1
        body = audit.body_of(seq, entry)
        digest = audit.chain(before, body)
        _APPEND.change(self._connection, seq=seq, action_id=entry.action_id, body=body, hash=digest)
        self._known.newest = seq, digest
        self.appended[seq] = leaf(body.encode())
        if seq % TILE == 0:
            self._keep_nodes(seq)
        return seq

    def _keep_nodes(self, entries: int) -> None:
        """Keep the nodes that became complete with this entry, so that a proof need not read all entries."""
        level, width = 1, TILE
        parts = [leaf(row.body.encode()) for row in _TILE.all(self._connection, after=entries - TILE, most=TILE)]
        while True:
            if len(parts) != TILE:
                raise StoreUnavailable(DAMAGED)
            values = {"level": level, "position": entries // width - 1, "hash": fold(parts).hex()}
            self._connection.execute(tables.audit_nodes.insert().values(values))
            level, width = level + 1, width * TILE
            if entries % width:
                return
            parts = self.audit_nodes(level - 1, (entries // width - 1) * TILE, TILE)

    def audit(self, *, after: int = 0, limit: int | None = None) -> Iterator[Link]:
        """See `Tx`."""
        query = select(tables.audit).where(tables.audit.c.seq > after).order_by(tables.audit.c.seq).limit(limit)
        return self._links(query)

    def audit_of(self, action_id: int) -> Iterator[Link]:
        """See `Tx`."""
        query = select(tables.audit).where(tables.audit.c.action_id == action_id).order_by(tables.audit.c.seq)
        return self._links(query)

    def _links(self, query: Select[Any]) -> Iterator[Link]:
        # Without this, the driver for PostgreSQL would fetch a trail of any length into memory first.
        with self._connection.execute(query, execution_options={"yield_per": AT_ONCE}) as found:
            for row in found:
                yield Link(row.seq, row.body, row.hash)

    def audit_length(self) -> int:
        """See `Tx`."""
        newest: int | None = self._connection.execute(select(func.max(tables.audit.c.seq))).scalar_one()
        return newest or 0

    def audit_nodes(self, level: int, first: int, count: int) -> list[bytes]:
        """See `Tx`."""
        columns = tables.audit_nodes.c
        wanted = (columns.level == level) & (columns.position >= first) & (columns.position < first + count)
        query = select(columns.position, columns.hash).where(wanted).order_by(columns.position)
        nodes: list[bytes] = []
        for position, text in self._connection.execute(query):
            if position != first + len(nodes):
                break
            nodes.append(bytes.fromhex(text))
        return nodes

    def audit_node_count(self) -> int:
        """See `Tx`."""
        count: int = self._connection.execute(select(func.count()).select_from(tables.audit_nodes)).scalar_one()
        return count

    def lives(self, *, after: int, limit: int) -> list[Life]:
        """See `Tx`."""
        action, entry = tables.actions.c, tables.audit.c
        some = select(action.id, action.status).where(action.id > after).order_by(action.id).limit(limit).subquery()
        both = some.outerjoin(tables.audit, entry.action_id == some.c.id)
        query = select(some, entry.seq, entry.body, entry.hash).select_from(both).order_by(some.c.id, entry.seq)
        return [
            Life(action_id, Status(status), tuple(Link(*row[2:]) for row in found if row.seq is not None))
            for (action_id, status), found in groupby(self._connection.execute(query), lambda row: (row.id, row.status))
        ]

    def stray_entry(self) -> int | None:
        """See `Tx`."""
        entry = tables.audit.c
        there = select(tables.actions.c.id).where(tables.actions.c.id == entry.action_id).exists()
        is_stray = entry.action_id.is_not(None) & ~there
        is_hidden = entry.action_id.is_(None) & entry.body.startswith(audit.ABOUT, autoescape=True)
        query = select(func.min(entry.seq)).where(is_stray | is_hidden)
        first: int | None = self._connection.execute(query).scalar_one()
        return first

    def add_key(self, record: KeyRecord) -> None:
        """See `Tx`."""
        self._connection.execute(tables.keys.insert().values(_key_values(record)))

    def key(self, key_id: str) -> KeyRecord | None:
        """See `Tx`."""
        found = _KEY.first(self._connection, wanted=key_id)
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
        if self._known.switches is None:
            self._known.switches = [KillSwitch(**row._asdict()) for row in _SWITCHES.all(self._connection)]
        return self._known.switches

    def put_switch(self, switch: KillSwitch) -> None:
        """See `Tx`."""
        self.drop_switch(switch)
        self._connection.execute(tables.kill_switches.insert().values(asdict(switch)))
        self._known.switches = None
        self.changed.add(0)

    def drop_switch(self, switch: KillSwitch) -> None:
        """See `Tx`."""
        columns = tables.kill_switches.c
        same = (columns.agent == switch.agent) & (columns.tool == switch.tool)
        self._connection.execute(tables.kill_switches.delete().where(same))
        self._known.switches = None

    def warn(self, text: str) -> None:
        """See `Tx`."""
        self.warnings.append(text)

    def policy_in_force(self) -> InForce | None:
        """See `Tx`. Read once a transaction: every approval that is looked at asks for it."""
        if self._known.in_force is None:
            found = _IN_FORCE.first(self._connection)
            self._known.in_force = [InForce(**found._asdict())] if found else []
        return self._known.in_force[0] if self._known.in_force else None

    def policies_in_force(self, *, limit: int | None = None, up_to: int | None = None) -> list[InForce]:
        """See `Tx`."""
        query = select(tables.policies_in_force).order_by(tables.policies_in_force.c.entry.desc()).limit(limit)
        if up_to is not None:
            query = query.where(tables.policies_in_force.c.entry <= up_to)
        return [InForce(**row._asdict()) for row in self._connection.execute(query)]

    def put_in_force(self, change: InForce) -> None:
        """See `Tx`."""
        self._connection.execute(tables.policies_in_force.insert().values(asdict(change)))
        self._known.in_force = None
        self.changed.add(0)

    def policy(self, version: str) -> KeptPolicy | None:
        """See `Tx`."""
        found = _POLICY.first(self._connection, wanted=version)
        return KeptPolicy(**found._asdict()) if found else None

    def keep_policy(self, policy: KeptPolicy) -> None:
        """See `Tx`."""
        self._connection.execute(tables.policies.insert().values(asdict(policy)))

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


_STANDING = select(tables.actions.c.id, tables.actions.c.requester, tables.actions.c.status, tables.actions.c.due_at)
_STANDINGS = _STANDING.where(tables.actions.c.id.in_(bindparam("ids", expanding=True)))
# A list that SQLite reads from one value takes half the time of one with a value for each id.
_LIST = func.json_each(bindparam("ids")).table_valued("value")
_STANDINGS_OF_LIST = Prepared(_STANDING.where(tables.actions.c.id.in_(select(_LIST.c.value))))
# Built once: to build a statement takes three times as long as to run it, and every submit needs most of these.
_ADD_ACTION = Prepared(tables.actions.insert(), *rows.COLUMNS)
_ACTION = Prepared(select(tables.actions).where(tables.actions.c.id == bindparam("wanted")))
_ACTION_BY_KEY = Prepared(
    select(tables.actions).where(
        tables.actions.c.requester == bindparam("requester"), tables.actions.c.key == bindparam("key")
    )
)
_SAVE_ACTION = Prepared(
    tables.actions.update().where(
        tables.actions.c.id == bindparam("wanted"), tables.actions.c.version == bindparam("read")
    ),
    *rows.COLUMNS,
)
_OVERDUE = Prepared(
    select(tables.actions)
    .where(tables.actions.c.due_at <= bindparam("now"))
    .order_by(tables.actions.c.due_at)
    .limit(bindparam("most"))
)
_NEXT_DEADLINE = Prepared(select(func.min(tables.actions.c.due_at).label("earliest")))
_NEWEST_ENTRY = Prepared(select(tables.audit.c.seq, tables.audit.c.hash).order_by(tables.audit.c.seq.desc()).limit(1))
_TILE = Prepared(
    select(tables.audit.c.body)
    .where(tables.audit.c.seq > bindparam("after"))
    .order_by(tables.audit.c.seq)
    .limit(bindparam("most"))
)
_APPEND = Prepared(tables.audit.insert())
_KEY = Prepared(select(tables.keys).where(tables.keys.c.id == bindparam("wanted")))
_SWITCHES = Prepared(select(tables.kill_switches).order_by(tables.kill_switches.c.activated_at.desc()))
_IN_FORCE = Prepared(select(tables.policies_in_force).order_by(tables.policies_in_force.c.entry.desc()).limit(1))
_POLICY = Prepared(select(tables.policies).where(tables.policies.c.version == bindparam("wanted")))
_PENDING_OF = Prepared(
    select(func.count().label("pending"))
    .select_from(tables.actions)
    .where(
        tables.actions.c.status == Status.PENDING.value,
        tables.actions.c.requester == bindparam("requester"),
    )
)
_LAST_DENIED = Prepared(
    select(tables.actions)
    .where(tables.actions.c.requester == bindparam("requester"), tables.actions.c.denied_digest == bindparam("digest"))
    .order_by(tables.actions.c.id.desc())
    .limit(1)
)
_WAS_CLEARED = Prepared(
    select(tables.actions.c.requester)
    .where(tables.actions.c.requester == bindparam("requester"), tables.actions.c.cleared_call == bindparam("call"))
    .limit(1)
)


def batched(ids: Collection[int], size: int) -> Iterator[list[int]]:
    """The ids, so many at a time."""
    every = list(ids)
    return (every[start : start + size] for start in range(0, len(every), size))


def _key_values(record: KeyRecord) -> dict[str, Any]:
    return {**asdict(record), "role": record.role.value}


def _key(row: Any) -> KeyRecord:
    return KeyRecord(row[0], Role(row[1]), *row[2:])  # the columns stand in the order of its fields


def _principal_values(principal: Principal) -> dict[str, str]:
    return {"principal_id": principal.id, "name": principal.name, "role": principal.role.value}


def _principal(row: Any) -> Principal:
    return Principal(row.principal_id, row.name, Role(row.role))
