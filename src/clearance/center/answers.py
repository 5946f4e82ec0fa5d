"""What each route answers, as types: the half of the API's description that is not in what it reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from clearance.center.records import Role
from clearance.models import Status
from clearance.wire.vocabulary import SPOKEN

WHOLE = ConfigDict(extra="forbid")
"""Nothing is answered that is not told here."""
Number = Annotated[int, Field(ge=0)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _one_of(words: Iterable[str]) -> Any:
    """A text that is told as one of these; what is answered is not held against it again."""
    told: dict[str, Any] = {"enum": sorted(words)}
    return Field(json_schema_extra=told)


Word = Annotated[str, _one_of({*SPOKEN.values(), "executing"})]
Exact = Annotated[str, _one_of(Status)]
RoleWord = Annotated[str, _one_of(Role)]
Risk = Literal["low", "medium", "high", "critical"]


class Refusal(TypedDict):
    """Why nothing was done; about an action, also how it stands."""

    detail: str


@with_config(WHOLE)
class Links(TypedDict):
    """Where the other routes of an action are."""

    status: str
    wait: str
    claim: str
    outcome: str
    withdraw: str


class Standing(TypedDict):
    """How an action stands."""

    id: Number
    action_id: Number
    status: Word
    decision: str | None
    lifecycle: Exact | None
    approved: bool
    requires_approval: bool
    decision_ready: bool
    reason: str
    reason_code: str
    decided_by: str | None
    decided_at: Time | None
    channel: str | None
    reviewed_by: str | None
    reviewed_at: Time | None
    comments: str
    risk_score: Annotated[float, Field(ge=0, le=100)] | None
    risk_level: Risk | None
    expires_at: Time | None
    approval_request_id: str | None
    polling_interval_seconds: Number
    enterprise_polling: bool
    nonce: str | None
    edits: dict[str, Any] | None
    message_for_model: str | None
    links: Links
    run_until: NotRequired[Time | None]


class Thresholds(TypedDict):
    """Risk scores at which the policy decides by itself."""

    auto_approve_below: Number
    max_risk_threshold: Number


@with_config(WHOLE)
class Submitted(Standing):
    """The answer to a submit."""

    action_type: str
    message: str
    policy_decision: str
    enforcement_decision: str
    enforcement_decision_source: str
    matched_policies: list[str]
    matched_smart_rules: Number
    policy_violations: list[str]
    conditions: list[str]
    correlation_id: str
    processing_time_ms: Number
    alert_triggered: bool
    workflow_id: None
    cvss_score: None
    cvss_severity: None
    cvss_vector: None
    nist_control: str | None
    mitre_tactic: str | None
    thresholds: Thresholds
    api_version: str


@with_config(WHOLE)
class Approval(TypedDict):
    """One person's approval, in a stage that counts from 0."""

    by: str
    at: Time
    stage: Number


class RiskFactor(TypedDict):
    """Why an action's risk is what it is."""

    name: str
    points: int
    reason: str


@with_config(WHOLE)
class Details(Standing):
    """All there is to know about an action."""

    agent_id: str
    action_type: str
    tool_name: str
    description: str
    action_details: dict[str, Any]
    resource: str | None
    context: dict[str, Any]
    risk_indicators: dict[str, Any]
    editable: list[str]
    redacted: list[str]
    parameters_shown: dict[str, list[int]]
    digest: str
    requested_by: str
    created_at: Time
    risk_factors: list[RiskFactor]
    approvals: list[Approval]
    approvals_needed: Number
    escalated: bool
    break_glass: Number | None


@with_config(WHOLE)
class Approved(TypedDict):
    """What one answer for all has cleared."""

    approved: list[Number]


@with_config(WHOLE)
class Health(TypedDict):
    """It is up."""

    status: Literal["healthy"]
    version: str


@with_config(WHOLE)
class Deployment(TypedDict):
    """Which Center this is, and what the key may do."""

    version: str
    name: str
    environment: str
    role: RoleWord
    offers: list[str]


