"""A secret reaches the body and nothing else: no payload, log, repr, error, traceback, answer or database."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from tests.helpers import Door
from tests.leaks import CANARY
from tests.secret_ways import WAYS, reveal

from clearance import AuthorizationError, AuthorizationUnavailable, Decision
from clearance.commands import Command
from clearance.testing import FakeTransport


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """A function, and a call of it that holds the secret."""
    return WAYS[request.param]


class Dead(FakeTransport):
    """Cannot be reached."""

    def send(self, command: Command) -> Decision:
        raise AuthorizationUnavailable("The line is dead.", reason_code="unreachable")


ENDS: dict[str, Callable[[], FakeTransport]] = {
    "cleared": lambda: FakeTransport(True),
    "refused": lambda: FakeTransport(False),
    "undecided": lambda: FakeTransport(lambda _asked: None),
    "unreachable": lambda: Dead(True),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.usefixtures("quiet")
def test_a_secret_reaches_the_body_or_nobody(door: Door, way: Any, end: str) -> None:
    transport = ENDS[end]()
    function, args, kwargs = way
    received: list[Any] = []

    def body(*args: Any, **kwargs: Any) -> None:
        received.append((args, kwargs))

    body.__wrapped__ = function  # type: ignore[attr-defined]  # shows the parameters of the function
    body.__annotations__ = function.__annotations__
    with pytest.raises(AuthorizationError) if end != "cleared" else nullcontext() as refused:
        door.guard(body, transport=transport, timeout=5)(*args, **kwargs)
    if refused is not None:
        told = traceback.format_exception(refused.value)
        assert CANARY not in repr([told, refused.value, refused.value.action, refused.value.decision])
    for asked in transport.asked:
        assert CANARY not in repr(asked)
    assert len(received) == (end == "cleared")
    for args, kwargs in received:
        assert CANARY in repr([reveal(item) for item in (*args, *kwargs.values())])
