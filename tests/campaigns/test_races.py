"""Thousands of actions that several processes want at the same time: exactly one of them wins each."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from tests.center import rivals

from clearance.center.store.base import Use
from clearance.center.store.databases import open_store

ACTIONS = 7_000 if os.environ.get("CLEARANCE_DEEP") == "1" else 670
"""Of each of the three kinds, on each of the two stores."""


def test_eight_processes_race_for_thousands_of_actions_on_a_file_and_exactly_one_wins_each(tmp_path: Path) -> None:
    address = str(tmp_path / "store.db")
    with closing(open_store(address)) as store:
        rivals.exactly_one_wins(address, store, actions=ACTIONS, processes=8, use=Use.VISIT)


@pytest.mark.postgres
def test_three_processes_race_for_thousands_of_actions_on_postgresql_and_exactly_one_wins_each(
    postgres_url: str,
) -> None:
    with closing(open_store(postgres_url)) as store:
        rivals.exactly_one_wins(postgres_url, store, actions=ACTIONS, processes=3, use=Use.SERVE)
