"""``clearance keys``: who may use a Center."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from clearance.center.moves import SECOND
from clearance.center.records import KeyRecord, Role
from clearance.center.store.base import Use
from clearance.center.store.databases import shown
from clearance.center.visible import plain
from clearance.cli.common import DATABASE, NEW_DATABASE, opened, plain_errors
from clearance.cli.light import lifetime


@click.group()
def keys() -> None:
    """Make, list and end API keys, and make sign-in links."""


@keys.command("create")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it may do.")
@click.option("--name", default="", help="Whose key it is; shown to approvers and in the audit trail.")
@click.option("--owner", help="The person behind it: nobody decides what another key of the same owner asks for.")
@click.option(
    "--expires", callback=lifetime, help="How long it lives, such as 90d or 12h; default: until it is revoked."
)
@NEW_DATABASE
@plain_errors
def create_key(role: str, name: str, owner: str | None, expires: float | None, database: str) -> None:
    """Make a key and print it: once, and nothing else."""
    with opened(database, Use.VISIT) as center:
        click.echo(center.create_key(Role(role), name, owner=owner, lifetime=expires))


@keys.command("list")
@DATABASE
@plain_errors
def list_keys(database: str) -> None:
    """List the keys: id, role, name, owner, and how they stand. The keys themselves are not kept."""
    with opened(database, Use.READ) as center:
        now = center.desk.now()
        for key in center.do(lambda tx: tx.keys()):
            click.echo(_line(key, now))


@keys.command("revoke")
@click.argument("key_id")
@DATABASE
@plain_errors
def revoke_key(key_id: str, database: str) -> None:
    """End key KEY_ID for good, with every browser that it signed in."""
    with opened(database, Use.VISIT) as center:
        key = center.revoke_key(key_id)
    click.echo(f"Revoked {key.id}: {plain(key.name)}")


@keys.command("sign-in")
@click.argument("key_id")
@DATABASE
@click.option("--url", default="http://127.0.0.1:8420", show_default=True, help="The Center's address.")
@plain_errors
def sign_in(key_id: str, database: str, url: str) -> None:
    """Print a one-time link that signs the owner of key KEY_ID in to the inbox."""
    with opened(database, Use.VISIT) as center:
        now = center.desk.now()
        key = center.do(lambda tx: tx.key(key_id))
        if key is None or key.standing(now) != "active":
            why = f"There is no key {key_id!r}" if key is None else f"The key {key_id!r} is {key.standing(now)}"
            raise click.ClickException(f"{why}; see: clearance keys list --database {shown(database)}")
        token = center.sign_in_token(key.principal())
    click.echo(f"{url.rstrip('/')}/sign-in?token={token}")


def _line(key: KeyRecord, now: int) -> str:
    """A key in the list."""
    words = [key.id, f"{key.role.value:<11}", plain(key.name)]
    if key.owner:
        words.append(f"of {plain(key.owner)}")
    standing = key.standing(now)
    if standing != "active":
        words.append(f"({standing})")
    elif key.expires_at is not None:
        words.append(f"(until {_day(key.expires_at)})")
    if key.last_used_at is not None:
        words.append(f"last used {_day(key.last_used_at)}")
    return "  ".join(words)


def _day(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // SECOND, UTC).strftime("%Y-%m-%d %H:%M UTC")
