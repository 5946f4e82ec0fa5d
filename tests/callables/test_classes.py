"""A guarded class stays the class that it is: to isinstance, subclasses, typing, dataclasses, pydantic and match."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import attrs
import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from tests.callables.importable import APPROVER, Invoice, Order, Pair, Receipt, Ticket

from clearance import Secret, Status, requires_authorization
from clearance.testing import Asked, FakeTransport

T = TypeVar("T")


def guard_over(transport: FakeTransport, **options: Any) -> Any:
    return requires_authorization(action_type="test.act", transport=transport, **options)


# ---------------------------------------------------------------------------------------------------------------------
# The class stays the class
# ---------------------------------------------------------------------------------------------------------------------


def test_the_guard_hands_back_the_very_class() -> None:
    class Plain:
        """A class."""

        rate = 3

    before = set(vars(Plain))

    assert guard_over(FakeTransport(True))(Plain) is Plain
    assert type(Plain) is type
    assert set(vars(Plain)) - before == {"__init__"}
    assert (Plain.rate, Plain.__doc__, Plain.__name__) == (3, "A class.", "Plain")


SIGNATURES: dict[str, tuple[Any, Any]] = {}


def twice(make: Any) -> Any:
    """The class, guarded and not."""
    SIGNATURES[make.__name__] = make(lambda cls: cls), make(guard_over(FakeTransport(True)))
    return make


@twice
def of_a_plain_class(guard: Any) -> type:
    @guard
    class Thing:
        def __init__(self, lines: list[str], amount: int = 5) -> None: ...

    return Thing


@twice
def of_a_class_without_a_constructor(guard: Any) -> type:
    @guard
    class Thing:
        pass

    return Thing


@twice
def of_a_dataclass(guard: Any) -> type:
    @guard
    @dataclass
    class Thing:
        lines: list[str] = dataclasses.field(default_factory=list)
        amount: int = 5

    return Thing


@twice
def of_an_attrs_class(guard: Any) -> type:
    @guard
    @attrs.define
    class Thing:
        lines: list[str]
        amount: int = 5

    return Thing


@twice
def of_a_model(guard: Any) -> type:
    @guard
    class Thing(BaseModel):
        lines: list[str]
        amount: int = 5

    return Thing


@twice
def of_a_pydantic_dataclass(guard: Any) -> type:
    @guard
    @pydantic_dataclass
    class Thing:
        lines: list[str]
        amount: int = 5

    return Thing


@twice
def of_a_named_tuple(guard: Any) -> Any:
    @guard
    class Thing(NamedTuple):
        lines: list[str]
        amount: int = 5

    return Thing


@twice
def of_an_exception(guard: Any) -> type:
    @guard
    class Thing(Exception):
        def __init__(self, lines: list[str], amount: int = 5) -> None: ...

    return Thing


@twice
def of_an_exception_without_a_constructor(guard: Any) -> type:
    @guard
    class Thing(LookupError):
        pass

    return Thing


def signature(thing: Any) -> object:
    try:
        return inspect.signature(thing)
    except ValueError:  # a class whose constructor is in C
        return "unreadable"


def hints(thing: Any) -> object:
    try:
        return typing.get_type_hints(thing)
    except NameError:  # pydantic has names that only a type checker knows
        return "unreadable"


@pytest.mark.parametrize(("plain", "guarded"), SIGNATURES.values(), ids=SIGNATURES)
def test_whoever_looks_at_a_guarded_class_sees_the_class(plain: Any, guarded: Any) -> None:
    assert inspect.isclass(guarded)
    assert signature(guarded) == signature(plain) or signature(plain) == "unreadable"
    assert hints(guarded) == hints(plain)
    assert hints(guarded.__init__) == hints(plain.__init__)
    assert (guarded.__name__, guarded.__mro__[1:]) == (plain.__name__, plain.__mro__[1:])
    assert inspect.getdoc(guarded) == inspect.getdoc(plain)


def test_isinstance_issubclass_and_subclasses_work() -> None:
    transport = FakeTransport(True)

    @guard_over(transport)
    class Paper:
        def __init__(self, amount: int) -> None:
            self.amount = amount

    class Bill(Paper):
        def __init__(self, amount: int, due: str) -> None:
            super().__init__(amount)
            self.due = due

    bill = Bill(5, "today")

    assert isinstance(bill, Paper)
    assert isinstance(bill, Bill)
    assert issubclass(Bill, Paper)
    assert (bill.amount, bill.due) == (5, "today")
    assert [asked.parameters for asked in transport.asked] == [{"amount": 5}]
    assert transport.asked[0].action.code is not None
    assert transport.asked[0].action.code.kind == "class"


def test_an_abstract_class_stays_abstract_and_nobody_is_asked_for_it() -> None:
    transport = FakeTransport(True)

    @guard_over(transport)
    class Paper(ABC):
        @abstractmethod
        def title(self) -> str: ...

    class Bill(Paper):
        def title(self) -> str:
            return "bill"

    with pytest.raises(TypeError, match="abstract"):
        Paper()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
    assert transport.asked == []
    assert Bill().title() == "bill"
    assert len(transport.asked) == 1


def test_a_generic_class_can_be_made_of_a_type() -> None:
    transport = FakeTransport(True)

    class Box(Generic[T]):
        def __init__(self, item: T) -> None:
            self.item = item

    guarded: Any = guard_over(transport)(Box)

    assert guarded[int](5).item == 5
    assert guarded[int].__origin__ is Box
    assert transport.asked[0].parameters == {"item": 5}


def test_the_fields_of_a_class_stay_its_fields() -> None:
    assert [field.name for field in dataclasses.fields(Order)] == ["lines", "amount"]
    assert [field.name for field in attrs.fields(Ticket)] == ["lines", "amount"]
    assert Pair._fields == ("lines", "amount")
    assert list(Invoice.model_fields) == ["lines", "amount"]
    assert list(Receipt.__slots__) == ["lines", "amount"]
    assert typing.get_type_hints(Order) == {"lines": list[str], "amount": int}


def test_objects_are_what_they_always_were() -> None:
    order = Order(["a"], 7)

    assert order == Order(["a"], 7) != Order(["a"], 8)
    assert repr(order) == "Order(lines=['a'], amount=7)"
    assert dataclasses.asdict(order) == {"lines": ["a"], "amount": 7}
    assert hash(Receipt(("a",))) == hash(Receipt(("a",)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Receipt(("a",)).amount = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_objects_match_their_patterns() -> None:
    found = []
    for thing in (Order(["a"], 7), Receipt(("a",), 8), Ticket(("a",), 9), Invoice(lines=["a"], amount=10)):
        match thing:
            case Order([line], amount) | Receipt([line], amount) | Ticket([line], amount):
                found.append((line, amount))
            case Invoice(lines=[line], amount=amount):
                found.append((line, amount))
    match Pair(("a",), 11):
        case Pair((line,), amount):
            found.append((line, amount))

    assert found == [("a", 7), ("a", 8), ("a", 9), ("a", 10), ("a", 11)]


def test_a_model_validates_as_it_always_did() -> None:
    before = len(APPROVER.asked)

    with pytest.raises(ValidationError, match="amount"):
        Invoice(lines=["a"], amount="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert Invoice(lines=["a"], amount="7").amount == 7  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert Invoice.model_json_schema()["required"] == ["lines"]
    assert [asked.status for asked in APPROVER.asked[before:]] == [Status.FAILED, Status.COMPLETED]


def test_what_makes_an_object_without_its_constructor_asks_nobody() -> None:
    """One of the known limits; the list of them says so."""
    invoice, order, pair = Invoice(lines=["a"]), Order(["a"]), Pair(("a",))
    before = len(APPROVER.asked)

    assert Invoice.model_validate({"lines": ["a"]}) == invoice
    assert Invoice.model_validate_json('{"lines": ["a"]}') == invoice
    assert TypeAdapter(Invoice).validate_python({"lines": ["a"]}) == invoice
    assert Invoice.model_construct(lines=["a"]) == invoice
    assert pair._replace(amount=7) == (("a",), 7)
    assert type(object.__new__(Order)) is Order
    assert len(APPROVER.asked) == before
    assert dataclasses.replace(order, amount=7) == Order(["a"], 7)  # this one goes through the constructor
    assert len(APPROVER.asked) == before + 2


# ---------------------------------------------------------------------------------------------------------------------
# The constructor is held
# ---------------------------------------------------------------------------------------------------------------------


def test_a_dataclass_under_whose_decorator_a_guard_stands_cannot_be_made_unasked() -> None:
    """The guard belongs above: below, `dataclass` takes the guarded constructor for the author's own."""
    transport = FakeTransport(True)

    @dataclass
    @guard_over(transport)
    class Thing:
        amount: int

    with pytest.raises(TypeError, match="argument"):
        Thing(5)
    assert transport.asked == []


