"""The way back from the store's thread to the event loops that wait: many answers, and one knock."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Handover:
    """Lets coroutines wait for futures that another thread completes. Threads and event loops may share it.

    To wake an event loop costs a system call and the other thread's turn. A commit answers many at once, so a loop
    is woken for the first, and hands out all that have come by the time it looks.
    """

    def __init__(self) -> None:
        self._boxes: dict[asyncio.AbstractEventLoop, _Box] = {}

    async def wait(self, done: Future[T]) -> T:
        """What comes of it. A caller that is cancelled does not cancel it."""
        loop = asyncio.get_running_loop()
        box = self._boxes.get(loop) or self._new(loop)
        waiting: asyncio.Future[T] = loop.create_future()
        done.add_done_callback(lambda done: box.put(waiting, done))
        return await waiting

    def _new(self, loop: asyncio.AbstractEventLoop) -> _Box:
        box = _Box(loop.call_soon_threadsafe)
        # Another thread may do the same just now; a box that is lost so is made anew, and works as long as it is used.
        self._boxes = {known: kept for known, kept in self._boxes.items() if not known.is_closed()} | {loop: box}
        return box


class _Box:
    """Answers on their way to one event loop."""

    def __init__(self, knock: Callable[[Callable[[], None]], object]) -> None:
        self._knock = knock
        self._answers: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._has_knocked = False

    def put(self, waiting: asyncio.Future[Any], done: Future[Any]) -> None:
        self._answers.append((waiting, done))
        if not self._has_knocked:
            self._has_knocked = True
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                self._knock(self._hand_out)

    def _hand_out(self) -> None:
        self._has_knocked = False  # before it looks: whatever comes in between knocks again
        while self._answers:
            waiting, done = self._answers.popleft()
            if waiting.done():  # it was cancelled
                continue
            if (error := done.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())
