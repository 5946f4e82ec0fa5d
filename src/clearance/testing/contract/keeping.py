"""What is kept comes back as it was, by everything that it can be looked for by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from clearance.center import audit
from clearance.center.records import (
    Entry,
    Factor,
    InForce,
    KeptPolicy,
    KeyRecord,
    KillSwitch,
    Principal,
    Record,
    Role,
    Session,
    Stage,
    Vote,
    call_of,
)
from clearance.center.store.base import Standing, Store, Tx
from clearance.models import Action, Outcome, Status
from clearance.testing.contract.declared import case
from clearance.testing.contract.units import REQUESTER, StoreCases, a_record, adding, do
from clearance.testing.strategies import actions
from clearance.witness import TILE, Tree, leaf

AGENT = Principal(REQUESTER, "billing-bot", Role.USER)


def a_full_record() -> Record:
    """With a value of its own in every field that has a default."""
    return a_record(
        "key",
        status=Status.EXECUTING,
        claims=True,
        approval_read=True,
        risk_score=55,
        risk_level="medium",
        factors=(Factor("amount", 20, "5,000 is much"),),
        rule="large-refunds",
        decider="admin-1",
        decided_by="carol",
        decided_at=5,
        reason="fine \u2013 \u6771\u4eac",
        reason_code="approver",
        channel="inbox",
        run_by=50,
        nonce="nonce",
        claimed_at=6,
        run_until=60,
        outcome=Outcome(Status.COMPLETED, None, 1.5, ("half", "done")),
        edits={"amount": 3},
        edited_digest="edited",
        requester_owner="ann",
        stages=(Stage(2, ("carol",), ("admin",), ("eve",)),),
        votes=(Vote(0, "admin-1", "carol", 5, "ann"),),
        escalate_to=("dave",),
        escalated_at=4,
        asked_because="it is large",
        message_for_model="ask a person",
        run_within=30.0,
        may_change=("amount",),
        new_call="0" * 32,
        nist_control="AC-3",
        mitre_tactic="TA0010",
    )


class ActionCases(StoreCases):
    """Actions."""

    @case()
    def test_every_field_of_an_action_comes_back_as_it_was(self, store: Store) -> None:
        """Also those that few actions have."""
        added = do(store, lambda tx: tx.add_action(a_full_record()))

        assert added == replace(a_full_record(), id=1, version=1)
        assert do(store, lambda tx: tx.action(1)) == added
        saved = do(store, lambda tx: tx.save_action(replace(added, nonce=None, outcome=None)))
        assert do(store, lambda tx: tx.action(1)) == saved == replace(added, nonce=None, outcome=None, version=2)

    @case()
    def test_whatever_is_asked_for_comes_back_as_it_was(self, store: Store) -> None:
        """Hypothesis looks for the action that does not."""

        @settings(
            max_examples=settings().max_examples // 2 + 1,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )
        @given(actions())
        def look(action: Action) -> None:
            record = do(store, adding(action=action))
            assert do(store, lambda tx: tx.action(record.id)) == record
            assert record.action == action

        look()

    @case(number=[2**31, 10**18 - 1])
    def test_a_number_beyond_32_bits_is_a_number_like_others(self, store: Store, number: int) -> None:
        """Of an action that is not there, and as a time."""
        record = do(store, adding())
        do(store, lambda tx: tx.save_action(replace(record, decide_by=number, escalated_at=1)))

        assert do(store, lambda tx: tx.action(number)) is None
        assert do(store, lambda tx: tx.next_deadline()) == number
        assert do(store, lambda tx: list(tx.audit_of(number))) == []

    @case()
    def test_actions_are_listed_from_either_end_and_from_behind_one(self, store: Store) -> None:
        """In part, by status and by requester."""
        for key in "abcde":
            do(store, adding(key, requester="agent-2" if key == "c" else REQUESTER))
        do(store, lambda tx: tx.save_action(replace(_found(tx, 2), status=Status.DENIED)))

        def listed(**how: Any) -> str:
            return "".join(record.key or "" for record in do(store, lambda tx: tx.actions(**how)))

        assert listed() == "edcba"
        assert listed(oldest_first=True, after=2) == "cde"
        assert listed(oldest_first=True, after=2, limit=2) == "cd"
        assert listed(after=3) == "ed"
        assert listed(limit=2, offset=1) == "dc"
        assert listed(requester="nobody", statuses=[Status.PENDING]) == ""
        assert listed(requester="agent-2") == "c"
        assert listed(statuses=[Status.DENIED, Status.EXPIRED]) == "b"
        assert listed(statuses=[Status.PENDING], requester=REQUESTER) == "eda"
        assert listed(statuses=[]) == ""

    @case()
    def test_an_action_is_found_by_its_requester_and_key(self, store: Store) -> None:
        """By both."""
        for requester in ("agent-1", "agent-2"):
            do(store, adding("key", requester=requester))

        def found(requester: str, key: str) -> int | None:
            record = do(store, lambda tx: tx.action_by_key(requester, key))
            return None if record is None else record.id

        assert [found("agent-1", "key"), found("agent-2", "key")] == [1, 2]
        assert found("agent-3", "key") is found("agent-1", "other") is found("agent-1", "") is None

    @case()
    def test_waits_are_told_how_those_stand_that_there_are(self, store: Store) -> None:
        """And when something will happen to them by itself."""
        do(store, adding(created_at=0, decide_by=100))
        do(store, adding(status=Status.COMPLETED))

        found = do(store, lambda tx: tx.standings([1, 2, 3]))

        assert sorted(found, key=lambda each: each.id) == [
            Standing(1, REQUESTER, Status.PENDING, 50),
            Standing(2, REQUESTER, Status.COMPLETED, 0),
        ]
        assert do(store, lambda tx: tx.standings([])) == []

    @case()
    def test_what_is_overdue_is_found_the_earliest_first(self, store: Store) -> None:
        """By the time that counts for its status: to be escalated, decided, claimed or finished."""
        times: list[dict[str, Any]] = [
            {"created_at": 0, "decide_by": 80},  # to be escalated at 40
            {"created_at": 0, "decide_by": 20, "escalated_at": 10},
            {"status": Status.APPROVED, "run_by": 30},
            {"status": Status.EXECUTING, "run_until": 10},
            {"status": Status.DENIED, "run_by": 1, "run_until": 1},
            {"status": Status.APPROVED, "run_by": 50},
        ]
        for each in times:
            do(store, adding(**each))

        def overdue(now: int, **how: Any) -> list[int]:
            return [record.id for record in do(store, lambda tx: tx.overdue(now, **how))]

        assert overdue(9) == []
        assert overdue(10) == [4]
        assert overdue(40) == [4, 2, 3, 1]
        assert overdue(100, limit=2) == [4, 2]
        assert do(store, lambda tx: tx.next_deadline()) == 10

    @case()
    def test_where_nothing_waits_there_is_no_deadline(self, store: Store) -> None:
        """Nor where all has ended."""
        assert do(store, lambda tx: tx.next_deadline()) is None
        do(store, adding(status=Status.DENIED))
        assert do(store, lambda tx: tx.next_deadline()) is None

    @case()
    def test_requests_that_wait_are_counted_for_each_requester(self, store: Store) -> None:
        """Those alone that wait."""
        for requester, status in (("a", "pending"), ("a", "pending"), ("a", "approved"), ("b", "pending")):
            do(store, adding(requester=requester, status=Status(status)))

        assert [do(store, lambda tx, who=who: tx.pending_of(who)) for who in "abc"] == [2, 1, 0]  # type: ignore[misc]

    @case()
    def test_the_newest_refusal_by_a_person_is_found_for_a_call(self, store: Store) -> None:
        """Not one by a rule, nor of another caller."""
        denied = {"status": Status.DENIED, "reason_code": "approver"}
        for changes in (denied, denied, {**denied, "reason_code": "policy"}, {**denied, "requester": "agent-2"}):
            do(store, adding(**changes))
        do(store, adding())

        def last(requester: str, digest: str) -> int | None:
            record = do(store, lambda tx: tx.last_denied(requester, digest))
            return None if record is None else record.id

        assert (last(REQUESTER, "the-digest"), last("agent-2", "the-digest")) == (2, 4)
        assert last(REQUESTER, "other") is last("agent-3", "the-digest") is None

    @case()
    def test_a_call_is_familiar_once_its_requester_was_cleared_for_it(self, store: Store) -> None:
        """Not when it was refused, taken back, or may not have run."""
        call = call_of(a_record().action)
        for status in Status:
            do(store, adding(requester=status.value, status=status, new_call=call))

        def is_familiar(requester: str, of: str) -> bool:
            return do(store, lambda tx: tx.was_cleared(requester, of))

        familiar = {status for status in Status if is_familiar(status.value, call)}
        assert familiar == {Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.FAILED}
        assert not is_familiar("agent-2", call)
        assert not is_familiar("completed", "other")

    @case()
    def test_actions_come_with_their_entries_as_of_one_moment(self, store: Store) -> None:
        """In order, from behind one; and no entry is about what is not there."""

        def three(tx: Tx) -> None:
            for _ in range(3):
                record = tx.add_action(a_record())
                for event in ("submit", "deny"):
                    tx.append(Entry(1, event, REQUESTER, record.id))

        do(store, three)

        lives = do(store, lambda tx: tx.lives(after=1, limit=5))
        assert [(life.action_id, life.status, [link.seq for link in life.entries]) for life in lives] == [
            (2, Status.PENDING, [3, 4]),
            (3, Status.PENDING, [5, 6]),
        ]
        assert len(do(store, lambda tx: tx.lives(after=0, limit=2))) == 2
        assert do(store, lambda tx: tx.stray_entry()) is None


class TrailCases(StoreCases):
    """The audit trail."""

    @case()
    def test_the_trail_is_read_from_behind_an_entry_up_to_a_limit_and_may_be_left_midway(self, store: Store) -> None:
        """All of it, and what is about one action."""

        def append(tx: Tx) -> list[int]:
            return [tx.append(Entry(number, "submit", REQUESTER, number % 2)) for number in range(1, 8)]

        assert do(store, append) == [1, 2, 3, 4, 5, 6, 7]

        assert [link.seq for link in do(store, lambda tx: list(tx.audit(after=3, limit=2)))] == [4, 5]
        assert [link.seq for link in do(store, lambda tx: list(tx.audit_of(1)))] == [1, 3, 5, 7]
        assert do(store, lambda tx: next(tx.audit()).seq) == 1
        assert do(store, lambda tx: audit.verify(tx.audit())).entries == 7

    @case(entries=[0, 1, TILE - 1, TILE, TILE + 1, 2 * TILE + 3])
    def test_the_head_and_the_nodes_are_those_of_the_tree_over_all_entries(self, store: Store, entries: int) -> None:
        """A node is kept as soon as the entries under it are complete."""
        for first in range(0, entries, 100):
            numbers = range(first, min(first + 100, entries))
            do(store, lambda tx, numbers=numbers: [tx.append(Entry(each, "x", "y")) for each in numbers])  # type: ignore[misc]
        tree = Tree()
        for link in do(store, lambda tx: list(tx.audit())):
            tree.add(leaf(link.body.encode()))

        assert store.head == tree.head
        assert do(store, lambda tx: tx.audit_node_count()) == entries // TILE
        nodes = do(store, lambda tx: tx.audit_nodes(1, 0, 9))
        assert len(nodes) == len(set(nodes)) == entries // TILE
        assert do(store, lambda tx: tx.audit_nodes(1, 1, 9)) == nodes[1:]

    @case()
    def test_a_unit_that_fails_does_not_move_the_head(self, store: Store) -> None:
        """Nor does one that only reads."""
        do(store, lambda tx: tx.append(Entry(1, "kept", "y")))
        head = store.head

        def failing(tx: Tx) -> None:
            tx.append(Entry(2, "lost", "y"))
            raise LookupError

        with pytest.raises(LookupError):
            do(store, failing)
        do(store, lambda tx: list(tx.audit()))

        assert store.head == head
        do(store, lambda tx: tx.append(Entry(2, "kept", "y")))
        report = do(store, lambda tx: audit.verify(tx.audit()))
        assert (report.entries, report.problem) == (2, None)


class OtherCases(StoreCases):
    """Keys, switches, policies, sessions."""

    @case()
    def test_keys_are_kept_changed_and_listed_oldest_first(self, store: Store) -> None:
        """With everything that is known of them."""
        first = KeyRecord("k1", Role.ADMIN, "first", "digest-1", 10, None, 500, "ann", 20)
        second = KeyRecord("k2", Role.USER, "second", "digest-2", 5)
        for key in (first, second):
            do(store, partial(_call, "add_key", key))

        assert do(store, lambda tx: tx.keys()) == [second, first]
        assert do(store, lambda tx: (tx.key("k1"), tx.key("k3"))) == (first, None)
        revoked = replace(first, revoked_at=30)
        do(store, lambda tx: tx.save_key(revoked))
        assert do(store, lambda tx: tx.key("k1")) == revoked

    @case()
    def test_there_is_one_kill_switch_for_each_agent_and_tool(self, store: Store) -> None:
        """The newest first; one that is off is kept until it is dropped."""
        everything = KillSwitch("", "", True, "smoke", 1, "admin-2", "dave")
        one = KillSwitch("bot", "stripe", True, "fire", 2, "admin-2", "dave")
        for switch in (everything, one):
            do(store, partial(_call, "put_switch", switch))
        assert do(store, lambda tx: tx.switches()) == [one, everything]

        off = replace(everything, is_on=False, reason="over", activated_at=3)
        do(store, lambda tx: tx.put_switch(off))
        assert do(store, lambda tx: tx.switches()) == [off, one]
        do(store, lambda tx: tx.drop_switch(one))
        assert do(store, lambda tx: tx.switches()) == [off]

    @case()
    def test_policies_are_kept_with_when_they_came_in_force(self, store: Store) -> None:
        """Newest first; one may come in force again."""
        assert do(store, lambda tx: tx.policy_in_force()) is None
        texts = [KeptPolicy(version, "yaml", f"rules: {version}") for version in "ab"]
        for policy in texts:
            do(store, partial(_call, "keep_policy", policy))

        def come(version: str, at: int) -> InForce:
            def work(tx: Tx) -> InForce:
                entry = tx.append(Entry(at, "policy", "dave"))
                tx.put_in_force(change := InForce(entry, version, at, "admin-2", "dave"))
                return change

            return do(store, work)

        first, second, third = come("a", 1), come("b", 2), come("a", 3)

        assert do(store, lambda tx: (tx.policy("b"), tx.policy("c"))) == (texts[1], None)
        assert do(store, lambda tx: tx.policy_in_force()) == third
        assert do(store, lambda tx: list(tx.policies_in_force())) == [third, second, first]
        assert do(store, lambda tx: list(tx.policies_in_force(limit=2))) == [third, second]
        assert do(store, lambda tx: list(tx.policies_in_force(up_to=second.entry))) == [second, first]

    @case()
    def test_a_sign_in_link_works_once_and_in_time_and_a_session_until_its_end(self, store: Store) -> None:
        """Not at that moment any more."""
        do(store, lambda tx: tx.add_sign_in("one", AGENT, 100))
        do(store, lambda tx: tx.add_sign_in("late", AGENT, 100))
        assert do(store, lambda tx: tx.take_sign_in("one", 99)) == AGENT
        assert do(store, lambda tx: tx.take_sign_in("one", 99)) is None
        assert do(store, lambda tx: tx.take_sign_in("late", 100)) is None
        session = Session("id", AGENT, "form", 100)
        do(store, lambda tx: tx.add_session(session))
        assert do(store, lambda tx: tx.session("id", 99)) == session
        assert do(store, lambda tx: tx.session("id", 100)) is None
        do(store, lambda tx: tx.end_session("id"))
        assert do(store, lambda tx: tx.session("id", 99)) is None

    @case()
    def test_every_session_and_link_of_one_principal_ends_and_no_other(self, store: Store) -> None:
        """As when a key is revoked."""
        other = replace(AGENT, id="agent-2")
        for who in (AGENT, other):
            do(store, partial(_call, "add_session", Session(f"session of {who.id}", who, "form", 100)))
            do(store, partial(_call, "add_sign_in", f"link of {who.id}", who, 100))
        do(store, lambda tx: tx.end_sessions_of(AGENT.id))

        assert do(store, lambda tx: tx.session(f"session of {AGENT.id}", 1)) is None
        assert do(store, lambda tx: tx.take_sign_in(f"link of {AGENT.id}", 1)) is None
        assert do(store, lambda tx: tx.session(f"session of {other.id}", 1)) is not None
        assert do(store, lambda tx: tx.take_sign_in(f"link of {other.id}", 1)) == other

    @case()
    def test_what_is_past_its_time_is_forgotten_and_nothing_else(self, store: Store) -> None:
        """For good: an earlier moment does not bring it back."""
        for name, until in (("old", 50), ("new", 51)):
            do(store, partial(_call, "add_session", Session(name, AGENT, "form", until)))
            do(store, partial(_call, "add_sign_in", name, AGENT, until))
        do(store, lambda tx: tx.forget_expired(50))

        assert [do(store, lambda tx, it=name: tx.session(it, 1)) is None for name in ("old", "new")] == [True, False]  # type: ignore[misc]
        links: list[Callable[[Tx], Any]] = [partial(_call, "take_sign_in", name, 1) for name in ("old", "new")]
        assert [do(store, link) is None for link in links] == [True, False]


def _call(name: str, *arguments: Any) -> Any:
    """Call this method of the transaction, which comes last."""
    *given_, tx = arguments
    return getattr(tx, name)(*given_)


def _found(tx: Tx, action_id: int) -> Record:
    record = tx.action(action_id)
    assert record is not None
    return record
