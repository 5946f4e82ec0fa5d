"""Which words of a command line hold a secret."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import Enum, auto
from itertools import accumulate

from clearance import credentials
from clearance.secret_names import is_secret_name


class Word(Enum):
    """What is shown of one word."""

    SHOWN = auto()
    """All of it, but what looks like a credential in it, as of any text."""
    HIDDEN = auto()


def masked(argv: Sequence[str], named: Collection[str] = ()) -> Iterator[tuple[str, Word]]:
    """Each word of a command line, and what is shown of it.

    Hidden is the value of an option whose name is in ``named`` or usually is that of a secret, in the same word
    (``--token=...``) or in the next; and what the whole line gives away that a single word does not
    (``-u name:password``).
    """
    told = _told_by_the_line(argv)
    after_secret = False
    for index, word in enumerate(argv):
        option, equals, value = word.partition("=")
        names_secret = index > 0 and _names_secret(option, named)
        is_hidden = after_secret or (names_secret and bool(equals) and bool(value)) or index in told
        yield word, Word.HIDDEN if is_hidden or _is_attached(word, named) else Word.SHOWN
        after_secret = names_secret and not equals


def _names_secret(option: str, named: Collection[str]) -> bool:
    return option in named or (option.startswith("-") and is_secret_name(option.lstrip("-")))


def _is_attached(word: str, named: Collection[str]) -> bool:
    """``-phunter2``, where ``-p`` is named: the value of a short option may stand in its own word."""
    return any(len(name) == 2 and name[0] == "-" and word.startswith(name) and word != name for name in named)


def _told_by_the_line(argv: Sequence[str]) -> set[int]:
    """The words in which something is found only when they are read as one line."""
    line = " ".join(argv)
    ends = list(accumulate(len(word) + 1 for word in argv))
    found = set()
    for start, end in credentials.find(line):
        for index, word in enumerate(argv):
            begins = ends[index] - len(word) - 1
            if begins < end and start < ends[index] - 1 and not credentials.find(word):
                found.add(index)
    return found
