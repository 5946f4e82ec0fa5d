"""The text of a file about policies, and the document that it holds."""

from __future__ import annotations

from pathlib import Path

from clearance.center.policy import tomlfile, yamlfile
from clearance.center.policy.document import Node, NotReadable, PolicyError, Problems

LARGEST_FILE = 16 * 1024 * 1024
"""Bytes."""


def text_of(path: Path) -> str:
    """What a file holds.

    Raises:
        PolicyError: it cannot be read, is too large, or is no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(data) > LARGEST_FILE:
        raise PolicyError(f"{path}: has {len(data):,} bytes; {LARGEST_FILE:,} is the most.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{path}:{line}:1: is not UTF-8 text. Save it as UTF-8.") from None


def document_of(text: str, format: str, problems: Problems) -> Node:
    """The document that a text in YAML or TOML is.

    Raises:
        PolicyError: it is none.
    """
    try:
        return tomlfile.read(text) if format == "toml" else yamlfile.read(text)
    except NotReadable as error:
        problems.add(error.place, error.sentence)
        raise problems.error() from None
