"""JSON from somebody else: one text that means one thing, or nothing."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clearance.wire.strictjson import NotJson, read, write

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)

NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "HTML": b"<!doctype html><title>502 Bad Gateway</title>",
    "truncated": b'{"status": "appro',
    "two texts": b'{"a": 1} {"a": 2}',
    "something after it": b'{"a": 1}x',
    "single quotes": b"{'a': 1}",
    "a trailing comma": b'{"a": 1,}',
    "a comment": b'{"a": 1} // fine',
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "an encoded surrogate": b'{"a": "\xed\xa0\x80"}',
    "a key twice": b'{"status": "denied", "status": "approved"}',
    "a key twice, once escaped": b'{"status": "denied", "st\\u0061tus": "approved"}',
    "a key twice, far down": b'{"a": [{"b": {"c": 1, "c": 1}}]}',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": Infinity}',
    "minus infinity": b'{"a": -Infinity}',
    "a number that is too large": b'{"a": 1e999}',
    "a number with too many digits": b'{"a": ' + b"1" * 5_000 + b"}",
    "half a character": b'{"a": "\\ud800"}',
    "half a character in a key": b'{"\\udfff": 1}',
    "the halves the wrong way round": b'"\\ude00\\ud83d"',
    "a control character": b'{"a": "\n"}',
}


@pytest.mark.parametrize("data", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_one_json_text_with_one_meaning_is_refused(data: bytes) -> None:
    with pytest.raises(NotJson):
        read(data)


@given(json_values)
def test_what_was_written_is_read_back_as_it_was(value: Any) -> None:
    assert read(write(value)) == value


@given(json_values)
def test_what_others_write_in_ascii_means_the_same(value: Any) -> None:
    assert read(json.dumps(value).encode()) == value


def test_a_character_in_two_escaped_halves_is_a_character() -> None:
    assert read(b'"\\ud83d\\ude00"') == "\U0001f600"


@given(st.binary())
@example(b'{"a": 1')
@example(b"-")
@example(b"[" * 1_000)
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        value = read(data)
    except NotJson:
        return
    assert read(write(value)) == value


def nested(levels: int, opening: str, closing: str) -> bytes:
    return (opening * levels + "1" + closing * levels).encode()


@pytest.mark.parametrize(("opening", "closing", "levels"), [("[", "]", 32), ('{"a":', "}", 32), ('[{"a":', "}]", 16)])
def test_nesting_is_read_to_the_limit_and_refused_past_it(opening: str, closing: str, levels: int) -> None:
    assert read(nested(levels, opening, closing))
    with pytest.raises(NotJson, match="nested deeper than 32 levels"):
        read(nested(levels + 1, opening, closing))


def test_the_limit_of_nesting_can_be_set() -> None:
    assert read(b"[[1]]", max_depth=2) == [[1]]
    assert read(b'["[[[", {}]', max_depth=2) == ["[[[", {}]
    with pytest.raises(NotJson, match="deeper than 1 levels"):
        read(b"[[1]]", max_depth=1)


@pytest.mark.parametrize("levels", [900, 100_000])
@pytest.mark.parametrize("inside", ["1", '"\\ud800"'])
def test_no_depth_exhausts_the_stack(levels: int, inside: str) -> None:
    with pytest.raises(NotJson):
        read(("[" * levels + inside + "]" * levels).encode())


@pytest.mark.parametrize("data", [b'{"hunter2": NaN', b'{"hunter2": 1, "hunter2": 2}', b'"hunter2'])
def test_a_refusal_does_not_repeat_the_text(data: bytes) -> None:
    with pytest.raises(NotJson) as refused:
        read(data)

    assert "hunter2" not in str(refused.value)


def test_json_is_written_compactly_in_utf_8() -> None:
    assert write({"a": [1, None, "é"]}) == '{"a":[1,null,"é"]}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": object()}, {1j: 1}, "\ud800"], ids=repr)
def test_what_json_cannot_say_is_not_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        write(value)
