"""What type checkers know of the clients. mypy and pyright read these; pytest only defines them."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_type

from clearance import AsyncClient, Client, Decision, Status
from clearance.told import ActionDetails, Connection, KillSwitchStatus


def of_the_sync_client(client: Client) -> None:
    asked = client.submit_action(agent_id="a", action_type="b", tool_name="c", description="d", context={"n": 1})
    assert_type(asked, Decision)
    assert_type(client.wait_for_decision(asked).status, Status)
    assert_type(client.list_actions(status=Status.PENDING), list[ActionDetails])
    assert_type(client.get_action("7"), ActionDetails)
    assert_type(client.test_connection(), Connection)
    assert_type(client.kill_switch_status(), KillSwitchStatus)
    client.submit_action(agent_id="a", action_type="b", tool_name="c")  # type: ignore[call-arg]
    client.submit_action(agent_id="a", action_type="b", tool_name="c", description="d", tool="e")  # type: ignore[call-arg]


async def of_the_async_client(client: AsyncClient) -> None:
    async with client as same:
        assert_type(same, AsyncClient)
    assert_type(await client.submit_action(agent_id="a", action_type="b", tool_name="c", description="d"), Decision)
    assert_type(await client.claim(7), Decision)
    assert_type(await client.list_actions(), list[ActionDetails])
    assert_type(await client.test_connection(), Connection)


def test_both_clients_have_the_same_methods_for_asking_and_looking() -> None:
    only_decides = {
        "allow_again", "approve", "approve_all", "break_glasses", "close", "close_break_glass", "grown", "kill_switch",
        "open_break_glass", "pending", "policy", "policy_versions", "public_key", "receipt", "reject", "reload_policy",
        "resolve", "revoke", "revoke_standing_approval", "standing_approvals", "turn_kill_switch",
    }  # fmt: skip
    sync, other = ({name for name in dir(kind) if not name.startswith("_")} for kind in (Client, AsyncClient))

    assert sync - only_decides == other - {"aclose"}
