"""The audit trail in a store: its tree, the proofs that clients ask for, and its verification against the rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from clearance import lifecycle
from clearance.center import audit
from clearance.center.audit import DAMAGED, Link, Report
from clearance.center.breakglass_trail import BreakGlassTrail
from clearance.center.faults import StoreUnavailable
from clearance.center.policy_trail import PolicyTrail
from clearance.center.records import BY_A_PERSON
from clearance.center.standing.approval import BY_STANDING
from clearance.center.standing.trail import StandingTrail
from clearance.center.store.base import Life, Tx
from clearance.lifecycle import Event
from clearance.models import Status
from clearance.witness import TILE, TILE_HEIGHT, Head, Tree, fold, leaf, proof_of_entry, proof_of_growth

T = TypeVar("T")

AT_ONCE = 20 * TILE
"""Entries that are in memory at a time."""
LIVES_AT_ONCE = 500
"""Actions whose entries are in memory at a time."""


class Worker(Protocol):
    """Runs one transaction and waits for it, as a Center does."""

    def do(self, work: Callable[[Tx], T]) -> T:
        """Run it."""
        ...


def last_time(tx: Tx) -> int:
    """When the newest entry was made, in microseconds since 1970; 0 if there is none.

    An entry of an unknown form counts as none: whether the trail is sound is for `verify` to say.
    """
    newest = list(tx.audit(after=max(tx.audit_length() - 1, 0)))
    try:
        at = json.loads(newest[-1].body)["at"] if newest else 0
    except (ValueError, KeyError, TypeError):
        return 0
    return at if type(at) is int else 0


def tree(tx: Tx) -> Tree:
    """The tree over all entries."""
    return Tree.load(tx.audit_length(), lambda start, size: _subtree(tx, start, size))


def grown(tx: Tx, before: Tree, appended: Mapping[int, bytes]) -> Tree:
    """The tree with what came in since.

    Args:
        tx: where others' entries are read, if there are any before its own.
        before: the tree as it was.
        appended: the hashes of the entries that this transaction added, by their numbers.

    Raises:
        StoreUnavailable: it did not come in behind what was there, so that is gone.
    """
    after = before.copy()
    is_all = before.entries + 1 in appended
    since = appended.items() if is_all else ((link.seq, _leaf(link)) for link in tx.audit(after=before.entries))
    for seq, digest in since:
        if seq != after.entries + 1:
            raise StoreUnavailable(DAMAGED)
        after.add(digest)
    if after.entries == before.entries:
        raise StoreUnavailable(DAMAGED)
    return after


def growth(tx: Tx, earlier: int, later: int | None = None) -> tuple[Head, list[bytes]]:
    """The head of ``later`` entries, or as it stands, and what shows that it continues that of ``earlier`` entries.

    A trail that is shorter than asked for has the head that it has; where nothing can be shown, the proof is empty.
    """

    def subtree(start: int, size: int) -> bytes:
        return _subtree(tx, start, size)

    length = tx.audit_length()
    head = Tree.load(length if later is None else min(later, length), subtree).head
    if not 0 < earlier < head.entries:
        return head, []
    return head, proof_of_growth(earlier, head.entries, subtree)


def place_of(tx: Tx, seq: int) -> tuple[Head, list[bytes]]:
    """The head as it was when entry ``seq`` was the newest, and what shows that the entry is under it."""

    def subtree(start: int, size: int) -> bytes:
        return _subtree(tx, start, size)

    return Tree.load(seq, subtree).head, proof_of_entry(seq - 1, seq, subtree)


def pages(center: Worker, after: int = 0) -> Iterator[Link]:
    """All entries behind ``after``. Each page is a transaction of its own, so that nobody is held up."""
    while True:
        page = center.do(partial(_page, after=after))
        yield from page
        if len(page) < AT_ONCE:  # what comes in from now on is not waited for
            return
        after = page[-1].seq


def verify(center: Worker, heads: Iterable[Head] = ()) -> Report:
    """Verify the whole trail, what is kept of its tree, and that every action and policy stands as the trail says.

    The Center may go on writing meanwhile.
    """
    policies, standing, glasses = PolicyTrail(), StandingTrail(), BreakGlassTrail()
    noted = glasses.noting(standing.noting(policies.noting(pages(center))))
    report = audit.verify(noted, heads, _kept_nodes(center))
    problem = report.problem or glasses.problem or center.do(_problem_of_count) or _problem_of_lives(center)
    problem = problem or center.do(lambda tx: policies.problem(tx, report.entries))
    problem = problem or center.do(lambda tx: standing.problem(tx, report.entries))
    return Report(report.entries, report.head, problem)


def _subtree(tx: Tx, start: int, size: int) -> bytes:
    """The hash over a whole subtree, from the largest nodes that are kept."""
    level, width = 0, 1
    while width * TILE <= size:
        level, width = level + 1, width << TILE_HEIGHT
    first, count = start // width, size // width
    if level:
        parts = tx.audit_nodes(level, first, count)
    else:
        links = [link for link in tx.audit(after=first, limit=count) if link.seq <= first + count]
        parts = [_leaf(link) for link in links]
    if len(parts) != count:
        raise StoreUnavailable(DAMAGED)
    return fold(parts)


def _leaf(link: Link) -> bytes:
    return leaf(link.body.encode())


def _kept_nodes(center: Worker) -> audit.Nodes:
    """The nodes that are kept, read a page at a time."""
    read: dict[int, tuple[int, list[bytes]]] = {}

    def node(level: int, position: int) -> bytes | None:
        first, page = read.get(level, (0, []))
        if not first <= position < first + len(page):
            first, page = position, center.do(lambda tx: tx.audit_nodes(level, position, TILE))
            read[level] = first, page
        return page[position - first] if page else None

    return node


def _problem_of_count(tx: Tx) -> str | None:
    """Nodes that are kept, although no entries are there for them."""
    kept, possible = tx.audit_node_count(), 0  # in this order, as a Center may go on writing
    span = tx.audit_length() // TILE
    while span:
        possible, span = possible + span, span // TILE
    return f"{kept} hashes over entries are kept, and there can be {possible}" if kept > possible else None


def _problem_of_lives(center: Worker) -> str | None:
    """What does not agree between the actions and the entries about them."""
    for life in _lives(center):
        if (problem := _problem_of(life)) is not None:
            return problem
    stray = center.do(lambda tx: tx.stray_entry())
    return None if stray is None else f"entry {stray} is about an action that is not there, or not kept as one of it"


def _page(tx: Tx, after: int) -> list[Link]:
    return list(tx.audit(after=after, limit=AT_ONCE))


def _page_of_lives(tx: Tx, after: int) -> list[Life]:
    return tx.lives(after=after, limit=LIVES_AT_ONCE)


def _lives(center: Worker) -> Iterator[Life]:
    after = 0
    while True:
        page = center.do(partial(_page_of_lives, after=after))
        yield from page
        if len(page) < LIVES_AT_ONCE:
            return
        after = page[-1].action_id


def _problem_of(life: Life) -> str | None:
    status: Status | None = None
    agreement = _Agreement()
    for link in life.entries:
        try:
            entry = json.loads(link.body)
            if entry["action_id"] != life.action_id:
                return f"entry {link.seq} is kept as one of action {life.action_id}, and says that it is none"
            status = _after(status, entry)
            problem = agreement.problem_after(entry)
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"entry {link.seq} tells what cannot happen to action {life.action_id}, which was {status or 'new'}"
        if problem is not None:
            return f"action {life.action_id} was approved {problem}, as entry {link.seq} tells"
    if status is not life.status:
        return f"action {life.action_id} is kept as {life.status}, but by the trail it is {status or 'not there'}"
    return None


class _Agreement:
    """What the entries tell of how people approved an action."""

    def __init__(self) -> None:
        self._quorums = [1]
        self._barred: set[str] = set()
        self._said: Counter[int] = Counter()

    def problem_after(self, entry: Any) -> str | None:
        """What is wrong with an approval: each is somebody else's, never the requester's, and all come together."""
        event, details = entry["event"], entry.get("details") or {}
        if event == "submit":
            self._barred = {entry["actor"]}
            self._quorums = [stage["quorum"] for stage in details.get("stages", ())] or [1]
        if event == Event.APPROVE and details.get("reason_code") == BY_STANDING:
            return self._problem_in_advance(details["standing"]["maker"])
        if event not in (Event.VOTE, Event.APPROVE) or details.get("reason_code", BY_A_PERSON) != BY_A_PERSON:
            return None
        if entry["actor"] in self._barred:
            return f"by {entry['actor']}, who had no voice in it"
        self._barred.add(entry["actor"])
        self._said[details.get("stage", 0)] += 1
        is_reached = [self._said[number] for number in range(len(self._quorums))] == self._quorums
        return "without all who had to agree" if event == Event.APPROVE and not is_reached else None

    def _problem_in_advance(self, maker: str) -> str | None:
        """What is wrong with an answer in the place of somebody: of one person, who is not the requester."""
        if maker in self._barred:
            return f"in advance by {maker}, who had no voice in it"
        return None if self._quorums == [1] else "in advance, where several had to agree"


def _after(status: Status | None, entry: Any) -> Status:
    """How the action stands after an entry about it.

    Raises:
        ValueError: the lifecycle has no such step, or the entry does not say where it leads.
    """
    event = entry["event"]
    if event == "submit":
        leads_to = Status.PENDING if status is None else None
    elif event in Event._value2member_map_ and status is not None:
        leads_to = lifecycle.after(status, Event(event))
    else:  # an entry that tells of something, and moves nothing
        leads_to = status
    if leads_to is None or entry["status"] != leads_to.value:
        raise ValueError(event)
    return leads_to
