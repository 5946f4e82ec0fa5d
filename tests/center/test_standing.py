"""Standing approvals: whom they answer, for which calls, how often, and what is stronger than they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import AGENT, CAROL, DAVE, EVE, NONCE, OTHER_AGENT, Office
from tests.center.policies import a_rule, saying, together
from tests.center.standing import ADA, ADAS_BOT, REFUND, allow, end, hire, kept, refund
from tests.helpers import an_action

from clearance.center import keys
from clearance.center.approvals import LONGEST_REASON
from clearance.center.desk import DENIED_BEFORE, REMEMBER_DENIALS
from clearance.center.faults import Conflict, DeskError, Forbidden, Invalid, NotFound
from clearance.center.policy import Effect, Policy, built_in, parse
from clearance.center.records import Principal, Record, Role, Stage
from clearance.center.refusals import REFUSED
from clearance.center.standing.desk import HOURS, MOST_LIVE, MOST_USES, USES
from clearance.center.standing.scope import MOST_VARYING
from clearance.models import CodeIdentity, Status


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office whose people have keys."""
    office = Office(tmp_path / "center.db")
    hire(office)
    yield office
    office.close()


def entries(office: Office, event: str) -> list[dict[str, Any]]:
    """The entries of one event."""
    found = [json.loads(link.body) for link in office.trail()]
    return [entry for entry in found if entry["event"] == event]


# What it answers


def test_the_same_call_again_is_approved_in_the_place_of_whoever_allowed_it(office: Office) -> None:
    seen = office.submit(REFUND)
    approval = allow(office, seen, reason="the weekly refund")

    again = office.submit(REFUND)

    assert again.status is Status.APPROVED
    assert (again.decided_by, again.decider) == ("standing:1 by carol", "standing:1")
    assert (again.reason_code, again.channel) == ("standing_approval", "standing")
    assert again.reason == f"Use 1 of {USES}: the weekly refund"
    assert office.stored(seen).status is Status.PENDING  # the one that was seen is still to be decided
    assert kept(office, approval).used == 1
    assert office.claim(again).status is Status.EXECUTING


def test_a_client_that_claims_with_its_submit_gets_its_leave_at_once(office: Office) -> None:
    allow(office, office.submit(REFUND))

    assert office.submit(REFUND, nonce=NONCE).status is Status.EXECUTING


def test_each_use_is_an_entry_of_the_trail_that_says_which_and_whose(office: Office) -> None:
    allow(office, office.submit(REFUND))
    for _ in range(2):
        office.submit(REFUND)

    uses = [(entry["actor"], entry["details"]["standing"]) for entry in entries(office, "approve")]

    assert uses == [
        ("standing:1", {"id": 1, "maker": CAROL.id, "by": "carol", "use": number, "of": USES}) for number in (1, 2)
    ]


def test_it_answers_as_often_as_was_said_and_then_a_person_is_asked_again(office: Office) -> None:
    approval = allow(office, office.submit(REFUND), uses=3)

    found = [office.submit(REFUND).status for _ in range(5)]

    assert found == [Status.APPROVED] * 3 + [Status.PENDING] * 2
    assert kept(office, approval).standing(office.clock.now) == "used_up"


def test_it_ends_with_its_time(office: Office) -> None:
    approval = allow(office, office.submit(REFUND), hours=2)
    assert kept(office, approval).ends_at == office.clock.now + 2 * 3600 * 1_000_000

    office.clock.advance(2 * 3600 - 0.001)
    assert office.submit(REFUND).status is Status.APPROVED
    office.clock.advance(0.001)

    assert office.submit(REFUND).status is Status.PENDING
    assert kept(office, approval).standing(office.clock.now) == "expired"


def test_without_a_word_it_is_for_a_day_and_ten_uses(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))

    assert (approval.uses, approval.ends_at - approval.made_at) == (10, 24 * 3600 * 1_000_000)
    assert (USES, HOURS) == (10, 24)


