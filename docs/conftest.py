"""Runs every Python block of these pages and of the README: ``pytest docs README.md``.

Each page is one program: its blocks share their names and run in order, in an empty folder of their own, with
no ``OWKAI_*`` settings around them. What a page configures is undone when it ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

import clearance
from clearance import settings

README = Path(__file__).parent.parent / "README.md"


def _begin(namespace: dict[str, Any]) -> None:
    stack = namespace["_page"] = contextlib.ExitStack()
    before = settings.defaults()
    stack.callback(
        clearance.configure,
        transport=before.transport,
        agent_id=before.agent_id,
        timeout=before.timeout,
        on_wait=before.on_wait,
    )
    stack.enter_context(contextlib.chdir(stack.enter_context(tempfile.TemporaryDirectory())))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    for name in [name for name in os.environ if name.startswith("OWKAI_")]:
        patch.delenv(name)


def _end(namespace: dict[str, Any]) -> None:
    namespace["_page"].close()


def _sybil(**which: Any) -> Sybil:
    return Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], setup=_begin, teardown=_end, **which)


pytest_collect_file = _sybil(pattern="*.md").pytest()


class _Readme:
    """A conftest sees the files of its own folder only; the README lies one above."""

    def __init__(self) -> None:
        self._collect = _sybil(filenames=["README.md"], path=str(README.parent)).pytest()

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> Any:
        return self._collect(file_path, parent) if file_path == README else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Readme(), "clearance-readme")
