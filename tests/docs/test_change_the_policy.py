"""Every step of the guide to changing the policy, in order, against a Center that runs as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.servers import PATIENCE, Api, CenterProcess, center_process

GUIDE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "change-the-policy.md"
STEPS = re.findall(r"^```(sh|toml)\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
START = "clearance center --database center.db --policy policy.toml"


def versions(process: CenterProcess, key: str) -> list[str]:
    with Api(process.url, key) as chief:
        return [each["version"] for each in chief.get("/api/v1/policy/versions").json()]


def typed(line: str, process: CenterProcess, key: str) -> None:
    """Run it as somebody would who follows the guide; it must end as the guide says."""
    pid, history = str(process.pid), versions(process, key)
    line = line.replace("PID", pid).replace("VERSION", history[-1])
    script = f'clearance() {{ "{sys.executable}" -m clearance "$@"; }}\n{line}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == (1 if "# exit code 1" in line else 0), (line, done.stdout, done.stderr)
    if line.startswith("kill -HUP"):  # which the Center heeds when it comes to it: before the file is changed again
        assert "has not changed" in process.told()


def test_the_guide_leads_from_one_policy_to_another_and_back(tmp_path: Path) -> None:
    """The working directory is a fresh one for every test."""
    first, *steps = STEPS
    assert first[0] == "toml"
    (tmp_path / "policy.toml").write_text(first[1])
    assert steps.pop(0) == ("sh", f"{START}\n")

    with center_process(tmp_path / "center.db", "--policy", "policy.toml") as process:
        key = process.key("super_admin")
        (tmp_path / "chief.env").write_text(f"OWKAI_API_URL={process.url}\nOWKAI_API_KEY={key}\n")
        (start,) = versions(process, key)
        for language, text in steps:
            if language == "toml":
                (tmp_path / "policy.toml").write_text(text)
                continue
            for line in text.splitlines():
                typed(line, process, key)
        back, changed, before = versions(process, key)

    assert back == before == start
    assert changed != start
    assert (tmp_path / "policy.toml").read_text() == first[1]
