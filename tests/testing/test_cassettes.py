"""Cassettes: recorded from a Center, kept in a readable file without secrets, and played again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.helpers import an_action
from tests.leaks import CANARY

import clearance
from clearance import ConfigurationError, Decision, Status
from clearance.testing import FakeTransport
from clearance.testing.cassettes import ANSWERS, Entry, read, write
from clearance.testing.recording import Recorder

pytest_plugins = ["pytester"]

SHOP = """
from clearance import requires_authorization

@requires_authorization(action_type="payment.refund", tool_name="stripe", editable={"amount"}, timeout=60)
def refund(amount: int, api_key: str = "") -> int:
    return amount

@requires_authorization(action_type="mail.send", tool_name="smtp", resource="outbox", timeout=60)
async def send(to: str) -> str:
    return to
"""

TESTS = f"""
import asyncio
import pytest
from clearance import ActionDenied, ActionUndecided
from shop import refund, send

SECRET = "".join(reversed("{CANARY[::-1]}"))

def test_all(authorization):
    authorization.allow().with_parameters(amount=1)
    assert refund(1) == 1
    assert refund(5, api_key=SECRET) == 5
    assert refund(50) == 20
    with pytest.raises(ActionDenied, match="too much"):
        refund(500)
    with pytest.raises(ActionUndecided):
        refund(5000)
    assert asyncio.run(send("ada")) == "ada"

