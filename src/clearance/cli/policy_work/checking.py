"""``clearance policy check``: all that is wrong with a policy file."""

from __future__ import annotations

from pathlib import Path

import click

from clearance.center import policy as policies
from clearance.center.policy import Policy, PolicyError
from clearance.center.policy.guarded import check_names
from clearance.center.visible import plain
from clearance.cli.common import plain_errors
from clearance.cli.guarding import read_snapshot
from clearance.cli.policy_work.options import POLICY


@click.command("check")
@POLICY
@click.option(
    "--guards",
    "snapshot",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Also name each action type and tool that no guard of this snapshot uses; see: clearance guards --write.",
)
@plain_errors
def check_policy(file: Path, snapshot: Path | None) -> None:
    """Read FILE as a Center would, and print all that is wrong with it; exit code 1 if anything is."""
    try:
        policy = policies.load(file)
        if snapshot is not None:
            check_names(file, read_snapshot(snapshot).values())
    except PolicyError as error:
        raise click.ClickException("\n".join(map(plain, str(error).splitlines()))) from None
    click.echo(f"{plain(str(file))} can be used: {_count(policy)}, version {policy.version}.")


def _count(policy: Policy) -> str:
    rules, limits = len(policy.rules), len(policy.limits)
    said = f"{rules} rule" if rules == 1 else f"{rules} rules"
    return said if not limits else f"{said} and {limits} limit{'' if limits == 1 else 's'} over time"
