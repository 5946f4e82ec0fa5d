"""Break-glass over REST: who opens and closes it, what is told of it, and what the agent's program gets."""

from __future__ import annotations

from typing import Any

import pytest
from tests.servers import Api, Running, claiming

from clearance import AuthorizationUnavailable, requires_authorization
from clearance import agent as as_agent
from clearance.center.records import Role
from clearance.client import Client
from clearance.settings import Settings

PATH = "/api/v1/break-glass"
SAID: dict[str, Any] = {"agent": "billing-bot", "tool": "stripe", "reason": "the queue is stuck"}


def opened(chief: Api, **changes: Any) -> dict[str, Any]:
    """Open one."""
    answer = chief.post(PATH, {**SAID, **changes})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_it_is_told_whole_when_it_is_opened_while_it_is_used_and_when_it_is_closed(
    agent: Api, approver: Api, chief: Api
) -> None:
    glass = opened(chief, minutes=5)
    first, second = agent.submit(extra_data=claiming()), agent.submit(extra_data=claiming())
    claim = {"digest": claiming()["clearance"]["digest"], "nonce": "nonce-of-the-agent"}
    assert agent.post(f"/api/v1/actions/{first['id']}/claim", claim).status_code == 200

    (listed,) = chief.get(PATH).json()
    closed = approver.post(f"{PATH}/{glass['id']}/close", {"reason": "fixed"}).json()

    told = {**SAID, "id": glass["id"], "key": None, "opened_by": "dave", "owner": None}
    assert {name: glass[name] for name in told} == told
    assert (glass["open"], glass["closed_at"], glass["cleared"], glass["ran"], glass["actions"]) == (
        *(True, None, 0, 0),
        [],
    )
    assert listed == {**glass, "cleared": 2, "ran": 1, "actions": [first["id"], second["id"]]}
    assert closed["closed_at"] is not None
    assert closed == {**listed, "open": False, "closed_by": "carol", "closed_at": closed["closed_at"]}
    assert chief.get(PATH).json() == [closed]


def test_a_submit_is_answered_as_approved_and_as_an_alert(agent: Api, chief: Api) -> None:
    glass = opened(chief)

    body = agent.submit()

    assert (body["status"], body["decision"], body["requires_approval"]) == ("approved", "approved", False)
    assert (body["reason"], body["reason_code"]) == ("Break-glass: the queue is stuck", "break_glass")
    assert (body["decided_by"], body["channel"]) == ("break-glass:dave", "break-glass")
    assert (body["enforcement_decision"], body["enforcement_decision_source"]) == ("auto_approved", "break_glass")
    assert body["alert_triggered"] is True
    assert agent.get(f"/api/v1/actions/{body['id']}").json()["break_glass"] == glass["id"]
    assert agent.submit(tool_name="paypal")["alert_triggered"] is False


def test_a_guarded_call_runs_at_once_while_it_is_open(running: Running, chief: Api) -> None:
    opened(chief)
    ran: list[str] = []

    @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=running.transport())
    def refund(charge_id: str) -> None:
        ran.append(charge_id)

    with as_agent("billing-bot"):
        refund("ch_1")

    assert ran == ["ch_1"]
    assert chief.get(PATH).json()[0]["ran"] == 1


def test_a_program_opens_lists_and_closes_one(running: Running, chief: Api) -> None:
    key = running.center.create_key(Role.SUPER_ADMIN, "dave")
    with Client(Settings(key, running.url)) as client:
        glass = client.open_break_glass("billing-bot", "stripe", "stuck", minutes=1)
        assert client.break_glasses() == [glass]
        assert client.close_break_glass(glass["id"], "fixed")["open"] is False
    with (
        Client(Settings(running.user_key, running.url)) as client,
        pytest.raises(AuthorizationUnavailable, match="auditor"),
    ):
        client.break_glasses()


@pytest.mark.parametrize(
    "body",
    [
        *({}, [], {"agent": "a", "tool": "t"}, {**SAID, "minutes": 0}, {**SAID, "minutes": 61}),
        *({**SAID, "minutes": 1.5}, {**SAID, "minutes": True}, {**SAID, "minutes": "15"}, {**SAID, "agent": None}),
        *({**SAID, "agent": ""}, {**SAID, "tool": "*"}, {**SAID, "agnet": "x"}, {**SAID, "reason": "x" * 2_001}),
        *({**SAID, "reason": ""}, {**SAID, "reason": "a\x00b"}, {**SAID, "key": "x\x00"}, {**SAID, "key": "nobodys0"}),
    ],
    ids=lambda body: ascii(body)[-60:],
)
def test_what_cannot_be_meant_opens_nothing(chief: Api, body: object) -> None:
    assert chief.post(PATH, body).status_code == 422
    assert chief.get(PATH).json() == []


@pytest.mark.parametrize(
    ("number", "status"), [("99", 404), ("x", 422), ("-1", 422), ("1" * 19, 422), ("%D9%A1", 422), ("1%00", 422)]
)
def test_what_is_not_there_cannot_be_closed(chief: Api, number: str, status: int) -> None:
    assert chief.post(f"{PATH}/{number}/close", {}).status_code == status


def test_one_that_is_open_or_over_already_is_a_conflict(chief: Api) -> None:
    glass = opened(chief)

    again = chief.post(PATH, SAID)
    assert again.status_code == 409
    assert f"Break-glass {glass['id']} is open" in again.json()["detail"]
    assert chief.post(f"{PATH}/{glass['id']}/close").status_code == 200
    assert chief.post(f"{PATH}/{glass['id']}/close").status_code == 409


def test_it_is_for_one_key_alone_where_that_is_said(running: Running, agent: Api, chief: Api) -> None:
    other = running.center.create_key(Role.USER, "other")
    opened(chief, key=running.user_key.split("_")[2])

    with Api(running.url, other) as rogue:
        assert rogue.submit()["status"] == "pending_approval"
    assert agent.submit()["reason_code"] == "break_glass"


def test_the_list_is_newest_first_and_read_page_by_page(chief: Api) -> None:
    numbers = [opened(chief, tool=tool)["id"] for tool in ("one", "two", "three")]

    assert [glass["id"] for glass in chief.get(PATH).json()] == numbers[::-1]
    assert [glass["id"] for glass in chief.get(f"{PATH}?limit=1&offset=1").json()] == [numbers[1]]
    assert chief.get(f"{PATH}?limit=x").status_code == 422