def test_the_same_submit_again_uses_nothing_more(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    first = office.submit(REFUND, key="k")

    assert office.submit(REFUND, key="k").id == first.id
    assert kept(office, approval).used == 1


def test_a_use_stays_spent_whatever_becomes_of_the_call(office: Office) -> None:
    approval = allow(office, office.submit(REFUND), uses=2)
    office.withdraw(office.submit(REFUND))
    lapsed = office.submit(REFUND)
    office.clock.advance(REFUND.run_within)

    assert office.read(lapsed).status is Status.LAPSED
    assert kept(office, approval).used == 2
    assert office.submit(REFUND).status is Status.PENDING


def test_of_two_the_one_that_ends_first_is_used_first(office: Office) -> None:
    seen = office.submit(REFUND)
    long, short = allow(office, seen, uses=1, hours=20), allow(office, seen, uses=1, hours=1)

    found = [office.submit(REFUND) for _ in range(3)]

    assert [record.decider for record in found] == [short.title, long.title, None]


# What it does not answer

OTHERS = {
    "another key": (REFUND, OTHER_AGENT),
    "another agent": (replace(REFUND, agent_id="other-bot"), AGENT),
    "another action type": (replace(REFUND, action_type="payment.refunds"), AGENT),
    "another tool": (replace(REFUND, tool_name="paypal"), AGENT),
    "another resource": (replace(REFUND, resource="ledger"), AGENT),
    "another context": (replace(REFUND, context={"environment": "staging"}), AGENT),
    "another digest": (replace(REFUND, digest="refund-2"), AGENT),
    "no digest": (replace(REFUND, digest=""), AGENT),
    "another value under the same digest": (refund("refund-1", amount=5.0), AGENT),
    "one parameter more": (refund("refund-1", force=True), AGENT),
    "one parameter less": (replace(REFUND, parameters={"charge_id": "ch_1", "amount": 5}), AGENT),
    "a higher risk": (replace(REFUND, risk_indicators={"unusual": True, "urgent": True}), AGENT),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_call_or_another_asker_is_for_a_person(office: Office, what: str) -> None:
    approval = allow(office, office.submit(REFUND))
    action, who = OTHERS[what]

    assert office.submit(action, who=who).status is Status.PENDING
    assert kept(office, approval).used == 0
    assert office.submit(REFUND).status is Status.APPROVED


def test_the_higher_risk_of_the_table_is_one() -> None:
    risk = built_in().risk
    action, _ = OTHERS["a higher risk"]
    assert (risk.assess(REFUND).level, risk.assess(action).level) == ("medium", "high")


def test_a_call_of_other_code_is_another_where_parameters_may_differ(office: Office) -> None:
    here = replace(REFUND, code=CodeIdentity("shop.refunds", "refund", "function"))
    allow(office, office.submit(here), free=["note"])

    assert office.submit(replace(here, digest="2")).status is Status.APPROVED
    there = replace(here, code=CodeIdentity("shop.other", "refund", "function"))
    assert office.submit(there).status is Status.PENDING


# What is stronger


def test_a_rule_that_denies_is_stronger(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    office.desk.policy = Policy((a_rule("risk-ask", Effect.DENY),), version="denies")

    assert office.submit(REFUND).status is Status.DENIED
    assert kept(office, approval).used == 0


def test_a_kill_switch_is_stronger(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    office.kill(tool="stripe")

    assert office.submit(REFUND).status is Status.DENIED
    assert kept(office, approval).used == 0


def test_what_a_person_refused_a_moment_ago_is_refused_again(office: Office) -> None:
    allow(office, office.submit(REFUND), uses=1)
    cleared = office.submit(REFUND)
    office.deny(office.submit(REFUND), DAVE)
    more = allow(office, cleared)

    again = office.submit(REFUND)

    assert (again.status, again.reason_code) == (Status.DENIED, DENIED_BEFORE)
    assert kept(office, more).used == 0
    office.clock.advance(REMEMBER_DENIALS)
    assert office.submit(REFUND).decider == more.title


def test_another_rule_that_asks_is_for_a_person_and_so_is_a_new_policy_whose_rule_has_another_name(
    office: Office,
) -> None:
    office.desk.policy = saying("match: {action_type: payment.*}, then: ask")
    approval = allow(office, office.submit(REFUND))
    assert approval.rule == "r0"
    office.desk.policy = saying(
        "match: {action_type: order.*}, then: ask", "match: {action_type: payment.*}, then: ask"
    )

    assert office.submit(REFUND).rule == "r1"
    assert kept(office, approval).used == 0


def test_it_outlives_a_policy_whose_rule_still_asks(office: Office) -> None:
    allow(office, office.submit(REFUND))
    office.change_policy()

    assert office.submit(REFUND).status is Status.APPROVED


def test_what_a_rule_cannot_tell_is_for_a_person(office: Office) -> None:
    office.desk.policy = saying(
        "match: {parameters: {limit: {gt: 3}}}, then: allow", "match: {risk: {ge: 0}}, then: ask"
    )
    seen = office.submit(REFUND)
    assert seen.rule == "r1"
    approval = allow(office, seen)

    assert office.submit(REFUND).status is Status.PENDING
    assert kept(office, approval).used == 0


@pytest.mark.parametrize("rules", ["rules: []", "rules:\n- {name: refunds, match: {action_type: '*'}, then: ask}"])
def test_one_call_too_many_for_a_limit_is_for_a_person(office: Office, rules: str) -> None:
    limit = "{name: few, match: {action_type: '*'}, calls: 3, within: 1h, then: ask}"
    office.desk.policy = parse(f"{rules}\nlimits:\n- {limit}")
    approval = allow(office, office.submit(REFUND))

    assert [office.submit(REFUND).status for _ in range(3)] == [Status.APPROVED, Status.APPROVED, Status.PENDING]
    assert kept(office, approval).used == 2


def test_where_several_must_agree_none_of_them_is_stood_in_for(office: Office) -> None:
    office.desk.policy = together(Stage(1))
    approval = allow(office, office.submit(REFUND))
    office.desk.policy = together(Stage(2))

    assert office.submit(REFUND).status is Status.PENDING
    office.desk.policy = together(Stage(1), Stage(1, ("dave",)))
    assert office.submit(REFUND).status is Status.PENDING
    assert kept(office, approval).used == 0
    office.desk.policy = together(Stage(1))
    assert office.submit(REFUND).status is Status.APPROVED


# Whose it is


@pytest.mark.parametrize(
    ("stage", "counts"),
    [
        (Stage(1, ("carol",)), True),
        (Stage(1, ("dave",)), False),
        (Stage(1, roles=("admin",)), True),
        (Stage(1, roles=("super_admin",)), False),
        (Stage(1, excluded=("carol",)), False),
        (Stage(1, ("dave",), excluded=("carol",)), False),
    ],
)
def test_it_counts_only_where_its_maker_could_decide_that_very_request(
    office: Office, stage: Stage, counts: bool
) -> None:
    office.desk.policy = together(Stage(1))
    allow(office, office.submit(REFUND))

    office.desk.policy = together(stage)

    assert (office.submit(REFUND).status is Status.APPROVED) is counts
    if not counts:
        with pytest.raises(Forbidden, match="leaves this to others"):
            allow(office, office.submit(refund()))


def test_who_is_only_asked_after_half_of_the_time_allows_nothing_in_advance(office: Office) -> None:
    office.desk.policy = together(Stage(1, ("dave",)), escalate_to=("carol",))

    with pytest.raises(Forbidden, match="leaves this to others"):
        allow(office, office.submit(REFUND))


def test_it_ends_with_the_key_of_its_maker(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    office.do(lambda tx: keys.revoke(tx, CAROL.id, office.clock.now, DAVE.id))

    assert office.submit(REFUND).status is Status.PENDING
    assert kept(office, approval).used == 0


def test_it_counts_for_nothing_once_its_maker_may_not_decide_any_more(office: Office) -> None:
    allow(office, office.submit(REFUND))

    def lower(tx: Any) -> None:
        tx.save_key(replace(tx.key(CAROL.id), role=Role.AUDITOR))

    office.do(lower)

    assert office.submit(REFUND).status is Status.PENDING


def refused(office: Office, record: Record, who: Principal, kind: type[DeskError], said: str, **how: Any) -> None:
    """To allow that again is refused, and nothing is kept."""
    with pytest.raises(kind, match=said):
        allow(office, record, who, **how)
    assert office.do(lambda tx: tx.standing_approvals()) == []


def test_nobody_allows_their_own_calls_nor_those_of_another_key_of_theirs(office: Office) -> None:
    own, bots = office.submit(REFUND, who=CAROL), office.submit(REFUND, who=ADAS_BOT)

    refused(office, own, CAROL, Forbidden, "Nobody allows in advance what they")
    refused(office, bots, ADA, Forbidden, "Nobody allows in advance what they")

    tried = [(entry["actor"], entry["details"]["tried"]) for entry in entries(office, REFUSED)]
    assert tried == [(CAROL.id, "approve"), (ADA.id, "approve")]


def test_a_key_that_becomes_the_makers_own_is_answered_no_more(office: Office) -> None:
    allow(office, office.submit(REFUND), ADA)
    agents_now = replace(AGENT, owner="ada@example.org")

    assert office.submit(REFUND, who=agents_now).status is Status.PENDING
    assert office.submit(REFUND).status is Status.APPROVED


@pytest.mark.parametrize(("who", "kind"), [(AGENT, Forbidden), (OTHER_AGENT, NotFound), (EVE, Forbidden)])
def test_who_may_not_decide_allows_nothing_and_ends_nothing(
    office: Office, who: Principal, kind: type[DeskError]
) -> None:
    seen = office.submit(REFUND)
    refused(office, seen, who, kind, "may not decide|not found")
    approval = allow(office, seen)

    with pytest.raises(kind):
        end(office, approval, who)
    assert kept(office, approval).revoked_at is None


# What can be allowed


@pytest.mark.parametrize("status", [Status.APPROVED, Status.EXECUTING, Status.COMPLETED, Status.LAPSED, Status.EXPIRED])
def test_what_was_asked_before_can_be_allowed_again(office: Office, status: Status) -> None:
    seen = office.at(status)
    allow(office, seen)

    assert office.submit(seen.action).status is Status.APPROVED


@pytest.mark.parametrize("status", [Status.DENIED, Status.REVOKED])
def test_what_somebody_refused_or_took_back_cannot_be_allowed_again(office: Office, status: Status) -> None:
    refused(office, office.at(status), DAVE, Conflict, f"is {status} by carol; it cannot be allowed again")


def test_what_a_kill_switch_stops_cannot_be_allowed(office: Office) -> None:
    seen = office.submit(REFUND)
    office.kill()

    refused(office, seen, CAROL, Conflict, "kill switch is on")


def test_what_several_must_agree_on_cannot_be_allowed_by_one(office: Office) -> None:
    office.desk.policy = together(Stage(2))

    refused(office, office.submit(REFUND), CAROL, Invalid, "Several people must agree")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"reason": "  "}, "reason is empty"),
        ({"uses": 0}, "uses is a whole number from 1 to 1,000"),
        ({"uses": MOST_USES + 1}, "uses is a whole number"),
        ({"hours": 0}, "up to 168 hours"),
        ({"hours": 168.1}, "up to 168 hours"),
        ({"free": ["amont"]}, "amont is no parameter of this call; its parameters: amount, charge_id, note"),
        ({"match": {"amont": 5}}, "amont is no parameter"),
        ({"match": {"amount": 5}, "free": ["amount"]}, "amount stands in match and in free"),
        ({"match": {"amount": {"le": 4}}}, "itself does not fit match"),
        ({"match": {"amount": {"lte": 4}}}, "unknown operator 'lte' in match: parameters.amount; did you mean"),
        ({"match": {"note": {"regex": "("}}}, "this is no regular expression of RE2"),
        ({"match": {"note": {"regex": "(a|b|late){1,40}x*"}}}, "too long to be looked through|steps"),
        ({"match": {"note": ["x" * 490, *"abcdefgh"] * 9}}, "match has more than 4,000 characters"),
        ({"match": {"note": {}}}, "needs a value"),
    ],
)
def test_a_scope_that_cannot_be_meant_is_refused_with_what_to_write(
    office: Office, how: dict[str, Any], said: str
) -> None:
    refused(office, office.submit(REFUND), CAROL, Invalid, said, **how)


def test_a_long_reason_is_cut_to_what_is_kept(office: Office) -> None:
    approval = allow(office, office.submit(REFUND), reason="x" * 5_000)

    assert len(approval.reason) == LONGEST_REASON
    assert len(office.submit(REFUND).reason) == LONGEST_REASON


def test_a_call_without_a_digest_can_only_be_allowed_where_something_may_differ(office: Office) -> None:
    bare = replace(REFUND, digest="")
    refused(office, office.submit(bare), CAROL, Invalid, "sends no digest")

    allow(office, office.submit(bare), free=["note"])
    assert office.submit(bare).status is Status.APPROVED


def test_a_key_has_only_so_many_live_ones(office: Office) -> None:
    seen = office.submit(REFUND)
    made = [allow(office, seen, hours=1) for _ in range(MOST_LIVE)]

    with pytest.raises(Conflict, match=f"has {MOST_LIVE} standing approvals already"):
        allow(office, seen)
    end(office, made[0])
    allow(office, seen)


def test_only_so_many_parameters_may_differ(office: Office) -> None:
    many = an_action(action_type="order.note", parameters={f"p{number}": 1 for number in range(20)}, digest="many")
    office.desk.policy = saying("match: {action_type: order.*}, then: ask")
    seen = office.submit(many)

    refused(office, seen, CAROL, Invalid, "More than 12 parameters", free=[f"p{n}" for n in range(MOST_VARYING + 1)])
    allow(office, seen, free=[f"p{number}" for number in range(MOST_VARYING)])


# What may differ


def test_a_parameter_that_is_free_may_have_any_value_and_no_other_may(office: Office) -> None:
    allow(office, office.submit(REFUND), free=["note"])

    assert office.submit(refund("2", note="other")).status is Status.APPROVED
    assert office.submit(refund("3", note={"deep": [1]})).status is Status.APPROVED
    assert office.submit(refund("4", amount=6)).status is Status.PENDING
    assert office.submit(refund("5", extra=1)).status is Status.PENDING


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ({"amount": {"le": 20}}, 20, 20.5),
        ({"amount": {"gt": 1, "lt": 9}}, 2, 9),
        ({"amount": {"in": [5, 7]}}, 7, 6),
        ({"amount": [5, 8]}, 8, 7),
        ({"amount": 5}, "5", 6),
    ],
)
def test_a_condition_means_what_it_means_in_a_policy(office: Office, match: dict[str, Any], yes: Any, no: Any) -> None:
    allow(office, office.submit(REFUND), match=match)

    assert office.submit(refund("yes", amount=yes)).status is Status.APPROVED
    assert office.submit(refund("no", amount=no)).status is Status.PENDING


