"""A frozen dataclass that was made quick is in every other respect the one that it was."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import a_decision, an_action

from clearance.commands import Report, Submit
from clearance.models import Action, Decision, Outcome, Status
from clearance.quick import quick
from clearance.quick import replace as replace_quickly

made: list[list[int]] = []


def a_list() -> list[int]:
    made.append([])
    return made[-1]


@dataclass(frozen=True, slots=True)
class Plain:
    """A point."""

    x: int
    y: object = None
    tags: list[int] = field(default_factory=a_list)
    hidden: int = field(default=3, repr=False, compare=False)


Slow = Plain


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    """A point."""

    x: int
    y: object = None
    tags: list[int] = field(default_factory=a_list)
    hidden: int = field(default=3, repr=False, compare=False)


class Sub(Quick):
    """With room for more."""


class SlimSub(Quick):
    """Without."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class DataSub(Quick):
    """A dataclass of its own."""

    z: int = 4


SHIPPED: list[Any] = [
    an_action(),
    a_decision(),
    Outcome(Status.FAILED, "LookupError", 1.5, ("a note",)),
    Submit(an_action(), "key", "nonce", 30.0),
    Report("1", "nonce", Outcome(Status.COMPLETED), 2.0),
]
shipped = pytest.mark.parametrize("value", [Quick(1, 2, [3], 4), *SHIPPED], ids=lambda value: type(value).__name__)


@shipped
def test_it_is_frozen(value: Any) -> None:
    name = fields(value)[0].name
    before = copy.copy(value)

    with pytest.raises(FrozenInstanceError):
        setattr(value, name, 7)
    with pytest.raises(FrozenInstanceError):
        delattr(value, name)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        value.surprise = 7

    assert value == before
    assert not hasattr(value, "__dict__")


@shipped
def test_it_is_copied_pickled_replaced_and_taken_apart(value: Any) -> None:
    again = [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value)), replace(value)]

    assert again == [value] * 4
    assert {type(other) for other in again} == {type(value)}
    assert type(value)(**{name.name: getattr(value, name.name) for name in fields(value)}) == value
    assert set(asdict(value)) == {name.name for name in fields(value)}


@pytest.mark.parametrize("replace", [replace, replace_quickly])
@shipped
def test_a_replaced_one_has_the_change_and_the_original_has_not(value: Any, replace: Callable[..., Any]) -> None:
    name = fields(value)[0].name

    changed = replace(value, **{name: "changed"})

    assert getattr(changed, name) == "changed" != getattr(value, name)
    assert changed != value


@shipped
def test_one_that_is_replaced_quickly_is_the_one_that_the_slow_way_makes(value: Any) -> None:
    for name in (each.name for each in fields(value)):
        changed = replace_quickly(value, **{name: "changed"})

        assert changed == replace(value, **{name: "changed"})
        assert type(changed) is type(value)
        with pytest.raises(FrozenInstanceError):
            setattr(changed, name, "again")
    assert replace_quickly(value) == value
    assert replace_quickly(value) is not value


def test_one_of_a_subclass_and_a_plain_one_are_replaced_as_ever() -> None:
    made = [replace_quickly(value, x=2) for value in (Plain(1, tags=[3]), SlimSub(1, tags=[3]), DataSub(1, tags=[3]))]

    assert [type(value) for value in made] == [Plain, SlimSub, DataSub]
    assert [(value.x, value.tags) for value in made] == [(2, [3])] * 3


def test_nothing_is_replaced_that_is_no_field() -> None:
    for value in (Quick(1), Plain(1)):
        with pytest.raises((AttributeError, TypeError), match="surprise"):
            replace_quickly(value, surprise=2)


@given(x=st.integers(), y=st.none() | st.text(), tags=st.none() | st.tuples(st.integers()), hidden=st.integers())
def test_it_is_what_the_plain_one_is(x: int, y: object, tags: Any, hidden: int) -> None:
    quick_one, plain = Quick(x, y, tags, hidden), Plain(x, y, tags, hidden)

    assert asdict(quick_one) == asdict(plain)
    assert hash(quick_one) == hash(plain)
    assert repr(quick_one) == repr(plain).replace("Plain", "Quick")
    assert quick_one == Quick(x, y, tags, hidden + 1)
    assert quick_one.__eq__(plain) is NotImplemented
    assert quick_one != Quick(x + 1, y, tags, hidden)


CALLS: dict[str, Callable[[Any], object]] = {
    "nothing": lambda cls: cls(),
    "too much": lambda cls: cls(1, 2, [], 4, 5),
    "unknown": lambda cls: cls(1, z=2),
    "twice": lambda cls: cls(1, x=2),
    "only what has a default": lambda cls: cls(y=2),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_arguments_that_do_not_fit_are_the_error_that_they_always_were(call: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError) as plain:
        call(Plain)

    with pytest.raises(TypeError, match=re.escape(str(plain.value).replace("Plain", "Quick"))):
        call(Quick)


def test_its_signature_has_the_same_parameters_with_the_same_annotations() -> None:
    def spelled(cls: type) -> list[tuple[str, object, object, bool]]:
        return [
            (parameter.name, parameter.kind, parameter.annotation, parameter.default is parameter.empty)
            for parameter in inspect.signature(cls).parameters.values()
        ]

    assert spelled(Quick) == spelled(Plain)
    assert Quick.__doc__ == Plain.__doc__
    assert Quick.__init__.__qualname__ == "Quick.__init__"


def test_a_default_is_the_default_and_what_a_factory_makes_is_made_each_time() -> None:
    made.clear()
    one, other = Quick(1), Quick(1)

    assert (one.y, one.hidden, one.tags) == (None, 3, [])
    assert one.tags is not other.tags
    assert len(made) == 2
    assert Quick(1, tags=[5]).tags == [5]
    assert len(made) == 2


def test_every_shipped_one_makes_its_mappings_anew() -> None:
    first, second = (
        Action("bot", "t", "t", "d", {}, "digest", 1.0, 1.0),
        Action("bot", "t", "t", "d", {}, "digest", 1.0, 1.0),
    )
    one, other = Decision("1", Status.PENDING), Decision("1", Status.PENDING)

    assert first.context is not second.context
    assert one.edits is not other.edits
    assert (first, one) == (second, other)


def test_a_factory_that_fails_passes_its_error_on() -> None:
    def fail() -> int:
        raise LookupError

    @quick
    @dataclass(frozen=True, slots=True)
    class Failing:
        x: int = field(default_factory=fail)

    with pytest.raises(LookupError):
        Failing()
    assert Failing(1).x == 1


@pytest.mark.parametrize("cls", [Sub, SlimSub, DataSub])
def test_an_object_of_a_subclass_is_one_and_is_frozen(cls: type[Quick]) -> None:
    value = cls(1, tags=[2])

    assert type(value) is cls
    assert (value.x, value.y, value.tags, value.hidden) == (1, None, [2], 3)
    assert copy.copy(value) == value
    with pytest.raises(FrozenInstanceError):
        value.x = 2  # type: ignore[misc]
