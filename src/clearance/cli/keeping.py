"""``clearance center backup``, ``restore`` and ``export``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from clearance.center import backups
from clearance.center.audit import Report
from clearance.center.store.base import Use
from clearance.cli.common import DATABASE, NEW_DATABASE, opened, plain_errors
from clearance.cli.heads import line_of
from clearance.witness import Head


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@DATABASE
@plain_errors
def backup(file: str, database: str) -> None:
    """Copy the database to the new FILE, also while a Center serves from it; exit code 1 if its trail is broken."""
    report = backups.backup(database, Path(file))
    if report.problem is not None:
        click.echo(f"Copied to {file}, but its audit trail is BROKEN after {report.entries} entries: {report.problem}")
        sys.exit(1)
    click.echo(f"Backed up to {file}: {report.entries} audit entries, verified; head {_head(report)}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@NEW_DATABASE
@plain_errors
def restore(file: str, database: str) -> None:
    """Make a new database of the backup FILE, if its audit trail is whole."""
    restored = backups.restore(Path(file), database)
    trail = restored.trail
    click.echo(f"Restored to {database}: {trail.entries} audit entries, verified; head {_head(trail)}")
    click.echo(f"Approvals that nobody had claimed, now revoked: {restored.revoked}")


@click.command()
@DATABASE
@plain_errors
def export(database: str) -> None:
    """Print every action and every audit entry as JSON Lines, without keys."""
    with opened(database, Use.READ) as center:
        for line in backups.export(center):
            click.echo(json.dumps(line))


def _head(report: Report) -> str:
    """As a file of heads has it."""
    return line_of(Head(report.entries, report.head))
