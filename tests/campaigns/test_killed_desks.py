"""``kill -9`` at every step of a process that runs the desk on a store: what it had answered, is so."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from tests.campaigns.ledger import Ledger, Wish
from tests.campaigns.mortals import FATES, MAKING, OUTSIDE, STEPS, fate
from tests.campaigns.nursery import Nursery
from tests.postgres import Cluster

DEEP = os.environ.get("CLEARANCE_DEEP") == "1"
KILLS = 5_000 if DEEP else 500
"""On each of the two stores."""
A_DATABASE = 50
"""Kills on one database; the first few while its tables are made."""
MAKING_IT = 3
CHECK_EVERY = 10
SEED = 20_261_124


def test_a_desk_on_a_file_that_is_killed_at_any_step_has_kept_what_it_answered_and_claimed_nothing_twice(
    tmp_path: Path,
) -> None:
    with Nursery(str(tmp_path / "warm.db")) as nursery:
        numbers = iter(range(KILLS))
        is_killed_at_every_step(nursery, "file", lambda: nullcontext(str(tmp_path / f"{next(numbers)}.db")))


@pytest.mark.postgres
def test_a_desk_on_postgresql_that_is_killed_at_any_step_has_kept_what_it_answered_and_claimed_nothing_twice(
    postgres_url: str, cluster: Cluster
) -> None:
    with Nursery(postgres_url) as nursery:
        is_killed_at_every_step(nursery, "postgresql", cluster.database)


def is_killed_at_every_step(nursery: Nursery, name: str, database: Callable[[], AbstractContextManager[str]]) -> None:
    deaths: Counter[str] = Counter()
    for number in range(KILLS // A_DATABASE):
        with nursery.lent(database()) as address:
            deaths += Lives(nursery, address, f"{name}.{number}").end(A_DATABASE)
            nursery.succeeds("audit", "verify", "--database", address)
    assert deaths.total() == KILLS
    assert set(deaths) == {*STEPS, *MAKING, OUTSIDE}


class Lives:
    """Processes that work on one database, one after the other, each until it is killed."""

    def __init__(self, nursery: Nursery, address: str, name: str) -> None:
        self._nursery, self._address, self._name = nursery, address, name
        self._ledger = Ledger()

    def end(self, kills: int) -> Counter[str]:
        """Kill so many; returns how many ended at which step."""
        deaths: Counter[str] = Counter()
        for number in range(2 * kills):
            life = f"{self._name}.{number}"
            try:
                if (step := self._live(life, MAKING if number < MAKING_IT else FATES)) is not None:
                    deaths[step] += 1
                if (number + 1) % CHECK_EVERY == 0 or deaths.total() == kills:
                    self._ledger.check(self._address)
            except BaseException as error:
                error.add_note(f"This was life {life} of seed {SEED}.")
                raise
            if deaths.total() == kills:
                break
        return deaths

    def _live(self, life: str, steps: tuple[str, ...]) -> str | None:
        """One life; returns the step at which it ended, or None if all its work was done before."""
        chance = random.Random(f"{SEED}.{life}")
        step, count = fate(chance, steps)
        answers = chance.randrange(30) if step == OUTSIDE else None
        # As callers do who got no answer: what gives leave to run is asked again, under the same key or nonce.
        again = [wish for wish in self._ledger.in_doubt.items() if wish[1].deed in ("submit", "claim")]
        self._ledger.in_doubt = dict(again)
        self._nursery.bear(
            "desk",
            database=self._address,
            life=life,
            threads=chance.choice((1, 1, 3)),
            deeds=12,
            retries=[[token, wish.deed, wish.action, wish.mark, wish.kind] for token, wish in again],
            step=step,
            count=count,
        )
        ended = self._listen(answers) or OUTSIDE
        if ended == OUTSIDE:
            for _ in range(chance.randrange(20_000)):
                pass
        self._nursery.kill()
        while (told := self._listen()) != "ended":
            ended = str(told)
        return None if ended == "done" else ended

    def _listen(self, most: int | None = None) -> str | None:
        """Write down what the process tells, until it ends or is done; returns None after ``most`` things."""
        while most is None or (most := most - 1) >= 0:
            match self._nursery.hear():
                case ["try", token, *wish]:
                    self._ledger.tried(token, Wish(*wish))
                case ["yes", token, action, nonce]:
                    self._ledger.said_yes(token, action, nonce)
                case ["no", token]:
                    self._ledger.said_no(token)
                case ["step", step, _]:
                    return str(step)
                case ["ended", code]:
                    assert code == -9
                    return "ended"
                case ["done"]:
                    return "done"
        return None
