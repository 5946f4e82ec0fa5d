"""Tells whoever listens that actions have changed. A hint only: the store is the truth, and is read again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import TypeAlias

Listener: TypeAlias = Callable[[Collection[int]], None]
"""Is called, by any thread, with the actions that have changed; with none when the bell is taken down."""

EVERYTHING = 0
"""Listens to every action; no action has this id."""


class Bell:
    """Rings for the actions that changed. Threads and event loops may listen alike."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, set[Listener]] = {}
        self.closed: bool = False

    def listen(self, listener: Listener, action_ids: Collection[int] = (EVERYTHING,)) -> None:
        """Call ``listener`` at each change of one of them, until `forget`. It must be quick, and not raise.

        Read the store *after* this: a change in between then rings, and none is missed.
        """
        with self._lock:
            for action_id in action_ids:
                self._listeners.setdefault(action_id, set()).add(listener)
        if self.closed:
            listener(())

    def forget(self, listener: Listener, action_ids: Collection[int] = (EVERYTHING,)) -> None:
        """Call it no more for these."""
        with self._lock:
            for action_id in action_ids:
                listeners = self._listeners.get(action_id, set())
                listeners.discard(listener)
                if not listeners:
                    self._listeners.pop(action_id, None)

    @contextmanager
    def listening(self, action_ids: Collection[int] = (EVERYTHING,)) -> Iterator[Future[None]]:
        """Listen from now on; the future is done at the next change of one of them, or when the bell is taken down."""
        rung: Future[None] = Future()

        def ring(_changed: Collection[int]) -> None:
            with suppress(InvalidStateError):  # it was rung before
                rung.set_result(None)

        self.listen(ring, action_ids)
        try:
            yield rung
        finally:
            self.forget(ring, action_ids)

    def ring(self, changed: Collection[int]) -> None:
        """Tell those who listen to these actions."""
        self._tell((EVERYTHING, *changed), changed)

    def close(self) -> None:
        """Tell everybody, for good."""
        self.closed = True
        self._tell(None, ())

    def _tell(self, action_ids: Collection[int] | None, changed: Collection[int]) -> None:
        with self._lock:
            keys = self._listeners if action_ids is None else action_ids
            told = {listener for key in keys for listener in self._listeners.get(key, ())}
        for listener in told:
            listener(changed)
