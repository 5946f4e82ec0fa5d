"""Servers on this machine whose answers a test makes up, down to the byte."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Reply: TypeAlias = Callable[["Exchange"], None]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    seen: Seen
    peer: Peer
    _handler: BaseHTTPRequestHandler

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def say(self, body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer; anything but bytes is put in JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.start(status, {"Content-Length": str(len(data)), **(headers or {})})
        self.write(data)

    def hang_up(self) -> None:
        """Say no more, not even on this connection."""
        self._handler.close_connection = True

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of an answer."""
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()


@dataclass
class Peer:
    """A running server: its address, what it has seen, and ``over``, which is set when it must stop."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def says(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Always this answer."""
    return lambda exchange: exchange.say(body, status, headers)


@contextmanager
def running(reply: Reply, *, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """A server on loopback that keeps its connections alive, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            peer.connections.append(self.connection)

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, self.rfile.read(length))
            peer.seen.append(seen)
            reply(Exchange(seen, peer, self))

        do_GET = do_POST = do_CONNECT = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # so that closing waits for every thread
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up, or refuses the certificate, is what many a test is about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    peer = Peer(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        peer.over.set()
        for connection in peer.connections:
            with suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()
