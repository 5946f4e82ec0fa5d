"""The conversation with the Center, written once, without any I/O.

Each function here is a generator: it yields what is to be sent (`Command`) or how long to wait (`Pause`), is
sent the `Decision` that came back, or is thrown what went wrong. A driver carries it; a test drives it by hand.
A conversation that is closed (GeneratorExit) can say no more; what it asked for expires, as if the process had died.

    The only point after which a body may run is a seen yes to a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar

from clearance import lifecycle
from clearance.commands import Await, Claim, Command, Pause, Report, Submit, Withdraw
from clearance.errors import (
    ActionChanged,
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    AuthorizationError,
    AuthorizationUnavailable,
)
from clearance.models import Action, Decision, Grant, Json, Outcome, Status

S = TypeVar("S")
T = TypeVar("T")
Conversation: TypeAlias = Generator[Command | Pause, Decision | None, T]

Amend: TypeAlias = Callable[[Mapping[str, Json]], str]

FIRST_PAUSE = 0.5
"""Seconds before the first retry, and between polls of a server that does not hold answers back."""
LONGEST_PAUSE = 3.0
"""Seconds between retries, unless the server asks for more; with the chance in them, half as much again at most."""
LONGEST_RETRY_AFTER = 60.0
"""Seconds of a server's ``Retry-After`` that are believed."""
LONGEST_HOLD = 30.0
"""Seconds that a server is asked to hold an answer back."""
CLAIM_WITHIN = 10.0
"""Seconds to get an answer to a claim, retries included; after them the call is refused."""
WITHDRAW_WITHIN = 1.0
"""Seconds that a withdrawal may delay whatever interrupted the wait."""
ALREADY_EXECUTED = "already_executed"
"""The reason code of a late poll: the approval was spent, and not by whoever asks."""
REPORT_WITHIN = 2.0
"""Seconds that reporting an outcome may take; it never changes what the body returned."""


@dataclass(slots=True)
class Terms:
    """What one conversation is given from outside: its names, its clock and its patience.

    ``key`` and ``nonce`` are fresh random text: the request's name and the claim's. ``now`` reads a monotonic
    clock, ``jitter`` returns a number from 0 to 1. ``timeout`` is the seconds one exchange may take.
    ``on_wait`` is told each answer that leaves the action pending. ``patience`` is the seconds that this conversation
    waits for the decision, where that is less than the action gives it. If ``keeps``, a request that nobody has
    decided on by then, or when the wait is interrupted, is not withdrawn: the same key joins it.
    """

    key: str
    nonce: str
    now: Callable[[], float]
    jitter: Callable[[], float]
    timeout: float = 30.0
    on_wait: Callable[[Action, Decision], None] | None = None
    patience: float | None = None
    keeps: bool = False


def authorization(action: Action, terms: Terms, amend: Amend | None = None) -> Conversation[Grant]:
    """Ask for the action, wait for the decision, spend the approval.

    Where the approver changed parameters, ``amend`` is given them: it makes the call what was cleared and returns
    its digest, or raises an AuthorizationError if it cannot.

    Raises:
        ActionDenied, ActionUndecided, AuthorizationUnavailable: in each case the call may not run.
    """
    decision = yield from _answered(action, terms)
    if _is_ours(decision, terms) and not decision.edits:
        return _grant(action, decision, terms, "center")
    if decision.status is not Status.APPROVED:
        _refuse(action, decision)
    try:
        digest = _amended(action, decision, amend)
    except AuthorizationError as error:
        error.action, error.decision = action, decision
        yield from _withdrawn(decision, error.reason_code)
        raise
    if "claim" not in decision.offers:
        return _grant(action, decision, terms, "local")
    return (yield from claimed(action, decision, terms, digest))


def consultation(action: Action, terms: Terms) -> Conversation[Decision]:
    """Ask for the action and wait for the decision, without ever spending an approval: it is withdrawn at once.

    Raises:
        ActionUndecided, AuthorizationUnavailable: there is no decision.
    """
    decision = yield from _answered(action, replace(terms, nonce=""))
    if decision.status is Status.APPROVED:
        yield from _withdrawn(decision, "only asked, not to be run")
    if decision.status is Status.EXPIRED:
        _refuse(action, decision)
    return decision


def _answered(action: Action, terms: Terms) -> Conversation[Decision]:
    deadline = terms.now() + _patience(action, terms)
    try:
        submitted = yield from _submitted(action, terms, deadline)
        return (yield from _decided(action, submitted, terms, deadline))
    except AuthorizationError as error:
        error.action = action
        raise


def report(grant: Grant, outcome: Outcome, terms: Terms) -> Conversation[None]:
    """Say what came of the call. Raises AuthorizationUnavailable if the Center could not be told in time."""
    if "outcome" not in grant.decision.offers:
        return
    command = Report(grant.action_id, grant.nonce, outcome, min(terms.timeout, REPORT_WITHIN))
    yield from _persistently(command, terms, terms.now() + REPORT_WITHIN)


