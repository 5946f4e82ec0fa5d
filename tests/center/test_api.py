"""The REST API over real sockets, as the contract has it, and what it does with requests that nobody should send."""

from __future__ import annotations

import json
import queue
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.center.policies import a_rule
from tests.servers import Api, Running, a_submit, claiming, in_thread, running_center

from clearance.center import app, openapi
from clearance.center.lookout import Watch
from clearance.center.policy import Effect, Policy
from clearance.center.records import Role
from clearance.wire.vocabulary import MAX_BODY, WAIT_PATH

SUBMIT = "/api/v1/actions/submit"
NONCE = "nonce-of-the-agent"
ROUTES = [(method, route.path) for route in app.API_ROUTES for method in sorted((route.methods or set()) - {"HEAD"})]
POSTS = [path for method, path in ROUTES if method == "POST"]
OUTCOME = {"nonce": NONCE, "outcome": "completed", "duration_ms": 5}
BODIES: dict[str, dict[str, Any]] = {
    "resolve": {"outcome": "failed", "reason": "looked"},
    "submit": a_submit(),
    "approve-all": {"risk_levels": ["low"]},
    "claim": {"digest": "the-digest", "nonce": NONCE},
    "outcome": OUTCOME,
    "kill-switch": {"on": True, "reason": "a drill"},
    "break-glass": {"agent": "no-such-agent", "tool": "no-such-tool", "reason": "a drill"},
    "wait": {"ids": [1]},
    "standing-approvals": {"action_id": 1, "reason": "as before"},
}
"""A body that each POST route reads, by the end of its path."""


def of(action_id: int, end: str = "") -> str:
    """The path of an action."""
    return f"/api/v1/actions/{action_id}" + (f"/{end}" if end else "")


def body_for(path: str) -> dict[str, Any]:
    """A body that the route reads."""
    return BODIES.get(path.rpartition("/")[2], {})


# Every route


def test_the_routes_are_those_of_the_contract() -> None:
    assert set(ROUTES) == {
        ("GET", "/health"),
        ("GET", openapi.PATH),
        ("GET", "/api/deployment-info"),
        ("GET", "/api/v1/center-key"),
        ("GET", "/api/v1/audit/growth"),
        ("POST", SUBMIT),
        ("POST", "/api/v1/actions/approve-all"),
        ("GET", "/api/v1/actions"),
        ("GET", "/api/v1/actions/wait"),
        ("POST", "/api/v1/actions/wait"),
        ("GET", "/api/v1/actions/{id}"),
        ("GET", "/api/v1/actions/{id}/status"),
        ("GET", "/api/v1/actions/{id}/receipt"),
        ("POST", "/api/v1/actions/{id}/approve"),
        ("POST", "/api/v1/actions/{id}/reject"),
        ("POST", "/api/v1/actions/{id}/revoke"),
        ("POST", "/api/v1/actions/{id}/resolve"),
        ("POST", "/api/v1/actions/{id}/claim"),
        ("POST", "/api/v1/actions/{id}/outcome"),
        ("POST", "/api/v1/actions/{id}/withdraw"),
        ("POST", "/api/keys/generate"),
        ("GET", "/api/keys/list"),
        ("DELETE", "/api/keys/{id}/revoke"),
        ("GET", "/api/sdk/kill-switch/status"),
        ("POST", "/api/v1/kill-switch"),
        ("GET", "/api/v1/break-glass"),
        ("POST", "/api/v1/break-glass"),
        ("POST", "/api/v1/break-glass/{id}/close"),
        ("GET", "/api/v1/policy"),
        ("GET", "/api/v1/policy/versions"),
        ("POST", "/api/v1/policy/reload"),
        ("POST", "/api/v1/standing-approvals"),
        ("GET", "/api/v1/standing-approvals"),
        ("POST", "/api/v1/standing-approvals/{id}/revoke"),
        ("GET", "/api/audit/logs"),
    }


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] not in ("/health", openapi.PATH)])
def test_every_route_but_health_and_the_description_wants_a_key_and_a_good_one(
    running: Running, agent: Api, method: str, path: str
) -> None:
    address = path.format(id=agent.submit()["id"]) + ("?ids=1" if path == WAIT_PATH else "")
    body = body_for(path)
    last = running.user_key[-1]
    mistyped = running.user_key[:-1] + ("0" if last != "0" else "1")

    with Api(running.url) as nobody:
        for headers in (
            {},
            {"Authorization": f"Bearer {mistyped}"},
            {"Authorization": "Basic eDp5"},
            {"X-API-Key": "x"},
        ):
            answer = nobody.call(method, address, json=body, headers=headers)
            assert answer.status_code == 401
            assert answer.json() == {"detail": "Invalid or missing API key"}
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert len(running.records()) == 1


