"""Cassettes: what a Center answered once, in a file that people read, and tests go by from then on.

A cassette holds what an approver sees and says, and nothing else: no keys, no digests, no ids, no times. The same
answers make the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance.errors import ConfigurationError
from clearance.models import Action, Decision, Json, Status
from clearance.sealing import cleaned
from clearance.wire import strictjson

VERSION = 1
ANSWERS = frozenset({Status.APPROVED, Status.DENIED, Status.EXPIRED, Status.REVOKED, Status.STALE, Status.LAPSED})
"""What a Center's decision can be that a cassette keeps."""
LONGEST_NAME = 80
"""Characters of a test's name that its cassette's has."""

_TEXTS = ("reason", "reason_code", "decided_by", "risk_level", "message_for_model")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, as an approver sees it, and the answer."""

    action_type: str
    tool_name: str
    description: str
    parameters: Mapping[str, Json]
    resource: str | None
    decision: Decision

    @classmethod
    def of(cls, action: Action, decision: Decision) -> Entry:
        """What a cassette keeps of a request and its answer; credentials in what people wrote are cut out."""
        kept = Decision(
            "",
            decision.status,
            reason=cleaned(decision.reason),
            reason_code=decision.reason_code,
            decided_by=decision.decided_by,
            risk_score=decision.risk_score,
            risk_level=decision.risk_level,
            edits=decision.edits,
            message_for_model=cleaned(decision.message_for_model),
        )
        return cls(
            action.action_type, action.tool_name, action.description, action.parameters, action.resource, kept
        )  # fmt: skip


def file_name(module: str, test: str) -> Path:
    """Where the cassette of a test lies, below the folder of the cassettes."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip("-.")
    if plain != test:  # two tests may come to the same plain name
        plain = f"{plain[:LONGEST_NAME]}-{hashlib.sha256(test.encode()).hexdigest()[:8]}"
    return Path(module) / f"{plain}.json"


def write(path: Path, test: str, entries: Sequence[Entry]) -> None:
    """Keep the answers; with none, there is no file."""
    if not entries:
        path.unlink(missing_ok=True)
        return
    document = {"clearance_cassette": VERSION, "test": test, "requests": [_spelled(entry) for entry in entries]}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)


def read(path: Path) -> list[Entry]:
    """The answers of a cassette; none, if there is no such file.

    Raises:
        ConfigurationError: it is no cassette, or says what no Center says.
    """
    if not path.is_file():
        return []
    try:
        document: Any = strictjson.read(path.read_bytes())
        if document["clearance_cassette"] != VERSION:
            raise ValueError(f"it is of version {document['clearance_cassette']!r}, and {VERSION} can be read")
        return [_read(entry) for entry in document["requests"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigurationError(
            f"The cassette {path.name} cannot be read: {what}.",
            next_step="Record it again with --authorization=record, or correct it by hand.",
            reason_code="bad_cassette",
        ) from error


def _spelled(entry: Entry) -> dict[str, Any]:
    decision = entry.decision
    answer: dict[str, Any] = {"status": decision.status.value}
    answer |= {name: value for name in _TEXTS if (value := getattr(decision, name))}
    if decision.risk_score is not None:
        answer["risk_score"] = decision.risk_score
    if decision.edits:
        answer["edits"] = dict(sorted(decision.edits.items()))
    asked: dict[str, Any] = {"action_type": entry.action_type, "tool_name": entry.tool_name}
    if entry.resource is not None:
        asked["resource"] = entry.resource
    return {**asked, "description": entry.description, "parameters": dict(entry.parameters), "answer": answer}


def _read(entry: Any) -> Entry:
    answer = dict(entry["answer"])
    status = Status(answer.pop("status"))
    if status not in ANSWERS:
        raise ValueError(f"an answer is {status.value!r}, which decides nothing")
    unknown = answer.keys() - {*_TEXTS, "risk_score", "edits"}
    if unknown or not all(isinstance(answer.get(name, ""), str) for name in _TEXTS):
        raise ValueError(f"an answer has {', '.join(sorted(unknown)) or 'something else than a text for a text'}")
    return Entry(
        _text(entry, "action_type"),
        _text(entry, "tool_name"),
        _text(entry, "description"),
        dict(entry["parameters"]),
        _text(entry, "resource") if "resource" in entry else None,
        Decision("", status, **answer),
    )


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value
