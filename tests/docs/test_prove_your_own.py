"""The page on proving a transport or a store is followed: its classes are run by pytest, as a reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from clearance.testing.contract.peers import ABILITIES

GUIDE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "prove-your-own.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def passed(file: Path, *blocks: str) -> int:
    """How many tests the blocks hold, all of which pass."""
    file.write_text("\n".join(blocks))
    line = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=file.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) passed", done.stdout)
    assert found
    assert "skipped" not in done.stdout
    return int(found[1])


def test_the_transport_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    slips, contract = BLOCKS[:2]

    assert passed(tmp_path / "test_slips.py", slips, contract) > 80


def test_a_transport_of_the_page_with_a_mistake_does_not(tmp_path: Path) -> None:
    file = tmp_path / "test_slips.py"
    broken = BLOCKS[0].replace("if action != command.action:", "if False:")
    assert broken != BLOCKS[0]
    file.write_text(broken + BLOCKS[1])

    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 1
    assert "TestSlips::test_the_same_key_for_another_action_is_refused[digest]" in done.stdout
    assert "AuthorizationUnavailable is due" in done.stdout


def test_the_laws_of_the_page_hold_when_pytest_runs_them(tmp_path: Path) -> None:
    slips, _, faults, laws, _ = BLOCKS

    assert passed(tmp_path / "test_laws.py", slips, faults, laws) == 2


def test_the_store_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    assert passed(tmp_path / "test_store.py", BLOCKS[-1]) > 30


def test_the_page_tells_all_that_can_be_declared() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", GUIDE.read_text(), re.MULTILINE)

    assert [word for row in rows for word in re.findall(r"`(\w+)`", row)] == [*ABILITIES]
