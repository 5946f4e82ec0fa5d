"""Where processes come from that are made to be killed: each is forked from one that is warmed up.

So a life costs a few milliseconds instead of a start of Python. The one they are forked from runs no other thread and
has nothing open; run as a program, this is it. What the children do is in `tests.campaigns.mortals`.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.servers import PATIENCE

ROOT = Path(__file__).parent.parent.parent


class Nursery:
    """Bears one child at a time, hears what it tells, and kills it. It warms up on a new database at ``address``."""

    def __init__(self, address: str) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        line = [sys.executable, "-m", "tests.campaigns.nursery", address]
        self._process = subprocess.Popen(line, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._heard = b""
        try:
            assert self.hear() == ["warm"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """No child outlives it. It may be closed twice."""
        if self._process.returncode is not None:
            return
        try:
            self._process.communicate(timeout=PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def lent(self, database: AbstractContextManager[str]) -> Iterator[str]:
        """A database for the children: what fails inside is told, and not that a child still uses the database."""
        with database as address:
            try:
                yield address
            except BaseException:
                self.close()
                raise

    def bear(self, what: str, **job: Any) -> None:
        """Fork a child that does ``what``."""
        self._order("bear", what, job)

    def kill(self) -> None:
        """SIGKILL. What the child told before is still to be heard; after it comes ``["ended", exit code]``."""
        self._order("kill")

    def hear(self) -> list[Any]:
        """The next thing that is told."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._heard:
            ready, _, _ = select.select([descriptor], [], [], PATIENCE)
            assert ready, "Nothing more was heard."
            said = os.read(descriptor, 65536)
            assert said, "The nursery has ended."
            self._heard += said
        line, _, self._heard = self._heard.partition(b"\n")
        heard: list[Any] = json.loads(line)
        assert heard[0] != "failed", heard[1]
        return heard

    def succeeds(self, *line: str) -> None:
        """Let a child be the ``clearance`` command to its end, which must be a good one."""
        said = ""
        self.bear("command", line=line)
        while (heard := self.hear())[0] != "exit":
            said += heard[1]
        self.kill()
        assert self.hear()[0] == "ended"
        assert heard[1] == 0, said

    def _order(self, *order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()


def tell(*what: Any) -> None:
    """Say something to whoever has the `Nursery`; a short line arrives whole, or not at all."""
    os.write(1, json.dumps(what).encode() + b"\n")


def main(address: str) -> None:
    """Bear and kill children until standard input closes."""
    from tests.campaigns import mortals

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the tests
    mortals.warm_up(address)
    deadline = time.monotonic() + PATIENCE
    tasks = Path("/proc/self/task")
    while tasks.exists() and len(list(tasks.iterdir())) > 1:  # one that was joined takes a moment more to be gone
        assert time.monotonic() < deadline, "A process with threads is not to be forked."
        os.sched_yield()
    gc.collect()
    gc.freeze()  # a collection in a child would copy all that it shares with this process
    tell("warm")
    child = 0
    for line in sys.stdin.buffer:
        match json.loads(line):
            case ["bear", what, job]:
                assert not child
                child = os.fork()
                if not child:
                    _live(getattr(mortals, what), job)
            case ["kill"]:
                tell("ended", _end(child))
                child = 0
    if child:
        _end(child)


def _live(deed: Any, job: dict[str, Any]) -> None:
    try:
        deed(**job)
    except BaseException:
        tell("failed", traceback.format_exc()[-3000:])
    finally:
        os._exit(1)


def _end(child: int) -> int:
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    from tests.campaigns import nursery  # this module once, not also as __main__

    nursery.main(sys.argv[1])
