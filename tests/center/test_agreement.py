"""Who must agree: quorums, stages and escalation; and what one refusal does for everything like it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.desks import AGENT, CAROL, DAVE, EVE, OTHER_AGENT, Office
from tests.center.policies import together
from tests.helpers import an_action

from clearance.center import agreement, trail
from clearance.center.approvals import LONGEST_REASON
from clearance.center.desk import DENIED_BEFORE, REMEMBER_DENIALS
from clearance.center.faults import Conflict, Forbidden, Invalid
from clearance.center.records import Principal, Record, Role, Stage, Vote
from clearance.models import Status

REFUND = an_action()
FRANK = Principal("admin-3", "frank", Role.ADMIN)
GRACE = Principal("admin-4", "grace", Role.ADMIN, "grace@example.org")
GRACE_TOO = Principal("admin-5", "grace's laptop", Role.ADMIN, "grace@example.org")
SECURITY_THEN_FINANCE = (Stage(1, ("carol", "frank")), Stage(2, ("dave", "frank", "grace@example.org")))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office where the built-in policy is in force until `must_agree` says otherwise."""
    office = Office(tmp_path / "center.db")
    yield office
    office.close()


def must_agree(office: Office, *stages: Stage, escalate_to: tuple[str, ...] = ()) -> None:
    """From now on refunds need these."""
    office.desk.policy = together(*stages, escalate_to=escalate_to)


def events(office: Office, record: Record) -> list[str]:
    """What the trail tells of it."""
    return [json.loads(link.body)["event"] for link in office.do(lambda tx: list(tx.audit_of(record.id)))]


def is_sound(office: Office) -> bool:
    """Does the whole trail verify?"""
    return trail.verify(office).problem is None


# Quorum


def test_an_approval_that_is_not_the_last_one_needed_clears_nothing(office: Office) -> None:
    must_agree(office, Stage(2))
    record = office.submit()

    assert office.approve(record, CAROL).status is Status.PENDING
    with pytest.raises(Conflict):
        office.claim(record)
    cleared = office.approve(record, DAVE)

    assert cleared.status is Status.APPROVED
    assert cleared.decided_by == "carol, dave"
    assert office.claim(record).status is Status.EXECUTING
    assert events(office, record) == ["submit", "vote", "refused", "approve", "claim"]
    assert is_sound(office)


def test_the_same_person_again_is_fine_and_counts_once(office: Office) -> None:
    must_agree(office, Stage(2))
    record = office.submit()
    once = office.approve(record)

    assert office.approve(record) == once
    assert events(office, record) == ["submit", "vote"]
    cleared = office.approve(record, DAVE)
    assert office.approve(record) == office.approve(record, DAVE) == cleared


def test_another_key_of_the_same_owner_is_the_same_person(office: Office) -> None:
    must_agree(office, Stage(2))
    record = office.submit()
    office.approve(record, GRACE)

    with pytest.raises(Forbidden, match="somebody else's"):
        office.approve(record, GRACE_TOO)
    assert office.approve(record, CAROL).status is Status.APPROVED


def test_one_refusal_is_enough_whoever_approved_before(office: Office) -> None:
    must_agree(office, Stage(3))
    record = office.submit()
    office.approve(record, CAROL)
    office.approve(record, DAVE)

    assert office.deny(record, FRANK).status is Status.DENIED
    with pytest.raises(Conflict):
        office.approve(record, GRACE)
    assert is_sound(office)


def test_who_approved_may_think_better_of_it_while_it_waits(office: Office) -> None:
    must_agree(office, Stage(2))
    record = office.submit()
    office.approve(record, CAROL)

    assert office.deny(record, CAROL).status is Status.DENIED


def test_what_several_must_agree_on_is_changed_by_none_of_them(office: Office) -> None:
    must_agree(office, Stage(2))
    record = office.submit(an_action(editable=("amount",)))

    with pytest.raises(Invalid, match="several people"):
        office.approve(record, CAROL, amount=4)
    assert office.stored(record).votes == ()


def test_a_kill_switch_stops_the_last_approval_too(office: Office) -> None:
    must_agree(office, Stage(2))
    record = office.submit()
    office.approve(record, CAROL)
    office.kill()

    with pytest.raises(Conflict, match="kill switch"):
        office.approve(record, DAVE)


