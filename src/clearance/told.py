"""What a client is told beside decisions: how it is connected, all about one action, and whether it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clearance.errors import AuthorizationError
from clearance.models import Decision, Json, Status

LEVEL_2 = frozenset({"wait", "claim", "outcome", "withdraw"})
"""What a server offers beyond plain ASCEND."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What came of a connection test. It is true only if the key was accepted.

    ``problem`` says what is wrong, with the next step, where something is. ``clock_ahead`` is how many seconds this
    machine's clock is ahead of the server's, to a second or so.
    """

    url: str
    reachable: bool = False
    """A server with the Center's routes answered."""
    authenticated: bool = False
    """It accepted the key."""
    role: str | None = None
    """What the key may do, in the server's word; None if it does not say."""
    name: str = ""
    version: str = ""
    offers: frozenset[str] = frozenset()
    """What it can do beyond plain ASCEND (``wait``, ``claim``, ``outcome``, ``withdraw``), as far as it says."""
    clock_ahead: float | None = None
    problem: AuthorizationError | None = None

    @property
    def level(self) -> int:
        """2 for a Center with long polls, claims, outcomes and withdrawals; 1 for a plain ASCEND server."""
        return 2 if self.offers >= LEVEL_2 else 1

    def __bool__(self) -> bool:
        """Is it reachable, and does it accept the key?"""
        return self.reachable and self.authenticated


@dataclass(frozen=True, slots=True)
class ActionDetails:
    """All that a server tells of one action. ``raw`` is its JSON, with whatever has no name here."""

    decision: Decision
    """How it stands. A word that is not known reads as ``Status.UNKNOWN``, which never lets anything run."""
    agent_id: str = ""
    action_type: str = ""
    tool_name: str = ""
    description: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    """The arguments as they are shown: secrets are hidden."""
    resource: str | None = None
    requested_by: str | None = None
    created_at: datetime | None = None
    digest: str = ""
    raw: Mapping[str, Json] = field(default_factory=dict, repr=False)

    @property
    def action_id(self) -> str:
        """Which action."""
        return self.decision.action_id

    @property
    def status(self) -> Status:
        """How it stands."""
        return self.decision.status


@dataclass(frozen=True, slots=True)
class KillSwitchStatus:
    """Is this key, or the agent that was asked about, stopped altogether; and since when, by whom and why."""

    blocked: bool
    reason: str | None = None
    activated_at: datetime | None = None
    activated_by: str | None = None
