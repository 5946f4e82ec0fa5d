"""JSON from somebody else: read strictly or not at all."""

from __future__ import annotations

import json
import math
from typing import Final, NoReturn

from clearance.models import Json

MAX_DEPTH: Final = 32
"""Levels of lists and objects that are read, unless the reader knows better."""


_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class NotJson(ValueError):
    """The bytes are not one JSON text that means one thing."""


def read(data: bytes, *, max_depth: int = MAX_DEPTH, max_keys: int | None = None) -> Json:
    """Parse UTF-8 JSON; refuses duplicate keys, NaN and infinities, nesting over ``max_depth``, over ``max_keys`` keys.

    Raises:
        NotJson: with what is wrong, never with the text itself.
    """
    keys = 0

    def counted(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        nonlocal keys
        keys += len(pairs)
        if max_keys is not None and keys > max_keys:
            raise NotJson(f"more than {max_keys:,} keys")
        return _unique(pairs)

    try:
        value: Json = json.loads(
            data.decode("utf-8"), object_pairs_hook=counted, parse_constant=_refuse, parse_float=_finite
        )
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


def _refuse(constant: str) -> NoReturn:
    raise NotJson(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotJson("a number is too large")
    return number


def _depth(value: Json, limit: int) -> int:
    """How many lists and objects stand inside each other; stops counting one past the limit."""
    depth, layer = 0, [value]
    while depth <= limit and (outers := [item for item in layer if isinstance(item, (dict, list))]):
        layer = [inner for outer in outers for inner in _inside(outer)]
        depth += 1
    return depth


def _inside(outer: dict[str, Json] | list[Json]) -> list[Json]:
    return list(outer.values()) if isinstance(outer, dict) else outer
