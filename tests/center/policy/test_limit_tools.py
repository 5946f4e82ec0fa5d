"""What the tools that work on a policy know of its limits over time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.center.desks import AGENT, NONCE, OTHER_AGENT, Office
from tests.helpers import an_action

from clearance.center.moves import SECOND
from clearance.center.policy import Asked, Effect, Policy, PolicyError, cases, parse
from clearance.center.policy.cases import Report
from clearance.center.policy.comparing import compare, in_words
from clearance.center.policy.explaining import Explanation, charges_then, explain
from clearance.center.policy.guarded import check_names
from clearance.center.policy.simulation import Simulation
from clearance.models import Status

POLICY = """
rules:
- {name: small, match: {action_type: payment.refund, parameters.amount: {le: 50}}, then: allow}
limits:
- {name: five a day, match: {action_type: payment.refund}, calls: 5, within: 24h, then: deny}
- {name: much, match: {tool_name: stripe}, sum: parameters.amount, at_most: 100, within: 1h, then: ask, quorum: 2}
"""
REFUND = "action_type: payment.refund, tool_name: stripe, parameters: {amount: 5}"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with closing(Office(tmp_path / "center.db", parse(POLICY.partition("limits:")[0]))) as office:
        yield office


# Cases


def report(tmp_path: Path, *entries: str) -> Report:
    file, policy = tmp_path / "policy.tests.yaml", parse(POLICY)
    file.write_text("cases:\n" + "\n".join(f"- {{name: c{number}, {entry}}}" for number, entry in enumerate(entries)))
    return cases.run(policy, cases.load_cases(file, policy))


def test_a_case_says_what_is_used(tmp_path: Path) -> None:
    found = report(
        tmp_path,
        f"action: {{{REFUND}, used: {{five a day: 4, much: 95}}}}, expect: allow, by: small",
        f"action: {{{REFUND}, used: {{five a day: 5}}}}, expect: deny, by: five a day",
        f"action: {{{REFUND}, used: {{much: 95.000001}}}}, expect: ask, by: much, quorum: 2",
    )

    assert not found.failed
    assert (found.rules, found.never) == (3, ())


def test_a_limit_that_decides_no_case_is_told(tmp_path: Path) -> None:
    full, empty = f"action: {{{REFUND}, used: {{much: 100}}}}", f"action: {{{REFUND}}}"
    found = report(tmp_path, f"{full}, expect: ask", f"{empty}, expect: ask")

    assert found.never == ("five a day",)
    assert found.failed[0].wrong == ("expected ask, but it is allow by small",)


@pytest.mark.parametrize(
    ("used", "says"),
    [
        ("{fife a day: 1}", "2:103: case 'c0': action: used: the policy has no limit 'fife a day'; did you mean 'five"),
        ("{much: -1}", "used: much must be a number from 0 on."),
        ("{much: true}", "used: much must be a number from 0 on."),
        ('{much: "5"}', "used: much must be a number from 0 on."),
        ("[much]", "used must be a table"),
    ],
)
def test_a_slip_in_what_is_used_is_refused(tmp_path: Path, used: str, says: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(says)):
        report(tmp_path, f"action: {{{REFUND}, used: {used}}}, expect: ask")


def test_a_policy_without_limits_has_nothing_that_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "policy.tests.yaml"
    file.write_text(f"cases:\n- {{name: a, action: {{{REFUND}, used: {{much: 1}}}}, expect: ask}}\n")

    with pytest.raises(PolicyError, match="the policy has no limit 'much'; it has none"):
        cases.load_cases(file, parse("rules: []"))


# Why


def told(used: int = 0, **changes: Any) -> Explanation:
    policy, asked = parse(POLICY), Asked(an_action(**changes))
    return explain(policy, asked, charges=tuple(replace(each, used=used) for each in policy.charges(asked)))


def test_what_is_used_of_each_limit_is_told_and_what_cannot_be_told() -> None:
    found = told(used=5, parameters={"amount": "much"})

    assert [(each.charge.limit.name, each.charge.is_over, each.why) for each in found.limits] == [
        ("five a day", True, ""),
        ("much", False, "parameters.amount is no number from 0 on"),
    ]
    assert found.verdict.rule == "five a day"
    assert [each.rule.name for each in (*found.matched, *found.unclear)] == ["small"]


def test_a_limit_that_is_nearly_about_an_action_is_told_as_a_rule_is() -> None:
    policy = parse(POLICY.replace("tool_name: stripe}", "tool_name: stripe, agent_id: other}"))

    found = explain(policy, Asked(an_action()))

    assert [each.rule.name for each in found.nearly] == ["much"]
    assert [each.charge.limit.name for each in found.limits] == ["five a day"]


def test_a_recorded_action_is_explained_with_what_was_used_then(office: Office) -> None:
    office.desk.policy = parse(POLICY)
    record, *_ = [office.submit(nonce=NONCE) for _ in range(6)][4:]

    charges, unknown = charges_then(office.desk.policy, Asked.again(record, 0), record)
    assert ([charge.used for charge in charges], unknown) == ([4, 20 * SECOND], frozenset())
    everybody = POLICY.replace("calls: 5", "calls: 5, per: all").replace("tool_name: stripe", "tool_name: [a, stripe]")
    charges, unknown = charges_then(parse(everybody), Asked.again(record, 0), record)
    assert ([charge.used for charge in charges], unknown) == ([0, 20 * SECOND], frozenset({"five a day"}))
    other = parse(POLICY.replace("five a day", "another"))
    charges, unknown = charges_then(other, Asked.again(record, 0), record)
    assert ([charge.used for charge in charges], unknown) == ([0, 20 * SECOND], frozenset({"another"}))


# Simulations


def simulated(office: Office, policy: Policy) -> Simulation:
    found = Simulation(policy)
    for record in office.do(lambda tx: tx.actions(oldest_first=True, limit=1_000)):
        found.add(record)
    return found


def test_limits_are_replayed_over_recorded_actions(office: Office) -> None:
    for _ in range(7):
        office.submit(nonce=NONCE)
    office.submit(who=OTHER_AGENT)
    office.clock.advance(24 * 3600)
    office.submit()

    found = simulated(office, parse(POLICY))

    assert found.rules == {"small": 7, "five a day": 2}
    assert [each.id for each in found.changed[Effect.ALLOW, Effect.DENY]] == [6, 7]


def test_a_simulation_by_the_same_policy_decides_as_the_desk_did_where_all_ran_at_once(office: Office) -> None:
    office.desk.policy = parse(POLICY)
    dice = Random("simulation")
    for number in range(60):
        amount, agent = dice.choice([1, 20, 45, "12.5"]), dice.choice([AGENT, OTHER_AGENT])
        office.submit(an_action(parameters={"amount": amount}, digest=f"d-{number}"), who=agent, nonce=NONCE)
        for waiting in office.do(lambda tx: tx.actions(statuses=[Status.PENDING])):
            office.deny(waiting)
        office.clock.advance(dice.choice([1, 600, 3600, 40_000]))
    found = simulated(office, parse(POLICY))

    assert all(was is now for was, now in found.effects)
    assert {Effect.ALLOW, Effect.ASK, Effect.DENY} == {now for _, now in found.effects}


def test_what_would_ask_counts_in_a_simulation_if_it_ran(office: Office) -> None:
    policy = parse(POLICY.replace("le: 50", "lt: 0"))
    ran, left, last = (office.submit(an_action(parameters={"amount": 60}, digest=f"{n}")) for n in range(3))
    office.claim(office.approve(ran))
    office.deny(left)

    found = simulated(office, policy)

    assert found.rules == {"no-rule": 1, "much": 2}
    assert [office.stored(each).status for each in (ran, left, last)] == [
        Status.EXECUTING,
        Status.DENIED,
        Status.PENDING,
    ]


# What changes


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        ("calls: 5", "calls: 6", True),
        ("calls: 5", "calls: 4", False),
        ("at_most: 100", "at_most: 101", True),
        ("within: 24h, then: deny", "within: 24h, then: ask", True),
        ("at_most: 100", "at_most: 99", False),
    ],
)
def test_a_changed_limit_is_found(before: str, after: str, wider: bool) -> None:
    found = compare(parse(POLICY), parse(POLICY.replace(before, after)), 3_000)

    assert found.changes
    assert found.changes[0].is_wider is wider
    assert "used of limit" in in_words(found.changes[0].example, found.changes[0].used)


def test_a_limit_that_is_new_or_gone_is_found() -> None:
    without = parse(POLICY.partition("limits:")[0])

    assert not any(change.is_wider for change in compare(without, parse(POLICY), 3_000).changes)
    assert compare(parse(POLICY), without, 3_000).changes[0].is_wider
    assert compare(parse(POLICY), parse(POLICY), 3_000).changes == []


def test_what_no_action_shows_of_a_limit_is_told() -> None:
    other = POLICY.replace("24h", "12h").replace("within: 1h", "per: all, within: 1h")

    assert compare(parse(POLICY), parse(other), 1_000).counting == [
        "limit 'five a day' counts calls in 24h per key -> calls in 12h per key",
        "limit 'much' counts parameters.amount in 1h per key -> parameters.amount in 1h per all",
    ]


# Guards


def test_a_name_in_a_limit_that_no_guard_uses_is_told(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    check_names(file, [{"action_type": "payment.refund", "tool_name": "stripe"}])

    with pytest.raises(PolicyError, match=r"policy.yaml:6:35: no guard has tool_name 'stripe'"):
        check_names(file, [{"action_type": "payment.refund", "tool_name": "paypal"}])
