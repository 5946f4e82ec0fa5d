"""Which callables are guarded, and what a build finds that compares them with what was committed."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from clearance import ConfigurationError, requires_authorization
from clearance.registry import GuardRecord, compare, guards, snapshot_of
from clearance.testing import FakeTransport

pytestmark = pytest.mark.usefixtures("little_to_collect")


@pytest.fixture(autouse=True)
def _nobody_else() -> Iterator[None]:
    """Without guards of other tests that only the collector still holds."""
    gc.collect()
    yield
    gc.collect()


def make(name: str = "wipe", module: str = "shop", **options: Any) -> Any:
    """A guarded function of this name, in this module."""

    def function(amount: int = 0, pool: object = None) -> None: ...

    function.__qualname__ = function.__name__ = name
    function.__module__ = module
    return requires_authorization(**{"action_type": "shop.act", **options})(function)


def a_record(**changes: Any) -> GuardRecord:
    return GuardRecord("shop.wipe", "function", "shop.act", "wipe", False, (), ())._replace(**changes)


# ---------------------------------------------------------------------------------------------------------------------
# The guards that live
# ---------------------------------------------------------------------------------------------------------------------


def test_a_guard_is_recorded_with_what_it_guards_and_how() -> None:
    kept = make(when=lambda amount: amount > 5, editable=["amount"], opaque=["pool"], tool_name="sql")

    assert guards(["shop"]) == [
        GuardRecord(
            "shop.wipe", "function", "shop.act", "sql", conditional=True, editable=("amount",), opaque=("pool",)
        )
    ]
    assert kept is not None


def test_every_kind_is_recorded_under_the_name_that_it_is_found_by() -> None:
    guard = requires_authorization(action_type="t")

    @guard
    async def coroutine() -> None: ...

    @guard
    def generator() -> Iterator[int]:
        yield 1

    @guard
    class Made:
        pass

    class Holder:
        @guard
        def method(self) -> None: ...

    here = f"{__name__}.{test_every_kind_is_recorded_under_the_name_that_it_is_found_by.__name__}.<locals>"
    found = {record.name.removeprefix(f"{here}."): record.kind for record in guards([__name__])}
    assert found == {
        "coroutine": "coroutine function",
        "generator": "generator function",
        "Made": "class",
        "Holder.method": "function",
    }
    assert (coroutine, generator, Made, Holder) is not None


def test_the_guards_of_a_module_are_those_in_it_and_below_it_and_no_others() -> None:
    kept = [make(module=module) for module in ("shop", "shop.admin", "shopping", "warehouse", "admin.shop")]

    def names(*modules: str) -> list[str]:
        return [record.name for record in guards(modules)]

    assert names("shop") == ["shop.admin.wipe", "shop.wipe"]
    assert names("shop.admin") == ["shop.admin.wipe"]
    assert names("shopping", "warehouse") == ["shopping.wipe", "warehouse.wipe"]
    assert names("shop.wipe") == ["shop.wipe"]
    assert names("sho") == []
    assert set(names()) >= {f"{module}.wipe" for module in ("shop", "shop.admin", "shopping", "warehouse")}
    assert len(kept) == 5


def test_the_guards_are_in_the_order_of_their_names_and_each_is_there_once() -> None:
    kept = [make("b"), make("a"), make("a"), make("a", action_type="shop.aaa")]

    assert [(record.name, record.action_type) for record in guards(["shop"])] == [
        ("shop.a", "shop.aaa"),
        ("shop.a", "shop.act"),
        ("shop.b", "shop.act"),
    ]
    assert len(kept) == 4


def test_a_guard_is_gone_when_its_function_is() -> None:
    kept = make("kept")
    gone = make("gone")
    assert [record.name for record in guards(["shop"])] == ["shop.gone", "shop.kept"]

    del gone
    gc.collect()

    assert [record.name for record in guards(["shop"])] == ["shop.kept"]
    assert kept is not None


def test_a_guard_that_was_used_is_gone_too() -> None:
    transport = FakeTransport(True)
    gone = make(transport=transport)
    gone(5)

    del gone
    gc.collect()

    assert guards(["shop"]) == []
    assert len(transport.asked) == 1


def test_a_guarded_class_that_is_gone_is_no_longer_listed() -> None:
    @requires_authorization(action_type="t")
    class Gone:
        pass

    assert len(guards([__name__])) == 1
    del Gone
    gc.collect()

    assert guards([__name__]) == []


@pytest.mark.parametrize("options", [{"editable": ["amuont"]}, {"description": "{amuont}"}, {"on_denied": "ignore"}])
def test_a_guard_that_could_not_be_made_is_not_listed(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make(**options)
    gc.collect()

    assert guards(["shop"]) == []


def test_guards_may_come_and_go_in_other_threads_while_they_are_listed() -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def churn() -> None:
        try:
            while not stop.is_set():
                make("passing")
        except BaseException as error:
            failures.append(error)

    kept = make("kept")
    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            assert "shop.kept" in {record.name for record in guards(["shop"])}
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert failures == []
    assert kept is not None


# ---------------------------------------------------------------------------------------------------------------------
# Compared with what was committed
# ---------------------------------------------------------------------------------------------------------------------

RECORD = a_record(editable=("amount",), opaque=("pool",))


def kept_of(*records: GuardRecord) -> Any:
    """As it comes back from the file that was committed."""
    return json.loads(json.dumps(snapshot_of(records)))


def test_a_snapshot_is_plain_json_and_nothing_has_changed_against_it() -> None:
    assert kept_of(RECORD) == {
        "shop.wipe": {
            "kind": "function",
            "action_type": "shop.act",
            "tool_name": "wipe",
            "conditional": False,
            "editable": ["amount"],
            "opaque": ["pool"],
        }
    }
    assert compare(kept_of(RECORD), [RECORD]) == ([], [])


def test_a_gate_that_disappeared_is_worse_and_says_which() -> None:
    other = a_record(name="shop.pay")

    assert compare(kept_of(RECORD, other), [other]) == (["this change un-gated `shop.wipe`"], [])


def test_a_new_gate_is_told_and_not_worse() -> None:
    other = a_record(name="shop.pay")

    assert compare(kept_of(RECORD), [RECORD, other]) == ([], ["`shop.pay` is newly gated"])


def test_a_gate_that_moved_is_one_that_disappeared_and_a_new_one() -> None:
    worse, new = compare(kept_of(RECORD), [RECORD._replace(name="shop.admin.wipe")])

    assert worse == ["this change un-gated `shop.wipe`"]
    assert new == ["`shop.admin.wipe` is newly gated"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "coroutine function"}, "kind: 'function' -> 'coroutine function'"),
        ({"action_type": "shop.look"}, "action_type: 'shop.act' -> 'shop.look'"),
        ({"tool_name": "sql"}, "tool_name: 'wipe' -> 'sql'"),
        ({"conditional": True}, "conditional: False -> True"),
        ({"editable": ()}, "editable: ['amount'] -> []"),
        ({"opaque": ("pool", "amount")}, "opaque: ['pool'] -> ['pool', 'amount']"),
        (
            {"conditional": True, "tool_name": "sql"},
            "tool_name: 'wipe' -> 'sql', conditional: False -> True",
        ),
    ],
)
def test_a_gate_that_was_altered_is_worse_and_says_how(changes: dict[str, Any], said: str) -> None:
    assert compare(kept_of(RECORD), [RECORD._replace(**changes)]) == (
        [f"this change altered the gate of `shop.wipe` ({said})"],
        [],
    )


def test_a_snapshot_of_an_older_kind_is_told_apart() -> None:
    kept = kept_of(RECORD)
    del kept["shop.wipe"]["opaque"]

    worse, _ = compare(kept, [RECORD])

    assert worse == ["this change altered the gate of `shop.wipe` (opaque: None -> ['pool'])"]


def test_against_nothing_everything_is_new() -> None:
    assert compare({}, [RECORD]) == ([], ["`shop.wipe` is newly gated"])
    assert compare({}, []) == ([], [])
