"""The contracts for transports: every case, for threads and for event loops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance.commands import Command
from clearance.models import Decision, Status
from clearance.testing.contract.carrying import AsyncCarrying, SyncCarrying
from clearance.testing.contract.declared import case
from clearance.testing.contract.guarded import FaultyCases
from clearance.testing.contract.machine import MachineCases
from clearance.testing.contract.naming import NamingCases, WaitingCases
from clearance.testing.contract.peers import Peer
from clearance.testing.contract.races import RaceCases
from clearance.testing.contract.standing import StandingCases
from clearance.testing.faults import AsyncFaultyTransport, FaultyTransport
from clearance.transports.base import AsyncTransport, Transport

HOLD = 1.0
"""Seconds for which an answer is held back; whoever waits half of them must have let others have a turn."""
CANCELLED_WITHIN = 5.0
"""Seconds that a wait may take to end once it is cancelled."""


class _Cases(StandingCases, NamingCases, WaitingCases, RaceCases, FaultyCases, MachineCases):
    @pytest.fixture(scope="class")
    @classmethod
    def peer(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
        """What `connected` yields; one for the class, since each case makes requests of its own."""
        folder: Path = tmp_path_factory.mktemp("contract")
        with cls.connected(folder) as peer:
            yield peer


class TransportContract(SyncCarrying, _Cases):
    """What every transport promises; subclass it, override `connected`, and run pytest.

    A few hundred cases, on one Center: an action in every status with everything that can be done to it, keys and ids,
    other callers, waits, races between threads, whole guarded calls through the decorator and the block, faults at
    each step and by seeds, and a state machine of hypothesis.
    """

    @case()
    def test_it_is_a_transport(self, peer: Peer) -> None:
        """It has ``send``."""
        assert isinstance(peer.transport, Transport)

    def elsewhere(self, transport: Any, command: Command) -> Decision:
        """Carry a command as another run would."""
        return self.carry(transport, command)

    def faulty(self, inner: Any, seed: str, draw: Any) -> FaultyTransport:
        """Over this transport."""
        return FaultyTransport(inner, seed, draw)


class AsyncTransportContract(AsyncCarrying, _Cases):
    """The same for transports with ``asend``, on one event loop, with tasks in place of threads.

    What has to be awaited in `connected` is run there with ``cls.run(...)``.
    """

    @case()
    def test_it_is_a_transport(self, peer: Peer) -> None:
        """It has ``asend``."""
        assert isinstance(peer.transport, AsyncTransport)

    @case()
    def test_the_event_loop_goes_on_while_an_answer_is_awaited(self, peer: Peer) -> None:
        """Whatever takes long must let the others run."""
        request = self.submitted(peer.transport)
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        async def both() -> float:
            task = asyncio.create_task(others())
            await asyncio.sleep(0)
            before, began = turns, time.monotonic()
            await peer.transport.asend(request.wait(HOLD))
            took = time.monotonic() - began
            had_turns = turns > before
            task.cancel()
            return 0.0 if had_turns else took

        assert self.run(both()) < HOLD / 2, "it blocked the event loop"

    @case("wait")
    def test_a_wait_that_is_cancelled_ends(self, peer: Peer) -> None:
        """At once, and the request can still be withdrawn or decided."""
        request = self.submitted(peer.transport)

        async def cancelled() -> bool:
            waiting = asyncio.ensure_future(peer.transport.asend(request.wait(hold=2 * CANCELLED_WITHIN)))
            await asyncio.sleep(0.01)
            waiting.cancel()
            done, _ = await asyncio.wait([waiting], timeout=CANCELLED_WITHIN)
            waiting.cancel()
            await asyncio.wait([waiting])
            return bool(done)

        assert self.run(cancelled()), "it went on waiting"
        assert self.carry(peer.transport, request.wait()).status is Status.PENDING

    def elsewhere(self, transport: Any, command: Command) -> object:
        """What carries a command as another run would, to be awaited."""
        return transport.asend(command)

    def faulty(self, inner: Any, seed: str, draw: Any) -> AsyncFaultyTransport:
        """Over this transport."""
        return AsyncFaultyTransport(inner, seed, draw)
