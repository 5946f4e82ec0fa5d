"""What the audit trail tells of standing approvals, held against what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from clearance.center.audit import Link
from clearance.center.standing.approval import BY_STANDING, MADE, REVOKED, StandingApproval
from clearance.center.store.base import Tx

_MARK = '"standing'
"""What stands in every entry about one, and in few others."""


class Told:
    """What the entries say of one standing approval."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.at: int = entry["at"]
        self.maker: str = entry["actor"]
        self.details: dict[str, Any] = entry["details"]
        self.used = 0
        self.revoked: tuple[int, str] | None = None

    def problem_of(self, kept: StandingApproval) -> str | None:
        """What is kept of it otherwise than was told."""
        what = f"standing approval {kept.id}"
        names = ("requester", "ends_at", "uses")
        is_same = all(getattr(kept, name) == self.details[name] for name in names)
        if not is_same or kept.digest() != self.details["sha256"]:
            return f"{what} is not kept as it was made"
        if kept.used != self.used:
            return f"{what} is kept as used {kept.used} times, and by the trail it was {self.used} times"
        revoked = None if kept.revoked_at is None else (kept.revoked_at, kept.revoked_by)
        if revoked != self.revoked:
            return f"{what} is kept as {'not ' * (revoked is None)}revoked, and the trail tells otherwise"
        return None


class StandingTrail:
    """The entries about standing approvals among those that went by."""

    def __init__(self) -> None:
        self._told: dict[int, Told] = {}
        self._problem: str | None = None

    def noting(self, links: Iterable[Link]) -> Iterator[Link]:
        """The same entries, noted where they are about one."""
        for link in links:
            if _MARK in link.body and self._problem is None:
                self._problem = self._note(link)
            yield link

    def problem(self, tx: Tx, entries: int) -> str | None:
        """What is kept otherwise than the entries tell, of which the first ``entries`` went by and fit their chain."""
        length, kept = tx.kept_standing_approvals()
        for _ in self.noting(tx.audit(after=entries, limit=max(0, length - entries))):
            pass  # what came in since, until what is kept was read
        if self._problem is not None:
            return self._problem
        for approval in kept:
            told = self._told.pop(approval.id, None)
            if told is None:
                return f"standing approval {approval.id} is kept, and no entry tells that it was made"
            if (problem := told.problem_of(approval)) is not None:
                return problem
        return next((f"standing approval {number} is gone; the trail tells of it" for number in self._told), None)

    def _note(self, link: Link) -> str | None:
        try:
            entry = json.loads(link.body)
            if entry["event"] == MADE:
                number = entry["details"]["standing"]
                if number in self._told:
                    return f"entry {link.seq} makes standing approval {number} a second time"
                self._told[number] = Told(entry)
                return None
            if entry["event"] == REVOKED:
                return self._note_end(entry, link.seq)
            return self._note_use(entry, link.seq) if entry["event"] == "approve" else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"entry {link.seq} does not say which standing approval it is about"

    def _note_end(self, entry: dict[str, Any], seq: int) -> str | None:
        told = self._told.get(entry["details"]["standing"])
        if told is None or told.revoked is not None:
            return f"entry {seq} revokes a standing approval that there is not, or that was revoked before"
        told.revoked = (entry["at"], entry["details"]["by"])
        return None

    def _note_use(self, entry: dict[str, Any], seq: int) -> str | None:
        details = entry["details"]
        if details.get("reason_code") != BY_STANDING:
            return None
        use = details["standing"]
        told = self._told.get(use["id"])
        what = f"entry {seq} is a use of standing approval {use['id']}"
        if told is None or entry["actor"] != f"standing:{use['id']}" or use["maker"] != told.maker:
            return f"{what}, which there is not, or which is another's"
        if told.revoked is not None or entry["at"] >= told.details["ends_at"]:
            return f"{what}, which had ended"
        told.used += 1
        if use["use"] != told.used or told.used > told.details["uses"] or use["of"] != told.details["uses"]:
            return f"{what}, and not the next one of those that it has"
        return None
