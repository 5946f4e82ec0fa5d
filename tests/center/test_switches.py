"""The kill switch at the desk: what it stops, from when on, and what stays stopped after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.center.desks import AGENT, CAROL, DAVE, DROP, EVE, NONCE, OTHER_AGENT, READ, Office
from tests.helpers import an_action

from clearance.center import desk, switches
from clearance.center.audit import verify
from clearance.center.faults import Conflict, Forbidden, Invalid
from clearance.center.policy.rules import LONGEST_RUN_WITHIN
from clearance.center.records import Principal, Record, Submission
from clearance.models import Status

LOOKS: dict[str, Callable[[Office, Record], Any]] = {
    "its requester": lambda office, record: office.read(record),
    "an approver": lambda office, record: office.read(record, CAROL),
    "a list": lambda office, _: office.do(lambda tx: office.desk.list(tx, CAROL)),
    "the timer": lambda office, _: office.sweep(),
    "a claim": lambda office, record: assert_stopped(office, record),
}


def assert_stopped(office: Office, record: Record) -> None:
    """Its approval cannot be claimed any more."""
    with pytest.raises(Conflict, match="is revoked by kill-switch"):
        office.claim(record)


def approved(office: Office, **action: Any) -> Record:
    """An approved refund of a client that claims."""
    return office.approve(office.submit(an_action(**action)))


# Who, and how


@pytest.mark.parametrize("who", [AGENT, CAROL, EVE], ids=lambda who: who.role)
@pytest.mark.parametrize("on", [True, False])
def test_only_a_super_admin_turns_it(office: Office, who: Principal, on: bool) -> None:
    if not on:
        office.kill()

    with pytest.raises(Forbidden, match="super_admin"):
        office.kill(who, on=on)
    assert len(office.do(switches.on)) == (0 if on else 1)


@pytest.mark.parametrize(
    "said",
    [{"reason": ""}, {"reason": "  "}, {"agent": "a\u202eb"}, {"tool": "a\x00"}, {"agent": "x" * 201}],
    ids=ascii,
)
def test_what_cannot_be_meant_stops_nothing(office: Office, said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        office.kill(**said)
    assert office.do(switches.on) == []


def test_on_and_off_stand_in_the_trail_with_who_and_why(office: Office) -> None:
    office.kill(reason="it deletes too much", agent="billing-bot")
    office.kill(on=False, reason="fixed", agent="billing-bot")

    first, second = (json.loads(link.body) for link in office.trail())
    assert (first["event"], first["actor"]) == ("kill.on", DAVE.id)
    assert first["details"] == {"agent": "billing-bot", "tool": "*", "reason": "it deletes too much", "by": "dave"}
    assert (second["event"], second["details"]["reason"]) == ("kill.off", "fixed")
    assert verify(office.trail()).problem is None


def test_what_is_not_on_cannot_be_turned_off(office: Office) -> None:
    office.kill(agent="billing-bot")

    others: list[dict[str, Any]] = [{}, {"agent": "other"}, {"agent": "billing-bot", "tool": "stripe"}]
    for scope in others:
        with pytest.raises(Conflict, match="is not on"):
            office.kill(on=False, **scope)
    office.kill(on=False, agent="billing-bot")
    with pytest.raises(Conflict, match="is not on"):
        office.kill(on=False, agent="billing-bot")


# What it stops


@pytest.mark.parametrize("action", [an_action(), READ, DROP], ids=["held", "cleared", "denied"])
@pytest.mark.parametrize("nonce", [NONCE, None])
def test_while_it_is_on_whatever_is_asked_is_denied_by_it(office: Office, action: Any, nonce: str | None) -> None:
    office.kill(reason="smoke")

    record = office.submit(action, nonce=nonce)

    assert record.status is Status.DENIED
    assert (record.reason, record.reason_code) == ("Kill switch: smoke", "kill_switch")
    assert record.decided_by == "kill-switch:dave"
    assert office.stored(record) == record


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("is_over", [False, True], ids=["still on", "off again"])
def test_an_approval_from_before_is_revoked_whoever_looks_first(
    office: Office, look: Callable[[Office, Record], Any], is_over: bool
) -> None:
    record = approved(office)
    office.kill(reason="smoke")
    if is_over:
        office.kill(on=False, reason="the fire is out")

    look(office, record)

    if is_over and look is LOOKS["the timer"]:
        assert office.stored(record).status is Status.APPROVED  # the timer is not needed for it: see the claim
        office.read(record)
    kept = office.stored(record)
    assert kept.status is Status.REVOKED
    assert (kept.reason, kept.reason_code) == ("Kill switch: smoke", "kill_switch")
    assert kept.decided_by == "kill-switch:dave"
    with pytest.raises(Conflict, match="revoked"):
        office.claim(record)


@pytest.mark.parametrize("look", [LOOKS["its requester"], LOOKS["a list"], LOOKS["the timer"]])
@pytest.mark.parametrize("is_early", [True, False], ids=["in time", "too late"])
def test_who_looks_after_an_approval_has_lapsed_finds_what_a_switch_did_before(
    office: Office, look: Callable[[Office, Record], Any], is_early: bool
) -> None:
    record = approved(office)
    office.clock.advance(record.action.run_within - (0.000_001 if is_early else 0))
    office.kill(reason="smoke")
    office.clock.advance(1)

    look(office, record)

    assert office.stored(record).status is (Status.REVOKED if is_early else Status.LAPSED)


def test_an_approval_from_after_it_was_off_can_be_claimed(office: Office) -> None:
    office.kill()
    office.kill(on=False)
    office.clock.advance(0.001)

    assert office.claim(approved(office)).status is Status.EXECUTING


def test_an_approval_between_two_alarms_is_stopped_by_the_second(office: Office) -> None:
    office.kill()
    office.kill(on=False)
    office.clock.advance(1)
    record = approved(office)
    office.clock.advance(1)
    office.kill(reason="again")

    assert_stopped(office, record)
    assert office.stored(record).reason == "Kill switch: again"


def test_what_waits_keeps_waiting_and_can_be_denied_but_not_approved(office: Office) -> None:
    first, second = office.submit(), office.submit()
    office.kill()

    with pytest.raises(Conflict, match="kill switch is on"):
        office.approve(first)
    assert office.do(lambda tx: office.desk.decide_all(tx, CAROL, frozenset({"low", "medium"}))) == []
    assert office.read(first).status is Status.PENDING
    assert office.deny(second).status is Status.DENIED

    office.kill(on=False)
    office.clock.advance(0.001)
    assert office.claim(office.approve(first)).status is Status.EXECUTING


def test_what_runs_runs_on_and_its_outcome_is_taken(office: Office) -> None:
    record = office.claim(approved(office))
    office.kill()

    assert office.read(record).status is Status.EXECUTING
    assert office.report(record, Status.COMPLETED).status is Status.COMPLETED


def test_a_claim_whose_yes_was_lost_is_not_confirmed_again(office: Office) -> None:
    record = office.claim(approved(office))
    office.kill()

    with pytest.raises(Conflict, match="not confirmed again") as refused:
        office.claim(record)
    assert refused.value.record == record
    office.kill(on=False)
    assert office.claim(record) == record


def test_a_submit_whose_claim_was_lost_is_answered_without_the_claims_nonce(office: Office) -> None:
    first = office.submit(READ, key="k", nonce=NONCE)
    assert (first.status, first.nonce) == (Status.EXECUTING, NONCE)
    office.kill()

    again = office.submit(READ, key="k", nonce=NONCE)

    assert (again.id, again.status, again.nonce) == (first.id, Status.EXECUTING, None)
    assert office.stored(first).nonce == NONCE


def test_a_client_that_never_claims_no_longer_reads_leave_to_run(office: Office) -> None:
    unread = office.approve(office.submit(claims=False))
    office.kill()

    assert office.read(unread).status is Status.REVOKED


def test_a_client_that_never_claims_and_had_read_its_approval_may_have_run(office: Office) -> None:
    record = office.approve(office.submit(claims=False))
    assert office.read(record).status is Status.APPROVED
    office.kill(reason="smoke")

    late = office.read(record)

    assert late.status is Status.UNKNOWN
    assert (late.reason, late.reason_code) == ("Kill switch: smoke", "kill_switch")


# What it covers

SCOPES = [
    ({}, True),
    ({"agent": "billing-bot"}, True),
    ({"agent": "BILLING-BOT"}, True),
    ({"agent": AGENT.id}, True),
    ({"agent": "key of the bot"}, True),
    ({"agent": "billing"}, False),
    ({"agent": "billing-*"}, False),
    ({"agent": "other-bot"}, False),
    ({"tool": "stripe"}, True),
    ({"tool": "paypal"}, False),
    ({"agent": "billing-bot", "tool": "stripe"}, True),
    ({"agent": "billing-bot", "tool": "paypal"}, False),
    ({"agent": "other-bot", "tool": "stripe"}, False),
]


@pytest.mark.parametrize(("scope", "stops"), SCOPES, ids=str)
def test_it_stops_what_it_names_and_nothing_else(office: Office, scope: dict[str, Any], stops: bool) -> None:
    bot = replace(AGENT, name="key of the bot")
    record = office.approve(office.submit(who=bot))
    office.kill(**scope)

    if stops:
        assert_stopped(office, record)
    else:
        assert office.claim(record).status is Status.EXECUTING
    late = office.do(lambda tx: office.desk.submit(tx, bot, Submission(READ, None, NONCE, claims=True)))
    assert (late.reason_code == "kill_switch") is stops


def test_an_agent_does_not_get_around_it_by_another_name_with_the_same_key(office: Office) -> None:
    office.kill(agent=AGENT.id)

    assert office.submit(an_action(agent_id="somebody-else")).reason_code == "kill_switch"
    assert office.submit(who=OTHER_AGENT).status is Status.PENDING


def test_two_switches_stop_what_either_stops_and_each_is_turned_off_by_itself(office: Office) -> None:
    office.kill(agent="billing-bot", reason="first")
    office.clock.advance(1)
    office.kill(tool="stripe", reason="second")

    assert office.submit().reason == "Kill switch: second"
    office.kill(on=False, tool="stripe")
    assert office.submit().reason == "Kill switch: first"
    office.kill(on=False, agent="billing-bot")
    assert office.submit().status is Status.PENDING


def test_the_timer_takes_back_so_many_at_a_time_until_all_are(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "HALTED_AT_ONCE", 2)
    records = [approved(office) for _ in range(3)]
    office.kill()

    left = []
    for _ in range(2):
        office.sweep()
        left.append([office.stored(record).status for record in records].count(Status.APPROVED))

    assert left == [1, 0]


def test_turning_it_on_takes_no_longer_with_many_approvals(office: Office) -> None:
    records = [approved(office) for _ in range(5)]
    before = len(office.trail())

    office.kill()

    assert len(office.trail()) == before + 1
    assert all(office.stored(record).status is Status.APPROVED for record in records)
    for record in records:
        assert_stopped(office, record)


# Limits


def test_there_are_so_many_and_no_more_but_the_one_for_everything_always_goes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "MOST_SWITCHES", 3)
    for name in ("one", "two", "three"):
        office.kill(tool=name)

    with pytest.raises(Conflict, match="kill switches already"):
        office.kill(tool="four")
    office.kill(tool="three", reason="once more")
    office.kill()
    assert len(office.do(switches.on)) == 4


def test_one_that_is_off_is_forgotten_when_nothing_from_before_it_can_be_claimed_any_more(office: Office) -> None:
    office.kill(tool="one")
    office.kill(tool="one", on=False)
    office.clock.advance(LONGEST_RUN_WITHIN - 1)
    office.kill(tool="two")
    assert len(office.do(lambda tx: tx.switches())) == 2

    office.clock.advance(1)
    office.kill(tool="three")

    assert {switch.tool for switch in office.do(lambda tx: tx.switches())} == {"two", "three"}


def test_the_bell_is_told_so_that_open_pages_show_it(office: Office) -> None:
    told: list[Any] = []
    office.store.on_change = told.append

    office.kill()

    assert told == [{0}]
