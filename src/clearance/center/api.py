"""The REST counter: one function a route, each one transaction at the desk."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeAlias, TypeVar

from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clearance._version import __version__
from clearance.center import signing, telling, trail
from clearance.center.faults import TooMany
from clearance.center.lookout import Later, Lookout, watch_of
from clearance.center.rates import Standing
from clearance.center.records import Principal, Record, Submission
from clearance.center.service import Center
from clearance.center.store.base import Tx
from clearance.models import Json, Status
from clearance.wire import answering
from clearance.wire.answering import Unreadable
from clearance.wire.vocabulary import HEARD, LINKS

T = TypeVar("T")
Endpoint: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
MOST_LISTED = 500
"""Actions that one list answers at most."""
RATE = "rate"
"""Where a request's state has how its key stands."""


class Answer(JSONResponse):
    """An answer in JSON, written in a third of the time that Python's own encoder takes."""

    def render(self, content: Any) -> bytes:
        """The body. What is no JSON never came in."""
        return to_json(content)


def center_of(request: Request) -> Center:
    """The Center that this application serves."""
    center: Center = request.app.state.center
    return center


def lookout_of(request: Request) -> Lookout:
    """Where requests to this application wait."""
    lookout: Lookout = request.app.state.lookout
    return lookout


def presented_key(request: Request) -> str | None:
    """The API key, from either header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key")


async def body_of(request: Request) -> bytes:
    """The whole body; what limits it stands before every route. It is mostly there in one piece.

    Raises:
        ClientDisconnect: whoever sent half of it hung up.
    """
    chunks: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def caller_of(request: Request) -> Callable[[Tx], Principal]:
    """Who asks: verified in every transaction of the request, and counted once against its rate.

    The function raises NotAuthenticated, or TooMany for one request too many.
    """
    center, key = center_of(request), presented_key(request)
    state: dict[str, Any] = request.scope.setdefault("state", {})

    def caller(tx: Tx) -> Principal:
        who = center.principal(tx, key)
        if RATE not in state:
            state[RATE] = center.rates.take(who.id)
        standing: Standing | None = state[RATE]
        if standing is not None and standing.wait:
            raise TooMany("Too many requests with this key; slow down", standing.wait)
        return who

    return caller


async def at_the_desk(request: Request, work: Callable[[Tx, Principal], T]) -> T:
    """Run one piece of work in one transaction, as whoever's key was presented."""
    caller = caller_of(request)
    return await center_of(request).ado(lambda tx: work(tx, caller(tx)))


def action_id(request: Request) -> int:
    """The action that the path names."""
    text = request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Unreadable("The action's id must be a number")
    return int(text)


async def health(_request: Request) -> Response:
    """Is the Center up? Needs no key."""
    return Answer({"status": "healthy", "version": __version__})


async def deployment_info(request: Request) -> Response:
    """Which Center this is. Needs a valid key: clients verify theirs here."""
    who = await at_the_desk(request, lambda _tx, who: who)
    body = {"version": __version__, "name": "Clearance Center", "environment": "embedded", "role": who.role.value}
    return Answer({**body, "offers": list(LINKS)})


async def submit(request: Request) -> Response:
    """Ask."""
    started = time.perf_counter()
    said = answering.submit(await body_of(request))
    key = answering.idempotency_key(request.headers.get("idempotency-key"))
    desk = center_of(request).desk
    submission = Submission(said.action, key, said.nonce, said.claims, said.nist_control, said.mitre_tactic)
    record = await at_the_desk(request, lambda tx, who: desk.submit(tx, who, submission))
    took = round((time.perf_counter() - started) * 1000)
    return Answer(telling.submitted(record, said.nonce, desk.policy.clear_up_to, took))


async def status(request: Request) -> Response:
    """How an action stands; with ``Prefer: wait=N``, as soon as it is decided or N seconds have passed."""
    desk, wanted, seconds = center_of(request).desk, action_id(request), seconds_to_wait(request)
    watch = lookout_of(request).watch(request.scope, [wanted], seconds)
    record = await at_the_desk(request, lambda tx, who: desk.read(tx, who, wanted))
    if record.status is Status.PENDING and watch is not None:
        return Later()
    return Answer(telling.status_of(record), headers=_applied(seconds))


