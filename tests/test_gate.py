"""One request for leave: opened once, closed once, and never louder than the body."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.helpers import an_action

from clearance import ActionChanged, ConfigurationError, Outcome, Status
from clearance.guards.gate import Gate, async_side, sync_side
from clearance.testing import FakeTransport
from clearance.transports.aio import ThreadedTransport


class Deaf:
    """Has neither side."""


class Threaded:
    """Has a sync side only."""

    binding_key = b"its own"

    def __init__(self) -> None:
        self.inner = FakeTransport(True)
        self.send = self.inner.send


def test_an_open_gate_holds_a_claimed_approval() -> None:
    transport = FakeTransport(True)

    grant = Gate(an_action(), transport).open()

    assert grant.decision == transport.asked[0].decision
    assert transport.asked[0].status is Status.EXECUTING
    assert grant.idempotency_key != grant.nonce


def test_a_gate_is_closed_once() -> None:
    transport = FakeTransport(True)
    gate = Gate(an_action(), transport)
    gate.open()

    gate.close(None)
    gate.close(LookupError())

    assert transport.asked[0].status is Status.COMPLETED


def test_a_gate_that_never_opened_has_nothing_to_report() -> None:
    transport = FakeTransport(True)

    Gate(an_action(), transport).close(None)

    assert transport.asked == []


def test_a_gate_asks_on_the_terms_that_it_is_given() -> None:
    transport = FakeTransport(True)

    gate = Gate(an_action(), transport, on_terms=lambda action, terms: replace(terms, key=f"for {action.tool_name}"))

    assert gate.open().idempotency_key == "for stripe"


def test_a_gate_that_finds_another_digest_reports_that_nothing_started() -> None:
    transport = FakeTransport(True)

    with pytest.raises(ActionChanged):
        Gate(an_action(digest="shown"), transport, lambda: "now").open()

    assert transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))


def test_each_side_is_the_transport_itself_where_it_has_that_side() -> None:
    transport = FakeTransport(True)

    assert sync_side(transport) is async_side(transport) is transport


def test_a_sync_transport_gets_an_async_side_that_keeps_its_key_for_secrets() -> None:
    side = async_side(Threaded())

    assert isinstance(side, ThreadedTransport)
    assert side.binding_key == b"its own"


def test_a_transport_without_a_side_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigurationError, match=r"Deaf has no send\(\)"):
        sync_side(Deaf())
    with pytest.raises(ConfigurationError, match=r"Deaf has neither send\(\) nor asend\(\)"):
        async_side(Deaf())
