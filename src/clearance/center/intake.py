"""What a submit becomes: the record of a new action, and what its entry in the trail tells of it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection
from dataclasses import asdict

from clearance.center import agreement
from clearance.center.faults import Invalid
from clearance.center.moves import SECOND
from clearance.center.policy import Effect, Verdict
from clearance.center.policy.engine import WITHOUT_RULE
from clearance.center.policy.rules import LONGEST_DECIDE_WITHIN, LONGEST_RUN_WITHIN
from clearance.center.records import Principal, Record, Submission, fields_of
from clearance.center.risk import Assessment

_as_text = json.JSONEncoder(sort_keys=True, default=fields_of).encode


def is_same(record: Record, submission: Submission) -> bool:
    """Is this the submit that the action came of? All of it counts but the nonce: that names the worker.

    As text, for 1 and true are equal to Python.
    """
    mine, its = ({"action": each.action, "claims": each.claims} for each in (record, submission))
    return record.key == submission.key and _as_text(mine) == _as_text(its)


def record_of(
    who: Principal,
    submission: Submission,
    verdict: Verdict,
    risk: Assessment,
    now: int,
    policy_version: str,
    new_call: str | None = None,
) -> Record:
    """A new action, pending. The policy may shorten its times and narrow what an approver may change.

    Raises:
        Invalid: a time is out of bounds.
    """
    action = submission.action
    _bounded("decide_within_s", action.decide_within, LONGEST_DECIDE_WITHIN)
    _bounded("run_within_s", action.run_within, LONGEST_RUN_WITHIN)
    decide_within = min(action.decide_within, verdict.decide_within or action.decide_within)
    return Record(
        action=action,
        requester=who.id,
        requester_name=who.name,
        created_at=now,
        decide_by=now + round(decide_within * SECOND),
        correlation_id=str(uuid.uuid4()),
        policy_version=policy_version,
        key=submission.key,
        claims=submission.claims,
        risk_score=risk.score,
        risk_level=risk.level,
        factors=risk.factors,
        rule=verdict.rule,
        requester_owner=who.owner,
        stages=verdict.stages,
        escalate_to=verdict.escalate_to,
        asked_because=verdict.reason if verdict.effect is Effect.ASK and verdict.rule not in WITHOUT_RULE else "",
        message_for_model=verdict.message_for_model,
        run_within=verdict.run_within,
        may_change=_fewer(action.editable, verdict),
        new_call=new_call,
        nist_control=submission.nist_control,
        mitre_tactic=submission.mitre_tactic,
    )


def _fewer(editable: tuple[str, ...], verdict: Verdict) -> tuple[str, ...] | None:
    """What an approver may change by the policy; None for all that the guard allows."""
    if verdict.editable is None or set(editable) <= set(verdict.editable):
        return None
    return tuple(name for name in editable if name in verdict.editable)


def facts(record: Record, unclear: Collection[str] = ()) -> dict[str, object]:
    """What the trail keeps of a submit: enough to tell what was asked, and that it was not changed since.

    ``unclear`` are the rules of the policy that could not be evaluated.
    """
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
    if unclear:
        told["unclear"] = list(unclear)
    if record.shares:
        told["limits"] = {share.limit: {"takes": share.takes, "used": share.used} for share in record.shares}
    if record.stages:
        told["stages"] = [asdict(stage) for stage in agreement.stages_of(record)]
    return told


def _bounded(name: str, seconds: float, longest: float) -> None:
    if not 0 < seconds <= longest:
        raise Invalid(f"{name} must be a number of seconds from 0 to {longest:.0f}")