def _submitted(action: Action, terms: Terms, deadline: float) -> Conversation[Decision]:
    """Submit; whoever interrupts it, the request is found again by its key and closed."""
    submit = Submit(action, terms.key, terms.nonce, terms.timeout)
    try:
        return (yield from _persistently(submit, terms, deadline))
    except (AuthorizationError, GeneratorExit):
        raise
    except BaseException as interruption:
        try:
            found = yield replace(submit, timeout=WITHDRAW_WITHIN)
        except AuthorizationUnavailable:
            raise interruption from None
        if isinstance(found, Decision) and not (terms.keeps and found.status is Status.PENDING):
            yield from _not_started(found, terms, _why(interruption))
        raise


def _decided(action: Action, decision: Decision, terms: Terms, deadline: float) -> Conversation[Decision]:
    """Wait while the action is pending; whoever interrupts the wait, the request is withdrawn first."""
    on_wait = partial(terms.on_wait, action) if terms.on_wait else None
    try:
        decided = yield from awaited(decision, terms, deadline, on_wait)
        if decided.status is Status.PENDING:
            left_so = "is left to be joined" if terms.keeps else "was withdrawn"
            raise ActionUndecided(
                f"Nobody decided on {action.action_type!r} ({action.tool_name}) "
                f"within {_patience(action, terms):g} seconds; the request {left_so}.",
                next_step="Ask again when an approver is there, or give it more time with timeout=.",
                reason_code="undecided",
                decision=decided,
            )
    except GeneratorExit:
        raise
    except BaseException as interruption:
        if not terms.keeps:
            yield from _withdrawn(decision, _why(interruption))
        raise
    return decided


def awaited(
    asked: Decision, terms: Terms, deadline: float, on_wait: Callable[[Decision], None] | None = None
) -> Conversation[Decision]:
    """Wait while the action is pending; returns how it stands, which at the deadline may be pending still."""
    pause = FIRST_PAUSE
    decision = asked
    while decision.status is Status.PENDING:
        if on_wait:
            on_wait(decision)
        left = deadline - terms.now()
        if left <= 0:
            break
        hold = min(left, LONGEST_HOLD) if "wait" in asked.offers else 0.0
        started = terms.now()
        answer = yield from _persistently(Await(asked.action_id, hold, hold + terms.timeout), terms, deadline)
        decision = _same_action(asked, answer)
        # A server that holds answers paces us; one that answered at once, or never holds, is paced by us.
        if decision.status is Status.PENDING and terms.now() - started < hold / 2 + FIRST_PAUSE / 2:
            wanted = _spread(pause, decision.retry_after, terms)
            yield Pause(max(0.0, min(wanted, deadline - terms.now())))
            pause = min(pause * 1.5, LONGEST_PAUSE)
    return decision


def _patience(action: Action, terms: Terms) -> float:
    return action.decide_within if terms.patience is None else min(terms.patience, action.decide_within)


def claimed(action: Action, decision: Decision, terms: Terms, digest: str) -> Conversation[Grant]:
    """Spend the approval, for the call with this digest.

    Raises:
        ActionDenied, AuthorizationUnavailable: it is not ours to run.
    """
    edited_digest = digest if decision.edits else None
    claim = Claim(decision.action_id, action.digest, terms.nonce, min(terms.timeout, CLAIM_WITHIN), edited_digest)
    try:
        answer = yield from _persistently(claim, terms, terms.now() + CLAIM_WITHIN)
        spent = _same_action(decision, answer)
    except GeneratorExit:
        raise
    except BaseException as interruption:
        # The claim may have been granted unseen. We know that nothing ran; say so, then let go.
        yield from _not_started(decision, terms, _why(interruption))
        if isinstance(interruption, AuthorizationError):
            interruption.action = action
        raise
    if not _is_ours(spent, terms):
        _refuse(action, spent)
    # What was cleared is what the decision said; a claim's answer cannot change it any more.
    return _grant(action, replace(spent, edits=decision.edits), terms, "center", digest)


def _persistently(command: Command, terms: Terms, deadline: float) -> Conversation[Decision]:
    """One command, repeated as `persistently` does, whose answer is a decision."""
    return _checked((yield from persistently(command, terms, deadline)))


def persistently(step: S, terms: Terms, deadline: float) -> Generator[S | Pause, Any, Any]:
    """One exchange, repeated under the same key while the fault may pass and time is left."""
    pause = FIRST_PAUSE
    while True:
        try:
            return (yield step)
        except AuthorizationUnavailable as fault:
            wanted = _spread(pause, fault.retry_after, terms)
            if not fault.transient or terms.now() + wanted >= deadline:
                raise
            yield Pause(wanted)
            pause = min(pause * 2, LONGEST_PAUSE)


