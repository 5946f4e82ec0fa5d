"""Whatever the signature and whatever stands around it: a guarded call binds as Python does, and shows it all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_calls import any_arguments, outcome_of

from clearance import requires_authorization
from clearance.testing import FakeTransport
from clearance.testing.strategies import Arguments, Signature, calls, signatures

Decorator = Callable[[Any], Any]
Form = Callable[[Decorator, Signature, Arguments], Any]
"""Something to be called, made of a body with this signature; partials have these arguments already."""

NOTHING = Arguments((), {})


def a_method(signature: Signature) -> Any:
    """A body with this signature behind ``self``, which returns what it received beside that."""
    return _made(signature.source.replace("(", "(self, ", 1).replace("dict(locals())", _OTHERS))


_OTHERS = "{name: value for name, value in dict(locals()).items() if name != 'self'}"


def _made(source: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace["made_up"]


class _Home:
    """What methods are called on."""


def _in_a_class(attribute: Any) -> Any:
    return type("Made", (_Home,), {"made_up": attribute})


def _callable(signature: Signature) -> Any:
    return type("Made", (), {"__call__": a_method(signature)})()


def _constructor(guard: Decorator, signature: Signature, _: Arguments) -> Any:
    source = signature.source.replace("(", "(self, ", 1).replace("return dict(locals())", f"self.received = {_OTHERS}")
    cls = guard(type("Made", (), {"__init__": _made(source)}))
    return lambda *args, **kwargs: cls(*args, **kwargs).received


def _on_the_class(guard: Decorator, signature: Signature, _: Arguments) -> Any:
    cls = _in_a_class(guard(a_method(signature)))
    return functools.partial(cls.made_up, cls())


def _partialmethod(guard: Decorator, signature: Signature, bound: Arguments) -> Any:
    return _in_a_class(guard(functools.partialmethod(a_method(signature), *bound.args, **bound.kwargs)))


def _partialmethod_on_the_class(guard: Decorator, signature: Signature, bound: Arguments) -> Any:
    cls = _partialmethod(guard, signature, bound)
    return functools.partial(cls.made_up, cls())


FORMS: dict[str, Form] = {
    "a function": lambda guard, s, _: guard(s.function()),
    "a method": lambda guard, s, _: _in_a_class(guard(a_method(s)))().made_up,
    "a method, found on the class": _on_the_class,
    "a bound method, guarded afterwards": lambda guard, s, _: guard(_in_a_class(a_method(s))().made_up),
    "a class method, guarded above": lambda guard, s, _: _in_a_class(guard(classmethod(a_method(s)))).made_up,
    "a class method, guarded below": lambda guard, s, _: _in_a_class(classmethod(guard(a_method(s)))).made_up,
    "a static method, guarded above": lambda guard, s, _: _in_a_class(guard(staticmethod(s.function())))().made_up,
    "a static method, guarded below": lambda guard, s, _: _in_a_class(staticmethod(guard(s.function())))().made_up,
    "a callable object": lambda guard, s, _: guard(_callable(s)),
    "a constructor": _constructor,
    "two guards": lambda guard, s, _: guard(guard(s.function())),
}
PARTIAL_FORMS: dict[str, Form] = {
    "a partial": lambda guard, s, b: guard(functools.partial(s.function(), *b.args, **b.kwargs)),
    "a partial of a guarded function": lambda guard, s, b: functools.partial(guard(s.function()), *b.args, **b.kwargs),
    "a partial of a method": lambda guard, s, b: guard(
        functools.partial(_in_a_class(a_method(s))().made_up, *b.args, **b.kwargs)
    ),
    "a partial of a callable object": lambda guard, s, b: guard(functools.partial(_callable(s), *b.args, **b.kwargs)),
    "a partialmethod": lambda guard, s, b: _partialmethod(guard, s, b)().made_up,
    "a partialmethod, found on the class": _partialmethod_on_the_class,
    "a partialmethod of a class method": lambda guard, s, b: (
        _in_a_class(guard(functools.partialmethod(classmethod(a_method(s)), *b.args, **b.kwargs))).made_up
    ),
    "a partialmethod of a static method": lambda guard, s, b: (
        _in_a_class(guard(functools.partialmethod(staticmethod(s.function()), *b.args, **b.kwargs)))().made_up
    ),
    "a partialmethod of a guarded method": lambda guard, s, b: (
        _in_a_class(functools.partialmethod(guard(a_method(s)), *b.args, **b.kwargs))().made_up
    ),
}


def guarded_and_plain(form: Form, signature: Signature, bound: Arguments) -> tuple[Any, Any, FakeTransport]:
    transport = FakeTransport(True)
    guard: Decorator = requires_authorization(action_type="test.act", transport=transport)
    return form(guard, signature, bound), form(lambda body: body, signature, bound), transport


several = settings(max_examples=2 * settings().max_examples)
"""There are many forms, and one function to try them with."""

fitting = signatures().flatmap(lambda signature: st.tuples(st.just(signature), calls(signature)))


@st.composite
def partly_bound(draw: st.DrawFn) -> tuple[Signature, Arguments, Arguments]:
    """A signature, arguments that fit it, and how many of them are bound before the call."""
    signature, whole = draw(fitting)
    count = draw(st.integers(0, len(whole.args)))
    early = {name for name in whole.kwargs if draw(st.booleans())}
    first = {name: value for name, value in whole.kwargs.items() if name in early}
    again = {name: draw(st.integers(0, 9)) for name in first if draw(st.booleans())}  # over what was bound
    rest = {name: value for name, value in whole.kwargs.items() if name not in early} | again
    return signature, Arguments(whole.args[:count], first), Arguments(whole.args[count:], rest)


@several
@given(st.sampled_from(sorted(FORMS)), fitting)
def test_a_body_receives_what_python_would_have_given_it_and_an_approver_sees_it_all(
    form: str, made_up: tuple[Signature, Arguments]
) -> None:
    signature, call = made_up
    guarded, plain, transport = guarded_and_plain(FORMS[form], signature, NOTHING)

    received = guarded(*call.args, **call.kwargs)

    assert received == plain(*call.args, **call.kwargs)
    for asked in transport.asked:
        assert list(asked.parameters) == signature.labels
        shown = {label.lstrip("*"): value for label, value in asked.parameters.items()}
        assert shown == {name: list(value) if type(value) is tuple else value for name, value in received.items()}


@several
@given(st.sampled_from(sorted(FORMS)), signatures(), any_arguments)
def test_a_call_that_python_would_refuse_is_refused_and_no_other(
    form: str, signature: Signature, call: Arguments
) -> None:
    guarded, plain, transport = guarded_and_plain(FORMS[form], signature, NOTHING)

    outcome = outcome_of(lambda: guarded(*call.args, **call.kwargs))

    assert outcome == outcome_of(lambda: plain(*call.args, **call.kwargs))
    assert bool(transport.asked) == (outcome is not TypeError)


@several
@given(st.sampled_from(sorted(PARTIAL_FORMS)), partly_bound())
def test_what_was_bound_before_is_received_and_shown_like_the_rest(
    form: str, made_up: tuple[Signature, Arguments, Arguments]
) -> None:
    signature, bound, call = made_up
    guarded, plain, transport = guarded_and_plain(PARTIAL_FORMS[form], signature, bound)

    received = guarded(*call.args, **call.kwargs)

    assert received == plain(*call.args, **call.kwargs)
    assert list(transport.asked[0].parameters) == signature.labels


@several
@given(st.sampled_from(sorted(PARTIAL_FORMS)), signatures(), any_arguments, any_arguments)
def test_a_call_that_python_would_refuse_with_what_was_bound_before_is_refused_and_no_other(
    form: str, signature: Signature, bound: Arguments, call: Arguments
) -> None:
    if "self" in bound.kwargs:  # `partialmethod` itself cannot take this one
        bound = Arguments(bound.args, {name: value for name, value in bound.kwargs.items() if name != "self"})
    guarded, plain, transport = guarded_and_plain(PARTIAL_FORMS[form], signature, bound)

    outcome = outcome_of(lambda: guarded(*call.args, **call.kwargs))

    assert outcome == outcome_of(lambda: plain(*call.args, **call.kwargs))
    assert bool(transport.asked) == (outcome is not TypeError)


def test_a_partialmethod_of_a_callable_object_hands_it_what_it_was_found_on() -> None:
    class Teller:
        def __call__(self, owner: object, amount: int, *, note: str) -> tuple[object, int, str]:
            return owner, amount, note

    transport = FakeTransport(True)
    guard: Decorator = requires_authorization(action_type="test.act", transport=transport, opaque=("owner",))

    class Basket:
        pay: Any = guard(functools.partialmethod(Teller(), note="n"))

    basket = Basket()

    assert basket.pay(5) == Basket.pay(basket, amount=5) == (basket, 5, "n")
    first, second = (asked.parameters for asked in transport.asked)
    assert first == second
    assert list(first) == ["owner", "amount", "note"]
