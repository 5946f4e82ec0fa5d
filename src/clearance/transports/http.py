"""The sync HTTP transport: one pooled `requests` session for all threads of a process."""

from __future__ import annotations

import os
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any

import requests
import requests.adapters
import requests.exceptions
import urllib3.exceptions

from clearance.commands import Command
from clearance.models import Decision
from clearance.transports.origin import Origin
from clearance.wire import asking
from clearance.wire.vocabulary import MAX_ANSWER
from clearance.witness import Head

POOL_SIZE = 64
"""Connections that are kept open; more threads than that open their own and close them again."""
CONNECT_TIMEOUT = 10.0
"""Seconds to get a connection, at most."""


class HttpTransport:
    """Carries commands to a Center over HTTP.

    Args:
        url: the Center's address; https, or http on this machine.
        api_key: sent as a bearer token to that address and nowhere else.
        ca_bundle: path of a PEM file, for a private authority; ``system`` for the certificates of this machine.

    Redirects are not followed; proxies, netrc and cookies of the surroundings are not used; TLS is always
    verified; an answer over 256 KiB is refused. Safe to share between threads; after a fork it starts anew.
    """

    def __init__(self, url: str, api_key: str, *, ca_bundle: str | None = None) -> None:
        self.origin: Origin = Origin(url, api_key, ca_bundle)
        self.binding_key: bytes = self.origin.binding_key
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"HttpTransport({self.origin.url!r})"

    @property
    def head(self) -> Head | None:
        """The newest head of the Center's audit trail that any answer carried: keep it, as its witness."""
        return self.origin.head

    def send(self, command: Command) -> Decision:
        """Carry one command; see `Transport.send`."""
        request = asking.request(command)
        status, headers, body = self.exchange(
            request.method, request.path, request.headers, request.body, command.timeout
        )
        return asking.answer(command, status, headers, body)

    def exchange(
        self, method: str, path: str, headers: Any = (), body: bytes | None = None, timeout: float = 10.0
    ) -> tuple[int, dict[str, str], bytes]:
        """One HTTP exchange of at most ``timeout`` seconds: (status, lower-case headers, body).

        Raises:
            AuthorizationUnavailable: no whole answer.
        """
        deadline = time.monotonic() + timeout
        try:
            with self._current_session().request(
                method,
                self.origin.url + path,
                headers=dict(headers),
                data=body,
                timeout=(min(timeout, CONNECT_TIMEOUT), timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._limited(response, deadline)
                answered = {name.lower(): value for name, value in response.headers.items()}
                self.origin.saw(answered)
                return response.status_code, answered, content
        except requests.exceptions.SSLError as error:
            raise self.origin.untrusted(error) from error
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise self.origin.timed_out() from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self.origin.unreachable(error) from error

    def close(self) -> None:
        """Close the pooled connections; the next exchange opens new ones."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def __enter__(self) -> HttpTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _limited(self, response: requests.Response, deadline: float) -> bytes:
        received = bytearray()
        # A read1() returns what has come; a read() would sit out a server that drips.
        read = getattr(response.raw, "read1", response.raw.read)
        while chunk := read(16 * 1024, decode_content=False):
            received += chunk
            if len(received) > MAX_ANSWER:
                raise self.origin.too_long(MAX_ANSWER)
            if time.monotonic() > deadline:
                raise self.origin.timed_out()
        return bytes(received)

    def _current_session(self) -> requests.Session:
        with self._lock:
            if self._session is None or self._pid != os.getpid():
                self._session, self._pid = self._new_session(), os.getpid()
            return self._session

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.headers.clear()
        session.headers.update(self.origin.headers())
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.mount("https://", _PinnedAdapter(self.origin))
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=POOL_SIZE))
        return session


class _PinnedAdapter(requests.adapters.HTTPAdapter):
    """HTTPS with our own TLS context, whatever the surroundings say."""

    def __init__(self, origin: Origin) -> None:
        self._tls = origin.tls()
        super().__init__(pool_maxsize=POOL_SIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The context verifies already; requests must not replace its authorities."""
        conn.cert_reqs = "CERT_REQUIRED"
