"""``clearance guards``: which callables of some modules are guarded, and whether any gate has gone."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from clearance import registry
from clearance.cli.common import AS_JSON, plain_errors, say
from clearance.registry import GuardRecord


@click.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option(
    "--check",
    "kept",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare with this snapshot; exit code 1 if a gate has gone, or is another.",
)
@click.option(
    "--write", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write the snapshot to commit."
)
@AS_JSON
@plain_errors
def guards(modules: tuple[str, ...], kept: Path | None, write: Path | None, *, as_json: bool) -> None:
    """List the guarded callables of MODULE... (imported from the current directory or the environment)."""
    if kept and write:
        raise click.UsageError("Choose one of --check and --write.")
    for module in modules:
        _load(module)
    found = registry.guards(modules)
    if kept:
        _compare(read_snapshot(kept), found, as_json=as_json)
    elif write:
        write.write_text(json.dumps(registry.snapshot_of(found), indent=2, sort_keys=True) + "\n")
        click.echo(f"{len(found)} guarded callables written to {write}.")
    else:
        say(registry.snapshot_of(found), "\n".join(_lines(found)) or "Nothing is guarded there.", as_json=as_json)


def _load(name: str) -> None:
    """Import a module, and everything in it if it is a package."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(name)
        for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}.", onerror=_failed):
            if not inner.name.endswith(".__main__"):
                importlib.import_module(inner.name)
    except Exception as error:  # noqa: BLE001 - whatever a module does when it is imported
        raise click.ClickException(
            f"{name} cannot be imported ({type(error).__name__}: {error}), so its guards cannot be told."
        ) from None


def _failed(name: str) -> None:
    raise ImportError(f"{name} failed to load")


def read_snapshot(path: Path) -> dict[str, dict[str, Any]]:
    """What a snapshot of guards says."""
    try:
        document = json.loads(path.read_text())
    except ValueError:
        document = None
    if not isinstance(document, dict) or not all(isinstance(record, dict) for record in document.values()):
        raise click.ClickException(f"{path} is no snapshot of guards. Write one with --write.")
    return document


def _compare(kept: dict[str, dict[str, Any]], found: list[GuardRecord], *, as_json: bool) -> None:
    worse, new = registry.compare(kept, found)
    text = [f"FAILED: {sentence}" for sentence in worse] + [
        f"note: {sentence}; commit it with --write" for sentence in new
    ]
    say({"worse": worse, "new": new}, "\n".join(text) or f"All {len(kept)} gates stand.", as_json=as_json)
    if worse:
        sys.exit(1)


def _lines(records: Iterable[GuardRecord]) -> list[str]:
    return [
        f"{record.name}  {record.kind}  {record.action_type} ({record.tool_name})"
        + ("  only when its when= says so" if record.conditional else "")
        + (f"  an approver may change {', '.join(record.editable)}" if record.editable else "")
        for record in records
    ]
