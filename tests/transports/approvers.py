"""An approver at a Center in this process, and transports to it, as the contract for transports wants them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.center.desks import Clock
from tests.servers import running_center

from clearance.center.records import Role
from clearance.center.service import Center
from clearance.center.store.base import Tx
from clearance.center.store.databases import open_store
from clearance.models import Json
from clearance.testing.contract import Approver, Peer
from clearance.transports.embedded import EmbeddedTransport

CLEARED, REFUSED = "order.lookup", "customer.drop"
"""What the built-in policy clears and refuses."""
LIMITS: dict[str, Any] = {"rate": 0, "max_pending": 1_000_000}
"""None that matter: all the cases of a contract are one key's."""


class CenterApprover(Approver):
    """Decides at the desk; its clock only moves when told to."""

    def __init__(self, center: Center, clock: Clock) -> None:
        self._center, self._clock = center, clock
        self._key = center.create_key(Role.ADMIN, "carol")

    def approve(self, action_id: str, edits: Mapping[str, Json]) -> None:
        self._do(lambda tx, who: self._center.desk.decide(tx, who, int(action_id), approve=True, edits=edits))

    def deny(self, action_id: str, reason: str) -> None:
        self._do(lambda tx, who: self._center.desk.decide(tx, who, int(action_id), approve=False, reason=reason))

    def revoke(self, action_id: str) -> None:
        self._do(lambda tx, who: self._center.desk.revoke(tx, who, int(action_id)))

    def let_pass(self, seconds: float) -> None:
        self._clock.advance(seconds)
        self._center.do(self._center.desk.sweep)

    def _do(self, work: Callable[[Tx, Any], object]) -> None:
        self._center.do(lambda tx: work(tx, self._center.principal(tx, self._key)))


@contextmanager
def embedded(folder: Path) -> Iterator[Peer]:
    """A Center in this process, and one that is closed."""
    clock = Clock()
    with (
        closing(Center(open_store(folder / "center.db"), now=clock, **LIMITS)) as center,
        closing(Center(open_store(folder / "closed.db"))) as closed,
    ):
        mine, others = (center.create_key(Role.USER, name) for name in ("billing-bot", "other-bot"))
        unreachable = EmbeddedTransport(closed, closed.create_key(Role.USER))
        closed.close()
        yield Peer(
            EmbeddedTransport(center, mine),
            CenterApprover(center, clock),
            other=EmbeddedTransport(center, others),
            unreachable=unreachable,
        )


@contextmanager
def over_http(folder: Path, transport: Callable[[str, str], Any]) -> Iterator[Peer]:
    """A Center that listens; and an address at which nobody does. Whoever asks closes the transports."""
    clock = Clock()
    with running_center(folder / "center.db", now=clock, **LIMITS) as running, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        other_key = running.center.create_key(Role.USER, "other-bot")
        yield Peer(
            transport(running.url, running.user_key),
            CenterApprover(running.center, clock),
            other=transport(running.url, other_key),
            unreachable=transport(f"http://127.0.0.1:{nobody.getsockname()[1]}", running.user_key),
        )
