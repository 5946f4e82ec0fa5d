"""What a guard says beside the arguments: values, or functions of the parameters, without credentials; or nothing."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from tests.helpers import Door

from clearance import (
    ConfigurationError,
    Secret,
    authorized,
    check,
    configure,
    credentials,
    override,
    reasoning,
    requires_authorization,
)
from clearance.guards.proposal import LONGEST_REASONING
from clearance.models import Action
from clearance.testing import FakeTransport

CREDENTIAL = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"


@pytest.fixture
def cleared() -> FakeTransport:
    """An approver who clears everything."""
    return FakeTransport(True)


@pytest.fixture(autouse=True)
def finder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finds one shape of credential, whatever the real one finds."""

    def find(text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"sk_live_\w+", text)]

    monkeypatch.setattr(credentials, "find", find)


@dataclass
class Customer:
    name: str
    key: Annotated[str, Secret] = "4242"

    @property
    def greeting(self) -> str:
        return f"Dear {self.name}, {CREDENTIAL}"


def pay(customer: Customer | str, amount: int = 5, *lines: object, **more: object) -> Any:
    """Pay somebody."""
    return customer, amount


def asked(door: Door, transport: FakeTransport, *args: Any, **options: Any) -> Action:
    """The one action that a call asks for."""
    door.guard(pay, transport=transport, **options)(*(args or ("ann",)))
    return transport.asked[-1].action


# ---------------------------------------------------------------------------------------------------------------------
# Risk indicators
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{"first_time": True, "score": 7}, lambda amount: {"first_time": amount == 5, "score": 7}]
)
def test_risk_indicators_are_a_mapping_or_a_function_of_the_parameters(
    door: Door, cleared: FakeTransport, given: Any
) -> None:
    assert asked(door, cleared, risk_indicators=given).risk_indicators == {"first_time": True, "score": 7}


def test_neither_the_context_nor_the_risk_indicators_are_part_of_the_digest(door: Door, cleared: FakeTransport) -> None:
    actions = [
        asked(door, cleared),
        asked(door, cleared, context={"ticket": 1}),
        asked(door, cleared, risk_indicators={"score": 7}),
        asked(door, cleared, description="Pay"),
    ]

    assert len({action.digest for action in actions}) == 1


def test_secrets_in_the_context_and_in_the_risk_indicators_are_hidden(door: Door, cleared: FakeTransport) -> None:
    action = asked(
        door,
        cleared,
        context={"token": "hunter2", "customer": Customer("ann", "hunter2")},
        risk_indicators=lambda: {"login": {"password": "hunter2"}},
    )

    assert "hunter2" not in repr(action)
    assert {"token", "customer.key", "login.password"} <= set(action.redacted)


@pytest.mark.parametrize(
    "given", [None, {}, lambda: {}, lambda: None], ids=["none", "empty", "says none", "says empty"]
)
def test_nothing_to_add_is_nothing(door: Door, cleared: FakeTransport, given: Any) -> None:
    action = asked(door, cleared, context=given, risk_indicators=given)

    assert (action.context, action.risk_indicators) == ({}, {})


# ---------------------------------------------------------------------------------------------------------------------
# What cannot be said stops the call
# ---------------------------------------------------------------------------------------------------------------------


def failing(**_parameters: object) -> Any:
    raise LookupError("no such customer")


@pytest.mark.parametrize("option", ["description", "resource", "context", "risk_indicators"])
def test_a_function_that_fails_stops_the_call_with_the_cause_and_nobody_is_asked(
    door: Door, cleared: FakeTransport, option: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"given as {option}= failed with LookupError") as refused:
        asked(door, cleared, **{option: failing})

    assert isinstance(refused.value.__cause__, LookupError)
    assert cleared.asked == []