def test_secrets_of_a_class_are_hidden_however_its_constructor_is_made() -> None:
    transport = FakeTransport(True)
    guard = guard_over(transport)

    @guard
    @dataclass
    class ADataclass:
        user: str
        password: str
        iban: Annotated[str, Secret]

    @guard
    @pydantic_dataclass
    class APydanticDataclass:
        user: str
        password: str
        iban: Annotated[str, Secret]

    @guard
    class AModel(BaseModel):
        user: str
        password: str
        iban: Annotated[str, Secret]
        pin_of_the_card: SecretStr
        old_pin: SecretStr | None = None

    @guard
    @attrs.define
    class AnAttrsClass:
        user: str
        password: str
        iban: Annotated[str, Secret]

    @guard
    class ATuple(NamedTuple):
        user: str
        password: str
        iban: Annotated[str, Secret]

    for cls in (ADataclass, APydanticDataclass, AnAttrsClass, ATuple):
        made: Any = cls("ann", "hunter2", "DE-hunter2")
        assert (made.password, made.iban) == ("hunter2", "DE-hunter2")
    given: dict[str, Any] = {"pin_of_the_card": "hunter2", "old_pin": SecretStr("hunter2")}
    AModel(user="ann", password="hunter2", iban="DE-hunter2", **given)

    assert len(transport.asked) == 5
    for asked in transport.asked:
        assert "hunter2" not in repr(asked.action)
        assert "ann" in asked.description