def test_approving_everything_counts_as_one_approval_of_each(office: Office) -> None:
    must_agree(office, Stage(2))
    record = office.submit(replace(an_action(), action_type="payment.low"))
    levels = frozenset({"low", "medium"})
    assert record.risk_level in levels

    assert [each.status for each in office.do(lambda tx: office.desk.decide_all(tx, CAROL, levels))] == [Status.PENDING]
    assert office.do(lambda tx: office.desk.decide_all(tx, CAROL, levels)) == []
    assert [each.status for each in office.do(lambda tx: office.desk.decide_all(tx, DAVE, levels))] == [Status.APPROVED]


# Stages


def test_stages_follow_one_another_and_nobody_has_a_voice_in_two(office: Office) -> None:
    must_agree(office, *SECURITY_THEN_FINANCE)
    record = office.submit()

    with pytest.raises(Forbidden, match="carol or frank"):
        office.approve(record, DAVE)
    office.approve(record, FRANK)
    with pytest.raises(Forbidden, match="dave or frank or grace"):
        office.approve(record, CAROL)
    assert office.approve(record, FRANK).status is Status.PENDING  # the same again
    office.approve(record, DAVE)
    assert office.approve(record, GRACE).status is Status.APPROVED
    assert [vote.stage for vote in office.stored(record).votes] == [0, 1, 1]
    assert is_sound(office)


def test_whoever_has_a_voice_in_a_later_stage_may_refuse_at_once_and_others_may_not(office: Office) -> None:
    must_agree(office, *SECURITY_THEN_FINANCE)
    record = office.submit()

    with pytest.raises(Forbidden, match="to decide"):
        office.deny(record, replace(FRANK, id="admin-9", name="mallory"))
    with pytest.raises(Forbidden):
        office.deny(record, EVE)
    assert office.deny(record, DAVE).status is Status.DENIED


def test_who_asks_has_no_voice_even_if_named(office: Office) -> None:
    must_agree(office, Stage(1, ("carol",)))
    record = office.submit(who=CAROL)

    with pytest.raises(Forbidden, match="own request"):
        office.approve(record, CAROL)


@given(
    stages=st.lists(st.builds(Stage, st.integers(1, 3)), max_size=3),
    voters=st.lists(st.sampled_from([CAROL, DAVE, FRANK, GRACE, GRACE_TOO]), max_size=12),
)
def test_an_agreement_is_never_reached_with_fewer_people_than_it_needs(
    stages: list[Stage], voters: list[Principal]
) -> None:
    record = replace(a_pending_record(), stages=tuple(stages))
    for who in voters:
        if not agreement.is_reached(record) and agreement.bar_to_approving(record, who) is None:
            vote = Vote(agreement.stage_of(record), who.id, who.name, 0, who.owner)
            record = replace(record, votes=(*record.votes, vote))

    people = {vote.owner or vote.voter for vote in record.votes}
    assert len(people) == len(record.votes) <= agreement.needed(record)
    assert agreement.is_reached(record) == (len(record.votes) == agreement.needed(record))


def a_pending_record() -> Record:
    """A request that waits."""
    return Record(an_action(), AGENT.id, AGENT.name, 0, 60, "", "")


# Escalation


@pytest.mark.parametrize("looks", [lambda office, _: office.sweep(), lambda office, record: office.read(record)])
def test_at_half_of_its_time_a_request_is_escalated_once_whoever_finds_it(office: Office, looks: object) -> None:
    assert callable(looks)
    record = office.submit()
    office.clock.now = record.escalates_at - 1
    looks(office, record)
    assert office.stored(record).escalated_at is None

    office.clock.advance(1)
    looks(office, record)
    looks(office, record)

    assert office.stored(record).escalated_at == record.escalates_at
    assert office.stored(record).status is Status.PENDING
    assert events(office, record) == ["submit", "escalate"]
    office.clock.now = record.decide_by
    assert office.read(record).status is Status.EXPIRED
    assert is_sound(office)


def test_once_escalated_others_may_approve_as_well(office: Office) -> None:
    must_agree(office, Stage(1, ("carol",)), escalate_to=("dave",))
    record = office.submit()
    with pytest.raises(Forbidden, match="waits for the approval of carol"):
        office.approve(record, DAVE)

    office.clock.now = record.escalates_at

    assert office.approve(record, DAVE).status is Status.APPROVED


# One refusal, everything like it


def test_a_refusal_refuses_every_identical_request_that_waits_and_no_other(office: Office) -> None:
    alike = [office.submit(REFUND) for _ in range(3)]
    other, of_another = office.submit(an_action(digest="another")), office.submit(REFUND, who=OTHER_AGENT)

    office.deny(alike[1], reason="not today")

    assert {(office.stored(each).status, office.stored(each).reason) for each in alike} == {
        (Status.DENIED, "not today")
    }
    assert {office.stored(each).status for each in (other, of_another)} == {Status.PENDING}
    assert is_sound(office)


