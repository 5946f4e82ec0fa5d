"""Break-glass at the desk: what it clears and what never, when it is over, and how loud it is."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.center.desks import AGENT, CAROL, DAVE, DROP, EVE, NONCE, OTHER_AGENT, READ, Office
from tests.helpers import an_action

from clearance import receipts
from clearance.center import breakglass, keys, signing
from clearance.center.emergencies import BreakGlass
from clearance.center.faults import Conflict, Forbidden, Invalid, NotFound
from clearance.center.moves import SECOND
from clearance.center.policy import parse
from clearance.center.records import Principal, Record, Role
from clearance.center.trail import verify
from clearance.lifecycle import Event
from clearance.models import Action, Status

MINUTE = 60.0
OTHER_CHIEF = replace(DAVE, id="chief-2")


def open_one(office: Office, who: Principal = DAVE, **said: Any) -> BreakGlass:
    """Open one for the refunds of the tests, or for something else."""
    said = {"agent": "billing-bot", "tool": "stripe", "reason": "the queue is stuck", **said}
    return office.do(lambda tx: breakglass.open_one(tx, who, office.clock(), **said))


def close(office: Office, glass: BreakGlass, who: Principal = CAROL, reason: str = "all is well") -> BreakGlass:
    return office.do(lambda tx: office.desk.close_glass(tx, who, glass.id, reason))


def kept(office: Office, glass: BreakGlass) -> BreakGlass:
    found = office.do(lambda tx: tx.break_glass(glass.id))
    assert found is not None
    return found


def still_open(office: Office) -> list[BreakGlass]:
    return [glass for glass in office.do(lambda tx: tx.open_break_glasses()) if glass.is_open(office.clock())]


def entries(office: Office, event: str) -> list[dict[str, Any]]:
    """The entries of the trail with that event."""
    return [entry for link in office.trail() if (entry := json.loads(link.body))["event"] == event]


# Who opens it, and how


@pytest.mark.parametrize("who", [AGENT, CAROL, EVE], ids=lambda who: who.role)
def test_only_a_super_admin_opens_it(office: Office, who: Principal) -> None:
    with pytest.raises(Forbidden, match="super_admin"):
        open_one(office, who)
    assert still_open(office) == []


@pytest.mark.parametrize(
    "said",
    [
        *({"reason": " "}, {"reason": "x" * 2_001}, {"agent": ""}, {"tool": " "}, {"agent": "*"}, {"tool": "str*"}),
        *({"agent": "a\u202eb"}, {"tool": "a\x00"}, {"agent": "x" * 201}, {"minutes": 0}, {"minutes": 61}),
        *({"minutes": -1}, {"key": "nobodys0"}),
    ],
    ids=ascii,
)
def test_what_cannot_be_meant_opens_nothing(office: Office, said: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        open_one(office, **said)
    assert still_open(office) == []
    assert office.trail() == []


def test_it_stands_in_the_trail_with_who_for_what_why_and_until_when(office: Office) -> None:
    glass = open_one(office, replace(DAVE, owner="dave@example.com"), minutes=5)

    (entry,) = entries(office, "break_glass.open")
    assert entry["actor"] == DAVE.id
    assert entry["details"] == {
        **{"break_glass": glass.id, "agent": "billing-bot", "tool": "stripe", "reason": "the queue is stuck"},
        **{"by": "dave", "owner": "dave@example.com", "ends_at": office.clock() + 5 * 60 * SECOND},
    }


def test_a_second_one_for_the_same_is_refused_until_the_first_is_over(office: Office) -> None:
    first = open_one(office)

    with pytest.raises(Conflict, match=f"Break-glass {first.id} is open"):
        open_one(office)
    other = open_one(office, tool="paypal")
    close(office, first)
    again = open_one(office)

    assert [glass.id for glass in still_open(office)] == [again.id, other.id]


def test_so_many_are_open_at_once_and_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakglass, "MOST_OPEN", 2)
    open_one(office, tool="one", minutes=1)
    open_one(office, tool="two")

    with pytest.raises(Conflict, match="2 are open"):
        open_one(office, tool="three")
    office.clock.advance(MINUTE)
    open_one(office, tool="three")


def test_it_ends_no_later_than_the_key_that_opened_it(office: Office) -> None:
    made = office.do(lambda tx: keys.create(tx, Role.SUPER_ADMIN, "dave", office.clock(), "local", lifetime=90.0))[1]

    glass = open_one(office, made.principal())

    assert glass.ends_at == made.expires_at


def test_it_falls_with_the_key_that_opened_it(office: Office) -> None:
    made = office.do(lambda tx: keys.create(tx, Role.SUPER_ADMIN, "dave", office.clock(), "local"))[1]
    glass, other = open_one(office, made.principal()), open_one(office, tool="paypal")

    office.do(lambda tx: keys.revoke(tx, made.id, office.clock(), "local"))

    assert [each.id for each in still_open(office)] == [other.id]
    assert kept(office, glass).closed_by == "local"
    assert office.submit().status is Status.PENDING


# What it clears


def test_what_the_policy_asks_people_about_is_cleared_at_once_and_can_be_claimed(office: Office) -> None:
    glass = open_one(office)

    record = office.submit()

    assert (record.status, record.break_glass) == (Status.APPROVED, glass.id)
    assert (record.reason, record.reason_code) == ("Break-glass: the queue is stuck", "break_glass")
    assert (record.decided_by, record.decider) == ("break-glass:dave", f"break-glass:{DAVE.id}")
    assert record.channel == "break-glass"
    assert office.stored(record) == record
    assert office.claim(record).status is Status.EXECUTING


def test_a_client_that_sends_its_nonce_has_it_claimed_in_the_same_step(office: Office) -> None:
    open_one(office)

    assert office.submit(nonce=NONCE).status is Status.EXECUTING


OTHERS: dict[str, dict[str, Any]] = {
    "another agent": {"agent_id": "other-bot"},
    "another tool": {"tool_name": "paypal"},
    "an agent by another case": {"agent_id": "Billing-Bot"},
    "a tool by another case": {"tool_name": "Stripe"},
    "a longer name": {"agent_id": "billing-bot-2"},
    "a name with a space": {"agent_id": "billing-bot "},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_what_is_of_another_agent_or_tool_waits_for_people(office: Office, changes: dict[str, Any]) -> None:
    open_one(office)

    assert office.submit(an_action(**changes)).status is Status.PENDING


def test_what_a_rule_denies_stays_denied_and_what_it_allows_is_cleared_by_it(office: Office) -> None:
    glass = open_one(office)

    denied, allowed = office.submit(DROP), office.submit(READ)

    assert (denied.status, denied.reason_code) == (Status.DENIED, "policy")
    assert (allowed.status, allowed.reason_code) == (Status.APPROVED, "policy")
    assert office.do(lambda tx: tx.uses_of_break_glass(glass.id)).cleared == 0


def test_it_also_clears_what_several_people_would_have_had_to_agree_on(tmp_path: Path) -> None:
    policy = parse("rules:\n  - {name: two, match: {tool_name: stripe}, then: ask, quorum: 2, reason: money}\n", "yaml")
    with closing(Office(tmp_path / "two.db", policy)) as office:
        open_one(office)

        assert office.submit().reason_code == "break_glass"


@pytest.mark.parametrize(
    ("then", "status"), [("deny", Status.PENDING), ("ask", Status.APPROVED), ("allow", Status.APPROVED)]
)
def test_where_a_rule_cannot_be_evaluated_it_clears_only_if_that_rule_would_not_deny(
    tmp_path: Path, then: str, status: Status
) -> None:
    text = f"rules:\n  - {{name: odd, match: {{parameters: {{missing: {{gt: 5}}}}}}, then: {then}, reason: too much}}\n"
    with closing(Office(tmp_path / "odd.db", parse(text, "yaml"))) as office:
        open_one(office)

        assert office.submit().status is status


def test_a_kill_switch_stops_it_before_and_after(office: Office) -> None:
    open_one(office)
    before = office.submit()
    office.clock.advance(1)
    office.kill(tool="stripe")

    with pytest.raises(Conflict, match="revoked by kill-switch"):
        office.claim(before)
    assert office.submit().reason_code == "kill_switch"


def test_what_a_person_has_just_refused_stays_refused(office: Office) -> None:
    refused = office.deny(office.submit())
    glass = open_one(office)

    again = office.submit(refused.action)

    assert (again.status, again.reason_code) == (Status.DENIED, "denied_before")
    office.clock.advance(60)
    assert office.submit(refused.action).break_glass == glass.id


def test_what_waits_already_keeps_waiting_for_people(office: Office) -> None:
    record = office.submit()
    open_one(office)

    assert office.read(record).status is Status.PENDING
    assert office.approve(record).reason_code == "approver"


@pytest.mark.parametrize(
    ("author", "asks"),
    [
        (DAVE, DAVE),
        (replace(DAVE, owner="dave"), replace(AGENT, owner="dave")),
    ],
    ids=["the same key", "another key of the same owner"],
)
def test_nobody_clears_what_they_ask_for_themselves(office: Office, author: Principal, asks: Principal) -> None:
    glass = open_one(office, author)

    assert office.submit(who=asks).status is Status.PENDING
    assert office.submit(who=OTHER_AGENT).break_glass == glass.id


def test_one_for_a_key_is_for_no_other_key_that_asks_under_the_name(office: Office) -> None:
    made = office.do(lambda tx: keys.create(tx, Role.USER, "bot", office.clock(), "local"))[1]
    glass = open_one(office, key=made.id)

    assert office.submit(who=AGENT).status is Status.PENDING
    assert office.submit(who=made.principal()).break_glass == glass.id


def test_none_is_opened_for_a_key_of_ones_own(office: Office) -> None:
    made = office.do(lambda tx: keys.create(tx, Role.USER, "bot", office.clock(), "local", owner="dave"))[1]

    with pytest.raises(Forbidden, match="Nobody clears"):
        open_one(office, replace(DAVE, owner="dave"), key=made.id)


# When it is over


def test_it_ends_by_itself_and_what_it_cleared_ends_with_it(office: Office) -> None:
    glass = open_one(office, minutes=1)
    office.clock.advance(MINUTE - 2)
    late = office.submit()
    assert (late.status, late.run_by) == (Status.APPROVED, glass.ends_at)
    office.clock.advance(1.5)
    assert office.submit().status is Status.PENDING, "too short to be claimed in time"
    office.clock.advance(0.5)

    assert office.submit().status is Status.PENDING
    with pytest.raises(Conflict, match="lapsed"):
        office.claim(late)


def test_an_approval_by_it_is_good_for_no_longer_than_any_other(office: Office) -> None:
    open_one(office)

    record = office.submit()

    assert record.run_by == office.clock() + round(record.action.run_within * SECOND)


@pytest.mark.parametrize("who", [CAROL, DAVE], ids=lambda who: who.role)
def test_an_admin_or_above_closes_it_and_what_nobody_claimed_is_void(office: Office, who: Principal) -> None:
    glass = open_one(office)
    claimed, unclaimed = office.claim(office.submit()), office.submit()
    office.clock.advance(1)

    close(office, glass, who)

    assert office.stored(unclaimed).status is Status.REVOKED
    assert office.stored(unclaimed).reason_code == "break_glass_closed"
    assert office.stored(unclaimed).decided_by == f"break-glass:{who.name}"
    with pytest.raises(Conflict, match="revoked"):
        office.claim(unclaimed)
    assert office.submit().status is Status.PENDING
    assert office.report(claimed, Status.COMPLETED).status is Status.COMPLETED
    assert verify(office).problem is None


def test_what_closing_has_not_come_to_cannot_be_claimed_either(office: Office) -> None:
    glass = open_one(office)
    record = office.submit()
    office.clock.advance(1)

    office.do(lambda tx: breakglass.close(tx, CAROL, office.clock(), glass.id))

    assert office.stored(record).status is Status.APPROVED
    with pytest.raises(Conflict, match="revoked"):
        office.claim(record)


def test_a_client_that_never_claims_and_had_read_its_approval_may_have_run(office: Office) -> None:
    glass = open_one(office)
    record = office.submit(claims=False)
    office.clock.advance(1)

    close(office, glass)

    assert office.stored(record).status is Status.UNKNOWN


@pytest.mark.parametrize("who", [AGENT, EVE], ids=lambda who: who.role)
def test_nobody_below_an_admin_closes_it(office: Office, who: Principal) -> None:
    glass = open_one(office)

    with pytest.raises(Forbidden, match="closes a break-glass"):
        close(office, glass, who)
    assert still_open(office) == [glass]


def test_what_is_over_or_never_was_cannot_be_closed(office: Office) -> None:
    glass, short = open_one(office), open_one(office, tool="paypal", minutes=1)
    close(office, glass)
    office.clock.advance(MINUTE)

    with pytest.raises(Conflict, match="over already: closed by carol"):
        close(office, glass)
    with pytest.raises(Conflict, match="over already: its time was up"):
        close(office, short)
    with pytest.raises(NotFound):
        close(office, replace(glass, id=99))


def test_the_timer_writes_its_end_down_once_with_how_much_it_cleared(office: Office) -> None:
    glass = open_one(office, minutes=1)
    office.submit()
    office.clock.advance(MINUTE + 5)

    office.sweep()
    office.sweep()

    (entry,) = entries(office, "break_glass.ended")
    assert (entry["actor"], entry["details"]["cleared"]) == ("clock", 1)
    assert kept(office, glass).closed_at == glass.ends_at


def test_a_policy_that_is_changed_takes_back_what_it_cleared_and_denies_at_once(office: Office) -> None:
    open_one(office)
    record = office.submit()

    office.change_policy()

    assert office.claim(record).status is Status.STALE
    assert office.submit(DROP).status is Status.DENIED


# How loud it is


def test_each_use_names_it_its_author_and_its_reason_in_the_trail_and_in_what_is_signed(
    office: Office, tmp_path: Path
) -> None:
    glass, key = open_one(office), signing.SigningKey(tmp_path / "key.pem")
    record = office.submit()

    (entry,) = entries(office, "approve")
    assert entry["details"]["break_glass"] == glass.id
    assert entry["details"]["reason"] == "Break-glass: the queue is stuck"
    assert (entry["details"]["decided_by"], entry["actor"]) == ("break-glass:dave", f"break-glass:{DAVE.id}")
    signed = key.sign(office.do(lambda tx: signing.draft(tx, record, key.public())))
    receipt = receipts.verify(signed, key.public())
    assert (receipt["break_glass"], receipt["reason_code"]) == (glass.id, "break_glass")
    without = json.loads(signed)
    del without["break_glass"]
    with pytest.raises(receipts.BadReceipt):
        receipts.verify(json.dumps(without, sort_keys=True, separators=(",", ":")).encode(), key.public())


def test_the_log_warns_of_its_opening_each_use_and_its_end(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    glass = open_one(office, reason="stuck\nroot: all is well \x1b[2J")
    record = office.submit()
    close(office, glass)

    said = [found.getMessage() for found in caplog.records if found.levelno == logging.WARNING]
    assert [text.partition(" for ")[0] for text in said[:1]] == ["Break-glass 1 opened by dave"]
    assert said[1] == f"Break-glass 1 of dave cleared action {record.id}: agent billing-bot with tool stripe"
    assert said[2] == (
        "Break-glass 1 is over, closed by carol (agent billing-bot with tool stripe, 1 cleared): all is well"
    )
    assert all(text.isprintable() for text in said), "nobody writes a line of their own into the log"


def test_the_log_says_nothing_of_what_was_not_kept(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    def failing(tx: Any) -> None:
        breakglass.open_one(tx, DAVE, office.clock(), agent="a", tool="t", reason="r")
        raise LookupError

    with pytest.raises(LookupError):
        office.do(failing)

    assert still_open(office) == []
    assert caplog.records == []


def test_open_pages_are_told_of_its_opening_and_its_end(office: Office) -> None:
    told: list[Any] = []
    office.store.on_change = told.append

    glass = open_one(office)
    close(office, glass)

    assert told == [{0}, {0}]


# What the trail must tell


def forged(office: Office, **changes: Any) -> str | None:
    """What is wrong with a trail in which somebody let an action through by a break-glass that did not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breakglass, "clearing", lambda *_: None)
        record = office.submit(an_action(**changes.pop("action", {})))
    number, changes = changes.pop("number", 1), {"latest": office.clock() + SECOND, **changes}
    office.do(
        lambda tx: office.desk._decided(
            tx, record, Event.APPROVE, "break-glass:x", "x", "", "break_glass", "x", break_glass=number, **changes
        )
    )
    return verify(office).problem


