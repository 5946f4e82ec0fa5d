"""Standing approvals in the inbox: allowing a call again while approving it, those that live, and a button for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from clearance.center.api import action_id, center_of
from clearance.center.faults import Invalid
from clearance.center.inbox import doors
from clearance.center.inbox.cards import Card
from clearance.center.inbox.pages import answered, reason_in
from clearance.center.records import Session
from clearance.center.standing.routes import standing_id
from clearance.center.store.base import Tx

FREE = "free."
"""How the form calls the box of a parameter that may have any value, before its place among `Card.may_vary`."""


@dataclass(frozen=True, slots=True)
class Again:
    """What the form says: how often, for how many hours, why, and the places of what may have any value."""

    uses: int
    hours: int
    reason: str
    free: tuple[int, ...]

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Again:
        """The form.

        Raises:
            Invalid: a number is none.
        """
        places = [name.removeprefix(FREE) for name in form if name.startswith(FREE)]
        numbers = [*(form.get(name, "").strip() for name in ("uses", "hours")), *places]
        if not all(text.isascii() and text.isdigit() and len(text) <= 6 for text in numbers):
            raise Invalid("Say how often and for how many hours, in whole numbers")
        uses, hours, *free = map(int, numbers)
        return cls(uses, hours, reason_in(form), tuple(free))

    def names(self, card: Card) -> list[str]:
        """The parameters that may have any value.

        Raises:
            Invalid: the form is not about this request.
        """
        known = card.may_vary
        if any(place >= len(known) for place in self.free):
            raise Invalid("The form does not say which parameters may differ")
        return [known[place] for place in self.free]


async def allow_again(request: Request) -> Response:
    """Clear a request, and allow the same again. At high risk the form must say that every value was read."""
    center, wanted, form = center_of(request), action_id(request), await doors.form_of(request)
    again = Again.read(form)

    def allow(tx: Tx, session: Session) -> str:
        doors.check_token(session, form)
        desk, who = center.desk, session.principal
        card = Card(desk.read(tx, who, wanted), who, desk.now())
        if not desk.may_approve(tx, who, card.record):
            desk.decide(tx, who, wanted, approve=True, channel="inbox")  # says why not
            raise Invalid("You have approved this already. To allow it again now: clearance standing create")
        if card.needs_confirmation and form.get("confirmed") != "yes":
            raise Invalid(f"This is of {card.level} risk: confirm first that you have read every value")
        desk.make_standing(
            tx, who, wanted, reason=again.reason, uses=again.uses, hours=again.hours, free=again.names(card)
        )
        desk.decide(tx, who, wanted, approve=True, reason=again.reason, channel="inbox")
        return f"Approved, and allowed {again.uses} more times: {card.title}"

    return answered(request, await doors.as_approver(request, allow))


async def revoke(request: Request) -> Response:
    """End a standing approval, with what it approved and nobody has claimed."""
    center, wanted, form = center_of(request), standing_id(request), await doors.form_of(request)
    reason = reason_in(form)

    def end(tx: Tx, session: Session) -> str:
        doors.check_token(session, form)
        ended = center.desk.revoke_standing(tx, session.principal, wanted, reason=reason)
        return f"Revoked standing approval {ended.id}"

    return answered(request, await doors.as_approver(request, end))


ROUTES: list[BaseRoute] = [
    Route("/inbox/{id}/allow-again", allow_again, methods=["POST"]),
    Route("/inbox/standing/{id}/revoke", revoke, methods=["POST"]),
]
