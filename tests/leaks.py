"""Watches, over the whole suite, that a secret never leaves the process by any way but a guarded body."""

from __future__ import annotations

import logging
from functools import wraps
from typing import Any

import pytest

from clearance.commands import Command
from clearance.errors import AuthorizationError
from clearance.models import Decision
from clearance.testing import FakeTransport
from clearance.wire import strictjson

CANARY = "c4n4ry-8f1d-sings"
"""A secret of the tests. It may reach a guarded body, and nothing else."""


class LeakWatch(logging.Handler):
    """Sees all that leaves: payloads, commands, answers, log records, errors. Remembers where the canary was in it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """A log record, with its traceback."""
        self.see("a log record", self.format(record))

    def see(self, what: str, text: str) -> None:
        """Something that leaves."""
        if CANARY in text:
            self.leaks.append(f"{what}: {text[:400]}")

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Stand at every way out."""
        write, send, init = strictjson.write, FakeTransport.send, AuthorizationError.__init__

        @wraps(write)
        def watched_write(value: object) -> bytes:
            written = write(value)
            self.see("a payload", written.decode())
            return written

        @wraps(send)
        def watched_send(fake: FakeTransport, command: Command) -> Decision:
            self.see("a command", repr(command))
            decision = send(fake, command)
            self.see("an answer", repr(decision))
            return decision

        @wraps(init)
        def watched_init(error: AuthorizationError, *args: Any, **kwargs: Any) -> None:
            init(error, *args, **kwargs)
            self.see("an error", f"{error} {error!r} {error.for_model()}")

        patch.setattr(strictjson, "write", watched_write)
        patch.setattr(FakeTransport, "send", watched_send)
        patch.setattr(AuthorizationError, "__init__", watched_init)
        logging.getLogger().addHandler(self)
        logging.getLogger("clearance").setLevel(logging.DEBUG)
