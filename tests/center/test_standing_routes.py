"""Standing approvals over the API: what is read and answered, by whom, and what stands in receipts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.servers import PATIENCE, Api, Running, claiming, in_thread

from clearance import current_grant, receipts, requires_authorization
from clearance.center.records import Role
from clearance.client import Client
from clearance.errors import AuthorizationUnavailable
from clearance.models import Status
from clearance.settings import Settings

URL = "/api/v1/standing-approvals"


def ask(agent: Api, digest: str = "the-digest", **details: Any) -> dict[str, Any]:
    """Ask for a refund with this digest."""
    more = {"action_details": {"charge_id": "ch_1", "amount": 5, **details}}
    return agent.submit(extra_data=claiming(digest=digest), **more)


def made(approver: Api, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Allow it again."""
    answer = approver.post(URL, {"action_id": action["id"], "reason": "as before", **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_is_made_is_told_whole_and_answers_the_next_call(agent: Api, approver: Api) -> None:
    seen = ask(agent)

    told = made(approver, seen, uses=2, expires_in_hours=1.5, match={"amount": {"le": 50}}, free=["charge_id"])

    assert approver.get(URL).json() == [told]
    assert told.pop("made_at") < told.pop("expires_at")
    assert told == {
        "id": 1,
        "status": "live",
        "requested_by": "billing-bot",
        "agent_id": "billing-bot",
        "action_type": "payment.refund",
        "tool_name": "stripe",
        "rule": "risk-ask",
        "risk_level": "medium",
        "match": {"amount": {"le": 50}},
        "free": ["charge_id"],
        "made_from": seen["id"],
        "made_by": "carol",
        "uses": 2,
        "used": 0,
        "reason": "as before",
        "revoked_at": None,
        "revoked_by": None,
    }
    again = ask(agent, "another", amount=49, charge_id="ch_7")
    assert (again["status"], again["decided_by"]) == ("approved", "standing:1 by carol")
    assert (again["channel"], again["reason_code"]) == ("standing", "standing_approval")
    assert again["reason"] == "Use 1 of 2: as before"


def test_without_more_it_is_exactly_the_call_ten_times_for_a_day(agent: Api, approver: Api) -> None:
    told = made(approver, ask(agent))

    assert (told["uses"], told["match"], told["free"]) == (10, {}, [])
    assert ask(agent)["status"] == "approved"
    assert ask(agent, "another", amount=6)["status"] == "pending_approval"


def test_a_revoked_one_is_told_as_such_and_only_to_who_asks_for_ended_ones(agent: Api, approver: Api) -> None:
    told = made(approver, ask(agent))
    cleared = ask(agent)

    ended = approver.post(f"{URL}/{told['id']}/revoke", {"reason": "enough"}).json()

    assert (ended["status"], ended["revoked_by"], ended["used"]) == ("revoked", "carol", 1)
    assert approver.get(URL).json() == []
    assert approver.get(f"{URL}?ended=true").json() == [ended]
    standing = agent.get(f"/api/v1/actions/{cleared['id']}/status").json()
    assert (standing["status"], standing["reason"]) == ("denied", "Standing approval 1 was revoked: enough")


def test_an_agent_sees_those_about_its_own_key(running: Running, agent: Api, approver: Api) -> None:
    told = made(approver, ask(agent))

    assert agent.get(URL).json() == [told]
    with Api(running.url, running.center.create_key(Role.USER, "another")) as another:
        assert another.get(URL).json() == []


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "action_id: Field required"),
        ({"reason": "x"}, "action_id: Field required"),
        ({"action_id": 1}, "reason: Field required"),
        ({"action_id": 1, "reason": ""}, "reason: String should have at least 1 character"),
        ({"action_id": 1, "reason": " "}, "Say why: reason is empty"),
        ({"action_id": "1", "reason": "x"}, "action_id: Input should be a valid integer"),
        ({"action_id": 1, "reason": "x", "uses": 0}, "uses: Input should be greater than or equal to 1"),
        ({"action_id": 1, "reason": "x", "uses": 1001}, "uses: Input should be less than or equal to 1000"),
        ({"action_id": 1, "reason": "x", "uses": True}, "uses: Input should be a valid integer"),
        ({"action_id": 1, "reason": "x", "expires_in_hours": 169}, "expires_in_hours: Input should be less than"),
        ({"action_id": 1, "reason": "x", "for": 1}, "for: Extra inputs are not permitted"),
        ({"action_id": 1, "reason": "x", "free": ["amont"]}, "amont is no parameter of this call"),
        ({"action_id": 1, "reason": "x", "match": {"amount": {"lte": 5}}}, "unknown operator 'lte'"),
    ],
)
def test_what_cannot_be_meant_makes_nothing(agent: Api, approver: Api, body: dict[str, Any], detail: str) -> None:
    ask(agent)

    answer = approver.post(URL, body)

    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert approver.get(URL).json() == []


