"""What every test can count on: its own directory, no OWKAI_* around it, and nobody's defaults."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase
from tests.helpers import AsyncDoor, Door, SyncDoor

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


@pytest.fixture(params=[SyncDoor(), AsyncDoor()], ids=["sync", "async"])
def door(request: pytest.FixtureRequest) -> Door:
    """Each side of the front door in turn; what holds for one must hold for the other."""
    side: Door = request.param
    return side


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if the process had just started, in an empty directory."""
    for name in [name for name in os.environ if name.startswith("OWKAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "_defaults", settings.Defaults())
    monkeypatch.setattr(settings, "_made", {})
    settings.default_agent_id.cache_clear()
