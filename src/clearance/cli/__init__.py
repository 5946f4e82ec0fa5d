"""The ``clearance`` command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def main() -> None:
    """Run the command line; what it needs comes with the ``center`` extra, but for ``check``."""
    try:
        command, name, arguments = _command(sys.argv[1:])
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("clearance"):
            raise
        if sys.argv[1:2] == ["check"] and "--heads" not in sys.argv:  # what tells why a program does not connect
            from clearance.cli.bare import check

            sys.exit(check(sys.argv[2:]))
        sys.exit(f"The clearance command needs {missing.name!r}: pip install 'clearance[center]'")
    command(arguments, prog_name=name)


def _command(arguments: list[str]) -> tuple[click.Command, str, list[str]]:
    """What is called. ``run`` is started often, by cron, and needs nothing of a Center: none is loaded for it."""
    if arguments[:1] == ["run"]:
        from clearance.cli.running import run

        return run, "clearance run", arguments[1:]
    from clearance.cli.commands import cli

    return cli, "clearance", arguments