WRONG: dict[str, tuple[str, Any, str]] = {
    "no text": ("description", lambda: 5, "description= is or returned a int, not a text"),
    "nothing": ("description", lambda: None, "description= is or returned a NoneType, not a text"),
    "bytes": ("resource", lambda: b"a", "resource= is or returned a bytes, not a text"),
    "pairs": ("context", lambda: [("a", 1)], "context= is or returned a list, not a mapping"),
    "a text": ("risk_indicators", lambda: "high", "risk_indicators= is or returned a str, not a mapping"),
    "keys that are no text": ("context", lambda: {1: 2}, "context= is or returned a dict, not a mapping of names"),
    "an object": ("context", lambda: {"a": object()}, "^a is a builtins:object, of which nothing is known"),
}


@pytest.mark.parametrize(("option", "function", "problem"), WRONG.values(), ids=WRONG)
def test_a_function_that_says_something_else_stops_the_call(
    door: Door, cleared: FakeTransport, option: str, function: Callable[..., Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        asked(door, cleared, **{option: function})

    assert cleared.asked == []


async def later() -> str:
    return "too late"


class Later:
    async def __call__(self) -> str:
        return "too late"


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "description of another type": ({"description": 5}, "description= is or returned a int, not a text"),
    "resource of another type": ({"resource": 5}, "resource= is or returned a int, not a text"),
    "context of another type": ({"context": ["a"]}, "context= is or returned a list, not a mapping"),
    "context with other keys": ({"context": {1: 2}}, "context= is or returned a dict, not a mapping of names"),
    "risk of another type": ({"risk_indicators": "high"}, "risk_indicators= is or returned a str, not a mapping"),
    "a coroutine function": ({"when": later}, "when= is a coroutine function, whose answer would come too late"),
    "a callable object": ({"description": Later()}, "description= is a coroutine function"),
    "a partial of one": ({"resource": functools.partial(later)}, "resource= is a coroutine function"),
    "no signature": ({"when": max}, "when= is .*max.*, whose parameters cannot be read"),
    "by position only": ({"when": lambda amount, /: True}, "when= takes parameters by position only"),
    "no parameter": ({"context": lambda amuont: {}}, "context= names 'amuont'.* Did you mean 'amount'"),
    "stars": ({"description": lambda *args: ""}, "description= names 'args'"),
}


@pytest.mark.parametrize(("options", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_what_could_never_be_said_is_an_error_where_it_is_written(
    door: Door, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        door.guard(pay, **options)


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("{customer.nmae}", AttributeError),
        ("{more[tip]}", KeyError),
        ("{lines[0]}", IndexError),
        ("{amount:%d.%m.%Y}", ValueError),
        ("{amount[0]}", TypeError),
    ],
)
def test_a_template_that_this_call_does_not_fit_stops_the_call_with_the_cause(
    door: Door, cleared: FakeTransport, template: str, kind: type[Exception]
) -> None:
    with pytest.raises(ConfigurationError, match="could not be filled") as refused:
        asked(door, cleared, Customer("ann"), description=template)

    assert isinstance(refused.value.__cause__, kind)
    assert cleared.asked == []


# ---------------------------------------------------------------------------------------------------------------------
# Credentials in what is said
# ---------------------------------------------------------------------------------------------------------------------

LEAKS: dict[str, dict[str, Any]] = {
    "the docstring and the call": {},
    "a template": {"description": "Pay {customer.name}"},
    "a template of the whole": {"description": "Pay {customer}"},
    "a template of what is not shown": {"description": "{customer.greeting} {more[path]}"},
    "a template itself": {"description": f"Pay with {CREDENTIAL}"},
    "a function": {"description": lambda customer: f"Pay {customer.name}"},
    "a resource": {"resource": f"account:{CREDENTIAL}"},
    "a computed resource": {"resource": lambda customer: f"customer:{customer.name}"},
    "a context": {"context": lambda customer: {"name": customer.name}},
    "risk indicators": {"risk_indicators": {"source": f"https://{CREDENTIAL}@a.example"}},
}


@pytest.mark.parametrize("options", LEAKS.values(), ids=LEAKS)
def test_a_credential_is_masked_wherever_it_is_said(
    door: Door, cleared: FakeTransport, options: dict[str, Any]
) -> None:
    guarded = door.guard(pay, transport=cleared, **options)
    with reasoning(f"The customer gave me {CREDENTIAL}."):
        guarded(Customer(CREDENTIAL), path=CREDENTIAL)

    action = cleared.asked[0].action
    assert CREDENTIAL not in repr(action)
    assert action.reasoning == "The customer gave me [redacted]."
    assert action.parameters["customer"] == {"name": "[redacted]", "key": "[redacted]"}


def test_a_credential_in_a_blocks_words_is_masked(door: Door, cleared: FakeTransport) -> None:
    block = authorized(
        action_type="t",
        tool_name="t",
        description=f"Use {CREDENTIAL}",
        resource=f"key:{CREDENTIAL}",
        parameters={"note": CREDENTIAL},
        context={"note": CREDENTIAL},
        transport=cleared,
    )
    door.block(block, lambda _grant: None)

    action = cleared.asked[0].action
    assert CREDENTIAL not in repr(action)
    assert (action.description, action.resource) == ("Use [redacted]", "key:[redacted]")


def test_a_masked_text_is_digested_whole(door: Door, cleared: FakeTransport) -> None:
    for text in (CREDENTIAL, CREDENTIAL + "x", CREDENTIAL):
        asked(door, cleared, text)

    first, other, again = (asked.action.digest for asked in cleared.asked)
    assert first == again != other


# ---------------------------------------------------------------------------------------------------------------------
# The resource that a class says
# ---------------------------------------------------------------------------------------------------------------------


guarded = functools.partial(requires_authorization, action_type="t")


class Account:
    def __init__(self, number: object = 1) -> None:
        self.number = number

    def __clearance_resource__(self) -> object:
        return self.number if self.number is None or isinstance(self.number, bytes) else f"account:{self.number}"

    @guarded()
    def pay(self) -> None: ...

    @guarded(resource="bank")
    def pay_from_bank(self) -> None: ...

    @classmethod
    @guarded()
    def open(cls) -> None: ...

    @staticmethod
    @guarded()
    def check() -> None: ...


class Bank:
    __clearance_resource__ = "bank"

    @guarded()
    def pay(self) -> None: ...

    @classmethod
    @guarded()
    def open(cls) -> None: ...


class Branch:
    @property
    def __clearance_resource__(self) -> str:
        return "branch"

    @guarded()
    def pay(self) -> None: ...


class Region:
    @classmethod
    def __clearance_resource__(cls) -> str:
        return f"region:{cls.__name__}"

    @classmethod
    @guarded()
    def open(cls) -> None: ...


@guarded()
class Safe(Account):
    """Its constructor is guarded: no object is there yet that could say which one it is."""


RESOURCES: dict[str, tuple[Callable[[], object], str | None]] = {
    "a method": (lambda: Account(7).pay(), "account:7"),
    "a method called on the class": (lambda: Account.pay(Account(7)), "account:7"),
    "the guard's own": (lambda: Account(7).pay_from_bank(), "bank"),
    "says none": (lambda: Account(None).pay(), None),
    "a class method of a class whose objects say it": (lambda: Account.open(), None),
    "a static method": (lambda: Account.check(), None),
    "a text": (lambda: Bank().pay(), "bank"),
    "a text for a class method": (lambda: Bank.open(), "bank"),
    "a property": (lambda: Branch().pay(), "branch"),
    "a class method": (lambda: Region.open(), "region:Region"),
    "a constructor": (lambda: Safe(7), None),
}


@pytest.mark.parametrize(("call", "resource"), RESOURCES.values(), ids=RESOURCES)
def test_a_class_can_say_what_its_methods_work_on(
    cleared: FakeTransport, call: Callable[[], object], resource: str | None
) -> None:
    with override(transport=cleared):
        call()

    assert cleared.asked[-1].resource == resource


def test_methods_of_different_objects_are_different_calls(cleared: FakeTransport) -> None:
    with override(transport=cleared):
        for number in (1, 2, 1):
            Account(number).pay()

    one, two, again = (asked.action.digest for asked in cleared.asked)
    assert one == again != two


class Unsaid(Account):
    def __clearance_resource__(self) -> object:
        raise LookupError("no number yet")


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        (Unsaid(), "Unsaid.__clearance_resource__ failed with LookupError"),
        (Account(b"1"), "resource= is or returned a bytes, not a text"),
    ],
)
def test_a_class_that_cannot_say_it_stops_the_call(cleared: FakeTransport, account: Account, problem: str) -> None:
    with override(transport=cleared), pytest.raises(ConfigurationError, match=problem):
        account.pay()

    assert cleared.asked == []


