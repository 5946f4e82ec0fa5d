"""What the inbox tells of one standing approval, in the words of the page."""

from __future__ import annotations

import json
from dataclasses import dataclass

from clearance.center.inbox.cards import Moment, moment
from clearance.center.records import Principal
from clearance.center.standing.approval import StandingApproval

MOST_LISTED = 50
"""Standing approvals that the inbox lists; the command line lists all."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A standing approval as somebody sees it."""

    approval: StandingApproval
    viewer: Principal
    now: int

    @property
    def may_revoke(self) -> bool:
        """May the viewer end it?"""
        return self.viewer.may_decide and self.approval.revoked_at is None

    @property
    def is_live(self) -> bool:
        """Can it still answer?"""
        return self.approval.standing(self.now) == "live"

    @property
    def until(self) -> Moment:
        """When it ends."""
        return moment(self.approval.ends_at, self.now)

    @property
    def differs(self) -> list[str]:
        """What may differ from the call that it was made from, in words; empty for nothing."""
        conditions = [f"{name} {json.dumps(condition)}" for name, condition in self.approval.match.items()]
        return [*conditions, *(f"any {name}" for name in self.approval.free)]

    @property
    def left(self) -> str:
        """How often it may still answer, in words."""
        left = self.approval.left
        return f"{left:,} of {self.approval.uses:,} use{'s' * (self.approval.uses != 1)} left"

    @property
    def standing(self) -> str:
        """How it stands, in words."""
        return self.approval.standing(self.now).replace("_", " ")
