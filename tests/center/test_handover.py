"""Answers come back from another thread to the event loop that waits for them: each to its own, and none is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from clearance.center.handover import Handover


@pytest.fixture
def other_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


class Knocks:
    """Counts how often an event loop is woken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe

        def knock(*arguments: Any) -> object:
            self.count += 1
            return wake(*arguments)

        monkeypatch.setattr(loop, "call_soon_threadsafe", knock)


async def begun(handover: Handover, futures: list[Future[int]]) -> list[asyncio.Task[int]]:
    """Somebody waiting for each."""
    tasks = [asyncio.create_task(handover.wait(future)) for future in futures]
    await asyncio.sleep(0)
    return tasks


def test_answers_that_come_together_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        knocks, handover = Knocks(monkeypatch), Handover()
        for _ in range(2):
            futures: list[Future[int]] = [Future() for _ in range(50)]
            tasks = await begun(handover, futures)
            for number, future in enumerate(futures):
                future.set_result(number)
            assert await asyncio.gather(*tasks) == list(range(50))
        assert knocks.count == 2

    asyncio.run(run())


def test_every_answer_comes_in_whatever_moment_it_is_given(other_thread: ThreadPoolExecutor) -> None:
    async def run() -> None:
        handover = Handover()

        async def ask(number: int) -> None:
            for turn in range(200):
                assert await handover.wait(other_thread.submit(int, number + turn)) == number + turn

        await asyncio.gather(*(ask(1_000 * number) for number in range(20)))

    asyncio.run(run())


def test_an_error_comes_out_and_takes_no_other_answer_with_it() -> None:
    async def run() -> None:
        futures: list[Future[int]] = [Future() for _ in range(3)]
        tasks = await begun(Handover(), futures)
        futures[0].set_result(1)
        futures[1].set_exception(LookupError("gone"))
        futures[2].set_result(3)

        first, second, third = await asyncio.gather(*tasks, return_exceptions=True)

        assert (first, third) == (1, 3)
        assert isinstance(second, LookupError)

    asyncio.run(run())


def test_who_is_cancelled_cancels_nothing_and_is_in_nobodys_way() -> None:
    async def run() -> None:
        futures: list[Future[int]] = [Future() for _ in range(2)]
        cancelled, patient = await begun(Handover(), futures)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        for future in futures:
            assert future.set_running_or_notify_cancel()
            future.set_result(7)

        assert await patient == 7
        assert cancelled.cancelled()

    asyncio.run(run())


def test_an_answer_for_a_loop_that_was_closed_is_dropped_and_others_get_theirs() -> None:
    handover, late = Handover(), Future[int]()

    async def give_up() -> None:
        await begun(handover, [late])

    async def ask() -> int:
        soon = Future[int]()
        (task,) = await begun(handover, [soon])
        soon.set_result(8)
        return await task

    asyncio.run(give_up())
    late.set_result(7)

    assert asyncio.run(ask()) == 8
    assert len(handover._boxes) == 1


def test_loops_of_several_threads_share_it(other_thread: ThreadPoolExecutor) -> None:
    handover, found = Handover(), list[int]()

    async def ask(number: int) -> None:
        for turn in range(100):
            found.append(await handover.wait(other_thread.submit(int, 1_000 * number + turn)))

    threads = [threading.Thread(target=lambda number=number: asyncio.run(ask(number))) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(found) == [1_000 * number + turn for number in range(4) for turn in range(100)]
