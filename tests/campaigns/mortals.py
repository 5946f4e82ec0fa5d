"""What a `Nursery`'s children do until they are killed, or kill themselves at a step they were told."""

from __future__ import annotations

import io
import itertools
import os
import random
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Connection, Engine, event
from tests.campaigns.nursery import tell
from tests.center.desks import DROP, READ, Office
from tests.center.stores import a_record
from tests.helpers import an_action
from tests.servers import Api

import clearance.center
from clearance.center.faults import Conflict, NotFound
from clearance.center.records import Principal, Record, Role
from clearance.center.server import CenterServer
from clearance.center.service import Center
from clearance.center.store.base import Tx
from clearance.cli.commands import cli
from clearance.models import Status

STATEMENTS = ("SELECT", "INSERT", "UPDATE", "SAVEPOINT", "RELEASE", "ROLLBACK")
STEPS = (
    "begin",
    *(f"{side} {verb}" for verb in STATEMENTS for side in ("before", "after")),
    "commit",
    "kept",
    "told",
    "line",
)
"""Where a process can kill itself: at a transaction's begin, on either side of a statement, before the commit, after it
when nobody was told yet, when whoever waits was told but nobody else, and at any line of the Center's code."""
MAKING = ("before CREATE", "after CREATE")
"""Two more, while the tables are being made."""
OUTSIDE = "outside"
"""None of them: somebody else kills it, in the middle of whatever it does."""
FATES = (*STEPS, *["line"] * 3, *[OUTSIDE] * 6)
"""What a process ends of, each as often as it is here."""
LATEST = {
    "SELECT": 25,
    "INSERT": 10,
    "UPDATE": 5,
    "SAVEPOINT": 3,
    "RELEASE": 2,
    "ROLLBACK": 3,
    "CREATE": 12,
    "line": 2000,
}
"""Which of the times that it gets to a step is its last, at most; for the other steps, `LATEST_OTHERWISE`."""
LATEST_OTHERWISE = 7
KINDS = {"held": an_action(), "cleared": READ, "denied": DROP}
HOUSE = str(Path(clearance.center.__file__).parent)
NOWHERE = 999_999_999
"""No action has come that far."""
HERE = 8
"""Actions that the workers have before them."""


def warm_up(address: str) -> None:
    """Load and do once, on a new database, whatever would be slow the first time; leaves no thread behind."""
    for _ in range(2):
        office = Office(address)
        office.at(Status.COMPLETED)
        office.close()
    center = Center.open(address)
    with CenterServer(center) as server, Api(server.url, center.create_key(Role.USER)) as agent:
        agent.submit()
    center.close()


def fate(chance: random.Random, steps: Sequence[str] = FATES, longer: int = 1) -> tuple[str, int]:
    """A step, and which of the times that a process gets there is its last; for one that lives so much longer."""
    step = chance.choice(steps)
    return step, chance.randint(1, longer * LATEST.get(step.split()[-1], LATEST_OTHERWISE))


