"""``clearance audit``: verifying and exporting the audit trail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from clearance.center import audit as chain
from clearance.center import trail
from clearance.center.audit import Link, Report
from clearance.center.records import InForce
from clearance.center.store.base import Use
from clearance.center.visible import plain
from clearance.cli import heads
from clearance.cli.common import AS_JSON, DATABASE, DatabaseAddress, opened, plain_errors, say
from clearance.witness import Head


@click.group()
def audit() -> None:
    """Read and verify the audit trail."""


@audit.command("verify")
@click.option("--database", type=DatabaseAddress(exists=True), help="The Center's SQLite file, or postgresql://...")
@click.option("--exported", type=click.Path(exists=True, dir_okay=False), help="Or a file that `audit export` made.")
@click.option(
    "--heads", "heads_file", type=click.Path(exists=True, dir_okay=False), help="A file of heads that are known."
)
@AS_JSON
@plain_errors
def verify_audit(database: str | None, exported: str | None, heads_file: str | None, *, as_json: bool) -> None:
    """Recompute the whole trail; exit code 1 if anything does not fit it, or a known head."""
    if (database is None) == (exported is None):
        raise click.UsageError("Give --database or --exported.")
    known = heads.read(heads_file) if heads_file is not None else []
    report, policy = _verified(database, exported, known)
    if report.problem:
        say(asdict(report), f"BROKEN after {report.entries} entries: {plain(report.problem)}", as_json=as_json)
        sys.exit(1)
    against = f", {len(known)} known heads among them" if known else ""
    line = heads.line_of(Head(report.entries, report.head))
    say(asdict(report), f"Verified {report.entries} entries{against}; head {line}{policy}", as_json=as_json)


@audit.command("export")
@DATABASE
@click.option("--after", default=0, type=click.IntRange(min=0), help="Leave out the entries up to this number.")
@plain_errors
def export_audit(database: str, after: int) -> None:
    """Print the trail as JSON Lines: each entry with its hash."""
    with opened(database, Use.READ) as center:
        for link in trail.pages(center, after):
            click.echo(chain.line_of(link))


def _verified(database: str | None, exported: str | None, known: list[Head]) -> tuple[Report, str]:
    """How the trail stands; and, where the database is, what it tells of the policy."""
    if database is None:
        return chain.verify(_links(Path(exported or "")), known), ""
    with opened(database, Use.READ) as center:
        report = trail.verify(center, known)
        changes = center.do(lambda tx: tx.policies_in_force(up_to=report.entries))
    return report, _policy_line(changes) if changes else ""


def _policy_line(changes: list[InForce]) -> str:
    newest, times = changes[0], "once" if len(changes) == 1 else f"{len(changes)} times"
    told = f"Policy {newest.version} is in force since entry {newest.entry}, put there by {newest.author_name}"
    return f"\n{plain(told)}; a policy came in force {times}, each kept as it was"


def _links(file: Path) -> Iterator[Link]:
    # Whatever is no ASCII becomes something that does not fit: no entry has it.
    with file.open(encoding="ascii", errors="replace", newline="\n") as lines:
        for line in lines:
            yield chain.link_of(line.removesuffix("\n"))
