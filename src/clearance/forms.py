"""The canonical form of each type that has one: how its values are written, and what is shown of them."""

from __future__ import annotations

import math
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum, Flag
from types import MappingProxyType, MemberDescriptorType, SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from clearance import credentials
from clearance.arguments import remembered
from clearance.errors import UnserializableArgument
from clearance.models import Json

if TYPE_CHECKING:
    from clearance.canonical import Walk

Pieces: TypeAlias = list[bytes]
Writer: TypeAlias = Callable[["Walk", Any, str, int, Pieces], Json]

_BIGGEST_JSON_INT = 2**63


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Stands for a path whose file is part of what is cleared. ``size`` is in bytes, ``sha256`` in hexadecimal."""

    path: object
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Uninspected:
    """Stands for an object that its guard declared opaque: only its class is shown and digested."""

    value: object


@dataclass(frozen=True, slots=True)
class Untouched:
    """Stands for a default without a form of its own that the caller left as it is."""


def name_of(cls: type) -> str:
    """A class by its module and qualified name."""
    return f"{cls.__module__}:{cls.__qualname__}"


def tagged(tag: bytes, text: str) -> bytes:
    """A text behind its tag and its length in bytes."""
    data = text.encode()
    return b"%b%d:%b" % (tag, len(data), data)


def _typed_text(value: object, text: str, out: Pieces) -> None:
    out += (tagged(b"x", name_of(type(value))), tagged(b"s", text))


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
    spelled = b"s%d:%b" % (len(data), data)
    if len(value) < credentials.SHORTEST:
        out.append(spelled)
        return value
    if not (spans := credentials.find(value)):
        out.append(spelled)
        return walk.view.text(value, path)
    walk.keyed(spelled, out)
    return walk.view.masked(value, spans, path)


def _bytes(walk: Walk, value: bytes | bytearray, path: str, _depth: int, out: Pieces) -> str:
    data = bytes(value)
    spelled = b"%b%d:%b" % (b"b" if type(value) is bytes else b"a", len(data), data)
    if credentials.find(data.decode("latin-1")):
        walk.keyed(spelled, out)
        return walk.view.hide(path)
    out.append(spelled)
    return walk.view.binary(data, path)


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


def _complex(_walk: Walk, value: complex, path: str, _depth: int, out: Pieces) -> str:
    if not (math.isfinite(value.real) and math.isfinite(value.imag)):
        raise UnserializableArgument(path, f"is {value}, which equals nothing or compares as no number should")
    out.append(b"c%b,%b;" % (value.real.hex().encode(), value.imag.hex().encode()))
    return str(value)


def _range(_walk: Walk, value: range, _path: str, _depth: int, out: Pieces) -> str:
    out.append(b"r%d,%d,%d;" % (value.start, value.stop, value.step))
    return str(value)


def _deque(walk: Walk, value: deque[object], path: str, depth: int, out: Pieces) -> Json:
    out.append(b"q%b(" % str(value.maxlen).encode())
    shown = walk.items(value, path, depth, out)
    out.append(b")")
    return shown


def _ordered_dict(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> Json:
    out.append(tagged(b"o", name_of(type(value))))
    return walk.pairs(value, path, depth, out, ordered=True)


def _other_mapping(walk: Walk, value: Mapping[object, int], path: str, depth: int, out: Pieces) -> Json:
    out.append(tagged(b"o", name_of(type(value))))
    return walk.pairs(value, path, depth, out, ordered=False)


def _defaultdict(walk: Walk, value: defaultdict[object, object], path: str, depth: int, out: Pieces) -> Json:
    factory = value.default_factory
    if factory is not None and (not isinstance(factory, type) or factory.__module__ != "builtins"):
        raise UnserializableArgument(
            path,
            "is a defaultdict that makes its values by code of yours",
            next_step="Pass dict(...) of it.",
        )
    out.append(tagged(b"o", f"{name_of(type(value))} {factory.__name__ if factory else None}"))
    return walk.pairs(value, path, depth, out, ordered=False)


def _namespace(walk: Walk, value: SimpleNamespace, path: str, depth: int, out: Pieces) -> Json:
    return walk.fields(SimpleNamespace, vars(value), path, depth, out)


def _timezone(_walk: Walk, value: timezone, path: str, _depth: int, out: Pieces) -> str:
    _typed_text(value, repr(value), out)
    try:
        return str(value).encode().decode()
    except UnicodeEncodeError:
        raise _unwritable(path) from None


def _zone_info(_walk: Walk, value: Any, path: str, _depth: int, out: Pieces) -> str:
    try:
        value.__reduce__()
    except Exception:  # noqa: BLE001 - it says so with an exception of pickle's
        raise UnserializableArgument(path, "is a time zone read from a file, which its name does not tell") from None
    _typed_text(value, value.key, out)
    return str(value.key)


def _file(walk: Walk, value: FileDigest, path: str, depth: int, out: Pieces) -> Json:
    out += (b"F%d:" % value.size, bytes.fromhex(value.sha256))
    return {"path": walk.value(value.path, path, depth + 1, out), "bytes": value.size, "sha256": value.sha256}


def _uninspected(_walk: Walk, value: Uninspected, _path: str, _depth: int, out: Pieces) -> str:
    name = name_of(type(value.value))
    out.append(tagged(b"?", name))
    return f"[not inspected: {name.replace(':', '.')}]"


def _untouched(_walk: Walk, _value: Untouched, _path: str, _depth: int, out: Pieces) -> str:
    out.append(b"-")
    return "[its default]"


def _date(_walk: Walk, value: date | timedelta, _path: str, _depth: int, out: Pieces) -> str:
    _typed_text(value, str(value), out)
    return str(value)


def _datetime(walk: Walk, value: datetime | time, path: str, depth: int, out: Pieces) -> str:
    # The offset alone does not tell a zone from a fixed offset of the same name, nor the first 02:30 from the second.
    zone: Pieces = []
    walk.value(value.tzinfo, f"{path}.tzinfo", depth, zone)
    text = value.isoformat()
    _typed_text(value, f"{text} {value.fold}", out)
    out += zone
    return text


WRITERS: dict[type, Writer] = {
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
    timezone: _timezone,
    complex: _complex,
    range: _range,
    deque: _deque,
    Counter: _other_mapping,
    OrderedDict: _ordered_dict,
    defaultdict: _defaultdict,
    MappingProxyType: _other_mapping,
    SimpleNamespace: _namespace,
    FileDigest: _file,
    Uninspected: _uninspected,
    Untouched: _untouched,
}


def _text(walk: Walk, value: object, path: str, _depth: int, out: Pieces) -> str:
    inner: Pieces = []
    try:
        text = str(value)
        _typed_text(value, text, inner)
    except ValueError:
        raise _unwritable(path) from None
    if spans := credentials.find(text):  # a path can hold one
        walk.keyed(b"".join(inner), out)
        return walk.view.masked(text, spans, path)
    out += inner
    return walk.view.text(text, path)


def _decimal(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> str:
    if not value.is_finite():
        raise UnserializableArgument(path, f"is {value}, which equals nothing or compares as no number should")
    return _text(walk, value, path, depth, out)


def _enum(walk: Walk, value: Enum, path: str, depth: int, out: Pieces) -> Json:
    inner: Pieces = []
    shown = walk.value(value.value, path, depth + 1, inner)
    out.append(tagged(b"e", name_of(type(value))))
    if isinstance(value, Flag):
        out += inner
    else:
        out.append(tagged(b"s", value.name))
    if isinstance(shown, str):
        return shown
    member = f".{value.name}" if value.name else f"({shown!r})"
    return f"{type(value).__name__}{member}"


def _namedtuple(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> Json:
    cls: Any = type(value)
    items = tuple(tuple.__iter__(value))
    if len(cls._fields) != len(items):
        raise UnserializableArgument(path, f"is a {name_of(cls)}, whose _fields do not name its items")
    named = dict(zip(cls._fields, items, strict=True))
    return walk.fields(cls, named | _more(value, named), path, depth, out)


def _object(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> Json:
    """A dataclass, attrs or pydantic object: its fields, and whatever else it carries that a body could read."""
    cls: Any = type(value)
    try:
        fields = {name: getattr(value, name) for name in _field_names(cls) if hasattr(value, name)}
        fields |= _more(value, fields)
    except Exception as error:
        raise UnserializableArgument(path, f"cannot be read ({type(error).__name__})") from error
    return walk.fields(cls, fields, path, depth, out)


_PYDANTIC_MORE = ("__pydantic_extra__", "__pydantic_private__")


def _more(value: Any, known: Collection[str]) -> dict[str, object]:
    """The attributes of an object beside its known fields."""
    cls = type(value)
    sources = (getattr(value, "__dict__", {}), *(getattr(value, extra, None) or {} for extra in _PYDANTIC_MORE))
    return {
        name: item
        for source in sources
        for name, item in source.items()
        if name not in known and not _is_cache(cls, name)
    }


def _is_cache(cls: type, name: object) -> bool:
    return isinstance(name, str) and type(getattr(cls, name, None)).__name__ == "cached_property"


@remembered
def _field_names(cls: Any) -> tuple[str, ...]:
    """The fields of a class, and the slots that a body could find something in besides."""
    if hasattr(cls, "__dataclass_fields__"):
        names = [field.name for field in fields(cls)]
    elif hasattr(cls, "__attrs_attrs__"):
        names = [attribute.name for attribute in cls.__attrs_attrs__]
    else:
        names = list(cls.__pydantic_fields__)
    for base in reversed(cls.__mro__):
        names += [name for name, member in vars(base).items() if isinstance(member, MemberDescriptorType)]
    return tuple(dict.fromkeys(name for name in names if not name.startswith("__pydantic_")))


def _secret_holder(walk: Walk, value: Any, path: str, depth: int, out: Pieces) -> str:
    """Pydantic's SecretStr and SecretBytes, and whatever looks like them."""
    out.append(tagged(b"o", name_of(type(value))))
    return walk.secret(value.get_secret_value(), path, depth + 1, out)


