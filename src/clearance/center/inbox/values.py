"""JSON values as an approver reads them: by type, nested ones laid out, long ones folded, nothing left out silently.

A string is told from the number or the word that it spells; what is hidden, or shown in part, says so.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from clearance.models import Json
from clearance.redaction import REDACTED

FOLD_CHARACTERS = 400
"""Text longer than this is folded: its beginning and its end are seen, the whole is one key away."""
FOLD_LINES = 8
FOLD_ITEMS = 12
"""Objects and lists with more than this are folded."""
BEGINNING = 140
END = 60


class Kind(StrEnum):
    """How a value is laid out."""

    TEXT = "text"
    NUMBER = "number"
    WORD = "word"
    HIDDEN = "hidden"
    OBJECT = "object"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Value:
    """A value, ready to be laid out.

    ``text`` is the value of a text, a number or a word; ``items`` are what an object or a list holds, each with
    its name or number. ``note`` says how much is shown, if not all.
    """

    kind: Kind
    text: str = ""
    items: tuple[tuple[str, Value], ...] = ()
    note: str = ""
    is_folded: bool = False

    @property
    def summary(self) -> str:
        """What a folded value says of its size."""
        if self.kind is Kind.TEXT:
            return f"{len(self.text):,} characters"
        return f"{len(self.items):,} {'names' if self.kind is Kind.OBJECT else 'items'}"

    @property
    def beginning(self) -> str:
        """What is seen of a folded text before the gap."""
        return self.text[:BEGINNING]

    @property
    def end(self) -> str:
        """What is seen of a folded text after the gap: padding must not hide what comes last."""
        return self.text[-END:]

    @property
    def groups(self) -> list[str]:
        """A whole number's digits in threes, so that a zero too many is seen; other numbers in one piece."""
        digits = self.text.lstrip("-")
        if self.kind is not Kind.NUMBER or not digits.isdigit() or len(digits) < 5:
            return [self.text]
        first = len(self.text) - 3 * ((len(digits) - 1) // 3)
        return [self.text[:first], *(self.text[at : at + 3] for at in range(first, len(self.text), 3))]


@dataclass(frozen=True, slots=True)
class Shown:
    """What was said of how the values are shown: hidden paths, and (shown, total) of those shown in part.

    ``is_bound`` says that a digest covers the hidden ones, and is compared before they are used.
    """

    redacted: Collection[str] = ()
    abridged: Mapping[str, tuple[int, int]] | None = None
    is_bound: bool = False

    def rows(self, values: Mapping[str, Json]) -> list[tuple[str, Value]]:
        """Each named value, in the order in which they were sent."""
        return [(name, self.value(value, name)) for name, value in values.items()]

    def value(self, value: Json, path: str) -> Value:
        """One value, at its path."""
        note = self._note(path, "items" if isinstance(value, (dict, list)) else "characters")
        match value:
            case str():
                return self._text(value, path, note)
            case bool() | None:
                return Value(Kind.WORD, json.dumps(value))
            case int() | float():
                return Value(Kind.NUMBER, json.dumps(value))
            case dict():
                items = tuple((name, self.value(item, f"{path}.{name}")) for name, item in value.items())
                return Value(Kind.OBJECT, "", items, note, len(items) > FOLD_ITEMS)
            case list():
                numbered = tuple((str(at), self.value(item, f"{path}[{at}]")) for at, item in enumerate(value))
                return Value(Kind.LIST, "", numbered, note, len(numbered) > FOLD_ITEMS)

    def _text(self, text: str, path: str, note: str) -> Value:
        if text == REDACTED and self._hides(path):
            return Value(Kind.HIDDEN, "a secret; the approval covers its exact value" if self.is_bound else "a secret")
        shown, total = (self.abridged or {}).get(path, (0, 0))
        if note:  # said in words of ours, beside the value, not in the middle of it
            text = text.removesuffix(f"… [{shown:,} of {total:,} characters shown]")
        is_long = len(text) > FOLD_CHARACTERS or text.count("\n") >= FOLD_LINES
        return Value(Kind.TEXT, text, (), note, is_long)

    def _hides(self, path: str) -> bool:
        # Under a key that is no string, or in a set, the path is spelled otherwise than the view is laid out.
        stem = path.partition("[")[0]
        return path in self.redacted or any(hidden.startswith((f"{stem}[", f"{stem}{{")) for hidden in self.redacted)

    def _note(self, path: str, unit: str) -> str:
        if not self.abridged or path not in self.abridged:
            return ""
        shown, total = self.abridged[path]
        return f"first {shown:,} of {total:,} {unit} shown; the rest was not sent"
