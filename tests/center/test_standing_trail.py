"""What the audit trail tells of standing approvals is held against what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import AGENT, CAROL, Office
from tests.center.standing import REFUND, allow, end, hire
from tests.center.stores import by_hand
from tests.center.trails import chained

from clearance.center import trail
from clearance.center.audit import Link
from clearance.center.standing.trail import StandingTrail
from clearance.center.store.base import Tx


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "center.db")
    hire(office)
    seen = office.submit(REFUND)
    first = allow(office, seen, uses=3)
    office.submit(REFUND)
    office.submit(REFUND)
    end(office, first)
    allow(office, seen)
    yield office
    office.close()


def test_what_happened_to_them_verifies(office: Office) -> None:
    assert trail.verify(office).problem is None


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("SET used = 1 WHERE id = 1", "standing approval 1 is kept as used 1 times, and by the trail it was 2 times"),
        ("SET used = 1 WHERE id = 2", "standing approval 2 is kept as used 1 times, and by the trail it was 0 times"),
        ("SET uses = 900 WHERE id = 2", "standing approval 2 is not kept as it was made"),
        ("SET ends_at = ends_at + 1 WHERE id = 2", "standing approval 2 is not kept as it was made"),
        ("SET requester = 'agent-2' WHERE id = 2", "standing approval 2 is not kept as it was made"),
        (
            "SET document = json_set(document, '$.tool_name', 'paypal') WHERE id = 2",
            "standing approval 2 is not kept as it was made",
        ),
        (
            "SET revoked_at = NULL WHERE id = 1",
            "standing approval 1 is kept as not revoked, and the trail tells otherwise",
        ),
        ("SET revoked_at = 5 WHERE id = 2", "standing approval 2 is kept as revoked, and the trail tells otherwise"),
        (
            "SET revoked_by = 'dave' WHERE id = 1",
            "standing approval 1 is kept as revoked, and the trail tells otherwise",
        ),
        ("SET id = 9 WHERE id = 2", "standing approval 9 is kept, and no entry tells that it was made"),
    ],
)
def test_a_row_that_was_changed_behind_the_centers_back_is_found(
    office: Office, tmp_path: Path, statement: str, problem: str
) -> None:
    with by_hand(str(tmp_path / "center.db")) as execute:
        execute(f"UPDATE standing_approvals {statement}")

    assert trail.verify(office).problem == problem


def test_one_that_is_gone_is_found(office: Office, tmp_path: Path) -> None:
    with by_hand(str(tmp_path / "center.db")) as execute:
        execute("DELETE FROM standing_approvals WHERE id = 2")

    assert trail.verify(office).problem == "standing approval 2 is gone; the trail tells of it"


def test_one_that_was_put_in_by_hand_is_found(office: Office, tmp_path: Path) -> None:
    columns = "requester, ends_at, uses, used, revoked_at, revoked_by, document"
    with by_hand(str(tmp_path / "center.db")) as execute:
        execute(f"INSERT INTO standing_approvals ({columns}) SELECT {columns} FROM standing_approvals WHERE id = 2")

    assert trail.verify(office).problem == "standing approval 3 is kept, and no entry tells that it was made"


# A trail whose chain fits, for whoever wrote it anew could compute that; what it tells cannot have happened.


def retold(office: Office, change: Callable[[list[dict[str, Any]]], None]) -> list[Link]:
    """The trail as it would be with other entries."""
    entries = [json.loads(link.body) for link in office.trail()]
    change(entries)
    bodies = [
        json.dumps({**entry, "seq": seq}, sort_keys=True, separators=(",", ":")) for seq, entry in enumerate(entries, 1)
    ]
    return chained(bodies)


def problem_of(office: Office, links: list[Link]) -> str | None:
    """What is wrong with what it tells."""
    standing = StandingTrail()
    assert list(standing.noting(links)) == links

    def look(tx: Tx) -> str | None:
        return standing.problem(tx, len(links))

    return office.do(look)


def uses(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries of the decisions that one of them made."""
    return [entry for entry in entries if str(entry["actor"]).startswith("standing:")]


