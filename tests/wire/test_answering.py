"""The server's half of the wire: what clients sent becomes nouns, and a decision becomes what they can all read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import an_action

from clearance.commands import Await, Report, Submit
from clearance.models import Action, Decision, Outcome, Status
from clearance.testing import strategies
from clearance.wire import answering, asking, strictjson
from clearance.wire.answering import Unreadable
from clearance.wire.vocabulary import LINKS, MAX_HOLD

texts = st.text(max_size=20)
some_words = st.text(min_size=1, max_size=20)
actions = strategies.actions()
decisions = strategies.decisions(offers=st.just(frozenset(LINKS)))


def spelled(value: object) -> bytes:
    """A body."""
    return json.dumps(value).encode()


def a_body(**changes: Any) -> bytes:
    """The body of a plain client's submit."""
    return spelled({"agent_id": "a", "action_type": "payment.refund", **changes})


@given(actions, some_words)
def test_what_our_client_submits_is_what_the_center_reads(action: Action, nonce: str) -> None:
    body = asking.request(Submit(action, "key", nonce, 1.0)).body
    assert body is not None

    assert answering.submit(body) == answering.Submitted(action, claims=True, nonce=nonce)


@given(decisions)
def test_what_the_center_says_of_an_action_is_what_our_client_hears(decision: Decision) -> None:
    body = strictjson.write(answering.status_body(decision, exact=decision.status))

    assert asking.answer(Await(decision.action_id, 0, 1), 200, {}, body) == decision


@given(decisions)
def test_nothing_that_is_said_allows_unless_the_status_is_approved(decision: Decision) -> None:
    body = answering.status_body(decision, exact=None)

    allowed = decision.status is Status.APPROVED
    assert (body["status"] == "approved") is (body["decision"] == "approved") is body["approved"] is allowed
    assert body["requires_approval"] is not allowed


@given(
    st.sampled_from([Status.COMPLETED, Status.FAILED, Status.UNKNOWN]),
    st.none() | some_words,
    st.integers(0, 10**6),
    st.lists(texts, max_size=20).map(tuple),
)
def test_what_our_client_reports_is_what_the_center_reads(
    status: Status, error_type: str | None, milliseconds: int, notes: tuple[str, ...]
) -> None:
    outcome = Outcome(status, error_type, milliseconds / 1000, notes)
    body = asking.request(Report("1", "the-nonce", outcome, 1.0)).body
    assert body is not None

    assert answering.outcome(body) == ("the-nonce", outcome)


def test_a_plain_clients_submit_is_read_with_our_times_and_does_not_claim() -> None:
    said = answering.submit(a_body(description="d", tool_name="t", action_details={"amount": 5}))

    assert (said.claims, said.nonce) == (False, None)
    assert said.action == replace(
        an_action(),
        agent_id="a",
        description="d",
        tool_name="t",
        parameters={"amount": 5},
        digest=said.action.digest,
        decide_within=answering.DECIDE_WITHIN,
        run_within=answering.RUN_WITHIN,
    )


def test_a_plain_clients_action_is_bound_to_what_is_shown_of_it() -> None:
    def digest(**changes: Any) -> str:
        return answering.submit(a_body(**changes)).action.digest

    plain = digest(action_details={"amount": 5, "token": "one"})
    assert plain
    assert plain == digest(action_details={"amount": 5, "token": "two"})
    others = [{"amount": 6}, {"amount": 5.0}, {"amount": "5"}, {"Amount": 5}]
    assert len({plain, *(digest(action_details=details) for details in others)}) == 5


def test_the_two_places_for_arguments_are_read_as_one() -> None:
    said = answering.submit(a_body(action_details={"a": 1, "b": 1}, parameters={"b": 2}))

    assert said.action.parameters == {"a": 1, "b": 2}


@pytest.mark.parametrize("where", ["action_details", "context"])
def test_a_secret_of_a_plain_client_is_hidden_before_anything_sees_it(where: str) -> None:
    said = answering.submit(a_body(**{where: {"api_key": "sk-1", "deep": [{"password": "p"}], "plain": "shown"}}))

    assert "sk-1" not in repr(said)
    shown = said.action.parameters if where == "action_details" else said.action.context
    assert shown == {"api_key": "[redacted]", "deep": [{"password": "[redacted]"}], "plain": "shown"}
    assert len(said.action.redacted) == 2


