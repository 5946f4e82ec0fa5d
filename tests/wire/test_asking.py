"""The client's half of the wire: what a command looks like, and which answers are believed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.helpers import an_action

from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.errors import AuthorizationUnavailable
from clearance.models import CodeIdentity, Decision, Outcome, Status
from clearance.wire import asking
from clearance.wire.vocabulary import LINKS, MAX_BODY, SPOKEN

NONCE = "our-nonce"
SUBMIT = Submit(an_action(), "our-key", NONCE, timeout=30.0)
AWAIT = Await("7", hold=30.0, timeout=60.0)
CLAIM = Claim("7", "the-digest", NONCE, timeout=10.0)
REPORT = Report("7", NONCE, Outcome(Status.FAILED, "LookupError", 1.2344, ("a", "b")), timeout=2.0)
WITHDRAW = Withdraw("7", "interrupted by KeyboardInterrupt", timeout=1.0)
COMMANDS: list[Command] = [SUBMIT, AWAIT, CLAIM, REPORT, WITHDRAW]

every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)


def answered(
    body: object, command: Command = AWAIT, status: int = 200, headers: dict[str, str] | None = None
) -> Decision:
    """What an answer with this body says; anything but bytes is put in JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asking.answer(command, status, headers or {}, data)


def fault(
    body: object = b"", command: Command = AWAIT, status: int = 200, headers: dict[str, str] | None = None
) -> AuthorizationUnavailable:
    """Why an answer is not believed."""
    with pytest.raises(AuthorizationUnavailable) as refused:
        answered(body, command, status, headers)
    return refused.value


# ---------------------------------------------------------------------------------------------------------------------
# Requests
# ---------------------------------------------------------------------------------------------------------------------


def sent(command: Command) -> Any:
    """The JSON body of a command's request."""
    body = asking.request(command).body
    assert body is not None
    return json.loads(body)


def posted(key: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Idempotency-Key": key}


@pytest.mark.parametrize(
    ("command", "method", "path", "headers"),
    [
        (SUBMIT, "POST", "/api/v1/actions/submit", posted("our-key")),
        (AWAIT, "GET", "/api/v1/actions/7/status", {"Prefer": "wait=30"}),
        (replace(AWAIT, hold=2.1), "GET", "/api/v1/actions/7/status", {"Prefer": "wait=3"}),
        (replace(AWAIT, hold=0.0), "GET", "/api/v1/actions/7/status", {}),
        (CLAIM, "POST", "/api/v1/actions/7/claim", posted("claim-our-nonce")),
        (REPORT, "POST", "/api/v1/actions/7/outcome", posted("outcome-failed-our-nonce")),
        (WITHDRAW, "POST", "/api/v1/actions/7/withdraw", posted("withdraw-7")),
    ],
)
def test_every_command_has_its_route_and_its_headers(
    command: Command, method: str, path: str, headers: dict[str, str]
) -> None:
    request = asking.request(command)

    assert (request.method, request.path, request.headers) == (method, path, headers)
    assert (request.body is None) == (method == "GET")


@every_command
def test_the_same_command_is_the_same_request(command: Command) -> None:
    assert asking.request(command) == asking.request(command)


def test_a_submit_says_everything_in_ascends_words() -> None:
    action = an_action(
        parameters={"charge_id": "ch_1", "note": "xxx…", "password": "[redacted]"},
        resource="acct_1",
        context={"ticket": 7},
        reasoning="The customer asked.",
        redacted=("password",),
        abridged={"note": (3, 5)},
        code=CodeIdentity("billing", "refund", "function"),
        editable=("charge_id",),
        risk_indicators={"first_time": True},
    )

    assert sent(replace(SUBMIT, action=action)) == {
        "agent_id": "billing-bot",
        "action_type": "payment.refund",
        "description": "Refund 5 on ch_1",
        "tool_name": "stripe",
        "action_details": {"charge_id": "ch_1", "note": "xxx…", "password": "[redacted]"},
        "resource": "acct_1",
        "context": {"ticket": 7},
        "risk_indicators": {"first_time": True},
        "extra_data": {
            "clearance": {
                "v": 1,
                "digest": "the-digest",
                "parameters_shown": {"note": [3, 5]},
                "redacted": ["password"],
                "decide_within_s": 60.0,
                "run_within_s": 300.0,
                "claim": True,
                "nonce": NONCE,
                "reasoning": "The customer asked.",
                "call": {"module": "billing", "qualname": "refund", "kind": "function"},
                "editable": ["charge_id"],
            }
        },
    }


def test_what_an_action_does_not_have_is_left_out_or_null() -> None:
    body = sent(SUBMIT)

    assert {"resource", "context", "risk_indicators"} & set(body) == set()
    assert body["extra_data"]["clearance"]["call"] is None


def test_a_submit_without_a_nonce_does_not_ask_to_be_claimed() -> None:
    assert sent(replace(SUBMIT, nonce=""))["extra_data"]["clearance"]["claim"] is False


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (CLAIM, {"digest": "the-digest", "nonce": NONCE}),
        (
            REPORT,
            {
                "nonce": NONCE,
                "outcome": "failed",
                "error_type": "LookupError",
                "duration_ms": 1234,
                "notes": ["a", "b"],
            },
        ),
        (WITHDRAW, {"reason": "interrupted by KeyboardInterrupt"}),
    ],
)
def test_the_other_commands_say_just_this(command: Command, body: dict[str, object]) -> None:
    assert sent(command) == body


