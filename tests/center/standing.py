"""What the tests of standing approvals share: people with keys, and what they do at the desk."""

from __future__ import annotations

from typing import Any

from tests.center.desks import AGENT, CAROL, DAVE, EVE, OTHER_AGENT, Office
from tests.helpers import an_action

from clearance.center.records import KeyRecord, Principal, Record, Role
from clearance.center.standing.approval import StandingApproval
from clearance.center.store.base import Tx
from clearance.models import Action

ADA = Principal("admin-6", "ada", Role.ADMIN, "ada@example.org")
ADAS_BOT = Principal("agent-3", "adas-bot", Role.USER, "ada@example.org")
PEOPLE = (AGENT, OTHER_AGENT, CAROL, DAVE, EVE, ADA, ADAS_BOT)
REFUND = an_action(parameters={"charge_id": "ch_1", "amount": 5, "note": "late"}, digest="refund-1")


def hire(office: Office, *people: Principal) -> None:
    """Give them keys: whoever makes a standing approval must hold one whenever it is used."""

    def add(tx: Tx) -> None:
        for who in people or PEOPLE:
            tx.add_key(KeyRecord(who.id, who.role, who.name, "", 0, owner=who.owner))

    office.do(add)


def allow(
    office: Office, record: Record, who: Principal = CAROL, reason: str = "as before", **how: Any
) -> StandingApproval:
    """Allow again what this action asks."""
    return office.do(lambda tx: office.desk.make_standing(tx, who, record.id, reason=reason, **how))


def end(office: Office, approval: StandingApproval, who: Principal = CAROL, reason: str = "enough") -> StandingApproval:
    """Revoke it."""
    return office.do(lambda tx: office.desk.revoke_standing(tx, who, approval.id, reason=reason))


def kept(office: Office, approval: StandingApproval) -> StandingApproval:
    """What the store has."""
    found = office.do(lambda tx: tx.standing_approval(approval.id))
    assert found is not None
    return found


def refund(digest: str = "another", **parameters: Any) -> Action:
    """The refund with other parameters, and so another digest."""
    return an_action(parameters={**REFUND.parameters, **parameters}, digest=digest)
