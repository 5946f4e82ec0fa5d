"""The conversation, held by hand: no network, no clock, no mock.

A test starts a conversation, looks at what it says, and answers it or lets it fail.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import LEVEL_1, LEVEL_2, a_decision, an_action

from clearance import flow
from clearance.commands import Await, Claim, Command, Pause, Report, Submit, Withdraw
from clearance.errors import (
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    AuthorizationError,
    AuthorizationUnavailable,
)
from clearance.lifecycle import CLAIMED
from clearance.models import Action, Decision, Grant, Outcome, Status

T = TypeVar("T")
ACTION = an_action()
NONCE = "our-nonce"

SUBMIT = Submit(ACTION, "our-key", NONCE, timeout=30.0)
AWAIT = Await("1", hold=30.0, timeout=60.0)
CLAIM = Claim("1", ACTION.digest, NONCE, timeout=10.0)
WITHDRAW = Withdraw("1", "undecided", timeout=1.0)


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds


class Talk(Generic[T]):
    """A conversation in progress: ``said`` is what it said last; at the end there is a ``result`` or an ``error``."""

    def __init__(self, conversation: flow.Conversation[T], clock: Clock) -> None:
        self._conversation = conversation
        self.clock = clock
        self.result: T | None = None
        self.error: BaseException | None = None
        self.said: Command | Pause | None = None
        self._go_on(lambda: next(conversation))

    def hear(self, answer: object, after: float = 0.0) -> Command | Pause | None:
        """Answer what was said, ``after`` seconds."""
        self.clock.seconds += after
        return self._go_on(lambda: self._conversation.send(answer))  # type: ignore[arg-type]

    def fail(self, error: BaseException) -> Command | Pause | None:
        """What was said met with this."""
        return self._go_on(lambda: self._conversation.throw(error))

    def wait(self) -> float:
        """Let the pause pass that was asked for; returns its seconds."""
        assert isinstance(self.said, Pause)
        seconds = self.said.seconds
        self.hear(None, after=seconds)
        return seconds

    def leave(self) -> BaseException | None:
        """Answer the farewell, a report or a withdrawal, if there is one; returns the error that it ends with."""
        while isinstance(self.said, (Report, Withdraw)):
            self.hear(a_decision(Status.WITHDRAWN))
        assert self.said is None
        return self.error

    def _go_on(self, resume: Any) -> Command | Pause | None:
        try:
            self.said = resume()
        except StopIteration as done:
            self.said, self.result = None, done.value
        except BaseException as error:
            self.said, self.error = None, error
        return self.said


def terms(clock: Clock, **changes: Any) -> flow.Terms:
    """Terms without chance: the jitter is in the middle, so a pause is as long as it is meant to be."""
    return replace(flow.Terms("our-key", NONCE, now=clock.now, jitter=lambda: 0.5), **changes)


def talk(action: Action = ACTION, **changes: Any) -> Talk[Grant]:
    clock = Clock()
    return Talk(flow.authorization(action, terms(clock, **changes)), clock)


def talk_at(place: str) -> Talk[Grant]:
    """A conversation that has come to this place: the command that it just said."""
    conversation = talk()
    if place in ("await", "claim"):
        conversation.hear(a_decision(Status.PENDING if place == "await" else Status.APPROVED))
    return conversation


def outage(**changes: Any) -> AuthorizationUnavailable:
    return AuthorizationUnavailable("The line is dead.", reason_code="unreachable", **changes)


PLACES = {"submit": SUBMIT, "await": AWAIT, "claim": CLAIM}
everywhere = pytest.mark.parametrize("place", PLACES)


@everywhere
def test_every_place_says_its_command(place: str) -> None:
    assert talk_at(place).said == PLACES[place]


# ---------------------------------------------------------------------------------------------------------------------
# Leave to run
# ---------------------------------------------------------------------------------------------------------------------


def test_a_pending_action_is_awaited_then_claimed_then_granted() -> None:
    conversation = talk()

    assert conversation.said == SUBMIT
    assert conversation.hear(a_decision(Status.PENDING)) == AWAIT
    assert conversation.hear(a_decision(Status.APPROVED, decided_by="ann")) == CLAIM
    assert conversation.hear(a_decision(Status.EXECUTING, nonce=NONCE, decided_by="ann")) is None

    claimed = a_decision(Status.EXECUTING, nonce=NONCE, decided_by="ann")
    assert conversation.result == Grant("1", ACTION.digest, claimed, "our-key", NONCE, "center")


def test_an_action_that_is_approved_and_claimed_on_submit_needs_no_other_word() -> None:
    conversation = talk()

    assert conversation.hear(a_decision(Status.EXECUTING, nonce=NONCE)) is None
    assert conversation.result is not None
    assert conversation.result.assurance == "center"


@pytest.mark.parametrize("statuses", [[Status.APPROVED], [Status.PENDING, Status.APPROVED]])
def test_a_plain_server_is_not_asked_to_spend_the_approval_and_the_grant_says_so(statuses: list[Status]) -> None:
    conversation = talk()
    for status in statuses:
        conversation.hear(a_decision(status, offers=LEVEL_1))
        if isinstance(conversation.said, Pause):
            conversation.wait()

    assert conversation.said is None
    assert conversation.result is not None
    assert conversation.result.assurance == "local"


def test_what_a_server_offered_on_submit_it_cannot_take_back_by_leaving_it_out_later() -> None:
    conversation = talk()
    conversation.hear(a_decision(Status.PENDING))

    assert conversation.hear(a_decision(Status.APPROVED, offers=LEVEL_1)) == CLAIM
    conversation.hear(a_decision(Status.EXECUTING, nonce=NONCE, offers=LEVEL_1))

    assert conversation.result is not None
    assert conversation.result.assurance == "center"
    assert "outcome" in conversation.result.decision.offers


# ---------------------------------------------------------------------------------------------------------------------
# Refusals
# ---------------------------------------------------------------------------------------------------------------------


def refusal(conversation: Talk[Grant], answer: object) -> AuthorizationError:
    """The error that an answer leads to."""
    conversation.hear(answer)
    error = conversation.leave()
    assert isinstance(error, AuthorizationError)
    return error


@everywhere
@pytest.mark.parametrize("status", [status for status in Status if status not in (Status.PENDING, Status.APPROVED)])
def test_every_other_status_refuses_wherever_it_is_heard(status: Status, place: str) -> None:
    decision = a_decision(status, reason="because", decided_by="ann")

    error = refusal(talk_at(place), decision)

    expected = AlreadyClaimed if status in CLAIMED else ActionUndecided if status is Status.EXPIRED else ActionDenied
    assert type(error) is expected
    assert (error.action, error.decision) == (ACTION, decision)


@pytest.mark.parametrize("status", [Status.PENDING, Status.APPROVED])
def test_a_claim_that_is_not_answered_with_executing_is_no_leave_to_run(status: Status) -> None:
    assert type(refusal(talk_at("claim"), a_decision(status, nonce=NONCE))) is ActionDenied


@everywhere
@pytest.mark.parametrize("nonce", [None, "", "another-nonce", NONCE.upper()])
def test_an_action_that_executes_under_another_nonce_is_somebody_elses_run(nonce: str | None, place: str) -> None:
    assert type(refusal(talk_at(place), a_decision(Status.EXECUTING, nonce=nonce))) is AlreadyClaimed


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.EXECUTING])
def test_our_nonce_alone_is_no_leave_to_run(status: Status) -> None:
    refusal(talk_at("claim"), a_decision(status, nonce=NONCE))


@everywhere
@pytest.mark.parametrize("answer", [None, True, "approved", {"status": "approved"}, Status.APPROVED])
def test_an_answer_that_is_no_decision_is_no_answer(answer: object, place: str) -> None:
    error = refusal(talk_at(place), answer)

    assert type(error) is AuthorizationUnavailable
    assert error.reason_code == "bad_answer"
    assert error.action is ACTION


@pytest.mark.parametrize("place", ["await", "claim"])
@pytest.mark.parametrize("status", [Status.APPROVED, Status.EXECUTING, Status.PENDING])
def test_an_answer_about_another_action_is_no_answer(status: Status, place: str) -> None:
    error = refusal(talk_at(place), a_decision(status, action_id="2", nonce=NONCE))

    assert type(error) is AuthorizationUnavailable
    assert "about action 2 when asked about 1" in error.happened


@pytest.mark.parametrize(
    ("decision", "happened", "reason_code"),
    [
        (
            a_decision(Status.DENIED, reason="not today", decided_by="ann", reason_code="approver"),
            "'payment.refund' (stripe), action 1, was denied by ann: not today.",
            "approver",
        ),
        (a_decision(Status.DENIED), "'payment.refund' (stripe), action 1, was denied.", "denied"),
        (a_decision(Status.STALE, decided_by="ops"), "'payment.refund' (stripe), action 1, is stale by ops.", "stale"),
        (a_decision(Status.EXPIRED), "Nobody decided on 'payment.refund' (stripe), action 1, in time.", "expired"),
        (
            a_decision(Status.COMPLETED),
            "The approval of 'payment.refund' (stripe), action 1, was already spent by another run.",
            "already_claimed",
        ),
    ],
)
def test_a_refusal_says_what_was_refused_by_whom_and_why(decision: Decision, happened: str, reason_code: str) -> None:
    error = refusal(talk(), decision)

    assert error.happened == happened
    assert error.reason_code == reason_code
    assert error.next_step


# ---------------------------------------------------------------------------------------------------------------------
# Waiting
# ---------------------------------------------------------------------------------------------------------------------


def test_a_server_that_holds_its_answers_is_asked_again_at_once_and_never_beyond_the_deadline() -> None:
    conversation = talk()
    conversation.hear(a_decision())

    assert conversation.said == AWAIT
    assert conversation.hear(a_decision(), after=25.0) == AWAIT
    assert conversation.hear(a_decision(), after=25.0) == Await("1", hold=10.0, timeout=40.0)


def test_nobody_deciding_in_time_withdraws_the_request_and_says_so() -> None:
    conversation = talk()
    conversation.hear(a_decision())
    conversation.hear(a_decision(), after=30.0)

    assert conversation.hear(a_decision(), after=30.0) == WITHDRAW
    error = conversation.leave()

    assert isinstance(error, ActionUndecided)
    assert "within 60 seconds" in str(error)
    assert error.action is ACTION


def test_a_conversation_can_have_less_patience_than_the_action_has_time() -> None:
    conversation = talk(patience=20.0)

    assert conversation.hear(a_decision()) == Await("1", hold=20.0, timeout=50.0)
    assert conversation.hear(a_decision(), after=20.0) == WITHDRAW
    assert "within 20 seconds; the request was withdrawn" in str(conversation.leave())


def test_patience_gives_no_action_more_time_than_it_has() -> None:
    conversation = talk(patience=600.0)
    conversation.hear(a_decision())

    assert conversation.hear(a_decision(), after=60.0) == WITHDRAW


def test_a_request_that_is_kept_is_left_standing_when_patience_or_the_wait_ends() -> None:
    impatient, interrupted = talk(patience=20.0, keeps=True), talk(keeps=True)
    impatient.hear(a_decision())
    interrupted.hear(a_decision())

    assert impatient.hear(a_decision(), after=20.0) is None
    assert interrupted.fail(KeyboardInterrupt()) is None
    assert "the request is left to be joined" in str(impatient.error)
    assert isinstance(interrupted.error, KeyboardInterrupt)


@pytest.mark.parametrize(("found", "closed"), [(Status.PENDING, False), (Status.EXECUTING, True)])
def test_a_kept_request_whose_submit_is_interrupted_is_closed_only_if_it_may_have_been_claimed(
    found: Status, closed: bool
) -> None:
    conversation = talk(keeps=True)
    conversation.fail(KeyboardInterrupt())

    said = conversation.hear(a_decision(found, nonce=NONCE if closed else None))

    assert isinstance(said, Report) is closed
    assert isinstance(conversation.leave(), KeyboardInterrupt)


def test_an_approval_that_arrives_with_the_withdrawal_comes_too_late() -> None:
    conversation = talk()
    conversation.hear(a_decision())
    conversation.hear(a_decision(), after=60.0)

    assert isinstance(conversation.said, Withdraw)
    assert conversation.hear(a_decision(Status.EXECUTING, nonce=NONCE)) is None
    assert isinstance(conversation.error, ActionUndecided)


def test_a_withdrawal_that_fails_does_not_hide_why() -> None:
    conversation = talk()
    conversation.hear(a_decision())
    conversation.hear(a_decision(), after=60.0)

    assert isinstance(conversation.said, Withdraw)
    assert conversation.fail(outage(transient=True)) is None
    assert isinstance(conversation.error, ActionUndecided)


def test_a_plain_server_cannot_be_told_of_a_withdrawal() -> None:
    conversation = talk()

    assert conversation.hear(a_decision(offers=LEVEL_1), after=60.0) is None
    assert isinstance(conversation.error, ActionUndecided)


def test_a_server_that_does_not_hold_its_answers_is_polled_ever_more_slowly() -> None:
    conversation = talk()
    conversation.hear(a_decision(offers=LEVEL_1))

    pauses: list[float] = []
    for _ in range(9):
        assert isinstance(conversation.said, Await)
        assert conversation.said.hold == 0.0
        conversation.hear(a_decision(offers=LEVEL_1))
        pauses.append(conversation.wait())

    assert pauses == [0.5, 0.75, 1.125, 1.6875, 2.53125, 3.0, 3.0, 3.0, 3.0]


def test_a_server_that_offers_to_hold_its_answers_but_does_not_is_paced_like_one_that_never_offered() -> None:
    conversation = talk_at("await")

    assert conversation.hear(a_decision()) == Pause(0.5)


@pytest.mark.parametrize(("asked", "waited"), [(1.0, 1.5), (7.0, 8.5), (1e9, 61.5), (0.0, 0.5), (None, 0.5)])
def test_a_pending_answer_says_how_long_to_leave_the_server_alone_within_reason(
    asked: float | None, waited: float
) -> None:
    conversation = talk(an_action(decide_within=3_600.0))
    conversation.hear(a_decision())

    assert conversation.hear(a_decision(retry_after=asked)) == Pause(waited)


def test_no_pause_is_longer_than_the_time_that_is_left() -> None:
    conversation = talk_at("await")

    assert conversation.hear(a_decision(retry_after=20.0), after=1.0) == Pause(21.5)
    conversation.wait()
    assert conversation.hear(a_decision(retry_after=50.0), after=1.0) == Pause(36.5)


def test_whoever_waits_is_told_of_every_answer_that_leaves_the_action_pending() -> None:
    told: list[tuple[Action, Decision]] = []
    conversation = talk(on_wait=lambda action, decision: told.append((action, decision)))

    conversation.hear(a_decision())
    conversation.hear(a_decision(reason="seen"), after=30.0)
    conversation.hear(a_decision(Status.APPROVED))

    assert told == [(ACTION, a_decision()), (ACTION, a_decision(reason="seen"))]


def test_a_listener_that_fails_ends_the_wait_and_withdraws_the_request() -> None:
    def listener(_action: Action, _decision: Decision) -> None:
        raise LookupError("no such channel")

    conversation = talk(on_wait=listener)

    assert conversation.hear(a_decision()) == replace(WITHDRAW, reason="interrupted by LookupError")
    assert isinstance(conversation.leave(), LookupError)


# ---------------------------------------------------------------------------------------------------------------------
# Faults
# ---------------------------------------------------------------------------------------------------------------------


@everywhere
def test_a_fault_that_may_pass_is_met_with_the_very_same_words_after_a_pause(place: str) -> None:
    conversation = talk_at(place)

    for pause in (0.5, 1.0, 2.0):
        assert conversation.fail(outage(transient=True)) == Pause(pause)
        conversation.wait()
        assert conversation.said == PLACES[place]


@pytest.mark.parametrize(("place", "seconds"), [("submit", 60.0), ("await", 60.0), ("claim", flow.CLAIM_WITHIN)])
def test_a_fault_that_does_not_pass_in_time_refuses(place: str, seconds: float) -> None:
    conversation = talk_at(place)
    fault = outage(transient=True)

    pauses: list[float] = []
    while conversation.fail(fault) == Pause(pause := min(0.5 * 2 ** len(pauses), flow.LONGEST_PAUSE)):
        pauses.append(pause)
        conversation.wait()

    assert conversation.leave() is fault
    assert fault.action is ACTION
    assert seconds - flow.LONGEST_PAUSE <= conversation.clock.seconds < seconds


@everywhere
def test_a_fault_that_will_not_pass_refuses_at_once(place: str) -> None:
    conversation = talk_at(place)
    fault = outage()

    conversation.fail(fault)

    assert conversation.leave() is fault
    assert fault.action is ACTION
    assert conversation.clock.seconds == 0.0


@pytest.mark.parametrize(("asked", "waited"), [(1.0, 1.5), (7.0, 8.5), (1e9, 61.5), (0.0, 0.5), (None, 0.5)])
def test_a_fault_says_how_long_to_leave_the_server_alone_within_reason(asked: float | None, waited: float) -> None:
    conversation = talk(an_action(decide_within=3_600.0))

    assert conversation.fail(outage(transient=True, retry_after=asked)) == Pause(waited)


@given(st.floats(0.0, 1.0), st.integers(1, 12))
def test_those_who_lost_a_center_at_the_same_moment_come_back_spread_out_and_within_four_and_a_half_seconds(
    chance: float, attempts: int
) -> None:
    conversation = talk(an_action(decide_within=3_600.0), jitter=lambda: chance)
    conversation.hear(a_decision())

    pause = 0.5
    for _ in range(attempts):
        conversation.fail(outage(transient=True))
        assert conversation.wait() == pytest.approx(pause * (0.5 + chance))
        pause = min(2 * pause, 3.0)
    assert pause * 1.5 <= 4.5


@given(st.floats(0.0, 1.0), st.floats(0.1, 1e9))
def test_nobody_comes_back_before_the_server_said_and_nobody_much_later(chance: float, asked: float) -> None:
    conversation = talk(an_action(decide_within=3_600.0), jitter=lambda: chance)
    conversation.fail(outage(transient=True, retry_after=asked))
    said = min(asked, flow.LONGEST_RETRY_AFTER)

    assert said <= conversation.wait() <= said + min(said, flow.LONGEST_PAUSE)


def test_a_server_that_wants_to_be_left_alone_beyond_the_deadline_is_not_waited_for() -> None:
    conversation = talk()
    fault = outage(transient=True, retry_after=60.0)

    assert conversation.fail(fault) is None
    assert conversation.error is fault


def test_a_claim_that_was_lost_is_reported_as_not_started_and_withdrawn_because_it_may_have_been_granted() -> None:
    conversation = talk_at("claim")
    fault = outage()

    assert conversation.fail(fault) == Report("1", NONCE, _not_started("unreachable"), 1.0)
    assert conversation.hear(a_decision(Status.FAILED)) == Withdraw("1", "unreachable", 1.0)
    assert conversation.leave() is fault


def _not_started(reason: str) -> Outcome:
    return Outcome(Status.FAILED, "not_started", 0.0, (reason,))


def test_a_refusal_that_cannot_be_reported_is_the_refusal_it_was() -> None:
    conversation = talk_at("claim")
    fault = outage()

    assert isinstance(conversation.fail(fault), Report)
    assert isinstance(conversation.fail(outage()), Withdraw)
    assert conversation.fail(outage()) is None
    assert conversation.error is fault


# ---------------------------------------------------------------------------------------------------------------------
# Interruptions
# ---------------------------------------------------------------------------------------------------------------------

interruptions = pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, LookupError])


@interruptions
def test_an_interrupted_submit_is_found_again_by_its_key_and_closed(kind: type[BaseException]) -> None:
    conversation = talk()
    interruption = kind()
    reason = f"interrupted by {kind.__name__}"

    assert conversation.fail(interruption) == replace(SUBMIT, timeout=1.0)
    assert conversation.hear(a_decision()) == Report("1", NONCE, _not_started(reason), 1.0)
    assert conversation.hear(a_decision()) == Withdraw("1", reason, 1.0)
    assert conversation.leave() is interruption


@interruptions
def test_a_submit_that_was_interrupted_between_two_attempts_is_closed_too(kind: type[BaseException]) -> None:
    conversation = talk()
    conversation.fail(outage(transient=True))
    interruption = kind()

    assert conversation.fail(interruption) == replace(SUBMIT, timeout=1.0)
    assert isinstance(conversation.hear(a_decision()), Report)
    assert conversation.leave() is interruption


@interruptions
def test_an_interrupted_submit_that_cannot_be_found_again_stays_interrupted(kind: type[BaseException]) -> None:
    conversation = talk()
    interruption = kind()
    conversation.fail(interruption)

    assert conversation.fail(outage(transient=True)) is None
    assert conversation.error is interruption


def test_an_interrupted_submit_that_is_found_again_by_nonsense_stays_interrupted() -> None:
    conversation = talk()
    interruption = KeyboardInterrupt()
    conversation.fail(interruption)

    assert conversation.hear(None) is None
    assert conversation.error is interruption


@interruptions
@pytest.mark.parametrize("pausing", [False, True], ids=["asking", "pausing"])
def test_an_interrupted_wait_withdraws_the_request_and_goes_on(kind: type[BaseException], pausing: bool) -> None:
    conversation = talk_at("await")
    if pausing:
        conversation.hear(a_decision())
    interruption = kind()

    assert conversation.fail(interruption) == Withdraw("1", f"interrupted by {kind.__name__}", 1.0)
    assert conversation.leave() is interruption


@interruptions
def test_an_interrupted_claim_is_reported_as_not_started_then_withdrawn(kind: type[BaseException]) -> None:
    conversation = talk_at("claim")
    interruption = kind()
    reason = f"interrupted by {kind.__name__}"

    assert conversation.fail(interruption) == Report("1", NONCE, _not_started(reason), 1.0)
    assert conversation.hear(a_decision(Status.EXECUTING, nonce=NONCE)) == Withdraw("1", reason, 1.0)
    assert conversation.leave() is interruption


@everywhere
def test_a_conversation_that_is_closed_says_no_more(place: str) -> None:
    conversation = talk_at(place)
    closing = GeneratorExit()

    assert conversation.fail(closing) is None
    assert conversation.error is closing


@everywhere
def test_a_second_interruption_is_not_held_up(place: str) -> None:
    conversation = talk_at(place)
    conversation.fail(KeyboardInterrupt())
    second = KeyboardInterrupt()

    assert conversation.fail(second) is None
    assert conversation.error is second


# ---------------------------------------------------------------------------------------------------------------------
# The outcome
# ---------------------------------------------------------------------------------------------------------------------

COMPLETED = Outcome(Status.COMPLETED, duration=0.25)


def a_report(offers: frozenset[str] = LEVEL_2) -> Talk[None]:
    clock = Clock()
    grant = Grant("1", ACTION.digest, a_decision(Status.EXECUTING, offers=offers), "our-key", NONCE, "center")
    return Talk(flow.report(grant, COMPLETED, terms(clock)), clock)


def test_the_outcome_is_reported_under_the_claims_nonce_within_two_seconds() -> None:
    conversation = a_report()

    assert conversation.said == Report("1", NONCE, COMPLETED, 2.0)
    assert conversation.hear(a_decision(Status.COMPLETED)) is None
    assert conversation.error is None


def test_an_outcome_that_gets_lost_is_reported_again_but_not_for_long() -> None:
    conversation = a_report()
    fault = outage(transient=True)

    for pause in (0.5, 1.0):
        assert conversation.fail(fault) == Pause(pause)
        conversation.wait()
        assert conversation.said == Report("1", NONCE, COMPLETED, 2.0)
    assert conversation.fail(fault) is None
    assert conversation.error is fault


def test_a_server_that_wants_no_outcomes_gets_none() -> None:
    conversation = a_report(LEVEL_1)

    assert (conversation.said, conversation.error) == (None, None)


# ---------------------------------------------------------------------------------------------------------------------
# Whatever is answered
# ---------------------------------------------------------------------------------------------------------------------

decisions = st.builds(
    Decision,
    st.sampled_from(["1", "1", "1", "2"]),
    st.sampled_from([*Status, Status.PENDING, Status.PENDING, Status.APPROVED, Status.EXECUTING]),
    nonce=st.sampled_from([None, "", "another-nonce", NONCE]),
    offers=st.sampled_from([LEVEL_2, LEVEL_1]) | st.frozensets(st.sampled_from(sorted(LEVEL_2))),
    retry_after=st.sampled_from([None, 0.0, 1.0, 1e9]),
)
faults = st.one_of(
    st.builds(outage, transient=st.booleans(), retry_after=st.sampled_from([None, 0.0, 1.0, 1e9])),
    st.builds(ActionDenied, st.just("The transport decides.")),
    st.builds(KeyboardInterrupt),
    st.builds(asyncio.CancelledError),
    st.builds(ValueError),
)
replies = st.one_of(decisions, decisions, decisions, faults, st.sampled_from([None, True, "approved"]))


class Heard:
    """All that was said and answered in one conversation, and what it came to."""

    def __init__(self, replies: list[object]) -> None:
        self.exchanges: list[tuple[Command | Pause, object]] = []
        conversation = talk()
        remaining = iter(replies)
        while (said := conversation.said) is not None:
            reply = next(remaining, outage())
            if isinstance(said, Pause) and not isinstance(reply, (KeyboardInterrupt, asyncio.CancelledError)):
                conversation.wait()
                continue
            self.exchanges.append((said, reply))
            if isinstance(reply, BaseException):
                conversation.fail(reply)
            else:
                conversation.hear(reply)
        self.grant, self.error = conversation.result, conversation.error

    def decisions_on(self, *kinds: type[Command]) -> list[Decision]:
        return [reply for said, reply in self.exchanges if isinstance(said, kinds) and isinstance(reply, Decision)]


@given(st.lists(replies, max_size=12))
def test_a_grant_follows_only_on_a_seen_yes(replies: list[object]) -> None:
    heard = Heard(replies)
    if heard.grant is None:
        return

    last = heard.exchanges[-1][1]
    assert isinstance(last, Decision)
    assert last.action_id == heard.decisions_on(Submit)[0].action_id
    offered = frozenset().union(*(decision.offers for decision in heard.decisions_on(Submit, Await)))
    if heard.grant.assurance == "center":
        assert (last.status, last.nonce) == (Status.EXECUTING, NONCE)
    else:
        assert (last.status, heard.grant.assurance) == (Status.APPROVED, "local")
        assert "claim" not in offered


@given(st.lists(replies, max_size=12))
def test_what_is_no_grant_is_a_refusal_or_the_interruption_itself(replies: list[object]) -> None:
    heard = Heard(replies)

    assert (heard.grant is None) == (heard.error is not None)
    if not isinstance(heard.error, AuthorizationError):
        assert heard.error is None or heard.error in replies


@given(st.lists(replies, max_size=12))
def test_a_claim_is_made_only_for_an_action_that_was_just_seen_approved_and_only_one(replies: list[object]) -> None:
    heard = Heard(replies)

    claims = [said for said, _ in heard.exchanges if isinstance(said, Claim)]
    assert len(set(claims)) <= 1
    if claims:
        approved = heard.decisions_on(Submit, Await)[-1]
        assert (approved.status, approved.action_id) == (Status.APPROVED, claims[0].action_id)


@given(st.lists(replies, max_size=12))
def test_after_an_interruption_nothing_is_said_that_could_lead_to_a_run(replies: list[object]) -> None:
    exchanges = Heard(replies).exchanges

    interrupted = [n for n, (_, reply) in enumerate(exchanges) if isinstance(reply, (KeyboardInterrupt, ValueError))]
    for said, _ in exchanges[interrupted[0] + 1 :] if interrupted else []:
        assert isinstance(said, (Submit, Report, Withdraw))
        assert said.timeout == flow.WITHDRAW_WITHIN


@given(st.lists(replies, max_size=12))
def test_a_submit_is_always_the_same_request(replies: list[object]) -> None:
    submits = {said.key for said, _ in Heard(replies).exchanges if isinstance(said, Submit)}

    assert submits == {"our-key"}
