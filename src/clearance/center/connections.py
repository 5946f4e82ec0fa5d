"""How many connections there are, and one's patience: uvicorn waits for ever for a request to begin and to be whole."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clearance.center.limits import BODY_WITHIN, HEAD_WITHIN, MAX_HEAD, SECURITY_HEADERS, refusal_bytes
from clearance.center.lookout import watch_of

MOST_CONNECTIONS = 12_000
"""Connections whose requests are answered: those of 10,000 that wait, and of whoever decides. One more gets a 503."""
TOLD_OFF = 256
"""Connections beyond these that get so far as to be told; what comes after them is hung up on."""
FULL_RETRY_AFTER = 2
"""Seconds after which to try again, for whoever found no room."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a request may take to arrive: its head, and then its body."""

    head: float = HEAD_WITHIN
    body: float = BODY_WITHIN

    @property
    def rest(self) -> float:
        """Seconds for a body that nobody may be reading: a little longer, so that whoever does can answer first."""
        return self.body * 1.25


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which ends a connection that is too slow, one whose headers do not end, and one too many."""

    # Kept out of the instance's dict, which with four more names would take twice the memory, for each of thousands.
    __slots__ = ("_head_bytes", "_in_head", "_in_request", "_timer")

    patience: Patience = Patience()
    most: int = MOST_CONNECTIONS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_request = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it, too
        """A connection begins, and with it the wait for its first request."""
        super().connection_made(transport)
        self._allow(self.patience.head)
        if len(self.connections) > self.most:
            self.app = no_room
        if len(self.connections) > self.most + TOLD_OFF:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, and so is the wait for whatever was asked on it."""
        self._stop_timer()
        state = self.scope.get("state", {}) if self.scope is not None else {}
        if (watch := watch_of(state)) is not None:
            watch.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came. Those of the chunk in which a head begins are not counted: they may belong to what was before."""
        if self._timer is None and not self._in_request:
            self._allow(self.patience.head)  # also for a byte that begins no request, or idling would have no end
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD:
            self._refuse(431, f"The headers are larger than {MAX_HEAD:,} bytes")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = self._in_request = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """From here on the application has the request; its rest may take a while longer."""
        self._in_head = False
        self._allow(self.patience.rest)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_request = False
        self._stop_timer()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused like everything else: as JSON, with the headers that every answer has."""
        self._refuse(400, msg)

    def _allow(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self._refuse(408, "The request did not arrive in time")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer the request that is coming in, and close; if one before it is being answered, that is the last."""
        if self.transport.is_closing():
            return
        cycle, has_cycle = self.cycle, self._in_request and not self._in_head
        is_answering = cycle is not None and not cycle.response_complete
        if is_answering and not has_cycle:
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if not is_answering or not (cycle.response_started or self.pipeline):
            self.transport.write(_answer(status, detail))
        self.transport.close()


def _answer(status: int, detail: str) -> bytes:
    body = refusal_bytes(detail)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in SECURITY_HEADERS]
    lines += [b"content-type: application/json", b"content-length: %d" % len(body), b"connection: close"]
    return b"\r\n".join([*lines, b"", body])


async def no_room(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The application of whoever is one too many."""
    body = refusal_bytes("This Center has as many connections as it can serve; nothing was done")
    headers = [
        *SECURITY_HEADERS,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % FULL_RETRY_AFTER),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def protocol(patience: Patience, most: int) -> type[Connection]:
    """The protocol with this patience, for so many connections."""
    return type("LimitedConnection", (Connection,), {"__slots__": (), "patience": patience, "most": most})