def test_a_condition_that_nobody_can_tell_is_no_leave(office: Office) -> None:
    allow(office, office.submit(REFUND), match={"amount": {"le": 20}})

    assert office.submit(refund("words", amount="a few")).status is Status.PENDING


def test_a_name_with_dots_and_quotes_is_only_a_name(office: Office) -> None:
    odd = 'order.lines[0]"\\'
    seen = office.submit(refund("odd", **{odd: 1}))
    allow(office, seen, match={odd: {"le": 3}})

    assert office.submit(refund("odd 2", **{odd: 3})).status is Status.APPROVED
    assert office.submit(refund("odd 3", **{odd: 4})).status is Status.PENDING


@pytest.mark.parametrize("hiding", [{"redacted": ("note",)}, {"abridged": {"note": (3, 9)}}])
def test_nothing_may_differ_where_a_value_is_hidden_or_shown_in_part(office: Office, hiding: dict[str, Any]) -> None:
    secret = replace(REFUND, **hiding)
    seen = office.submit(secret)

    for how in ({"free": ["amount"]}, {"match": {"note": "*"}}):
        refused(office, seen, CAROL, Invalid, "note is not shown whole, so nobody could tell", **how)
    allow(office, seen)
    assert office.submit(secret).status is Status.APPROVED


