"""An approver's changes to a call, as the Center takes them: only what the guard allows, beside what was asked."""

from __future__ import annotations

from collections.abc import Mapping

from clearance.center.faults import Invalid
from clearance.center.records import Record
from clearance.models import Json
from clearance.wire import strictjson

LONGEST_EDIT = 20_000
"""Bytes of JSON that all the changed values of one decision may have."""


def checked(record: Record, edits: Mapping[str, Json]) -> dict[str, Json]:
    """The edits that change something; the rest is no edit.

    Raises:
        Invalid: a parameter that an approver may not change, or more than is taken.
    """
    action = record.action
    changed = {name: value for name, value in edits.items() if not _is_same(value, action.parameters.get(name))}
    if not changed:
        return {}
    if stray := sorted(edits.keys() - set(record.editable)):
        allowed = ", ".join(record.editable) or "none"
        raise Invalid(f"{stray[0]} may not be changed in this call; parameters that may: {allowed}")
    if not record.claims:
        raise Invalid("This client does not claim its approvals, so it would not learn of the change")
    if len(strictjson.write(changed)) > LONGEST_EDIT:
        raise Invalid(f"The changed values have more than {LONGEST_EDIT:,} bytes")
    return changed


def parsed(name: str, text: str, shown: Json) -> Json:
    """What an approver typed for a parameter that was shown as ``shown``: a text as it is, else JSON of that kind.

    Raises:
        Invalid: it is of another kind.
    """
    if isinstance(shown, str):
        return text
    try:
        value = strictjson.read(text.encode())
    except strictjson.NotJson:
        raise Invalid(f"{name}: write a value like {_json(shown)}") from None
    if shown is not None and _kind(value) != _kind(shown):
        raise Invalid(f"{name}: write {_kind(shown)}, like {_json(shown)}")
    return value


def as_typed(shown: Json) -> str:
    """What stands in the field before an approver changes it; `parsed` reads it back as the same value."""
    return shown if isinstance(shown, str) else _json(shown)


def _kind(value: Json) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case None:
            return "null"


def _is_same(value: Json, shown: Json) -> bool:
    return _json(value) == _json(shown)


def _json(value: Json) -> str:
    return strictjson.write(value).decode()
