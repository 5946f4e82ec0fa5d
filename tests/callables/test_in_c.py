"""Functions in C, and of the standard library: guarded wherever their arguments have names."""

from __future__ import annotations

import math
import os.path
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from clearance import ActionDenied, ConfigurationError, UnguardableCallable, requires_authorization
from clearance.testing import Asked, FakeTransport


@dataclass
class Measure:
    """An argument that functions in C read in their own ways, that notes when they do, and that can change."""

    size: float
    reads: ClassVar[list[float]] = []

    def __float__(self) -> float:
        self.reads.append(self.size)
        return self.size

    def __fspath__(self) -> str:
        self.reads.append(self.size)
        return f"a/{self.size}"

    def __iter__(self) -> Any:
        self.reads.append(self.size)
        return iter((str(self.size), "x"))

    def __len__(self) -> int:
        self.reads.append(self.size)
        return int(self.size)


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], str, object]] = {
    "math.sqrt": (math.sqrt, "x", 2.0),
    "len": (len, "obj", 4),
    "a bound method of a text": ("-".join, "iterable", "4.0-x"),
    "os.path.basename": (os.path.basename, "p", "4.0"),
    "os.fspath": (os.fspath, "path", "a/4.0"),
}


@pytest.fixture(autouse=True)
def _nothing_read() -> None:
    Measure.reads.clear()


@pytest.mark.parametrize(("function", "name", "result"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_cleared_call_gives_what_it_always_gave(function: Any, name: str, result: object) -> None:
    transport = FakeTransport(True)

    assert requires_authorization(action_type="test.act", transport=transport)(function)(Measure(4.0)) == result

    assert Measure.reads == [4.0]
    assert transport.asked[0].parameters == {name: {"size": 4.0}}


@pytest.mark.parametrize(("function", "name", "result"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_refused_call_reads_nothing(function: Any, name: str, result: object) -> None:
    guarded = requires_authorization(action_type="test.act", transport=FakeTransport(False))(function)

    with pytest.raises(ActionDenied):
        guarded(Measure(4.0))

    assert Measure.reads == []


@pytest.mark.parametrize(("function", "name", "result"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_the_caller_changes_while_the_call_is_pending_is_not_what_runs(
    function: Any, name: str, result: object
) -> None:
    measure = Measure(4.0)

    def approve_and_mutate(_asked: Asked) -> bool:
        measure.size = 9.0
        return True

    guarded = requires_authorization(action_type="test.act", transport=FakeTransport(approve_and_mutate))(function)

    assert guarded(measure) == result
    assert Measure.reads == [4.0]


@pytest.mark.parametrize(("function", "name", "result"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_no_approver_can_change_what_has_no_annotation(function: Any, name: str, result: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{name!r}, which has no annotation"):
        requires_authorization(action_type="test.act", editable={name})(function)


def test_a_bound_method_in_c_works_on_its_own_object() -> None:
    basket: list[object] = []
    answers = iter([True, False])
    transport = FakeTransport(lambda _asked: next(answers))
    append = requires_authorization(action_type="test.act", transport=transport)(basket.append)

    append(["a"])
    with pytest.raises(ActionDenied):
        append(["b"])

    assert basket == [["a"]]
    assert [asked.parameters for asked in transport.asked] == [{"object": ["a"]}, {"object": ["b"]}]


def test_a_method_in_c_shows_what_it_is_given_as_a_function_and_works_on_its_object_in_a_class() -> None:
    transport = FakeTransport(True)

    class Name(str):
        __slots__ = ()
        shouted: Any = requires_authorization(action_type="test.act", transport=transport)(str.upper)

    assert Name.__dict__["shouted"]("ann") == "ANN"
    assert Name("bob").shouted() == "BOB"
    assert [asked.parameters for asked in transport.asked] == [{"self": "ann"}, {}]


@pytest.mark.parametrize("function", [max, getattr, int, dict, math.hypot], ids=repr)
def test_what_tells_no_names_is_refused_where_the_guard_is_written(function: Any) -> None:
    with pytest.raises(UnguardableCallable, match=r"Nothing was run\. Guard a function "):
        requires_authorization(action_type="test.act")(function)
