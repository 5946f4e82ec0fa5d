"""Each file here needs a framework of its own, so a lane of tox names it; nothing else collects it.

A file that is named is collected all the same, and fails where its framework is missing.
"""

from __future__ import annotations

import pytest
from tests.frameworks.helpers import Till

collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of which kind the tool's function is."""
    return str(request.param)


@pytest.fixture(params=["as text", "as objects"])
def spelling(request: pytest.FixtureRequest) -> str:
    """How the function's annotations are found: as the text that they are in a file like this, or evaluated."""
    return str(request.param)
