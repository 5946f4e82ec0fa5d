"""The desk on a real store: what may happen to an action, what may not, and that nothing happens twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import AGENT, CAROL, DAVE, DROP, NONCE, OTHER_AGENT, READ, Office
from tests.helpers import an_action

from clearance.center.approvals import LONGEST_REASON
from clearance.center.audit import verify
from clearance.center.desk import RUN_FOR
from clearance.center.faults import Conflict, Forbidden, Invalid, NotFound
from clearance.center.moves import SECOND
from clearance.center.policy import built_in
from clearance.center.policy.rules import LONGEST_DECIDE_WITHIN, LONGEST_RUN_WITHIN
from clearance.center.records import Principal, Record, Role
from clearance.models import Status

Deed = Callable[[Office, Record], Record]
DEEDS: dict[str, Deed] = {
    "approve": lambda office, record: office.approve(record, DAVE),
    "deny": lambda office, record: office.deny(record, DAVE),
    "withdraw": lambda office, record: office.withdraw(record),
    "revoke": lambda office, record: office.revoke(record),
    "claim": lambda office, record: office.claim(record, nonce="another-nonce"),
    "completed": lambda office, record: office.report(record, Status.COMPLETED),
    "failed": lambda office, record: office.report(record, Status.FAILED),
    "unknown": lambda office, record: office.report(record, Status.UNKNOWN),
}
# Written out by hand from the lifecycle page. What is not here is refused.
MOVES = {
    (Status.PENDING, "approve"): Status.APPROVED,
    (Status.PENDING, "deny"): Status.DENIED,
    (Status.PENDING, "withdraw"): Status.WITHDRAWN,
    (Status.APPROVED, "withdraw"): Status.WITHDRAWN,
    (Status.APPROVED, "revoke"): Status.REVOKED,
    (Status.APPROVED, "claim"): Status.EXECUTING,
    (Status.EXECUTING, "completed"): Status.COMPLETED,
    (Status.EXECUTING, "failed"): Status.FAILED,
    (Status.EXECUTING, "unknown"): Status.UNKNOWN,
    (Status.UNKNOWN, "completed"): Status.COMPLETED,
    (Status.UNKNOWN, "failed"): Status.FAILED,
}
REPEATS = {
    (Status.WITHDRAWN, "withdraw"),
    (Status.REVOKED, "revoke"),
    (Status.COMPLETED, "completed"),
    (Status.FAILED, "failed"),
    (Status.UNKNOWN, "unknown"),
}
PAIRS = [(status, deed) for status in Status for deed in DEEDS]
EVENTS = {"completed": "complete", "failed": "fail", "unknown": "lose"}


def refusal_of(status: Status, deed: str) -> str:
    """How a refusal stands in the trail: another outcome than the one that stands is an alarm."""
    return "alarm" if deed in EVENTS and status in (Status.COMPLETED, Status.FAILED) else "refused"


LOOKS: dict[str, Callable[[Office, Record], Any]] = {
    "its requester": lambda office, record: office.read(record),
    "an approver": lambda office, record: office.read(record, CAROL),
    "a list": lambda office, _: office.do(lambda tx: office.desk.list(tx, CAROL)),
    "the timer": lambda office, _: office.sweep(),
}
looks = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


# What may happen


@pytest.mark.parametrize(("status", "deed"), sorted(MOVES))
def test_a_move_that_the_lifecycle_knows_is_made_with_one_entry_in_the_trail(
    office: Office, status: Status, deed: str
) -> None:
    record = office.at(status)
    before = len(office.trail())

    moved = DEEDS[deed](office, record)

    assert moved.status is MOVES[status, deed]
    assert office.stored(record) == moved
    (link,) = office.trail()[before:]
    entry = json.loads(link.body)
    assert (entry["action_id"], entry["status"]) == (record.id, moved.status)


@pytest.mark.parametrize(("status", "deed"), sorted(REPEATS))
def test_the_same_again_is_fine_and_changes_nothing(office: Office, status: Status, deed: str) -> None:
    record = office.at(status)
    trail = office.trail()

    assert DEEDS[deed](office, record) == record
    assert office.trail() == trail


@pytest.mark.parametrize(("status", "deed"), [pair for pair in PAIRS if pair not in MOVES and pair not in REPEATS])
def test_a_move_that_the_lifecycle_does_not_know_is_a_conflict_that_is_audited_and_changes_nothing(
    office: Office, status: Status, deed: str
) -> None:
    record = office.at(status)
    trail = office.trail()

    with pytest.raises(Conflict) as refused:
        DEEDS[deed](office, record)

    assert refused.value.record == record
    assert office.stored(record) == record
    assert office.trail()[:-1] == trail
    entry = json.loads(office.trail()[-1].body)
    assert (entry["event"], entry["action_id"], entry["status"]) == (refusal_of(status, deed), record.id, status)
    assert entry["actor"] == {"approve": DAVE, "deny": DAVE, "revoke": CAROL}.get(deed, AGENT).id
    assert entry["details"] == {"tried": EVENTS.get(deed, deed), "reason": refused.value.detail}


# Submitting


def test_what_the_policy_does_not_clear_waits_for_a_person(office: Office) -> None:
    record = office.submit()

    assert record.status is Status.PENDING
    assert record.decide_by == office.clock.now + 60 * SECOND
    assert record.requester == AGENT.id
    assert record.decided_by is None


def test_what_the_policy_clears_is_approved_at_once_by_the_rule(office: Office) -> None:
    record = office.submit(READ)

    assert record.status is Status.APPROVED
    assert (record.decided_by, record.channel) == (f"policy:risk-clear@{built_in().version}", "policy")
    assert record.run_by == office.clock.now + 300 * SECOND


def test_what_the_policy_clears_is_claimed_in_the_same_step_for_a_client_that_asked_for_it(office: Office) -> None:
    record = office.submit(READ, nonce=NONCE)

    assert (record.status, record.nonce) == (Status.EXECUTING, NONCE)
    assert [json.loads(link.body)["event"] for link in office.trail()] == ["submit", "approve", "claim"]


def test_what_the_policy_denies_is_refused_at_once_even_with_a_nonce(office: Office) -> None:
    record = office.submit(DROP, nonce=NONCE)

    assert record.status is Status.DENIED
    assert (record.decided_by, record.nonce) == (f"policy:deny-drop@{built_in().version}", None)


def test_a_nonce_sent_with_a_held_submit_claims_nothing(office: Office) -> None:
    record = office.submit(nonce=NONCE)

    assert (record.status, record.nonce) == (Status.PENDING, None)
    assert office.approve(record).status is Status.APPROVED


def test_the_same_key_and_body_are_the_same_action_however_it_stands_by_then(office: Office) -> None:
    first = office.submit(key="k")
    approved = office.approve(first)

    assert office.submit(key="k", nonce="of another worker") == approved
    assert len(office.do(lambda tx: tx.actions())) == 1


def test_the_same_key_with_another_body_is_invalid(office: Office) -> None:
    office.submit(key="k")

    with pytest.raises(Invalid, match="Idempotency-Key"):
        office.submit(an_action(parameters={"amount": 6}), key="k")
    assert len(office.do(lambda tx: tx.actions())) == 1


@pytest.mark.parametrize(("claims", "one"), [(False, 1), (True, True), (True, 1.0)], ids=["a poll", "true", "a float"])
def test_a_body_that_only_looks_the_same_to_python_is_another(office: Office, claims: bool, one: object) -> None:
    office.submit(an_action(parameters={"a": 1, "b": 2}), key="k")
    assert office.submit(an_action(parameters={"b": 2, "a": 1}), key="k").id == 1

    with pytest.raises(Invalid, match="Idempotency-Key"):
        office.submit(an_action(parameters={"a": one, "b": 2}), key="k", claims=claims)


def test_a_key_is_its_requesters_own(office: Office) -> None:
    assert office.submit(key="k").id != office.submit(key="k", who=OTHER_AGENT).id


def test_without_a_key_every_submit_is_an_action_of_its_own(office: Office) -> None:
    assert office.submit().id != office.submit().id


def test_a_repeated_submit_finds_out_that_time_has_passed(office: Office) -> None:
    office.submit(key="k")
    office.clock.advance(60)

    assert office.submit(key="k").status is Status.EXPIRED


@pytest.mark.parametrize(
    "changes",
    [
        {"decide_within": 0.0},
        {"decide_within": -1.0},
        {"decide_within": LONGEST_DECIDE_WITHIN + 1},
        {"run_within": 0.0},
        {"run_within": LONGEST_RUN_WITHIN + 1},
    ],
    ids=str,
)
def test_a_time_out_of_bounds_is_invalid(office: Office, changes: dict[str, float]) -> None:
    with pytest.raises(Invalid, match="number of seconds"):
        office.submit(an_action(**changes))
    assert office.trail() == []


def test_the_longest_times_are_accepted(office: Office) -> None:
    record = office.submit(an_action(decide_within=LONGEST_DECIDE_WITHIN, run_within=LONGEST_RUN_WITHIN))

    assert record.status is Status.PENDING


# Deciding


@pytest.mark.parametrize("decide", [Office.approve, Office.deny])
def test_nobody_decides_their_own_request(office: Office, decide: Callable[..., Record]) -> None:
    record = office.submit(who=CAROL)

    with pytest.raises(Forbidden, match="own request"):
        decide(office, record, CAROL)
    assert office.stored(record).status is Status.PENDING


@pytest.mark.parametrize("decide", [Office.approve, Office.deny])
def test_a_user_cannot_decide_not_even_what_is_theirs(office: Office, decide: Callable[..., Record]) -> None:
    record = office.submit()

    with pytest.raises(Forbidden, match="admin"):
        decide(office, record, AGENT)
    assert office.stored(record).status is Status.PENDING


def test_somebody_elses_action_does_not_exist_for_a_user(office: Office) -> None:
    record = office.submit()
    nobody = replace(record, id=999)

    for who, wanted in ((OTHER_AGENT, record), (OTHER_AGENT, nobody), (CAROL, nobody)):
        for deed in (office.read, office.withdraw, office.approve, office.claim):
            with pytest.raises(NotFound) as refused:
                deed(wanted, who)
            assert str(refused.value) == f"Action {wanted.id} not found"


@pytest.mark.parametrize("deed", [Office.withdraw, Office.claim, lambda o, r, w: o.report(r, Status.FAILED, w)])
def test_an_approver_cannot_act_in_the_requesters_place(office: Office, deed: Callable[..., Record]) -> None:
    record = office.approve(office.submit())

    with pytest.raises(Forbidden, match="Only whoever asked"):
        deed(office, record, CAROL)


@pytest.mark.parametrize("decide", [Office.approve, Office.deny])
def test_the_same_decision_by_the_same_person_again_is_fine(office: Office, decide: Callable[..., Record]) -> None:
    record = decide(office, office.submit(), CAROL)

    assert decide(office, record, CAROL) == record


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Office.approve, Office.deny),
        (Office.deny, Office.approve),
        (Office.approve, Office.approve),
        (Office.deny, Office.deny),
    ],
)
def test_a_second_decision_is_a_conflict_that_says_who_was_first(
    office: Office, first: Callable[..., Record], second: Callable[..., Record]
) -> None:
    record = first(office, office.submit(), CAROL)

    with pytest.raises(Conflict, match=f"is {record.status} by carol") as refused:
        second(office, record, DAVE)
    assert refused.value.record == record


def test_two_approvers_of_the_same_name_are_still_two_people(office: Office) -> None:
    record = office.approve(office.submit(), CAROL)

    with pytest.raises(Conflict):
        office.approve(record, Principal("admin-3", CAROL.name, Role.ADMIN))


def test_a_decision_keeps_who_when_why_and_through_which_channel(office: Office) -> None:
    record = office.submit()
    office.clock.advance(7)
    decided = office.deny(record, reason="x" * (LONGEST_REASON + 1))

    assert (decided.decided_by, decided.decided_at, decided.channel) == ("carol", office.clock.now, "api")
    assert (decided.reason, decided.reason_code) == ("x" * LONGEST_REASON, "approver")
    assert decided.run_by is None


def test_an_approval_is_too_late_at_the_deadline_and_in_time_just_before(office: Office) -> None:
    late, in_time = office.submit(), office.submit()
    office.clock.now = late.decide_by - 1
    assert office.approve(in_time).status is Status.APPROVED
    office.clock.now += 1

    with pytest.raises(Conflict, match="is expired"):
        office.approve(late)


def test_approving_all_covers_low_and_medium_risks_of_others_only(tmp_path: Path) -> None:
    office = Office(tmp_path / "center.db")
    medium = office.submit()
    high = office.submit(an_action(action_type="order.delete"))
    own = office.submit(who=CAROL)
    office.clock.advance(30)
    young = office.submit()
    office.clock.advance(30)  # the first three are overdue now

    cleared = office.do(lambda tx: office.desk.decide_all(tx, CAROL, frozenset({"low", "medium"})))

    assert [record.id for record in cleared] == [young.id]
    assert [office.stored(r).status for r in (medium, high, own)] == [Status.EXPIRED] * 3
    office.close()


def test_approving_all_leaves_other_levels_and_ones_own_alone(office: Office) -> None:
    medium, high, own = office.submit(), office.submit(an_action(action_type="order.delete")), office.submit(who=CAROL)
    assert [r.risk_level for r in (medium, high, own)] == ["medium", "high", "medium"]

    assert office.do(lambda tx: office.desk.decide_all(tx, CAROL, frozenset({"low"}))) == []
    cleared = office.do(lambda tx: office.desk.decide_all(tx, CAROL, frozenset({"low", "medium"})))

    assert [record.id for record in cleared] == [medium.id]
    assert [office.stored(r).status for r in (high, own)] == [Status.PENDING] * 2


@pytest.mark.parametrize("levels", [set(), {"high"}, {"low", "critical"}, {"Medium"}], ids=str)
def test_approving_all_is_not_offered_for_other_levels(office: Office, levels: set[str]) -> None:
    record = office.submit()

    with pytest.raises(Invalid, match="low and medium"):
        office.do(lambda tx: office.desk.decide_all(tx, CAROL, frozenset(levels)))
    assert office.stored(record).status is Status.PENDING


def test_a_user_cannot_approve_all(office: Office) -> None:
    with pytest.raises(Forbidden):
        office.do(lambda tx: office.desk.decide_all(tx, AGENT, frozenset({"low"})))


# Time

DEADLINES: dict[str, tuple[Callable[[Office], Record], Callable[[Record], int | None], Status]] = {
    "undecided": (lambda office: office.at(Status.PENDING), lambda r: r.decide_by, Status.EXPIRED),
    "unclaimed": (lambda office: office.at(Status.APPROVED), lambda r: r.run_by, Status.LAPSED),
    "unreported": (lambda office: office.at(Status.EXECUTING), lambda r: r.run_until, Status.UNKNOWN),
    "never claims, has read": (
        lambda office: office.submit(READ, claims=False),
        lambda r: r.run_by,
        Status.UNKNOWN,
    ),
    "never claims, has not read": (
        lambda office: office.approve(office.submit(claims=False)),
        lambda r: r.run_by,
        Status.LAPSED,
    ),
}


@looks
@pytest.mark.parametrize(("start", "deadline", "ends"), DEADLINES.values(), ids=DEADLINES)
def test_at_its_deadline_an_action_ends_the_same_way_whoever_finds_it(
    office: Office,
    start: Callable[[Office], Record],
    deadline: Callable[[Record], int | None],
    ends: Status,
    look: Callable[[Office, Record], Any],
) -> None:
    record = start(office)
    due = deadline(record)
    assert due is not None
    office.clock.now = due
    before = len(office.trail())

    look(office, record)

    assert office.stored(record).status is ends
    (link,) = office.trail()[before:]
    assert json.loads(link.body)["actor"] == "clock"
    office.sweep()
    look(office, record)
    assert len(office.trail()) == before + 1


@pytest.mark.parametrize(("start", "deadline", "ends"), DEADLINES.values(), ids=DEADLINES)
def test_before_its_deadline_time_does_nothing_to_an_action(
    office: Office,
    start: Callable[[Office], Record],
    deadline: Callable[[Record], int | None],
    ends: Status,
) -> None:
    record = start(office)
    due = deadline(record)
    assert due is not None
    office.clock.now = due - 1

    assert office.sweep() == due
    assert office.stored(record).status is not ends


@looks
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PENDING, Status.APPROVED, Status.EXECUTING}))
def test_time_does_nothing_to_what_has_ended(
    office: Office, status: Status, look: Callable[[Office, Record], Any]
) -> None:
    record = office.at(status)
    office.clock.advance(40 * 24 * 3600)

    look(office, record)

    assert office.stored(record) == record


def test_the_timer_says_when_it_has_to_look_again(office: Office) -> None:
    assert office.sweep() is None
    later = office.submit(an_action(decide_within=100.0))
    sooner = office.submit()
    assert office.sweep() == sooner.escalates_at
    office.clock.now = sooner.escalates_at
    assert office.sweep() == later.escalates_at
    office.clock.now = sooner.decide_by
    assert office.sweep() == later.decide_by


@pytest.mark.parametrize(
    "read",
    [
        lambda office, record: office.read(record),
        lambda office, _: office.submit(key="k", claims=False),
        lambda office, _: office.do(lambda tx: office.desk.list(tx, AGENT)),
    ],
    ids=["status", "repeated submit", "list"],
)
def test_an_approval_that_was_told_to_a_client_that_never_claims_may_have_run(
    office: Office, read: Callable[[Office, Record], Any]
) -> None:
    record = office.approve(office.submit(key="k", claims=False))
    read(office, record)
    office.clock.advance(300)

    assert office.read(record).status is Status.UNKNOWN


def test_an_approval_that_only_others_looked_at_lapses(office: Office) -> None:
    record = office.approve(office.submit(claims=False))
    office.read(record, CAROL)
    office.do(lambda tx: office.desk.list(tx, CAROL))
    office.clock.advance(300)

    assert office.read(record).status is Status.LAPSED


# Claims and outcomes


@pytest.mark.parametrize("digest", ["", "another-digest", "the-diges", "the-digest "])
def test_a_claim_for_another_call_is_a_conflict(office: Office, digest: str) -> None:
    record = office.at(Status.APPROVED)

    with pytest.raises(Conflict, match="digest"):
        office.claim(record, digest=digest)
    assert office.stored(record) == record


def test_the_same_nonce_gets_the_same_yes_for_a_minute(office: Office) -> None:
    record = office.at(Status.EXECUTING)
    office.clock.advance(60)

    assert office.claim(record) == record
    office.clock.now += 1
    with pytest.raises(Conflict):
        office.claim(record)


def test_an_approval_is_spent_once(office: Office) -> None:
    record = office.at(Status.EXECUTING)

    with pytest.raises(Conflict, match="is executing") as refused:
        office.claim(record, nonce="another-nonce")
    assert refused.value.record == record


def test_a_claim_ends_an_hour_later_at_the_latest(office: Office) -> None:
    record = office.at(Status.EXECUTING)

    assert record.run_until == office.clock.now + RUN_FOR * SECOND


def test_a_policy_that_changed_after_the_approval_makes_it_stale(office: Office) -> None:
    record = office.at(Status.APPROVED)
    office.change_policy()

    claimed = office.claim(record)

    assert claimed.status is Status.STALE
    assert "policy changed" in claimed.reason
    assert office.stored(record) == claimed
    with pytest.raises(Conflict):
        office.claim(record)


def test_an_outcome_is_taken_from_the_claims_holder_only(office: Office) -> None:
    record = office.at(Status.EXECUTING)

    with pytest.raises(Conflict, match="not the one"):
        office.report(record, Status.COMPLETED, nonce="another-nonce")
    assert office.stored(record) == record


def test_the_first_outcome_stands(office: Office) -> None:
    record = office.at(Status.EXECUTING)
    completed = office.report(record, Status.COMPLETED, duration=1.5, notes=("one row",))

    assert completed.outcome is not None
    assert (completed.outcome.duration, completed.outcome.notes) == (1.5, ("one row",))
    assert office.report(record, Status.COMPLETED) == completed
    with pytest.raises(Conflict, match="is completed"):
        office.report(record, Status.FAILED)


def test_an_outcome_that_comes_late_ends_the_doubt(office: Office) -> None:
    record = office.at(Status.EXECUTING)
    office.clock.advance(RUN_FOR)
    assert office.read(record).status is Status.UNKNOWN

    assert office.report(record, Status.FAILED, error_type="KeyError").status is Status.FAILED


def test_a_withdrawal_keeps_its_reason(office: Office) -> None:
    withdrawn = office.withdraw(office.submit(), reason="interrupted by KeyboardInterrupt")

    assert (withdrawn.reason, withdrawn.reason_code) == ("interrupted by KeyboardInterrupt", "withdrawn")


# Lists and the trail


def test_a_user_lists_their_own_and_an_approver_everything_newest_first(office: Office) -> None:
    mine, theirs = office.submit(), office.submit(who=OTHER_AGENT)

    def listed(who: Principal, **options: Any) -> list[int]:
        return [record.id for record in office.do(lambda tx: office.desk.list(tx, who, **options))]

    assert listed(AGENT) == [mine.id]
    assert listed(OTHER_AGENT) == [theirs.id]
    assert listed(CAROL) == [theirs.id, mine.id]
    assert listed(CAROL, limit=1, offset=1) == [mine.id]
    assert listed(CAROL, status=Status.DENIED) == []


def test_the_trail_of_a_whole_life_says_what_happened_by_whom_and_is_whole(office: Office) -> None:
    record = office.report(office.at(Status.EXECUTING), Status.COMPLETED, notes=("done",))

    entries = [json.loads(link.body) for link in office.trail()]
    assert [(entry["event"], entry["actor"], entry["status"]) for entry in entries] == [
        ("submit", AGENT.id, "pending"),
        ("approve", CAROL.id, "approved"),
        ("claim", AGENT.id, "executing"),
        ("complete", AGENT.id, "completed"),
    ]
    assert entries[0]["details"]["digest"] == record.action.digest
    assert entries[1]["details"]["decided_by"] == "carol"
    assert entries[2]["details"]["nonce"] == NONCE
    assert entries[3]["details"]["outcome"]["notes"] == ["done"]
    assert verify(office.trail()).problem is None
