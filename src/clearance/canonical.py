"""A value -> its canonical bytes -> a digest; and, in the same walk, what of it is shown.

The form is injective and typed: ``1``, ``1.0``, ``True`` and ``"1"`` differ, a tuple is not a list, and no
two different values spell the same bytes, because every node starts with its type and says its own length
or end. Mappings and sets are sorted, so that equal ones are equal here too. What cannot be spelled exactly
is refused with its path; nothing is ever passed through ``str()`` in the hope that it says enough.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import sys
from base64 import b64encode
from binascii import b2a_base64
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum, Flag
from typing import Any, TypeAlias

from clearance.errors import UnserializableArgument
from clearance.models import Json
from clearance.redaction import View

DOMAIN = b"clearance/1\0"
"""Stands before every digested form, so that no digest of ours can be mistaken for one of another kind."""

MAX_DEPTH = 32
"""The deepest nesting that is accepted."""

SHOWN_ITEMS = 200
"""The longest list or mapping that is shown whole; all of it is digested."""

_BIGGEST_JSON_INT = 2**63

Pieces: TypeAlias = list[bytes]
Writer: TypeAlias = Callable[["Walk", Any, str, int, Pieces], Json]


_URLSAFE = bytes.maketrans(b"+/", b"-_")


def digest(pieces: Iterable[bytes]) -> str:
    """base64url(SHA-256) of the pieces, behind the domain tag, without padding."""
    spelled = b2a_base64(hashlib.sha256(DOMAIN + b"".join(pieces)).digest(), newline=False)
    return spelled.translate(_URLSAFE, b"=").decode()


class Walk:
    """One walk over a value: writes its canonical bytes and returns what is shown of it.

    ``key`` keys the hash that stands for each secret, so that nobody can guess a password from the digest.
    """

    __slots__ = ("key", "view")

    def __init__(self, view: View, key: bytes) -> None:
        self.view = view
        self.key = key

    def value(self, value: object, path: str, depth: int, out: Pieces) -> Json:
        """Write ``value`` to ``out``; returns its view.

        Raises:
            UnserializableArgument: it, or something in it, has no canonical form.
        """
        if depth > MAX_DEPTH:
            raise UnserializableArgument(path, f"is nested deeper than {MAX_DEPTH} levels, or contains itself")
        cls = type(value)
        writer = _WRITERS.get(cls) or _writer_for(cls)
        if writer is None:
            raise UnserializableArgument(
                path,
                f"is a {_name(cls)}, of which nothing is known that could be shown and compared",
                next_step="Pass plain values (its id, say) and look the object up in the body.",
            )
        return writer(self, value, path, depth, out)

    def named(self, name: str, value: object, path: str, depth: int, out: Pieces) -> Json:
        """Write a value that stands under a name: hidden and keyed if the name says that it is secret."""
        if value is None or value is True or value is False or not self.view.hides(name):
            return self.value(value, path, depth, out)
        return self.secret(value, path, depth, out)

    def secret(self, value: object, path: str, depth: int, out: Pieces) -> str:
        """Write a keyed hash of ``value`` in its place; returns what is shown instead."""
        inner: Pieces = []
        Walk(View(), self.key).value(value, path, depth, inner)
        out += (b"k", hmac.digest(self.key, b"".join(inner), "sha256"))
        return self.view.hide(path)

    def fields(self, cls: type, fields: Mapping[str, object], path: str, depth: int, out: Pieces) -> Json:
        """Write an object as its class and its named fields."""
        out += (_tagged(b"o", _name(cls)), b"{")
        shown: dict[str, Json] = {}
        for name in sorted(fields):
            out.append(_tagged(b"s", name))
            shown[name] = self.named(name, fields[name], f"{path}.{name}", depth + 1, out)
        out.append(b"}")
        return {name: shown[name] for name in fields}

    def items(self, items: Iterable[object], path: str, depth: int, out: Pieces) -> list[Json]:
        """Write a sequence's items; returns those that are shown."""
        shown = [self.value(item, f"{path}[{index}]", depth + 1, out) for index, item in enumerate(items)]
        return self._some(shown, path)

    def sorted_items(self, items: Iterable[object], path: str, depth: int, out: Pieces) -> list[Json]:
        """Write the items in the order of their canonical bytes, as for a set."""
        spelled: list[tuple[bytes, Json]] = []
        for item in items:
            inner: Pieces = []
            shown = self.value(item, f"{path}{{}}", depth + 1, inner)
            spelled.append((b"".join(inner), shown))
        spelled.sort(key=lambda pair: pair[0])
        out += (encoded for encoded, _ in spelled)
        return self._some([shown for _, shown in spelled], path)

    def pairs(self, mapping: Mapping[Any, object], path: str, depth: int, out: Pieces, *, ordered: bool) -> Json:
        """Write a mapping's pairs; shown as an object, or as a list of pairs if a key is not a string."""
        spelled: list[tuple[bytes, bytes]] = []
        shown: list[tuple[Json, Json]] = []
        for key, value in mapping.items():
            key_bytes: Pieces = []
            value_bytes: Pieces = []
            inner = f"{path}.{key}" if type(key) is str else f"{path}[{key!r:.40}]"
            key_shown = self.value(key, f"{path} (key)", depth + 1, key_bytes)
            name = key_shown if isinstance(key_shown, str) else ""
            shown.append((key_shown, self.named(name, value, inner, depth + 1, value_bytes)))
            spelled.append((b"".join(key_bytes), b"".join(value_bytes)))
        if not ordered:
            spelled.sort()
        out.append(b"{")
        for pair in spelled:
            out += pair
        out.append(b"}")
        if len(shown) > SHOWN_ITEMS:
            self.view.abridged[path] = (SHOWN_ITEMS, len(shown))
            shown = shown[:SHOWN_ITEMS]
        # Two keys that differ only past what is shown of them must not become one.
        if all(type(key) is str for key in mapping) and len({str(key) for key, _ in shown}) == len(shown):
            return {str(key): value for key, value in shown}
        return [[key, value] for key, value in shown]

    def _some(self, shown: list[Json], path: str) -> list[Json]:
        if len(shown) <= SHOWN_ITEMS:
            return shown
        self.view.abridged[path] = (SHOWN_ITEMS, len(shown))
        return shown[:SHOWN_ITEMS]


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _tagged(tag: bytes, text: str) -> bytes:
    data = text.encode()
    return b"%b%d:%b" % (tag, len(data), data)


