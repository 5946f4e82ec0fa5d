"""Options and arguments that these commands share."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(dir_okay=False, path_type=Path)
POLICY = click.argument("file", type=FILE, metavar="FILE")
