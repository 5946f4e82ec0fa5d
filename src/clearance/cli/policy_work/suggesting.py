"""``clearance policy suggest``: rules from what people decided, printed and never applied."""

from __future__ import annotations

import click

from clearance.center import policy as policies
from clearance.center import recorded
from clearance.center.moves import SECOND
from clearance.center.policy.suggesting import LEAST, Suggesting, yaml_of
from clearance.center.store.base import Use
from clearance.cli.common import DATABASE, opened, plain_errors
from clearance.cli.light import lifetime


@click.command("suggest")
@DATABASE
@click.option("--since", callback=lifetime, default="30d", show_default=True, help="How far to look back: 30d, 12h.")
@click.option(
    "--least", type=click.IntRange(2), default=LEAST, show_default=True, help="How often people must have cleared it."
)
@plain_errors
def suggest_policy(database: str, since: float, least: int) -> None:
    """Print rules for what people always cleared, as YAML. Nothing is applied: read them, and take what you mean."""
    suggesting = Suggesting(least)
    with opened(database, Use.READ) as center:
        for record in recorded.since(center, center.desk.now() - round(since * SECOND)):
            suggesting.add(record)
    text = yaml_of(suggesting.suggestions())
    policies.parse(text, "yaml", "the suggestions")
    click.echo("# Same key, agent, action, tool, resource and parameters; numbers within what was cleared.")
    click.echo("# A call with more parameters than these would fit, too, and the context is not looked at.")
    for why, number in suggesting.spoilt().most_common():
        click.echo(f"# No rule for {number} kinds of calls: {why}.")
    click.echo(text, nl=False)
