"""Text from agents, made safe to look at: what could hide, reorder or imitate text is spelled out."""

from __future__ import annotations

import unicodedata

_LOOK_EMPTY = frozenset(
    "\u115f\u1160\u3164\uffa0\u2800"  # fillers and the blank Braille cell: letters and symbols by category
)
_SPELLED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_spelled(character: str) -> bool:
    r"""Must this character be spelled as ``\\u{...}``, because a reader could not see it, or it moves others?

    Controls, formats (bidi, zero-width, tags), unassigned and private ones, line separators, every space but
    the plain one, variation selectors and fillers.
    """
    if character == " " or (character.isascii() and character.isprintable()):
        return False
    category = unicodedata.category(character)
    return (
        category in _SPELLED
        or category == "Zs"
        or character in _LOOK_EMPTY
        or "VARIATION SELECTOR" in unicodedata.name(character, "")
    )


def spell(character: str) -> str:
    r"""The character as ``\\u{202e}``."""
    return f"\\u{{{ord(character):x}}}"


def plain(text: str) -> str:
    """The text for a terminal: one line, nothing in it acts, nothing in it is invisible."""
    return "".join(spell(character) if is_spelled(character) else character for character in text)
