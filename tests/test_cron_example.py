"""The example for cron, line by line as cron would start it, against a Center in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.servers import PATIENCE, CenterProcess, center_process

from clearance.client import Client
from clearance.settings import Settings

EXAMPLE = Path(__file__).parent.parent / "examples" / "cron"
CRONTAB = (EXAMPLE / "crontab").read_text()
SHORT = """
rules:
  - name: quickly
    match: {action_type: db.backup}
    then: ask
    decide_within: 1s
"""


class Night:
    """A home with the example in it, the Center that it asks, and an approver."""

    def __init__(self, center: CenterProcess, home: Path) -> None:
        self.center = center
        self.home = home
        (home / "shop").mkdir(parents=True)
        (home / "shop" / "orders").write_text("1, 2, 3")
        shutil.copy(EXAMPLE / "backup.sh", home)
        (home / "clearance.env").write_text(f"OWKAI_API_URL={center.url}\nOWKAI_API_KEY={center.key('user')}\n")
        self.approver = Client(Settings(center.key("admin"), center.url))

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[str]]:
        """The job, as cron starts it."""
        (line,) = re.findall(r"^30 2 \* \* \* (.*)$", CRONTAB, re.MULTILINE)
        (path,) = re.findall(r"^PATH=(.*)$", CRONTAB, re.MULTILINE)
        environment = {
            "HOME": str(self.home),
            "LOGNAME": "shop",
            "SHELL": "/bin/sh",
            "PATH": f"{Path(sys.executable).parent}:{path}",
        }
        with subprocess.Popen(
            ["/bin/sh", "-c", f"exec {line}"],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as job:
            try:
                yield job
            finally:
                if job.poll() is None:
                    job.kill()

    def held(self, job: subprocess.Popen[str]) -> dict[str, Any]:
        """The one request that waits, as soon as it does."""
        while not (waiting := self.approver.pending()):
            assert job.poll() is None, job.communicate()
        (action,) = waiting
        return action

    def backups(self) -> list[str]:
        """What is in the backups."""
        found = sorted((self.home / "backups").glob("*.tar.gz"))
        return [
            subprocess.run(["tar", "-tzf", file], capture_output=True, text=True, check=True).stdout for file in found
        ]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with center_process(tmp_path / "center.db") as center:
        night = Night(center, tmp_path / "home")
        yield night
        night.approver.close()


def ended(job: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and what cron would mail."""
    mail = job.communicate(timeout=PATIENCE)[0]
    return job.returncode, mail


def test_a_cleared_backup_is_made_and_cron_has_nothing_to_mail(night: Night) -> None:
    with night.started() as job:
        action = night.held(job)
        assert night.backups() == []
        night.approver.approve(action["id"])
        assert ended(job) == (0, "")

    assert ["./orders" in names for names in night.backups()] == [True]
    home = night.home
    assert action["action_details"]["argv"] == [str(home / name) for name in ("backup.sh", "shop", "backups")]
    assert night.approver.get_action(action["id"]).raw["lifecycle"] == "completed"


def test_a_refused_backup_is_not_made_and_the_mail_says_who_and_why(night: Night) -> None:
    with night.started() as job:
        night.approver.reject(night.held(job)["id"], "the disk is full")
        code, mail = ended(job)

    assert (code, night.backups()) == (123, [])
    assert "was denied by admin: the disk is full. Nothing was run." in mail


def test_a_backup_that_nobody_decided_on_in_time_is_not_made_and_the_next_run_asks_anew(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(SHORT)
    with center_process(tmp_path / "center.db", "--policy", str(tmp_path / "policy.yaml")) as center:
        night = Night(center, tmp_path / "home")
        mails = []
        with night.approver as approver:
            for _ in range(2):
                with night.started() as job:
                    mails.append(ended(job))
            actions = approver.list_actions()

    assert [code for code, _ in mails] == [124, 124]
    assert all("Nobody decided on" in mail for _, mail in mails)
    assert (len(actions), night.backups()) == (2, [])


def test_a_center_that_dies_and_comes_back_while_the_backup_waits_is_waited_for(night: Night) -> None:
    with night.started() as job:
        night.held(job)
        night.center.kill()
        night.center.start()
        night.approver.approve(night.held(job)["id"])
        assert ended(job) == (0, "")
    assert len(night.backups()) == 1


def test_a_job_that_was_killed_is_joined_by_its_next_run_and_the_backup_made_once(night: Night) -> None:
    with night.started() as job:
        first = night.held(job)
        job.send_signal(signal.SIGKILL)
        job.wait(PATIENCE)
    with night.started() as job:
        night.approver.approve(first["id"])
        assert ended(job) == (0, "")
    assert len(night.approver.list_actions()) == len(night.backups()) == 1


def test_the_example_is_whole() -> None:
    assert sorted(os.listdir(EXAMPLE)) == ["backup.sh", "crontab"]
    assert os.access(EXAMPLE / "backup.sh", os.X_OK)
