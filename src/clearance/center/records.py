"""The Center's own nouns: who asks, what is kept of an action, and what the desk refuses to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clearance.models import Action, Json, Outcome, Status


class Role(StrEnum):
    """What a key may do. ``user``: ask, and see its own. ``admin``: decide. ``super_admin``: also make keys."""

    USER = "user"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"


DECIDERS = frozenset({Role.ADMIN, Role.SUPER_ADMIN})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a credential belongs to. ``id`` is what counts; ``name`` is what is shown."""

    id: str
    name: str
    role: Role

    @property
    def may_decide(self) -> bool:
        """May this principal see everything and decide what others ask?"""
        return self.role in DECIDERS


@dataclass(frozen=True, slots=True)
class Submission:
    """What one submit says. ``claims`` tells a client that claims before it runs from one that only polls."""

    action: Action
    key: str | None
    nonce: str | None
    claims: bool


@dataclass(frozen=True, slots=True)
class Factor:
    """One named part of a risk score, with its reason."""

    name: str
    points: int
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of one action. Times are integer microseconds since 1970, by the Center's clock.

    ``decider`` is the id behind the name in ``decided_by``: names need not differ.
    """

    action: Action
    requester: str
    requester_name: str
    fingerprint: str
    created_at: int
    decide_by: int
    correlation_id: str
    policy_version: str
    id: int = 0
    version: int = 0
    status: Status = Status.PENDING
    key: str | None = None
    claims: bool = False
    approval_read: bool = False
    risk_score: int = 0
    risk_level: str = "low"
    factors: tuple[Factor, ...] = ()
    rule: str = ""
    decider: str | None = None
    decided_by: str | None = None
    decided_at: int | None = None
    reason: str = ""
    reason_code: str = ""
    channel: str | None = None
    run_by: int | None = None
    nonce: str | None = None
    claimed_at: int | None = None
    run_until: int | None = None
    outcome: Outcome | None = None
    edits: Mapping[str, Json] = field(default_factory=dict)
    """Parameters that the approver changed while clearing the call; `action` stays as it was asked."""
    edited_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit trail, before it is chained: what happened, to which action, by whom."""

    at: int
    event: str
    actor: str
    action_id: int | None = None
    status: Status | None = None
    details: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of an API key: never the key itself."""

    id: str
    role: Role
    name: str
    digest: str
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. ``id`` is the hash of the cookie; ``form_token`` goes into every form."""

    id: str
    principal: Principal
    form_token: str
    expires_at: int


class DeskError(Exception):
    """The desk will not do that. ``record`` is how the action stands, where that may be told.

    ``is_audited``: the unit of work that raises it has an entry about it, and is kept.
    """

    is_audited = False

    def __init__(self, detail: str, record: Record | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.record = record


class NotAuthenticated(DeskError):
    """No credential, or none that is known here."""


class Forbidden(DeskError):
    """A known principal without the right to do this."""


class NotFound(DeskError):
    """No such action, or none that this principal may know of."""


class Conflict(DeskError):
    """The action does not stand so that this could happen to it."""


class Invalid(DeskError):
    """What was sent cannot be meant."""


class StoreUnavailable(Exception):
    """The store cannot keep anything now, so nothing was done.

    ``full`` tells a full disk from the rest. ``unknown``: the connection was lost while the database was asked to
    keep it, so it may have been kept after all.
    """

    def __init__(self, detail: str, *, full: bool = False, unknown: bool = False) -> None:
        super().__init__(detail)
        self.full = full
        self.unknown = unknown


class DatabaseRefused(Exception):
    """The database is not one that this Center may serve from; the message says why and what to do."""