def test_nothing(authorization): ...
"""

EXPECTED = {
    "clearance_cassette": 1,
    "test": "test_it.py::test_all",
    "requests": [
        {
            "action_type": "payment.refund",
            "tool_name": "stripe",
            "description": "refund(amount=5, api_key='[redacted]')",
            "parameters": {"amount": 5, "api_key": "[redacted]"},
            "answer": {"status": "approved", "reason": "fine", "decided_by": "ada", "risk_score": 12.5},
        },
        {
            "action_type": "payment.refund",
            "tool_name": "stripe",
            "description": "refund(amount=50, api_key='')",
            "parameters": {"amount": 50, "api_key": "[redacted]"},
            "answer": {"status": "approved", "edits": {"amount": 20}},
        },
        {
            "action_type": "payment.refund",
            "tool_name": "stripe",
            "description": "refund(amount=500, api_key='')",
            "parameters": {"amount": 500, "api_key": "[redacted]"},
            "answer": {"status": "denied", "reason": "too much, password=[redacted]", "message_for_model": "Ask less."},
        },
        {
            "action_type": "payment.refund",
            "tool_name": "stripe",
            "description": "refund(amount=5000, api_key='')",
            "parameters": {"amount": 5000, "api_key": "[redacted]"},
            "answer": {"status": "expired", "reason": "nobody decided in time", "reason_code": "undecided"},
        },
        {
            "action_type": "mail.send",
            "tool_name": "smtp",
            "resource": "outbox",
            "description": "send(to='ada')",
            "parameters": {"to": "ada"},
            "answer": {"status": "approved", "reason_code": "approver", "decided_by": "the test"},
        },
    ],
}


def decide(asked: Any) -> bool | Decision | None:
    """What the Center of these tests says."""
    answers = {
        5: Decision("", Status.APPROVED, "fine", decided_by="ada", risk_score=12.5),
        50: Decision("", Status.APPROVED, edits={"amount": 20}),
        500: Decision("", Status.DENIED, "too much, password=hunter22xyz", message_for_model="Ask less."),
        5000: None,
    }
    return answers.get(asked.parameters.get("amount"), True)


@pytest.fixture
def center() -> FakeTransport:
    """What the process is configured to ask."""
    center = FakeTransport(decide)
    clearance.configure(transport=center)
    return center


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makepyfile(shop=SHOP, test_it=TESTS)
    pytester.syspathinsert()
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    return pytester


def run(project: pytest.Pytester, mode: str, *options: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", f"--authorization={mode}", "test_it.py", *options)


def cassette(project: pytest.Pytester) -> Path:
    return project.path / "cassettes" / "test_it" / "test_all.json"


def test_recording_asks_the_center_what_no_rule_answers_and_keeps_it_readable(
    project: pytest.Pytester, center: FakeTransport
) -> None:
    result = run(project, "record")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["authorization: record, cassettes in cassettes/"])
    kept = json.loads(cassette(project).read_text())
    for request in kept["requests"][1:4]:  # an empty key is as hidden as any other
        request["description"] = request["description"].replace("'[redacted]'", "''")
    assert kept == EXPECTED
    assert cassette(project).read_text() == json.dumps(json.loads(cassette(project).read_text()), indent=2) + "\n"
    assert [path.name for path in cassette(project).parent.iterdir()] == ["test_all.json"]


def test_recording_spends_no_approval_of_the_center(project: pytest.Pytester, center: FakeTransport) -> None:
    run(project, "record")

    assert len(center.asked) == 5
    center.assert_nothing_ran()
    assert {asked.status for asked in center.asked} == {Status.WITHDRAWN, Status.DENIED}


def test_while_it_is_recorded_a_test_hears_what_it_will_hear_from_the_cassette(center: FakeTransport) -> None:
    recorder = Recorder()

    told = recorder.ask(an_action(parameters={"amount": 500}))

    assert told.reason == "too much, password=[redacted]"
    assert [entry.decision for entry in recorder.entries] == [told]
    assert "hunter22xyz" in str(center.asked[0].decision)


def test_nothing_secret_is_in_the_file_and_the_same_answers_make_the_same_bytes(
    project: pytest.Pytester, center: FakeTransport
) -> None:
    run(project, "record")
    first = cassette(project).read_bytes()
    run(project, "record")

    assert cassette(project).read_bytes() == first
    assert CANARY.encode() not in first
    assert b"hunter22xyz" not in first
    digests = {asked.action.digest for asked in center.asked}
    assert not [digest for digest in digests if digest.encode() in first]


@pytest.mark.parametrize("mode", ["replay", "strict"])
def test_what_was_recorded_is_played_without_a_center(
    project: pytest.Pytester, center: FakeTransport, mode: str
) -> None:
    run(project, "record")
    center.asked.clear()
    before = len(center.asked)
    clearance.configure(transport=None)

    run(project, mode).assert_outcomes(passed=2)
    assert len(center.asked) == before


def rewrite(project: pytest.Pytester, old: str, new: str) -> None:
    project.makepyfile(test_it=TESTS.replace(old, new))


REORDERED = (
    ("    assert refund(50) == 20\n", ""),
    ("    assert refund(1)", "    assert refund(50) == 20\n    assert refund(1)"),
)


@pytest.mark.parametrize(("mode", "passes"), [("replay", True), ("strict", False)])
def test_only_strict_asks_for_the_same_order(
    project: pytest.Pytester, center: FakeTransport, mode: str, passes: bool
) -> None:
    run(project, "record")
    text = TESTS
    for old, new in REORDERED:
        text = text.replace(old, new)
    project.makepyfile(test_it=text)

    result = run(project, mode, "-k", "test_all")
    result.assert_outcomes(passed=int(passes), failed=int(not passes))
    if not passes:
        assert "the next rule in order is: answer payment.refund with stripe where amount is 5" in result.stdout.str()


@pytest.mark.parametrize(("mode", "passes"), [("replay", True), ("strict", False)])
def test_only_strict_asks_for_all_of_it(
    project: pytest.Pytester, center: FakeTransport, mode: str, passes: bool
) -> None:
    run(project, "record")
    rewrite(project, '    assert asyncio.run(send("ada")) == "ada"\n', "")

    result = run(project, mode, "-k", "test_all")
    result.assert_outcomes(passed=int(passes), failed=int(not passes))
    if not passes:
        result.stdout.fnmatch_lines(["  - answer mail.send with smtp on outbox where to is 'ada' (recorded)"])


@pytest.mark.parametrize("mode", ["replay", "strict"])
def test_what_was_not_recorded_fails_with_the_nearest_that_was(
    project: pytest.Pytester, center: FakeTransport, mode: str
) -> None:
    run(project, "record")
    rewrite(project, "refund(50)", "refund(51)")

    result = run(project, mode, "-k", "test_all")
    result.assert_outcomes(failed=1)
    assert "but amount is 51, not 50" in result.stdout.str()


def test_each_recorded_answer_is_for_one_request(project: pytest.Pytester, center: FakeTransport) -> None:
    run(project, "record")
    rewrite(project, "    assert refund(50) == 20\n", "    assert refund(50) == 20\n    assert refund(50) == 20\n")

    assert "it was used 1 times already" in run(project, "replay", "-k", "test_all").stdout.str()


def test_without_a_cassette_the_test_is_told_how_to_make_one(project: pytest.Pytester) -> None:
    assert "nothing is recorded for this test; record it" in run(project, "replay", "-k", "test_all").stdout.str()


def test_without_the_option_a_cassette_is_not_played_but_pointed_at(
    project: pytest.Pytester, center: FakeTransport
) -> None:
    run(project, "record")
    rewrite(
        project,
        "    assert refund(5, api_key=SECRET) == 5\n",
        "    with pytest.raises(Exception): refund(5)\n    return\n",
    )

    result = project.runpytest_inprocess("-p", "no:cacheprovider", "test_it.py", "-k", "test_all")
    result.stdout.fnmatch_lines(["There is a cassette (test_all.json), which --authorization=replay would use."])


def test_a_test_that_fails_leaves_the_cassette_as_it_is(project: pytest.Pytester, center: FakeTransport) -> None:
    run(project, "record")
    first = cassette(project).read_bytes()
    rewrite(project, '    assert asyncio.run(send("ada")) == "ada"\n', "    assert 1 == 2\n")

    run(project, "record", "-k", "test_all").assert_outcomes(failed=1)
    assert cassette(project).read_bytes() == first


def test_a_test_that_asks_the_center_nothing_any_more_has_no_cassette(
    project: pytest.Pytester, center: FakeTransport
) -> None:
    run(project, "record")
    rewrite(project, "def test_all(authorization):\n", "def test_all(authorization):\n    return\n")

    run(project, "record", "-k", "test_all").assert_outcomes(passed=1)
    assert not cassette(project).exists()


def test_a_center_that_cannot_be_asked_is_no_answer_that_would_be_kept(project: pytest.Pytester) -> None:
    center = FakeTransport()
    center.unavailable()
    clearance.configure(transport=center)

    run(project, "record", "-k", "test_all").assert_outcomes(failed=1)
    assert not cassette(project).exists()


def test_the_folder_is_a_setting(project: pytest.Pytester, center: FakeTransport) -> None:
    project.makeini("[pytest]\nauthorization_cassettes = answers\n")
    run(project, "record").assert_outcomes(passed=2)
    assert (project.path / "answers" / "test_it" / "test_all.json").is_file()


# ---------------------------------------------------------------------------------------------------------------------
# The file
# ---------------------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts, st.lists, max_leaves=4)
entries = st.builds(
    lambda parameters, resource, decision: Entry.of(an_action(parameters=parameters, resource=resource), decision),
    st.dictionaries(texts, json_values, max_size=3),
    st.none() | texts,
    st.builds(
        Decision,
        st.just(""),
        st.sampled_from(sorted(ANSWERS)),
        reason=texts,
        reason_code=texts,
        decided_by=st.none() | texts.filter(bool),
        risk_score=st.none() | st.integers(0, 100),
        edits=st.dictionaries(texts, json_values, max_size=2),
        message_for_model=texts,
    ),
)


@given(st.lists(entries, min_size=1, max_size=3))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_again(tmp_path: Path, written: list[Entry]) -> None:
    path = tmp_path / "folder" / "a.json"
    write(path, "a test", written)
    first = path.read_bytes()
    assert read(path) == written
    write(path, "a test", read(path))
    assert path.read_bytes() == first


GOOD: dict[str, Any] = {
    "action_type": "a",
    "tool_name": "b",
    "description": "c",
    "parameters": {},
    "answer": {"status": "approved"},
}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("[]", "list indices"),
        ("{}", "'clearance_cassette' is missing"),
        ('{"clearance_cassette": 2}', "it is of version 2, and 1 can be read"),
        ('{"clearance_cassette": 1, "clearance_cassette": 1}', "a key stands twice"),
        ({"action_type": 5}, "action_type is no text"),
        ({"resource": None}, "resource is no text"),
        ({"answer": {"status": "granted"}}, "'granted' is not a valid Status"),
        ({"answer": {"status": "executing"}}, "an answer is 'executing', which decides nothing"),
        ({"answer": {"status": "pending"}}, "an answer is 'pending', which decides nothing"),
        ({"answer": {"status": "approved", "nonce": "x"}}, "an answer has nonce"),
        ({"answer": {"status": "approved", "reason": 5}}, "an answer has something else than a text for a text"),
        ({"answer": {}}, "'status' is missing"),
    ],
)
def test_a_file_that_says_what_no_center_says_is_refused(tmp_path: Path, text: Any, problem: str) -> None:
    """Above all it never clears a call."""
    path = tmp_path / "a.json"
    if isinstance(text, dict):
        text = json.dumps({"clearance_cassette": 1, "test": "t", "requests": [{**GOOD, **text}]})
    path.write_text(text)

    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        read(path)
    assert problem in str(refused.value)
    assert "--authorization=record" in str(refused.value)


def test_a_cassette_that_cannot_be_read_is_an_error_of_its_test(project: pytest.Pytester) -> None:
    cassette(project).parent.mkdir(parents=True)
    cassette(project).write_text("{}")
    result = run(project, "replay", "-k", "test_all")
    result.assert_outcomes(errors=1)
    assert "The cassette test_all.json cannot be read: 'clearance_cassette' is missing." in result.stdout.str()


def test_what_a_cassette_does_not_name_may_be_anything(project: pytest.Pytester, center: FakeTransport) -> None:
    """So a parameter that differs at every run can be deleted from the file."""
    run(project, "record")
    kept = json.loads(cassette(project).read_text())
    for request in kept["requests"]:
        request["parameters"].pop("api_key", None)
    del kept["requests"][1]["parameters"]["amount"]
    cassette(project).write_text(json.dumps(kept))
    rewrite(project, "refund(50)", "refund(51)")

    run(project, "strict", "-k", "test_all").assert_outcomes(passed=1)
