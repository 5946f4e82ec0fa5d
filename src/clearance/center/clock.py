"""The Center's clock: the time by which things expire, which never goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps: on Linux only this one does."""


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def steady_clock() -> int:
    """Nanoseconds that only ever grow, also while the machine sleeps, whatever its clock is set to."""
    return time.clock_gettime_ns(_STEADY)


class Clock:
    """Microseconds since 1970 that never go back and never stand still, whatever is done to the machine's clock.

    Where that is set forward, or jumps after the machine slept, this follows. Where it is set back, this goes on from
    where it was, at the pace of the steady clock.

    Args:
        not_before: the latest time that an earlier run is known to have seen.
        wall: the machine's clock, in microseconds since 1970.
        steady: nanoseconds that only ever grow.
    """

    def __init__(
        self,
        not_before: int = 0,
        wall: Callable[[], int] = wall_clock,
        steady: Callable[[], int] = steady_clock,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._at, self._then = max(not_before, wall()), steady()
        self._leapt = 0

    def __call__(self) -> int:
        """The time."""
        with self._lock:
            return self._look()

    def leapt(self) -> int:
        """By how much the machine's clock was set forward since this one began."""
        with self._lock:
            self._look()
            return self._leapt

    def _look(self) -> int:
        moment = self._steady()
        passed = (moment - self._then) // 1000
        now = max(self._wall(), self._at + passed)
        self._leapt += now - self._at - passed
        # What is less than a microsecond is kept for the next time, or a busy Center's clock would stand still.
        self._at, self._then = now, self._then + passed * 1000
        return now
