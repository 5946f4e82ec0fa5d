"""What a form covers: all that a body could read of a value, and nothing that is not its own."""

from __future__ import annotations

import io
import zoneinfo
from collections import namedtuple
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from datetime import datetime, time, timedelta, timezone, tzinfo
from enum import Enum, Flag
from importlib import resources
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr, RootModel, SecretStr
from tests.values import shown, spelled

from clearance.canonical import register
from clearance.errors import ConfigurationError, UnserializableArgument
from clearance.forms import WRITERS
from clearance.redaction import REDACTED, View
from clearance.snapshot import is_fixed, snapshot


def refusal(value: object) -> UnserializableArgument:
    """The refusal that a value meets."""
    with pytest.raises(UnserializableArgument) as refused:
        spelled(value)
    return refused.value


# ---------------------------------------------------------------------------------------------------------------------
# Objects
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Order:
    item: str
    lines: list[int] = field(default_factory=list)
    seen: InitVar[int] = 0
    registry: ClassVar[object] = object()
    made: ClassVar[int] = 0


@dataclass(slots=True)
class Slim:
    item: str


class Slimmer(Slim):
    __slots__ = ("__hidden", "discount")

    def hide(self, value: object) -> None:
        self.__hidden = value


class Point(NamedTuple):
    x: int
    y: int


class Spot(Point):
    """A named tuple with room for more."""


class Odd(tuple[int, ...]):
    _fields = ("x", "y")


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")

    item: str
    _margin: int = PrivateAttr(default=0)
    limit: ClassVar[object] = object()


class Numbers(RootModel[list[int]]):
    """A model that is a list."""


def slimmer(**more: object) -> Slimmer:
    made = Slimmer("a")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def a_spot(**more: object) -> Spot:
    made = Spot(1, 2)
    vars(made).update(more)
    return made


def test_what_belongs_to_the_class_is_no_part_of_its_objects() -> None:
    before = spelled(Order("a"))
    Order.made += 1

    assert shown(Order("a")) == {"item": "a", "lines": []}
    assert spelled(Order("a")) == before


@pytest.mark.parametrize(
    ("value", "view"),
    [
        (slimmer(discount=5), {"item": "a", "discount": 5}),
        (a_spot(note="x"), {"x": 1, "y": 2, "note": "x"}),
        (Model.model_validate({"item": "a", "colour": "red"}), {"item": "a", "colour": "red", "_margin": 0}),
        (Numbers([1, 2]), {"root": [1, 2]}),
        (SimpleNamespace(b=1, a=2), {"b": 1, "a": 2}),
    ],
    ids=["slots beside fields", "attributes of a named tuple", "extras of a model", "root model", "namespace"],
)
def test_whatever_else_an_object_carries_is_shown(value: object, view: object) -> None:
    assert shown(value) == view


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (slimmer(discount=5), slimmer(discount=6)),
        (slimmer(discount=5), slimmer()),
        (a_spot(note="x"), a_spot(note="y")),
        (a_spot(note="x"), a_spot()),
        (a_spot(), Point(1, 2)),
    ],
)
def test_whatever_else_an_object_carries_is_digested(one: object, other: object) -> None:
    assert spelled(one) != spelled(other)


def test_an_attribute_with_two_underscores_is_found_by_the_name_that_python_gives_it() -> None:
    made = Slimmer("a")
    made.hide(5)

    assert shown(made) == {"item": "a", "_Slimmer__hidden": 5}


def test_a_tuple_whose_fields_do_not_name_its_items_is_refused() -> None:
    assert shown(Odd((1, 2))) == {"x": 1, "y": 2}
    assert "do not name its items" in str(refusal(Odd((1, 2, 3))))


@dataclass
class Detached:
    """As an object of an ORM whose session is closed."""

    item: str

    def __getattribute__(self, name: str) -> Any:
        if name == "item":
            raise LookupError("not bound to a session")
        return super().__getattribute__(name)


