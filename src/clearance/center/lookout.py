"""Where requests wait for news of actions: outside the application, which keeps nothing of them meanwhile.

Thousands may wait, so each costs one future and one timer here. The bell is listened to once for all of them; then one
look into the store, for all that has changed, tells who is answered. What is news to nobody, such as an escalation,
wakes nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clearance.center.faults import StoreUnavailable
from clearance.center.service import Center
from clearance.center.store.base import Tx
from clearance.models import Status

WATCH = "watch"
"""Where a request's state has its `Watch`."""
AT_ONCE = 256
"""Requests that go on at once; the next do when the store has read for these, or all would need their memory again."""


class Watch:
    """One request's wait for news of these actions. The application is asked again whenever ``rung`` is done."""

    __slots__ = ("action_ids", "has_left", "is_held", "is_over", "rung", "timer")

    def __init__(self, action_ids: Collection[int], rung: asyncio.Future[None]) -> None:
        self.action_ids: Collection[int] = action_ids
        self.rung: asyncio.Future[None] = rung
        self.timer: asyncio.TimerHandle | None = None
        self.is_held: bool = False
        self.is_over: bool = False
        self.has_left: bool = False

    def ring(self) -> None:
        """There may be news."""
        if not self.rung.done():
            self.rung.set_result(None)

    def leave(self) -> None:
        """Whoever asked has hung up: it is not answered at all."""
        self.has_left = self.is_over = True
        self.ring()

    def go_on(self) -> None:
        """Listen anew, before the store is read."""
        if self.rung.done():
            self.rung = self.rung.get_loop().create_future()


class Later(Response):
    """The answer of a route that has no news yet: the request is held, and the route asked again."""

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Send nothing."""
        scope["state"][WATCH].is_held = True


class Lookout:
    """ASGI, around everything else: holds the requests whose route answered `Later`. It serves one event loop."""

    def __init__(self, app: ASGIApp, center: Center) -> None:
        self._app = app
        self._center = center
        self._watches: dict[int, set[Watch]] = {}
        self._changed: set[int] = set()
        self._due: deque[Watch] = deque()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            self._center.bell.forget(self._hear)  # the application has come to its end
            return
        state = scope.setdefault("state", {})
        try:
            await self._app(scope, receive, send)
            while (watch := held(state)) is not None:
                await watch.rung
                if watch.has_left:
                    break
                watch.is_held = False
                await self._app(scope, receive, send)
        finally:
            self._forget(state)

    def watch(self, scope: Scope, action_ids: Collection[int], seconds: float) -> Watch | None:
        """Watch these actions, from before the store is read; None if there is no time left for that."""
        watch = watch_of(scope["state"])
        if watch is None and seconds > 0:
            watch = scope["state"][WATCH] = self._new(action_ids, seconds)
        if watch is None or watch.is_over:
            return None
        watch.go_on()
        return watch

    def _new(self, action_ids: Collection[int], seconds: float) -> Watch:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._center.bell.listen(self._hear)
        watch = Watch(action_ids, loop.create_future())
        watch.timer = loop.call_later(seconds, self._end, watch)
        for action_id in action_ids:
            self._watches.setdefault(action_id, set()).add(watch)
        watch.is_over = self._center.bell.closed
        return watch

    def _forget(self, state: MutableMapping[str, Any]) -> None:
        watch: Watch | None = state.pop(WATCH, None)
        if watch is None:
            return
        if watch.timer is not None:
            watch.timer.cancel()
        for action_id in watch.action_ids:
            watches = self._watches[action_id]
            watches.discard(watch)
            if not watches:
                del self._watches[action_id]

    # What the bell says, and what of it is news

    def _hear(self, changed: Collection[int]) -> None:
        """By a thread of the store. Who begins to watch only now reads the store after this change, and sees it."""
        assert self._loop is not None
        watched = [action_id for action_id in changed if action_id in self._watches]
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
            if self._center.bell.closed:
                self._loop.call_soon_threadsafe(self._end_all)
            elif watched:
                self._loop.call_soon_threadsafe(self._look_at, watched)

    def _look_at(self, changed: list[int]) -> None:
        self._changed.update(changed)
        self._go_on()

    def _end(self, watch: Watch) -> None:
        """Its time is over: it is answered with or without news."""
        watch.is_over = True
        self._due.append(watch)
        self._go_on()

    def _end_all(self) -> None:
        for watch in {watch for watches in self._watches.values() for watch in watches}:
            self._end(watch)

    def _go_on(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        """Look into the store, once for all that has changed meanwhile, and let go whoever is due; until none is."""
        try:
            while self._changed or self._due:
                changed, self._changed = self._changed, set()
                for action_id in await self._news_among(changed) if changed else ():
                    self._due.extend(self._watches.get(action_id, ()))
                await self._let_go()
        finally:
            self._task = None

    async def _let_go(self) -> None:
        portion = [self._due.popleft() for _ in range(min(len(self._due), AT_ONCE))]
        for watch in portion:
            watch.ring()
        if len(portion) == AT_ONCE:
            await asyncio.sleep(0)  # now they queue for the store; whoever comes after them is told when it is through
            with contextlib.suppress(StoreUnavailable):
                await self._center.ado(lambda _tx: None)

    async def _news_among(self, changed: Collection[int]) -> Collection[int]:
        """Those of the actions that do not wait for a decision any more."""

        def read(tx: Tx) -> list[int]:
            return [standing.id for standing in tx.standings(changed) if standing.status is not Status.PENDING]

        try:
            return await self._center.ado(read)
        except Exception:  # noqa: BLE001 - whoever waits for them reads for itself, and is told what is wrong
            return changed


def watch_of(state: Mapping[str, Any]) -> Watch | None:
    """The watch of a request with this state, if it asked to wait."""
    watch: Watch | None = state.get(WATCH)
    return watch


def held(state: Mapping[str, Any]) -> Watch | None:
    """The watch of a request that has not been answered yet."""
    watch = watch_of(state)
    return watch if watch is not None and watch.is_held else None
