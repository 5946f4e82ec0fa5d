"""Broken policy files, each with one slip, and the whole text with which each is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.center.policy import PolicyError, load

FOLDER = Path(__file__).parent / "broken"
FILES = sorted(file for file in FOLDER.iterdir() if file.name != "expected.txt")
ENTRIES = (FOLDER / "expected.txt").read_text("utf-8").rstrip("\n").split("\n\n")
EXPECTED = {entry.partition(":")[0]: entry for entry in ENTRIES}
"""What each file is refused with, by its name; an empty line stands between two of them."""


def refusal(file: Path) -> str:
    """With what the file is refused, with its name in place of its path."""
    with pytest.raises(PolicyError) as caught:
        load(file)
    return str(caught.value).replace(str(file), file.name)


def test_there_are_many_of_them() -> None:
    assert len(FILES) >= 60


def test_each_file_has_its_refusal_and_each_refusal_its_file() -> None:
    assert [entry.partition(":")[0] for entry in ENTRIES] == [file.name for file in FILES]


def test_the_files_are_numbered_without_a_gap() -> None:
    assert [int(file.name.partition("-")[0]) for file in FILES] == list(range(1, len(FILES) + 1))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_broken_file_is_refused_with_just_these_words(file: Path) -> None:
    assert refusal(file) == EXPECTED[file.name]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_line_of_a_refusal_names_a_place_that_is_in_the_file(file: Path) -> None:
    lines = file.read_bytes().decode(errors="replace").split("\n")

    for said in refusal(file).split("\n"):
        name, line, column, sentence = said.split(":", 3)
        assert name == file.name
        # One past the end of a line is where something is missing.
        assert 1 <= int(column) <= len(lines[int(line) - 1]) + 1
        assert int(line) >= 1
        assert sentence.endswith((".", "?"))
