"""Who may do what: every route, by every kind of caller, to their own and to another's. One table says it all.

The routes are read from the application: one that the tables do not have fails here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.routing import Route
from tests.center.desks import Clock
from tests.helpers import an_action
from tests.servers import PATIENCE, Running, a_submit, running_center

from clearance.center import app, breakglass, openapi, policy
from clearance.center.inbox import pages, standing
from clearance.center.records import KeyRecord, Principal, Record, Role, Submission
from clearance.center.refusals import REFUSED
from clearance.models import Outcome, Status

NONCE = "nonce-of-the-agent"
DIGEST = "the-digest"
LIFE = 0.001
"""Seconds that the key lives which has expired when it is used; so few that nothing else ends meanwhile."""

# Each cell has the status for the caller's own, and for another's. Where there is nothing of anybody's, both are one.
Cell = tuple[int, int]
Row = Mapping[str, Cell]


def row(user: Cell | int, admin: Cell | int, super_admin: Cell | int, auditor: Cell | int, nobody: int = 401) -> Row:
    """What each kind of caller gets. ``nobody`` also stands for a key that is mistyped, expired or revoked."""
    said = {"user": user, "another user": user, "admin": admin, "super_admin": super_admin, "auditor": auditor}
    said |= dict.fromkeys(("no key", "a mistyped key", "an expired key", "a revoked key"), nobody)
    return {caller: cell if isinstance(cell, tuple) else (cell, cell) for caller, cell in said.items()}


OPEN = row(user=200, admin=200, super_admin=200, auditor=200, nobody=200)
ANY = row(user=200, admin=200, super_admin=200, auditor=200)
ASKERS = row(user=200, admin=200, super_admin=200, auditor=403)
READ = row(user=(200, 404), admin=200, super_admin=200, auditor=200)
READ_ALL = row(user=403, admin=200, super_admin=200, auditor=200)
DECIDE = row(user=(403, 404), admin=(403, 200), super_admin=(403, 200), auditor=403)
DECIDE_ALL = row(user=403, admin=200, super_admin=200, auditor=403)
REVOKE = row(user=(403, 404), admin=200, super_admin=200, auditor=403)
OWNER = row(user=(200, 404), admin=(200, 403), super_admin=(200, 403), auditor=(200, 403))
MANAGE = row(user=403, admin=403, super_admin=200, auditor=403)
CLOSE_GLASS = row(user=403, admin=200, super_admin=200, auditor=403)
LIST_KEYS = row(user=403, admin=403, super_admin=200, auditor=200)

API: dict[tuple[str, str], Row] = {
    ("GET", "/health"): OPEN,
    ("GET", openapi.PATH): OPEN,
    ("GET", "/api/deployment-info"): ANY,
    ("GET", "/api/v1/center-key"): ANY,
    ("GET", "/api/v1/audit/growth"): ANY,
    ("POST", "/api/v1/actions/submit"): ASKERS,
    ("GET", "/api/v1/actions/wait"): READ,
    ("POST", "/api/v1/actions/wait"): READ,
    ("GET", "/api/v1/actions"): ANY,
    ("GET", "/api/v1/actions/{id}"): READ,
    ("GET", "/api/v1/actions/{id}/status"): READ,
    ("GET", "/api/v1/actions/{id}/receipt"): READ,
    ("POST", "/api/v1/actions/{id}/approve"): DECIDE,
    ("POST", "/api/v1/actions/{id}/reject"): DECIDE,
    ("POST", "/api/v1/actions/approve-all"): DECIDE_ALL,
    ("POST", "/api/v1/actions/{id}/revoke"): REVOKE,
    ("POST", "/api/v1/actions/{id}/resolve"): DECIDE,
    ("POST", "/api/v1/actions/{id}/claim"): OWNER,
    ("POST", "/api/v1/actions/{id}/outcome"): OWNER,
    ("POST", "/api/v1/actions/{id}/withdraw"): OWNER,
    ("POST", "/api/keys/generate"): MANAGE,
    ("GET", "/api/keys/list"): LIST_KEYS,
    ("DELETE", "/api/keys/{id}/revoke"): MANAGE,
    ("GET", "/api/sdk/kill-switch/status"): ANY,
    ("POST", "/api/v1/kill-switch"): MANAGE,
    ("GET", "/api/v1/break-glass"): READ_ALL,
    ("POST", "/api/v1/break-glass"): MANAGE,
    ("POST", "/api/v1/break-glass/{id}/close"): CLOSE_GLASS,
    ("GET", "/api/v1/policy"): READ_ALL,
    ("GET", "/api/v1/policy/versions"): READ_ALL,
    ("POST", "/api/v1/policy/reload"): MANAGE,
    ("POST", "/api/v1/standing-approvals"): DECIDE,
    ("GET", "/api/v1/standing-approvals"): ANY,
    ("POST", "/api/v1/standing-approvals/{id}/revoke"): REVOKE,
    ("GET", "/api/audit/logs"): READ_ALL,
}
# A session can only be had by signing in, which a user cannot; its row is what one would get that had one all the same.
INBOX_READ = row(user=403, admin=200, super_admin=200, auditor=200)
INBOX_DECIDE = row(user=403, admin=(403, 200), super_admin=(403, 200), auditor=403)
INBOX_CHANGE = row(user=403, admin=200, super_admin=200, auditor=403)
INBOX: dict[tuple[str, str], Row] = {
    ("GET", "/"): INBOX_READ,
    ("GET", "/actions/{id}"): INBOX_READ,
    ("GET", "/inbox/list"): INBOX_READ,
    ("GET", "/inbox/events"): INBOX_READ,
    ("POST", "/inbox/break-glass/{id}/close"): INBOX_CHANGE,
    ("POST", "/inbox/{id}/approve"): INBOX_DECIDE,
    ("POST", "/inbox/{id}/deny"): INBOX_DECIDE,
    ("POST", "/inbox/{id}/revoke"): INBOX_CHANGE,
    ("POST", "/inbox/{id}/resolve"): INBOX_DECIDE,
    ("POST", "/inbox/approve-all"): INBOX_CHANGE,
    ("POST", "/inbox/{id}/allow-again"): INBOX_DECIDE,
    ("POST", "/inbox/standing/{id}/revoke"): INBOX_CHANGE,
    ("GET", "/sign-in"): OPEN,
    ("POST", "/sign-in"): row(user=403, admin=303, super_admin=303, auditor=303),
    ("POST", "/sign-out"): row(user=403, admin=303, super_admin=303, auditor=303),
    ("GET", "/static/{name}"): OPEN,
}
STANDS = {
    "claim": Status.APPROVED,
    "receipt": Status.APPROVED,
    "revoke": Status.APPROVED,
    "outcome": Status.EXECUTING,
    "resolve": Status.UNKNOWN,
}
"""How an action stands that the last word of the path can be done to; pending, where it is not here."""
BODIES: dict[str, dict[str, Any]] = {
    "submit": a_submit(),
    "approve-all": {"risk_levels": ["low", "medium"]},
    "claim": {"digest": DIGEST, "nonce": NONCE},
    "outcome": {"nonce": NONCE, "outcome": "completed"},
    "resolve": {"outcome": "failed", "reason": "looked"},
    "generate": {"name": "new", "role": "super_admin"},
    "kill-switch": {"on": True, "tool": "no-such-tool", "reason": "a drill"},
}
GLASS: dict[str, Any] = {"agent": "no-such-agent", "tool": "no-such-tool", "reason": "a drill"}
BODIES["break-glass"] = GLASS
JUDGE = Principal("judge000", "the judge", Role.SUPER_ADMIN)
SOMEBODY = Principal("somebody", "somebody else", Role.USER)


def cells(table: dict[tuple[str, str], Row]) -> list[Any]:
    """Every cell of a table, as parameters with a name that can be read."""
    return [
        pytest.param(method, path, caller, whose, cell[whose == "another's"], id=f"{method} {path}: {caller}, {whose}")
        for (method, path), found in table.items()
        for caller, cell in found.items()
        for whose in ("their own", "another's")
    ]


def served(routes: Any) -> set[tuple[str, str]]:
    """Every method and path that is served."""
    found = [route for route in routes if isinstance(route, Route)]
    assert len(found) == len(routes)
    return {(method, route.path) for route in found for method in (route.methods or set()) - {"HEAD"}}


def test_every_route_of_the_api_is_in_the_table() -> None:
    assert set(API) == served(app.API_ROUTES)


def test_every_page_is_in_the_table() -> None:
    assert set(INBOX) == served([*pages.ROUTES, *standing.ROUTES])


@dataclass(frozen=True)
class Caller:
    """Who comes: a key's text, or none, and the principal behind it."""

    key: str | None
    who: Principal


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Running]:
    database: Path = tmp_path_factory.mktemp("authority") / "center.db"
    file = database.with_name("policy.toml")
    file.write_text("")
    with running_center(
        database, now=clock, max_pending=100_000, policy=policy.load(file), policy_file=file
    ) as running:
        yield running


