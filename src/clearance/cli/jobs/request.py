"""The request of one run: new, or the one that an earlier run of the same job left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from clearance import settings
from clearance.cli.jobs.job import JobSubject
from clearance.cli.jobs.slot import Left, Slot, fingerprint
from clearance.commands import Withdraw
from clearance.errors import ActionDenied, ActionUndecided, AuthorizationError, AuthorizationUnavailable
from clearance.flow import WITHDRAW_WITHIN, Terms
from clearance.guards.ask import Ask
from clearance.guards.gate import Gate
from clearance.guards.proposal import gate_for
from clearance.models import Action, Decision, Grant, Status

OVER = frozenset({Status.EXPIRED, Status.LAPSED, Status.WITHDRAWN, Status.STALE})
"""Nobody refused a request that stands so, and it can never run: whoever would have joined it asks anew."""


class Request:
    """What one run of a job asks, on what terms.

    Args:
        ask: what the request is about.
        slot: where a request that is left is remembered; None if none is.
        patience: seconds that this run waits for a decision.
        keeps: is a request that nobody decided on left for the next run?
        timeout: seconds that one exchange may take.
    """

    def __init__(self, ask: Ask, slot: Slot | None, *, patience: float, keeps: bool, timeout: float) -> None:
        self.ask = ask
        self._slot = slot
        self._patience = patience
        self._keeps = keeps
        self._timeout = timeout
        self._gate: Gate | None = None
        self._joined = False
        self._waited = False

    def granted(self, subject: JobSubject) -> tuple[Gate, Grant]:
        """Ask, wait, claim. From then on no other run can come upon the request.

        Raises:
            AuthorizationError: the command may not run.
        """
        with settings.override(on_wait=self._noted(settings.defaults().on_wait)):
            try:
                gate, grant = self._opened(subject)
            except (ActionDenied, ActionUndecided) as refusal:
                if not self._was_over(refusal.decision):
                    raise
                gate, grant = self._opened(subject)
        self._forget()
        return gate, grant

    def abandon(self, error: BaseException) -> None:
        """Tell, if the request was cleared, that its command was not started, and why."""
        if self._gate is not None:
            self._gate.close(error)

    def _opened(self, subject: JobSubject) -> tuple[Gate, Grant]:
        self._gate = gate = gate_for(self.ask, subject, self._on_terms)
        try:
            return gate, gate.open()
        except AuthorizationError as error:
            if not self._may_be_joined(error):
                self._forget()
            raise
        except BaseException:
            if not self._keeps:  # it was withdrawn
                self._forget()
            raise

    def _on_terms(self, action: Action, terms: Terms) -> Terms:
        key = terms.key if self._slot is None else self._key_for(self._slot, action, terms.key)
        return replace(terms, key=key, timeout=self._timeout, patience=self._patience, keeps=self._keeps)

    def _key_for(self, slot: Slot, action: Action, fresh: str) -> str:
        """The name of the request that is joined, or a fresh one, which is remembered before it is asked under."""
        left, asked = slot.left(), fingerprint(action)
        self._joined = left is not None and left.fingerprint == asked
        if left is not None and self._joined:
            return left.key
        if left is not None and left.action_id is not None:
            # The job is another by now; nobody should decide on what nobody runs.
            with suppress(AuthorizationUnavailable):
                self.ask.transport.send(Withdraw(left.action_id, "superseded", WITHDRAW_WITHIN))  # type: ignore[union-attr]
        slot.keep(Left(fresh, asked))
        return fresh

    def _noted(self, told: Callable[[Action, Decision], None] | None) -> Callable[[Action, Decision], None]:
        """Remember the number of what waits, to be able to withdraw it."""

        def on_wait(action: Action, decision: Decision) -> None:
            if not self._waited and self._slot is not None and (left := self._slot.left()) is not None:
                self._slot.keep(replace(left, action_id=decision.action_id))
            self._waited = True
            if told is not None:
                told(action, decision)

        return on_wait

    def _may_be_joined(self, error: AuthorizationError) -> bool:
        """Can the request stand still, for the next run to join?"""
        if isinstance(error, AuthorizationUnavailable):
            return error.transient
        is_open = error.decision is not None and error.decision.status is Status.PENDING
        return self._keeps and isinstance(error, ActionUndecided) and is_open

    def _was_over(self, decision: Decision | None) -> bool:
        """Was what we joined over when we came?"""
        return self._joined and not self._waited and decision is not None and decision.status in OVER

    def _forget(self) -> None:
        if self._slot is not None:
            self._slot.clear()
