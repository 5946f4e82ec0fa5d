"""Transports with one mistake each, made of a good one; and the case of the contract that has to find it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from tests.testing.approvers import FakeApprover, Unreachable, answer

from clearance import AuthorizationUnavailable, Decision, Outcome, Status
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.lifecycle import CLAIMED, OPEN, REFUSED, Event
from clearance.models import Action
from clearance.testing import FakeTransport
from clearance.testing.contract import Peer
from clearance.testing.held import Held


class Caller:
    """One of several callers of a fake, with keys and actions of its own."""

    def __init__(self, fake: FakeTransport, name: str) -> None:
        self.fake, self.clock = fake, fake.clock
        self._name = name
        self._owned: set[str] = set()

    def send(self, command: Command) -> Decision:
        if isinstance(command, Submit):
            decision = self.fake.send(replace(command, key=f"{self._name}: {command.key}"))
            self._owned.add(decision.action_id)
            return decision
        if command.action_id not in self._owned:
            raise AuthorizationUnavailable("There is no such action.", reason_code="not_found")
        return self.fake.send(command)

    async def asend(self, command: Command) -> Decision:
        return self.send(command)


@contextmanager
def good() -> Iterator[Peer]:
    """What the broken ones are made of."""
    fake = FakeTransport(answer)
    yield Peer(Caller(fake, "me"), FakeApprover(fake), Caller(fake, "other"), Unreachable())


class Broken:
    """Does as the good one does, but for one mistake."""

    def __init__(self, peer: Peer, mistake: Mistake) -> None:
        self.good: Caller = peer.transport
        self.fake: FakeTransport = self.good.fake
        self.clock = self.good.clock
        self.kept: dict[Any, Any] = {}
        self._mistake = mistake

    def send(self, command: Command) -> Decision:
        return self._mistake(self, command)

    async def asend(self, command: Command) -> Decision:
        return self.send(command)

    def request(self, action_id: str) -> Held:
        """What the fake keeps of it."""
        return self.fake._find(action_id)


def nonce_of(command: Command) -> str:
    """The nonce that it brings."""
    found: str = getattr(command, "nonce", "")
    return found


Mistake = Callable[[Broken, Command], Decision]
MISTAKES: dict[str, tuple[str, Callable[[Peer], Peer]]] = {}
"""Each broken transport: the case that finds it, and what makes a good peer one of its kind."""


def found_by(case: str) -> Callable[[Mistake], Mistake]:
    """Keep a mistake in carrying commands."""

    def keep(mistake: Mistake) -> Mistake:
        MISTAKES[mistake.__name__] = case, lambda peer: replace(peer, transport=Broken(peer, mistake))
        return mistake

    return keep


@found_by("test_a_new_request_waits")
def says_yes_before_anybody_was_asked(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    is_new = isinstance(command, Submit) and decision.status is Status.PENDING
    return replace(decision, status=Status.EXECUTING, nonce=nonce_of(command)) if is_new else decision


@found_by("test_a_denied_call_does_not_run")
def runs_before_the_claim(it: Broken, command: Command) -> Decision:
    """It gives the leave that only a claim can give to whoever waits."""
    decision = it.good.send(command)
    if isinstance(command, Submit):
        it.kept[decision.action_id] = command.nonce
        return decision
    if isinstance(command, Await):
        return replace(decision, status=Status.EXECUTING, nonce=it.kept[command.action_id])
    return decision


@found_by("test_an_action_stands_where_it_was_brought")
def takes_waiting_for_approval(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    if isinstance(command, Await) and decision.status is Status.PENDING:
        return replace(decision, status=Status.APPROVED)
    return decision


@found_by("test_another_run_has_leave_only_where_none_had_it_before")
def claims_twice(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    is_spent = isinstance(command, Claim) and decision.status is Status.EXECUTING
    return replace(decision, nonce=nonce_of(command)) if is_spent else decision


@found_by("test_of_many_runs_that_claim_at_once_exactly_one_has_leave")
def looks_and_then_claims(it: Broken, command: Command) -> Decision:
    """Between the two there is time for another thread."""
    if not isinstance(command, Claim):
        return it.good.send(command)
    request = it.request(command.action_id)
    if request.status is not Status.APPROVED:
        return it.good.send(command)
    time.sleep(0.01)
    with suppress(Exception):
        request.move(Event.CLAIM)
    request.nonce = command.nonce
    return replace(it.good.send(Await(command.action_id, 0, 1)), status=Status.EXECUTING, nonce=command.nonce)


@found_by("test_a_word_that_is_no_status_is_no_leave")
def takes_an_unknown_word_for_approval(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    return decision if isinstance(decision.status, Status) else replace(decision, status=Status.APPROVED)


@found_by("test_a_word_that_is_no_status_runs_nothing")
def clears_what_it_cannot_read(it: Broken, command: Command) -> Decision:
    if isinstance(command, Await) and not isinstance(it.request(command.action_id).status, Status):
        it.request(command.action_id).said, it.request(command.action_id).status = None, Status.APPROVED
    return it.good.send(command)


@found_by("test_a_word_that_is_no_status_is_no_leave")
def reads_words_of_any_case(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    word = str(decision.status).lower().strip("!")
    return replace(decision, status=Status(word)) if word in set(Status) else decision


@found_by("test_the_same_nonce_hears_the_same_yes_again")
def forgets_the_nonce(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    if isinstance(command, Claim) and it.kept.setdefault(command.action_id, 0):
        return replace(decision, nonce=None)
    if isinstance(command, Claim):
        it.kept[command.action_id] = 1
    return decision


@found_by("test_a_deed_moves_an_action_as_the_lifecycle_says_or_not_at_all")
def takes_any_digest(it: Broken, command: Command) -> Decision:
    if isinstance(command, Claim) and command.edited_digest is None:
        command = replace(command, digest=it.request(command.action_id).action.digest)
    return it.good.send(command)


@found_by("test_a_repeated_claim_for_another_call_is_no_repeat")
def takes_any_digest_with_the_right_nonce(it: Broken, command: Command) -> Decision:
    if isinstance(command, Claim) and it.request(command.action_id).nonce == command.nonce:
        return it.request(command.action_id).decision()
    return it.good.send(command)


@found_by("test_a_changed_call_is_not_claimed_as_it_was_asked")
def lets_a_changed_call_run_as_it_was_asked(it: Broken, command: Command) -> Decision:
    if isinstance(command, Claim) and it.request(command.action_id).decision().edits:
        command = replace(command, edited_digest=command.edited_digest or "changed")
    return it.good.send(command)


@found_by("test_an_approvers_changes_are_told_with_the_approval")
def loses_the_approvers_changes(it: Broken, command: Command) -> Decision:
    return replace(it.good.send(command), edits={})


@found_by("test_a_changed_call_is_claimed_with_the_digest_of_what_will_run_and_once")
def refuses_what_an_approver_changed(it: Broken, command: Command) -> Decision:
    return it.good.send(replace(command, edited_digest=None) if isinstance(command, Claim) else command)


@found_by("test_each_answer_is_about_the_action_that_was_asked_about")
def tells_of_the_newest_action_only(it: Broken, command: Command) -> Decision:
    if isinstance(command, Await):
        return it.good.send(replace(command, action_id=str(len(it.fake.asked))))
    return it.good.send(command)


@found_by("test_each_answer_is_about_the_action_that_was_asked_about")
def puts_the_asked_id_on_another_actions_decision(it: Broken, command: Command) -> Decision:
    if isinstance(command, Await):
        return replace(
            it.good.send(replace(command, action_id=str(len(it.fake.asked) - 1))), action_id=command.action_id
        )
    return it.good.send(command)


@found_by("test_an_action_that_is_not_there_is_no_answer")
def makes_up_what_is_not_there(it: Broken, command: Command) -> Decision:
    try:
        return it.good.send(command)
    except AuthorizationUnavailable:
        if isinstance(command, Submit):
            raise
        return Decision(command.action_id, Status.DENIED)


@found_by("test_an_action_that_is_not_there_is_no_answer")
def fails_with_an_error_of_its_own(it: Broken, command: Command) -> Decision:
    try:
        return it.good.send(command)
    except AuthorizationUnavailable as error:
        raise KeyError("action") from error


@found_by("test_an_action_that_is_not_there_is_no_answer")
def reads_ids_too_kindly(it: Broken, command: Command) -> Decision:
    if not isinstance(command, Submit):
        command = replace(command, action_id=command.action_id.strip().partition(".")[0] or "1")
    return it.good.send(command)


@found_by("test_the_same_key_is_the_same_request")
def ignores_the_key(it: Broken, command: Command) -> Decision:
    if isinstance(command, Submit):
        it.kept["count"] = it.kept.get("count", 0) + 1
        command = replace(command, key=f"{command.key}-{it.kept['count']}")
    return it.good.send(command)


@found_by("test_the_same_key_is_the_same_request")
def makes_the_nonce_part_of_the_key(it: Broken, command: Command) -> Decision:
    return it.good.send(replace(command, key=command.key + command.nonce) if isinstance(command, Submit) else command)


@found_by("test_another_key_is_another_request_even_for_the_same_action")
def takes_equal_actions_for_one(it: Broken, command: Command) -> Decision:
    return it.good.send(replace(command, key=command.action.digest) if isinstance(command, Submit) else command)


@found_by("test_the_same_key_for_another_action_is_refused")
def takes_the_key_for_the_whole_request(it: Broken, command: Command) -> Decision:
    if isinstance(command, Submit):
        action: Action = it.kept.setdefault(command.key, command.action)
        command = replace(command, action=action)
    return it.good.send(command)


@found_by("test_one_key_submitted_many_times_at_once_is_one_request")
def looks_for_the_key_and_then_keeps_it(it: Broken, command: Command) -> Decision:
    if not isinstance(command, Submit):
        return it.good.send(command)
    if (known := it.kept.get(command.key)) is not None:
        return it.good.send(replace(command, key=known))
    time.sleep(0.01)
    it.kept[command.key] = name = f"{command.key}-{len(it.kept)}-{time.monotonic_ns()}"
    return it.good.send(replace(command, key=name))


@found_by("test_different_requests_at_once_do_not_take_each_others_answers")
def keeps_the_command_where_all_threads_see_it(it: Broken, command: Command) -> Decision:
    it.kept["command"] = command
    if isinstance(command, Await):
        time.sleep(0.01)
    return it.good.send(it.kept["command"])


@found_by("test_a_deed_moves_an_action_as_the_lifecycle_says_or_not_at_all")
def ignores_withdrawals(it: Broken, command: Command) -> Decision:
    return it.good.send(Await(command.action_id, 0, 1) if isinstance(command, Withdraw) else command)


@found_by("test_a_deed_moves_an_action_as_the_lifecycle_says_or_not_at_all")
def withdraws_what_is_done(it: Broken, command: Command) -> Decision:
    if isinstance(command, Withdraw):
        it.request(command.action_id).status = Status.WITHDRAWN
    return it.good.send(command)


@found_by("test_of_a_claim_and_a_withdrawal_at_once_one_wins")
def withdraws_what_runs(it: Broken, command: Command) -> Decision:
    """The claim was told yes, the withdrawal was told that it came in time."""
    if isinstance(command, Withdraw):
        time.sleep(0.01)
    decision = it.good.send(command)
    return replace(decision, status=Status.WITHDRAWN) if isinstance(command, Withdraw) else decision


@found_by("test_a_deed_moves_an_action_as_the_lifecycle_says_or_not_at_all")
def takes_outcomes_from_any_run(it: Broken, command: Command) -> Decision:
    if isinstance(command, Report):
        command = replace(command, nonce=it.request(command.action_id).nonce or command.nonce)
    return it.good.send(command)


@found_by("test_the_first_outcome_stands")
def takes_the_last_outcome(it: Broken, command: Command) -> Decision:
    if isinstance(command, Report) and it.request(command.action_id).nonce == command.nonce:
        it.request(command.action_id).status = command.outcome.status
    return it.good.send(command)


@found_by("test_the_first_outcome_stands")
def forgets_outcomes(it: Broken, command: Command) -> Decision:
    return it.good.send(Await(command.action_id, 0, 1) if isinstance(command, Report) else command)


@found_by("test_another_run_has_leave_only_where_none_had_it_before")
def lets_what_has_failed_run_again(it: Broken, command: Command) -> Decision:
    if isinstance(command, Claim) and it.request(command.action_id).status is Status.FAILED:
        it.request(command.action_id).status = Status.APPROVED
    return it.good.send(command)


@found_by("test_another_run_has_leave_only_where_none_had_it_before")
def lets_what_is_unknown_run_again(it: Broken, command: Command) -> Decision:
    if isinstance(command, Claim) and it.request(command.action_id).status is Status.UNKNOWN:
        it.request(command.action_id).status = Status.APPROVED
    return it.good.send(command)


def lets_be_claimed(status: Status) -> None:
    """One that lets be claimed what is refused."""

    @found_by("test_another_run_has_leave_only_where_none_had_it_before")
    def mistake(it: Broken, command: Command) -> Decision:
        if isinstance(command, Claim) and it.request(command.action_id).status is status:
            it.request(command.action_id).status = Status.APPROVED
        return it.good.send(command)

    MISTAKES[f"lets_be_claimed_what_is_{status}"] = MISTAKES.pop(mistake.__name__)


for refused in sorted(REFUSED - {Status.STALE}):
    lets_be_claimed(refused)


@found_by("test_an_action_stands_where_it_was_brought")
def takes_a_no_for_a_yes(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    return replace(decision, status=Status.APPROVED) if decision.status is Status.DENIED else decision


@found_by("test_an_action_stands_where_it_was_brought")
def takes_whatever_ended_for_not_decided(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    is_over = isinstance(command, Await) and decision.status not in OPEN | CLAIMED
    return replace(decision, status=Status.PENDING) if is_over else decision


@found_by("test_a_refusal_is_told_in_the_approvers_words")
def loses_the_reason(it: Broken, command: Command) -> Decision:
    return replace(it.good.send(command), reason="")


@found_by("test_a_refusal_is_told_in_the_approvers_words")
def believes_what_a_reason_says(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    return replace(decision, status=Status.APPROVED) if decision.reason in ("yes", "approved") else decision


@found_by("test_a_new_request_waits")
def offers_no_claims(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    return replace(decision, offers=decision.offers - {"claim"})


@found_by("test_what_needs_nobody_is_approved_and_spent_only_by_who_has_a_nonce")
def spends_what_was_only_asked(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    if isinstance(command, Submit) and not command.nonce and decision.status is Status.APPROVED:
        it.good.send(Claim(decision.action_id, command.action.digest, "its own", 1.0))
        return replace(decision, status=Status.EXECUTING)
    return decision


@found_by("test_what_needs_nobody_is_claimed_with_the_submit_once")
def says_yes_to_whoever_submits_it_again(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    is_spent = isinstance(command, Submit) and decision.status is Status.EXECUTING
    return replace(decision, nonce=nonce_of(command)) if is_spent else decision


@found_by("test_what_nobody_may_do_is_denied_at_once")
def leaves_to_people_what_nobody_may_do(it: Broken, command: Command) -> Decision:
    decision = it.good.send(command)
    if isinstance(command, Submit) and decision.status is Status.DENIED:
        return replace(decision, status=Status.PENDING)
    return decision


@found_by("test_a_fault_at_any_step_runs_nothing_twice_and_asks_for_nothing_twice")
def claims_under_a_nonce_of_its_own_each_time(it: Broken, command: Command) -> Decision:
    """Whose answer was lost never gets its yes."""
    if not isinstance(command, Claim):
        return it.good.send(command)
    it.kept["claims"] = it.kept.get("claims", 0) + 1
    decision = it.good.send(replace(command, nonce=f"{command.nonce}-{it.kept['claims']}"))
    is_first = decision.nonce == f"{command.nonce}-{it.kept['claims']}"
    return replace(decision, nonce=nonce_of(command)) if is_first else decision


@found_by("test_an_approved_call_runs_once_and_is_reported")
def reports_every_call_as_failed(it: Broken, command: Command) -> Decision:
    if isinstance(command, Report) and command.outcome.duration > 0:
        command = replace(command, outcome=Outcome(Status.FAILED))
    return it.good.send(command)


# At its edges


def kept(case: str) -> Callable[[Callable[[Peer], Peer]], Callable[[Peer], Peer]]:
    """Keep a mistake of another kind."""

    def keep(make: Callable[[Peer], Peer]) -> Callable[[Peer], Peer]:
        MISTAKES[make.__name__] = case, make
        return make

    return keep


@kept("test_another_callers_action_is_not_there")
def shows_everybody_everything(peer: Peer) -> Peer:
    return replace(peer, other=peer.transport)


@kept("test_another_caller_cannot_spend_an_approval")
def lets_anybody_claim(peer: Peer) -> Peer:
    return replace(peer, other=peer.transport.fake)


@kept("test_two_callers_may_choose_the_same_key")
def shares_keys_among_callers(peer: Peer) -> Peer:
    return replace(peer, other=Caller(peer.transport.fake, "me"))


class Optimist:
    """Answers for a Center that is not there."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def send(self, command: Command) -> Decision:
        nonce = getattr(command, "nonce", None)
        return Decision(getattr(command, "action_id", "1"), self._status, nonce=nonce, offers=frozenset({"claim"}))

    async def asend(self, command: Command) -> Decision:
        return self.send(command)


