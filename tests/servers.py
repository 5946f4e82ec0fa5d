"""Centers to test against: one in a thread of this process, one as a process of its own that can be killed."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from clearance.center.clock import wall_clock
from clearance.center.connections import Patience
from clearance.center.policy import Policy
from clearance.center.records import Record, Role
from clearance.center.server import Binding, CenterServer
from clearance.center.service import Center
from clearance.center.signing import SigningKey, beside
from clearance.center.store.base import Tx, Use
from clearance.center.store.databases import open_store
from clearance.client import Client
from clearance.models import Status
from clearance.settings import Settings
from clearance.transports import AsyncHttpTransport, HttpTransport
from clearance.witness import Head

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds until something that should have happened counts as never happening."""


class Api:
    """One key's view of a Center's REST API, over a real socket, with nothing of ours in between."""

    def __init__(self, url: str, key: str | None = None, ca_bundle: str | None = None) -> None:
        self.url = url
        self.entries = 0
        self._session = requests.Session()
        self._session.trust_env = False
        if ca_bundle:
            self._session.verify = ca_bundle
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; what every answer must have is checked on the way."""
        answer = self._session.request(method, self.url + path, **{"timeout": PATIENCE, **options})
        if answer.status_code >= 400:
            assert isinstance(answer.json()["detail"], str), answer.text
        head = Head.parse(answer.headers["Clearance-Audit-Head"])
        assert head is not None
        assert head.entries >= self.entries  # one request after the other, so it cannot have become less
        self.entries = head.entries
        return answer

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """POST, with a JSON body."""
        return self.call("POST", path, json={} if body is None else body, **options)

    def submit(self, **fields: Any) -> dict[str, Any]:
        """Submit a refund, or what ``fields`` make of it; returns the answer's body."""
        answer = self.post("/api/v1/actions/submit", a_submit(**fields))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def a_submit(**changes: Any) -> dict[str, Any]:
    """The body of a submit that a person has to decide; a field that is None is left out."""
    fields = {
        "agent_id": "billing-bot",
        "action_type": "payment.refund",
        "tool_name": "stripe",
        "description": "Refund 5 on ch_1",
        "action_details": {"charge_id": "ch_1", "amount": 5},
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def claiming(**changes: Any) -> dict[str, Any]:
    """The ``extra_data`` of a client that claims."""
    return {"clearance": {"v": 1, "digest": "the-digest", "claim": True, **changes}}


@dataclass(frozen=True, slots=True)
class Running:
    """A Center that serves, and the keys to it."""

    url: str
    center: Center
    user_key: str
    admin_key: str
    database: Path

    def transport(self) -> HttpTransport:
        """The agent's sync transport."""
        return HttpTransport(self.url, self.user_key)

    def async_transport(self) -> AsyncHttpTransport:
        """The agent's async transport."""
        return AsyncHttpTransport(self.url, self.user_key)

    def approver(self) -> Client:
        """An approver's client."""
        return Client(Settings(self.admin_key, self.url))

    def env_file(self, key: str | None = None) -> str:
        """A file with the approver's settings, or those of another key."""
        file = self.database.with_suffix(".env")
        file.write_text(f"OWKAI_API_URL={self.url}\nOWKAI_API_KEY={self.admin_key if key is None else key}\n")
        return str(file)

    def records(self) -> list[Record]:
        """Every action, oldest first."""
        return self.center.do(lambda tx: tx.actions(oldest_first=True, limit=1_000))

    def held(self, count: int = 1) -> list[Record]:
        """Wait until ``count`` actions are pending; returns them, oldest first."""

        def pending(tx: Tx) -> list[Record] | None:
            found = tx.actions(statuses=[Status.PENDING], oldest_first=True, limit=1_000)
            return found if len(found) >= count else None

        return until(self.center, pending)


def until(center: Center, look: Callable[[Tx], T | None]) -> T:
    """What ``look`` finds, as soon as it finds anything; it looks again at every change in the Center."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with center.bell.listening() as rung:
            if (found := center.do(look)) is not None:
                return found
            left = deadline - time.monotonic()
            assert left > 0, "It never came to that."
            wait([rung], timeout=left)


@contextmanager
def running_center(
    database: Path,
    *,
    policy: Policy | None = None,
    now: Callable[[], int] = wall_clock,
    binding: Binding | None = None,
    patience: Patience | None = None,
    **limits: Any,
) -> Iterator[Running]:
    """A Center on ``database``, listening on a free port in a thread of this process."""
    center = Center(open_store(database), policy, now, signing_key=SigningKey(beside(database)), **limits)
    try:
        user_key = center.create_key(Role.USER, "billing-bot")
        admin_key = center.create_key(Role.ADMIN, "carol")
        with CenterServer(center, binding, patience) as server:
            yield Running(server.url, center, user_key, admin_key, database)
    finally:
        center.close()


@contextmanager
def in_thread(work: Callable[[], T]) -> Iterator[queue.SimpleQueue[T | BaseException]]:
    """Run ``work`` beside the block; its result, or what it raised, arrives in the queue."""
    results: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put(work())
        except BaseException as error:
            results.put(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield results
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "It never came to an end."


def command(*arguments: str) -> list[str]:
    """The ``clearance`` command line, with the Python that runs the tests."""
    return [sys.executable, "-m", "clearance", *arguments]


class CenterProcess:
    """``clearance center`` as a process of its own; it can be killed and started again at the same address."""

    def __init__(self, database: Path | str, *options: str) -> None:
        self.database = database
        self.port = 0
        self.url = ""
        self.greeting: list[str] = []
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and return when it listens."""
        line = command("center", "--database", str(self.database), "--port", str(self.port), *self._options)
        process = self._process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            self.greeting = [process.stdout.readline() for _ in range(3)]
        finally:
            watchdog.cancel()
        assert " at http" in self.greeting[0], "The Center did not start."
        self.url = self.greeting[0].split()[-1]
        self.port = urlsplit(self.url).port or 0

    @property
    def pid(self) -> int:
        """Its number in the system."""
        assert self._process is not None
        return self._process.pid

    def key(self, role: str) -> str:
        """A new key, made as the command line makes one: by another process than the Center's, on its database."""
        visitor = Center.open(self.database, use=Use.VISIT)
        try:
            return visitor.create_key(Role(role), role)
        finally:
            visitor.close()

    def send(self, signal: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(signal)

    def signalled(self, signal: signal.Signals) -> str:
        """Send it a signal; returns the next line that it prints after the greeting and what follows that."""
        self.send(signal)
        return self.told()

    def told(self) -> str:
        """The next line that it prints after the greeting and what follows that, when it does."""
        assert self._process is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        try:
            while (line := self._process.stdout.readline()).startswith("No approver yet"):
                pass
        finally:
            watchdog.cancel()
        return line

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing flushed."""
        self.end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        return self.end(signal.SIGTERM)

    def end(self, how: signal.Signals) -> int:
        """Send it a signal and wait for its end; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def close(self) -> None:
        """Kill it, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        elif self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def center_process(database: Path | str, *options: str) -> Iterator[CenterProcess]:
    """A running `CenterProcess` on ``database``, killed at the end."""
    process = CenterProcess(database, *options)
    try:
        process.start()
        yield process
    finally:
        process.close()