def test_an_object_that_cannot_be_read_is_refused_with_its_path_and_the_cause() -> None:
    refused = refusal([Detached("a")])

    assert refused.path == "it[0]"
    assert isinstance(refused.__cause__, LookupError)


@pytest.mark.parametrize("name", [1, ("a",), "\ud800"], ids=repr)
def test_an_attribute_whose_name_is_no_text_is_refused(name: Any) -> None:
    order = Order("a")
    vars(order)[name] = 1

    assert "has an attribute whose name is no text" in str(refusal(order))


class Vault(BaseModel):
    """A model that can also hand out a secret."""

    owner: str
    pin_of_owner: SecretStr

    def get_secret_value(self) -> str:
        return self.pin_of_owner.get_secret_value()


def test_a_model_that_hands_out_a_secret_is_shown_and_digested_with_all_its_fields() -> None:
    vault = Vault(owner="ann", pin_of_owner=SecretStr("1234"))

    assert shown(vault) == {"owner": "ann", "pin_of_owner": REDACTED}
    assert spelled(vault) != spelled(vault.model_copy(update={"owner": "bob"}))


# ---------------------------------------------------------------------------------------------------------------------
# Enums and keys
# ---------------------------------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = 1
    CODE = "#f00"
    BOTH = ("red", 1)

    def __str__(self) -> str:
        return "harmless"


class Access(Flag):
    READ = 1
    WRITE = 2


@pytest.mark.parametrize(
    ("member", "view"),
    [
        (Colour.RED, "Colour.RED"),
        (Colour.CODE, "#f00"),
        (Colour.BOTH, "Colour.BOTH"),
        (Access.READ | Access.WRITE, "Access.READ|WRITE"),
        (Access(0), "Access(0)"),
    ],
)
def test_a_member_is_shown_by_its_name_or_its_text_and_not_as_it_prints_itself(member: Enum, view: str) -> None:
    assert shown(member) == view


@pytest.mark.parametrize("key", ["password", b"password", b"X-Api-Key"], ids=repr)
def test_what_stands_under_a_secrets_name_is_hidden_if_the_name_is_in_bytes_too(key: object) -> None:
    view = View()

    assert "hunter2" not in repr(shown({key: "hunter2"}, view))
    assert len(view.redacted) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Time zones
# ---------------------------------------------------------------------------------------------------------------------


class Drifting(tzinfo):
    """A zone whose offset can be set."""

    def __init__(self, hours: int) -> None:
        self.hours = hours

    def utcoffset(self, _moment: object) -> timedelta:
        return timedelta(hours=self.hours)

    def dst(self, _moment: object) -> None:
        return None

    def tzname(self, _moment: object) -> str:
        return "somewhere"


class Registered(Drifting):
    """One that has a form."""

    def __init__(self, hours: int = 0) -> None:
        super().__init__(hours)


register(Registered, lambda zone: zone.hours)


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), time(1)], ids=["datetime", "time"])
def test_a_zone_of_a_class_that_nothing_is_known_of_is_refused(moment: datetime | time) -> None:
    assert refusal([moment.replace(tzinfo=Drifting(1))]).path == "it[0].tzinfo"


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), time(1)], ids=["datetime", "time"])
def test_a_zone_can_be_given_a_form_and_is_copied_since_it_can_change(moment: datetime | time) -> None:
    zone = Registered(1)
    given = moment.replace(tzinfo=zone)

    copied = snapshot("when", given, {})
    before = spelled(copied)
    zone.hours = 2

    assert copied.tzinfo is not zone
    assert spelled(copied) == before != spelled(given)
    assert not is_fixed(given)


@pytest.mark.parametrize("zone", [None, timezone.utc, timezone(timedelta(hours=1), "x"), ZoneInfo("Europe/Berlin")])  # noqa: UP017
def test_a_moment_in_a_zone_of_pythons_own_cannot_change_and_is_not_copied(zone: tzinfo | None) -> None:
    moment = datetime(2026, 1, 1, tzinfo=zone)

    assert is_fixed(moment)
    assert snapshot("when", moment, {}) is moment