def _checked(answer: object) -> Decision:
    """The answer, if it is a decision with a status that there is."""
    if isinstance(answer, Decision) and isinstance(answer.status, Status):
        return answer
    is_decision = isinstance(answer, Decision)
    what = "a Decision whose status is no Status" if is_decision else f"a {type(answer).__name__}, not with a Decision"
    raise AuthorizationUnavailable(
        f"The transport answered with {what}.",
        reason_code="bad_answer",
        next_step="This is a fault of the transport; see the transport's documentation.",
    )


def _withdrawn(decision: Decision, reason: str) -> Conversation[None]:
    """Close the request if that can be done quickly; what interrupted the wait goes on in any case."""
    if "withdraw" not in decision.offers:
        return
    with suppress(AuthorizationUnavailable):
        yield Withdraw(decision.action_id, reason, WITHDRAW_WITHIN)


def _not_started(decision: Decision, terms: Terms, reason: str) -> Conversation[None]:
    """Close a request whose approval may have been spent by us, unseen: nothing ran, and nothing will."""
    outcome = Outcome(Status.FAILED, "not_started", 0.0, (reason,))
    with suppress(AuthorizationUnavailable):
        yield Report(decision.action_id, terms.nonce, outcome, WITHDRAW_WITHIN)
    yield from _withdrawn(decision, reason)


def _is_ours(decision: Decision, terms: Terms) -> bool:
    return decision.status is Status.EXECUTING and decision.nonce == terms.nonce


def _same_action(asked: Decision, answer: Decision) -> Decision:
    """The answer, if it is about this action. What the server can do it said on submit, and cannot take back."""
    if answer.action_id != asked.action_id:
        raise AuthorizationUnavailable(
            f"The Center answered about action {answer.action_id} when asked about {asked.action_id}.",
            reason_code="bad_answer",
            next_step="Do not trust this address; check what stands between here and the Center.",
        )
    return replace(answer, offers=asked.offers | answer.offers)


def _grant(action: Action, decision: Decision, terms: Terms, assurance: str, digest: str | None = None) -> Grant:
    return Grant(decision.action_id, digest or action.digest, decision, terms.key, terms.nonce, assurance)


def _amended(action: Action, decision: Decision, amend: Amend | None) -> str:
    """The digest of what was cleared: of the call as it was asked, or as the approver changed it."""
    if not decision.edits:
        return action.digest
    if amend is None or "claim" not in decision.offers or not decision.edits.keys() <= set(action.editable):
        raise ActionChanged(
            f"{decision.decided_by or 'The approver'} cleared {action.action_type!r} ({action.tool_name}) with other "
            f"parameters than were asked for ({', '.join(sorted(decision.edits))}), which this guard does not allow.",
            next_step="Name the parameters that an approver may change in editable=, or ask again with these values.",
            reason_code="not_editable",
        )
    return amend(decision.edits)


def _spread(pause: float, asked: float | None, terms: Terms) -> float:
    """Seconds until we come back, by chance not with all the others: around ``pause``, or after what the server asked.

    Thousands that wait lose their connections at the same moment when a Center ends.
    """
    if asked:
        asked = min(asked, LONGEST_RETRY_AFTER)
        return asked + min(asked, LONGEST_PAUSE) * terms.jitter()
    return pause * (0.5 + terms.jitter())


def _why(interruption: BaseException) -> str:
    if isinstance(interruption, AuthorizationError):
        return interruption.reason_code
    return f"interrupted by {type(interruption).__name__}"


def _refuse(action: Action, decision: Decision) -> NoReturn:
    what = f"{action.action_type!r} ({action.tool_name}), action {decision.action_id},"
    because = f": {decision.reason.rstrip('.')}" if decision.reason else ""
    code = decision.reason_code or decision.status.value
    if decision.status is Status.EXPIRED:
        raise ActionUndecided(
            f"Nobody decided on {what} in time.",
            next_step="Ask again when an approver is there.",
            reason_code=code,
            action=action,
            decision=decision,
        )
    if decision.status in lifecycle.CLAIMED or decision.reason_code == ALREADY_EXECUTED:
        raise AlreadyClaimed(
            f"The approval of {what} was already spent by another run.",
            next_step="Look up what that run did before asking again.",
            action=action,
            decision=decision,
        )
    who = f" by {decision.decided_by}" if decision.decided_by else ""
    word = "was denied" if decision.status is Status.DENIED else f"is {decision.status}"
    raise ActionDenied(
        f"{what} {word}{who}{because}.",
        next_step="Do not retry it unchanged; talk to whoever refused it.",
        reason_code=code,
        action=action,
        decision=decision,
    )