@pytest.mark.parametrize(
    "header", [{"Authorization": "Bearer {}"}, {"Authorization": "bearer {}"}, {"X-API-Key": "{}"}]
)
def test_a_key_is_taken_from_either_header(running: Running, header: dict[str, str]) -> None:
    headers = {name: value.format(running.user_key) for name, value in header.items()}

    with Api(running.url) as client:
        assert client.get("/api/deployment-info", headers=headers).json()["role"] == "user"


def test_health_needs_no_key_and_deployment_info_names_the_version(running: Running, agent: Api) -> None:
    with Api(running.url) as nobody:
        assert nobody.get("/health").json()["status"] == "healthy"
    assert agent.get("/api/deployment-info").json()["version"]


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for method, path in ROUTES if "/actions/{id}" in path],
)
@pytest.mark.parametrize("wanted", ["theirs", "nobody's"])
def test_an_action_of_somebody_else_is_not_found_by_a_user(
    running: Running, agent: Api, method: str, path: str, wanted: str
) -> None:
    theirs = agent.submit()["id"]
    action_id = theirs if wanted == "theirs" else 4_711

    with Api(running.url, running.center.create_key(Role.USER, "other-bot")) as other:
        answer = other.call(method, path.format(id=action_id), json=body_for(path))
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"Action {action_id} not found"}


@pytest.mark.parametrize("action_id", ["0x1", "-1", "1.0", "²", "9" * 19, "%00"])
def test_an_id_that_is_no_number_is_unreadable(agent: Api, action_id: str) -> None:
    assert agent.get(f"/api/v1/actions/{action_id}/status").status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/actions/", 404),
        ("DELETE", SUBMIT, 405),
        ("POST", "/health", 405),
        ("GET", "/api/v1/actions?limit=many", 422),
        ("GET", "/api/v1/actions?offset=-1", 422),
        ("GET", "/api/v1/actions?status_filter=cleared", 422),
    ],
)
def test_every_error_has_its_detail_as_text(agent: Api, method: str, path: str, status: int) -> None:
    answer = agent.call(method, path)

    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/nowhere"), ("GET", "/api/v1/actions/x")])
def test_every_answer_has_the_headers_that_keep_browsers_from_harm(agent: Api, method: str, path: str) -> None:
    headers = agent.call(method, path.format(id=1)).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "[::2]", "", "127.0.0.2"])
def test_a_request_for_another_host_is_refused(agent: Api, host: str) -> None:
    answer = agent.get("/health", headers={"Host": host})

    assert answer.status_code == 421
    assert "X-Frame-Options" in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:8420"])
def test_the_names_of_this_machine_are_answered_to(agent: Api, host: str) -> None:
    assert agent.get("/health", headers={"Host": host}).status_code == 200


# What an answer says


def assert_says(body: dict[str, Any], status: str, lifecycle: str | None) -> None:
    """The fields that every published client goes by, in agreement."""
    assert body["id"] == body["action_id"]
    assert type(body["id"]) is int
    assert body["status"] == status
    assert body["decision"] == {"pending_approval": "pending"}.get(status, status)
    assert body["lifecycle"] == lifecycle
    assert body["approved"] is (status == "approved")
    assert body["requires_approval"] is (status != "approved")
    assert body["decision_ready"] is (status != "pending_approval")
    assert body["risk_level"] in ("low", "medium", "high", "critical")
    assert body["comments"] == body["reason"]
    assert body["reviewed_by"] == body["decided_by"]
    assert body["approval_request_id"] == (str(body["id"]) if status == "pending_approval" else None)
    assert set(body["links"]) == {"status", "wait", "claim", "outcome", "withdraw"}
    assert type(body["polling_interval_seconds"]) is int
    assert body["enterprise_polling"] is False


SUBMITTED = [
    ("order.lookup", "approved", "auto_approved"),
    ("payment.refund", "pending_approval", "pending_approval"),
    ("customer.drop", "denied", "denied"),
]


