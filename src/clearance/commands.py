"""What a client can say to a Center. Every answer is a `Decision`: how the action stands afterwards.

``timeout`` is the number of seconds that this one exchange may take; a transport that has no
answer by then raises `AuthorizationUnavailable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from clearance.models import Action, Outcome
from clearance.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Submit:
    """Ask. The same ``key`` again is the same request. ``nonce`` claims an automatic approval at once."""

    action: Action
    key: str
    nonce: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Await:
    """Ask how the action stands; the answer may be held back for ``hold`` seconds until that changes."""

    action_id: str
    hold: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Claim:
    """Spend the approval, once, for the call with this digest. The same nonce again gets the same answer.

    ``digest`` is that of the call as it was asked. Where the approver changed parameters, ``edited_digest`` is
    that of the call as it will run.
    """

    action_id: str
    digest: str
    nonce: str
    timeout: float
    edited_digest: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Report:
    """Say what came of the claimed call."""

    action_id: str
    nonce: str
    outcome: Outcome
    timeout: float


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Say that the caller no longer wants it."""

    action_id: str
    reason: str
    timeout: float


Command: TypeAlias = Submit | Await | Claim | Report | Withdraw


@dataclass(frozen=True, slots=True)
class Pause:
    """Not for the Center: the driver lets this many seconds pass."""

    seconds: float
