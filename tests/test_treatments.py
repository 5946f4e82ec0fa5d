"""Parameters that are not simply copied, shown and digested: what the approver sees of them, and what the body gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import BaseModel, SecretStr
from tests.helpers import Door

from clearance import (
    ActionChanged,
    ConfigurationError,
    Outcome,
    Secret,
    Status,
    UnserializableArgument,
    requires_authorization,
)
from clearance.testing import Asked, FakeTransport


class Connection:
    """Nothing is known of it, and it cannot be copied."""

    def __reduce_ex__(self, _protocol: object) -> str:
        raise TypeError("an open connection")


class Pool(Connection):
    """Another."""


@pytest.fixture
def cleared() -> FakeTransport:
    """An approver who clears everything."""
    return FakeTransport(True)


# ---------------------------------------------------------------------------------------------------------------------
# opaque=
# ---------------------------------------------------------------------------------------------------------------------


def query(table: str, connection: object = None, *more: object, **options: object) -> Any:
    return table, connection, more, options


def test_an_opaque_argument_is_handed_over_as_it_is_and_shown_as_not_inspected(
    door: Door, cleared: FakeTransport
) -> None:
    connection = Connection()

    received = door.guard(query, transport=cleared, opaque=("connection",))("users", connection)

    assert received[1] is connection
    assert cleared.asked[0].parameters["connection"] == f"[not inspected: {__name__}.Connection]"


def test_the_class_of_an_opaque_argument_is_digested_and_nothing_else_of_it(door: Door, cleared: FakeTransport) -> None:
    guarded = door.guard(query, transport=cleared, opaque=("connection",))
    for connection in (Connection(), Connection(), Pool(), None, {"a": 1}, {"a": 2}):
        guarded("users", connection)

    one, another, pool, nothing, a, b = (asked.action.digest for asked in cleared.asked)
    assert one == another
    assert a == b
    assert len({one, pool, nothing, a}) == 4


def test_an_opaque_argument_may_change_since_nobody_was_shown_it(door: Door) -> None:
    state = {"a": 1}

    def approve_and_mutate(_asked: Asked) -> bool:
        state["a"] = 2
        return True

    guarded = door.guard(query, transport=FakeTransport(approve_and_mutate), opaque=("connection",))

    assert guarded("users", state)[1] is state


def test_parameters_with_stars_can_be_opaque_too(door: Door, cleared: FakeTransport) -> None:
    connection = Connection()
    guarded = door.guard(query, transport=cleared, opaque=("more", "options"))

    assert guarded("users", None, connection, pool=connection) == ("users", None, (connection,), {"pool": connection})
    assert cleared.asked[0].parameters == {
        "table": "users",
        "connection": None,
        "*more": "[not inspected: builtins.tuple]",
        "**options": "[not inspected: builtins.dict]",
    }


def test_what_is_opaque_here_is_still_refused_there(door: Door, cleared: FakeTransport) -> None:
    guarded = door.guard(query, transport=cleared, opaque=("connection",))

    with pytest.raises(UnserializableArgument, match=r"^\*more\[0\] is a .*Wire, of which nothing is known"):
        guarded("users", None, Wire())
    assert cleared.asked == []


class Wire:
    """Can be copied, but nothing is known of it."""


# ---------------------------------------------------------------------------------------------------------------------
# by_reference=
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Cart:
    items: list[str]


def checkout(cart: Cart, note: str = "") -> Cart:
    return cart


def test_an_argument_by_reference_keeps_its_identity_and_is_shown_and_digested(
    door: Door, cleared: FakeTransport
) -> None:
    cart = Cart(["a"])
    guarded = door.guard(checkout, transport=cleared, by_reference=("cart",))

    assert guarded(cart) is cart
    cart.items.append("b")
    assert guarded(cart) is cart

    first, second = cleared.asked
    assert (first.parameters["cart"], second.parameters["cart"]) == ({"items": ["a"]}, {"items": ["a", "b"]})
    assert first.action.digest != second.action.digest


def test_the_body_may_change_an_argument_by_reference(door: Door, cleared: FakeTransport) -> None:
    cart = Cart(["a"])

    def empty(cart: Cart) -> None:
        cart.items.clear()

    door.guard(empty, transport=cleared, by_reference=("cart",))(cart)

    assert cart.items == []


@pytest.mark.parametrize(
    "mutate",
    [
        lambda cart: cart.items.append("b"),
        lambda cart: cart.items.clear(),
        lambda cart: setattr(cart, "items", ("a",)),
        lambda cart: setattr(cart, "discount", 5),
        lambda cart: delattr(cart, "items"),
        lambda cart: setattr(cart, "items", [object()]),
        lambda cart: setattr(cart, "items", cart),
    ],
    ids=["more", "fewer", "another type", "an attribute more", "one fewer", "not spellable", "itself"],
)
def test_an_argument_by_reference_that_changed_meanwhile_stops_the_call(
    door: Door, mutate: Callable[[Cart], object]
) -> None:
    cart = Cart(["a"])
    ran: list[Cart] = []

    def approve_and_mutate(_asked: Asked) -> bool:
        mutate(cart)
        return True

    transport = FakeTransport(approve_and_mutate)
    with pytest.raises(ActionChanged, match="changed after they were shown"):
        door.guard(lambda cart: ran.append(cart), transport=transport, by_reference=("cart",))(cart)

    assert ran == []
    assert transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))


@dataclass
class Moody:
    """Can be read once."""

    looks: int = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "looks":
            looks = object.__getattribute__(self, "__dict__")["looks"]
            object.__getattribute__(self, "__dict__")["looks"] = looks + 1
            if looks > 2:
                raise LookupError("not in the mood")
            return 0
        return object.__getattribute__(self, name)


def test_what_cannot_be_read_a_second_time_stops_the_call_and_the_cause_is_attached(
    door: Door, cleared: FakeTransport
) -> None:
    with pytest.raises(ActionChanged) as changed:
        door.guard(checkout, transport=cleared, by_reference=("cart",))(Moody())

    assert isinstance(changed.value.__cause__, UnserializableArgument)
    assert cleared.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))


def test_an_argument_by_reference_must_have_a_form(door: Door, cleared: FakeTransport) -> None:
    with pytest.raises(UnserializableArgument, match=r"^cart is a .*Connection, of which nothing is known"):
        door.guard(checkout, transport=cleared, by_reference=("cart",))(Connection())

    assert cleared.asked == []


# ---------------------------------------------------------------------------------------------------------------------
# Secret
# ---------------------------------------------------------------------------------------------------------------------


class Login(NamedTuple):
    user: str
    code: Annotated[str | None, Secret]


@dataclass
class Card:
    owner: str
    number: Annotated[int, Secret]


class Account(BaseModel):
    owner: str
    card: Annotated[Card, Secret]
    login: Login


def enter(
    code: Annotated[int | bool | None, Secret], login: Login | None = None, account: Account | None = None
) -> Any:
    return code, login, account


def test_what_is_annotated_secret_is_hidden_and_digested_and_reaches_the_body(
    door: Door, cleared: FakeTransport
) -> None:
    account = Account(owner="ann", card=Card("ann", 4242), login=Login("ann", "4343"))
    guarded = door.guard(enter, transport=cleared)

    assert guarded(4444, Login("bob", "4545"), account) == (4444, Login("bob", "4545"), account)
    guarded(4444, Login("bob", "4546"), account)
    guarded(4445, Login("bob", "4545"), account)

    action = cleared.asked[0].action
    assert action.parameters == {
        "code": "[redacted]",
        "login": {"user": "bob", "code": "[redacted]"},
        "account": {"owner": "ann", "card": "[redacted]", "login": {"user": "ann", "code": "[redacted]"}},
    }
    assert action.redacted == ("code", "login.code", "account.card", "account.login.code")
    assert all(digits not in action.description for digits in ("4242", "4343", "4444", "4545"))
    assert len({asked.action.digest for asked in cleared.asked}) == 3


@pytest.mark.parametrize(("code", "view"), [(True, "[redacted]"), (0, "[redacted]"), (None, None)], ids=repr)
def test_a_switch_that_is_annotated_secret_is_hidden_and_only_its_absence_is_shown(
    door: Door, cleared: FakeTransport, code: Any, view: object
) -> None:
    door.guard(enter, transport=cleared)(code, Login("ann", None))

    assert cleared.asked[0].parameters["code"] == view
    assert cleared.asked[0].parameters["login"] == {"user": "ann", "code": None}


class Teller:
    """A callable object."""

    def __call__(self, code: Annotated[str, Secret]) -> str:
        return code


def test_the_annotations_of_a_callable_object_count(cleared: FakeTransport) -> None:
    teller: Any = requires_authorization(action_type="test.act", transport=cleared)(Teller())

    assert teller("4242") == "4242"
    assert cleared.asked[0].parameters == {"code": "[redacted]"}


def test_the_fields_of_a_guarded_model_count(cleared: FakeTransport) -> None:
    @requires_authorization(action_type="test.act", transport=cleared)
    class Order(BaseModel):
        code: Annotated[str, Secret]
        amount: int

    assert Order(code="4242", amount=1).code == "4242"
    assert cleared.asked[0].parameters == {"**data": {"code": "[redacted]", "amount": 1}}


@pytest.mark.parametrize(
    "description",
    [
        "{card.number}",
        "{card.number:,}",
        "{card}",
        "{cards[0].number}",
        "{cards[0]}",
        "{by_name[ann].number}",
        "{by_number[7].number}",
        "{many[250].number}",
        "{account.card.number}",
        "{account.card.owner}",
        "{account.login.code}",
        "{account.login[1]}",
        "{holder}",
    ],
)
def test_a_secret_field_never_gets_into_a_description(door: Door, cleared: FakeTransport, description: str) -> None:
    secret = Card("mallory", 4242)

    def body(card: Any, cards: Any, by_name: Any, by_number: Any, many: Any, account: Any, holder: Any) -> None: ...

    door.guard(body, transport=cleared, description=description)(
        secret,
        [secret],
        {"ann": secret},
        {7: secret, 8: None},
        [secret] * 251,
        Account(owner="ann", card=secret, login=Login("ann", "4242")),
        SecretStr("4242"),
    )

    said = cleared.asked[0].description
    assert "4242" not in said
    assert "4,242" not in said
    assert not ("card.owner" in description and "mallory" in said)


# ---------------------------------------------------------------------------------------------------------------------
# What frameworks hand over
# ---------------------------------------------------------------------------------------------------------------------


class RunContextWrapper(Connection):
    """As in openai-agents."""

    __module__ = "agents.run_context"


def tool(ctx: RunContextWrapper | None, city: str) -> Any:
    return ctx, city


def test_what_a_framework_hands_over_is_no_argument_and_reaches_the_body_as_it_is(
    door: Door, cleared: FakeTransport
) -> None:
    context = RunContextWrapper()
    guarded = door.guard(tool, transport=cleared)

    assert guarded(context, "Rome")[0] is context
    assert guarded(None, "Rome")[0] is None

    assert [asked.parameters for asked in cleared.asked] == [{"city": "Rome"}] * 2
    assert len({asked.action.digest for asked in cleared.asked}) == 1
    assert cleared.asked[0].description == "tool(city='Rome')"


# ---------------------------------------------------------------------------------------------------------------------
# Defaults
# ---------------------------------------------------------------------------------------------------------------------

_MISSING: Any = object()
_POOL: Any = Connection()


def fetch(url: str, retries: Any = _MISSING, pool: Any = _POOL, tags: list[str] = ["a"]) -> Any:  # noqa: B006
    tags.append("b")
    return url, retries, pool, tags


def test_a_default_without_a_form_is_shown_as_such_and_reaches_the_body_itself(
    door: Door, cleared: FakeTransport
) -> None:
    _, retries, pool, _ = door.guard(fetch, transport=cleared)("https://a.example")

    assert retries is _MISSING
    assert pool is _POOL
    assert cleared.asked[0].parameters == {
        "url": "https://a.example",
        "retries": "[its default]",
        "pool": "[its default]",
        "tags": ["a"],
    }


def test_a_default_is_another_call_than_any_argument(door: Door, cleared: FakeTransport) -> None:
    guarded = door.guard(fetch, transport=cleared)
    for retries in (_MISSING, None, "[its default]", 3):
        guarded("https://a.example", retries)
    guarded("https://a.example")

    digests = [asked.action.digest for asked in cleared.asked]
    assert len(set(digests)) == 4
    assert digests[0] == digests[-1]


def test_another_object_than_the_default_is_looked_into_like_any_argument(door: Door, cleared: FakeTransport) -> None:
    with pytest.raises(UnserializableArgument, match=r"^retries"):
        door.guard(fetch, transport=cleared)("https://a.example", object())


def test_a_default_that_can_change_is_the_same_at_every_call(door: Door, cleared: FakeTransport) -> None:
    guarded = door.guard(fetch, transport=cleared)

    assert [guarded("u")[3], guarded("u")[3]] == [["a", "b"], ["a", "b"]]
    assert [asked.parameters["tags"] for asked in cleared.asked] == [["a"], ["a"]]


# ---------------------------------------------------------------------------------------------------------------------
# Names that no parameter has
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"opaque": ["conection"]},
            r"opaque= names 'conection'.* Did you mean 'connection'\? Parameters here: table",
        ),
        ({"by_reference": ["connction"]}, "by_reference= names 'connction'.* Did you mean 'connection'"),
        ({"editable": ["tabel"]}, "editable= names 'tabel'.* Did you mean 'table'"),
        ({"redact": ["tabel"]}, "redact= names 'tabel'.* Did you mean 'table'"),
        ({"description": "Ask {tabel}"}, "template names 'tabel'.* Did you mean 'table'"),
        ({"opaque": ["*more"]}, r"opaque= names '\*more'"),
        ({"opaque": "connection"}, r"is one text, not a list of names.* Write opaque=\('connection',\)"),
        ({"by_reference": "connection"}, r"Write by_reference=\('connection',\)"),
        ({"editable": "table"}, r"Write editable=\('table',\)"),
    ],
)
def test_a_name_that_no_parameter_has_is_an_error_where_it_is_written(
    door: Door, options: dict[str, Any], problem: str
) -> None:
    def ask(table: str, connection: object = None, *more: object) -> None: ...

    with pytest.raises(ConfigurationError, match=problem):
        door.guard(ask, **options)


def test_a_name_in_redact_may_be_a_keyword_that_only_the_caller_knows(door: Door, cleared: FakeTransport) -> None:
    door.guard(query, transport=cleared, redact=("iban",))("users", iban="DE00")

    assert cleared.asked[0].parameters["**options"] == {"iban": "[redacted]"}