def test_a_submit_is_sent_to_the_limit_of_its_size_and_refused_past_it() -> None:
    def of_size(size: int) -> Submit:
        filler = size - len(asking.request(SUBMIT).body or b"") - len(',"filler":""')
        return replace(SUBMIT, action=an_action(parameters={**SUBMIT.action.parameters, "filler": "x" * filler}))

    assert len(asking.request(of_size(MAX_BODY)).body or b"") == MAX_BODY
    with pytest.raises(AuthorizationUnavailable, match=r"has 1,048,577 bytes; a Center reads 1,048,576\.") as refused:
        asking.request(of_size(MAX_BODY + 1))
    assert (refused.value.reason_code, refused.value.transient) == ("too_large", False)


@every_command
@pytest.mark.parametrize("action_id", ["", "-1", "1/../2", "7?x=1", "٧", "7\n", "abc"])
def test_an_id_that_is_no_number_never_gets_into_a_path(command: Command, action_id: str) -> None:
    if isinstance(command, Submit):
        assert action_id not in asking.request(command).path or action_id == ""
        return
    with pytest.raises(AuthorizationUnavailable, match="id that is no number"):
        asking.request(replace(command, action_id=action_id))


# ---------------------------------------------------------------------------------------------------------------------
# Answers that are believed
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"status": "pending_approval"}, Status.PENDING),
        ({"status": "pending_approval", "decision": "pending"}, Status.PENDING),
        ({"status": "pending"}, Status.PENDING),
        ({"status": "approved"}, Status.APPROVED),
        ({"status": "approved", "decision": "approved"}, Status.APPROVED),
        ({"status": "approved", "decision": None, "lifecycle": None}, Status.APPROVED),
        ({"status": "approved", "lifecycle": "approved"}, Status.APPROVED),
        ({"status": "denied", "decision": "denied"}, Status.DENIED),
        ({"status": "rejected", "decision": "denied"}, Status.DENIED),
        ({"status": "executing"}, Status.EXECUTING),
        ({"status": "executing", "decision": None, "lifecycle": "executing"}, Status.EXECUTING),
        ({"status": "executed", "decision": "executed"}, Status.EXECUTING),
        *(({"status": SPOKEN[status], "lifecycle": status.value}, status) for status in Status),
    ],
)
def test_a_status_is_what_everything_in_the_answer_agrees_on(said: dict[str, object], status: Status) -> None:
    assert answered({"action_id": 7, **said}).status is status


def test_an_answer_may_say_who_decided_why_and_when() -> None:
    decision = answered(
        {
            "id": 7,
            "action_id": 7,
            "status": "executing",
            "decision": None,
            "lifecycle": "executing",
            "reason": "known customer",
            "reason_code": "approver",
            "decided_by": "ann",
            "decided_at": "2026-01-31T12:00:00Z",
            "channel": "inbox",
            "risk_score": 40,
            "risk_level": "medium",
            "expires_at": "2026-01-31T12:15:00+01:00",
            "nonce": NONCE,
            "links": {name: f"/api/v1/actions/7/{name}" for name in LINKS},
        },
        headers={"retry-after": "3"},
    )

    assert decision == Decision(
        action_id="7",
        status=Status.EXECUTING,
        reason="known customer",
        reason_code="approver",
        decided_by="ann",
        decided_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        channel="inbox",
        risk_score=40.0,
        risk_level="medium",
        decide_by=datetime(2026, 1, 31, 12, 15, tzinfo=timezone(timedelta(hours=1))),
        nonce=NONCE,
        offers=frozenset(LINKS),
        retry_after=3.0,
    )


