"""The pytest plugin of Clearance, as far as pytest loads it at every start: it imports nothing of Clearance.

What it does is in `clearance.testing.plugin`, which is loaded with the first test that has to do with guards. It stands
beside the package, not in it, because pytest would load the whole package with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clearance.testing import FakeTransport
    from clearance.testing.plugin import Session

MARKER = "authorization"
ON, OFF = "on", "off"

stand_in: Callable[[Any], Any] | None = None
"""What `clearance.settings` puts in front of the network when it is loaded; see there."""

_sessions: list[pytest.Config] = []
"""The runs that stand in front of the network, the innermost last: a test of a plugin runs pytest inside pytest."""
_KEY: pytest.StashKey[Session] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the settings."""
    group = parser.getgroup("clearance")
    group.addoption(
        "--authorization",
        choices=("record", "replay", "strict"),
        help="what answers requests that no rule of a test answers: the real Center, whose answers are kept in "
        "cassettes (record), or the cassettes (replay: in any order; strict: all of them, in order)",
    )
    parser.addini(
        "authorization_guard",
        f"{ON} (default): a guarded call that reaches no approver of its test fails the test; {OFF}: it goes out",
        default=ON,
    )
    parser.addini(
        "authorization_cassettes", "folder of the cassettes, beside each test file (default: cassettes)", "string",
        "cassettes",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark, and stand in front of the network."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(allow=..., deny=...): script the test's approver: action types, lists of them, True for all, and "
        "for deny also a mapping to reasons.",
    )
    guard = config.getini("authorization_guard")
    if guard not in (ON, OFF):
        raise pytest.UsageError(f"authorization_guard is {guard!r}; it may be {ON!r} or {OFF!r}.")
    if guard == ON:
        _sessions.append(config)
        _put_in_front()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Go out of the way."""
    if config in _sessions:
        _sessions.remove(config)
        _put_in_front()


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marked test has the fixture, whether it names it or not."""
    names = getattr(item, "fixturenames", None)
    if names is not None and MARKER not in names and item.get_closest_marker(MARKER) is not None:
        names.insert(0, MARKER)


@pytest.fixture
def authorization(request: pytest.FixtureRequest) -> Iterator[FakeTransport]:
    """The test's own approver: a `clearance.testing.FakeTransport` that guards use while the test runs."""
    yield from _session(request.config).approver(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose fixtures made a guarded call that reached no approver."""
    result = yield
    _check(item, "setup")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed, but whose guarded calls did not do what it said."""
    result = yield
    _check(item, "call")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose guarded calls went astray after its end."""
    result = yield
    _check(item, "teardown")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show in the report of a failure what was asked and answered."""
    session = item.config.stash.get(_KEY, None)
    if session is not None:
        session.shorten(call)
    report = yield
    if session is not None and report.failed:
        session.show(item, report)
    return report


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which answers are used, where it is not the rules alone."""
    mode: str | None = config.getoption("--authorization")
    return None if mode is None else f"authorization: {mode}, cassettes in {config.getini('authorization_cassettes')}/"


def _session(config: pytest.Config) -> Session:
    session = config.stash.get(_KEY, None)
    if session is None:
        from clearance.testing.plugin import Session

        config.stash[_KEY] = session = Session(config)
    return session


def _check(item: pytest.Item, phase: str) -> None:
    session = item.config.stash.get(_KEY, None)
    if session is not None:
        session.check(item, phase)


def _instead_of(configured: Any) -> Any:
    """What a guard uses in place of the process's own transport, in the innermost run."""
    return _session(_sessions[-1]).instead_of(configured)


def _put_in_front() -> None:
    """Have Clearance ask us, if it is loaded; if it is not, it will find `stand_in`."""
    global stand_in
    stand_in = _instead_of if _sessions else None
    settings = sys.modules.get("clearance.settings")
    if settings is not None and hasattr(settings, "put_in_front"):
        settings.put_in_front(stand_in)
