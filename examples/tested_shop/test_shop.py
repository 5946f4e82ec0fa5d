"""Tests of the shop. Those named ``test_fails...`` fail on purpose: ``expected_report.txt`` has what pytest says then.

python -m pytest examples/tested_shop
"""

from __future__ import annotations

import pytest
from shop import refund, send, settle

from clearance import ActionDenied, ActionUndecided, Status
from clearance.testing import FakeTransport
from clearance.testing.matchers import under


def test_a_small_refund_runs(authorization: FakeTransport) -> None:
    authorization.allow("payment.refund").with_parameters(amount=under(100))

    assert refund("ch_1", 50, api_key="sk-not-for-you") == "refunded 50 on ch_1"

    assert authorization.assert_asked_once("payment.refund", amount=50).status is Status.COMPLETED
    authorization.assert_never_shown("sk-not-for-you")


@pytest.mark.authorization(deny={"payment.refund": "too much"})
def test_a_refused_refund_does_not_run(authorization: FakeTransport) -> None:
    with pytest.raises(ActionDenied, match="too much"):
        refund("ch_1", 5000)
    authorization.assert_nothing_ran()


def test_nobody_answers_for_a_quarter_of_an_hour(authorization: FakeTransport) -> None:
    authorization.ask("payment.refund")

    with pytest.raises(ActionUndecided):
        refund("ch_1", 500)
    assert authorization.asked[0].waited == 900


def test_fails_since_no_rule_is_about_such_an_amount(authorization: FakeTransport) -> None:
    authorization.allow("payment.refund").with_parameters(amount=under(100))

    refund("ch_1", 500, api_key="sk-not-for-you")


def test_fails_since_a_rule_was_never_used(authorization: FakeTransport) -> None:
    authorization.allow("payment.refund")
    authorization.allow("mail.send")

    refund("ch_1", 50)


def test_fails_since_it_has_no_approver() -> None:
    send("ada@example.com", "hello")


def test_fails_although_the_shop_swallows_the_refusal() -> None:
    assert settle("ch_1", 50) == "we are sorry"


def test_fails_since_it_was_asked_otherwise(authorization: FakeTransport) -> None:
    authorization.edit("payment.refund", amount=20)

    refund("ch_1", 50)

    authorization.assert_asked_once("payment.refund", amount=20)


@pytest.mark.authorization(deny={"payment.refund": "not today"})
def test_fails_since_it_was_refused() -> None:
    refund("ch_1", 50)
