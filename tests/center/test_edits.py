"""An approver clears a call with other values: only what the guard allows, and the claim is for just that."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.desks import CAROL, Office
from tests.helpers import an_action
from tests.servers import Api, Running, a_submit, claiming

from clearance.center import edits
from clearance.center.faults import Conflict, Invalid
from clearance.center.risk import Bands, RiskModel
from clearance.models import Json, Status

EDITABLE = an_action(editable=("amount",))
OTHER = "d" * 43
"""The digest of the call as it was changed."""


def test_an_edit_stands_beside_what_was_asked_which_never_changes(office: Office) -> None:
    asked = office.submit(EDITABLE)

    approved = office.approve(asked, amount=3)

    assert (approved.status, approved.edits) == (Status.APPROVED, {"amount": 3})
    assert approved.action == asked.action
    assert office.stored(asked) == approved


def test_the_trail_says_what_was_changed_and_what_ran(office: Office) -> None:
    record = office.approve(office.submit(EDITABLE), amount=3)
    office.claim(record, edited_digest=OTHER)

    details = {entry["event"]: entry["details"] for entry in (json.loads(link.body) for link in office.trail())}
    assert details["approve"]["edits"] == {"amount": 3}
    assert details["claim"]["edited_digest"] == OTHER


def test_an_edit_that_changes_nothing_is_none(office: Office) -> None:
    record = office.approve(office.submit(EDITABLE), amount=5)

    assert record.edits == {}
    assert office.claim(record).status is Status.EXECUTING


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        ({"charge_id": "ch_2"}, "charge_id may not be changed in this call; parameters that may: amount"),
        ({"amount": 3, "note": "x"}, "note may not be changed"),
        ({"amount": "9" * edits.LONGEST_EDIT}, "more than 20,000 bytes"),
    ],
    ids=["not editable", "unknown", "too long"],
)
def test_what_the_guard_does_not_allow_is_refused_and_nothing_is_decided(
    office: Office, edited: dict[str, Json], words: str
) -> None:
    record = office.submit(EDITABLE)

    with pytest.raises(Invalid, match=words):
        office.do(lambda tx: office.desk.decide(tx, CAROL, record.id, approve=True, edits=edited))

    assert office.stored(record) == record


def test_a_client_that_does_not_claim_could_not_learn_of_an_edit(office: Office) -> None:
    with pytest.raises(Invalid, match="does not claim"):
        office.approve(office.submit(EDITABLE, claims=False), amount=3)


def test_a_refusal_changes_nothing(office: Office) -> None:
    record = office.submit(EDITABLE)

    with pytest.raises(Invalid, match="refused cannot be changed"):
        office.do(lambda tx: office.desk.decide(tx, CAROL, record.id, approve=False, edits={"amount": 3}))


@pytest.mark.parametrize("claimed", [None, EDITABLE.digest], ids=["as it was asked", "with the same digest"])
def test_a_changed_call_cannot_be_claimed_as_it_was_asked(office: Office, claimed: str | None) -> None:
    record = office.approve(office.submit(EDITABLE), amount=3)

    with pytest.raises(Conflict, match="the claim must be for the call with them"):
        office.claim(record, edited_digest=claimed)

    assert office.stored(record).status is Status.APPROVED


def test_an_unchanged_call_cannot_be_claimed_as_a_changed_one(office: Office) -> None:
    with pytest.raises(Conflict, match="the claim must be"):
        office.claim(office.approve(office.submit(EDITABLE)), edited_digest=OTHER)


def test_a_changed_call_still_has_to_name_what_was_asked(office: Office) -> None:
    with pytest.raises(Conflict, match="not the one that was approved"):
        office.claim(office.approve(office.submit(EDITABLE), amount=3), digest="another", edited_digest=OTHER)


def test_the_same_claim_again_gets_the_same_yes_and_one_for_another_call_none(office: Office) -> None:
    record = office.approve(office.submit(EDITABLE), amount=3)
    claimed = office.claim(record, edited_digest=OTHER)

    assert office.claim(record, edited_digest=OTHER) == claimed
    with pytest.raises(Conflict):
        office.claim(record, edited_digest="e" * 43)


@given(
    shown=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.lists(st.integers(), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=3)
)
def test_a_field_that_nobody_touches_is_no_edit(shown: Json) -> None:
    assert edits.parsed("x", edits.as_typed(shown), shown) == shown


@pytest.mark.parametrize(
    ("text", "shown", "value"),
    [
        ("7", "5", "7"),
        ("7", 5, 7),
        ("7.5", 5, 7.5),
        ("true", False, True),
        ("[1]", [], [1]),
        ('{"a": 1}', {}, {"a": 1}),
    ],
)
def test_what_is_typed_is_of_the_kind_that_is_shown(text: str, shown: Json, value: Json) -> None:
    assert edits.parsed("x", text, shown) == value


@pytest.mark.parametrize(
    ("text", "shown", "words"),
    [
        ("five", 5, "write a value like 5"),
        ("true", 5, "write a number, like 5"),
        ("1", True, "write true or false, like true"),
        ("{}", [], "write a list"),
        ("null", {"a": 1}, "write an object"),
        ('"x"', 5, "write a number"),
        ("NaN", 5, "write a value like 5"),
    ],
)
def test_what_is_of_another_kind_is_refused_with_what_to_write(text: str, shown: Json, words: str) -> None:
    with pytest.raises(Invalid, match=f"x: {words}"):
        edits.parsed("x", text, shown)


# Over the wire


def test_an_edit_goes_over_the_wire_and_back(running: Running) -> None:
    with Api(running.url, running.user_key) as agent, Api(running.url, running.admin_key) as approver:
        action_id = agent.submit(extra_data=claiming(editable=["amount"]))["id"]
        path = f"/api/v1/actions/{action_id}"

        approved = approver.post(f"{path}/approve", {"parameters": {"amount": 3}}).json()
        assert approved["edits"] == {"amount": 3}
        assert approved["action_details"]["amount"] == 5
        assert agent.get(f"{path}/status").json()["edits"] == {"amount": 3}

        as_asked = agent.post(f"{path}/claim", {"digest": "the-digest", "nonce": "n" * 8})
        assert as_asked.status_code == 409
        changed = agent.post(f"{path}/claim", {"digest": "the-digest", "nonce": "n" * 8, "edited_digest": OTHER})
        assert changed.json()["status"] == "executing"


@pytest.mark.parametrize(
    ("extra", "details"),
    [
        ({"editable": ["price"]}, {}),
        ({"editable": ["note"], "redacted": ["note"]}, {"note": "[redacted]"}),
        ({"editable": ["note"], "parameters_shown": {"note.text": [1, 2]}}, {"note": {"text": "a"}}),
        ({"editable": ["amount"] * 13}, {}),
        ({"editable": "amount"}, {}),
    ],
    ids=["unknown", "hidden", "shown in part", "too many", "no list"],
)
def test_only_what_an_approver_sees_whole_can_be_editable(
    running: Running, extra: dict[str, object], details: dict[str, object]
) -> None:
    body = a_submit(extra_data=claiming(**extra), action_details={"amount": 5, **details})

    with Api(running.url, running.user_key) as agent:
        assert agent.post("/api/v1/actions/submit", body).status_code == 422


def test_an_edited_digest_must_look_like_one(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        action_id = agent.submit(extra_data=claiming(editable=["amount"]))["id"]
        claim = {"digest": "the-digest", "nonce": "n" * 8, "edited_digest": "short"}
        assert agent.post(f"/api/v1/actions/{action_id}/claim", claim).status_code == 422


# The caller's own indicators


@pytest.mark.parametrize(
    ("indicators", "points"),
    [
        ({}, 0),
        ({"first_time": True}, 10),
        ({"first_time": True, "night": True}, 20),
        ({"risk_score": 20}, 20),
        ({"risk_score": -50, "trusted": False, "safe": -3, "note": "harmless"}, 0),
        ({"risk_score": 10**9}, 100),
        ({f"i{n}": True for n in range(100)}, 100),
    ],
    ids=["none", "one", "two", "a score", "soothing ones", "an absurd score", "many"],
)
def test_the_callers_own_indicators_only_ever_raise_the_risk(indicators: dict[str, Json], points: int) -> None:
    without = RiskModel().assess(an_action(action_type="order.lookup")).score

    score, level, factors = RiskModel().assess(an_action(action_type="order.lookup", risk_indicators=indicators))

    assert score == min(100, without + points)
    assert level == Bands().level(score)
    assert sum(factor.points for factor in factors if factor.name.startswith("indicator")) >= min(points, 100)
