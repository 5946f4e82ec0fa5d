"""Time that passes only where somebody waits, and then at once."""

from __future__ import annotations

import sys
import threading


class VirtualClock:
    """Time that passes only when somebody waits, and then at once.

    Each thread and each asyncio task has its own: where one call waits an hour, another one beside it does not find its
    time used up. Outside of its tasks, a thread is as far on as the furthest of them.
    """

    def __init__(self) -> None:
        self._threads: dict[int, float] = {}
        self._tasks: dict[tuple[int, int], float] = {}

    def now(self) -> float:
        """Seconds that have passed in this thread or task."""
        if not self._threads:
            return 0.0
        thread, task = threading.get_ident(), _current_task()
        return self._threads.get(thread, 0.0) if task is None else self._tasks.get((thread, task), 0.0)

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` have passed in this thread or task."""
        now = self.now() + max(0.0, seconds)
        thread, task = threading.get_ident(), _current_task()
        if task is not None:
            self._tasks[thread, task] = now
        self._threads[thread] = max(now, self._threads.get(thread, 0.0))

    async def asleep(self, seconds: float) -> None:
        """As `sleep`."""
        self.sleep(seconds)


def _current_task() -> int | None:
    """The task that runs, by a number that may come again later; time then goes on where it stood, never back."""
    asyncio = sys.modules.get("asyncio")  # where it is not loaded, no event loop runs
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    return id(asyncio.current_task())
