"""``clearance check``: the way to the Center, step by step."""

from __future__ import annotations

import sys

import click

from clearance.center.visible import plain
from clearance.checkup import Checkup, Step, summary
from clearance.cli import heads
from clearance.cli.common import AS_JSON, client_of, plain_errors, say
from clearance.cli.heads import BadHeads
from clearance.cli.light import ENV_FILE
from clearance.errors import AuthorizationError


@click.command()
@ENV_FILE
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(dir_okay=False),
    help="Have the Center prove that its audit trail continues every head in this file, then add the newest.",
)
@AS_JSON
@plain_errors
def check(env_file: str | None, heads_file: str | None, *, as_json: bool) -> None:
    """Test the way to the Center step by step: settings, name, connection, certificate, Center, key, clock.

    Exit code 1 at the first step that fails, with what to do about it; with --heads, also if the audit trail does not
    continue a known head.
    """
    checkup, steps = Checkup({}, env_file) if env_file else Checkup(), []
    for step in checkup.steps():
        steps.append(step)
        _tell(step, as_json=as_json)
    if heads_file is not None and steps[-1].result != "failed":
        steps.append(_witnessed(env_file, heads_file))
        _tell(steps[-1], as_json=as_json)
    told = summary(steps)
    if as_json:
        say(told, "", as_json=True)
    if not told["ok"]:
        sys.exit(1)


def _tell(step: Step, *, as_json: bool) -> None:
    if not as_json:
        click.echo(plain(str(step)), err=step.result == "failed")


def _witnessed(env_file: str | None, heads_file: str) -> Step:
    try:
        with client_of(env_file) as client:
            client.test_connection()
            return Step("audit", "ok", heads.witnessed(client, heads_file))
    except AuthorizationError as error:
        return Step("audit", "failed", error.happened, error.next_step, error.reason_code)
    except BadHeads as error:
        return Step("audit", "failed", str(error), "", "bad_heads")
