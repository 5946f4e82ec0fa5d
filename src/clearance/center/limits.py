"""What every request must pass before any route sees it: size, host, and the headers every answer carries."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearance.wire.vocabulary import MAX_BODY

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
     b"img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
     b"require-trusted-types-for 'script'; trusted-types 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # Not `no-referrer`: browsers would then send our own forms with `Origin: null`, which looks like a stranger's.
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)  # fmt: skip
"""What every answer has, and tells browsers to keep out of harm."""


class Refusal(Exception):
    """The request is not looked at any further."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Limits:
    """ASGI middleware: refuses foreign hosts and bodies over 1 MiB, before reading on; adds what every answer has.

    ``hosts`` are the names this Center answers to, without port; anything else is somebody's DNS trick. ``headers``
    are further headers, as they are when an answer begins.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], headers: Callable[[], Headers]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in (*HEADERS, *self._headers()) if name not in present),
                ]
            await send(message)

        try:
            headers = {name.lower(): value for name, value in scope["headers"]}
            self._check(headers)
            await self._app(scope, _counted(receive), send_on)
        except Refusal as refusal:
            if started:
                raise
            await _answer(refusal, send_on)

    def _check(self, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _name(host) not in self._hosts:
            raise Refusal(421, "This Center does not answer to that host name; see --public-url")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:12]) > MAX_BODY:
            raise Refusal(413, f"The body is larger than {MAX_BODY:,} bytes")


def _name(host: str) -> str:
    """The host without its port; an IPv6 address keeps its brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _counted(receive: Receive) -> Receive:
    """Counts a body that did not say how long it is."""
    received = 0

    async def counting() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY:
            raise Refusal(413, f"The body is larger than {MAX_BODY:,} bytes")
        return message

    return counting


async def _answer(refusal: Refusal, send: Send) -> None:
    body = json.dumps({"detail": refusal.detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