@kept("test_a_call_that_nobody_can_be_asked_about_does_not_run")
def runs_when_nobody_can_be_asked(peer: Peer) -> Peer:
    return replace(peer, unreachable=Optimist(Status.EXECUTING))


@kept("test_where_nobody_can_be_reached_nothing_is_answered")
def swallows_an_unavailable(peer: Peer) -> Peer:
    return replace(peer, unreachable=Optimist(Status.PENDING))


@kept("test_where_nobody_can_be_reached_nothing_is_submitted")
def denies_when_nobody_can_be_asked(peer: Peer) -> Peer:
    return replace(peer, unreachable=Optimist(Status.DENIED))


# On an event loop

ASYNC_MISTAKES: dict[str, tuple[str, Callable[[Peer], Peer]]] = {}


class Blocking(Broken):
    """Sleeps where it should await."""

    async def asend(self, command: Command) -> Decision:
        if isinstance(command, Await):
            time.sleep(command.hold)
        return self.send(command)


class Deaf(Broken):
    """Goes on waiting when it is cancelled once."""

    async def asend(self, command: Command) -> Decision:
        if isinstance(command, Await):
            for seconds in (command.hold, command.hold):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(seconds)
        return self.send(command)


class Forgetful(Broken):
    """Takes the answer of whichever task asked last."""

    async def asend(self, command: Command) -> Decision:
        self.kept["command"] = command
        if isinstance(command, Await):
            await asyncio.sleep(0.01)
        kept: Command = self.kept["command"]
        return self.send(kept)


def _good(it: Broken, command: Command) -> Decision:
    return it.good.send(command)


ASYNC_MISTAKES["blocks_the_event_loop"] = (
    "test_the_event_loop_goes_on_while_an_answer_is_awaited",
    lambda peer: replace(peer, transport=Blocking(peer, _good)),
)
ASYNC_MISTAKES["cannot_be_cancelled"] = (
    "test_a_wait_that_is_cancelled_ends",
    lambda peer: replace(peer, transport=Deaf(peer, _good)),
)
ASYNC_MISTAKES["mixes_up_its_tasks"] = (
    "test_different_requests_at_once_do_not_take_each_others_answers",
    lambda peer: replace(peer, transport=Forgetful(peer, _good)),
)
