"""What the commands share: their options, and errors as plain sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

from clearance.center.faults import DatabaseRefused, DeskError, StoreUnavailable
from clearance.center.policy import PolicyError
from clearance.center.server import CannotServe
from clearance.center.service import Center
from clearance.center.signing import CannotSign
from clearance.center.store.base import Use
from clearance.center.store.databases import is_url
from clearance.cli.heads import BadHeads
from clearance.client import Client
from clearance.errors import AuthorizationError
from clearance.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class DatabaseAddress(click.Path):
    """The path of a SQLite file, or the URL of a database on a server."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click; a URL is left as it is."""
        return value if is_url(value) else super().convert(value, param, ctx)


DATABASE = click.option(
    "--database", required=True, type=DatabaseAddress(exists=True), help="The Center's SQLite file, or postgresql://..."
)
SIGNING_KEY = click.option(
    "--signing-key",
    type=click.Path(dir_okay=False),
    help="The file with the key that signs receipts; made if missing. Default: the database's name and .key.",
)
NEW_DATABASE = click.option(
    "--database", required=True, type=DatabaseAddress(), help="The Center's SQLite file, or postgresql://..."
)


@contextmanager
def opened(database: str, use: Use, policy: str | None = None, **options: Any) -> Iterator[Center]:
    """The Center on this database, for one command; ``options`` are those of `Center.open`."""
    center = Center.open(database, policy, use=use, **options)
    try:
        yield center
    finally:
        center.close()


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the library's errors into a sentence on standard error and exit code 1."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AuthorizationError as error:
            raise click.ClickException(f"{error.happened} {error.next_step}".strip()) from None
        except (DatabaseRefused, DeskError, StoreUnavailable, PolicyError, CannotServe, CannotSign, BadHeads) as error:
            raise click.ClickException(str(error)) from None

    return wrapped


def client_of(env_file: str | None) -> Client:
    """A client for the Center that the settings name; an env file that is given wins over the environment."""
    return Client(Settings.load({}, env_file) if env_file else Settings.load())


def say(value: Any, text: str, *, as_json: bool) -> None:
    """Print either form."""
    click.echo(json.dumps(value, indent=2) if as_json else text)
