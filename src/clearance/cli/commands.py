"""The command group, with the two commands that need nothing of their own: ``check`` and ``demo``."""

from __future__ import annotations

import click

from clearance._version import __version__
from clearance.cli import (
    auditing,
    breaking,
    deciding,
    guarding,
    heads,
    keeping,
    keys,
    policies,
    receipting,
    running,
    serving,
    standing,
    stopping,
)
from clearance.cli.common import client_of, plain_errors
from clearance.cli.demo import run_demo
from clearance.cli.demo.approver import BadScript, answers_from
from clearance.cli.light import ENV_FILE
from clearance.cli.policy_work import checking, comparing, explaining, schema, simulating, starting, suggesting, testing


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clearance")
def cli() -> None:
    """Hold risky code until someone, or some policy, has cleared exactly that call."""


COMMANDS = (
    deciding.pending,
    deciding.approve,
    deciding.deny,
    deciding.revoke,
    deciding.resolve,
    standing.standing,
    stopping.kill,
    breaking.break_glass,
    guarding.guards,
    running.run,
    serving.serve_center,
    keys.keys,
    policies.policy,
    auditing.audit,
    receipting.receipt,
)
for _command in COMMANDS:
    cli.add_command(_command)
for _command in (
    starting.init_policy,
    checking.check_policy,
    testing.test_policy,
    explaining.explain_policy,
    simulating.simulate_policy,
    comparing.diff_policies,
    suggesting.suggest_policy,
    schema.policy_schema,
):
    policies.policy.add_command(_command)
for _command in (keeping.backup, keeping.restore, keeping.export):
    serving.serve_center.add_command(_command)


@cli.command()
@ENV_FILE
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(dir_okay=False),
    help="Have the Center prove that its audit trail continues every head in this file, then add the newest.",
)
@plain_errors
def check(env_file: str | None, heads_file: str | None) -> None:
    """Test the way to the Center: the settings, the connection, the key; and, with --heads, its audit trail."""
    with client_of(env_file) as client:
        click.echo(f"Center: {client.settings.api_url}")
        found = client.test_connection()
        click.echo(f"Connected: version {found.get('version', '?')}, role {found.get('role', '?')}.")
        if heads_file is not None:
            click.echo(heads.witnessed(client, heads_file))


@cli.command()
@click.option("--approve-all", "approver", flag_value="approve", help="Clear everything that is held.")
@click.option("--deny-all", "approver", flag_value="deny", help="Refuse everything that is held.")
@click.option(
    "--script",
    is_flag=False,
    flag_value="",
    help="Answer from a file with lines such as 'approve payment.refund' and 'deny db.migrate not tonight'; "
    "without a file, a built-in script.",
)
@click.option("--wait", type=click.FloatRange(min=0.1), help="Seconds to wait for each answer.")
@click.option(
    "--directory", type=click.Path(file_okay=False), help="Where the demo keeps its files; default: a new one."
)
@plain_errors
def demo(approver: str | None, script: str | None, wait: float | None, directory: str | None) -> None:
    """A small agent at work in a shop, with every risky call held for you."""
    if approver and script is not None:
        raise click.UsageError("Choose one of --approve-all, --deny-all and --script.")
    try:
        answers = answers_from(approver, script)
    except BadScript as error:
        raise click.ClickException(str(error)) from None
    run_demo(answers, wait, directory)
