"""A desk on a real store, with a clock that only tests move, and people at it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.helpers import an_action

from clearance.center import audit, refusals
from clearance.center.desk import MAX_PENDING, Desk
from clearance.center.moves import SECOND
from clearance.center.policy import Policy, built_in
from clearance.center.records import KillSwitch, Principal, Record, Role, Submission
from clearance.center.store.base import Tx, Use
from clearance.center.store.databases import open_store
from clearance.models import Action, Json, Outcome, Status

T = TypeVar("T")

AGENT = Principal("agent-1", "billing-bot", Role.USER)
OTHER_AGENT = Principal("agent-2", "other-bot", Role.USER)
CAROL = Principal("admin-1", "carol", Role.ADMIN)
DAVE = Principal("admin-2", "dave", Role.SUPER_ADMIN)
EVE = Principal("auditor-1", "eve", Role.AUDITOR)
NONCE = "nonce-of-the-agent"
READ = an_action(action_type="order.lookup", description="Look up o-1")
"""An action that the built-in policy clears."""
DROP = an_action(action_type="customer.drop", description="Drop c-1")
"""An action that the built-in policy denies."""


class Clock:
    """Microseconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.now += round(seconds * SECOND)


class Office:
    """The desk, its store and its clock; every method is one transaction."""

    def __init__(
        self,
        database: Path | str,
        policy: Policy | None = None,
        max_pending: int = MAX_PENDING,
        use: Use = Use.SERVE,
    ) -> None:
        self.clock = Clock()
        self._numbers = itertools.count()
        self.store = open_store(database, use)
        self.desk = Desk(policy or built_in(), self.clock, max_pending)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def do(self, work: Callable[[Tx], T]) -> T:
        """One transaction."""
        return refusals.told(self.store.submit(refusals.keeping(work)).result(timeout=30))

    def submit(
        self,
        action: Action | None = None,
        *,
        who: Principal = AGENT,
        key: str | None = None,
        nonce: str | None = None,
        claims: bool = True,
    ) -> Record:
        """Submit a refund that nobody asked for before, unless under the same key; or ``action``."""
        action = action or an_action(digest=f"digest-{next(self._numbers) if key is None else key}")
        submission = Submission(action, key, nonce, claims)
        return self.do(lambda tx: self.desk.submit(tx, who, submission))

    def read(self, record: Record, who: Principal = AGENT) -> Record:
        """How it stands, for ``who``."""
        return self.do(lambda tx: self.desk.read(tx, who, record.id))

    def stored(self, record: Record) -> Record:
        """What the store has, untouched by looking."""
        found = self.do(lambda tx: tx.action(record.id))
        assert found is not None
        return found

    def approve(self, record: Record, who: Principal = CAROL, reason: str = "", **edits: Json) -> Record:
        """Approve it, with these values instead of those that were asked for."""
        return self.do(lambda tx: self.desk.decide(tx, who, record.id, approve=True, reason=reason, edits=edits))

    def deny(self, record: Record, who: Principal = CAROL, reason: str = "not today") -> Record:
        """Deny it."""
        return self.do(lambda tx: self.desk.decide(tx, who, record.id, approve=False, reason=reason))

    def claim(
        self,
        record: Record,
        who: Principal = AGENT,
        *,
        digest: str | None = None,
        nonce: str = NONCE,
        edited_digest: str | None = None,
    ) -> Record:
        """Claim it, with its own digest unless told otherwise."""
        digest = record.action.digest if digest is None else digest
        return self.do(lambda tx: self.desk.claim(tx, who, record.id, digest, nonce, edited_digest))

    def report(
        self, record: Record, status: Status, who: Principal = AGENT, *, nonce: str = NONCE, **outcome: Any
    ) -> Record:
        """Report that outcome."""
        return self.do(lambda tx: self.desk.report(tx, who, record.id, nonce, Outcome(status, **outcome)))

    def withdraw(self, record: Record, who: Principal = AGENT, reason: str = "cancelled") -> Record:
        """Withdraw it."""
        return self.do(lambda tx: self.desk.withdraw(tx, who, record.id, reason))

    def revoke(self, record: Record, who: Principal = CAROL, reason: str = "on second thoughts") -> Record:
        """Take its approval back."""
        return self.do(lambda tx: self.desk.revoke(tx, who, record.id, reason=reason))

    def resolve(
        self, record: Record, status: Status, who: Principal = CAROL, reason: str = "seen in the ledger"
    ) -> Record:
        """Close what nobody reported back on."""
        return self.do(lambda tx: self.desk.resolve(tx, who, record.id, status=status, reason=reason))

    def kill(self, who: Principal = DAVE, *, on: bool = True, reason: str = "smoke", **scope: Any) -> KillSwitch:
        """Turn a kill switch on, or off."""
        return self.do(lambda tx: self.desk.turn_switch(tx, who, on=on, reason=reason, **scope))

    def sweep(self) -> int | None:
        """What the timer does."""
        return self.do(self.desk.sweep)

    def change_policy(self) -> None:
        """A policy that says the same under another version."""
        policy = self.desk.policy
        assert isinstance(policy, Policy)
        self.desk.policy = Policy(policy.rules, policy.clear_up_to, version=f"{policy.version}+")

    def outdate(self) -> int | None:
        """What the timer does after the policy was changed; returns where it goes on."""
        return self.do(lambda tx: self.desk.outdate(tx, 0))

    def trail(self) -> list[audit.Link]:
        """The whole audit trail."""
        return self.do(lambda tx: list(tx.audit()))

    def at(self, status: Status) -> Record:
        """A refund that has come to stand so, by the shortest way."""
        record = self.submit()
        match status:
            case Status.PENDING:
                return record
            case Status.DENIED:
                return self.deny(record)
            case Status.WITHDRAWN:
                return self.withdraw(record)
            case Status.EXPIRED:
                self.clock.advance(record.action.decide_within)
                return self.read(record)
        record = self.approve(record)
        match status:
            case Status.APPROVED:
                return record
            case Status.LAPSED:
                self.clock.advance(record.action.run_within)
                return self.read(record)
            case Status.STALE:
                self.change_policy()
                return self.claim(record)
            case Status.REVOKED:
                return self.revoke(record)
        record = self.claim(record)
        return record if status is Status.EXECUTING else self.report(record, status)
