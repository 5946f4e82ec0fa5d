"""What a command needs that is to start quickly: nothing here loads a Center."""

from __future__ import annotations

import re

import click

ENV_FILE = click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False),
    help="Read OWKAI_* from this file instead of the environment.",
)


def lifetime(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Read a length of time such as ``90d``, ``12h`` or ``30m``; in seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,6})([mhdw])", value.strip().lower())
    if found is None:
        raise click.BadParameter(f"{value!r} is no length of time; write it as 90d, 12h or 30m.")
    return int(found[1]) * {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}[found[2]]
