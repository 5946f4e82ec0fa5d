"""Whatever an action stands at, and whatever is done to it then: where it stands afterwards, and who was told yes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clearance.commands import Command
from clearance.lifecycle import CLAIMED, OPEN, OUTCOMES, REFUSED, TABLE, Event
from clearance.models import Decision, Status
from clearance.testing.contract.carrying import (
    CHANGED_CALL,
    DECIDE_WITHIN,
    EDITS,
    OTHER_CALL,
    RUN_WITHIN,
    Carrying,
    Request,
    fresh,
    is_yes,
    silently,
)
from clearance.testing.contract.declared import case
from clearance.testing.contract.peers import Peer


@dataclass(frozen=True, slots=True)
class Way:
    """A status, and what is needed to bring an action there."""

    status: Status
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.status.value


WAYS = [
    Way(Status.PENDING),
    Way(Status.APPROVED),
    Way(Status.DENIED),
    Way(Status.WITHDRAWN, ("withdraw",)),
    Way(Status.EXPIRED, ("time",)),
    Way(Status.LAPSED, ("time",)),
    Way(Status.REVOKED, ("revoke",)),
    Way(Status.EXECUTING, ("claim",)),
    Way(Status.COMPLETED, ("claim", "outcome")),
    Way(Status.FAILED, ("claim", "outcome")),
    Way(Status.UNKNOWN, ("claim", "outcome")),
]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that is done to an action: by its caller, a command; by others, whatever they do."""

    name: str
    event: Event | None
    needs: tuple[str, ...] = ()
    command: Callable[[Request], Command] | None = None
    approver: Callable[[Peer, Request], object] | None = None

    def __str__(self) -> str:
        return self.name


def _reported(status: Status) -> Deed:
    name = f"reported {status}"
    return Deed(name, OUTCOMES[status], ("claim", "outcome"), command=lambda request: request.report(status))


DEEDS = [
    Deed("submitted again", None, command=lambda request: request.submit),
    Deed("awaited", None, command=lambda request: request.wait()),
    Deed("claimed", Event.CLAIM, ("claim",), command=lambda request: request.claim()),
    Deed("claimed with another digest", None, ("claim",), command=lambda request: request.claim(digest=OTHER_CALL)),
    Deed("claimed without a digest", None, ("claim",), command=lambda request: request.claim(digest="")),
    Deed("claimed as if edited", None, ("claim",), command=lambda request: request.claim(edited=OTHER_CALL)),
    _reported(Status.COMPLETED),
    _reported(Status.FAILED),
    _reported(Status.UNKNOWN),
    Deed("reported by another run", None, ("claim", "outcome"), command=lambda request: request.report(nonce=fresh())),
    Deed("withdrawn", Event.WITHDRAW, ("withdraw",), command=lambda request: request.withdraw()),
    Deed("approved", Event.APPROVE, approver=lambda peer, request: peer.approver.approve(request.id, {})),
    Deed("denied", Event.DENY, approver=lambda peer, request: peer.approver.deny(request.id, "no")),
    Deed("revoked", Event.REVOKE, ("revoke",), approver=lambda peer, request: peer.approver.revoke(request.id)),
    Deed("left to time", Event.LAPSE, ("time",), approver=lambda peer, _: peer.approver.let_pass(RUN_WITHIN + 1)),
]


