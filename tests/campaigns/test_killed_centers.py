"""``kill -9`` of a whole Center, again and again, while programs ask it over HTTP: nobody is told what is not so."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.campaigns.callers import Caller, Guarded, Keys, Site
from tests.campaigns.ledger import Ledger
from tests.campaigns.mortals import FATES, OUTSIDE, fate
from tests.campaigns.nursery import Nursery
from tests.postgres import Cluster

from clearance.center.records import Record, Role
from clearance.center.service import Center
from clearance.center.store.base import Use
from clearance.center.store.databases import is_url
from clearance.lifecycle import CLAIMED

DEEP = os.environ.get("CLEARANCE_DEEP") == "1"
KILLS = 500 if DEEP else 50
"""On each of the two stores."""
A_DATABASE = 50
SEED = 20_261_125
CALLERS = 4
GUARDED = 2
LONGER = 8
"""How many times as long a Center lives as a desk in `test_killed_desks`: its first calls are those of its start."""
STEPS = tuple(step for step in FATES if step not in ("kept", "told"))
"""Those at which the `clearance center` process itself can be stopped."""
OF_SAVEPOINTS = ("SAVEPOINT", "RELEASE", "ROLLBACK")
"""There are some on SQLite only after a unit of work wrote and failed, which these programs do not bring about."""


def test_a_center_on_a_file_that_is_killed_under_load_lets_nothing_run_twice_and_loses_nothing_that_it_answered(
    tmp_path: Path,
) -> None:
    with Nursery(str(tmp_path / "warm.db")) as nursery:
        numbers = iter(range(KILLS))
        is_killed_under_load(nursery, "file", lambda: nullcontext(str(tmp_path / f"{next(numbers)}.db")))


@pytest.mark.postgres
def test_a_center_on_postgresql_that_is_killed_under_load_lets_nothing_run_twice_and_loses_nothing_that_it_answered(
    postgres_url: str, cluster: Cluster
) -> None:
    with Nursery(postgres_url) as nursery:
        is_killed_under_load(nursery, "postgresql", cluster.database)


def is_killed_under_load(nursery: Nursery, name: str, database: Callable[[], AbstractContextManager[str]]) -> None:
    for number in range(KILLS // A_DATABASE):
        with nursery.lent(database()) as address:
            load = Load(address, f"{name}.{number}")
            centers = Centers(nursery, address, f"{name}.{number}")
            with load.on(centers.start()) as site:
                centers.keep_dying(site, A_DATABASE)
            centers.kill()
            load.was_served_truthfully()
            nursery.succeeds("audit", "verify", "--database", address)


class Centers:
    """One ``clearance center`` after the other, on one database and one port."""

    def __init__(self, nursery: Nursery, address: str, name: str) -> None:
        self._nursery, self._address, self._name = nursery, address, name
        self._steps = tuple(step for step in STEPS if is_url(address) or not step.endswith(OF_SAVEPOINTS))
        self._port = 0

    def start(self) -> str:
        """One that nothing happens to; returns where it listens."""
        self._bear()
        url = self._listens_at()
        assert url is not None
        self._port = urlsplit(url).port or 0
        return url

    def keep_dying(self, site: Site, kills: int) -> None:
        """Kill the one that listens and so many after it; in the end there is one again that nothing happens to."""
        site.await_answers(1)
        self.kill()
        for number in range(kills):
            chance = random.Random(f"{SEED}.{self._name}.{number}")
            try:
                self._live(site, chance)
            except BaseException as error:
                error.add_note(f"This was Center {self._name}.{number} of seed {SEED}.")
                raise
            self.kill()
        self.start()
        site.opened()

    def kill(self) -> None:
        """End the one that there is."""
        self._nursery.kill()
        while (heard := self._nursery.hear())[0] != "ended":
            pass
        assert heard[1] == -9

    def _live(self, site: Site, chance: random.Random) -> None:
        """One, from its start to its last step, or to when it is to be killed."""
        step, count = fate(chance, self._steps, LONGER)
        self._bear(step, count)
        if step != OUTSIDE:
            if self._listens_at():
                site.opened()
                while self._nursery.hear()[0] != "step":
                    pass
            return
        if chance.random() < 0.8:  # the others do not even come to listen
            assert self._listens_at()
            site.opened()
            site.await_answers(chance.randrange(100))
        for _ in range(chance.randrange(50_000)):
            pass

    def _bear(self, step: str = "", count: int = 0) -> None:
        line = ["center", "--database", self._address, "--port", str(self._port)]
        self._nursery.bear("command", line=line, step=step, count=count)

    def _listens_at(self) -> str | None:
        """The address, once it says it; None if it died before."""
        said = ""
        while "Policy: " not in said:
            match self._nursery.hear():
                case ["says", text]:
                    said += text
                case ["step", *_]:
                    return None
                case other:
                    raise AssertionError(other)
        return said.partition("\n")[0].split()[-1]


class Load:
    """Programs with a key each, and what they were told."""

    def __init__(self, address: str, name: str) -> None:
        self._address, self._name = address, name
        self._ledger = Ledger()
        self._callers: list[Caller] = []
        self._guarded: list[Guarded] = []
        self._keys = [self._new_keys(f"{name}.{number}") for number in range(CALLERS + GUARDED)]

    @contextmanager
    def on(self, url: str) -> Iterator[Site]:
        """The programs run until the block ends, then finish what they are at."""
        site = Site(url)
        named = enumerate(self._keys[:CALLERS])
        self._callers = [Caller(site, self._ledger, f"{self._name}.{number}", keys) for number, keys in named]
        self._guarded = [Guarded(site, keys) for keys in self._keys[CALLERS:]]

        def run(program: Caller | Guarded) -> None:
            try:
                program.run()
            except BaseException as error:
                site.failed(error)

        threads = [threading.Thread(target=run, args=(program,)) for program in (*self._callers, *self._guarded)]
        for thread in threads:
            thread.start()
        try:
            yield site
        except BaseException as error:
            site.failed(error)
        finally:
            site.is_over = True
            for thread in threads:
                thread.join()
        if site.errors:
            raise BaseExceptionGroup("what went wrong, in the order in which it was seen", site.errors)

    def was_served_truthfully(self) -> None:
        """Every answer stands, every body ran once, and none without a claim."""
        self._ledger.check(self._address)
        assert self._ledger.in_doubt == {}
        assert {times for caller in self._callers for times in caller.bodies.values()} == {1}
        center = Center.open(self._address, use=Use.READ)
        try:
            for guarded, keys in zip(self._guarded, self._keys[CALLERS:], strict=True):
                _agree(guarded, _asked_by(center, keys.agent_id))
        finally:
            center.close()

    def _new_keys(self, name: str) -> Keys:
        center = Center.open(self._address, use=Use.VISIT)
        try:
            agent, approver = center.create_key(Role.USER, name), center.create_key(Role.ADMIN, f"approver of {name}")
            ids = {key.name: key.id for key in center.do(lambda tx: tx.keys())}
        finally:
            center.close()
        return Keys(agent, ids[name], approver, ids[f"approver of {name}"])


def _asked_by(center: Center, requester: str) -> list[Record]:
    return center.do(lambda tx: tx.actions(requester=requester, limit=1_000_000))


def _agree(guarded: Guarded, records: list[Record]) -> None:
    """What a guarded function did is what the Center knows of it."""
    asked = Counter(str(record.action.parameters["number"]) for record in records)
    claimed = {str(record.action.parameters["number"]) for record in records if record.status in CLAIMED}
    assert set(asked.values()) == {1}
    assert all(times == 1 for times in guarded.ran.values())
    assert guarded.ran.keys() == guarded.returned
    assert guarded.returned <= claimed
    assert all(error.transient for error in guarded.refused.values())  # it was given up to ask, not answered
    assert not guarded.ran.keys() & guarded.refused.keys()
