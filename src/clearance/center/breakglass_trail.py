"""What the audit trail tells of break-glass, held against what was cleared by it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from clearance.center.audit import Link
from clearance.center.breakglass import CLOSED, ENDED, OPENED
from clearance.wire.vocabulary import BREAK_GLASS

_MARK = '"break_glass'


@dataclass
class BreakGlassTrail:
    """The entries about break-glass among those that went by: each approval by one stands while that one is open."""

    problem: str | None = None
    _open: dict[object, dict[str, Any]] = field(default_factory=dict)

    def noting(self, links: Iterable[Link]) -> Iterator[Link]:
        """The same entries, looked at where they are about break-glass."""
        before: Link | None = None
        for link in links:
            if self.problem is None and _MARK in link.body:
                self._look(link, before)
            before = link
            yield link

    def _look(self, link: Link, before: Link | None) -> None:
        try:
            entry = json.loads(link.body)
            event, details = entry["event"], entry.get("details") or {}
            if event == OPENED:
                self._open[details["break_glass"]] = {**details, "actor": entry["actor"]}
            elif event in (CLOSED, ENDED):
                del self._open[details["break_glass"]]
            elif event == "approve" and details.get("reason_code") == BREAK_GLASS:
                self._check(entry, json.loads(before.body) if before is not None else {})
        except (ValueError, KeyError, TypeError, AttributeError):
            self.problem = f"entry {link.seq} tells of a break-glass what cannot have been"

    def _check(self, entry: dict[str, Any], asked: dict[str, Any]) -> None:
        """An approval comes right behind the request, which is one that the break-glass is for.

        Raises:
            ValueError: it does not; or that was over, or its own author asked.
        """
        glass, request = self._open[entry["details"]["break_glass"]], asked["details"]
        is_same = (asked["event"], asked["action_id"]) == ("submit", entry["action_id"])
        is_named = (request["agent_id"], request["tool_name"]) == (glass["agent"], glass["tool"])
        is_for_key = glass.get("key") in (None, asked["actor"])
        in_time = entry["at"] < glass["ends_at"] and entry["details"]["run_by"] <= glass["ends_at"]
        if not (is_same and is_named and is_for_key and in_time) or asked["actor"] == glass["actor"]:
            raise ValueError(entry["action_id"])
