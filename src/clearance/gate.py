"""One request for leave, from the asking to the reporting. The decorator and the block both stand on it."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from clearance import drivers, flow, settings
from clearance.errors import ActionChanged, AuthorizationError, ConfigurationError, UnserializableArgument
from clearance.models import Action, Grant, Outcome, Status

log = logging.getLogger("clearance")
log.addHandler(logging.NullHandler())


class Gate:
    """Opens for one call, once.

    Args:
        action: what is asked.
        transport: who is asked; None for the process's own.
        digest_now: computes the digest of what would run, or None if that cannot change.
    """

    __slots__ = ("_action", "_digest_now", "_grant", "_started", "_terms", "_transport")

    def __init__(self, action: Action, transport: Any, digest_now: Callable[[], str] | None = None) -> None:
        self._action = action
        self._transport = transport
        self._digest_now = digest_now
        self._grant: Grant | None = None
        self._terms: flow.Terms | None = None
        self._started = 0.0

    def open(self) -> Grant:
        """Ask, wait, claim. Returns only with leave to run.

        Raises:
            AuthorizationError: in every other case.
        """
        transport = sync_side(self._transport)
        self._grant = grant = drivers.run(self._conversation(transport), transport)
        if changed := self._changed():
            self.close(changed)
            raise changed
        self._started = time.perf_counter()
        return grant

    async def aopen(self) -> Grant:
        """As `open`, on the event loop."""
        transport = async_side(self._transport)
        self._grant = grant = await drivers.arun(self._conversation(transport), transport)
        if changed := self._changed():
            await self.aclose(changed)
            raise changed
        self._started = time.perf_counter()
        return grant

    def close(self, error: BaseException | None) -> None:
        """Report what came of the body, by how it ended. Never raises because of the Center."""
        if (telling := self._telling(error)) is None:
            return
        try:
            drivers.run(telling, sync_side(self._transport))
        except AuthorizationError as fault:
            self._untold(fault)

    async def aclose(self, error: BaseException | None) -> None:
        """As `close`, on the event loop."""
        if (telling := self._telling(error)) is None:
            return
        try:
            await drivers.arun(telling, async_side(self._transport))
        except AuthorizationError as fault:
            self._untold(fault)

    def _conversation(self, transport: Any) -> flow.Conversation[Grant]:
        self._terms = flow.Terms(
            key=os.urandom(16).hex(),
            nonce=os.urandom(16).hex(),
            now=drivers.clock_of(transport).now,
            jitter=random.random,
            timeout=settings.exchange_timeout(),
            on_wait=settings.defaults().on_wait,
        )
        return flow.authorization(self._action, self._terms)

    def _changed(self) -> ActionChanged | None:
        if self._digest_now is None:
            return None
        with suppress(UnserializableArgument):  # what cannot even be digested any more has changed, too
            if self._digest_now() == self._action.digest:
                return None
        return ActionChanged(
            f"The arguments of {self._action.action_type!r} ({self._action.tool_name}) changed after they were shown.",
            next_step="Do not change objects that a pending call holds; then ask again.",
            action=self._action,
        )

    def _telling(self, error: BaseException | None) -> flow.Conversation[None] | None:
        grant, self._grant = self._grant, None
        if grant is None or self._terms is None:
            return None
        if isinstance(error, ActionChanged) and error.action is self._action:
            outcome = Outcome(Status.FAILED, "not_started", 0.0, (error.reason_code,))
        else:
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
