"""Templates to HTML. Everything is escaped; what agents wrote is also made visible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from clearance._version import __version__
from clearance.center.approvals import LONGEST_REASON
from clearance.center.audit import Link
from clearance.center.inbox import static_files
from clearance.center.inbox.display import spelled, visible
from clearance.center.moves import SECOND
from clearance.center.standing.desk import HOURS, MOST_HOURS, MOST_USES, USES
from clearance.center.switches import scope

_TOLD_ELSEWHERE = frozenset({"seq", "at", "event", "actor", "action_id", "status"})


def render(template: str, context: Mapping[str, object]) -> str:
    """A page."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("clearance.center.inbox"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "spelled": spelled, "audit_line": _audit_line}
    environment.globals |= {
        "version": __version__,
        "static": static_files.address,
        "longest_reason": LONGEST_REASON,
        "scope": scope,
        "usual_uses": USES,
        "usual_hours": round(HOURS),
        "most_uses": MOST_USES,
        "most_hours": round(MOST_HOURS),
    }
    return environment


def _audit_line(link: Link) -> dict[str, str]:
    """An entry of the audit trail, for people."""
    entry = json.loads(link.body)
    details = {**{key: value for key, value in entry.items() if key not in _TOLD_ELSEWHERE}, **entry.get("details", {})}
    details.pop("details", None)
    at = datetime.fromtimestamp(entry["at"] / SECOND, UTC)
    return {
        "seq": str(link.seq),
        "at": f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}",
        "event": str(entry["event"]),
        "actor": str(entry["actor"]),
        "details": ", ".join(f"{key}: {value}" for key, value in details.items()),
        "hash": link.hash,
    }
