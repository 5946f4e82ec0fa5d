"""The worked policies among the examples: each can be used, decides its cases as they say, and has one a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.center import policy as policies
from clearance.center.policy import cases

FOLDER = Path(__file__).parents[3] / "examples" / "policies"
WORKED = sorted(path for path in FOLDER.iterdir() if not path.name.endswith(".tests.yaml"))


@pytest.mark.parametrize("file", WORKED, ids=lambda path: path.name)
def test_a_worked_policy_decides_its_cases_as_they_say_and_every_rule_decides_one(file: Path) -> None:
    policy = policies.load(file)

    report = cases.run(policy, cases.load_cases(cases.beside(file), policy))

    assert [(result.case.name, result.wrong) for result in report.failed] == []
    assert report.never == ()
    assert len(report.results) > len(policy.rules)


def test_there_are_three_of_them_and_one_in_cedar_each_with_its_cases() -> None:
    assert [file.name for file in WORKED] == [
        "coding-agent.yaml",
        "data-pipeline.yaml",
        "payments-bot.yaml",
        "support-desk.cedar",
    ]
    assert sorted(FOLDER.iterdir()) == sorted([*WORKED, *map(cases.beside, WORKED)])
