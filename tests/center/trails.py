"""Audit trails made without a store, and every way to tamper with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

from clearance.center.audit import GENESIS, Link, body_of, chain, line_of, link_of, verify
from clearance.center.records import Entry
from clearance.models import Status
from clearance.witness import TILE, Head, Tree, leaf


def chained(bodies: Iterable[str]) -> list[Link]:
    """A trail with these entries, whose chain fits."""
    links: list[Link] = []
    before = GENESIS
    for seq, body in enumerate(bodies, 1):
        before = chain(before, body)
        links.append(Link(seq, body, before))
    return links


def bodies(length: int, center: str = "ours") -> list[str]:
    """The entries of a Center's trail."""
    return [
        body_of(seq, Entry(seq, "submit", f"agent of {center}", seq, Status.PENDING, {"digest": f"d{seq}", "n": seq}))
        if seq % 3
        else body_of(seq, Entry(seq, "key.created", "local", details={"key": f'k"{seq}', "by": center}))
        for seq in range(1, length + 1)
    ]


def a_trail(length: int) -> list[Link]:
    """A whole trail."""
    return chained(bodies(length))


def heads_of(links: Iterable[Link]) -> list[Head]:
    """The head at every length, from 0."""
    tree = Tree()
    heads = [tree.head]
    for link in links:
        tree.add(leaf(link.body.encode()))
        heads.append(tree.head)
    return heads


@dataclass(frozen=True, slots=True)
class Tampered:
    """A trail after somebody was at it: what of it is still good, and which heads are known of how it was."""

    links: list[Link]
    good: int
    heads: list[Head]


def renumbered(links: Iterable[Link]) -> list[Link]:
    """The same entries under dense numbers."""
    return [replace(link, seq=seq) for seq, link in enumerate(links, 1)]


def flipped(text: str, dice: Random) -> str:
    """The text with one bit of it flipped."""
    data = bytearray(text.encode())
    at = dice.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    return data.decode("latin-1")


def rewritten(body: str, seq: int, dice: Random) -> str:
    """Another entry for this place, as its number says."""
    entry = json.loads(body)
    how = dice.randrange(3)
    if how == 0:
        entry["actor"] = "mallory"
    elif how == 1:
        entry["at"] += 1 + dice.randrange(10**6)
    else:
        entry["details"] = {"digest": str(dice.random())}
    return json.dumps({**entry, "seq": seq}, sort_keys=True, separators=(",", ":"))


# What the chain shows


def bit(links: list[Link], dice: Random) -> Tampered:
    """One bit of an entry or its hash."""
    at = dice.randrange(len(links))
    link = links[at]
    if dice.choice(["body", "hash"]) == "body":
        links[at] = replace(link, body=flipped(link.body, dice))
    else:
        links[at] = replace(link, hash=flipped(link.hash, dice))
    return Tampered(links, at, [])


def number(links: list[Link], dice: Random) -> Tampered:
    """An entry's number."""
    at = dice.randrange(len(links))
    links[at] = replace(links[at], seq=links[at].seq ^ 1 << dice.randrange(20))
    return Tampered(links, at, [])


def deleted(links: list[Link], dice: Random) -> Tampered:
    """Entries taken out of the middle, or the beginning."""
    at = dice.randrange(len(links) - 1)
    count = dice.randint(1, min(5, len(links) - 1 - at))
    del links[at : at + count]
    return Tampered(_maybe_renumbered(links, dice), at, [])


def swapped(links: list[Link], dice: Random) -> Tampered:
    """Two entries in each other's place."""
    one, other = sorted(dice.sample(range(len(links)), 2))
    links[one], links[other] = links[other], links[one]
    return Tampered(_maybe_renumbered(links, dice), one, [])


def inserted(links: list[Link], dice: Random) -> Tampered:
    """An entry of somebody's own, with a hash that fits there or one that does not."""
    at = dice.randrange(len(links))
    body = rewritten(links[at].body, at + 1, dice)
    before = links[at - 1].hash if at else GENESIS
    fits = dice.random() < 0.5
    links.insert(at, Link(at + 1, body, chain(before, body) if fits else links[at].hash))
    return Tampered(_maybe_renumbered(links, dice), at + fits, [])


def duplicated(links: list[Link], dice: Random) -> Tampered:
    """An entry a second time, next to itself or elsewhere."""
    which = dice.randrange(len(links))
    at = dice.randint(which + 1, len(links))
    links.insert(at, links[which])
    return Tampered(_maybe_renumbered(links, dice), at, [])


