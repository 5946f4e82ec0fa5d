"""The inbox's routes: what waits, what exactly would run, and two buttons.

Requests stand oldest first: a new one comes in at the end, so nothing moves under a hand that is about to
press a button. The riskiest are one click away, by the counts at the top.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from clearance.center import switches
from clearance.center.api import action_id, center_of
from clearance.center.approvals import BULK_LEVELS, LONGEST_REASON
from clearance.center.breakglass_routes import number_in
from clearance.center.edits import parsed
from clearance.center.faults import DeskError, Invalid, NotAuthenticated, StoreUnavailable
from clearance.center.inbox import doors, rendering, static_files
from clearance.center.inbox.allowed import MOST_LISTED, Allowed
from clearance.center.inbox.cards import LEVELS, Card
from clearance.center.inbox.emergencies import Banner, banners
from clearance.center.moves import SECOND
from clearance.center.records import InForce, KillSwitch, Record, Session
from clearance.center.service import rung_within
from clearance.center.store.base import Tx
from clearance.center.telling import time_of
from clearance.models import Json, Status

MOST_WAITING = 100
"""Requests that wait and are listed; the others come up as these are decided."""
MOST_RECENT = 12
LOOKED_THROUGH = 60
"""Newest actions among which the recently decided are found."""
KEEP_ALIVE = 15.0
"""Seconds between signs of life on a stream of events."""
DECIDED = [status for status in Status if status is not Status.PENDING]


def is_page(request: Request) -> bool:
    """Is this a browser that wants a page to show, rather than a program that wants an answer to read?"""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


async def refused(request: Request, status: int, detail: str) -> Response:
    """What a person sees of a refusal."""
    if status == 401 and request.method == "GET":
        return RedirectResponse("/sign-in", 303)
    return await _page(request, "message.html", {"detail": detail, "status": status}, status)


async def inbox(request: Request) -> Response:
    """What waits, and what came of the last ones."""
    return await _page(request, "inbox.html", await _listed(request))


async def listing(request: Request) -> Response:
    """The same without the page around it, for a page that is open already."""
    return await _page(request, "_list.html", await _listed(request))


async def action(request: Request) -> Response:
    """One request with all there is to know about it."""
    center, wanted = center_of(request), action_id(request)

    def read(tx: Tx, session: Session) -> dict[str, object]:
        who, now = session.principal, center.desk.now()
        record = center.desk.read(tx, who, wanted)
        approval = tx.standing_approval(_number(record.standing["id"])) if record.standing is not None else None
        allowed = Allowed(approval, who, now) if approval is not None else None
        card = Card(record, who, now)
        found = {"session": session, "card": card, "trail": list(tx.audit_of(wanted)), "allowed": allowed}
        return {**found, "switches": switches.on(tx), "banners": banners(tx, who, now)}

    return await _page(request, "action.html", await doors.as_reader(request, read))


async def approve(request: Request) -> Response:
    """Clear a request. At high risk the form must say that every value was read."""
    return await _decide(request, approve=True)


async def deny(request: Request) -> Response:
    """Refuse a request, with a reason that the agent is told."""
    return await _decide(request, approve=False)


async def revoke(request: Request) -> Response:
    """Take an approval back before it is claimed."""
    center, wanted, form = center_of(request), action_id(request), await doors.form_of(request)
    reason = reason_in(form)

    def take_back(tx: Tx, session: Session) -> str:
        doors.check_token(session, form)
        record = center.desk.revoke(tx, session.principal, wanted, reason=reason, channel="inbox")
        return f"Taken back: {Card(record, session.principal, center.desk.now()).title}"

    return answered(request, await doors.as_approver(request, take_back))


async def resolve(request: Request) -> Response:
    """Say what became of an action that may have run and never said so."""
    center, wanted, form = center_of(request), action_id(request), await doors.form_of(request)
    status = {"completed": Status.COMPLETED, "failed": Status.FAILED}.get(form.get("outcome", ""))
    if status is None:
        raise Invalid("The form does not say what became of it")
    reason = reason_in(form)

    def close(tx: Tx, session: Session) -> str:
        doors.check_token(session, form)
        record = center.desk.resolve(tx, session.principal, wanted, status=status, reason=reason)
        return f"Closed: {Card(record, session.principal, center.desk.now()).title}"

    return answered(request, await doors.as_approver(request, close))


async def close_glass(request: Request) -> Response:
    """Close a break-glass before its time."""
    desk, number, form = center_of(request).desk, number_in(request), await doors.form_of(request)

    def close(tx: Tx, session: Session) -> str:
        doors.check_token(session, form)
        desk.close_glass(tx, session.principal, number)
        return f"Closed: break-glass {number}"

    return answered(request, await doors.as_approver(request, close))


async def approve_all(request: Request) -> Response:
    """Clear the low and medium risks that the page showed; one that came in since is not among them."""
    center, form = center_of(request), await doors.form_of(request)
    ids = form.get("ids", "").split()
    if len(ids) > MOST_WAITING or not all(text.isascii() and text.isdigit() and len(text) <= 18 for text in ids):
        raise Invalid("The form does not say which requests")

    def decide(tx: Tx, session: Session) -> int:
        doors.check_token(session, form)
        who, done = session.principal, 0
        for wanted in map(int, ids):
            record = center.desk.read(tx, who, wanted)
            if record.risk_level in BULK_LEVELS and center.desk.may_approve(tx, who, record):
                center.desk.decide(tx, who, wanted, approve=True, channel="inbox")
                done += 1
        return done

    done = await doors.as_approver(request, decide)
    return answered(request, f"Approved {done} request{'s' * (done != 1)}")


async def events(request: Request) -> Response:
    """A stream that says when anything changed; what it was, the page reads from the list."""
    center = center_of(request)

    async def is_open() -> bool:
        """Is the session still good? Its key may have ended since."""
        if center.bell.closed:
            return False
        try:
            await doors.as_reader(request, lambda _tx, _session: None)
        except (DeskError, StoreUnavailable):
            return False
        return True

    await doors.as_reader(request, lambda _tx, _session: None)

    async def stream() -> AsyncIterator[str]:
        while await is_open():
            with center.bell.listening() as rung:
                # Said after listening began: whoever reads the list now misses nothing that comes later.
                yield f"id: {center.desk.now()}\nevent: changed\ndata: {{}}\n\n"
                while not rung.done() and await is_open():
                    await rung_within(rung, KEEP_ALIVE)
                    yield ": still here\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def sign_in_page(request: Request) -> Response:
    """With a token from a link: a form that sends it (looking at the link does not use it up). Else: a field."""
    return await _page(request, "sign_in.html", {"token": request.query_params.get("token", ""), "problem": ""})


async def sign_in(request: Request) -> Response:
    """Start a session with a one-time token or an API key."""
    center, form = center_of(request), await doors.form_of(request)
    secret = form.get("token", "").strip()

    def enter(tx: Tx) -> str:
        if secret.startswith("owkai_"):
            cookie, session = center.start_session(tx, center.principal(tx, secret))
        else:
            cookie, session = center.sign_in(tx, secret)
        doors.check_reader(session)  # if it raises, the session, like the link's use, never was
        return cookie

    try:
        cookie = await center.ado(enter)
    except NotAuthenticated as problem:
        if not is_page(request):
            raise
        return await _page(request, "sign_in.html", {"token": "", "problem": problem.detail}, 401)
    response = RedirectResponse("/", 303)
    doors.let_in(request, response, cookie)
    return response


async def sign_out(request: Request) -> Response:
    """End the session."""
    form = await doors.form_of(request)

    def leave(tx: Tx, session: Session) -> None:
        doors.check_token(session, form)
        tx.end_session(session.id)

    await doors.as_reader(request, leave)
    response = RedirectResponse("/sign-in", 303)
    doors.see_out(request, response)
    return response


async def static(request: Request) -> Response:
    """A style sheet, a script or a picture."""
    found = static_files.all_files().get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    return Response(found.data, media_type=found.media_type, headers={"Cache-Control": "public, max-age=86400"})


async def _decide(request: Request, *, approve: bool) -> Response:
    center, wanted, form = center_of(request), action_id(request), await doors.form_of(request)
    reason = reason_in(form)

    def decide(tx: Tx, session: Session) -> str:
        doors.check_token(session, form)
        who = session.principal
        card = Card(center.desk.read(tx, who, wanted), who, center.desk.now())
        if approve and card.needs_confirmation and card.is_waiting and form.get("confirmed") != "yes":
            raise Invalid(f"This is of {card.level} risk: confirm first that you have read every value")
        edits = edits_in(card, form) if approve and card.is_waiting else {}
        record = center.desk.decide(tx, who, wanted, approve=approve, reason=reason, channel="inbox", edits=edits)
        done = "Denied" if not approve else "Approval counted" if record.status is Status.PENDING else "Approved"
        return f"{done}: {Card(record, who, center.desk.now()).title}"

    return answered(request, await doors.as_approver(request, decide))


def edits_in(card: Card, form: Mapping[str, str]) -> dict[str, Json]:
    """What an approver typed in the fields of the parameters that may be changed; browsers send line ends as CRLF."""
    return {
        field.name: parsed(field.name, form[field.key].replace("\r\n", "\n"), field.shown)
        for field in card.editable
        if field.key in form
    }


def _number(value: Json) -> int:
    assert isinstance(value, int)
    return value


def reason_in(form: Mapping[str, str]) -> str:
    """The reason that was typed.

    Raises:
        Invalid: it is too long.
    """
    reason = form.get("reason", "").strip()
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"The reason is longer than {LONGEST_REASON:,} characters")
    return reason


def answered(request: Request, said: str) -> Response:
    """Back to the inbox, or, for a page that stays open, a sentence to announce."""
    return RedirectResponse("/", 303) if is_page(request) else JSONResponse({"said": said})


@dataclass(frozen=True, slots=True)
class Listed:
    """What the inbox shows."""

    session: Session
    now: int
    waiting: list[Card]
    recent: list[Card]
    switches: list[KillSwitch]
    allowed: list[Allowed]
    banners: list[Banner]
    policy: InForce | None
    used_policy: str

    @property
    def policy_since(self) -> str:
        """When the policy came in force."""
        return f"{time_of(self.policy.at):%Y-%m-%d %H:%M} UTC" if self.policy is not None else ""

    @property
    def count(self) -> str:
        """How many wait; at the limit of the list there may be more."""
        return f"{len(self.waiting)}{'+' * (len(self.waiting) >= MOST_WAITING)}"

    @property
    def title(self) -> str:
        """What the browser's tab says."""
        waiting = f"({self.count}) " * bool(self.waiting)
        return f"{'BREAK-GLASS OPEN ' * bool(self.banners)}{waiting}Clearance"

    @property
    def levels(self) -> list[tuple[str, int, int]]:
        """Each level that waits, riskiest first: its name, how many, and the first one's number."""
        ids = {level: [card.id for card in self.waiting if card.level == level] for level in LEVELS}
        return [(level, len(found), found[0]) for level, found in ids.items() if found]

    @property
    def bulk(self) -> list[Card]:
        """Those that may be approved together."""
        return [card for card in self.waiting if card.may_decide and not (card.needs_confirmation or card.is_large)]