def of(entry: dict[str, Any]) -> dict[str, Any]:
    """Its details on the standing approval."""
    found = entry["details"]["standing"]
    assert isinstance(found, dict)
    return found


def once_more(entries: list[dict[str, Any]]) -> None:
    entries.append(json.loads(json.dumps(next(entry for entry in entries if entry["event"] == "standing.made"))))


def twice_ended(entries: list[dict[str, Any]]) -> None:
    entries.append(dict(next(entry for entry in entries if entry["event"] == "standing.revoked")))


def used_after_its_end(entries: list[dict[str, Any]]) -> None:
    last = uses(entries)[-1]
    entries.remove(last)
    entries.append(last)


def used_once_too_often(entries: list[dict[str, Any]]) -> None:
    first, last = uses(entries)
    of(last)["use"] = 3
    entries.insert(entries.index(first), json.loads(json.dumps(first)))
    of(uses(entries)[1])["use"] = 2
    entries.insert(entries.index(last) + 1, json.loads(json.dumps(last)))
    of(uses(entries)[-1])["use"] = 4


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda entries: of(uses(entries)[0]).update(use=2), "not the next one"),
        (lambda entries: of(uses(entries)[1]).update(use=1), "not the next one"),
        (lambda entries: of(uses(entries)[1]).update(of=99), "not the next one"),
        (lambda entries: of(uses(entries)[0]).update(maker="admin-2"), "is another's"),
        (lambda entries: of(uses(entries)[0]).update(id=7), "which there is not"),
        (lambda entries: uses(entries)[0].update(actor="standing:2"), "is another's"),
        (lambda entries: uses(entries)[0]["details"].pop("standing"), "does not say which"),
        (lambda entries: entries.remove(uses(entries)[0]), "not the next one"),
        (
            lambda entries: uses(entries)[1]["details"].update(reason_code="policy"),
            "used 2 times, and by the trail it was 1",
        ),
        (lambda entries: uses(entries)[1].update(at=10**17), "had ended"),
        (lambda entries: entries[-1]["details"].pop("standing"), "does not say which"),
        (used_once_too_often, "not the next one"),
        (used_after_its_end, "had ended"),
        (once_more, "a second time"),
        (twice_ended, "was revoked before"),
    ],
)
def test_a_trail_that_tells_what_cannot_have_happened_is_found(
    office: Office, change: Callable[[list[dict[str, Any]]], None], problem: str
) -> None:
    assert problem_of(office, retold(office, lambda _entries: None)) is None

    found = problem_of(office, retold(office, change))

    assert found is not None
    assert problem in found


def test_what_comes_in_while_the_trail_is_read_is_taken_along(office: Office) -> None:
    standing = StandingTrail()
    before = office.trail()
    assert list(standing.noting(before)) == before
    office.submit(REFUND)
    end(office, office.do(lambda tx: tx.standing_approvals()[0]))
    allow(office, office.submit(REFUND))

    assert office.do(lambda tx: standing.problem(tx, len(before))) is None


@pytest.mark.parametrize(
    ("event", "before", "after", "said"),
    [
        ("approve", f'"maker":"{CAROL.id}"', f'"maker":"{AGENT.id}"', f" by {AGENT.id}, who had no voice in it"),
        ("submit", '"risk":', '"stages":[{"quorum":2}],"risk":', ", where several had to agree"),
    ],
)
def test_an_answer_in_the_place_of_who_had_no_voice_or_of_several_is_found_even_if_all_else_fits(
    office: Office, tmp_path: Path, event: str, before: str, after: str, said: str
) -> None:
    record = office.submit(REFUND)
    bodies = [link.body for link in office.do(lambda tx: list(tx.audit_of(record.id)))]
    body = next(body for body in bodies if f'"event":"{event}"' in body)
    assert before in body
    with by_hand(str(tmp_path / "center.db")) as execute:
        execute("DROP TRIGGER audit_no_update")
        execute(f"UPDATE audit SET body = '{body.replace(before, after)}' WHERE body = '{body}'")

    problem = trail._problem_of_lives(office)

    assert problem is not None
    assert f"action {record.id} was approved in advance{said}" in problem
