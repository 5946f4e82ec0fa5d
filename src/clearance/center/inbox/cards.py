"""What the inbox tells of one request: a record, as one approver may see it, in the words of the page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from clearance.center import agreement, breakglass
from clearance.center.approvals import BULK_LEVELS
from clearance.center.edits import as_typed
from clearance.center.inbox.display import spelled
from clearance.center.inbox.values import Shown, Value
from clearance.center.moves import SECOND
from clearance.center.records import Factor, Principal, Record
from clearance.center.standing import scope
from clearance.center.standing.approval import BY_STANDING
from clearance.center.standing.desk import bar_to_allowing
from clearance.center.switches import REASON_CODE
from clearance.models import CodeIdentity, Json, Status

LARGEST_CARD = 20_000
"""Characters of a request that the list shows whole; a larger one has a page of its own."""
ONE_LINE = 60
"""Characters that a field shows in one line."""
JUST_NOW = 5
"""Seconds that are too short to be counted."""
LEVELS = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: for the clock that counts, in words, and exactly."""

    milliseconds: int
    words: str
    exact: str

    @property
    def ago(self) -> str:
        """How long ago it was."""
        return f"{self.words} ago" if self.words else "just now"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form in which an approver changes a parameter."""

    name: str
    shown: Json

    @property
    def key(self) -> str:
        """What the form calls it."""
        return f"edit.{self.name}"

    @property
    def text(self) -> str:
        """What stands in it at first."""
        return as_typed(self.shown)

    @property
    def is_long(self) -> bool:
        """Does it need more than one line?"""
        return len(self.text) > ONE_LINE or "\n" in self.text


@dataclass(frozen=True, slots=True)
class Card:
    """One request that waits, or waited."""

    record: Record
    viewer: Principal
    now: int
    alike: int = 1
    """How many identical requests of the same requester wait, with this one; it is the oldest."""

    @property
    def id(self) -> int:
        """The action's number."""
        return self.record.id

    @property
    def is_waiting(self) -> bool:
        """Can it still be decided?"""
        return self.record.status is Status.PENDING

    @property
    def is_own(self) -> bool:
        """Did the viewer ask for it, with this key or another one of theirs?"""
        return self.viewer.is_behind(self.record)

    @property
    def may_decide(self) -> bool:
        """May the viewer decide it?"""
        return self.viewer.may_decide and not self.is_own and self.bar is None

    @property
    def bar(self) -> str | None:
        """Why an approval of the viewer, who may decide in general, would not count."""
        return agreement.bar_to_approving(self.record, self.viewer) if self.is_waiting else None

    @property
    def may_deny(self) -> bool:
        """May the viewer refuse it?"""
        return agreement.bar_to_denying(self.record, self.viewer) is None

    @property
    def agreed(self) -> str:
        """How far the agreement of several people is, in words; "" where one is enough."""
        needed, names = agreement.needed(self.record), [spelled(vote.name) for vote in self.record.votes]
        if needed == 1:
            return ""
        return f"{len(names)} of {needed} approvals{': ' * bool(names)}{', '.join(names)}"

    @property
    def is_escalated(self) -> bool:
        """Has it waited for half of its time?"""
        return self.is_waiting and self.record.escalated_at is not None

    @property
    def may_resolve(self) -> bool:
        """May the viewer say what became of it?"""
        return self.viewer.may_decide and not self.is_own and self.record.status is Status.UNKNOWN

    @property
    def may_revoke(self) -> bool:
        """May the viewer take its approval back?"""
        return self.viewer.may_decide and self.record.status is Status.APPROVED

    @property
    def level(self) -> str:
        """The risk level, as a word that styles go by."""
        return self.record.risk_level if self.record.risk_level in LEVELS else "critical"

    @property
    def bars(self) -> int:
        """One bar for low up to four for critical, so that the level is seen without its colour."""
        return len(LEVELS) - LEVELS.index(self.level)

    @property
    def needs_confirmation(self) -> bool:
        """Does approving take a second, deliberate step? It does for all that may not be approved in bulk."""
        return self.record.risk_level not in BULK_LEVELS

    @property
    def is_large(self) -> bool:
        """Is it too large to be read among others?"""
        action = self.record.action
        size = len(json.dumps(dict(action.parameters))) + len(json.dumps(dict(action.context)))
        return size + len(action.description) + len(action.reasoning or "") > LARGEST_CARD

    @property
    def title(self) -> str:
        """What is asked, by which number, as plain text."""
        return f"{spelled(self.record.action.action_type)} (#{self.id})"

    @property
    def says(self) -> str:
        """The request in one line of plain text."""
        action = self.record.action
        return f"{spelled(action.action_type)}, asked by {spelled(action.agent_id)}, {self.level} risk"

    @property
    def parameters(self) -> list[tuple[str, Value]]:
        """Every argument."""
        action = self.record.action
        return Shown(action.redacted, action.abridged, self.record.claims).rows(action.parameters)

    @property
    def editable(self) -> list[Field]:
        """The parameters that the viewer may change before approving."""
        action = self.record.action
        return [Field(name, action.parameters[name]) for name in self.record.editable if name in action.parameters]

    @property
    def may_allow_again(self) -> bool:
        """May the viewer approve it together with the next ones like it?"""
        is_theirs = self.is_waiting and self.may_decide and bar_to_allowing(self.record, self.viewer) is None
        return is_theirs and bool(self.record.action.digest or self.may_vary)

    @property
    def may_vary(self) -> list[str]:
        """The parameters that may have any value in the next ones."""
        return scope.may_vary(self.record)

    @property
    def edits(self) -> list[tuple[str, Value, Value]]:
        """What the approver changed: the name, the value that was asked for, and the one that was cleared."""
        asked, shown = self.record.action.parameters, Shown()
        return [
            (name, shown.value(asked.get(name), name), shown.value(value, name))
            for name, value in self.record.edits.items()
        ]

    @property
    def context(self) -> list[tuple[str, Value]]:
        """What else the guard had to say."""
        action = self.record.action
        return Shown(action.redacted, action.abridged).rows(action.context)

    @property
    def shown_in_part(self) -> int:
        """How many values nobody here can see whole."""
        return len(self.record.action.abridged)

    @property
    def code(self) -> CodeIdentity | None:
        """Which code asks; None if it did not say."""
        code = self.record.action.code
        return code if code is not None and code.qualname else None

    @property
    def factors(self) -> tuple[Factor, ...]:
        """What the risk is made of."""
        return self.record.factors

    @property
    def asked(self) -> Moment:
        """When it was asked."""
        return self._moment(self.record.created_at)

    @property
    def until(self) -> Moment:
        """When it expires."""
        return self._moment(self.record.decide_by)

    @property
    def decided(self) -> Moment:
        """When it was decided, or asked if it never was."""
        return self._moment(self.record.decided_at or self.record.created_at)

    @property
    def by(self) -> str:
        """Who decided it, in words; "" if nobody did."""
        name = self.record.decided_by or ""
        if self.record.reason_code == "policy" and name.startswith("policy:"):
            return f"policy rule {name.removeprefix('policy:').rpartition('@')[0]}"
        if self.record.reason_code == REASON_CODE:
            return f"the kill switch of {name.removeprefix('kill-switch:')}"
        if self.record.reason_code == BY_STANDING and self.record.standing is not None:
            use = self.record.standing
            return f"standing approval {use['id']} of {use['by']}, use {use['use']} of {use['of']}"
        if name.startswith(breakglass.author("")):
            name = name.removeprefix(breakglass.author(""))
            is_taken_back = self.record.status is Status.REVOKED
            return f"{name}, who closed the break-glass" if is_taken_back else f"the break-glass of {name}"
        return name

    @property
    def is_emergency(self) -> bool:
        """Was it cleared by a break-glass, so that nobody has looked at it?"""
        return self.record.break_glass is not None

    @property
    def verdict(self) -> str:
        """What was decided, in a word or two."""
        if self.record.status in _OTHER_WORDS:
            return _OTHER_WORDS[self.record.status]
        if self.record.status not in _AFTER_APPROVAL:
            return "Denied"
        return "Approved with changes" if self.record.edits else "Approved"

    @property
    def tone(self) -> str:
        """``good``, ``bad`` or ``plain``: the colour of what came of it."""
        return _TONES.get(self.record.status, "plain")

    @property
    def came_of_it(self) -> str:
        """What came of it, in words."""
        outcome = self.record.outcome
        match self.record.status:
            case Status.COMPLETED:
                return f"ran, completed{_took(outcome.duration if outcome else 0)}"
            case Status.FAILED if outcome is not None and outcome.error_type == "not_started":
                return "did not run: its arguments had changed"
            case Status.FAILED:
                error = f" with {outcome.error_type}" if outcome and outcome.error_type else ""
                return f"ran, failed{error}{_took(outcome.duration if outcome else 0)}"
            case status:
                return _CAME_OF_IT[status]

    def _moment(self, microseconds: int) -> Moment:
        return moment(microseconds, self.now)


