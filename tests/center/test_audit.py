"""The audit trail: whatever is changed in it afterwards is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.center.desks import Office

from clearance.center.audit import GENESIS, Link, Report, body_of, chain, verify
from clearance.center.records import Entry
from clearance.center.service import Center
from clearance.models import Status


def a_trail(length: int) -> list[Link]:
    """A whole trail."""
    links: list[Link] = []
    head = GENESIS
    for seq in range(1, length + 1):
        body = body_of(seq, Entry(seq, "submit", "agent-1", seq, Status.PENDING, {"digest": f"d{seq}"}))
        head = chain(head, body)
        links.append(Link(seq, body, head))
    return links


trails = st.integers(1, 12).map(a_trail)


@given(trails)
def test_a_trail_that_was_left_alone_is_whole(trail: list[Link]) -> None:
    assert verify(trail) == Report(len(trail), trail[-1].hash)


def test_an_empty_trail_is_whole() -> None:
    assert verify([]) == Report(0, GENESIS)


@given(trails, st.data())
def test_a_flipped_character_is_found_where_it_is(trail: list[Link], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(trail) - 1))
    field = data.draw(st.sampled_from(["body", "hash"]))
    text: str = getattr(trail[at], field)
    where = data.draw(st.integers(0, len(text) - 1))
    flipped = data.draw(st.characters(codec="ascii"))
    assume(flipped != text[where])
    changes: dict[str, Any] = {field: text[:where] + flipped + text[where + 1 :]}
    trail[at] = replace(trail[at], **changes)

    report = verify(trail)

    assert report.entries == at
    assert f"entry {at + 1} does not fit the chain" in (report.problem or "")


@given(st.integers(2, 12).map(a_trail), st.data())
def test_a_missing_entry_is_found(trail: list[Link], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(trail) - 2))
    del trail[at]

    assert verify(trail).problem == f"entry {at + 1} is missing (the next one there is {at + 2})"


@given(st.integers(2, 12).map(a_trail), st.data())
def test_two_swapped_entries_are_found_renumbered_or_not(trail: list[Link], data: st.DataObject) -> None:
    one, other = data.draw(st.lists(st.integers(0, len(trail) - 1), min_size=2, max_size=2, unique=True))
    trail[one], trail[other] = trail[other], trail[one]
    if data.draw(st.booleans()):
        trail = [replace(link, seq=seq) for seq, link in enumerate(trail, 1)]

    report = verify(trail)

    assert report.problem
    assert report.entries == min(one, other)


@given(trails, st.data())
def test_a_duplicated_or_made_up_entry_is_found(trail: list[Link], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(trail) - 1))
    body = data.draw(st.sampled_from([trail[at].body, body_of(at + 1, Entry(1, "approve", "mallory", 1))]))
    trail.insert(at, Link(at + 1, body, data.draw(st.sampled_from([trail[at].hash, "0" * 64]))))
    renumbered = [replace(link, seq=seq) for seq, link in enumerate(trail, 1)]

    assert verify(trail).problem
    assert verify(renumbered).problem


@pytest.mark.parametrize("body", ['{"seq":7}', "{}", "[]", "1", "not JSON", ""])
def test_an_entry_that_fits_the_chain_but_does_not_say_its_number_is_found(body: str) -> None:
    assert verify([Link(1, body, chain(GENESIS, body))]).problem == "entry 1 says that it is another one"


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
    report = center.do(lambda tx: verify(tx.audit()))
    center.close()

    assert says in (report.problem or "")
