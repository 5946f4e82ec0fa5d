"""How much one key may ask for: a bucket of tokens each, in memory, that fills at a steady rate."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from clearance.quick import quick

RATE = 500.0
"""Requests a second that one key may send over time."""
BURST_SECONDS = 10.0
"""Seconds' worth of requests that may come at once."""
MOST_BUCKETS = 10_000
"""Buckets from which on those that are full again are forgotten. There is at most one for each key."""


@quick
@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands after a request: ``wait`` seconds until the next one is taken, 0 if this one was."""

    limit: int
    remaining: int
    reset: float
    wait: float = 0.0

    def headers(self) -> dict[str, str]:
        """What the client is told."""
        told = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.reset)),
        }
        return {**told, "Retry-After": str(max(1, math.ceil(self.wait)))} if self.wait else told


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates:
    """The buckets of all keys. Threads may share it.

    Args:
        per_second: requests a second for each key; 0 for no limit.
        now: a monotonic clock.
    """

    def __init__(self, per_second: float = RATE, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._now = now
        self._capacity = max(1.0, per_second * BURST_SECONDS)
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, who: str) -> Standing | None:
        """Count one request of this key; None if there is no limit."""
        if self._rate <= 0:
            return None
        with self._lock:
            now = self._now()
            bucket = self._buckets.get(who) or self._new(who, now)
            bucket.tokens = min(self._capacity, bucket.tokens + (now - bucket.at) * self._rate)
            bucket.at = now
            wait = max(0.0, (1 - bucket.tokens) / self._rate)
            if not wait:
                bucket.tokens -= 1
            reset = (self._capacity - bucket.tokens) / self._rate
            return Standing(int(self._capacity), int(bucket.tokens), reset, wait)

    def _new(self, who: str, now: float) -> _Bucket:
        if len(self._buckets) >= MOST_BUCKETS:
            fills_in = self._capacity / self._rate
            self._buckets = {key: kept for key, kept in self._buckets.items() if now - kept.at < fills_in}
        return self._buckets.setdefault(who, _Bucket(self._capacity, now))
