"""Every kind of callable, with the guard in every place, in every flavour: cleared, refused, mutated and edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.callables.approvers import EditingApprover
from tests.callables.bodies import Bodies, Ledger, finished
from tests.callables.catalogue import Kind, Made
from tests.callables.classes import CLASSES
from tests.callables.kinds import KINDS

from clearance import ActionDenied, ConfigurationError, Status, requires_authorization
from clearance.guards.ask import AnyTransport
from clearance.testing import Asked, FakeTransport


def cells(*kinds: Kind) -> list[Any]:
    return [pytest.param(kind, flavour, id=f"{kind.name}: {flavour}") for kind in kinds for flavour in kind.flavours]


CELLS = cells(*KINDS, *CLASSES)
EDITABLE = cells(*(kind for kind in (*KINDS, *CLASSES) if not kind.no_edits))
NOT_EDITABLE = cells(*(kind for kind in (*KINDS, *CLASSES) if kind.no_edits))


def made(kind: Kind, flavour: str, transport: AnyTransport, ledger: Ledger, **options: Any) -> Made:
    guard: Callable[[Any], Any] = requires_authorization(action_type="test.act", transport=transport, **options)
    return kind.make(guard, Bodies(ledger, flavour))


@pytest.mark.parametrize(("kind", "flavour"), CELLS)
def test_a_cleared_call_runs_once_with_what_was_shown_on_what_it_was_called_on(kind: Kind, flavour: str) -> None:
    transport, ledger = FakeTransport(True), Ledger()
    subject = made(kind, flavour, transport, ledger)

    assert finished(subject.call(["a"], 1)) == (("a",), 1)

    assert ledger.runs == [(("a",), 1)]
    assert ledger.receivers[0] is subject.receiver
    shown = [asked.parameters for asked in transport.asked]
    assert shown == [kind.shown(["a"], 1)] * kind.requests
    assert {asked.status for asked in transport.asked} == {Status.COMPLETED}


@pytest.mark.parametrize(("kind", "flavour"), CELLS)
def test_a_refused_call_runs_nothing(kind: Kind, flavour: str) -> None:
    transport, ledger = FakeTransport(False), Ledger()
    subject = made(kind, flavour, transport, ledger)

    with pytest.raises(ActionDenied):
        finished(subject.call(["a"], 1))

    assert ledger.runs == []
    assert [asked.status for asked in transport.asked] == [Status.DENIED]


@pytest.mark.parametrize(("kind", "flavour"), CELLS)
def test_what_the_caller_changes_while_the_call_is_pending_is_not_what_runs(kind: Kind, flavour: str) -> None:
    lines = ["a"]

    def approve_and_mutate(_asked: Asked) -> bool:
        lines.append("mallory")
        return True

    ledger = Ledger()
    subject = made(kind, flavour, FakeTransport(approve_and_mutate), ledger)
    finished(subject.call(lines, 1))

    assert lines == ["a", *["mallory"] * kind.requests]
    assert ledger.runs == [(("a",), 1)]


@pytest.mark.parametrize(("kind", "flavour"), EDITABLE)
def test_what_an_approver_changes_is_what_runs_and_what_is_claimed(kind: Kind, flavour: str) -> None:
    approver, ledger = EditingApprover({"amount": 5}), Ledger()
    edited = made(kind, flavour, approver, ledger, editable={"amount"})

    assert finished(edited.call(["a"], 1)) == (("a",), 5)

    assert ledger.runs == [(("a",), 5)]
    assert [action.editable for action in approver.actions] == [("amount",)] * kind.requests
    assert [outcome.status for outcome in approver.outcomes] == [Status.COMPLETED] * kind.requests
    # What is claimed is the very call that somebody would have asked for who wanted it so from the start.
    plain = FakeTransport(True)
    finished(made(kind, flavour, plain, Ledger(), editable={"amount"}).call(["a"], 5))
    assert {claim.edited_digest or claim.digest for claim in approver.claims} == {
        asked.action.digest for asked in plain.asked
    }


@pytest.mark.parametrize(("kind", "flavour"), NOT_EDITABLE)
def test_an_approver_is_not_offered_what_could_not_be_changed(kind: Kind, flavour: str) -> None:
    with pytest.raises(ConfigurationError, match=kind.no_edits):
        made(kind, flavour, FakeTransport(True), Ledger(), editable={"amount"})
