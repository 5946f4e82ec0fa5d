"""Our transports keep the contract that we ship, each with a real Center at its other end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.transports.approvers import CLEARED, REFUSED, embedded, over_http

from clearance.testing.contract import AsyncTransportContract, Peer, TransportContract
from clearance.transports import AsyncHttpTransport, HttpTransport

NO_ODD_WORDS = frozenset({"words"})
"""A Center of ours never says one; tests/wire has servers that do."""


class TestEmbedded(TransportContract):
    cannot, cleared_type, refused_type = NO_ODD_WORDS, CLEARED, REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with embedded(folder) as peer:
            yield peer


class TestEmbeddedOnAnEventLoop(AsyncTransportContract):
    cannot, cleared_type, refused_type = NO_ODD_WORDS, CLEARED, REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with embedded(folder) as peer:
            yield peer


class TestHttp(TransportContract):
    cannot, cleared_type, refused_type = NO_ODD_WORDS, CLEARED, REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with over_http(folder, HttpTransport) as peer:
            yield peer
            for transport in (peer.transport, peer.other, peer.unreachable):
                transport.close()


class TestAsyncHttp(AsyncTransportContract):
    cannot, cleared_type, refused_type = NO_ODD_WORDS, CLEARED, REFUSED

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        with over_http(folder, AsyncHttpTransport) as peer:
            yield peer
            for transport in (peer.transport, peer.other, peer.unreachable):
                cls.run(transport.aclose())
