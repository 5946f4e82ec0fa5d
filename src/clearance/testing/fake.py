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


class FakeTransport:
    """A transport, sync and async, whose approver is ``answer(asked)``.

    Args:
        answer: gets an `Asked` and returns True (cleared), False (refused), None (no answer, ever) or a
            `Decision` whose status, reason and names are taken over. A plain True or False answers everything.

    ``asked`` lists every request so far. ``clock`` is virtual: a call that nobody answers gives up at once.
    Thread-safe; nothing is global: hand it to a guard as ``transport=`` or to `clearance.configure`.
    """

    def __init__(self, answer: Callable[[Asked], Answer] | bool) -> None:
        self._answer = answer if callable(answer) else lambda _asked: answer
        self._lock = threading.RLock()
        self._requests: list[Asked] = []
        self._by_key: dict[str, int] = {}
        self.clock = VirtualClock()

    @property
    def asked(self) -> list[Asked]:
        """Every request so far, as it stands now, in the order of asking."""
        with self._lock:
            return list(self._requests)

    def send(self, command: Command) -> Decision:
        """Answer as a Center would."""
        with self._lock:
            match command:
                case Submit():
                    return self._submit(command)
                case Await(action_id, hold):
                    asked = self._find(action_id)
                    if asked.status is Status.PENDING:
                        self.clock.sleep(hold)
                    return asked.decision
                case Claim(action_id, digest, nonce):
                    return self._claim(self._find(action_id), digest, nonce)
                case Report(action_id, nonce, outcome):
                    return self._report(self._find(action_id), nonce, outcome)
                case Withdraw(action_id):
                    return self._move(self._find(action_id), Event.WITHDRAW)

    async def asend(self, command: Command) -> Decision:
        """As `send`."""
        return self.send(command)

    def _submit(self, command: Submit) -> Decision:
        if command.key in self._by_key:
            return self._requests[self._by_key[command.key]].decision
        number = len(self._requests)
        self._by_key[command.key] = number
        asked = Asked(command.action, Decision(str(number + 1), Status.PENDING, offers=OFFERS))
        self._requests.append(asked)
        answer = self._answer(asked)
        if answer is None:
            return asked.decision
        if not isinstance(answer, Decision):
            word = Status.APPROVED if answer is True else Status.DENIED
            answer = Decision("", word, decided_by="the test", reason_code="approver")
        decision = replace(answer, action_id=asked.decision.action_id, offers=OFFERS)
        self._store(replace(asked, decision=decision))
        if decision.status is Status.APPROVED and command.nonce:
            return self._claim(self._find(decision.action_id), command.action.digest, command.nonce)
        return decision

    def _claim(self, asked: Asked, digest: str, nonce: str) -> Decision:
        if asked.status is Status.EXECUTING and asked.decision.nonce == nonce:
            return asked.decision
        if digest != asked.action.digest:
            return replace(asked.decision, status=Status.STALE, reason="the digest differs", nonce=None)
        return self._move(asked, Event.CLAIM, nonce=nonce)

    def _report(self, asked: Asked, nonce: str, outcome: Outcome) -> Decision:
        if asked.decision.nonce != nonce:
            return asked.decision
        return self._move(replace(asked, outcome=outcome), lifecycle.OUTCOMES[outcome.status])

    def _move(self, asked: Asked, event: Event, nonce: str | None = None) -> Decision:
        try:
            status = lifecycle.after(asked.status, event)
        except lifecycle.IllegalTransition:
            return asked.decision
        changed = replace(asked, decision=replace(asked.decision, status=status, nonce=nonce or asked.decision.nonce))
        self._store(changed)
        return changed.decision

    def _store(self, asked: Asked) -> None:
        self._requests[int(asked.decision.action_id) - 1] = asked

    def _find(self, action_id: str) -> Asked:
        if not action_id.isdigit() or not 0 < int(action_id) <= len(self._requests):
            raise AuthorizationUnavailable(f"Action {action_id} was never submitted here.", reason_code="not_found")
        return self._requests[int(action_id) - 1]
