"""Every step of the guide to writing a policy, in order, beside a Center that runs as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.servers import PATIENCE, Api, center_process

GUIDE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "write-a-policy.md"
STEPS = re.findall(r"^```(sh|yaml)\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
START = "clearance center --database center.db --policy policy.yaml\n"
PROGRAM = """
from clearance import requires_authorization

@requires_authorization(action_type="payment.payout", tool_name="stripe")
def pay_out(amount: int) -> None: ...
"""


def typed(line: str) -> None:
    """Run it as somebody would who follows the guide; it must end as the guide says."""
    script = f'clearance() {{ "{sys.executable}" -m clearance "$@"; }}\n{line}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == (1 if "# exit code 1" in line else 0), (line, done.stdout, done.stderr)


def written(text: str) -> None:
    """What the guide shows, put where it says: a case, a rule, a limit, or an action."""
    if not text.startswith(("  - name", "limits:")):
        Path("action.yaml").write_text(text)
        return
    file = Path("new.tests.yaml" if "expect:" in text else "new.yaml")
    file.write_text(file.read_text() + text)


def test_the_guide_leads_from_nothing_to_a_change_that_is_in_force(tmp_path: Path) -> None:
    """The working directory is a fresh one for every test."""
    (tmp_path / "shop.py").write_text(PROGRAM)
    start = STEPS.index(("sh", START))
    for _, text in STEPS[:start]:
        for line in text.splitlines():
            typed(line)

    with center_process(tmp_path / "center.db", "--policy", "policy.yaml") as process:
        (tmp_path / "chief.env").write_text(
            f"OWKAI_API_URL={process.url}\nOWKAI_API_KEY={process.key('super_admin')}\n"
        )
        with Api(process.url, process.key("user")) as agent:
            payout = {"action_type": "payment.payout", "tool_name": "stripe", "action_details": {"amount": 10}}
            assert agent.submit(**payout)["status"] == "pending_approval"
            for language, text in STEPS[start + 1 :]:
                if language == "yaml":
                    written(text)
                    continue
                for line in text.splitlines():
                    typed(line)

            assert agent.submit(**{**payout, "action_details": {"amount": 11}})["status"] == "denied"
            for number in range(11):
                refund = {"action_type": "payment.refund", "action_details": {"amount": 50, "order": number}}
                told = agent.submit(**refund)
                assert told["status"] == ("approved" if number < 10 else "pending_approval"), told
