"""The fake is held to the contract that we ship; and the contract says what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.testing.approvers import CLEARED, REFUSED, a_fake

from clearance.testing.contract import AsyncTransportContract, Peer, TransportContract
from clearance.transports.aio import ThreadedTransport


class TestFakeTransport(TransportContract):
    cannot = frozenset({"other"})
    cleared_type = CLEARED
    refused_type = REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with a_fake() as peer:
            yield peer


class TestFakeTransportOnAnEventLoop(AsyncTransportContract):
    cannot = frozenset({"other"})
    cleared_type = CLEARED
    refused_type = REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with a_fake() as peer:
            yield peer


class TestSyncTransportInThreads(AsyncTransportContract):
    """What carries a coroutine's call over a transport that has only a sync side."""

    cannot = frozenset({"other"})
    cleared_type = CLEARED
    refused_type = REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with a_fake() as peer:
            yield replace(
                peer, transport=ThreadedTransport(peer.transport), unreachable=ThreadedTransport(peer.unreachable)
            )