_OTHER_WORDS = {
    Status.PENDING: "Waiting",
    Status.EXPIRED: "Expired",
    Status.WITHDRAWN: "Withdrawn",
    Status.REVOKED: "Revoked",
}
_AFTER_APPROVAL = frozenset(
    {
        *(Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.FAILED, Status.UNKNOWN),
        *(Status.LAPSED, Status.STALE),
    }
)
_TONES = {
    Status.APPROVED: "good",
    Status.EXECUTING: "good",
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.UNKNOWN: "bad",
    Status.DENIED: "stop",
}
_CAME_OF_IT = {
    Status.PENDING: "waits for a decision",
    Status.APPROVED: "not started yet",
    Status.EXECUTING: "running",
    Status.DENIED: "did not run",
    Status.EXPIRED: "nobody decided in time; did not run",
    Status.LAPSED: "was not started in time; did not run",
    Status.WITHDRAWN: "taken back by the agent; did not run",
    Status.REVOKED: "approved, then taken back; did not run",
    Status.STALE: "outdated by a new policy; did not run",
    Status.UNKNOWN: "may have run; nobody reported back",
}


def moment(at: int, now: int) -> Moment:
    """A time as it looks at another; both in microseconds since 1970."""
    exact = datetime.fromtimestamp(at // SECOND, UTC)
    seconds = abs(now - at) / SECOND
    words = span(seconds) if seconds >= JUST_NOW or at > now else ""
    return Moment(at // 1000, words, f"{exact:%Y-%m-%d %H:%M:%S} UTC")


def span(seconds: float) -> str:
    """A length of time, as short as it can be said. The page's clock says it the same way."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 24 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    days = whole // (24 * 3600)
    return f"{days} day" if days == 1 else f"{days} days"


def _took(seconds: float) -> str:
    return f" in {seconds:.1f} s" if seconds >= 0.05 else ""
