"""Hold a transport of one's own to the contract that Clearance ships: a few hundred cases, for one factory.

    python examples/test_own_transport.py

It is the folder of ``own_transport.py``. Run as a program it has pytest run it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from own_transport import FolderTransport, make  # type: ignore[import-not-found]

from clearance.models import Json
from clearance.testing.contract import Approver, Peer, TransportContract


class Person(Approver):
    """Writes answers into the folder; the first one stands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def approve(self, action_id: str, edits: Mapping[str, Json]) -> None:
        self.say(action_id, "yes")

    def deny(self, action_id: str, reason: str) -> None:
        self.say(action_id, f"no, {reason}")

    def say(self, action_id: str, word: str) -> None:
        make(self._folder / f"{action_id}.answer", word)


class TestFolderTransport(TransportContract):
    """Nothing in a folder changes parameters, is taken back, or expires; and all who use it are one caller."""

    cannot = frozenset({"edit", "revoke", "time", "other"})

    @classmethod
    @contextmanager
    def connected(cls, folder: Path) -> Iterator[Peer]:
        yield Peer(FolderTransport(folder), Person(folder), unreachable=FolderTransport(folder / "not there"))


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", __file__, "-q", "-p", "no:cacheprovider"]))
