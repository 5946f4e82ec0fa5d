"""What every request must pass before any route sees it, and the headers every answer carries."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NoReturn, TypeAlias
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearance.center.rates import Standing
from clearance.wire.vocabulary import MAX_BODY

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

MAX_TARGET = 8 * 1024
"""Bytes of a request's path and query."""
MAX_HEAD = 16 * 1024
"""Bytes of a request's path, query and headers together."""
HEAD_WITHIN = 10.0
"""Seconds from a connection, or from the first byte of a further request on it, until the headers are complete."""
BODY_WITHIN = 20.0
"""Seconds in which a body must have arrived, however steadily it trickles in."""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
SECURITY_HEADERS = (
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
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::[0-9]{1,5})?")
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


class Limits:
    """ASGI: refuses what is not meant for this Center or too much for it, before reading on; adds headers.

    Args:
        app: the application.
        hosts: the names this Center answers to, without port; anything else is somebody's DNS trick.
        headers: further headers, as they are when an answer begins.
        body_within: seconds in which a body must have arrived.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        *,
        headers: Callable[[], Headers] = tuple,
        body_within: float = BODY_WITHIN,
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._headers = headers
        self._body_within = body_within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_missing(message["headers"], scope, self._headers())]
            await send(message)

        try:
            self._check(scope)
        except HTTPException as refusal:
            await _answer(refusal, send_on)
        else:
            await self._app(scope, _Body(receive, self._body_within), send_on)

    def _check(self, scope: Scope) -> None:
        target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if target > MAX_TARGET:
            _refuse(414, f"The address is longer than {MAX_TARGET:,} bytes")
        if target + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD:
            _refuse(431, f"The headers are larger than {MAX_HEAD:,} bytes")
        headers = _text(scope["headers"])
        host = headers.get("host", "").lower()
        named = _HOST.fullmatch(host)
        if named is None or named["name"] not in self._hosts:
            _refuse(421, "This Center does not answer to that host name; see --public-url")
        if "origin" in headers and not is_same_origin(headers["origin"], host, scope["scheme"]):
            _refuse(403, "This request was sent by another site, so nothing was done")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:12]) > MAX_BODY:
            _refuse(413, f"The body is larger than {MAX_BODY:,} bytes")
        if scope["method"] not in _BODILESS:
            _check_type(headers.get("content-type", ""), scope["path"])


class _Body:
    """Receives a request's body: so much and no more, and within its time."""

    def __init__(self, receive: Receive, within: float) -> None:
        self._receive = receive
        self._within = within
        self._until: float | None = None
        self._bytes = 0
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:  # what comes now is the news that the client has gone, whenever that is
            return await self._receive()
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + self._within
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            _refuse(408, f"The body did not arrive within {self._within:g} seconds")
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY:
            _refuse(413, f"The body is larger than {MAX_BODY:,} bytes")
        self._complete = not message.get("more_body", False)
        return message


def refusal_bytes(detail: str) -> bytes:
    """The body of a refusal that no route has seen."""
    return json.dumps({"detail": detail}).encode()


def is_same_origin(origin: str, host: str, scheme: str) -> bool:
    """Does this ``Origin`` name the address that was asked?

    Behind a proxy with TLS the browser's scheme is https while ours is not; never the other way round.
    """
    try:
        said = urlsplit(origin)
    except ValueError:
        return False
    return said.netloc.lower() == host.lower() and said.scheme in (scheme, "https")


def _check_type(content_type: str, path: str) -> None:
    """Programs send JSON, or do not say what they send; pages send plain forms. Nothing else has a parser here."""
    said, is_api = content_type.partition(";")[0].strip().lower(), path.startswith("/api/")
    if said not in ("", JSON) and (said != FORM or is_api):
        _refuse(415, f"Send JSON, with Content-Type: {JSON}" if is_api else "Send JSON, or from a page a plain form")


def _text(headers: Headers) -> dict[str, str]:
    """The headers; one that comes twice has no meaning, for it is read differently by different readers."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1").lower()
        if key in found and key in _ONCE:
            _refuse(400, f"The header {key} stands twice")
        found[key] = value.decode("latin-1")
    return found


_ONCE = frozenset({"authorization", "content-length", "content-type", "host", "idempotency-key", "origin", "x-api-key"})


def _missing(present: Headers, scope: Scope, more: Headers) -> list[tuple[bytes, bytes]]:
    """What an answer still lacks."""
    names = {name.lower() for name, _ in present}
    standing: Standing | None = scope.get("state", {}).get("rate")
    rate: Mapping[str, str] = standing.headers() if standing is not None else {}
    limits = [(name.lower().encode(), value.encode()) for name, value in rate.items()]
    return [(name, value) for name, value in (*SECURITY_HEADERS, *more, *limits) if name not in names]


def _refuse(status: int, detail: str) -> NoReturn:
    """The request is not looked at any further, and neither is the rest of its connection."""
    raise HTTPException(status, detail, {"Connection": "close"})


async def _answer(refusal: HTTPException, send: Send) -> None:
    body = refusal_bytes(refusal.detail)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
