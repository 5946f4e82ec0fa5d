"""Many who ask at once, on both databases and at several Centers on one: exactly as many uses as were allowed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.center.desks import AGENT, Office
from tests.center.standing import REFUND, allow, end, hire, kept, refund
from tests.center.stores import by_hand, one_commit

from clearance.center import trail
from clearance.center.records import Record, Submission
from clearance.models import Status

SUBMITTERS = 16
EACH = 5
USES = 23


@pytest.fixture
def office(database_address: str) -> Iterator[Office]:
    office = Office(database_address)
    hire(office)
    yield office
    office.close()


def all_at_once(offices: list[Office]) -> list[Record]:
    """Sixteen threads ask at the same moment, each five times, at these Centers in turn."""
    together = threading.Barrier(SUBMITTERS)

    def ask(number: int) -> list[Record]:
        office = offices[number % len(offices)]
        together.wait(30)
        return [office.submit(refund(note=f"{number}-{turn}")) for turn in range(EACH)]

    with ThreadPoolExecutor(SUBMITTERS) as pool:
        return [record for found in pool.map(ask, range(SUBMITTERS)) for record in found]


def check_exactly(offices: list[Office]) -> None:
    approval = allow(offices[0], offices[0].submit(REFUND), uses=USES, free=["note"])

    found = all_at_once(offices)

    assert Counter(record.status for record in found) == {
        Status.APPROVED: USES,
        Status.PENDING: SUBMITTERS * EACH - USES,
    }
    uses = [record.standing["use"] for record in found if record.standing is not None]
    assert sorted(map(str, uses)) == sorted(str(number) for number in range(1, USES + 1))
    assert kept(offices[0], approval).used == USES
    assert trail.verify(offices[0]).problem is None


def test_sixteen_submitters_get_exactly_as_many_uses_as_there_are(office: Office) -> None:
    check_exactly([office])


def test_three_centers_on_one_database_spend_no_use_twice(postgres_url: str) -> None:
    offices = [Office(postgres_url) for _ in range(3)]
    try:
        hire(offices[0])
        check_exactly(offices)
    finally:
        for office in offices:
            office.close()


def test_requests_in_one_commit_share_its_uses(office: Office) -> None:
    approval = allow(office, office.submit(REFUND), uses=3)
    with one_commit(office.store):
        submission = Submission(REFUND, None, None, claims=True)
        asked = [office.store.submit(lambda tx: office.desk.submit(tx, AGENT, submission)) for _ in range(8)]

    assert [each.result(30).status for each in asked] == [Status.APPROVED] * 3 + [Status.PENDING] * 5
    assert kept(office, approval).used == 3


def test_it_is_revoked_before_or_after_each_request_and_nothing_of_it_is_claimable(office: Office) -> None:
    approval = allow(office, office.submit(REFUND), uses=1_000, free=["note"])
    with ThreadPoolExecutor(2) as pool:
        asked, ended = pool.submit(all_at_once, [office]), pool.submit(end, office, approval)
        found, _ = asked.result(60), ended.result(60)

    assert {office.stored(record).status for record in found} <= {Status.REVOKED, Status.PENDING}
    assert kept(office, approval).used == sum(record.status is Status.APPROVED for record in found)
    assert trail.verify(office).problem is None


def test_the_database_itself_takes_no_use_too_many(office: Office, database_address: str) -> None:
    allow(office, office.submit(REFUND), uses=2)

    with by_hand(database_address) as execute, pytest.raises(Exception, match=r"(?i)constraint"):
        execute("UPDATE standing_approvals SET used = 3")


def test_a_use_that_somebody_else_has_spent_is_not_spent_again(office: Office) -> None:
    approval = allow(office, office.submit(REFUND), uses=2)
    now = office.clock.now

    spent = office.do(lambda tx: tx.spend_standing_approval(approval, now))

    assert spent is not None
    assert spent.used == 1
    assert office.do(lambda tx: tx.spend_standing_approval(approval, now)) is None
    assert office.do(lambda tx: tx.spend_standing_approval(spent, spent.ends_at)) is None
    last = office.do(lambda tx: tx.spend_standing_approval(spent, now))
    assert last is not None
    assert office.do(lambda tx: tx.spend_standing_approval(last, now)) is None
    assert kept(office, approval) == last
