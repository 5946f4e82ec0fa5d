"""A guarded callable is the callable itself: to inspection, to copies and pickles, and to other processes."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import multiprocessing
import pickle
import typing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from types import FunctionType
from typing import Any

import pytest
from tests.callables import importable
from tests.callables.bodies import Bodies, Ledger
from tests.callables.catalogue import Kind
from tests.callables.importable import Account, Failure, Invoice, Order, Pair, Receipt, Ticket
from tests.callables.kinds import KINDS

from clearance import ActionDenied, requires_authorization
from clearance.testing import FakeTransport

CELLS = [pytest.param(kind, flavour, id=f"{kind.name}: {flavour}") for kind in KINDS for flavour in kind.flavours]


def guard(function: Any) -> Any:
    return requires_authorization(action_type="test.act", transport=FakeTransport(True))(function)


# ---------------------------------------------------------------------------------------------------------------------
# To inspection
# ---------------------------------------------------------------------------------------------------------------------


def look(thing: Any) -> dict[str, object]:
    """What can be seen of a callable without calling it."""
    names = (*functools.WRAPPER_ASSIGNMENTS, "__defaults__", "__kwdefaults__")
    seen = {name: getattr(thing, name, "none") for name in names}
    seen["abstract"] = getattr(thing, "__isabstractmethod__", False)
    kinds = ("coroutinefunction", "generatorfunction", "asyncgenfunction", "function", "method", "builtin")
    seen |= {kind: getattr(inspect, f"is{kind}")(thing) for kind in kinds}
    with contextlib.suppress(TypeError, NameError):
        seen["hints"] = typing.get_type_hints(thing)
    return {**seen, "signature": inspect.signature(thing), "doc": inspect.getdoc(thing)}


@pytest.mark.parametrize(("kind", "flavour"), CELLS)
def test_whoever_looks_at_a_guarded_callable_sees_the_callable(kind: Kind, flavour: str) -> None:
    bodies = Bodies(Ledger(), flavour)

    plain, guarded = kind.make(lambda body: body, bodies).call, kind.make(guard, bodies).call

    assert look(guarded) == look(plain)


def test_looking_sees_something() -> None:
    seen = look(importable.pay)

    assert seen["__qualname__"] == seen["__name__"] == "pay"
    assert seen["doc"] == "Pay for the lines.\n\nAt once."
    assert list(inspect.signature(importable.pay).parameters) == ["lines", "amount", "note"]
    assert typing.get_type_hints(importable.pay)["return"] == tuple[list[str], int]
    assert [look(function)["coroutinefunction"] for function in (importable.pay, importable.apay)] == [False, True]
    assert [look(function)["generatorfunction"] for function in (importable.pay, importable.each)] == [False, True]
    assert [look(function)["asyncgenfunction"] for function in (importable.each, importable.aeach)] == [False, True]


def test_the_callable_inside_can_be_found() -> None:
    def body() -> None: ...

    guarded: Any = guard(body)

    assert guarded.__wrapped__ is inspect.unwrap(guarded) is body
    assert isinstance(guarded, FunctionType)
    assert inspect.getsource(guarded) == inspect.getsource(body)


# ---------------------------------------------------------------------------------------------------------------------
# To copies
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pay", "apay", "each", "aeach", "Order", "Pair", "Failure"])
def test_what_stands_at_the_top_of_a_module_is_copied_and_pickled_as_itself(name: str) -> None:
    thing = getattr(importable, name)

    assert copy.copy(thing) is copy.deepcopy([thing])[0] is thing
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(thing, protocol)) is thing


BY_NAME: dict[str, Callable[[], Any]] = {
    "method, found on the class": lambda: Account.pay,
    "static method, guarded below": lambda: Account.check,
    "static method, guarded above": lambda: Account.recheck,
    "static method, found on an object": lambda: Account(5).recheck,
    "class method, guarded below": lambda: Account.open,
    "class method, guarded above": lambda: Account.reopen,
    "method of a class in a class": lambda: Account.Limits.lift,
}


@pytest.mark.parametrize("find", BY_NAME.values(), ids=BY_NAME)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_found_on_a_class_is_pickled_by_its_name_and_found_there_again(
    find: Callable[[], Any], protocol: int
) -> None:
    thing = find()

    for again in (pickle.loads(pickle.dumps(thing, protocol)), copy.deepcopy([thing])[0], copy.copy(thing)):
        assert again == thing
        assert again.__wrapped__ == thing.__wrapped__
        assert type(again) is type(thing)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_method_is_pickled_with_its_object(protocol: int) -> None:
    account = Account(10)

    again = pickle.loads(pickle.dumps([account.pay, account], protocol))

    assert again[0](4) == 6
    assert again[1] == Account(6)  # the same object, in the copy as here
    assert account == Account(10)


def test_a_method_is_copied_deeply_with_its_object() -> None:
    account = Account(10)
    bound: Any = account.pay

    pay, copied = copy.deepcopy((bound, account))
    pay(4)

    assert (copied, account) == (Account(6), Account(10))
    assert copy.copy(bound).__self__ is account


def _local() -> Any:
    class Local:
        @guard
        def pay(self) -> None: ...

        @guard
        @staticmethod
        def check() -> None: ...

    return Local


class Holder:
    """Things that go by no name of their own."""

    five = guard(functools.partialmethod(lambda _self, amount: amount, 5))
    renamed = guard(Account.Limits.lift)


UNPICKLABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "a lambda": (lambda: guard(lambda: None), "<lambda>"),
    "a function in a function": (lambda: guard(_local), "_local"),
    "a method of a class in a function": (lambda: _local()().pay, "Local"),
    "a method found on a class in a function": (lambda: _local().pay, "found again under none"),
    "a static method of a class in a function": (lambda: _local().check, "found again under none"),
    "a bound method that was guarded afterwards": (lambda: guard(Account(5).pay), "not the same object"),
    "a partial": (lambda: guard(functools.partial(_local)), "cannot pickle a guarded partial: it goes by its name"),
    "a partialmethod": (lambda: Holder().five, "cannot pickle a guarded partial: it goes by its name"),
    "a callable object": (lambda: guard(importable.APPROVER.clock.now), "not the same object"),
    "an object with __call__": (lambda: guard(functools.cache(_local)), "not the same object"),
}


@pytest.mark.parametrize(("make", "problem"), UNPICKLABLE.values(), ids=UNPICKLABLE)
def test_what_could_not_be_found_again_is_not_pickled_and_says_so(make: Callable[[], Any], problem: str) -> None:
    thing = make()

    with pytest.raises((pickle.PicklingError, AttributeError, TypeError), match=problem):
        pickle.dumps(thing)
    assert copy.copy(thing) is thing


# ---------------------------------------------------------------------------------------------------------------------
# Objects of guarded classes
# ---------------------------------------------------------------------------------------------------------------------

KEPT = {
    "dataclass": lambda: Order(["a"], 7),
    "frozen dataclass with slots": lambda: Receipt(("a",), 7),
    "attrs": lambda: Ticket(("a",), 7),
    "pydantic": lambda: Invoice(lines=["a"], amount=7),
}


@pytest.mark.parametrize("make", KEPT.values(), ids=KEPT)
def test_an_object_of_a_guarded_class_is_copied_and_pickled_without_asking_again(make: Callable[[], Any]) -> None:
    thing = make()
    before = len(importable.APPROVER.asked)

    for again in (pickle.loads(pickle.dumps(thing)), copy.deepcopy(thing), copy.copy(thing)):
        assert again == thing
        assert type(again) is type(thing)
    assert len(importable.APPROVER.asked) == before


@pytest.mark.parametrize("make", [lambda: Pair(("a",), 7), lambda: Failure(["a"], 7)], ids=["named tuple", "exception"])
def test_an_object_that_is_copied_by_its_constructor_asks_again(make: Callable[[], Any]) -> None:
    thing = make()
    before = len(importable.APPROVER.asked)

    for again in (pickle.loads(pickle.dumps(thing)), copy.copy(thing)):
        assert (type(again), again.args if isinstance(again, Failure) else again) == (
            type(thing),
            thing.args if isinstance(thing, Failure) else thing,
        )
    assert len(importable.APPROVER.asked) == before + 2


# ---------------------------------------------------------------------------------------------------------------------
# To other processes
# ---------------------------------------------------------------------------------------------------------------------


def test_a_process_pool_finds_guarded_callables_by_their_names_and_each_process_asks_for_itself() -> None:
    account = Account(10)
    before = importable.asked()

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(importable.pay, ["a"], 7).result() == (["a"], 7)
        assert pool.submit(account.pay, 4).result() == 6
        assert pool.submit(Account.open, 4).result() == Account(4)
        assert pool.submit(Account.recheck, 4).result() is True
        assert pool.submit(Order, ["a"], 4).result() == Order(["a"], 4)
        with pytest.raises(ActionDenied) as denied:
            pool.submit(importable.pay, [], 13).result()
        there = pool.submit(importable.asked).result()

    assert denied.value.reason_code == "approver"
    assert account == Account(10)
    assert [call.get("amount") for call in there] == [7, 4, 4, 4, 4, 13]
    assert importable.asked()[len(before) :] == [{"lines": ["a"], "amount": 4}]  # the one that was made here
