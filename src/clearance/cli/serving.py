"""``clearance center``: running a Center."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from clearance._version import __version__
from clearance.center.desk import MAX_PENDING, REMEMBER_DENIALS
from clearance.center.faults import DeskError, StoreUnavailable
from clearance.center.policy import PolicyError
from clearance.center.rates import RATE
from clearance.center.rollout import BY_SIGNAL
from clearance.center.server import Binding, CenterServer
from clearance.center.service import Center
from clearance.center.store.base import Use
from clearance.center.store.databases import shown
from clearance.cli.common import SIGNING_KEY, DatabaseAddress, opened, plain_errors


@contextmanager
def sigterm_is_an_exit() -> Iterator[None]:
    """Once its waiters are answered the server passes SIGTERM on; as an exit it closes the database, too."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def sighup_reloads(center: Center) -> Iterator[None]:
    """On SIGHUP, read the policy file again, and go on."""

    def reload() -> None:
        with suppress(PolicyError, DeskError, StoreUnavailable):  # the log has it
            click.echo(str(center.rollout.reload(lambda _tx: BY_SIGNAL)))
            sys.stdout.flush()

    # In a thread: the one that was interrupted here is to go on serving.
    before = signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload, name="clearance-reload").start())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@click.group("center", invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8420, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--database", type=DatabaseAddress(), help="A SQLite file, made if missing, or postgresql://...")
@click.option(
    "--policy", type=click.Path(dir_okay=False), help="The policy file (.yaml, .toml or .cedar); default: built in."
)
@SIGNING_KEY
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
@click.option(
    "--remember-denials",
    default=REMEMBER_DENIALS,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds for which a call that a person refused is refused again; 0 for not at all.",
)
@click.pass_context
@plain_errors
def serve_center(
    context: click.Context,
    /,
    database: str | None,
    policy: str | None,
    signing_key: str | None,
    rate: float,
    max_pending: int,
    remember_denials: float,
    **binding: Any,
) -> None:
    """Run an Authorization Center until it is stopped, or look after its database."""
    if context.invoked_subcommand is not None:
        return
    if database is None:
        raise click.MissingParameter(ctx=context, param=next(p for p in context.command.params if p.name == "database"))
    where = Binding(**binding)
    where.check()
    limits = {"rate": rate, "max_pending": max_pending, "remember_denials": remember_denials}
    with sigterm_is_an_exit(), opened(database, Use.SERVE, policy, signing_key=signing_key, **limits) as center:
        if center.signing_key.file is not None:
            center.signing_key.make()
        server = CenterServer(center, where)
        click.echo(f"Clearance Center {__version__} at {server.url}")
        click.echo(f"Inbox:    {server.url}/   (sign in with an admin key, or: clearance keys sign-in)")
        click.echo(f"Database: {shown(database)}   Policy: {policy or 'built in'} ({center.desk.policy.version})")
        if center.signing_key.file is None:
            click.echo("Receipts: none; start it with --signing-key FILE, the same for all Centers on this database")
        if not _has_approver(center):
            click.echo(f"No approver yet: clearance keys create --role admin --database {shlex.quote(shown(database))}")
        sys.stdout.flush()
        with sighup_reloads(center):
            server.serve()


def _has_approver(center: Center) -> bool:
    now = center.desk.now()
    usable = (key for key in center.do(lambda tx: tx.keys()) if key.standing(now) == "active")
    return any(key.principal().may_decide for key in usable)
