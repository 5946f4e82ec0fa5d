"""A hundred thousand trails that somebody was at, and databases, too: `clearance audit verify` finds every one.

The trails are what programs of the model left behind, and longer ones that are made for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from tests.center.campaign import LENGTH, Run
from tests.center.programs import program
from tests.center.stores import driver
from tests.center.systems import System, opened
from tests.center.trails import KINDS, a_trail, assert_found, heads_of
from tests.postgres import Cluster

from clearance.center import audit, trail
from clearance.center.audit import Link
from clearance.center.store.base import Tx
from clearance.models import Status
from clearance.witness import TILE, Head

T = TypeVar("T")
DEEP = os.environ.get("CLEARANCE_DEEP") == "1"
TAMPERED = 1_000_000 if DEEP else 100_000
"""Trails, over all ways of tampering together."""
DATABASES = 20_000 if DEEP else 700
"""Times that a database is tampered with, on each of the two stores."""
PROGRAMS = 6
SEED = "tampered"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The programs give alarms of their own."""
    caplog.set_level(logging.CRITICAL, "clearance.center")


def ran(system: System, number: int) -> set[Head]:
    """Run a program; returns the heads that it was told."""
    run = Run(system)
    run.all_of(program(f"{SEED}.{number}", LENGTH))
    return run.heads


def left_behind(number: int) -> list[Link]:
    """The trail that a program leaves in memory."""
    with opened("memory") as system:
        ran(system, number)
        return list(system.do(lambda tx: list(tx.audit())))


