"""Whatever a file says, it is refused, or what a decision by it may take is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from tests.center.policy.hostile import FILES, actions

from clearance.center.policy import Asked, Effect, PolicyError, parse
from clearance.center.policy.conditions import Group, Leaf
from clearance.center.policy.matching import FIELDS
from clearance.center.policy.reading import MOST_WORK

ACTIONS = actions()


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_or_its_decisions_are_bounded(name: str) -> None:
    try:
        policy = parse(FILES[name]())
    except PolicyError:
        return

    assert policy.most_work() <= MOST_WORK
    for action in ACTIONS.values():
        assert policy.judge(Asked(action)).effect in Effect


def test_there_are_fifty_of_them_some_of_which_can_be_used() -> None:
    usable = 0
    for text in FILES.values():
        try:
            parse(text())
        except PolicyError:
            continue
        usable += 1

    assert len(FILES) >= 50
    assert 20 < usable < len(FILES) - 10


def test_of_an_action_with_a_thousand_hidden_places_more_than_that_are_too_many_to_tell() -> None:
    policy = parse("rules:\n- {name: r, match: {parameters.text: {eq: b}}, then: deny}")

    assert policy.judge(Asked(ACTIONS["1,000 hidden"])).unclear == ()
    assert policy.judge(Asked(ACTIONS["10,000 hidden"])).unclear == ("r",)


def test_why_a_rule_cannot_be_evaluated_is_told_in_short_and_not_at_all_of_a_very_long_one() -> None:
    long, longer = (", ".join(f"parameters.missing{n}: 1" for n in range(count)) for count in (100, 101))

    told = [
        parse(f"rules:\n- {{name: r, match: {{{match}}}, then: deny}}").judge(Asked(ACTIONS["deep"]))
        for match in (long, longer)
    ]

    assert told[0].reason.startswith("Rule 'r' cannot be evaluated: parameters.missing0 is not there; ")
    assert len(told[0].reason) < 600
    assert told[1].reason == "Rule 'r' cannot be evaluated."


def test_no_decision_waits_for_rules_to_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = parse(FILES["15,000 rules for everybody"]())
    compiled: list[Group] = []
    monkeypatch.setattr(Group, "compiled", compiled.append)

    assert policy.judge(Asked(ACTIONS["mixed"])).rule == "no-rule"
    assert compiled == []


@pytest.mark.parametrize("operator", ["eq", "in"])
def test_an_operand_is_cut_before_it_is_spelled(operator: str) -> None:
    spelled: list[str] = []

    class Word(str):
        def __repr__(self) -> str:
            spelled.append(self)
            return str.__repr__(self)

    operand: Any = [Word(f"w{n}") for n in range(50_000)] if operator == "in" else Word("w" * 1_000_000)
    said = Leaf(FIELDS["agent_id"], operator, operand, lambda value: None).said

    assert said.startswith(f"agent_id {operator} ")
    assert said.endswith("…")
    assert len(said) < 250
    assert sum(map(len, spelled)) <= 40_000
