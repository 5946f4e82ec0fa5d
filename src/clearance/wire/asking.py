"""The client's half of the wire: a command -> an HTTP request; an HTTP answer -> a `Decision`, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from clearance import lifecycle
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.errors import AuthorizationUnavailable
from clearance.models import Action, Decision, Json, Status
from clearance.wire import strictjson
from clearance.wire.vocabulary import ACTION_PATH, DECISIONS, HEARD, LINKS, MAX_BODY, SPOKEN, SUBMIT_PATH


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without the host and the key."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


@with_config(ConfigDict(strict=True))
class Answer(TypedDict):
    """What is read of a decision; anything else in it is left alone."""

    id: NotRequired[int]
    action_id: NotRequired[int]
    status: str
    decision: NotRequired[str | None]
    lifecycle: NotRequired[str | None]
    reason: NotRequired[str | None]
    reason_code: NotRequired[str | None]
    decided_by: NotRequired[str | None]
    decided_at: NotRequired[str | None]
    channel: NotRequired[str | None]
    risk_score: NotRequired[float | None]
    risk_level: NotRequired[str | None]
    expires_at: NotRequired[str | None]
    nonce: NotRequired[str | None]
    edits: NotRequired[dict[str, Any] | None]
    message_for_model: NotRequired[str | None]
    links: NotRequired[dict[str, str] | None]


@cache
def _schema() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)


def request(command: Command) -> Request:
    """How a command is said over HTTP.

    Raises:
        AuthorizationUnavailable: the submit would be larger than any server accepts.
    """
    match command:
        case Submit(action, key, nonce):
            body = strictjson.write(_submission(action, nonce))
            if len(body) > MAX_BODY:
                raise AuthorizationUnavailable(
                    f"The request for {action.action_type!r} has {len(body):,} bytes; a Center reads {MAX_BODY:,}.",
                    reason_code="too_large",
                    next_step="Pass the bulk by reference (a path, an id) instead of as an argument.",
                )
            return _post(SUBMIT_PATH, body, key)
        case Await(action_id, hold):
            headers = {"Prefer": f"wait={math.ceil(hold)}"} if hold > 0 else {}
            return Request("GET", _path(action_id, "status"), headers, None)
        case Claim(action_id, digest, nonce, _, edited_digest):
            edited = {"edited_digest": edited_digest} if edited_digest else {}
            body = strictjson.write({"digest": digest, "nonce": nonce, **edited})
            return _post(_path(action_id, "claim"), body, f"claim-{nonce}")
        case Report(action_id, nonce, outcome):
            body = strictjson.write(
                {
                    "nonce": nonce,
                    "outcome": outcome.status.value,
                    "error_type": outcome.error_type,
                    "duration_ms": round(outcome.duration * 1000),
                    "notes": list(outcome.notes),
                }
            )
            return _post(_path(action_id, "outcome"), body, f"outcome-{outcome.status.value}-{nonce}")
        case Withdraw(action_id, reason):
            body = strictjson.write({"reason": reason})
            return _post(_path(action_id, "withdraw"), body, f"withdraw-{action_id}")


def answer(command: Command, status: int, headers: Mapping[str, str], body: bytes) -> Decision:
    """What an HTTP answer to ``command`` says. ``headers`` has lower-case names.

    Raises:
        AuthorizationUnavailable: anything but a well-formed answer about the action that was asked for.
    """
    refused = status == 409 and isinstance(command, (Claim, Report, Withdraw))
    if status != 200 and not refused:
        raise _fault(status, headers, body)
    decision = decision_of(_read(body), headers)
    if refused:  # it says how the action stands, but is never the yes to a claim, whatever nonce it repeats
        decision = replace(decision, nonce=None)
    asked = None if isinstance(command, Submit) else command.action_id
    if asked is not None and decision.action_id != asked:
        raise nonsense(f"is about action {decision.action_id}, not {asked}")
    return decision


def decision_of(found: Json, headers: Mapping[str, str]) -> Decision:
    """The decision that the JSON of an answer says.

    Raises:
        AuthorizationUnavailable: it says none, or contradicts itself.
    """
    try:
        checked = _schema().validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise nonsense(f"does not have the expected form: {where}: {first['msg']}") from None
    return _decision(checked, headers)


def value(status: int, headers: Mapping[str, str], body: bytes) -> Json:
    """The JSON of an answer that is no decision.

    Raises:
        AuthorizationUnavailable: the server refused, failed, or did not answer in JSON.
    """
    if status != 200:
        raise _fault(status, headers, body)
    try:
        # A list of actions is one level around what was submitted: a deep one must not hide all the others.
        return strictjson.read(body, max_depth=strictjson.MAX_DEPTH + 1)
    except strictjson.NotJson as error:
        raise nonsense(f"is {error}") from None


def _submission(action: Action, nonce: str) -> dict[str, object]:
    code = action.code
    body: dict[str, object] = {
        "agent_id": action.agent_id,
        "action_type": action.action_type,
        "description": action.description,
        "tool_name": action.tool_name,
        "action_details": dict(action.parameters),
        "extra_data": {
            "clearance": {
                "v": 1,
                "digest": action.digest,
                "parameters_shown": {path: list(counts) for path, counts in action.abridged.items()},
                "redacted": list(action.redacted),
                "decide_within_s": action.decide_within,
                "run_within_s": action.run_within,
                "claim": bool(nonce),
                "nonce": nonce,
                "reasoning": action.reasoning,
                "call": {"module": code.module, "qualname": code.qualname, "kind": code.kind} if code else None,
                "editable": list(action.editable),
            }
        },
    }
    if action.resource is not None:
        body["resource"] = action.resource
    if action.context:
        body["context"] = dict(action.context)
    if action.risk_indicators:
        body["risk_indicators"] = dict(action.risk_indicators)
    return body


def _path(action_id: str, end: str) -> str:
    if not (action_id.isascii() and action_id.isdigit()):
        raise nonsense("has an id that is no number")
    return f"{ACTION_PATH.format(id=action_id)}/{end}"


def _post(path: str, body: bytes, key: str) -> Request:
    return Request("POST", path, {"Content-Type": "application/json", "Idempotency-Key": key}, body)


def _read(body: bytes) -> Json:
    try:
        return strictjson.read(body)
    except strictjson.NotJson as error:
        raise nonsense(f"is {error}") from None


def _decision(answer: Answer, headers: Mapping[str, str]) -> Decision:
    ids = {answer.get("id"), answer.get("action_id")} - {None}
    if len(ids) != 1:
        raise nonsense("has no id" if not ids else "has two different ids")
    status, edits = _status(answer), answer.get("edits") or {}
    if edits and status not in _EDITABLE:
        raise nonsense(f"has edits of a call that is {status}")
    return Decision(
        action_id=str(ids.pop()),
        status=status,
        reason=answer.get("reason") or "",
        reason_code=answer.get("reason_code") or "",
        decided_by=answer.get("decided_by"),
        decided_at=time_of(answer.get("decided_at")),
        channel=answer.get("channel"),
        risk_score=answer.get("risk_score"),
        risk_level=answer.get("risk_level"),
        decide_by=time_of(answer.get("expires_at")),
        nonce=answer.get("nonce"),
        offers=frozenset(answer.get("links") or ()) & frozenset(LINKS),
        retry_after=_retry_after(headers),
        edits=edits,
        message_for_model=(answer.get("message_for_model") or "") if status in lifecycle.REFUSED else "",
    )


_EDITABLE = frozenset({Status.APPROVED, *lifecycle.CLAIMED, *lifecycle.REFUSED})


def _status(answer: Answer) -> Status:
    """The one status that everything in the answer agrees on."""
    word = answer["status"]
    status = HEARD.get(word)
    if status is None:
        raise nonsense(f"has a status that is not known ({word[:40]!r})")
    said = answer.get("decision")
    if said is not None and said != DECISIONS.get(SPOKEN[status], SPOKEN[status]):
        raise nonsense(f"contradicts itself: status {word!r}, decision {said[:40]!r}")
    exact = answer.get("lifecycle")
    if exact is None:
        return status
    if exact not in Status._value2member_map_ or SPOKEN[Status(exact)] != SPOKEN[status]:
        raise nonsense(f"contradicts itself: status {word!r}, lifecycle {exact[:40]!r}")
    return Status(exact)


def time_of(text: str | None) -> datetime | None:
    """A time that is only shown; one that cannot be read is left out."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server wants to be left alone: given so, or as a date against its own clock."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


