"""The trail in a store: its tree, the head that goes out, the proofs, and that all of it agrees with the entries."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from tests.center.desks import CAROL, Office
from tests.center.trails import chained, heads_of

from clearance import witness
from clearance.center import audit, trail
from clearance.center.audit import body_of
from clearance.center.faults import StoreUnavailable
from clearance.center.records import Entry, Role
from clearance.center.service import Center
from clearance.center.store import sql, tables
from clearance.center.store.base import Life, Tx
from clearance.center.store.sqlite import open_store
from clearance.models import Status
from clearance.witness import TILE, Head, continues, leaf, root_over

T = TypeVar("T")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "center.db"


@pytest.fixture
def office(database: Path) -> Iterator[Office]:
    office = Office(database)
    yield office
    office.close()


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four entries to a node, so that a short trail has nodes of every level."""
    for module in (witness, audit, trail, sql, tables):
        monkeypatch.setattr(module, "TILE", 4)
        if hasattr(module, "TILE_HEIGHT"):
            monkeypatch.setattr(module, "TILE_HEIGHT", 2)


def append(office: Office, count: int) -> None:
    """That many entries, in one transaction."""

    def work(tx: Tx) -> None:
        for number in range(count):
            tx.append(Entry(number, "key.created", "local"))

    office.do(work)


def handed_out(office: Office) -> list[Head]:
    """The heads as they must be, at every length; the newest is the one that the store hands out."""
    heads = heads_of(office.trail())
    assert office.store.head == heads[-1]
    return heads


def tamper(database: Path, *statements: str) -> None:
    """Change the database behind the Center's back."""
    with closing(sqlite3.connect(database)) as raw, raw:
        for statement in statements:
            raw.execute(statement)


# The head that goes out


def test_a_new_store_hands_out_the_head_of_nothing(office: Office) -> None:
    assert office.store.head == Head(0, heads_of([])[0].root)


@pytest.mark.parametrize("counts", [(1, 1, 1), (3, 255, 1), (TILE, TILE), (2 * TILE + 7, 1), (TILE - 1, 2, 300)])
def test_the_head_is_of_all_that_is_durable_and_the_same_after_opening_again(
    office: Office, database: Path, counts: tuple[int, ...]
) -> None:
    for count in counts:
        append(office, count)
        assert handed_out(office)[-1].entries == len(office.trail())
    head = office.store.head
    office.close()
    store = open_store(database)
    assert store.head == head
    store.close()


def test_what_is_undone_is_in_no_head(office: Office) -> None:
    def half(tx: Tx) -> None:
        tx.append(Entry(1, "key.created", "local"))
        raise LookupError

    with pytest.raises(LookupError):
        office.do(half)
    append(office, 1)

    assert handed_out(office)[-1].entries == 1


