"""The audit trail: every change one entry, each chained to the one before by SHA-256.

An entry's hash covers the hash before it and the entry's exact bytes, so changing, removing, inserting or
swapping any entry breaks every hash from there on, and it can be said which entry it was. What the chain cannot show,
that the newest entries are gone or that all of it was written anew, shows against a head that somebody kept: see
`clearance.witness`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TypeAlias

from clearance.center.records import Entry
from clearance.models import Status
from clearance.witness import TILE, TILE_HEIGHT, Head, Tiles, Tree, fold

GENESIS = sha256(b"clearance audit/1\0").hexdigest()
"""What the first entry is chained to."""

ABOUT = '{"action_id":'
"""How an entry about an action begins: no key sorts before this one."""

DAMAGED = "The audit trail is damaged: run `clearance audit verify`"

_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode

Nodes: TypeAlias = Callable[[int, int], "bytes | None"]
"""The node that is kept at (level, position), if there is one."""


@dataclass(frozen=True, slots=True)
class Link:
    """One stored entry: its number (dense, from 1), its bytes as text, and the hash of the chain up to it."""

    seq: int
    body: str
    hash: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found. ``problem`` is None if the trail is whole.

    Up to ``entries``, whose root is ``head``, it fits its chain and all that is known.
    """

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
    return _write(document)


def chain(before: str, body: str) -> str:
    """The hash of the chain with ``body`` appended."""
    return sha256(f"{before}\n{body}".encode()).hexdigest()


def verify(links: Iterable[Link], heads: Iterable[Head] = (), nodes: Nodes | None = None) -> Report:
    """Walk the trail from its beginning and recompute every hash.

    Args:
        links: the trail, from its first entry.
        heads: known ones; the trail must have been so at each of them.
        nodes: what is kept of the tree; it must be what the entries make it.
    """
    return _Walk(heads, nodes).along(links)


class _Walk:
    def __init__(self, heads: Iterable[Head], nodes: Nodes | None) -> None:
        self._tree = Tree()
        self._hash = GENESIS
        self._heads = sorted(set(heads), reverse=True)  # the next one is the last
        self._nodes = nodes
        self._tiles = Tiles()
        self._vouched = self._tree.head

    def along(self, links: Iterable[Link]) -> Report:
        source = iter(links)
        problem = self._meet_heads()
        while problem is None and (tile := list(islice(source, TILE))):
            leaves, broken = self._chained(tile)
            problem = self._grow(leaves)
            if problem is None and broken is not None:
                return Report(*_pair(self._tree.head), broken)
        if problem is None:
            problem = self._end()
        return Report(*_pair(self._tree.head if problem is None else self._vouched), problem)

    def _chained(self, tile: list[Link]) -> tuple[list[bytes], str | None]:
        """The hashes of the entries for the tree, up to the first that does not fit the chain; and what it is."""
        count, before = self._tree.entries, self._hash
        leaves: list[bytes] = []
        for link in tile:
            count += 1
            if link.seq != count:
                return leaves, _out_of_order(count, link.seq)
            body = link.body
            try:
                data = body.encode()
            except UnicodeEncodeError:  # half a character: no entry has one
                data = b""
            before = sha256(b"%b\n%b" % (before.encode(), data)).hexdigest()
            if before != link.hash:
                return leaves, f"entry {count} does not fit the chain: it, or its hash, was changed"
            number = f',"seq":{count}'
            at = body.rfind(number)
            if at <= 0 or body[at + len(number) :] not in _AFTER_NUMBER:
                return leaves, f"entry {count} says that it is another one"
            leaves.append(sha256(b"\0" + data).digest())
        self._hash = before
        return leaves, None

    def _grow(self, leaves: list[bytes]) -> str | None:
        is_whole = len(leaves) == TILE
        if is_whole and not (self._heads and self._heads[-1].entries <= self._tree.entries + TILE):
            digest = fold(leaves)
            self._tree.add(digest, TILE_HEIGHT)
            return self._meet_nodes(digest)
        for digest in leaves:
            self._tree.add(digest)
            if (problem := self._meet_heads()) is not None:
                return problem
        return self._meet_nodes(fold(leaves)) if is_whole else None

    def _meet_heads(self) -> str | None:
        """Compare with what is known of a trail of this length."""
        count = self._tree.entries
        if not (self._heads and self._heads[-1].entries == count):
            return None
        head = self._tree.head
        while self._heads and self._heads[-1].entries == count:
            if self._heads.pop() != head:
                since = self._vouched.entries + 1
                where = f"entry {count}" if since == count else f"something in entries {since} to {count}"
                return f"a head of {count} entries was another: {where} was changed, or this is another trail"
        self._vouched = head
        return None

    def _meet_nodes(self, digest: bytes) -> str | None:
        if self._nodes is None:
            return None
        for node in self._tiles.add(digest):
            if self._nodes(node.level, node.position) != node.digest:
                span = TILE**node.level
                first = node.position * span + 1
                return f"the hash that is kept over entries {first} to {first + span - 1} is not theirs"
        return None

    def _end(self) -> str | None:
        """Nothing comes any more."""
        if not self._heads:
            return None
        self._vouched = self._tree.head
        count, known = self._tree.entries, self._heads[0].entries
        missing = f"entry {known} is" if known == count + 1 else f"entries {count + 1} to {known} are"
        return f"{missing} missing: there was a head of {known} entries"


# How an entry can go on behind its number: no key but `status` sorts there. To look at that is enough to know that an
# entry says that it is this one, and JSON, whose parsing would take longer than all the rest, need not be parsed: a
# quote behind a comma opens a string or closes one, and if it closed one, no bare `seq` could follow. So this is a
# key, and what comes behind it leaves no place for an object around it but the entry itself.
_AFTER_NUMBER = frozenset({"}", *(f',"status":"{status.value}"}}' for status in Status)})


def _out_of_order(expected: int, found: int) -> str:
    if found < expected:
        return f"entry {expected} is missing (there is {found} in its place)"
    return f"entry {expected} is missing (the next one there is {found})"


def _pair(head: Head) -> tuple[int, str]:
    return head.entries, head.root


# The trail as JSON Lines


def line_of(link: Link) -> str:
    """The entry as one line of an export: its hash, and its bytes exactly as they were hashed."""
    return f'{{"hash":"{link.hash}","entry":{link.body}}}'


_LINE = re.compile(r'\{"hash":"([0-9a-f]{64})","entry":(.*)\}')
_NUMBER = re.compile(r',"seq":([1-9][0-9]{0,17})(?:,"status":"[a-z]+")?\}')


def link_of(line: str) -> Link:
    """The entry of a line; what has not the form of one becomes an entry that does not fit."""
    match = _LINE.fullmatch(line)
    if match is None:
        return Link(0, "", "")
    body = match[2]
    number = _NUMBER.search(body, max(0, len(body) - 60))
    return Link(int(number[1]) if number and number.end() == len(body) else 0, body, match[1])
