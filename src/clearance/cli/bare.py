"""``clearance check`` where the `center` extra, and with it the command line's own library, is not installed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from clearance.center.visible import plain
from clearance.checkup import Checkup, summary


def check(arguments: Sequence[str]) -> int:
    """As ``clearance check``, without ``--heads``; returns the exit code."""
    parser = argparse.ArgumentParser(prog="clearance check", description="Test the way to the Center step by step.")
    parser.add_argument("--env-file", help="Read OWKAI_* from this file instead of the environment.")
    parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")
    options = parser.parse_args(arguments)
    if options.env_file and not Path(options.env_file).is_file():
        parser.error(f"{options.env_file!r} is no file")
    checkup, steps = Checkup({}, options.env_file) if options.env_file else Checkup(), []
    for step in checkup.steps():
        steps.append(step)
        if not options.as_json:
            print(plain(str(step)), file=sys.stderr if step.result == "failed" else sys.stdout)
    told = summary(steps)
    if options.as_json:
        print(json.dumps(told, indent=2))
    return 0 if told["ok"] else 1
