"""What was asked of a Center that keeps dying, what it answered, and whether what it kept agrees with that."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from clearance import lifecycle
from clearance.center.store.base import Tx, Use
from clearance.center.store.databases import open_store
from clearance.lifecycle import Event
from clearance.models import Status

PATIENCE = 120.0
EVENTS = frozenset(event.value for event in Event)


@dataclass(frozen=True)
class Wish:
    """One request. ``mark`` tells it from every other: a submit's key, a claim's nonce, a decision's approver."""

    deed: str
    action: int
    mark: str = ""
    kind: str = ""


@dataclass
class Life:
    """An action as its entries in the trail tell it."""

    status: Status
    events: set[str] = field(default_factory=lambda: {"submit"})
    decider: str | None = None
    nonce: str | None = None


class Ledger:
    """Threads may write into it; one `check` at a time."""

    def __init__(self) -> None:
        self.in_doubt: dict[str, Wish] = {}
        """What was tried and got no answer, by its token."""
        self.lives: dict[int, Life] = {}
        self._granted: list[tuple[Wish, int]] = []
        self._refused: list[Wish] = []
        self._by_key: dict[str, int] = {}
        self._leave: dict[int, str] = {}
        self._touched: set[int] = set()
        self._seen = 0
        self._lock = threading.Lock()

    def tried(self, token: str, wish: Wish) -> None:
        """It is about to be sent. Asked again for want of an answer, it has the same token."""
        with self._lock:
            assert self.in_doubt.setdefault(token, wish) == wish

    def said_yes(self, token: str, action: int, nonce: str | None) -> None:
        """It was granted; ``nonce`` is whose leave to run the answer tells of, if any."""
        with self._lock:
            wish = self.in_doubt.pop(token)
            self._granted.append((wish, action))
            if wish.deed == "submit":
                known = self._by_key.setdefault(wish.mark, action)
                assert known == action, f"{wish.mark} was action {known}, and is action {action} now"
            if wish.deed == "claim":
                assert nonce == wish.mark, f"{wish} got a yes for {nonce}"
            if nonce is not None:
                first = self._leave.setdefault(action, nonce)
                assert first == nonce, f"action {action} was claimed by {first}, and again by {nonce}"

    def said_no(self, token: str) -> None:
        """It was refused."""
        with self._lock:
            self._refused.append(self.in_doubt.pop(token))

    def check(self, address: str) -> None:
        """Nothing that was granted is missing, nothing refused was kept, and every action is what its entries say."""
        # To open it so waits for the transaction that a dead process may have left at a server.
        store = open_store(address, Use.VISIT)
        try:
            store.submit(self._check).result(PATIENCE)
        finally:
            store.close()

    def _check(self, tx: Tx) -> None:
        for link in tx.audit(after=self._seen):
            assert link.seq == self._seen + 1
            self._seen = link.seq
            entry = json.loads(link.body)
            if entry.get("action_id") is not None:
                self._fold(entry)
        for wish, action in self._granted:
            assert self._is_kept(wish, action), f"{wish} was granted for action {action}, and is lost"
        for wish in self._refused:
            if wish.deed == "claim":
                assert self.lives[wish.action].nonce != wish.mark, f"{wish} was refused, and kept"
        for action in self._touched:
            self._compare(tx, action)
        self._granted.clear()
        self._refused.clear()
        self._touched.clear()

    def _fold(self, entry: dict[str, Any]) -> None:
        action, word, status = entry["action_id"], entry["event"], Status(entry["status"])
        self._touched.add(action)
        if word == "submit":
            assert action not in self.lives
            self.lives[action] = Life(status)
            return
        life = self.lives[action]
        if word not in EVENTS:
            assert status is life.status  # a note, such as of a refusal, moves nothing
            return
        assert status is lifecycle.after(life.status, Event(word)), f"{entry} after {life}"
        life.status = status
        life.events.add(word)
        if word in (Event.APPROVE, Event.DENY):
            life.decider = entry["actor"]
        if word == Event.CLAIM:
            assert life.nonce is None
            life.nonce = entry["details"]["nonce"]
            assert self._leave.get(action, life.nonce) == life.nonce

    def _is_kept(self, wish: Wish, action: int) -> bool:
        life = self.lives.get(action)
        if life is None:
            return False
        match wish.deed:
            case "claim":
                return life.nonce == wish.mark
            case "approve" | "deny":
                return wish.deed in life.events and life.decider == wish.mark
            case _:
                return wish.deed in life.events

    def _compare(self, tx: Tx, action: int) -> None:
        record, life = tx.action(action), self.lives[action]
        assert record is not None
        assert (record.status, record.nonce) == (life.status, life.nonce)
        assert record.key is not None
        assert self._by_key.setdefault(record.key, action) == action
