"""``clearance receipt``: what a Center signed about a decision, and whether it did."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from clearance import receipts
from clearance.center.signing import SigningKey, beside
from clearance.center.visible import plain
from clearance.cli import heads
from clearance.cli.common import AS_JSON, SIGNING_KEY, DatabaseAddress, client_of, plain_errors, say
from clearance.cli.light import ENV_FILE
from clearance.models import Json


@click.group()
def receipt() -> None:
    """Get receipts of decisions, and check them without the Center."""


@receipt.command("get")
@click.argument("action_id", type=int)
@ENV_FILE
@plain_errors
def get_receipt(action_id: int, env_file: str | None) -> None:
    """Print the receipt of the decision about action ACTION_ID."""
    with client_of(env_file) as client:
        click.echo(client.receipt(action_id).decode("ascii", "backslashreplace"))


@receipt.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--key", required=True, help="The Center's public key, as `clearance receipt key` prints it.")
@AS_JSON
@plain_errors
def verify_receipt(file: str, key: str, *, as_json: bool) -> None:
    """Check the receipt in FILE, offline; exit code 1 if it proves nothing."""
    with Path(file).open("rb") as stream:
        data = stream.read(receipts.LONGEST + 2)
    try:
        found = receipts.verify(data, key)
    except receipts.BadReceipt as problem:
        say({"problem": str(problem)}, f"NOT GENUINE: {problem}.", as_json=as_json)
        sys.exit(1)
    say({"problem": None, "receipt": found}, _told(found), as_json=as_json)


@receipt.command("key")
@click.option("--database", type=DatabaseAddress(exists=True), help="The Center's SQLite file.")
@SIGNING_KEY
@plain_errors
def public_key(database: str | None, signing_key: str | None) -> None:
    """Print the public key that a Center's receipts are checked with."""
    if database is None and signing_key is None:
        raise click.UsageError("Give --database or --signing-key.")
    click.echo(SigningKey(Path(signing_key) if signing_key else beside(database or "")).public())


def _told(found: dict[str, Json]) -> str:
    what = f"{found.get('action_type')} ({found.get('tool_name')}) of {found.get('agent_id')}"
    lines = [
        f"Genuine: action {found.get('action_id')}, {what}, was {found.get('status')}",
        f"by {found.get('decided_by')} ({found.get('decider')}) on {found.get('decided_at')}",
        f"digest {found.get('digest')}, policy {found.get('policy')}",
        f"head {heads.line_of(receipts.head_of(found))}",
    ]
    if isinstance(use := found.get("standing"), dict):
        made = f"standing approval {use.get('id')}, made by {use.get('by')} ({use.get('maker')})"
        lines.insert(2, f"as use {use.get('use')} of {use.get('of')} of {made}")
    if found.get("edits"):
        lines.insert(2, f"with other arguments than were asked for: {json.dumps(found['edits'])}")
    return "\n".join(plain(line) for line in lines)
