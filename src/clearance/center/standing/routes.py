"""The REST counter for standing approvals: making one, listing them, and taking one back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clearance.center import telling
from clearance.center.api import MOST_LISTED, Answer, at_the_desk, body_of, center_of, number_of
from clearance.center.records import Principal
from clearance.center.standing.approval import StandingApproval
from clearance.center.standing.desk import HOURS, USES
from clearance.center.store.base import Tx
from clearance.models import Json
from clearance.wire import administering, answering
from clearance.wire.answering import Unreadable


async def make(request: Request) -> Response:
    """Allow again what an action asks."""
    desk = center_of(request).desk
    said = answering.parse(administering.StandingBody, await body_of(request))

    def allow(tx: Tx, who: Principal) -> StandingApproval:
        return desk.make_standing(
            tx,
            who,
            said["action_id"],
            reason=said["reason"],
            uses=said.get("uses", USES),
            hours=said.get("expires_in_hours", HOURS),
            match=said.get("match", {}),
            free=said.get("free", ()),
        )

    return Answer(told(await at_the_desk(request, allow), desk.now()))


async def listing(request: Request) -> Response:
    """Standing approvals, newest first; those that have ended only where the query says so."""
    desk = center_of(request).desk
    limit, offset = min(number_of(request, "limit", 50), MOST_LISTED), number_of(request, "offset", 0)
    word = request.query_params.get("ended", "false")
    if word not in ("true", "false"):
        raise Unreadable("ended must be true or false")

    def find(tx: Tx, who: Principal) -> list[StandingApproval]:
        return desk.list_standing(tx, who, ended=word == "true", limit=limit, offset=offset)

    found = await at_the_desk(request, find)
    now = desk.now()
    return Answer([told(approval, now) for approval in found])


async def revoke(request: Request) -> Response:
    """End a standing approval, with what it approved and nobody has claimed."""
    desk, wanted = center_of(request).desk, standing_id(request)
    reason = answering.parse(answering.ReasonBody, await body_of(request)).get("reason") or ""
    ended = await at_the_desk(request, lambda tx, who: desk.revoke_standing(tx, who, wanted, reason=reason))
    return Answer(told(ended, desk.now()))


def standing_id(request: Request) -> int:
    """The standing approval that the path names."""
    text = request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Unreadable("The standing approval's id must be a number")
    return int(text)


def told(approval: StandingApproval, now: int) -> dict[str, Json]:
    """What is told of one."""
    return {
        "id": approval.id,
        "status": approval.standing(now),
        "requested_by": approval.requester_name,
        "agent_id": approval.agent_id,
        "action_type": approval.action_type,
        "tool_name": approval.tool_name,
        "rule": approval.rule,
        "risk_level": approval.risk_level,
        "match": dict(approval.match),
        "free": list(approval.free),
        "made_from": approval.made_from,
        "made_by": approval.made_by_name,
        "made_at": _time(approval.made_at),
        "expires_at": _time(approval.ends_at),
        "uses": approval.uses,
        "used": approval.used,
        "reason": approval.reason,
        "revoked_at": _time(approval.revoked_at),
        "revoked_by": approval.revoked_by,
    }


def _time(microseconds: int | None) -> str | None:
    return answering.iso(telling.time_of(microseconds))


ROUTES = [
    Route("/api/v1/standing-approvals", make, methods=["POST"]),
    Route("/api/v1/standing-approvals", listing, methods=["GET"]),
    Route("/api/v1/standing-approvals/{id}/revoke", revoke, methods=["POST"]),
]
