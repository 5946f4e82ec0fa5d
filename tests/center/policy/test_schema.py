"""The JSON Schema for editors: it takes what the reader takes, and knows every word that the reader knows."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.center.policy.pairs import policy_document, read
from tests.center.policy.test_limits import CALLS, SUM
from tests.center.policy.test_worked_policies import WORKED

from clearance.center.policy import limiting, matching, parse, reading, rules
from clearance.center.policy.limits import Per

SCHEMA: dict[str, Any] = json.loads(
    resources.files("clearance.center.policy").joinpath("policy.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)
BROKEN = Path(__file__).parent / "broken"
SHIPPED = [resources.files("clearance.center.policy").joinpath(name) for name in ("default.yaml", "start.yaml")]


def wrong(document: Any) -> list[str]:
    """What the schema has against a document."""
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "file", [*SHIPPED, *(file for file in WORKED if file.suffix == ".yaml")], ids=lambda file: file.name
)
def test_policies_that_can_be_used_are_valid(file: Any) -> None:
    assert wrong(yaml.safe_load(file.read_text("utf-8"))) == []


@given(st.integers(0, 2**32))
def test_whatever_the_reader_takes_is_valid(seed: int) -> None:
    document = policy_document(Random(seed))

    if read(document, "yaml") is not None:
        assert wrong(document) == []


def test_the_schema_knows_the_words_that_the_reader_knows() -> None:
    known = SCHEMA["$defs"]

    assert set(SCHEMA["properties"]) == set(reading._KEYS)
    assert set(known["rule"]["properties"]) == set(rules._KEYS)
    assert set(known["limit"]["properties"]) == {*rules._KEYS, *limiting.KEYS}
    assert known["limit"]["properties"]["per"]["enum"] == list(Per)
    assert set(known["match"]["properties"]) == set(matching._WORDS)
    assert set(known["operators"]["properties"]) == set(matching.OPERATORS)


@pytest.mark.parametrize("text", [CALLS, SUM, "limits: []"])
def test_limits_that_can_be_used_are_valid(text: str) -> None:
    parse(text)
    assert wrong(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    "name",
    [
        "162-unknown-key-in-a-limit.yaml",
        "163-limit-without-a-measure.yaml",
        "164-limit-of-calls-and-a-sum.yaml",
        "165-limit-of-calls-with-at-most.yaml",
        "166-limit-of-no-calls.yaml",
        "168-sum-without-at-most.yaml",
        "170-sum-of-the-context.yaml",
        "174-at-most-too-large.yaml",
        "176-limit-without-within.yaml",
        "179-limit-per-user.yaml",
        "180-limit-that-allows.yaml",
        "001-unknown-key-in-the-file.yaml",
        "007-unknown-key-in-a-rule.yaml",
        "009-rule-without-a-name.yaml",
        "010-rule-without-a-match.yaml",
        "011-rule-without-then.yaml",
    ],
)
def test_slips_of_form_are_not(name: str) -> None:
    assert wrong(yaml.safe_load((BROKEN / name).read_text()))
