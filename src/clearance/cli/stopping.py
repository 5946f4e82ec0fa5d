"""``clearance kill``: stop everything, one agent or one tool, and let it go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from clearance.center.switches import scope
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, client_of, plain_errors, say
from clearance.cli.light import ENV_FILE


@click.group()
def kill() -> None:
    """The kill switch: from the next claim on, nothing that it covers runs. Needs a super_admin key."""


def _covering(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both ways share."""
    options = (
        click.option("--agent", help="Only this agent: its agent_id, or the name or id of its key."),
        click.option("--tool", help="Only this tool."),
        click.option("--reason", required=True, help="Why; agents and approvers are told."),
        ENV_FILE,
        AS_JSON,
    )
    for option in reversed(options):
        command = option(command)
    return command


@kill.command("on")
@_covering
@plain_errors
def turn_on(agent: str | None, tool: str | None, reason: str, env_file: str | None, *, as_json: bool) -> None:
    """Stop everything; with --agent or --tool only that."""
    _turn(True, agent, tool, reason, env_file, as_json)


@kill.command("off")
@_covering
@plain_errors
def turn_off(agent: str | None, tool: str | None, reason: str, env_file: str | None, *, as_json: bool) -> None:
    """Let go on what `kill on` with the same options stopped. Approvals from before stay void."""
    _turn(False, agent, tool, reason, env_file, as_json)


@kill.command("status")
@ENV_FILE
@AS_JSON
@plain_errors
def show(env_file: str | None, *, as_json: bool) -> None:
    """Say which kill switches are on."""
    with client_of(env_file) as client:
        found = client.kill_switch()
    switches = found.get("switches")
    lines = [_line(switch) for switch in switches] if isinstance(switches, list) else []
    if not lines and found.get("blocked"):  # a key that is told only of itself
        lines = [_line(found)]
    say(found, "\n".join(lines) or "No kill switch is on.", as_json=as_json)


def _turn(on: bool, agent: str | None, tool: str | None, reason: str, env_file: str | None, as_json: bool) -> None:
    with client_of(env_file) as client:
        found = client.turn_kill_switch(on, reason, agent=agent, tool=tool)
    say(found, f"Kill switch {'on' if on else 'off'}: {plain(scope(agent or '', tool or ''))}.", as_json=as_json)


def _line(switch: dict[str, Any]) -> str:
    what = scope(str(switch.get("agent") or ""), str(switch.get("tool") or ""))
    by = f"by {switch.get('activated_by')}, {switch.get('activated_at')}"
    return plain(f"On for {what}: {switch.get('reason')} ({by})")