class StandingCases(Carrying):
    """Every way that an action can stand, and every deed."""

    def brought(self, peer: Peer, status: Status) -> Request:
        """A request that has come to stand so."""
        if status in CLAIMED:
            request = self.claimed(peer)
            if status is not Status.EXECUTING:
                self.carry(peer.transport, request.report(status))
            return request
        request = self.submitted(peer.transport)
        if status in (Status.APPROVED, Status.LAPSED, Status.REVOKED):
            peer.approver.approve(request.id, {})
        match status:
            case Status.DENIED:
                peer.approver.deny(request.id, "no")
            case Status.WITHDRAWN:
                self.carry(peer.transport, request.withdraw())
            case Status.EXPIRED:
                peer.approver.let_pass(DECIDE_WITHIN + 1)
            case Status.LAPSED:
                peer.approver.let_pass(RUN_WITHIN + 1)
            case Status.REVOKED:
                peer.approver.revoke(request.id)
        return request

    @case(way=WAYS)
    def test_an_action_stands_where_it_was_brought(self, peer: Peer, way: Way) -> None:
        """The waiter hears it, and the same submit again, too."""
        request = self.brought(peer, way.status)

        for command in (request.wait(), request.submit, request.wait()):
            stands(way.status, self.carry(peer.transport, command), request)

    @case(way=WAYS, deed=DEEDS)
    def test_a_deed_moves_an_action_as_the_lifecycle_says_or_not_at_all(self, peer: Peer, way: Way, deed: Deed) -> None:
        """And only a claim that was due is answered with yes."""
        request = self.brought(peer, way.status)
        answer: Decision | None = None
        if deed.command is not None:
            answer = self.tried(peer.transport, deed.command(request))
        elif deed.approver is not None:
            silently(deed.approver, peer, request)()

        after = expected(way.status, deed)
        if deed.name.startswith("claimed"):
            due = deed.event is Event.CLAIM and after is Status.EXECUTING
            assert is_yes(answer, request.nonce) is due, f"{way}, then {deed}: {answer}"
        if answer is not None:
            assert answer.action_id == request.id
        self.is_at(peer, request, after)

    def is_at(self, peer: Peer, request: Request, status: Status) -> None:
        """It stands there, and nobody gets leave to run who should not."""
        stands(status, self.carry(peer.transport, request.wait()), request)
        if status in CLAIMED and self.can(["outcome"]):
            told = Status.COMPLETED if status is Status.EXECUTING else status
            assert self.carry(peer.transport, request.report(told)).status is told, f"it was {status}"
        if status is not Status.APPROVED and self.can(["claim"]):
            late = request.claim(nonce=fresh())
            assert not is_yes(self.tried(peer.transport, late), late.nonce), f"claimed though it was {status}"
            stands(status, self.carry(peer.transport, request.wait()), request)

    @case("claim", way=WAYS)
    def test_another_run_has_leave_only_where_none_had_it_before(self, peer: Peer, way: Way) -> None:
        """Two nonces never both hear yes."""
        request = self.brought(peer, way.status)
        other = fresh()

        answer = self.tried(peer.transport, request.claim(nonce=other))

        assert is_yes(answer, other) is (way.status is Status.APPROVED)
        mine = self.tried(peer.transport, request.claim())
        assert is_yes(mine, request.nonce) is (way.status is Status.EXECUTING)

    @case("claim", status=[Status.APPROVED, Status.EXECUTING])
    def test_the_same_nonce_hears_the_same_yes_again(self, peer: Peer, status: Status) -> None:
        """A claim whose reply was lost is asked again."""
        request = self.brought(peer, status)

        assert all(is_yes(self.carry(peer.transport, request.claim()), request.nonce) for _ in range(3))

    @case("claim", status=[Status.APPROVED, Status.EXECUTING], digest=["another", "no"])
    def test_a_repeated_claim_for_another_call_is_no_repeat(self, peer: Peer, status: Status, digest: str) -> None:
        """The nonce alone is no leave: the digest has to be the one that was cleared."""
        request = self.brought(peer, status)

        claim = request.claim(digest=OTHER_CALL if digest == "another" else "")
        wrong = self.tried(peer.transport, claim)

        assert not is_yes(wrong, request.nonce)

    @case(
        "claim",
        "outcome",
        first=[Status.COMPLETED, Status.FAILED],
        later=[Status.COMPLETED, Status.FAILED, Status.UNKNOWN],
    )
    def test_the_first_outcome_stands(self, peer: Peer, first: Status, later: Status) -> None:
        """The same again is fine; another one changes nothing."""
        request = self.claimed(peer)
        assert self.carry(peer.transport, request.report(first)).status is first

        answer = self.tried(peer.transport, request.report(later))

        assert answer is None or answer.status is first
        assert self.carry(peer.transport, request.report(first)).status is first

    @case("edit")
    def test_an_approvers_changes_are_told_with_the_approval(self, peer: Peer) -> None:
        """Nothing else could run what was cleared."""
        request = self.approved(peer, EDITS)

        for command in (request.wait(), request.submit):
            answer = self.carry(peer.transport, command)
            assert (answer.status, dict(answer.edits)) == (Status.APPROVED, EDITS)

    @case("edit", "claim", edited=["none", "asked"])
    def test_a_changed_call_is_not_claimed_as_it_was_asked(self, peer: Peer, edited: str) -> None:
        """It was cleared with the approver's values alone."""
        request = self.approved(peer, EDITS)

        claim = request.claim(edited=request.digest if edited == "asked" else None)

        assert not is_yes(self.tried(peer.transport, claim), request.nonce)

    @case("edit", "claim")
    def test_a_changed_call_is_claimed_with_the_digest_of_what_will_run_and_once(self, peer: Peer) -> None:
        """Repeated for the same call, not for a third one, and not by another run."""
        request = self.approved(peer, EDITS)
        claim = request.claim(edited=CHANGED_CALL)

        assert is_yes(self.carry(peer.transport, claim), request.nonce)
        assert is_yes(self.carry(peer.transport, claim), request.nonce)
        run = request.claim(edited=CHANGED_CALL, nonce=fresh())
        for other in (request.claim(edited=OTHER_CALL), request.claim(), run):
            assert not is_yes(self.tried(peer.transport, other), other.nonce)


def stands(status: Status, answer: Decision, request: Request) -> None:
    """Does the answer say so? Why and how something is refused a server may not be able to say; that it is, it must."""
    assert answer.action_id == request.id
    if status in OPEN or status is Status.DENIED:
        assert answer.status is status, f"it should be {status}, and is {answer.status}"
    elif status in REFUSED:
        assert answer.status in REFUSED, f"it should be {status}, and is {answer.status}"
    else:  # a late poll may be told no more than that it was spent
        assert answer.status in CLAIMED | REFUSED, f"it should be {status}, and is {answer.status}"


def expected(status: Status, deed: Deed) -> Status:
    """Where an action that stood at ``status`` stands after the deed."""
    if deed.name == "left to time":
        return {Status.PENDING: Status.EXPIRED, Status.APPROVED: Status.LAPSED}.get(status, status)
    if deed.name.startswith("reported") and status not in CLAIMED:
        return status  # nobody has claimed, so there is nothing to report
    return status if deed.event is None else TABLE[status].get(deed.event, status)
