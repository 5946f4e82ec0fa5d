"""The audit trail: whatever is changed in it afterwards is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.center.desks import Office
from tests.center.trails import HEADS, KINDS, a_trail, assert_found, bodies, chained, exported, heads_of, imported

from clearance.center import trail as trails_of
from clearance.center.audit import GENESIS, Link, Report, body_of, chain, line_of, link_of, verify
from clearance.center.faults import Conflict
from clearance.center.records import Entry
from clearance.center.service import Center
from clearance.models import Status
from clearance.witness import TILE, Head, Tree

LONG = 2 * TILE + 20
WHOLE = a_trail(LONG)
WHOLE_HEADS = heads_of(WHOLE)
short_trails = st.integers(1, 12).map(a_trail)


@given(short_trails)
def test_a_trail_that_was_left_alone_is_whole(trail: list[Link]) -> None:
    assert verify(trail) == Report(len(trail), heads_of(trail)[-1].root)


def test_an_empty_trail_is_whole() -> None:
    assert verify([]) == Report(0, Tree().head.root)


@pytest.mark.parametrize("length", [TILE - 1, TILE, TILE + 1, 2 * TILE, LONG])
def test_a_long_trail_that_was_left_alone_is_whole_at_every_head_of_it(length: int) -> None:
    assert verify(WHOLE[:length]) == Report(length, WHOLE_HEADS[length].root)
    assert verify(WHOLE[:length], WHOLE_HEADS[: length + 1]) == Report(length, WHOLE_HEADS[length].root)


@pytest.mark.parametrize("kind", KINDS)
def test_every_tampered_trail_is_found_and_what_is_called_good_is(kind: str) -> None:
    """So many that each way of tampering is tried everywhere; the campaign has a hundred thousand."""
    for seed in range(100):
        assert_found(kind, WHOLE, WHOLE_HEADS, seed)


@pytest.mark.parametrize("kind", HEADS)
def test_what_only_a_head_shows_is_whole_without_one(kind: str) -> None:
    """So the test above tests the heads, and not the chain once more."""
    for seed in range(50):
        tampered = HEADS[kind](WHOLE[:30], Random(seed))
        assert verify(tampered.links).problem is None


def test_every_bit_of_an_exported_trail_counts() -> None:
    data = exported(WHOLE[:4])
    assert verify(imported(data)).problem is None
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        assert verify(imported(bytes(flipped)), WHOLE_HEADS[4:5]).problem, at


# What the report says


@given(short_trails, st.data())
def test_a_flipped_character_is_found_where_it_is(trail: list[Link], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(trail) - 1))
    field = data.draw(st.sampled_from(["body", "hash"]))
    text: str = getattr(trail[at], field)
    where = data.draw(st.integers(0, len(text) - 1))
    flipped = data.draw(st.characters())
    assume(flipped != text[where])
    changes: dict[str, Any] = {field: text[:where] + flipped + text[where + 1 :]}
    trail[at] = replace(trail[at], **changes)

    report = verify(trail)

    assert report.entries == at
    assert f"entry {at + 1} does not fit the chain" in (report.problem or "")


@pytest.mark.parametrize(
    ("spoil", "entries", "says"),
    [
        (lambda links: links[:3] + links[4:], 3, "entry 4 is missing (the next one there is 5)"),
        (lambda links: links[:4] + links[3:], 4, "entry 5 is missing (there is 4 in its place)"),
        (lambda links: links[:9], 9, "entry 10 is missing: there was a head of 10 entries"),
        (lambda links: links[:3], 3, "entries 4 to 10 are missing: there was a head of 10 entries"),
        (
            lambda _: chained(bodies(4) + bodies(10, "another")[4:]),
            0,
            "a head of 10 entries was another: something in entries 1 to 10 was changed, or this is another trail",
        ),
    ],
)
def test_the_report_says_which_entry_it_is(spoil: Callable[[list[Link]], list[Link]], entries: int, says: str) -> None:
    report = verify(spoil(a_trail(10)), WHOLE_HEADS[10:11])

    assert (report.entries, report.problem) == (entries, says)
    assert report.head == WHOLE_HEADS[entries].root


def test_more_heads_narrow_down_where_it_was_changed() -> None:
    forged = chained(bodies(4) + bodies(10, "another")[4:])

    assert "entries 5 to 10 " in (verify(forged, [WHOLE_HEADS[4], WHOLE_HEADS[10]]).problem or "")
    assert "entry 5 was changed" in (verify(forged, WHOLE_HEADS[:11]).problem or "")
    assert verify(forged, WHOLE_HEADS[:11]).entries == 4


def test_two_heads_of_one_length_cannot_both_be_right() -> None:
    other = replace(WHOLE_HEADS[5], root="0" * 64)

    assert verify(WHOLE[:9], [WHOLE_HEADS[5], other]).problem
    assert verify(WHOLE[:9], [other, WHOLE_HEADS[5]]).problem


@pytest.mark.parametrize("head", [Head(0, "0" * 64), Head(1, Tree().head.root)])
def test_a_head_that_no_trail_can_have_is_not_passed_over(head: Head) -> None:
    assert verify([], [head]).problem
    assert verify(WHOLE[:3], [head]).problem


FIRST = '{"actor":"a","at":1,"event":"e","seq":1}'


@pytest.mark.parametrize(
    "body",
    [
        '{"seq":7}',
        "{}",
        "[]",
        "1",
        "not JSON",
        "",
        FIRST.replace('"seq":1', '"seq":10'),
        FIRST.replace('"seq":1', '"seq":1.0'),
        FIRST.replace('"seq":1', '"seq":"1"'),
        FIRST.replace('"seq":1', '"seq":01'),
        FIRST.replace('"seq":1', '"seq":1,'),
        FIRST.replace('"seq":1', '"seq":2,"status":"pending"'),
        FIRST.replace('"seq":1', '"seq":1,"status":"cleared"'),
        FIRST.replace('"seq":1', '"seq":2,"zzz":{"a":0,"seq":1}'),
        FIRST.replace('"seq":1', '"seq":2,"zzz":",\\"seq\\":1"'),
        FIRST + " ",
        FIRST[:-1],
        ',"seq":1}',
        ',"seq":1',
    ],
)
def test_an_entry_that_fits_the_chain_but_does_not_say_its_number_is_found(body: str) -> None:
    assert verify([Link(1, body, chain(GENESIS, body))]).problem == "entry 1 says that it is another one"


@given(
    st.builds(
        Entry,
        st.integers(0, 2**60),
        st.text(),
        st.text(),
        st.none() | st.integers(1, 2**40),
        st.none() | st.sampled_from(Status),
        st.none() | st.dictionaries(st.text(), st.text() | st.integers() | st.dictionaries(st.text(), st.text())),
    ),
    st.integers(1, 3),
)
def test_whatever_an_entry_tells_it_is_found_to_say_its_number_and_no_other(entry: Entry, number: int) -> None:
    own = chained([*bodies(number - 1), body_of(number, entry)])
    others = chained([*bodies(number - 1), body_of(number + 1, entry)])

    assert verify(own).problem is None
    assert verify(others).problem == f"entry {number} says that it is another one"
    assert link_of(line_of(own[-1])) == own[-1]


# The database


@pytest.mark.parametrize(
    "change", ["UPDATE audit SET body = '{}'", "DELETE FROM audit", "REPLACE INTO audit SELECT * FROM audit"]
)
def test_the_database_itself_refuses_to_change_the_trail(tmp_path: Path, change: str) -> None:
    office = Office(tmp_path / "center.db")
    office.submit()
    office.close()

    with closing(sqlite3.connect(tmp_path / "center.db")) as raw:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(change)
        assert raw.execute("SELECT count(*) FROM audit").fetchone() == (1,)


@pytest.mark.parametrize(
    ("tampering", "says"),
    [
        ("UPDATE audit SET body = replace(body, 'admin-1', 'admin-2') WHERE seq = 2", "entry 2 does not fit"),
        ("DELETE FROM audit WHERE seq = 1", "entry 1 is missing"),
        ("UPDATE audit SET hash = upper(hash) WHERE seq = 3", "entry 3 does not fit"),
        ("DELETE FROM audit WHERE seq = 4", "action 2 is kept as pending, but by the trail it is not there"),
        ("UPDATE actions SET status = 'approved' WHERE id = 2", "action 2 is kept as approved, but by the trail it is"),
        ("UPDATE actions SET status = 'pending' WHERE id = 1", "action 1 is kept as pending, but by the trail it is w"),
        ("DELETE FROM actions WHERE id = 2", "entry 4 is about an action that is not there"),
        ("UPDATE audit SET action_id = 1 WHERE seq = 4", "entry 4 is kept as one of action 1, and says that it is no"),
    ],
)
def test_who_gets_around_the_database_is_found_all_the_same(tmp_path: Path, tampering: str, says: str) -> None:
    office = Office(tmp_path / "center.db")
    office.withdraw(office.approve(office.submit()))
    office.submit()
    office.close()
    with closing(sqlite3.connect(tmp_path / "center.db")) as raw, raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("DROP TRIGGER audit_no_delete")
        raw.execute(tampering)

    center = Center.open(tmp_path / "center.db")
    report = trails_of.verify(center)
    center.close()

    assert says in (report.problem or "")


def test_an_entry_that_moves_nothing_cannot_be_taken_from_its_action(tmp_path: Path) -> None:
    office = Office(tmp_path / "center.db")
    with pytest.raises(Conflict):
        office.claim(office.submit())
    assert trails_of.verify(office).problem is None
    with closing(sqlite3.connect(tmp_path / "center.db")) as raw, raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("UPDATE audit SET action_id = NULL WHERE seq = 2")

    problem = trails_of.verify(office).problem
    office.close()

    assert problem == "entry 2 is about an action that is not there, or not kept as one of it"
