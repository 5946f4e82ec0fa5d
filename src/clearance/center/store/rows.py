"""A `Record` as one row: a few columns to search by, the rest as JSON, without what is as it is by default."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from pydantic_core import to_json

from clearance.center.records import BY_A_PERSON, Factor, Record, Share, Stage, Vote
from clearance.models import Action, CodeIdentity, Outcome, Status

COLUMNS = ("version", "status", "requester", "key", "due_at", "denied_digest", "cleared_call", "record")
"""What `to_row` has a value for."""
# What is as it is by default is not kept: a default that is changed changes what old rows say.
_KEPT = [(field.name, field.default) for field in fields(Record) if field.name not in ("id", *COLUMNS)]


def to_row(record: Record) -> dict[str, Any]:
    """The values of the row, without its id."""
    return {
        "version": record.version,
        "status": record.status.value,
        "requester": record.requester,
        "key": record.key,
        "due_at": due_at(record),
        "denied_digest": denied_digest(record),
        "cleared_call": record.cleared_call,
        "record": to_json(
            {name: value for name, default in _KEPT if (value := getattr(record, name)) is not default}
        ).decode(),
    }


def from_row(row: Any) -> Record:
    """The record that a row holds."""
    document: dict[str, Any] = json.loads(row.record)
    document.pop("fingerprint", None)  # it was kept once, and says nothing that the action does not
    action = document.pop("action")
    code = action.pop("code")
    outcome = document.pop("outcome", None)
    factors = document.pop("factors", ())
    stages, votes = document.pop("stages", ()), document.pop("votes", ())
    shares = document.pop("shares", ())
    document["escalate_to"] = tuple(document.get("escalate_to", ()))
    if document.get("may_change") is not None:
        document["may_change"] = tuple(document["may_change"])
    return Record(
        **document,
        id=row.id,
        version=row.version,
        status=Status(row.status),
        requester=row.requester,
        key=row.key,
        action=Action(
            **{
                **action,
                "redacted": tuple(action["redacted"]),
                "editable": tuple(action.get("editable", ())),
                "abridged": {path: (shown, total) for path, (shown, total) in action["abridged"].items()},
                "code": CodeIdentity(**code) if code else None,
            }
        ),
        factors=tuple(Factor(**factor) for factor in factors),
        stages=tuple(_stage(**stage) for stage in stages),
        votes=tuple(Vote(**vote) for vote in votes),
        shares=tuple(Share(**share) for share in shares),
        outcome=Outcome(**{**outcome, "status": Status(outcome["status"]), "notes": tuple(outcome["notes"])})
        if outcome
        else None,
    )


def _stage(quorum: int, approvers: list[str], roles: Iterable[str] = (), excluded: Iterable[str] = ()) -> Stage:
    return Stage(quorum, tuple(approvers), tuple(roles), tuple(excluded))


def due_at(record: Record) -> int | None:
    """When something happens to this action by itself: the end of the time it is waiting out now."""
    match record.status:
        case Status.PENDING:
            return record.escalates_at if record.escalated_at is None else record.decide_by
        case Status.APPROVED:
            return record.run_by
        case Status.EXECUTING:
            return record.run_until
        case _:
            return None


def denied_digest(record: Record) -> str | None:
    """The call that a person refused, to be found when it is asked for again."""
    refused = record.status is Status.DENIED and record.reason_code == BY_A_PERSON
    return (record.action.digest or None) if refused else None
