"""What a policy file says, with the place of every word of it, and the list of what is wrong there."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias


class Place(NamedTuple):
    """Where something stands in a file: line and column, from 1."""

    line: int
    column: int


Scalar: TypeAlias = bool | int | float | str | None
Content: TypeAlias = "Scalar | list[Node] | dict[str, Node]"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a file. ``keys`` are the places of the keys, if it is a table."""

    value: Content
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)


class PolicyError(ValueError):
    """The policy file cannot be used; the message says where, and what to write. One line for each problem."""


class NotReadable(Exception):
    """The text is not of its format; ``place`` is where that shows."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place
        self.sentence = sentence


class Problems:
    """Collects what is wrong with a file, so that its author reads all of it at once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[tuple[Place, str]] = []

    def add(self, place: Place, sentence: str) -> None:
        """Note a problem: a sentence that says what to write instead."""
        self._found.append((place, sentence))

    def extend(self, others: Problems) -> None:
        """Note those of others, too."""
        self._found.extend(others._found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def error(self) -> PolicyError:
        """All of them, in the order of the file."""
        lines = [f"{self.file}:{place.line}:{place.column}: {sentence}" for place, sentence in sorted(self._found)]
        return PolicyError("\n".join(dict.fromkeys(lines)))


def nearest(word: str, known: Collection[str], what: str = "known here") -> str:
    """The end of a sentence about a wrong word: the nearest right one, or all of them if none is near."""
    close = difflib.get_close_matches(word, known, 1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"{what}: {', '.join(sorted(known))}."


class Reader:
    """Takes the values out of a document, and notes what is not as it should be.

    Each method returns None, or what is empty, where there was something to note.
    """

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def table(self, node: Node, what: str, known: Collection[str] | None = None) -> dict[str, Node]:
        """The entries of a table; a key that is not ``known`` is a problem, and left out."""
        if not isinstance(node.value, dict):
            hint = (
                f" Its keys are: {', '.join(sorted(known))}."
                if known
                else ' In YAML, write "key: value"; in TOML, { key = value }.'
            )
            self.problems.add(node.place, f"{what} must be a table of keys and values.{hint}")
            return {}
        if known is None:
            return node.value
        for key in node.value:
            if key not in known:
                self.problems.add(node.keys[key], f"unknown key {key!r} in {what}; {nearest(key, known)}")
        return {key: value for key, value in node.value.items() if key in known}

    def items(self, node: Node, what: str) -> list[Node]:
        """The items of a list that holds something."""
        if not isinstance(node.value, list) or not node.value:
            hint = ""
            if isinstance(node.value, dict):
                hint = ' In YAML, begin each item with "- "; in TOML, each table with [[...]].'
            elif isinstance(node.value, (bool, int, float, str)):
                hint = " Put it in brackets: [...]."
            self.problems.add(node.place, f"{what} must be a list with something in it.{hint}")
            return []
        return node.value

    def text(self, node: Node, what: str, *, longest: int = 2_000) -> str | None:
        """A text that is not empty."""
        if not isinstance(node.value, str) or not node.value.strip():
            hint = " Put it in quotes." if isinstance(node.value, (bool, int, float)) else " Write one, in quotes."
            self.problems.add(node.place, f"{what} must be a text.{hint}")
            return None
        if len(node.value) > longest:
            self.problems.add(node.place, f"{what} has {len(node.value):,} characters; {longest:,} is the most.")
            return None
        return node.value

    def whole(self, node: Node, what: str, low: int, high: int) -> int | None:
        """A whole number."""
        if type(node.value) is not int or not low <= node.value <= high:
            self.problems.add(node.place, f"{what} must be a whole number from {low:,} to {high:,}.")
            return None
        return node.value

    def choice(self, node: Node, what: str, known: Collection[str]) -> str | None:
        """One of some words."""
        if isinstance(node.value, str) and node.value in known:
            return node.value
        words = ", ".join(f'"{word}"' for word in known)
        close = difflib.get_close_matches(node.value, known, 1) if isinstance(node.value, str) else []
        hint = f' Did you mean "{close[0]}"?' if close else ""
        self.problems.add(node.place, f"{what} must be one of {words}.{hint}")
        return None

    def names(
        self, node: Node, what: str, must: str = 'must name somebody: a list such as ["carol", "dave"].'
    ) -> tuple[str, ...]:
        """A list of names, or one name, none of them twice. ``must`` is said where there are none."""
        if isinstance(node.value, str) and node.value.strip():
            return (node.value,)
        if not isinstance(node.value, list) or not node.value:
            self.problems.add(node.place, f"{what} {must}")
            return ()
        found: list[str] = []
        for each in node.value:
            if not isinstance(each.value, str) or not each.value.strip():
                self.problems.add(each.place, f"{what} must hold names, each a text in quotes.")
            elif each.value in found:
                self.problems.add(each.place, f"{what} names {each.value!r} twice. Keep one of them.")
            else:
                found.append(each.value)
        return tuple(found)
