"""``clearance center``, ``keys`` and ``audit``: running a Center and looking after its database."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from clearance._version import __version__
from clearance.center import audit as trail
from clearance.center.desk import MAX_PENDING, SECOND
from clearance.center.rates import RATE
from clearance.center.records import KeyRecord, Role
from clearance.center.server import Binding, CenterServer
from clearance.center.service import Center
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, lifetime, plain_errors, say


@contextmanager
def opened(database: str, policy: str | None = None, **limits: Any) -> Iterator[Center]:
    """The Center on this database, for one command."""
    center = Center.open(database, policy, **limits)
    try:
        yield center
    finally:
        center.close()


@contextmanager
def sigterm_is_an_exit() -> Iterator[None]:
    """Once its waiters are answered the server passes SIGTERM on; as an exit it closes the database, too."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command("center")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8420, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--database", required=True, type=click.Path(dir_okay=False), help="The SQLite file; made if missing.")
@click.option("--policy", type=click.Path(dir_okay=False), help="The policy file (TOML); default: built in.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="PEM file with the certificate.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM file with its key.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front of it has TLS.")
@click.option("--public-url", help="The address people use, if it is another.")
@click.option(
    "--rate",
    default=RATE,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Requests a second that one key may send; 0 for no limit.",
)
@click.option(
    "--max-pending",
    default=MAX_PENDING,
    show_default=True,
    type=click.IntRange(min=1),
    help="Requests of one key that may wait for a decision at once.",
)
@plain_errors
def serve_center(database: str, policy: str | None, rate: float, max_pending: int, **binding: Any) -> None:
    """Run an Authorization Center until it is stopped."""
    where = Binding(**binding)
    where.check()
    with sigterm_is_an_exit(), opened(database, policy, rate=rate, max_pending=max_pending) as center:
        server = CenterServer(center, where)
        now = center.desk.now()
        usable = (key for key in center.do(lambda tx: tx.keys()) if key.standing(now) == "active")
        has_approver = any(key.principal().may_decide for key in usable)
        click.echo(f"Clearance Center {__version__} at {server.url}")
        click.echo(f"Inbox:    {server.url}/   (sign in with an admin key, or: clearance keys sign-in)")
        click.echo(f"Database: {database}   Policy: {policy or 'built in'} ({center.desk.policy.version})")
        if not has_approver:
            click.echo(f"No approver yet: clearance keys create --role admin --database {database}")
        sys.stdout.flush()
        server.serve()


@click.group()
def keys() -> None:
    """Make and list API keys, and sign-in links."""


DATABASE = click.option(
    "--database", required=True, type=click.Path(exists=True, dir_okay=False), help="The Center's SQLite file."
)


@keys.command("create")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it may do.")
@click.option("--name", default="", help="Whose key it is; shown to approvers and in the audit trail.")
@click.option("--owner", help="The person behind it: nobody decides what another key of the same owner asks for.")
@click.option(
    "--expires", callback=lifetime, help="How long it lives, such as 90d or 12h; default: until it is revoked."
)
@click.option("--database", required=True, type=click.Path(dir_okay=False), help="The Center's SQLite file.")
@plain_errors
def create_key(role: str, name: str, owner: str | None, expires: float | None, database: str) -> None:
    """Make a key and print it: once, and nothing else."""
    with opened(database) as center:
        click.echo(center.create_key(Role(role), name, owner=owner, lifetime=expires))


@keys.command("list")
@DATABASE
@plain_errors
def list_keys(database: str) -> None:
    """List the keys: id, role, name, owner, and how they stand. The keys themselves are not kept."""
    with opened(database) as center:
        now = center.desk.now()
        for key in center.do(lambda tx: tx.keys()):
            click.echo(_line(key, now))


@keys.command("revoke")
@click.argument("key_id")
@DATABASE
@plain_errors
def revoke_key(key_id: str, database: str) -> None:
    """End key KEY_ID for good, with every browser that it signed in."""
    with opened(database) as center:
        key = center.revoke_key(key_id)
    click.echo(f"Revoked {key.id}: {plain(key.name)}")


@keys.command("sign-in")
@click.argument("key_id")
@DATABASE
@click.option("--url", default="http://127.0.0.1:8420", show_default=True, help="The Center's address.")
@plain_errors
def sign_in(key_id: str, database: str, url: str) -> None:
    """Print a one-time link that signs the owner of key KEY_ID in to the inbox."""
    with opened(database) as center:
        now = center.desk.now()
        key = center.do(lambda tx: tx.key(key_id))
        if key is None or key.standing(now) != "active":
            why = f"There is no key {key_id!r}" if key is None else f"The key {key_id!r} is {key.standing(now)}"
            raise click.ClickException(f"{why}; see: clearance keys list --database {database}")
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


@click.group()
def audit() -> None:
    """Read and verify the audit trail."""


@audit.command("verify")
@DATABASE
@AS_JSON
@plain_errors
def verify_audit(database: str, *, as_json: bool) -> None:
    """Recompute the whole chain; exit code 1 if anything does not fit."""
    with opened(database) as center:
        report = center.do(lambda tx: trail.verify(tx.audit()))
    found = {"entries": report.entries, "head": report.head, "problem": report.problem}
    if report.problem:
        say(found, f"BROKEN after {report.entries} entries: {report.problem}", as_json=as_json)
        sys.exit(1)
    say(found, f"Verified {report.entries} entries; head {report.head}", as_json=as_json)
