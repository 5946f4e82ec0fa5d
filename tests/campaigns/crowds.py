"""Thousands of programs that wait, in one: each holds the conversation that a guard holds, over a socket of its own."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from tests.helpers import LEVEL_2, a_decision, an_action
from tests.servers import PATIENCE, CenterProcess

from clearance import flow
from clearance.center.records import Role, Submission
from clearance.center.service import Center
from clearance.center.store.base import Tx, Use
from clearance.commands import Await, Command, Submit, Withdraw
from clearance.drivers import arun
from clearance.errors import AuthorizationUnavailable
from clearance.models import Decision, Status
from clearance.wire import asking

A_COMMIT = 500
OTHER_FILES = 200
DAY = 24 * 3600.0


@dataclass(frozen=True)
class Population:
    """Actions that wait for a decision, in a Center's database that nobody serves from."""

    database: Path
    agent_key: str
    approver_key: str
    ids: list[int]

    @classmethod
    def new(cls, database: Path, count: int) -> Population:
        """So many actions in a new database."""
        center = Center.open(database, max_pending=count)
        try:
            agent_key, approver_key = center.create_key(Role.USER), center.create_key(Role.ADMIN)

            def ask(tx: Tx, numbers: range) -> list[int]:
                who = center.principal(tx, agent_key)
                asked = (an_action(digest=f"digest-{number}", decide_within=DAY) for number in numbers)
                return [center.desk.submit(tx, who, Submission(each, None, None, claims=True)).id for each in asked]

            portions = (range(first, min(count, first + A_COMMIT)) for first in range(0, count, A_COMMIT))
            ids = [action_id for numbers in portions for action_id in center.do(partial(ask, numbers=numbers))]
        finally:
            center.close()
        return cls(database, agent_key, approver_key, ids)

    def are_decided_unseen(self) -> None:
        """Somebody approves them all, and no Center is there to tell of it."""
        center = Center.open(self.database, use=Use.VISIT)
        try:

            def approve(tx: Tx) -> int:
                who = center.principal(tx, self.approver_key)
                return len(center.desk.decide_all(tx, who, frozenset({"low", "medium"})))

            while center.do(approve):
                pass
        finally:
            center.close()


class Waiter(asyncio.Protocol):
    """One program's transport: its action was submitted before, and what it asks of a Center is how that stands."""

    def __init__(self, address: tuple[str, int], key: str, action_id: int) -> None:
        self._address, self._action_id = address, str(action_id)
        self._head = f"Host: {address[0]}:{address[1]}\r\nAuthorization: Bearer {key}\r\nAccept: application/json\r\n"
        self._socket: Any = None
        self._answer: asyncio.Future[bytes] | None = None
        self._heard = b""

    async def asend(self, command: Command) -> Decision:
        """See `AsyncTransport`."""
        match command:
            case Submit():
                return a_decision(action_id=self._action_id, offers=LEVEL_2)
            case Withdraw():
                return a_decision(Status.WITHDRAWN, action_id=self._action_id)
        assert isinstance(command, Await)
        try:
            return self._read(command, await self._exchanged(command))
        except OSError as error:
            raise AuthorizationUnavailable("It could not be reached.", transient=True) from error

    async def _exchanged(self, command: Await) -> bytes:
        loop = asyncio.get_running_loop()
        if self._socket is None:
            await self.connect()
        assert self._socket is not None
        self._heard, self._answer = b"", loop.create_future()
        said = asking.request(command)
        headers = "".join(f"{name}: {value}\r\n" for name, value in said.headers.items())
        self._socket.write(f"{said.method} {said.path} HTTP/1.1\r\n{self._head}{headers}\r\n".encode())
        return await self._answer

    def _read(self, command: Await, heard: bytes) -> Decision:
        head, _, body = heard.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return asking.answer(command, int(first.split()[1]), headers, body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, whole, body = self._heard.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if whole and len(body) >= int(length) and self._answer is not None and not self._answer.done():
            self._answer.set_result(self._heard)

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    async def connect(self) -> None:
        """Open the connection."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self._address)

    async def leave(self) -> None:
        """Hang up."""
        while self._socket is not None:
            self._socket.abort()
            await asyncio.sleep(0)


class Crowd:
    """Programs that wait for an action each."""

    def __init__(self, population: Population, process: CenterProcess) -> None:
        address = ("127.0.0.1", process.port)
        self._waiters = [Waiter(address, population.agent_key, action_id) for action_id in population.ids]
        self._tasks: list[asyncio.Task[Decision]] = []
        self.last_answer = 0.0
        """When, by the monotonic clock."""

    async def __aenter__(self) -> Crowd:
        """All of them connect, one after the other, and ask."""
        for waiter in self._waiters:
            await waiter.connect()
            self._tasks.append(asyncio.create_task(self._wait(waiter)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for waiter in self._waiters:
            await waiter.leave()

    async def answers(self) -> list[Decision]:
        """What each is told in the end."""
        return await asyncio.gather(*self._tasks)

    async def _wait(self, waiter: Waiter) -> Decision:
        terms = flow.Terms("key", "nonce", time.monotonic, random.random)
        action = an_action(decide_within=DAY)
        decision = await arun(flow.consultation(action, terms), waiter)
        self.last_answer = time.monotonic()
        return decision


class Usage:
    """What a process takes, as the system counts it."""

    def __init__(self, process: CenterProcess) -> None:
        self._folder = Path(f"/proc/{process.pid}")

    def cpu(self) -> float:
        """Seconds of a core so far."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def most_memory(self) -> float:
        """MB that it ever had in memory."""
        lines = (self._folder / "status").read_text().splitlines()
        kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        return kibibytes * 1024 / 1e6

    async def comes_to_rest(self, share: float, seconds: float) -> None:
        """Wait until it takes at most this share of a core, over so many seconds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            before = self.cpu()
            await asyncio.sleep(seconds)  # what it takes in a while can only be told after a while
            if (took := (self.cpu() - before) / seconds) <= share:
                return
            assert time.monotonic() < deadline, f"It never rests: it takes {took:.0%} of a core."


@contextmanager
def room_for(sockets: int) -> Iterator[None]:
    """Let this process have so many sockets."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + OTHER_FILES
    assert hard == resource.RLIM_INFINITY or hard >= wanted, f"This needs {wanted:,} open files (ulimit -Hn)."
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run it on the quick event loop: the programs are not to be what is slow."""
    uvloop.run(story)
