"""Who must agree before an action is approved: in each stage so many different people, one stage after the other."""

from __future__ import annotations

from clearance.center.records import Principal, Record, Stage

ANYBODY = Stage()
"""What is asked for where the policy asks for nothing more: one approver, whoever it is."""


def stages_of(record: Record) -> tuple[Stage, ...]:
    """The stages of a request, at least one."""
    return record.stages or (ANYBODY,)


def stage_of(record: Record) -> int:
    """Which stage waits for approvals; the number of stages, once everybody has agreed who must."""
    stages = stages_of(record)
    for number, stage in enumerate(stages):
        if sum(vote.stage == number for vote in record.votes) < stage.quorum:
            return number
    return len(stages)


def is_reached(record: Record) -> bool:
    """Has everybody agreed who must?"""
    return stage_of(record) == len(stages_of(record))


def needed(record: Record) -> int:
    """How many people must agree, in all stages together."""
    return sum(stage.quorum for stage in stages_of(record))


def has_voted(record: Record, who: Principal) -> bool:
    """Has this key approved it already?"""
    return any(vote.voter == who.id for vote in record.votes)


def awaited(record: Record) -> tuple[str, ...]:
    """Whose approval the stage waits for, by name; empty if anybody's will do."""
    stage = stages_of(record)[stage_of(record)]
    if not stage.is_closed:
        return ()
    return (*stage.wanted(), *_joined(record))


def _joined(record: Record) -> tuple[str, ...]:
    """Who may approve, too, now that it has waited for half its time."""
    return record.escalate_to if record.escalated_at is not None else ()


def bar_to_approving(record: Record, who: Principal) -> str | None:
    """Why this principal's approval is not the one that a pending request waits for; None if it is."""
    if any(vote.voter == who.id or (who.owner is not None and vote.owner == who.owner) for vote in record.votes):
        return "You have approved this already; the approval that is missing must be somebody else's"
    stage = stages_of(record)[stage_of(record)]
    if who.goes_by(stage.excluded):
        return "The policy leaves this to others; your approval does not count here"
    if not stage.is_for(who, _joined(record)):
        return f"This waits for the approval of {' or '.join(awaited(record))}"
    return None


def bar_to_denying(record: Record, who: Principal) -> str | None:
    """Why this principal cannot refuse it; None for anybody whose approval it needs in any stage."""
    stages = stages_of(record)
    if any(stage.is_for(who, record.escalate_to) for stage in stages):
        return None
    named = {name for stage in stages for name in (*stage.wanted(), *record.escalate_to)}
    return f"This is for {' or '.join(sorted(named))} to decide" if named else "The policy leaves this to others"
