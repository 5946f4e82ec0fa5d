"""One thread, one connection, many units of work a commit.

A unit runs in a savepoint, so that one that fails takes no other with it; its future is done only when the
commit that holds it is durable.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from clearance.center import trail
from clearance.center.audit import DAMAGED
from clearance.center.records import StoreUnavailable
from clearance.center.store.base import Tx
from clearance.center.store.sql import SqlTx
from clearance.witness import Head, Tree

T = TypeVar("T")
log = logging.getLogger("clearance.center")

MOST_A_COMMIT = 256
"""Units of work that share one commit at most."""

Job: TypeAlias = tuple[Callable[[Tx], Any], "Future[Any]"]


class GroupCommitStore:
    """See `clearance.center.store.base.Store`: runs every unit of work on one writer thread.

    ``prepare`` is run on that thread's connection before anything else; if it raises, so does this.
    """

    def __init__(self, engine: Engine, prepare: Callable[[Connection], None]) -> None:
        self.on_change: Callable[[Collection[int]], None] = lambda _ids: None
        self._engine = engine
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._ready: Future[None] = Future()
        self._closed = False
        self._tree: Tree | None = None
        self._head: Head | None = None
        self._has_appended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._main, args=(prepare,), name="clearance-store", daemon=True)
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._thread.join()
            raise

    @property
    def head(self) -> Head | None:
        """See `Store`."""
        return self._head

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        """See `Store`."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The store is closed")
            self._jobs.put((work, future))
        return future

    def close(self) -> None:
        """See `Store`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _main(self, prepare: Callable[[Connection], None]) -> None:
        try:
            connection = self._engine.connect()
            try:
                prepare(connection)
                self._remember(_tree(connection))
            except BaseException:
                connection.close()
                raise
        except BaseException as error:  # noqa: BLE001 - whoever opens the store is told
            self._engine.dispose()
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        with connection:
            while jobs := self._next():
                self._commit(connection, jobs)
        self._engine.dispose()

    def _next(self) -> list[Job]:
        """What is queued, at least one; empty when the store is closed."""
        jobs: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MOST_A_COMMIT:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._jobs.put(None)
        return jobs

    def _commit(self, connection: Connection, jobs: list[Job]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        changed: set[int] = set()
        self._has_appended = False
        try:
            with connection.begin():
                for work, future in jobs:
                    self._run(connection, work, future, done, changed)
                tree = self._grown(connection) if self._has_appended else self._tree
        except Exception as error:  # noqa: BLE001 - every waiting caller is told, and the thread lives on
            with contextlib.suppress(Exception):  # a failed COMMIT may leave the transaction open
                connection.connection.rollback()
            _refuse(jobs, _unavailable(error))
            return
        self._remember(tree)
        if changed:
            self.on_change(changed)
        for future, result in done:
            future.set_result(result)

    def _grown(self, connection: Connection) -> Tree:
        """The audit trail's tree with what is about to be committed, by others and here."""
        if self._tree is None:
            raise StoreUnavailable(DAMAGED)
        return trail.grown(SqlTx(connection), self._tree)

    def _remember(self, tree: Tree | None) -> None:
        if tree is not None and tree is not self._tree:
            self._tree, self._head = tree, tree.head

    def _run(
        self,
        connection: Connection,
        work: Callable[[Tx], Any],
        future: Future[Any],
        done: list[tuple[Future[Any], Any]],
        changed: set[int],
    ) -> None:
        if not future.set_running_or_notify_cancel():
            return
        tx = SqlTx(connection)
        try:
            with connection.begin_nested():
                result = work(tx)
        except DBAPIError as error:
            future.set_exception(_unavailable(error))
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and comes out of the future
            future.set_exception(error)
        else:
            changed |= tx.changed
            self._has_appended = self._has_appended or tx.has_appended
            done.append((future, result))


def _tree(connection: Connection) -> Tree | None:
    """The audit trail's tree; None if it is damaged. It can be looked at then, but nothing more can be kept."""
    try:
        with connection.begin():
            return trail.tree(SqlTx(connection))
    except StoreUnavailable as error:
        log.error("Nothing can be changed: %s", error)  # noqa: TRY400 - the cause is in it
        return None


def _refuse(jobs: list[Job], refusal: StoreUnavailable) -> None:
    """Tell everybody who was told nothing yet, also those whose unit was not begun."""
    for _, future in jobs:
        if future.running() or (not future.done() and future.set_running_or_notify_cancel()):
            future.set_exception(refusal)


def _unavailable(error: Exception) -> StoreUnavailable:
    words = str(getattr(error, "orig", error))
    refusal = StoreUnavailable(f"The store could not keep it ({words}); nothing was changed", full="full" in words)
    refusal.__cause__ = error
    return refusal
