"""The page's own style sheet, script and picture: read once, each with the one right type."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = {
    "inbox.css": "text/css; charset=utf-8",
    "inbox.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file."""

    data: bytes
    media_type: str
    digest: str


@cache
def all_files() -> Mapping[str, StaticFile]:
    """Every file there is, by name."""
    return {name: _read(name, media_type) for name, media_type in _TYPES.items()}


def _read(name: str, media_type: str) -> StaticFile:
    data = files("clearance.center.inbox").joinpath("static", name).read_bytes()
    return StaticFile(data, media_type, hashlib.sha256(data).hexdigest()[:12])


def address(name: str) -> str:
    """Where a page finds the file; a changed file has another address, so none is kept for too long."""
    return f"/static/{name}?v={all_files()[name].digest}"
