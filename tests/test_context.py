"""Defaults and grants that hold here and not there: across blocks, threads, tasks and calls inside calls."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tests.helpers import Door

from clearance import (
    ActionDenied,
    ConfigurationError,
    Grant,
    agent,
    authorized,
    configure,
    current_grant,
    override,
    reasoning,
    requires_authorization,
)
from clearance.settings import current_reasoning, defaults
from clearance.testing import Asked, FakeTransport


@pytest.fixture
def cleared() -> FakeTransport:
    """An approver who clears everything."""
    return FakeTransport(True)


def told(_action: object, _decision: object) -> None:
    """For on_wait."""


# ---------------------------------------------------------------------------------------------------------------------
# Overrides
# ---------------------------------------------------------------------------------------------------------------------

THERE = FakeTransport(True)
SCOPES: dict[str, tuple[Callable[[], AbstractContextManager[None]], Callable[[], object], object]] = {
    "agent": (lambda: agent("a"), lambda: defaults().agent_id, "a"),
    "agent_id": (lambda: override(agent_id="a"), lambda: defaults().agent_id, "a"),
    "timeout": (lambda: override(timeout=7), lambda: defaults().timeout, 7),
    "transport": (lambda: override(transport=THERE), lambda: defaults().transport, THERE),
    "on_wait": (lambda: override(on_wait=told), lambda: defaults().on_wait, told),
    "reasoning": (lambda: reasoning("a"), current_reasoning, "a"),
}


def scope(name: str) -> tuple[AbstractContextManager[None], Callable[[], object], object]:
    """A scope of this kind, what is read of it, and what is then found."""
    make, read, expected = SCOPES[name]
    return make(), read, expected


scopes = pytest.mark.parametrize("name", SCOPES)


@scopes
def test_a_scope_holds_inside_its_block_and_no_longer(name: str) -> None:
    block, read, expected = scope(name)
    before = read()

    with block:
        assert read() == expected != before

    assert read() == before


@scopes
def test_a_scope_ends_when_its_block_fails(name: str) -> None:
    block, read, _ = scope(name)
    before = read()

    with pytest.raises(LookupError), block:
        raise LookupError

    assert read() == before


def test_scopes_nest_and_each_changes_only_what_it_names() -> None:
    configure(agent_id="process", timeout=1)

    with override(agent_id="outer", timeout=2):
        with override(timeout=3):
            assert (defaults().agent_id, defaults().timeout) == ("outer", 3)
            with agent("inner"):
                assert (defaults().agent_id, defaults().timeout) == ("inner", 3)
        assert (defaults().agent_id, defaults().timeout) == ("outer", 2)

    assert (defaults().agent_id, defaults().timeout) == ("process", 1)


def test_what_is_configured_meanwhile_stands_under_what_is_overridden() -> None:
    with override(agent_id="here"):
        configure(agent_id="process", timeout=5)
        assert (defaults().agent_id, defaults().timeout) == ("here", 5)

    assert defaults().agent_id == "process"


def test_none_in_a_scope_goes_back_to_where_it_comes_from(cleared: FakeTransport) -> None:
    configure(agent_id="process", transport=cleared)

    with override(agent_id=None, transport=None):
        assert (defaults().agent_id, defaults().transport) == (None, None)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"agent_id": ""}, "agent_id= is empty"),
        ({"agent_id": " "}, "agent_id= is empty"),
        ({"agent_id": 5}, "agent_id= is a int, not a text"),
        ({"timeout": 0}, "timeout=0 is not a number of seconds"),
        ({"transport": "https://c.example"}, "transport= takes an object with"),
        ({"on_wait": "log"}, "on_wait= takes a function"),
    ],
)
@pytest.mark.parametrize("set_up", [lambda **given: override(**given).__enter__(), configure])
def test_a_value_that_cannot_be_meant_is_refused_and_changes_nothing(
    set_up: Callable[..., Any], given: dict[str, Any], problem: str
) -> None:
    before = defaults()

    with pytest.raises(ConfigurationError, match=problem):
        set_up(**{"timeout": 5, **given})

    assert defaults() == before


@scopes
def test_a_scope_reaches_what_is_started_in_it_by_to_thread_and_by_tasks(name: str) -> None:
    block, read, expected = scope(name)
    found: list[object] = []

    async def note() -> None:
        await asyncio.sleep(0)
        found.append(read())

    async def main() -> None:
        with block:
            found.append(await asyncio.to_thread(read))
            async with asyncio.TaskGroup() as group:
                group.create_task(note())
                group.create_task(note())
            await asyncio.gather(note(), note())

    asyncio.run(main())

    assert found == [expected] * 5


@scopes
def test_a_scope_does_not_reach_a_bare_thread_where_the_processs_own_defaults_stand(name: str) -> None:
    block, read, expected = scope(name)
    before = read()

    with block, ThreadPoolExecutor(1) as pool:
        assert pool.submit(read).result() == before != expected


def test_tasks_do_not_see_each_others_scopes() -> None:
    async def main() -> list[object]:
        both_inside = asyncio.Barrier(2)

        async def work(name: str) -> object:
            with agent(name):
                await both_inside.wait()
                return defaults().agent_id

        return [*await asyncio.gather(work("a"), work("b"))]

    assert asyncio.run(main()) == ["a", "b"]


def test_a_call_is_asked_for_as_the_scope_says_that_it_is_made_in(door: Door, cleared: FakeTransport) -> None:
    other = FakeTransport(True)
    configure(transport=other, agent_id="process", timeout=60)
    guarded = door.guard(lambda: None)

    with override(transport=cleared, timeout=30), agent("here"), reasoning("why"):
        guarded()
    guarded()

    here, there = cleared.asked[0].action, other.asked[0].action
    assert (here.agent_id, here.decide_within, here.reasoning) == ("here", 30, "why")
    assert (there.agent_id, there.decide_within, there.reasoning) == ("process", 60, None)
    assert here.digest != there.digest


# ---------------------------------------------------------------------------------------------------------------------
# The grant in force
# ---------------------------------------------------------------------------------------------------------------------


def no_grant() -> bool:
    """Is no grant in force?"""
    try:
        current_grant()
    except ConfigurationError:
        return True
    return False


def test_outside_of_everything_no_grant_is_in_force() -> None:
    with pytest.raises(ConfigurationError, match="No grant is in force here") as refused:
        current_grant()

    assert refused.value.reason_code == "no_grant"


def test_a_body_runs_under_its_grant_and_what_comes_after_does_not(door: Door, cleared: FakeTransport) -> None:
    grant = door.guard(current_grant, transport=cleared)()

    assert isinstance(grant, Grant)
    assert grant.action_id == "1"
    assert grant.digest == cleared.asked[0].action.digest
    assert no_grant()


def test_a_block_runs_under_the_grant_that_it_is_given(door: Door, cleared: FakeTransport) -> None:
    block = authorized(action_type="t", tool_name="t", transport=cleared)

    assert door.block(block, lambda grant: grant is current_grant())
    assert no_grant()


def test_a_note_in_the_body_is_reported(door: Door, cleared: FakeTransport) -> None:
    door.guard(lambda: current_grant().note("12 rows"), transport=cleared)()

    outcome = cleared.asked[0].outcome
    assert outcome is not None
    assert outcome.notes == ("12 rows",)


def test_neither_the_approver_nor_the_authors_functions_run_under_the_grant(door: Door) -> None:
    found: list[bool] = []

    def look(*_args: object) -> str:
        found.append(no_grant())
        return "r"

    def approve(_asked: Asked) -> bool:
        return bool(look())

    door.guard(
        lambda: None,
        transport=FakeTransport(approve),
        when=lambda: bool(look()),
        description=lambda: look(),
        resource=lambda: look(),
    )()

    assert found == [True] * 5


def test_a_call_that_was_let_through_unasked_runs_under_no_grant(door: Door, cleared: FakeTransport) -> None:
    assert door.guard(no_grant, transport=cleared, when=lambda: False)()


@pytest.mark.parametrize("error", [LookupError(), KeyboardInterrupt()], ids=repr)
def test_a_body_that_fails_leaves_no_grant_in_force(door: Door, cleared: FakeTransport, error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        door.guard(fail, transport=cleared)()
    with pytest.raises(type(error)):
        door.block(authorized(action_type="t", tool_name="t", transport=cleared), lambda _grant: fail())

    assert no_grant()


def test_a_denied_call_leaves_no_grant_in_force(door: Door) -> None:
    with pytest.raises(ActionDenied):
        door.guard(lambda: None, transport=FakeTransport(False))()

    assert no_grant()


def test_the_innermost_grant_counts_and_the_outer_one_comes_back(cleared: FakeTransport) -> None:
    found: list[str] = []

    def note() -> None:
        found.append(current_grant().action_id)

    @requires_authorization(action_type="inner", transport=cleared)
    def inner() -> None:
        note()
        with authorized(action_type="block", tool_name="t", transport=cleared):
            note()
        note()

    @requires_authorization(action_type="outer", transport=cleared)
    def outer() -> None:
        note()
        inner()
        note()

    outer()

    assert found == ["1", "2", "3", "2", "1"]


def test_tasks_run_each_under_its_own_grant(cleared: FakeTransport) -> None:
    async def main() -> list[tuple[str, str]]:
        all_inside = asyncio.Barrier(3)

        @requires_authorization(action_type="t", transport=cleared)
        async def work(n: int) -> tuple[str, str]:
            before = current_grant().action_id
            await all_inside.wait()
            return before, current_grant().action_id

        return await asyncio.gather(*map(work, range(3)))

    assert asyncio.run(main()) == [("1", "1"), ("2", "2"), ("3", "3")]


def test_a_grant_reaches_to_thread_and_tasks_and_no_bare_thread(cleared: FakeTransport) -> None:
    async def note() -> str:
        return current_grant().action_id

    @requires_authorization(action_type="t", transport=cleared)
    async def work() -> list[object]:
        with ThreadPoolExecutor(1) as pool:
            bare = pool.submit(no_grant).result()
        return [await asyncio.to_thread(lambda: current_grant().action_id), await asyncio.create_task(note()), bare]

    assert asyncio.run(work()) == ["1", "1", True]


# ---------------------------------------------------------------------------------------------------------------------
# The grant itself
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def spent(door: Door, cleared: FakeTransport) -> Grant:
    """A grant whose call has ended."""
    block = authorized(action_type="t", tool_name="t", parameters={"iban": "DE00"}, transport=cleared)
    return door.block(block, lambda grant: grant)


def test_a_note_after_the_end_is_an_error_since_nobody_would_be_told(spent: Grant) -> None:
    assert spent.spent
    with pytest.raises(RuntimeError, match="This grant is spent"):
        spent.note("too late")
    assert spent.notes == []


def test_a_grant_is_spent_by_a_body_that_fails_too(door: Door, cleared: FakeTransport) -> None:
    grants: list[Grant] = []

    def fail(grant: Grant) -> None:
        grants.append(grant)
        assert not grant.spent
        raise LookupError

    with pytest.raises(LookupError):
        door.block(authorized(action_type="t", tool_name="t", transport=cleared), fail)

    assert grants[0].spent


@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_grant_cannot_be_copied_or_sent_elsewhere(spent: Grant, copying: Callable[[Grant], object]) -> None:
    with pytest.raises(TypeError, match="leave for one call in this process"):
        copying(spent)


def test_a_grant_is_no_argument_of_another_call(spent: Grant, cleared: FakeTransport) -> None:
    with pytest.raises(ConfigurationError, match=r"^grant cannot be copied"):
        requires_authorization(action_type="t", transport=cleared)(lambda grant: None)(spent)


def test_a_grant_prints_neither_its_nonce_nor_its_parameters(spent: Grant) -> None:
    assert spent.nonce
    assert spent.nonce == spent.decision.nonce
    assert spent.nonce not in repr(spent)
    assert "DE00" not in repr(spent)


def test_many_threads_run_each_under_its_own_grant(cleared: FakeTransport) -> None:
    together = threading.Barrier(4)

    @requires_authorization(action_type="t", transport=cleared)
    def work(n: int) -> tuple[str, str]:
        before = current_grant().action_id
        together.wait(timeout=60)
        return before, current_grant().action_id

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))

    assert sorted(found) == [(str(n), str(n)) for n in range(1, 5)]
