"""How risky an action looks: named factors, each with its reason, and the bands that they add up to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import an_action

from clearance.center.risk import KINDS, Bands, Kind, RiskModel
from clearance.center.risk.contents import ENDLESS, LONGEST_NUMBER, MOST_ITEMS, MOST_NAMES, number
from clearance.center.risk.labels import LABELS, Labels, labels_of
from clearance.center.risk.signs import DAYS, LONGEST_SURROUNDINGS, MOST_FACTS
from clearance.center.risk.wording import LONGEST_NAME, LONGEST_QUOTE, quoted
from clearance.models import Action, Json

MODEL = RiskModel()
EVERYTHING = RiskModel(tools=(("stripe", 7), ("shell", 20)), off_hours=5, time_zone="Europe/Berlin")
"""One that looks at everything there is to look at."""
MONDAY_NOON = 1_700_481_600 * 1_000_000
"""2023-11-20 12:00 UTC."""
HOUR = 3_600 * 1_000_000

json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.text() | st.sampled_from(["amount", "value", "email", "cardNumber", "risk_score", "prod"])
objects = st.dictionaries(names, json_values, max_size=4)
verbs = st.sampled_from([word for kind in KINDS for word in kind.words])
actions = st.builds(
    an_action,
    action_type=st.text() | verbs.map(lambda verb: f"order.{verb}"),
    tool_name=st.text() | st.just("stripe"),
    resource=st.none() | st.text() | st.just("db:production"),
    parameters=objects,
    context=objects,
    risk_indicators=objects,
    redacted=st.lists(st.text(), max_size=2).map(tuple),
)
times = st.none() | st.integers(0, 4_000_000_000_000_000)
models = st.sampled_from([MODEL, EVERYTHING])


def points(action: Action, name: str, model: RiskModel = MODEL, **known: Any) -> int:
    """What the factors of that name add."""
    return sum(factor.points for factor in model.assess(action, **known).factors if factor.name == name)


def reason(action: Action, name: str, model: RiskModel = MODEL, **known: Any) -> str:
    """Why there is a factor of that name."""
    (found,) = (factor for factor in model.assess(action, **known).factors if factor.name == name)
    return found.reason


# Laws


@given(models, actions, times, st.none() | st.booleans())
def test_whatever_an_agent_sends_the_score_is_the_sum_of_factors_that_have_a_name_and_a_short_reason(
    model: RiskModel, action: Action, at: int | None, is_new: bool | None
) -> None:
    score, level, factors = model.assess(action, at=at, is_new=is_new)

    assert score == min(100, sum(factor.points for factor in factors))
    assert level == model.bands.level(score)
    assert factors[0].name == "action type"
    assert all(type(factor.points) is int and factor.points > 0 for factor in factors)
    assert all(0 < len(factor.name) <= 80 and 0 < len(factor.reason) <= 160 for factor in factors)
    assert len(factors) <= 7 + model.most_indicators


@given(models, actions, objects, times, st.none() | st.booleans())
def test_what_the_caller_says_of_the_risk_never_lowers_it(
    model: RiskModel, action: Action, indicators: dict[str, Json], at: int | None, is_new: bool | None
) -> None:
    silent, told = replace(action, risk_indicators={}), replace(action, risk_indicators=indicators)

    assert model.assess(told, at=at, is_new=is_new).score >= model.assess(silent, at=at, is_new=is_new).score


@given(models, actions, times)
def test_what_is_new_is_never_less_risky_and_what_is_not_known_to_be_new_counts_nothing(
    model: RiskModel, action: Action, at: int | None
) -> None:
    familiar, unknown, new = (model.assess(action, at=at, is_new=known) for known in (False, None, True))

    assert familiar == unknown
    assert new.score == min(100, familiar.score + model.novelty)


@given(st.integers(0, 100), st.integers(0, 100), st.lists(st.integers(0, 99), min_size=3, max_size=3, unique=True))
def test_a_higher_score_is_never_of_a_lower_level(one: int, other: int, edges: list[int]) -> None:
    bands = Bands(*sorted(edges))
    order = ["low", "medium", "high", "critical"]

    lower, higher = (order.index(bands.level(score)) for score in sorted((one, other)))

    assert lower <= higher


@given(st.floats(min_value=0, max_value=1e300), st.floats(min_value=0, max_value=1e300))
def test_more_money_is_never_less_risky(one: float, other: float) -> None:
    less, more = (MODEL.assess(an_action(parameters={"amount": amount})).score for amount in sorted((one, other)))

    assert less <= more


@given(st.integers(0, 10**30), st.sampled_from(["{}", "{:,}", "-{}", "EUR {:,}.00", "{:_}", "{}.0 $", "{:e}"]))
def test_a_sum_counts_the_same_however_it_is_written(amount: int, written: str) -> None:
    amount = int(float(amount)) if written == "{:e}" else amount
    shown = written.format(amount)
    if written == "{:e}" and float(shown) != amount:  # the exponent form has only six digits behind the point
        amount = int(float(shown))

    assert points(an_action(parameters={"amount": shown}), "amount") == points(
        an_action(parameters={"amount": amount}), "amount"
    )


@given(actions, st.text(max_size=30), json_values)
def test_a_further_parameter_never_makes_a_call_less_risky(action: Action, name: str, value: Json) -> None:
    more = replace(action, parameters={**action.parameters, f"more {name}": value})

    assert MODEL.assess(more).score >= MODEL.assess(action).score


@given(st.integers(0, 2 * 7 * 24), st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]))
def test_every_hour_of_a_week_is_either_within_business_hours_or_counts(hours: int, zone: str) -> None:
    model = RiskModel(off_hours=9, time_zone=zone)
    at = MONDAY_NOON + hours * HOUR

    assert points(an_action(), "hour", model, at=at) in (0, 9)
    assert points(an_action(), "hour", model, at=at) == points(an_action(), "hour", model, at=at + 7 * 24 * HOUR)


READS = next(kind for kind in KINDS if kind.name == "reads").words


@given(
    st.sampled_from(READS),
    st.booleans(),
    st.sampled_from([None, "db:production"]),
    st.sampled_from([{}, {"email": "a@example.com"}, {"ids": list(range(100))}]),
    st.sampled_from([(), ("api_key",)]),
    times,
)
def test_a_read_stays_clear_whatever_the_hour_the_novelty_the_environment_and_the_data(
    verb: str, is_new: bool, resource: str | None, parameters: Any, redacted: tuple[str, ...], at: int | None
) -> None:
    action = an_action(action_type=f"x.{verb}", resource=resource, parameters=parameters, redacted=redacted)

    assert MODEL.assess(action, at=at, is_new=is_new).score <= MODEL.bands.low


# Hostile input


def deep(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


MIB = 1024 * 1024
HOSTILE: dict[str, Callable[[], Action]] = {
    "an action type of 1 MiB": lambda: an_action(action_type="aB." * (MIB // 3)),
    "a tool of 1 MiB": lambda: an_action(tool_name="x" * MIB),
    "a resource of 1 MiB": lambda: an_action(resource="prod-" * (MIB // 5)),
    "a context of 1 MiB": lambda: an_action(context={"env": "İ" * MIB}),
    "a context of many": lambda: an_action(context={f"{n}": "live" for n in range(10_000)}),
    "a context of many that just fit": lambda: an_action(context={f"{n}": "prod live" for n in range(MOST_FACTS)}),
    "a name of 1 MiB": lambda: an_action(parameters={"card" * (MIB // 4): 1}),
    "many names": lambda: an_action(parameters={f"card number {n}": n for n in range(10_000)}),
    "a text of 1 MiB": lambda: an_action(parameters={"amount": "9" * MIB}),
    "a number of 100,000 digits": lambda: an_action(parameters={"amount": 10**100_000}),
    "an absurd exponent": lambda: an_action(parameters={"amount": "1e999999999"}),
    "many separators": lambda: an_action(parameters={"amount": "1" + "., _'" * 11}),
    "not a number": lambda: an_action(parameters={"amount": "NaN", "value": float("nan")}),
    "a signalling one": lambda: an_action(parameters={"amount": "sNaN123"}),
    "digits of another script": lambda: an_action(parameters={"amount": "٣" * 50}),
    "superscript digits": lambda: an_action(parameters={"amount": "²" * 80, "value": "²"}),
    "deep": lambda: an_action(parameters={"a": deep(10_000)}),
    "a long list": lambda: an_action(parameters={"a": list(range(500_000))}),
    "a long list of lists": lambda: an_action(parameters={"a": [[[]]] * 100_000}),
    "a long list of objects": lambda: an_action(parameters={"a": [{"email": 1}] * 100_000}),
    "many indicators": lambda: an_action(risk_indicators={f"i{n}": False for n in range(10_000)}),
    "an indicator of 1 MiB": lambda: an_action(risk_indicators={"\U000e0001" * MIB: True}),
    "a huge score": lambda: an_action(risk_indicators={"risk_score": 10**100_000}),
    "a score that is none": lambda: an_action(risk_indicators={"risk_score": float("nan")}),
    "a path of 1 MiB": lambda: an_action(redacted=("a" * MIB,)),
    "lone surrogates": lambda: an_action(action_type="\ud800", parameters={"\ud800 card": "\ud800"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_an_agent_can_send_raises_or_makes_long_reasons(name: str) -> None:
    score, _, factors = EVERYTHING.assess(HOSTILE[name](), at=MONDAY_NOON, is_new=True)

    assert 0 <= score <= 100
    assert all(len(factor.name) <= 80 and len(factor.reason) <= 160 for factor in factors)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_an_agent_can_send_is_looked_through_beyond_a_limit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = HOSTILE[name]()
    steps = 0

    def count(*_: object) -> Callable[..., Any]:
        nonlocal steps
        steps += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        EVERYTHING.assess(action, at=MONDAY_NOON, is_new=True)
    finally:
        sys.settrace(before)

    assert steps < 20_000


# What counts, by default


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0, "low"),
        (30, "low"),
        (31, "medium"),
        (60, "medium"),
        (61, "high"),
        (85, "high"),
        (86, "critical"),
        (100, "critical"),
    ],
)
def test_a_score_falls_into_its_band(score: int, level: str) -> None:
    assert MODEL.bands.level(score) == level


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({"action_type": "order.lookup"}, 5),
        ({"action_type": "mail.send"}, 35),
        ({"action_type": "quantum.frobnicate"}, 45),
        ({"action_type": "payment.refund"}, 50),
        ({"action_type": "db.migrate"}, 55),
        ({"action_type": "shell.run"}, 55),
        ({"action_type": "role.grant"}, 55),
        ({"action_type": "customer.delete"}, 80),
        ({"action_type": "list_and_delete"}, 80),
        ({"action_type": "listOrDelete"}, 80),
        ({"action_type": "PAYMENT.REFUND"}, 50),
        ({"action_type": "undeleted"}, 45),
        ({"action_type": "löschen"}, 45),
        ({"action_type": "get" + "." * (LONGEST_NAME - 3)}, 5),
        ({"action_type": "get" + "." * (LONGEST_NAME - 2)}, 45),
        ({"action_type": "x.get" + "." * LONGEST_NAME + "delete"}, 45),
        ({"action_type": "x.delete" + "." * LONGEST_NAME + "get"}, 80),
        ({"parameters": {"amount": 999.99}}, 50),
        ({"parameters": {"amount": 1_000}}, 65),
        ({"parameters": {"Amount": 1_000}}, 65),
        ({"parameters": {"amount": "10000.00"}}, 80),
        ({"parameters": {"amount": "€ 10,000"}}, 80),
        ({"parameters": {"amount": "1.000,50"}}, 80),
        ({"parameters": {"amount": "1.000.000"}}, 80),
        ({"parameters": {"amount": -20_000}}, 80),
        ({"parameters": {"amount": "Infinity"}}, 80),
        ({"parameters": {"amount": "9" * (LONGEST_NUMBER + 1)}}, 80),
        ({"parameters": {"amount": "word " * LONGEST_NUMBER}}, 50),
        ({"parameters": {"amount": 10**50}}, 80),
        ({"parameters": {"amount": 1, "total": 5_000}}, 65),
        ({"parameters": {"payment": {"of": [{"amount": 5_000}]}}}, 65),
        ({"parameters": {"amount": True}}, 50),
        ({"parameters": {"amount": "a lot"}}, 50),
        ({"parameters": {"amount": "NaN"}}, 50),
        ({"parameters": {"amount": "1e"}}, 50),
        ({"parameters": {"amount": "2023-11-20"}}, 50),
        ({"parameters": {"amount": [50_000]}}, 50),
        ({"parameters": {"amounts": 50_000}}, 50),
        ({"parameters": {"email": "a@example.com"}}, 55),
        ({"parameters": {"to": {"cardNumber": "4"}}}, 55),
        ({"parameters": {"card_number": "4"}}, 55),
        ({"parameters": {"postcard": "4"}}, 50),
        ({"redacted": ("api_key",)}, 55),
        ({"redacted": ("api_key",), "parameters": {"email": 1}}, 55),
        ({"parameters": {"ids": list(range(MOST_ITEMS))}}, 50),
        ({"parameters": {"ids": list(range(MOST_ITEMS + 1))}}, 80),
        ({"parameters": {f"n{n}": n for n in range(MOST_NAMES)}}, 50),
        ({"parameters": {f"n{n}": n for n in range(MOST_NAMES + 1)}}, 80),
        ({"resource": "db:production"}, 65),
        ({"resource": "prod_db1"}, 65),
        ({"resource": "db:reproduction"}, 50),
        ({"resource": "products"}, 50),
        ({"resource": "x" * LONGEST_SURROUNDINGS}, 50),
        ({"resource": "x" * LONGEST_SURROUNDINGS + "y"}, 65),
        ({"context": {f"{n}": n for n in range(MOST_FACTS)}}, 50),
        ({"context": {f"{n}": n for n in range(MOST_FACTS + 1)}}, 65),
        ({"context": {"env": "PROD"}}, 65),
        ({"context": {"production": True}}, 65),
        ({"context": {"production": False}}, 50),
        ({"context": {"env": ["prod"]}}, 50),
        ({"action_type": "x.delete", "parameters": {"amount": 10_000}, "resource": "live"}, 100),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_score_is_the_sum_of_what_is_known_to_be_risky(changes: dict[str, Any], score: int) -> None:
    assert MODEL.assess(an_action(**changes), at=MONDAY_NOON).score == score


def test_a_first_refund_is_of_medium_risk_and_says_why() -> None:
    action = an_action(parameters={"email": "a@example.com", "amount": 1_500}, resource="orders/prod")

    score, level, factors = MODEL.assess(action, at=MONDAY_NOON, is_new=True)

    assert (score, level) == (90, "critical")
    assert [(factor.name, factor.points, factor.reason) for factor in factors] == [
        ("action type", 50, "'refund' moves money"),
        ("environment", 15, "'prod' is named in the resource or context"),
        ("amount", 15, "1,500 is 1,000 or more"),
        ("data", 5, "'email' is personal"),
        ("novelty", 5, "this agent was never cleared for exactly this before"),
    ]


def test_reasons_quote_what_is_hidden_by_its_path_and_cut_what_is_long_visibly() -> None:
    assert reason(an_action(redacted=("login.token",)), "data") == "it carries what is hidden: 'login.token'"
    assert reason(an_action(action_type="z" * 100), "action type") == f"'{'z' * 59}… is of no known kind"
    assert reason(an_action(action_type="\n\u202e"), "action type") == r"'\n\u202e' is of no known kind"
    assert (
        reason(an_action(redacted=("token",), parameters={"email": 1}), "data") == "it carries what is hidden: 'token'"
    )
    large, larger = (reason(an_action(parameters={"amount": amount}), "amount") for amount in (10**15 - 1, 10**15))
    assert large == "999,999,999,999,999 is 10,000 or more"
    assert larger == "a number of more than 15 digits is 10,000 or more"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "''"),
        ("x" * LONGEST_QUOTE, f"'{'x' * LONGEST_QUOTE}'"),
        ("x" * (LONGEST_QUOTE + 1), f"'{'x' * (LONGEST_QUOTE - 1)}…"),
        ("\n" * 30, "'" + r"\n" * 30 + "'"),
        ("\n" * 31, "'" + r"\n" * 29 + "\\…"),
        ("\n" * 1_000_000, "'" + r"\n" * 29 + "\\…"),
    ],
    ids=["nothing", "as long as can be", "longer", "spelled out", "too long when spelled out", "very long"],
)
def test_a_quote_is_short_and_shows_where_it_was_cut(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_what_the_caller_says_of_the_risk_counts_by_what_is_true_and_by_its_own_score() -> None:
    said = {"first_time": True, "trusted": False, "note": "safe", "one": 1, "risk_score": 12.4}
    _, _, factors = MODEL.assess(an_action(risk_indicators=said))

    assert [(factor.name, factor.points) for factor in factors[1:]] == [
        ("indicator 'risk_score'", 12),
        ("indicator 'first_time'", 10),
    ]
    for soothing in (-50, -0.5, 0, "90", None, [90]):
        assert MODEL.assess(an_action(risk_indicators={"risk_score": soothing})).factors == factors[:1]


def test_only_so_many_indicators_count() -> None:
    _, _, factors = MODEL.assess(an_action(risk_indicators={f"i{number}": True for number in range(100)}))

    assert len(factors) == 1 + MODEL.most_indicators


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (-5, 5),
        (2**128 - 1, 2**128 - 1),
        (2**128, ENDLESS),
        (0.1, Decimal("0.1")),
        (float("-inf"), ENDLESS),
        (float("nan"), 0),
        (True, 0),
        (None, 0),
        ("12.50", Decimal("12.5")),
        ("  -12.50  ", Decimal("12.5")),
        (".5", Decimal("0.5")),
        ("1,000.50", Decimal("1000.5")),
        ("1.000,50", 100_050),
        ("1,5", 15),
        (",5 ", 5),
        ("1.000.000", 1_000_000),
        ("1 000 000", 1_000_000),
        ("1'000_000", 1_000_000),
        ("€9", 9),
        ("USD 9", 9),
        ("9 EUR", 9),
        ("9 euros", 0),
        ("dollar 9", 0),
        ("1e5", 100_000),
        ("-1E-2", Decimal("0.01")),
        ("1e", 1),
        (".", 0),
        ("1.2.3e5", 12_300_000),
        ("2023-11-20", 0),
        ("NaN", 0),
        ("-infinity", ENDLESS),
        ("9" * LONGEST_NUMBER, Decimal("9" * LONGEST_NUMBER)),
        ("9" * (LONGEST_NUMBER + 1), ENDLESS),
        (" -" + "9" * LONGEST_NUMBER, ENDLESS),
        ("x" * (LONGEST_NUMBER + 1), 0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_number_is_read_as_it_is_meant_or_as_more(value: object, found: Decimal | int) -> None:
    assert number(value) == found


# What a policy may weigh otherwise


def test_tools_and_hours_count_nothing_unless_they_are_given_points() -> None:
    midnight = MONDAY_NOON + 12 * HOUR

    assert {factor.name for factor in MODEL.assess(an_action(), at=midnight).factors} == {"action type"}


def test_a_tool_counts_by_its_whole_name_in_any_case() -> None:
    assert points(an_action(tool_name="Stripe"), "tool", EVERYTHING) == 7
    assert points(an_action(tool_name="stripe-test"), "tool", EVERYTHING) == 0
    assert reason(an_action(tool_name="shell"), "tool", EVERYTHING) == "the tool is 'shell'"


@pytest.mark.parametrize(
    ("hours_later", "zone", "is_off"),
    [
        (0, "UTC", False),
        (5, "UTC", False),
        (6, "UTC", True),
        (-4, "UTC", False),
        (-5, "UTC", True),
        (5, "Europe/Berlin", True),
        (-5, "Europe/Berlin", False),
        (4 * 24, "UTC", False),
        (5 * 24, "UTC", True),
        (6 * 24, "UTC", True),
        (7 * 24, "UTC", False),
    ],
)
def test_an_hour_counts_outside_of_business_hours_where_the_policy_says(
    hours_later: int, zone: str, is_off: bool
) -> None:
    model = RiskModel(off_hours=5, time_zone=zone)

    assert points(an_action(), "hour", model, at=MONDAY_NOON + hours_later * HOUR) == 5 * is_off


def test_the_reason_of_an_hour_says_which_and_where() -> None:
    model = RiskModel(off_hours=5, time_zone="Asia/Tokyo")

    assert reason(an_action(), "hour", model, at=MONDAY_NOON) == ("mon 21:00 Asia/Tokyo is outside of business hours")


def test_business_hours_may_go_over_midnight_or_never_end() -> None:
    night = RiskModel(off_hours=5, hours=(22 * 60, 6 * 60), days=DAYS)
    always = RiskModel(off_hours=5, hours=(0, 24 * 60), days=DAYS)
    never = RiskModel(off_hours=5, hours=(600, 600), days=DAYS)

    off = [points(an_action(), "hour", night, at=MONDAY_NOON + hour * HOUR) for hour in (9, 10, 17, 18)]

    assert off == [5, 0, 0, 5]
    assert {points(an_action(), "hour", always, at=MONDAY_NOON + hour * HOUR) for hour in range(24)} == {0}
    assert {points(an_action(), "hour", never, at=MONDAY_NOON + hour * HOUR) for hour in range(24)} == {5}


def test_an_unknown_time_counts_as_within_business_hours() -> None:
    assert points(an_action(), "hour", EVERYTHING) == 0


def test_every_weight_may_be_another() -> None:
    model = RiskModel(
        kinds=(Kind("frobnicates", 12, ("frobnicate",)), Kind("reads", 1, ("get",))),
        unknown_kind=99,
        environments=(("staging", 3), ("eu", 4)),
        secret_data=2,
        personal_data=6,
        personal_words=("petname",),
        amounts=((5, 8),),
        amount_names=("price",),
        novelty=0,
        bands=Bands(5, 10, 15),
    )
    frobnicate = an_action(action_type="x.frobnicate", parameters={"price": 5, "petName": "x"}, redacted=("a",))

    assert model.assess(frobnicate, is_new=True)[:2] == (12 + 6 + 8, "critical")
    assert points(an_action(resource="staging.eu"), "environment", model) == 4
    assert points(an_action(resource="production"), "environment", model) == 0
    assert model.assess(an_action(action_type="x.delete")).score == 99
    assert model.assess(an_action(action_type="x.get")).score == 1
    assert points(an_action(redacted=("a",)), "data", model) == 2


def test_of_a_word_in_two_kinds_the_more_harmful_one_counts() -> None:
    one, other = Kind("a", 10, ("mark",)), Kind("b", 20, ("mark",))

    for kinds in ((one, other), (other, one)):
        assert RiskModel(kinds=kinds).kind_of("x.mark") == "b"


def test_a_model_without_any_weight_finds_no_risk_and_names_the_kind_still() -> None:
    nothing = RiskModel(
        kinds=(), unknown_kind=0, environments=(), secret_data=0, personal_data=0, amounts=(), novelty=0, indicator=0
    )
    action = an_action(
        resource="prod", parameters={"amount": 10**9, "email": 1}, redacted=("a",), risk_indicators={"a": True}
    )

    score, level, factors = nothing.assess(action, at=MONDAY_NOON, is_new=True)

    assert (score, level, len(factors)) == (0, "low", 1)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"unknown_kind": 101}, "unknown_kind: the points must be a number from 0 to 100"),
        ({"novelty": -1}, "novelty: the points"),
        ({"novelty": True}, "novelty: the points"),
        ({"indicator": 1.5}, "indicator: the points"),
        ({"off_hours": "5"}, "off_hours: the points"),
        ({"kinds": (Kind("reads", -1, ("get",)),)}, "reads: the points"),
        ({"tools": (("shell", 101),)}, "shell: the points"),
        ({"environments": (("prod", -1),)}, "prod: the points"),
        ({"amounts": ((1_000, 101),)}, "1000: the points"),
        ({"amounts": ((0, 5),)}, "amounts: each must be a number over 0"),
        ({"hours": (8, 1441)}, "hours: each must be a number of minutes from 0 to 1440"),
        ({"days": ("Montag",)}, "days: each must be one of mon, tue"),
        ({"time_zone": "Mars/Olympus"}, "'Mars/Olympus' is not known on this machine"),
        ({"time_zone": "../etc/passwd"}, "is not known on this machine"),
        ({"time_zone": ""}, "is not known on this machine"),
        ({"most_indicators": -1}, "most_indicators must be a number from 0 to 100"),
        ({"most_indicators": True}, "most_indicators must be a number from 0 to 100"),
        ({"amounts": ((True, 5),)}, "amounts: each must be a number over 0"),
        ({"most_indicators": 101}, "most_indicators must be a number from 0 to 100"),
    ],
    ids=str,
)
def test_weights_that_cannot_be_meant_are_refused(weights: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RiskModel(**weights)


@pytest.mark.parametrize(
    "weights",
    [
        {"unknown_kind": 0, "novelty": 100, "most_indicators": 0},
        {"unknown_kind": 100, "novelty": 0, "most_indicators": 100},
        {"amounts": ((1, 0), (2, 100)), "hours": (0, 1_440), "days": ()},
        {"bands": Bands(0, 1, 99)},
    ],
    ids=str,
)
def test_weights_at_the_edge_can_be_meant(weights: dict[str, Any]) -> None:
    model = RiskModel(**weights)

    assert {name: getattr(model, name) for name in weights} == weights
    assert 0 <= model.assess(an_action(), at=MONDAY_NOON, is_new=True).score <= 100


@pytest.mark.parametrize("edges", [(60, 30, 85), (30, 30, 85), (30, 60, 100), (-1, 60, 85)], ids=str)
def test_bands_that_do_not_rise_are_refused(edges: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="each above the one before"):
        Bands(*edges)


# The names that catalogues have


@pytest.mark.parametrize(
    ("action_type", "labels"),
    [
        ("order.delete", Labels("AC-3", "TA0040")),
        ("shell.run", Labels("AC-3", "TA0002")),
        ("role.grant", Labels("AC-2", "TA0004")),
        ("service.deploy", Labels("CM-5", None)),
        ("payment.refund", Labels("AC-5", "TA0040")),
        ("mail.send", Labels("AC-3", None)),
        ("order.lookup", Labels("AC-3", None)),
        ("quantum.frobnicate", Labels(None, None)),
    ],
)
def test_a_kind_of_deed_has_a_control_and_a_tactic_where_that_is_true(action_type: str, labels: Labels) -> None:
    assert labels_of(action_type) == labels


def test_every_kind_that_is_built_in_has_its_line_in_the_table() -> None:
    assert set(LABELS) == {kind.name for kind in KINDS}
