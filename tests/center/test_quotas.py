"""Limits over time: what counts, for how long, and that nobody is ever counted past, on both databases."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import pytest
from tests.center.desks import AGENT, CAROL, DAVE, NONCE, OTHER_AGENT, Office
from tests.center.stores import by_hand, one_commit
from tests.center.test_clock import Machine
from tests.helpers import an_action

from clearance.center import quotas, trail
from clearance.center.faults import Invalid
from clearance.center.moves import SECOND
from clearance.center.policy import Asked, Policy, parse
from clearance.center.records import Principal, Record, Submission
from clearance.center.service import Center
from clearance.center.store.base import Tx, Use
from clearance.center.store.databases import is_url, open_store
from clearance.models import Status

ALLOW = "rules:\n- {name: payments, match: {action_type: 'payment.*'}, then: allow}\nlimits:\n"
ASK = ALLOW.replace("then: allow", "then: ask")
FIVE = "- {name: five, match: {action_type: payment.refund}, calls: 5, within: 24h, then: deny}\n"
HUNDRED = (
    "- {name: hundred, match: {action_type: payment.refund}, sum: parameters.amount, at_most: 100, within: 1h, "
    "then: deny}\n"
)
DAY = 24 * 3600

Opened = Callable[[str], Office]


@pytest.fixture
def opened(database_address: str) -> Iterator[Opened]:
    """A way to open an office with a policy, again and again on one database."""
    with ExitStack() as stack:
        yield lambda policy: stack.enter_context(closing(Office(database_address, parse(policy))))


numbers = itertools.count()


def refund(amount: Any = 1, **changes: Any) -> Any:
    """A refund that nobody asked for before."""
    return an_action(**{"parameters": {"amount": amount}, "digest": f"refund-{next(numbers)}", **changes})


def asked(office: Office, amount: Any = 1, *, who: Principal = AGENT, **changes: Any) -> Record:
    return office.submit(refund(amount, **changes), who=who, claims=True)


def ran(office: Office, amount: Any = 1, **changes: Any) -> Record:
    """A refund that ran, as far as it may."""
    return office.submit(refund(amount, **changes), nonce=NONCE)


def used(office: Office, who: str = AGENT.id, at: int | None = None) -> int:
    """What is used of the first limit."""
    limit = office.desk.policy.limits[0]
    after = (office.clock.now if at is None else at) - round(limit.within * SECOND)
    return office.do(lambda tx: tx.used(limit.kept_as, limit.subject(who, "billing-bot"), after))


# What a limit says


def test_so_many_calls_are_cleared_and_the_next_is_denied_and_says_why(opened: Opened) -> None:
    office = opened(ALLOW + FIVE)

    for _ in range(5):
        assert ran(office).status is Status.EXECUTING
    refused = ran(office)

    assert (refused.status, refused.rule) == (Status.DENIED, "five")
    assert refused.reason == "Limit 'five': 5 of 5 calls in 24h are used."


def test_a_sum_is_cleared_up_to_the_last_millionth_and_no_further(opened: Opened) -> None:
    office = opened(ALLOW + HUNDRED)

    assert ran(office, 60).status is Status.EXECUTING
    assert ran(office, "39.999999").status is Status.EXECUTING
    refused = ran(office, 0.000002)
    assert refused.status is Status.DENIED
    assert refused.reason == (
        "Limit 'hundred': 99.999999 of 100 of parameters.amount in 1h are used, and this call takes 0.000002."
    )
    assert ran(office, "0.0000009").status is Status.EXECUTING  # rounded up, and there is just room for that
    assert ran(office, "0.0000001").status is Status.DENIED
    assert ran(office, 0).status is Status.EXECUTING


@pytest.mark.parametrize("amount", [10**12, 10**40, "9" * 40, 1e308], ids=str)
def test_amounts_of_any_size_are_added_up(opened: Opened, amount: Any) -> None:
    office = opened(ASK + HUNDRED.replace("then: deny", "then: ask").replace("100", "1000000000000"))

    records = [asked(office, amount) for _ in range(20)]

    assert [record.rule for record in records[1:]] == ["payments"] * 19
    assert all("Limit 'hundred'" in record.asked_because for record in records[1:])
    assert used(office) >= 20 * 10**18


def test_a_limit_may_ask_instead_and_what_it_demands_is_demanded(opened: Opened) -> None:
    office = opened(ALLOW + FIVE.replace("then: deny", "then: ask, quorum: 2, reason: Many refunds., run_within: 90s"))
    for _ in range(5):
        ran(office)

    record = ran(office)

    assert (record.status, record.rule, record.stages[0].quorum) == (Status.PENDING, "five", 2)
    assert record.asked_because == "Limit 'five': 5 of 5 calls in 24h are used. Many refunds."
    assert office.approve(office.approve(record), DAVE).run_by == office.clock.now + 90 * SECOND
    assert used(office) == 6  # people let one more through, and it counts


def test_what_a_rule_denies_anyway_is_denied_by_that_rule(opened: Opened) -> None:
    policy = ALLOW.replace("limits:", "- {name: none, match: {parameters.amount: {gt: 50}}, then: deny}\nlimits:")
    office = opened(policy + FIVE)
    for _ in range(5):
        ran(office)

    assert ran(office, 51).rule == "none"
    assert ran(office, 50).rule == "five"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"parameters": {}}, "parameters.amount is not there"),
        ({"redacted": ("amount",)}, "parameters.amount is hidden from the Center"),
        ({"abridged": {"amount": (1, 9)}}, "parameters.amount is shown only in part"),
        ({"parameters": {"amount": "many"}}, "parameters.amount is no number from 0 on"),
        ({"parameters": {"amount": True}}, "parameters.amount is no number from 0 on"),
        ({"parameters": {"amount": -1}}, "parameters.amount is no number from 0 on"),
        ({"parameters": {"amount": "-0.01"}}, "parameters.amount is no number from 0 on"),
        ({"parameters": {"amount": float("nan")}}, "parameters.amount is no number from 0 on"),
        ({"parameters": {"amount": float("inf")}}, "parameters.amount is no number from 0 on"),
        ({"parameters": {"amount": [1]}}, "parameters.amount is no number from 0 on"),
        ({"parameters": {"amount": "1e3"}}, "parameters.amount is no number from 0 on"),
    ],
    ids=str,
)
def test_where_nobody_can_tell_how_much_it_takes_a_person_is_asked(
    office: Office, changes: dict[str, Any], why: str
) -> None:
    office.desk.policy = parse(ALLOW + HUNDRED)

    verdict = office.desk.policy.judge(Asked(refund(**changes)))

    assert (verdict.effect.value, verdict.rule, verdict.unclear) == ("ask", "hundred", ("hundred",))
    assert verdict.reason == f"Limit 'hundred' cannot be evaluated: {why}."
    assert office.desk.policy.unclear == {"hundred": 1}


def test_where_nobody_can_tell_whether_it_is_about_a_call_a_person_is_asked_and_it_counts(opened: Opened) -> None:
    office = opened(ALLOW + FIVE.replace("payment.refund", "payment.refund, parameters.kind: big"))

    record = asked(office)

    assert (record.status, record.rule) == (Status.PENDING, "five")
    assert record.asked_because == "Limit 'five' cannot be evaluated: parameters.kind is not there."
    assert used(office) == 1


# Whose calls are counted together


def test_a_key_is_counted_by_itself_however_its_holder_calls_itself(opened: Opened) -> None:
    office = opened(ALLOW + FIVE)
    for number in range(5):
        assert ran(office, agent_id=f"bot-{number}").status is Status.EXECUTING

    assert ran(office, agent_id="bot-6").status is Status.DENIED
    assert asked(office, who=OTHER_AGENT).status is Status.APPROVED
    assert asked(office, who=replace(AGENT, id="agent-3")).status is Status.APPROVED  # names need not differ


def test_an_agent_is_counted_by_its_name_under_its_key(opened: Opened) -> None:
    office = opened(ALLOW + FIVE.replace("within", "per: agent, within"))
    for _ in range(5):
        ran(office)

    assert ran(office).status is Status.DENIED
    assert ran(office, agent_id="another").status is Status.EXECUTING
    assert asked(office, who=OTHER_AGENT).status is Status.APPROVED


def test_everybody_can_be_counted_together(opened: Opened) -> None:
    office = opened(ALLOW + FIVE.replace("within", "per: all, within"))
    for who in (AGENT, OTHER_AGENT, AGENT, CAROL, AGENT):
        assert asked(office, who=who).status is Status.APPROVED

    assert asked(office, who=OTHER_AGENT).status is Status.DENIED


# What counts, and for how long


def test_a_call_counts_from_its_claim_for_as_long_as_the_limit_says(opened: Opened) -> None:
    office = opened(ALLOW + FIVE)
    for _ in range(5):
        ran(office)
        office.clock.advance(60)

    office.clock.advance(DAY - 5 * 60 - 0.000001)
    assert ran(office).status is Status.DENIED
    office.clock.advance(0.000001)
    assert ran(office).status is Status.EXECUTING
    assert ran(office).status is Status.DENIED
    office.clock.advance(60)
    assert ran(office).status is Status.EXECUTING


def test_what_waits_counts_however_long_and_then_from_its_claim(opened: Opened) -> None:
    """Or ten could run within minutes: five that waited for a day, and five that were just asked."""
    office = opened(ASK + FIVE)
    waiting = [asked(office, decide_within=30 * DAY) for _ in range(5)]
    office.clock.advance(2 * DAY)

    assert asked(office).status is Status.DENIED
    for record in waiting:
        office.claim(office.approve(record))
    office.clock.advance(DAY - 1)
    assert asked(office).status is Status.DENIED
    office.clock.advance(1)
    assert asked(office).status is Status.PENDING


def test_the_same_submit_again_counts_once(opened: Opened) -> None:
    office = opened(ALLOW + FIVE)
    action = refund()

    for _ in range(9):
        office.submit(action, key="the-key")

    assert used(office) == 1


def waited(office: Office, seconds: float, *_done_before: object) -> Office:
    office.clock.advance(seconds)
    return office


ENDS: dict[str, Callable[[Office, Record], object]] = {
    "denied": lambda office, record: office.deny(record),
    "expired": lambda office, record: waited(office, 61).read(record),
    "expired unseen": lambda office, _record: waited(office, 61),
    "withdrawn": lambda office, record: office.withdraw(record),
    "withdrawn when approved": lambda office, record: office.withdraw(office.approve(record)),
    "revoked": lambda office, record: office.revoke(office.approve(record)),
    "lapsed": lambda office, record: waited(office, 301, office.approve(record)).read(record),
    "lapsed unseen": lambda office, record: waited(office, 301, office.approve(record)),
    "outdated": lambda office, record: (office.approve(record), office.do(changed_policy(office)), office.outdate()),
    "stopped": lambda office, record: (office.approve(record), office.kill(DAVE), office.sweep()),
}


def changed_policy(office: Office) -> Callable[[Any], object]:
    policy = office.desk.policy
    assert isinstance(policy, Policy)
    other = Policy(policy.rules, version="another", limits=policy.limits)
    return lambda _tx: setattr(office.desk, "policy", other)


@pytest.mark.parametrize("end", ENDS)
def test_what_can_no_longer_run_and_never_did_gives_back_what_it_took(opened: Opened, end: str) -> None:
    office = opened(ASK + FIVE)
    records = [asked(office, decide_within=60, run_within=300) for _ in range(5)]
    assert asked(office).status is Status.DENIED

    ENDS[end](office, records[0])
    if end == "stopped":
        office.kill(DAVE, on=False)
    later = [asked(office) for _ in range(6)]

    room = 1 if end not in ("expired", "expired unseen", "lapsed", "lapsed unseen") else 5
    assert [record.status for record in later] == [Status.PENDING] * room + [Status.DENIED] * (6 - room)


def test_what_is_refused_at_once_takes_nothing(opened: Opened) -> None:
    office = opened(ASK + FIVE.replace("payment.refund", '"*"'))
    denied = asked(office)
    office.deny(denied)
    again = office.submit(denied.action)
    assert (again.status, again.reason_code) == (Status.DENIED, "denied_before")
    office.kill(DAVE)
    assert asked(office).status is Status.DENIED
    office.kill(DAVE, on=False)

    assert used(office) == 0


def test_what_is_found_overdue_by_a_submit_stands_before_it_in_the_trail_in_time_too(opened: Opened) -> None:
    office = opened(ASK + FIVE)
    for _ in range(5):
        asked(office)
    office.clock.advance(61)
    start = office.clock.now
    ticks = itertools.count(start)
    office.desk.now = lambda: next(ticks)

    assert asked(office).status is Status.PENDING

    told = [json.loads(link.body) for link in office.trail()]
    assert [entry["event"] for entry in told[-6:]] == ["expire"] * 5 + ["submit"]
    assert [entry["at"] for entry in told] == sorted(entry["at"] for entry in told)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.UNKNOWN])
def test_what_ran_counts_however_it_ended(opened: Opened, status: Status) -> None:
    office = opened(ALLOW + FIVE)
    for _ in range(5):
        office.report(ran(office), status)

    assert ran(office).status is Status.DENIED


def test_what_was_claimed_and_never_heard_of_again_counts_from_its_claim(opened: Opened) -> None:
    office = opened(ALLOW + FIVE)
    record = ran(office)
    office.clock.advance(3601)
    assert office.read(record).status is Status.UNKNOWN

    assert used(office, at=office.clock.now + (DAY - 3602) * SECOND) == 1
    assert used(office, at=office.clock.now + (DAY - 3601) * SECOND) == 0


ENDS_UNKNOWN: dict[str, Callable[[Office, Record], object]] = {
    "withdrawn": lambda office, record: office.withdraw(record),
    "revoked": lambda office, record: office.revoke(record),
    "lapsed": lambda office, record: waited(office, 301).read(record),
}


@pytest.mark.parametrize("end", ENDS_UNKNOWN)
def test_who_never_claims_and_had_read_the_approval_may_have_run_it_whatever_is_said_since(
    opened: Opened, end: str
) -> None:
    office = opened(ALLOW + FIVE)
    record = office.submit(refund(), claims=False)
    assert record.approval_read

    ENDS_UNKNOWN[end](office, record)

    assert used(office) == 1


# An approver changes the amount


def edited(office: Office, amount: Any, to: Any) -> Record:
    return office.approve(asked(office, amount, editable=("amount",)), amount=to)


def test_what_counts_is_the_amount_that_will_run(opened: Opened) -> None:
    office = opened(ASK + HUNDRED)

    record = edited(office, 60, 20)
    assert used(office) == 20 * SECOND
    office.claim(record, edited_digest="d" * 43)
    assert used(office) == 20 * SECOND
    assert edited(office, 10, 80).status is Status.APPROVED
    assert used(office) == 100 * SECOND
    assert asked(office, "0.01").status is Status.DENIED


def test_no_approver_raises_an_amount_past_a_limit(opened: Opened) -> None:
    office = opened(ASK + HUNDRED)
    asked(office, 60)
    record = asked(office, 30, editable=("amount",))

    with pytest.raises(Invalid, match=r"no room for the call. Limit 'hundred': 60 of 100 .* takes 40.000001"):
        office.approve(record, amount=40.000001)

    assert office.stored(record) == record
    assert used(office) == 90 * SECOND
    assert office.approve(record, amount=40).status is Status.APPROVED


def test_an_approver_who_is_asked_because_of_a_limit_may_also_raise_the_amount(opened: Opened) -> None:
    office = opened(ASK + HUNDRED.replace("then: deny", "then: ask"))
    assert edited(office, 150, 200).status is Status.APPROVED
    assert used(office) == 200 * SECOND


def test_a_change_that_brings_a_call_under_another_limit_is_held_against_that(opened: Opened) -> None:
    big = HUNDRED.replace("match: {", "match: {parameters.amount: {gt: 50}, ")
    office = opened(ASK + big)
    edited(office, 5, 80)
    assert used(office) == 80 * SECOND
    record = asked(office, 5, editable=("amount",))

    with pytest.raises(Invalid, match="no room"):
        office.approve(record, amount=60)

    assert office.approve(record, amount=40).shares == ()


# Restarts, and clocks


def test_what_was_used_is_used_over_a_restart_and_under_a_new_policy_that_counts_the_same(opened: Opened) -> None:
    office = opened(ALLOW + FIVE)
    for _ in range(5):
        ran(office)
    now = office.clock.now
    office.close()

    office = opened("# a new version\n" + ALLOW + FIVE)
    office.clock.now = now + 1

    assert ran(office).status is Status.DENIED
    office.desk.policy = parse(ALLOW + FIVE.replace("calls: 5", "calls: 6"))
    assert ran(office).status is Status.EXECUTING
    office.desk.policy = parse(ALLOW + FIVE.replace("name: five", "name: another"))
    assert ran(office).status is Status.EXECUTING


class Shop:
    """A Center on a machine whose clock can be set."""

    def __init__(self, database: str, machine: Machine) -> None:
        self.database, self.machine = database, machine
        self.center: Center
        self.start()

    def start(self) -> None:
        """Start the Center, as `Center.open` does: no earlier than what is known."""
        store = open_store(self.database)
        known = store.submit(lambda tx: max(trail.last_time(tx), tx.leaps().at)).result()
        self.center = Center(store, parse(ALLOW + FIVE), self.machine.clock(known))

    def restart(self) -> None:
        self.center.close()
        self.start()

    def timer(self) -> None:
        self.center.do(self.center.desk.sweep)

    def refund(self) -> Status:
        submission = Submission(refund(), None, NONCE, claims=True)
        return self.center.do(lambda tx: self.center.desk.submit(tx, AGENT, submission)).status


@pytest.fixture
def shop(database_address: str) -> Iterator[Shop]:
    shop = Shop(database_address, Machine())
    yield shop
    shop.center.close()


def used_up(shop: Shop) -> None:
    for _ in range(5):
        assert shop.refund() is Status.EXECUTING
    assert shop.refund() is Status.DENIED


def test_a_clock_that_is_set_back_frees_nothing_and_takes_nothing_away(shop: Shop) -> None:
    used_up(shop)
    shop.machine.live(12 * 3600 * SECOND)
    shop.machine.wall -= 48 * 3600 * SECOND
    assert shop.refund() is Status.DENIED
    shop.restart()
    assert shop.refund() is Status.DENIED

    shop.machine.live(12 * 3600 * SECOND)

    assert shop.refund() is Status.EXECUTING


def test_a_clock_that_is_set_forward_frees_nothing_also_after_a_restart(shop: Shop) -> None:
    used_up(shop)
    shop.machine.wall += 25 * 3600 * SECOND
    assert shop.refund() is Status.DENIED
    shop.timer()
    shop.restart()
    assert shop.refund() is Status.DENIED

    shop.machine.live(24 * 3600 * SECOND - 1)
    assert shop.refund() is Status.DENIED
    shop.machine.live(SECOND)
    assert shop.refund() is Status.EXECUTING


def test_a_clock_that_is_set_forward_and_back_again_costs_nobody_anything(shop: Shop) -> None:
    used_up(shop)
    shop.machine.wall += 25 * 3600 * SECOND
    shop.timer()
    shop.machine.wall -= 25 * 3600 * SECOND
    shop.restart()
    assert shop.refund() is Status.DENIED

    shop.machine.live(24 * 3600 * SECOND)

    assert shop.refund() is Status.EXECUTING


def test_that_it_was_set_forward_and_back_is_remembered_also_where_nothing_else_happened(shop: Shop) -> None:
    """Or all that was used would stay so for as long as the clock was ahead."""
    shop.machine.wall += 365 * 24 * 3600 * SECOND
    shop.timer()
    shop.machine.wall -= 365 * 24 * 3600 * SECOND
    shop.restart()
    used_up(shop)

    shop.machine.live(24 * 3600 * SECOND)

    assert shop.refund() is Status.EXECUTING


def test_the_time_in_which_no_center_ran_counts(shop: Shop) -> None:
    used_up(shop)
    shop.center.close()
    shop.machine.live(24 * 3600 * SECOND)
    shop.start()

    assert shop.refund() is Status.EXECUTING


def test_a_center_whose_clock_is_behind_dates_nothing_before_what_others_dated(postgres_url: str) -> None:
    """Or to another, whose clock is right, it would be long ago."""
    with ExitStack() as stack:
        right, behind = (stack.enter_context(closing(Office(postgres_url, parse(ALLOW + FIVE)))) for _ in range(2))
        behind.clock.now -= 48 * 3600 * SECOND
        ran(right, agent_id="a")
        for _ in range(4):
            assert ran(behind).status is Status.EXECUTING
        assert ran(right).status is Status.DENIED
        assert ran(behind).status is Status.DENIED


# The ledger stays small, and is found by its indexes


def test_what_no_limit_counts_any_more_is_forgotten_a_little_at_a_time(
    opened: Opened, database_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "FORGOTTEN_AT_ONCE", 3)
    office = opened(ALLOW + FIVE.replace("calls: 5", "calls: 500"))
    for _ in range(8):
        ran(office)
        office.clock.advance(1)
    asked(office, run_within=2 * DAY)
    with by_hand(database_address) as execute:

        def left() -> int:
            return int(execute("SELECT count(*) FROM quota_uses")[0][0])

        office.clock.advance(DAY - 9)
        office.sweep()
        assert left() == 9
        office.clock.advance(200)
        counts = []
        for _ in range(4):
            office.sweep()
            counts.append(left())
        assert counts == [6, 3, 1, 1]  # what can still run stays


def test_a_policy_without_limits_asks_nothing_of_the_ledger(opened: Opened) -> None:
    office = opened(ALLOW.replace("limits:\n", ""))
    touched: list[str] = []
    watched = {"used", "hold_use", "date_use", "free_use"}

    def spied(tx: Any) -> Record:
        for name in watched:
            setattr(tx, name, lambda *_args, name=name: touched.append(name))
        return office.desk.submit(tx, AGENT, Submission(refund(), None, NONCE, claims=True))

    assert office.do(spied).status is Status.EXECUTING
    assert touched == []


def test_the_trail_tells_what_each_call_takes_of_each_limit(opened: Opened) -> None:
    office = opened(ALLOW + FIVE + HUNDRED)
    ran(office, 60)
    ran(office, 7)

    told = [json.loads(link.body)["details"] for link in office.trail() if '"event":"submit"' in link.body]

    assert [each["limits"] for each in told] == [
        {"five": {"takes": 1, "used": 0}, "hundred": {"takes": 60_000_000, "used": 0}},
        {"five": {"takes": 1, "used": 1}, "hundred": {"takes": 7_000_000, "used": 60_000_000}},
    ]


# Sixteen at once


def submitted(offices: list[Office], amounts: list[int]) -> list[Record]:
    """All of these, from sixteen threads, at offices in turn."""
    turns = itertools.cycle(offices)
    jobs = [(office, amount) for office, amount in zip(turns, amounts, strict=False)]
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda job: ran(*job), jobs))


def centers(database_address: str, stack: ExitStack, policy: str) -> list[Office]:
    """Four users of one database; one file is served by one Center, beside which there can be visitors."""
    others = Use.SERVE if is_url(database_address) else Use.VISIT
    offices = (Office(database_address, parse(policy), use=use) for use in (Use.SERVE, others, others, others))
    return [stack.enter_context(closing(office)) for office in offices]


def test_sixteen_submitters_at_once_are_never_counted_past_a_number_of_calls(database_address: str) -> None:
    policy = ALLOW + FIVE.replace("calls: 5", "calls: 37")
    with ExitStack() as stack:
        offices = centers(database_address, stack, policy)
        first = submitted(offices, [1] * 200)
    with ExitStack() as stack:  # all of them are started again
        offices = centers(database_address, stack, policy)
        second = submitted(offices, [1] * 200)
        for office in offices:
            office.clock.advance(DAY)
        third = submitted(offices, [1] * 200)

    cleared = [sum(record.status is Status.EXECUTING for record in each) for each in (first, second, third)]
    assert cleared == [37, 0, 37]
    assert all(record.status in (Status.EXECUTING, Status.DENIED) for record in (*first, *second, *third))


def test_sixteen_submitters_at_once_never_come_over_a_sum(database_address: str) -> None:
    policy = ALLOW + HUNDRED.replace("100", "1000")
    amounts = [7 + number % 13 for number in range(400)]
    with ExitStack() as stack:
        found = submitted(centers(database_address, stack, policy), amounts)

    def sums(status: Status) -> list[int]:
        return [int(str(record.action.parameters["amount"])) for record in found if record.status is status]

    total = sum(sums(Status.EXECUTING))
    assert total <= 1_000 < total + min(sums(Status.DENIED))  # nobody was refused who had room at the end
    assert len(found) == 400


def test_in_one_commit_each_sees_what_those_before_it_took(opened: Opened) -> None:
    office = opened(ALLOW + FIVE)

    def submit(tx: Tx) -> Record:
        return office.desk.submit(tx, AGENT, Submission(refund(), None, NONCE, claims=True))

    with one_commit(office.store):
        futures = [office.store.submit(submit) for _ in range(20)]

    statuses = [future.result(30).status for future in futures]
    assert statuses == [Status.EXECUTING] * 5 + [Status.DENIED] * 15
