"""A job's lock, and what is remembered of the request that its run left behind.

Both are files in a folder that only their owner can read. The kernel gives up the lock of a process that dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from clearance.commands import Submit
from clearance.errors import ConfigurationError
from clearance.models import Action
from clearance.wire import asking


class Overlap(Exception):
    """Another run of the job has the lock."""


@dataclass(frozen=True, slots=True)
class Left:
    """A request that may be there still: the name it was asked under, what it was, and its number if that is known."""

    key: str
    fingerprint: str
    action_id: str | None = None


class Slot:
    """The one place of a job: one run at a time is in it. Get it from `taken`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def left(self) -> Left | None:
        """What the run before left; None if nothing, or nothing that can be read."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            left = Left(found["key"], found["fingerprint"], found["action_id"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        known = isinstance(left.key, str) and isinstance(left.action_id, str | None)
        return left if known else None

    def keep(self, left: Left) -> None:
        """Remember it, also over a loss of power."""
        told = {"key": left.key, "fingerprint": left.fingerprint, "action_id": left.action_id}
        with _usable(self._file.parent):
            descriptor, name = tempfile.mkstemp(dir=self._file.parent)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(told, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._file)
            self._sync()

    def clear(self) -> None:
        """Forget it, before anything is run that must not be run for it again."""
        with _usable(self._file.parent), suppress(FileNotFoundError):
            os.unlink(self._file)
            self._sync()

    def _sync(self) -> None:
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def taken(folder: Path, name: str) -> Iterator[Slot]:
    """The slot of the job ``name`` for the block, and for whatever the block starts, as long as that runs.

    Raises:
        Overlap: another run has it. ConfigurationError: the folder cannot be used.
    """
    with _usable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Overlap from None
        # Whoever kills us kills not what we started: the lock is held until that has ended, too.
        os.set_inheritable(descriptor, True)
        yield Slot(folder / f"{name}.json")
    finally:
        os.close(descriptor)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The folder {str(folder)!r} for the locks of jobs cannot be used ({type(error).__name__}).",
            next_step="Name another with --state, or run without a lock with --no-lock.",
        ) from error


def fingerprint(action: Action) -> str:
    """What must be equal for a later run to join the request: all that is asked, as a Center compares it."""
    said = asking.request(Submit(action, "", "", 0.0)).body or b""
    return hashlib.sha256(said).hexdigest()


def default_folder() -> Path:
    """Where a user's programs keep what they remember."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "clearance" / "jobs"
