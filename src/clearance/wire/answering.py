"""The server's half of the wire: what a client sent -> nouns; a `Decision` -> the JSON that every client reads.

Which field is there for which client is forced by clients that were run; see the contract's eighteen rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from clearance.models import Action, CodeIdentity, Decision, Json, Outcome, Status
from clearance.quick import quick
from clearance.redaction import View
from clearance.sealing import seal, spell
from clearance.wire import strictjson
from clearance.wire.vocabulary import (
    ACTION_PATH,
    API_VERSION,
    BREAK_GLASS,
    DECISIONS,
    IDEMPOTENCY_KEY_LENGTH,
    LINKS,
    MAX_HOLD,
    MAX_KEYS,
    MOST_IDS,
    SPOKEN,
    WAIT_PATH,
)

T = TypeVar("T")
POLL_EVERY = 2
"""Seconds between polls that are suggested to clients that cannot long-poll."""
DECIDE_WITHIN = 900.0
RUN_WITHIN = 300.0
LONGEST_DURATION_MS = 10**12
"""Milliseconds of a body's run that can be meant: some thirty years."""

_CONTROL = r"[A-Z]{2}(?:\.[A-Z]{2})?-[0-9]{1,2}(?:\([0-9]{1,2}\))?"
_NIST_CONTROL = re.compile(rf"{_CONTROL}(?:, ?{_CONTROL}){{0,4}}")
"""A control of SP 800-53 (``AC-3``, ``AC-6(9)``) or a subcategory of the CSF (``PR.AC-1``), or a few of them."""
_TACTICS = """
    Reconnaissance|Resource Development|Initial Access|Execution|Persistence|Privilege Escalation|Defense Evasion
    |Credential Access|Discovery|Lateral Movement|Collection|Command and Control|Exfiltration|Impact
"""
_MITRE_TACTIC = re.compile(rf"TA[0-9]{{4}}|{''.join(_TACTICS.splitlines()).replace('    ', '')}", re.IGNORECASE)
"""A tactic of ATT&CK, by its id or its name."""
ShortText = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Unreadable(ValueError):
    """The body cannot be meant; the message is the ``detail`` of a 422."""


class CallSite(TypedDict, total=False):
    """Which code asks."""

    module: ShortText
    qualname: ShortText
    kind: ShortText


class ClearanceExtra(TypedDict, total=False):
    """What a level 2 client adds under ``extra_data.clearance``."""

    v: int
    digest: ShortText
    parameters_shown: dict[str, tuple[int, int]]
    redacted: list[str]
    decide_within_s: Seconds
    run_within_s: Seconds
    claim: bool
    nonce: ShortText
    reasoning: Text | None
    call: CallSite | None
    editable: Annotated[list[ShortText], Field(max_length=12)]


class SubmitBody(TypedDict, total=False):
    """What is read of a submit; fields that are not here are left alone."""

    agent_id: ShortText
    action_type: ShortText
    description: Text | None
    tool_name: ShortText | None
    action_details: dict[str, Any] | None
    parameters: dict[str, Any] | None
    resource: Text | None
    context: dict[str, Any] | None
    risk_indicators: dict[str, Any] | None
    extra_data: dict[str, Any] | None
    nist_control: Any
    mitre_tactic: Any


class ClaimBody(TypedDict):
    """A claim."""

    digest: ShortText
    nonce: Annotated[str, Field(min_length=8, max_length=200)]
    edited_digest: NotRequired[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None]


class OutcomeBody(TypedDict):
    """An outcome."""

    nonce: ShortText
    outcome: str
    error_type: Annotated[ShortText | None, Field(default=None)]
    duration_ms: Annotated[int, Field(default=0, ge=0, le=LONGEST_DURATION_MS)]
    notes: Annotated[list[Annotated[str, Field(max_length=500)]], Field(default_factory=list, max_length=20)]


