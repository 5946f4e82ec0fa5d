"""The page about testing: every test on it is run by pytest, as its reader would; sybil runs the rest of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "how-to" / "test-guarded-code.md").read_text()
REFERENCE = (ROOT / "docs" / "reference" / "testing.md").read_text()


def fences(language: str) -> list[str]:
    every = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [text for found, text in every if found == language]


def test_every_test_of_the_page_passes(tmp_path: Path) -> None:
    code = "\n".join(fences("python"))
    (tmp_path / "test_page.py").write_text(code)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OWKAI_", "PYTEST_", "COV"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    tests = len(re.findall(r"^ *def test_", code, re.MULTILINE))
    assert tests > 7
    assert f"{tests} passed" in done.stdout, done.stdout


def test_the_failure_that_the_page_shows_is_the_one_of_the_sample_project() -> None:
    (shown,) = fences("")
    assert shown.strip() in (ROOT / "examples" / "tested_shop" / "expected_report.txt").read_text()


def test_the_page_and_the_reference_name_every_verb_and_every_way_to_use_the_plugin() -> None:
    from clearance.testing import FakeTransport
    from clearance.testing.scripted import Scripted

    verbs = {name for name in vars(Scripted) if not name.startswith("_")}
    assert {verb for verb in verbs if re.search(rf"^\| `{verb}\b", PAGE, re.MULTILINE)} == verbs
    assertions = {name for name in dir(FakeTransport) if name.startswith("assert_")} - {"assert_done"}
    assert {name for name in assertions if name in PAGE} == assertions
    for word in ("record", "replay", "strict"):
        assert f"`--authorization={word}`" in REFERENCE
    plugin = (ROOT / "src" / "_clearance_pytest.py").read_text()
    for setting in re.findall(r'"(authorization_\w+)"', plugin):
        assert f"`{setting}`" in REFERENCE