async def _listed(request: Request) -> Mapping[str, object]:
    center = center_of(request)

    def read(tx: Tx, session: Session) -> Listed:
        center.desk.sweep(tx)
        now, who = center.desk.now(), session.principal
        waiting = tx.actions(statuses=[Status.PENDING], oldest_first=True, limit=MOST_WAITING)
        newest = [Card(record, who, now) for record in tx.actions(statuses=DECIDED, limit=LOOKED_THROUGH)]
        newest.sort(key=lambda card: card.decided.milliseconds, reverse=True)
        cards = [Card(record, who, now, alike) for record, alike in _coalesced(waiting)]
        recent, used = newest[:MOST_RECENT], center.desk.policy.version
        allowed = [Allowed(each, who, now) for each in tx.standing_approvals(live_at=now, limit=MOST_LISTED)]
        stopped, opened = switches.on(tx), banners(tx, who, now)
        return Listed(session, now, cards, recent, stopped, allowed, opened, tx.policy_in_force(), used)

    listed = await doors.as_reader(request, read)
    return {"session": listed.session, "listed": listed, "switches": listed.switches, "banners": listed.banners}


def _coalesced(waiting: Iterable[Record]) -> list[tuple[Record, int]]:
    """The oldest of each set of identical requests of one requester, and how many there are."""
    oldest: list[tuple[Record, int]] = []
    place: dict[tuple[str, str], int] = {}
    for record in waiting:
        call = (record.requester, record.action.digest)
        first = place.setdefault(call, len(oldest))
        if first < len(oldest) and oldest[first][0].is_like(record):
            oldest[first] = (oldest[first][0], oldest[first][1] + 1)
        else:
            oldest.append((record, 1))
    return oldest


async def _page(request: Request, template: str, context: Mapping[str, object], status: int = 200) -> Response:
    # In a thread: a hostile megabyte takes a while to spell out, and nobody else should wait for it.
    now = center_of(request).desk.now() // (SECOND // 1000)
    return HTMLResponse(await run_in_threadpool(rendering.render, template, {"now_ms": now, **context}), status)


ROUTES: list[BaseRoute] = [
    Route("/", inbox, methods=["GET"]),
    Route("/sign-in", sign_in_page, methods=["GET"]),
    Route("/sign-in", sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
    Route("/actions/{id}", action, methods=["GET"]),
    Route("/inbox/list", listing, methods=["GET"]),
    Route("/inbox/events", events, methods=["GET"]),
    Route("/inbox/approve-all", approve_all, methods=["POST"]),
    Route("/inbox/break-glass/{id}/close", close_glass, methods=["POST"]),
    Route("/inbox/{id}/approve", approve, methods=["POST"]),
    Route("/inbox/{id}/deny", deny, methods=["POST"]),
    Route("/inbox/{id}/revoke", revoke, methods=["POST"]),
    Route("/inbox/{id}/resolve", resolve, methods=["POST"]),
    Route("/static/{name}", static, methods=["GET"]),
]