def test_an_answer_of_a_plain_ascend_server_offers_nothing() -> None:
    decision = answered(
        {
            "id": 7,
            "action_id": 7,
            "status": "approved",
            "risk_score": 12.5,
            "matched_smart_rules": 2,
            "workflow_id": None,
        },
        SUBMIT,
    )

    assert decision == Decision("7", Status.APPROVED, risk_score=12.5)


def test_fields_that_nobody_asked_for_are_left_alone() -> None:
    assert answered({"action_id": 7, "status": "denied", "approved": True, "allow": [1, {"x": None}]}) == Decision(
        "7", Status.DENIED
    )


def test_links_that_mean_nothing_here_are_no_offers() -> None:
    decision = answered({"action_id": 7, "status": "approved", "links": {"claim": "/x", "self_destruct": "/y"}})

    assert decision.offers == {"claim"}


@pytest.mark.parametrize("ids", [{"id": 7}, {"action_id": 7}, {"id": 7, "action_id": 7}])
def test_an_id_may_be_under_either_name(ids: dict[str, int]) -> None:
    assert answered({**ids, "status": "denied"}).action_id == "7"


def test_a_submit_may_be_answered_with_any_id() -> None:
    assert answered({"id": 123_456_789, "status": "denied"}, SUBMIT).action_id == "123456789"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5+00:00", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        ("9" * 400, None),
        (None, None),
    ],
)
def test_a_time_that_is_only_shown_is_left_out_if_it_cannot_be_read(text: str | None, time: datetime | None) -> None:
    assert answered({"action_id": 7, "status": "denied", "decided_at": text}).decided_at == time


# ---------------------------------------------------------------------------------------------------------------------
# Answers that are not
# ---------------------------------------------------------------------------------------------------------------------

GOOD = {"action_id": 7, "status": "approved"}
BAD_ANSWERS: dict[str, object] = {
    "nothing": b"",
    "HTML": b"<html><body>Approved</body></html>",
    "a word": b"approved",
    "truncated": b'{"action_id": 7, "status": "approved"',
    "two answers": b'{"action_id": 7, "status": "denied"}\n{"action_id": 7, "status": "approved"}',
    "a key twice": b'{"action_id": 7, "status": "denied", "status": "approved"}',
    "NaN": b'{"action_id": 7, "status": "approved", "risk_score": NaN}',
    "not UTF-8": b'{"action_id": 7, "status": "approved", "reason": "\xff"}',
    "half a character": b'{"action_id": 7, "status": "approved", "reason": "\\ud800"}',
    "a bomb": b'{"action_id": 7, "status": "approved", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a list": [GOOD],
    "a text": "approved",
    "a number": 7,
    "true": True,
    "null": None,
    "an empty object": {},
    "no status": {"action_id": 7},
    "no id": {"status": "approved"},
    "a null id": {"id": None, "action_id": None, "status": "approved"},
    "two ids": {"id": 7, "action_id": 8, "status": "approved"},
    "another id": {"action_id": 8, "status": "approved"},
    "an id as text": {"action_id": "7", "status": "approved"},
    "an id as fraction": {"action_id": 7.0, "status": "approved"},
    "an id as truth": {"action_id": True, "status": "approved"},
    "status as truth": {"action_id": 7, "status": True},
    "status as list": {"action_id": 7, "status": ["approved"]},
    "status null": {"action_id": 7, "status": None},
    "status in capitals": {"action_id": 7, "status": "APPROVED"},
    "status with a space": {"action_id": 7, "status": "approved "},
    "status unknown": {"action_id": 7, "status": "probably"},
    "status of ours": {"action_id": 7, "status": "completed"},
    "status empty": {"action_id": 7, "status": ""},
    "approved, but denied": {**GOOD, "decision": "denied"},
    "denied, but approved": {"action_id": 7, "status": "denied", "decision": "approved"},
    "approved, but pending": {**GOOD, "decision": "pending"},
    "approved, but nobody knows": {**GOOD, "decision": "maybe"},
    "decision as truth": {**GOOD, "decision": True},
    "approved, but the lifecycle denied": {**GOOD, "lifecycle": "denied"},
    "denied, but the lifecycle approved": {"action_id": 7, "status": "denied", "lifecycle": "approved"},
    "lifecycle unknown": {**GOOD, "lifecycle": "blessed"},
    "lifecycle in capitals": {**GOOD, "lifecycle": "APPROVED"},
    "reason as number": {**GOOD, "reason": 1},
    "nonce as number": {"action_id": 7, "status": "executing", "nonce": 1},
    "risk as text": {**GOOD, "risk_score": "12"},
    "risk as truth": {**GOOD, "risk_score": True},
    "links as list": {**GOOD, "links": ["claim"]},
    "links to nothing": {**GOOD, "links": {"claim": None}},
    "decided_at as number": {**GOOD, "decided_at": 1},
}