# ---------------------------------------------------------------------------------------------------------------------
# when=
# ---------------------------------------------------------------------------------------------------------------------


def test_when_is_evaluated_once_on_a_copy_and_what_it_does_to_it_is_shown_and_run(
    door: Door, cleared: FakeTransport
) -> None:
    basket = ["a"]
    judged: list[list[str]] = []

    def judge(items: list[str]) -> bool:
        judged.append(items)
        items.append("b")
        return True

    received = door.guard(lambda items: items, transport=cleared, when=judge)(basket)

    assert basket == ["a"]
    assert len(judged) == 1
    assert received == cleared.asked[0].parameters["items"] == ["a", "b"]


def test_when_may_look_at_the_object_that_a_method_is_called_on(cleared: FakeTransport) -> None:
    class Till:
        limit = 10

        @guarded(transport=cleared, when=lambda self, amount: amount > self.limit)
        def pay(self, amount: int) -> int:
            return amount

    assert [Till().pay(10), Till().pay(11)] == [10, 11]
    assert [asked.parameters for asked in cleared.asked] == [{"amount": 11}]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_an_interruption_of_when_is_no_doubt_but_an_interruption(
    door: Door, cleared: FakeTransport, error: BaseException
) -> None:
    def interrupted() -> bool:
        raise error

    with pytest.raises(type(error)):
        door.guard(pay, transport=cleared, when=interrupted)("ann")
    assert cleared.asked == []


