"""One thread, one connection, many units of work a commit.

One that fails takes no other with it: each runs in a savepoint, or, if it had written without one, all of them are run
again with one each. Its future is done only when the commit that holds it is durable.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from clearance.center import trail
from clearance.center.audit import DAMAGED
from clearance.center.faults import StoreUnavailable
from clearance.center.store.base import Tx
from clearance.center.store.sql import Known, SqlTx
from clearance.witness import Head, Tree

T = TypeVar("T")
log: logging.Logger = logging.getLogger("clearance.center")

MOST_A_COMMIT = 256
"""Units of work that share one commit at most."""

Job: TypeAlias = tuple[Callable[[Tx], Any], "Future[Any]"]


class NotYetLocked(BaseException):
    """A unit is about to write, and its transaction has not kept the other writers out yet."""


class Spoilt(Exception):
    """A unit failed after it had written, and there was no savepoint to go back to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit came to: its value, or what it raised; and what it wants said in the log."""

    value: Any = None
    error: BaseException | None = None
    warnings: Sequence[str] = ()

    def tell(self, future: Future[Any]) -> None:
        """Let it out, once it is true."""
        for text in self.warnings:
            log.warning("%s", text)
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.value)


class GroupCommitStore:
    """See `clearance.center.store.base.Store`: runs every unit of work on one writer thread.

    What differs between databases is in the methods that a subclass may replace. If `_prepare` raises, so does this.
    """

    _always_has_savepoints = True
    """They cost each unit something; but on a server that is another machine, they tell that it is still there."""

    def __init__(self, engine: Engine) -> None:
        self.on_change: Callable[[Collection[int]], None] = lambda _ids: None
        self._engine = engine
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._ready: Future[None] = Future()
        self._closed = False
        self._tree: Tree | None = None
        self._head: Head | None = None
        self._has_savepoints = self._always_has_savepoints
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._main, name="clearance-store", daemon=True)
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

    # What differs between databases

    def _prepare(self, connection: Connection) -> None:
        """Make the database fit to serve from, before anything else is done with it."""

    def _turn(self) -> contextlib.AbstractContextManager[None]:
        """Around each transaction."""
        return contextlib.nullcontext()

    def _begin(self, connection: Connection) -> contextlib.AbstractContextManager[object]:
        """Around the units of a transaction: commits at the end, or undoes all of it."""
        return connection.begin()

    def _savepoint(self, connection: Connection) -> contextlib.AbstractContextManager[object]:
        """Around a unit: what it wrote is undone if it raises, and nothing else is."""
        return connection.begin_nested()

    def _written(self, _connection: Connection) -> object:
        """Something that differs once anything was written; needed where there are no savepoints."""
        return None

    def _keep_others_out(self, connection: Connection) -> None:
        """Let nobody else write until the transaction ends; called when a unit raised `NotYetLocked`."""

    def _is_undone(self, _error: DBAPIError) -> bool:
        """Has the database given the transaction up, so that nothing of it was kept and it may be run again?"""
        return False

    def _tell(self, changed: Collection[int]) -> None:
        """Pass on what was changed."""
        self.on_change(changed)

    # The writer thread

    def _main(self) -> None:
        try:
            connection = self._engine.connect()
            try:
                self._prepare(connection)
                self._remember(self._read_tree(connection))
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
        """Keep what the units do, then tell everybody; nobody is told what is not durable yet."""
        jobs = [job for job in jobs if job[1].set_running_or_notify_cancel()]
        changed: set[int] = set()
        try:
            answers = self._kept(connection, jobs, changed)
        except Exception as error:  # noqa: BLE001 - every waiting caller is told, and the thread lives on
            refusal = _unavailable(error)
            answers = [Answer(error=refusal)] * len(jobs)
            if not refusal.unknown:
                changed.clear()
        if changed:
            self._tell(changed)
        for (_, future), answer in zip(jobs, answers, strict=True):
            answer.tell(future)

    def _kept(self, connection: Connection, jobs: list[Job], changed: set[int]) -> list[Answer]:
        self._has_savepoints = self._always_has_savepoints
        try:
            return self._tried(connection, jobs, changed)
        except Spoilt:
            self._has_savepoints = True
        changed.clear()
        return self._tried(connection, jobs, changed)

    def _tried(self, connection: Connection, jobs: list[Job], changed: set[int]) -> list[Answer]:
        try:
            return self._transaction(connection, jobs, changed)
        except DBAPIError as error:
            if not self._is_undone(error):
                raise
        changed.clear()
        return self._transaction(connection, jobs, changed)

    def _transaction(self, connection: Connection, jobs: list[Job], changed: set[int]) -> list[Answer]:
        committing = False
        tree = self._tree
        appended: dict[int, bytes] = {}
        known = Known()
        try:
            with self._turn(), self._begin(connection):
                answers = [self._run(connection, work, known, changed, appended) for work, _ in jobs]
                if appended:
                    tree = self._grown(connection, appended)
                committing = True
        except Exception as error:
            if not connection.invalidated:
                with contextlib.suppress(Exception):  # a failed COMMIT may leave the transaction open
                    connection.connection.rollback()
            if committing and connection.invalidated:
                raise _unavailable(error, unknown=True) from error
            raise
        self._remember(tree)
        return answers

    def _run(
        self,
        connection: Connection,
        work: Callable[[Tx], Any],
        known: Known,
        changed: set[int],
        appended: dict[int, bytes],
    ) -> Answer:
        """What a unit came to; what it changed, and added to the audit trail, goes with the rest."""
        tx = SqlTx(connection, known)
        before = self._written(connection)
        try:
            with self._savepoint(connection) if self._has_savepoints else _NOTHING:
                value = work(tx)
        except NotYetLocked:
            self._keep_others_out(connection)
            known.forget()
            return self._run(connection, work, known, changed, appended)
        except DBAPIError as error:
            known.forget()
            if self._is_undone(error):
                raise
            if not self._has_savepoints:
                raise Spoilt from None
            return Answer(error=_unavailable(error))
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and comes out of the future
            known.forget()
            if not self._has_savepoints and self._written(connection) != before:
                raise Spoilt from None
            return Answer(error=error)
        changed |= tx.changed
        appended |= tx.appended
        return Answer(value, warnings=tx.warnings)

    # The tree over the audit trail

    def _read_tree(self, connection: Connection) -> Tree | None:
        """The tree as it is kept; None if the trail is damaged. It can be looked at then, but nothing can be added."""
        try:
            with self._turn(), self._begin(connection):
                return trail.tree(SqlTx(connection))
        except StoreUnavailable as error:
            log.error("Nothing can be changed: %s", error)  # noqa: TRY400 - the cause is in it
            return None

    def _grown(self, connection: Connection, appended: dict[int, bytes]) -> Tree:
        """The tree with what others committed, and what is about to be committed here."""
        if self._tree is None:
            raise StoreUnavailable(DAMAGED)
        return trail.grown(SqlTx(connection), self._tree, appended)

    def _remember(self, tree: Tree | None) -> None:
        if tree is not None and tree is not self._tree:
            self._tree, self._head = tree, tree.head


_NOTHING: contextlib.AbstractContextManager[object] = contextlib.nullcontext()


def first_line(error: BaseException) -> str:
    """What the driver says, without the values that some add on further lines."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0].strip()


def _unavailable(error: Exception, *, unknown: bool = False) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    words = first_line(error)
    outcome = "whether it was kept is not known" if unknown else "nothing was changed"
    full = "full" in words or "No space left" in words
    refusal = StoreUnavailable(f"The store could not keep it ({words}); {outcome}", full=full, unknown=unknown)
    refusal.__cause__ = error
    return refusal