@pytest.mark.parametrize(("action_type", "status", "enforced"), SUBMITTED)
def test_a_submit_is_answered_with_all_that_clients_read(
    agent: Api, action_type: str, status: str, enforced: str
) -> None:
    body = agent.submit(action_type=action_type)

    assert_says(body, status, {"pending_approval": "pending"}.get(status, status))
    assert body["action_type"] == action_type
    assert body["policy_decision"] == body["enforcement_decision"] == enforced
    assert body["message"]
    assert body["thresholds"] == {"auto_approve_below": 31, "max_risk_threshold": 100}
    assert 0 <= body["risk_score"] <= 100
    assert len(body["matched_policies"]) == body["matched_smart_rules"] == 1
    assert bool(body["policy_violations"]) is (status == "denied")
    for name in ("correlation_id", "api_version", "expires_at"):
        assert isinstance(body[name], str)
    assert isinstance(body["processing_time_ms"], int)
    for name in ("workflow_id", "cvss_score", "nist_control", "mitre_tactic", "conditions", "alert_triggered"):
        assert name in body


@pytest.mark.parametrize(("action_type", "status", "enforced"), SUBMITTED)
def test_status_details_and_lists_say_the_same(agent: Api, action_type: str, status: str, enforced: str) -> None:
    action_id = agent.submit(action_type=action_type)["id"]

    said = agent.get(of(action_id, "status")).json()
    details = agent.get(of(action_id)).json()
    (listed,) = agent.get("/api/v1/actions").json()

    assert_says(said, status, {"pending_approval": "pending"}.get(status, status))
    assert {name: details[name] for name in said} == said
    assert details["action_details"] == {"charge_id": "ch_1", "amount": 5}
    assert listed == details


def test_a_denied_action_requires_an_approval_so_that_no_client_runs_it(agent: Api) -> None:
    assert agent.submit(action_type="customer.drop")["requires_approval"] is True


def test_a_decision_says_who_when_why_and_how(agent: Api, approver: Api) -> None:
    action_id = agent.submit()["id"]
    approver.post(of(action_id, "reject"), {"reason": "the photo shows it whole"})

    body = agent.get(of(action_id, "status")).json()

    assert_says(body, "denied", "denied")
    assert body["reason"] == body["comments"] == "the photo shows it whole"
    assert body["decided_by"] == body["reviewed_by"] == "carol"
    assert body["decided_at"] == body["reviewed_at"] is not None
    assert (body["reason_code"], body["channel"]) == ("approver", "api")


@pytest.mark.parametrize("missing", [["agent_id"], ["action_type"], ["agent_id", "action_type"]], ids=", ".join)
@pytest.mark.parametrize("empty", [None, ""])
def test_only_an_agent_and_an_action_type_are_required(agent: Api, missing: list[str], empty: str | None) -> None:
    body = {**a_submit(), **dict.fromkeys(missing, empty)}
    body = {name: value for name, value in body.items() if value is not None}

    answer = agent.post(SUBMIT, body)

    assert answer.status_code == 422
    assert answer.json() == {"detail": f"Missing required fields: {', '.join(missing)}"}


@pytest.mark.parametrize(
    ("fields", "tool_name", "description"),
    [
        ({"resource": "order:1"}, "order:1", "order:1"),
        ({"action_details": {"tool_name": "cash", "description": "by hand"}}, "cash", "by hand"),
        ({"tool_name": "", "description": "", "resource": "order:1"}, "order:1", "order:1"),
        ({}, "payment.refund", "payment.refund"),
        ({"tool_name": None, "action_details": {"tool_name": 5}}, "payment.refund", "payment.refund"),
    ],
    ids=str,
)
def test_what_older_clients_leave_out_is_found_elsewhere(
    agent: Api, fields: dict[str, Any], tool_name: str, description: str
) -> None:
    answer = agent.post(SUBMIT, {"agent_id": "a", "action_type": "payment.refund", **fields})
    details = agent.get(of(answer.json()["id"])).json()

    assert (details["tool_name"], details["description"]) == (tool_name, description)


