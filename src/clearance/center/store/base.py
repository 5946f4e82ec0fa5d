"""What the desk needs of a store. All of a unit of work happens, durably, or none of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from clearance.center.audit import Link
from clearance.center.emergencies import BreakGlass, Count
from clearance.center.records import Entry, InForce, KeptPolicy, KeyRecord, KillSwitch, Principal, Record, Session
from clearance.center.standing.approval import StandingApproval
from clearance.models import Status
from clearance.witness import Head

T = TypeVar("T")


class Use(StrEnum):
    """What a store is opened for."""

    SERVE = "serve"
    """A Center's: makes the database or brings it forward, and hears what others change in it."""
    VISIT = "visit"
    """A command's that writes a little, beside a Center that may be serving; makes the database if there is none."""
    READ = "read"
    """A command's that only looks. It holds nobody up."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a wait has to know of an action."""

    id: int
    requester: str
    status: Status
    due_at: int
    """When something happens to it by itself, in microseconds since 1970; 0 for never."""


@dataclass(frozen=True, slots=True)
class Life:
    """How an action is kept, and the entries about it, in order."""

    action_id: int
    status: Status
    entries: tuple[Link, ...]


class Leaps(NamedTuple):
    """By how much the machine's clock was set forward in all, and what time it was by the Center's when that was noted.

    Both in microseconds. A clock that has forgotten a leap must not remember the time to which it led, nor the reverse.
    """

    total: int = 0
    at: int = 0


class Uses(Protocol):
    """What actions have taken of limits over time: under a ``quota``, for a ``subject``.

    Times are microseconds by the clock of `quotas.Pace`; what can still begin to run has none yet, and counts.
    """

    def used(self, quota: str, subject: str, after: int) -> int:
        """How much was taken by what can still run, or began to after this time."""
        ...

    def hold_use(self, quota: str, subject: str, action_id: int, amount: int) -> None:
        """Keep what an action takes that can run from now on."""
        ...

    def date_use(self, quota: str, subject: str, action_id: int, at: int) -> None:
        """It began to run: from then on it counts for as long as the limit says. No use is dated before another."""
        ...

    def free_use(self, quota: str, subject: str, action_id: int) -> None:
        """It can no longer run, and never did."""
        ...

    def forget_uses(self, until: int, most: int) -> None:
        """Forget what began to run until then; about ``most`` at once, the oldest first."""
        ...

    def leaps(self) -> Leaps:
        """By how much the machine's clock was set forward while a Center ran, as it was noted last."""
        ...

    def note_leaps(self, leaps: Leaps) -> None:
        """Note that it is this much by now."""
        ...


