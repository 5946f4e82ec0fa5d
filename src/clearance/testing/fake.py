"""An Authorization Center small enough to read: one approver, who is a function; time that only moves when waited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from clearance import lifecycle
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.errors import AuthorizationUnavailable
from clearance.lifecycle import Event
from clearance.models import Action, Decision, Json, Outcome, Status

OFFERS = frozenset({"status", "wait", "claim", "outcome", "withdraw"})


class VirtualClock:
    """Time that passes only when somebody waits, and then at once."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        """Seconds since the clock was made."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` have passed."""
        self._now += max(0.0, seconds)

    async def asleep(self, seconds: float) -> None:
        """As `sleep`."""
        self.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an approver would see of one request, and what has become of it.

    ``parameters`` is the redacted view. ``outcome`` is set once the body was reported on.
    """

    action: Action
    decision: Decision
    outcome: Outcome | None = None

    @property
    def action_type(self) -> str:
        """What kind of thing is asked for."""
        return self.action.action_type

    @property
    def tool_name(self) -> str:
        """What it would be done with."""
        return self.action.tool_name

    @property
    def description(self) -> str:
        """The sentence an approver reads."""
        return self.action.description

    @property
    def parameters(self) -> Mapping[str, Json]:
        """The arguments, as an approver sees them."""
        return self.action.parameters

    @property
    def resource(self) -> str | None:
        """What it would be done to."""
        return self.action.resource

    @property
    def status(self) -> Status:
        """How the action stands now."""
        return self.decision.status

    @property
    def ran(self) -> bool:
        """Was the approval spent, so that the body may have run?"""
        return self.status in lifecycle.CLAIMED


Answer: TypeAlias = bool | Decision | None


class _Request:
    """One request, as the fake keeps it; ``said`` is the approver's own Decision, where it gave one."""

    __slots__ = ("action", "action_id", "by_approver", "edited_digest", "nonce", "outcome", "said", "status")

    def __init__(self, action: Action, action_id: str) -> None:
        self.action = action
        self.action_id = action_id
        self.status = Status.PENDING
        self.said: Decision | None = None
        self.by_approver = False
        self.nonce: str | None = None
        self.edited_digest: str | None = None
        self.outcome: Outcome | None = None

    def move(self, event: Event) -> bool:
        """Move as the lifecycle allows it; False if it does not."""
        try:
            self.status = lifecycle.after(self.status, event)
        except lifecycle.IllegalTransition:
            return False
        return True

    def decision(self) -> Decision:
        """How it stands."""
        if self.said is not None:
            return replace(self.said, action_id=self.action_id, status=self.status, nonce=self.nonce, offers=OFFERS)
        if not self.by_approver:
            return Decision(self.action_id, self.status, nonce=self.nonce, offers=OFFERS)
        return Decision(
            self.action_id,
            self.status,
            reason_code="approver",
            decided_by="the test",
            nonce=self.nonce,
            offers=OFFERS,
        )

    def asked(self) -> Asked:
        """As it is told to a test."""
        return Asked(self.action, self.decision(), self.outcome)


class FakeTransport:
    """A transport, sync and async, whose approver is ``answer(asked)``.

    Args:
        answer: gets an `Asked` and returns True (cleared), False (refused), None (no answer, ever) or a
            `Decision` whose status, reason, names and edits are taken over. A plain True or False answers everything.

    ``asked`` lists every request so far. ``clock`` is virtual: a call that nobody answers gives up at once.
    Thread-safe; nothing is global: hand it to a guard as ``transport=`` or to `clearance.configure`.
    """

    def __init__(self, answer: Callable[[Asked], Answer] | bool) -> None:
        self._answer = answer
        self._lock = threading.RLock()
        self._requests: list[_Request] = []
        self._by_key: dict[str, _Request] = {}
        self._by_id: dict[str, _Request] = {}
        self.clock: VirtualClock = VirtualClock()

    @property
    def asked(self) -> list[Asked]:
        """Every request so far, as it stands now, in the order of asking."""
        with self._lock:
            return [request.asked() for request in self._requests]

    def send(self, command: Command) -> Decision:
        """Answer as a Center would."""
        with self._lock:
            if isinstance(command, Submit):
                return self._submit(command)
            request = self._find(command.action_id)
            match command:
                case Report():
                    if request.nonce == command.nonce and request.move(lifecycle.OUTCOMES[command.outcome.status]):
                        request.outcome = command.outcome
                case Claim():
                    return self._claim(request, command)
                case Await():
                    if request.status is Status.PENDING:
                        self.clock.sleep(command.hold)
                case Withdraw():
                    request.move(Event.WITHDRAW)
            return request.decision()

    async def asend(self, command: Command) -> Decision:
        """As `send`."""
        return self.send(command)

    def _submit(self, command: Submit) -> Decision:
        known = self._by_key.get(command.key)
        if known is not None:
            if known.action != command.action:
                raise AuthorizationUnavailable(
                    "This key was already used for another request.",
                    reason_code="rejected",
                    next_step="Use a new key for each request, and the same one only to repeat it.",
                )
            return known.decision()
        request = _Request(command.action, str(len(self._requests) + 1))
        self._requests.append(request)
        self._by_key[command.key] = self._by_id[request.action_id] = request
        answer = self._answer(request.asked()) if callable(self._answer) else self._answer
        if answer is None:
            return request.decision()
        if isinstance(answer, Decision):
            _check_edits(answer, command.action)
            request.said, request.status = answer, answer.status
        else:
            request.by_approver = True
            request.move(Event.APPROVE if answer is True else Event.DENY)
        if request.status is Status.APPROVED and command.nonce and not (request.said and request.said.edits):
            request.move(Event.CLAIM)
            request.nonce = command.nonce
        return request.decision()

    def _claim(self, request: _Request, claim: Claim) -> Decision:
        if request.status is Status.EXECUTING and request.nonce == claim.nonce:
            is_same = (claim.digest, claim.edited_digest) == (request.action.digest, request.edited_digest)
            return request.decision() if is_same else _other_call(request)
        is_edited = bool(request.said and request.said.edits)
        fits = claim.digest == request.action.digest and (claim.edited_digest not in (None, claim.digest)) == is_edited
        if not fits:
            return _other_call(request)
        if request.move(Event.CLAIM):
            request.nonce, request.edited_digest = claim.nonce, claim.edited_digest
        return request.decision()

    def _find(self, action_id: str) -> _Request:
        try:
            return self._by_id[action_id]
        except KeyError:
            raise AuthorizationUnavailable(
                f"Action {action_id} was never submitted here.", reason_code="not_found"
            ) from None


def _other_call(request: _Request) -> Decision:
    """The answer to a claim for another call than the one that was cleared; it spends nothing."""
    return replace(request.decision(), status=Status.STALE, reason="the digest differs", nonce=None)


def _check_edits(answer: Decision, action: Action) -> None:
    """A Center takes an edit only of what the guard lets an approver change, and only with a yes."""
    stray = answer.edits.keys() - set(action.editable)
    if stray or (answer.edits and answer.status is not Status.APPROVED):
        raise ValueError(
            f"The test's approver edits {', '.join(sorted(stray)) or 'a call that it does not approve'}; "
            f"this guard allows: {', '.join(action.editable) or 'no edits'}."
        )
