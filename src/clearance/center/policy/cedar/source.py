"""The text of a Cedar file, taken apart into its policies, with the place of each; and where Cedar stumbles in one."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from clearance.center.policy.document import Place, Problems

DEEPEST = 30
"""Brackets within brackets, and ifs, of one policy; Cedar's parser may end the process on far more."""
_TOKEN = re.compile(
    r'(?P<skipped>\s+|//[^\n\r]*)|(?P<text>"(?:\\.|[^"\\])*")|(?P<open>")|\w+|::|&&|\|\||[=!<>]=|.', re.DOTALL
)
_UNFINISHED = "unexpected end of input"
_QUOTED = re.compile(r"`([^`]+)`|'([^']+)'|: @?(\w+)$")
_HINTS = (
    (_UNFINISHED, "This policy is not finished; each ends with a semicolon."),
    ("invalid policy effect", "A policy begins with permit or forbid."),
    ("invalid policy condition", "After the brackets come when { ... } or unless { ... }."),
    ("in the policy scope", "Write (principal, action, resource)."),
    ("expected an entity uid", 'Name one thing there, such as Action::"payment.refund"; for several, action in [...].'),
    ("'=' is not a valid operator", "To compare, write == with two signs."),
    ("unexpected token `and`", 'Write && for "and".'),
    ("unexpected token `or`", 'Write || for "or".'),
    ("unexpected token `not`", 'Write ! for "not".'),
    ("invalid token", "Texts stand in double quotes."),
)


class Token(NamedTuple):
    """A word or sign of the text, and where it begins."""

    said: str
    start: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One policy of the file. ``body`` is it without what stands above it; ``annotations`` are the places of that."""

    text: str
    body: str
    start: int
    place: Place
    tokens: tuple[Token, ...]
    annotations: dict[str, Place] = field(default_factory=dict)


class Source:
    """A Cedar text, with what is wrong with it before Cedar reads it."""

    def __init__(self, text: str, problems: Problems) -> None:
        self.text = text
        self._problems = problems
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, offset: int) -> Place:
        """Line and column of a character."""
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)

    def pieces(self) -> list[Piece]:
        """The policies, in order; a semicolon ends each."""
        found: list[Piece] = []
        tokens: list[Token] = []
        for token in self._tokens():
            tokens.append(token)
            if token.said == ";":
                found.append(self._piece(tokens))
                tokens = []
        if tokens:
            found.append(self._piece(tokens))
        return found

    def of(self, piece: Piece, word: str) -> Place:
        """Where a word stands first in a policy; where the policy begins, if it does not."""
        return next((self.place(token.start) for token in piece.tokens if token.said == word), piece.place)

    def stumble(self, piece: Piece, said: str, parse: Callable[[str], str | None]) -> None:
        """Note that Cedar cannot read a policy, and where.

        Cedar tells no place. But the beginning of a policy is only unfinished up to the word at which it goes wrong.

        Args:
            piece: the policy.
            said: what Cedar says of it.
            parse: what Cedar says of a text; None if it can read it.
        """
        low, high = 0, len(piece.tokens) - 1
        while low < high:
            middle = (low + high) // 2
            token = piece.tokens[middle]
            if parse(self.text[piece.start : token.start + len(token.said)]) == _UNFINISHED:
                low = middle + 1
            else:
                high = middle
        place = self.place(piece.tokens[low].start)
        if low == len(piece.tokens) - 1 and (quoted := _QUOTED.search(said)) is not None:
            # It can be read, but means nothing: the sentence names what is wrong.
            word = next(filter(None, quoted.groups()))
            place = piece.annotations.get(word) or self.of(piece, word)
        hint = next((hint for words, hint in _HINTS if words in said), "")
        self._problems.add(place, f"Cedar cannot read this: {said}.{' ' if hint else ''}{hint}")

    def is_too_deep(self, piece: Piece) -> bool:
        """Is the policy nested so deeply that Cedar is not given it? That is noted."""
        depth = deepest = 0
        for token in piece.tokens:
            depth += (token.said in ("(", "[", "{")) - (token.said in (")", "]", "}"))
            deepest = max(deepest, depth)
        if deepest + sum(token.said == "if" for token in piece.tokens) <= DEEPEST:
            return False
        sentence = f"this policy has over {DEEPEST} brackets within one another and ifs; make several policies of it."
        self._problems.add(piece.place, sentence)
        return True

    def _tokens(self) -> Iterator[Token]:
        for found in _TOKEN.finditer(self.text):
            if found["open"]:
                self._problems.add(self.place(found.start()), 'the text that begins here has no closing quote (").')
                return
            if not found["skipped"]:
                yield Token(found[0], found.start())

    def _piece(self, tokens: list[Token]) -> Piece:
        annotations: dict[str, Place] = {}
        for sign, name in pairwise(tokens):
            if sign.said == "@":
                annotations[name.said] = self.place(sign.start)
        start, end = tokens[0].start, tokens[-1].start + len(tokens[-1].said)
        begins = next((token for token in tokens if token.said in ("permit", "forbid")), tokens[0])
        body = self.text[begins.start : end]
        return Piece(self.text[start:end], body, start, self.place(begins.start), tuple(tokens), annotations)
