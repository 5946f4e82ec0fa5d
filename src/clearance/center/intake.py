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


def fingerprint(submission: Submission) -> str:
    """What makes two submits the same: everything but the nonce, which names the worker, not the request."""
    document = {**fields_of(submission), "nonce": None}
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=fields_of).encode()).hexdigest()


def record_of(
    who: Principal, submission: Submission, verdict: Verdict, now: int, policy_version: str, new_call: str | None = None
) -> Record:
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
        fingerprint=fingerprint(submission),
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
        new_call=new_call,
        nist_control=submission.nist_control,
        mitre_tactic=submission.mitre_tactic,
    )


def facts(record: Record) -> dict[str, object]:
    """What the trail keeps of a submit: enough to tell what was asked, and that it was not changed since."""
    action = record.action
    told: dict[str, object] = {
        "agent_id": action.agent_id,
        "action_type": action.action_type,
        "tool_name": action.tool_name,
        "digest": action.digest,
        "view": hashlib.sha256(json.dumps(dict(action.parameters), sort_keys=True).encode()).hexdigest(),
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