@pytest.mark.parametrize("path", [f"{URL}?ended=yes", f"{URL}?limit=x"])
def test_a_list_that_cannot_be_meant_is_refused(approver: Api, path: str) -> None:
    assert approver.get(path).status_code == 422


@pytest.mark.parametrize(("path", "status"), [("x", 422), ("9" * 19, 422), ("7", 404)])
def test_one_that_is_not_there_cannot_be_revoked(approver: Api, path: str, status: int) -> None:
    assert approver.post(f"{URL}/{path}/revoke").status_code == status


def test_there_is_nothing_to_allow_again_where_there_is_no_action(approver: Api) -> None:
    assert approver.post(URL, {"action_id": 99, "reason": "x"}).status_code == 404


def test_the_client_makes_lists_and_revokes_them(running: Running, agent: Api) -> None:
    seen = ask(agent, note="late")
    with running.approver() as client:
        told = client.allow_again(seen["id"], "weekly", uses=3, hours=2, match={"amount": {"le": 9}}, free=["note"])
        assert (told["uses"], told["free"], told["match"]) == (3, ["note"], {"amount": {"le": 9}})
        others = [client.allow_again(ask(agent, f"d{number}")["id"], "weekly")["id"] for number in range(49)]
        assert [each["id"] for each in client.standing_approvals()] == [*reversed(others), told["id"]]
        assert client.revoke_standing_approval(told["id"], "enough")["status"] == "revoked"
        with pytest.raises(AuthorizationUnavailable):
            client.allow_again(10**6, "weekly")


def test_more_than_a_page_of_them_are_listed(running: Running, agent: Api) -> None:
    with running.approver() as client:
        seen = ask(agent)["id"]
        for _ in range(51):
            client.revoke_standing_approval(client.allow_again(seen, "weekly")["id"])

        assert client.standing_approvals() == []
        assert len(client.standing_approvals(ended=True)) == 51


def test_a_key_that_may_not_decide_is_told_so(running: Running, agent: Api) -> None:
    seen = ask(agent)
    with Client(Settings(running.user_key, running.url)) as client, pytest.raises(AuthorizationUnavailable):
        client.allow_again(seen["id"], "for me")


# Receipts


def test_the_receipt_of_what_it_decided_says_which_one_and_whose_and_is_signed_with_that(
    running: Running, agent: Api, approver: Api
) -> None:
    made(approver, ask(agent))
    cleared = ask(agent)
    with running.approver() as client:
        data, key = client.receipt(cleared["id"]), client.public_key()

    told = receipts.verify(data, key)

    maker = running.admin_key.split("_")[2]
    assert told["standing"] == {"id": 1, "maker": maker, "by": "carol", "use": 1, "of": 10}
    assert (told["decider"], told["decided_by"]) == ("standing:1", "standing:1 by carol")
    with pytest.raises(receipts.BadReceipt):
        receipts.verify(data.replace(b'"of":10', b'"of":11'), key)


def test_the_receipt_of_what_a_person_decided_says_nothing_of_any(running: Running, agent: Api, approver: Api) -> None:
    seen = ask(agent)
    approver.post(f"/api/v1/actions/{seen['id']}/approve")
    with running.approver() as client:
        assert "standing" not in receipts.verify(client.receipt(seen["id"]), client.public_key())


def test_a_client_of_ours_gets_its_leave_and_is_told_by_whom(running: Running, approver: Api) -> None:
    @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=running.transport())
    def refund(amount: int) -> str | None:
        return current_grant().decision.decided_by

    with in_thread(lambda: refund(5)) as results:
        [record] = running.held()
        made(approver, {"id": record.id})
        approver.post(f"/api/v1/actions/{record.id}/approve")
        assert results.get(timeout=PATIENCE) == "carol"

    assert refund(5) == "standing:1 by carol"
    assert [each.status for each in running.records()] == [Status.COMPLETED] * 2
