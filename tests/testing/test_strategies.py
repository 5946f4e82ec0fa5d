"""The strategies that we ship give what they say: parameters of every kind, calls that fit, what a Center takes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from clearance import Action, Decision, Status
from clearance.commands import Submit
from clearance.lifecycle import CLAIMED, REFUSED
from clearance.testing import FakeTransport
from clearance.testing.strategies import Arguments, Signature, actions, calls, decisions, json_values, signatures
from clearance.wire import asking, strictjson

Kind = inspect._ParameterKind


@given(actions())
def test_an_action_can_be_said_over_the_wire_and_asked_for(action: Action) -> None:
    submit = Submit(action, "key", "", 1.0)

    assert asking.request(submit).body
    assert FakeTransport(True).send(submit).status is Status.APPROVED


@given(actions(tool_name=st.just("stripe"), parameters=st.just({"amount": 5})))
def test_fields_of_an_action_can_be_given(action: Action) -> None:
    assert (action.tool_name, action.parameters) == ("stripe", {"amount": 5})


@given(decisions())
def test_a_decision_changes_only_what_was_approved_and_talks_to_a_model_only_in_a_refusal(decision: Decision) -> None:
    if decision.edits:
        assert decision.status is Status.APPROVED or decision.status in CLAIMED
    if decision.message_for_model:
        assert decision.status in REFUSED
    if decision.nonce is not None:
        assert decision.status in CLAIMED


def test_decisions_of_every_status_come_up() -> None:
    seen: set[Status] = set()

    @settings(max_examples=400, database=None)
    @given(decisions())
    def look(decision: Decision) -> None:
        seen.add(decision.status)

    look()
    assert seen == set(Status)


@given(decisions(Status.DENIED, reason=st.just("no")))
def test_fields_of_a_decision_can_be_given(decision: Decision) -> None:
    assert (decision.status, decision.reason) == (Status.DENIED, "no")


@given(json_values())
def test_json_values_are_what_json_can_say(value: Any) -> None:
    assert strictjson.read(strictjson.write({"value": value})) == {"value": value}


@pytest.mark.parametrize("kind", Kind)
def test_parameters_of_every_kind_come_up(kind: Kind) -> None:
    def has_it(signature: Signature) -> bool:
        return any(each.kind is kind for each in inspect.signature(signature.function()).parameters.values())

    assert has_it(find(signatures(), has_it))


@given(signatures())
def test_a_signature_is_that_of_its_function(signature: Signature) -> None:
    found = inspect.signature(signature.function()).parameters.values()
    stars = {Kind.VAR_POSITIONAL: "*", Kind.VAR_KEYWORD: "**"}

    assert [stars.get(each.kind, "") + each.name for each in found] == signature.labels
    assert [each.name for each in found if each.default == each.name] == [
        *signature.positional[len(signature.required) :],
        *(name for name in signature.keywords if name in signature.keyword_defaults),
    ]


@given(signatures().flatmap(lambda signature: st.tuples(st.just(signature), calls(signature))))
def test_what_is_drawn_for_a_signature_fits_it(drawn: tuple[Signature, Arguments]) -> None:
    signature, arguments = drawn

    received = signature.function()(*arguments.args, **arguments.kwargs)

    assert set(received) == {label.lstrip("*") for label in signature.labels}


def refund(charge: object, amount: object = 5, /, *lines: object, reason: object, **more: object) -> None:
    """Something of a user's own."""


class Till:
    def pay(self, amount: int, *, currency: str = "EUR") -> int:
        return amount


@pytest.mark.parametrize("function", [refund, Till().pay, Till, lambda: None, len, print, dict.get])
def test_calls_fit_any_callable(function: Callable[..., object]) -> None:
    @given(calls(function, st.text(max_size=3)))
    def fits(arguments: Arguments) -> None:
        if function is refund:  # what Python takes is what counts; `Signature.bind` is stricter with this one
            refund(*arguments.args, **arguments.kwargs)
        else:
            inspect.signature(function).bind(*arguments.args, **arguments.kwargs)
        assert all(isinstance(value, str) for value in (*arguments.args, *arguments.kwargs.values()))

    fits()


def test_without_hypothesis_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['hypothesis'] = None; import clearance.testing.strategies"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "clearance.testing.strategies needs hypothesis, which is not installed" in done.stderr
    assert "pip install hypothesis" in done.stderr


@pytest.mark.parametrize(
    ("name", "missing"), [("TransportContract", "hypothesis"), ("TransportContract", "pytest"), ("Peer", "nothing")]
)
def test_a_contract_says_what_to_install_too(name: str, missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from clearance.testing import contract; contract.{name}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode == 0) is (missing == "nothing")
    if missing != "nothing":
        says = f"clearance.testing.contract.{name} needs {missing}, which is not installed. Run: pip install"
        assert says in done.stderr


def test_loading_the_kit_loads_neither_pytest_nor_hypothesis() -> None:
    script = "import sys, clearance.testing, clearance.testing.faults; print({'pytest', 'hypothesis'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
