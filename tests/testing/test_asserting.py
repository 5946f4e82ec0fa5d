"""What a test reads and asserts afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from tests.leaks import CANARY

from clearance import ActionDenied, Status, authorized, reasoning, requires_authorization
from clearance.testing import AskedList, AuthorizationMismatch, FakeTransport
from clearance.testing.matchers import hidden, over

fake = FakeTransport()


@requires_authorization(action_type="payment.refund", tool_name="stripe", resource="acct_1", transport=fake)
def refund(charge_id: str, amount: int, api_key: str = "") -> None: ...


@requires_authorization(
    action_type="mail.send", tool_name="smtp", context={"thread": ["one", {"key": "two"}]}, transport=fake
)
def send(to: str) -> None: ...


@pytest.fixture(autouse=True)
def _asked() -> None:
    """Three refunds, of which the second is refused, and one mail."""
    with fake:
        fake.deny("payment.refund", reason="too much").with_parameters(amount=over(100))
        fake.allow()
        refund("ch_1", 5, api_key=CANARY)
        with pytest.raises(ActionDenied):
            refund("ch_2", 500)
        refund("ch_3", 5)
        with reasoning("She asked for it."):
            send("ada@example.com")


def test_requests_are_found_by_what_they_are() -> None:
    assert isinstance(fake.asked, AskedList)
    assert len(fake.asked) == len(fake.asked()) == 4
    assert [asked.decision.action_id for asked in fake.asked("payment.refund")] == ["1", "2", "3"]
    assert [asked.decision.action_id for asked in fake.asked(tool_name="smtp")] == ["4"]
    assert [asked.decision.action_id for asked in fake.asked(resource="acct_1", status=Status.DENIED)] == ["2"]
    assert len(fake.asked("payment.refund").with_parameters(amount=5)) == 2
    assert len(fake.asked.with_parameters(amount=5, charge_id="ch_3")) == 1
    assert len(fake.asked.with_parameters(api_key=hidden)) == 3
    assert fake.asked("db.migrate") == fake.asked.with_parameters(amount="5") == []


def test_a_request_reads_as_one_line_without_its_secrets() -> None:
    parameters = "charge_id='ch_1', amount=5, api_key='[redacted]'"
    assert repr(fake.asked[0]) == f"<Asked 1: payment.refund with stripe on acct_1 ({parameters}) -> completed>"


def test_all_that_was_asked_and_answered_can_be_told() -> None:
    told = fake.asked("payment.refund", status=Status.DENIED).told()
    assert told.splitlines() == [
        "2. payment.refund with stripe on acct_1 (charge_id='ch_2', amount=500, api_key='[redacted]')",
        "   asks: refund(charge_id='ch_2', amount=500, api_key='[redacted]')",
        "   answered by the test: too much",
        "   denied",
    ]
    assert AskedList().told() == "nothing was asked"


def test_a_failed_body_is_told_by_the_class_of_its_exception() -> None:
    other = FakeTransport(True)
    with pytest.raises(ZeroDivisionError), authorized(action_type="a", tool_name="b", transport=other):
        _ = 1 / 0
    assert other.asked.told().endswith("   failed (ZeroDivisionError)")


def test_what_was_asked_once_is_handed_over() -> None:
    assert fake.assert_asked_once("mail.send").resource is None
    assert fake.assert_asked_once("payment.refund", charge_id="ch_1").decision.action_id == "1"
    assert fake.assert_asked_once(amount=500).status is Status.DENIED


def message(assertion: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(AuthorizationMismatch) as mismatch:
        assertion(*args, **kwargs)
    return str(mismatch.value)


def test_what_was_asked_otherwise_is_told_with_the_nearest() -> None:
    told = message(fake.assert_asked_once, "payment.refund", charge_id="ch_2", amount=5000)
    assert told.startswith(
        "'payment.refund' with charge_id='ch_2', amount=5000 was asked never, not once.\n"
        "The nearest was request 2, but amount is 500, not 5000.\nAsked:\n  <Asked 1: payment.refund"
    )
    assert message(fake.assert_asked_once, "payment.refund").startswith(
        "'payment.refund' was asked 3 times, not once.\nA"
    )
    assert message(fake.assert_asked_once, "x").startswith("'x' was asked never, not once.\nAsked:")
    assert message(FakeTransport().assert_asked_once) == "anything was asked never, not once.\nNothing was asked."


def test_what_should_not_be_asked_is_told_if_it_was() -> None:
    fake.assert_not_asked("db.migrate")
    fake.assert_not_asked("payment.refund", amount=6)
    assert message(fake.assert_not_asked, "mail.send").startswith("'mail.send' was asked once, not never.\nAsked:\n  <")


def test_what_should_not_run_is_told_if_it_ran() -> None:
    told = message(fake.assert_nothing_ran)
    assert told.startswith("3 calls ran, where none should have.")
    assert "ch_2" not in told
    FakeTransport(False).assert_nothing_ran()


def test_a_long_list_is_cut() -> None:
    many = FakeTransport(True)
    for number in range(25):
        requires_authorization(action_type="a", transport=many)(lambda number: number)(number)
    assert message(many.assert_nothing_ran).endswith("\n  and 5 more")


@pytest.mark.parametrize(
    ("shown", "place"),
    [
        ("ch_2", "the description of payment.refund, request 2"),
        ("500", "parameters.amount of payment.refund, request 2"),
        ("acct_1", "the resource of payment.refund, request 1"),
        ("She asked", "the reasoning of mail.send, request 4"),
        ("smtp", "the tool's name of mail.send, request 4"),
        ("two", "context.thread[1].key of mail.send, request 4"),
        ("thread", "a name in context of mail.send, request 4"),
        (500, "parameters.amount of payment.refund, request 2"),
    ],
)
def test_what_should_never_be_shown_is_found_wherever_it_was(shown: object, place: str) -> None:
    assert f"\n  {place}" in message(fake.assert_never_shown, shown)


def test_what_was_never_shown_is_without_complaint() -> None:
    fake.assert_never_shown(CANARY)
    fake.assert_never_shown(SecretStr(CANARY).get_secret_value())


def test_the_message_does_not_repeat_what_should_never_be_shown() -> None:
    assert "She asked" not in message(fake.assert_never_shown, "She asked")


def test_a_note_on_the_outcome_is_shown_too() -> None:
    other = FakeTransport(True)
    with authorized(action_type="a", tool_name="b", transport=other) as grant:
        grant.note("to 4711")
    assert "a note on the outcome of a, request 1" in message(other.assert_never_shown, 4711)


def test_an_empty_text_is_in_everything() -> None:
    with pytest.raises(ValueError, match="an empty text is in everything"):
        fake.assert_never_shown("")


def test_what_was_read_once_is_told_anew_when_it_has_changed() -> None:
    other = FakeTransport(True)
    with authorized(action_type="a", tool_name="b", transport=other):
        during = other.asked[0]
    assert (during.status, other.asked[0].status) == (Status.EXECUTING, Status.COMPLETED)


def test_an_approver_may_look_at_what_it_is_asked_while_it_answers() -> None:
    seen: list[Status] = []
    other = FakeTransport(lambda asked: not seen.append(other.asked[0].status))  # type: ignore[func-returns-value]

    requires_authorization(action_type="a", transport=other)(lambda: None)()

    assert seen == [Status.PENDING]
    assert other.asked[0].status is Status.COMPLETED