def come(running: Running, kind: str, clock: Clock) -> Caller:
    """A fresh caller of that kind."""
    role = Role(kind) if kind in list(Role) else Role.USER if kind == "another user" else Role.SUPER_ADMIN
    center = running.center
    key = center.create_key(role, kind, lifetime=LIFE if kind == "an expired key" else None)
    who = center.do(lambda tx: center.principal(tx, key))
    if kind == "no key":
        return Caller(None, who)
    if kind == "a mistyped key":
        return Caller(key[:-1] + ("0" if key[-1] != "0" else "1"), who)
    if kind == "a revoked key":
        center.revoke_key(who.id)
    if kind == "an expired key":
        clock.advance(LIFE)
    return Caller(key, who)


def an_action_of(running: Running, who: Principal, stands: Status, digest: str = DIGEST) -> Record:
    """An action that this principal asked for, as it should stand. An auditor's is one from before they were one."""
    center = running.center
    asker = Principal(who.id, who.name, Role.USER)
    center.desk.remember_denials = 0  # every cell of the table asks for the same

    def make(tx: Any) -> Record:
        submission = Submission(
            an_action(digest=digest, decide_within=3600.0, run_within=3600.0), None, None, claims=True
        )
        record = center.desk.submit(tx, asker, submission)
        if stands is Status.PENDING:
            return record
        record = center.desk.decide(tx, JUDGE, record.id, approve=True)
        if stands is Status.APPROVED:
            return record
        record = center.desk.claim(tx, asker, record.id, DIGEST, NONCE)
        lost = Outcome(Status.UNKNOWN)
        return center.desk.report(tx, asker, record.id, NONCE, lost) if stands is Status.UNKNOWN else record

    return center.do(make)


