"""``clearance policy schema``: what editors hold a policy file against while it is written."""

from __future__ import annotations

from importlib import resources

import click


@click.command("schema")
def policy_schema() -> None:
    """Print the JSON Schema of policy files, for editors; it knows less than `clearance policy check`."""
    schema = resources.files("clearance.center.policy").joinpath("policy.schema.json").read_text("utf-8")
    click.echo(schema, nl=False)
