"""T10, display: nothing that hides, reorders, pads or imitates reaches the page as it is, and nothing is lost."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.inbox import hostile

from clearance.center.inbox.display import Kind, segments, spelled, visible

CHIP = re.compile(r"(?:\\u\{([0-9a-f]+)\}|(\\t)|(␣))(?:×([\d,]+))?")
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc\U0001d159\U000e0100-\U000e01ef]"
)


def characters_that_mislead(text: str) -> set[str]:
    """What no approver would see, or see as what it is."""
    return {
        char
        for char in text
        if (unicodedata.category(char)[0] in "CZ" and char not in " \n") or BLANK.match(char) or char == "\u202e"
    }


def read_back(text: str) -> str:
    """The text that its segments spell."""
    found = ""
    for segment in segments(text):
        match segment.kind:
            case Kind.CHIP:
                for code, tab, space, times in CHIP.findall(segment.text):
                    char = chr(int(code, 16)) if code else "\t" if tab else space and " "
                    found += char * int((times or "1").replace(",", ""))
            case Kind.BREAK:
                found += "\n" * int(segment.text.partition("×")[2].replace(",", "") or 1)
            case _:
                found += segment.text
    return found


def shown(text: str) -> str:
    """What a browser makes of the HTML: its text."""
    return html.unescape(re.sub(r"<[^>]*>", "", str(visible(text))))


@pytest.mark.parametrize("text", hostile.ALL.values(), ids=hostile.ALL)
def test_no_character_that_misleads_reaches_the_html(text: str) -> None:
    assert characters_that_mislead(html.unescape(str(visible(text)))) == set()
    assert characters_that_mislead(spelled(text)) == set()
    assert "\n" not in spelled(text)


@pytest.mark.parametrize("text", hostile.HIDING.values(), ids=hostile.HIDING)
def test_what_hides_is_spelled_out(text: str) -> None:
    assert any(segment.kind is Kind.CHIP for segment in segments(text))
    assert '<span class="chip"' in visible(text)


@pytest.mark.parametrize("text", hostile.IMITATING.values(), ids=hostile.IMITATING)
def test_a_word_that_imitates_another_is_flagged_and_says_why(text: str) -> None:
    flagged = [segment for segment in segments(text) if segment.kind is Kind.FLAG]

    assert flagged
    assert all(segment.note for segment in flagged)
    assert html.escape(flagged[0].note) in visible(text)


@pytest.mark.parametrize("text", hostile.FINE.values(), ids=hostile.FINE)
def test_honest_text_of_any_language_is_left_alone(text: str) -> None:
    assert [segment.kind for segment in segments(text)] == [Kind.PLAIN]
    assert spelled(text) == text


@pytest.mark.parametrize("text", hostile.MARKUP.values(), ids=hostile.MARKUP)
def test_markup_is_text(text: str) -> None:
    tags = set(re.findall(r"<(/?\w+)", str(visible(text))))

    assert tags <= {"span", "/span", "mark", "/mark", "bdi", "/bdi"}
    assert not re.search(
        r"""["']""", re.sub(r'<(span|mark|bdi)( (class|title|dir)="[^"<>]*")*>', "", str(visible(text)))
    )


@pytest.mark.parametrize("text", [*hostile.ALL.values(), *hostile.FINE.values()], ids=[*hostile.ALL, *hostile.FINE])
def test_nothing_is_lost(text: str) -> None:
    assert read_back(text) == text


@given(st.text(st.characters(exclude_categories=[]) | st.sampled_from(" \n\t\u202e\u0430a1\u05d0\u0301")))
def test_any_text_at_all_is_shown_without_loss_and_without_what_misleads(text: str) -> None:
    assert read_back(text) == text
    assert characters_that_mislead(html.unescape(str(visible(text)))) == set()
    assert characters_that_mislead(spelled(text)) == set()


def test_padding_is_counted() -> None:
    assert shown("list" + " " * 500 + "; drop") == "list␣×500; drop"
    assert shown("list" + "\n" * 500 + "; drop") == "list↵×500\n; drop"
    assert shown("a\u200b\u200b\u200bb") == "a\\u{200b}×3b"


def test_one_line_break_is_seen_and_breaks() -> None:
    assert shown("a\nb") == "a↵\nb"


def test_different_characters_in_a_row_share_a_chip_and_are_counted_in_its_title() -> None:
    [chip] = segments("\u200b\u200c\u200b")

    assert chip.text == "\\u{200b}\\u{200c}\\u{200b}"
    assert chip.note == "3 characters that cannot be seen, or mislead"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\u202e", "right-to-left override"),
        ("\x1b", "control character"),
        ("\ud800", "half a character"),
        ("\ue000", "private character"),
        ("\u0378", "no character"),
    ],
)
def test_a_chip_says_the_name_of_what_it_spells(text: str, name: str) -> None:
    [chip] = segments(text)

    assert chip.note == name


def test_text_from_right_to_left_is_isolated_word_by_word_and_digits_stay_where_they_are() -> None:
    assert str(visible("שלום עולם 5 ב 100")) == '<bdi dir="rtl">שלום עולם</bdi> 5 <bdi dir="rtl">ב</bdi> 100'


def test_foreign_digits_say_which_number_they_are() -> None:
    [amount] = segments("\u0661\u0660\u0660")

    assert amount.note == "foreign digits: 100"


def test_a_cyrillic_word_of_look_alikes_is_flagged_only_where_nothing_else_is_cyrillic() -> None:
    assert [segment.kind for segment in segments("со")] == [Kind.FLAG]
    assert [segment.kind for segment in segments("заказ со скидкой")] == [Kind.PLAIN]


def test_an_empty_text_is_empty() -> None:
    assert visible("") == ""
    assert segments("") == []


def test_a_flag_is_told_in_plain_text_too() -> None:
    assert spelled("p\u0430ypal") == "p\u0430ypal [mixed scripts: \\u{430}]"
