"""Which calls a standing approval is about: exactly one again, or those that differ only where its maker said.

Never more than its maker saw: whatever is not named must be as it was in the call that it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from clearance.center.approvals import BULK_LEVELS
from clearance.center.faults import Invalid
from clearance.center.policy.asked import Asked
from clearance.center.policy.conditions import Group, Test
from clearance.center.policy.document import Node, Place, Problems, Reader
from clearance.center.policy.matching import Matching
from clearance.center.records import Record, fields_of
from clearance.center.standing.approval import StandingApproval
from clearance.models import Action, Json

MOST_VARYING = 12
"""Parameters that may differ, at most."""
MOST_WORK = 300
"""The most that its conditions may take of a decision, in comparisons of a short value."""
LONGEST_MATCH = 4_000
"""Characters of JSON that its conditions may have."""
LEVELS = ("low", "medium", "high", "critical")
_NOWHERE = Place(1, 1)
_spell = json.JSONEncoder(sort_keys=True, default=fields_of).encode


def imprint(action: Action, varying: Collection[str]) -> str:
    """A hash over all of a call that must be the same again, without the values of what may vary.

    Where nothing may vary that is all of it: the digest covers what is hidden, too.
    """
    fixed = {name: value for name, value in action.parameters.items() if name not in varying}
    digest = None if varying else action.digest
    names = sorted(action.parameters)
    who = [action.agent_id, action.action_type, action.tool_name, action.resource, action.code]
    return hashlib.sha256(_spell([*who, dict(action.context), names, fixed, digest]).encode()).hexdigest()


def check(record: Record, match: Mapping[str, Json], free: Collection[str]) -> None:
    """Refuse a scope that cannot be told from others, or that its maker cannot have seen.

    Raises:
        Invalid: with what to write instead.
    """
    if not match and not free:
        if not record.action.digest:
            raise Invalid("This client sends no digest, so nobody can tell that a call is the same again")
        return
    _check_names(record, match, free)
    group = conditions(match) if match else None
    if group is not None and group.compiled()(Asked(record.action)) is not True:
        raise Invalid(f"Call {record.id} itself does not fit match; it must, for that is the call that was seen")


def may_vary(record: Record) -> list[str]:
    """The parameters that may be left free in what is allowed again; none where nothing, or too many, may differ."""
    action = record.action
    is_whole = not action.redacted and not action.abridged
    can_be = is_whole and record.risk_level in BULK_LEVELS and len(action.parameters) <= MOST_VARYING
    return list(action.parameters) if can_be else []


def covers(approval: StandingApproval, record: Record) -> bool:
    """Is this one of the calls that it is about? What nobody can tell is a no."""
    action, varying = record.action, approval.varying
    if (approval.requester, approval.rule) != (record.requester, record.rule):
        return False
    if (approval.agent_id, approval.action_type, approval.tool_name) != _names(action):
        return False
    if record.risk_level not in LEVELS or LEVELS.index(record.risk_level) > LEVELS.index(approval.risk_level):
        return False
    if (action.redacted or action.abridged) if varying else not action.digest:
        return False
    if imprint(action, varying) != approval.same:
        return False
    return not approval.match or _test(json.dumps(dict(approval.match)))(Asked(action)) is True


def conditions(match: Mapping[str, Json]) -> Group:
    """The conditions on parameters, read by what reads those of a policy.

    Raises:
        Invalid: they say something that is not understood.
    """
    if len(json.dumps(dict(match))) > LONGEST_MATCH:
        raise Invalid(f"match has more than {LONGEST_MATCH:,} characters")
    problems = Problems("")
    parameters = {_path(name): _node(value) for name, value in match.items()}
    table = Node({"parameters": Node(parameters, _NOWHERE, dict.fromkeys(parameters, _NOWHERE))}, _NOWHERE)
    group = Matching(Reader(problems)).match(table, "match")
    if problems:
        lines = str(problems.error()).splitlines()
        raise Invalid("; ".join(line.removeprefix(":1:1: ") for line in lines))
    if group.work > MOST_WORK:
        raise Invalid("match would take too long to be looked through; use fewer and shorter patterns")
    return group


@lru_cache(maxsize=256)
def _test(match: str) -> Test:
    return conditions(json.loads(match)).compiled()


def _check_names(record: Record, match: Mapping[str, Json], free: Collection[str]) -> None:
    action = record.action
    if hidden := (*action.redacted, *action.abridged):
        raise Invalid(
            f"{hidden[0]} is not shown whole, so nobody could tell what it is in the next call; leave match and free "
            "out, and it is for exactly this call again"
        )
    if record.risk_level not in BULK_LEVELS:
        raise Invalid(
            f"This call is of {record.risk_level} risk: only exactly the same can be allowed again; leave match and "
            "free out"
        )
    if len(match) + len(free) > MOST_VARYING:
        raise Invalid(f"More than {MOST_VARYING} parameters may not differ")
    if twice := sorted({*match} & {*free}):
        raise Invalid(f"{twice[0]} stands in match and in free; keep one of them")
    if stray := sorted(({*match} | {*free}) - action.parameters.keys()):
        known = ", ".join(sorted(action.parameters)) or "none"
        raise Invalid(f"{stray[0]} is no parameter of this call; its parameters: {known}")


def _names(action: Action) -> tuple[str, str, str]:
    return action.agent_id, action.action_type, action.tool_name


def _path(name: str) -> str:
    """A parameter's name as a path of a policy: dots and brackets in it lead nowhere."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


def _node(value: Any) -> Node:
    """JSON as what a policy file says."""
    if isinstance(value, dict):
        return Node({name: _node(each) for name, each in value.items()}, _NOWHERE, dict.fromkeys(value, _NOWHERE))
    return Node([_node(each) for each in value] if isinstance(value, list) else value, _NOWHERE)