def test_a_long_text_of_a_plain_client_is_shown_in_part_and_says_so() -> None:
    action = answering.submit(a_body(action_details={"text": "x" * 5_000})).action

    assert action.abridged == {"text": (4_000, 5_000)}
    assert "4,000 of 5,000 characters shown" in str(action.parameters["text"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Missing required fields: agent_id, action_type"),
        (b" \n", "Missing required fields: agent_id, action_type"),
        (b"{", "The body is not JSON"),
        (b'{"a":1,"a":1}', "The body is a key stands twice"),
        (b"[]", "body: "),
        (a_body(agent_id=5), "agent_id: "),
        (a_body(action_details=[]), "action_details: "),
        (a_body(extra_data={"clearance": []}), "extra_data.clearance: "),
        (a_body(extra_data={"clearance": {"digest": 5}}), "extra_data.clearance.digest: "),
        (a_body(extra_data={"clearance": {"call": {"kind": 5}}}), "extra_data.clearance.call.kind: "),
        (a_body(extra_data={"clearance": {"run_within_s": -1}}), "extra_data.clearance.run_within_s: "),
        (a_body(extra_data={"clearance": {"claim": True}}), "must send the digest"),
    ],
)
def test_what_cannot_be_read_says_which_field_and_never_the_value(body: bytes, says: str) -> None:
    with pytest.raises(Unreadable) as refused:
        answering.submit(body)
    assert says in str(refused.value)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(Unreadable) as refused:
        answering.submit(a_body(description=["sk-live-secret"]))
    assert "sk-live-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=5", 5),
        ("WAIT = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=7; x=y", 7),
        ("wait=60", 60),
        ("wait=61", MAX_HOLD),
        ("wait=" + "9" * 5_000, MAX_HOLD),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ("wait", 0),
        ("waiting=5", 0),
    ],
)
def test_the_wait_that_a_client_prefers_is_read_and_capped(prefer: str | None, seconds: int) -> None:
    assert answering.wait_of(prefer) == seconds


@pytest.mark.parametrize("key", [None, "k", "k" * 200])
def test_an_idempotency_key_of_a_sensible_length_is_taken(key: str | None) -> None:
    assert answering.idempotency_key(key) == key


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_another_idempotency_key_is_unreadable(key: str) -> None:
    with pytest.raises(Unreadable, match="Idempotency-Key"):
        answering.idempotency_key(key)


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("AC-3", True),
        ("AC-6(9)", True),
        ("AC-3, AU-12,CM-5", True),
        ("PR.AC-1", True),
        ("ac-3", False),
        ("AC-3 ", False),
        ("AC-3\n", False),
        ("AC-3" + ",AC-3" * 5, False),
        ("sk-live-secret", False),
        ("", False),
        (None, False),
        (3, False),
        (["AC-3"], False),
    ],
    ids=str,
)
def test_a_control_is_taken_only_if_it_is_one(said: object, is_one: bool) -> None:
    assert answering.submit(a_body(nist_control=said)).nist_control == (said if is_one else None)


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("TA0040", True),
        ("Impact", True),
        ("impact", True),
        ("Command and Control", True),
        ("Reconnaissance", True),
        ("Privilege Escalation", True),
        ("T1485", False),
        ("TA00400", False),
        ("Impact!", False),
        ("hunter2", False),
        ("", False),
        (None, False),
        ({"TA0040": 1}, False),
    ],
    ids=str,
)
def test_a_tactic_is_taken_only_if_it_is_one(said: object, is_one: bool) -> None:
    assert answering.submit(a_body(mitre_tactic=said)).mitre_tactic == (said if is_one else None)


@pytest.mark.parametrize("milliseconds", [-1, answering.LONGEST_DURATION_MS + 1, 10**400])
def test_a_duration_that_cannot_be_meant_is_unreadable(milliseconds: int) -> None:
    with pytest.raises(Unreadable, match="duration_ms"):
        answering.outcome(spelled({"nonce": "n", "outcome": "failed", "duration_ms": milliseconds}))


def test_an_answer_to_a_submit_names_every_field_of_the_contract() -> None:
    decision = Decision("7", Status.PENDING, risk_score=55, risk_level="medium", offers=frozenset(LINKS))

    body = answering.submit_body(
        decision,
        an_action(),
        exact=Status.PENDING,
        correlation_id="c",
        rules=["risk-ask"],
        clear_up_to=30,
        milliseconds=3,
        nist_control="AC-3",
        mitre_tactic=None,
    )

    contract = """
        id action_id status risk_score risk_level requires_approval policy_decision matched_policies
        matched_smart_rules correlation_id processing_time_ms action_type message alert_triggered workflow_id
        cvss_score cvss_severity cvss_vector nist_control mitre_tactic thresholds api_version decision reason
        approval_request_id expires_at policy_violations conditions enforcement_decision
        enforcement_decision_source links
    """
    assert set(contract.split()) <= set(body)
    assert (body["id"], body["action_id"], body["approval_request_id"]) == (7, 7, "7")