@pytest.mark.parametrize("body", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
@pytest.mark.parametrize("command", [AWAIT, CLAIM], ids=["await", "claim"])
def test_an_answer_that_is_not_exactly_one_is_no_answer(body: object, command: Command) -> None:
    error = fault(body, command)

    assert error.reason_code == "bad_answer"
    assert error.happened.startswith("The Center's answer cannot be trusted: it ")
    assert not error.transient


def test_what_is_wrong_with_an_answer_is_said_by_field_without_its_value() -> None:
    error = fault({"action_id": 7, "status": "approved", "links": {"claim": ["hunter2"]}})

    assert "links.claim: Input should be a valid string" in error.happened
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("word", ["status", "decision", "lifecycle"])
def test_a_long_word_is_not_repeated_at_length(word: str) -> None:
    assert len(fault({**GOOD, word: "x" * 10_000}).happened) < 200


# ---------------------------------------------------------------------------------------------------------------------
# HTTP
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason_code", "transient"),
    [
        (201, "bad_answer", False),
        (202, "bad_answer", False),
        (204, "bad_answer", False),
        (301, "redirect", False),
        (302, "redirect", False),
        (303, "redirect", False),
        (307, "redirect", False),
        (308, "redirect", False),
        (400, "bad_answer", False),
        (401, "bad_key", False),
        (403, "forbidden", False),
        (404, "not_found", False),
        (409, "in_flight", True),
        (410, "gone", False),
        (413, "too_large", False),
        (418, "bad_answer", False),
        (422, "rejected", False),
        (429, "rate_limited", True),
        (500, "server_error", True),
        (502, "server_error", True),
        (503, "server_error", True),
        (507, "server_error", True),
    ],
)
@pytest.mark.parametrize("command", [SUBMIT, AWAIT], ids=["submit", "await"])
def test_only_200_is_an_answer_and_every_other_status_has_its_reason_even_with_a_perfect_body(
    command: Command, status: int, reason_code: str, transient: bool
) -> None:
    error = fault(GOOD, command, status)

    assert (error.reason_code, error.transient) == (reason_code, transient)
    assert f"HTTP {status}" in error.happened
    assert error.next_step


@pytest.mark.parametrize("command", [CLAIM, REPORT, WITHDRAW], ids=["claim", "report", "withdraw"])
def test_a_conflict_over_an_action_says_how_it_stands_instead(command: Command) -> None:
    decision = answered({"action_id": 7, "status": "denied", "lifecycle": "lapsed"}, command, 409)

    assert decision == Decision("7", Status.LAPSED)


def test_a_conflict_is_never_the_yes_to_a_claim_even_if_it_repeats_our_nonce() -> None:
    decision = answered({"action_id": 7, "status": "executing", "nonce": NONCE}, CLAIM, 409)

    assert decision.nonce is None


def test_a_conflict_that_does_not_say_how_the_action_stands_is_no_answer() -> None:
    assert fault({"detail": "conflict"}, CLAIM, 409).reason_code == "bad_answer"


def test_the_servers_own_sentence_is_quoted() -> None:
    error = fault({"detail": "Missing required fields: tool_name"}, SUBMIT, 422)

    assert error.happened == ("The Center cannot accept the request (HTTP 422: 'Missing required fields: tool_name').")


@pytest.mark.parametrize("body", [b"<html>", {"detail": ["a"]}, {"detail": ""}, {"error": "x"}, [], None])
def test_a_server_that_says_no_sentence_is_not_quoted(body: object) -> None:
    assert fault(body, status=500).happened == "The Center failed (HTTP 500)."


