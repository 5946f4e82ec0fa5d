"""``clearance standing``: what somebody allows again in advance, and its end."""

from __future__ import annotations

import json
from typing import Any

import click

from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, client_of, plain_errors, say
from clearance.cli.light import ENV_FILE, lifetime

HOUR = 3600
_WORDS = {"used_up": "used up"}


@click.group()
def standing() -> None:
    """Standing approvals: the same call is allowed again, so often and until then. Needs an admin key."""


@standing.command("create")
@click.argument("action_id", type=int)
@click.option("--reason", required=True, help="Why; it stands in each decision.")
@click.option("--uses", type=click.IntRange(1, 1_000), help="How often; default: 10.")
@click.option(
    "--for", "lives", callback=lifetime, metavar="TIME", help="Until when, such as 8h; default: 24h, at most 7d."
)
@click.option("--where", "where", multiple=True, metavar="NAME=CONDITION", help="Allow other values that fit, too.")
@click.option("--any", "free", multiple=True, metavar="NAME", help="Allow any value of this parameter.")
@ENV_FILE
@AS_JSON
@plain_errors
def create(
    action_id: int,
    reason: str,
    uses: int | None,
    lives: float | None,
    where: tuple[str, ...],
    free: tuple[str, ...],
    env_file: str | None,
    *,
    as_json: bool,
) -> None:
    """Allow again what ACTION_ID asks: exactly the same, but for --where and --any."""
    match = dict(map(_condition, where))
    with client_of(env_file) as client:
        hours = None if lives is None else lives / HOUR
        made = client.allow_again(action_id, reason, uses=uses, hours=hours, match=match, free=free)
    say(made, f"Made standing approval {_line(made)}", as_json=as_json)


@standing.command("list")
@click.option("--all", "ended", is_flag=True, help="Also those that have ended.")
@ENV_FILE
@AS_JSON
@plain_errors
def listed(ended: bool, env_file: str | None, *, as_json: bool) -> None:
    """List the standing approvals that can still answer."""
    with client_of(env_file) as client:
        found = client.standing_approvals(ended=ended)
    say(found, "\n".join(map(_line, found)) or "There are no standing approvals.", as_json=as_json)


@standing.command("revoke")
@click.argument("standing_id", type=int)
@click.option("--reason", required=True, help="Why; the agents are told whose approvals it takes back.")
@ENV_FILE
@AS_JSON
@plain_errors
def revoke(standing_id: int, reason: str, env_file: str | None, *, as_json: bool) -> None:
    """End the standing approval STANDING_ID, with what it approved and nobody has claimed."""
    with client_of(env_file) as client:
        found = client.revoke_standing_approval(standing_id, reason)
    say(found, f"Revoked standing approval {standing_id}; used {found.get('used')} times.", as_json=as_json)


def _condition(typed: str) -> tuple[str, Any]:
    """What was typed: JSON of a condition, or a text, which is a pattern."""
    name, there, text = typed.partition("=")
    if not there or not name:
        raise click.UsageError("--where takes NAME=CONDITION, such as amount='{\"le\": 50}' or order='o-*'.")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _line(told: dict[str, Any]) -> str:
    what = (
        f"{told.get('action_type')} ({told.get('tool_name')}) of {told.get('agent_id')}, key {told.get('requested_by')}"
    )
    status = _WORDS.get(str(told.get("status")), told.get("status"))
    until = f"until {told.get('expires_at')}" if told.get("status") == "live" else status
    return plain(
        f"{told.get('id')}: {what}: {_scope(told)}; used {told.get('used')} of {told.get('uses')}, {until}, "
        f"by {told.get('made_by')}: {told.get('reason')}"
    )


def _scope(told: dict[str, Any]) -> str:
    """Which calls it is about, in words."""
    match, free = told.get("match") or {}, told.get("free") or []
    parts = [f"{name} {json.dumps(condition)}" for name, condition in match.items()]
    parts += [f"any {name}" for name in free]
    rest = f"as in action {told.get('made_from')}"
    return f"{', '.join(parts)}, the rest {rest}" if parts else f"exactly {rest}"