class ReasonBody(TypedDict, total=False):
    """A withdrawal."""

    reason: Annotated[str, Field(max_length=2_000)] | None


class ResolveBody(TypedDict):
    """What became of an action that may have run and never said so, and how that is known."""

    outcome: Literal["completed", "failed"]
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]


class WaitBody(TypedDict, total=False):
    """A wait for more actions than an address has room for."""

    ids: Annotated[list[Annotated[int, Field(gt=0, lt=10**18)]], Field(max_length=MOST_IDS)]


class DecisionBody(ReasonBody, total=False):
    """Approve and reject; ``parameters`` clears the call with these values instead."""

    parameters: dict[str, Any] | None


class BulkBody(TypedDict):
    """Approve everything pending of some risk levels."""

    risk_levels: list[ShortText]


@quick
@dataclass(frozen=True, slots=True)
class Submitted:
    """What one submit says."""

    action: Action
    claims: bool
    nonce: str | None
    nist_control: str | None = None
    mitre_tactic: str | None = None


@cache
def _adapter(schema: Any) -> TypeAdapter[Any]:
    return TypeAdapter(schema)


def _checked(schema: Any, value: object) -> Any:
    """The value, if it has this form."""
    try:
        return _adapter(schema).validate_python(value, strict=True)
    except ValidationError:  # maybe a list that is meant as a tuple; and the words of the refusal are to be JSON's
        return _adapter(schema).validate_json(strictjson.write(value), strict=True)


