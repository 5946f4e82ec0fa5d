"""Standing approvals in the inbox: the form beside Approve, the list of live ones, and what pages tell of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from tests.center.desks import Clock
from tests.center.inbox.test_pages import Browser, ask, stored, whose, words
from tests.center.policies import together
from tests.helpers import an_action
from tests.servers import Running, running_center

from clearance.center.policy import Policy
from clearance.center.records import Record, Role, Stage, Submission
from clearance.center.standing.approval import StandingApproval
from clearance.models import Action, Status

REFUND = an_action(parameters={"charge_id": "ch_1", "amount": 5, "note": "late"})
FIELDS = {"uses": "3", "hours": "8", "reason": "weekly"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(tmp_path: Path, clock: Clock) -> Iterator[Running]:
    with running_center(tmp_path / "center.db", now=clock) as found:
        yield found


@pytest.fixture
def browser(running: Running) -> Iterator[Browser]:
    browser = Browser(running.url)
    with browser.session:
        yield browser


@pytest.fixture
def inbox(running: Running, browser: Browser) -> Browser:
    """Carol's browser."""
    assert browser.post("/sign-in", {"token": running.admin_key}).status_code == 303
    return browser


def made(running: Running) -> list[StandingApproval]:
    """All standing approvals."""
    return running.center.do(lambda tx: tx.standing_approvals())


def allow(running: Running, record: Record) -> StandingApproval:
    """Carol allows it again."""
    who, desk = whose(running, running.admin_key), running.center.desk
    return running.center.do(lambda tx: desk.make_standing(tx, who, record.id, reason="weekly", free=["note"]))


def submit(running: Running, action: Action) -> Record:
    """Ask for exactly this."""
    who, desk = whose(running, running.user_key), running.center.desk
    return running.center.do(lambda tx: desk.submit(tx, who, Submission(action, None, None, claims=True)))


def forms(page: requests.Response) -> list[str]:
    """Where the forms of a page lead to."""
    return re.findall(r'action="(/inbox/[^"]+)"', page.text)


def test_a_request_is_approved_and_allowed_again_with_one_form(running: Running, inbox: Browser) -> None:
    record = ask(running, REFUND)
    assert f"/inbox/{record.id}/allow-again" in forms(inbox.get("/"))

    answer = inbox.decide("allow-again", record, **FIELDS)

    assert answer.status_code == 303
    cleared = stored(running, record)
    assert (cleared.status, cleared.decided_by, cleared.reason) == (Status.APPROVED, "carol", "weekly")
    (approval,) = made(running)
    assert (approval.uses, approval.made_by_name, approval.reason, approval.varying) == (3, "carol", "weekly", ())
    assert approval.ends_at - approval.made_at == 8 * 3600 * 1_000_000
    assert submit(running, record.action).status is Status.APPROVED


def test_what_is_ticked_may_differ(running: Running, inbox: Browser) -> None:
    record = ask(running, REFUND)
    boxes = re.findall(r'name="(free\.\d)" value="yes"> <span>any <b>(\w+)</b>', inbox.get("/").text)
    assert [name for _, name in boxes] == ["charge_id", "amount", "note"]

    inbox.decide("allow-again", record, **FIELDS, **{boxes[2][0]: "yes"})

    (approval,) = made(running)
    assert approval.free == ("note",)


def test_a_script_is_told_what_was_done(running: Running, inbox: Browser) -> None:
    record = ask(running, REFUND)
    fields = {"form_token": inbox.token(), **FIELDS}

    answer = inbox.post(f"/inbox/{record.id}/allow-again", fields, {"Accept": "application/json"})

    assert answer.json() == {"said": f"Approved, and allowed 3 more times: payment.refund (#{record.id})"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"uses": ""}, {"uses": "x"}, {"uses": "0"}, {"uses": "1001"}, {"uses": "-1"}, {"hours": "169"}, {"hours": "0"},
        {"hours": "1.5"}, {"reason": " "}, {"reason": "x" * 2_001}, {"free.3": "yes"}, {"free.x": "yes"},
        {"free.": "yes"}, {"uses": "1234567"},
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_meant_does_nothing(running: Running, inbox: Browser, wrong: dict[str, str]) -> None:
    record = ask(running, REFUND)

    answer = inbox.decide("allow-again", record, **{**FIELDS, **wrong})

    assert answer.status_code == 422
    assert made(running) == []
    assert stored(running, record).status is Status.PENDING


def test_a_form_of_another_session_does_nothing(running: Running, inbox: Browser) -> None:
    record = ask(running, REFUND)

    answer = inbox.post(f"/inbox/{record.id}/allow-again", {"form_token": "x", **FIELDS})

    assert answer.status_code == 403
    assert made(running) == []


def test_at_high_risk_it_must_be_confirmed_and_nothing_may_differ(running: Running, inbox: Browser) -> None:
    record = ask(running, replace(REFUND, action_type="db.migrate", resource="production/shop"))
    page = inbox.get("/")
    assert f"/inbox/{record.id}/allow-again" in forms(page)
    assert "What may differ" not in words(page)

    assert inbox.decide("allow-again", record, **FIELDS).status_code == 422
    assert inbox.decide("allow-again", record, **FIELDS, confirmed="yes", **{"free.0": "yes"}).status_code == 422
    assert made(running) == []
    assert inbox.decide("allow-again", record, **FIELDS, confirmed="yes").status_code == 303
    assert len(made(running)) == 1