def _typed_text(value: object, text: str, out: Pieces) -> None:
    out += (_tagged(b"x", _name(type(value))), _tagged(b"s", text))


def _unwritable(path: str) -> UnserializableArgument:
    return UnserializableArgument(path, "has no exact text (a lone surrogate, or more digits than Python writes)")


def _none(_walk: Walk, _value: None, _path: str, _depth: int, out: Pieces) -> None:
    out.append(b"n")


def _bool(_walk: Walk, value: bool, _path: str, _depth: int, out: Pieces) -> bool:
    out.append(b"t" if value else b"f")
    return value


def _int(_walk: Walk, value: int, _path: str, _depth: int, out: Pieces) -> Json:
    out.append(b"i%x;" % value)
    return value if -_BIGGEST_JSON_INT < value < _BIGGEST_JSON_INT else hex(value)


def _float(_walk: Walk, value: float, path: str, _depth: int, out: Pieces) -> float:
    if not math.isfinite(value):
        raise UnserializableArgument(path, f"is {value}, which equals nothing or compares as no number should")
    out.append(b"d%b;" % value.hex().encode())
    return value


def _str(walk: Walk, value: str, path: str, _depth: int, out: Pieces) -> str:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise UnserializableArgument(path, "holds half a character (a lone surrogate)") from None
    out.append(b"s%d:%b" % (len(data), data))
    return walk.view.text(value, path)


def _bytes(walk: Walk, value: bytes | bytearray, path: str, _depth: int, out: Pieces) -> str:
    out.append(b"%b%d:%b" % (b"b" if type(value) is bytes else b"a", len(value), bytes(value)))
    return walk.view.text("base64:" + b64encode(value).decode(), path)


def _list(walk: Walk, value: list[object], path: str, depth: int, out: Pieces) -> Json:
    out.append(b"[")
    shown = walk.items(value, path, depth, out)
    out.append(b"]")
    return shown


def _tuple(walk: Walk, value: tuple[object, ...], path: str, depth: int, out: Pieces) -> Json:
    out.append(b"(")
    shown = walk.items(value, path, depth, out)
    out.append(b")")
    return shown


def _set(walk: Walk, value: set[object] | frozenset[object], path: str, depth: int, out: Pieces) -> Json:
    out.append(b"<" if type(value) is set else b"z<")
    shown = walk.sorted_items(value, path, depth, out)
    out.append(b">")
    return shown


def _dict(walk: Walk, value: dict[Any, object], path: str, depth: int, out: Pieces) -> Json:
    return walk.pairs(value, path, depth, out, ordered=False)


def _date(_walk: Walk, value: date | timedelta, _path: str, _depth: int, out: Pieces) -> str:
    _typed_text(value, str(value), out)
    return str(value)