async def wait(request: Request) -> Response:
    """Which of many actions do not wait any more: one request for all that a program waits for."""
    desk, ids, seconds = center_of(request).desk, await _ids_of(request), seconds_to_wait(request)
    watch = lookout_of(request).watch(request.scope, ids, seconds)
    found = await at_the_desk(request, lambda tx, who: desk.settled_among(tx, who, ids))
    if not found and watch is not None:
        return Later()
    return Answer([telling.status_of(record) for record in found], headers=_applied(seconds))


async def _ids_of(request: Request) -> Collection[int]:
    if (held := watch_of(request.scope["state"])) is not None:
        return held.action_ids  # a body can be read only once
    asked = await body_of(request) if request.method == "POST" else None
    return answering.ids_of(request.query_params.get("ids") if asked is None else asked)


def seconds_to_wait(request: Request) -> int:
    """Seconds for which the answer may be held back."""
    return answering.wait_of(request.headers.get("prefer"))


async def details(request: Request) -> Response:
    """All there is to know about an action."""
    desk, wanted = center_of(request).desk, action_id(request)
    record = await at_the_desk(request, lambda tx, who: desk.read(tx, who, wanted))
    return Answer(telling.details(record))


async def listing(request: Request) -> Response:
    """Actions, newest first."""
    desk = center_of(request).desk
    limit = min(number_of(request, "limit", 50), MOST_LISTED)
    offset = number_of(request, "offset", 0)
    word = request.query_params.get("status_filter") or request.query_params.get("status")
    wanted = _status(word) if word else None

    def find(tx: Tx, who: Principal) -> list[Record]:
        return desk.list(tx, who, status=wanted, limit=limit, offset=offset)

    return Answer([telling.details(record) for record in await at_the_desk(request, find)])


async def approve(request: Request) -> Response:
    """Clear a pending action."""
    return await _decide(request, approve=True)


async def reject(request: Request) -> Response:
    """Refuse a pending action."""
    return await _decide(request, approve=False)


async def approve_all(request: Request) -> Response:
    """Clear everything pending of the given risk levels (low and medium only)."""
    desk = center_of(request).desk
    levels = frozenset(answering.parse(answering.BulkBody, await body_of(request))["risk_levels"])
    cleared = await at_the_desk(request, lambda tx, who: desk.decide_all(tx, who, levels))
    return Answer({"approved": [record.id for record in cleared]})


async def claim(request: Request) -> Response:
    """Spend an approval."""
    desk, wanted = center_of(request).desk, action_id(request)
    said = answering.parse(answering.ClaimBody, await body_of(request))
    edited = said.get("edited_digest")
    record = await at_the_desk(
        request, lambda tx, who: desk.claim(tx, who, wanted, said["digest"], said["nonce"], edited)
    )
    if record.status is not Status.EXECUTING:  # the attempt itself has ended it
        return Answer({**telling.claim_of(record), "detail": record.reason}, 409)
    return Answer(telling.claim_of(record))


async def outcome(request: Request) -> Response:
    """Take the outcome of a claimed action."""
    desk, wanted = center_of(request).desk, action_id(request)
    nonce, said = answering.outcome(await body_of(request))
    record = await at_the_desk(request, lambda tx, who: desk.report(tx, who, wanted, nonce, said))
    return Answer(telling.claim_of(record))


async def withdraw(request: Request) -> Response:
    """Close one's own request."""
    desk, wanted = center_of(request).desk, action_id(request)
    reason = answering.parse(answering.ReasonBody, await body_of(request)).get("reason") or ""
    record = await at_the_desk(request, lambda tx, who: desk.withdraw(tx, who, wanted, reason))
    return Answer(telling.claim_of(record))


async def receipt(request: Request) -> Response:
    """What the Center signs about the decision: the same bytes, whenever it is asked for."""
    center, wanted = center_of(request), action_id(request)
    public_key = await run_in_threadpool(center.signing_key.public)

    def find(tx: Tx, who: Principal) -> dict[str, Json]:
        return signing.draft(tx, center.desk.read(tx, who, wanted), public_key)

    signed = await run_in_threadpool(center.signing_key.sign, await at_the_desk(request, find))
    return Response(signed, media_type="application/json")


