"""Break-glass: in an emergency, one agent's calls of one tool are cleared at once, for some minutes.

A super admin opens it, by name and with a reason. It clears what the policy would ask people about. It overrides no
rule that denies, no kill switch, and no person. It is loud: each opening, each use and each end is an entry of the
audit trail and a warning in the Center's log, and while one is open every page of the inbox says so.
"""

from __future__ import annotations

from dataclasses import replace

from clearance.center.emergencies import BreakGlass
from clearance.center.faults import Conflict, Forbidden, Invalid, NotFound
from clearance.center.policy import Verdict
from clearance.center.records import Entry, Principal, Record
from clearance.center.store.base import Tx
from clearance.center.visible import is_spelled, plain
from clearance.wire.vocabulary import BREAK_GLASS

ANY = ""
"""Any key that asks under the agent's name."""
REASON_CODE = BREAK_GLASS
CLOSED_CODE = "break_glass_closed"
"""The reason code of what was cleared by one, and not claimed before that was closed."""
CHANNEL = "break-glass"
MINUTES = 15
"""Minutes that one is open, unless told otherwise."""
MOST_MINUTES = 60
LONGEST_NAME = 200
"""Characters of an agent's or a tool's name."""
LONGEST_REASON = 2_000
"""Characters of a reason."""
MOST_OPEN = 20
"""That may be open at once."""
MINUTE = 60_000_000
"""Microseconds."""
LEAST_LEFT = 1_000_000
"""Microseconds that it must still be open to clear anything: what it clears must be claimed before it ends."""
CLOCK = "clock"
OPENED, CLOSED, ENDED = "break_glass.open", "break_glass.closed", "break_glass.ended"


def open_one(
    tx: Tx, who: Principal, now: int, *, agent: str, tool: str, reason: str, minutes: int = MINUTES, key: str = ANY
) -> BreakGlass:
    """Open one; it ends by itself, no later than the key that opens it.

    Raises:
        Forbidden: without the right to do so, or for a key of one's own.
        Invalid: no reason, no name or none that can be meant, a key that is not there, or too many minutes.
        Conflict: one is open for the same, or too many are.
    """
    if not who.may_manage:
        raise Forbidden("Only a key with the role super_admin opens a break-glass")
    agent, tool, reason = agent.strip(), tool.strip(), reason.strip()
    _check(agent, tool, reason, minutes)
    if key:
        _check_key(tx, who, key, now)
    end_overdue(tx, now)
    known = tx.open_break_glasses()
    same = next((one for one in known if (one.agent, one.tool, one.key) == (agent, tool, key)), None)
    if same is not None:
        raise Conflict(f"Break-glass {same.id} is open for {scope(same)} already; close it first to open another")
    if len(known) >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} are open already; close one first")
    own, ends_at = tx.key(who.id), now + minutes * MINUTE
    if own is not None and own.expires_at is not None:
        ends_at = min(ends_at, own.expires_at)
    glass = BreakGlass(agent, tool, key, reason, now, who.id, who.name, who.owner, ends_at)
    glass = tx.add_break_glass(glass)
    _tell(tx, glass, now, OPENED, who.id, {"by": who.name, "owner": who.owner, "reason": reason, "ends_at": ends_at})
    tx.warn(plain(f"Break-glass {glass.id} opened by {who.name} for {scope(glass)}, {minutes} min: {reason}"))
    return glass


def close(tx: Tx, who: Principal, now: int, number: int, reason: str = "") -> BreakGlass:
    """End one before its time. What it cleared and nobody has claimed is void.

    Raises:
        Forbidden: without the right to decide.
        NotFound: there is none of this number.
        Conflict: it is over already.
    """
    if not who.may_decide:
        raise Forbidden("Only a key with the role admin or super_admin closes a break-glass")
    end_overdue(tx, now)
    glass = tx.break_glass(number)
    if glass is None:
        raise NotFound(f"There is no break-glass {number}")
    if glass.closed_at is not None:
        raise Conflict(f"Break-glass {number} is over already: {ending(glass)}")
    return _end(tx, glass, now, now, CLOSED, (who.id, who.name), reason.strip())


def close_all(tx: Tx, now: int, actor: str, reason: str, *, opened_by: str | None = None) -> None:
    """Close every one that is open, or every one that this principal opened."""
    for glass in tx.open_break_glasses():
        if glass.is_open(now) and opened_by in (None, glass.opened_by):
            _end(tx, glass, now, now, CLOSED, (actor, actor), reason)


