"""``clearance pending``, ``approve`` and ``deny``: an approver at a terminal."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import click

from clearance.center.edits import parsed
from clearance.center.faults import Invalid
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, client_of, plain_errors, say
from clearance.cli.light import ENV_FILE


@click.command()
@ENV_FILE
@AS_JSON
@plain_errors
def pending(env_file: str | None, *, as_json: bool) -> None:
    """List what waits for a decision."""
    with client_of(env_file) as client:
        waiting = client.pending()
    alike = Counter(map(_call, waiting))
    oldest: dict[str, dict[str, Any]] = {}
    for action in reversed(waiting):
        oldest.setdefault(_call(action), action)
    lines = [_line(action, alike[call]) for call, action in oldest.items()]
    say(waiting, "\n".join(lines) or "Nothing waits for a decision.", as_json=as_json)


@click.command()
@click.argument("action_id", type=int, required=False)
@click.option("--all", "level", type=click.Choice(["low", "medium"]), help="Approve all up to this risk level.")
@click.option("--reason", default="", help="Why; the requester is told.")
@click.option("--set", "edits", multiple=True, metavar="NAME=VALUE", help="Clear it with this value instead.")
@ENV_FILE
@AS_JSON
@plain_errors
def approve(
    action_id: int | None,
    level: str | None,
    reason: str,
    edits: tuple[str, ...],
    env_file: str | None,
    *,
    as_json: bool,
) -> None:
    """Clear the pending action ACTION_ID, or with --all every one up to a risk level."""
    if (action_id is None) == (level is None) or (level and edits):
        raise click.UsageError("Give an ACTION_ID, or --all low|medium.")
    with client_of(env_file) as client:
        if level is not None:
            ids = client.approve_all(["low"] if level == "low" else ["low", "medium"])
            say(
                ids,
                f"Approved {len(ids)}: {', '.join(map(str, ids))}" if ids else "Nothing to approve.",
                as_json=as_json,
            )
        elif action_id is not None:
            parameters = _edited(dict(client.get_action(action_id).raw), edits) if edits else None
            action = client.approve(action_id, reason, parameters)
            changed = f", changed: {plain(', '.join(edits))}" if action.get("edits") else ""
            say(action, f"{_approved(action)} {action_id}: {_what(action)}{changed}", as_json=as_json)


@click.command()
@click.argument("action_id", type=int)
@click.option("--reason", required=True, help="Why; the requester is told.")
@ENV_FILE
@AS_JSON
@plain_errors
def deny(action_id: int, reason: str, env_file: str | None, *, as_json: bool) -> None:
    """Refuse the pending action ACTION_ID."""
    with client_of(env_file) as client:
        action = client.reject(action_id, reason)
    say(action, f"Denied {action_id}: {_what(action)}", as_json=as_json)


@click.command()
@click.argument("action_id", type=int)
@click.option("--reason", required=True, help="Why; the requester is told.")
@ENV_FILE
@AS_JSON
@plain_errors
def revoke(action_id: int, reason: str, env_file: str | None, *, as_json: bool) -> None:
    """Take the approval of ACTION_ID back, before it is claimed."""
    with client_of(env_file) as client:
        action = client.revoke(action_id, reason)
    done = "Taken back" if action.get("lifecycle") == "revoked" else "It may have run already"
    say(action, f"{done}: {action_id}, {_what(action)}", as_json=as_json)


@click.command()
@click.argument("action_id", type=int)
@click.option("--completed", "outcome", flag_value="completed", help="It ran to its end.")
@click.option("--failed", "outcome", flag_value="failed", help="It failed, or never ran.")
@click.option("--reason", required=True, help="How you know.")
@ENV_FILE
@AS_JSON
@plain_errors
def resolve(action_id: int, outcome: str | None, reason: str, env_file: str | None, *, as_json: bool) -> None:
    """Say what became of ACTION_ID, which may have run and never reported back."""
    if outcome is None:
        raise click.UsageError("Give --completed or --failed.")
    with client_of(env_file) as client:
        action = client.resolve(action_id, outcome, reason)
    say(action, f"Closed {action_id} as {outcome}: {_what(action)}", as_json=as_json)


def _edited(action: dict[str, Any], edits: tuple[str, ...]) -> dict[str, Any]:
    """The values that were typed, each of the kind that is shown."""
    shown, editable = action.get("action_details") or {}, action.get("editable") or []
    found: dict[str, Any] = {}
    for typed in edits:
        name, there, text = typed.partition("=")
        if not there or name not in editable or name not in shown:
            allowed = ", ".join(map(str, editable)) or "none"
            raise click.UsageError(f"--set takes NAME=VALUE; parameters that may be changed here: {plain(allowed)}.")
        try:
            found[name] = parsed(name, text, shown[name])
        except Invalid as error:
            raise click.UsageError(f"--set {plain(str(error))}.") from None
    return found


def _approved(action: dict[str, Any]) -> str:
    """What an approval did: the last one that is needed clears the action."""
    if action.get("lifecycle") != "pending":
        return "Approved"
    given, needed = len(action.get("approvals") or ()), action.get("approvals_needed")
    return f"Your approval counts ({given} of {needed}), it still waits for others:"


def _what(action: dict[str, Any]) -> str:
    return plain(f"{action.get('action_type')} ({action.get('tool_name')})")


def _call(action: dict[str, Any]) -> str:
    """What is the same for identical requests of one requester: by what is shown as well as by the digest."""
    if not action.get("digest"):
        return str(action.get("id"))
    told = ("requested_by", "digest", "agent_id", "action_type", "tool_name", "resource", "action_details")
    return json.dumps([action.get(name) for name in told], sort_keys=True)


def _line(action: dict[str, Any], alike: int) -> str:
    found = action.get("action_details")
    details = found.items() if isinstance(found, dict) else ()
    arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in details)
    head = f"{action.get('id')!s:>6}  {action.get('risk_level')!s:<8}  {_what(action)}"
    times = f" (asked {alike} times)" if alike > 1 else ""
    return plain(f"{head}  {arguments}  by {action.get('agent_id')}, until {action.get('expires_at')}{times}")
