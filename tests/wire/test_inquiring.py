"""What else is asked of a server than commands: whatever it answers is read as what it says, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import AuthorizationUnavailable, Decision, Status
from clearance.told import ActionDetails, Connection, KillSwitchStatus
from clearance.wire import inquiring, submitting
from clearance.wire.inquiring import Inquiry

FIELDS = {"agent_id": "a", "action_type": "b", "tool_name": "c", "description": "d"}
INQUIRIES: dict[str, tuple[Inquiry[Any], type]] = {
    "health": (inquiring.health(5.0, lambda: 0.0), Connection),
    "deployment": (inquiring.deployment(5.0), Connection),
    "own actions": (inquiring.own_actions(5.0), list),
    "listing": (inquiring.listing(None, 50, 0, 5.0), list),
    "details": (inquiring.details("7", 5.0), ActionDetails),
    "kill switch": (inquiring.kill_switch(None, 5.0), KillSwitchStatus),
    "submit": (submitting.submission(FIELDS, "key", 5.0), Decision),
}
WORDS = """
    id action_id status decision lifecycle reason decided_at links edits version role offers name blocked actions
    created_at action_details agent_id description resource digest activated_at retry_after nonce risk_score
""".split()  # noqa: SIM905 - a list of words reads better as words
SAID = st.sampled_from(["approved", "denied", "pending_approval", "executed", "healthy", "escalated", "2026-11-28"])
SCALARS = st.none() | st.booleans() | st.just(7) | st.integers() | st.floats(allow_nan=False) | SAID | st.text()
ANSWERS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=8),
    max_leaves=25,
)
DATES = st.text() | st.just("Sat, 28 Nov 2026 09:08:54 GMT")
HEADERS = st.dictionaries(st.sampled_from(["date", "retry-after"]), DATES)


@pytest.mark.parametrize("name", INQUIRIES)
@given(answer=ANSWERS, status=st.sampled_from([200] * 8 + [201, 302, 401, 404, 500]), headers=HEADERS)
def test_any_answer_is_read_as_what_it_says_or_refused(
    name: str, answer: Any, status: int, headers: dict[str, str]
) -> None:
    inquiry, kind = INQUIRIES[name]
    try:
        found = inquiry.read(status, headers, json.dumps(answer).encode())
    except AuthorizationUnavailable:
        return
    assert status == 200
    assert isinstance(found, kind)


@given(body=st.binary())
def test_bytes_that_are_no_json_are_refused(body: bytes) -> None:
    for inquiry, _ in INQUIRIES.values():
        try:
            json.loads(body)
        except ValueError:
            with pytest.raises(AuthorizationUnavailable):
                inquiry.read(200, {}, body)


@given(word=st.text(), others=st.dictionaries(st.sampled_from(["decision", "lifecycle", "approved"]), SCALARS))
def test_only_the_word_approved_reads_as_approved(word: str, others: dict[str, Any]) -> None:
    inquiry = INQUIRIES["details"][0]
    try:
        found = inquiry.read(200, {}, json.dumps({"id": 7, "status": word, **others}).encode())
    except AuthorizationUnavailable:
        return
    assert (found.status is Status.APPROVED) is (word == "approved")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "limit=50&offset=0"),
        (Status.PENDING, "limit=50&offset=0&status_filter=pending_approval"),
        ("pending", "limit=50&offset=0&status_filter=pending_approval"),
        ("pending_approval", "limit=50&offset=0&status_filter=pending_approval"),
        (Status.LAPSED, "limit=50&offset=0&status_filter=lapsed"),
        ("a&b=c#", "limit=50&offset=0&status_filter=a%26b%3Dc%23"),
    ],
)
def test_a_list_is_asked_for_in_the_words_of_the_wire(status: Status | str | None, words: str) -> None:
    assert inquiring.listing_path(status, 50, 0) == f"/api/v1/actions?{words}"


@pytest.mark.parametrize(
    ("date", "ahead"),
    [("Sat, 28 Nov 2026 09:00:00 GMT", 90.0), ("", None), ("soon", None), ("Sat, 99 Nov 2026 09:00:00 GMT", None)],
)
def test_how_far_a_clock_is_ahead_is_told_where_the_server_tells_its_time(date: str, ahead: float | None) -> None:
    nine = 1795856400.0
    assert inquiring.seconds_ahead({"date": date}, nine + 90) == ahead
