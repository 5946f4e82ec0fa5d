"""What the desk needs of a store. All of a unit of work happens, durably, or none of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from typing import Protocol, TypeVar

from clearance.center.audit import Link
from clearance.center.records import Entry, KeyRecord, KillSwitch, Principal, Record, Session
from clearance.models import Status

T = TypeVar("T")


class Tx(Protocol):
    """One transaction. Valid only inside the function that `Store.submit` was given."""

    def add_action(self, record: Record) -> Record:
        """Keep a new action; returns it with its id and version 1."""
        ...

    def action(self, action_id: int) -> Record | None:
        """The action, or None."""
        ...

    def action_by_key(self, requester: str, key: str) -> Record | None:
        """The action that this requester submitted under this idempotency key."""
        ...

    def save_action(self, record: Record) -> Record:
        """Replace the action if nobody has since ``record`` was read; returns it with the next version.

        Raises:
            Conflict: somebody has.
        """
        ...

    def actions(
        self,
        *,
        statuses: Collection[Status] | None = None,
        requester: str | None = None,
        oldest_first: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Record]:
        """Actions, newest first unless said otherwise."""
        ...

    def overdue(self, now: int, limit: int = 500) -> list[Record]:
        """Actions whose time (to be decided, claimed or finished) has passed."""
        ...

    def pending_of(self, requester: str, now: int) -> int:
        """How many of this requester's actions wait for a decision, in time."""
        ...

    def next_deadline(self) -> int | None:
        """The earliest time at which an action will be overdue."""
        ...

    def append(self, entry: Entry) -> None:
        """Append to the audit trail."""
        ...

    def audit(self, *, after: int = 0, limit: int | None = None) -> Iterator[Link]:
        """The audit trail in order, from behind entry ``after``."""
        ...

    def audit_length(self) -> int:
        """The number of entries in the audit trail."""
        ...

    def audit_of(self, action_id: int) -> Iterator[Link]:
        """The entries of the audit trail about one action, in order."""
        ...

    def add_key(self, record: KeyRecord) -> None:
        """Keep a new API key's record."""
        ...

    def key(self, key_id: str) -> KeyRecord | None:
        """The record of a key, or None."""
        ...

    def save_key(self, record: KeyRecord) -> None:
        """Replace what is kept of a key."""
        ...

    def keys(self) -> list[KeyRecord]:
        """All keys, oldest first."""
        ...

    def switches(self) -> list[KillSwitch]:
        """All kill switches, also those that are off, newest first."""
        ...

    def put_switch(self, switch: KillSwitch) -> None:
        """Keep a kill switch, instead of the one there is for the same agent and tool."""
        ...

    def drop_switch(self, switch: KillSwitch) -> None:
        """Forget a kill switch."""
        ...

    def add_sign_in(self, token_digest: str, principal: Principal, expires_at: int) -> None:
        """Keep a one-time sign-in link."""
        ...

    def take_sign_in(self, token_digest: str, now: int) -> Principal | None:
        """Use up a sign-in link; None if there is none, or its time has passed."""
        ...

    def add_session(self, session: Session) -> None:
        """Keep a signed-in session."""
        ...

    def session(self, session_id: str, now: int) -> Session | None:
        """The session, unless its time has passed."""
        ...

    def end_session(self, session_id: str) -> None:
        """Forget a session."""
        ...

    def end_sessions_of(self, principal_id: str) -> None:
        """Forget every session and sign-in link of a principal."""
        ...

    def forget_expired(self, now: int) -> None:
        """Forget the sessions and sign-in links whose time has passed."""
        ...


class Store(Protocol):
    """Runs units of work."""

    on_change: Callable[[Collection[int]], None]
    """Told, after each commit, the ids of the actions that were added or changed; 0 for a kill switch."""

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        """Run ``work`` in a transaction of its own; the future is done when it is durable.

        An exception of ``work`` rolls its transaction back and comes out of the future. `StoreUnavailable`
        comes out if the store could not keep it; then nothing of it was kept.
        """
        ...

    def close(self) -> None:
        """Finish what is queued, then close."""
        ...
