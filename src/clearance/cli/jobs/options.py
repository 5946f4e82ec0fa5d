"""The options of `clearance run`, and how each is read."""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from clearance.cli.jobs.job import OWN
from clearance.cli.light import ENV_FILE, lifetime

NOT_ASKED = 125
LONGEST_KEEP = 14 * 24 * 3600.0
"""Seconds for which a request can be kept, and an approval of it."""
_LOCK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Misused(click.UsageError):
    """Called wrongly it ends like all that could not ask: 2 may be the exit code of the command."""

    exit_code = NOT_ASKED


class RunCommand(click.Command):
    """Ends with `NOT_ASKED` for its own usage errors, and for faults of its own."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """See click."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise Misused(error.format_message(), error.ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is not how the command ended
            traceback.print_exc()
            sys.exit(NOT_ASKED)


def _pairs(_ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in given:
        name, there, value = pair.partition("=")
        if not name or not there:  # the value may be a secret that was put in the wrong place
            raise click.BadParameter(f"{param.opts[0]} takes NAME=VALUE.")
        found[name] = value
    return found


def _values(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, object]:
    """Pairs whose values are JSON where they can be, and texts otherwise."""
    found: dict[str, object] = {}
    for name, text in _pairs(ctx, param, given).items():
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _wait(ctx: click.Context, param: click.Parameter, value: str) -> float | None:
    seconds = re.fullmatch(r"([1-9][0-9]{0,6})s", value.strip().lower())
    return float(seconds[1]) if seconds else lifetime(ctx, param, value)


def _keep(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    seconds = lifetime(ctx, param, value)
    if seconds is not None and seconds > LONGEST_KEEP:
        raise click.BadParameter("A request can be kept for 14 days at most.")
    return seconds


def _parameters(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, object]:
    found = _values(ctx, param, given)
    if taken := OWN & found.keys():
        raise click.BadParameter(f"{', '.join(sorted(taken))}: that is shown of every command already.")
    return found


def _lock_name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _LOCK_NAME.fullmatch(value):
        raise click.BadParameter("A lock's name has letters, digits, '.', '_' and '-'.")
    return value


_OPTIONS = (
    click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARGUMENT]..."),
    click.option("--action-type", required=True, help="What kind of thing is done, such as db.backup."),
    click.option("--tool-name", help="What it is done with; default: the name of the command."),
    click.option("--description", help="The sentence an approver reads; default: the command line."),
    click.option("--reason", help="Why it is to be done; the approver sees it as the requester's own words."),
    click.option("--resource", help="What it is done to."),
    click.option("--agent", help="Who acts; default: clearance-run."),
    click.option(
        "--parameter",
        "parameters",
        multiple=True,
        callback=_parameters,
        metavar="NAME=VALUE",
        help="What else is shown and cleared; the value is JSON where it can be.",
    ),
    click.option(
        "--context",
        multiple=True,
        callback=_values,
        metavar="NAME=VALUE",
        help="What else an approver should know.",
    ),
    click.option(
        "--risk",
        multiple=True,
        callback=_values,
        metavar="NAME=VALUE",
        help="What you know of the risk; it can only raise it.",
    ),
    click.option(
        "--redact", multiple=True, metavar="OPTION", help="Hide the value of this option of the command, such as -p."
    ),
    click.option(
        "--file",
        "files",
        multiple=True,
        metavar="FILE",
        help="Clear the contents of this file, too, such as the script that an interpreter runs.",
    ),
    click.option(
        "--directory", type=click.Path(exists=True, file_okay=False), help="Run it there; default: where you are."
    ),
    click.option(
        "--env",
        "given",
        multiple=True,
        callback=_pairs,
        metavar="NAME=VALUE",
        help="Set this variable for the command.",
    ),
    click.option("--unset", multiple=True, metavar="NAME", help="Do not let the command have this variable."),
    click.option("--pass-env", multiple=True, metavar="NAME", help="Let it inherit this variable, and no others."),
    click.option("--wait", callback=_wait, default="15m", show_default=True, help="How long to wait: 90s, 30m, 2h."),
    click.option(
        "--keep",
        callback=_keep,
        help="Leave the request standing for this long; the same command run again joins it.",
    ),
    click.option("--lock", callback=_lock_name, metavar="NAME", help="The lock's name; default: made of the command."),
    click.option("--no-lock", is_flag=True, help="Let several run at once; none of them joins another's request."),
    click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="The folder of the locks."),
    click.option("--quiet", is_flag=True, help="Say nothing unless it is not run."),
    ENV_FILE,
)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with all that it can be told."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
