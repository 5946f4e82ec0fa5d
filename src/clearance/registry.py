"""Which callables of this process are guarded, and how; what a build compares with what was committed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from weakref import WeakSet


class GuardRecord(NamedTuple):
    """One guarded callable. ``name`` is its module and qualified name; ``conditional`` says that ``when=`` is set."""

    name: str
    kind: str
    action_type: str
    tool_name: str
    conditional: bool
    editable: tuple[str, ...]
    opaque: tuple[str, ...]


class Recorded:
    """Something that stands in the registry for as long as it lives."""

    __slots__ = ("__weakref__", "record")

    def __init__(self, record: GuardRecord) -> None:
        self.record: GuardRecord = record
        with _lock:
            _guards.add(self)


_lock = threading.Lock()
_guards: WeakSet[Recorded] = WeakSet()


def guards(modules: Iterable[str] = ()) -> list[GuardRecord]:
    """The guarded callables that live now, by name; with ``modules``, those of these modules and of what is in them."""
    with _lock:
        records = {guard.record for guard in _guards}
    wanted = tuple(modules)
    found = [
        record
        for record in records
        if not wanted or any(record.name == module or record.name.startswith(f"{module}.") for module in wanted)
    ]
    return sorted(found, key=lambda record: (record.name, record.action_type))


def snapshot_of(records: Iterable[GuardRecord]) -> dict[str, dict[str, Any]]:
    """The records as a build keeps them: by name, in plain JSON values."""
    return {record.name: _plain(record) for record in records}


def compare(kept: Mapping[str, Mapping[str, Any]], now: Iterable[GuardRecord]) -> tuple[list[str], list[str]]:
    """What has got worse against a kept snapshot, and what is new, each as sentences."""
    current = snapshot_of(now)
    worse = [f"this change un-gated `{name}`" for name in kept if name not in current]
    for name, record in current.items():
        before = kept.get(name)
        if before is not None and dict(before) != record:
            changes = ", ".join(
                f"{key}: {before.get(key)!r} -> {value!r}" for key, value in record.items() if before.get(key) != value
            )
            worse.append(f"this change altered the gate of `{name}` ({changes})")
    return worse, [f"`{name}` is newly gated" for name in current if name not in kept]


def _plain(record: GuardRecord) -> dict[str, Any]:
    document = record._asdict()
    del document["name"]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in document.items()}
