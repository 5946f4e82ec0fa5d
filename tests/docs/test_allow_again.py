"""Every step of the guide to allowing a call again, in order, against a Center that listens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers import PATIENCE, Api, claiming, running_center

GUIDE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "allow-again.md"
STEPS = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def typed(text: str, seen: int) -> str:
    """Run the lines as somebody would who follows the guide; returns what they print."""
    script = f'set -e\nclearance() {{ "{sys.executable}" -m clearance "$@"; }}\n{text}'.replace("17", str(seen))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, (text, done.stdout, done.stderr)
    return done.stdout


def test_the_guide_allows_a_call_again_exactly_then_where_it_may_differ_and_ends_that(tmp_path: Path) -> None:
    """The working directory is a fresh one for every test."""
    exactly, differing, end = STEPS
    with running_center(tmp_path / "center.db") as running, Api(running.url, running.user_key) as agent:

        def ask(digest: str, **changes: Any) -> str:
            details = {"charge_id": "ch_1", "amount": 5, "note": "late", **changes}
            answer = agent.submit(action_details=details, extra_data=claiming(digest=digest))
            numbers.append(answer["id"])
            return str(answer["status"])

        numbers: list[int] = []
        Path("approver.env").write_text(Path(running.env_file()).read_text())
        ask("d")

        assert "used 0 of 10" in typed(exactly, numbers[0]).splitlines()[-1]
        assert ask("d") == "approved"
        assert ask("e", amount=50) == "pending_approval"
        assert 'amount {"le": 50}, any note' in typed(differing, numbers[0])
        assert ask("f", amount=50, note="lost") == "approved"
        assert ask("g", amount=51) == "pending_approval"
        assert "used 1 times" in typed(end, numbers[0])
        running.center.do(lambda tx: running.center.desk.sweep(tx))

        uses = [(each.id, each.used) for each in running.center.do(lambda tx: tx.standing_approvals())]
        assert uses == [(2, 1), (1, 1)]