def allowed_again(running: Running, record: Record) -> int:
    """A standing approval that somebody else made of the action."""
    desk = running.center.desk
    return running.center.do(lambda tx: desk.make_standing(tx, JUDGE, record.id, reason="as before").id)


def a_glass_of(running: Running, who: Principal) -> int:
    """A break-glass that this principal opened, when they still might; no other is open."""
    center, chief = running.center, Principal(who.id, who.name, Role.SUPER_ADMIN)

    def make(tx: Any) -> int:
        breakglass.close_all(tx, center.desk.now(), "local", "the next cell")
        return breakglass.open_one(tx, chief, center.desk.now(), **{**GLASS, "agent": "another-agent"}).id

    return center.do(make)


def everything(running: Running, action_id: int) -> tuple[object, ...]:
    """What a refused caller must not have changed; that it was refused may stand in the trail."""

    def look(tx: Any) -> tuple[object, ...]:
        keys: list[KeyRecord] = tx.keys()
        told = [link.seq for link in tx.audit() if f'"event":"{REFUSED}"' not in link.body]
        return (
            tx.action(action_id),
            [(key.id, key.revoked_at) for key in keys],
            tx.switches(),
            tx.standing_approvals(),
            tx.break_glasses(limit=5),
            told,
        )

    return running.center.do(look)


