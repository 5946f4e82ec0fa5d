"""The nouns: what is asked, what is answered, what may run, and what came of it.

Every one is immutable, holds plain values only, and knows nothing of JSON, HTTP or time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn, TypeAlias

from clearance.quick import quick

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""What JSON can say."""


class Status(StrEnum):
    """Where an action stands. Only ``APPROVED`` lets a claim be asked for; nothing else ever does."""

    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    COMPLETED = "completed"
    FAILED = "failed"
    DENIED = "denied"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CodeIdentity:
    """Which code asks: the module, the qualified name and the kind of callable (or ``block``)."""

    module: str
    qualname: str
    kind: str


@quick
@dataclass(frozen=True, slots=True)
class Action:
    """What is asked of the Center: one call, as an approver will read it.

    ``parameters`` is the view of the arguments: redacted, JSON only. ``digest`` covers the real ones.
    ``decide_within`` and ``run_within`` are seconds: how long the answer may take, and how long an
    approval stays good for a claim.
    """

    agent_id: str
    action_type: str
    tool_name: str
    description: str
    parameters: Mapping[str, Json]
    digest: str
    decide_within: float
    run_within: float
    resource: str | None = None
    context: Mapping[str, Json] = field(default_factory=dict)
    reasoning: str | None = None
    redacted: tuple[str, ...] = ()
    abridged: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Path of each value that is shown in part -> (shown, total), in characters or items."""
    code: CodeIdentity | None = None
    editable: tuple[str, ...] = ()
    """The parameters that an approver may change while clearing the call."""
    risk_indicators: Mapping[str, Json] = field(default_factory=dict)
    """What the caller itself knows of the risk; a Center may only let it raise the risk, never lower it."""


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """What the Center answers about one action: how it stands, who says so, and why.

    ``offers`` names what this server can do beyond plain ASCEND (``wait``, ``claim``, ``outcome``,
    ``withdraw``). ``nonce`` is the claim's, when the action is claimed. ``retry_after`` is in seconds.
    ``edits`` are the parameters that the approver changed: the call was cleared with these values, and
    with no others. ``message_for_model`` is what the policy tells an agent whose call is refused, or "".
    """

    action_id: str
    status: Status
    reason: str = ""
    reason_code: str = ""
    decided_by: str | None = None
    decided_at: datetime | None = None
    channel: str | None = None
    risk_score: float | None = None
    risk_level: str | None = None
    decide_by: datetime | None = None
    nonce: str | None = field(default=None, repr=False)
    offers: frozenset[str] = frozenset()
    retry_after: float | None = None
    edits: Mapping[str, Json] = field(default_factory=dict)
    message_for_model: str = ""


@dataclass(slots=True)
class Grant:
    """Leave to run *this* call, once: it was shown, decided and claimed.

    ``digest`` is that of the call as it runs. ``idempotency_key`` is unique to this call and the same on every retry
    of it: hand it to the API behind the body. ``assurance`` says who keeps the promise of a single run: ``center``
    when the Center spent the approval, ``local`` when the server cannot and only this process does. ``parameters``
    are a block's: the values that were shown and cleared, in a private copy; they are not in the grant's ``repr``.
    """

    action_id: str
    digest: str
    decision: Decision
    idempotency_key: str
    nonce: str = field(repr=False)
    assurance: str
    notes: list[str] = field(default_factory=list)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    spent: bool = False

    @property
    def edited(self) -> Mapping[str, Json]:
        """The parameters that the approver changed, with the values that were cleared instead; mostly empty."""
        return self.decision.edits

    def note(self, text: str) -> None:
        """Add a line that is reported with the outcome (at most 20 lines of 500 characters are kept).

        Raises:
            RuntimeError: the call has ended and its outcome is reported; a grant is for one call.
        """
        if self.spent:
            raise RuntimeError("This grant is spent: its call has ended and was reported. Ask for a new one.")
        if len(self.notes) < MAX_NOTES:
            self.notes.append(text[:MAX_NOTE_LENGTH])

    def for_model(self) -> str:
        """A sentence to hand to a language model with the result, if an approver changed the call; else ""."""
        if not self.edited:
            return ""
        changes = ", ".join(f"{name}={value!r}" for name, value in self.edited.items())
        return (
            f"This action was executed with parameters that the approver changed: {changes}. "
            "Go by these values, not by those you asked for."
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("A grant is leave for one call in this process; it cannot be copied or sent elsewhere.")


MAX_NOTES = 20
MAX_NOTE_LENGTH = 500


@quick
@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a claimed call: ``completed``, ``failed`` or ``unknown``.

    ``error_type`` is the class name of the body's exception, never its text. ``duration`` is in seconds.
    """

    status: Status
    error_type: str | None = None
    duration: float = 0.0
    notes: tuple[str, ...] = ()