@pytest.mark.parametrize(
    "other", [{"parameters": {"charge_id": "ch_1", "amount": 5.0}}, {"resource": "prod"}, {"tool_name": "x"}], ids=str
)
def test_a_call_that_looks_otherwise_is_another_whatever_digest_it_claims(
    office: Office, other: dict[str, Any]
) -> None:
    first, second = office.submit(REFUND), office.submit(replace(REFUND, **other))

    office.deny(first)

    assert office.stored(second).status is Status.PENDING
    assert office.submit(replace(REFUND, **other)).status is Status.PENDING


def test_an_approval_clears_one_of_the_identical_requests(office: Office) -> None:
    first, second = office.submit(REFUND), office.submit(REFUND)

    office.approve(first)

    assert office.stored(second).status is Status.PENDING


def test_what_was_just_refused_is_refused_again_without_asking_anybody_for_a_while(office: Office) -> None:
    office.deny(office.submit(REFUND), reason="wrong customer")
    office.clock.advance(20)
    again = office.submit(REFUND)

    assert (again.status, again.reason_code) == (Status.DENIED, DENIED_BEFORE)
    assert again.reason == "The same was refused 20 s ago: wrong customer"
    assert again.decided_by == "carol"
    [*_, entry] = office.trail()
    assert json.loads(entry.body)["actor"] == again.decider == "memory"  # carol has not seen it
    assert office.submit(an_action(digest="another")).status is Status.PENDING
    assert office.submit(REFUND, who=OTHER_AGENT).status is Status.PENDING
    office.clock.advance(REMEMBER_DENIALS - 20)
    assert office.submit(REFUND).status is Status.PENDING
    assert is_sound(office)


def test_a_refusal_that_was_remembered_is_not_remembered_longer_for_it(office: Office) -> None:
    office.deny(office.submit(REFUND))
    office.clock.advance(REMEMBER_DENIALS - 1)
    assert office.submit(REFUND).status is Status.DENIED
    office.clock.advance(1)

    assert office.submit(REFUND).status is Status.PENDING


def test_a_desk_can_be_told_to_remember_no_refusal(office: Office) -> None:
    office.desk.remember_denials = 0
    office.deny(office.submit(REFUND))

    assert office.submit(REFUND).status is Status.PENDING


# Closing what nobody reported back on


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED])
def test_an_approver_closes_what_is_unknown_with_a_reason_and_it_never_runs_again(
    office: Office, status: Status
) -> None:
    record = office.at(Status.UNKNOWN)

    closed = office.resolve(record, status)

    assert closed.status is status
    assert closed.outcome is not None
    assert closed.outcome.notes == ("closed by carol: seen in the ledger",)
    assert office.resolve(record, status, DAVE) == closed
    with pytest.raises(Conflict):
        office.claim(record)
    assert is_sound(office)


def test_the_reason_is_kept_whole(office: Office) -> None:
    closed = office.resolve(office.at(Status.UNKNOWN), Status.FAILED, reason="x" * LONGEST_REASON)

    assert closed.outcome is not None
    assert closed.outcome.notes[0].endswith(" " + "x" * LONGEST_REASON)


def test_a_late_report_that_says_otherwise_is_an_alarm_and_changes_nothing(office: Office) -> None:
    record = office.at(Status.UNKNOWN)
    office.resolve(record, Status.FAILED)

    with pytest.raises(Conflict):
        office.report(record, Status.COMPLETED)
    assert office.report(record, Status.FAILED).status is Status.FAILED
    assert events(office, record)[-2:] == ["fail", "alarm"]


@pytest.mark.parametrize("status", sorted({*Status} - {Status.UNKNOWN, Status.FAILED}))
def test_only_what_is_unknown_can_be_closed(office: Office, status: Status) -> None:
    record = office.at(status)

    with pytest.raises(Conflict):
        office.resolve(record, Status.FAILED)
    assert office.stored(record).status is status


def test_who_may_not_decide_or_asked_for_it_closes_nothing_and_a_reason_is_needed(office: Office) -> None:
    record = office.at(Status.UNKNOWN)

    for who in (AGENT, EVE):
        with pytest.raises(Forbidden):
            office.resolve(record, Status.FAILED, who)
    with pytest.raises(Invalid, match="how you know"):
        office.resolve(record, Status.FAILED, reason=" ")
    with pytest.raises(Invalid, match="completed or as failed"):
        office.resolve(record, Status.DENIED)
    assert office.stored(record).status is Status.UNKNOWN
