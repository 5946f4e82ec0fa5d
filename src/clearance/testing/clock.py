"""Time that passes only where somebody waits, and then at once."""

from __future__ import annotations

import sys
import threading


class VirtualClock:
    """Time that passes only when somebody waits, and then at once.

    Each thread and each asyncio task has its own: where one call waits an hour, another one beside it does not find its
    time used up.
    """

    def __init__(self) -> None:
        self._passed: dict[tuple[int, int], float] = {}

    def now(self) -> float:
        """Seconds that have passed in this thread or task."""
        return self._passed.get(_here(), 0.0) if self._passed else 0.0

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` have passed in this thread or task."""
        here = _here()
        self._passed[here] = self._passed.get(here, 0.0) + max(0.0, seconds)

    async def asleep(self, seconds: float) -> None:
        """As `sleep`."""
        self.sleep(seconds)


def _here() -> tuple[int, int]:
    """The thread and the task. Both numbers may come again later; time then goes on where it stood, never back."""
    asyncio = sys.modules.get("asyncio")  # where it is not loaded, no event loop runs
    if asyncio is None or asyncio._get_running_loop() is None:
        return threading.get_ident(), 0
    return threading.get_ident(), id(asyncio.current_task())