@with_config(WHOLE)
class CenterKey(TypedDict):
    """What receipts are checked with."""

    public_key: Annotated[str, Field(pattern="^ed25519:[A-Za-z0-9_-]{43}$")]


@with_config(WHOLE)
class Growth(TypedDict):
    """A head, and the proof that it continues the one that was named."""

    entries: Number
    root: Hash
    proof: list[Hash]


class Receipt(TypedDict):
    """A signed receipt; its bytes count."""

    v: Literal[1]
    action_id: Number
    status: Literal["approved", "denied"]
    entry: str
    entries: Number
    head: Hash
    proof: list[Hash]
    center: str
    signature: str


class Key(TypedDict):
    """A key, without its text."""

    id: str
    key_id: str
    key_prefix: str
    name: str
    role: RoleWord
    owner: str | None
    status: Literal["active", "expired", "revoked"]
    is_active: bool
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None


@with_config(WHOLE)
class NewKey(Key):
    """A key, with its text, once."""

    success: bool
    api_key: str
    warning: str


@with_config(WHOLE)
class RevokedKey(Key):
    """A key that has ended."""

    success: bool
    message: str


@with_config(WHOLE)
class Keys(TypedDict):
    """Every key."""

    keys: list[Key]
    total: Number


@with_config(WHOLE)
class Switch(TypedDict):
    """A kill switch; null is every agent, or every tool."""

    on: bool
    agent: str | None
    tool: str | None
    reason: str
    activated_at: Time
    activated_by: str


@with_config(WHOLE)
class Stopped(TypedDict):
    """Whether the key is stopped altogether; who may read all is also told of every switch."""

    blocked: bool
    reason: str | None
    activated_at: Time | None
    activated_by: str | None
    switches: NotRequired[list[Switch]]


@with_config(WHOLE)
class BreakGlass(TypedDict):
    """A break-glass, and what was done under it; ``actions`` are the first that it cleared. A null key is any."""

    id: Number
    open: bool
    agent: str
    tool: str
    key: str | None
    reason: str
    opened_at: Time
    opened_by: str
    owner: str | None
    ends_at: Time
    closed_at: Time | None
    closed_by: str | None
    cleared: Number
    ran: Number
    actions: list[Number]


@with_config(WHOLE)
class PolicyVersion(TypedDict):
    """A policy came in force."""

    version: str
    since: Time
    by: str


@with_config(WHOLE)
class Policy(TypedDict):
    """A policy as it was written, and when it last came in force; ``in_use`` is what this Center judges by.

    ``unclear`` says how often each rule of that could not be evaluated since this Center began to.
    """

    version: str
    format: str
    text: str
    since: Time | None
    by: str | None
    in_use: str
    unclear: dict[str, Number]


@with_config(WHOLE)
class Reloaded(PolicyVersion):
    """What came of a reload; ``before`` is the version that was in force, if any was."""

    changed: bool
    before: str | None


@with_config(WHOLE)
class StandingApproval(TypedDict):
    """Leave for calls like that of the action ``made_from``, which differ from it only where it says so."""

    id: Number
    status: Literal["live", "used_up", "expired", "revoked"]
    requested_by: str
    agent_id: str
    action_type: str
    tool_name: str
    rule: str
    risk_level: Risk
    match: dict[str, Any]
    free: list[str]
    made_from: Number
    made_by: str
    made_at: Time
    expires_at: Time
    uses: Number
    used: Number
    reason: str
    revoked_at: Time | None
    revoked_by: str | None


class Entry(TypedDict):
    """An entry of the audit trail."""

    seq: Number
    at: int
    event: str
    actor: str
    action_id: NotRequired[Number]
    status: NotRequired[Exact]
    details: NotRequired[dict[str, Any]]
    timestamp: Time | None
    hash: Hash


@with_config(WHOLE)
class Logs(TypedDict):
    """A page of the audit trail."""

    logs: list[Entry]
    total: Number
    limit: Number
    offset: Number
