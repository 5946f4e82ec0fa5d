"""Names in rules that no guard of a program uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.center.policy import PolicyError, load
from clearance.center.policy.guarded import check_names

GUARDS = (
    {"action_type": "payment.refund", "tool_name": "stripe"},
    {"action_type": "mail.send", "tool_name": "smtp"},
)


def said(tmp_path: Path, *matches: str, name: str = "policy.yaml") -> list[str]:
    """What is wrong with rules that have these matches, without the path."""
    file = tmp_path / name
    file.write_text(
        "rules:\n"
        + "\n".join(f"- {{name: r{number}, then: ask, match: {each}}}" for number, each in enumerate(matches))
    )
    load(file)
    try:
        check_names(file, GUARDS)
    except PolicyError as error:
        return [line.removeprefix(f"{file}:") for line in str(error).splitlines()]
    return []


def test_names_that_guards_use_are_right_however_they_are_written(tmp_path: Path) -> None:
    assert not said(
        tmp_path,
        "{action_type: payment.refund}",
        "{action_type: [payment.refund, 'mail.*'], tool_name: {in: [stripe, smtp]}}",
        "{any: [{action_type: {eq: mail.send}}, {not: {tool_name: {regex: '^str'}}}]}",
        "{tool_name: {contains: trip, ne: smtp}}",
        "{parameters.tool_name: spade, agent_id: mallory}",
        "{tool_name: {present: true}}",
    )


@pytest.mark.parametrize(
    ("match", "word", "says"),
    [
        (
            "{action_type: payment.refunt}",
            "payment",
            "has action_type 'payment.refunt'; did you mean 'payment.refund'?",
        ),
        ("{action_type: 'paymant.*'}", "'", "fits action_type 'paymant.*'; did you mean 'payment.refund'?"),
        ("{tool_name: {in: [stripe, smpt]}}", "smpt", "has tool_name 'smpt'; did you mean 'smtp'?"),
        ("{tool_name: {regex: '^x'}}", "'", "fits tool_name '^x'; guards use: smtp, stripe."),
        ("{not: {any: [{tool_name: [smtp, spade]}]}}", "spade", "has tool_name 'spade'; guards use: smtp, stripe."),
        ("{tool_name: {contains: zz}}", "zz", "fits tool_name 'zz'; guards use: smtp, stripe."),
    ],
)
def test_a_name_that_no_guard_uses_is_told_with_its_place_and_the_nearest(
    tmp_path: Path, match: str, word: str, says: str
) -> None:
    column = len("- {name: r0, then: ask, match: ") + match.index(word) + 1
    assert said(tmp_path, match) == [f"2:{column}: no guard {says}"]


def test_without_guards_every_name_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[[rules]]\nname = "a"\nmatch = { tool_name = "stripe" }\nthen = "ask"\n')
    with pytest.raises(PolicyError, match="3:23: no guard has tool_name 'stripe'; there are no guards"):
        check_names(file, ())
