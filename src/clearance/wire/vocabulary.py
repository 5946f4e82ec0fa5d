"""The words of the wire, and which of ours each one means."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from clearance.models import Status

API_VERSION: Final = "1.0.0"
SUBMIT_PATH: Final = "/api/v1/actions/submit"
ACTION_PATH: Final = "/api/v1/actions/{id}"
WAIT_PATH: Final = "/api/v1/actions/wait"
LINKS: Final = ("status", "wait", "claim", "outcome", "withdraw")
"""What a level 2 server offers for an action; `wait` is for many of them at once."""

BREAK_GLASS: Final = "break_glass"
"""The reason code of what was cleared in an emergency, and who is said to have enforced it."""

AUDIT_HEAD: Final = "Clearance-Audit-Head"
"""The header of every answer with the newest head of the audit trail, as ``entries:root``."""

MAX_ANSWER: Final = 256 * 1024
"""Bytes of an answer that a client reads; a longer one is refused."""
MAX_BODY: Final = 1024 * 1024
"""Bytes of a request body that a server reads; a longer one is refused unread."""
MAX_KEYS: Final = 10_000
"""Keys of all objects in a request body together; a body with more is refused."""
MAX_HOLD: Final = 60
"""Seconds that a server holds a status answer back, at most."""
MOST_IDS: Final = 10_000
"""Actions that one request can wait for."""
IDEMPOTENCY_KEY_LENGTH: Final = 200
"""Characters of an Idempotency-Key at most."""

SPOKEN: Mapping[Status, str] = MappingProxyType(
    {
        Status.PENDING: "pending_approval",
        Status.APPROVED: "approved",
        Status.EXECUTING: "executed",
        Status.COMPLETED: "executed",
        Status.FAILED: "executed",
        Status.UNKNOWN: "executed",
        Status.DENIED: "denied",
        Status.EXPIRED: "denied",
        Status.LAPSED: "denied",
        Status.WITHDRAWN: "denied",
        Status.REVOKED: "denied",
        Status.STALE: "denied",
    }
)
"""How each status is said to an ASCEND client; the exact one goes beside it as ``lifecycle``."""

HEARD: Mapping[str, Status] = MappingProxyType(
    {
        "pending_approval": Status.PENDING,
        "pending": Status.PENDING,
        "approved": Status.APPROVED,
        "denied": Status.DENIED,
        "rejected": Status.DENIED,
        "executing": Status.EXECUTING,
        # Somebody ran it, or may have: never leave to run it (again).
        "executed": Status.EXECUTING,
    }
)
"""What a server's ``status`` means when it says no more. A word that is not here is no answer at all."""

DECISIONS: Mapping[str, str] = MappingProxyType({"pending_approval": "pending"})
"""``decision`` is ``status``, but for this one."""
