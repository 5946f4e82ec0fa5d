"""The Center's clock: the time by which things expire, which never goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Clock:
    """Microseconds since 1970 that never go back and never stand still, whatever is done to the machine's clock.

    Where that is set forward, or jumps after the machine slept, this follows. Where it is set back, this goes on from
    where it was, at the pace of the monotonic clock.

    Args:
        not_before: the latest time that an earlier run is known to have seen.
        wall: the machine's clock, in microseconds since 1970.
        steady: nanoseconds that only ever grow.
    """

    def __init__(
        self,
        not_before: int = 0,
        wall: Callable[[], int] = wall_clock,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._at, self._then = not_before, steady()

    def __call__(self) -> int:
        """The time."""
        with self._lock:
            moment = self._steady()
            passed = (moment - self._then) // 1000
            now = max(self._wall(), self._at + passed)
            # What is less than a microsecond is kept for the next time, or a busy Center's clock would stand still.
            self._at, self._then = now, self._then + passed * 1000
            return now
