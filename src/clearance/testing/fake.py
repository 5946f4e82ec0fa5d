"""An Authorization Center small enough to read: one approver, who is a script; time that only moves when waited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from clearance import lifecycle
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.errors import AuthorizationUnavailable
from clearance.lifecycle import Event
from clearance.models import Action, Decision, Status
from clearance.quick import replace
from clearance.testing.asked import AskedList, named
from clearance.testing.assertions import Assertions
from clearance.testing.clock import VirtualClock
from clearance.testing.held import OFFERS, Held
from clearance.testing.rules import Answer, Approver, Fault, Step
from clearance.testing.script import AuthorizationMismatch, Script
from clearance.testing.scripted import Scripted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["OFFERS", "Answer", "FakeTransport", "SimulatedCrash"]

F = TypeVar("F", bound=Callable[..., Any])

_STEPS: dict[type[Command], Step] = {
    Submit: "submit",
    Await: "wait",
    Claim: "claim",
    Report: "report",
    Withdraw: "withdraw",
}

_entered: ContextVar[tuple[tuple[FakeTransport, AbstractContextManager[None]], ...]] = ContextVar(
    "clearance_testing_entered", default=()
)
"""The fakes whose blocks this thread or task is in, and what puts back what was in force before each."""


_CRASHED = "A rule of the test ends the caller here: its approval is spent, and its body has not begun."


class SimulatedCrash(BaseException):
    """The caller "died" here, as a rule of the test said. It is no `Exception`, so that no handler goes on after it."""


class Elsewhere(Protocol):
    """Whoever is asked what no rule answers."""

    def ask(self, action: Action) -> Decision | None:
        """What is answered, or None; whatever it raises is raised to the guard."""
        ...

    async def aask(self, action: Action) -> Decision | None:
        """As `ask`, on the event loop."""
        ...

    def nearest(self, action: Action) -> str:
        """Why it has no answer to this, in words."""
        ...

    def unused(self) -> list[str]:
        """What it would have answered and was not asked, in words, where that is amiss."""
        ...


class FakeTransport(Scripted, Assertions):
    """A transport, sync and async, with an approver that a test scripts. It runs the lifecycle of a real Center.

    Args:
        answer: gets an `Asked` and returns True (cleared), False (refused), None (no answer, ever) or a
            `Decision` whose status, reason, names and edits are taken over. A plain True or False answers everything.
            Left out: the rules alone answer (`allow`, `deny`, `ask` ...), and what fits none of them is refused.
        in_order: the rules answer one request each, in the order in which they are written.

    Rules go before ``answer``. ``asked`` lists every request so far. ``clock`` is virtual: a call that nobody answers
    gives up at once. Thread-safe; one answer is given at a time; nothing is global.

    Hand it to a guard as ``transport=`` or to `clearance.configure`; or use it as a context manager or a decorator
    (of functions, coroutine functions and classes of tests). Guards without a transport of their own then use it in
    this thread or task, and in what that starts, as with `clearance.override`. Entering forgets what was asked before.
    Leaving raises `AuthorizationMismatch` if a request found no rule or a rule no request.
    """

    def __init__(self, answer: Approver | bool | None = None, *, in_order: bool = False) -> None:
        self._answer = answer
        self._script = Script(in_order)
        self._lock = threading.RLock()
        self._requests: list[Held] = []
        self._by_key: dict[str, Held] = {}
        self._by_id: dict[str, Held] = {}
        self._told = AskedList()
        self._changed: set[int] = set()
        self._problems: list[str] = []
        self._depth: int = 0
        self._began: int = 0
        self._ended: int = 0
        self._elsewhere: Elsewhere | None = None
        self.clock: VirtualClock = VirtualClock()

    def __repr__(self) -> str:
        return f"<FakeTransport: {len(self._script.rules)} rules, {len(self._requests)} requests>"

    @property
    def asked(self) -> AskedList:
        """Every request so far, as it stands now, in the order of asking."""
        with self._lock:
            known = len(self._told)
            for number in self._changed:
                if number < known:
                    self._told[number] = self._requests[number].asked()
            self._changed.clear()
            self._told.extend(request.asked() for request in self._requests[known:])
            return AskedList(self._told)

    # As a transport.

    def send(self, command: Command) -> Decision:
        """Answer as a Center would.

        Raises:
            AuthorizationUnavailable: no rule answers it, or a rule says so.
            SimulatedCrash: a rule says so.
        """
        if self._elsewhere is not None and isinstance(command, Submit) and self._is_for_elsewhere(command):
            return self._send(command, self._elsewhere.ask(command.action))
        return self._send(command, None)

    async def asend(self, command: Command) -> Decision:
        """As `send`."""
        if self._elsewhere is not None and isinstance(command, Submit) and self._is_for_elsewhere(command):
            return self._send(command, await self._elsewhere.aask(command.action))
        return self.send(command)

    def _send(self, command: Command, said: Decision | None) -> Decision:
        with self._lock:
            request = self._found(command, said)
            if request.seen is not None:
                self._touch(request)
            if request.rule is None or not request.rule.faults:
                return self._done(request, command)
            return self._done_among_faults(request, command)

    def _done_among_faults(self, request: Held, command: Command) -> Decision:
        if request.is_dead:
            raise SimulatedCrash(_CRASHED)
        fault = request.befallen(_STEPS[type(command)])
        if fault is not None and fault.kind == "unavailable":
            raise _unavailable(fault, "The test's Center was out of reach, as a rule says.")
        decision = self._done(request, command)
        if fault is not None and fault.kind == "lost":
            raise _unavailable(fault, "The test's Center did it, but its reply was lost, as a rule says.")
        if fault is None or request.status is not Status.EXECUTING:
            return decision
        request.crash()
        raise SimulatedCrash(_CRASHED)

    def _found(self, command: Command, said: Decision | None) -> Held:
        """The request that the command is about; a new one gets its answers."""
        if not isinstance(command, Submit):
            return self._find(command.action_id)
        request = self._by_key.get(command.key)
        if request is None:
            request = Held(command.action, str(len(self._requests) + 1), self.clock.now())
            self._requests.append(request)
            self._by_key[command.key] = self._by_id[request.action_id] = request
            self._begin(request, said)
        elif request.action is not command.action and request.action != command.action:
            raise AuthorizationUnavailable(
                "This key was already used for another request.",
                reason_code="rejected",
                next_step="Use a new key for each request, and the same one only to repeat it.",
            )
        return request

    def _find(self, action_id: str) -> Held:
        try:
            return self._by_id[action_id]
        except KeyError:
            raise AuthorizationUnavailable(
                f"Action {action_id} was never submitted here.", reason_code="not_found"
            ) from None

    def _begin(self, request: Held, said: Decision | None) -> None:
        """Give the answers that are given at once."""
        answer: Answer | Approver = said if said is not None else self._answer
        if self._script.rules and (rule := self._script.rule_for(request.action)) is not None:
            request.rule, request.later, answer = rule, rule.later, rule.answer
        elif answer is None:
            self._refuse(request)
        try:
            request.answer(answer(request.asked()) if callable(answer) else answer)
            if request.later:
                request.answer_due(0.0)
        except Exception as error:
            self._problems.append(f"{named(request.action)}: the test's approver failed with {type(error).__name__}")
            raise
        finally:
            self._touch(request)  # the approver may have looked at it while it answered

    def _refuse(self, request: Held) -> None:
        """No rule answers it: the test is told at its end, whatever the caller makes of this."""
        request.move(Event.WITHDRAW)
        request.history += ("no rule answers this",)
        nearest = self._script.nearest(request.action)
        if self._elsewhere is not None:
            recorded = self._elsewhere.nearest(request.action)
            nearest = f"{nearest}; of what was recorded, {recorded}" if self._script.rules else recorded
        self._problems.append(f"{named(request.action)}: no rule answers it; {nearest}")
        raise AuthorizationUnavailable(
            f"No rule of the test answers {named(request.action)}; {nearest}.",
            reason_code="no_rule",
            next_step="Add a rule for it, or correct the one that is nearest.",
        )

    def _done(self, request: Held, command: Command) -> Decision:
        match command:
            case Report():
                if request.nonce == command.nonce and request.move(lifecycle.OUTCOMES[command.outcome.status]):
                    request.outcome = command.outcome
            case Submit():
                may_claim = request.status is Status.APPROVED and not (request.said and request.said.edits)
                if may_claim and command.nonce and not (request.rule and request.rule.claims_apart):
                    request.claim(command.nonce, request.action.digest, None)
            case Claim():
                if not request.fits(command):
                    return replace(request.decision(), status=Status.STALE, reason="the digest differs", nonce=None)
                request.claim(command.nonce, command.digest, command.edited_digest)
            case Await():
                self._let_pass(request, command.hold)
            case Withdraw():
                request.answer_late()
                request.move(Event.WITHDRAW)
                request.answer_in_vain()
        return request.decision()

    def _let_pass(self, request: Held, hold: float) -> None:
        """Let virtual time pass until something changes, ``hold`` seconds at most."""
        if request.status is Status.PENDING:
            elapsed, due = self.clock.now() - request.asked_at, request.next_due()
            self.clock.sleep(hold if due is None else min(hold, max(0.0, due - elapsed)))
            request.decided_at = self.clock.now()
        if request.later:
            request.answer_due(self.clock.now() - request.asked_at)

    def _touch(self, request: Held) -> None:
        if request.seen is not None:
            request.seen = None
            self._changed.add(int(request.action_id) - 1)

    def _is_for_elsewhere(self, submit: Submit) -> bool:
        with self._lock:
            is_ruled = any(not rule.is_spent and rule.fits(submit.action) for rule in self._script.rules)
            return not is_ruled and submit.key not in self._by_key

    # As a context manager and a decorator.

    def __enter__(self) -> Self:
        from clearance import settings

        with self._lock:
            if not self._depth:
                self._begin_anew()
            self._depth += 1
        here = settings.override(transport=self)
        here.__enter__()
        _entered.set((*_entered.get(), (self, here)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        open_here = _entered.get()
        if open_here and open_here[-1][0] is self:
            _entered.set(open_here[:-1])
            open_here[-1][1].__exit__(None, None, None)
        with self._lock:
            self._depth -= 1
            self._ended = len(self._script.rules)
        if self._depth:
            return
        if error is None:
            self.assert_done()
        elif isinstance(error, Exception) and self._problems:
            error.add_note(f"What was asked, and no rule answers:\n{_bullets(self._problems)}")

    def __call__(self, test: F) -> F:
        """Decorate a test, or a class of tests: it runs inside ``with self:``."""
        from clearance.testing.decorating import decorated

        return decorated(test, self)

    def assert_done(self) -> None:
        """Every request found a rule, and every rule its requests; leaving the ``with`` block asserts this.

        Raises:
            AuthorizationMismatch: with each that did not, and the nearest there was to it.
        """
        __tracebackhide__ = True
        if problems := self.problems():
            raise AuthorizationMismatch(problems)

    def problems(self) -> str:
        """What `assert_done` would say; "" if nothing is amiss."""
        with self._lock:
            unused, unanswered = self._script.unused(), list(self._problems)
        if self._elsewhere is not None:
            unused += self._elsewhere.unused()
        parts = []
        if unanswered:
            parts.append(f"What was asked, and no rule answers:\n{_bullets(unanswered)}")
        if unused:
            parts.append(f"Rules that nothing asked for:\n{_bullets(unused)}")
        return "\n".join(parts)

    def _begin_anew(self) -> None:
        """Forget what was asked, and the rules that were written inside the block before."""
        rules = self._script.rules
        self._script.begin_anew([*rules[: self._began], *rules[self._ended :]])
        self._began = self._ended = len(self._script.rules)
        self._requests, self._by_key, self._by_id = [], {}, {}
        self._told, self._changed, self._problems = AskedList(), set(), []

    # With a cassette.

    @contextmanager
    def asking(self, elsewhere: Elsewhere) -> Iterator[None]:
        """Inside the block, have somebody else asked what no rule answers."""
        self._elsewhere = elsewhere
        try:
            yield
        finally:
            self._elsewhere = None


def _unavailable(fault: Fault, happened: str) -> AuthorizationUnavailable:
    code = "unavailable" if fault.kind == "unavailable" else "reply_lost"
    return AuthorizationUnavailable(happened, reason_code=code, transient=fault.transient)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"  - {line}" for line in lines)