def test_an_approval_by_one_that_was_open_for_it_is_in_order(office: Office) -> None:
    open_one(office)

    assert forged(office) is None


@pytest.mark.parametrize(
    "changes",
    [{"number": 9}, {"action": {"agent_id": "other-bot"}}, {"action": {"tool_name": "paypal"}}, {"latest": 2**60}],
    ids=str,
)
def test_an_approval_by_one_that_was_not_open_for_it_is_found(office: Office, changes: dict[str, Any]) -> None:
    open_one(office, OTHER_CHIEF, minutes=1)

    problem = forged(office, **changes)

    assert problem is not None
    assert "tells of a break-glass what cannot have been" in problem


def test_an_approval_by_one_that_was_over_is_found(office: Office) -> None:
    close(office, open_one(office))

    assert "what cannot have been" in str(forged(office))


def test_an_approval_by_the_requesters_own_is_found(office: Office) -> None:
    open_one(office, replace(DAVE, id=AGENT.id))

    assert "what cannot have been" in str(forged(office))


# A law over whatever happens


@contextmanager
def an_office() -> Iterator[Office]:
    with tempfile.TemporaryDirectory() as directory, closing(Office(Path(directory) / "c.db")) as office:
        yield office


AGENTS, TOOLS = st.sampled_from(["billing-bot", "other-bot"]), st.sampled_from(["stripe", "paypal"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), AGENTS, TOOLS, st.sampled_from([1, 15])),
        st.tuples(st.just("close"), st.integers(0, 3)),
        st.tuples(st.just("submit"), AGENTS, TOOLS, st.sampled_from([AGENT, DAVE]), st.booleans()),
        st.tuples(st.just("claim"), st.integers(0, 5)),
        st.tuples(st.just("advance"), st.sampled_from([0.5, 1.0, 29.0, 60.0, 600.0])),
        st.tuples(st.just("kill"), st.booleans()),
        st.tuples(st.just("sweep")),
    ),
    max_size=25,
)


