"""Methods: what they are called on is no parameter and no copy, and what it says of itself is shown and digested."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.callables.approvers import EditingApprover
from tests.callables.bodies import FLAVOURS, Bodies, Ledger, finished
from tests.callables.catalogue import Kind
from tests.callables.kinds import KINDS

from clearance import ActionChanged, ConfigurationError, Outcome, Status, requires_authorization
from clearance.testing import Asked, FakeTransport

# ---------------------------------------------------------------------------------------------------------------------
# What a method is called on
# ---------------------------------------------------------------------------------------------------------------------


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that tells nothing of what is inside."""
    return lambda *args, **kwargs: function(*args, **kwargs)


@dataclass
class Account:
    """Could be shown and copied like any other value, which would be wrong."""

    transport = FakeTransport(True)
    guard = staticmethod(requires_authorization(action_type="account.act", transport=transport))

    balance: int = 0

    @plain
    @guard
    def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @staticmethod
    @guard
    def merge(first: Account, second: Account) -> int:
        return first.balance + second.balance

    @property
    @guard
    def total(self) -> int:
        return self.balance

    @functools.cached_property
    @guard
    def opened(self) -> int:
        return id(self)


def asked_of_accounts() -> object:
    return Account.transport.asked[-1].parameters


def test_a_method_under_another_decorator_works_on_the_object_itself_and_not_on_a_copy() -> None:
    account = Account()

    account.deposit(5)

    assert account.balance == 5
    assert asked_of_accounts() == {"amount": 5}


@pytest.mark.parametrize(("name", "value"), [("total", lambda account: account.balance), ("opened", id)])
def test_a_property_is_read_of_the_object_itself(name: str, value: Callable[[object], object]) -> None:
    account = Account(7)

    assert getattr(account, name) == value(account)
    assert asked_of_accounts() == {}


def test_the_first_argument_of_a_static_method_is_a_parameter_even_if_it_is_an_object_of_the_class() -> None:
    assert Account.merge(Account(1), Account(2)) == 3
    assert asked_of_accounts() == {"first": {"balance": 1}, "second": {"balance": 2}}


def test_a_function_that_is_given_an_object_is_not_taken_for_its_method() -> None:
    transport = FakeTransport(True)

    @requires_authorization(action_type="test.act", transport=transport)
    def deposit(account: Account, amount: int) -> int:
        return account.balance + amount

    assert deposit(Account(1), 5) == 6
    assert transport.asked[0].parameters == {"account": {"balance": 1}, "amount": 5}


def test_no_approver_can_put_another_object_in_the_place_of_self() -> None:
    approver = EditingApprover({"self": {"balance": 100}})

    def deposit(self: Account, amount: int) -> int:
        return self.balance + amount

    class Savings(Account):
        add = requires_authorization(action_type="test.act", transport=approver, editable={"self", "amount"})(deposit)

    with pytest.raises(ActionChanged, match="which this guard does not allow"):
        Savings(1).add(5)

    assert approver.actions[0].editable == ("amount",)
    assert approver.claims == []


# ---------------------------------------------------------------------------------------------------------------------
# What it says of itself
# ---------------------------------------------------------------------------------------------------------------------

ON_SOMETHING = [
    kind
    for kind in KINDS
    if kind.make(lambda body: body, Bodies(Ledger(), "sync" if "sync" in kind.flavours else kind.flavours[0])).receiver
]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("kind", ON_SOMETHING, ids=str)
def test_a_resource_can_name_what_any_kind_of_method_is_called_on(kind: Kind, flavour: str) -> None:
    transport = FakeTransport(True)
    guard: Callable[[Any], Any] = requires_authorization(
        action_type="test.act",
        transport=transport,
        resource=lambda self, amount: f"{getattr(self, '__name__', type(self).__name__)}:{amount}",
    )
    made = kind.make(guard, Bodies(Ledger(), flavour))

    finished(made.call(["a"], 1))

    name = getattr(made.receiver, "__name__", type(made.receiver).__name__)
    assert {asked.resource for asked in transport.asked} == {f"{name}:1"}


def test_most_kinds_are_called_on_something() -> None:
    assert len(ON_SOMETHING) > len(KINDS) / 2


def cleared(transport: FakeTransport | None = None, **options: Any) -> Callable[[Any], Any]:
    every: dict[str, Any] = {"action_type": "test.act", "transport": transport or FakeTransport(True), **options}
    decorator: Callable[[Any], Any] = requires_authorization(**every)
    return decorator


class Box:
    """Says of itself what it is, in one of the ways there are."""

    def __init__(self, number: str) -> None:
        self.number = number


class ByText(Box):
    __clearance_resource__ = "the box"


class ByMethod(Box):
    def __clearance_resource__(self) -> str:
        return f"box:{self.number}"


