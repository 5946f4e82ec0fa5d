"""What a client does, written once, without any I/O; its sync and its async side only carry the steps.

Each function is a generator, as those of `flow`: it yields a command, an inquiry or a pause, and is sent the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeAlias, TypeVar

from clearance import flow, lifecycle
from clearance.commands import Await, Report, Withdraw
from clearance.errors import ActionUndecided, AuthorizationError, AuthorizationUnavailable, ConfigurationError
from clearance.flow import Terms
from clearance.models import MAX_NOTE_LENGTH, MAX_NOTES, Action, Decision, Outcome, Status
from clearance.told import ActionDetails, Connection, KillSwitchStatus
from clearance.wire import inquiring, submitting
from clearance.wire.inquiring import Inquiry

T = TypeVar("T")
Dialogue: TypeAlias = Generator[Any, Any, T]
AnyAction: TypeAlias = "Decision | ActionDetails | int | str"
"""Which action: what a method of the client returned, or its id."""

CHECK_TIMEOUT: Final = 10.0
"""Seconds that a status check may take."""
CONNECTION_TEST_TIMEOUT: Final = 5.0
"""Seconds that each exchange of a connection test may take."""


def connected(url: str, timeout: float, wall_clock: Callable[[], float]) -> Dialogue[Connection]:
    """Reach the Center, and have the key verified. What goes wrong is told in the answer."""
    found = Connection(url)
    try:
        found = replace((yield inquiring.health(timeout, wall_clock)), url=url)
        told: Connection = yield inquiring.deployment(timeout)
        found = replace(told, url=url, authenticated=False, clock_ahead=found.clock_ahead)
        if not told.authenticated:  # it did not say what the key may do, so it may have answered to any key
            yield inquiring.own_actions(timeout)
        return replace(found, authenticated=True)
    except AuthorizationUnavailable as problem:
        return replace(found, problem=problem)


def submitted(fields: Mapping[str, Any], terms: Terms, *, is_keyed: bool) -> Dialogue[Decision]:
    """Ask, in ASCEND's own field names.

    Only a server that ``is_keyed`` is asked again after a fault: another may have taken it, and would take it twice.
    """
    with _undone("Nothing was asked."):
        inquiry = submitting.submission(fields, terms.key, terms.timeout)
    with _undone("Whether the request was taken is not known; nothing was cleared."):
        deadline = terms.now() + (terms.timeout if is_keyed else 0.0)
        decision: Decision = yield from flow.persistently(inquiry, terms, deadline)
    return decision


def standing(action: AnyAction, timeout: float) -> Dialogue[Decision]:
    """How an action stands now."""
    with _undone("Nothing was changed."):
        decision: Decision = yield Await(id_of(action), 0.0, timeout)
    return decision


def decided(action: AnyAction, within: float, terms: Terms) -> Dialogue[Decision]:
    """Wait until somebody or some rule has decided."""
    deadline = terms.now() + within
    with _undone("Nothing was cleared, and the request stays as it is."):
        asked = action if isinstance(action, Decision) else (yield from _known(action, terms, deadline))
        decision = yield from flow.awaited(asked, terms, deadline)
        if decision.status is not Status.PENDING:
            return decision
        raise ActionUndecided(
            f"Nobody decided on action {decision.action_id} within {within:g} seconds.",
            next_step="Wait again, or withdraw it.",
            reason_code="undecided",
            decision=decision,
        )


def claimed(action: AnyAction, terms: Terms) -> Dialogue[Decision]:
    """Spend the approval of an action, for exactly what the server says was asked."""
    deadline = terms.now() + terms.timeout
    asked = yield from _known(action, terms, deadline)
    _require(asked, "claim", "so it cannot promise that nobody else runs the same approval")
    about: ActionDetails = yield from flow.persistently(
        inquiring.details(asked.action_id, terms.timeout), terms, deadline
    )
    known = about.agent_id, about.action_type, about.tool_name, about.description, about.parameters, about.digest
    grant = yield from flow.claimed(Action(*known, decide_within=0.0, run_within=0.0), asked, terms, about.digest)
    return grant.decision


def withdrawn(action: AnyAction, reason: str, terms: Terms) -> Dialogue[Decision]:
    """Say that an action is no longer wanted."""
    deadline = terms.now() + terms.timeout
    with _undone("The request was not withdrawn."):
        asked = yield from _known(action, terms, deadline)
        _require(asked, "withdraw", "so the request stays open until somebody decides or its time is over")
        command = Withdraw(asked.action_id, reason, terms.timeout)
        decision: Decision = yield from flow.persistently(command, terms, deadline)
    return decision


def reported(action: AnyAction, outcome: Outcome, terms: Terms) -> Dialogue[None]:
    """Say what came of an approved action. Where it was not claimed yet, it is on the way."""
    deadline = terms.now() + terms.timeout
    with _undone("The outcome was not taken."):
        claim = action if isinstance(action, Decision) and action.nonce else None
        asked = claim or (yield from _known(action, terms, deadline))
        if "outcome" not in asked.offers:
            yield from flow.persistently(_plainly(asked, outcome, terms.timeout), terms, deadline)
            return
        if claim is None:
            claim = yield from claimed(asked, terms)
        command = Report(claim.action_id, claim.nonce or "", outcome, terms.timeout)
        answer: Decision = yield from flow.persistently(command, terms, deadline)
        if answer.status is not outcome.status:
            raise AuthorizationUnavailable(
                f"The Center has action {answer.action_id} as {answer.status}, not as {outcome.status}.",
                reason_code="conflict",
                next_step="The first outcome stands; look up who reported it.",
                decision=answer,
            )


def listed(status: Status | str | None, limit: int, offset: int) -> Dialogue[list[ActionDetails]]:
    """Actions, newest first."""
    return _looked_up(inquiring.listing(status, limit, offset, CHECK_TIMEOUT))


def known(action: AnyAction) -> Dialogue[ActionDetails]:
    """All about one action."""
    return _looked_up(inquiring.details(id_of(action), CHECK_TIMEOUT))


def stopped(agent_id: str | None) -> Dialogue[KillSwitchStatus]:
    """Is this key, or that agent, stopped?"""
    return _looked_up(inquiring.kill_switch(agent_id, CHECK_TIMEOUT))


def outcome_of(word: Status | str, error_type: str | None, seconds: float, notes: Collection[str]) -> Outcome:
    """What came of a run, if it can be meant.

    Raises:
        ConfigurationError: it is neither completed, failed nor unknown, or took no length of time.
    """
    words = sorted(lifecycle.OUTCOMES)
    if word not in words:
        raise ConfigurationError(f"{word!r} is no outcome.", next_step=f"Say {', '.join(words)}.")
    if not 0 <= seconds < math.inf:
        raise ConfigurationError(f"seconds={seconds!r} is no length of time.", next_step="Leave it out.")
    lines = (notes,) if isinstance(notes, str) else tuple(notes)
    return Outcome(Status(word), error_type, seconds, tuple(note[:MAX_NOTE_LENGTH] for note in lines[:MAX_NOTES]))


def id_of(action: AnyAction) -> str:
    """The id of an action.

    Raises:
        ConfigurationError: it is none.
    """
    found = action.action_id if isinstance(action, (Decision, ActionDetails)) else str(action)
    if isinstance(action, bool) or not (found.isascii() and found.isdigit()):
        raise ConfigurationError(
            f"{found[:40]!r} is no id of an action.", next_step="Give the number, or what submit_action() returned."
        )
    return found


def _known(action: AnyAction, terms: Terms, deadline: float) -> Dialogue[Decision]:
    """How the action stands, with what the server offers for it."""
    if isinstance(action, Decision):
        return action
    decision: Decision = yield from flow.persistently(
        Await(id_of(action), 0.0, min(CHECK_TIMEOUT, terms.timeout)), terms, deadline
    )
    return decision


def _looked_up(inquiry: Inquiry[T]) -> Dialogue[T]:
    with _undone("Nothing was changed."):
        found: T = yield inquiry
    return found


def _plainly(asked: Decision, outcome: Outcome, timeout: float) -> Inquiry[None]:
    if outcome.status is Status.UNKNOWN:
        raise _not_offered(asked, "outcome", "and a plain ASCEND server has no word for an unknown outcome")
    said = {
        "error_type": outcome.error_type,
        "duration_ms": round(outcome.duration * 1000),
        "notes": list(outcome.notes),
    }
    return inquiring.plain_outcome(asked.action_id, outcome.status, said, timeout)


def _require(asked: Decision, offer: str, consequence: str) -> None:
    if offer not in asked.offers:
        raise _not_offered(asked, offer, consequence)


def _not_offered(asked: Decision, offer: str, consequence: str) -> AuthorizationUnavailable:
    return AuthorizationUnavailable(
        f"This server offers no {offer} for action {asked.action_id}, {consequence}.",
        reason_code="not_offered",
        next_step="A Clearance Center offers it; see Connection.level of test_connection().",
    )


@contextmanager
def _undone(what: str) -> Iterator[None]:
    """Errors in the block say this of what was not done: no call stands behind them that could have run."""
    try:
        yield
    except AuthorizationError as error:
        error.not_run = what
        raise