def test_a_commit_that_fails_is_in_no_head(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    append(office, 3)

    def refuse(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def broken(tx: Tx) -> None:
        assert isinstance(tx, sql.SqlTx)
        tx.append(Entry(1, "key.created", "local"))
        failing.setattr(tx._connection.dialect, "do_commit", refuse)

    with monkeypatch.context() as failing, pytest.raises(StoreUnavailable):
        office.do(broken)
    assert handed_out(office)[-1].entries == 3

    append(office, 1)

    assert handed_out(office)[-1].entries == 4


def test_the_head_takes_in_what_another_process_wrote(office: Office, database: Path) -> None:
    append(office, 5)
    body = body_of(6, Entry(1, "key.created", "another process"))
    before = office.trail()[-1].hash
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("INSERT INTO audit VALUES (6, NULL, ?, ?)", (body, audit.chain(before, body)))

    append(office, 2)

    assert handed_out(office)[-1].entries == 8
    assert trail.verify(office).problem is None


@pytest.mark.parametrize("gone", [1, 2, 5])
def test_a_trail_that_is_shorter_than_a_head_that_was_handed_out_is_not_continued(
    office: Office, database: Path, gone: int
) -> None:
    record = office.submit()
    append(office, 9)
    head = office.store.head
    tamper(database, "DROP TRIGGER audit_no_delete", f"DELETE FROM audit WHERE seq > {10 - gone}")

    for _ in range(gone + 2):
        with pytest.raises(StoreUnavailable, match="audit trail is damaged"):
            office.approve(record)

    assert office.stored(record).status is Status.PENDING
    assert len(office.trail()) == 10 - gone
    assert office.store.head == head


# The nodes that are kept


@pytest.mark.usefixtures("small_tiles")
def test_the_nodes_are_kept_as_they_become_complete(office: Office) -> None:
    levels: dict[int, int] = {}
    for entries in range(1, 4**4 + 2):
        append(office, 1)
        kept = office.do(lambda tx: [tx.audit_nodes(level, 0, 1000) for level in range(1, 6)])
        levels = {level: len(nodes) for level, nodes in enumerate(kept, 1)}
        assert levels == {level: entries // 4**level for level in range(1, 6)}
    assert levels[4] == 1
    assert trail.verify(office).problem is None
    handed_out(office)


@pytest.mark.usefixtures("small_tiles")
def test_an_older_database_gets_its_nodes_when_it_is_opened(database: Path) -> None:
    office = Office(database)
    append(office, 150)
    kept = office.do(lambda tx: [tx.audit_nodes(level, 0, 1000) for level in range(1, 5)])
    office.close()
    tamper(database, "DROP TABLE audit_nodes", "DELETE FROM schema_steps WHERE number >= 2")

    office = Office(database)

    assert office.do(lambda tx: [tx.audit_nodes(level, 0, 1000) for level in range(1, 5)]) == kept
    assert trail.verify(office).problem is None
    append(office, 10)
    handed_out(office)
    assert trail.verify(office).problem is None
    office.close()


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize(
    ("tampering", "says"),
    [
        (f"UPDATE audit_nodes SET hash = '{'0' * 64}' WHERE level = 1 AND position = 2", "over entries 9 to 12"),
        (f"UPDATE audit_nodes SET hash = '{'0' * 64}' WHERE level = 2 AND position = 1", "over entries 17 to 32"),
        ("DELETE FROM audit_nodes WHERE level = 3", "over entries 1 to 64"),
        ("DELETE FROM audit_nodes WHERE level = 1 AND position = 3", "over entries 13 to 16"),
        ("UPDATE audit_nodes SET position = 20 WHERE level = 1 AND position = 16", "over entries 65 to 68"),
        ("UPDATE audit_nodes SET position = position + 1 WHERE level = 2 AND position = 3", "over entries 49 to 64"),
        ("UPDATE audit_nodes SET level = 9 WHERE level = 3", "over entries 1 to 64"),
        (
            f"INSERT INTO audit_nodes VALUES (1, 17, '{'0' * 64}')",
            "23 hashes over entries are kept, and there can be 22",
        ),
    ],
)
def test_a_node_that_was_changed_is_found(office: Office, database: Path, tampering: str, says: str) -> None:
    append(office, 70)

    tamper(database, tampering)

    assert says in (trail.verify(office).problem or "")


@pytest.mark.parametrize("tampering", ["DELETE FROM audit_nodes", "DELETE FROM audit WHERE seq = 300"])
def test_a_trail_whose_tree_is_damaged_can_be_looked_at_and_nothing_more_is_kept(
    database: Path, tampering: str, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office(database)
    record = office.submit()
    append(office, 300)
    office.close()
    tamper(database, "DROP TRIGGER audit_no_delete", tampering)

    with caplog.at_level(logging.ERROR, "clearance.center"):
        office = Office(database)

    assert "The audit trail is damaged: run `clearance audit verify`" in caplog.text
    assert office.store.head is None
    assert office.stored(record).status is Status.PENDING
    with pytest.raises(StoreUnavailable, match="audit trail is damaged"):
        office.submit()
    with pytest.raises(StoreUnavailable, match="audit trail is damaged"):
        office.approve(record)
    assert office.stored(record).status is Status.PENDING
    assert trail.verify(office).problem
    office.close()


def test_a_tile_that_lacks_an_entry_gets_no_node(office: Office, database: Path) -> None:
    append(office, TILE - 1)
    tamper(database, "DROP TRIGGER audit_no_delete", "DELETE FROM audit WHERE seq = 7")

    with pytest.raises(StoreUnavailable, match="audit trail is damaged"):
        append(office, 1)

    assert len(office.trail()) == TILE - 2


# Proofs


@pytest.mark.usefixtures("small_tiles")
def test_every_head_is_proven_to_be_continued(office: Office) -> None:
    append(office, 150)
    heads, dice = handed_out(office), Random(1)
    for earlier in range(151):
        later = dice.choice([None, dice.randint(earlier, 150)])
        head, proof = office.do(partial(trail.growth, earlier=earlier, later=later))
        assert head == heads[150 if later is None else later]
        assert continues(heads[earlier], head, proof)


def test_a_long_trail_is_proven_from_the_nodes_that_are_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    append(office, 5 * TILE + 30)
    heads = handed_out(office)
    read = []
    audit_of_store = sql.SqlTx.audit

    def counted(tx: sql.SqlTx, *, after: int = 0, limit: int | None = None) -> Iterator[audit.Link]:
        for link in audit_of_store(tx, after=after, limit=limit):
            read.append(link)
            yield link

    monkeypatch.setattr(sql.SqlTx, "audit", counted)
    head, proof = office.do(lambda tx: trail.growth(tx, 2 * TILE + 11))

    assert continues(heads[2 * TILE + 11], head, proof)
    assert len(read) <= 2 * TILE  # the two tiles that are not whole on both sides, and no more


@pytest.mark.parametrize("earlier", [0, 5, 6, 10**17])
def test_a_head_of_nothing_and_a_later_one_than_there_is_are_given_no_proof(office: Office, earlier: int) -> None:
    append(office, 5)

    assert office.do(lambda tx: trail.growth(tx, earlier)) == (handed_out(office)[5], [])


def test_a_proof_is_of_the_trail_as_it_was_then(office: Office) -> None:
    append(office, 20)
    heads = handed_out(office)

    head, proof = office.do(lambda tx: trail.growth(tx, 3, 11))

    assert head == heads[11]
    assert continues(heads[3], heads[11], proof)
    assert office.do(lambda tx: trail.growth(tx, 3, 10**9))[0] == heads[20]


@pytest.mark.usefixtures("small_tiles")
def test_an_entry_is_proven_to_be_the_newest_under_its_head(office: Office) -> None:
    append(office, 100)
    heads = handed_out(office)
    for link in office.trail():
        head, proof = office.do(partial(trail.place_of, seq=link.seq))
        assert head == heads[link.seq]
        root = root_over(leaf(link.body.encode()), link.seq - 1, link.seq, proof)
        assert root is not None
        assert root.hex() == head.root


# Reading and verifying


def test_all_entries_are_read_a_page_at_a_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "AT_ONCE", 7)
    append(office, 30)

    assert list(trail.pages(office)) == office.trail()
    assert list(trail.pages(office, after=27)) == office.trail()[27:]
    assert list(trail.pages(office, after=99)) == []


def test_a_trail_that_goes_on_while_it_is_verified_is_whole(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is read on its own, and between two of them anything can happen."""
    monkeypatch.setattr(trail, "AT_ONCE", TILE)
    monkeypatch.setattr(trail, "LIVES_AT_ONCE", 2)
    append(office, 3 * TILE)
    known = office.store.head
    records = [office.submit() for _ in range(6)]

    class Busy:
        def do(self, work: Callable[[Tx], T]) -> T:
            found = office.do(work)
            append(office, 1)
            if records:
                office.approve(records.pop())
            return found

    assert known is not None
    report = trail.verify(Busy(), [known])

    assert report.problem is None
    assert report.entries > known.entries


def test_every_way_that_an_action_ends_agrees_with_its_entries(office: Office) -> None:
    for status in Status:
        office.at(status)
    assert trail.verify(office).problem is None

    approved = office.at(Status.APPROVED)
    office.do(lambda tx: tx.save_action(replace(approved, status=Status.REVOKED)))  # behind the trail's back
    assert "is kept as revoked, but by the trail it is approved" in (trail.verify(office).problem or "")


def life(*entries: Entry, status: Status = Status.PENDING) -> Life:
    """Action 1, with these entries."""
    return Life(1, status, tuple(chained(body_of(seq, entry) for seq, entry in enumerate(entries, 1))))


SUBMITTED = Entry(1, "submit", "a", 1, Status.PENDING)
APPROVED = Entry(2, "approve", "b", 1, Status.APPROVED)
STAGES: dict[str, object] = {"stages": [{"quorum": 1}, {"quorum": 2}]}
TOGETHER = Entry(1, "submit", "a", 1, Status.PENDING, STAGES)


def vote(seq: int, who: str, stage: int) -> Entry:
    """One approval of several."""
    return Entry(seq, "vote", who, 1, Status.PENDING, {"stage": stage})


def last_vote(seq: int, who: str, stage: int) -> Entry:
    """The approval that clears it."""
    return Entry(seq, "approve", who, 1, Status.APPROVED, {"stage": stage, "reason_code": "approver"})


CANNOT = "tells what cannot happen to action 1, which was"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (life(SUBMITTED), None),
        (life(SUBMITTED, Entry(2, "vote", "b", 1, Status.PENDING)), None),
        (life(SUBMITTED, APPROVED, Entry(2, "refused", "b", 1, Status.APPROVED), status=Status.APPROVED), None),
        (life(status=Status.APPROVED), "action 1 is kept as approved, but by the trail it is not there"),
        (life(APPROVED, status=Status.APPROVED), f"entry 1 {CANNOT} new"),
        (life(SUBMITTED, SUBMITTED), f"entry 2 {CANNOT} pending"),
        (life(SUBMITTED, Entry(2, "claim", "a", 1, Status.EXECUTING)), f"entry 2 {CANNOT} pending"),
        (life(SUBMITTED, Entry(2, "approve", "b", 1, Status.DENIED)), f"entry 2 {CANNOT} pending"),
        (life(SUBMITTED, Entry(2, "approve", "b", 1)), f"entry 2 {CANNOT} pending"),
        (life(SUBMITTED, Entry(2, "refused", "b", 1, Status.APPROVED)), f"entry 2 {CANNOT} pending"),
        (life(SUBMITTED, APPROVED, APPROVED, status=Status.APPROVED), f"entry 3 {CANNOT} approved"),
        (life(TOGETHER, vote(2, "b", 0), vote(3, "c", 1), last_vote(4, "d", 1), status=Status.APPROVED), None),
        (
            life(TOGETHER, vote(2, "b", 0), last_vote(3, "c", 1), status=Status.APPROVED),
            "action 1 was approved without all who had to agree, as entry 3 tells",
        ),
        (
            life(TOGETHER, vote(2, "b", 0), vote(3, "c", 1), last_vote(4, "b", 1), status=Status.APPROVED),
            "action 1 was approved by b, who had no voice in it, as entry 4 tells",
        ),
        (
            life(SUBMITTED, last_vote(2, "a", 0), status=Status.APPROVED),
            "action 1 was approved by a, who had no voice in it, as entry 2 tells",
        ),
        (life(Entry(1, "submit", "a", 1, Status.PENDING, {"stages": [1]})), f"entry 1 {CANNOT} pending"),
        (life(Entry(1, "submit", "a", 2, Status.PENDING)), "entry 1 is kept as one of action 1, and says that it is "),
        (Life(1, Status.PENDING, tuple(chained(["not JSON"]))), f"entry 1 {CANNOT} new"),
    ],
)
def test_a_state_is_what_the_entries_make_it(found: Life, says: str | None) -> None:
    problem = trail._problem_of(found)

    assert problem == says or (says and (problem or "").startswith(says))


def test_the_file_of_a_center_that_was_verified_is_as_it_was(database: Path) -> None:
    center = Center.open(database)
    center.create_key(Role.ADMIN, CAROL.name)
    before = list(trail.pages(center))
    assert trail.verify(center).problem is None
    assert list(trail.pages(center)) == before
    center.close()
