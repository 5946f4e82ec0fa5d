"""Heads and proofs: what the tree of RFC 6962 gives for every small size, against a second telling of the RFC."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from hashlib import sha256

import pytest

from clearance.witness import (
    TILE,
    Head,
    Tiles,
    Tree,
    continues,
    fold,
    leaf,
    node,
    proof_of_entry,
    proof_of_growth,
    root_over,
)

SIZES = range(1, 71)
# The inputs and roots that the implementations of Certificate Transparency are tested with.
CT_INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def body(number: int) -> bytes:
    return f"entry {number}".encode()


@cache
def by_the_rfc(start: int, end: int) -> bytes:
    """MTH(D[start:end]), as section 2.1 writes it."""
    count = end - start
    if count == 0:
        return sha256().digest()
    if count == 1:
        return sha256(b"\0" + body(start)).digest()
    middle = 1
    while middle * 2 < count:
        middle *= 2
    return sha256(b"\1" + by_the_rfc(start, start + middle) + by_the_rfc(start + middle, end)).digest()


def subtree(start: int, size: int) -> bytes:
    assert size & (size - 1) == 0
    assert start % size == 0, "only whole subtrees are kept"
    return by_the_rfc(start, start + size)


def head(entries: int) -> Head:
    return Head(entries, by_the_rfc(0, entries).hex())


def changed(proof: list[bytes], random: random.Random) -> list[list[bytes]]:
    """Proofs that are none: each part changed, left out or doubled, and one too many."""
    others = [[*proof, random.randbytes(32)], [random.randbytes(32), *proof]]
    for at in range(len(proof)):
        others.append([*proof[:at], random.randbytes(32), *proof[at + 1 :]])
        others.append(proof[:at] + proof[at + 1 :])
        others.append([*proof[: at + 1], *proof[at:]])
    return [other for other in others if other != proof]


def test_the_roots_are_those_of_certificate_transparency() -> None:
    tree = Tree()
    roots = [tree.head.root]
    for data in CT_INPUTS:
        tree.add(leaf(data))
        roots.append(tree.head.root)

    assert roots == CT_ROOTS


def test_a_tree_that_grows_has_the_root_of_the_rfc_at_every_size() -> None:
    tree = Tree()
    for entries in range(600):
        assert tree.head == head(entries)
        tree.add(leaf(body(entries)))


@pytest.mark.parametrize("entries", [0, *SIZES, 255, 256, 257, 600])
def test_a_tree_is_loaded_from_its_whole_subtrees_and_grows_on(entries: int) -> None:
    tree = Tree.load(entries, subtree)
    other = tree.copy()
    assert tree.head == head(entries)

    tree.add(leaf(body(entries)))

    assert tree.head == head(entries + 1)
    assert other.head == head(entries)


def test_a_whole_tile_is_added_at_once() -> None:
    tree = Tree()
    for start in range(0, 4 * TILE, TILE):
        tree.add(fold(leaf(body(number)) for number in range(start, start + TILE)), 8)
        assert tree.head == head(start + TILE)


@pytest.mark.parametrize("count", [0, 3, 5, 255])
def test_what_is_no_whole_subtree_is_not_folded(count: int) -> None:
    with pytest.raises(ValueError, match="no whole subtree"):
        fold([b"x"] * count)


def test_the_nodes_are_told_when_they_are_complete() -> None:
    tiles = Tiles()
    digests = [sha256(bytes([number % 256, number // 256])).digest() for number in range(2 * TILE + 1)]
    told = [[(found.level, found.position, found.digest) for found in tiles.add(digest)] for digest in digests]

    for number, found in enumerate(told):
        assert found[0] == (1, number, digests[number])
    assert [number for number, found in enumerate(told) if len(found) > 1] == [TILE - 1, 2 * TILE - 1]
    assert told[TILE - 1][1] == (2, 0, fold(digests[:TILE]))
    assert told[2 * TILE - 1][1] == (2, 1, fold(digests[TILE : 2 * TILE]))


@pytest.mark.parametrize("entries", SIZES)
def test_every_entry_is_proven_to_be_under_the_head_and_nowhere_else(entries: int) -> None:
    for index in range(entries):
        proof = proof_of_entry(index, entries, subtree)
        assert root_over(leaf(body(index)), index, entries, proof) == by_the_rfc(0, entries)
        for other in {index - 1, index + 1, entries} - {index}:
            assert root_over(leaf(body(index)), other, entries, proof) != by_the_rfc(0, entries)
        assert root_over(leaf(b"another"), index, entries, proof) != by_the_rfc(0, entries)


def test_a_changed_proof_of_an_entry_is_none() -> None:
    dice = random.Random(1)
    for entries in (1, 2, 3, 7, 8, 20, 33):
        for index in range(entries):
            for proof in changed(proof_of_entry(index, entries, subtree), dice):
                assert root_over(leaf(body(index)), index, entries, proof) != by_the_rfc(0, entries)


@pytest.mark.parametrize("later", SIZES)
def test_every_head_is_proven_to_be_continued_by_every_later_one(later: int) -> None:
    for earlier in range(1, later + 1):
        proof = proof_of_growth(earlier, later, subtree)
        assert continues(head(earlier), head(later), proof)
        assert len(proof) <= 2 * later.bit_length()
        for other in {earlier - 1, earlier + 1} & set(range(1, later + 1)):
            assert not continues(head(other), head(later), proof)


def test_a_changed_proof_of_growth_is_none() -> None:
    dice = random.Random(2)
    for later in (2, 3, 7, 8, 20, 33, 64):
        for earlier in range(1, later):
            for proof in changed(proof_of_growth(earlier, later, subtree), dice):
                assert not continues(head(earlier), head(later), proof), (earlier, later)


@pytest.mark.parametrize("later", [2, 3, 8, 13, 40])
def test_another_trail_is_not_proven_to_continue_it(later: int) -> None:
    for earlier in range(1, later + 1):
        proof = proof_of_growth(earlier, later, subtree)
        forged = Head(earlier, sha256(b"forged").hexdigest())
        assert not continues(forged, head(later), proof)
        assert not continues(head(earlier), replace(forged, entries=later), proof)


def test_a_shorter_trail_continues_nothing_and_every_trail_the_empty_one() -> None:
    assert not continues(head(5), head(4), [])
    assert not continues(head(5), head(4), proof_of_growth(4, 5, subtree))
    assert continues(head(5), head(5), [])
    assert continues(Tree().head, head(5), [])
    assert not continues(Tree().head, head(5), [b"x"])
    assert not continues(Head(0, "0" * 64), head(5), [])
    assert not continues(head(4), head(5), [])
    assert not continues(head(3), head(5), [])


@pytest.mark.parametrize("text", ["7:{}", "7 {}", " 7 {}\n", "0:{}", "999999999999999999:{}"])
def test_a_head_is_read_from_its_text(text: str) -> None:
    found = Head.parse(text.format("ab" * 32))
    assert found is not None
    assert found.root == "ab" * 32
    assert Head.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "7:", ":{0}", "-1:{0}", "07:{0}", "7:{1}", "7:{0}0", "7;{0}", "7  {0}", "7:{0}:8", "+7:{0}"),
        *("7.0:{0}", "٧:{0}", "1111111111111111111:{0}", "{0}"),
    ],
)
def test_what_is_no_head_is_not_read_as_one(text: str) -> None:
    assert Head.parse(text.format("ab" * 32, "AB" * 32)) is None


def test_an_entry_cannot_be_taken_for_a_node() -> None:
    left, right = leaf(b"one"), leaf(b"two")
    assert leaf(left + right) != node(left, right)
