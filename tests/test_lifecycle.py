"""The life of an action: what the table allows, and that whatever it does not name is refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.lifecycle import CLAIMED, OPEN, OUTCOMES, REFUSED, TABLE, Event, IllegalTransition, after, diagram
from clearance.models import Status

# Written out once more, by hand, from the page that the table was drawn from.
ALLOWED = {
    (Status.PENDING, Event.VOTE): Status.PENDING,
    (Status.PENDING, Event.ESCALATE): Status.PENDING,
    (Status.PENDING, Event.APPROVE): Status.APPROVED,
    (Status.PENDING, Event.DENY): Status.DENIED,
    (Status.PENDING, Event.EXPIRE): Status.EXPIRED,
    (Status.PENDING, Event.WITHDRAW): Status.WITHDRAWN,
    (Status.APPROVED, Event.CLAIM): Status.EXECUTING,
    (Status.APPROVED, Event.WITHDRAW): Status.WITHDRAWN,
    (Status.APPROVED, Event.REVOKE): Status.REVOKED,
    (Status.APPROVED, Event.LAPSE): Status.LAPSED,
    (Status.APPROVED, Event.OUTDATE): Status.STALE,
    (Status.APPROVED, Event.LOSE): Status.UNKNOWN,
    (Status.EXECUTING, Event.COMPLETE): Status.COMPLETED,
    (Status.EXECUTING, Event.FAIL): Status.FAILED,
    (Status.EXECUTING, Event.LOSE): Status.UNKNOWN,
    (Status.UNKNOWN, Event.COMPLETE): Status.COMPLETED,
    (Status.UNKNOWN, Event.FAIL): Status.FAILED,
}
ENDED = REFUSED | {Status.COMPLETED, Status.FAILED}

walks = st.lists(st.sampled_from(Event), max_size=12)


def walked(events: list[Event]) -> list[Status]:
    """Every status on the way from pending; an event that cannot happen changes nothing."""
    way = [Status.PENDING]
    for event in events:
        try:
            way.append(after(way[-1], event))
        except IllegalTransition:
            way.append(way[-1])
    return way


@pytest.mark.parametrize(("status", "event"), [(status, event) for status in Status for event in Event])
def test_an_event_leads_where_the_table_says_or_cannot_happen(status: Status, event: Event) -> None:
    if (status, event) in ALLOWED:
        assert after(status, event) is ALLOWED[status, event]
        return
    with pytest.raises(IllegalTransition) as refused:
        after(status, event)
    assert (refused.value.status, refused.value.event) == (status, event)
    assert str(refused.value) == f"an action that is {status} cannot {event}"


def test_every_status_has_a_row() -> None:
    assert set(TABLE) == set(Status)


def test_every_status_is_open_refused_or_claimed_and_only_one_of_them() -> None:
    groups = [OPEN, REFUSED, CLAIMED]

    assert frozenset().union(*groups) == set(Status)
    assert sum(len(group) for group in groups) == len(Status)


@pytest.mark.parametrize("status", sorted(ENDED))
def test_what_has_ended_stays_ended(status: Status) -> None:
    assert TABLE[status] == {}


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE[Status.DENIED] = {Event.APPROVE: Status.APPROVED}  # type: ignore[index]
    with pytest.raises(TypeError):
        TABLE[Status.DENIED][Event.APPROVE] = Status.APPROVED  # type: ignore[index]


@pytest.mark.parametrize(("outcome", "event"), OUTCOMES.items())
def test_an_outcome_is_the_event_that_leads_to_it(outcome: Status, event: Event) -> None:
    assert after(Status.EXECUTING, event) is outcome


@given(walks)
def test_whatever_happens_nothing_executes_that_was_not_approved_just_before(events: list[Event]) -> None:
    way = walked(events)

    steps = list(itertools.pairwise(way))
    assert all(before is Status.APPROVED for before, now in steps if now is Status.EXECUTING and before is not now)
    assert all(before is Status.PENDING for before, now in steps if now is Status.APPROVED and before is not now)


@given(walks)
def test_whatever_happens_an_action_executes_at_most_once_and_is_never_open_again(events: list[Event]) -> None:
    way = [status for status, _ in itertools.groupby(walked(events))]

    assert len(way) == len(set(way))  # no status is ever come back to: not doubt, not approval, not execution
    closed = [status not in OPEN for status in way]
    assert closed == sorted(closed)


@given(walks)
def test_whatever_happens_doubt_ends_in_knowledge_or_stays_doubt(events: list[Event]) -> None:
    way = walked(events)
    afterwards = set(way[way.index(Status.UNKNOWN) :]) if Status.UNKNOWN in way else set()

    assert afterwards <= {Status.UNKNOWN, Status.COMPLETED, Status.FAILED}


def test_the_diagram_draws_every_row_of_the_table() -> None:
    lines = diagram().splitlines()

    assert lines[:2] == ["stateDiagram-v2", "    [*] --> pending: submit"]
    assert set(lines[2:]) == {f"    {status} --> {target}: {event}" for (status, event), target in ALLOWED.items()}
