"""One request, as the fake keeps it: it moves through the same lifecycle table as everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from clearance import lifecycle
from clearance.commands import Claim
from clearance.lifecycle import Event
from clearance.models import Action, Decision, Outcome, Status
from clearance.quick import replace
from clearance.testing.asked import Asked
from clearance.testing.rules import EVENTS, Answer, Fault, Later, Rule, Step

OFFERS = frozenset({"status", "wait", "claim", "outcome", "withdraw"})

FAULTS = {"unavailable": "the Center was out of reach", "lost": "a reply of the Center was lost"}
"""What is told of a fault."""

ROUNDING = 1e-6
"""Seconds by which two sums of the same waits may differ."""


class Held:
    """One request; ``said`` is the approver's own Decision, where it gave one."""

    __slots__ = (
        "action", "action_id", "asked_at", "by_approver", "claimed", "decided_at", "faults", "history", "is_dead",
        "later", "nonce", "outcome", "rule", "said", "seen", "status",
    )  # fmt: skip

    def __init__(self, action: Action, action_id: str, asked_at: float) -> None:
        self.action: Action = action
        self.action_id: str = action_id
        self.asked_at: float = asked_at
        self.decided_at: float = asked_at
        self.status: Status = Status.PENDING
        self.rule: Rule | None = None
        self.said: Decision | None = None
        self.by_approver: bool = False
        self.nonce: str | None = None
        self.claimed: tuple[str, str | None] | None = None
        """The digests that it was claimed with: of the call as asked, and as edited."""
        self.outcome: Outcome | None = None
        self.later: Sequence[Later] = ()
        self.faults: dict[Fault, int] | None = None
        """How often each fault has befallen it."""
        self.history: tuple[str, ...] = ()
        self.is_dead: bool = False
        """The caller is gone: nothing more comes from it, and nothing reaches it."""
        self.seen: Asked | None = None
        """As it was last told to a test, if nothing has changed since."""

    def move(self, event: Event) -> bool:
        """Move as the lifecycle allows it; False if it does not."""
        try:
            self.status = lifecycle.after(self.status, event)
        except lifecycle.IllegalTransition:
            return False
        return True

    def decision(self) -> Decision:
        """How it stands."""
        if self.said is not None:
            return replace(self.said, action_id=self.action_id, status=self.status, nonce=self.nonce, offers=OFFERS)
        if not self.by_approver:
            return Decision(self.action_id, self.status, nonce=self.nonce, offers=OFFERS)
        return Decision(
            self.action_id,
            self.status,
            reason_code="approver",
            decided_by="the test",
            nonce=self.nonce,
            offers=OFFERS,
        )

    def asked(self) -> Asked:
        """As it is told to a test."""
        if self.seen is None:
            waited = self.decided_at - self.asked_at
            self.seen = Asked(self.action, self.decision(), self.outcome, self.history, waited)
        return self.seen

    def answer(self, answer: Answer) -> None:
        """The first answer: whatever the approver says is how the action stands."""
        if answer is None:
            return
        if isinstance(answer, Decision):
            check_edits(answer, self.action)
            self.said, self.status = answer, answer.status
        else:
            self.by_approver = True
            self.move(Event.APPROVE if answer is True else Event.DENY)

    def answer_again(self, answer: bool | Decision) -> None:
        """An answer that comes later, or on top of another: the lifecycle has the last word."""
        status = answer.status if isinstance(answer, Decision) else Status.APPROVED if answer is True else Status.DENIED
        if isinstance(answer, Decision):
            check_edits(answer, self.action)
        before = self.status
        if not self.move(EVENTS[status]):
            self.history += (f"another answer ({status}) changed nothing: it was {before} by then",)
        elif isinstance(answer, Decision):
            self.said = answer
        else:
            self.said, self.by_approver = None, True

    def answer_due(self, elapsed: float) -> None:
        """Give the answers that are due when so many seconds have passed since it was asked."""
        due = [later for later in self.later if not later.late and self.due(later) <= elapsed + ROUNDING]
        self._give(due)

    def answer_late(self) -> None:
        """Give the answers that come when the caller has given up."""
        late = [later for later in self.later if later.late]
        if late:
            self.history += ("an answer came when the caller had given up",)
        self._give(late)

    def answer_in_vain(self) -> None:
        """Give what is left, to a caller that is gone."""
        self._give(self.later)

    def next_due(self) -> float | None:
        """The seconds since it was asked at which the next answer comes; None: none will."""
        return min((self.due(later) for later in self.later if not later.late), default=None)

    def due(self, later: Later) -> float:
        """The seconds since it was asked at which this answer comes."""
        return self.action.decide_within if later.after is None else later.after

    def claim(self, nonce: str, digest: str, edited_digest: str | None) -> bool:
        """Spend the approval, if it can be spent."""
        if not self.move(Event.CLAIM):
            return False
        self.nonce, self.claimed = nonce, (digest, edited_digest)
        return True

    def fits(self, claim: Claim) -> bool:
        """Is the claim for what was cleared? A repeated one must be for what was claimed."""
        if self.claimed is not None:
            return self.claimed == (claim.digest, claim.edited_digest)
        is_edited = bool(self.said and self.said.edits)
        return claim.digest == self.action.digest and (claim.edited_digest not in (None, claim.digest)) == is_edited

    def befallen(self, step: Step) -> Fault | None:
        """The fault that befalls it now, at this step; it is counted."""
        if self.rule is None or not self.rule.faults:
            return None
        if self.faults is None:
            self.faults = {}
        for fault in self.rule.faults:
            count = self.faults.get(fault, 0)
            if fault.step == step and (fault.times is None or count < fault.times):
                self.faults[fault] = count + 1
                if not count and fault.kind != "crash":
                    self.history += (f"{FAULTS[fault.kind]} ({step})",)
                return fault
        return None

    def crash(self) -> None:
        """The caller is gone; the Center, which waits in vain for an outcome, will not know what ran."""
        self.is_dead = True
        self.move(Event.LOSE)
        self.history += ("the caller crashed when its approval was spent and its body had not begun",)

    def _give(self, due: Sequence[Later]) -> None:
        given = sorted(due, key=self.due)
        self.later = [later for later in self.later if later not in given]
        for later in given:
            self.answer_again(later.answer)


def check_edits(answer: Decision, action: Action) -> None:
    """A Center takes an edit only of what the guard lets an approver change, and only with a yes.

    Raises:
        ValueError: this is no such edit.
    """
    stray = answer.edits.keys() - set(action.editable)
    if stray or (answer.edits and answer.status is not Status.APPROVED):
        raise ValueError(
            f"The test's approver edits {', '.join(sorted(stray)) or 'a call that it does not approve'}; "
            f"this guard allows: {', '.join(action.editable) or 'no edits'}."
        )
