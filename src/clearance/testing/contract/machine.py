"""Any commands in any order, from two runs, held against the lifecycle: whatever hypothesis comes up with."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from clearance.commands import Command
from clearance.lifecycle import OPEN, OUTCOMES, TABLE, Event
from clearance.models import Decision, Status
from clearance.testing.contract.carrying import CHANGED_CALL, EDITS, OTHER_CALL, RUN_WITHIN, Carrying, Request, is_yes
from clearance.testing.contract.declared import case
from clearance.testing.contract.peers import ABILITIES, Peer
from clearance.testing.contract.standing import stands

NONCES = ("the-nonce-of-one-run", "the-nonce-of-another-run")

STEPS = [
    *("claim", "claim", "claim", "claim", "outcome", "outcome", "outcome", "approve", "approve"),
    *("edit", "deny", "revoke", "withdraw", "submit", "time"),
]
"""What may come next; what comes more often is here more often."""


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


class _AnyConversation(RuleBasedStateMachine):
    """Each step is taken at the other end, and in `Known`. One rule for all steps: so each of them has its share."""

    contract: ClassVar[Carrying]
    peer: ClassVar[Peer]

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Known] = []

    @initialize(answers=st.lists(st.sampled_from(["none", "yes", "yes", "changed"]), min_size=2, max_size=2))
    def submit(self, answers: list[str]) -> None:
        for answer in answers:
            known = Known(self.contract.submitted(self.peer.transport))
            self.known.append(known)
            if answer != "none":
                self.answer(known, "approve" if answer == "yes" else "edit")

    @rule(
        deed=st.sampled_from(STEPS),
        which=st.integers(0, 1),
        nonce=st.sampled_from(NONCES),
        slip=st.sampled_from(["", "", "", "the call", "its changes"]),
        status=st.sampled_from(sorted(OUTCOMES)),
    )
    def step(self, deed: str, which: int, nonce: str, slip: str, status: Status) -> None:
        known = self.known[which]
        if deed in ABILITIES and not self.contract.can([deed]):
            return
        match deed:
            case "claim":
                self.claim(known, nonce, slip)
            case "outcome" if self.contract.can(["claim"]):
                self.tried(known, known.request.report(status, nonce=nonce))
                known.report(nonce, status)
            case "withdraw":
                self.tried(known, known.request.withdraw())
                known.move(Event.WITHDRAW)
            case "time":
                self.let_time_pass()
            case "submit":
                stands(known.status, self.contract.carry(self.peer.transport, known.request.submit), known.request)
            case _:
                self.answer(known, deed)
        self.compare(known)

    def answer(self, known: Known, deed: str) -> None:
        """What an approver does, as far as it is not too late."""
        approver, action_id, was = self.peer.approver, known.request.id, known.status
        with suppress(Exception):
            match deed:
                case "approve" | "edit":
                    approver.approve(action_id, EDITS if deed == "edit" and self.contract.can(["edit"]) else {})
                case "deny":
                    approver.deny(action_id, "no")
                case "revoke":
                    approver.revoke(action_id)
        known.move({"deny": Event.DENY, "revoke": Event.REVOKE}.get(deed, Event.APPROVE))
        is_changed = deed == "edit" and was is Status.PENDING and self.contract.can(["edit"])
        known.edited = known.edited or is_changed

    def claim(self, known: Known, nonce: str, slip: str) -> None:
        """A claim that fits, or is for another call, or leaves the approver's changes out."""
        digest = OTHER_CALL if slip == "the call" else known.request.digest
        edited = CHANGED_CALL if known.edited is not (slip == "its changes") else None
        answer = self.tried(known, known.request.claim(nonce=nonce, digest=digest, edited=edited))
        assert is_yes(answer, nonce) is known.claim(nonce, digest, edited), f"{known.status}: {answer}"

    def let_time_pass(self) -> None:
        """As long as an approval is good; not while something runs, whose claim could not be repeated any more then."""
        if any(known.status is Status.EXECUTING for known in self.known):
            return
        self.peer.approver.let_pass(RUN_WITHIN + 1)
        for known in self.known:
            known.move(Event.LAPSE if known.status is Status.APPROVED else Event.EXPIRE)

    def tried(self, known: Known, command: Command) -> Decision | None:
        """The answer, if there is one; it is about this action."""
        answer = self.contract.tried(self.peer.transport, command)
        assert answer is None or answer.action_id == known.request.id
        return answer

    def compare(self, known: Known) -> None:
        """It stands as it must."""
        answer = self.contract.carry(self.peer.transport, known.request.wait())
        stands(known.status, answer, known.request)
        if known.status is Status.APPROVED:
            assert bool(answer.edits) is known.edited
        if known.nonce and known.status is not Status.EXECUTING and self.contract.can(["outcome"]):
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
