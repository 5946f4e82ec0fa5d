"""YAML, of which only what cannot be misread is taken: no anchors, tags or merges, no ``yes`` for true."""

from __future__ import annotations

import re
from typing import Any

import yaml

from clearance.center.policy.document import Content, Node, NotReadable, Place

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_LOOKS_NUMERIC = re.compile(
    r"[-+]?[0-9][0-9_.]*(?:[eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+|[-+]?\.(?:[0-9]+|inf|nan)", re.I
)
_BOOLS = {"true": True, "false": False}
_NEARLY_BOOLS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})
_NULLS = frozenset({"", "~", "null"})
DEEPEST = 32
_ADVICE = {
    "did not find expected alphabetic or numeric character": "put a text that begins with * or & in quotes",
    "found character that cannot start any token": "indent with spaces, and put a text that begins with @ in quotes",
    "found unexpected end of stream": "close the quotation mark",
    "did not find expected ',' or ']'": "close the bracket, or put a comma between items",
    "did not find expected ',' or '}'": "close the brace, or put a comma between entries",
    "mapping values are not allowed in this context": "put a text with a colon in quotes, and indent keys alike",
    "did not find expected '-' indicator": "begin each item with -, and indent what belongs to it alike",
    "did not find expected key": "indent the keys of a table alike",
}
"""What to write instead, by what libyaml finds."""


def read(text: str) -> Node:
    """The document.

    Raises:
        NotReadable: it is not YAML, or more of YAML than is taken.
    """
    try:
        events = list(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        found = str(error.problem or error.context)
        advice = f"; {_ADVICE[found]}" if found in _ADVICE else ""
        raise NotReadable(where, f"this is not YAML: {found}{advice}.") from None
    except yaml.reader.ReaderError as error:
        raise _unprintable(error, text) from None
    except yaml.YAMLError as error:
        raise NotReadable(Place(1, 1), f"this is not YAML: {' '.join(str(error).split())}.") from None
    starts = [event for event in events if isinstance(event, yaml.DocumentStartEvent)]
    if len(starts) > 1:
        raise NotReadable(_place(starts[1]), "a policy is one document; take this '---' and what follows out.")
    if not starts:
        return Node({}, Place(1, 1))
    walk = iter(events)
    for event in walk:
        if isinstance(event, yaml.DocumentStartEvent):
            break
    return _node(next(walk), walk, 0)


def _unprintable(error: yaml.reader.ReaderError, text: str) -> NotReadable:
    """What to say of a character that YAML does not take; its position is counted in bytes."""
    before = text.encode()[: error.position].decode(errors="ignore").split("\n")
    code = ord(error.character) if isinstance(error.character, str) else error.character
    sentence = f"this is not YAML: the character U+{code:04X} may not stand in it; take it out."
    return NotReadable(Place(len(before), len(before[-1]) + 1), sentence)


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _node(event: Any, walk: Any, depth: int) -> Node:
    place = _place(event)
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise NotReadable(
            place, "anchors (&) and aliases (*) are not taken; write it out, and quote texts with & or *."
        )
    if event.tag is not None:
        raise NotReadable(place, f"tags such as {event.tag} are not taken; leave it out, or quote the text.")
    if depth > DEEPEST:
        raise NotReadable(place, f"this is nested more than {DEEPEST} deep; write it flatter.")
    if isinstance(event, yaml.ScalarEvent):
        plain = not event.style and event.implicit[0]
        return Node(_plain(event.value, place) if plain else event.value, place)
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Node] = []
        while not isinstance(inner := next(walk), yaml.SequenceEndEvent):
            items.append(_node(inner, walk, depth + 1))
        return Node(items, place)
    return _table(place, walk, depth)


def _table(place: Place, walk: Any, depth: int) -> Node:
    entries: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    while not isinstance(event := next(walk), yaml.MappingEndEvent):
        where = _place(event)
        if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
            raise NotReadable(where, "a key must be a plain word.")
        key = event.value
        if key == "<<" and not event.style:
            raise NotReadable(where, "merges (<<) are not taken; write the keys out.")
        if key in entries:
            before = keys[key]
            raise NotReadable(where, f"{key!r} is here twice; the first is in line {before.line}. Keep one of them.")
        keys[key] = where
        entries[key] = _node(next(walk), walk, depth + 1)
    return Node(entries, place, keys)


def _plain(text: str, place: Place) -> Content:
    """What an unquoted word means; one that readers of YAML disagree about must be quoted."""
    if text in _BOOLS:
        return _BOOLS[text]
    if text.lower() in _NULLS:
        return None
    if text.lower() in _NEARLY_BOOLS:
        raise NotReadable(place, f"{text} is true or false to some readers of YAML and a text to others; "
                                 f'write true or false, or put it in quotes: "{text}".')  # fmt: skip
    if _WHOLE.fullmatch(text):
        return int(text) if len(text) < 4_000 else text
    if _FRACTION.fullmatch(text):
        return float(text)
    if _LOOKS_NUMERIC.fullmatch(text) and text.count(".") <= 1:
        raise NotReadable(place, f"{text} may be read as a number in several ways; "
                                 f'write it plainly, or put it in quotes: "{text}".')  # fmt: skip
    return text
