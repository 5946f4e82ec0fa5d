"""Each example is a program of its own: it runs offline, says what it should, and warns of nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

SAYS = {
    "guarded_function.py": [
        "approver sees: Refund 49.90 on charge ch_1; api_key = [redacted]",
        "refunded 49.90 on ch_1",
        "refused: 'payment.refund' (stripe), action 2, was denied by the test. Nothing was run.",
    ],
    "guarded_block.py": [
        "not migrated: Nobody decided on 'db.migrate' (sqlite)",
        "exit code 3",
        "migrated to 0042; cleared by policy:numbered-migrations@",
    ],
    "async_agent.py": [
        "sent 'tonight' to ada@example.com",
        "This action was refused and was not executed. Do not retry it unchanged",
        "restarted shop",
    ],
    "own_transport.py": ["refunded 50 on ch_1", "refused: too much", "outcomes: ['completed']"],
    "test_own_transport.py": [" passed in "],
    "test_with_fake.py": ["3 passed"],
}


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OWKAI_", "PYTEST_", "COV"))}
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_offline_and_says_what_it_should(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rest = done.stdout
    for line in SAYS[name]:
        assert line in rest, f"not said, or not in this order: {line!r}\n{done.stdout}"
        rest = rest.partition(line)[2]


def test_every_example_is_run() -> None:
    assert {file.name for file in EXAMPLES.glob("*.py")} == set(SAYS)
