r"""Text from agents, made visible: an allow-list of what is shown as it is; all else is spelled out or flagged.

An approver must see what a program will see. So nothing that hides, reorders, pads or imitates is passed on:
control, bidirectional, zero-width and other invisible characters become chips such as ``\\u{202e}``, runs of
spaces and line breaks are counted, and words that look like other words say so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby

from markupsafe import Markup, escape


class Kind(StrEnum):
    """What a segment of a text is."""

    PLAIN = "plain"
    CHIP = "chip"
    """Spelled out: ``text`` is the spelling, ``note`` the name of what it spells."""
    BREAK = "break"
    """One or more line breaks; ``text`` is their spelling."""
    FLAG = "flag"
    """A word that is not what it looks like; ``note`` says why."""
    RTL = "rtl"
    """Written from right to left; isolated, so that it moves nothing around it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text, ready to be shown. Joined, the pieces say all that the text says."""

    kind: Kind
    text: str
    note: str = ""


_TOKENS = re.compile(r"\n+| +|[!-~]+(?![^\W_])|[^\W_]+|.", re.DOTALL)
_ASCII_WORDS = re.compile(r"[ -~]*")

# Blank or invisible, though Unicode counts them among letters, marks and symbols.
_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0), (0xFFFC, 0xFFFD), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159), (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)  # fmt: skip
# Marks that sit on any letter: they strike out, stack up and decorate. Marks of one script are part of its spelling.
_GENERIC_MARKS = ((0x0300, 0x036F), (0x0483, 0x0489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
                  (0xFE20, 0xFE2F))  # fmt: skip
_MOST_MARKS = 3
"""Marks in a row that are shown as they are."""
# Look like ASCII punctuation, and are not what NFKC makes of it.
_FALSE_PUNCTUATION = frozenset("∕⁄⟋⧸∖⧵⧹∶꞉ː׃׀∣ǀǃ‐‑‒⁃−˗۔٫٬‚ʹʻʼˈ‹›⟨⟩")
_KEEP = frozenset("…ªº¨´¸¯")
"""NFKC would change these, but nobody takes them for something else."""
_LIKE_LATIN = frozenset("аеорсухіјѕһԁԛԝӏʏАВЕКМНОРСТУХІЈЅҮԌοναρυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսհՕՏցաⲟⲥⲣ")
"""Letters of other scripts that pass for Latin ones."""
_ODD_LATIN = frozenset("ɡɑɩʟʀɪʏᴀʙᴄᴅᴇᴊᴋᴍɴᴏᴘᴛᴜᴠᴡᴢ")
"""Latin letters, seen nowhere but in phonetics, that pass for others."""
_NAMELESS = {"Cc": "control character", "Cs": "half a character", "Co": "private character"}
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "HALFWIDTH", "IDEOGRAPHIC"})


def segments(text: str) -> list[Segment]:
    """The text in pieces that are safe to show."""
    if _is_plain(text):
        return [Segment(Kind.PLAIN, text)] if text else []
    lone = _lone_scripts(text)
    found: list[Segment] = []
    before, marks = "", 0
    for match in _TOKENS.finditer(text):
        token = match.group()
        marks = marks + 1 if unicodedata.category(token[0])[0] == "M" else 0
        found += _segments_of(token, before, marks, lone)
        before = token[-1]
    return _joined(found)


def visible(text: str) -> Markup:
    """The text as HTML: every character either harmless or spelled out."""
    if _is_plain(text):  # most are, and a page has thousands
        return escape(text)
    return Markup("").join(_markup(segment) for segment in segments(text))


def _is_plain(text: str) -> bool:
    """Is it nothing but printable ASCII, without a run of spaces that could push something out of sight?"""
    return _ASCII_WORDS.fullmatch(text) is not None and "   " not in text


def spelled(text: str) -> str:
    """The text as one line of plain text, for places that can hold no markup (titles, announcements)."""
    return "".join(
        f"{segment.text} [{segment.note}]" if segment.kind is Kind.FLAG else segment.text for segment in segments(text)
    )


def _segments_of(token: str, before: str, marks: int, lone: frozenset[str]) -> list[Segment]:
    if token[0] == "\n":
        return [Segment(Kind.BREAK, "↵" if len(token) == 1 else f"↵×{len(token):,}")]
    if token[0] == " ":
        return [Segment(Kind.CHIP, f"␣×{len(token):,}", "spaces") if len(token) > 2 else Segment(Kind.PLAIN, token)]
    if token.isascii() and token.isprintable():
        return [Segment(Kind.PLAIN, token)]
    if unicodedata.category(token[0])[0] == "M":
        follows = unicodedata.category(before)[0] in "LM" if before else False
        return [_one(token, allowed=follows and marks <= _MOST_MARKS)]
    if not token[0].isalnum():
        return [_one(token, allowed=True)]
    pieces = [_one(char, allowed=True) for char in token]
    if any(piece.kind is Kind.CHIP for piece in pieces):
        return pieces
    if why := _suspicion(token, lone):
        return [Segment(Kind.FLAG, token, why)]
    is_rtl = unicodedata.bidirectional(token[0]) in ("R", "AL")
    return [Segment(Kind.RTL if is_rtl else Kind.PLAIN, token)]


def _one(char: str, *, allowed: bool) -> Segment:
    return Segment(Kind.PLAIN, char) if allowed and _is_shown(char) else _chip(char)


@lru_cache(maxsize=8192)
def _is_shown(char: str) -> bool:
    """May this character stand for itself?"""
    if " " <= char <= "~":
        return True
    category = unicodedata.category(char)
    if category[0] in "CZ" or category == "Me" or char in _INVISIBLE or char in _FALSE_PUNCTUATION:
        return False
    if category[0] == "M":
        return not any(first <= ord(char) <= last for first, last in _GENERIC_MARKS)
    imitated = unicodedata.normalize("NFKC", char)
    return not (category[0] in "PS" and imitated != char and imitated.isascii()) or char in _KEEP


@lru_cache(maxsize=8192)
def _chip(char: str) -> Segment:
    if char == "\t":
        return Segment(Kind.CHIP, "\\t", "tab")
    name = unicodedata.name(char, "") or _NAMELESS.get(unicodedata.category(char), "no character")
    return Segment(Kind.CHIP, f"\\u{{{ord(char):x}}}", name.lower())


def _suspicion(word: str, lone: frozenset[str]) -> str:
    """Why the word may not be what it looks like; "" if it is."""
    if digits := [char for char in word if char.isdecimal() and not char.isascii()]:
        plain = "".join(str(unicodedata.decimal(char)) if char in digits else char for char in word)
        return f"foreign digits: {plain}" if plain.isascii() else "foreign digits"
    if styled := _first(word, _is_styled):
        return f"styled letters: {_chip(styled).text}"
    if odd := _first(word, _ODD_LATIN.__contains__):
        return f"look-alike: {_chip(odd).text}"
    scripts = {_script(char) for char in word if char.isalpha()}
    if len(scripts) > 1 and not scripts & _EAST_ASIAN:
        foreign = _first(word, lambda char: char.isalpha() and not char.isascii())
        return f"mixed scripts: {_chip(foreign).text}" if foreign else "mixed scripts"
    if scripts & lone and all(char in _LIKE_LATIN or not char.isalpha() for char in word):
        return f"not Latin: {_chip(word[0]).text}"
    return ""


def _first(word: str, is_wanted: Callable[[str], bool]) -> str:
    return next((char for char in word if is_wanted(char)), "")


def _is_styled(char: str) -> bool:
    if char.isascii() or char in _KEEP:
        return False
    plain = unicodedata.normalize("NFKC", char)
    return plain != char and plain.isascii() and plain.isalpha()


@lru_cache(maxsize=8192)
def _script(char: str) -> str:
    """The script of a letter, by the first word of its name."""
    return "LATIN" if char == "µ" else unicodedata.name(char, "?").partition(" ")[0].partition("-")[0]


def _lone_scripts(text: str) -> frozenset[str]:
    """Scripts of which the text has nothing but letters that pass for Latin ones."""
    letters = {char for char in text if char.isalpha() and not char.isascii()}
    own = {_script(char) for char in letters - _LIKE_LATIN}
    return frozenset({_script(char) for char in letters & _LIKE_LATIN} - own)


def _joined(found: list[Segment]) -> list[Segment]:
    """Neighbours of a kind as one piece; the same chip many times over is counted."""
    joined: list[Segment] = []
    for kind, group in groupby(_bridged(found), key=lambda segment: segment.kind):
        pieces = list(group)
        match kind:
            case Kind.PLAIN | Kind.RTL:
                joined.append(Segment(kind, "".join(piece.text for piece in pieces)))
            case Kind.CHIP:
                joined.append(_counted(pieces))
            case _:
                joined += pieces
    return joined


def _bridged(found: list[Segment]) -> list[Segment]:
    """A space between two words that are written from right to left belongs to them."""
    bridged = list(found)
    for index in range(1, len(found) - 1):
        is_between = found[index - 1].kind is found[index + 1].kind is Kind.RTL
        if is_between and found[index].text == " ":
            bridged[index] = Segment(Kind.RTL, " ")
    return bridged


def _counted(chips: list[Segment]) -> Segment:
    runs = [(chip, len(list(group))) for chip, group in groupby(chips)]
    text = "".join(chip.text if times == 1 else f"{chip.text}×{times:,}" for chip, times in runs)
    note = runs[0][0].note if len(runs) == 1 else f"{len(chips):,} characters that cannot be seen, or mislead"
    return Segment(Kind.CHIP, text, note)


def _markup(segment: Segment) -> Markup:
    text, note = escape(segment.text), escape(segment.note)
    match segment.kind:
        case Kind.PLAIN:
            return text
        case Kind.CHIP:
            html = f'<span class="chip" title="{note}">{text}</span>'
        case Kind.BREAK:
            html = f'<span class="chip break" title="line break">{text}</span>\n'
        case Kind.FLAG:
            html = f'<mark class="flag"><bdi>{text}</bdi> <span class="why">{note}</span></mark>'
        case Kind.RTL:
            html = f'<bdi dir="rtl">{text}</bdi>'
    return Markup(html)  # noqa: S704 - made of escaped pieces, just above