async def center_key(request: Request) -> Response:
    """The public key that receipts are checked with."""
    await at_the_desk(request, lambda _tx, _who: None)
    return Answer({"public_key": await run_in_threadpool(center_of(request).signing_key.public)})


async def audit_growth(request: Request) -> Response:
    """What shows that the audit trail, as it stands or stood later, continues a head that somebody knows."""
    known = number_of(request, "entries", 0, digits=18)
    later = number_of(request, "until", 0, digits=18) or None
    head, proof = await at_the_desk(request, lambda tx, _who: trail.growth(tx, known, later))
    return Answer({"entries": head.entries, "root": head.root, "proof": [digest.hex() for digest in proof]})


async def revoke(request: Request) -> Response:
    """Take an approval back before it is claimed."""
    desk, wanted = center_of(request).desk, action_id(request)
    reason = answering.parse(answering.ReasonBody, await body_of(request)).get("reason") or ""
    record = await at_the_desk(request, lambda tx, who: desk.revoke(tx, who, wanted, reason=reason))
    return Answer(telling.details(record))


async def resolve(request: Request) -> Response:
    """Close an action that may have run and never said so."""
    desk, wanted = center_of(request).desk, action_id(request)
    said = answering.parse(answering.ResolveBody, await body_of(request))
    status, reason = Status(said["outcome"]), said["reason"]
    record = await at_the_desk(request, lambda tx, who: desk.resolve(tx, who, wanted, status=status, reason=reason))
    return Answer(telling.details(record))


async def _decide(request: Request, *, approve: bool) -> Response:
    desk, wanted = center_of(request).desk, action_id(request)
    said = answering.parse(answering.DecisionBody, await body_of(request))
    reason, edits = said.get("reason") or "", said.get("parameters") or {}
    record = await at_the_desk(
        request, lambda tx, who: desk.decide(tx, who, wanted, approve=approve, reason=reason, edits=edits)
    )
    return Answer(telling.details(record))


def _applied(seconds: int) -> dict[str, str]:
    return {"Preference-Applied": f"wait={seconds}"} if seconds else {}


def number_of(request: Request, name: str, default: int, digits: int = 9) -> int:
    """A number that the query has."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= digits):
        raise Unreadable(f"{name} must be a number")
    return int(text)


def _status(word: str) -> Status:
    try:
        return HEARD[word] if word in HEARD else Status(word)
    except ValueError:
        raise Unreadable("status_filter is no status that is known here") from None


_ACTION = "/api/v1/actions/{id}"
ROUTES = [
    Route("/health", health, methods=["GET"]),
    Route("/api/deployment-info", deployment_info, methods=["GET"]),
    Route("/api/v1/center-key", center_key, methods=["GET"]),
    Route("/api/v1/audit/growth", audit_growth, methods=["GET"]),
    Route("/api/v1/actions/submit", submit, methods=["POST"]),
    Route("/api/v1/actions/approve-all", approve_all, methods=["POST"]),
    Route("/api/v1/actions/wait", wait, methods=["GET", "POST"]),
    Route("/api/v1/actions", listing, methods=["GET"]),
    Route(_ACTION, details, methods=["GET"]),
    Route(f"{_ACTION}/status", status, methods=["GET"]),
    Route(f"{_ACTION}/receipt", receipt, methods=["GET"]),
    Route(f"{_ACTION}/approve", approve, methods=["POST"]),
    Route(f"{_ACTION}/reject", reject, methods=["POST"]),
    Route(f"{_ACTION}/revoke", revoke, methods=["POST"]),
    Route(f"{_ACTION}/resolve", resolve, methods=["POST"]),
    Route(f"{_ACTION}/claim", claim, methods=["POST"]),
    Route(f"{_ACTION}/outcome", outcome, methods=["POST"]),
    Route(f"{_ACTION}/withdraw", withdraw, methods=["POST"]),
]
