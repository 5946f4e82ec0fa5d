"""Ten thousand that wait for one Center: what it takes of memory and time, and that all are answered, come what may."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from tests.campaigns.crowds import Crowd, Population, Usage, room_for, run
from tests.servers import PATIENCE, Api, CenterProcess, center_process

from clearance.models import Decision, Status
from clearance.wire.vocabulary import MOST_IDS, WAIT_PATH

WAITERS = 10_000
MOST_MEMORY = 256.0
"""MB, for so many connections."""
MOST_MEMORY_BATCHED = 100.0
"""MB, for as many actions on one connection."""
IDLE = 0.05
"""Share of one core that counts as near to nothing."""
A_WHILE = 3.0
BACK_WITHIN = 10.0
"""Seconds from when a Center accepts connections again until everybody is answered."""
LEVELS = {"risk_levels": ["low", "medium"]}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Population:
    """Stored once for all tests of this file."""
    return Population.new(tmp_path_factory.mktemp("waiters") / "center.db", WAITERS)


@pytest.fixture
def population(first: Population, tmp_path: Path) -> Population:
    """A test's own copy."""
    copied = replace(first, database=tmp_path / "center.db")
    shutil.copy(first.database, copied.database)
    return copied


@pytest.fixture
def process(population: Population) -> Iterator[CenterProcess]:
    with room_for(WAITERS), center_process(population.database, "--rate", "0") as process:
        yield process


def approve_all(population: Population, process: CenterProcess) -> None:
    """An approver presses the button until nothing waits any more."""
    with Api(process.url, population.approver_key) as approver:
        while approver.post("/api/v1/actions/approve-all", LEVELS).json()["approved"]:
            pass


def statuses(answers: list[Decision]) -> Counter[Status]:
    return Counter(answer.status for answer in answers)


def test_ten_thousand_connections_wait_in_little_memory_and_no_time_and_all_are_answered_when_all_is_approved(
    population: Population, process: CenterProcess
) -> None:
    async def story() -> None:
        usage = Usage(process)
        async with Crowd(population, process) as crowd:
            await usage.comes_to_rest(IDLE, A_WHILE)
            await asyncio.to_thread(approve_all, population, process)
            assert statuses(await crowd.answers()) == {Status.APPROVED: WAITERS}
        assert usage.most_memory() <= MOST_MEMORY

    run(story())


def test_ten_thousand_actions_wait_on_one_connection_in_less_memory_still(
    population: Population, process: CenterProcess
) -> None:
    assert len(population.ids) == MOST_IDS
    chosen = population.ids[WAITERS // 2]

    def wait() -> requests.Response:
        with Api(process.url, population.agent_key) as agent:
            return agent.post(WAIT_PATH, {"ids": population.ids}, headers={"Prefer": "wait=60"}, timeout=60 + PATIENCE)

    async def story() -> None:
        usage, waiting = Usage(process), asyncio.create_task(asyncio.to_thread(wait))
        await usage.comes_to_rest(IDLE, A_WHILE)
        assert not waiting.done()
        with Api(process.url, population.approver_key) as approver:
            await asyncio.to_thread(approver.post, f"/api/v1/actions/{chosen}/approve")
        answer = await waiting
        assert [entry["id"] for entry in answer.json()] == [chosen]
        assert usage.most_memory() <= MOST_MEMORY_BATCHED

    run(story())


def test_ten_thousand_that_lose_their_center_are_all_answered_soon_after_there_is_one_again(
    population: Population, process: CenterProcess
) -> None:
    async def story() -> None:
        async with Crowd(population, process) as crowd:
            await Usage(process).comes_to_rest(IDLE, A_WHILE)
            process.kill()
            await asyncio.to_thread(population.are_decided_unseen)
            await asyncio.to_thread(process.start)
            accepts = time.monotonic()
            assert statuses(await crowd.answers()) == {Status.APPROVED: WAITERS}
        took = crowd.last_answer - accepts
        assert took <= BACK_WITHIN, f"The last was answered after {took:.1f} s."

    run(story())