def test_a_servers_sentence_is_cut_and_its_control_characters_are_spelled_out() -> None:
    happened = fault({"detail": "\x1b[2J\n\u202e" + "x" * 10_000}, status=500).happened

    assert r"'\x1b[2J\n\u202e" in happened
    assert len(happened) < 400


DATE = "Sat, 31 Jan 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "9" * 400}, 999_999_999.0),
        ({"retry-after": "Sat, 31 Jan 2026 12:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sat, 31 Jan 2026 11:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Sat, 31 Jan 2026 12:00:30 GMT"}, None),
        ({"retry-after": "Sat, 31 Jan 2026 12:00:30 GMT", "date": "now"}, None),
        ({"retry-after": "Sat, 31 Jan 2026 12:00:30 -0000", "date": DATE}, None),
        ({"retry-after": f"Sat, 31 Jan {'9' * 40} 12:00:30 GMT", "date": DATE}, None),
        ({"retry-after": f"Sat, 31 Jan 2026 12:00:30 +{'9' * 40}", "date": DATE}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "٧"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_how_long_to_leave_a_server_alone_is_read_in_seconds_or_against_its_own_clock(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert fault(status=503, headers=headers).retry_after == seconds
    assert answered(GOOD, headers=headers).retry_after == seconds


# ---------------------------------------------------------------------------------------------------------------------
# Whatever a server says
# ---------------------------------------------------------------------------------------------------------------------

words = st.sampled_from(
    "approved denied rejected pending pending_approval executing executed completed APPROVED".split()  # noqa: SIM905
)
fields: dict[str, st.SearchStrategy[object]] = {
    "id": st.sampled_from([7, 7, 8, "7", None, True]),
    "action_id": st.sampled_from([7, 7, 7, 8, 7.0, None]),
    "status": words | st.none() | st.booleans(),
    "decision": words | st.none() | st.booleans(),
    "lifecycle": st.sampled_from([*(status.value for status in Status), "blessed", None, 1]),
    "nonce": st.sampled_from([NONCE, "", None, 1]),
    "links": st.sampled_from([{"claim": "/x"}, {}, None, []]),
    "reason": st.none() | st.text(max_size=5) | st.integers(),
    "risk_score": st.none() | st.floats() | st.integers(),
    "decided_at": st.none() | st.text(max_size=12),
}
objects = st.fixed_dictionaries({}, optional=fields).map(lambda found: json.dumps(found).encode())
usual = {"action_id": 7, "status": "approved", "decision": "approved", "lifecycle": "approved", "nonce": NONCE}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good answer with a piece of it cut out, and other bytes in its place."""
    whole = json.dumps(draw(st.sampled_from([usual, {"action_id": 7, "status": "executing", "nonce": NONCE}]))).encode()
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 20)))
    return whole[:start] + draw(st.binary(max_size=20)) + whole[end:]


bodies = st.binary() | objects | objects | damaged()
statuses = st.sampled_from([200, 200, 200, 409]) | st.integers(100, 599)
dates = st.from_regex(r"\A[A-Z][a-z]{2}, \d+ Jan \d+ \d\d:\d\d:\d\d [+-]?\d+\Z")
headers = st.fixed_dictionaries({}, optional={"retry-after": st.text() | dates, "date": dates | st.just(DATE)})


@given(st.sampled_from(COMMANDS), statuses, headers, bodies)
@example(AWAIT, 200, {}, b'{"action_id": ' + b"9" * 4_300 + b', "status": "denied"}')
@example(AWAIT, 503, {"retry-after": "Mon, 1 Jan 2026 00:00:00 +999999999999999999"}, b"")
def test_whatever_a_server_says_is_a_decision_or_no_answer_and_never_leave_unless_it_says_so(
    command: Command, status: int, headers: dict[str, str], body: bytes
) -> None:
    try:
        decision = asking.answer(command, status, headers, body)
    except AuthorizationUnavailable:
        return

    said = json.loads(body)
    assert status == 200 or (status == 409 and isinstance(command, (Claim, Report, Withdraw)))
    assert isinstance(command, Submit) or decision.action_id == command.action_id
    if decision.status is Status.APPROVED:
        assert said["status"] == "approved"
        assert {said.get("decision"), said.get("lifecycle")} <= {"approved", None}
    if decision.status is Status.EXECUTING:
        assert said["status"] in ("executing", "executed")
        assert said.get("lifecycle") in ("executing", None)
    if decision.nonce is not None:
        assert (status, said["nonce"]) == (200, decision.nonce)
