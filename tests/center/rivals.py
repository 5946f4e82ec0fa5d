"""Several processes that want different things of the same actions at the same time, and the tally of who got what.

Run as a program it is one of the processes: told what to do on standard input, it prints what came of it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.center.desks import AGENT, CAROL
from tests.center.stores import do
from tests.helpers import an_action

from clearance.center import audit, refusals
from clearance.center.clock import wall_clock
from clearance.center.desk import Desk
from clearance.center.faults import Conflict
from clearance.center.policy import built_in
from clearance.center.records import Principal, Record, Role, Submission
from clearance.center.refusals import REFUSED, keeping, told
from clearance.center.store.base import Store, Tx, Use
from clearance.center.store.databases import open_store
from clearance.models import Status

THREADS = 2
PATIENCE = 300.0
LONG = 3600.0
"""Seconds in which nothing lapses, however slow the machine is."""
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Won:
    """Who got which of their wishes, for which action."""

    action: int
    deed: str
    rival: str


def digest_of(tx: Tx, action: int) -> str:
    """The digest of an action that is there."""
    record = tx.action(action)
    assert record is not None
    return record.action.digest


def exactly_one_wins(address: str, store: Store, *, actions: int, processes: int, use: Use) -> None:
    """Race for that many actions of each kind; ``store`` is another user of the same database."""
    desk = Desk(built_in(), wall_clock, max_pending=3 * actions)

    def prepared(tx: Tx) -> dict[int, list[str]]:
        wishes: dict[int, list[str]] = {}
        for names in (["claim"], ["approve", "deny"], ["claim", "withdraw"]):
            for number in range(actions):
                digest = f"{'-or-'.join(names)}-{number}"
                action = an_action(digest=digest, decide_within=LONG, run_within=LONG)
                record = desk.submit(tx, AGENT, Submission(action, None, None, claims=True))
                if "claim" in names:
                    desk.decide(tx, CAROL, record.id, approve=True)
                wishes[record.id] = names
        return wishes

    wishes = do(store, prepared)
    won = race(address, wishes, processes=processes, use=use)

    tally = Counter(winner.action for winner in won)
    wrong = {action: tally[action] for action in wishes if tally[action] != 1}
    assert not wrong, wrong
    assert all(winner.deed in wishes[winner.action] for winner in won)
    assert len({winner.rival for winner in won}) > 1
    report = do(store, lambda tx: audit.verify(tx.audit()))
    assert report.problem is None
    entries = Counter(
        entry["action_id"]
        for entry in (json.loads(link.body) for link in do(store, lambda tx: list(tx.audit())))
        if entry["event"] != REFUSED
    )
    assert entries == {action: 2 if "approve" in names else 3 for action, names in wishes.items()}


def race(address: str, wishes: dict[int, list[str]], *, processes: int, use: Use) -> list[Won]:
    """Let every thread of every process try each deed on each action, all at once.

    Half of them go through the actions in the same order, to want the same one at the same time; the others each in
    an order of their own, to be at the trail at the same time with another one.
    """
    rivals = [_start(address, use, number) for number in range(processes)]
    try:
        for rival in rivals:
            assert rival.stdout is not None
            assert rival.stdout.readline() == "ready\n"
        job = json.dumps(list(wishes.items())) + "\n"
        with ThreadPoolExecutor(processes) as pool:
            tallies = list(pool.map(lambda rival: rival.communicate(job, timeout=PATIENCE)[0], rivals))
        assert [rival.returncode for rival in rivals] == [0] * processes
    finally:
        for rival in rivals:
            rival.kill()
            rival.communicate()
    return [Won(*line) for tally in tallies for line in json.loads(tally)]


def _start(address: str, use: Use, number: int) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "tests.center.rivals", address, use.value, str(number)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(line, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Rival:
    """One thread: an approver of its own, and a worker with a nonce of its own."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self._random = random.Random(name)
        self._in_order = name.endswith(".0")
        self.won: list[Won] = []
        self._store = store
        self._desk = Desk(built_in(), wall_clock)
        self._approver = Principal(f"admin-{name}", name, Role.ADMIN)

    def run(self, wishes: list[tuple[int, list[str]]]) -> None:
        """Try everything."""
        deeds: dict[str, Callable[[Tx, int], Record]] = {
            "claim": lambda tx, action: self._desk.claim(tx, AGENT, action, digest_of(tx, action), self.name),
            "approve": lambda tx, action: self._desk.decide(tx, self._approver, action, approve=True),
            "deny": lambda tx, action: self._desk.decide(tx, self._approver, action, approve=False),
            "withdraw": lambda tx, action: self._desk.withdraw(tx, AGENT, action, "by " + self.name),
        }
        for action, names in wishes if self._in_order else self._random.sample(wishes, len(wishes)):
            for name in self._random.sample(names, len(names)):
                self._try(action, name, deeds[name])

    def _try(self, action: int, name: str, deed: Callable[[Tx, int], Record]) -> None:
        try:
            record = told(self._store.submit(keeping(lambda tx: deed(tx, action))).result(PATIENCE))
        except Conflict:
            return
        mine = {
            "claim": record.status is Status.EXECUTING and record.nonce == self.name,
            "approve": record.decider == self._approver.id,
            "deny": record.decider == self._approver.id,
            "withdraw": record.status is Status.WITHDRAWN and record.reason == "by " + self.name,
        }
        if mine[name]:
            self.won.append(Won(action, name, self.name))


def main(address: str, use: str, number: str) -> None:
    """Be one of the processes."""
    refusals.MOST_REFUSALS = 1  # each costs a commit of its own, and this is about who wins
    store = open_store(address, Use(use))
    print("ready", flush=True)
    wishes = json.loads(sys.stdin.readline())
    rivals = [Rival(store, f"{number}.{thread}") for thread in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda rival: rival.run(wishes), rivals))
    store.close()
    print(json.dumps([[won.action, won.deed, won.rival] for rival in rivals for won in rival.won]))


if __name__ == "__main__":
    main(*sys.argv[1:])