class Tx(Uses, Protocol):
    """One transaction. Valid only inside the function that `Store.submit` was given."""

    def add_action(self, record: Record) -> Record:
        """Keep a new action; returns it with its id and version 1."""
        ...

    def action(self, action_id: int) -> Record | None:
        """The action, or None."""
        ...

    def standings(self, action_ids: Collection[int]) -> list[Standing]:
        """How those of these actions that there are stand, in no order."""
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
        after: int = 0,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Record]:
        """Actions with an id behind ``after``, newest first unless said otherwise."""
        ...

    def overdue(self, now: int, limit: int = 500) -> list[Record]:
        """Actions whose time (to be decided, claimed or finished) has passed."""
        ...

    def pending_of(self, requester: str) -> int:
        """How many of this requester's actions wait for a decision."""
        ...

    def last_denied(self, requester: str, digest: str) -> Record | None:
        """The newest action of this requester for this very call that a person refused."""
        ...

    def was_cleared(self, requester: str, call: str) -> bool:
        """Was this requester ever cleared for this call (see `Record.cleared_call`)?"""
        ...

    def next_deadline(self) -> int | None:
        """The earliest time at which an action will be overdue."""
        ...

    def append(self, entry: Entry) -> int:
        """Append to the audit trail; returns the entry's number."""
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

    def audit_nodes(self, level: int, first: int, count: int) -> list[bytes]:
        """What is kept of the trail's tree: nodes of ``level`` (1 and up) in order, from position ``first``.

        They end before the first that is missing.

        `append` keeps a node as soon as the entries under it are complete.
        """
        ...

    def audit_node_count(self) -> int:
        """The number of nodes that are kept, of all levels."""
        ...

    def lives(self, *, after: int, limit: int) -> list[Life]:
        """Actions with an id behind ``after``, in order, each with its entries, as of one moment."""
        ...

    def stray_entry(self) -> int | None:
        """An entry about an action that is not there, or that is not kept as one of the action it is about."""
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

    def add_break_glass(self, glass: BreakGlass) -> BreakGlass:
        """Keep a new break-glass; returns it with its number."""
        ...

    def break_glass(self, number: int) -> BreakGlass | None:
        """The break-glass of this number, or None."""
        ...

    def open_break_glasses(self) -> list[BreakGlass]:
        """Those whose end is not written down, newest first."""
        ...

    def break_glasses(self, *, limit: int, offset: int = 0) -> list[BreakGlass]:
        """All, newest first."""
        ...

    def save_break_glass(self, glass: BreakGlass) -> None:
        """Replace what is kept of a break-glass."""
        ...

    def use_break_glass(self, number: int, action_id: int) -> None:
        """Keep that it cleared this action."""
        ...

    def uses_of_break_glass(self, number: int) -> Count:
        """How many actions it cleared, and how many of them were claimed."""
        ...

    def cleared_by_break_glass(
        self, number: int, *, limit: int, statuses: Collection[Status] | None = None
    ) -> list[int]:
        """The first actions that it cleared, by their ids: all, or those that stand so."""
        ...

    def warn(self, text: str) -> None:
        """Have this said in the Center's log, once what this unit of work did is durable."""
        ...

    def policy_in_force(self) -> InForce | None:
        """What came in force last; None before a Center has served from this database."""
        ...

    def policies_in_force(self, *, limit: int | None = None, up_to: int | None = None) -> list[InForce]:
        """All that came in force, newest first; with ``up_to``, up to that entry of the audit trail."""
        ...

    def put_in_force(self, change: InForce) -> None:
        """Keep that a policy came in force."""
        ...

    def policy(self, version: str) -> KeptPolicy | None:
        """A policy that was in force, or None."""
        ...

    def keep_policy(self, policy: KeptPolicy) -> None:
        """Keep a policy whose version was never in force."""
        ...

    def add_standing_approval(self, approval: StandingApproval) -> StandingApproval:
        """Keep a new standing approval; returns it with its id."""
        ...

    def standing_approval(self, approval_id: int) -> StandingApproval | None:
        """The standing approval, or None."""
        ...

    def live_standing_approvals(self, requester: str, now: int) -> list[StandingApproval]:
        """Those for this requester that can still answer, the one that ends next first."""
        ...

    def standing_approvals(
        self,
        *,
        requester: str | None = None,
        live_at: int | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[StandingApproval]:
        """Standing approvals, newest first; with ``live_at`` those that can still answer then."""
        ...

    def kept_standing_approvals(self) -> tuple[int, list[StandingApproval]]:
        """All of them as of one moment, oldest first, and how many entries the audit trail had then."""
        ...

    def spend_standing_approval(self, approval: StandingApproval, now: int) -> StandingApproval | None:
        """Count one use more, if nobody has counted or ended it since ``approval`` was read; None if somebody has.

        It is also None where there is no use left, or its time has passed.
        """
        ...

    def revoke_standing_approval(self, approval: StandingApproval, now: int, by: str) -> StandingApproval:
        """End it."""
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
    """Told, after each commit, the ids of the actions that were added or changed, here or by another process.

    0 stands for what is about no action, as a kill switch. Threads of the store call it. What it is told is a hint: it
    may come twice, or for what did not change.
    """

    @property
    def head(self) -> Head | None:
        """The audit trail's newest head that is known here to be durable; None if the trail is damaged.

        It is in memory: reading it takes no time.
        """
        ...

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        """Run ``work`` in a transaction of its own; the future is done when it is durable.

        ``work`` may be run more than once, and only its last run counts: it changes nothing but by its `Tx`.
        An exception of ``work`` rolls its transaction back and comes out of the future. `StoreUnavailable`
        comes out if the store could not keep it; then nothing of it was kept, unless it says that this is not known.
        """
        ...

    def close(self) -> None:
        """Finish what is queued, then close."""
        ...