class ByProperty(Box):
    @property
    def __clearance_resource__(self) -> str:
        return f"box:{self.number}"


class ByClassMethod(Box):
    @classmethod
    def __clearance_resource__(cls) -> str:
        return f"boxes:{cls.__name__}"


class ByItself(Box):
    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.__clearance_resource__ = f"box:{number}"


SAYS: dict[type[Box], str] = {
    ByText: "the box",
    ByMethod: "box:7",
    ByProperty: "box:7",
    ByClassMethod: "boxes:Guarded",
    ByItself: "box:7",
}


def opening(base: type[Box], transport: FakeTransport, **options: Any) -> Any:
    class Guarded(base):  # type: ignore[misc,valid-type]
        @cleared(transport, **options)
        def open(self) -> str:
            number: str = self.number
            return number

        @cleared(transport)
        @classmethod
        def make(cls) -> str:
            return cls.__name__

    return Guarded


@pytest.mark.parametrize(("base", "resource"), SAYS.items())
def test_what_an_object_says_of_itself_is_the_resource(base: type[Box], resource: str) -> None:
    transport = FakeTransport(True)

    assert opening(base, transport)("7").open() == "7"

    assert transport.asked[0].resource == resource


def test_what_the_guard_says_counts_more() -> None:
    transport = FakeTransport(True)

    opening(ByMethod, transport, resource="a box")("7").open()

    assert transport.asked[0].resource == "a box"


@pytest.mark.parametrize(
    ("base", "resource"),
    [(ByText, "the box"), (ByClassMethod, "boxes:Guarded"), (ByMethod, None), (ByProperty, None), (ByItself, None)],
)
def test_of_a_class_only_what_holds_without_an_object_is_said(base: type[Box], resource: str | None) -> None:
    transport = FakeTransport(True)

    assert opening(base, transport).make() == "Guarded"

    assert transport.asked[0].resource == resource


@pytest.mark.parametrize(("base", "resource"), [(ByText, "the box"), (ByMethod, None), (ByProperty, None)])
def test_an_object_that_is_only_being_made_says_nothing_of_itself(base: type[Box], resource: str | None) -> None:
    transport = FakeTransport(True)
    guarded: Any = cleared(transport)(type("Guarded", (base,), {}))

    assert guarded("7").number == "7"

    assert transport.asked[0].resource == resource


def test_a_callable_object_says_what_it_is_too() -> None:
    class Teller(ByMethod):
        def __call__(self, amount: int) -> int:
            return amount

    transport = FakeTransport(True)

    assert cleared(transport)(Teller("7"))(5) == 5

    assert transport.asked[0].resource == "box:7"
    assert transport.asked[0].parameters == {"amount": 5}


class Broken(Box):
    @property
    def __clearance_resource__(self) -> str:
        return str(self.nmuber)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


class Confused(Box):
    def __clearance_resource__(self) -> int:
        return 7


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        (Broken, r"Guarded\.__clearance_resource__ failed with AttributeError"),
        (Confused, r"resource= is or returned a int, not a text"),
    ],
)
def test_an_object_that_fails_to_say_what_it_is_is_not_worked_on(base: type[Box], problem: str) -> None:
    transport = FakeTransport(True)

    with pytest.raises(ConfigurationError, match=problem):
        opening(base, transport)("7").open()

    assert transport.asked == []


WAYS: dict[str, Callable[[FakeTransport], Any]] = {
    "resource=": lambda transport: opening(Box, transport, resource=lambda self: f"box:{self.number}"),
    "a method": lambda transport: opening(ByMethod, transport),
    "a property": lambda transport: opening(ByProperty, transport),
}


@pytest.mark.parametrize("way", WAYS)
@given(numbers=st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(["1", "2"])))
def test_two_objects_have_different_digests_exactly_if_their_resources_differ(
    way: str, numbers: tuple[str, str]
) -> None:
    transport = FakeTransport(True)
    cls = WAYS[way](transport)

    for number in numbers:
        cls(number).open()

    first, second = (asked.action.digest for asked in transport.asked)
    assert (first == second) == (numbers[0] == numbers[1])


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("after", ["8", None], ids=["another number", "no number any more"])
def test_an_object_that_becomes_another_while_the_call_is_pending_is_not_worked_on(
    flavour: str, after: str | None
) -> None:
    box = ByMethod("7")

    def approve_and_change(_asked: Asked) -> bool:
        if after is None:
            del box.number
        else:
            box.number = after
        return True

    transport, ledger = FakeTransport(approve_and_change), Ledger()
    ByMethod.pay = cleared(transport)(Bodies(ledger, flavour).method("ByMethod"))  # type: ignore[attr-defined]

    with pytest.raises(ActionChanged):
        finished(box.pay(["a"], 1))  # type: ignore[attr-defined]

    assert ledger.runs == []
    assert transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))
