"""A PostgreSQL cluster of the tests' own: made from the binaries of this machine, gone when the tests are.

Run as a program it is the keeper of one server: it stops the server when its standard input closes, so that nothing is
left behind however the tests end.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

USERS = ("postgres", "nobody")
"""Who may run the server if we are root, which it refuses to be run by."""
PATIENCE = 60.0


def binaries() -> Path | None:
    """The folder with the server's programs; the newest, if there are several."""
    on_path = shutil.which("initdb")
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    newest = sorted(folders, key=lambda folder: [int(part) for part in folder.parent.name.split(".")])
    return newest[-1] if newest else Path(on_path).parent if on_path else None


def missing() -> str | None:
    """Why there can be no cluster here; None if there can."""
    try:
        import psycopg  # noqa: F401
    except ModuleNotFoundError:
        return "psycopg is not installed"
    return None if binaries() else "PostgreSQL is not installed"


def require() -> None:
    """Leave the test out, loudly, where there is no PostgreSQL; in CI that is a failure."""
    if (reason := missing()) is None:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Cluster:
    """A running server. It writes to disk as every other does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and return when it answers."""
        line = [sys.executable, __file__, str(self._folder)]
        self._keeper = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n", (self._folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends what it does, SIGQUIT leaves everything as a crash would."""
        assert self._keeper is not None
        self._keeper.communicate(bytes([how]), timeout=PATIENCE)

    def url(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql:///{database}?host={self._folder}&user=owner"

    def connect(self, database: str = "postgres") -> Any:
        """A connection with nothing of ours in between."""
        import psycopg

        return psycopg.connect(self.url(database), autocommit=True)

    @contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """The address of an empty database. It must be left by all when the block ends, or that fails."""
        name = f"test{next(self._numbers)}"
        with self.connect() as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        try:
            yield self.url(name)
        finally:
            with self.connect() as admin:
                admin.execute(f"DROP DATABASE {name}")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new cluster, with a server that runs."""
    bin_folder = binaries()
    assert bin_folder is not None
    folder = Path(tempfile.mkdtemp(prefix="clearance-pg-", dir="/tmp"))  # a socket's path must be short
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, *[_server_user()] * 2)
        how = ["--username=owner", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        _run([str(bin_folder / "initdb"), *how, "--pgdata", str(folder / "data")])
        made = Cluster(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


def _server_user() -> int:
    known = [user.pw_uid for user in pwd.getpwall() if user.pw_name in USERS]
    assert known, f"The server does not run as root, and there is no user {' or '.join(USERS)}."
    return known[0]


def _identity() -> dict[str, Any]:
    """As whom the server's programs are run."""
    if os.geteuid() != 0:
        return {}
    return {"user": _server_user(), "group": pwd.getpwuid(_server_user()).pw_gid, "extra_groups": []}


def _run(line: list[str]) -> None:
    done = subprocess.run(line, cwd="/", capture_output=True, text=True, check=False, timeout=PATIENCE, **_identity())
    assert done.returncode == 0, done.stderr


def keep(folder: Path) -> None:
    """Run the server until standard input closes; say when it answers."""
    bin_folder = binaries()
    assert bin_folder is not None
    for signum in (signal.SIGINT, signal.SIGTERM):  # the terminal's Ctrl-C is for the tests
        signal.signal(signum, signal.SIG_IGN)
    line = [str(bin_folder / "postgres"), "-D", str(folder / "data"), "-k", str(folder), "-c", "listen_addresses="]
    server = subprocess.Popen(line, cwd="/", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **_identity())
    log = threading.Thread(target=_log, args=(server.stderr, folder / "log"))
    log.start()
    told = sys.stdin.buffer.read()
    server.send_signal(told[0] if told else signal.SIGINT)
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
    log.join()
    if not told:  # the tests were killed
        shutil.rmtree(folder)


def _log(said: IO[bytes], file: Path) -> None:
    with file.open("ab") as log:
        for line in said:
            log.write(line)
            log.flush()
            if b"ready to accept connections" in line:
                print("ready", flush=True)
    sys.stdout.close()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
