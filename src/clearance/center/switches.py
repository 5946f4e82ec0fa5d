"""The kill switch: stops everything, one agent, or one tool, from the next claim on.

Nothing is rewritten when it is turned on, so turning it on takes no longer with a million approvals than with one.
Every approval is held against it whenever it is looked at, and every claim in its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from clearance.center.faults import Conflict, Forbidden, Invalid
from clearance.center.records import Entry, KillSwitch, Principal, Record
from clearance.center.store.base import Tx
from clearance.center.visible import is_spelled

ALL = ""
"""Every agent, or every tool."""
REASON_CODE = "kill_switch"
LONGEST_SCOPE = 200
"""Characters of an agent's or a tool's name."""
MOST_SWITCHES = 200
"""Kill switches that are kept at most; the one for everything can always be turned on."""


def turn(
    tx: Tx, who: Principal, now: int, *, on: bool, agent: str = ALL, tool: str = ALL, reason: str, remember: int
) -> KillSwitch:
    """Turn a kill switch on or off. ``remember`` is the microseconds for which an approval can stay unclaimed.

    On again tells the new reason, and also stops what was approved meanwhile.

    Raises:
        Forbidden: without the right to do so.
        Invalid: no reason, or a name that is none.
        Conflict: it is to be turned off and is not on, or there are too many.
    """
    if not who.may_manage:
        raise Forbidden("Only a key with the role super_admin uses the kill switch")
    agent, tool, reason = agent.strip(), tool.strip(), reason.strip()
    if not reason:
        raise Invalid("Say why: reason is empty")
    if any(len(name) > LONGEST_SCOPE or any(map(is_spelled, name)) for name in (agent, tool)):
        raise Invalid(f"An agent or tool is a name of up to {LONGEST_SCOPE} characters that can be seen")
    _forget(tx, now - remember)
    known = next((switch for switch in tx.switches() if (switch.agent, switch.tool) == (agent, tool)), None)
    if on:
        if known is None and len(tx.switches()) >= MOST_SWITCHES and (agent or tool):
            raise Conflict(f"There are {MOST_SWITCHES} kill switches already; turn on the one for everything")
        switch = KillSwitch(agent, tool, True, reason, now, who.id, who.name)
    elif known is None or not known.is_on:
        raise Conflict(f"The kill switch for {scope(agent, tool)} is not on")
    else:
        switch = replace(known, is_on=False)
    tx.put_switch(switch)
    details: dict[str, object] = {"agent": agent or "*", "tool": tool or "*", "reason": reason, "by": who.name}
    tx.append(Entry(now, "kill.on" if on else "kill.off", who.id, details=details))
    return switch


def stopping(tx: Tx, record: Record) -> KillSwitch | None:
    """The kill switch that stops this action, if one does; one that is on before one that was."""
    found = [switch for switch in tx.switches() if switch.stops(record)]
    return next((switch for switch in found if switch.is_on), found[0] if found else None)


def on(tx: Tx) -> list[KillSwitch]:
    """The kill switches that are on, newest first."""
    return [switch for switch in tx.switches() if switch.is_on]


def blocking(found: Iterable[KillSwitch], names: Iterable[str]) -> KillSwitch | None:
    """The kill switch among these that stops everything an agent of these names may ask."""
    folded = {name.casefold() for name in names}
    return next((s for s in found if not s.tool and (not s.agent or s.agent.casefold() in folded)), None)


def author(whoever: str) -> str:
    """Who decides, where a kill switch does that this principal, by id or name, turned on."""
    return f"kill-switch:{whoever}"


def scope(agent: str, tool: str) -> str:
    """What it stops, in words."""
    if not agent and not tool:
        return "everything"
    return " with ".join(([f"agent {agent}"] if agent else []) + ([f"tool {tool}"] if tool else []))


def _forget(tx: Tx, before: int) -> None:
    """Drop those that are off and can stop nothing any more: what was approved before them has lapsed."""
    for switch in [switch for switch in tx.switches() if not switch.is_on and switch.activated_at <= before]:
        tx.drop_switch(switch)
