"""A desk on a store, and a Center that listens, with somebody of each kind at it. A test file may have its own."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send
from tests.center.desks import Office
from tests.servers import Api, Running, running_center

from clearance.center.lookout import WATCH, Later, Watch
from clearance.center.records import Role


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "center.db")
    yield office
    office.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as running:
        yield running


@pytest.fixture
def agent(running: Running) -> Iterator[Api]:
    with Api(running.url, running.user_key) as agent:
        yield agent


@pytest.fixture
def approver(running: Running) -> Iterator[Api]:
    with Api(running.url, running.admin_key) as approver:
        yield approver


@pytest.fixture
def chief(running: Running) -> Iterator[Api]:
    with Api(running.url, running.center.create_key(Role.SUPER_ADMIN, "dave")) as chief:
        yield chief


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> queue.SimpleQueue[Watch]:
    """The watches of the requests that are held, each as soon as it is."""
    found: queue.SimpleQueue[Watch] = queue.SimpleQueue()
    hold = Later.__call__

    async def told(later: Later, scope: Scope, receive: Receive, send: Send) -> None:
        await hold(later, scope, receive, send)
        found.put(scope["state"][WATCH])

    monkeypatch.setattr(Later, "__call__", told)
    return found