def test_fields_that_are_not_known_here_are_left_alone(agent: Api) -> None:
    body = agent.submit(agent_name="x", nist_control="AC-3", metadata={"a": [1]}, orchestration_depth=3, zebra=None)

    assert body["status"] == "pending_approval"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, ("AC-5", "TA0040")),
        ({"action_type": "role.grant"}, ("AC-2", "TA0004")),
        ({"action_type": "quantum.frobnicate"}, (None, None)),
        ({"nist_control": "AC-6(9), AU-12"}, ("AC-6(9), AU-12", "TA0040")),
        ({"mitre_tactic": "Exfiltration"}, ("AC-5", "Exfiltration")),
        ({"action_type": "quantum.frobnicate", "nist_control": "SI-4", "mitre_tactic": "TA0010"}, ("SI-4", "TA0010")),
        ({"nist_control": "my password is hunter2", "mitre_tactic": ["TA0010"]}, ("AC-5", "TA0040")),
    ],
    ids=str,
)
def test_the_control_and_the_tactic_are_the_callers_or_what_is_true_of_the_kind(
    agent: Api, said: dict[str, Any], told: tuple[str | None, str | None]
) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, again = (agent.post(SUBMIT, a_submit(**said), headers=headers).json() for _ in range(2))

    assert (first["nist_control"], first["mitre_tactic"]) == told
    assert (again["nist_control"], again["mitre_tactic"]) == told
    assert [first[f"cvss_{part}"] for part in ("score", "severity", "vector")] == [None] * 3


def test_the_same_idempotency_key_is_the_same_action_and_another_body_is_unreadable(agent: Api) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, again = (agent.post(SUBMIT, a_submit(), headers=headers).json() for _ in range(2))
    other = agent.post(SUBMIT, a_submit(action_details={"amount": 6}), headers=headers)

    assert first["id"] == again["id"]
    assert other.status_code == 422
    assert len(agent.get("/api/v1/actions").json()) == 1
    assert agent.post(SUBMIT, a_submit(), headers={"Idempotency-Key": "k" * 201}).status_code == 422


# Deciding


def test_a_user_cannot_decide(agent: Api) -> None:
    action_id = agent.submit()["id"]

    for path in (of(action_id, "approve"), of(action_id, "reject")):
        assert agent.post(path).status_code == 403
    assert agent.post("/api/v1/actions/approve-all", {"risk_levels": ["low"]}).status_code == 403
    assert agent.get(of(action_id, "status")).json()["status"] == "pending_approval"


def test_a_decision_that_comes_second_is_a_conflict_that_says_how_it_stands(
    running: Running, agent: Api, approver: Api
) -> None:
    action_id = agent.submit()["id"]
    first = approver.post(of(action_id, "approve"), {"reason": "fine"})
    again = approver.post(of(action_id, "approve"))

    with Api(running.url, running.center.create_key(Role.ADMIN, "dave")) as dave:
        second = dave.post(of(action_id, "reject"), {"reason": "no"})

    assert first.status_code == again.status_code == 200
    assert_says(first.json(), "approved", "approved")
    assert second.status_code == 409
    assert second.json()["detail"] == f"Action {action_id} is approved by carol; it cannot deny"
    assert_says(second.json(), "approved", "approved")
    assert second.json()["nonce"] is None


def test_approving_all_takes_levels_and_names_what_it_cleared(agent: Api, approver: Api) -> None:
    medium = agent.submit()["id"]
    high = agent.submit(action_type="order.delete")["id"]

    answer = approver.post("/api/v1/actions/approve-all", {"risk_levels": ["low", "medium"]})

    assert answer.json() == {"approved": [medium]}
    assert agent.get(of(high, "status")).json()["status"] == "pending_approval"
    for levels in ([], ["high"], ["low", "critical"]):
        assert approver.post("/api/v1/actions/approve-all", {"risk_levels": levels}).status_code == 422


def test_lists_are_filtered_paged_and_capped(agent: Api, approver: Api) -> None:
    ids = [agent.submit()["id"] for _ in range(3)]
    approver.post(of(ids[0], "approve"))

    def listed(query: str) -> list[int]:
        return [action["id"] for action in approver.get(f"/api/v1/actions{query}").json()]

    assert listed("") == ids[::-1]
    assert listed("?limit=1&offset=1") == [ids[1]]
    assert listed("?status_filter=pending_approval") == listed("?status=pending") == ids[:0:-1]
    assert listed("?status_filter=approved") == [ids[0]]
    assert listed("?limit=999999999") == ids[::-1]


# Waiting


