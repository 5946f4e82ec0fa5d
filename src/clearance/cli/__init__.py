"""The ``clearance`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; what it needs comes with the ``center`` extra."""
    try:
        from clearance.cli.commands import cli
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("clearance"):
            raise
        sys.exit(f"The clearance command needs {missing.name!r}: pip install 'clearance[center]'")
    cli(prog_name="clearance")
