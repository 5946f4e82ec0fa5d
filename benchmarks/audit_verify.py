"""How fast an audit trail is verified, against a bare loop of SHA-256 over the same entries, in one run.

Verifying hashes each entry twice (for the chain and for the tree) and the tree's nodes once more, and compares; so a
ratio of three would be nothing but hashing. The heads are one at every thousandth entry. Run:
``python benchmarks/audit_verify.py``.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from hashlib import sha256

from clearance.center.audit import GENESIS, Link, body_of, chain, link_of, verify
from clearance.center.audit import line_of as exported
from clearance.center.records import Entry
from clearance.models import Status
from clearance.witness import Head, Tree, leaf

ENTRIES = 100_000
REPEATS = 7
DETAILS = {
    "agent_id": "billing-bot",
    "action_type": "payment.refund",
    "tool_name": "stripe",
    "digest": "d" * 43,
    "view": "f" * 64,
    "decide_by": 1_700_000_900_000_000,
    "policy": "built-in-1",
    "rule": "risk-ask",
    "risk": 45,
}
"""What a submit keeps, whose entries are the longest."""


def a_trail() -> list[Link]:
    links: list[Link] = []
    before = GENESIS
    for seq in range(1, ENTRIES + 1):
        entry = Entry(1_700_000_000_000_000 + seq, "submit", "agent-1", seq, Status.PENDING, dict(DETAILS))
        body = body_of(seq, entry)
        before = chain(before, body)
        links.append(Link(seq, body, before))
    return links


def heads_of(links: list[Link]) -> list[Head]:
    tree, heads = Tree(), []
    for link in links:
        tree.add(leaf(link.body.encode()))
        if link.seq % 1_000 == 0:
            heads.append(tree.head)
    return heads


def bare(links: list[Link]) -> None:
    for link in links:
        sha256(link.body.encode()).hexdigest()


def checked(links: list[Link], heads: list[Head]) -> None:
    assert verify(links, heads).problem is None


def per_second(work: Callable[[], object]) -> float:
    """Entries a second in the best of several runs: the least disturbed one."""
    return ENTRIES / min(timeit.repeat(work, number=1, repeat=REPEATS))


def main() -> None:
    links = a_trail()
    heads, lines = heads_of(links), [exported(link) for link in links]
    base = per_second(lambda: bare(links))
    print(f"bare SHA-256          {base:12,.0f} entries/s")
    works: list[tuple[str, Callable[[], object]]] = [
        ("verify", lambda: checked(links, [])),
        ("with 100 heads", lambda: checked(links, heads)),
        ("from an export", lambda: checked([link_of(line) for line in lines], [])),
    ]
    for name, work in works:
        rate = per_second(work)
        print(f"{name:<21} {rate:12,.0f} entries/s   ratio {base / rate:4.2f}")


if __name__ == "__main__":
    main()
