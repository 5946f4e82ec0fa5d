"""A store in memory: all that `clearance.center.store.base` asks for, in dictionaries. One thread may use it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from clearance import lifecycle
from clearance.center import audit
from clearance.center.audit import Link
from clearance.center.emergencies import BreakGlass, Count
from clearance.center.faults import Conflict, StoreUnavailable
from clearance.center.records import Entry, InForce, KeptPolicy, KeyRecord, KillSwitch, Principal, Record, Session
from clearance.center.standing.approval import StandingApproval
from clearance.center.store import rows
from clearance.center.store.base import Leaps, Life, Standing, Tx
from clearance.models import Status
from clearance.witness import TILE, Head, Tree, fold, leaf

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


class MemoryStore:
    """See `clearance.center.store.base.Store`."""

    def __init__(self) -> None:
        self.on_change: Callable[[Collection[int]], None] = lambda _ids: None
        self.tx = MemoryTx()
        self._tree = Tree()

    @property
    def head(self) -> Head:
        """See `Store`."""
        return self._tree.head

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        """See `Store`."""
        future: Future[T] = Future()
        try:
            future.set_result(self.do(work))
        except Exception as error:
            future.set_exception(error)
        return future

    def do(self, work: Callable[[Tx], T]) -> T:
        """The same, without a future."""
        self.tx.begin()
        try:
            value = work(self.tx)
        except BaseException:
            self.tx.undo()
            raise
        for link in self.tx.links[self._tree.entries :]:
            self._tree.add(leaf(link.body.encode()))
        if self.tx.changed:
            self.on_change(self.tx.changed)
        return value

    def close(self) -> None:
        """See `Store`."""


class MemoryTx:
    """See `clearance.center.store.base.Tx`. It is every transaction, one after the other."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.records: dict[int, Record] = {}
        self.changed: set[int] = set()
        self._about: dict[int, list[Link]] = defaultdict(list)
        self._keys: dict[str, KeyRecord] = {}
        self._switches: dict[tuple[str, str], KillSwitch] = {}
        self._glasses: dict[int, BreakGlass] = {}
        self._glass_uses: dict[tuple[int, int], bool] = {}
        self.warnings: list[str] = []
        self._sign_ins: dict[str, tuple[Principal, int]] = {}
        self._sessions: dict[str, Session] = {}
        self._policies: dict[str, KeptPolicy] = {}
        self._uses: dict[tuple[str, str, int], tuple[int | None, int]] = {}
        self._leaps: dict[str, Leaps] = {}
        self._in_force: list[InForce] = []
        self._standing: dict[int, StandingApproval] = {}
        self._undo: list[Callable[[], object]] = []

    def begin(self) -> None:
        """`undo` goes back to here."""
        self._undo.clear()
        self.changed.clear()

    def undo(self) -> None:
        """Everything is as it was."""
        while self._undo:
            self._undo.pop()()

    def _put(self, table: dict[K, V], key: K, value: V | None) -> None:
        before = table.pop(key, None)
        if value is not None:
            table[key] = value

        def back() -> None:
            table.pop(key, None)
            if before is not None:
                table[key] = before

        self._undo.append(back)

    # Actions

    def add_action(self, record: Record) -> Record:
        if record.key is not None and self.action_by_key(record.requester, record.key) is not None:
            raise StoreUnavailable("There is an action under this key already")
        record = replace(record, id=len(self.records) + 1, version=1)
        self._put(self.records, record.id, record)
        self.changed.add(record.id)
        return record

    def action(self, action_id: int) -> Record | None:
        return self.records.get(action_id)

    def standings(self, action_ids: Collection[int]) -> list[Standing]:
        found = [self.records[action_id] for action_id in action_ids if action_id in self.records]
        return [Standing(each.id, each.requester, each.status, rows.due_at(each) or 0) for each in found]

    def action_by_key(self, requester: str, key: str) -> Record | None:
        return next((each for each in self.records.values() if (each.requester, each.key) == (requester, key)), None)

    def save_action(self, record: Record) -> Record:
        if self.records[record.id].version != record.version:
            raise Conflict(f"Action {record.id} was changed by somebody else at the same time")
        changed = replace(record, version=record.version + 1)
        self._put(self.records, record.id, changed)
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
        found = (self.records[number] for number in sorted(self.records, reverse=not oldest_first) if number > after)
        wanted = (
            each
            for each in found
            if (statuses is None or each.status in statuses) and (requester is None or each.requester == requester)
        )
        return list(islice(wanted, offset, offset + limit))

    def overdue(self, now: int, limit: int = 500) -> list[Record]:
        due = [(at, record.id) for record in self.records.values() if (at := rows.due_at(record)) and at <= now]
        return [self.records[number] for _, number in sorted(due)[:limit]]

    def pending_of(self, requester: str) -> int:
        return sum(each.status is Status.PENDING and each.requester == requester for each in self.records.values())

    def last_denied(self, requester: str, digest: str) -> Record | None:
        found = [each for each in self.records.values() if each.requester == requester and each.action.digest == digest]
        denied = [each for each in found if rows.denied_digest(each) == digest]
        return max(denied, key=lambda record: record.id, default=None)

    def was_cleared(self, requester: str, call: str) -> bool:
        return any(each.requester == requester and each.cleared_call == call for each in self.records.values())

    def next_deadline(self) -> int | None:
        return min((at for record in self.records.values() if (at := rows.due_at(record))), default=None)

    # Limits over time

    def used(self, quota: str, subject: str, after: int) -> int:
        found = [use for (*whose, _), use in self._uses.items() if whose == [quota, subject]]
        return sum(amount for at, amount in found if at is None or at > after)

    def hold_use(self, quota: str, subject: str, action_id: int, amount: int) -> None:
        self._put(self._uses, (quota, subject, action_id), (None, amount))

    def date_use(self, quota: str, subject: str, action_id: int, at: int) -> None:
        newest = max((dated for dated, _ in self._uses.values() if dated is not None), default=0)
        self._put(self._uses, (quota, subject, action_id), (max(at, newest), self._uses[quota, subject, action_id][1]))

    def free_use(self, quota: str, subject: str, action_id: int) -> None:
        self._put(self._uses, (quota, subject, action_id), None)

    def forget_uses(self, until: int, most: int) -> None:
        old = [whose for whose, (at, _) in self._uses.items() if at is not None and at <= until]
        for whose in old[:most]:
            self._put(self._uses, whose, None)

    def leaps(self) -> Leaps:
        return self._leaps.get("noted", Leaps())

    def note_leaps(self, leaps: Leaps) -> None:
        self._put(self._leaps, "noted", leaps)

    # The trail

    def append(self, entry: Entry) -> int:
        body = audit.body_of(len(self.links) + 1, entry)
        before = self.links[-1].hash if self.links else audit.GENESIS
        link = Link(len(self.links) + 1, body, audit.chain(before, body))
        self.links.append(link)
        self._undo.append(self.links.pop)
        if entry.action_id is not None:
            about = self._about[entry.action_id]
            about.append(link)
            self._undo.append(about.pop)
        return link.seq

    def audit(self, *, after: int = 0, limit: int | None = None) -> Iterator[Link]:
        return iter(self.links[after : None if limit is None else after + limit])

    def audit_length(self) -> int:
        return len(self.links)

    def audit_of(self, action_id: int) -> Iterator[Link]:
        return iter(self._about.get(action_id, []))

    def audit_nodes(self, level: int, first: int, count: int) -> list[bytes]:
        """Made when they are asked for, instead of kept."""
        if level == 0:
            return [leaf(link.body.encode()) for link in self.links[first : first + count]]
        last = min(first + count, len(self.links) // TILE**level)
        return [fold(self.audit_nodes(level - 1, position * TILE, TILE)) for position in range(first, last)]

    def audit_node_count(self) -> int:
        return sum(len(self.links) // TILE**level for level in range(1, 8))

    def lives(self, *, after: int, limit: int) -> list[Life]:
        some = self.actions(oldest_first=True, after=after, limit=limit)
        return [Life(record.id, record.status, tuple(self.audit_of(record.id))) for record in some]

    def stray_entry(self) -> int | None:
        """Each is kept as what it is about, so that only the action can be gone."""
        stray = [links[0].seq for action_id, links in self._about.items() if links and action_id not in self.records]
        return min(stray, default=None)

    # Everything else

    def add_key(self, record: KeyRecord) -> None:
        self._put(self._keys, record.id, record)

    def key(self, key_id: str) -> KeyRecord | None:
        return self._keys.get(key_id)

    def save_key(self, record: KeyRecord) -> None:
        self._put(self._keys, record.id, record)

    def keys(self) -> list[KeyRecord]:
        return sorted(self._keys.values(), key=lambda key: key.created_at)

    def switches(self) -> list[KillSwitch]:
        return sorted(self._switches.values(), key=lambda switch: switch.activated_at, reverse=True)

    def put_switch(self, switch: KillSwitch) -> None:
        self._put(self._switches, (switch.agent, switch.tool), switch)
        self.changed.add(0)

    def drop_switch(self, switch: KillSwitch) -> None:
        self._put(self._switches, (switch.agent, switch.tool), None)

    def add_break_glass(self, glass: BreakGlass) -> BreakGlass:
        glass = replace(glass, id=len(self._glasses) + 1)
        self.save_break_glass(glass)
        return glass

    def break_glass(self, number: int) -> BreakGlass | None:
        return self._glasses.get(number)

    def open_break_glasses(self) -> list[BreakGlass]:
        return [glass for glass in self.break_glasses(limit=len(self._glasses)) if glass.closed_at is None]

    def break_glasses(self, *, limit: int, offset: int = 0) -> list[BreakGlass]:
        return [self._glasses[number] for number in sorted(self._glasses, reverse=True)][offset : offset + limit]

    def save_break_glass(self, glass: BreakGlass) -> None:
        self._put(self._glasses, glass.id, glass)
        self.changed.add(0)

    def use_break_glass(self, number: int, action_id: int) -> None:
        self._put(self._glass_uses, (number, action_id), True)

    def uses_of_break_glass(self, number: int) -> Count:
        ids = self.cleared_by_break_glass(number, limit=len(self._glass_uses))
        return Count(len(ids), sum(self.records[each].status in lifecycle.CLAIMED for each in ids))

    def cleared_by_break_glass(
        self, number: int, *, limit: int, statuses: Collection[Status] | None = None
    ) -> list[int]:
        ids = sorted(action_id for glass, action_id in self._glass_uses if glass == number)
        return [each for each in ids if statuses is None or self.records[each].status in statuses][:limit]

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self._undo.append(self.warnings.pop)

    def policy_in_force(self) -> InForce | None:
        return self._in_force[-1] if self._in_force else None

    def policies_in_force(self, *, limit: int | None = None, up_to: int | None = None) -> list[InForce]:
        found = [each for each in reversed(self._in_force) if up_to is None or each.entry <= up_to]
        return found[:limit]

    def put_in_force(self, change: InForce) -> None:
        self._in_force.append(change)
        self._undo.append(self._in_force.pop)

    def policy(self, version: str) -> KeptPolicy | None:
        return self._policies.get(version)

    def keep_policy(self, policy: KeptPolicy) -> None:
        self._put(self._policies, policy.version, policy)

    def add_standing_approval(self, approval: StandingApproval) -> StandingApproval:
        made = replace(approval, id=len(self._standing) + 1)
        self._put(self._standing, made.id, made)
        return made

    def standing_approval(self, approval_id: int) -> StandingApproval | None:
        return self._standing.get(approval_id)

    def live_standing_approvals(self, requester: str, now: int) -> list[StandingApproval]:
        found = self.standing_approvals(requester=requester, live_at=now)
        return sorted(found, key=lambda each: (each.ends_at, each.id))

    def standing_approvals(
        self,
        *,
        requester: str | None = None,
        live_at: int | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[StandingApproval]:
        found = [
            each
            for _, each in sorted(self._standing.items(), reverse=True)
            if requester in (None, each.requester) and (live_at is None or each.standing(live_at) == "live")
        ]
        return found[offset : None if limit is None else offset + limit]

    def kept_standing_approvals(self) -> tuple[int, list[StandingApproval]]:
        return len(self.links), [self._standing[number] for number in sorted(self._standing)]

    def spend_standing_approval(self, approval: StandingApproval, now: int) -> StandingApproval | None:
        kept = self._standing[approval.id]
        if kept.used != approval.used or kept.standing(now) != "live":
            return None
        spent = replace(kept, used=kept.used + 1)
        self._put(self._standing, spent.id, spent)
        return spent

    def revoke_standing_approval(self, approval: StandingApproval, now: int, by: str) -> StandingApproval:
        revoked = replace(self._standing[approval.id], revoked_at=now, revoked_by=by)
        self._put(self._standing, revoked.id, revoked)
        return revoked

    def add_sign_in(self, token_digest: str, principal: Principal, expires_at: int) -> None:
        self._put(self._sign_ins, token_digest, (principal, expires_at))

    def take_sign_in(self, token_digest: str, now: int) -> Principal | None:
        principal, expires_at = self._sign_ins.get(token_digest, (None, 0))
        self._put(self._sign_ins, token_digest, None)
        return principal if expires_at > now else None

    def add_session(self, session: Session) -> None:
        self._put(self._sessions, session.id, session)

    def session(self, session_id: str, now: int) -> Session | None:
        found = self._sessions.get(session_id)
        return found if found is not None and found.expires_at > now else None

    def end_session(self, session_id: str) -> None:
        self._put(self._sessions, session_id, None)

    def end_sessions_of(self, principal_id: str) -> None:
        for session in [each for each in self._sessions.values() if each.principal.id == principal_id]:
            self.end_session(session.id)
        for token in [token for token, (principal, _) in self._sign_ins.items() if principal.id == principal_id]:
            self._put(self._sign_ins, token, None)

    def forget_expired(self, now: int) -> None:
        for session in [each for each in self._sessions.values() if each.expires_at <= now]:
            self.end_session(session.id)
        for token in [token for token, (_, expires_at) in self._sign_ins.items() if expires_at <= now]:
            self._put(self._sign_ins, token, None)
