"""Putting a policy in force: it is kept, told in the audit trail, and judged by, from one unit of work on."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance.center import policy as policies
from clearance.center.desk import Desk
from clearance.center.faults import Conflict, StoreUnavailable
from clearance.center.policy import PolicyEngine, PolicyError
from clearance.center.policy_trail import EVENT
from clearance.center.records import Entry, InForce, KeptPolicy, Principal, Role
from clearance.center.store.base import Store, Tx

log: logging.Logger = logging.getLogger("clearance.center")

NO_FILE = "This Center has no policy file, so there is none to read again. Start it with --policy FILE."
AT_START = Principal("local", "the start of a Center", Role.SUPER_ADMIN)
BY_SIGNAL = Principal("local", "SIGHUP", Role.SUPER_ADMIN)


@dataclass(frozen=True, slots=True)
class Change:
    """What a start or a reload came to. ``before`` is the version that was in force, if any was."""

    policy: InForce
    before: str | None

    @property
    def is_new(self) -> bool:
        """Is it another policy than before?"""
        return self.policy.version != self.before

    def __str__(self) -> str:
        if not self.is_new:
            return f"Policy {self.policy.version} is in force, as before: the file has not changed."
        before = f" instead of {self.before}" if self.before else ""
        return f"Policy {self.policy.version} is in force{before}. Approvals from before can no longer be claimed."


@dataclass(frozen=True, slots=True)
class Look:
    """What the timer found: what is in force, whether this Center is behind, and where to look on for approvals."""

    found: InForce | None
    is_behind: bool
    after: int | None


class Rollout:
    """Puts policies in force at one Center; one after the other, whoever asks.

    Args:
        store: where they are kept.
        desk: where they are judged by.
        file: where the policy was read from, and is read again; None for the built-in one.
    """

    def __init__(self, store: Store, desk: Desk, file: Path | None) -> None:
        self._store, self._desk = store, desk
        self.file: Path | None = file
        self._lock = threading.Lock()
        self._seen = 0
        self._after: int | None = 0

    def begin(self) -> Change:
        """Put what the desk judges by in force, at the start.

        Raises:
            PolicyError: another policy of the same version was in force.
            StoreUnavailable: it could not be kept.
        """
        with self._lock:
            return self._put(self._desk.policy, lambda _tx: AT_START)

    def reload(self, author: Callable[[Tx], Principal]) -> Change:
        """Read the file again, and put it in force. If it cannot be used, the old rules stay, and the log says so.

        ``author`` says who wants it, in the transaction that keeps it; what it raises, this raises.

        Raises:
            PolicyError: the file cannot be used.
            Conflict: there is no file.
            StoreUnavailable: it could not be kept.
        """
        with self._lock:
            try:
                if self.file is None:
                    raise Conflict(NO_FILE)
                return self._put(policies.load(self.file), author)
            except (PolicyError, Conflict, StoreUnavailable) as error:
                # Not the trace: the cause is in it.
                log.error("Policy %s stays in force: %s", self._desk.policy.version, error)  # noqa: TRY400
                raise

    def look(self, tx: Tx) -> Look:
        """The timer's look: outdates some of the approvals that a change, here or at another Center, left behind."""
        found = tx.policy_in_force()
        after = 0 if found is not None and found.entry != self._seen else self._after
        is_behind = found is not None and found.version != self._desk.policy.version
        return Look(found, is_behind, None if after is None else self._desk.outdate(tx, after))

    def note(self, look: Look) -> None:
        """Remember what a look found, once it is kept; a change at another Center is told, once."""
        self._after = look.after
        if look.found is None or look.found.entry == self._seen:
            return
        self._seen = look.found.entry
        if look.is_behind:
            log.warning(
                "Another Center has put policy %s in force; this one judges by %s, and hands out no approval that had "
                "to be waited for. Give it the same file and reload it",
                look.found.version,
                self._desk.policy.version,
            )

    def _put(self, policy: PolicyEngine, author: Callable[[Tx], Principal]) -> Change:
        before, is_watched = self._desk.policy, threading.Event()

        def put(tx: Tx) -> Change:
            is_watched.wait()
            change = self._kept(tx, policy, author(tx))
            self._desk.policy = policy  # whatever is judged from here on comes behind the entry
            return change

        def undo_if_lost(done: Future[Any]) -> None:
            if done.exception() is not None:
                self._desk.policy = before

        future = self._store.submit(put)
        # The store's thread calls it before it does anything else, so nothing is judged by what was not kept.
        future.add_done_callback(undo_if_lost)
        is_watched.set()
        return future.result()

    def _kept(self, tx: Tx, policy: PolicyEngine, who: Principal) -> Change:
        """Keep and tell it, unless it is in force already."""
        known, last = tx.policy(policy.version), tx.policy_in_force()
        if known is None:
            known = KeptPolicy(policy.version, policy.format, policy.source)
            tx.keep_policy(known)
        elif known.text != policy.source:
            raise PolicyError(
                f"The policy has the version {policy.version}, which another one has that was in force. Change "
                "anything in the file, if only a comment."
            )
        if last is not None and last.version == policy.version:
            return Change(last, last.version)
        before, now = last.version if last else None, self._desk.now()
        details: dict[str, object] = {
            "before": before,
            "after": policy.version,
            "file": self.file.name if self.file else None,
            "sha256": hashlib.sha256(known.text.encode()).hexdigest(),
            "by": who.name,
        }
        entry = tx.append(Entry(now, EVENT, who.id, details=details))
        change = InForce(entry, policy.version, now, who.id, who.name)
        tx.put_in_force(change)
        return Change(change, before)
