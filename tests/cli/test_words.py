"""Which words of a command line an approver does not see."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.cli.jobs.words import Word, masked


def hidden(line: str, *named: str) -> list[str]:
    return [word for word, how in masked(shlex.split(line), frozenset(named)) if how is Word.HIDDEN]


LINES = {
    "pg_dump --dbname shop": [],
    "tool --password letmein": ["letmein"],
    "tool --password=letmein --verbose": ["--password=letmein"],
    "tool --api-key abc --port 80": ["abc"],
    "tool -token abc": ["abc"],
    "tool --password-file /etc/pw": [],
    "tool --max-tokens 100": [],
    "password letmein": [],
    "curl -u ada:hunter22xx https://example.com": ["ada:hunter22xx"],
    "tool --password": [],
    "tool --password=": [],
}


@pytest.mark.parametrize("line", LINES)
def test_the_values_of_options_that_are_called_secret_are_hidden_and_no_others(line: str) -> None:
    assert hidden(line) == LINES[line]


def test_an_option_that_is_named_hides_its_value_in_every_way_of_writing_it() -> None:
    line = "tool -p abc -pabc --pin-code abc --pin-code=abc -q abc --pinned"
    assert hidden(line, "-p", "--pin-code") == ["abc", "-pabc", "abc", "--pin-code=abc"]


def test_what_looks_like_a_credential_by_itself_is_left_to_the_form_of_texts() -> None:
    """There only the credential in it is hidden, and the rest of the word can be read."""
    assert hidden("psql postgres://ada:hunter2@db/shop") == []


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=8))
def test_every_word_is_there_once_and_in_its_place(argv: list[str]) -> None:
    assert [word for word, _ in masked(argv)] == argv