def _maybe_renumbered(links: list[Link], dice: Random) -> list[Link]:
    return renumbered(links) if dice.random() < 0.5 else links


# What only a known head shows: in all of these, the chain fits


def cut_off(links: list[Link], dice: Random) -> Tampered:
    """The newest entries taken away, which somebody has a head of."""
    at = dice.randrange(len(links))
    return Tampered(links[:at], at, _known(links, at, dice))


def edited(links: list[Link], dice: Random) -> Tampered:
    """An entry changed, and the chain made anew from there on."""
    at = dice.randrange(len(links))
    told = [link.body for link in links]
    told[at] = rewritten(told[at], at + 1, dice)
    return Tampered(chained(told), at, _known(links, at, dice))


def edited_away(links: list[Link], dice: Random) -> Tampered:
    """An entry taken out, those behind it renumbered, the chain made anew, and filled up to its old length."""
    at = dice.randrange(len(links))
    told = [link.body for link in links]
    told = [rewritten(body, seq, dice) if seq > at else body for seq, body in enumerate(told[:at] + told[at + 1 :], 1)]
    told += bodies(len(links) + dice.randrange(3), "another history")[len(told) :]
    return Tampered(chained(told), at, _known(links, at, dice))


def rolled_back(links: list[Link], dice: Random) -> Tampered:
    """An old backup that went on for as long as the trail had been, or longer."""
    at = dice.randrange(len(links))
    told = [link.body for link in links[:at]]
    told += bodies(len(links) + dice.randrange(4), "another history")[at:]
    return Tampered(chained(told), at, _known(links, at, dice, at_most=len(told)))


def replayed(links: list[Link], dice: Random) -> Tampered:
    """The trail of another Center."""
    other = chained(bodies(max(1, len(links) + dice.randint(-2, 2)), "another Center"))
    return Tampered(other, 0, _known(links, 0, dice, at_most=len(other)))


def _known(links: list[Link], at: int, dice: Random, at_most: int | None = None) -> list[Head]:
    """Some heads that clients keep: one at least is of a trail with entry ``at`` (from 0) in it."""
    heads = heads_of(links)
    telling = heads[dice.randint(at + 1, min(len(links), at_most or len(links)))]
    return [telling, *dice.sample(heads, dice.randrange(min(4, len(heads))))]


CHAIN: dict[str, Callable[[list[Link], Random], Tampered]] = {
    "a bit": bit,
    "a number": number,
    "a deletion": deleted,
    "a swap": swapped,
    "an insertion": inserted,
    "a duplicate": duplicated,
}
HEADS: dict[str, Callable[[list[Link], Random], Tampered]] = {
    "a truncation": cut_off,
    "an edit": edited,
    "an entry edited away": edited_away,
    "a rollback": rolled_back,
    "another Center's trail": replayed,
}

KINDS = {**CHAIN, **HEADS}


def assert_found(kind: str, whole: list[Link], heads: list[Head], seed: object) -> None:
    """Tamper with a part of the whole trail, whose heads these are; it is found, and what is called good still is."""
    dice = Random(f"{kind} {seed}")
    tampered = KINDS[kind](whole[: _length(len(whole), dice)], dice)
    links = tampered.links
    if kind != "a number" and dice.random() < 0.3:
        links = imported(exported(links))

    report = verify(links, tampered.heads)

    assert report.problem, f"{kind}, seed {seed}: not found"
    assert report.entries <= tampered.good, f"{kind}, seed {seed}: {report}"
    # An inserted entry whose hash fits is only found by what comes behind it.
    told = heads_of(tampered.links) if kind == "an insertion" else heads
    assert report.head in (heads[report.entries].root, told[report.entries].root), f"{kind}, seed {seed}: {report}"


def _length(longest: int, dice: Random) -> int:
    """Mostly short trails; some that end just around where a tile does."""
    around = [TILE - 1, TILE, TILE + 1, longest]
    return min(longest, dice.choice(around) if dice.random() < 0.02 else dice.randint(2, 24))


def exported(links: Iterable[Link]) -> bytes:
    """The trail as JSON Lines."""
    return "".join(f"{line_of(link)}\n" for link in links).encode()


def imported(data: bytes) -> list[Link]:
    """The trail that a file of JSON Lines holds."""
    return [link_of(line) for line in data.decode("ascii", "replace").removesuffix("\n").split("\n")]
