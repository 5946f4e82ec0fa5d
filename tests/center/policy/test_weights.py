"""The weights of the risk in a policy file: all of them, those that it leaves out, and every way to be refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.center.policy import PolicyError, built_in, parse
from clearance.center.risk import BUILT_IN, KINDS, Bands, Kind

ALL = """
risk:
  clear_up_to: 20
  kinds:
    destroys: {points: 90}
    reads: {words: [get, peek]}
    frobnicates: {points: 12, words: [frobnicate, twiddle]}
  unknown_kind: 60
  tools: {shell: 20}
  environments: {staging: 5, production: 20}
  secret_data: 1
  personal_data: 2
  personal_words: [petname]
  amounts: [{from: 500, points: 10}, {from: 5000, points: 20}]
  amount_names: [amount_eur]
  novelty: 0
  off_hours: {points: 5, hours: "22:00-05:30", days: [mon, thu-fri], zone: Europe/Berlin}
  indicator: 3
  most_indicators: 2
  bands: {low: 20, high: 90}
"""


def test_a_file_says_every_weight() -> None:
    policy = parse(ALL)

    kinds = {kind.name: kind for kind in KINDS}
    kinds["destroys"] = replace(kinds["destroys"], points=90)
    kinds["reads"] = replace(kinds["reads"], words=("get", "peek"))
    assert policy.clear_up_to == 20
    assert policy.risk == replace(
        BUILT_IN,
        kinds=(*kinds.values(), Kind("frobnicates", 12, ("frobnicate", "twiddle"))),
        unknown_kind=60,
        tools=(("shell", 20),),
        environments=(("staging", 5), ("production", 20)),
        secret_data=1,
        personal_data=2,
        personal_words=("petname",),
        amounts=((500, 10), (5_000, 20)),
        amount_names=("amount_eur",),
        novelty=0,
        off_hours=5,
        hours=(22 * 60, 5 * 60 + 30),
        days=("mon", "thu", "fri"),
        time_zone="Europe/Berlin",
        indicator=3,
        most_indicators=2,
        bands=Bands(20, 60, 90),
    )


@pytest.mark.parametrize("text", ["rules: []", "risk: {}", "risk: {clear_up_to: 3}"])
def test_what_a_file_leaves_out_is_as_it_is_built_in(text: str) -> None:
    assert parse(text).risk == built_in().risk == BUILT_IN


def test_what_a_file_empties_counts_nothing() -> None:
    risk = parse("risk: {tools: {}, environments: {}, personal_words: [], amounts: [], amount_names: []}").risk

    assert (risk.environments, risk.personal_words, risk.amounts, risk.amount_names) == ((), (), (), ())


def test_toml_says_the_same() -> None:
    text = """
    [risk]
    novelty = 20
    amounts = [{ from = 500, points = 10 }]
    [risk.kinds."writes or sends"]
    points = 20
    [risk.off_hours]
    points = 5
    days = "mon-sat"
    """

    risk = parse(text, "toml").risk

    assert (risk.novelty, risk.amounts, risk.off_hours, risk.hours) == (20, ((500, 10),), 5, BUILT_IN.hours)
    assert risk.days == ("mon", "tue", "wed", "thu", "fri", "sat")
    assert {kind.name: kind.points for kind in risk.kinds}["writes or sends"] == 20


points = st.integers(0, 100)
words = st.lists(st.text("abcdefghij", min_size=1, max_size=8), max_size=4, unique=True)
weights = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("unknown_kind", "secret_data", "personal_data", "novelty", "indicator"), points),
        "most_indicators": points,
        "tools": st.dictionaries(st.text("abc-", min_size=1, max_size=8), points, max_size=3),
        "environments": st.dictionaries(st.text("abc-", min_size=1, max_size=8), points, max_size=3),
        "personal_words": words,
        "amount_names": words,
        "amounts": st.lists(st.fixed_dictionaries({"from": st.integers(1, 10**15), "points": points}), max_size=3),
    },
)


@given(weights)
def test_whatever_weights_a_file_gives_are_those_that_count(table: dict[str, Any]) -> None:
    risk = parse(json.dumps({"risk": table})).risk  # JSON is YAML, too

    for name, value in table.items():
        assert getattr(risk, name) == as_kept(value)


def as_kept(value: Any) -> Any:
    """What a model has of a value that a file has."""
    if isinstance(value, dict):
        return tuple(value.items())
    if isinstance(value, list):
        return tuple((each["from"], each["points"]) if isinstance(each, dict) else each for each in value)
    return value


SHAPE = ' In YAML, write "key: value"; in TOML, { key = value }.'
"""How a table is written."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("risk: {noveltie: 3}", "1:8: unknown key 'noveltie' in risk; did you mean 'novelty'?"),
        ("risk: {novelty: 101}", "1:17: risk: novelty must be a whole number from 0 to 100."),
        ("risk: {novelty: -1}", "1:17: risk: novelty must be a whole number from 0 to 100."),
        ("risk: {novelty: true}", "1:17: risk: novelty must be a whole number from 0 to 100."),
        ("risk: {indicator: 1.5}", "1:19: risk: indicator must be a whole number from 0 to 100."),
        ("risk:\n  unknown_kind: high", "2:17: risk: unknown_kind must be a whole number from 0 to 100."),
        ("risk: {most_indicators: []}", "1:25: risk: most_indicators must be a whole number from 0 to 100."),
        ("risk: {tools: {shell: high}}", "1:23: risk: tools: shell must be a whole number from 0 to 100."),
        (
            "risk: {tools: [shell]}",
            "1:15: risk: tools must be a table of keys and values." + SHAPE,
        ),
        (
            "risk: {environments: prod}",
            "1:22: risk: environments must be a table of keys and values." + SHAPE,
        ),
        (
            "risk: {kinds: {destroy: {points: 3}}}",
            "1:16: risk: kinds: destroy is not built in, so it needs points and words; did you mean 'destroys'?",
        ),
        (
            "risk: {kinds: {zaps: {words: [zap]}}}",
            "1:16: risk: kinds: zaps is not built in, so it needs points and words; "
            "built in: changes systems, destroys, gives access, moves money, reads, runs code, writes or sends.",
        ),
        (
            "risk: {kinds: {reads: {pionts: 3}}}",
            "1:24: unknown key 'pionts' in risk: kinds: reads; did you mean 'points'?",
        ),
        (
            "risk: {kinds: {reads: {points: 101}}}",
            "1:32: risk: kinds: reads: points must be a whole number from 0 to 100.",
        ),
        (
            "risk: {kinds: {reads: 3}}",
            "1:23: risk: kinds: reads must be a table of keys and values. Its keys are: points, words.",
        ),
        (
            "risk: {kinds: {reads: {words: get}}}",
            '1:31: risk: kinds: reads: words must be a list of words, such as ["one", "other"].',
        ),
        (
            "risk: {kinds: {reads: {words: [get_all]}}}",
            "1:31: risk: kinds: reads: words: 'get_all' is no word as names are read: write letters from a to z alone.",
        ),
        (
            "risk: {kinds: [reads]}",
            "1:15: risk: kinds must be a table of keys and values." + SHAPE,
        ),
        (
            "risk: {personal_words: [Pet]}",
            "1:24: risk: personal_words: 'Pet' is no word as names are read: write letters from a to z alone.",
        ),
        ("risk: {personal_words: [3]}", "1:25: risk: personal_words: each must be a text. Put it in quotes."),
        (f"risk: {{amount_names: [{'a' * 61}]}}", "1:23: risk: amount_names: each has 61 characters; 60 is the most."),
        ("risk: {amounts: 3}", "1:17: risk: amounts must be a list with something in it. Put it in brackets: [...]."),
        (
            "risk: {amounts: [3]}",
            "1:18: risk: amounts: item 1 must be a table of keys and values. Its keys are: from, points.",
        ),
        (
            "risk: {amounts: [{from: 3}]}",
            "1:18: risk: amounts: item 1 needs from and points, such as {from: 1000, points: 15}.",
        ),
        (
            "risk: {amounts: [{from: 0, points: 3}]}",
            "1:25: risk: amounts: item 1: from must be a whole number from 1 to 1,000,000,000,000,000.",
        ),
        (
            "risk: {off_hours: {days: mon-fri}}",
            "1:19: risk: off_hours needs points: what a time outside of these hours adds.",
        ),
        (
            "risk: {off_hours: 5}",
            "1:19: risk: off_hours must be a table of keys and values. Its keys are: days, hours, points, zone.",
        ),
        (
            "risk: {off_hours: {points: 5, hours: 9-5}}",
            '1:38: risk: off_hours: hours must be written as "09:00-17:00", from 00:00 to 24:00.',
        ),
        (
            "risk: {off_hours: {points: 5, days: weekdays}}",
            '1:37: risk: off_hours: days must be written as "mon-fri", or as ["sat", "sun"].',
        ),
        (
            "risk: {off_hours: {points: 5, zone: Europe/Berlim}}",
            "1:37: risk: off_hours: zone is no time zone; did you mean 'Europe/Berlin'?",
        ),
        ("risk: {bands: {lo: 3}}", "1:16: unknown key 'lo' in risk: bands; did you mean 'low'?"),
        ("risk: {bands: {high: 100}}", "1:22: risk: bands: high must be a whole number from 0 to 99."),
        (
            "risk: {bands: {low: 60}}",
            "1:15: risk: bands: each level must end above the one before (low 60, medium 60, high 85).",
        ),
    ],
)
def test_a_weight_that_cannot_be_meant_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse(text)

    assert f"policy:{says}" in str(refused.value).splitlines()


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        parse("risk: {novelty: x, bands: {low: 60}, tols: {}}")

    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize("key", ["personal_words", "amount_names"])
def test_a_list_of_words_has_a_limit(key: str) -> None:
    def text(count: int) -> str:
        return json.dumps({"risk": {key: ["a" * (1 + number % 50) for number in range(count)]}})

    assert len(getattr(parse(text(1_000)).risk, key)) == 1_000
    with pytest.raises(PolicyError, match="has 1,001 entries; 1,000 is the most"):
        parse(text(1_001))


@pytest.mark.parametrize("key", ["tools", "environments"])
def test_a_table_of_points_has_a_limit(key: str) -> None:
    def text(count: int) -> str:
        return json.dumps({"risk": {key: {f"n{number}": 1 for number in range(count)}}})

    assert len(getattr(parse(text(1_000)).risk, key)) == 1_000
    with pytest.raises(PolicyError, match="has 1,001 entries; 1,000 is the most"):
        parse(text(1_001))
