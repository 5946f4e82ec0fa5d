"""What the inbox shows of several who must agree, of identical requests, and of what nobody reported back on."""

from __future__ import annotations

from tests.center import policies
from tests.center.inbox.test_pages import NONCE, Browser, browser, clock, inbox, running, stored, whose, words
from tests.helpers import an_action
from tests.servers import Running

from clearance.center.records import Record, Stage, Submission
from clearance.models import Status

__all__ = ["browser", "clock", "inbox", "running"]


def ask(running: Running, amount: int = 5) -> Record:
    """The same refund, each time."""
    who, desk = whose(running, running.user_key), running.center.desk
    action = an_action(parameters={"charge_id": "ch_1", "amount": amount}, editable=("amount",))
    submission = Submission(action, None, None, claims=True)
    return running.center.do(lambda tx: desk.submit(tx, who, submission))


def together(running: Running, *stages: Stage) -> None:
    """From now on refunds need these."""
    running.center.desk.policy = policies.together(*stages)


def test_a_request_says_how_many_have_agreed_and_who_has_says_it_no_more(running: Running, inbox: Browser) -> None:
    together(running, Stage(2))
    record = ask(running)
    before = words(inbox.get("/"))

    answer = inbox.decide("approve", record)
    after = inbox.get("/")

    assert "0 of 2 approvals" in before
    assert "Change before approving" not in before
    assert answer.status_code == 303
    assert "1 of 2 approvals: carol" in words(after)
    assert "the approval that is missing must be somebody else's" in words(after)
    assert f"/inbox/{record.id}/approve" not in after.text
    assert f"/inbox/{record.id}/deny" in after.text
    assert stored(running, record).status is Status.PENDING


def test_who_has_no_voice_in_it_is_told_whose_it_waits_for(running: Running, inbox: Browser) -> None:
    together(running, Stage(1, ("dave",)))
    record = ask(running)

    page = inbox.get("/")

    assert "This waits for the approval of dave." in words(page)
    assert f"/inbox/{record.id}/approve" not in page.text
    assert f"/inbox/{record.id}/deny" not in page.text
    assert inbox.decide("approve", record).status_code == 403


def test_identical_requests_are_one_card(running: Running, inbox: Browser) -> None:
    first, second, third = ask(running), ask(running), ask(running)
    page = inbox.get("/")

    assert page.text.count("<article") == 1
    assert "asked 3 times" in words(page)
    assert "Approving clears one of the 3 identical requests; denying refuses them all." in words(page)
    inbox.decide("approve", first)
    assert stored(running, second).status is Status.PENDING
    assert "asked 2 times" in words(inbox.get("/"))
    inbox.decide("deny", second)
    assert stored(running, third).status is Status.DENIED


def test_requests_that_look_otherwise_are_cards_of_their_own_whatever_digest_they_claim(
    running: Running, inbox: Browser
) -> None:
    ask(running)
    ask(running, amount=5_000)
    page = inbox.get("/")

    assert page.text.count("<article") == 2
    assert "5000" in words(page)
    assert "asked 2 times" not in words(page)


def test_a_request_that_has_waited_for_half_its_time_says_so(running: Running, inbox: Browser) -> None:
    record = ask(running)
    assert "half its time is over" not in words(inbox.get("/"))

    running.center.desk.now = lambda: record.escalates_at

    assert "half its time is over" in words(inbox.get("/"))


def test_an_approver_says_on_its_page_what_became_of_what_is_unknown(running: Running, inbox: Browser) -> None:
    record = ask(running)
    running.center.desk.now = lambda: record.created_at
    inbox.decide("approve", record)
    who, desk = whose(running, running.user_key), running.center.desk
    running.center.do(lambda tx: desk.claim(tx, who, record.id, record.action.digest, NONCE))
    executing = stored(running, record)
    assert "/resolve" not in inbox.get(f"/actions/{record.id}").text
    running.center.desk.now = lambda: executing.run_until or 0

    assert "It was completed" in words(inbox.get(f"/actions/{record.id}"))
    assert inbox.decide("resolve", record, outcome="completed", reason="").status_code == 422
    assert inbox.decide("resolve", record, outcome="perhaps", reason="seen").status_code == 422
    assert inbox.decide("resolve", record, outcome="completed", reason="on the statement").status_code == 303

    closed = stored(running, record)
    assert closed.status is Status.COMPLETED
    assert closed.outcome is not None
    assert closed.outcome.notes == ("closed by carol: on the statement",)


def test_what_is_not_unknown_is_not_closed(running: Running, inbox: Browser) -> None:
    record = ask(running)

    assert inbox.decide("resolve", record, outcome="failed", reason="seen").status_code == 409
    assert stored(running, record).status is Status.PENDING
