"""``clearance center`` and ``keys``: running a Center and looking after who may use it."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from clearance._version import __version__
from clearance.center.records import Principal, Role
from clearance.center.server import Binding, CenterServer
from clearance.center.service import Center
from clearance.center.store.base import Use
from clearance.center.store.databases import shown
from clearance.center.visible import plain
from clearance.cli.common import DATABASE, NEW_DATABASE, DatabaseAddress, plain_errors


@contextmanager
def opened(database: str, use: Use, policy: str | None = None, signing_key: str | None = None) -> Iterator[Center]:
    """The Center on this database, for one command."""
    center = Center.open(database, policy, use=use, signing_key=signing_key)
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


SIGNING_KEY = click.option(
    "--signing-key",
    type=click.Path(dir_okay=False),
    help="The file with the key that signs receipts; made if missing. Default: the database's name and .key.",
)


@click.group("center", invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8420, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--database", type=DatabaseAddress(), help="A SQLite file, made if missing, or postgresql://...")
@click.option("--policy", type=click.Path(dir_okay=False), help="The policy file (TOML); default: built in.")
@SIGNING_KEY
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="PEM file with the certificate.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM file with its key.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front of it has TLS.")
@click.option("--public-url", help="The address people use, if it is another.")
@click.pass_context
@plain_errors
def serve_center(
    context: click.Context, /, database: str | None, policy: str | None, signing_key: str | None, **binding: Any
) -> None:
    """Run an Authorization Center until it is stopped, or look after its database."""
    if context.invoked_subcommand is not None:
        return
    if database is None:
        raise click.MissingParameter(ctx=context, param=next(p for p in context.command.params if p.name == "database"))
    _serve(database, policy, signing_key, Binding(**binding))


def _serve(database: str, policy: str | None, signing_key: str | None, where: Binding) -> None:
    where.check()
    with sigterm_is_an_exit(), opened(database, Use.SERVE, policy, signing_key) as center:
        if center.signing_key.file is not None:
            center.signing_key.make()
        server = CenterServer(center, where)
        has_approver = any(key.role != "user" for key in center.do(lambda tx: tx.keys()))
        click.echo(f"Clearance Center {__version__} at {server.url}")
        click.echo(f"Inbox:    {server.url}/   (sign in with an admin key, or: clearance keys sign-in)")
        click.echo(f"Database: {shown(database)}   Policy: {policy or 'built in'} ({center.desk.policy.version})")
        if center.signing_key.file is None:
            click.echo("Receipts: none; start it with --signing-key FILE, the same for all Centers on this database")
        if not has_approver:
            click.echo(f"No approver yet: clearance keys create --role admin --database {shlex.quote(shown(database))}")
        sys.stdout.flush()
        server.serve()


@click.group()
def keys() -> None:
    """Make and list API keys, and sign-in links."""


@keys.command("create")
@click.option("--role", required=True, type=click.Choice(["user", "admin", "super_admin"]), help="What it may do.")
@click.option("--name", default="", help="Whose key it is; shown to approvers and in the audit trail.")
@NEW_DATABASE
@plain_errors
def create_key(role: str, name: str, database: str) -> None:
    """Make a key and print it: once, and nothing else."""
    with opened(database, Use.VISIT) as center:
        click.echo(center.create_key(Role(role), name))


@keys.command("list")
@DATABASE
@plain_errors
def list_keys(database: str) -> None:
    """List the keys: id, role, name. The keys themselves are not kept."""
    with opened(database, Use.READ) as center:
        for key in center.do(lambda tx: tx.keys()):
            click.echo(f"{key.id}  {key.role.value:<11}  {plain(key.name)}{'  (revoked)' if key.revoked_at else ''}")


@keys.command("sign-in")
@click.argument("key_id")
@DATABASE
@click.option("--url", default="http://127.0.0.1:8420", show_default=True, help="The Center's address.")
@plain_errors
def sign_in(key_id: str, database: str, url: str) -> None:
    """Print a one-time link that signs the owner of key KEY_ID in to the inbox."""
    with opened(database, Use.VISIT) as center:
        key = center.do(lambda tx: tx.key(key_id))
        if key is None or key.revoked_at is not None:
            raise click.ClickException(
                f"There is no key {key_id!r}; see: clearance keys list --database {shown(database)}"
            )
        token = center.sign_in_token(Principal(key.id, key.name, key.role))
    click.echo(f"{url.rstrip('/')}/sign-in?token={token}")
