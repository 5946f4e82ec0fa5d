"""The REST counter for those who look after a Center: keys, the kill switch, the audit trail."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clearance.center import keys, switches, telling
from clearance.center.api import Answer, at_the_desk, body_of, center_of, number_of
from clearance.center.audit import Link
from clearance.center.faults import Forbidden, Invalid
from clearance.center.records import KeyRecord, KillSwitch, Principal, Role
from clearance.center.store.base import Tx
from clearance.models import Json
from clearance.wire import administering, answering

DAY = 24 * 3600
MOST_ENTRIES = 500
"""Entries of the audit trail that one list answers at most."""
LONGEST_AGENT = 200
"""Characters of an agent's name that may be asked about."""


async def generate_key(request: Request) -> Response:
    """Make a key; the answer has its text, and none later has."""
    center = center_of(request)
    said = answering.parse(administering.KeyBody, await body_of(request))
    role, name, owner = _role(said.get("role")), said.get("name") or "", said.get("owner")
    days = said.get("expires_in_days")

    def make(tx: Tx, who: Principal) -> tuple[str, KeyRecord]:
        lifetime = None if days is None else days * DAY
        return keys.create_for(tx, who, role, name, center.desk.now(), owner=owner, lifetime=lifetime)

    key, record = await at_the_desk(request, make)
    told = {"success": True, "api_key": key, "warning": "Keep this key now: it is not shown again."}
    return Answer(told | _told(record, center.desk.now()))


async def list_keys(request: Request) -> Response:
    """Every key, oldest first, without its text."""
    now = center_of(request).desk.now()

    def find(tx: Tx, who: Principal) -> list[KeyRecord]:
        if not who.may_list_keys:
            raise Forbidden("Only a key with the role super_admin or auditor lists keys")
        return tx.keys()

    found = await at_the_desk(request, find)
    return Answer({"keys": [_told(record, now) for record in found], "total": len(found)})


async def revoke_key(request: Request) -> Response:
    """End a key for good."""
    now, key_id = center_of(request).desk.now(), request.path_params["id"]

    def end(tx: Tx, who: Principal) -> KeyRecord:
        if not who.may_manage:
            raise Forbidden("Only a key with the role super_admin revokes keys")
        return keys.revoke(tx, key_id, now, who.id)

    record = await at_the_desk(request, end)
    return Answer({"success": True, "message": "The key was revoked"} | _told(record, now))


async def kill_switch_status(request: Request) -> Response:
    """Is the caller, or the agent that the query names, stopped altogether? And which switches are on."""
    agent = request.query_params.get("agent_id", "")
    if len(agent) > LONGEST_AGENT:
        raise Invalid(f"agent_id has more than {LONGEST_AGENT} characters")

    def look(tx: Tx, who: Principal) -> tuple[list[KillSwitch], Principal]:
        return switches.on(tx), who

    found, who = await at_the_desk(request, look)
    switch = switches.blocking(found, {who.id, who.name, agent} - {""})
    body: dict[str, Json] = {
        "blocked": switch is not None,
        "reason": switch.reason if switch else None,
        "activated_at": _time(switch.activated_at) if switch else None,
        "activated_by": switch.activated_by_name if switch else None,
    }
    if who.may_read_all:
        body["switches"] = [_switch(each) for each in found]
    return Answer(body)


async def turn_kill_switch(request: Request) -> Response:
    """Stop everything, one agent or one tool; or let it go on."""
    desk = center_of(request).desk
    said = answering.parse(administering.SwitchBody, await body_of(request))
    agent, tool = said.get("agent"), said.get("tool")
    if agent == "" or tool == "":
        raise Invalid("agent and tool are names; leave them out to mean all")

    def turn(tx: Tx, who: Principal) -> KillSwitch:
        return desk.turn_switch(tx, who, on=said["on"], agent=agent or "", tool=tool or "", reason=said["reason"])

    return Answer(_switch(await at_the_desk(request, turn)))


async def audit_logs(request: Request) -> Response:
    """The audit trail, newest first."""
    limit = min(number_of(request, "limit", 50), MOST_ENTRIES)
    offset = number_of(request, "offset", 0)

    def find(tx: Tx, who: Principal) -> tuple[int, list[Link]]:
        if not who.may_read_all:
            raise Forbidden("This key may not read the audit trail; ask for one with the role auditor")
        total = tx.audit_length()
        last = max(0, total - offset)
        return total, list(tx.audit(after=max(0, last - limit), limit=min(limit, last)))

    total, links = await at_the_desk(request, find)
    logs = [_entry(link) for link in reversed(links)]
    return Answer({"logs": logs, "total": total, "limit": limit, "offset": offset})


def _role(text: str | None) -> Role:
    """The role that was asked for; the least one if none was."""
    try:
        return Role(text) if text is not None else Role.USER
    except ValueError:
        raise Invalid(f"role is one of {', '.join(Role)}") from None


def _told(record: KeyRecord, now: int) -> dict[str, Json]:
    """What is told of a key: never anything that it could be made from."""
    standing = record.standing(now)
    return {
        "id": record.id,
        "key_id": record.id,
        "key_prefix": f"owkai_{record.role.value}_{record.id}",
        "name": record.name,
        "role": record.role.value,
        "owner": record.owner,
        "status": standing,
        "is_active": standing == "active",
        "created_at": _time(record.created_at),
        "expires_at": _time(record.expires_at),
        "revoked_at": _time(record.revoked_at),
        "last_used_at": _time(record.last_used_at),
    }


def _switch(switch: KillSwitch) -> dict[str, Json]:
    return {
        "on": switch.is_on,
        "agent": switch.agent or None,
        "tool": switch.tool or None,
        "reason": switch.reason,
        "activated_at": _time(switch.activated_at),
        "activated_by": switch.activated_by_name,
    }


def _entry(link: Link) -> dict[str, Json]:
    body: Mapping[str, Json] = json.loads(link.body)
    at = body.get("at")
    return {**body, "timestamp": _time(at) if isinstance(at, int) else None, "hash": link.hash}


def _time(microseconds: int | None) -> str | None:
    return answering.iso(telling.time_of(microseconds))


ROUTES = [
    Route("/api/keys/generate", generate_key, methods=["POST"]),
    Route("/api/keys/list", list_keys, methods=["GET"]),
    Route("/api/keys/{id}/revoke", revoke_key, methods=["DELETE"]),
    Route("/api/sdk/kill-switch/status", kill_switch_status, methods=["GET"]),
    Route("/api/v1/kill-switch", turn_kill_switch, methods=["POST"]),
    Route("/api/audit/logs", audit_logs, methods=["GET"]),
]
