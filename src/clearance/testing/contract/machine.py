"""Any commands in any order, from two runs, held against the lifecycle: whatever hypothesis comes up with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from clearance.commands import Command
from clearance.lifecycle import CLAIMED, OPEN, OUTCOMES, TABLE, Event
from clearance.models import Status
from clearance.testing.contract.carrying import CHANGED_CALL, EDITS, OTHER_CALL, RUN_WITHIN, Carrying, Request, is_yes
from clearance.testing.contract.declared import case
from clearance.testing.contract.peers import Peer
from clearance.testing.contract.standing import stands

F = TypeVar("F", bound=Callable[..., Any])
NONCES = ("the-nonce-of-one-run", "the-nonce-of-another-run")


class Known:
    """What must be so of one request: the lifecycle's table, played by hand."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.status: Status = Status.PENDING
        self.nonce: str | None = None
        self.edited = False

    def move(self, event: Event) -> None:
        """It happens, if the table has it."""
        self.status = TABLE[self.status].get(event, self.status)

    def claim(self, nonce: str, digest: str, edited: str | None) -> bool:
        """Is this claim due a yes? Then it is spent."""
        fits = digest == self.request.digest and (edited is not None) is self.edited
        if fits and self.status is Status.APPROVED:
            self.move(Event.CLAIM)
            self.nonce = nonce
            return True
        return fits and self.status is Status.EXECUTING and self.nonce == nonce

    def report(self, nonce: str, status: Status) -> None:
        """The outcome, if it comes from the run that has claimed."""
        if self.nonce == nonce:
            self.move(OUTCOMES[status])


def _able(*needs: str) -> Callable[[F], F]:
    """Take this step only where the other end can do all of this."""
    return precondition(lambda machine: machine.contract.can(needs))


class _AnyConversation(RuleBasedStateMachine):
    """Each rule takes a step at the other end, and the same one in `Known`."""

    contract: ClassVar[Carrying]
    peer: ClassVar[Peer]
    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Known] = []

    def tried(self, known: Known, command: Command) -> Any:
        answer = self.contract.tried(self.peer.transport, command)
        assert answer is None or answer.action_id == known.request.id
        return answer

    @rule(target=requests, answer=st.sampled_from(["none", "yes", "changed"]))
    def submit(self, answer: str) -> Known:
        known = Known(self.contract.submitted(self.peer.transport))
        self.known.append(known)
        if answer == "yes":
            self.approve(known)
        elif answer == "changed" and self.contract.can(["edit"]):
            self.approve_with_changes(known)
        return known

    @rule(known=requests)
    def submit_again(self, known: Known) -> None:
        stands(known.status, self.contract.carry(self.peer.transport, known.request.submit), known.request)

    @rule(known=requests)
    def approve(self, known: Known) -> None:
        with suppress(Exception):
            self.peer.approver.approve(known.request.id, {})
        known.move(Event.APPROVE)

    @_able("edit")
    @rule(known=requests)
    def approve_with_changes(self, known: Known) -> None:
        was = known.status
        with suppress(Exception):
            self.peer.approver.approve(known.request.id, EDITS)
        known.move(Event.APPROVE)
        known.edited = known.edited or was is Status.PENDING

    @rule(known=requests)
    def deny(self, known: Known) -> None:
        with suppress(Exception):
            self.peer.approver.deny(known.request.id, "no")
        known.move(Event.DENY)

    @_able("revoke")
    @rule(known=requests)
    def revoke(self, known: Known) -> None:
        with suppress(Exception):
            self.peer.approver.revoke(known.request.id)
        known.move(Event.REVOKE)

    @_able("withdraw")
    @rule(known=requests)
    def withdraw(self, known: Known) -> None:
        self.tried(known, known.request.withdraw())
        known.move(Event.WITHDRAW)

    @_able("claim")
    @rule(
        known=requests,
        nonce=st.sampled_from(NONCES),
        right=st.sampled_from([True, True, False]),
        edited=st.sampled_from([None, CHANGED_CALL]),
    )
    def claim(self, known: Known, nonce: str, right: bool, edited: str | None) -> None:
        digest = known.request.digest if right else OTHER_CALL
        edited = edited if self.contract.can(["edit"]) else None
        answer = self.tried(known, known.request.claim(nonce=nonce, digest=digest, edited=edited))
        assert is_yes(answer, nonce) is known.claim(nonce, digest, edited), f"{known.status}: {answer}"

    @_able("claim", "outcome")
    @rule(known=requests, nonce=st.sampled_from(NONCES), status=st.sampled_from(sorted(OUTCOMES)))
    def report(self, known: Known, nonce: str, status: Status) -> None:
        self.tried(known, known.request.report(status, nonce=nonce))
        known.report(nonce, status)

    @_able("time")
    @precondition(lambda self: not any(known.status is Status.EXECUTING for known in self.known))
    @rule()
    def let_time_pass(self) -> None:
        self.peer.approver.let_pass(RUN_WITHIN + 1)
        for known in self.known:
            known.move(Event.LAPSE if known.status is Status.APPROVED else Event.EXPIRE)

    @invariant()
    def everything_stands_as_it_must(self) -> None:
        for known in self.known[-3:]:
            stands(known.status, self.contract.carry(self.peer.transport, known.request.wait()), known.request)
            told = known.status in CLAIMED - {Status.EXECUTING} and self.contract.can(["outcome"])
            if told and known.nonce:
                again = known.request.report(known.status, nonce=known.nonce)
                assert self.contract.carry(self.peer.transport, again).status is known.status

    def teardown(self) -> None:
        """Nothing is left that waits."""
        for known in self.known:
            if known.status in OPEN and self.contract.can(["withdraw"]):
                self.contract.tried(self.peer.transport, known.request.withdraw())


class MachineCases(Carrying):
    """The state machine."""

    @case()
    def test_any_conversation_goes_as_the_lifecycle_says(self, peer: Peer) -> None:
        """Hypothesis looks for the shortest one that does not."""
        runs = settings(
            max_examples=settings().max_examples // 4 + 1,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )
        machine = type("Conversation", (_AnyConversation,), {"contract": self, "peer": peer})
        run_state_machine_as_test(machine, settings=runs)
