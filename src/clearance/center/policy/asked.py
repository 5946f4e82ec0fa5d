"""What a policy is asked: one action, by whom, when, and how risky it looks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from clearance.center.records import Principal, Record
from clearance.models import Action
from clearance.redaction import above

NOBODY = ""
MOST_BLURRED = 1_000
"""Places that may be hidden or shown in part; where there are more, nobody can tell anything of any parameter."""


@dataclass(frozen=True)
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

    def is_seen(self, path: str, over: tuple[str, ...]) -> bool:
        """Is this place shown whole? ``over`` are the place and all that it lies in, as `redaction.above` says them."""
        blurred = self._blurred
        return blurred is not None and path not in blurred[1] and blurred[0].isdisjoint(over)

    @cached_property
    def _blurred(self) -> tuple[frozenset[str], frozenset[str]] | None:
        """The places that are not shown whole, and all that they lie in; None for too many."""
        paths = (*self.action.redacted, *self.action.abridged)
        if len(paths) > MOST_BLURRED:
            return None
        return frozenset(paths), frozenset(over for path in paths for over in above(path))

    @classmethod
    def by(cls, who: Principal, action: Action, at: int, risk: int) -> Asked:
        """What this principal asks."""
        return cls(action, at, risk, who.name, who.owner or NOBODY)

    @classmethod
    def again(cls, record: Record, risk: int) -> Asked:
        """What was asked once, as it would be asked again at the same time."""
        return cls(record.action, record.created_at, risk, record.requester_name, record.requester_owner or NOBODY)
