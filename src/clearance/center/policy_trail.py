"""What the audit trail tells of policies, held against what is kept of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from clearance.center.audit import Link
from clearance.center.records import InForce
from clearance.center.store.base import Tx

EVENT = "policy"
"""The event of an entry about a policy that came in force."""
_MARK = f'"event":"{EVENT}"'


@dataclass
class PolicyTrail:
    """The entries about policies among those that went by."""

    links: list[Link] = field(default_factory=list)

    def noting(self, links: Iterable[Link]) -> Iterator[Link]:
        """The same entries, noted where they are about a policy."""
        for link in links:
            if _MARK in link.body and json.loads(link.body).get("event") == EVENT:
                self.links.append(link)
            yield link

    def problem(self, tx: Tx, entries: int) -> str | None:
        """What is kept of policies otherwise than the first ``entries`` entries tell, which fit their chain."""
        kept = reversed(tx.policies_in_force(up_to=entries))
        before: str | None = None
        for link, change in zip_longest(self.links, kept):
            if link is None:
                return f"policy {change.version} is kept as in force since entry {change.entry}, which is about none"
            details = json.loads(link.body)["details"]
            if change is None or _told(link) != change:
                return f"entry {link.seq} tells that policy {details['after']} came in force, which is kept otherwise"
            if details["before"] != before:
                return f"entry {link.seq} tells of policy {details['before']} before, and it was {before}"
            text = tx.policy(change.version)
            if text is None or hashlib.sha256(text.text.encode()).hexdigest() != details["sha256"]:
                return f"policy {change.version} is not kept as it was in force since entry {link.seq}"
            before = change.version
        return None


def _told(link: Link) -> InForce:
    entry = json.loads(link.body)
    details = entry["details"]
    return InForce(link.seq, details["after"], entry["at"], entry["actor"], details["by"])
