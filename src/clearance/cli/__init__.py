"""The ``clearance`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; what it needs comes with the ``center`` extra, but for ``check``."""
    try:
        from clearance.cli.commands import cli
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("clearance"):
            raise
        if sys.argv[1:2] == ["check"] and "--heads" not in sys.argv:  # what tells why a program does not connect
            from clearance.cli.bare import check

            sys.exit(check(sys.argv[2:]))
        sys.exit(f"The clearance command needs {missing.name!r}: pip install 'clearance[center]'")
    cli(prog_name="clearance")
