"""Values are laid out by type; what is hidden, shown in part or folded says so."""

from __future__ import annotations

import pytest

from clearance.center.inbox.values import FOLD_CHARACTERS, FOLD_ITEMS, Kind, Shown, Value
from clearance.models import Json


def laid_out(value: Json) -> Value:
    return Shown().value(value, "it")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("5", Kind.TEXT, "5"),
        (5, Kind.NUMBER, "5"),
        (5.0, Kind.NUMBER, "5.0"),
        (True, Kind.WORD, "true"),
        ("true", Kind.TEXT, "true"),
        (None, Kind.WORD, "null"),
        ("null", Kind.TEXT, "null"),
        ("", Kind.TEXT, ""),
    ],
)
def test_a_string_is_told_from_what_it_spells(value: Json, kind: Kind, text: str) -> None:
    assert (laid_out(value).kind, laid_out(value).text) == (kind, text)


def test_nested_values_keep_their_names_and_their_order() -> None:
    value = laid_out({"b": [1, {"c": "x"}], "a": None})

    assert value.kind is Kind.OBJECT
    assert [name for name, _ in value.items] == ["b", "a"]
    assert value.items[0][1].items[1] == ("1", Value(Kind.OBJECT, "", (("c", Value(Kind.TEXT, "x")),)))


def test_a_long_text_is_folded_with_its_beginning_its_end_and_its_length() -> None:
    value = laid_out("safe" + " " * FOLD_CHARACTERS + "; drop everything")

    assert value.is_folded
    assert value.beginning.startswith("safe")
    assert value.end.endswith("; drop everything")
    assert value.summary == f"{len(value.text):,} characters"


def test_a_text_of_many_lines_is_folded() -> None:
    assert laid_out("x\n" * 8).is_folded
    assert not laid_out("x\n" * 7).is_folded


@pytest.mark.parametrize(("count", "is_folded"), [(FOLD_ITEMS, False), (FOLD_ITEMS + 1, True)])
def test_a_list_with_many_items_is_folded(count: int, is_folded: bool) -> None:
    items: list[Json] = [1] * count
    value = laid_out(items)

    assert value.is_folded is is_folded
    assert value.summary == f"{count} items"
    assert len(value.items) == count


def test_what_was_redacted_is_hidden_wherever_it_stands() -> None:
    shown = Shown(redacted=("api_key", "config.db.password", "keys['b'].secret"))

    assert shown.value("[redacted]", "api_key").kind is Kind.HIDDEN
    assert shown.value({"db": {"password": "[redacted]"}}, "config").items[0][1].items[0][1].kind is Kind.HIDDEN
    # Under a key that is no string the view is a list of pairs, with other paths.
    assert (
        shown.value([["b", {"secret": "[redacted]"}]], "keys").items[0][1].items[1][1].items[0][1].kind is Kind.HIDDEN
    )


@pytest.mark.parametrize(
    ("is_bound", "said"), [(True, "a secret; the approval covers its exact value"), (False, "a secret")]
)
def test_a_hidden_value_is_said_to_be_covered_only_if_it_is(is_bound: bool, said: str) -> None:
    assert Shown(("pin",), is_bound=is_bound).value("[redacted]", "pin") == Value(Kind.HIDDEN, said)


def test_a_value_that_only_says_redacted_is_no_secret() -> None:
    assert laid_out("[redacted]") == Value(Kind.TEXT, "[redacted]")


def test_a_value_that_is_not_redacted_is_shown_whatever_was_said_of_it() -> None:
    assert Shown(redacted=("note",)).value("drop", "note") == Value(Kind.TEXT, "drop")


def test_a_text_shown_in_part_says_how_much_beside_it() -> None:
    shown = Shown(abridged={"body": (4, 10_000)})

    value = shown.value("abcd… [4 of 10,000 characters shown]", "body")

    assert value == Value(Kind.TEXT, "abcd", note="first 4 of 10,000 characters shown; the rest was not sent")


def test_a_list_shown_in_part_says_how_many_items() -> None:
    value = Shown(abridged={"ids": (2, 900)}).value([1, 2], "ids")

    assert value.note == "first 2 of 900 items shown; the rest was not sent"


@pytest.mark.parametrize(
    ("number", "groups"),
    [
        (5, ["5"]),
        (9999, ["9999"]),
        (12345, ["12", "345"]),
        (123456, ["123", "456"]),
        (-1284310, ["-1", "284", "310"]),
        (-123456, ["-123", "456"]),
        (1234567.5, ["1234567.5"]),
    ],
)
def test_the_digits_of_whole_numbers_are_grouped(number: float, groups: list[str]) -> None:
    assert laid_out(number).groups == groups
