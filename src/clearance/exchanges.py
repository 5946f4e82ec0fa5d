"""Carries a client's steps over its transport, and with ``debug`` tells of each exchange: never with a secret in it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from clearance.commands import Await
from clearance.errors import AuthorizationError
from clearance.quick import replace
from clearance.redaction import REDACTED, View
from clearance.sealing import spell
from clearance.settings import Settings
from clearance.transports.aio import AsyncHttpTransport
from clearance.transports.http import HttpTransport
from clearance.wire import strictjson
from clearance.wire.asking import Request
from clearance.wire.inquiring import spoken

log: logging.Logger = logging.getLogger("clearance.client")
log.addHandler(logging.NullHandler())

_HARMLESS = frozenset(
    """
    accept accept-encoding allow cache-control clearance-audit-head connection content-encoding content-length
    content-type date keep-alive prefer preference-applied retry-after server transfer-encoding
    user-agent vary via www-authenticate x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Headers whose values are told; of the others only the names."""
_SECRETS_OF_THE_WIRE = ("nonce",)
"""What the wire calls a secret, beside the names that always are one."""


class Line:
    """A client's way to its Center, in a thread. It is a transport for every step of a `dialogues` generator."""

    def __init__(self, settings: Settings, *, debug: bool) -> None:
        self.http: HttpTransport = HttpTransport(settings.api_url, settings.api_key, ca_bundle=settings.ca_bundle)
        self._diary = Diary(settings.api_key, self.http.origin.headers()) if debug else None

    def send(self, command: Any) -> Any:
        """Carry one step: a command, or an inquiry."""
        inquiry = spoken(command)
        return inquiry.read(*self.exchange(inquiry.request, inquiry.timeout))

    def exchange(self, request: Request, timeout: float) -> tuple[int, Mapping[str, str], bytes]:
        """One exchange, and the line about it."""
        started = time.perf_counter()
        try:
            answer = self.http.exchange(request.method, request.path, request.headers, request.body, timeout)
        except AuthorizationError as error:
            _told(self._diary, request, error, started)
            raise
        _told(self._diary, request, answer, started)
        return answer

    def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        self.http.close()


class AsyncLine:
    """As `Line`, on the event loop."""

    def __init__(self, settings: Settings, *, debug: bool) -> None:
        self.http: AsyncHttpTransport = AsyncHttpTransport(
            settings.api_url, settings.api_key, ca_bundle=settings.ca_bundle
        )
        self._diary = Diary(settings.api_key, self.http.origin.headers()) if debug else None

    async def asend(self, command: Any) -> Any:
        """Carry one step: a command, or an inquiry."""
        if isinstance(command, Await) and not self.http.holds:
            command = replace(command, hold=0.0)
        inquiry = spoken(command)
        return inquiry.read(*await self.exchange(inquiry.request, inquiry.timeout))

    async def exchange(self, request: Request, timeout: float) -> tuple[int, Mapping[str, str], bytes]:
        """One exchange, and the line about it."""
        started = time.perf_counter()
        try:
            answer = await self.http.exchange(request.method, request.path, request.headers, request.body, timeout)
        except AuthorizationError as error:
            _told(self._diary, request, error, started)
            raise
        _told(self._diary, request, answer, started)
        return answer


class Diary:
    """Writes one debug record for each exchange.

    Bodies are told as JSON with the values under secret names, and the credentials in texts, hidden; of what is no
    JSON only the kind and the size are told. Wherever the API key itself would stand, it does not.
    """

    def __init__(self, api_key: str, headers: Mapping[str, str]) -> None:
        self._key = api_key
        self._headers = headers
        log.setLevel(logging.DEBUG)

    def __repr__(self) -> str:
        return "Diary()"

    def write(
        self, request: Request, answer: tuple[int, Mapping[str, str], bytes] | AuthorizationError, ms: float
    ) -> None:
        """Tell of one exchange; ``ms`` is how many milliseconds it took."""
        sent = self._message({**self._headers, **request.headers}, request.body)
        if isinstance(answer, AuthorizationError):
            result, got = f"no answer ({answer.reason_code})", ""
        else:
            status, headers, body = answer
            result, got = str(status), f"; got {self._message(headers, body)}"
        path = self._clean(request.path)
        log.debug(
            "%s %s -> %s in %.0f ms; sent %s%s",
            request.method,
            path,
            self._clean(result),
            ms,
            sent,
            got,
            extra={"method": request.method, "path": path, "result": self._clean(result), "milliseconds": round(ms)},
        )

    def _message(self, headers: Mapping[str, str], body: bytes | None) -> str:
        told = {name: value if name.lower() in _HARMLESS else REDACTED for name, value in headers.items()}
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        return self._clean(f"{json.dumps(told)} {_body(body, kind)}".rstrip())

    def _clean(self, text: str) -> str:
        for spelled in (self._key, json.dumps(self._key)[1:-1]):
            text = text.replace(spelled, REDACTED)
        return text


def _told(diary: Diary | None, request: Request, answer: Any, started: float) -> None:
    if diary is not None:
        diary.write(request, answer, (time.perf_counter() - started) * 1000)


def _body(body: bytes | None, kind: str) -> str:
    if not body:
        return ""
    try:
        value = strictjson.read(body)
        shown, _ = spell({"body": value}, View(_SECRETS_OF_THE_WIRE), b"")
    except (strictjson.NotJson, AuthorizationError):
        return f"[{len(body):,} bytes of {json.dumps(kind[:100])}]"
    return json.dumps(shown["body"])
