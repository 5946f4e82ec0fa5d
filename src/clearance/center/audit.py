"""The audit trail: every change one entry, each chained to the one before by SHA-256.

An entry's hash covers the hash before it and the entry's exact bytes, so changing, removing, inserting or
swapping any entry breaks every hash from there on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from clearance.center.records import Entry

GENESIS = hashlib.sha256(b"clearance audit/1\0").hexdigest()
"""What the first entry is chained to."""


@dataclass(frozen=True, slots=True)
class Link:
    """One stored entry: its number (dense, from 1), its bytes as text, and the hash of the chain up to it."""

    seq: int
    body: str
    hash: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found. ``problem`` is None if the trail is whole."""

    entries: int
    head: str
    problem: str | None = None


def body_of(seq: int, entry: Entry) -> str:
    """The entry as it is stored and hashed: JSON with sorted keys."""
    document: dict[str, object] = {"seq": seq, "at": entry.at, "event": entry.event, "actor": entry.actor}
    if entry.action_id is not None:
        document["action_id"] = entry.action_id
    if entry.status is not None:
        document["status"] = entry.status.value
    if entry.details:
        document["details"] = entry.details
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def chain(before: str, body: str) -> str:
    """The hash of the chain with ``body`` appended."""
    return hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()


def verify(links: Iterable[Link]) -> Report:
    """Walk the trail from its beginning and recompute every hash."""
    head, count = GENESIS, 0
    for link in links:
        count += 1
        if link.seq != count:
            return Report(count - 1, head, f"entry {count} is missing (the next one there is {link.seq})")
        head = chain(head, link.body)
        if head != link.hash:
            return Report(count - 1, head, f"entry {count} does not fit the chain: it, or its hash, was changed")
        if _number_in(link.body) != count:
            return Report(count - 1, head, f"entry {count} says that it is another one")
    return Report(count, head)


def _number_in(body: str) -> object:
    """The number that an entry gives itself; None if it is none of ours."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document.get("seq") if isinstance(document, dict) else None
