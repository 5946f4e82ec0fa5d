"""What is kept of a standing approval: plain values only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from clearance.models import Json

MADE = "standing.made"
REVOKED = "standing.revoked"
"""The events of the entries about one. That it was used stands in the entry of the decision that it made."""
BY_STANDING = "standing_approval"
"""The reason code of what one of them decided."""


@dataclass(frozen=True, slots=True)
class StandingApproval:
    """Somebody's leave for calls like one that they saw. Times are integer microseconds since 1970.

    Attributes:
        requester: the key that it is for; with ``agent_id``, ``action_type`` and ``tool_name`` as the call said.
        rule: the rule of the policy that asked. It answers no other rule.
        risk_level: that of the call that was seen. It answers nothing riskier.
        same: `clearance.center.standing.scope.imprint` of the call, without what may vary.
        match: conditions on parameters that may vary, by name, as a policy has them.
        free: parameters that may have any value.
        made_from: the action that was seen.
        made_by: the key of whoever made it; its rights count whenever it is used.
        used: how often it has answered; at most ``uses`` times.
    """

    requester: str
    requester_name: str
    agent_id: str
    action_type: str
    tool_name: str
    rule: str
    risk_level: str
    same: str
    made_from: int
    made_by: str
    made_by_name: str
    made_at: int
    ends_at: int
    uses: int
    reason: str
    match: Mapping[str, Json] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    id: int = 0
    used: int = 0
    revoked_at: int | None = None
    revoked_by: str | None = None

    @property
    def varying(self) -> tuple[str, ...]:
        """The parameters that may differ from those of the call that was seen."""
        return (*self.match, *self.free)

    @property
    def left(self) -> int:
        """How often it may still answer, if its time has not passed."""
        return self.uses - self.used

    @property
    def title(self) -> str:
        """What decisions call it."""
        return f"standing:{self.id}"

    def standing(self, now: int) -> str:
        """``live``, ``used_up``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.left <= 0:
            return "used_up"
        return "expired" if now >= self.ends_at else "live"

    def written(self) -> str:
        """All of it that never changes, as it is kept."""
        told = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in KEPT_APART}
        return json.dumps(told, sort_keys=True)

    def digest(self) -> str:
        """The hash of that, for the entry that tells that it was made."""
        return hashlib.sha256(self.written().encode()).hexdigest()


KEPT_APART = ("id", "requester", "ends_at", "uses", "used", "revoked_at", "revoked_by")
"""What has a column of its own."""


def read(written: str, **apart: object) -> StandingApproval:
    """What `StandingApproval.written` wrote, with what is kept apart."""
    told = json.loads(written)
    return StandingApproval(**{**told, "free": tuple(told["free"]), **apart})
