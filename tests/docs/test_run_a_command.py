"""Every command of the guide to running commands is typed, cleared, and does what it is for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.servers import PATIENCE, running_center

from clearance.cli import running as command
from clearance.cli.jobs import job, options
from clearance.models import Status

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "how-to" / "run-a-command.md").read_text()
LINES = "".join(re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)).splitlines()


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_guide_runs_once_it_is_cleared(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "report.sh").write_text("echo $LANG > report")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running_center(tmp_path / "center.db") as running:
        monkeypatch.setenv("OWKAI_API_URL", running.url)
        monkeypatch.setenv("OWKAI_API_KEY", running.user_key)
        script = f'clearance() {{ "{sys.executable}" -m clearance "$@"; }}\n{line}'
        with subprocess.Popen(["bash", "-c", script]) as shell:
            [record] = running.held()
            with running.approver() as approver:
                approver.approve(record.id)
            assert shell.wait(PATIENCE) == 0
        assert [found.status for found in running.records()] == [Status.COMPLETED]

    made = tmp_path / "shop" / "report" if "report.sh" in line else tmp_path / "shop.tar.gz"
    assert made.stat().st_size > 0


def test_the_exit_codes_of_the_guide_and_of_the_help_are_those_there_are() -> None:
    codes = [command.CHANGED, command.OVERLAPPED, command.REFUSED, command.UNDECIDED]
    codes += [options.NOT_ASKED, job.NOT_EXECUTABLE, job.NOT_FOUND]

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", GUIDE, re.MULTILINE)] == codes
    assert [int(code) for code in re.findall(r"\b12\d\b", command.run.epilog or "")] == codes
