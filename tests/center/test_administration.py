"""Looking after a Center over REST: keys, rates, the kill switch, the audit trail."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import Clock
from tests.helpers import an_action
from tests.servers import PATIENCE, Api, Running, a_submit, claiming, in_thread, running_center

from clearance import ActionDenied, AuthorizationUnavailable, requires_authorization
from clearance.center import administration
from clearance.center.administration import LONGEST_AGENT
from clearance.center.desk import MAX_PENDING, PENDING_RETRY_AFTER
from clearance.center.lookout import Watch
from clearance.center.rates import BURST_SECONDS, RATE, Rates
from clearance.center.records import Role
from clearance.commands import Claim, Submit
from clearance.models import Status
from clearance.transports import HttpTransport

SUBMIT = "/api/v1/actions/submit"
KILL = "/api/v1/kill-switch"
STATUS = "/api/sdk/kill-switch/status"
NONCE = "nonce-of-the-agent"
DAY = 24 * 3600


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(tmp_path: Path, clock: Clock) -> Iterator[Running]:
    with running_center(tmp_path / "center.db", now=clock) as running:
        yield running


def made(chief: Api, **fields: Any) -> dict[str, Any]:
    """The answer to making a key."""
    answer = chief.post("/api/keys/generate", fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# Keys


@pytest.mark.parametrize("role", Role)
def test_a_key_is_made_told_once_and_works_for_its_role(running: Running, chief: Api, role: Role) -> None:
    key = made(chief, name="billing", role=role.value, owner="Ada")

    assert (key["success"], key["name"], key["role"], key["owner"]) == (True, "billing", role.value, "ada")
    assert (key["status"], key["is_active"], key["expires_at"]) == ("active", True, None)
    assert key["api_key"].startswith(key["key_prefix"])
    assert "warning" in key
    with Api(running.url, key["api_key"]) as holder:
        assert holder.get("/api/deployment-info").json()["role"] == role.value
    listed = chief.get("/api/keys/list")
    secret = key["api_key"].removeprefix(key["key_prefix"])
    assert key["id"] in [found["id"] for found in listed.json()["keys"]]
    assert secret not in listed.text
    assert secret not in chief.get("/api/audit/logs").text
    assert not any(secret.encode() in file.read_bytes() for file in running.database.parent.glob("center.db*"))


def test_the_least_that_can_be_said_makes_a_key_that_may_do_the_least(chief: Api) -> None:
    key = made(chief)

    assert key["role"] == "user"
    assert key["name"] == f"user-{key['id']}"


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "root"},
        {"role": "ADMIN"},
        {"role": ""},
        {"role": 5},
        {"role": ["user"]},
        {"permissions": []},
        {"rate_limit": {}},
        {"expires": 5},
        {"expires_in_days": 0},
        {"expires_in_days": -1},
        {"expires_in_days": 3651},
        {"expires_in_days": "90"},
        {"expires_in_days": True},
        {"name": "a\u202eb"},
        {"name": "policy:x"},
        {"name": "x" * 201},
        {"owner": "a b"},
        {"owner": ""},
    ],
    ids=str,
)
def test_a_key_that_cannot_be_meant_is_not_made(running: Running, chief: Api, fields: dict[str, Any]) -> None:
    before = running.center.do(lambda tx: len(tx.keys()))

    assert chief.post("/api/keys/generate", fields).status_code == 422
    assert running.center.do(lambda tx: len(tx.keys())) == before


def test_a_key_with_an_end_works_until_then(running: Running, chief: Api, clock: Clock) -> None:
    key = made(chief, expires_in_days=90)
    with Api(running.url, key["api_key"]) as holder:
        clock.advance(90 * DAY - 1)
        assert holder.get("/api/v1/actions").status_code == 200
        clock.advance(1)
        late = holder.get("/api/v1/actions")

    assert late.status_code == 401
    assert late.json() == {"detail": "Invalid or missing API key"}
    (listed,) = [found for found in chief.get("/api/keys/list").json()["keys"] if found["id"] == key["id"]]
    assert (listed["status"], listed["is_active"]) == ("expired", False)


def test_the_list_says_how_each_key_stands_and_when_it_was_used(running: Running, chief: Api, clock: Clock) -> None:
    key = made(chief, name="billing")
    clock.advance(5)
    with Api(running.url, key["api_key"]) as holder:
        holder.get("/api/v1/actions")
    chief.call("DELETE", f"/api/keys/{key['id']}/revoke")

    body = chief.get("/api/keys/list").json()

    assert body["total"] == len(body["keys"]) == 4
    listed = body["keys"][-1]
    assert (listed["id"], listed["name"], listed["status"]) == (key["id"], "billing", "revoked")
    assert listed["last_used_at"] == listed["revoked_at"] == "2023-11-14T22:13:25+00:00"
    assert set(listed) == set(key) - {"success", "api_key", "warning"}


def test_a_revoked_key_is_refused_from_the_next_request_on(chief: Api, running: Running) -> None:
    key = made(chief)
    with Api(running.url, key["api_key"]) as holder:
        assert holder.post(SUBMIT, a_submit()).status_code == 200

        for _ in range(2):
            answer = chief.call("DELETE", f"/api/keys/{key['id']}/revoke")
            assert answer.status_code == 200
            assert (answer.json()["success"], answer.json()["status"]) == (True, "revoked")

        assert holder.post(SUBMIT, a_submit()).status_code == 401
    assert len(running.records()) == 1


@pytest.mark.parametrize("key_id", ["zzzzzzzz", "' OR 1=1 --", "%00", "x" * 1_000])
def test_a_key_that_was_never_made_is_not_found(chief: Api, key_id: str) -> None:
    assert chief.call("DELETE", f"/api/keys/{key_id}/revoke").status_code == 404


def test_a_wait_ends_with_its_key(
    running: Running, agent: Api, approver: Api, chief: Api, held: queue.SimpleQueue[Watch]
) -> None:
    action_id = agent.submit()["id"]
    path = f"/api/v1/actions/{action_id}/status"
    with in_thread(lambda: agent.get(path, headers={"Prefer": "wait=60"}, timeout=60)) as answers:
        held.get(timeout=PATIENCE)
        chief.call("DELETE", f"/api/keys/{running.user_key.split('_')[2]}/revoke")
        approver.post(f"/api/v1/actions/{action_id}/approve")
        answer = answers.get(timeout=30)

    assert not isinstance(answer, BaseException)
    assert answer.status_code == 401


# Rates


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Running]:
    """A Center that takes five requests of a key at once, and a further one every two seconds that never pass."""
    with running_center(tmp_path / "limited.db") as running:
        running.center.rates = Rates(0.5, lambda: 0.0)
        yield running


def test_a_key_that_asks_too_much_is_told_when_to_come_back_and_nothing_is_done(limited: Running) -> None:
    with Api(limited.url, limited.user_key) as agent:
        answers = [agent.post(SUBMIT, a_submit()) for _ in range(6)]

    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers[:5]] == [4, 3, 2, 1, 0]
    last = answers[5]
    assert last.status_code == 429
    assert "slow down" in last.json()["detail"]
    assert last.headers["Retry-After"] == "2"
    told = {name: value for name, value in last.headers.items() if name.lower().startswith("x-ratelimit")}
    assert list(told.values()) == ["5", "0", "10"]
    assert len(limited.records()) == 5


def test_each_key_has_its_own_rate_and_what_needs_no_key_has_none(limited: Running) -> None:
    with Api(limited.url, limited.user_key) as agent, Api(limited.url, limited.admin_key) as approver:
        while agent.get("/api/v1/actions").status_code == 200:
            pass
        assert approver.get("/api/v1/actions").status_code == 200
        health = [agent.get("/health") for _ in range(10)]

    assert {answer.status_code for answer in health} == {200}
    assert not any("X-RateLimit-Limit" in answer.headers for answer in health)


def test_nobody_uses_up_anothers_rate_with_a_wrong_key(limited: Running) -> None:
    mistyped = limited.user_key[:-1] + ("0" if limited.user_key[-1] != "0" else "1")
    with Api(limited.url, mistyped) as stranger, Api(limited.url, limited.user_key) as agent:
        refused = [stranger.get("/api/v1/actions") for _ in range(10)]
        answer = agent.get("/api/v1/actions")

    assert {found.status_code for found in refused} == {401}
    assert answer.headers["X-RateLimit-Remaining"] == "4"


def test_a_held_request_counts_once_however_often_it_looks(limited: Running) -> None:
    with Api(limited.url, limited.user_key) as agent:
        action_id = agent.submit()["id"]
        held = agent.get(f"/api/v1/actions/{action_id}/status", headers={"Prefer": "wait=1"})

    assert held.json()["status"] == "pending_approval"
    assert held.headers["X-RateLimit-Remaining"] == "3"


def test_our_own_transport_hears_when_to_come_back(limited: Running) -> None:
    with HttpTransport(limited.url, limited.user_key) as transport:
        for number in range(5):
            transport.send(Submit(an_action(), str(number), NONCE, 30.0))
        with pytest.raises(AuthorizationUnavailable) as refused:
            transport.send(Submit(an_action(), "6", NONCE, 30.0))

    assert (refused.value.reason_code, refused.value.transient) == ("rate_limited", True)
    assert refused.value.retry_after == 2.0


def test_without_a_limit_nothing_is_counted(tmp_path: Path) -> None:
    with (
        running_center(tmp_path / "center.db", rate=0) as running,
        Api(running.url, running.user_key) as agent,
    ):
        assert "X-RateLimit-Limit" not in agent.get("/api/v1/actions").headers


def test_by_default_a_program_with_a_thousand_held_calls_is_not_refused(agent: Api) -> None:
    assert RATE * BURST_SECONDS >= 4 * 1_000
    assert MAX_PENDING >= 1_000
    assert int(agent.get("/api/v1/actions").headers["X-RateLimit-Limit"]) == RATE * BURST_SECONDS


def test_a_key_that_waits_for_too_many_decisions_is_told_when_to_come_back(tmp_path: Path) -> None:
    with (
        running_center(tmp_path / "center.db", max_pending=2) as running,
        Api(running.url, running.user_key) as agent,
        Api(running.url, running.admin_key) as approver,
    ):
        first, _ = agent.submit(), agent.submit()
        refused = agent.post(SUBMIT, a_submit())
        approver.post(f"/api/v1/actions/{first['id']}/reject")
        again = agent.post(SUBMIT, a_submit())

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == str(round(PENDING_RETRY_AFTER))
    assert "X-RateLimit-Limit" in refused.headers
    assert "2 requests of this key wait" in refused.json()["detail"]
    assert again.status_code == 200


# The kill switch


def kill(chief: Api, *, on: bool = True, reason: str = "it deletes too much", **scope: Any) -> Any:
    """Turn it on, or off."""
    return chief.post(KILL, {"on": on, "reason": reason, **scope})


def test_it_says_whether_a_client_is_blocked_since_when_by_whom_and_why(agent: Api, chief: Api) -> None:
    nothing = {"blocked": False, "reason": None, "activated_at": None, "activated_by": None}
    assert agent.get(STATUS).json() == nothing

    answer = kill(chief)

    blocked = {
        "blocked": True,
        "reason": "it deletes too much",
        "activated_at": "2023-11-14T22:13:20+00:00",
        "activated_by": "dave",
    }
    assert answer.status_code == 200
    assert answer.json()["on"] is True
    assert agent.get(STATUS).json() == blocked
    assert chief.get(STATUS).json()["switches"] == [answer.json()]
    assert kill(chief, on=False).json()["on"] is False
    assert agent.get(STATUS).json() == nothing


@pytest.mark.parametrize(
    ("scope", "asked_as", "blocked"),
    [
        ({"agent": "billing-bot"}, "", True),  # the name of the key
        ({"agent": "night-bot"}, "", False),
        ({"agent": "night-bot"}, "?agent_id=night-bot", True),
        ({"agent": "night-bot"}, "?agent_id=day-bot", False),
        ({"tool": "stripe"}, "", False),  # other tools go on
        ({"agent": "billing-bot", "tool": "stripe"}, "", False),
    ],
)
def test_one_agent_or_tool_is_not_everybody(
    agent: Api, chief: Api, scope: dict[str, Any], asked_as: str, blocked: bool
) -> None:
    kill(chief, **scope)

    body = agent.get(STATUS + asked_as).json()

    assert body["blocked"] is blocked
    assert "switches" not in body  # which others are stopped is not for every key


def test_while_it_is_on_a_submit_is_denied_in_words_that_every_client_reads(agent: Api, chief: Api) -> None:
    kill(chief)

    body = agent.submit(action_type="order.lookup")

    assert (body["status"], body["decision"], body["requires_approval"]) == ("denied", "denied", True)
    assert (body["reason"], body["reason_code"]) == ("Kill switch: it deletes too much", "kill_switch")
    assert body["decided_by"] == "kill-switch:dave"


def test_an_approval_from_before_cannot_be_claimed(agent: Api, approver: Api, chief: Api) -> None:
    action_id = agent.submit(extra_data=claiming())["id"]
    approver.post(f"/api/v1/actions/{action_id}/approve")
    kill(chief)

    answers = [
        agent.post(f"/api/v1/actions/{action_id}/claim", {"digest": "the-digest", "nonce": NONCE}) for _ in range(2)
    ]

    for answer in answers:
        assert answer.status_code == 409
        assert (answer.json()["status"], answer.json()["lifecycle"]) == ("denied", "revoked")
        assert answer.json()["nonce"] is None
        assert isinstance(answer.json()["detail"], str)
    assert answers[0].json()["reason_code"] == "kill_switch"


def test_approving_while_it_is_on_is_a_conflict_and_the_request_keeps_waiting(
    agent: Api, approver: Api, chief: Api
) -> None:
    action_id = agent.submit()["id"]
    kill(chief)

    answer = approver.post(f"/api/v1/actions/{action_id}/approve")

    assert answer.status_code == 409
    assert "kill switch is on" in answer.json()["detail"]
    assert answer.json()["status"] == "pending_approval"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"on": True},
        {"reason": "x"},
        {"on": True, "reason": ""},
        {"on": 1, "reason": "x"},
        {"on": "true", "reason": "x"},
        {"on": True, "reason": "x", "agent_id": "billing-bot"},
        {"on": True, "reason": "x", "tool_name": "stripe"},
        {"on": True, "reason": "x", "agent": ""},
        {"on": True, "reason": "x", "agent": ["billing-bot"]},
        {"on": True, "reason": "x", "tool": "x" * 201},
        {"on": True, "reason": "x" * 2_001},
        [],
    ],
    ids=lambda body: str(body)[:60],
)
def test_what_cannot_be_meant_stops_nothing_least_of_all_everything(agent: Api, chief: Api, body: object) -> None:
    assert chief.post(KILL, body).status_code == 422
    assert chief.get(STATUS).json()["switches"] == []


def test_turning_off_what_is_not_on_is_a_conflict(chief: Api) -> None:
    assert kill(chief, on=False).status_code == 409


def test_a_guarded_call_that_was_approved_before_does_not_run(running: Running, chief: Api) -> None:
    """The whole way: the agent waits, the approver says yes, and then somebody pulls the plug."""
    ran: list[str] = []

    class Unplugging(HttpTransport):
        def send(self, command: Any) -> Any:
            if isinstance(command, Claim):
                kill(chief)
            return super().send(command)

    def approve() -> None:
        (record,) = running.held()
        with running.approver() as client:
            client.approve(record.id)

    with Unplugging(running.url, running.user_key) as transport:

        @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=transport)
        def refund(charge_id: str) -> None:
            ran.append(charge_id)

        with in_thread(approve), pytest.raises(ActionDenied) as denied:
            refund("ch_1")

    assert ran == []
    assert denied.value.reason_code == "kill_switch"
    assert "it deletes too much" in str(denied.value)
    assert running.records()[0].status is Status.REVOKED


# Taking an approval back


def test_an_approval_is_taken_back_before_its_claim_and_not_after(agent: Api, approver: Api) -> None:
    early, late = (agent.submit(extra_data=claiming())["id"] for _ in range(2))
    for action_id in (early, late):
        approver.post(f"/api/v1/actions/{action_id}/approve")
    claim = {"digest": "the-digest", "nonce": NONCE}
    assert agent.post(f"/api/v1/actions/{late}/claim", claim).status_code == 200

    taken = approver.post(f"/api/v1/actions/{early}/revoke", {"reason": "wrong customer"})
    too_late = approver.post(f"/api/v1/actions/{late}/revoke", {"reason": "wrong customer"})

    assert (taken.status_code, taken.json()["lifecycle"], taken.json()["reason"]) == (200, "revoked", "wrong customer")
    assert too_late.status_code == 409
    assert "is executing" in too_late.json()["detail"]
    refused = agent.post(f"/api/v1/actions/{early}/claim", claim)
    assert refused.status_code == 409
    assert "revoked by carol" in refused.json()["detail"]
    assert agent.get(f"/api/v1/actions/{early}/status").json()["status"] == "denied"


def test_what_is_pending_cannot_be_revoked_but_denied(agent: Api, approver: Api) -> None:
    action_id = agent.submit()["id"]

    assert approver.post(f"/api/v1/actions/{action_id}/revoke").status_code == 409


# The audit trail


def test_the_trail_is_listed_newest_first_in_pages(agent: Api, approver: Api) -> None:
    for _ in range(3):
        agent.submit()

    whole = approver.get("/api/audit/logs").json()
    second = approver.get("/api/audit/logs?limit=2&offset=1").json()
    beyond = approver.get("/api/audit/logs?offset=1000").json()

    numbers = [entry["seq"] for entry in whole["logs"]]
    assert numbers == list(range(whole["total"], 0, -1))
    assert second["logs"] == whole["logs"][1:3]
    assert (second["limit"], second["offset"], second["total"]) == (2, 1, whole["total"])
    assert (beyond["logs"], beyond["total"]) == ([], whole["total"])
    newest = whole["logs"][0]
    assert (newest["event"], newest["status"], newest["timestamp"]) == (
        "submit",
        "pending",
        "2023-11-14T22:13:20+00:00",
    )


def test_a_page_has_at_most_so_many_entries_and_says_so(
    agent: Api, approver: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.submit()
    monkeypatch.setattr(administration, "MOST_ENTRIES", 2)

    page = approver.get("/api/audit/logs?limit=500").json()

    assert (len(page["logs"]), page["limit"]) == (2, 2)


@pytest.mark.parametrize(("length", "status"), [(LONGEST_AGENT, 200), (LONGEST_AGENT + 1, 422)])
def test_an_agent_that_is_asked_about_has_a_name_of_so_many_characters(agent: Api, length: int, status: int) -> None:
    assert agent.get(STATUS, params={"agent_id": "x" * length}).status_code == status


def test_an_entry_is_told_with_the_hash_that_it_is_chained_by(running: Running, approver: Api) -> None:
    links = running.center.do(lambda tx: list(tx.audit()))

    told = approver.get("/api/audit/logs").json()["logs"]

    assert [entry["hash"] for entry in told] == [link.hash for link in reversed(links)]
    for entry, link in zip(told, reversed(links), strict=True):
        body = {name: value for name, value in entry.items() if name not in ("hash", "timestamp")}
        assert body == json.loads(link.body)


@pytest.mark.parametrize("query", ["limit=x", "offset=-1", "limit=1e3", "limit=" + "9" * 10])
def test_a_page_that_is_no_number_is_unreadable(approver: Api, query: str) -> None:
    assert approver.get(f"/api/audit/logs?{query}").status_code == 422
