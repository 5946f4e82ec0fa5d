"""How many durable submits a Center takes a second, against the least a server of its kind does, in one run.

The floor is the Center's own HTTP stack (same server, settings, middleware and routes) whose submit reads nothing and
commits one row, in a transaction of its own, to a SQLite database with the Center's settings (WAL, synchronous=FULL).
Both answer load from a process of its own over connections that stay open, each request with an idempotency key of its
own; first one submitter, then 64. They take turns, and what counts is the median of the turns' ratios.

Goals: one submitter gets at least 0.60 of the floor; 64 get more than the floor, because they share commits. How far it
is to either depends on the disk: the faster a commit, the less there is to share, and the more weighs what a Center
does beside it (it checks the key and the form, asks the policy, keeps the action and its audit entry). So the time of a
bare commit is printed as well, taken before and after; and with a second number every flush to the disk takes so many
milliseconds longer, for floor and Center alike, as on a slower disk (this needs a C compiler).

Run: ``python benchmarks/submit_throughput.py [turns [milliseconds]]``.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clearance.center import app
from clearance.center.records import Role
from clearance.center.server import CenterServer
from clearance.center.service import Center
from clearance.commands import Submit
from clearance.models import Action, CodeIdentity
from clearance.wire import asking
from clearance.wire.vocabulary import SUBMIT_PATH

TURNS = 9
SECONDS = 1.5
SUBMITTERS = (1, 64)
COMMITS = 500
API_KEYS = 256
"""They take turns, so that no limit of one key is met."""
ROW = "x" * 1_000
SLOWER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slower(const char *name, int file) {
    usleep(MICROSECONDS);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(file);
}
int fsync(int file) { return slower("fsync", file); }
int fdatasync(int file) { return slower("fdatasync", file); }
"""
"""Stands before the C library of whoever writes to the disk."""


# The servers: each is a process of its own, started with one of these names


def serve(name: str, folder: Path) -> None:
    """Serve until told to stop; prints the address and where its keys are first."""
    center = Center.open(folder / f"{name}.db")
    made = [center.create_key(Role.USER, f"load-{number}") for number in range(API_KEYS)]
    keys = folder / f"{name}.keys"
    keys.write_text("\n".join(made))
    if name == "floor":
        put_floor_under(app.API_ROUTES, folder / "rows.db")
    server = CenterServer(center)
    print(server.url, keys, flush=True)
    server.serve()
    center.close()


def put_floor_under(routes: list[Route], database: Path) -> None:
    """Have submit do nothing but commit one row, where it costs the least: without any other thread."""
    rows = new_rows(database)

    async def insert(_request: Request) -> Response:
        commit_one(rows)
        return JSONResponse({})

    routes[:] = [
        Route(SUBMIT_PATH, insert, methods=["POST"]) if route.path == SUBMIT_PATH else route for route in routes
    ]


def new_rows(database: Path) -> sqlite3.Connection:
    """A database with one table, and the Center's settings."""
    rows = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    rows.execute("PRAGMA journal_mode=WAL")
    rows.execute("PRAGMA synchronous=FULL")
    rows.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, content TEXT NOT NULL)")
    return rows


def commit_one(rows: sqlite3.Connection) -> None:
    """One row, one transaction."""
    rows.execute("BEGIN IMMEDIATE")
    rows.execute("INSERT INTO rows (content) VALUES (?)", (ROW,))
    rows.execute("COMMIT")


def bare_commit(database: Path) -> None:
    """Print the milliseconds that a commit takes here and now, in the median."""
    with contextlib.closing(new_rows(database)) as rows:
        times = []
        for _ in range(COMMITS):
            started = time.perf_counter()
            commit_one(rows)
            times.append((time.perf_counter() - started) * 1000)
    print(statistics.median(times))


# The load: a process of its own, with as little work a request as there can be


class Target(NamedTuple):
    """Where a server listens, and the requests to it: what stands before and behind each one's idempotency key."""

    address: tuple[str, int]
    before: list[bytes]
    behind: bytes

    def request(self, number: int) -> bytes:
        """The request with this number."""
        return b"%b%016d%b" % (self.before[number % len(self.before)], number, self.behind)

    @classmethod
    def at(cls, url: str, keys: list[str]) -> Target:
        """Such submits as a guard makes, of a call that waits for an approver."""
        action = Action(
            agent_id="billing-bot",
            action_type="payment.refund",
            tool_name="refunds",
            description="Refund 120.00 to acc-77",
            parameters={"account": "acc-77", "amount": 120.0, "currency": "EUR", "note": "double charge in March"},
            digest="d" * 43,
            decide_within=900.0,
            run_within=300.0,
            context={"ticket": "T-1009"},
            code=CodeIdentity("billing.refunds", "refund", "function"),
        )
        request = asking.request(Submit(action, key="k", nonce="n" * 22, timeout=10.0))
        body = request.body or b""
        host, port = str(urlsplit(url).hostname), int(urlsplit(url).port or 0)
        head = (
            f"POST {SUBMIT_PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/json\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nAuthorization: Bearer "
        )
        before = [f"{head}{key}\r\nIdempotency-Key: ".encode() for key in keys]
        return cls((host, port), before, b"\r\n\r\n" + body)