def test_a_status_request_that_may_wait_is_answered_as_soon_as_somebody_decides(
    agent: Api, approver: Api, held: queue.SimpleQueue[Watch]
) -> None:
    action_id = agent.submit()["id"]
    with in_thread(lambda: agent.get(of(action_id, "status"), headers={"Prefer": "wait=60"}, timeout=60)) as answers:
        held.get(timeout=30)
        assert answers.empty()
        approver.post(of(action_id, "approve"))
        answer = answers.get(timeout=30)

    assert not isinstance(answer, BaseException)
    assert answer.json()["status"] == "approved"
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_a_status_request_that_may_wait_is_answered_as_pending_when_its_time_is_over(agent: Api) -> None:
    action_id = agent.submit()["id"]
    started = time.monotonic()

    answer = agent.get(of(action_id, "status"), headers={"Prefer": "wait=1"})

    assert time.monotonic() - started >= 0.9
    assert answer.json()["status"] == "pending_approval"


@pytest.mark.parametrize("prefer", [None, "wait=0", "wait=-1", "wait=x", "respond-async", "wait"])
def test_a_status_request_that_may_not_wait_is_answered_at_once(agent: Api, prefer: str | None) -> None:
    action_id = agent.submit()["id"]

    answer = agent.get(of(action_id, "status"), headers={"Prefer": prefer} if prefer else {})

    assert answer.json()["status"] == "pending_approval"
    assert "Preference-Applied" not in answer.headers


def test_what_is_decided_already_is_not_waited_for(agent: Api) -> None:
    action_id = agent.submit(action_type="customer.drop")["id"]

    answer = agent.get(of(action_id, "status"), headers={"Prefer": "wait=999"})

    assert answer.json()["status"] == "denied"
    assert answer.headers["Preference-Applied"] == "wait=60"


# Claims


@pytest.fixture
def approved(agent: Api, approver: Api) -> int:
    """An approved action of a client that claims."""
    action_id: int = agent.submit(extra_data=claiming())["id"]
    approver.post(of(action_id, "approve"))
    return action_id


def claim(agent: Api, action_id: int, **changes: Any) -> Any:
    """The answer to a claim."""
    return agent.post(of(action_id, "claim"), {"digest": "the-digest", "nonce": NONCE, **changes})


def test_a_claim_is_granted_once_and_repeated_for_the_same_nonce(agent: Api, approved: int) -> None:
    first, again = claim(agent, approved), claim(agent, approved)

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["nonce"]) == ("executing", NONCE)
    assert first.json()["run_until"]


def test_a_second_claim_is_a_conflict_and_is_not_told_the_first_ones_nonce(agent: Api, approved: int) -> None:
    claim(agent, approved)

    answer = claim(agent, approved, nonce="another-nonce")

    assert answer.status_code == 409
    assert "is executing" in answer.json()["detail"]
    assert answer.json()["nonce"] is None
    assert NONCE not in answer.text


def test_a_claim_for_another_call_is_a_conflict(agent: Api, approved: int) -> None:
    answer = claim(agent, approved, digest="another")

    assert answer.status_code == 409
    assert "digest" in answer.json()["detail"]
    assert claim(agent, approved).status_code == 200


def test_a_claim_after_the_policy_changed_is_a_conflict_that_says_so(
    running: Running, agent: Api, approved: int
) -> None:
    running.center.desk.policy = Policy(version="another")

    answer = claim(agent, approved)

    assert answer.status_code == 409
    assert "policy changed" in answer.json()["detail"]
    assert (answer.json()["status"], answer.json()["lifecycle"]) == ("denied", "stale")


def test_an_automatic_approval_is_claimed_with_the_submit_for_its_nonce_alone(agent: Api) -> None:
    fields = {"action_type": "order.lookup", "extra_data": claiming(nonce=NONCE)}
    headers = {"Idempotency-Key": "k"}
    body = agent.post(SUBMIT, a_submit(**fields), headers=headers).json()
    other = {**fields, "extra_data": claiming(nonce="another-nonce")}
    joined = agent.post(SUBMIT, a_submit(**other), headers=headers).json()

    assert (body["status"], body["nonce"], body["lifecycle"]) == ("executing", NONCE, "executing")
    assert joined["id"] == body["id"]
    assert (joined["status"], joined["approved"], joined["nonce"]) == ("denied", False, None)


