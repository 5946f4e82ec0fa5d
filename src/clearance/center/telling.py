"""What the Center tells of a record, and to whom: the step from what is kept to what is answered."""

from __future__ import annotations

from datetime import UTC, datetime

from clearance import lifecycle
from clearance.center import agreement
from clearance.center.records import Record
from clearance.center.risk.labels import labels_of
from clearance.models import Decision, Json, Status
from clearance.wire import answering
from clearance.wire.vocabulary import LINKS

_OFFERS = frozenset(LINKS)


def decision_of(record: Record) -> Decision:
    """How the action stands."""
    return Decision(
        action_id=str(record.id),
        status=record.status,
        reason=record.reason,
        reason_code=record.reason_code or record.status.value,
        decided_by=record.decided_by,
        decided_at=time_of(record.decided_at),
        channel=record.channel,
        risk_score=record.risk_score,
        risk_level=record.risk_level,
        decide_by=time_of(record.decide_by),
        nonce=record.nonce,
        offers=_OFFERS,
        edits=record.edits,
        message_for_model=record.message_for_model if record.status in lifecycle.REFUSED else "",
    )


def status_of(record: Record) -> dict[str, Json]:
    """The answer of the status route. After a claim it is *denied*: a late poll must not be a second leave to run."""
    decision = decision_of(record)
    if record.status not in lifecycle.CLAIMED:
        return answering.status_body(decision, exact=record.status)
    spent = Decision(
        action_id=decision.action_id,
        status=Status.DENIED,
        reason="already executed" if record.claims else "approval lapsed",
        reason_code="already_executed" if record.claims else "lapsed",
        decided_by=decision.decided_by,
        decided_at=decision.decided_at,
        risk_score=decision.risk_score,
        risk_level=decision.risk_level,
        offers=decision.offers,
    )
    return answering.status_body(spent, exact=None)


def claim_of(record: Record) -> dict[str, Json]:
    """The answer to a claim, an outcome or a withdrawal: the plain truth, to whoever holds the claim."""
    body = answering.status_body(decision_of(record), exact=record.status)
    if record.status is Status.EXECUTING:
        body |= {"status": "executing", "run_until": answering.iso(time_of(record.run_until))}
        body["decision"] = None
    return body


def submitted(record: Record, nonce: str | None, clear_up_to: int, milliseconds: int) -> dict[str, Json]:
    """The answer to a submit. Only whoever holds the claim is told that it is claimed."""
    decision, exact = decision_of(record), record.status
    holds_claim = record.status is Status.EXECUTING and nonce is not None and record.nonce == nonce
    labels = labels_of(record.action.action_type)
    body = answering.submit_body(
        decision,
        record.action,
        exact=exact,
        correlation_id=record.correlation_id,
        rules=[record.rule] if record.rule else [],
        clear_up_to=clear_up_to,
        milliseconds=milliseconds,
        nist_control=record.nist_control or labels.nist_control,
        mitre_tactic=record.mitre_tactic or labels.mitre_tactic,
    )
    if holds_claim:
        return body | {"status": "executing", "decision": None, "run_until": answering.iso(time_of(record.run_until))}
    return body | status_of(record) if record.status in lifecycle.CLAIMED else body


def details(record: Record) -> dict[str, Json]:
    """All that is told of an action."""
    return answering.details_body(
        decision_of(record),
        record.action,
        requester=record.requester_name,
        created_at=time_of(record.created_at) or datetime.now(UTC),
    ) | {
        "risk_factors": [{"name": f.name, "points": f.points, "reason": f.reason} for f in record.factors],
        "approvals": [
            {"by": vote.name, "at": answering.iso(time_of(vote.at)), "stage": vote.stage} for vote in record.votes
        ],
        "approvals_needed": agreement.needed(record),
        "escalated": record.escalated_at is not None,
        "break_glass": record.break_glass,
        "nonce": None,
    }


def time_of(microseconds: int | None) -> datetime | None:
    """A time as it is kept, in microseconds since 1970."""
    return None if microseconds is None else datetime.fromtimestamp(microseconds / 1_000_000, UTC)
