"""The Center's own nouns: who asks, what is kept of an action, and what the desk refuses to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Any

from clearance.models import Action, Json, Outcome, Status
from clearance.quick import quick


class Role(StrEnum):
    """What a key may do.

    ``user``: ask, and see its own. ``admin``: see all, and decide. ``super_admin``: also make and revoke keys, use the
    kill switch, open a break-glass, and reload the policy. ``auditor``: see all and the keys, ask and change nothing.
    """

    USER = "user"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"
    AUDITOR = "auditor"


ASKERS = frozenset({Role.USER, Role.ADMIN, Role.SUPER_ADMIN})
DECIDERS = frozenset({Role.ADMIN, Role.SUPER_ADMIN})
READERS = DECIDERS | {Role.AUDITOR}
MANAGERS = frozenset({Role.SUPER_ADMIN})


@quick
@dataclass(frozen=True, slots=True)
class Principal:
    """Who a credential belongs to. ``id`` is what counts; ``name`` is what is shown.

    ``owner`` is the person behind the key, where that was said when it was made.
    """

    id: str
    name: str
    role: Role
    owner: str | None = None

    @property
    def may_ask(self) -> bool:
        """May this principal submit?"""
        return self.role in ASKERS

    @property
    def may_decide(self) -> bool:
        """May this principal decide what others ask?"""
        return self.role in DECIDERS

    @property
    def may_read_all(self) -> bool:
        """May this principal see what others ask?"""
        return self.role in READERS

    @property
    def may_manage(self) -> bool:
        """May this principal make and revoke keys, use the kill switch, open a break-glass, and reload the policy?"""
        return self.role in MANAGERS

    @property
    def may_list_keys(self) -> bool:
        """May this principal see which keys there are?"""
        return self.may_manage or self.role is Role.AUDITOR

    def goes_by(self, names: Collection[str]) -> bool:
        """Is this principal among those that are named, by the key's id or name, or by its owner?"""
        return self.id in names or self.name in names or (self.owner is not None and self.owner in names)

    def is_behind(self, record: Record) -> bool:
        """Did this principal ask for it, with this key or with another key of the same owner?"""
        return record.requester == self.id or (self.owner is not None and record.requester_owner == self.owner)


BY_A_PERSON = "approver"
"""The reason code of what a person decided."""


@quick
@dataclass(frozen=True, slots=True)
class Submission:
    """What one submit says. ``claims`` tells a client that claims before it runs from one that only polls."""

    action: Action
    key: str | None
    nonce: str | None
    claims: bool
    nist_control: str | None = None
    mitre_tactic: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Factor:
    """One named part of a risk score, with its reason."""

    name: str
    points: int
    reason: str


@quick
@dataclass(frozen=True, slots=True)
class Share:
    """What one action takes of a limit over time. ``takes`` is None where nobody could tell.

    ``quota`` and ``subject`` are what it is kept under, ``used`` what others had taken when it was asked, and
    ``is_over`` says that there was no room for it then.
    """

    limit: str
    quota: str
    subject: str
    takes: int | None
    used: int
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Part of an agreement: ``quorum`` different people must approve.

    Where ``approvers`` (names) or ``roles`` are given, these alone; never those whose names are ``excluded``.
    """

    quorum: int = 1
    approvers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Does it say who may approve? Otherwise any approver may."""
        return bool(self.approvers or self.roles)

    def is_for(self, who: Principal, others: tuple[str, ...] = ()) -> bool:
        """May this principal's approval count here? ``others`` may approve beside those that are named."""
        if who.goes_by(self.excluded):
            return False
        return not self.is_closed or who.role in self.roles or who.goes_by((*self.approvers, *others))

    def wanted(self) -> tuple[str, ...]:
        """Who may approve, in words; empty for any approver."""
        return (*self.approvers, *(f"any {role}" for role in self.roles))


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's approval, in one stage (from 0) of an agreement."""

    stage: int
    voter: str
    name: str
    at: int
    owner: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of one action. Times are integer microseconds since 1970, by the Center's clock.

    ``decider`` is the id behind the name in ``decided_by``: names need not differ.
    """

    action: Action
    requester: str
    requester_name: str
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
    requester_owner: str | None = None
    stages: tuple[Stage, ...] = ()
    """Who must agree; empty: any one approver."""
    votes: tuple[Vote, ...] = ()
    """Who approved, in order; of a request that somebody then refused, too."""
    escalate_to: tuple[str, ...] = ()
    """Who else may approve once it has waited for half its time, where a stage names its approvers."""
    escalated_at: int | None = None
    asked_because: str = ""
    """Why the policy leaves it to people, in the words of the rule that does."""
    message_for_model: str = ""
    """What the policy tells an agent that is refused, besides the fixed sentence."""
    run_within: float | None = None
    """The most seconds for which an approval is good, where the policy says so; the caller may say fewer."""
    may_change: tuple[str, ...] | None = None
    """The parameters that an approver may change, where the policy allows fewer than the guard."""
    new_call: str | None = None
    """`call_of` its action, if this requester was never cleared for it before; None also where nobody looked."""
    nist_control: str | None = None
    """As the requester said."""
    mitre_tactic: str | None = None
    shares: tuple[Share, ...] = ()
    """What it takes of the limits over time that are, or may be, about it."""

    standing: Mapping[str, Json] | None = None
    """Which standing approval answered (``id``), whose it is (``maker``, ``by``), and which ``use`` ``of`` how many."""
    break_glass: int | None = None
    """The number of the break-glass that cleared it."""

    def is_like(self, other: Record) -> bool:
        """Is it the same call of the same requester?

        It also has to look the same: the digest is only what a client says.
        """
        mine, its = self.action, other.action
        return self.requester == other.requester and mine.digest != "" and _shown(mine) == _shown(its)

    @property
    def cleared_call(self) -> str | None:
        """`call_of` its action, if its requester was cleared for it for the first time, and as it was asked.

        One that was taken back, or that may or may not have run, does not make the next one familiar.
        """
        return self.new_call if self.status in _CLEARED and not self.edits else None

    @property
    def editable(self) -> tuple[str, ...]:
        """The parameters that an approver may change."""
        return self.action.editable if self.may_change is None else self.may_change

    @property
    def approval_lasts(self) -> float:
        """Seconds for which an approval of it is good."""
        return min(self.action.run_within, self.run_within or self.action.run_within)

    @property
    def escalates_at(self) -> int:
        """When half of its time to be decided is over."""
        return self.created_at + (self.decide_by - self.created_at) // 2


@quick
@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit trail, before it is chained: what happened, to which action, by whom."""

    at: int
    event: str
    actor: str
    action_id: int | None = None
    status: Status | None = None
    details: dict[str, object] | None = None