@pytest.mark.parametrize("outcome", [None, "completed", "failed", "unknown"])
def test_a_late_poll_after_a_claim_is_no_second_leave_to_run(agent: Api, approved: int, outcome: str | None) -> None:
    claim(agent, approved)
    if outcome:
        agent.post(of(approved, "outcome"), {**OUTCOME, "outcome": outcome})

    body = agent.get(of(approved, "status")).json()

    assert_says(body, "denied", None)
    assert (body["reason"], body["reason_code"], body["nonce"]) == ("already executed", "already_executed", None)
    details = agent.get(of(approved)).json()
    assert (details["status"], details["lifecycle"]) == ("executed", outcome or "executing")
    assert details["nonce"] is None
    assert NONCE not in agent.get("/api/v1/actions").text


def test_an_outcome_is_taken_once_and_a_different_one_is_a_conflict(agent: Api, approved: int) -> None:
    claim(agent, approved)
    answers = [agent.post(of(approved, "outcome"), OUTCOME) for _ in range(2)]
    other = agent.post(of(approved, "outcome"), {**OUTCOME, "outcome": "failed"})

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["lifecycle"] == "completed"
    assert other.status_code == 409
    assert agent.post(of(approved, "outcome"), {**OUTCOME, "outcome": "approved"}).status_code == 422


