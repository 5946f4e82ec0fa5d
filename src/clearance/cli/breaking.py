"""``clearance break-glass``: in an emergency, have one agent's calls of one tool cleared at once."""

from __future__ import annotations

from typing import Any

import click

from clearance.center.breakglass import MINUTES, MOST_MINUTES
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, client_of, plain_errors, say
from clearance.cli.light import ENV_FILE


@click.group("break-glass")
def break_glass() -> None:
    """For an emergency: what the policy would ask people about is cleared at once, for one agent with one tool.

    What a rule denies stays denied, and what a kill switch stops stays stopped. Everybody in the inbox sees it.
    """


@break_glass.command("open")
@click.option("--agent", required=True, help="The agent_id that it is for, to the letter.")
@click.option("--tool", required=True, help="The tool that it is for, to the letter.")
@click.option("--reason", required=True, help="Why; agents, approvers and the audit trail are told.")
@click.option(
    "--minutes",
    type=click.IntRange(1, MOST_MINUTES),
    default=MINUTES,
    show_default=True,
    help="How long it is open.",
)
@click.option("--key", help="Only what is asked with the key of this id.")
@ENV_FILE
@AS_JSON
@plain_errors
def open_one(
    agent: str, tool: str, reason: str, minutes: int, key: str | None, env_file: str | None, *, as_json: bool
) -> None:
    """Open one. Needs a super_admin key; nobody clears what they ask for themselves."""
    with client_of(env_file) as client:
        found = client.open_break_glass(agent, tool, reason, minutes=minutes, key=key)
    number = found.get("id")
    text = f"Break-glass {number} is open until {found.get('ends_at')}: {_scope(found)}."
    say(found, f"{plain(text)}\nClose it with: clearance break-glass close {number}", as_json=as_json)


@break_glass.command("close")
@click.argument("number", type=int)
@click.option("--reason", default="", help="Why; it stands in the audit trail.")
@ENV_FILE
@AS_JSON
@plain_errors
def close(number: int, reason: str, env_file: str | None, *, as_json: bool) -> None:
    """Close break-glass NUMBER now. What it cleared and nobody has claimed is void. Needs an admin key."""
    with client_of(env_file) as client:
        found = client.close_break_glass(number, reason)
    say(found, plain(f"Break-glass {number} is closed: {_scope(found)}, {_uses(found)}."), as_json=as_json)


@break_glass.command("list")
@ENV_FILE
@AS_JSON
@plain_errors
def show(env_file: str | None, *, as_json: bool) -> None:
    """List those that are open and the latest that were, with how many actions ran under each."""
    with client_of(env_file) as client:
        found = client.break_glasses()
    say(found, "\n".join(map(_line, found)) or "No break-glass was ever opened.", as_json=as_json)


def _line(glass: dict[str, Any]) -> str:
    until = f"OPEN until {glass.get('ends_at')}" if glass.get("open") else f"over since {_end(glass)}"
    opened = f"opened by {glass.get('opened_by')}, {glass.get('opened_at')}"
    return plain(f"{glass.get('id')!s:>4}  {until}: {_scope(glass)}, {_uses(glass)}; {glass.get('reason')} ({opened})")


def _end(glass: dict[str, Any]) -> str:
    """When it ended; of one whose end is not written down yet, when its time was up."""
    by = glass.get("closed_by")
    return f"{glass.get('closed_at')}, closed by {by}" if by not in (None, "clock") else str(glass.get("ends_at"))


def _scope(glass: dict[str, Any]) -> str:
    key = f" and key {glass.get('key')}" if glass.get("key") else ""
    return f"agent {glass.get('agent')} with tool {glass.get('tool')}{key}"


def _uses(glass: dict[str, Any]) -> str:
    return f"{glass.get('cleared')} cleared, {glass.get('ran')} of them ran or may have"
