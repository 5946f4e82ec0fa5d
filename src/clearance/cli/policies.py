"""``clearance policy``: which rules are in force, which were, and putting others in force.

The group is open: a command about policy files that has a module of its own is added to it in `commands`.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click

from clearance.center.moves import SECOND
from clearance.center.records import KeptPolicy
from clearance.center.store.base import Tx, Use
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, DatabaseAddress, client_of, opened, plain_errors, say
from clearance.cli.light import ENV_FILE
from clearance.errors import AuthorizationUnavailable

FROM_DATABASE = click.option(
    "--database",
    type=DatabaseAddress(exists=True),
    help="Read it from the Center's SQLite file, or postgresql://..., instead of asking the Center.",
)


@click.group()
def policy() -> None:
    """Look at the rules that a Center judges by, and put others in force."""


@policy.command("reload")
@ENV_FILE
@AS_JSON
@plain_errors
def reload_policy(env_file: str | None, *, as_json: bool) -> None:
    """Have the Center read its policy file again; needs a super_admin key. A file with a mistake changes nothing."""
    with client_of(env_file) as client:
        try:
            found = client.reload_policy()
        except AuthorizationUnavailable as error:
            if error.reason_code != "policy_refused":
                raise
            raise click.ClickException("\n".join(map(plain, error.happened.splitlines()))) from None
    say(found, _outcome(found), as_json=as_json)


@policy.command("history")
@FROM_DATABASE
@ENV_FILE
@AS_JSON
@plain_errors
def history(database: str | None, env_file: str | None, *, as_json: bool) -> None:
    """List which policies came in force when, and by whom, newest first."""
    if database is not None:
        with opened(database, Use.READ) as center:
            changes = center.do(lambda tx: tx.policies_in_force())
        found = [{"version": each.version, "since": _iso(each.at), "by": each.author_name} for each in changes]
    else:
        with client_of(env_file) as client:
            found = client.policy_versions()
    say(found, "\n".join(map(_line, found)) or "No policy was put in force yet.", as_json=as_json)


@policy.command("show")
@click.argument("version", required=False)
@FROM_DATABASE
@ENV_FILE
@plain_errors
def show(version: str | None, database: str | None, env_file: str | None) -> None:
    """Print the policy in force, or the one of VERSION, as it was written; for a file, to the last byte."""
    if database is not None:
        with opened(database, Use.READ) as center:
            kept = center.do(lambda tx: _kept(tx, version))
        if kept is None:
            what = f"No policy {version} was ever in force" if version else "No policy was put in force yet"
            raise click.ClickException(f"{what}; see: clearance policy history")
        text = kept.text
    else:
        with client_of(env_file) as client:
            text = str(client.policy(version).get("text", ""))
    if sys.stdout.isatty():
        click.echo("\n".join(map(plain, text.splitlines())))
    else:
        click.echo(text.encode(), nl=False)


def _kept(tx: Tx, version: str | None) -> KeptPolicy | None:
    if version is None:
        found = tx.policy_in_force()
        version = found.version if found else ""
    return tx.policy(version)


def _outcome(found: dict[str, Any]) -> str:
    version, before = plain(str(found.get("version"))), found.get("before")
    if not found.get("changed"):
        return f"Policy {version} is in force, as before: the file has not changed."
    instead = f" instead of {plain(str(before))}" if before else ""
    return f"Policy {version} is in force{instead}. Approvals from before can no longer be claimed."


def _line(change: dict[str, Any]) -> str:
    since, version = str(change.get("since")), str(change.get("version"))
    return plain(f"{since}  {version}  by {change.get('by')}")


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / SECOND, UTC).isoformat()
