"""Times: hours of the day and days of the week that a rule is for, and lengths of time as a file writes them."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from clearance.center.policy.asked import Asked
from clearance.center.policy.checks import Check
from clearance.center.policy.conditions import Condition, Field, Leaf
from clearance.center.policy.document import Node, Reader

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]|24):([0-5][0-9])")
_LENGTH = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?")


def conditions(node: Node, reader: Reader, what: str) -> list[Condition]:
    """The conditions of a ``time`` table: ``hours``, ``days`` and ``zone``."""
    table = reader.table(node, what, ("hours", "days", "zone"))
    zone = zone_of(table.get("zone"), reader, f"{what}: zone")
    if isinstance(node.value, dict) and "hours" not in table and "days" not in table:
        reader.problems.add(node.place, f'{what} needs hours = "09:00-17:00", or days = "mon-fri".')
    found: list[Condition] = []
    if zone is None:
        return found
    if "hours" in table and (check := _hours(table["hours"], reader, f"{what}: hours")):
        minute = Field(f"the time of day ({zone})", lambda asked: _minute(asked, zone))
        found.append(Leaf(minute, "during", table["hours"].value, check, 5))
    if "days" in table and (days := weekdays(table["days"], reader, f"{what}: days")):
        weekday = Field(f"the day of the week ({zone})", lambda asked: _local(asked, zone).weekday())
        found.append(Leaf(weekday, "during", table["days"].value, lambda day: day in days, 5))
    return found


def seconds(node: Node, reader: Reader, what: str, most: float) -> float | None:
    """A length of time such as ``15m`` or ``1h30m``, in seconds."""
    match = _LENGTH.fullmatch(node.value) if isinstance(node.value, str) and node.value else None
    if match is None:
        reader.problems.add(node.place, f'{what} must be a length of time, such as "90s", "15m", "1h30m" or "7d".')
        return None
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    length = float(days * 86_400 + hours * 3_600 + minutes * 60 + rest)
    if not 0 < length <= most:
        reader.problems.add(node.place, f"{what} must be more than nothing and at most {most / 86_400:g} days.")
        return None
    return length


def _local(asked: Asked, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(asked.at // 1_000_000, UTC).astimezone(zone)


def _minute(asked: Asked, zone: tzinfo) -> int:
    local = _local(asked, zone)
    return local.hour * 60 + local.minute


def zone_of(node: Node | None, reader: Reader, what: str) -> tzinfo | None:
    """A time zone by its IANA name; UTC where none is given."""
    if node is None or node.value == "UTC":
        return UTC
    try:
        if isinstance(node.value, str):
            return ZoneInfo(node.value)
    except (ValueError, LookupError, OSError):
        pass
    close = difflib.get_close_matches(str(node.value)[:60], available_timezones(), 1)
    hint = f"did you mean {close[0]!r}?" if close else 'write it as "Europe/Berlin", or "UTC".'
    reader.problems.add(node.place, f"{what} is no time zone; {hint}")
    return None


def _hours(node: Node, reader: Reader, what: str) -> Check | None:
    found = span(node, reader, what)
    if found is None:
        return None
    start, end = found
    if start < end:
        return lambda minute: start <= minute < end
    return lambda minute: minute >= start or minute < end


def span(node: Node, reader: Reader, what: str) -> tuple[int, int] | None:
    """Hours such as ``08:00-18:00``, in minutes of the day; over midnight where the end comes first."""
    match = _HOURS.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None:
        reader.problems.add(node.place, f'{what} must be written as "09:00-17:00", from 00:00 to 24:00.')
        return None
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start == end or end > 24 * 60:
        sentence = f"{what} holds no time, or ends past 24:00; leave hours out for the whole day."
        reader.problems.add(node.place, sentence)
        return None
    return start, end


def weekdays(node: Node, reader: Reader, what: str) -> frozenset[int]:
    """Days such as ``mon-fri``, from 0 for Monday."""
    spans = [each.value for each in node.value] if isinstance(node.value, list) and node.value else [node.value]
    found: set[int] = set()
    for span in spans:
        first, dash, last = span.partition("-") if isinstance(span, str) else ("", "", "")
        if first not in DAYS or (dash and last not in DAYS):
            reader.problems.add(node.place, f'{what} must be written as "mon-fri", or as ["sat", "sun"].')
            return frozenset()
        start, end = DAYS.index(first), DAYS.index(last if dash else first)
        found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return frozenset(found)