class Death:
    """Comes at the ``count``-th time that the process gets to ``step``; never, if ``step`` is none of `STEPS`."""

    def __init__(self, step: str, count: int) -> None:
        self._step, self._count = step, count
        self._times = itertools.count(1)
        self._watch_sqlite()
        self._watch_postgresql()
        if step == "line":
            threading.settrace(self._called)
            sys.settrace(self._called)

    def at(self, step: str, where: str = "") -> None:
        """The process has got to this step."""
        if step == self._step and next(self._times) == self._count:
            tell("step", step, where)
            os.kill(os.getpid(), signal.SIGKILL)

    def _watch_sqlite(self) -> None:
        """At the driver: not everything goes by SQLAlchemy there."""
        statement, at = self._statement, self.at

        class Cursor(sqlite3.Cursor):
            def execute(self, text: str, values: Any = (), /) -> Any:
                statement("before", text)
                super().execute(text, values)
                statement("after", text)
                return self

        class Driver(sqlite3.Connection):
            def cursor(self, factory: Any = Cursor) -> Any:
                return super().cursor(factory)

            def execute(self, text: str, values: Any = (), /) -> sqlite3.Cursor:
                found: sqlite3.Cursor = self.cursor().execute(text, values)
                return found

            def commit(self) -> None:
                at("commit")
                super().commit()

        sqlite3.connect = partial(sqlite3.connect, factory=Driver)  # type: ignore[assignment]

    def _watch_postgresql(self) -> None:
        def listen(name: str, heard: Callable[..., None]) -> None:
            def on_a_server(connection: Connection, *given: Any) -> None:
                if connection.dialect.name != "sqlite":
                    heard(*given)

            event.listen(Engine, name, on_a_server)

        listen("begin", lambda: self.at("begin"))
        listen("commit", lambda: self.at("commit"))
        listen("before_cursor_execute", lambda _cursor, text, *_: self._statement("before", text))
        listen("after_cursor_execute", lambda _cursor, text, *_: self._statement("after", text))

    def _statement(self, side: str, text: str) -> None:
        verb = text.split(None, 1)[0].upper()
        if verb != "BEGIN":
            self.at(f"{side} {verb}")
        elif side == "after":
            self.at("begin")

    def _called(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._line if frame.f_code.co_filename.startswith(HOUSE) else None

    def _line(self, frame: FrameType, event: str, _arg: object) -> Any:
        if event == "line":
            self.at("line", f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        return self._line


# A desk on a store


def desk(
    database: str, life: str, threads: int, deeds: int, retries: list[list[Any]], step: str = "", count: int = 0
) -> None:
    """Work at a desk: first ask again what nobody was answered, then do this and that. In the end, wait for death."""
    death = Death(step, count)
    office = Office(database)
    office.store.on_change = lambda _: death.at("kept")
    tell("open")
    room = Room(office, death)
    worker = Worker(room, f"{life}.0")
    for token, deed, action, mark, kind in retries:
        worker.attempt(token, deed, action, mark, kind)
    room.look_around()
    workers = [
        threading.Thread(target=Worker(room, f"{life}.{number}").run, args=(deeds,)) for number in range(threads)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    tell("done")
    signal.pause()


class Room:
    """What the workers at one desk share."""

    def __init__(self, office: Office, death: Death) -> None:
        self.office, self.death = office, death
        self.records: dict[int, Record] = {}
        self.held: dict[int, str] = {}
        """The claims that were answered with yes, and their nonces."""

    def look_around(self) -> None:
        """See what earlier lives have left."""
        unfinished = [Status.PENDING, Status.APPROVED, Status.EXECUTING]
        for record in self.office.do(lambda tx: tx.actions(statuses=unfinished, limit=HERE)):
            self.saw(record)

    def record(self, action: int) -> Record:
        """How it stood when it was last seen."""
        if action not in self.records:
            found = self.office.do(lambda tx: tx.action(action))
            assert found is not None
            self.records[action] = found
        return self.records[action]

    def saw(self, record: Record) -> None:
        """Remember how it stands."""
        self.records[record.id] = record
        if record.status is Status.EXECUTING and record.nonce is not None:
            self.held[record.id] = record.nonce


class Worker:
    """An agent and an approver in one thread."""

    def __init__(self, room: Room, name: str) -> None:
        self._room, self._office, self._name = room, room.office, name
        self._approver = Principal(f"admin-{name}", name, Role.ADMIN)
        self._random = random.Random(name)
        self._numbers = itertools.count(1)

    def run(self, deeds: int) -> None:
        """Do so much."""
        for _ in range(deeds):
            token = f"{self._name}/{next(self._numbers)}"
            here = sorted(self._room.records)[-HERE:]
            luck = self._random.random()
            if luck < 0.2:
                self.attempt(token, "withdraw", NOWHERE, token, "")
            elif not here or luck < 0.4:
                self.attempt(token, "submit", 0, token, self._random.choice([*KINDS, "held", "held"]))
            else:
                record = self._room.records[self._random.choice(here)]
                deed = self._choice(record)
                mark = {"approve": self._approver.id, "deny": self._approver.id, "claim": token}.get(deed, "")
                self.attempt(token, deed, record.id, mark, "")

    def _choice(self, record: Record) -> str:
        """Mostly what can be done with it, sometimes what cannot."""
        match record.status:
            case Status.PENDING:
                return self._random.choice(["approve"] * 5 + ["deny", "withdraw", "claim"])
            case Status.APPROVED:
                return self._random.choice(["claim"] * 6 + ["withdraw", "deny"])
            case Status.EXECUTING if record.id in self._room.held:
                return self._random.choice(["complete", "complete", "fail", "claim", "withdraw"])
            case _:
                return self._random.choice(["claim", "approve", "withdraw"])

    def attempt(self, token: str, deed: str, action: int, mark: str, kind: str) -> None:
        """Try it, and tell what came of it: that it is tried, and then what the answer was."""
        tell("try", token, deed, action, mark, kind)
        try:
            record = self._do(deed, action, mark, kind)
        except (Conflict, NotFound) as refusal:
            self._room.death.at("told")
            tell("no", token)
            if refusal.record is not None:
                self._room.records[action] = refusal.record
            return
        self._room.death.at("told")
        tell("yes", token, record.id, record.nonce if record.status is Status.EXECUTING else None)
        self._room.saw(record)

    def _do(self, deed: str, action: int, mark: str, kind: str) -> Record:
        office = self._office
        match deed:
            case "submit":
                return office.submit(replace(KINDS[kind], digest=f"digest of {mark}"), key=mark, nonce=f"{mark}/nonce")
            case "approve":
                return office.approve(self._room.record(action), self._approver)
            case "deny":
                return office.deny(self._room.record(action), self._approver)
            case "claim":
                return office.claim(self._room.record(action), nonce=mark)
            case "withdraw":
                return office.withdraw(self._room.record(action)) if action != NOWHERE else office.do(in_vain(mark))
            case _:
                outcome = Status.COMPLETED if deed == "complete" else Status.FAILED
                return office.report(self._room.record(action), outcome, nonce=self._room.held[action])


def in_vain(key: str) -> Callable[[Tx], Record]:
    """A unit of work that writes and is refused: nothing of it is kept, and all that goes with it is."""

    def work(tx: Tx) -> Record:
        tx.add_action(a_record(key))
        raise NotFound("There is no such action")

    return work


# The command line


class Telling(io.TextIOBase):
    """Standard output of a child: every piece is told."""

    def write(self, text: str) -> int:
        tell("says", text)
        return len(text)


def command(line: list[str], step: str = "", count: int = 0) -> None:
    """Be the ``clearance`` command, from its first to its last step."""
    sys.stdout = Telling()
    Death(step, count)
    code = 0
    try:
        cli.main(line, prog_name="clearance")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    tell("exit", code)
    signal.pause()