def nonsense(problem: str) -> AuthorizationUnavailable:
    """An answer that does not have the form of one; ``problem`` goes on from "it"."""
    return AuthorizationUnavailable(
        f"The Center's answer cannot be trusted: it {problem}.",
        reason_code="bad_answer",
        next_step="Check that OWKAI_API_URL is the address of an Authorization Center (`clearance check`).",
    )


_FAULTS: Mapping[int, tuple[str, str, str]] = {
    401: ("bad_key", "does not accept the API key", "Check OWKAI_API_KEY; keys can be revoked and can expire."),
    403: ("forbidden", "does not let this key do that", "Ask for a key with the right role."),
    404: ("not_found", "does not know this route or action", "Check OWKAI_API_URL (`clearance check`)."),
    409: ("in_flight", "is still busy with the same request", "Try again in a moment."),
    410: ("gone", "no longer has this action", "Ask again."),
    413: ("too_large", "finds the request too large", "Pass the bulk by reference (a path, an id)."),
    422: ("rejected", "cannot accept the request", "See its words above; the guard's arguments may need a change."),
    429: ("rate_limited", "has had too many requests", "Slow down; the limit is the Center's to raise."),
}


def _fault(status: int, headers: Mapping[str, str], body: bytes) -> AuthorizationUnavailable:
    if 300 <= status < 400:
        code, what, next_step = "redirect", "wants to send us to another address", "Set OWKAI_API_URL to that address."
    elif status >= 500:
        code, what, next_step = (
            "server_error",
            "failed",
            "Its log has the cause; `clearance check` tests the way there.",
        )
    else:
        unexpected = ("bad_answer", "gave an answer that has no meaning here", "Check OWKAI_API_URL.")
        code, what, next_step = _FAULTS.get(status, unexpected)
    return AuthorizationUnavailable(
        f"The Center {what} (HTTP {status}{_detail(body)}).",
        reason_code=code,
        next_step=next_step,
        transient=status in (409, 429) or status >= 500,
        retry_after=_retry_after(headers),
    )


def detail(body: bytes) -> str | None:
    """The server's own sentence about a refusal, if it gave one; its text is data."""
    try:
        value: Json | Any = strictjson.read(body)
    except strictjson.NotJson:
        return None
    found = value.get("detail") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def _detail(body: bytes) -> str:
    """The same, quoted and cut."""
    found = detail(body)
    return f": {found[:300]!r}" if found else ""
