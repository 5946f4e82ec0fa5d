"""The command group, with the one command that needs nothing of its own: ``demo``."""

from __future__ import annotations

import click

from clearance._version import __version__
from clearance.cli import (
    auditing,
    breaking,
    checking_up,
    deciding,
    guarding,
    keeping,
    keys,
    policies,
    receipting,
    running,
    serving,
    standing,
    stopping,
)
from clearance.cli.common import plain_errors
from clearance.cli.demo import run_demo
from clearance.cli.demo.approver import BadScript, answers_from
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
    checking_up.check,
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
