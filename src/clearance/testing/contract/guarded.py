"""Whole guarded calls over a transport, through both doors: whatever is answered, the body runs once or never."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clearance.commands import Await, Claim, Command, Report, Submit
from clearance.errors import (
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    AuthorizationError,
    AuthorizationUnavailable,
)
from clearance.lifecycle import OPEN
from clearance.models import Decision, Outcome, Status
from clearance.testing.contract.carrying import (
    DECIDE_WITHIN,
    EDITS,
    RUN_WITHIN,
    TIMEOUT,
    Carrying,
    fresh,
    is_yes,
    silently,
)
from clearance.testing.contract.declared import case
from clearance.testing.contract.naming import WORDS
from clearance.testing.contract.peers import Peer
from clearance.testing.faults import TRANSIENT, AsyncFaultyTransport, Fault, FaultyTransport, mostly, once

DOORS = ["decorator", "block"]
SEEDS = range(20)


class Watched:
    """Carries commands over a transport, and lets a test act at the right moment, in the caller's own thread.

    Args:
        inner: the transport.
        submitted: told the id of each action, once, before whoever submitted it hears of it.
        before: told each command before it is carried; what it returns is awaited, where it can be.
    """

    def __init__(
        self,
        inner: Any,
        submitted: Callable[[str], object] = lambda _id: None,
        before: Callable[[Command], object] = lambda _command: None,
    ) -> None:
        self.ids: list[str] = []
        self.nonce: str = ""
        self._inner, self._submitted, self._before = inner, submitted, before
        self._lock = threading.Lock()
        for name in ("clock", "binding_key"):
            if hasattr(inner, name):
                setattr(self, name, getattr(inner, name))

    def send(self, command: Command) -> Decision:
        """Carry it."""
        self._before(command)
        return self._seen(command, self._inner.send(command))

    async def asend(self, command: Command) -> Decision:
        """Carry it."""
        if inspect.isawaitable(meanwhile := self._before(command)):
            await meanwhile
        return self._seen(command, await self._inner.asend(command))

    def _seen(self, command: Command, decision: Decision) -> Decision:
        if isinstance(command, Submit):
            self.nonce = command.nonce
            with self._lock:
                is_new = decision.action_id not in self.ids
                self.ids += [decision.action_id] * is_new
            if is_new:
                self._submitted(decision.action_id)
        return decision


class GuardedCases(Carrying):
    """The decorator and the block over the transport."""

    def is_over(self, peer: Peer, watched: Watched) -> Status:
        """The one action of the call, as it stands afterwards."""
        (action_id,) = watched.ids
        return self.carry(peer.transport, Await(action_id, 0.0, TIMEOUT)).status

    def refused(
        self, kind: type[AuthorizationError], transport: Any, door: str, ran: list[object], **options: Any
    ) -> AuthorizationError:
        """The call is refused so, and nothing ran."""
        try:
            self.act(transport, door, ran, **options)
        except kind as refusal:
            assert ran == [], "the body ran, and then the call was refused"
            return refusal
        raise AssertionError(f"the call was not refused; the body ran with {ran}")

    @case(door=DOORS)
    def test_an_approved_call_runs_once_and_is_reported(self, peer: Peer, door: str) -> None:
        """With what was asked, and its result comes back."""
        ran: list[object] = []
        watched = Watched(peer.transport, lambda action_id: peer.approver.approve(action_id, {}))

        assert self.act(watched, door, ran) == 5

        assert ran == [5]
        if self.can(["claim", "outcome"]):
            report = Report(watched.ids[0], watched.nonce, Outcome(Status.COMPLETED), TIMEOUT)
            assert self.carry(peer.transport, report).status is Status.COMPLETED
            assert self.is_over(peer, watched) not in (Status.PENDING, Status.APPROVED)

    @case(door=DOORS)
    def test_a_body_that_fails_ran_once_and_is_reported_as_failed(self, peer: Peer, door: str) -> None:
        """Its own exception comes out."""
        ran: list[object] = []
        watched = Watched(peer.transport, lambda action_id: peer.approver.approve(action_id, {}))

        try:
            self.act(watched, door, ran, LookupError("no such charge"))
        except LookupError:
            assert ran == [5]
        else:
            raise AssertionError("the body's exception was lost")
        if self.can(["claim", "outcome"]):
            report = Report(watched.ids[0], watched.nonce, Outcome(Status.FAILED), TIMEOUT)
            assert self.carry(peer.transport, report).status is Status.FAILED

    @case(door=DOORS)
    def test_a_denied_call_does_not_run_and_says_why(self, peer: Peer, door: str) -> None:
        """In the approver's words."""
        watched = Watched(peer.transport, lambda action_id: peer.approver.deny(action_id, "not today"))

        refusal = self.refused(ActionDenied, watched, door, [])

        assert isinstance(refusal, ActionDenied)
        assert refusal.reason == "not today"
        assert self.is_over(peer, watched) is Status.DENIED

    @case("edit", "claim")
    def test_a_call_that_an_approver_changed_runs_with_the_changes(self, peer: Peer) -> None:
        """And with nothing else."""
        ran: list[object] = []
        watched = Watched(peer.transport, lambda action_id: peer.approver.approve(action_id, EDITS))

        assert self.act(watched, "decorator", ran) == EDITS["amount"]

        assert ran == [EDITS["amount"]]

    @case("withdraw", door=DOORS)
    def test_a_call_that_nobody_decides_does_not_run_and_never_will(self, peer: Peer, door: str) -> None:
        """A late yes changes nothing."""
        ran: list[object] = []
        watched = Watched(peer.transport)

        self.refused(ActionUndecided, watched, door, ran, timeout=0.05)

        assert self.is_over(peer, watched) not in (Status.PENDING, Status.APPROVED)
        silently(peer.approver.approve, watched.ids[0], {})()
        assert self.is_over(peer, watched) is not Status.APPROVED
        assert ran == []

    @case("time", door=DOORS)
    def test_a_call_that_expires_does_not_run(self, peer: Peer, door: str) -> None:
        """Its time is the one that was asked for."""
        watched = Watched(peer.transport, lambda _id: peer.approver.let_pass(DECIDE_WITHIN + 1))

        self.refused(ActionUndecided, watched, door, [], timeout=DECIDE_WITHIN)

    @case("time", "claim", door=DOORS)
    def test_an_approval_that_lapses_before_its_claim_runs_nothing(self, peer: Peer, door: str) -> None:
        """Time passed between the answer and the claim."""

        def before(command: Command) -> None:
            if isinstance(command, Claim):
                peer.approver.let_pass(RUN_WITHIN + 1)

        watched = Watched(peer.transport, lambda action_id: peer.approver.approve(action_id, {}), before)

        self.refused(ActionDenied, watched, door, [])

    @case("revoke", "claim", door=DOORS)
    def test_an_approval_that_is_taken_back_before_its_claim_runs_nothing(self, peer: Peer, door: str) -> None:
        """The approver thought again."""

        def before(command: Command) -> None:
            if isinstance(command, Claim):
                peer.approver.revoke(command.action_id)

        watched = Watched(peer.transport, lambda action_id: peer.approver.approve(action_id, {}), before)

        self.refused(ActionDenied, watched, door, [])

    @case("claim", door=DOORS)
    def test_an_approval_that_another_run_has_spent_runs_nothing(self, peer: Peer, door: str) -> None:
        """It is told that this would have been the second."""
        others: list[Claim] = []

        def before(command: Command) -> object:
            if not isinstance(command, Claim) or others:
                return None
            others.append(Claim(command.action_id, command.digest, fresh(), TIMEOUT))
            return self.elsewhere(peer.transport, others[0])

        watched = Watched(peer.transport, lambda action_id: peer.approver.approve(action_id, {}), before)

        self.refused(AlreadyClaimed, watched, door, [])

        assert is_yes(self.carry(peer.transport, others[0]), others[0].nonce)

    @case("words", door=DOORS, word=WORDS)
    def test_a_word_that_is_no_status_runs_nothing(self, peer: Peer, door: str, word: str) -> None:
        """However much it looks like one."""
        watched = Watched(peer.transport, lambda action_id: peer.approver.say(action_id, word))

        self.refused(AuthorizationError, watched, door, [], timeout=0.05)

    @case("unreachable", door=DOORS)
    def test_a_call_that_nobody_can_be_asked_about_does_not_run(self, peer: Peer, door: str) -> None:
        """It is no refusal of anybody's, and says so."""
        self.refused(AuthorizationUnavailable, peer.unreachable, door, [], timeout=0.5)

    @case("cleared", door=DOORS)
    def test_a_call_that_needs_nobody_runs_once(self, peer: Peer, door: str) -> None:
        """No approver had to do anything."""
        ran: list[object] = []

        assert self.act(peer.transport, door, ran, action_type=self.cleared_type) == 5

        assert ran == [5]

    @case("refused", door=DOORS)
    def test_a_call_that_nobody_may_make_does_not_run(self, peer: Peer, door: str) -> None:
        """No approver could change that."""
        self.refused(ActionDenied, peer.transport, door, [], action_type=self.refused_type)

    def elsewhere(self, transport: Any, command: Command) -> object:
        """Carry a command as another run would, amid a call of ours; or what is to be awaited for that."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Step:
    """A kind of command of the conversation, and what the other end needs to offer for it."""

    kind: type[Command]
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.kind.__name__


STEPS = [Step(Submit), Step(Await), Step(Claim, ("claim",)), Step(Report, ("outcome",))]
FAULTS = [fault for fault in Fault if fault is not Fault.NONE]


class FaultyCases(GuardedCases):
    """Guarded calls while things go wrong on the way."""

    def faulty(self, inner: Any, seed: str, draw: Any) -> FaultyTransport | AsyncFaultyTransport:
        """Over a transport of the kind under test."""
        raise NotImplementedError

    @case(step=STEPS, fault=FAULTS)
    def test_a_fault_at_any_step_runs_nothing_twice_and_asks_for_nothing_twice(
        self, peer: Peer, step: Step, fault: Fault
    ) -> None:
        """What passes is as if it had not been. What does not is a refusal, unless the body has run."""
        ran: list[object] = []
        watched = Watched(peer.transport, lambda action_id: peer.approver.approve(action_id, {}))
        faulty = self.faulty(watched, "one fault", once(step.kind, fault))

        problem = self.outcome(faulty, "decorator", ran)

        harmless = fault in TRANSIENT | {Fault.DUPLICATED, Fault.DELAYED} or step.kind is Report
        if fault is Fault.TOO_MANY:
            harmless = step.kind is not Claim  # an absurd Retry-After takes longer than a claim may
        self.check(peer, watched, ran, problem)
        if harmless:
            assert (ran, problem) == ([5], None), f"{step}: {fault}"

    @case(seed=SEEDS, door=DOORS)
    def test_whatever_goes_wrong_on_the_way_the_body_runs_once_or_never(self, peer: Peer, seed: int, door: str) -> None:
        """Whether it is approved or denied."""
        ran: list[object] = []
        approve = seed % 4 > 0

        def decide(action_id: str) -> None:
            if approve:
                peer.approver.approve(action_id, {})
            else:
                peer.approver.deny(action_id, "no")

        watched = Watched(peer.transport, decide)
        problem = self.outcome(self.faulty(watched, f"seed {seed}", mostly(0.6)), door, ran)

        self.check(peer, watched, ran, problem)
        assert approve or ran == [], "what was denied has run"

    def outcome(self, transport: Any, door: str, ran: list[object]) -> AuthorizationError | None:
        """What the call ended with; only a refusal of the family may come out."""
        try:
            self.act(transport, door, ran)
        except AuthorizationError as refusal:
            return refusal
        return None

    def check(self, peer: Peer, watched: Watched, ran: list[object], problem: AuthorizationError | None) -> None:
        """Once or never; a refused call never; one action at most; and what ran was claimed."""
        assert len(ran) == (problem is None), f"it ran {len(ran)} times, and ended with {problem!r}"
        assert len(watched.ids) <= 1, "one call became several actions"
        if ran and self.can(["claim"]):
            stands = self.carry(peer.transport, Await(watched.ids[0], 0.0, TIMEOUT))
            assert stands.status not in OPEN, "it ran, and can still be claimed"
