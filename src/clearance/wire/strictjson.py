"""JSON from somebody else: read strictly or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Final, NoReturn, TypeAlias

from clearance.models import Json

MAX_DEPTH: Final = 32
"""Levels of lists and objects that are read, unless the reader knows better."""


_Object: TypeAlias = Callable[[list[tuple[str, Json]]], dict[str, Json]]
_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class NotJson(ValueError):
    """The bytes are not one JSON text that means one thing."""


def read(data: bytes, *, max_depth: int = MAX_DEPTH, max_keys: int | None = None) -> Json:
    """Parse UTF-8 JSON; refuses duplicate keys, NaN and infinities, nesting over ``max_depth``, over ``max_keys`` keys.

    Raises:
        NotJson: with what is wrong, never with the text itself.
    """
    # What has no more colons than that has no more keys, and hardly any text that is meant has more.
    has_few_keys = max_keys is None or data.count(b":") <= max_keys
    decode = _decode if has_few_keys else _decoder(_counted(max_keys or 0))
    try:
        value: Json = decode(data.decode("utf-8"))
    except NotJson:
        raise
    except RecursionError:
        raise NotJson(f"nested deeper than {max_depth} levels") from None
    except ValueError as error:
        raise NotJson(f"not JSON ({type(error).__name__})") from None
    # What has no more brackets than that is no deeper, and hardly any text that is meant has more.
    if data.count(b"{") + data.count(b"[") > max_depth and _depth(value, max_depth) > max_depth:
        raise NotJson(f"nested deeper than {max_depth} levels")
    if b"\\u" in data and not _is_text(value):
        raise NotJson("text with half a character in it (a lone surrogate)")
    return value


def write(value: object) -> bytes:
    """Compact UTF-8 JSON; refuses what JSON cannot say."""
    return _write(value).encode("utf-8")


def _is_text(value: Json) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("a key stands twice in one object")
    return found


def _counted(most: int) -> _Object:
    """Makes objects until they have more keys than that together."""
    keys = 0

    def made(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        nonlocal keys
        keys += len(pairs)
        if keys > most:
            raise NotJson(f"more than {most:,} keys")
        return _unique(pairs)

    return made


def _refuse(constant: str) -> NoReturn:
    raise NotJson(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotJson("a number is too large")
    return number


def _decoder(make_object: _Object) -> Callable[[str], Json]:
    return json.JSONDecoder(object_pairs_hook=make_object, parse_constant=_refuse, parse_float=_finite).decode


_decode = _decoder(_unique)  # made once: that takes as long as to read a short text


def _depth(value: Json, limit: int) -> int:
    """How many lists and objects stand inside each other; stops counting one past the limit."""
    depth, layer = 0, [value]
    while depth <= limit and (outers := [item for item in layer if isinstance(item, (dict, list))]):
        layer = [inner for outer in outers for inner in _inside(outer)]
        depth += 1
    return depth


def _inside(outer: dict[str, Json] | list[Json]) -> list[Json]:
    return list(outer.values()) if isinstance(outer, dict) else outer