@contextmanager
def berlin_as_a_file() -> Iterator[io.BytesIO]:
    for place in zoneinfo.TZPATH:
        try:
            with open(f"{place}/Europe/Berlin", "rb") as file:
                yield io.BytesIO(file.read())
                return
        except FileNotFoundError:
            continue
    yield io.BytesIO(resources.files("tzdata.zoneinfo.Europe").joinpath("Berlin").read_bytes())


@pytest.mark.parametrize("key", [None, "Europe/Paris"])
def test_a_zone_that_was_read_from_a_file_is_refused_since_its_name_does_not_tell_what_it_is(key: str | None) -> None:
    with berlin_as_a_file() as file:
        zone = ZoneInfo.from_file(file, key=key)

    assert refusal(zone).path == "it"
    assert refusal(datetime(2026, 1, 1, tzinfo=zone)).path == "it.tzinfo"


# ---------------------------------------------------------------------------------------------------------------------
# Registered forms
# ---------------------------------------------------------------------------------------------------------------------


class Money:
    """Has no form of its own."""

    def __init__(self, amount: object, currency: str = "EUR") -> None:
        self.amount = amount
        self.currency = currency


class Gold(Money):
    """A subclass."""


register(Money, lambda money: {"amount": money.amount, "currency": money.currency})


def test_a_registered_form_is_what_is_shown_and_digested() -> None:
    assert shown([Money(5)]) == [{"amount": 5, "currency": "EUR"}]
    assert spelled(Money(5)) == spelled(Money(5))
    assert len({spelled(value) for value in (Money(5), Money(5.0), Money(5, "USD"), shown(Money(5)))}) == 4


def test_a_subclass_has_no_form_by_its_parents() -> None:
    assert "is a tests.test_forms:Gold, of which nothing is known" in str(refusal(Gold(5)))


@pytest.mark.parametrize("cls", [Money, int, dict, Order, Colour, Point, Model, SecretStr, ZoneInfo, MappingProxyType])
def test_a_class_that_has_a_form_is_not_given_another(cls: type) -> None:
    before = dict(WRITERS)

    with pytest.raises(ConfigurationError, match="has a canonical form already"):
        register(cls, repr)
    assert {name: writer for name, writer in WRITERS.items() if name in before} == before


def test_a_form_may_hold_what_has_a_form_and_names_what_has_none() -> None:
    assert shown(Money(Money(5))) == {"amount": {"amount": 5, "currency": "EUR"}, "currency": "EUR"}
    assert refusal(Money(object())).path == "it.amount"


def test_a_secret_in_a_form_is_hidden_like_any_other() -> None:
    class Login:
        password = "hunter2"

    register(Login, lambda login: {"password": login.password})

    assert shown(Login()) == {"password": REDACTED}
    assert b"hunter2" not in spelled(Login())


def test_a_form_that_fails_is_a_refusal_with_the_cause() -> None:
    class Broken:
        """Its form cannot be made."""

    def fail(_broken: Broken) -> Mapping[str, object]:
        raise LookupError("no")

    register(Broken, fail)

    refused = refusal({"a": Broken()})
    assert refused.path == "it.a"
    assert "whose registered form failed with LookupError" in str(refused)
    assert isinstance(refused.__cause__, LookupError)


def test_a_form_that_goes_round_in_a_circle_is_refused() -> None:
    class Ring:
        """Its form is another of its kind."""

    register(Ring, lambda _ring: [Ring()])

    assert "contains itself" in str(refusal(Ring()))


def test_objects_without_any_attribute_of_their_own_have_the_form_of_their_class() -> None:
    Empty = namedtuple("Empty", ())

    @dataclass
    class Nothing:
        pass

    assert (shown(Empty()), shown(Nothing())) == ({}, {})
    assert spelled(Empty()) != spelled(Nothing())
