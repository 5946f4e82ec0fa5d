"""Standing approvals at a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.servers import Api, Running, claiming, running_center

from clearance.cli.commands import cli


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as running:
        yield running


@pytest.fixture
def agent(running: Running) -> Iterator[Api]:
    with Api(running.url, running.user_key) as agent:
        yield agent


def run(running: Running, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["standing", *arguments, "--env-file", running.env_file()])
    assert result.exit_code == code, result.output
    return result


def ask(agent: Api, digest: str = "d", **details: Any) -> dict[str, Any]:
    """Ask for a refund with this digest."""
    more = {"action_details": {"charge_id": "ch_1", "amount": 5, **details}}
    return agent.submit(extra_data=claiming(digest=digest), **more)


def test_an_approver_allows_a_call_again_lists_it_and_revokes_it(running: Running, agent: Api) -> None:
    seen = ask(agent)

    made = run(running, "create", str(seen["id"]), "--reason", "weekly", "--uses", "3", "--for", "8h").output
    assert ask(agent)["status"] == "approved"
    listed = run(running, "list").output
    ended = run(running, "revoke", "1", "--reason", "enough").output

    line = (
        r"1: payment\.refund \(stripe\) of billing-bot, key billing-bot: exactly as in action 1; "
        r"used {} of 3, until \S+Z?, by carol: weekly\n"
    )
    assert re.fullmatch(f"Made standing approval {line.format(0)}", made)
    assert re.fullmatch(line.format(1), listed)
    assert ended == "Revoked standing approval 1; used 1 times.\n"
    assert run(running, "list").output == "There are no standing approvals.\n"
    assert re.search(r"used 1 of 3, revoked, by carol: weekly\n$", run(running, "list", "--all").output)


def test_what_may_differ_is_said_with_conditions_and_patterns(running: Running, agent: Api) -> None:
    seen = ask(agent, note="late")

    made = run(
        running, "create", str(seen["id"]), "--reason", "weekly",
        "--where", 'amount={"le": 50}', "--where", "charge_id=ch_*", "--any", "note",
    ).output  # fmt: skip

    assert 'amount {"le": 50}, charge_id "ch_*", any note, the rest as in action 1; used 0 of 10' in made
    assert ask(agent, "2", amount=50, charge_id="ch_9", note="x")["status"] == "approved"
    assert ask(agent, "3", amount=51, note="late")["status"] == "pending_approval"


def test_it_is_printed_as_json(running: Running, agent: Api) -> None:
    seen = ask(agent)

    made = json.loads(run(running, "create", str(seen["id"]), "--reason", "weekly", "--json").output)
    listed = json.loads(run(running, "list", "--json").output)
    ended = json.loads(run(running, "revoke", "1", "--reason", "x", "--json").output)

    assert listed == [made]
    assert (ended["status"], ended["id"]) == ("revoked", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--where", "amount"], 2, "--where takes NAME=CONDITION"),
        (["--where", "=5"], 2, "--where takes NAME=CONDITION"),
        (["--uses", "0"], 2, "--uses"),
        (["--for", "8"], 2, "write it as 90d, 12h or 30m"),
        (["--for", "8d"], 1, "expires_in_hours: Input should be less than or equal to 168"),
        (["--any", "amont"], 1, "amont is no parameter of this call; its parameters: amount, charge_id"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_makes_nothing(
    running: Running, agent: Api, arguments: list[str], code: int, said: str
) -> None:
    seen = ask(agent)

    assert said in run(running, "create", str(seen["id"]), "--reason", "weekly", *arguments, code=code).output
    assert run(running, "list", "--all").output == "There are no standing approvals.\n"


def test_a_receipt_tells_which_standing_approval_it_was(running: Running, agent: Api, tmp_path: Path) -> None:
    seen = ask(agent)
    run(running, "create", str(seen["id"]), "--reason", "weekly")
    cleared = ask(agent)
    with running.approver() as client:
        (tmp_path / "receipt.json").write_bytes(client.receipt(cleared["id"]))
        key = client.public_key()

    found = CliRunner().invoke(cli, ["receipt", "verify", str(tmp_path / "receipt.json"), "--key", key])

    assert found.exit_code == 0
    maker = running.admin_key.split("_")[2]
    assert f"as use 1 of 10 of standing approval 1, made by carol ({maker})\n" in found.output
