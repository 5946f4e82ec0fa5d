"""The outermost layer by itself: how long a body may take, with an application that only reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from clearance.center.limits import Limits, is_same_origin

Parts = Callable[[], Awaitable[Message]]


def a_scope(**changes: Any) -> Scope:
    """A POST to this machine."""
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/actions/submit",
        "raw_path": b"/api/v1/actions/submit",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    return {**scope, **changes}


def part(body: bytes, *, more: bool = True) -> Message:
    """A part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the body, and says how long it was or why it stopped."""
    request = Request(scope, receive)
    try:
        answer = PlainTextResponse(str(len(await request.body())))
    except HTTPException as refusal:
        answer = PlainTextResponse(str(refusal.detail), refusal.status_code, dict(refusal.headers or {}))
    await answer(scope, receive, send)


async def asked(receive: Parts, within: float, app: Any = reading, scope: Scope | None = None) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Limits(app, ["localhost"], body_within=within)(scope or a_scope(), receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def drops(*, every: float) -> Parts:
    """A body of which another byte comes every so often, for ever."""

    async def receive() -> Message:
        await asyncio.sleep(every)
        return part(b" ")

    return receive


@pytest.mark.parametrize("every", [0.0, 0.001, 3_600.0], ids=["as fast as it can", "steadily", "never"])
def test_a_body_that_does_not_end_is_given_up_on_at_whatever_pace_it_comes(every: float) -> None:
    status, body = asyncio.run(asked(drops(every=every), within=0.05))

    assert (status, body) == (408, b"The body did not arrive within 0.05 seconds")


def test_a_body_that_is_there_is_read_however_short_the_time() -> None:
    parts = iter([part(b"ab"), part(b"c", more=False)])

    async def receive() -> Message:
        return next(parts)

    assert asyncio.run(asked(receive, within=0.0)) == (200, b"3")


def test_once_the_body_is_there_waiting_for_the_client_to_leave_takes_as_long_as_it_takes() -> None:
    async def staying(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())  # as a long answer does, to notice that nobody reads it
        done, _ = await asyncio.wait([gone], timeout=0.2)
        gone.cancel()
        await PlainTextResponse("waited" if not done else "cut off")(scope, receive, send)

    first = iter([part(b"", more=False)])

    async def receive() -> Message:
        found = next(first, None)
        return found if found is not None else await asyncio.Event().wait() and part(b"")

    assert asyncio.run(asked(receive, within=0.01, app=staying)) == (200, b"waited")


def test_an_application_that_does_not_read_is_not_called_for_what_is_refused() -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("called")

    scope = a_scope(headers=[(b"host", b"evil.example")])
    status, body = asyncio.run(asked(drops(every=0.0), within=1.0, app=never, scope=scope))

    assert status == 421
    assert "host name" in json.loads(body)["detail"]


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_is_passed_on(kind: str) -> None:
    called: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        called.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        raise AssertionError("called")

    asyncio.run(Limits(app, [])({"type": kind}, nothing, nothing))
    assert called == [kind]


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "same"),
    [
        ("http://localhost:8420", "localhost:8420", "http", True),
        ("HTTP://LOCALHOST:8420", "localhost:8420", "http", True),
        ("https://center.example.com", "center.example.com", "http", True),  # a proxy has the TLS
        ("http://center.example.com", "center.example.com", "https", False),
        ("http://localhost", "localhost:8420", "http", False),
        ("http://localhost:8420.evil", "localhost:8420", "http", False),
        ("null", "localhost:8420", "http", False),
        ("http://[", "localhost:8420", "http", False),
    ],
)
def test_an_origin_is_the_same_with_host_port_and_scheme(origin: str, host: str, scheme: str, same: bool) -> None:
    assert is_same_origin(origin, host, scheme) is same
