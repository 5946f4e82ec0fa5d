"""``clearance policy init``: a policy to start from."""

from __future__ import annotations

from pathlib import Path

import click

from clearance.center.policy import starting
from clearance.center.visible import plain
from clearance.cli.common import plain_errors
from clearance.cli.policy_work.options import FILE


@click.command("init")
@click.argument("file", type=FILE, required=False, metavar="[FILE]")
@plain_errors
def init_policy(file: Path | None) -> None:
    """Write a policy to start from to FILE (default: policy.yaml), and its cases beside it; never over a file."""
    written, cases = starting.write(file or Path("policy.yaml"))
    click.echo(f"Written: {plain(str(written))}, and its cases: {plain(str(cases))}")
    click.echo(f"Change both, then run: clearance policy test {plain(str(written))}")