def parse(schema: Callable[..., T], body: bytes) -> T:
    """A body of this form, or Unreadable. An empty body is an empty object."""
    try:
        value = strictjson.read(body, max_keys=MAX_KEYS) if body.strip() else {}
        parsed: T = _checked(schema, value)
    except strictjson.NotJson as error:
        raise Unreadable(f"The body is {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Unreadable(f"{where}: {first['msg']}") from None
    return parsed


def submit(body: bytes) -> Submitted:
    """What a submit says.

    Raises:
        Unreadable: it has not the form of one, or lacks what every action needs.
    """
    found = parse(SubmitBody, body)
    details = found.get("action_details") or {}
    agent_id, action_type = found.get("agent_id") or "", found.get("action_type") or ""
    missing = [name for name, value in (("agent_id", agent_id), ("action_type", action_type)) if not value]
    if missing:
        raise Unreadable(f"Missing required fields: {', '.join(missing)}")
    resource = found.get("resource") or None
    extra = _extra(found.get("extra_data"))
    code = extra.get("call")
    action = Action(
        agent_id=agent_id,
        action_type=action_type,
        tool_name=found.get("tool_name") or _text(details.get("tool_name")) or resource or action_type,
        description=found.get("description") or resource or _text(details.get("description")) or action_type,
        parameters={**details, **(found.get("parameters") or {})},
        digest=extra.get("digest", ""),
        decide_within=extra.get("decide_within_s", DECIDE_WITHIN),
        run_within=extra.get("run_within_s", RUN_WITHIN),
        resource=resource,
        context=found.get("context") or {},
        reasoning=extra.get("reasoning"),
        redacted=tuple(extra.get("redacted", ())),
        abridged=extra.get("parameters_shown", {}),
        editable=tuple(extra.get("editable", ())),
        risk_indicators=found.get("risk_indicators") or {},
        code=CodeIdentity(code.get("module", ""), code.get("qualname", ""), code.get("kind", "")) if code else None,
    )
    claims = extra.get("claim", False) or bool(extra.get("digest"))
    if claims and not action.digest:
        raise Unreadable("extra_data.clearance: a client that claims must send the digest of the call")
    _check_editable(action)
    return Submitted(
        action if claims else _made_safe(action),
        claims,
        extra.get("nonce") or None,
        _one_of_these(_NIST_CONTROL, found.get("nist_control")),
        _one_of_these(_MITRE_TACTIC, found.get("mitre_tactic")),
    )


def _one_of_these(pattern: re.Pattern[str], value: object) -> str | None:
    """The name from a catalogue that the client gave, if it is one. Nothing else is kept: it might be anything."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _check_editable(action: Action) -> None:
    """Only what an approver sees whole can be written anew."""
    unseen = (*action.redacted, *action.abridged)
    for name in action.editable:
        if name not in action.parameters or any(path.startswith(name) for path in unseen):
            raise Unreadable("extra_data.clearance.editable: names a parameter that is not there, or not shown whole")


def outcome(body: bytes) -> tuple[str, Outcome]:
    """The nonce and the outcome that a report says."""
    found = parse(OutcomeBody, body)
    if found["outcome"] not in ("completed", "failed", "unknown"):
        raise Unreadable("outcome: must be completed, failed or unknown")
    return found["nonce"], Outcome(
        Status(found["outcome"]),
        found.get("error_type"),
        found.get("duration_ms", 0) / 1000,
        tuple(found.get("notes", ())),
    )


def idempotency_key(header: str | None) -> str | None:
    """The Idempotency-Key, if one was sent."""
    if header is not None and not 0 < len(header) <= IDEMPOTENCY_KEY_LENGTH:
        raise Unreadable(f"Idempotency-Key: must have 1 to {IDEMPOTENCY_KEY_LENGTH} characters")
    return header


def wait_of(prefer: str | None) -> int:
    """The seconds of a ``Prefer: wait=N`` header (RFC 7240), capped; 0 without one, or with one that is not read."""
    for preference in (prefer or "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "wait" and value.isascii() and value.isdigit():
            return min(int(value[:9]), MAX_HOLD)
    return 0


def ids_of(said: str | bytes | None) -> frozenset[int]:
    """The actions that are waited for: ``1,2,3`` in a query, or ``{"ids": [1, 2, 3]}`` in a body.

    Raises:
        Unreadable: it is neither, or has none or more than `MOST_IDS`.
    """
    if isinstance(said, bytes):
        ids = frozenset(parse(WaitBody, said).get("ids") or ())
    elif said and all(text.isascii() and text.isdigit() and len(text) <= 18 for text in said.split(",")):
        ids = frozenset(map(int, said.split(",")))
    else:
        raise Unreadable("ids must be numbers with commas between them")
    if not 0 < len(ids) <= MOST_IDS:
        raise Unreadable(f"ids must name 1 to {MOST_IDS:,} actions")
    return ids


def status_body(decision: Decision, *, exact: Status | None) -> dict[str, Json]:
    """How an action stands, for every kind of client. ``exact`` is the lifecycle's word, where it may be told."""
    word = SPOKEN[decision.status]
    approved = decision.status is Status.APPROVED
    pending = decision.status is Status.PENDING
    action_id = int(decision.action_id)
    return {
        "id": action_id,
        "action_id": action_id,
        "status": word,
        "decision": DECISIONS.get(word, word),
        "lifecycle": exact.value if exact else None,
        "approved": approved,
        # Two published clients look at nothing but this, and run what does not require an approval.
        "requires_approval": not approved,
        "decision_ready": not pending,
        "reason": decision.reason,
        "reason_code": decision.reason_code,
        "decided_by": decision.decided_by,
        "decided_at": iso(decision.decided_at),
        "channel": decision.channel,
        "reviewed_by": decision.decided_by,
        "reviewed_at": iso(decision.decided_at),
        "comments": decision.reason,
        "risk_score": decision.risk_score,
        "risk_level": decision.risk_level,
        "expires_at": iso(decision.decide_by),
        "approval_request_id": decision.action_id if pending else None,
        "polling_interval_seconds": POLL_EVERY,
        "enterprise_polling": False,
        "nonce": decision.nonce,
        "edits": dict(decision.edits) or None,
        "message_for_model": decision.message_for_model or None,
        "links": {name: _link(action_id, name) for name in LINKS},
    }


def submit_body(
    decision: Decision,
    action: Action,
    *,
    exact: Status | None,
    correlation_id: str,
    rules: Sequence[str],
    clear_up_to: int,
    milliseconds: int,
    nist_control: str | None,
    mitre_tactic: str | None,
) -> dict[str, Json]:
    """The flat answer to a submit."""
    is_emergency = decision.reason_code == BREAK_GLASS
    enforced = {Status.APPROVED: "auto_approved", Status.EXECUTING: "auto_approved", Status.PENDING: "pending_approval"}
    return {
        **status_body(decision, exact=exact),
        "action_type": action.action_type,
        "message": decision.reason or "The action waits for an approver.",
        "policy_decision": enforced.get(decision.status, "denied"),
        "enforcement_decision": enforced.get(decision.status, "denied"),
        "enforcement_decision_source": BREAK_GLASS if is_emergency else "policy",
        "matched_policies": list(rules),
        "matched_smart_rules": len(rules),
        "policy_violations": list(rules) if decision.status is Status.DENIED else [],
        "conditions": [],
        "correlation_id": correlation_id,
        "processing_time_ms": milliseconds,
        "alert_triggered": is_emergency,
        "workflow_id": None,
        # CVSS rates weaknesses of software; there is no true one of a call.
        "cvss_score": None,
        "cvss_severity": None,
        "cvss_vector": None,
        "nist_control": nist_control,
        "mitre_tactic": mitre_tactic,
        "thresholds": {"auto_approve_below": clear_up_to + 1, "max_risk_threshold": 100},
        "api_version": API_VERSION,
    }


def details_body(decision: Decision, action: Action, *, requester: str, created_at: datetime) -> dict[str, Json]:
    """All that is told of one action, in lists and in details."""
    exact = decision.status
    return {
        **status_body(decision, exact=exact),
        "agent_id": action.agent_id,
        "action_type": action.action_type,
        "tool_name": action.tool_name,
        "description": action.description,
        "action_details": dict(action.parameters),
        "resource": action.resource,
        "context": dict(action.context),
        "risk_indicators": dict(action.risk_indicators),
        "editable": list(action.editable),
        "redacted": list(action.redacted),
        "parameters_shown": {path: list(counts) for path, counts in action.abridged.items()},
        "digest": action.digest,
        "requested_by": requester,
        "created_at": iso(created_at),
    }


def iso(time: datetime | None) -> str | None:
    """A time as ISO 8601 text."""
    return time.isoformat() if time else None


def _link(action_id: int, name: str) -> str:
    return f"{WAIT_PATH}?ids={action_id}" if name == "wait" else f"{ACTION_PATH.format(id=action_id)}/{name}"


def _extra(extra_data: Mapping[str, Any] | None) -> ClearanceExtra:
    found = (extra_data or {}).get("clearance")
    if found is None:
        return ClearanceExtra()
    try:
        parsed: ClearanceExtra = _checked(ClearanceExtra, found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("extra_data", "clearance", *first["loc"]))
        raise Unreadable(f"{where}: {first['msg']}") from None
    return parsed


def _made_safe(action: Action) -> Action:
    """What a client that knows nothing of redaction sent: secrets hidden before anything keeps or shows them.

    Its action is bound to what is shown; such a client never claims, so no digest of its own is compared.
    """
    view = View()
    shown, _ = spell(action.parameters, view, b"")
    context, _ = spell(action.context, view, b"")
    risk_indicators, _ = spell(action.risk_indicators, view, b"")
    pieces = spell(shown, View(), b"")[1]
    digest = seal(
        action.agent_id, action.action_type, action.tool_name, action.resource, CodeIdentity("", "", ""), pieces
    )
    return replace(
        action,
        parameters=shown,
        context=context,
        risk_indicators=risk_indicators,
        editable=(),
        redacted=tuple(view.redacted),
        abridged=view.abridged,
        digest=digest,
    )


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""
