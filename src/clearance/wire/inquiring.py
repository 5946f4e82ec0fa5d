"""The client's half beside the commands: what else can be asked of a server, and how its answers are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Generic, TypeVar

from clearance.commands import Command
from clearance.errors import AuthorizationUnavailable
from clearance.models import Decision, Json, Status
from clearance.told import ActionDetails, Connection, KillSwitchStatus
from clearance.wire import asking, strictjson
from clearance.wire.asking import Request
from clearance.wire.vocabulary import ACTION_PATH, HEARD, LINKS, SPOKEN

T = TypeVar("T")
S = TypeVar("S")
Headers = Mapping[str, str]

_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


@dataclass(frozen=True, slots=True)
class Inquiry(Generic[T]):
    """One request, and what reads its answer: the status, the headers in lower case and the body.

    ``timeout`` is the number of seconds that the exchange may take.
    """

    request: Request
    read: Callable[[int, Headers, bytes], T]
    timeout: float


def asked(
    method: str, path: str, read: Callable[[Json], T], timeout: float, body: Mapping[str, object] | None = None
) -> Inquiry[T]:
    """An inquiry whose answer is JSON."""
    data = None if body is None else strictjson.write(dict(body))
    request = Request(method, path, {"Content-Type": "application/json"} if data else {}, data)
    return Inquiry(request, lambda status, headers, content: read(asking.value(status, headers, content)), timeout)


def health(timeout: float, wall_clock: Callable[[], float]) -> Inquiry[Connection]:
    """Is there a Center at all? Needs no key. ``wall_clock`` reads this machine's, in seconds since 1970."""

    def read(status: int, headers: Headers, body: bytes) -> Connection:
        found = an_object(asking.value(status, headers, body))
        if not isinstance(found.get("status"), str):
            raise nonsense("does not say how the Center is")
        ahead = seconds_ahead(headers, wall_clock())
        return Connection("", reachable=True, version=_text(found, "version"), clock_ahead=ahead)

    return Inquiry(Request("GET", "/health", {}, None), read, timeout)


def deployment(timeout: float) -> Inquiry[Connection]:
    """Which server this is, and what the key may do there."""
    return Inquiry(Request("GET", "/api/deployment-info", {}, None), _deployed, timeout)


def own_actions(timeout: float) -> Inquiry[list[Json]]:
    """One action at most: an answer shows that the key is accepted."""
    return asked("GET", "/api/v1/actions?limit=1", a_list, timeout)


def listing(status: Status | str | None, limit: int, offset: int, timeout: float) -> Inquiry[list[ActionDetails]]:
    """Actions, newest first."""

    def read(found: Json) -> list[ActionDetails]:
        return [_details(item) for item in objects(found)]

    return asked("GET", listing_path(status, limit, offset), read, timeout)


def listing_path(status: Status | str | None, limit: int, offset: int) -> str:
    """The address of a list of actions."""
    query = f"limit={int(limit)}&offset={int(offset)}"
    if status is not None:  # in the words of the wire, where one says as much as ours: it may be a plain ASCEND server
        is_plain = status in (Status.PENDING, Status.APPROVED, Status.DENIED)
        query += f"&status_filter={SPOKEN[Status(status)] if is_plain else quoted(str(status))}"
    return f"/api/v1/actions?{query}"