def end_overdue(tx: Tx, now: int) -> None:
    """Write down the end of those whose time is up. They clear nothing from then on, written down or not."""
    for glass in tx.open_break_glasses():
        if not glass.is_open(now):
            _end(tx, glass, glass.ends_at, now, ENDED, (CLOCK, CLOCK))


def clearing(tx: Tx, record: Record, verdict: Verdict, now: int) -> BreakGlass | None:
    """The break-glass that clears this new request, which the policy would ask people about; None if none does.

    Never one that its own requester opened, nor where a rule could not be evaluated that may deny it.
    """
    if verdict.unclear and not verdict.cannot_be_denied:
        return None
    for glass in tx.open_break_glasses():
        is_open = glass.is_open(now + LEAST_LEFT)
        if is_open and glass.covers(record) and not glass.author.is_behind(record):
            return glass
    return None


def note_use(tx: Tx, glass: BreakGlass, record: Record) -> None:
    """Remember, and say in the log, that it has cleared this action."""
    tx.use_break_glass(glass.id, record.id)
    tx.warn(plain(f"Break-glass {glass.id} of {glass.opened_by_name} cleared action {record.id}: {scope(glass)}"))


def that_took_back(tx: Tx, record: Record) -> BreakGlass | None:
    """The break-glass that cleared this and was closed before it was claimed, if so."""
    glass = tx.break_glass(record.break_glass) if record.break_glass is not None else None
    return glass if glass is not None and glass.took_back(record) else None


def author(whoever: str) -> str:
    """Who decides, where a break-glass does that this principal, by id or name, opened or closed."""
    return f"break-glass:{whoever}"


def scope(glass: BreakGlass) -> str:
    """What it is for, in words."""
    return f"agent {glass.agent} with tool {glass.tool}{f' and key {glass.key}' if glass.key else ''}"


def ending(glass: BreakGlass) -> str:
    """How one that is over ended, in words."""
    return "its time was up" if glass.closed_by == CLOCK else f"closed by {glass.closed_by_name}"


def _check(agent: str, tool: str, reason: str, minutes: int) -> None:
    if not reason:
        raise Invalid("Say why: reason is empty")
    if len(reason) > LONGEST_REASON or "\0" in reason:
        raise Invalid(f"A reason has up to {LONGEST_REASON:,} characters, and no NUL")
    for name in (agent, tool):
        if not 0 < len(name) <= LONGEST_NAME or any(map(is_spelled, name)):
            raise Invalid(
                f"agent and tool are names of 1 to {LONGEST_NAME} characters that can be seen; both are needed"
            )
        if "*" in name:
            raise Invalid("A break-glass is for one agent and one tool by their names; there are no patterns")
    if not 1 <= minutes <= MOST_MINUTES:
        raise Invalid(f"A break-glass is open for 1 to {MOST_MINUTES} minutes")


def _check_key(tx: Tx, who: Principal, key: str, now: int) -> None:
    record = tx.key(key) if key.isascii() and key.isalnum() else None
    if record is None or record.standing(now) != "active":
        raise Invalid("key is the id of a key that is in use; leave it out for any key of the agent")
    if who.id == key or (who.owner is not None and who.owner == record.owner):
        raise Forbidden("Nobody clears what they ask for themselves, nor what another key of the same owner asks for")


def _end(tx: Tx, glass: BreakGlass, at: int, now: int, event: str, by: tuple[str, str], reason: str = "") -> BreakGlass:
    over = replace(glass, closed_at=at, closed_by=by[0], closed_by_name=by[1])
    tx.save_break_glass(over)
    uses = tx.uses_of_break_glass(glass.id)
    told: dict[str, object] = {"by": by[1], "reason": reason, "cleared": uses.cleared}
    _tell(tx, over, now, event, by[0], told)
    why = f": {reason}" if reason else ""
    what = f"{scope(glass)}, {uses.cleared} cleared"
    tx.warn(plain(f"Break-glass {glass.id} is over, {ending(over)} ({what}){why}"))
    return over


def _tell(tx: Tx, glass: BreakGlass, now: int, event: str, actor: str, more: dict[str, object]) -> None:
    told = {"break_glass": glass.id, "agent": glass.agent, "tool": glass.tool, "key": glass.key, **more}
    tx.append(
        Entry(now, event, actor, details={name: value for name, value in told.items() if value not in ("", None)})
    )
