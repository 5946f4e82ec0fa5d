"""Which request is meant: keys, ids, other callers; and what is answered at once, after a wait, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from clearance.commands import Await, Claim, Command, Report, Withdraw
from clearance.lifecycle import CLAIMED, OPEN
from clearance.models import Outcome, Status
from clearance.testing.contract.carrying import TIMEOUT, Carrying, Request, fresh, is_yes
from clearance.testing.contract.declared import case
from clearance.testing.contract.peers import OFFERED, Peer


@dataclass(frozen=True, slots=True)
class About:
    """A kind of command about an action, and what the other end needs to offer for it."""

    name: str
    make: Callable[[str], Command]
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


ABOUT = [
    About("await", lambda action_id: Await(action_id, 0.0, TIMEOUT)),
    About("claim", lambda action_id: Claim(action_id, "digest", "nonce", TIMEOUT), ("claim",)),
    About("report", lambda action_id: Report(action_id, "nonce", Outcome(Status.COMPLETED), TIMEOUT), ("outcome",)),
    About("withdraw", lambda action_id: Withdraw(action_id, "", TIMEOUT), ("withdraw",)),
]
NOBODYS = ["0", "-1", "987654321987", "9" * 30, "x", "", " 1", "1.0", "../1", "1/claim", "\u0661"]
"""Ids that no action has."""
WORDS = [
    "APPROVED",
    "Approved",
    "approved!",
    "yes please",
    "true",
    "1",
    "ok",
    "auto_approved",
    "cleared",
    "maybe",
    "null",
]
"""What a server might say instead of a status; nothing of it is leave to run."""


class NamingCases(Carrying):
    """Keys, ids and callers."""

    @case()
    def test_a_new_request_waits_and_says_what_can_be_done_about_it(self, peer: Peer) -> None:
        """Nobody has answered, so it is pending; and it offers what was declared, no more and no less."""
        request = self.submitted(peer.transport, nonce=fresh())

        assert (request.decision.status, request.decision.nonce) == (Status.PENDING, None)
        assert request.id
        assert {name for name in OFFERED if name in request.decision.offers} == {
            name for name in OFFERED if self.can([name])
        }

    @case(times=[2, 5])
    def test_the_same_key_is_the_same_request(self, peer: Peer, times: int) -> None:
        """However often it is submitted, also under another nonce, as another attempt would have it."""
        request = self.submitted(peer.transport)

        again = [self.carry(peer.transport, replace(request.submit, nonce=fresh())) for _ in range(times)]

        assert {answer.action_id for answer in again} == {request.id}
        assert {answer.status for answer in again} == {Status.PENDING}

    @case()
    def test_another_key_is_another_request_even_for_the_same_action(self, peer: Peer) -> None:
        """Two calls with equal arguments are two calls."""
        request = self.submitted(peer.transport)

        other = self.carry(peer.transport, replace(request.submit, key=fresh()))

        assert other.action_id != request.id
        assert other.status is Status.PENDING

    @case(field=["parameters", "digest", "tool_name", "description"])
    def test_the_same_key_for_another_action_is_refused(self, peer: Peer, field: str) -> None:
        """Or the answer would be about something that was not asked."""
        request = self.submitted(peer.transport)
        value: object = {"charge_id": "another", "amount": 6} if field == "parameters" else "another"

        other = replace(request.submit, action=replace(request.submit.action, **{field: value}))  # type: ignore[arg-type]

        self.is_unavailable(peer.transport, other)
        assert self.carry(peer.transport, request.wait()).status is Status.PENDING

    @case(about=ABOUT, action_id=NOBODYS)
    def test_an_action_that_is_not_there_is_no_answer(self, peer: Peer, about: About, action_id: str) -> None:
        """Neither a decision nor an error of the transport's own."""
        self.submitted(peer.transport)

        self.is_unavailable(peer.transport, about.make(action_id))

    @case("other", about=ABOUT)
    def test_another_callers_action_is_not_there(self, peer: Peer, about: About) -> None:
        """For who guesses its id, and it goes on as if nobody had."""
        request = self.approved(peer)

        self.is_unavailable(peer.other, about.make(request.id))

        assert self.carry(peer.transport, request.wait()).status is Status.APPROVED

    @case("other", "claim")
    def test_another_caller_cannot_spend_an_approval(self, peer: Peer) -> None:
        """Not even with the right digest."""
        request = self.approved(peer)

        self.is_unavailable(peer.other, request.claim())

        assert is_yes(self.carry(peer.transport, request.claim()), request.nonce)

    @case("other")
    def test_two_callers_may_choose_the_same_key(self, peer: Peer) -> None:
        """Keys are each caller's own."""
        request = self.submitted(peer.transport)

        assert self.carry(peer.other, request.submit).action_id != request.id

    @case("unreachable", about=ABOUT)
    def test_where_nobody_can_be_reached_nothing_is_answered(self, peer: Peer, about: About) -> None:
        """No decision is made up."""
        self.is_unavailable(peer.unreachable, about.make("1"))

    @case("unreachable")
    def test_where_nobody_can_be_reached_nothing_is_submitted(self, peer: Peer) -> None:
        """Nor made up."""
        request = self.submitted(peer.transport)

        self.is_unavailable(peer.unreachable, request.submit)

    @case(answer=["approve", "deny"])
    def test_each_answer_is_about_the_action_that_was_asked_about(self, peer: Peer, answer: str) -> None:
        """Among several that stand differently."""
        before, middle, after = (self.submitted(peer.transport) for _ in range(3))
        decide(peer, middle, answer)

        told = [self.carry(peer.transport, request.wait()) for request in (after, middle, before)]

        assert [each.action_id for each in told] == [after.id, middle.id, before.id]
        status = Status.APPROVED if answer == "approve" else Status.DENIED
        assert [each.status for each in told] == [Status.PENDING, status, Status.PENDING]

    @case(reason=["too much", "zu viel – 東京 \U0001f980", "yes", "approved", "x" * 500])
    def test_a_refusal_is_told_in_the_approvers_words(self, peer: Peer, reason: str) -> None:
        """Whatever they say, they do not turn it into anything else."""
        request = self.submitted(peer.transport)
        peer.approver.deny(request.id, reason)

        told = self.carry(peer.transport, request.wait())

        assert (told.status, told.reason) == (Status.DENIED, reason)

    @case("words", word=WORDS)
    def test_a_word_that_is_no_status_is_no_leave(self, peer: Peer, word: str) -> None:
        """Only one word allows."""
        request = self.submitted(peer.transport)
        peer.approver.say(request.id, word)

        commands: list[Command] = [request.wait(), request.submit]
        for command in [*commands, *[request.claim()] * self.can(["claim"])]:
            answer = self.tried(peer.transport, command)
            assert answer is None or answer.status not in OPEN | CLAIMED or answer.status is Status.PENDING

    @case("cleared")
    def test_what_needs_nobody_is_approved_and_spent_only_by_who_has_a_nonce(self, peer: Peer) -> None:
        """Who only asks has an approval that nobody has spent."""
        asked = self.submitted(peer.transport, action_type=self.cleared_type)

        assert asked.decision.status is Status.APPROVED
        if self.can(["claim"]):
            assert is_yes(self.carry(peer.transport, asked.claim()), asked.nonce)

    @case("cleared", "claim")
    def test_what_needs_nobody_is_claimed_with_the_submit_once(self, peer: Peer) -> None:
        """Repeated, the same nonce hears the same yes; another one never does."""
        request = self.submitted(peer.transport, fresh(), action_type=self.cleared_type)
        first = request.decision
        assert is_yes(first, request.nonce) or first.status is Status.APPROVED
        assert is_yes(self.carry(peer.transport, request.claim()), request.nonce)

        assert is_yes(self.carry(peer.transport, request.submit), request.nonce)
        other = fresh()
        commands: list[Command] = [replace(request.submit, nonce=other), request.claim(nonce=other)]
        for command in commands:
            assert not is_yes(self.tried(peer.transport, command), other)

    @case("refused")
    def test_what_nobody_may_do_is_denied_at_once(self, peer: Peer) -> None:
        """And no claim is of any use."""
        request = self.submitted(peer.transport, fresh(), action_type=self.refused_type)

        assert request.decision.status is Status.DENIED
        if self.can(["claim"]):
            assert not is_yes(self.tried(peer.transport, request.claim()), request.nonce)


