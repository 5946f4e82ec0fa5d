"""Test guarded code with `FakeTransport`: no Center, no network, no waiting.

    python -m pytest examples/test_with_fake.py

Run as a program it has pytest run it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

import clearance
from clearance import ActionDenied, ActionUndecided, requires_authorization
from clearance.testing import Asked, FakeTransport


@requires_authorization(action_type="payment.refund", tool_name="stripe", description="Refund {amount} on {charge_id}")
def refund(charge_id: str, amount: int) -> str:
    """The code under test. In an application it is imported from there."""
    return f"refunded {amount}"


def policy(asked: Asked) -> bool | None:
    """Small amounts are cleared, large ones refused; in between, nobody answers."""
    amount = asked.parameters["amount"]
    assert isinstance(amount, int)
    return True if amount < 100 else False if amount > 1000 else None


@pytest.fixture
def approver() -> Iterator[FakeTransport]:
    fake = FakeTransport(policy)
    clearance.configure(transport=fake)
    yield fake
    clearance.configure(transport=None)


def test_a_small_refund_runs_and_is_reported(approver: FakeTransport) -> None:
    assert refund("ch_1", 50) == "refunded 50"
    (asked,) = approver.asked
    assert asked.description == "Refund 50 on ch_1"
    assert asked.status is clearance.Status.COMPLETED


def test_a_large_refund_does_not_run(approver: FakeTransport) -> None:
    with pytest.raises(ActionDenied):
        refund("ch_1", 5000)
    assert not approver.asked[0].ran


def test_without_an_answer_the_refund_is_withdrawn_in_no_time(approver: FakeTransport) -> None:
    with pytest.raises(ActionUndecided):
        refund("ch_1", 500)
    assert approver.asked[0].status is clearance.Status.WITHDRAWN


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", __file__, "-q", "-p", "no:cacheprovider"]))
