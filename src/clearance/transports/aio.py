"""The async HTTP transport: `httpx2` where it is installed, else single requests in a small thread pool.

Either way a wait is parked on the event loop, never in a thread.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import TYPE_CHECKING, Any

from clearance.commands import Await, Command
from clearance.drivers import Clock, clock_of
from clearance.models import Decision
from clearance.transports.base import Transport
from clearance.transports.http import CONNECT_TIMEOUT, HttpTransport
from clearance.transports.origin import Origin
from clearance.wire import asking
from clearance.wire.vocabulary import MAX_ANSWER
from clearance.witness import Head

if TYPE_CHECKING:
    import httpx2

THREADS = 8
"""Threads for single exchanges where `httpx2` is missing, or a transport has only a sync side."""


class AsyncHttpTransport:
    """Carries commands to a Center over HTTP from an event loop; see `HttpTransport` for what it holds to.

    One object serves any number of loops, each with its own connections.
    """

    def __init__(self, url: str, api_key: str, *, ca_bundle: str | None = None) -> None:
        self.origin: Origin = Origin(url, api_key, ca_bundle)
        self.binding_key: bytes = self.origin.binding_key
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )
        self._sync: HttpTransport | None = None
        self._threaded: ThreadedTransport | None = None
        if not importlib.util.find_spec("httpx2"):
            transport = HttpTransport(url, api_key, ca_bundle=ca_bundle)
            transport.origin = self.origin  # so that what it sees is seen here
            self._sync, self._threaded = transport, ThreadedTransport(transport)

    def __repr__(self) -> str:
        return f"AsyncHttpTransport({self.origin.url!r})"

    @property
    def head(self) -> Head | None:
        """The newest head of the Center's audit trail that any answer carried: keep it, as its witness."""
        return self.origin.head

    @property
    def holds(self) -> bool:
        """May a server be asked to hold an answer? Not where that would park a thread."""
        return self._sync is None

    async def asend(self, command: Command) -> Decision:
        """Carry one command; see `Transport.send`."""
        if self._threaded:
            return await self._threaded.asend(command)
        request = asking.request(command)
        status, headers, body = await self.exchange(
            request.method, request.path, request.headers, request.body, command.timeout
        )
        return asking.answer(command, status, headers, body)

    async def aclose(self) -> None:
        """Close this loop's connections."""
        if self._threaded:
            self._threaded.close()
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def __aenter__(self) -> AsyncHttpTransport:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def exchange(
        self, method: str, path: str, headers: Any = (), body: bytes | None = None, timeout: float = 10.0
    ) -> tuple[int, dict[str, str], bytes]:
        """One HTTP exchange of at most ``timeout`` seconds: (status, lower-case headers, body).

        Raises:
            AuthorizationUnavailable: no whole answer.
        """
        if self._sync is not None:
            work = partial(self._sync.exchange, method, path, headers, body, timeout)
            return await asyncio.get_running_loop().run_in_executor(_pool(os.getpid()), work)
        import ssl

        import httpx2

        try:
            async with asyncio.timeout(timeout):
                async with self._client().stream(
                    method,
                    self.origin.url + path,
                    headers=dict(headers),
                    content=body,
                ) as response:
                    content = await self._limited(response)
                    answered = {name.lower(): value for name, value in response.headers.items()}
                    self.origin.saw(answered)
                    return response.status_code, answered, content
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise self.origin.timed_out() from error
        except (httpx2.RequestError, httpx2.InvalidURL, OSError) as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, ssl.SSLError):
                cause = cause.__cause__ or cause.__context__
            raise (self.origin.untrusted(cause) if cause else self.origin.unreachable(error)) from error

    async def _limited(self, response: httpx2.Response) -> bytes:
        received = bytearray()
        async for chunk in response.aiter_raw():
            received += chunk
            if len(received) > MAX_ANSWER:
                raise self.origin.too_long(MAX_ANSWER)
        return bytes(received)

    def _client(self) -> httpx2.AsyncClient:
        import httpx2

        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = httpx2.AsyncClient(
                headers=self.origin.headers(),
                verify=self.origin.tls(),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
                # Each waiting call holds one connection; there must never be a queue in front of a claim.
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            )
            client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client


class ThreadedTransport:
    """Gives a sync transport an async side: each exchange in a thread of ours, each wait on the loop."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.clock: Clock = clock_of(transport)
        self.binding_key: bytes | None = getattr(transport, "binding_key", None)

    async def asend(self, command: Command) -> Decision:
        """Carry one command in a thread; the server is not asked to hold its answer, which would park that thread."""
        if isinstance(command, Await):
            command = replace(command, hold=0.0)
        return await asyncio.get_running_loop().run_in_executor(_pool(os.getpid()), self._transport.send, command)

    def close(self) -> None:
        """Close the sync transport's connections, if it can."""
        getattr(self._transport, "close", lambda: None)()


@lru_cache(maxsize=1)
def _pool(_pid: int) -> ThreadPoolExecutor:
    """One small pool for the process; a forked child, whose threads are gone, gets its own."""
    return ThreadPoolExecutor(THREADS, "clearance")
