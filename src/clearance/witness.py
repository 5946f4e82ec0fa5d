"""What anybody needs to check a Center's audit trail from outside: heads, and proofs between them.

The entries are the leaves of the Merkle tree of RFC 6962 (also RFC 9162). The number of entries and the tree's root
are a *head*: it commits to every entry, and every answer of a Center carries one. A proof of some twenty hashes shows
that one head continues another, or that an entry stands under a head, and shows no other entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

TILE_HEIGHT = 8
TILE = 1 << TILE_HEIGHT
"""Entries (or nodes) under one node that a Center keeps."""

Subtree: TypeAlias = Callable[[int, int], bytes]
"""The hash over the whole subtree of (first entry, from 0; number of entries, a power of two)."""

_EMPTY = sha256().digest()
_HEAD = re.compile(r"(0|[1-9][0-9]{0,17})[: ]([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """How an audit trail stood: so many entries, and the root over all of them, in hexadecimal."""

    entries: int
    root: str

    def __str__(self) -> str:
        return f"{self.entries}:{self.root}"

    @classmethod
    def parse(cls, text: str) -> Head | None:
        """``entries:root`` or ``entries root``; None if it is neither."""
        match = _HEAD.fullmatch(text.strip())
        return cls(int(match[1]), match[2]) if match else None


def leaf(body: bytes) -> bytes:
    """The hash of an entry."""
    return sha256(b"\0" + body).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\1" + left + right).digest()


def fold(hashes: Iterable[bytes]) -> bytes:
    """The hash over a whole subtree, from those of its parts, which are a power of two in number and of one size."""
    row = list(hashes)
    if not row or len(row) & (len(row) - 1):
        raise ValueError(f"{len(row)} parts are no whole subtree")
    while len(row) > 1:
        pairs = iter(row)
        row = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return row[0]


class Tree:
    """A tree that only grows. It keeps the hashes of its whole subtrees, one for each binary digit of its size."""

    def __init__(self, entries: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.entries: int = entries
        self._peaks = list(peaks)

    @classmethod
    def load(cls, entries: int, subtree: Subtree) -> Tree:
        """The tree over the first ``entries`` entries."""
        return cls(entries, (subtree(start, size) for start, size in _whole(0, entries)))

    def copy(self) -> Tree:
        """Another one, to grow on its own."""
        return Tree(self.entries, self._peaks)

    def add(self, digest: bytes, height: int = 0) -> None:
        """Add an entry's hash; or that of a whole subtree of this height, where one begins."""
        count = (self.entries >> height) + 1
        self.entries += 1 << height
        while count % 2 == 0:
            digest = node(self._peaks.pop(), digest)
            count //= 2
        self._peaks.append(digest)

    @property
    def head(self) -> Head:
        """How it stands."""
        root = self._peaks[-1] if self._peaks else _EMPTY
        for peak in self._peaks[-2::-1]:
            root = node(peak, root)
        return Head(self.entries, root.hex())


@dataclass(frozen=True, slots=True)
class Node:
    """The hash over `TILE` nodes of the level below (entries, at level 1); ``position`` counts them from 0."""

    level: int
    position: int
    digest: bytes


class Tiles:
    """Says which nodes are complete, as whole tiles of entries come in."""

    def __init__(self) -> None:
        self._count = 0
        self._rows: list[list[bytes]] = []

    def add(self, digest: bytes) -> Iterator[Node]:
        """`TILE` more entries, with this hash over them: the nodes that are complete now, the smallest first."""
        self._count += 1
        position = self._count
        for level in range(1, 64):
            yield Node(level, position - 1, digest)
            if len(self._rows) < level:
                self._rows.append([])
            row = self._rows[level - 1]
            row.append(digest)
            if len(row) < TILE:
                return
            digest = fold(row)
            row.clear()
            position //= TILE


# Proofs


def proof_of_entry(index: int, entries: int, subtree: Subtree) -> list[bytes]:
    """What shows that entry ``index`` (from 0) is under the head of ``entries`` entries."""
    spans: list[tuple[int, int]] = []
    start, end = 0, entries
    while end - start > 1:
        middle = start + _split(end - start)
        spans.append((middle, end) if index < middle else (start, middle))
        start, end = (start, middle) if index < middle else (middle, end)
    return [_hash(*span, subtree) for span in reversed(spans)]


def proof_of_growth(earlier: int, later: int, subtree: Subtree) -> list[bytes]:
    """What shows that the head of ``later`` entries continues that of ``earlier`` (1 to ``later``)."""
    spans: list[tuple[int, int]] = []
    start, end = 0, later
    while end != earlier:
        middle = start + _split(end - start)
        spans.append((middle, end) if earlier <= middle else (start, middle))
        start, end = (start, middle) if earlier <= middle else (middle, end)
    if start:
        spans.append((start, end))  # otherwise it is the earlier root itself, which whoever asks has
    return [_hash(*span, subtree) for span in reversed(spans)]


def root_over(digest: bytes, index: int, entries: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that ``proof`` leads to from an entry's hash; None if it is no proof for that place."""
    if not 0 <= index < entries:
        return None
    place, last, root = index, entries - 1, digest
    for other in proof:
        if last == 0:
            return None
        if place % 2 or place == last:
            root = node(other, root)
            while place and place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            root = node(root, other)
        place, last = place // 2, last // 2
    return root if last == 0 else None


def continues(earlier: Head, later: Head, proof: Sequence[bytes]) -> bool:
    """Does ``proof`` show that the later log holds all that the earlier one held, in its place?"""
    if earlier.entries >= later.entries:
        return earlier == later and not proof
    if not earlier.entries:
        return earlier == Tree().head and not proof
    first = bytes.fromhex(earlier.root)
    path = [first, *proof] if earlier.entries & (earlier.entries - 1) == 0 else list(proof)
    place, last = earlier.entries - 1, later.entries - 1
    while place % 2:
        place, last = place // 2, last // 2
    if not path:
        return False
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            old, new = node(other, old), node(other, new)
            while place and place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            new = node(new, other)
        place, last = place // 2, last // 2
    return last == 0 and old == first and new.hex() == later.root


def _hash(start: int, end: int, subtree: Subtree) -> bytes:
    """The hash over any range that a proof is made of: it begins where a subtree of its size would."""
    tree = Tree.load(end - start, lambda first, size: subtree(start + first, size))
    return bytes.fromhex(tree.head.root)


def _whole(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The whole subtrees of a range, the largest first."""
    while start < end:
        size = 1 << ((end - start).bit_length() - 1)
        yield start, size
        start += size


def _split(size: int) -> int:
    """Where a tree of this size is parted: at the largest power of two below it."""
    return 1 << ((size - 1).bit_length() - 1)
