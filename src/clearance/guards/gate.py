"""One request for leave, from the asking to the reporting. The decorator and the block both stand on it."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from clearance import drivers, flow, settings
from clearance.errors import ActionChanged, AuthorizationError, ConfigurationError
from clearance.models import Action, Grant, Json, Outcome, Status

OnTerms: TypeAlias = Callable[[Action, flow.Terms], flow.Terms]

log: logging.Logger = logging.getLogger("clearance")
log.addHandler(logging.NullHandler())


class Gate:
    """Opens for one call, once.

    Args:
        action: what is asked.
        transport: who is asked; None for the process's own.
        digest_now: computes the digest of what would run, or None if that cannot change.
        amend: makes the call what an approver changed it to; returns its digest.
        read_files: reads again, for ``digest_now``, what an event loop must not wait for.
        on_terms: may change the terms of the conversation before it begins.
    """

    __slots__ = (
        "_action",
        "_amend",
        "_digest_now",
        "_grant",
        "_on_terms",
        "_read_files",
        "_started",
        "_terms",
        "_transport",
    )

    def __init__(
        self,
        action: Action,
        transport: Any,
        digest_now: Callable[[], str] | None = None,
        *,
        amend: flow.Amend | None = None,
        read_files: Callable[[], None] | None = None,
        on_terms: OnTerms | None = None,
    ) -> None:
        self._action = action
        self._transport = transport
        self._digest_now = digest_now
        self._amend = amend
        self._read_files = read_files
        self._on_terms = on_terms
        self._grant: Grant | None = None
        self._terms: flow.Terms | None = None
        self._started: float | None = None

    def open(self) -> Grant:
        """Ask, wait, claim. Returns only with leave to run.

        Raises:
            AuthorizationError: in every other case.
        """
        self._transport = transport = sync_side(self._transport)
        self._grant = grant = drivers.run(self._conversation(transport), transport)
        try:
            if self._read_files is not None:
                self._read_files()
            self._compare(grant.digest)
        except BaseException as error:  # noqa: BLE001 - the claim is spent, so it is told whatever happened
            refusal = self._refusal(error)
            self.close(refusal)
            raise refusal from refusal.__cause__
        self._started = time.perf_counter()
        return grant

    async def aopen(self) -> Grant:
        """As `open`, on the event loop."""
        self._transport = transport = async_side(self._transport)
        self._grant = grant = await drivers.arun(self._conversation(transport), transport)
        try:
            if self._read_files is not None:
                import asyncio  # an event loop runs, so it is loaded; importing clearance alone must not load it

                await asyncio.to_thread(self._read_files)
            self._compare(grant.digest)
        except BaseException as error:  # noqa: BLE001 - the claim is spent, so it is told whatever happened
            refusal = self._refusal(error)
            await self.aclose(refusal)
            raise refusal from refusal.__cause__
        self._started = time.perf_counter()
        return grant

    def close(self, error: BaseException | None) -> None:
        """Report what came of the body, by how it ended. Never raises because of the Center."""
        if (telling := self._telling(error)) is None:
            return
        try:
            drivers.run(telling, self._transport)
        except AuthorizationError as fault:
            self._untold(fault)

    async def aclose(self, error: BaseException | None) -> None:
        """As `close`, on the event loop."""
        if (telling := self._telling(error)) is None:
            return
        try:
            await drivers.arun(telling, self._transport)
        except AuthorizationError as fault:
            self._untold(fault)

    def _conversation(self, transport: Any) -> flow.Conversation[Grant]:
        self._terms = terms_over(transport)
        if self._on_terms is not None:
            self._terms = self._on_terms(self._action, self._terms)
        return flow.authorization(self._action, self._terms, self._amended if self._amend is not None else None)

    def _amended(self, edits: Mapping[str, Json]) -> str:
        """What an approver changed must not cover for what changed by itself."""
        assert self._amend is not None
        try:
            self._compare(self._action.digest)
        except Exception as error:  # noqa: BLE001 - what cannot be compared has changed
            refusal = self._refusal(error)
            raise refusal from refusal.__cause__
        return self._amend(edits)

    def _compare(self, digest: str) -> None:
        if self._digest_now is not None and self._digest_now() != digest:
            raise self._changed()

    def _refusal(self, error: BaseException) -> BaseException:
        """What to raise where the comparison ended so: what cannot even be digested any more has changed, too."""
        if isinstance(error, ActionChanged) or not isinstance(error, Exception):
            return error
        changed = self._changed()
        changed.__cause__ = error
        return changed

    def _changed(self) -> ActionChanged:
        return ActionChanged(
            f"The arguments of {self._action.action_type!r} ({self._action.tool_name}) changed after they were shown.",
            next_step="Do not change objects that a pending call holds; then ask again.",
            action=self._action,
        )

    def _telling(self, error: BaseException | None) -> flow.Conversation[None] | None:
        grant, self._grant = self._grant, None
        if grant is None or self._terms is None:
            return None
        grant.spent = True
        if self._started is None:
            why = (
                error.reason_code if isinstance(error, AuthorizationError) else f"interrupted by {type(error).__name__}"
            )
            outcome = Outcome(Status.FAILED, "not_started", 0.0, (why,))
        else:
            if isinstance(error, GeneratorExit):  # whoever iterated had enough: that is no failure
                grant.notes.append("closed before its end")
                error = None
            status = Status.COMPLETED if error is None else Status.FAILED
            kind = type(error).__name__ if error is not None else None
            outcome = Outcome(status, kind, time.perf_counter() - self._started, tuple(grant.notes))
        return flow.report(grant, outcome, self._terms)

    def _untold(self, fault: AuthorizationError) -> None:
        log.warning(
            "The outcome of %s (%s) could not be reported: %s",
            self._action.action_type,
            self._action.tool_name,
            fault.happened,
        )


def terms_over(transport: Any) -> flow.Terms:
    """What a new conversation over this transport is given."""
    fresh = os.urandom(32).hex()
    return flow.Terms(
        fresh[:32],
        fresh[32:],
        drivers.clock_of(transport).now,
        random.random,
        settings.exchange_timeout(),
        settings.defaults().on_wait,
    )


def sync_side(transport: Any) -> Any:
    """What carries a sync call: the given transport, or the process's own."""
    found = transport if transport is not None else settings.default_transport(asynchronous=False)
    if not hasattr(found, "send"):
        raise ConfigurationError(
            f"{type(found).__name__} has no send(), so a plain function cannot be held over it.",
            next_step="Make the guarded function async, or use a transport that has both sides.",
        )
    return found


def async_side(transport: Any) -> Any:
    """What carries an async call; a transport with a sync side only is carried by threads of our own."""
    found = transport if transport is not None else settings.default_transport(asynchronous=True)
    if hasattr(found, "asend"):
        return found
    if not hasattr(found, "send"):
        raise ConfigurationError(
            f"{type(found).__name__} has neither send() nor asend().",
            next_step="See clearance.transports.AsyncTransport.",
        )
    from clearance.transports.aio import ThreadedTransport

    return ThreadedTransport(found)
