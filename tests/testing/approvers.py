"""The person behind a fake, as the contract for transports wants one: who answers when told to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from clearance import AuthorizationUnavailable, Decision, Status
from clearance.commands import Command
from clearance.lifecycle import OPEN, Event
from clearance.models import Json
from clearance.testing import Asked, FakeTransport
from clearance.testing.contract import Approver, Peer

CLEARED, REFUSED = "order.lookup", "customer.drop"


class FakeApprover(Approver):
    """Answers what a fake was asked, whenever a test likes."""

    def __init__(self, fake: FakeTransport) -> None:
        self._fake = fake

    def approve(self, action_id: str, edits: Mapping[str, Json]) -> None:
        with self._fake._lock:
            request = self._fake._find(action_id)
            if request.move(Event.APPROVE):
                request.said = Decision("", Status.APPROVED, reason_code="approver", edits=edits)

    def deny(self, action_id: str, reason: str) -> None:
        with self._fake._lock:
            request = self._fake._find(action_id)
            if request.move(Event.DENY):
                request.said = Decision("", Status.DENIED, reason=reason, reason_code="approver")

    def revoke(self, action_id: str) -> None:
        with self._fake._lock:
            self._fake._find(action_id).move(Event.REVOKE)

    def let_pass(self, seconds: float) -> None:
        with self._fake._lock:
            for request in self._fake._requests:
                if request.status in OPEN:
                    is_pending = request.status is Status.PENDING
                    limit = request.action.decide_within if is_pending else request.action.run_within
                    if seconds >= limit:
                        request.move(Event.EXPIRE if is_pending else Event.LAPSE)

    def say(self, action_id: str, word: str) -> None:
        with self._fake._lock:
            request = self._fake._find(action_id)
            request.said = replace(request.said or Decision("", Status.DENIED), status=word)  # type: ignore[arg-type]
            request.status = word  # type: ignore[assignment]


class Unreachable:
    """A fake that is not there."""

    def send(self, command: Command) -> Any:
        raise AuthorizationUnavailable(f"Nobody took {type(command).__name__}.", transient=True)

    async def asend(self, command: Command) -> Any:
        self.send(command)


def answer(asked: Asked) -> bool | None:
    """What needs nobody; everything else waits."""
    return {CLEARED: True, REFUSED: False}.get(asked.action_type)


@contextmanager
def a_fake() -> Iterator[Peer]:
    """A fake, and its person."""
    fake = FakeTransport(answer)
    yield Peer(fake, FakeApprover(fake), unreachable=Unreachable())
