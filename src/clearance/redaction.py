"""What an approver may see of an argument: how the hidden and the long are spelled."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Collection
from dataclasses import dataclass, field

from clearance.secret_names import is_secret_name

REDACTED = "[redacted]"
"""Stands in the view for a value that must not be seen. The digest still covers the value, keyed."""

_BOUNDARY = re.compile(r"[.\[{ ]")
"""What comes between a place and what lies within it."""

SHOWN_BYTES = 3_000
"""The most bytes that are shown; of more this many are shown, and said so."""

SHOWN_CHARACTERS = 4_000
"""The longest text that is shown whole; of a longer one this many characters are shown, and said so."""


def without(text: str, spans: Collection[tuple[int, int]]) -> str:
    """The text with a mark in the place of each of the spans, which are sorted and do not overlap."""
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        pieces += (text[position:start], REDACTED)
        position = end
    return "".join((*pieces, text[position:]))


def above(path: str) -> tuple[str, ...]:
    """The path itself, and every place that it lies in."""
    return (path, *(path[: found.start()] for found in _BOUNDARY.finditer(path)))


def touches(path: str, others: Collection[str]) -> bool:
    """Is one of the others the same place as ``path``, one above it, or one within it?"""
    over = above(path)
    return any(other in over or path in above(other) for other in others)


@dataclass(slots=True)
class View:
    """Collects, while the arguments are walked, what an approver will not see or will see in part.

    ``named`` are the names that the author of the guard declared secret, on top of the usual ones.
    """

    named: Collection[str] = ()
    redacted: list[str] = field(default_factory=list)
    abridged: dict[str, tuple[int, int]] = field(default_factory=dict)

    def hides(self, name: str) -> bool:
        """Must the value under this name stay hidden?"""
        return name in self.named or is_secret_name(name)

    def hide(self, path: str) -> str:
        """Note that ``path`` is hidden; returns what is shown instead."""
        self.redacted.append(path)
        return REDACTED

    def masked(self, text: str, spans: Collection[tuple[int, int]], path: str) -> str:
        """The text as shown, with a mark in the place of each credential in it."""
        self.redacted.append(path)
        return self.text(without(text, spans), path)

    def binary(self, data: bytes, path: str) -> str:
        """The beginning of the bytes, as Base64, with a note of how much there is."""
        if len(data) <= SHOWN_BYTES:
            return "base64:" + b2a_base64(data, newline=False).decode()
        self.abridged[path] = (SHOWN_BYTES, len(data))
        shown = b2a_base64(data[:SHOWN_BYTES], newline=False).decode()
        return f"base64:{shown}… [{SHOWN_BYTES:,} of {len(data):,} bytes shown]"

    def text(self, text: str, path: str) -> str:
        """The text as shown: whole, or its beginning with a note of how much there is."""
        if len(text) <= SHOWN_CHARACTERS:
            return text
        self.abridged[path] = (SHOWN_CHARACTERS, len(text))
        return f"{text[:SHOWN_CHARACTERS]}… [{SHOWN_CHARACTERS:,} of {len(text):,} characters shown]"