def _datetime(_walk: Walk, value: datetime | time, path: str, _depth: int, out: Pieces) -> str:
    # The offset alone does not tell a zone from a fixed offset of the same name, nor the first 02:30 from the second.
    zone = f"{_name(type(value.tzinfo))} {value.tzinfo}"
    try:
        _typed_text(value, f"{value.isoformat()} {value.fold} {zone}", out)
    except ValueError:
        raise _unwritable(path) from None
    return value.isoformat()


_WRITERS: dict[type, Writer] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    dict: _dict,
    date: _date,
    timedelta: _date,
    datetime: _datetime,
    time: _datetime,
}


def _text(walk: Walk, value: object, path: str, _depth: int, out: Pieces) -> str:
    try:
        text = str(value)
        _typed_text(value, text, out)
    except ValueError:
        raise _unwritable(path) from None
    return walk.view.text(text, path)


def _decimal(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> str:
    if not value.is_finite():
        raise UnserializableArgument(path, f"is {value}, which equals nothing or compares as no number should")
    return _text(walk, value, path, depth, out)


def _enum(walk: Walk, value: Enum, path: str, depth: int, out: Pieces) -> Json:
    inner: Pieces = []
    shown = walk.value(value.value, path, depth + 1, inner)
    out.append(_tagged(b"e", _name(type(value))))
    if isinstance(value, Flag):
        out += inner
    else:
        out.append(_tagged(b"s", value.name))
    return shown if isinstance(shown, str) else str(value)


def _namedtuple(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> Json:
    return walk.fields(type(value), value._asdict(), path, depth, out)


def _object(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> Json:
    """A dataclass, attrs or pydantic object: its fields, and whatever else it carries that a body could read."""
    cls = type(value)
    names = _field_names(cls)
    fields = {name: getattr(value, name) for name in names if hasattr(value, name)}
    for source in (getattr(value, "__dict__", {}), *(getattr(value, extra, None) or {} for extra in _PYDANTIC_MORE)):
        fields |= {name: item for name, item in source.items() if name not in fields and not _is_cache(cls, name)}
    return walk.fields(cls, fields, path, depth, out)


_PYDANTIC_MORE = ("__pydantic_extra__", "__pydantic_private__")


def _is_cache(cls: type, name: str) -> bool:
    return type(getattr(cls, name, None)).__name__ == "cached_property"


def _field_names(cls: Any) -> tuple[str, ...]:
    if hasattr(cls, "__dataclass_fields__"):
        return tuple(cls.__dataclass_fields__)
    if hasattr(cls, "__attrs_attrs__"):
        return tuple(attribute.name for attribute in cls.__attrs_attrs__)
    return tuple(cls.__pydantic_fields__)


def _secret_holder(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> str:
    """Pydantic's SecretStr and SecretBytes, and whatever looks like them."""
    out.append(_tagged(b"o", _name(type(value))))
    return walk.secret(value.get_secret_value(), path, depth, out)


def _ordered_dict(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> Json:
    out.append(_tagged(b"o", _name(type(value))))
    return walk.pairs(value, path, depth, out, ordered=True)


# Value types of the standard library whose text says all there is. They are looked up in the modules that
# are already loaded: a value of a class whose module is not loaded cannot exist.
_STDLIB: tuple[tuple[str, str, Writer], ...] = (
    ("decimal", "Decimal", _decimal),
    ("fractions", "Fraction", _text),
    ("uuid", "UUID", _text),
    ("collections", "OrderedDict", _ordered_dict),
    *(("pathlib", name, _text) for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(
        ("ipaddress", f"IPv{version}{kind}", _text)
        for version in (4, 6)
        for kind in ("Address", "Network", "Interface")
    ),
    ("zoneinfo", "ZoneInfo", _text),
)


# What such a class inherits from one of these is in none of its fields.
_CARRIERS = (
    *(str, bytes, bytearray, int, float, complex, list, dict, set, frozenset, tuple, deque),
    *(date, time, timedelta, BaseException),
)


def _writer_for(cls: type) -> Writer | None:
    """The writer for a class that is not among the commonest; None if it has no canonical form."""
    for module, name, writer in _STDLIB:
        if getattr(sys.modules.get(module), name, None) is cls:
            _WRITERS[cls] = writer
            return writer
    if issubclass(cls, Enum):
        return _enum
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _namedtuple
    if hasattr(cls, "get_secret_value"):
        return _secret_holder
    if any(hasattr(cls, mark) for mark in ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__")):
        return None if issubclass(cls, _CARRIERS) else _object
    return None
