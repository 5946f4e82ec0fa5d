"""Serves a Center over HTTP: the right address, TLS where it is needed, waiters answered before it stops."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import logging
import resource
import socket
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

import uvicorn

from clearance.center.app import LOOPBACK_HOSTS, application
from clearance.center.connections import MOST_CONNECTIONS, TOLD_OFF, Patience, protocol
from clearance.center.service import Center

log: logging.Logger = logging.getLogger("clearance.center")

BACKLOG = 2048
"""Connections that may wait to be accepted."""
OTHER_FILES = 128
"""Open files that are no connections: the database's, the program's, what the system needs."""
GRACE = 5
"""Seconds that requests under way get to finish when the Center stops."""
COLLECT_AFTER = 10_000
"""New objects after which the garbage collector looks whether some of them only hold each other."""


class CannotServe(Exception):
    """The Center will not listen there; the message says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where to listen. Beyond this machine only with TLS, or behind a proxy that has it.

    ``port`` 0 picks a free one. ``public_url`` is the address that people use, if it is another.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls_cert: str | None = None
    tls_key: str | None = None
    behind_proxy: bool = False
    public_url: str | None = None

    def check(self) -> None:
        """Refuse what would send keys in clear.

        Raises:
            CannotServe: with what to write instead.
        """
        if bool(self.tls_cert) != bool(self.tls_key):
            raise CannotServe("--tls-cert and --tls-key go together.")
        if not (_is_loopback(self.host) or self.tls_cert or self.behind_proxy):
            raise CannotServe(
                f"Listening on {self.host} would send API keys over the network in clear. Give --tls-cert and "
                "--tls-key, or --behind-proxy if a proxy in front of it has TLS, or leave --host out."
            )
        if not _is_loopback(self.host) and not self.public_url:
            raise CannotServe(
                "Beyond this machine the Center answers only to the name people use for it: give --public-url, "
                "such as https://center.example.com"
            )
        if self.public_url is not None and not urlsplit(self.public_url).hostname:
            raise CannotServe("--public-url must be a whole address, such as https://center.example.com")

    def hosts(self) -> Collection[str]:
        """The host names that are answered to."""
        name = urlsplit(self.public_url).hostname if self.public_url else None
        return {*LOOPBACK_HOSTS, *([name] if name else [])}


class CenterServer:
    """A listening Center. Use `serve` in the main thread, or ``with CenterServer(...)`` for one in a thread.

    ``patience`` is how long a request may take to arrive; ``most_connections`` are served at once, or as many as the
    system lets this process have.

    Raises:
        CannotServe: the address is not allowed or not free.
    """

    def __init__(
        self,
        center: Center,
        binding: Binding | None = None,
        patience: Patience | None = None,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        binding, patience = binding or Binding(), patience or Patience()
        binding.check()
        self.binding = binding
        self._socket = _listen(binding.host, binding.port)
        self._server = _Server(
            center,
            uvicorn.Config(
                application(center, binding.hosts(), body_within=patience.body),
                http=protocol(patience, room_for(most_connections)),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE,
                ssl_certfile=binding.tls_cert,
                ssl_keyfile=binding.tls_key,
            ),
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address that people and clients use."""
        if self.binding.public_url:
            return self.binding.public_url.rstrip("/")
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self.binding.tls_cert else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def serve(self) -> None:
        """Serve until SIGTERM or Ctrl-C; then answer whoever waits, and return. The process is the Center's so long."""
        with _rare_collections():
            self._run()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> CenterServer:
        self._thread = threading.Thread(target=self._run, name="clearance-center", daemon=True)
        self._thread.start()
        if not self._server.started_event.wait(timeout=30):
            raise CannotServe("The Center did not start.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


class _Server(uvicorn.Server):
    def __init__(self, center: Center, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._center = center
        self.started_event = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.started_event.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # First of all: those who wait are answered now, or stopping would wait for them.
        self._center.bell.close()
        await super().shutdown(sockets)


def room_for(connections: int) -> int:
    """How many of these connections this process can have; its limit of open files is raised for them if it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + TOLD_OFF + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    room = max(1, soft - TOLD_OFF - OTHER_FILES)
    log.warning("The system lets this process have %d open files, so it serves %d connections at once.", soft, room)
    return room


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Have the garbage collector look seldom, and not at all at what is there before the first request.

    Requests under way look like new objects that stay, so it would look at everything again and again.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"Cannot listen on {host}:{port} ({error.strerror}). Choose another --port; 0 picks a free one."
        ) from None
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
