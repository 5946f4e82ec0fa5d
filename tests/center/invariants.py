"""The lifecycle's invariants, held against a real trail, entry by entry as they come in, and at the end.

I11 and I12 are not about the trail, and I14 is the reference's: it counts which refusals must stand here.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from clearance.center.audit import Link
from clearance.center.records import Principal, Record
from clearance.center.refusals import MOST_REFUSALS
from clearance.lifecycle import CLAIMED, TABLE, Event
from clearance.models import Status

ENDED = [status for status, events in TABLE.items() if not events]


class Life:
    """What the trail tells of one action."""

    def __init__(self, submit: dict[str, Any]) -> None:
        self.submit = submit
        self.status = Status.PENDING
        self.approval: dict[str, Any] | None = None
        self.claim: dict[str, Any] | None = None
        self.voters: Counter[tuple[int, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()


class Watch:
    """Takes the entries of a trail in, in order, and asserts at each what must be so.

    Args:
        people: whoever may act, by id.
    """

    def __init__(self, people: dict[str, Principal]) -> None:
        self._people = people
        self._at = 0
        self.lives: dict[int, Life] = {}
        self.entries = 0

    def take(self, links: list[Link]) -> None:
        """What came in."""
        for link in links:
            entry = json.loads(link.body)
            self.entries += 1
            assert link.seq == entry["seq"] == self.entries  # I8: dense
            assert entry["at"] >= self._at  # I13
            self._at = entry["at"]
            if "action_id" in entry:
                self._take(entry, entry.get("details", {}))

    def skip(self, links: list[Link]) -> None:
        """What was there before anybody watched, or is of no interest."""
        if links:
            self.entries, self._at = links[-1].seq, json.loads(links[-1].body)["at"]

    def check(self, records: list[Record], leaves: Counter[tuple[int, str]]) -> None:
        """How it all ended. ``leaves`` are the answers that gave leave to run: to which action, under which nonce."""
        for action_id, nonce in leaves:
            claim = self.lives[action_id].claim
            assert claim is not None  # I1
            assert claim["details"]["nonce"] == nonce  # I2
        keys = [(record.requester, record.key) for record in records if record.key is not None]
        assert len(keys) == len(set(keys))  # I10
        for record in records:
            life = self.lives[record.id]
            asked = life.submit["details"]
            assert record.status is life.status  # I7
            assert (record.requester, record.action.digest) == (life.submit["actor"], asked["digest"])  # I6
            assert (record.decide_by, record.action.action_type) == (asked["decide_by"], asked["action_type"])
            assert (life.claim is not None) <= (record.status in CLAIMED)
            assert record.nonce == (life.claim["details"]["nonce"] if life.claim else None)

    def refusals(self) -> dict[tuple[int, str, str], int]:
        """How many entries there are about each kind of refusal."""
        return {(number, *what): count for number, life in self.lives.items() for what, count in life.refused.items()}

    def _take(self, entry: dict[str, Any], details: dict[str, Any]) -> None:
        number, event, status = entry["action_id"], entry["event"], Status(entry["status"])
        if event == "submit":
            assert number not in self.lives
            self.lives[number] = Life(entry)
            assert status is Status.PENDING
            return
        life = self.lives[number]
        if event in ("refused", "alarm"):
            assert status is life.status  # what is refused moves nothing
            life.refused[event, details["tried"]] += 1
            assert life.refused[event, details["tried"]] <= MOST_REFUSALS
            return
        assert life.status not in ENDED  # I5
        assert status is TABLE[life.status][Event(event)]  # I7, I9: no change without its entry, no entry without one
        life.status = status
        if event in ("vote", "approve"):
            self._approved(life, entry, details)
        elif event == "claim":
            self._claimed(life, entry, details)
        elif event == "expire":
            assert entry["at"] >= life.submit["details"]["decide_by"]
        elif event == "lapse":
            assert life.approval is not None
            assert entry["at"] >= life.approval["details"]["run_by"]

    def _approved(self, life: Life, entry: dict[str, Any], details: dict[str, Any]) -> None:
        """I4."""
        asked = life.submit["details"]
        assert entry["at"] < asked["decide_by"]
        assert details["digest"] == asked["digest"]
        if entry["actor"] in self._people:
            me = self._person(entry["actor"])
            assert me != self._person(life.submit["actor"])
            assert me not in [voter for _, voter in life.voters]
            life.voters[details["stage"], me] += 1
        if entry["event"] == "approve":
            life.approval = entry
            quorums = [stage["quorum"] for stage in asked.get("stages", [{"quorum": 1}])]
            said = Counter(stage for stage, _ in life.voters)
            by_a_rule = entry["actor"].startswith("policy:")
            assert [said[number] for number in range(len(quorums))] == ([0] if by_a_rule else quorums)

    def _claimed(self, life: Life, entry: dict[str, Any], details: dict[str, Any]) -> None:
        """I1, I2, I3."""
        assert life.claim is None
        assert life.approval is not None
        assert life.approval["at"] <= entry["at"] < life.approval["details"]["run_by"]
        assert details["digest"] == life.submit["details"]["digest"]
        assert details["policy"] == life.submit["details"]["policy"]
        assert entry["actor"] == life.submit["actor"]
        life.claim = entry

    def _person(self, key: str) -> str:
        """Who is behind a key."""
        return self._people[key].owner or key
