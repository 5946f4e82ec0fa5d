"""Guarded calls on a real Center while things go wrong on the way: each runs once or never, and is one action."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.transports.approvers import LIMITS

from clearance import Action, AuthorizationError, Decision, Status, requires_authorization
from clearance.center.records import Role
from clearance.center.service import Center
from clearance.center.store.databases import open_store
from clearance.commands import Command, Submit
from clearance.lifecycle import CLAIMED
from clearance.testing.faults import FaultyTransport
from clearance.transports.embedded import EmbeddedTransport

CALLS = 5_000 if os.environ.get("CLEARANCE_DEEP") == "1" else 200


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(open_store(tmp_path / "center.db"), **LIMITS)
    yield center
    center.close()


class Decided:
    """A Center whose approver answers at once: a fourth is refused."""

    def __init__(self, center: Center) -> None:
        self._inner = EmbeddedTransport(center, center.create_key(Role.USER, "bot"))
        self._center, self._admin = center, center.create_key(Role.ADMIN, "carol")
        self.binding_key = self._inner.binding_key

    def send(self, command: Command) -> Decision:
        decision = self._inner.send(command)
        if isinstance(command, Submit) and decision.status is Status.PENDING:
            approve = number_of(command.action) % 4 > 0
            self._center.do(
                lambda tx: self._center.desk.decide(
                    tx, self._center.principal(tx, self._admin), int(decision.action_id), approve=approve
                )
            )
        return decision


def number_of(action: Action) -> int:
    """Which call it is."""
    number = action.parameters["number"]
    assert isinstance(number, int)
    return number


def test_whatever_goes_wrong_on_the_way_to_a_center_each_call_runs_once_or_never(center: Center) -> None:
    ran, refused = list[int](), list[int]()
    faulty = FaultyTransport(Decided(center), seed=22)

    @requires_authorization(action_type="payment.refund", transport=faulty)
    def refund(number: int) -> None:
        ran.append(number)

    for number in range(CALLS):
        try:
            refund(number)
        except AuthorizationError:
            refused.append(number)

    records = center.do(lambda tx: tx.actions(oldest_first=True, limit=100_000))
    asked = Counter(number_of(record.action) for record in records)
    claimed = {number_of(record.action) for record in records if record.status in CLAIMED}
    assert sorted(ran + refused) == list(range(CALLS))
    assert max(asked.values()) == 1
    assert set(ran) <= claimed
    assert not any(number % 4 == 0 for number in ran)
    assert len(ran) > CALLS / 4