class Law:
    """A plain account of what is open and stopped, held against each thing that the desk does."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.open: dict[int, tuple[str, str, int]] = {}
        self.approved: list[Record] = []
        self.is_stopped = False

    def now_open(self) -> dict[int, tuple[str, str, int]]:
        return {number: one for number, one in self.open.items() if self.office.clock() < one[2]}

    def do_open(self, agent: str, tool: str, minutes: int) -> None:
        if any(one[:2] == (agent, tool) for one in self.now_open().values()):
            with pytest.raises(Conflict):
                open_one(self.office, agent=agent, tool=tool, minutes=minutes)
            return
        glass = open_one(self.office, agent=agent, tool=tool, minutes=minutes)
        self.open[glass.id] = (agent, tool, self.office.clock() + minutes * 60 * SECOND)

    def do_close(self, which: int) -> None:
        found = sorted(self.now_open())
        if found:
            number = found[which % len(found)]
            self.office.do(lambda tx: self.office.desk.close_glass(tx, CAROL, number))
            del self.open[number]

    def do_submit(self, agent: str, tool: str, who: Principal, is_denied: bool) -> None:
        of = f"digest-{next(self.office._numbers)}"
        base: Action = DROP if is_denied else an_action()
        record = self.office.submit(replace(base, agent_id=agent, tool_name=tool, digest=of), who=who)
        left = [end - self.office.clock() for *scope, end in self.now_open().values() if scope == [agent, tool]]
        may = any(each > SECOND for each in left) and not is_denied and not self.is_stopped and who is not DAVE
        assert (record.reason_code == "break_glass") is may
        assert (record.status is Status.APPROVED) is may
        if may:
            assert record.break_glass is not None
            assert self.open[record.break_glass][:2] == (agent, tool)
            self.approved.append(record)

    def do_claim(self, which: int) -> None:
        if not self.approved:
            return
        record = self.approved.pop(which % len(self.approved))
        try:
            self.office.claim(record)
        except Conflict:
            return
        assert record.break_glass in self.now_open(), "claimed after it was over"
        assert not self.is_stopped

    def do_advance(self, seconds: float) -> None:
        self.office.clock.advance(seconds)

    def do_kill(self, on: bool) -> None:
        if on != self.is_stopped:
            self.office.kill(on=on)
            self.is_stopped = on

    def do_sweep(self) -> None:
        self.office.sweep()
        assert {glass.id for glass in still_open(self.office)} == set(self.now_open())


@settings(max_examples=60)
@given(STEPS)
def test_it_clears_what_it_is_for_while_it_is_open_and_nothing_else_ever(steps: list[tuple[Any, ...]]) -> None:
    with an_office() as office:
        law = Law(office)
        for name, *said in steps:
            office.clock.advance(0.000_001)
            getattr(law, f"do_{name}")(*said)
        assert verify(office).problem is None


# Several Centers


def test_what_one_center_opens_and_closes_the_next_submit_at_another_knows(postgres_url: str) -> None:
    with closing(Office(postgres_url)) as here, closing(Office(postgres_url)) as there:
        glass = open_one(here)
        cleared = there.submit(an_action(digest="first"))
        assert cleared.break_glass == glass.id

        here.clock.advance(1)
        there.clock.advance(1)
        close(here, glass)

        assert there.submit(an_action(digest="second")).status is Status.PENDING
        with pytest.raises(Conflict, match="revoked"):
            there.claim(cleared)


def test_an_end_that_several_centers_find_is_written_down_once(postgres_url: str) -> None:
    with closing(Office(postgres_url)) as here, closing(Office(postgres_url)) as there:
        open_one(here, minutes=1)
        for office in (here, there):
            office.clock.advance(MINUTE)
        sweeps = [office.store.submit(office.desk.sweep) for office in (here, there, here, there)]
        assert [sweep.result(30) for sweep in sweeps]

        assert len(entries(there, "break_glass.ended")) == 1
