"""Wake-ups across Centers: what one of them changed in a PostgreSQL database is told to the others at once.

The audit trail says what was changed, in order and without a gap; each Center reads on from where it was. NOTIFY only
says that it is time to look, and may be lost: then the next look, a moment later, finds it all the same.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import psycopg

log: logging.Logger = logging.getLogger("clearance.center")

LOOK_EVERY = 2.0
"""Seconds between looks that nobody asked for: the longest that a change can go unnoticed."""
RETRY_AFTER = 0.5
"""Seconds until a connection that was lost is made again."""
_AT_ONCE = 1_000
_CHANNEL = "clearance_changed"


class Wakeups:
    """One thread and one connection. Raises what connecting raises.

    Args:
        connect: makes the connection, with autocommit.
        ring: told the ids of actions that were changed; 0 for what is about no action.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], ring: Callable[[Collection[int]], None]) -> None:
        self._connect, self._ring = connect, ring
        self._seen = 0
        self._called = False
        self._has_news = False
        self._closing = threading.Event()
        self._inbox, self._outbox = os.pipe()
        os.set_blocking(self._outbox, False)
        try:
            connection = self._begin()
            self._seen = self._newest(connection)
        except BaseException:
            self._close_pipe()
            raise
        self._thread = threading.Thread(target=self._main, args=(connection,), name="clearance-wakeups", daemon=True)
        self._thread.start()

    def pass_on(self) -> None:
        """Something was committed here: tell the others. Many calls may become one message."""
        if not self._has_news:
            self._has_news = True
            self._nudge()

    def close(self) -> None:
        """Hear and tell no more."""
        self._closing.set()
        self._nudge()
        self._thread.join()
        self._close_pipe()

    def _nudge(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is full of nudges
            os.write(self._outbox, b".")

    def _close_pipe(self) -> None:
        os.close(self._inbox)
        os.close(self._outbox)

    # The thread

    def _main(self, connection: psycopg.Connection[Any] | None) -> None:
        while not self._closing.is_set():
            try:
                connection = connection or self._begin()
                self._serve(connection)
            except Exception as error:  # noqa: BLE001 - without this thread, nobody would be woken
                log.warning("The connection for wake-ups was lost and is made again: %s", str(error).partition("\n")[0])
                _close(connection)
                connection = None
                self._closing.wait(RETRY_AFTER)
        _close(connection)

    def _begin(self) -> psycopg.Connection[Any]:
        connection = self._connect()
        try:
            connection.add_notify_handler(lambda notice: self._hear(connection, notice.pid))
            connection.execute("SET synchronous_commit = off")  # nothing that it writes must survive a crash
            connection.execute(f"LISTEN {_CHANNEL}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _serve(self, connection: psycopg.Connection[Any]) -> None:
        """Tell and listen until it is time to stop."""
        if (newest := self._newest(connection)) < self._seen:
            log.error("The audit trail ends at entry %d, and did at %d before: it was cut off", newest, self._seen)
            self._seen = 0  # what else is not as it was, nobody knows: ring for everything
        with selectors.DefaultSelector() as selector:
            for source in (connection.fileno(), self._inbox):
                selector.register(source, selectors.EVENT_READ)
            look_at = time.monotonic()  # at once: what was said until now, nobody heard
            while not self._closing.is_set():
                self._tell(connection)
                if self._called or time.monotonic() >= look_at:
                    self._look(connection)
                    look_at = time.monotonic() + LOOK_EVERY
                    continue
                self._wait(connection, selector, look_at - time.monotonic())

    def _wait(self, connection: psycopg.Connection[Any], selector: selectors.BaseSelector, seconds: float) -> None:
        for key, _ in selector.select(max(seconds, 0.0)):
            if key.fd == self._inbox:
                os.read(self._inbox, 4096)
                continue
            connection.pgconn.consume_input()
            while notice := connection.pgconn.notifies():
                self._hear(connection, notice.be_pid)

    def _hear(self, connection: psycopg.Connection[Any], sender: int) -> None:
        self._called = self._called or sender != connection.pgconn.backend_pid

    def _tell(self, connection: psycopg.Connection[Any]) -> None:
        if not self._has_news:
            return
        self._has_news = False
        try:
            connection.execute(f"NOTIFY {_CHANNEL}")
        except BaseException:
            self._has_news = True
            raise

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        """Ring for all that was changed since the last look."""
        self._called = False  # who calls from here on may have come too late for what is read now
        query = "SELECT seq, action_id FROM audit WHERE seq > %s ORDER BY seq LIMIT %s"
        while found := connection.execute(query, (self._seen, _AT_ONCE)).fetchall():
            self._ring({action_id or 0 for _, action_id in found})  # 0: what is about no action, as a kill switch
            self._seen = found[-1][0]

    @staticmethod
    def _newest(connection: psycopg.Connection[Any]) -> int:
        row = connection.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()
        assert row is not None
        newest: int = row[0]
        return newest


def _close(connection: psycopg.Connection[Any] | None) -> None:
    if connection is not None:
        with contextlib.suppress(Exception):
            connection.close()
