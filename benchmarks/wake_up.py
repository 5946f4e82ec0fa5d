"""How long after a decision whoever waits for it knows, with a thousand that wait on a connection each.

The approver decides one action after the other, each as soon as the one before was told. Two times are taken of each:
from when the approver sends the decision, which has what it takes to keep it in it, and from when the approver has its
answer, which may be after whoever waits has theirs: that counts as 0.

On a SQLite file there is one Center. With the address of an empty PostgreSQL database there are two: the decisions are
made at one, and all wait at the other.

Goals: half of them within 5 ms, 99 of 100 within 50 ms.

Run: ``python benchmarks/wake_up.py [postgresql://...]``.
"""

from __future__ import annotations

import contextlib
import json
import random
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from clearance.center.records import Role, Submission
from clearance.center.service import Center
from clearance.center.store.base import Tx
from clearance.models import Action

WAITING = 1_000
DAY = 24 * 3600.0


def ask(center: Center, key: str) -> list[int]:
    """The actions that wait for a decision."""

    def work(tx: Tx) -> list[int]:
        who = center.principal(tx, key)
        return [center.desk.submit(tx, who, Submission(refund(n), None, None, claims=True)).id for n in range(WAITING)]

    return center.do(work)


def refund(number: int) -> Action:
    return Action(
        agent_id="billing-bot",
        action_type="payment.refund",
        tool_name="refunds",
        description=f"Refund 120.00 to acc-{number}",
        parameters={"account": f"acc-{number}", "amount": 120.0},
        digest=f"digest-{number}",
        decide_within=DAY,
        run_within=300.0,
    )


@contextlib.contextmanager
def running(database: str) -> Iterator[tuple[str, int]]:
    """A Center as a process of its own; its address."""
    command = [sys.executable, "-m", "clearance", "center", "--port", "0", "--rate", "0", "--database", database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as center:
        try:
            assert center.stdout is not None
            url = urlsplit(center.stdout.readline().split()[-1])
            yield str(url.hostname), int(url.port or 0)
        finally:
            center.terminate()


def said(method: str, path: str, key: str, *headers: str) -> bytes:
    """A request without a body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {key}", "Content-Length: 0"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def take_answer(connection: socket.socket) -> dict[str, object]:
    """Read one answer to its end; anything but a 200 ends the run."""
    data = connection.recv(65_536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"The answer was {data[:300]!r}")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    answer: dict[str, object] = json.loads(body)
    return answer


def wake(ids: list[int], keys: tuple[str, str], at: tuple[str, int], decided_at: tuple[str, int]) -> None:
    """Let all of them wait, decide one after the other, and print how long each took to be known."""
    agent, approver = keys
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as ready:
        waiting = {}
        for action_id in ids:
            connection = stack.enter_context(socket.create_connection(at))
            connection.sendall(said("GET", f"/api/v1/actions/{action_id}/status", agent, "Prefer: wait=60"))
            waiting[action_id] = connection
        time.sleep(3)  # until all of them are held
        deciding = stack.enter_context(socket.create_connection(decided_at))
        deciding.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(deciding, selectors.EVENT_READ)
        since_sent, since_answered = [], []
        for action_id in random.Random(1).sample(ids, len(ids)):
            ready.register(waiting[action_id], selectors.EVENT_READ)
            sent = time.perf_counter()
            deciding.sendall(said("POST", f"/api/v1/actions/{action_id}/approve", approver))
            arrived = arrivals(ready, deciding, waiting[action_id])
            ready.unregister(waiting[action_id])
            since_sent.append(arrived[1] - sent)
            since_answered.append(max(0.0, arrived[1] - arrived[0]))
    show("from when the decision is sent", since_sent)
    show("from when the approver has its answer", since_answered)


def arrivals(ready: selectors.BaseSelector, deciding: socket.socket, waiting: socket.socket) -> tuple[float, float]:
    """When the approver had its answer, and when whoever waits had theirs."""
    found: dict[object, float] = {}
    while len(found) < 2:
        for key, _ in ready.select():
            found[key.fileobj] = time.perf_counter()
            answer = take_answer(key.fileobj)  # type: ignore[arg-type]
            if answer["status"] != "approved":
                raise SystemExit(f"The answer was {answer}")
    return found[deciding], found[waiting]


def show(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    p50, p99 = (ordered[int(share * len(ordered))] * 1000 for share in (0.5, 0.99))
    print(f"{name:38} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   longest {ordered[-1] * 1000:6.2f} ms")


def main(url: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        database = url or str(Path(folder) / "center.db")
        center = Center.open(database, max_pending=WAITING)
        keys = center.create_key(Role.USER), center.create_key(Role.ADMIN)
        ids = ask(center, keys[0])
        center.close()
        at = stack.enter_context(running(database))
        decided_at = stack.enter_context(running(database)) if url else at
        print(f"{WAITING:,} waiting at {'one of two Centers on PostgreSQL' if url else 'a Center on SQLite'}")
        wake(ids, keys, at, decided_at)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