@quick
@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of an API key: never the key itself. ``last_used_at`` is exact to the hour."""

    id: str
    role: Role
    name: str
    digest: str
    created_at: int
    revoked_at: int | None = None
    expires_at: int | None = None
    owner: str | None = None
    last_used_at: int | None = None

    def standing(self, now: int) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "active"

    def principal(self) -> Principal:
        """Who its holder is."""
        return Principal(self.id, self.name, self.role, self.owner)


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Stops everything, one agent, one tool, or one agent with one tool; "" stands for all.

    It outlives being turned off: what was approved before it was last turned on can never be claimed.
    """

    agent: str
    tool: str
    is_on: bool
    reason: str
    activated_at: int
    activated_by: str
    activated_by_name: str

    def covers(self, record: Record) -> bool:
        """Is this action among what it stops? An agent goes by its own name, and by its key's id and name."""
        agents = (record.action.agent_id, record.requester, record.requester_name)
        return (not self.agent or any(_same(self.agent, agent) for agent in agents)) and (
            not self.tool or _same(self.tool, record.action.tool_name)
        )

    def stops(self, record: Record) -> bool:
        """Does it stop this action: now, or since a time at which its approval stood?"""
        outlived = record.decided_at is not None and record.decided_at <= self.activated_at
        in_time = record.run_by is None or self.activated_at < record.run_by
        return (self.is_on or outlived) and in_time and self.covers(record)


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """A policy as it was written. ``format`` is ``yaml``, ``toml`` or ``cedar``."""

    version: str
    format: str
    text: str


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy came in force: which, when, and who put it there. ``entry`` is that of the audit trail."""

    entry: int
    version: str
    at: int
    author: str
    author_name: str


_CLEARED = frozenset({Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.FAILED})


def call_of(action: Action) -> str:
    """What tells this call from every other of the same requester: 128 bits in hexadecimal digits.

    The digest alone would not do: it is only what a client says.
    """
    shown = [action.digest, action.agent_id, action.action_type, action.tool_name, action.resource]
    return hashlib.sha256(_spell([*shown, dict(action.parameters)]).encode()).hexdigest()[:32]


_spell = json.JSONEncoder(sort_keys=True).encode


def _shown(action: Action) -> list[Any]:
    """What tells a call from another. As text, for 1 and true are equal to Python."""
    parameters = json.dumps(dict(action.parameters), sort_keys=True)
    return [action.digest, action.agent_id, action.action_type, action.tool_name, action.resource, parameters]


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. ``id`` is the hash of the cookie; ``form_token`` goes into every form."""

    id: str
    principal: Principal
    form_token: str
    expires_at: int


def fields_of(value: Any) -> dict[str, Any]:
    """A dataclass as `json.dumps` can go on with it: ``default=fields_of`` is a quick `dataclasses.asdict`."""
    return {name: getattr(value, name) for name in _names(value.__class__)}


@cache
def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]