@pytest.mark.parametrize("kind", KINDS)
def test_every_trail_that_was_tampered_with_is_found(kind: str) -> None:
    trails = [left_behind(number) for number in range(PROGRAMS)] + [a_trail(2 * TILE + 20)]
    wholes = [(links, heads_of(links)) for links in trails]
    for links, heads in wholes:
        assert audit.verify(links, heads).problem is None

    for seed in range(-(-TAMPERED // len(KINDS))):
        assert_found(kind, *wholes[seed % len(wholes)], seed)


# Databases


class Inside:
    """Does what it is given in a transaction that is open already, and sees what was done there."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def do(self, work: Callable[[Tx], T]) -> T:
        return work(self._tx)


class Undone(Exception):
    """The transaction leaves nothing behind but what was found in it."""


class Burglar:
    """Whoever gets around the database, and what they do there: one change, which is always a change."""

    def __init__(self, tx: Tx, dice: Random) -> None:
        self._sql: Any = driver(tx)
        self._dice = dice
        self._entries = list(tx.audit())
        self._actions = tx.actions(limit=10_000)
        self._nodes = tx.audit_node_count()
        assert self._nodes > 0

    def tamper(self, way: str) -> None:
        """Do it in this way."""
        changed = getattr(self, way)(self._dice.choice(self._entries))
        assert changed.rowcount > 0, way

    def execute(self, statement: str, **values: object) -> Any:
        return self._sql.execute(text(statement), values)

    # Each column of an entry

    def number(self, link: Link) -> Any:
        far = len(self._entries) + 1 + self._dice.randrange(1000)
        return self.execute("UPDATE audit SET seq = :new WHERE seq = :seq", seq=link.seq, new=far)

    def action(self, link: Link) -> Any:
        about = [each for each in self._entries if each.body.startswith(audit.ABOUT)]
        link = self._dice.choice(about)
        others = [each.id for each in self._actions if f'"action_id":{each.id},' not in link.body]
        other = self._dice.choice([None, self._dice.choice(others), 10**9])
        return self.execute("UPDATE audit SET action_id = :new WHERE seq = :seq", seq=link.seq, new=other)

    def body(self, link: Link) -> Any:
        at = self._dice.randrange(len(link.body))
        other = self._dice.choice([each for each in '09ae"{},: ' if each != link.body[at]])
        new = link.body[:at] + other + link.body[at + 1 :]
        return self.execute("UPDATE audit SET body = :new WHERE seq = :seq", seq=link.seq, new=new)

    def hash(self, link: Link) -> Any:
        at = self._dice.randrange(len(link.hash))
        new = link.hash[:at] + ("0" if link.hash[at] != "0" else "1") + link.hash[at + 1 :]
        return self.execute("UPDATE audit SET hash = :new WHERE seq = :seq", seq=link.seq, new=new)

    # Whole entries

    def deletion(self, link: Link) -> Any:
        return self.execute("DELETE FROM audit WHERE seq = :seq", seq=link.seq)

    def truncation(self, link: Link) -> Any:
        return self.execute("DELETE FROM audit WHERE seq >= :seq", seq=link.seq)

    def duplicate(self, link: Link) -> Any:
        at, columns = len(self._entries) + 1, "action_id, body, hash"
        return self.execute(
            f"INSERT INTO audit (seq, {columns}) SELECT :at, {columns} FROM audit WHERE seq = :seq", seq=link.seq, at=at
        )

    def swap(self, link: Link) -> Any:
        other = self._dice.choice([each for each in self._entries if each.seq != link.seq])
        for one, two in ((link, other), (other, link)):
            done = self.execute(
                "UPDATE audit SET body = :body, hash = :hash WHERE seq = :seq",
                seq=one.seq,
                body=two.body,
                hash=two.hash,
            )
        return done

    def history(self, link: Link) -> Any:
        """From one entry on, all of it is written anew, so that the chain fits."""
        before, done = self._entries[link.seq - 2].hash if link.seq > 1 else audit.GENESIS, None
        for each in self._entries[link.seq - 1 :]:
            body = each.body.replace('"at":1', '"at":2') if each is link else each.body
            before = audit.chain(before, body)
            done = self.execute(
                "UPDATE audit SET body = :body, hash = :hash WHERE seq = :seq", seq=each.seq, body=body, hash=before
            )
        return done

    # What is kept beside the entries

    def node(self, _link: Link) -> Any:
        column = self._dice.choice(["level = level + 7", "position = position + 7", "hash = :hash"])
        return self.execute(f"UPDATE audit_nodes SET {column}", **({"hash": "0" * 64} if ":hash" in column else {}))

    def node_deletion(self, _link: Link) -> Any:
        return self.execute("DELETE FROM audit_nodes")

    def node_insertion(self, _link: Link) -> Any:
        place = {"level": self._dice.randint(1, 4), "position": self._nodes + self._dice.randrange(9)}
        return self.execute("INSERT INTO audit_nodes VALUES (:level, :position, :hash)", **place, hash="0" * 64)

    def status(self, _link: Link) -> Any:
        record = self._dice.choice(self._actions)
        new = self._dice.choice([each.value for each in Status if each is not record.status])
        return self.execute("UPDATE actions SET status = :new WHERE id = :id", id=record.id, new=new)

    def action_deletion(self, _link: Link) -> Any:
        return self.execute("DELETE FROM actions WHERE id = :id", id=self._dice.choice(self._actions).id)


WAYS = [
    *("number", "action", "body", "hash", "deletion", "truncation", "duplicate", "swap", "history"),
    *("node", "node_deletion", "node_insertion", "status", "action_deletion"),
]
UNGUARDED = {
    "sqlite": [f"DROP TRIGGER audit_no_{name}" for name in ("update", "delete", "replace")],
    "postgresql": ["DROP TRIGGER audit_append_only ON audit"],
}


def is_found_every_time(system: System, guard: str) -> None:
    """Tamper with its database so many times, in every way, each time in a transaction that leaves nothing behind."""
    heads = set[Head]().union(*(ran(system, number) for number in range(PROGRAMS)))
    heads.add(system.look(0)[2] or Head(0, ""))
    system.do(lambda tx: [driver(tx).execute(text(statement)) for statement in UNGUARDED[guard]])
    assert trail.verify(system, heads).problem is None

    def attempt(tx: Tx) -> None:
        Burglar(tx, Random(f"{way} {seed}")).tamper(way)
        raise Undone(trail.verify(Inside(tx), heads).problem)

    for seed in range(DATABASES):
        way = WAYS[seed % len(WAYS)]
        with pytest.raises(Undone) as undone:
            system.do(attempt)
        assert undone.value.args != (None,), f"{way}, seed {seed}: not found"
    assert trail.verify(system, heads).problem is None


def test_a_file_that_was_tampered_with_is_found_every_time() -> None:
    with opened("sqlite") as system:
        is_found_every_time(system, "sqlite")


@pytest.mark.postgres
def test_a_postgresql_database_that_was_tampered_with_is_found_every_time(cluster: Cluster) -> None:
    with cluster.database() as address, opened(address) as system:
        is_found_every_time(system, "postgresql")