def test_a_pydantic_dataclass_that_is_given_a_value_twice_is_not_asked_for() -> None:
    transport = FakeTransport(True)

    @guard_over(transport)
    @pydantic_dataclass
    class Login:
        user: str
        password: str

    with pytest.raises(TypeError, match="multiple values for argument 'user'"):
        Login("hunter2", user="ann", password="x")  # type: ignore[misc]  # pyright: ignore[reportCallIssue]
    assert transport.asked == []


def test_what_an_exception_keeps_is_what_was_shown() -> None:
    lines = ["a"]

    def approve_and_mutate(_asked: Asked) -> bool:
        lines.append("mallory")
        return True

    @guard_over(FakeTransport(approve_and_mutate))
    class Failure(Exception):
        def __init__(self, lines: list[str], *, fatal: bool = False) -> None:
            self.lines = lines

    failure = Failure(lines, fatal=True)

    assert failure.args == (["a"],)
    assert failure.lines == ["a"]


@pytest.mark.parametrize("base", [Exception, LookupError, OSError, KeyboardInterrupt, StopIteration, ImportError])
def test_a_built_in_exception_can_be_subclassed_and_guarded(base: type[BaseException]) -> None:
    transport = FakeTransport(True)
    plain: Any = type("Failure", (base,), {})
    guarded: Any = guard_over(transport)(type("Failure", (base,), {}))

    made, expected = guarded("a", 5), plain("a", 5)

    assert (made.args, str(made), made.__dict__) == (expected.args, str(expected), expected.__dict__)
    assert getattr(made, "errno", None) == getattr(expected, "errno", None)
    with pytest.raises(guarded):
        raise made
    assert transport.asked[0].parameters == {"*args": ["a", 5], "**kwargs": {}}