def test_withdrawing_closes_a_request_for_good(agent: Api, approver: Api) -> None:
    action_id = agent.submit(extra_data=claiming())["id"]
    answers = [agent.post(of(action_id, "withdraw"), {"reason": "cancelled"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["lifecycle"] == "withdrawn"
    late = approver.post(of(action_id, "approve"))
    assert late.status_code == 409
    assert_says(late.json(), "denied", "withdrawn")


def test_a_client_that_never_claims_reads_its_approval_until_it_lapses(tmp_path: Path) -> None:
    now = [1_700_000_000_000_000]
    with (
        running_center(tmp_path / "center.db", now=lambda: now[0]) as running,
        Api(running.url, running.user_key) as agent,
    ):
        action_id = agent.submit(action_type="order.lookup")["id"]
        for _ in range(2):
            assert agent.get(of(action_id, "status")).json()["status"] == "approved"
        now[0] += 300_000_000
        late = agent.get(of(action_id, "status")).json()

    assert_says(late, "denied", None)
    assert late["reason"] == "approval lapsed"


# What nobody should send


def test_a_secret_of_a_client_that_does_not_redact_is_in_no_byte_of_the_database(
    running: Running, agent: Api, approver: Api
) -> None:
    secrets = {"api_key": "sk-live-4242", "nested": [{"Password": "hunter2hunter2"}], "cvv": 7_777_777_777}
    action_id = agent.submit(action_details=secrets, context={"session_token": "tok-9999"})["id"]

    details = approver.get(of(action_id)).json()
    files = [file.read_bytes() for file in running.database.parent.glob("center.db*")]

    for secret in ("sk-live-4242", "hunter2hunter2", "7777777777", "tok-9999"):
        assert secret not in json.dumps(details)
        assert not any(secret.encode() in content for content in files)
    assert details["action_details"] == {
        "api_key": "[redacted]",
        "nested": [{"Password": "[redacted]"}],
        "cvv": "[redacted]",
    }
    assert len(details["redacted"]) == 4


def exchange(url: str, request: bytes) -> bytes:
    """Send exactly these bytes and read until the Center closes the connection."""
    where = urlsplit(url)
    with closing(socket.create_connection((where.hostname, where.port or 0), timeout=30)) as connection:
        connection.sendall(request)
        received = bytearray()
        while chunk := connection.recv(65_536):
            received += chunk
    return bytes(received)


def head(running: Running, *headers: str) -> bytes:
    """The head of a raw submit."""
    lines = [f"POST {SUBMIT} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {running.user_key}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("length", [str(MAX_BODY + 1), "9" * 30])
def test_a_body_that_says_it_is_too_large_is_refused_without_reading_it(running: Running, length: str) -> None:
    answer = exchange(running.url, head(running, f"Content-Length: {length}"))

    assert answer.startswith(b"HTTP/1.1 413") or (len(length) > 20 and answer.startswith(b"HTTP/1.1 400"))


def test_a_body_that_turns_out_too_large_is_refused_without_reading_on(running: Running) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    endless = head(running, "Transfer-Encoding: chunked") + chunk * (MAX_BODY // 0x10000 + 1)

    answer = exchange(running.url, endless)  # the last chunk is never sent

    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"detail"' in answer
    assert running.records() == []


def test_a_body_of_exactly_the_limit_is_read(agent: Api) -> None:
    body = json.dumps(a_submit(action_details={"text": ""}))
    body = body.replace('""', '"' + "x" * (MAX_BODY - len(body)) + '"')
    assert len(body) == MAX_BODY

    assert agent.call("POST", SUBMIT, data=body).status_code == 200
    assert agent.call("POST", SUBMIT, data=body + " ").status_code == 413


def nested(depth: int) -> str:
    """A submit whose body is nested this deep."""
    return '{"agent_id":"a","action_type":"x.y","action_details":' + '{"a":' * (depth - 1) + "1" + "}" * depth


def with_details(text: str) -> str:
    """A submit with this text for its details."""
    return '{"agent_id":"a","action_type":"x.y","action_details":' + text + "}"


UNREADABLE: dict[str, str | bytes] = {
    "too deep": nested(33),
    "far too deep": nested(100_000),
    "NaN": with_details('{"a":NaN}'),
    "infinity": with_details('{"a":-Infinity}'),
    "a number beyond numbers": with_details('{"a":1e999}'),
    "a number with too many digits": with_details('{"a":' + "9" * 10_000 + "}"),
    "a key twice": with_details('{"a":1,"a":2}'),
    "a key twice at the top": '{"agent_id":"a","agent_id":"b","action_type":"x.y"}',
    "half a character": with_details(r'{"a":"\ud800"}'),
    "half a character in a key": with_details(r'{"\udfff":1}'),
    "half a character in the agent": r'{"agent_id":"\ud800","action_type":"x.y"}',
    "not UTF-8": b'{"agent_id":"\xff","action_type":"x.y"}',
    "UTF-16": json.dumps(a_submit()).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(a_submit()).encode(),
    "no JSON": "agent_id=a&action_type=x.y",
    "two of them": "{}{}",
    "a list": "[]",
    "a text": '"x"',
    "null": "null",
    "nothing": "",
    "details that are a list": with_details("[]"),
    "details that are a text": with_details('"x"'),
    "an agent that is a number": '{"agent_id":1,"action_type":"x.y"}',
    "an agent that is true": '{"agent_id":true,"action_type":"x.y"}',
    "an agent with a long name": json.dumps(a_submit(agent_id="x" * 201)),
    "a description without an end": json.dumps(a_submit(description="x" * 20_001)),
    "extra data that is a list": json.dumps(a_submit(extra_data=[])),
    "an extra that is a text": json.dumps(a_submit(extra_data={"clearance": "x"})),
    "a claim that says 1": json.dumps(a_submit(extra_data=claiming(claim=1))),
    "a claim that says yes": json.dumps(a_submit(extra_data=claiming(claim="yes"))),
    "a claim without a digest": json.dumps(a_submit(extra_data=claiming(digest=""))),
    "no time to decide": json.dumps(a_submit(extra_data=claiming(decide_within_s=0))),
    "too much time to decide": json.dumps(a_submit(extra_data=claiming(decide_within_s=1e9))),
    "endless time to run": json.dumps(a_submit(extra_data=claiming(run_within_s=10**400))),
    "counts that are no pair": json.dumps(a_submit(extra_data=claiming(parameters_shown={"a": [1]}))),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_submit_that_cannot_be_meant_is_unreadable_and_keeps_nothing(
    running: Running, agent: Api, body: str | bytes
) -> None:
    answer = agent.call("POST", SUBMIT, data=body)

    assert answer.status_code == 422
    assert running.records() == []


@pytest.mark.parametrize(
    ("end", "body"),
    [
        ("claim", {}),
        ("claim", {"digest": "d", "nonce": "short"}),
        ("claim", {"digest": 5, "nonce": NONCE}),
        ("claim", {"digest": "d", "nonce": NONCE * 20}),
        ("outcome", {"nonce": NONCE}),
        ("outcome", {"nonce": NONCE, "outcome": "executed"}),
        ("outcome", {**OUTCOME, "duration_ms": -1}),
        ("outcome", {**OUTCOME, "duration_ms": "5"}),
        ("outcome", {**OUTCOME, "duration_ms": 10**400}),
        ("outcome", {**OUTCOME, "notes": ["x"] * 21}),
        ("outcome", {**OUTCOME, "notes": ["x" * 501]}),
        ("withdraw", {"reason": 5}),
        ("withdraw", {"reason": "x" * 2_001}),
        ("withdraw", []),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_command_that_cannot_be_meant_is_unreadable(agent: Api, approved: int, end: str, body: object) -> None:
    assert agent.post(of(approved, end), body).status_code == 422
    assert agent.get(of(approved, "status")).json()["status"] == "approved"


def test_the_deepest_body_that_is_read_is_kept(agent: Api) -> None:
    answer = agent.call("POST", SUBMIT, data=nested(32))

    assert answer.status_code == 200


def test_the_deepest_body_hides_no_other_request_from_an_approver(running: Running, agent: Api) -> None:
    agent.submit()
    agent.call("POST", SUBMIT, data=nested(32))

    with running.approver() as client:
        assert [action["id"] for action in client.pending()] == [2, 1]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = [
    "agent_id",
    "action_type",
    "description",
    "tool_name",
    "action_details",
    "parameters",
    "resource",
    "context",
    "extra_data",
    "digest",
    "nonce",
    "outcome",
    "error_type",
    "duration_ms",
    "notes",
    "reason",
    "risk_levels",
    "on",
    "agent",
    "tool",
    "name",
    "role",
    "owner",
    "expires_in_days",
]
EXTRAS = "v digest parameters_shown redacted decide_within_s run_within_s claim nonce reasoning call".split()  # noqa: SIM905


def objects(names: Iterable[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these fields, and any values."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


likely = json_values | st.sampled_from(
    ["payment.refund", "order.lookup", NONCE, "completed", ["low"], 10**400, -1, 1.5]
)
hostile_bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    objects(FIELDS, likely).map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda top, extra: json.dumps({**a_submit(), **top, "extra_data": {"clearance": extra}}).encode(),
        objects(FIELDS, likely),
        objects(EXTRAS, likely),
    ),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(POSTS),
    body=hostile_bodies,
    headers=st.fixed_dictionaries(
        {},
        optional={
            "Idempotency-Key": st.text(st.characters(codec="latin-1", categories=("L", "N", "S")), max_size=20),
            "Prefer": st.sampled_from(["wait=0", "wait=" + "9" * 50]),
            "Content-Type": st.sampled_from(["application/json", "application/json; charset=x", "text/plain"]),
        },
    ),
    role=st.sampled_from(["user", "admin", "super_admin"]),
)
def test_whatever_is_posted_the_center_never_fails(
    agent: Api, approver: Api, chief: Api, path: str, body: bytes, headers: dict[str, str], role: str
) -> None:
    client = {"user": agent, "admin": approver, "super_admin": chief}[role]
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}

    answer = client.call("POST", path.format(id=1), data=body, headers=encoded)

    assert answer.status_code < 500
    assert agent.get("/api/v1/actions").status_code == 200


@pytest.mark.parametrize("read", [lambda path: path, lambda path: f"{path}/status"])
def test_text_from_agents_comes_back_as_it_was(agent: Api, read: Callable[[str], str]) -> None:
    hostile = "<script>\u202e\x1b[31m\x00' OR 1=1 --"
    body = agent.submit(agent_id=hostile, description=hostile, action_details={hostile: hostile})

    assert agent.get(read(of(body["id"]))).status_code == 200
    details = agent.get(of(body["id"])).json()
    assert (details["agent_id"], details["description"]) == (hostile, hostile)
    assert details["action_details"] == {hostile: hostile}


def test_what_the_policy_says_to_a_model_goes_with_a_refusal_and_with_nothing_else(
    running: Running, agent: Api, approver: Api
) -> None:
    rules = (
        a_rule("payouts", Effect.DENY, "payment.payout", message_for_model="Tell the user to call us."),
        a_rule("refunds", Effect.ASK, "payment.refund", message_for_model="Do not split it."),
    )
    running.center.desk.policy = Policy(rules)

    refused, pending = agent.submit(action_type="payment.payout"), agent.submit(action_type="payment.refund")
    approver.post(f"/api/v1/actions/{pending['id']}/reject", {"reason": "no"})

    assert refused["message_for_model"] == "Tell the user to call us."
    assert pending["message_for_model"] is None
    assert agent.get(f"/api/v1/actions/{pending['id']}/status").json()["message_for_model"] == "Do not split it."
