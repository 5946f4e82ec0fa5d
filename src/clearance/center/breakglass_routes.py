"""The REST counter for break-glass: opening one, closing it, and what was done under each."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clearance.center import breakglass, telling
from clearance.center.api import Answer, at_the_desk, body_of, center_of, number_of
from clearance.center.emergencies import BreakGlass
from clearance.center.faults import Forbidden
from clearance.center.records import Principal
from clearance.center.store.base import Tx
from clearance.models import Json
from clearance.wire import administering, answering

MOST_LISTED = 100
"""That one list answers at most."""
MOST_ACTIONS = 100
"""Actions that are named of each."""


async def open_one(request: Request) -> Response:
    """Open one."""
    desk = center_of(request).desk
    said = answering.parse(administering.BreakGlassBody, await body_of(request))
    minutes, key = said.get("minutes") or breakglass.MINUTES, said.get("key") or breakglass.ANY

    def work(tx: Tx, who: Principal) -> dict[str, Json]:
        now = desk.now()
        glass = breakglass.open_one(
            tx, who, now, agent=said["agent"], tool=said["tool"], reason=said["reason"], minutes=minutes, key=key
        )
        return _told(tx, glass, now)

    return Answer(await at_the_desk(request, work))


async def close(request: Request) -> Response:
    """Close one before its time."""
    desk, number = center_of(request).desk, number_in(request)
    reason = answering.parse(answering.ReasonBody, await body_of(request)).get("reason") or ""

    def work(tx: Tx, who: Principal) -> dict[str, Json]:
        glass = desk.close_glass(tx, who, number, reason)
        return _told(tx, glass, desk.now())

    return Answer(await at_the_desk(request, work))


async def listing(request: Request) -> Response:
    """All of them, newest first."""
    desk = center_of(request).desk
    limit, offset = min(number_of(request, "limit", 50), MOST_LISTED), number_of(request, "offset", 0)

    def work(tx: Tx, who: Principal) -> list[dict[str, Json]]:
        if not who.may_read_all:
            raise Forbidden("This key may not read that; ask for one with the role auditor")
        now = desk.now()
        return [_told(tx, glass, now) for glass in tx.break_glasses(limit=limit, offset=offset)]

    return Answer(await at_the_desk(request, work))


def number_in(request: Request) -> int:
    """The break-glass that the path names.

    Raises:
        Unreadable: it is no number.
    """
    text = request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise answering.Unreadable("The number of a break-glass must be a number")
    return int(text)


def _told(tx: Tx, glass: BreakGlass, now: int) -> dict[str, Json]:
    uses = tx.uses_of_break_glass(glass.id)
    return {
        "id": glass.id,
        "open": glass.is_open(now),
        "agent": glass.agent,
        "tool": glass.tool,
        "key": glass.key or None,
        "reason": glass.reason,
        "opened_at": _time(glass.opened_at),
        "opened_by": glass.opened_by_name,
        "owner": glass.opened_by_owner,
        "ends_at": _time(glass.ends_at),
        "closed_at": _time(glass.closed_at),
        "closed_by": glass.closed_by_name,
        "cleared": uses.cleared,
        "ran": uses.ran,
        "actions": [*tx.cleared_by_break_glass(glass.id, limit=MOST_ACTIONS)],
    }


def _time(microseconds: int | None) -> str | None:
    return answering.iso(telling.time_of(microseconds))


ROUTES = [
    Route("/api/v1/break-glass", listing, methods=["GET"]),
    Route("/api/v1/break-glass", open_one, methods=["POST"]),
    Route("/api/v1/break-glass/{id}/close", close, methods=["POST"]),
]