def quoted(text: str) -> str:
    """A text as it is written into an address."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode(errors="replace"))


def details(action_id: str, timeout: float) -> Inquiry[ActionDetails]:
    """All about one action."""

    def read(found: Json) -> ActionDetails:
        told = _details(an_object(found))
        if told.action_id != action_id:
            raise nonsense(f"is about action {told.action_id}, not {action_id}")
        return told

    return asked("GET", ACTION_PATH.format(id=action_id), read, timeout)


def plain_outcome(action_id: str, status: Status, said: Mapping[str, object], timeout: float) -> Inquiry[None]:
    """An outcome, as a plain ASCEND server takes it: it knows no claims."""
    verb = "complete" if status is Status.COMPLETED else "fail"
    return Inquiry(
        Request(
            "POST",
            f"/api/agent-action/{action_id}/{verb}",
            {"Content-Type": "application/json", "Idempotency-Key": f"outcome-{status}-{action_id}"},
            strictjson.write(dict(said)),
        ),
        _taken,
        timeout,
    )


def kill_switch(agent_id: str | None, timeout: float) -> Inquiry[KillSwitchStatus]:
    """Is this key, or that agent, stopped altogether?"""
    query = f"?agent_id={quoted(agent_id)}" if agent_id is not None else ""
    return asked("GET", f"/api/sdk/kill-switch/status{query}", _switch, timeout)


def objects(found: Json) -> list[dict[str, Json]]:
    """A list of objects; some servers put it in an object, as ``actions``."""
    listed = found.get("actions") if isinstance(found, dict) else found
    if not isinstance(listed, list):
        raise nonsense("is no list of actions")
    whole = [item for item in listed if isinstance(item, dict)]
    if len(whole) != len(listed):
        raise nonsense("is no list of actions")
    return whole


def a_list(found: Json) -> list[Json]:
    """A list of whatever; or an object with one, as ``actions``."""
    listed = found.get("actions") if isinstance(found, dict) else found
    if not isinstance(listed, list):
        raise nonsense("is no list")
    return listed


def an_object(found: Json) -> dict[str, Json]:
    """An object."""
    if not isinstance(found, dict):
        raise nonsense("is no object")
    return found


def nonsense(problem: str) -> AuthorizationUnavailable:
    """An answer that does not have the form of one; ``problem`` goes on from "it"."""
    return asking.nonsense(problem)


def _deployed(status: int, headers: Headers, body: bytes) -> Connection:
    found = an_object(asking.value(status, headers, body))
    version, offers = found.get("version"), found.get("offers")
    if not isinstance(version, str):
        raise nonsense("has no version")
    return Connection(
        "",
        reachable=True,
        authenticated=isinstance(found.get("role"), str),
        role=_text(found, "role") or None,
        name=_text(found, "name"),
        version=version,
        offers=frozenset(LINKS).intersection(item for item in offers if isinstance(item, str))
        if isinstance(offers, list)
        else frozenset(),
    )


def _details(found: Mapping[str, Json]) -> ActionDetails:
    shown, created = found.get("action_details"), asking.time_of(_text(found, "created_at") or None)
    return ActionDetails(
        _standing(found),
        _text(found, "agent_id"),
        _text(found, "action_type"),
        _text(found, "tool_name"),
        _text(found, "description"),
        shown if isinstance(shown, dict) else {},
        _text(found, "resource") or None,
        _text(found, "requested_by") or None,
        created,
        _text(found, "digest"),
        found,
    )


def _standing(found: Mapping[str, Json]) -> Decision:
    """How an action stands, that is only looked at: one word that is not known must not hide all the others."""
    told = {name: found[name] for name in asking.Answer.__annotations__ if name in found}
    word = told.get("status")
    if not isinstance(word, str) or word in HEARD:
        return asking.decision_of(told, {})
    read = asking.decision_of({**told, "status": "denied", "decision": None, "lifecycle": None}, {})
    return Decision(read.action_id, Status.UNKNOWN, read.reason, "unknown_status", read.decided_by)


def _taken(status: int, headers: Headers, body: bytes) -> None:
    asking.value(status, headers, body)


def _switch(found: Json) -> KillSwitchStatus:
    told = an_object(found)
    blocked = told.get("blocked")
    if not isinstance(blocked, bool):
        raise nonsense("does not say whether the kill switch is on")
    since = asking.time_of(_text(told, "activated_at") or None)
    return KillSwitchStatus(blocked, _text(told, "reason") or None, since, _text(told, "activated_by") or None)


def seconds_ahead(headers: Headers, now: float) -> float | None:
    """How far a clock that shows ``now`` (seconds since 1970) is ahead of the server's; None if it does not say."""
    try:
        return now - parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def spoken(step: Inquiry[Any] | Command) -> Inquiry[Any]:
    """A step of a conversation as one request: a command has its request and its reader, too."""
    if isinstance(step, Inquiry):
        return step
    return Inquiry(asking.request(step), partial(asking.answer, step), step.timeout)
