"""What a submit becomes: the record of a new action, and what its entry in the trail tells of it."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict

from clearance.center import agreement
from clearance.center.moves import SECOND
from clearance.center.policy import Verdict
from clearance.center.records import Invalid, Principal, Record, Submission, fields_of

LONGEST_DECIDE_WITHIN = 30 * 24 * 3600.0
LONGEST_RUN_WITHIN = 14 * 24 * 3600.0
_as_text = json.JSONEncoder(sort_keys=True, default=fields_of).encode


def is_same(record: Record, submission: Submission) -> bool:
    """Is this the submit that the action came of? All of it counts but the nonce: that names the worker.

    As text, for 1 and true are equal to Python.
    """
    mine, its = ({"action": each.action, "claims": each.claims} for each in (record, submission))
    return record.key == submission.key and _as_text(mine) == _as_text(its)


def record_of(who: Principal, submission: Submission, verdict: Verdict, now: int, policy_version: str) -> Record:
    """A new action, pending.

    Raises:
        Invalid: a time is out of bounds.
    """
    action = submission.action
    _bounded("decide_within_s", action.decide_within, LONGEST_DECIDE_WITHIN)
    _bounded("run_within_s", action.run_within, LONGEST_RUN_WITHIN)
    return Record(
        action=action,
        requester=who.id,
        requester_name=who.name,
        created_at=now,
        decide_by=now + round(action.decide_within * SECOND),
        correlation_id=str(uuid.uuid4()),
        policy_version=policy_version,
        key=submission.key,
        claims=submission.claims,
        risk_score=verdict.risk_score,
        risk_level=verdict.risk_level,
        factors=verdict.factors,
        rule=verdict.rule,
        requester_owner=who.owner,
        stages=verdict.stages,
        escalate_to=verdict.escalate_to,
    )


def facts(record: Record) -> dict[str, object]:
    """What the trail keeps of a submit: enough to tell what was asked, and that it was not changed since."""
    action = record.action
    told: dict[str, object] = {
        "agent_id": action.agent_id,
        "action_type": action.action_type,
        "tool_name": action.tool_name,
        "digest": action.digest,
        "view": hashlib.sha256(_as_text(dict(action.parameters)).encode()).hexdigest(),
        "decide_by": record.decide_by,
        "policy": record.policy_version,
        "rule": record.rule,
        "risk": record.risk_score,
    }
    if record.stages:
        told["stages"] = [asdict(stage) for stage in agreement.stages_of(record)]
    return told


def _bounded(name: str, seconds: float, longest: float) -> None:
    if not 0 < seconds <= longest:
        raise Invalid(f"{name} must be a number of seconds from 0 to {longest:.0f}")
