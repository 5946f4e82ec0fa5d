"""Each framework has its lane, and each lane runs something: a lane without commands would pass."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path.name for path in (ROOT / "tests" / "frameworks").glob("test_*.py"))
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini")
(SECTION,) = [name for name in TOX.sections() if name.startswith("testenv:{")]
GUIDE = (ROOT / "docs" / "how-to" / "use-with-frameworks.md").read_text()
LANES = SECTION.removeprefix("testenv:{").removesuffix("}").split(",")


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_run_by_the_lane_of_its_name_with_its_own_group(file: str) -> None:
    lane = file.removeprefix("test_").removesuffix(".py").replace("_", "-")

    assert lane in LANES
    assert f"\n{lane}: pytest tests/frameworks/{file} {{posargs}}" in TOX[SECTION]["commands"]
    assert lane in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]


def test_every_lane_of_a_framework_has_its_file_and_is_run_with_the_others() -> None:
    assert [
        f"test_{lane.replace('-', '_')}.py" for lane in sorted(LANES, key=lambda lane: lane.replace("-", "_"))
    ] == FILES
    assert set(LANES) <= set(re.findall(r"[\w-]+", TOX["tox"]["env_list"]))


@pytest.mark.parametrize("lane", LANES)
def test_every_framework_has_an_example_that_the_guide_shows(lane: str) -> None:
    example = f"examples/frameworks/with_{lane.replace('-', '_')}.py"

    assert (ROOT / example).exists()
    assert f"```{{literalinclude}} ../../{example}\n" in GUIDE


def test_every_example_is_run_by_the_tests_of_its_framework() -> None:
    examples = sorted(path.name for path in (ROOT / "examples" / "frameworks").glob("*.py"))

    assert examples == [file.replace("test_", "with_") for file in FILES]
    for file, example in zip(FILES, examples, strict=True):
        assert f'    example = "{example}"\n' in (ROOT / "tests" / "frameworks" / file).read_text()
