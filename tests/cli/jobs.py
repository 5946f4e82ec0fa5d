"""Runs of ``clearance run`` as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import PATIENCE, command

TELL = (
    "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), os.environ.get('COLOUR'), sys.stdin.read()]))"
)
"""A program that says what it was given."""
PAUSE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
signal.signal(signal.SIGUSR1, lambda *_: print("told", flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""
"""A program that runs until it is told to end, and then ends with 7."""


class Started:
    """One run in progress."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def said(self) -> str:
        """The next line of its standard output, which comes from the command."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def waits(self) -> None:
        """Return when it has said that its request waits."""
        assert self.process.stderr is not None
        assert "waits for a decision" in self.process.stderr.readline()

    def ended(self) -> tuple[int, str, str]:
        """Wait for its end: its exit code, and what it wrote since."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def killed(self) -> None:
        """Kill it, as a loss of power would."""
        self.process.kill()
        self.ended()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self.process.send_signal(number)


class Shell:
    """Starts runs: with the settings of one agent, and a folder for its state."""

    def __init__(self, url: str, key: str, state: Path) -> None:
        self.state = state / "clearance" / "jobs"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OWKAI_", "COV"))},
            "OWKAI_API_URL": url,
            "OWKAI_API_KEY": key,
            "XDG_STATE_HOME": str(state),
        }

    @contextmanager
    def started(self, *line: str, **environ: str) -> Iterator[Started]:
        """A run, which is over when the block ends."""
        whole = command("run", "--action-type", "db.backup", *line)
        environment = {**self.environment, **environ}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(whole, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
            try:
                yield Started(process)
            finally:
                if process.poll() is None:
                    process.kill()

    def run(self, *line: str, **environ: str) -> tuple[int, str, str]:
        """A run from its beginning to its end."""
        with self.started(*line, **environ) as run:
            return run.ended()


def python(code: str, *arguments: str) -> list[str]:
    """A command line for this Python."""
    return ["--", sys.executable, "-c", code, *arguments]


def told(out: str) -> list[object]:
    """What `TELL` said."""
    found: list[object] = json.loads(out)
    return found