def load(url: str, keys: Path, submitters: int, seconds: float, first: int) -> None:
    """Submit for so long; prints how many answers there were and how long they took in all."""
    target = Target.at(url, keys.read_text().split())
    numbers = count(first)
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as ready:
        sockets = [stack.enter_context(socket.create_connection(target.address)) for _ in range(submitters)]
        for connection in sockets:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(connection, selectors.EVENT_READ)
        for connection in sockets:
            connection.sendall(target.request(next(numbers)))
        answers, under_way = 0, submitters
        started = time.perf_counter()
        until = started + seconds
        ended = started
        while under_way:
            for selected, _ in ready.select():
                connection = selected.fileobj  # type: ignore[assignment]
                take_answer(connection)
                ended = time.perf_counter()
                answers += 1
                if ended < until:
                    connection.sendall(target.request(next(numbers)))
                else:
                    under_way -= 1
    print(answers, ended - started)


def take_answer(connection: socket.socket) -> None:
    """Read one answer to its end; anything but a 200 ends the run."""
    data = connection.recv(65536)
    head, found, body = data.partition(b"\r\n\r\n")
    if not found or not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"The answer was {data[:300]!r}")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    left = length - len(body)
    while left > 0:
        left -= len(connection.recv(65536))


# The comparison


def on_disk(folder: Path, milliseconds: float) -> dict[str, str]:
    """The environment of a process for which each flush takes so much longer."""
    if not milliseconds:
        return dict(os.environ)
    source, library = folder / "slower.c", folder / "slower.so"
    source.write_text(SLOWER)
    define = f"-DMICROSECONDS={milliseconds * 1000:.0f}"
    subprocess.run(["cc", "-shared", "-fPIC", define, "-o", library, source, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}


def commit_time(folder: Path, environment: dict[str, str]) -> float:
    """Milliseconds of a bare commit."""
    command = [sys.executable, __file__, "commit", str(folder / "bare.db")]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    (folder / "bare.db").unlink()
    return float(told)


@contextlib.contextmanager
def running(name: str, folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A server process: its address, and the file with its keys."""
    command = [sys.executable, __file__, "serve", name, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            url, keys = server.stdout.readline().split()
            yield url, keys
        finally:
            server.terminate()


class Rates:
    """Measures, and makes every key its own."""

    def __init__(self) -> None:
        self._first = 0

    def of(self, at: tuple[str, str], submitters: int, seconds: float = SECONDS) -> float:
        """Answers a second."""
        self._first += 10**9
        command = [sys.executable, __file__, "load", *at, str(submitters), str(seconds), str(self._first)]
        answers, took = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        return int(answers) / float(took)


def compare(turns: int, slower: float) -> None:
    rates = Rates()
    found: dict[tuple[str, int], list[float]] = {(name, n): [] for name in ("floor", "center") for n in SUBMITTERS}
    with tempfile.TemporaryDirectory() as name_of_it, contextlib.ExitStack() as stack:
        folder = Path(name_of_it)
        disk = on_disk(folder, slower)
        before = commit_time(folder, disk)
        servers = {name: stack.enter_context(running(name, folder, disk)) for name in ("floor", "center")}
        for at in servers.values():
            rates.of(at, 8)
        for _ in range(turns):
            for submitters in SUBMITTERS:
                for name, at in servers.items():
                    found[name, submitters].append(rates.of(at, submitters))
        after = commit_time(folder, disk)
    print(f"a bare commit: {before:.3f} ms before, {after:.3f} ms after")
    for submitters in SUBMITTERS:
        floor, center = found["floor", submitters], found["center", submitters]
        ratios = [ours / theirs for ours, theirs in zip(center, floor, strict=True)]
        print(
            f"{submitters:2} submitting: floor {statistics.median(floor):6.0f}/s   "
            f"Center {statistics.median(center):6.0f}/s   ratio {statistics.median(ratios):4.2f} "
            f"({min(ratios):4.2f} to {max(ratios):4.2f})"
        )


def main(arguments: list[str]) -> None:
    match arguments:
        case ["serve", name, folder]:
            serve(name, Path(folder))
        case ["load", url, keys, submitters, seconds, first]:
            load(url, Path(keys), int(submitters), float(seconds), int(first))
        case ["commit", database]:
            bare_commit(Path(database))
        case _:
            turns, slower = [*arguments, *["", ""][len(arguments) :]]
            compare(int(turns or TURNS), float(slower or 0))


if __name__ == "__main__":
    main(sys.argv[1:])