def test_what_hides_a_value_can_only_be_allowed_exactly(running: Running, inbox: Browser) -> None:
    ask(running, replace(REFUND, redacted=("note",)))
    page = inbox.get("/")

    assert "Approve and allow the same again" in words(page)
    assert "What may differ" not in words(page)


@pytest.mark.parametrize("stages", [(Stage(2),), (Stage(1, ("dave",)),), (Stage(1, ("carol",)), Stage(1))])
def test_where_it_would_not_count_it_is_not_offered(tmp_path: Path, clock: Clock, stages: tuple[Stage, ...]) -> None:
    policy: Policy = together(*stages)
    with running_center(tmp_path / "other.db", now=clock, policy=policy) as running:
        browser = Browser(running.url)
        with browser.session:
            assert browser.post("/sign-in", {"token": running.admin_key}).status_code == 303
            record = ask(running, REFUND)

            assert "allow the same again" not in words(browser.get("/"))
            assert browser.decide("allow-again", record, **FIELDS).status_code in (403, 422)
            assert made(running) == []
            assert stored(running, record).status is Status.PENDING


def test_what_is_decided_already_is_not_allowed_again_by_the_form(running: Running, inbox: Browser) -> None:
    record = ask(running, REFUND)
    token = inbox.token()
    inbox.decide("approve", record)

    again = inbox.post(f"/inbox/{record.id}/allow-again", {"form_token": token, **FIELDS})

    assert again.status_code == 422
    assert "You have approved this already" in words(again)
    assert made(running) == []


def test_what_somebody_denied_is_not_allowed_again_by_the_form(running: Running, inbox: Browser) -> None:
    record = ask(running, REFUND)
    token = inbox.token()
    inbox.decide("deny", record)

    again = inbox.post(f"/inbox/{record.id}/allow-again", {"form_token": token, **FIELDS})

    assert again.status_code == 409
    assert made(running) == []


def test_those_that_live_are_listed_with_what_is_left_and_a_button(
    running: Running, inbox: Browser, clock: Clock
) -> None:
    assert "Allowed again" not in words(inbox.get("/"))
    allow(running, ask(running, REFUND))
    submit(running, replace(REFUND, digest="2", parameters={**REFUND.parameters, "note": "other"}))
    clock.advance(3600)

    text = words(inbox.get("/"))

    assert "Allowed again payment.refund with stripe as in #1 , but with any note" in text
    assert "for billing-bot , with the key billing-bot; allowed by carol: weekly" in text
    assert "9 of 10 uses left 23 h 0 min left Revoke" in text
    clock.advance(23 * 3600)
    assert "Allowed again" not in words(inbox.get("/"))


def test_a_button_revokes_one(running: Running, inbox: Browser) -> None:
    approval = allow(running, ask(running, REFUND))
    cleared = submit(running, replace(REFUND, digest="2"))

    answer = inbox.post(f"/inbox/standing/{approval.id}/revoke", {"form_token": inbox.token()})

    assert answer.status_code == 303
    assert made(running)[0].revoked_by == "carol"
    assert stored(running, cleared).status is Status.REVOKED


def test_a_form_of_another_session_revokes_nothing(running: Running, inbox: Browser) -> None:
    approval = allow(running, ask(running, REFUND))

    assert inbox.post(f"/inbox/standing/{approval.id}/revoke", {"form_token": "x"}).status_code == 403
    assert made(running)[0].revoked_at is None


def test_the_page_of_what_it_decided_tells_whose_it_is_and_what_is_left(running: Running, inbox: Browser) -> None:
    approval = allow(running, ask(running, REFUND))
    cleared = submit(running, replace(REFUND, digest="2"))

    page = inbox.get(f"/actions/{cleared.id}")

    assert "Approved by standing approval 1 of carol, use 1 of 10" in words(page)
    assert "Nobody was asked: it had been allowed payment.refund with stripe as in #1" in words(page)
    assert "9 of 10 uses left" in words(page)
    assert f"/inbox/standing/{approval.id}/revoke" in forms(page)
    inbox.post(f"/inbox/standing/{approval.id}/revoke", {"form_token": inbox.token()})
    after = inbox.get(f"/actions/{cleared.id}")
    assert "revoked" in words(after).partition("Nobody was asked")[2].partition("Why medium risk")[0]
    assert f"/inbox/standing/{approval.id}/revoke" not in forms(after)


def test_an_auditor_sees_them_and_has_no_button(running: Running, browser: Browser) -> None:
    allow(running, ask(running, REFUND))
    browser.post("/sign-in", {"token": running.center.create_key(Role.AUDITOR, "eve")})

    page = browser.get("/")

    assert "10 of 10 uses left" in words(page)
    assert forms(page) == []


def test_hostile_text_in_one_is_spelled_out(running: Running, inbox: Browser) -> None:
    name = "<b>amount\u202e</b>"
    record = ask(running, replace(REFUND, parameters={name: "x"}))
    page = html.unescape(inbox.get("/").text)
    assert "\u202e" not in page
    assert "<b>amount" not in inbox.get("/").text

    inbox.decide("allow-again", record, **FIELDS, **{"free.0": "yes"})

    assert made(running)[0].free == (name,)
    assert "\u202e" not in html.unescape(inbox.get("/").text)
