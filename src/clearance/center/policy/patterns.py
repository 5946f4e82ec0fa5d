"""Globs and regular expressions, with a bound on what they may take, whatever the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import re2

LONGEST_PATTERN = 500
"""Characters of a pattern."""
LONGEST_TEXT = 4_096
"""Bytes of a text that is held against a pattern; of a longer one nobody can say whether it fits."""
LARGEST_PROGRAM = 200
"""Steps of the automaton that a pattern becomes; what it may take grows with this and with the text."""

_WILD = re.compile(r"[*?\[]")


class BadPattern(ValueError):
    """The pattern cannot be used; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. ``size`` is that of its automaton; 0 for one without wildcards."""

    fits: Callable[[str], bool]
    size: int = 0


def is_plain(glob: str) -> bool:
    """Does the glob fit only itself?"""
    return _WILD.search(glob) is None


def glob(text: str) -> Pattern:
    """A shell-style pattern, for a whole text; case matters.

    ``*`` stands for any text, ``?`` for a character, ``[ab]`` for one of these.

    Raises:
        BadPattern: it is too long or too large.
    """
    if len(text) > LONGEST_PATTERN:
        raise BadPattern(f"this pattern has {len(text):,} characters; {LONGEST_PATTERN} is the most")
    if is_plain(text):
        return Pattern(text.__eq__)
    body = text.strip("*")
    if is_plain(body) and len(text) - len(body) <= 2:
        begins, ends = not text.startswith("*"), not text.endswith("*")
        if begins:
            return Pattern(lambda value: value.startswith(body), 1)
        if ends:
            return Pattern(lambda value: value.endswith(body), 1)
        return Pattern(lambda value: body in value, 1)
    return _compiled(rf"(?s)\A(?:{_as_regex(text)})\z")


def regex(text: str) -> Pattern:
    """A regular expression (the syntax of RE2), for any part of a text.

    Raises:
        BadPattern: it is none, too long or too large.
    """
    if len(text) > LONGEST_PATTERN:
        raise BadPattern(f"this pattern has {len(text):,} characters; {LONGEST_PATTERN} is the most")
    return _compiled(text)


def _compiled(pattern: str) -> Pattern:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        compiled = re2.compile(pattern.encode(), options=options)
    except re2.error as error:
        what = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        raise BadPattern(
            f"this is no regular expression of RE2 ({what}); close each bracket; no lookaround, no backreference"
        ) from None
    except UnicodeEncodeError:
        raise BadPattern("this pattern holds half a character") from None
    size: int = max(compiled.programsize, compiled.reverseprogramsize)
    if size > LARGEST_PROGRAM:
        raise BadPattern(f"this pattern becomes {size} steps; {LARGEST_PROGRAM} is the most: shorten its repetitions")
    search = compiled.search

    def fits(value: str) -> bool:
        return search(value.encode()) is not None

    return Pattern(fits, size)


def _as_regex(text: str) -> str:
    """A glob as a regular expression, read as `fnmatch` reads it."""
    pieces: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "*":
            if pieces[-1:] != [".*"]:
                pieces.append(".*")
        elif character == "?":
            pieces.append(".")
        elif character == "[" and (end := _end_of_set(text, at)) > 0:
            pieces.append(_set(text[at:end]))
            at = end + 1
        else:
            pieces.append(re2.escape(character))
    return "".join(pieces)


def _end_of_set(text: str, at: int) -> int:
    """Where the set that begins at ``at`` closes; -1 if it does not, and the bracket is only a bracket."""
    if text.startswith("!", at):
        at += 1
    return text.find("]", at + 1 if text.startswith("]", at) else at)


def _set(inside: str) -> str:
    """The characters of a set. A range that runs backwards holds nothing."""
    negated = inside.startswith("!")
    inside = inside.removeprefix("!")
    pieces: list[str] = []
    at = 0
    while at < len(inside):
        low = high = inside[at]
        if at + 2 < len(inside) and inside[at + 1] == "-":
            high = inside[at + 2]
            at += 2
        at += 1
        if low <= high:
            pieces.append(rf"\x{{{ord(low):x}}}-\x{{{ord(high):x}}}")
    if not pieces:
        return "." if negated else r"[^\x00-\x{10FFFF}]"
    return f"[{'^' if negated else ''}{''.join(pieces)}]"
