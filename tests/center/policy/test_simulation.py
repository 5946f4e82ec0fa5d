"""What another policy would have said of recorded actions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.center.desks import CAROL, Office
from tests.center.policies import saying
from tests.helpers import an_action

from clearance.center import recorded
from clearance.center.moves import SECOND
from clearance.center.policy import Effect, Policy
from clearance.center.policy.simulation import MOST_NAMED, Simulation, effect_of
from clearance.center.service import Center
from clearance.center.store.base import Use

ALLOW, ASK, DENY = Effect.ALLOW, Effect.ASK, Effect.DENY
BEFORE = saying("match: {action_type: a.read}, then: allow", "match: {action_type: a.drop}, then: deny")
AFTER = saying(
    "match: {tool_name: smtp}, then: allow",
    "match: {parameters.amount: {gt: 7}}, then: ask",
    "match: {action_type: a.read}, then: deny",
    "match: {action_type: a.drop}, then: deny",
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "center.db", BEFORE)
    yield office
    office.close()


def simulated(office: Office, policy: Policy = AFTER) -> Simulation:
    found = Simulation(policy)
    for record in office.do(lambda tx: tx.actions(oldest_first=True, limit=1_000)):
        found.add(record)
    return found


def test_what_would_be_said_is_counted_against_what_was(office: Office) -> None:
    read = office.submit(an_action(action_type="a.read", digest="1"))
    office.submit(an_action(action_type="a.drop", digest="2"))
    office.submit(an_action(tool_name="smtp", digest="3"))
    office.submit(an_action(digest="4"))

    found = simulated(office)

    assert found.effects == {(ALLOW, DENY): 1, (DENY, DENY): 1, (ASK, ALLOW): 1, (ASK, ASK): 1}
    assert (found.now(DENY), found.was(DENY), found.total) == (2, 1, 4)
    (changed,) = found.changed[ALLOW, DENY]
    assert (changed.id, changed.was_by, changed.now_by) == (read.id, "r0", "r2")
    assert found.rules == {"r2": 1, "r3": 1, "r0": 1, "no-rule": 1}


def test_what_a_person_did_was_asked_about_whatever_became_of_it(office: Office) -> None:
    denied, revoked, cleared = office.submit(), office.submit(), office.submit()
    office.deny(denied, CAROL)
    for record in (revoked, cleared):
        office.approve(record, CAROL)
    office.do(lambda tx: office.desk.revoke(tx, CAROL, revoked.id))
    taken_back = office.submit(an_action(action_type="a.read"))
    office.do(lambda tx: office.desk.revoke(tx, CAROL, taken_back.id))

    assert [effect_of(office.stored(each)) for each in (denied, revoked, cleared, taken_back)] == [ASK, ASK, ASK, ALLOW]


def test_the_same_policy_changes_nothing(office: Office) -> None:
    for number, kind in enumerate(("a.read", "a.drop", "b.send")):
        office.submit(an_action(action_type=kind, digest=f"{number}"))
    assert all(was is now for was, now in simulated(office, BEFORE).effects)


def test_the_tools_that_ask_most_are_the_fewest_that_make_nine_in_ten(office: Office) -> None:
    found = Simulation(AFTER)
    found.asking.update({"a": 50, "b": 40, "c": 9, "d": 1})
    assert found.most_asking() == ["a", "b"]
    assert Simulation(AFTER).most_asking() == []


def test_rules_that_could_not_be_told_are_counted(office: Office) -> None:
    office.submit(an_action(parameters={"amount": 9}, redacted=("amount",)))
    assert simulated(office).unclear == {"r1": 1}


def test_only_so_many_actions_are_kept_and_all_are_counted(office: Office) -> None:
    record = office.submit(an_action(action_type="a.read"))
    found = Simulation(AFTER)
    for _ in range(MOST_NAMED + 5):
        found.add(record)
    assert found.effects[ALLOW, DENY] == MOST_NAMED + 5
    assert len(found.changed[ALLOW, DENY]) == MOST_NAMED


def test_days_are_counted_from_the_first_action_and_are_at_least_one(office: Office) -> None:
    first = office.submit()
    found = simulated(office)
    assert found.days(first.created_at) == 1
    assert found.days(first.created_at + 2 * 86_400 * SECOND) == 2


@pytest.mark.parametrize("at_once", [1, 3, 500])
def test_every_action_from_a_time_on_is_read_once_in_batches_of_any_size(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(recorded, "AT_ONCE", at_once)
    made = []
    for _ in range(9):
        made.append(office.submit())
        office.clock.advance(60)
    center = Center.open(tmp_path / "center.db", use=Use.READ)
    try:
        for number, record in enumerate(made):
            found = [each.id for each in recorded.since(center, record.created_at)]
            assert found == [each.id for each in made[number:]]
        assert list(recorded.since(center, made[-1].created_at + 1)) == []
        assert len(list(recorded.since(center, 0))) == 9
    finally:
        center.close()


def test_a_database_without_actions_has_none_to_read(tmp_path: Path) -> None:
    Office(tmp_path / "center.db").close()
    center = Center.open(tmp_path / "center.db", use=Use.READ)
    try:
        assert list(recorded.since(center, 0)) == []
    finally:
        center.close()
