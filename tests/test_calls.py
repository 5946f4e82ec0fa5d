"""A callable and its arguments -> a call: bound as Python binds, copied, named, digested."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.calls import Call, Callee, private_copy
from clearance.errors import UnguardableCallable, UnserializableArgument
from clearance.models import CodeIdentity, Json
from clearance.redaction import View
from clearance.sealing import seal, spell
from clearance.testing.strategies import Arguments, Signature, calls, signatures

KEY = b"one key"
CODE = CodeIdentity("billing", "refund", "function")


def refund(charge: str, amount: int = 5, *lines: str, reason: str = "none", **more: object) -> object:
    """Refund a charge.

    It takes a day.
    """
    return charge, amount, lines, reason, more


async def arefund(charge: str) -> str:
    return charge


def bound(function: Callable[..., Any], *args: object, **kwargs: object) -> Call:
    return Callee(function).bind(args, kwargs)


# ---------------------------------------------------------------------------------------------------------------------
# Binding
# ---------------------------------------------------------------------------------------------------------------------


some_values = st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)
any_arguments = st.builds(
    Arguments,
    st.lists(some_values, max_size=7).map(tuple),
    st.dictionaries(st.sampled_from(["p0", "p1", "p3", "k0", "k1", "rest", "more", "self"]), some_values, max_size=5),
)
signatures_and_calls = signatures().flatmap(
    lambda signature: st.tuples(st.just(signature), calls(signature), calls(signature))
)


def outcome_of(call: Callable[[], object]) -> object:
    try:
        return call()
    except TypeError:
        return TypeError


@given(signatures_and_calls)
def test_a_body_receives_through_a_call_what_python_would_have_given_it(
    made_up: tuple[Signature, Arguments, Arguments],
) -> None:
    signature, given_, _ = made_up
    function = signature.function()

    assert bound(function, *given_.args, **given_.kwargs).run() == function(*given_.args, **given_.kwargs)


@given(signatures(), any_arguments)
def test_a_call_that_python_would_refuse_is_refused_and_no_other(signature: Signature, given_: Arguments) -> None:
    function = signature.function()

    through_a_call = outcome_of(lambda: bound(function, *given_.args, **given_.kwargs).run())
    assert through_a_call == outcome_of(lambda: function(*given_.args, **given_.kwargs))


@given(signatures_and_calls)
def test_every_argument_stands_under_its_parameters_label_and_no_label_is_made_up_by_the_caller(
    made_up: tuple[Signature, Arguments, Arguments],
) -> None:
    signature, given_, _ = made_up

    assert list(bound(signature.function(), *given_.args, **given_.kwargs).labelled) == signature.labels


@given(signatures_and_calls)
def test_two_calls_of_a_function_share_a_digest_exactly_if_the_body_would_receive_the_same(
    made_up: tuple[Signature, Arguments, Arguments],
) -> None:
    signature, one, other = made_up
    function = signature.function()

    digests = {digest_of(bound(function, *call.args, **call.kwargs).labelled) for call in (one, other)}
    assert (len(digests) == 1) == (function(*one.args, **one.kwargs) == function(*other.args, **other.kwargs))


def test_defaults_are_bound_and_shown_like_any_other_argument() -> None:
    assert bound(refund, "ch_1").labelled == {
        "charge": "ch_1",
        "amount": 5,
        "*lines": (),
        "reason": "none",
        "**more": {},
    }


def test_positional_and_keyword_arguments_of_one_call_are_the_same_call() -> None:
    assert bound(refund, "ch_1", 7).labelled == bound(refund, amount=7, charge="ch_1").labelled


def test_a_keyword_that_is_called_like_a_positional_only_parameter_does_not_shadow_it() -> None:
    def pay(amount: int, /, **options: object) -> object:
        return amount, options

    call = bound(pay, 5_000, amount=1)

    assert call.labelled == {"amount": 5_000, "**options": {"amount": 1}}
    assert call.run() == (5_000, {"amount": 1})


@pytest.mark.parametrize("kwargs", [{}, {"charge": "a", "charge_id": "b"}], ids=["missing", "unknown"])
def test_arguments_that_do_not_fit_are_the_type_error_they_always_were(kwargs: dict[str, object]) -> None:
    def pay(charge: str) -> str:
        return charge

    with pytest.raises(TypeError, match="argument"):
        bound(pay, **kwargs)


def test_what_has_no_readable_signature_is_refused() -> None:
    with pytest.raises(UnguardableCallable, match=r"signature of .* cannot be read"):
        Callee(max)


@pytest.mark.parametrize("thing", [5, object(), "refund"], ids=repr)
def test_what_cannot_be_called_is_refused_as_a_type_error(thing: object) -> None:
    with pytest.raises(TypeError, match="cannot be called, so there is nothing to guard"):
        Callee(thing)


# ---------------------------------------------------------------------------------------------------------------------
# Private copies
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Order:
    lines: list[str]


MUTATIONS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "list": ([1], lambda value: value.append(2)),
    "list in a tuple": (([1],), lambda value: value[0].append(2)),
    "dict": ({"a": 1}, lambda value: value.update(a=2)),
    "set": ({1}, lambda value: value.add(2)),
    "bytearray": (bytearray(b"a"), lambda value: value.extend(b"b")),
    "dataclass": (Order(["a"]), lambda value: value.lines.append("b")),
    "deep inside": ({"a": [{"b": [1]}]}, lambda value: value["a"][0]["b"].append(2)),
}


@pytest.mark.parametrize(("value", "mutate"), MUTATIONS.values(), ids=MUTATIONS)
def test_what_the_caller_does_to_its_own_objects_changes_nothing_in_the_call(
    value: Any, mutate: Callable[[Any], object]
) -> None:
    call = bound(lambda first, *rest, **more: None, value, value, key=value)
    before = repr(call.labelled)

    mutate(value)

    assert repr(call.labelled) == before


def test_mutating_a_default_changes_nothing_in_the_call() -> None:
    shared: list[int] = []
    call = bound(lambda items=shared: items)

    shared.append(1)

    assert call.labelled == {"items": []}


def test_references_that_are_shared_stay_shared() -> None:
    cart = ["a"]

    call = bound(lambda cart, order, *more: None, cart, {"cart": cart}, cart)

    copied = call.labelled["cart"]
    assert copied is not cart
    assert copied is call.labelled["order"]["cart"] is call.labelled["*more"][0]


def test_a_value_that_contains_itself_is_copied_as_it_is() -> None:
    loop: list[object] = []
    loop.append(loop)

    copied = private_copy({"loop": loop})["loop"]

    assert copied[0] is copied is not loop


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", b"a"])
def test_what_cannot_change_is_not_copied(value: object) -> None:
    assert private_copy({"value": value})["value"] is value


def uncopiable() -> dict[str, object]:
    return {"generator": (letter for letter in "ab"), "lock": threading.Lock(), "code": inspect.currentframe()}


@pytest.mark.parametrize("kind", uncopiable())
def test_what_cannot_be_copied_is_refused_by_its_parameters_name(kind: str) -> None:
    with pytest.raises(UnserializableArgument, match=r"source cannot be copied \(\w+\)") as refused:
        bound(lambda amount, source: None, 5, [uncopiable()[kind]])

    assert refused.value.path == "source"
    assert refused.value.__cause__ is not None


def test_what_is_nested_too_deeply_to_be_copied_is_refused_by_its_parameters_name() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(UnserializableArgument, match="tree is nested too deeply"):
        private_copy({"tree": deep})

    while deep:  # taken apart here, since freeing it at once may exhaust the stack
        deep = deep[0]


@pytest.mark.parametrize(
    ("args", "frozen"), [((1, "a"), True), ((None, b"a"), True), ((1, []), False), ((1, Order([])), False)]
)
def test_a_call_is_frozen_if_no_value_could_change(args: tuple[object, ...], frozen: bool) -> None:
    assert bound(lambda first, second: None, *args).is_frozen is frozen


# ---------------------------------------------------------------------------------------------------------------------
# What is known of a callable
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "kind"), [(refund, "function"), (arefund, "coroutine function")])
def test_the_code_identity_is_the_module_the_name_and_the_kind(function: Callable[..., Any], kind: str) -> None:
    assert Callee(function).code == CodeIdentity(__name__, function.__qualname__, kind)


class Teller:
    def __call__(self, amount: int) -> int:
        return amount


def test_a_callable_object_goes_by_its_class() -> None:
    assert Callee(Teller()).code == CodeIdentity(__name__, "Teller", "function")


def test_a_partial_goes_by_the_function_inside() -> None:
    assert Callee(functools.partial(refund, "ch_1")).code == CodeIdentity(__name__, "refund", "function")


@pytest.mark.parametrize(("function", "summary"), [(refund, "Refund a charge."), (arefund, "")])
def test_the_summary_is_the_first_line_of_the_docstring(function: Callable[..., Any], summary: str) -> None:
    assert Callee(function).summary == summary


def test_the_title_is_the_call_as_a_line_of_code() -> None:
    call = bound(refund, "ch_1", 5, "a")
    shown: Mapping[str, Json] = {"charge": "ch_1", "amount": 5, "*lines": ["a"]}

    assert call.title(shown) == "refund(charge='ch_1', amount=5, *lines=['a'])"


# ---------------------------------------------------------------------------------------------------------------------
# View and digest
# ---------------------------------------------------------------------------------------------------------------------


def test_one_walk_gives_what_is_shown_by_label() -> None:
    view = View()

    shown, _ = spell(bound(refund, "ch_1", 5, "a", password="hunter2").labelled, view, KEY)

    assert shown == {
        "charge": "ch_1",
        "amount": 5,
        "*lines": ["a"],
        "reason": "none",
        "**more": {"password": "[redacted]"},
    }
    assert view.redacted == ["**more.password"]


@pytest.mark.parametrize("label", ["password", "*tokens_of_secret", "**credentials"])
def test_a_parameter_with_a_secrets_name_is_hidden_whatever_its_kind(label: str) -> None:
    shown, _ = spell({label: ["hunter2"]}, View(), KEY)

    assert shown == {label: "[redacted]"}


def digest_of(
    arguments: Mapping[str, object],
    agent_id: str = "bot",
    action_type: str = "payment.refund",
    tool_name: str = "stripe",
    resource: str | None = None,
    code: CodeIdentity = CODE,
) -> str:
    return seal(agent_id, action_type, tool_name, resource, code, spell(arguments, View(), KEY)[1])


DIFFERENT_CALLS: dict[str, str] = {
    "plain": digest_of({"a": 1, "b": 2}),
    "other agent": digest_of({"a": 1, "b": 2}, agent_id="bot2"),
    "other action type": digest_of({"a": 1, "b": 2}, action_type="payment.charge"),
    "other tool": digest_of({"a": 1, "b": 2}, tool_name="adyen"),
    "a resource": digest_of({"a": 1, "b": 2}, resource="acct_1"),
    "an empty resource": digest_of({"a": 1, "b": 2}, resource=""),
    "other module": digest_of({"a": 1, "b": 2}, code=CodeIdentity("billing2", "refund", "function")),
    "other function": digest_of({"a": 1, "b": 2}, code=CodeIdentity("billing", "charge", "function")),
    "text shifted between the names": digest_of({"a": 1, "b": 2}, action_type="payment.refunds", tool_name="tripe"),
    "other value": digest_of({"a": 1, "b": 3}),
    "values swapped": digest_of({"a": 2, "b": 1}),
    "other type": digest_of({"a": True, "b": 2}),
    "other label": digest_of({"a": 1, "c": 2}),
    "in **b": digest_of({"a": 1, "**b": 2}),
    "fewer": digest_of({"a": 1}),
    "none": digest_of({}),
}


def test_the_digest_covers_who_acts_what_is_asked_the_code_and_every_argument() -> None:
    assert len(set(DIFFERENT_CALLS.values())) == len(DIFFERENT_CALLS)


def test_the_same_call_has_the_same_digest() -> None:
    assert digest_of({"a": [1, {"b": 2}]}) == digest_of({"a": [1, {"b": 2}]})