class WaitingCases(Carrying):
    """Answers that are held back."""

    @case("wait")
    def test_a_wait_ends_with_its_hold_if_nobody_answers(self, peer: Peer) -> None:
        """Still pending; nothing is made up."""
        request = self.submitted(peer.transport)

        assert self.carry(peer.transport, request.wait(hold=0.02)).status is Status.PENDING

    @case(answer=["approve", "deny"], waiters=[1, 4])
    def test_an_answer_that_comes_during_a_wait_is_told_to_whoever_waits(
        self, peer: Peer, answer: str, waiters: int
    ) -> None:
        """Each of them, and the same."""
        request = self.submitted(peer.transport)

        *told, _ = self.together(
            peer.transport, [request.wait(hold=0.2)] * waiters + [partial(decide, peer, request, answer)]
        )

        status = Status.APPROVED if answer == "approve" else Status.DENIED
        assert {each.action_id for each in told} == {request.id}
        assert {each.status for each in told} <= {Status.PENDING, status}
        assert self.carry(peer.transport, request.wait(hold=20.0)).status is status


def decide(peer: Peer, request: Request, answer: str) -> None:
    """The approver's answer."""
    if answer == "approve":
        peer.approver.approve(request.id, {})
    else:
        peer.approver.deny(request.id, "no")
