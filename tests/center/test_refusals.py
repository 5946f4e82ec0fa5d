"""What the desk refuses is audited: once for each try, in bounds, and with what time had done to the action before."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from tests.center.desks import AGENT, CAROL, EVE, NONCE, OTHER_AGENT, Office
from tests.helpers import an_action

from clearance.center import refusals, trail
from clearance.center.faults import Conflict, DeskError, Forbidden, NotFound
from clearance.center.records import Principal, Record, Role
from clearance.center.refusals import ALARM, MOST_REFUSALS, REFUSED
from clearance.center.store.base import Tx
from clearance.models import Status


def entries(office: Office, *words: str) -> list[dict[str, Any]]:
    """The entries of the trail; with words, those of these events."""
    found = [json.loads(link.body) for link in office.trail()]
    return [entry for entry in found if not words or entry["event"] in words]


def refuse(deed: Callable[[], Record], kind: type[DeskError] = Conflict) -> None:
    """Do what is refused."""
    with pytest.raises(kind):
        deed()


def test_a_refusal_says_who_tried_what_and_why_not(office: Office) -> None:
    record = office.deny(office.submit())

    refuse(lambda: office.claim(record))

    (entry,) = entries(office, REFUSED)
    assert (entry["actor"], entry["action_id"], entry["status"]) == (AGENT.id, record.id, "denied")
    assert entry["details"] == {
        "tried": "claim",
        "reason": f"Action {record.id} is denied by carol; it cannot claim",
    }


@pytest.mark.parametrize(
    ("deed", "tried"),
    [
        (lambda office, record: office.claim(record, digest="another"), "claim"),
        (lambda office, record: office.claim(record, nonce="another"), "claim"),
        (lambda office, record: office.report(record, Status.COMPLETED, nonce="another"), "complete"),
        (lambda office, record: office.withdraw(record), "withdraw"),
    ],
)
def test_every_kind_of_conflict_is_audited(
    office: Office, deed: Callable[[Office, Record], Record], tried: str
) -> None:
    record = office.at(Status.APPROVED if tried == "claim" else Status.EXECUTING)
    if tried == "claim":
        office.claim(record, nonce="the-first-one")
    trail_before = len(office.trail())

    refuse(lambda: deed(office, record))

    assert len(office.trail()) == trail_before + 1
    assert entries(office, REFUSED)[-1]["details"]["tried"] == tried


@pytest.mark.parametrize("who", [AGENT, Principal(AGENT.id, "the same as an approver", Role.ADMIN)])
@pytest.mark.parametrize("approve", [True, False])
def test_who_tries_to_decide_their_own_request_is_audited(office: Office, who: Principal, approve: bool) -> None:
    record = office.submit()

    refuse(lambda: (office.approve if approve else office.deny)(record, who), Forbidden)

    (entry,) = entries(office, REFUSED)
    assert (entry["actor"], entry["status"]) == (AGENT.id, "pending")
    assert office.stored(record) == record


@pytest.mark.parametrize("who", [CAROL, EVE, Principal("admin-9", "the same owner's", Role.ADMIN, "alice")])
@pytest.mark.parametrize(
    ("deed", "tried"),
    [
        (lambda office, record, who: office.claim(record, who, nonce="stolen-nonce"), "claim"),
        (lambda office, record, who: office.report(record, Status.COMPLETED, who), "complete"),
        (lambda office, record, who: office.report(record, Status.UNKNOWN, who), "lose"),
        (lambda office, record, who: office.withdraw(record, who), "withdraw"),
    ],
    ids=["claim", "report", "report as unknown", "withdraw"],
)
@pytest.mark.parametrize("status", Status)
def test_who_sees_an_action_and_does_what_only_its_requester_may_is_audited_however_it_stands(
    office: Office, status: Status, deed: Callable[[Office, Record, Principal], Record], tried: str, who: Principal
) -> None:
    record = office.at(status)
    before = len(office.trail())

    refuse(lambda: deed(office, record, who), Forbidden)

    entry = entries(office)[-1]
    assert len(office.trail()) == before + 1
    assert (entry["event"], entry["actor"], entry["action_id"], entry["status"]) == (REFUSED, who.id, record.id, status)
    assert entry["details"] == {"tried": tried, "reason": "Only whoever asked can do that"}
    assert office.stored(record) == record
    assert trail.verify(office).problem is None


def test_a_claim_that_is_repeated_for_another_call_is_refused(office: Office) -> None:
    record = office.claim(office.at(Status.APPROVED))
    edited = office.approve(office.submit(an_action(digest="editable", editable=("amount",))), amount=4)
    edited = office.claim(edited, edited_digest="as-it-runs")

    refuse(lambda: office.claim(record, digest="another"))
    refuse(lambda: office.claim(edited, edited_digest="another"))

    assert [entry["details"]["tried"] for entry in entries(office, REFUSED)] == ["claim", "claim"]
    assert office.claim(record) == record
    assert office.claim(edited, edited_digest="as-it-runs") == edited


def test_who_may_not_even_know_of_an_action_leaves_no_entry(office: Office) -> None:
    record = office.submit()

    refuse(lambda: office.withdraw(record, OTHER_AGENT), NotFound)

    assert len(office.trail()) == 1


def test_another_outcome_than_the_one_that_stands_is_an_alarm(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    record = office.report(office.at(Status.EXECUTING), Status.COMPLETED)

    with caplog.at_level(logging.ERROR, "clearance.center"):
        refuse(lambda: office.report(record, Status.FAILED, error_type="Broken"))

    (entry,) = entries(office, ALARM)
    assert (entry["actor"], entry["status"], entry["details"]["tried"]) == (AGENT.id, "completed", "fail")
    assert caplog.messages == [f"Alarm about action {record.id}: {entry['details']['reason']}"]
    assert office.stored(record) == record


def test_asking_again_and_again_fills_no_trail(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    record = office.report(office.at(Status.EXECUTING), Status.COMPLETED)

    for _ in range(MOST_REFUSALS + 5):
        refuse(lambda: office.withdraw(record))
        refuse(lambda: office.approve(record))
        refuse(lambda: office.report(record, Status.FAILED, nonce="another"))

    for tried in ("withdraw", "approve", "fail"):
        found = [entry["details"] for entry in entries(office, REFUSED) if entry["details"]["tried"] == tried]
        assert [details.get("last", False) for details in found] == [False] * (MOST_REFUSALS - 1) + [True]
    before = len(office.trail())
    for _ in range(MOST_REFUSALS + 5):  # behind so many refusals, an alarm is still heard
        refuse(lambda: office.report(record, Status.FAILED))
    assert len(entries(office, ALARM)) == len(office.trail()) - before == MOST_REFUSALS
    assert len(caplog.messages) == MOST_REFUSALS


def test_another_action_has_bounds_of_its_own(office: Office) -> None:
    first, second = office.deny(office.submit()), office.deny(office.submit())
    for _ in range(MOST_REFUSALS + 1):
        refuse(lambda: office.claim(first))

    refuse(lambda: office.claim(second))

    assert entries(office, REFUSED)[-1]["action_id"] == second.id


def test_what_time_did_to_the_action_stays_done_though_the_deed_is_refused(office: Office) -> None:
    record = office.approve(office.submit())
    office.clock.advance(record.action.run_within)

    refuse(lambda: office.claim(record))

    assert office.stored(record).status is Status.LAPSED
    assert [entry["event"] for entry in entries(office)][-2:] == ["lapse", REFUSED]
    assert trail.verify(office).problem is None


def test_a_refusal_that_is_not_audited_keeps_nothing(office: Office) -> None:
    record = office.submit()

    def half(tx: Tx) -> Record:
        office.desk.withdraw(tx, AGENT, record.id, "half")
        raise Conflict("another time")

    refuse(lambda: office.do(half))

    assert office.stored(record) == record
    assert len(office.trail()) == 1


def test_a_refusal_is_raised_only_when_its_entry_is_durable(office: Office) -> None:
    record = office.deny(office.submit())

    result = office.store.submit(refusals.keeping(lambda tx: office.desk.claim(tx, AGENT, record.id, "d", NONCE)))

    kept = result.result(30)
    assert isinstance(kept, refusals.Kept)
    assert len(entries(office, REFUSED)) == 1
    with pytest.raises(Conflict):
        refusals.told(kept)


def test_looking_is_never_audited(office: Office) -> None:
    record = office.deny(office.submit())
    before = office.trail()

    for who in (AGENT, CAROL):
        office.read(record, who)
    refuse(lambda: office.read(record, OTHER_AGENT), NotFound)

    assert office.trail() == before
