"""The client's conversations, driven by hand: no network, no clock, no chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.helpers import LEVEL_1, LEVEL_2, a_decision

from clearance import (
    ActionDenied,
    ActionUndecided,
    AuthorizationUnavailable,
    ConfigurationError,
    Status,
    dialogues,
)
from clearance.commands import Await, Claim, Pause, Report, Withdraw
from clearance.flow import FIRST_PAUSE, LONGEST_HOLD, Terms
from clearance.told import ActionDetails, Connection
from clearance.wire.inquiring import Inquiry

FIELDS = {"agent_id": "a", "action_type": "b", "tool_name": "c", "description": "d"}
LOST = AuthorizationUnavailable("Lost.", reason_code="timeout", transient=True)
CLEARED = a_decision(Status.APPROVED)
OURS = a_decision(Status.EXECUTING, nonce="our-nonce")


class Time:
    """A clock that only pauses and held answers move."""

    def __init__(self) -> None:
        self.now = 0.0


def terms(time: Time | None = None) -> Terms:
    time = time or Time()
    return Terms("our-key", "our-nonce", lambda: time.now, lambda: 0.5, 30.0)


def carried(dialogue: Any, *answers: Any, time: Time | None = None) -> tuple[list[Any], Any]:
    """The steps that were taken with these answers, one after the other, and what came of it."""
    steps: list[Any] = []
    left = list(answers)
    answer: Any = None
    while True:
        try:
            step = dialogue.throw(answer) if isinstance(answer, BaseException) else dialogue.send(answer)
        except StopIteration as done:
            assert left == []
            return steps, done.value
        except Exception as error:
            assert left == []
            return steps, error
        steps.append(step)
        if isinstance(step, Pause):
            answer = None
            if time:
                time.now += step.seconds
        else:
            answer = left.pop(0)


def inquired(steps: list[Any]) -> list[tuple[str, str]]:
    return [(step.request.method, step.request.path) for step in steps if isinstance(step, Inquiry)]


def test_a_decision_in_hand_is_not_asked_for_again() -> None:
    assert carried(dialogues.decided(CLEARED, 60, terms())) == ([], CLEARED)


def test_a_center_is_asked_to_hold_its_answer_and_never_longer_than_the_caller_waits() -> None:
    steps, found = carried(dialogues.decided(a_decision(), 10, terms()), CLEARED)

    assert steps == [Await("1", 10, 40.0)]
    assert found == CLEARED
    assert carried(dialogues.decided(a_decision(), 900, terms()), CLEARED)[0] == [
        Await("1", LONGEST_HOLD, LONGEST_HOLD + 30)
    ]


def test_a_plain_server_is_polled_at_its_own_pace() -> None:
    time = Time()
    waiting = a_decision(offers=LEVEL_1)
    busy = a_decision(offers=LEVEL_1, retry_after=20.0)
    steps, found = carried(dialogues.decided(waiting, 60, terms(time)), waiting, busy, CLEARED, time=time)

    assert [step.hold for step in steps if isinstance(step, Await)] == [0.0] * 3
    first, second = [step.seconds for step in steps if isinstance(step, Pause)]
    assert first == FIRST_PAUSE
    assert second >= 20.0
    assert found.status is Status.APPROVED


def test_a_wait_ends_at_its_deadline_with_the_last_answer() -> None:
    time = Time()
    waiting = a_decision(offers=LEVEL_1)
    _, error = carried(dialogues.decided("1", 0.4, terms(time)), waiting, waiting, time=time)

    assert isinstance(error, ActionUndecided)
    assert error.decision == waiting
    assert time.now == 0.4


def test_a_wait_for_one_action_does_not_take_the_decision_of_another() -> None:
    _, error = carried(dialogues.decided(a_decision(), 60, terms()), a_decision(Status.APPROVED, action_id="2"))
    assert isinstance(error, AuthorizationUnavailable)
    assert error.reason_code == "bad_answer"


@pytest.mark.parametrize(("is_keyed", "times"), [(True, 2), (False, 1)])
def test_a_submit_is_repeated_only_where_its_key_counts(is_keyed: bool, times: int) -> None:
    answers = [LOST, CLEARED][:times]
    steps, found = carried(dialogues.submitted(FIELDS, terms(), is_keyed=is_keyed), *answers)

    sent = [step.request for step in steps if isinstance(step, Inquiry)]
    assert len(sent) == times
    assert all(request is sent[0] for request in sent)
    assert sent[0].headers["Idempotency-Key"] == "our-key"
    assert found is (CLEARED if is_keyed else LOST)


def test_a_claim_is_for_the_digest_that_the_center_tells() -> None:
    about = ActionDetails(CLEARED, "a", "b", "c", "d", digest="its-digest")
    steps, found = carried(dialogues.claimed(CLEARED, terms()), about, OURS)

    assert inquired(steps) == [("GET", "/api/v1/actions/1")]
    assert steps[1:] == [Claim("1", "its-digest", "our-nonce", 10.0)]
    assert found == OURS


@pytest.mark.parametrize(
    "answer",
    [
        a_decision(Status.EXECUTING, nonce="another"),
        a_decision(Status.EXECUTING),
        a_decision(Status.REVOKED),
        a_decision(Status.APPROVED),
        a_decision(Status.PENDING),
    ],
    ids=lambda answer: f"{answer.status} {answer.nonce}",
)
def test_anything_but_our_own_claim_is_a_refusal(answer: Any) -> None:
    _, error = carried(dialogues.claimed(CLEARED, terms()), ActionDetails(CLEARED, digest="d"), answer)
    assert isinstance(error, ActionDenied)


@pytest.mark.parametrize("fault", [KeyboardInterrupt, lambda: AuthorizationUnavailable("No.")], ids=["ctrl-c", "fault"])
def test_a_claim_that_may_have_been_granted_unseen_is_told_not_to_have_started(
    fault: Callable[[], BaseException],
) -> None:
    dialogue = dialogues.claimed(CLEARED, terms())
    next(dialogue)
    assert isinstance(dialogue.send(ActionDetails(CLEARED, digest="d")), Claim)
    told = dialogue.throw(fault())

    assert isinstance(told, Report)
    assert (told.nonce, told.outcome.error_type) == ("our-nonce", "not_started")
    assert isinstance(dialogue.send(OURS), Withdraw)
    with pytest.raises((KeyboardInterrupt, AuthorizationUnavailable)):
        dialogue.send(OURS)


def test_an_outcome_of_a_claim_in_hand_is_one_exchange() -> None:
    said = dialogues.outcome_of("completed", None, 1.0, ("x" * 600,) * 30)
    steps, _ = carried(dialogues.reported(OURS, said, terms()), a_decision(Status.COMPLETED))

    assert steps == [Report("1", "our-nonce", said, 30.0)]
    assert (len(said.notes), len(said.notes[0])) == (20, 500)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_a_length_of_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="seconds"):
        dialogues.outcome_of("failed", None, seconds, ())


def test_one_note_is_one_note() -> None:
    assert dialogues.outcome_of("failed", "KeyError", 0.0, "no such charge").notes == ("no such charge",)


def test_a_connection_is_one_only_after_the_key_was_shown_to_count() -> None:
    healthy, public = Connection("", reachable=True), Connection("", reachable=True, version="2")

    steps, found = carried(dialogues.connected("u", 5.0, lambda: 0.0), healthy, public, [])
    assert inquired(steps)[-1] == ("GET", "/api/v1/actions?limit=1")
    assert bool(found) is True

    refusal = AuthorizationUnavailable("No.", reason_code="bad_key")
    _, found = carried(dialogues.connected("u", 5.0, lambda: 0.0), healthy, public, refusal)
    assert (bool(found), found.reachable, found.problem) == (False, True, refusal)


@pytest.mark.parametrize(
    ("offers", "level"), [(LEVEL_2, 2), (LEVEL_1, 1), (LEVEL_2 - {"claim"}, 1)], ids=["all", "none", "no claim"]
)
def test_a_server_is_of_level_2_if_it_offers_all_of_it(offers: frozenset[str], level: int) -> None:
    assert Connection("u", offers=offers).level == level
