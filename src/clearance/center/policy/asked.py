"""What a policy is asked: one action, by whom, when, and how risky it looks."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.center.records import Principal, Record
from clearance.models import Action
from clearance.quick import quick

NOBODY = ""


@quick
@dataclass(frozen=True, slots=True)
class Asked:
    """All that a rule may look at.

    Attributes:
        action: what is asked.
        at: when, in microseconds since 1970, by the Center's clock.
        risk: its risk score, 0 to 100.
        requester: the name of the key that asks; identity comes from the credential, `action.agent_id` is only said.
        owner: the person behind that key, or "".
    """

    action: Action
    at: int = 0
    risk: int = 0
    requester: str = NOBODY
    owner: str = NOBODY

    @classmethod
    def by(cls, who: Principal, action: Action, at: int, risk: int) -> Asked:
        """What this principal asks."""
        return cls(action, at, risk, who.name, who.owner or NOBODY)

    @classmethod
    def again(cls, record: Record, risk: int) -> Asked:
        """What was asked once, as it would be asked again at the same time."""
        return cls(record.action, record.created_at, risk, record.requester_name, record.requester_owner or NOBODY)
