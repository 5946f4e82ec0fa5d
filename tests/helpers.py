"""Small things that many tests say."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from clearance import Action, Decision, Grant, Status, authorized, requires_authorization
from clearance.testing.fake import OFFERS

T = TypeVar("T")

LEVEL_2 = OFFERS
"""What a Center of ours offers."""
LEVEL_1: frozenset[str] = frozenset()
"""What a plain ASCEND server offers: nothing."""


def an_action(**changes: Any) -> Action:
    """A refund, as an approver would read it."""
    action = Action(
        agent_id="billing-bot",
        action_type="payment.refund",
        tool_name="stripe",
        description="Refund 5 on ch_1",
        parameters={"charge_id": "ch_1", "amount": 5},
        digest="the-digest",
        decide_within=60.0,
        run_within=300.0,
    )
    return replace(action, **changes)


def a_decision(status: Status = Status.PENDING, **changes: Any) -> Decision:
    """What a level 2 Center says about action 1."""
    return replace(Decision("1", status, offers=LEVEL_2), **changes)


class Door(Protocol):
    """One of the two sides of the front door, sync or async, behind one sync face."""

    def guard(self, body: Callable[..., T], /, **options: Any) -> Callable[..., T]:
        """The body behind `requires_authorization`; calling it returns what the guarded call gives."""
        ...

    def block(self, block: authorized, body: Callable[[Grant], T], /) -> T:
        """Run the body in the block."""
        ...


class SyncDoor:
    """A plain function; ``with``."""

    def guard(self, body: Callable[..., T], /, **options: Any) -> Callable[..., T]:
        guarded: Callable[..., T] = requires_authorization(**{"action_type": "test.act", **options})(body)
        return guarded

    def block(self, block: authorized, body: Callable[[Grant], T], /) -> T:
        with block as grant:
            return body(grant)


class AsyncDoor:
    """A coroutine function; ``async with``."""

    def guard(self, body: Callable[..., T], /, **options: Any) -> Callable[..., T]:
        @functools.wraps(body)
        async def coroutine(*args: Any, **kwargs: Any) -> T:
            return body(*args, **kwargs)

        guarded: Callable[..., Coroutine[Any, Any, T]]
        guarded = requires_authorization(**{"action_type": "test.act", **options})(coroutine)

        @functools.wraps(body)
        def call(*args: Any, **kwargs: Any) -> T:
            return asyncio.run(guarded(*args, **kwargs))

        return call

    def block(self, block: authorized, body: Callable[[Grant], T], /) -> T:
        async def enter() -> T:
            async with block as grant:
                return body(grant)

        return asyncio.run(enter())
