"""Wakes whoever waits for an action to change. A hint only: the store is the truth, and is read again."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

EVERYTHING = 0
"""Listens to every action; no action has this id."""


class Bell:
    """Rings for the actions that changed. Threads and event loops may listen alike."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, set[Future[None]]] = defaultdict(set)
        self.closed: bool = False

    @contextmanager
    def listening(self, action_ids: Collection[int] = (EVERYTHING,)) -> Iterator[Future[None]]:
        """Listen from now on; the future is done at the next change of one of them, or when the bell is taken down.

        Read the store *after* entering: a change in between then rings, and none is missed.
        """
        rung: Future[None] = Future()
        with self._lock:
            if self.closed:
                rung.set_result(None)
            else:
                for action_id in action_ids:
                    self._listeners[action_id].add(rung)
        try:
            yield rung
        finally:
            with self._lock:
                for action_id in action_ids:
                    self._listeners[action_id].discard(rung)
                    if not self._listeners[action_id]:
                        del self._listeners[action_id]

    def ring(self, changed: Collection[int]) -> None:
        """Wake those who listen to these actions."""
        with self._lock:
            woken = [rung for key in (EVERYTHING, *changed) for rung in self._listeners.pop(key, ())]
        for rung in woken:
            if not rung.done():
                rung.set_result(None)

    def close(self) -> None:
        """Wake everybody, for good."""
        with self._lock:
            self.closed = True
            everybody = list(self._listeners)
        self.ring(everybody)
