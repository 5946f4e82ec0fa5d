"""The steps of the guide to break-glass, in order, against a Center that runs as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.servers import PATIENCE, Api, center_process

GUIDE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "run-a-center.md"
SECTION = GUIDE.read_text().partition("## Let through in an emergency\n")[2].partition("\n## ")[0]
(STEPS,) = re.findall(r"^```sh\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)


def typed(line: str) -> str:
    """What a line of the guide prints."""
    script = f'clearance() {{ "{sys.executable}" -m clearance "$@"; }}\n{line}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def test_the_guide_opens_a_break_glass_lists_it_and_closes_it(tmp_path: Path) -> None:
    """The working directory is a fresh one for every test."""
    with center_process(tmp_path / "center.db") as process:
        for name, role in (("chief", "super_admin"), ("approver", "admin")):
            settings = f"OWKAI_API_URL={process.url}\nOWKAI_API_KEY={process.key(role)}\n"
            (tmp_path / f"{name}.env").write_text(settings)
        opening, listing, closing = STEPS.splitlines()
        with Api(process.url, process.key("user")) as agent:
            assert agent.submit(agent_id="shop-agent")["status"] == "pending_approval"
            assert "agent shop-agent with tool stripe" in typed(opening)
            assert agent.submit(agent_id="shop-agent")["reason_code"] == "break_glass"
            assert "OPEN until" in typed(listing)
            assert "1 cleared" in typed(closing)
            assert agent.submit(agent_id="shop-agent")["status"] == "pending_approval"