# Value types of the standard library whose text says all there is. They are looked up in the modules that
# are already loaded: a value of a class whose module is not loaded cannot exist.
_STDLIB: tuple[tuple[str, str, Writer], ...] = (
    ("decimal", "Decimal", _decimal),
    ("fractions", "Fraction", _text),
    ("uuid", "UUID", _text),
    *(("pathlib", name, _text) for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(
        ("ipaddress", f"IPv{version}{kind}", _text)
        for version in (4, 6)
        for kind in ("Address", "Network", "Interface")
    ),
    ("zoneinfo", "ZoneInfo", _zone_info),
)


# What such a class inherits from one of these is in none of its fields.
_CARRIERS = (
    *(str, bytes, bytearray, int, float, complex, list, dict, set, frozenset, tuple, deque),
    *(date, time, timedelta, BaseException),
)


def writer_for(cls: type) -> Writer | None:
    """The writer for a class that is not among the commonest; None if it has no canonical form."""
    for module, name, writer in _STDLIB:
        if getattr(sys.modules.get(module), name, None) is cls:
            WRITERS[cls] = writer
            return writer
    if issubclass(cls, Enum):
        return _enum
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _namedtuple
    if any(hasattr(cls, mark) for mark in ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__")):
        return None if issubclass(cls, _CARRIERS) else _object
    return _secret_holder if hasattr(cls, "get_secret_value") else None
