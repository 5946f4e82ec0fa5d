"""A Center in this very process: no socket, the same desk, the same store."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from typing import Any

from clearance.center import telling
from clearance.center.faults import Conflict, DeskError, NotAuthenticated, StoreUnavailable, TooMany
from clearance.center.records import Principal, Record, Submission
from clearance.center.service import Center, rung_within
from clearance.center.store.base import Tx
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.errors import AuthorizationUnavailable
from clearance.models import Decision, Status
from clearance.transports.origin import binding_key

LONGEST_ID = 18
"""Digits of an action's id; no database keeps a longer one."""


class EmbeddedTransport:
    """Carries commands to a Center in this process, for threads and event loops alike.

    Args:
        center: the Center; whoever made it closes it.
        api_key: whose requests these are.
    """

    def __init__(self, center: Center, api_key: str) -> None:
        self._center = center
        self._key = api_key
        self.binding_key: bytes = binding_key(api_key)

    def __repr__(self) -> str:
        return "EmbeddedTransport()"

    def send(self, command: Command) -> Decision:
        """Carry one command; see `Transport.send`."""
        hold = command.hold if isinstance(command, Await) else 0.0
        with self._center.bell.listening([_listened(command)]) as rung:
            decision = self._told(lambda: self._center.do(self._work(command)))
            if hold <= 0 or decision.status is not Status.PENDING:
                return decision
            wait([rung], timeout=hold)
        return self._told(lambda: self._center.do(self._work(command)))

    async def asend(self, command: Command) -> Decision:
        """As `send`, on the event loop."""
        hold = command.hold if isinstance(command, Await) else 0.0
        with self._center.bell.listening([_listened(command)]) as rung:
            decision = await self._atold(command)
            if hold <= 0 or decision.status is not Status.PENDING:
                return decision
            await rung_within(rung, hold)
        return await self._atold(command)

    def _told(self, ask: Callable[[], Record]) -> Decision:
        try:
            return telling.decision_of(ask())
        except (DeskError, StoreUnavailable) as error:
            return _refused(error)

    async def _atold(self, command: Command) -> Decision:
        try:
            return telling.decision_of(await self._center.ado(self._work(command)))
        except (DeskError, StoreUnavailable) as error:
            return _refused(error)

    def _work(self, command: Command) -> Callable[[Tx], Record]:
        return lambda tx: _at_the_desk(self._center, tx, self._center.principal(tx, self._key), command)


def _at_the_desk(center: Center, tx: Tx, who: Principal, command: Command) -> Record:
    desk = center.desk
    match command:
        case Submit(action, key, nonce):
            return desk.submit(tx, who, Submission(action, key, nonce or None, claims=True))
        case Await(action_id):
            return desk.read(tx, who, _number(action_id))
        case Claim(action_id, digest, nonce, _, edited_digest):
            return desk.claim(tx, who, _number(action_id), digest, nonce, edited_digest)
        case Report(action_id, nonce, outcome):
            return desk.report(tx, who, _number(action_id), nonce, outcome)
        case Withdraw(action_id, reason):
            return desk.withdraw(tx, who, _number(action_id), reason)


def _listened(command: Command) -> int:
    return _number(command.action_id) if isinstance(command, Await) else -1


def _number(action_id: str) -> int:
    """An id as the desk knows them; one that no action can have is that of none."""
    return int(action_id) if action_id.isascii() and action_id.isdigit() and len(action_id) <= LONGEST_ID else -1


def _refused(error: Any) -> Decision:
    """A conflict is an answer (how the action stands); everything else is none."""
    if isinstance(error, Conflict) and error.record is not None:
        # Never the yes to a claim, whichever nonce stands there.
        return replace(telling.decision_of(error.record), nonce=None)
    codes = {NotAuthenticated: "bad_key", TooMany: "rate_limited"}
    code = codes.get(type(error), type(error).__name__.lower())
    raise AuthorizationUnavailable(
        f"The embedded Center refused the exchange: {error}.",
        reason_code=code,
        transient=isinstance(error, (StoreUnavailable, TooMany)),
        retry_after=error.retry_after if isinstance(error, TooMany) else None,
    ) from error
