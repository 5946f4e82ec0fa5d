"""Reads the files that a call names, where their contents are part of what is cleared."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Any, BinaryIO

from clearance.errors import UnserializableArgument
from clearance.forms import FileDigest

_CHUNK = 1024 * 1024


def digests(paths: Mapping[str, Any]) -> dict[str, FileDigest]:
    """The digest of each file, by the name of the parameter.

    Raises:
        UnserializableArgument: one is no regular file, or cannot be read.
    """
    return {name: _digest(name, path) for name, path in paths.items()}


def _digest(name: str, path: Any) -> FileDigest:
    if not isinstance(path, str | bytes | os.PathLike):  # a number would name an open file of the process
        raise UnserializableArgument(name, f"is a {type(path).__name__}, which names no file")
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            found = _read(file) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except IsADirectoryError:
        found = None
    except (OSError, ValueError) as error:
        raise UnserializableArgument(
            name,
            f"names a file that cannot be read ({type(error).__name__})",
            next_step="It is read before anybody is asked, and again before the call runs; it has to be there.",
        ) from error
    if found is None:
        raise UnserializableArgument(name, "names no regular file, so its contents could not be shown")
    return FileDigest(path, *found)


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe, too, without waiting for somebody at its other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(file: BinaryIO) -> tuple[int, str]:
    hasher, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        hasher.update(chunk)
        size += len(chunk)
    return size, hasher.hexdigest()
