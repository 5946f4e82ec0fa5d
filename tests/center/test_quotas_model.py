"""Limits over time against a count by hand: whatever is done in whatever order, a desk decides as all that ran says.

The count knows no ledger. It goes through every action and the whole trail for each submit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.desks import AGENT, CAROL, DAVE, OTHER_AGENT, Clock, Office
from tests.center.memory import MemoryStore
from tests.helpers import an_action

from clearance.center import refusals
from clearance.center.desk import Desk
from clearance.center.faults import DeskError, Invalid
from clearance.center.moves import SECOND
from clearance.center.policy import parse
from clearance.center.records import Record, Submission
from clearance.models import Status

POLICY = parse("""
rules:
- {name: cleared, match: {action_type: payment.refund}, then: allow}
- {name: asked, match: {action_type: payment.payout}, then: ask, decide_within: 30m, run_within: 10m}
limits:
- {name: calls, match: {action_type: "payment.*"}, calls: 9, within: 1h, then: deny}
- {name: sum, match: {tool_name: stripe}, sum: parameters.amount, at_most: 90, within: 40m, per: all, then: deny}
- {name: agent, match: {action_type: payment.refund}, calls: 2, within: 20m, per: agent, then: ask}
""")
LIMITS: dict[str, tuple[str, float, int, Callable[[Record], tuple[Any, ...]]]] = {
    "calls": ("calls", 3600, 9, lambda record: (record.requester,)),
    "sum": ("amount", 2400, 90, lambda _record: ()),
    "agent": ("calls", 1200, 2, lambda record: (record.requester, record.action.agent_id)),
}
"""What each counts, for how many seconds, how much there may be, and whose is counted together."""
AMOUNTS = (1, 5, 12, "7.5", 0.1, "0.0000005", 20, 0, 49)
RAN = {"claim", "lose"}


def is_about(name: str, record: Record) -> bool:
    return name != "agent" or record.action.action_type == "payment.refund"


def takes(name: str, record: Record) -> Fraction:
    """What it takes, with what an approver changed."""
    if LIMITS[name][0] == "calls":
        return Fraction(1)
    amount = {**record.action.parameters, **record.edits}["amount"]
    exact = Fraction(repr(amount) if isinstance(amount, float) else str(amount))
    return Fraction(math.ceil(exact * 10**6), 10**6)


class Machine:
    """A desk that programs are run on, and the count beside it."""

    def __init__(self, do: Callable[[Any], Any], desk: Desk, clock: Clock, dice: Random) -> None:
        self._do, self.desk, self.clock, self.dice = do, desk, clock, dice
        self.number = dice.randrange(2**40)
        self.ids: list[int] = []
        self.denied = self.asked = 0

    def step(self) -> None:
        """Do something."""
        seldom = [self.withdraw, self.revoke, self.wait, self.wait]
        with suppress(DeskError):
            self.dice.choice([self.submit] * 9 + [self.decide] * 6 + [self.claim] * 4 + seldom)()

    def submit(self) -> None:
        self.number += 1
        action = an_action(
            action_type=self.dice.choice(["payment.refund", "payment.payout"]),
            agent_id=self.dice.choice(["a", "b"]),
            parameters={"amount": self.dice.choice(AMOUNTS)},
            digest=f"call-{self.number}",
            decide_within=self.dice.choice([600.0, 86_400.0]),
            editable=("amount",),
        )
        who, claims = self.dice.choice([AGENT, AGENT, OTHER_AGENT]), self.dice.random() < 0.8
        nonce = "nonce" if claims and self.dice.random() < 0.5 else None
        history = self.history()
        record = self._do(lambda tx: self.desk.submit(tx, who, Submission(action, None, nonce, claims=claims)))
        self.ids.append(record.id)
        self.compare(record, history)

    def decide(self) -> None:
        edits = {"amount": self.dice.choice(AMOUNTS)} if self.dice.random() < 0.4 else {}
        approve, action, who = self.dice.random() < 0.8, self.some(), self.dice.choice([CAROL, DAVE])
        history = self.history()
        before = next(record for record, _ in history if record.id == action)
        try:
            self._do(lambda tx: self.desk.decide(tx, who, action, approve=approve, edits=edits if approve else {}))
        except Invalid as refusal:
            if "no room" in refusal.detail:
                self.check_refused_edit(before, edits, history)
            raise

    def claim(self) -> None:
        record = self._do(lambda tx: self.desk.read(tx, CAROL, self.some()))
        who = AGENT if record.requester == AGENT.id else OTHER_AGENT
        edited = "e" * 43 if record.edits else None
        self._do(lambda tx: self.desk.claim(tx, who, record.id, record.action.digest, "nonce", edited))

    def withdraw(self) -> None:
        record = self._do(lambda tx: self.desk.read(tx, CAROL, self.some()))
        who = AGENT if record.requester == AGENT.id else OTHER_AGENT
        self._do(lambda tx: self.desk.withdraw(tx, who, record.id, ""))

    def revoke(self) -> None:
        action = self.some()
        self._do(lambda tx: self.desk.revoke(tx, CAROL, action))

    def wait(self) -> None:
        self.clock.advance(self.dice.choice([1, 60, 300, 599, 1200, 2400, 3600]))
        if self.dice.random() < 0.5:
            self._do(self.desk.sweep)

    def some(self) -> int:
        """One of the newest actions."""
        if not self.ids:
            self.submit()
        return self.dice.choice(self.ids[-8:])

    # The count

    def history(self) -> list[tuple[Record, int | None]]:
        """Every action as it would stand if everybody looked now, and when it began to run, if it may have."""

        def look(tx: Any) -> list[tuple[Record, int | None]]:
            found = []
            for action in self.ids:
                record = self.desk.read(tx, CAROL, action)
                events = [json.loads(link.body) for link in tx.audit_of(action)]
                may_have = {"withdraw"} if record.approval_read and not record.claims else set[str]()
                began = [each["at"] for each in events if each["event"] in RAN | may_have]
                found.append((record, began[0] if began else None))
            raise Look(found)

        try:
            self._do(look)
        except Look as looked:
            return looked.found
        raise AssertionError

    def count(self, name: str, new: Record, history: list[tuple[Record, int | None]]) -> Fraction:
        """What is used of a limit, by all but this action."""
        _, within, _, whose = LIMITS[name]
        mine = [each for each in history if each[0].id != new.id and is_about(name, each[0])]
        return sum(
            (
                takes(name, record)
                for record, began in mine
                if whose(record) == whose(new)
                and (
                    record.status in (Status.PENDING, Status.APPROVED)
                    or (began is not None and began > self.clock.now - within * SECOND)
                )
            ),
            Fraction(0),
        )

    def compare(self, record: Record, history: list[tuple[Record, int | None]]) -> None:
        """Was it decided as the count says?"""
        about = [name for name in LIMITS if is_about(name, record)]
        used = {name: self.count(name, record, history) for name in about}
        over = [name for name in about if used[name] + takes(name, record) > LIMITS[name][2]]
        denying = [name for name in over if name != "agent"]
        assert [share.limit for share in record.shares if share.is_over] == over
        parts = {name: 1 if LIMITS[name][0] == "calls" else 10**6 for name in about}
        told = {share.limit: Fraction(share.used, parts[share.limit]) for share in record.shares}
        # Nobody looks at what is overdue as long as there is room without it.
        assert told == used if over else all(told[name] >= used[name] for name in about)
        if denying:
            assert (record.status, record.rule) == (Status.DENIED, denying[0])
            self.denied += 1
        elif over or record.action.action_type == "payment.payout":
            assert record.status is Status.PENDING
            self.asked += bool(over)
        else:
            assert record.status in (Status.APPROVED, Status.EXECUTING)

    def check_refused_edit(
        self, record: Record, edits: dict[str, Any], history: list[tuple[Record, int | None]]
    ) -> None:
        """Only what would have come over a sum is refused so."""
        amount = takes("sum", an_edited(record, edits))
        assert amount > takes("sum", record)
        assert self.count("sum", record, history) + amount > LIMITS["sum"][2]

    def check_windows(self) -> None:
        """Within no window more began to run than a limit that denies has room for, whenever it was asked."""
        began = [(at, record) for record, at in self.history() if at is not None]
        for name in ("calls", "sum"):
            _, within, most, whose = LIMITS[name]
            for start, first in began:
                inside = [each for at, each in began if start <= at < start + within * SECOND]
                assert sum(takes(name, each) for each in inside if whose(each) == whose(first)) <= most


class Look(Exception):
    """Carries what was found out of a transaction, which is undone."""

    def __init__(self, found: list[tuple[Record, int | None]]) -> None:
        self.found = found


def an_edited(record: Record, edits: dict[str, Any]) -> Record:
    return replace(record, edits=edits)


def in_memory(seed: int) -> Machine:
    store, clock = MemoryStore(), Clock()
    desk = Desk(POLICY, clock)
    return Machine(lambda work: refusals.told(store.do(refusals.keeping(work))), desk, clock, Random(seed))


@given(st.integers(0, 2**32))
def test_a_desk_decides_as_a_count_over_all_that_was_done_says(seed: int) -> None:
    machine = in_memory(seed)
    for _ in range(40):
        machine.step()
    machine.check_windows()


def test_programs_come_upon_limits_of_each_kind() -> None:
    machines = [in_memory(seed) for seed in range(12)]
    for machine in machines:
        for _ in range(60):
            machine.step()

    assert sum(machine.denied for machine in machines) > 20
    assert sum(machine.asked for machine in machines) > 5


@pytest.mark.parametrize("seed", range(3))
def test_both_databases_count_as_the_store_in_memory_does(seed: int, database_address: str) -> None:
    with closing(Office(database_address, POLICY)) as office:
        machine = Machine(office.do, office.desk, office.clock, Random(seed))
        for _ in range(120):
            machine.step()
        machine.check_windows()
        assert machine.denied
