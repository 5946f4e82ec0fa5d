"""Whatever happens in whatever order: a standing approval answers only what it is for, and never once too often."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.center.desks import AGENT, CAROL, DAVE, OTHER_AGENT, Clock
from tests.center.memory import MemoryStore
from tests.center.policies import saying
from tests.center.standing import ADA, ADAS_BOT, PEOPLE, refund

from clearance.center import trail
from clearance.center.desk import MAX_PENDING, REMEMBER_DENIALS, Desk
from clearance.center.faults import Conflict, Forbidden
from clearance.center.moves import SECOND
from clearance.center.records import KeyRecord, Principal, Record, Submission
from clearance.center.store.base import Tx
from clearance.models import Action, Status

ASKS = saying("match: {action_type: payment.*}, then: ask")
DENIES = saying("match: {action_type: payment.*}, then: deny")
ASKERS = (AGENT, OTHER_AGENT, ADAS_BOT)
MAKERS = (CAROL, DAVE, ADA)
AMOUNTS = (1, 2)
NOTES = ("late", "lost")


def a_call(amount: int, note: str, tool: str) -> Action:
    """A refund like others; its digest covers all of it."""
    return Action(
        **{
            **{name: getattr(refund(), name) for name in ("agent_id", "action_type", "description", "decide_within")},
            "tool_name": tool,
            "parameters": {"amount": amount, "note": note},
            "digest": f"{amount} {note} {tool}",
            "run_within": 300.0,
        }
    )


CALLS = tuple(a_call(amount, note, tool) for amount in AMOUNTS for note in NOTES for tool in ("stripe", "paypal"))


@dataclass
class Model:
    """What is known of a standing approval, told in the plainest way."""

    asker: Principal
    seen: Action
    is_exact: bool
    uses: int
    ends_at: int
    used: int = 0
    revoked: bool = False

    def is_for(self, asker: Principal, call: Action) -> bool:
        """Is this call one that it was made for?"""
        same = call.digest == self.seen.digest
        same_but_for_the_note = (call.tool_name, call.parameters["amount"]) == (
            self.seen.tool_name,
            self.seen.parameters["amount"],
        )
        return self.asker == asker and (same if self.is_exact else same_but_for_the_note)


class Standing(RuleBasedStateMachine):
    """One desk, and beside it what it must come to."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.store = Clock(), MemoryStore()
        self.desk = Desk(ASKS, self.clock, MAX_PENDING, REMEMBER_DENIALS)
        self.models: dict[int, Model] = {}
        self.asked: list[tuple[Record, Principal]] = []
        self.denied: dict[tuple[str, str], int] = {}
        self.stopped: set[str] = set()
        self.cleared: dict[int, int] = {}

        def hire(tx: Tx) -> None:
            for who in PEOPLE:
                tx.add_key(KeyRecord(who.id, who.role, who.name, "", 0, owner=who.owner))

        self.store.do(hire)

    def now_of(self, record: Record) -> Record:
        """How it stands."""
        return self.store.do(lambda tx: self.desk.read(tx, CAROL, record.id))

    def expected(self, asker: Principal, call: Action) -> list[int]:
        """Those that may answer, the one that ends first at the beginning."""
        live = [
            (model.ends_at, number)
            for number, model in self.models.items()
            if not model.revoked and model.used < model.uses and self.clock.now < model.ends_at
            if model.is_for(asker, call)
        ]
        return [number for _, number in sorted(live)]

    @precondition(lambda self: self.models)
    @rule(data=st.data(), note=st.sampled_from(NOTES))
    def ask_again(self, data: st.DataObject, note: str) -> None:
        """Ask what was allowed, or what differs from it only in the note."""
        model = self.models[data.draw(st.sampled_from(sorted(self.models)))]
        amount = model.seen.parameters["amount"]
        assert isinstance(amount, int)
        self.ask(model.asker, a_call(amount, note, model.seen.tool_name))

    @precondition(lambda self: self.models)
    @rule(data=st.data(), call=st.sampled_from(CALLS))
    def ask_like_it(self, data: st.DataObject, call: Action) -> None:
        """The same requester asks for any call."""
        self.ask(self.models[data.draw(st.sampled_from(sorted(self.models)))].asker, call)

    @rule(asker=st.sampled_from(ASKERS), call=st.sampled_from(CALLS))
    def ask(self, asker: Principal, call: Action) -> None:
        """Ask, and get exactly what the model says."""
        record = self.store.do(lambda tx: self.desk.submit(tx, asker, Submission(call, None, None, claims=True)))
        self.asked.append((record, asker))
        denied_at = self.denied.get((asker.id, call.digest))
        is_remembered = denied_at is not None and self.clock.now < denied_at + REMEMBER_DENIALS * SECOND
        if call.tool_name in self.stopped or self.desk.policy is DENIES or is_remembered:
            assert record.status is Status.DENIED
        elif found := self.expected(asker, call):
            assert record.status is Status.APPROVED
            assert record.decider == f"standing:{found[0]}"
            self.models[found[0]].used += 1
            self.cleared[found[0]] = self.cleared.get(found[0], 0) + 1
        else:
            assert record.status is Status.PENDING

    @precondition(lambda self: self.asked)
    @rule(
        data=st.data(),
        maker=st.sampled_from(MAKERS),
        uses=st.integers(1, 3),
        minutes=st.sampled_from([1, 60, 600]),
        is_exact=st.booleans(),
    )
    def allow(self, data: st.DataObject, maker: Principal, uses: int, minutes: int, is_exact: bool) -> None:
        """Allow again what somebody asked."""
        record, asker = data.draw(st.sampled_from(self.asked))
        status = self.now_of(record).status
        free = [] if is_exact else ["note"]
        hours = minutes / 60

        def make(tx: Tx) -> int:
            made = self.desk.make_standing(tx, maker, record.id, reason="as before", uses=uses, hours=hours, free=free)
            return made.id

        if maker is ADA and asker is ADAS_BOT:
            with pytest.raises(Forbidden):
                self.store.do(make)
        elif status in (Status.DENIED, Status.REVOKED) or record.action.tool_name in self.stopped:
            with pytest.raises(Conflict):
                self.store.do(make)
        else:
            ends_at = self.clock.now + minutes * 60 * SECOND
            self.models[self.store.do(make)] = Model(asker, record.action, is_exact, uses, ends_at)

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        """End one; whatever it approved, and nobody claimed, is void."""
        number = data.draw(st.sampled_from(sorted(self.models)))
        self.store.do(lambda tx: self.desk.revoke_standing(tx, DAVE, number, reason="enough"))
        self.models[number].revoked = True
        for record, _ in self.asked:
            if record.decider == f"standing:{number}":
                assert self.now_of(record).status is not Status.APPROVED

    @precondition(lambda self: any(record.status is Status.PENDING for record, _ in self.asked))
    @rule(data=st.data())
    def deny(self, data: st.DataObject) -> None:
        """A person refuses a request that waits, and so all that are like it."""
        record, asker = data.draw(st.sampled_from([each for each in self.asked if each[0].status is Status.PENDING]))
        if self.now_of(record).status is Status.PENDING:
            self.store.do(lambda tx: self.desk.decide(tx, CAROL, record.id, approve=False))
            self.denied[asker.id, record.action.digest] = self.clock.now

    @rule(seconds=st.sampled_from([1, 59, 60, 300]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @rule(policy=st.sampled_from([ASKS, DENIES]))
    def change_policy(self, policy: object) -> None:
        """Another policy is in force."""
        self.desk.policy = ASKS if policy is ASKS else DENIES

    @rule(tool=st.sampled_from(["stripe", "paypal"]))
    def turn_switch(self, tool: str) -> None:
        """Stop a tool, or let it go on."""
        is_on = tool not in self.stopped
        self.store.do(lambda tx: self.desk.turn_switch(tx, DAVE, on=is_on, tool=tool, reason="a drill"))
        self.stopped ^= {tool}

    @invariant()
    def none_answered_once_too_often(self) -> None:
        """What is kept is what happened."""
        for number, model in self.models.items():
            kept = self.store.tx.standing_approval(number)
            assert kept is not None
            assert kept.used == model.used == self.cleared.get(number, 0) <= model.uses
            assert (kept.revoked_at is not None) is model.revoked

    def teardown(self) -> None:
        """The trail tells all of it."""
        assert trail.verify(self.store).problem is None


def test_no_order_of_events_makes_one_answer_what_it_is_not_for_or_once_too_often() -> None:
    run_state_machine_as_test(Standing, settings=settings(stateful_step_count=60))
