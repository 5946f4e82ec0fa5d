"""A private copy of the arguments of one call: what is shown, digested and run, whatever the caller does meanwhile.

What cannot change is not copied. References that are shared stay shared.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from types import MappingProxyType
from typing import Any

from clearance.errors import UnserializableArgument

FIXED: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, range, date, timedelta, timezone}
)
"""Types whose values cannot change. A moment can, if its zone is of a class of somebody's own."""

_FIXED_IF_LOADED = (
    ("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"), ("zoneinfo", "ZoneInfo"),
    *(("pathlib", name) for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(("ipaddress", f"IPv{version}{kind}") for version in (4, 6) for kind in ("Address", "Network", "Interface")),
)  # fmt: skip
"""More of them, in modules that may not be loaded: a value of a class whose module is not loaded cannot exist."""

Memo = dict[int, Any]


def is_fixed(value: object) -> bool:
    """True if nobody can change the value, whoever holds it."""
    return type(value) in FIXED or _is_fixed(value, set())


def _is_fixed(value: object, met: set[int]) -> bool:
    """As `is_fixed`; ``met`` are the containers that were looked into: one that is shared is not looked into again."""
    cls = type(value)
    if cls in FIXED:
        return True
    if cls is datetime or cls is time:
        return value.tzinfo is None or _is_fixed(value.tzinfo, met)  # type: ignore[attr-defined]
    if cls is tuple or cls is frozenset:
        if id(value) in met:
            return True
        met.add(id(value))
        return all(_is_fixed(item, met) for item in value)  # type: ignore[attr-defined]
    if isinstance(value, Enum):
        return _is_fixed(value.value, met)
    return any(getattr(sys.modules.get(module), name, None) is cls for module, name in _FIXED_IF_LOADED)


def snapshot(name: str, value: Any, memo: Memo) -> Any:
    """A deep copy of the value of a parameter; ``memo`` is shared by all the values of one call.

    Raises:
        UnserializableArgument: it cannot be copied.
    """
    try:
        return _copy(value, memo)
    except RecursionError:
        raise UnserializableArgument(name, "is nested too deeply to be copied") from None
    except Exception as error:
        raise UnserializableArgument(
            name,
            f"cannot be copied ({type(error).__name__}), so it could change between the approval and the run",
            next_step=(
                "Pass plain values (its id, say) and look the object up in the body; "
                f"or hand it over uncopied and not looked into, with opaque=({name.lstrip('*')!r},)."
            ),
        ) from error


def _copy(value: Any, memo: Memo) -> Any:
    if type(value) in FIXED:
        return value
    copier = _COPIERS.get(type(value))
    if copier is None:
        return copy.deepcopy(value, memo)
    found = memo.get(id(value))
    return copier(value, memo) if found is None else found


def _list(value: list[Any], memo: Memo) -> list[Any]:
    copied: list[Any] = []
    memo[id(value)] = copied
    for item in value:
        copied.append(_copy(item, memo))
    return copied


def _dict(value: dict[Any, Any], memo: Memo) -> dict[Any, Any]:
    copied: dict[Any, Any] = {}
    memo[id(value)] = copied
    for key, item in value.items():
        copied[_copy(key, memo)] = _copy(item, memo)
    return copied


def _tuple(value: tuple[Any, ...], memo: Memo) -> tuple[Any, ...]:
    items = [_copy(item, memo) for item in value]
    unchanged = all(item is original for item, original in zip(items, value, strict=True))
    # A tuple can only contain itself through a list, which has met the memo by now.
    return memo.setdefault(id(value), value if unchanged else tuple(items))  # type: ignore[no-any-return]


def _view(value: MappingProxyType[Any, Any], memo: Memo) -> MappingProxyType[Any, Any]:
    # What is behind the view may make its values as it is asked. As long as the memo knows them by their address,
    # they must not make room for others.
    pairs = list(value.items())
    memo.setdefault(id(memo), []).append(pairs)
    copied = MappingProxyType({_copy(key, memo): _copy(item, memo) for key, item in pairs})
    return memo.setdefault(id(value), copied)  # type: ignore[no-any-return]


def _moment(value: datetime | time, memo: Memo) -> Any:
    return value if is_fixed(value) else copy.deepcopy(value, memo)


_COPIERS: dict[type, Callable[[Any, Memo], Any]] = {
    list: _list,
    dict: _dict,
    tuple: _tuple,
    MappingProxyType: _view,
    datetime: _moment,
    time: _moment,
}
