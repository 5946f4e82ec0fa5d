"""No test is lost between the lanes of tox: what the everyday ones leave out, another one runs."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini")
RUN_BY_DEFAULT = re.findall(r"[\w-]+", TOX["tox"]["env_list"])


def commands(section: str) -> list[str]:
    return [line for line in TOX[section]["commands"].splitlines() if line]


def test_the_everyday_lanes_leave_out_the_campaigns_and_nothing_else() -> None:
    assert commands("testenv") == ["coverage run -m pytest --ignore=tests/campaigns {posargs}"]


@pytest.mark.parametrize("lane", ["py311", "py312", "py313"])
def test_each_everyday_lane_is_run_by_default_as_they_all_are(lane: str) -> None:
    assert lane in RUN_BY_DEFAULT
    assert f"testenv:{lane}" not in TOX


def test_the_campaigns_have_a_lane_that_runs_them_all_by_default() -> None:
    assert "campaigns" in RUN_BY_DEFAULT
    assert commands("testenv:campaigns") == ["pytest tests/campaigns {posargs}"]
    assert list((ROOT / "tests" / "campaigns").glob("test_*.py"))


def test_the_deep_lane_leaves_nothing_out() -> None:
    assert commands("testenv:deep") == ["pytest {posargs}"]