def body_of(last: str, record: Record) -> dict[str, Any]:
    """What is sent to a path that ends so."""
    about: dict[str, dict[str, Any]] = {
        "wait": {"ids": [record.id]},
        "standing-approvals": {"action_id": record.id, "reason": "as before"},
    }
    return about.get(last) or BODIES.get(last, {})


@pytest.mark.parametrize(("method", "path", "kind", "whose", "status"), cells(API))
def test_the_api_answers_everybody_as_the_table_says(
    running: Running, clock: Clock, method: str, path: str, kind: str, whose: str, status: int
) -> None:
    caller = come(running, kind, clock)
    asker = caller.who if whose == "their own" else SOMEBODY
    last = path.rpartition("/")[2]
    stands = Status.PENDING if "keys" in path or "standing" in path else STANDS.get(last, Status.PENDING)
    record = an_action_of(running, asker, stands, DIGEST if "standing" not in path else f"of {caller.who.id}")
    wanted: object = record.id
    if "standing" in path and last == "revoke":
        wanted = allowed_again(running, record)
    if "keys" in path:
        other = running.center.create_key(Role.USER, "victim").split("_")[2]
        wanted = caller.who.id if whose == "their own" else other
    if "break-glass" in path:
        wanted = a_glass_of(running, asker)
    before = everything(running, record.id)

    answer = requests.request(
        method,
        running.url + path.format(id=wanted),
        json=body_of(last, record) if method == "POST" else None,
        params={"ids": str(wanted)} if last == "wait" and method == "GET" else None,
        headers={"Authorization": f"Bearer {caller.key}"} if caller.key else {},
        timeout=PATIENCE,
    )

    assert answer.status_code == status, answer.text
    if status >= 400:
        assert isinstance(answer.json()["detail"], str)
        assert everything(running, record.id) == before
    if status == 401:
        assert answer.json() == {"detail": "Invalid or missing API key"}


@pytest.mark.parametrize(("method", "path", "kind", "whose", "status"), cells(INBOX))
def test_the_inbox_answers_everybody_as_the_table_says(
    running: Running, clock: Clock, method: str, path: str, kind: str, whose: str, status: int
) -> None:
    center, port = running.center, running.url.rpartition(":")[2]
    caller = come(running, kind, clock)
    asker = caller.who if whose == "their own" else SOMEBODY
    stands = Status.PENDING if "standing" in path else STANDS.get(path.rpartition("/")[2], Status.PENDING)
    is_lasting = "standing" in path or "again" in path
    record = an_action_of(running, asker, stands, f"of {caller.who.id}" if is_lasting else DIGEST)
    wanted = allowed_again(running, record) if "standing" in path else record.id
    cookie, session = center.do(lambda tx: center.start_session(tx, caller.who))
    has_session = kind not in ("no key", "a mistyped key")
    fields = {"form_token": session.form_token, "confirmed": "yes", "token": caller.key or "", "ids": str(record.id)}
    fields |= {"outcome": "failed", "reason": "looked", "uses": "2", "hours": "1"}
    if "break-glass" in path:
        wanted = a_glass_of(running, asker)
    before = everything(running, record.id)

    with requests.request(
        method,
        running.url + path.format(id=wanted, name="inbox.css"),
        data=fields if method == "POST" else None,
        headers={"Accept": "application/json", "Origin": running.url},
        cookies={f"clearance-{port}": cookie if has_session else "x"},
        allow_redirects=False,
        stream=True,  # one of the pages never ends
        timeout=PATIENCE,
    ) as answer:
        assert answer.status_code == status

    if status >= 400:
        assert everything(running, record.id) == before


def test_no_caller_of_the_tables_was_forgotten() -> None:
    """Nine kinds of callers stand in every row; each role is one of them."""
    for found in (*API.values(), *INBOX.values()):
        assert len(found) == 9
        assert set(Role) <= set(found)
