"""The locks beside a SQLite database: who serves from it, and whose turn it is to write.

SQLite lets one process write while another moves the write-ahead log into the database, and its versions 3.7.0 to
3.51.2 can corrupt the database when the two meet at the wrong moment. Here whoever writes or moves the log has the
turn, so they do not meet. The kernel gives up the locks of a process that dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from clearance.center.faults import DatabaseRefused, StoreUnavailable

GUARD = threading.RLock()
"""Held while a store of this process begins or ceases to use a file."""
_PRESENT, _SERVING, _WRITING = range(3)
"""The byte of the lock file that each lock is on."""
_LOOK_EVERY = 0.002

_here: dict[tuple[int, int, int], FileLock] = {}
"""The databases that this process has open. A process has one set of locks on a file, however often it opens it."""


def is_open_here(file: Path) -> bool:
    """Does a store of this process use this file? Then nothing else may open and close it.

    To close a file gives up all locks that the process has on it, also those of SQLite.
    """
    return _identity(file) in _here


class FileLock:
    """The locks beside one database, for all stores of this process that use it. Get it from `join`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._path = f"{file.resolve()}-lock"
        self._descriptor = _present(self._path, file)
        self._users = 0
        self._serves = False
        self._turn = threading.Lock()

    @classmethod
    def join(cls, file: Path) -> FileLock:
        """Begin to use the database; `leave` ends it."""
        with GUARD:
            lock = _here.get(_identity(file)) or cls(file)
            _here[_identity(file)] = lock
            lock._users += 1
            return lock

    def leave(self) -> None:
        """Cease to use it. Whoever leaves last takes the lock file away."""
        with GUARD:
            self._users -= 1
            if self._users:
                return
            for identity in [identity for identity, lock in _here.items() if lock is self]:
                del _here[identity]
            with contextlib.suppress(OSError):  # another process is there still
                self._take(_PRESENT)
                os.unlink(self._path)
            os.close(self._descriptor)

    def serve(self) -> None:
        """Be the one that serves.

        Raises:
            DatabaseRefused: another Center is.
        """
        with GUARD:
            try:
                if self._serves:
                    raise BlockingIOError
                self._take(_SERVING)
            except OSError:
                raise DatabaseRefused(
                    f"{self._file}: another Center serves from it. Stop that one first; more than one need PostgreSQL."
                ) from None
            self._serves = True

    def cease_to_serve(self) -> None:
        """Let another Center serve."""
        with GUARD:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _SERVING)
            self._serves = False

    @contextlib.contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Have the turn to write, or to move the log.

        Raises:
            StoreUnavailable: somebody else had it for all these seconds.
        """
        deadline = time.monotonic() + seconds
        if not self._turn.acquire(timeout=seconds):
            raise StoreUnavailable("The database is locked; nothing was changed")
        try:
            self._wait_for_the_others(deadline)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _WRITING)
        finally:
            self._turn.release()

    def _wait_for_the_others(self, deadline: float) -> None:
        while True:
            try:
                return self._take(_WRITING)
            except OSError:
                if time.monotonic() >= deadline:
                    raise StoreUnavailable("The database is locked by another process; nothing was changed") from None
                time.sleep(_LOOK_EVERY)

    def _take(self, byte: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)


def _present(path: str, database: Path) -> int:
    """Open the lock file and note there that this process is present."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:  # whoever owns the database must be able to use it, too
                owner = database.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            fcntl.lockf(descriptor, fcntl.LOCK_SH, 1, _PRESENT)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever was there last has just taken it away


def _identity(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return os.getpid(), found.st_dev, found.st_ino  # a child of this process has none of its locks
