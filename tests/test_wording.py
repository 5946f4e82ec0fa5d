"""How a guard says what is asked: templates and functions over the parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from clearance.errors import ConfigurationError
from clearance.redaction import View
from clearance.sealing import spell
from clearance.wording import LONGEST_DESCRIPTION, Computed, Template, check_names, shorten


@dataclass
class Customer:
    name: str
    api_key: str = "sk-live"
    cards: tuple[str, ...] = ("4242",)

    def __str__(self) -> str:
        return f"{self.name} with {self.api_key}"


class Loud:
    """Tells a secret to whoever prints it."""

    def __str__(self) -> str:
        return "hunter2"


def filled(text: str, view: View | None = None, **arguments: Any) -> str:
    """The template's text for these arguments."""
    view = view or View()
    shown, _ = spell(arguments, view, b"key")
    return Template(text, list(arguments)).fill(arguments, shown, view)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Refund {amount} on {charge!r}", "Refund 5 on 'ch_1'"),
        ("{amount:>4}|{amount:<4}|", "   5|5   |"),
        ("{price:,.2f} for {customer.name}", "1,234.50 for Ann"),
        ("{customer.cards[0]}", "4242"),
        ("{options[colour]}", "red"),
        ("{day:%d.%m.%Y}", "31.01.2026"),
        ("{{literal}}", "{literal}"),
        ("nothing to fill", "nothing to fill"),
    ],
)
def test_a_template_is_filled_as_python_would_fill_it(text: str, expected: str) -> None:
    found = filled(
        text,
        amount=5,
        charge="ch_1",
        price=Decimal("1234.5"),
        customer=Customer("Ann"),
        options={"colour": "red"},
        day=date(2026, 1, 31),
    )

    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "{password}",
        "{password!r}",
        "{password:>40}",
        "{password[0]}",
        "{customer.api_key}",
        "{customers[0].api_key}",
        "{options[token]}",
        "{holder}",
        "{holder!s}",
        "{customer}",
        "{customer!r}",
        "{options}",
        "{iban}",
    ],
)
def test_a_secret_never_gets_into_a_description(text: str) -> None:
    customer = Customer("Ann", api_key="hunter2")

    found = filled(
        text,
        View(named=("iban",)),
        password="hunter2",
        customer=customer,
        customers=[customer],
        options={"token": "hunter2"},
        holder=SecretStr("hunter2"),
        iban="hunter2",
    )

    assert "hunter2" not in found


def test_an_object_appears_as_it_is_shown_to_the_approver_not_as_it_prints_itself() -> None:
    view = View()
    template = Template("Pay {whom}", ["whom"])

    assert template.fill({"whom": Loud()}, {"whom": "a Loud"}, view) == "Pay a Loud"
    assert template.fill({"whom": Loud()}, {"whom": None}, view) == "Pay [not shown]"


@pytest.mark.parametrize("text", ["{amuont}", "{amuont.x}", "{amuont[0]}", "{charge} {amuont!r:>3}"])
def test_a_name_that_is_no_parameter_is_refused_with_the_nearest_that_is(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Template(text, ["amount", "charge"])

    assert "'amuont'" in str(refused.value)
    assert "Did you mean 'amount'? Parameters here: amount, charge." in str(refused.value)


@pytest.mark.parametrize("text", ["{}", "{0}", "{!r}"])
def test_a_field_must_have_a_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no parameter"):
        Template(text, ["amount"])


@pytest.mark.parametrize("text", ["{", "}", "{amount", "{amount!}", "{amount!rx}"])
def test_a_template_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Template(text, ["amount"])


def test_where_nothing_is_near_the_parameters_are_listed_alone() -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_names(["zzz"], ["amount"], "redact=")

    assert str(refused.value) == "redact= names 'zzz', which is no parameter. Nothing was run. Parameters here: amount."


def test_where_there_are_no_parameters_it_says_so() -> None:
    with pytest.raises(ConfigurationError, match="Parameters here: none"):
        check_names(["zzz"], [], "redact=")


COMPUTED: dict[str, tuple[Callable[..., Any], object]] = {
    "one parameter": (lambda amount: amount, 5),
    "two in another order": (lambda charge, amount: (charge, amount), ("ch_1", 5)),
    "keyword-only": (lambda *, amount: amount, 5),
    "a default that is not needed": (lambda amount=0: amount, 5),
    "a default for what is not there": (lambda amount, fee=1: amount + fee, 6),
    "all of them": (lambda **everything: everything, {"amount": 5, "charge": "ch_1"}),
    "none of them": (lambda: "fixed", "fixed"),
}


@pytest.mark.parametrize(("function", "expected"), COMPUTED.values(), ids=COMPUTED)
def test_a_function_of_the_parameters_is_given_those_that_it_names(
    function: Callable[..., Any], expected: object
) -> None:
    computed = Computed(function, ["amount", "charge"], "when")

    assert computed({"amount": 5, "charge": "ch_1"}) == expected


def test_a_function_that_asks_for_what_is_not_there_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match=r"when= names 'amuont'.* Did you mean 'amount'"):
        Computed(lambda amuont: amuont, ["amount"], "when")


def test_a_description_of_the_limit_is_kept_whole() -> None:
    assert shorten("x" * LONGEST_DESCRIPTION) == "x" * LONGEST_DESCRIPTION


def test_a_longer_description_is_cut_and_says_so() -> None:
    assert shorten("x" * LONGEST_DESCRIPTION + "y") == "x" * LONGEST_DESCRIPTION + "… [2,000 of 2,001 characters shown]"