@pytest.mark.parametrize("hiding", [{"redacted": ("note",)}, {"abridged": {"note": (3, 9)}}])
def test_a_call_that_hides_more_than_was_seen_is_for_a_person(office: Office, hiding: dict[str, Any]) -> None:
    allow(office, office.submit(REFUND), free=["note"])

    assert office.submit(replace(refund("2", note="[redacted]"), **hiding)).status is Status.PENDING


def test_of_a_high_risk_only_exactly_the_same_can_be_allowed(office: Office) -> None:
    office.desk.policy = saying("match: {action_type: payment.*}, then: ask")
    risky = replace(REFUND, risk_indicators={"unusual": True, "urgent": True})
    seen = office.submit(risky)
    assert seen.risk_level == "high"

    refused(office, seen, CAROL, Invalid, "of high risk: only exactly the same", free=["note"])
    allow(office, seen)
    assert office.submit(risky).status is Status.APPROVED


# The end of one


def test_a_revoked_one_answers_no_more_and_what_it_approved_is_void_unless_claimed(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    claimed, waiting, lapsed = (office.submit(REFUND, nonce=NONCE if n == 0 else None) for n in range(3))
    others = office.approve(office.submit())

    revoked = end(office, approval, DAVE, "not that often")

    assert (revoked.revoked_by, revoked.standing(office.clock.now)) == ("dave", "revoked")
    assert kept(office, approval) == revoked
    assert office.stored(claimed).status is Status.EXECUTING
    for record in (waiting, lapsed):
        found = office.stored(record)
        assert (found.status, found.decided_by) == (Status.REVOKED, "dave")
        assert found.reason == "Standing approval 1 was revoked: not that often"
        with pytest.raises(Conflict):
            office.claim(record)
    assert office.stored(others).status is Status.APPROVED
    assert office.submit(REFUND).status is Status.PENDING


def test_what_lapsed_before_the_revocation_has_lapsed(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    record = office.submit(REFUND)
    office.clock.advance(REFUND.run_within)

    end(office, approval)

    assert office.stored(record).status is Status.LAPSED


def test_what_a_client_that_never_claims_had_read_may_have_run(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    record = office.submit(REFUND, claims=False)

    end(office, approval)

    assert office.stored(record).status is Status.UNKNOWN


def test_to_revoke_it_again_changes_nothing(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))
    once = end(office, approval)
    office.clock.advance(1)

    assert end(office, approval, DAVE) == once
    assert len(entries(office, "standing.revoked")) == 1


def test_there_is_nothing_to_revoke_where_there_is_none(office: Office) -> None:
    approval = allow(office, office.submit(REFUND))

    with pytest.raises(NotFound, match="Standing approval 9 not found"):
        end(office, replace(approval, id=9))


# Who sees which


def test_who_may_see_all_sees_all_of_them_and_the_others_those_about_them(office: Office) -> None:
    mine = allow(office, office.submit(REFUND))
    theirs = allow(office, office.submit(REFUND, who=OTHER_AGENT))

    def seen_by(who: Principal) -> list[int]:
        return [each.id for each in office.do(lambda tx: office.desk.list_standing(tx, who))]

    assert [seen_by(who) for who in (CAROL, DAVE, EVE)] == [[theirs.id, mine.id]] * 3
    assert (seen_by(AGENT), seen_by(OTHER_AGENT), seen_by(ADAS_BOT)) == ([mine.id], [theirs.id], [])


def test_those_that_have_ended_are_listed_only_where_they_are_asked_for(office: Office) -> None:
    seen = office.submit(REFUND)
    revoked, used_up = allow(office, seen), allow(office, seen, uses=1)
    end(office, revoked)
    office.submit(REFUND)
    expired, live = allow(office, seen, hours=1), allow(office, seen, hours=9)
    office.clock.advance(3600)

    def listed(**how: Any) -> list[int]:
        return [each.id for each in office.do(lambda tx: office.desk.list_standing(tx, CAROL, **how))]

    assert listed() == [live.id]
    assert listed(ended=True) == [live.id, expired.id, used_up.id, revoked.id]
    assert listed(ended=True, limit=2, offset=1) == [expired.id, used_up.id]
    words = [
        each.standing(office.clock.now) for each in (kept(office, one) for one in (live, expired, used_up, revoked))
    ]
    assert words == ["live", "expired", "used_up", "revoked"]


def test_it_is_kept_as_it_was_made(office: Office) -> None:
    made = allow(office, office.submit(REFUND), match={"amount": {"le": 9}}, free=["note"], uses=4, hours=0.5)

    assert kept(office, made) == made
    assert (made.left, made.varying) == (4, ("amount", "note"))
