"""What the desk refuses stands in the audit trail, too.

A unit of work that raises is undone, and the entry about the refusal with it. So an audited refusal is carried out of
the transaction as a value, which keeps what was done until then, and is raised behind it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from clearance.center.faults import DeskError
from clearance.center.records import Entry, Principal, Record
from clearance.center.store.base import Tx
from clearance.lifecycle import Event

T = TypeVar("T")
log: logging.Logger = logging.getLogger("clearance.center")

REFUSED = "refused"
"""The event of an entry about a refusal. It moves nothing."""
ALARM = "alarm"
"""The event of an entry about what should never be asked: another outcome than the one that stands."""
MOST_REFUSALS = 5
"""Refusals of one event (and as many alarms) that are kept for one action.

Nobody fills the trail by asking again and again, nor hides an alarm behind refusals.
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An audited refusal, on its way out of its transaction."""

    refusal: DeskError


def audited(
    tx: Tx, now: int, who: Principal, record: Record, tried: Event, refusal: DeskError, word: str = REFUSED
) -> DeskError:
    """Append an entry about the refusal, and return it to be raised.

    What the unit of work has done before is kept: raise it only where that is right.
    """
    refusal.is_audited = True
    before = sum(_is_one(json.loads(link.body), word, tried) for link in tx.audit_of(record.id))
    if before < MOST_REFUSALS:
        details: dict[str, object] = {"tried": tried.value, "reason": refusal.detail}
        if before == MOST_REFUSALS - 1:
            details["last"] = True  # and those that follow are not kept
        tx.append(Entry(now, word, who.id, record.id, record.status, details))
        if word == ALARM:
            log.error("Alarm about action %s: %s", record.id, refusal.detail)
    return refusal


def keeping(work: Callable[[Tx], T]) -> Callable[[Tx], T | Kept]:
    """The unit of work; an audited refusal is its value, so that its transaction is kept."""

    def kept(tx: Tx) -> T | Kept:
        try:
            return work(tx)
        except DeskError as refusal:
            if not refusal.is_audited:
                raise
            return Kept(refusal)

    return kept


def told(result: T | Kept) -> T:
    """What came of it; raises the refusal."""
    if isinstance(result, Kept):
        raise result.refusal
    return result


def _is_one(entry: dict[str, object], word: str, tried: Event) -> bool:
    details = entry.get("details")
    return entry["event"] == word and isinstance(details, dict) and details.get("tried") == tried.value