# ---------------------------------------------------------------------------------------------------------------------
# Reasoning and names
# ---------------------------------------------------------------------------------------------------------------------


def test_the_agents_reasoning_is_sent_apart_from_the_facts_and_is_no_part_of_the_digest(
    door: Door, cleared: FakeTransport
) -> None:
    plain = asked(door, cleared)
    with reasoning("The customer asked for it."):
        reasoned = asked(door, cleared)

    assert (plain.reasoning, reasoned.reasoning) == (None, "The customer asked for it.")
    assert plain.digest == reasoned.digest
    assert plain.description == reasoned.description


def test_reasoning_reaches_blocks_and_checks(door: Door, cleared: FakeTransport) -> None:
    with reasoning("Because."):
        door.block(authorized(action_type="t", tool_name="t", transport=cleared), lambda _grant: None)
        check(action_type="t", tool_name="t", transport=cleared)

    assert [asked.action.reasoning for asked in cleared.asked] == ["Because.", "Because."]


def test_of_a_long_reasoning_the_beginning_is_sent(door: Door, cleared: FakeTransport) -> None:
    with reasoning("x" * LONGEST_REASONING + "y"):
        assert asked(door, cleared).reasoning == "x" * LONGEST_REASONING


@pytest.mark.parametrize("text", [None, 5, b"because"], ids=repr)
def test_reasoning_that_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"reasoning\(\) takes a text"), reasoning(text):
        raise AssertionError


def test_names_that_are_texts_of_another_class_are_the_same_names(door: Door, cleared: FakeTransport) -> None:
    """Else their digest would depend on which of them came first."""

    class Name(str):
        __slots__ = ()

    class Kind(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "harmless"

    configure(agent_id="bot")
    plain = asked(door, cleared, action_type="t", tool_name="tool", resource="r")
    configure(agent_id=Name("bot"))
    named = asked(door, cleared, action_type=Kind("t"), tool_name=Name("tool"), resource=lambda: Name("r"))

    assert plain.digest == named.digest
    assert {type(text) for text in (named.agent_id, named.action_type, named.tool_name, named.resource)} == {str}
    assert named.action_type == "t"
