"""Several at the same time: whoever comes first, exactly one wins."""

from __future__ import annotations

from functools import partial
from typing import Any

from clearance.lifecycle import CLAIMED, REFUSED
from clearance.models import Decision, Status
from clearance.testing.contract.carrying import Carrying, Job, fresh, is_yes, silently
from clearance.testing.contract.declared import case
from clearance.testing.contract.peers import Peer

ROUNDS = range(5)
MANY = 6


class RaceCases(Carrying):
    """Threads, or tasks, that want the same."""

    def both(self, peer: Peer, round: int, one: Job, other: Job) -> tuple[Any, Any]:
        """At the same time; who is a little ahead differs from round to round."""
        ahead, behind = self.together(peer.transport, [one, other] if round % 2 else [other, one])
        return (ahead, behind) if round % 2 else (behind, ahead)

    @case("claim", round=ROUNDS)
    def test_of_many_runs_that_claim_at_once_exactly_one_has_leave(self, peer: Peer, round: int) -> None:
        """And it is still the same one afterwards."""
        request = self.approved(peer)
        claims = [request.claim(nonce=fresh()) for _ in range(MANY)]

        answers = self.together(peer.transport, claims)

        winners = [claim for claim, answer in zip(claims, answers, strict=True) if is_yes(answer, claim.nonce)]
        assert len(winners) == 1, f"{len(winners)} of {MANY} runs were told to run"
        assert is_yes(self.carry(peer.transport, winners[0]), winners[0].nonce)

    @case("claim", round=ROUNDS)
    def test_one_run_that_claims_many_times_at_once_hears_yes_each_time(self, peer: Peer, round: int) -> None:
        """Its requests may be repeated on the way, and overtake each other."""
        request = self.approved(peer)

        answers = self.together(peer.transport, [request.claim()] * MANY)

        assert [is_yes(answer, request.nonce) for answer in answers] == [True] * MANY

    @case(round=ROUNDS)
    def test_one_key_submitted_many_times_at_once_is_one_request(self, peer: Peer, round: int) -> None:
        """Of which every one of them hears."""
        request = self.submitted(peer.transport)
        submit = type(request.submit)(self.action(), fresh(), "", request.submit.timeout)

        answers = self.together(peer.transport, [submit] * MANY)

        assert all(isinstance(answer, Decision) for answer in answers), answers
        assert len({answer.action_id for answer in answers}) == 1

    @case(round=ROUNDS)
    def test_different_requests_at_once_do_not_take_each_others_answers(self, peer: Peer, round: int) -> None:
        """Each waiter hears of its own."""
        requests = [self.submitted(peer.transport) for _ in range(MANY)]
        for request in requests[::2]:
            peer.approver.approve(request.id, {})

        answers = self.together(peer.transport, [request.wait() for request in requests])

        assert [answer.action_id for answer in answers] == [request.id for request in requests]
        assert [answer.status for answer in answers] == [Status.APPROVED, Status.PENDING] * (MANY // 2)

    @case("claim", "withdraw", round=ROUNDS)
    def test_of_a_claim_and_a_withdrawal_at_once_one_wins(self, peer: Peer, round: int) -> None:
        """What was withdrawn never runs; what may run was not withdrawn."""
        request = self.approved(peer)

        claimed, withdrawn = self.both(peer, round, request.claim(), request.withdraw())

        has_leave = is_yes(claimed, request.nonce)
        assert has_leave is not (isinstance(withdrawn, Decision) and withdrawn.status is Status.WITHDRAWN)
        assert is_yes(self.tried(peer.transport, request.claim()), request.nonce) is has_leave

    @case("claim", "revoke", round=ROUNDS)
    def test_of_a_claim_and_a_revocation_at_once_one_wins(self, peer: Peer, round: int) -> None:
        """Whoever was told yes keeps it; nobody is told yes afterwards."""
        request = self.approved(peer)

        claimed, _ = self.both(peer, round, request.claim(), silently(peer.approver.revoke, request.id))

        assert is_yes(self.tried(peer.transport, request.claim()), request.nonce) is is_yes(claimed, request.nonce)

    @case(round=ROUNDS)
    def test_of_a_yes_and_a_no_at_once_one_wins_for_good(self, peer: Peer, round: int) -> None:
        """Two approvers, one decision."""
        request = self.submitted(peer.transport)
        yes, no = (partial(peer.approver.approve, request.id, {}), partial(peer.approver.deny, request.id, "no"))

        self.both(peer, round, silently(yes), silently(no))

        first = self.carry(peer.transport, request.wait()).status
        assert first in (Status.APPROVED, Status.DENIED)
        silently(no if first is Status.APPROVED else yes)()
        assert self.carry(peer.transport, request.wait()).status is first

    @case("withdraw", round=ROUNDS)
    def test_of_a_yes_and_a_withdrawal_at_once_the_withdrawal_ends_it(self, peer: Peer, round: int) -> None:
        """An approval, too, can be withdrawn; so there is none in the end."""
        request = self.submitted(peer.transport)

        self.both(peer, round, silently(peer.approver.approve, request.id, {}), request.withdraw())

        assert self.carry(peer.transport, request.wait()).status in REFUSED

    @case("claim", "outcome", round=ROUNDS)
    def test_of_two_outcomes_at_once_one_stands(self, peer: Peer, round: int) -> None:
        """The same one for everybody who asks."""
        request = self.claimed(peer)
        reports = [request.report(status) for status in (Status.COMPLETED, Status.FAILED)]

        self.both(peer, round, *reports)

        told = [self.tried(peer.transport, report) for report in reports]
        found = {answer.status for answer in told if answer is not None and answer.status in CLAIMED}
        assert len(found) == 1
        assert found <= {Status.COMPLETED, Status.FAILED}
