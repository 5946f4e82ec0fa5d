"""Who may do what at the desk: one person with two keys, auditors, taking an approval back, and asking too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.center.desks import AGENT, CAROL, DAVE, EVE, OTHER_AGENT, READ, Office
from tests.helpers import an_action

from clearance.center.approvals import LONGEST_REASON
from clearance.center.desk import PENDING_RETRY_AFTER
from clearance.center.faults import Conflict, Forbidden, NotFound, TooMany
from clearance.center.inbox.cards import Card
from clearance.center.moves import SECOND
from clearance.center.records import Principal, Record, Role
from clearance.models import Status

ADAS_BOT = Principal("agent-a", "adas-bot", Role.USER, "ada")
ADA = Principal("admin-a", "ada the approver", Role.ADMIN, "ada")
decisions = pytest.mark.parametrize("decide", [Office.approve, Office.deny])


# One person, two keys


@decisions
@pytest.mark.parametrize("role", [Role.ADMIN, Role.SUPER_ADMIN])
def test_nobody_decides_what_another_key_of_theirs_asked_for(
    office: Office, decide: Callable[..., Record], role: Role
) -> None:
    record = office.submit(who=ADAS_BOT)

    with pytest.raises(Forbidden, match="same owner"):
        decide(office, record, replace(ADA, role=role))
    assert office.stored(record).status is Status.PENDING
    assert decide(office, record, CAROL).status in (Status.APPROVED, Status.DENIED)


@decisions
@pytest.mark.parametrize("owner", [None, "bob"])
def test_another_person_decides_it_whoever_owns_their_key(
    office: Office, decide: Callable[..., Record], owner: str | None
) -> None:
    assert decide(office, office.submit(who=ADAS_BOT), replace(ADA, owner=owner)).decider == ADA.id


@decisions
def test_two_keys_without_an_owner_are_not_taken_for_one_persons(office: Office, decide: Callable[..., Record]) -> None:
    assert decide(office, office.submit(who=replace(ADAS_BOT, owner=None)), replace(ADA, owner=None)).decider == ADA.id


def test_approving_all_leaves_out_what_another_key_of_theirs_asked_for(office: Office) -> None:
    own, other = office.submit(who=ADAS_BOT), office.submit()

    cleared = office.do(lambda tx: office.desk.decide_all(tx, ADA, frozenset({"medium"})))

    assert [record.id for record in cleared] == [other.id]
    assert office.stored(own).status is Status.PENDING


def test_the_inbox_calls_it_ones_own(office: Office) -> None:
    card = Card(office.submit(who=ADAS_BOT), ADA, office.clock.now)

    assert card.is_own
    assert not card.may_decide
    assert Card(card.record, CAROL, office.clock.now).may_decide


def test_the_owner_is_kept_as_it_was_when_it_was_asked(office: Office) -> None:
    record = office.submit(who=ADAS_BOT)

    assert office.stored(record).requester_owner == "ada"
    assert office.stored(office.submit()).requester_owner is None


# Auditors


def test_an_auditor_sees_everything_and_asks_and_changes_nothing(office: Office) -> None:
    record, approved = office.submit(), office.approve(office.submit())

    assert office.read(record, EVE).id == record.id
    assert [found.id for found in office.do(lambda tx: office.desk.list(tx, EVE))] == [approved.id, record.id]
    for deed in (
        lambda: office.submit(who=EVE),
        lambda: office.submit(READ, who=EVE, nonce="nonce-of-eve"),
        lambda: office.approve(record, EVE),
        lambda: office.deny(record, EVE),
        lambda: office.revoke(approved, EVE),
        lambda: office.claim(approved, EVE),
        lambda: office.withdraw(record, EVE),
        lambda: office.report(approved, Status.COMPLETED, EVE),
        lambda: office.do(lambda tx: office.desk.decide_all(tx, EVE, frozenset({"low"}))),
    ):
        with pytest.raises(Forbidden):
            deed()
    assert office.stored(record) == record
    assert office.stored(approved) == approved
    assert len(office.do(lambda tx: tx.actions())) == 2


def test_an_auditors_look_does_not_count_as_the_requesters(office: Office) -> None:
    record = office.approve(office.submit(claims=False))

    assert office.read(record, EVE).approval_read is False


# Taking an approval back


def test_an_approval_that_is_taken_back_says_by_whom_and_why_and_cannot_be_claimed(office: Office) -> None:
    record = office.approve(office.submit(), CAROL)
    office.clock.advance(3)

    revoked = office.revoke(record, DAVE, reason="x" * (LONGEST_REASON + 1))

    assert (revoked.status, revoked.decided_by, revoked.decider) == (Status.REVOKED, "dave", DAVE.id)
    assert (revoked.reason, revoked.reason_code) == ("x" * LONGEST_REASON, "revoked")
    assert revoked.decided_at == office.clock.now
    with pytest.raises(Conflict, match="is revoked by dave"):
        office.claim(record)


def test_taking_it_back_again_is_fine_for_the_same_person_only(office: Office) -> None:
    record = office.approve(office.submit())
    revoked = office.revoke(record, CAROL)

    assert office.revoke(record, CAROL) == revoked
    with pytest.raises(Conflict, match="is revoked by carol"):
        office.revoke(record, DAVE)


def test_a_user_cannot_take_an_approval_back_not_even_their_own(office: Office) -> None:
    record = office.approve(office.submit())

    with pytest.raises(Forbidden):
        office.revoke(record, AGENT)
    with pytest.raises(NotFound):
        office.revoke(record, OTHER_AGENT)
    assert office.stored(record).status is Status.APPROVED


def test_an_approver_may_take_back_what_their_own_key_asked_for(office: Office) -> None:
    record = office.approve(office.submit(who=ADAS_BOT), CAROL)

    assert office.revoke(record, ADA).status is Status.REVOKED


def test_what_the_policy_cleared_can_be_taken_back(office: Office) -> None:
    assert office.revoke(office.submit(READ)).status is Status.REVOKED


def test_what_a_client_that_never_claims_has_read_may_have_run(office: Office) -> None:
    unread = office.approve(office.submit(claims=False))
    read = office.approve(office.submit(claims=False))
    office.read(read)

    assert office.revoke(unread).status is Status.REVOKED
    revoked = office.revoke(read, reason="stop")
    assert (revoked.status, revoked.reason, revoked.reason_code) == (Status.UNKNOWN, "stop", "revoked")


# Asking too much


def crowded(tmp_path: Path, count: int) -> Office:
    """An office that lets each key wait for ``count`` decisions, with a key that does."""
    office = Office(tmp_path / "crowded.db", max_pending=count)
    for number in range(count):
        office.submit(an_action(digest=f"digest-{number}"))
    return office


def test_a_key_that_waits_for_too_many_decisions_asks_no_more_until_one_is_made(tmp_path: Path) -> None:
    office = crowded(tmp_path, 3)
    first = office.do(lambda tx: tx.actions(oldest_first=True))[0]
    before = office.trail()

    with pytest.raises(TooMany, match="3 requests of this key wait") as refused:
        office.submit()
    assert refused.value.retry_after == PENDING_RETRY_AFTER
    assert office.trail() == before
    assert len(office.do(lambda tx: tx.actions())) == 3

    office.deny(first)
    office.submit()
    with pytest.raises(TooMany):
        office.submit()
    office.close()


def test_what_needs_no_person_and_what_others_ask_goes_on(tmp_path: Path) -> None:
    office = crowded(tmp_path, 1)

    assert office.submit(READ).status is Status.APPROVED
    assert office.submit(who=OTHER_AGENT).status is Status.PENDING
    office.close()


def test_the_same_request_again_is_not_one_too_many(tmp_path: Path) -> None:
    office = Office(tmp_path / "crowded.db", max_pending=1)
    first = office.submit(key="k")

    assert office.submit(key="k").id == first.id
    with pytest.raises(TooMany):
        office.submit(key="another")
    office.close()


def test_what_nobody_decided_in_time_no_longer_counts_though_nobody_has_looked(tmp_path: Path) -> None:
    office = crowded(tmp_path, 2)
    office.clock.now += round(an_action().decide_within * SECOND)

    assert office.submit().status is Status.PENDING
    office.close()
