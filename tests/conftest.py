"""What every test can count on: its own directory, no OWKAI_* around it, and nobody's defaults."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase
from tests import postgres
from tests.helpers import AsyncDoor, Door, SyncDoor
from tests.leaks import CANARY, LeakWatch

from clearance import settings

_ROOT = Path(__file__).parent.parent

hypothesis.settings.register_profile(
    "ci",
    deadline=None,  # a slow machine is not a failure
    print_blob=True,
    database=DirectoryBasedExampleDatabase(_ROOT / ".hypothesis" / "examples"),
)
hypothesis.settings.register_profile("deep", hypothesis.settings.get_profile("ci"), max_examples=10_000)
hypothesis.settings.load_profile("deep" if os.environ.get("CLEARANCE_DEEP") == "1" else "ci")

# A shell's background job ignores the interrupt, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=[SyncDoor(), AsyncDoor()], ids=["sync", "async"])
def door(request: pytest.FixtureRequest) -> Door:
    """Each side of the front door in turn; what holds for one must hold for the other."""
    side: Door = request.param
    return side


@pytest.fixture(scope="session", autouse=True)
def leak_watch() -> Iterator[LeakWatch]:
    """One watch over the whole suite."""
    watch = LeakWatch()
    with pytest.MonkeyPatch.context() as patch:
        watch.watch(patch)
        yield watch
    logging.getLogger().removeHandler(watch)
    assert watch.leaks == []


@pytest.fixture
def quiet(leak_watch: LeakWatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing leaves while the test runs."""
    caplog.set_level(logging.DEBUG)
    before = len(leak_watch.leaks)
    yield
    assert leak_watch.leaks[before:] == []
    printed = capfd.readouterr()
    assert CANARY not in printed.out + printed.err + caplog.text


@pytest.fixture(scope="module")
def little_to_collect() -> Iterator[None]:
    """`gc.collect` looks only at what the module's tests made; to look at the whole suite's objects takes long."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if the process had just started, in an empty directory."""
    for name in [name for name in os.environ if name.startswith("OWKAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "_defaults", settings.Defaults())
    monkeypatch.setattr(settings, "_made", {})
    settings.default_agent_id.cache_clear()


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL server that the tests started themselves; without the binaries, what needs it is left out."""
    postgres.require()
    with postgres.cluster() as found:
        yield found


@pytest.fixture
def postgres_url(cluster: postgres.Cluster) -> Iterator[str]:
    """An empty PostgreSQL database."""
    with cluster.database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new database may be, on each of the two kinds."""
    address: str = str(tmp_path / "center.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return address
