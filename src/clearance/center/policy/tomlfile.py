"""TOML, with the places of its keys and values, which `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from clearance.center.policy.document import Node, NotReadable, Place

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_WORD = re.compile(r"[^\s,\]}#=.]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_ADVICE = {
    "Invalid value": "put texts in quotes, and write true or false for yes or no",
    "Illegal character '\\n'": "close the quotation mark",
    "Unclosed array": "close it with ]",
    "Expected '=' after a key": "write key = value",
    "Expected newline or end of document": "write one entry in a line, and numbers without a leading 0",
    "Unescaped '\\' in a string": "put the text in single quotes",
}
"""What to write instead, by how the sentence of `tomllib` begins."""
_SAID_WHERE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)\s*$")

Path = tuple[str | int, ...]


def read(text: str) -> Node:
    """The document.

    Raises:
        NotReadable: it is not TOML.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(str(error), text) from None
    except RecursionError:
        raise NotReadable(Place(1, 1), "this is nested too deep; write it flatter.") from None
    found = _Finder(text)
    found.document()
    return _node(document, (), Place(1, 1), found)


def _unreadable(message: str, text: str) -> NotReadable:
    where = _SAID_WHERE.search(message)
    lines = text.split("\n")
    place = Place(len(lines), len(lines[-1]) + 1)
    if where and where[1]:
        place = Place(int(where[1]), int(where[2]))
    sentence = _SAID_WHERE.sub("", message).rstrip(".")
    if "overwrite" in sentence or "twice" in sentence or "Cannot declare" in sentence:
        sentence = "a key or table is here twice; keep one of them"
    advice = next((f"; {advice}" for found, advice in _ADVICE.items() if sentence.startswith(found)), "")
    return NotReadable(place, f"this is not TOML: {sentence}{advice}.")


def _node(value: Any, path: Path, place: Place, found: _Finder) -> Node:
    if isinstance(value, dict):
        keys = {key: found.keys.get((*path, key), place) for key in value}
        entries = {
            key: _node(each, (*path, key), found.values.get((*path, key), keys[key]), found)
            for key, each in value.items()
        }
        return Node(entries, place, keys)
    if isinstance(value, list):
        return Node(
            [
                _node(each, (*path, number), found.values.get((*path, number), place), found)
                for number, each in enumerate(value)
            ],
            place,
        )
    if isinstance(value, (str, int, float)):
        return Node(value, place)
    raise NotReadable(place, f'dates and times are not taken as they are; put it in quotes: "{value}".')


class _Finder:
    """Walks a text that is known to be TOML, and keeps where each key and value begins."""

    def __init__(self, text: str) -> None:
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._line = 0
        self._lengths: dict[Path, int] = {}

    def document(self) -> None:
        """Walk all of it."""
        here: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                here = self._header()
            else:
                self._pair(here)
            self._skip()

    def _skip(self) -> None:
        match = _BLANK.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _place(self) -> Place:
        while self._line + 1 < len(self._starts) and self._starts[self._line + 1] <= self._at:
            self._line += 1
        return Place(self._line + 1, self._at - self._starts[self._line] + 1)

    def _header(self) -> Path:
        place = self._place()
        is_list = self._text.startswith("[[", self._at)
        self._at += 2 if is_list else 1
        path = self._key(())
        self._at = self._text.index("]", self._at) + (2 if is_list else 1)
        if is_list:
            number = self._lengths.get(path, 0)
            self._lengths[path] = number + 1
            self.values.setdefault(path, place)
            path = (*path, number)
        self.values.setdefault(path, place)
        return path

    def _key(self, inside: Path) -> Path:
        """The path of a dotted key; every part of it is noted where it is first said."""
        path = inside
        while True:
            self._skip()
            place = self._place()
            match = _STRING.match(self._text, self._at) or _WORD.match(self._text, self._at)
            if match is None:  # pragma: no cover - tomllib has read it
                raise NotReadable(place, "this is not TOML: a key was expected.")
            word = match[0]
            self._at = match.end()
            name = tomllib.loads(f"x = {word}")["x"] if word[0] in "\"'" else word
            path = (*path, name)
            self.keys.setdefault(path, place)
            self._skip()
            if not self._text.startswith(".", self._at):
                return path
            self._at += 1
            # A table in a list is the last one so far.
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)

    def _pair(self, inside: Path) -> None:
        path = self._key(inside)
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        self.values[path] = self._place()
        opening = self._text[self._at]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline(path)
        else:
            match = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            self._at = match.end() if match else len(self._text)

    def _list(self, path: Path) -> None:
        self._at += 1
        self._skip()
        number = 0
        while not self._text.startswith("]", self._at):
            self._value((*path, number))
            number += 1
            self._comma()
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        self._skip()
        while not self._text.startswith("}", self._at):
            self._pair(path)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        self._skip()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip()
