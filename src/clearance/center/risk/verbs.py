"""What kind of deed an action type names: read from its words, the most harmful one first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from clearance.center.risk.wording import LONGEST_NAME, quoted

_PLAIN = re.compile(r"[a-z]+")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of deed: what it does, its points, and the words of an action type that mark it."""

    name: str
    points: int
    words: tuple[str, ...]


DESTROYS, RUNS_CODE, GIVES_ACCESS = "destroys", "runs code", "gives access"
CHANGES_SYSTEMS, MOVES_MONEY, WRITES, READS = "changes systems", "moves money", "writes or sends", "reads"


def _kind(name: str, points: int, words: str) -> Kind:
    return Kind(name, points, tuple(words.split()))


KINDS = (
    _kind(DESTROYS, 80, "delete destroy drop erase purge remove terminate truncate wipe"),
    _kind(RUNS_CODE, 55, "eval exec execute run shell"),
    _kind(GIVES_ACCESS, 55, "grant impersonate"),
    _kind(CHANGES_SYSTEMS, 55, "deploy install migrate restart rotate shutdown uninstall upgrade"),
    _kind(MOVES_MONEY, 50, "charge pay payment payout purchase refund transfer wire withdraw"),
    _kind(WRITES, 35, "create edit email insert message post publish send update write"),
    _kind(READS, 5, "check count describe fetch find get list lookup read search show view"),
)
"""The kinds there are unless the policy says otherwise."""


def reader(kinds: Iterable[Kind]) -> Callable[[str], tuple[Kind, str] | None]:
    """A function that finds the kind of an action type, and the word that says so; None if no word is known."""
    by_word: dict[str, Kind] = {}
    for kind in kinds:
        for word in kind.words:
            known = by_word.get(word)
            if known is None or known.points < kind.points:
                by_word[word] = kind

    def read(action_type: str) -> tuple[Kind, str] | None:
        found: tuple[Kind, str] | None = None
        for word in _words_of(action_type[:LONGEST_NAME]):
            kind = by_word.get(word)
            if kind is not None and (found is None or found[0].points <= kind.points):
                found = kind, word
        return found

    return read


def describe(action_type: str, found: tuple[Kind, str] | None, unknown: int) -> tuple[int, str]:
    """The points of an action type, and why. What is too long to be read counts as unknown, at least."""
    if found is None:
        return unknown, f"{quoted(action_type)} is of no known kind"
    kind, word = found
    if len(action_type) > LONGEST_NAME and kind.points < unknown:
        return unknown, f"{quoted(action_type)} is too long to be read"
    return kind.points, f"{word!r} {kind.name}"


def _words_of(text: str) -> Iterator[str]:
    """The words of a name, however it is written: ``order.delete``, ``order_delete``, ``deleteOrder``."""
    lowered = text.lower()
    yield from _PLAIN.findall(lowered)
    if lowered != text:
        yield from (word.lower() for word in _CAMEL.findall(text))
