"""Paths into what is shown of an action, such as ``order.lines[0].sku``, and what lies there."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final, TypeAlias

Steps: TypeAlias = "tuple[str | int, ...]"


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""What is found where nothing is."""

_STEP = re.compile(r"""\.?([^.\[\]"]+)|\[(\d{1,6})\]|\.?\["((?:[^"\\]|\\.)*)"\]""")


def parse(path: str) -> Steps | None:
    """The steps of a path; None if it is none.

    Names stand between dots, items of lists in brackets, names with dots or brackets in brackets and quotes.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (at == 0 and path[0] == "."):
            return None
        name, index, quoted = match.groups()
        steps.append(int(index) if index is not None else re.sub(r"\\(.)", r"\1", quoted) if name is None else name)
        at = match.end()
    return tuple(steps) or None


def spelled(steps: Steps) -> str:
    """The path as a submit spells it, where it says what is hidden or cut."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def find(tree: Any, steps: Steps) -> Any:
    """What lies at the end of the path, or `MISSING`."""
    for step in steps:
        if isinstance(step, int):
            tree = tree[step] if isinstance(tree, list) and step < len(tree) else MISSING
        else:
            tree = tree.get(step, MISSING) if isinstance(tree, dict) else MISSING
    return tree
