"""Arguments that change while the call is pending: whatever runs is what was shown, or nothing runs.

Hypothesis builds arguments with every trick (nested, aliased, equal to everything, their own copies), changes them
at a moment between the call and the body, and the body itself digests what it received.
"""

from __future__ import annotations

import asyncio
import copy
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.helpers import AsyncDoor, Door, SyncDoor

from clearance import (
    ActionChanged,
    ConfigurationError,
    FileContents,
    Grant,
    Outcome,
    Status,
    authorized,
    configure,
    override,
    requires_authorization,
)
from clearance.commands import Claim, Command, Submit
from clearance.errors import UnserializableArgument
from clearance.models import Decision
from clearance.redaction import View
from clearance.sealing import seal, spell
from clearance.settings import binding_key
from clearance.testing import FakeTransport

DEEP = os.environ.get("CLEARANCE_DEEP") == "1"
WANTED = 10_000 if DEEP else 2_000
"""Mutations that really changed something, for each door."""


# ---------------------------------------------------------------------------------------------------------------------
# Arguments with tricks
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Order:
    item: Any
    lines: Any = field(default_factory=list)


@dataclass
class Stubborn:
    """Hands out itself instead of a copy."""

    item: Any

    def __deepcopy__(self, _memo: object) -> Stubborn:
        return self


@dataclass(eq=False)
class Agreeable:
    """Equals everything."""

    item: Any

    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Sly:
    """Gives its copy the very list that it holds itself."""

    item: Any

    def __deepcopy__(self, memo: dict[int, Any]) -> Sly:
        return Sly(self.item)


class Model(BaseModel):
    item: Any


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "a", "b"]), st.sampled_from([1.0, 0.0, b"a"])
)
trees = st.recursive(
    leaves
    | st.builds(bytearray, st.sampled_from([b"", b"ab"]))
    | st.sets(st.integers(0, 3), min_size=1, max_size=3)
    | st.lists(leaves, max_size=2),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(["a", "b", "password"]), inner, min_size=1, max_size=2),
        st.builds(deque, st.lists(inner, min_size=1, max_size=2)),
        st.builds(SimpleNamespace, item=inner),
        *(st.builds(cls, inner) for cls in (Order, Stubborn, Agreeable, Sly)),
        st.builds(Model, item=inner),
    ),
    max_leaves=8,
)


def mutable_parts(value: Any, met: set[int]) -> Iterator[Any]:
    """Everything in a value that can be changed, however deep."""
    if id(value) in met:
        return
    met.add(id(value))
    if isinstance(value, (list, dict, set, bytearray, deque)) or hasattr(value, "__dict__"):
        yield value
    inside: Any = ()
    if isinstance(value, (list, tuple, deque)):
        inside = value
    elif isinstance(value, dict):
        inside = value.values()
    elif hasattr(value, "__dict__"):
        inside = vars(value).values()
    for part in list(inside):
        yield from mutable_parts(part, met)


NEW: list[Any] = [7, True, 1.0, "1", None, [], {"a": 1}, float("nan"), object(), Order("x")]


def mutate(part: Any, new: Any, at: int) -> None:
    """Change a container or an object in place."""
    match part:
        case list() | deque() if part and at % 3 == 0:
            part[at % len(part)] = new
        case list() | deque() if part and at % 3 == 1:
            part.pop()
        case list() | deque():
            part.append(new)
        case dict() if at % 2:
            part.pop(next(iter(part), "a"), None)
        case dict():
            part[next(iter(part), "a")] = new
        case set():
            part.symmetric_difference_update({at})
        case bytearray():
            part.append(at)
        case _ if at % 3:
            vars(part)["item"] = new
        case _:
            vars(part)["extra"] = new


Change = tuple[int, Any, int]
"""Which part, by what, and where in it."""


@dataclass
class Plan:
    """The arguments of one call, some of which are the same object, and what may be changed in them."""

    first: Any
    second: Any
    aliased: bool
    changes: list[Change]

    def arguments(self) -> dict[str, Any]:
        first = copy.deepcopy(self.first)
        second = copy.deepcopy(self.second)
        return {"first": first, "second": [first, second] if self.aliased else second}


def apply(change: Change, arguments: dict[str, Any]) -> None:
    which, new, at = change
    if parts := list(mutable_parts(list(arguments.values()), set()))[1:]:
        mutate(parts[which % len(parts)], copy.deepcopy(new), at)


plans = st.builds(
    Plan,
    trees,
    trees,
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from(NEW), st.integers(0, 20)), min_size=8, max_size=8),
)


def fingerprint(labelled: Mapping[str, object]) -> object:
    """The canonical bytes of arguments, or that they have none."""
    try:
        return b"".join(spell(labelled, View(), b"key")[1])
    except UnserializableArgument:
        return None


# ---------------------------------------------------------------------------------------------------------------------
# Moments
# ---------------------------------------------------------------------------------------------------------------------


class Meanwhile(FakeTransport):
    """Does something at one moment between the call and the body: ``submit``, ``asked``, ``wait`` or ``claim``."""

    def __init__(self, moment: str, happening: Callable[[], object]) -> None:
        super().__init__(self._approve)
        self._moment = moment
        self._happening = happening

    def _approve(self, _asked: object) -> bool:
        self._happen("asked")
        return True

    def _happen(self, moment: str) -> None:
        if moment == self._moment:
            self._happening()

    def send(self, command: Command) -> Decision:
        if isinstance(command, Submit):
            self._happen("submit")
        decision = super().send(command)
        if decision.status is Status.EXECUTING and isinstance(command, (Submit, Claim)):
            self._happen("claim")
        return decision


MOMENTS = ["submit", "asked", "claim"]


@dataclass
class Count:
    """What came of many calls."""

    changed: int = 0
    ran: int = 0
    stopped: int = 0
    refused: int = 0


class Site:
    """A guarded function whose body digests what it received, and keeps count of what came of each call."""

    def __init__(self, runner: asyncio.Runner | None, **options: Any) -> None:
        self.count = Count()
        self.transport = FakeTransport(True)
        self._received: list[str] = []
        self._runner = runner
        guard = requires_authorization(action_type="test.act", **options)
        self._guarded: Any = guard(self._body if runner is None else self._abody)

    def _body(self, first: Any, second: Any) -> None:
        action = self.transport.asked[0].action
        assert action.code is not None
        shown, pieces = spell({"first": first, "second": second}, View(), binding_key(self.transport))
        assert shown == action.parameters
        self._received.append(seal(action.agent_id, action.action_type, action.tool_name, None, action.code, pieces))

    async def _abody(self, first: Any, second: Any) -> None:
        self._body(first, second)

    def call(self, plan: Plan, change: Change, moment: str) -> None:
        """One call with a change in the middle; an assertion fails if anything ran but what was shown."""
        arguments = plan.arguments()
        before = fingerprint(arguments)
        self._received.clear()
        self.transport = Meanwhile(moment, lambda: apply(change, arguments))
        try:
            with override(transport=self.transport):
                result = self._guarded(**arguments)
                if self._runner is not None:
                    self._runner.run(result, context=copy_context())
        except ActionChanged:
            self.count.stopped += 1
            assert self._received == []
            assert self.transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))
        except UnserializableArgument:
            self.count.refused += 1
            assert (self.transport.asked, self._received) == ([], [])
        else:
            self.count.ran += 1
            assert self._received == [self.transport.asked[0].action.digest]
        self.count.changed += fingerprint(arguments) != before


@pytest.mark.parametrize("by_reference", [(), ("first", "second")], ids=["copied", "by reference"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_whatever_changes_meanwhile_the_body_receives_what_was_shown_or_does_not_run(
    asynchronous: bool, by_reference: tuple[str, ...]
) -> None:
    with asyncio.Runner() as runner:
        site = Site(runner if asynchronous else None, by_reference=by_reference)

        @settings(max_examples=WANTED // 10)
        @given(plans)
        def drift(plan: Plan) -> None:
            for change in plan.changes:
                for moment in MOMENTS:
                    site.call(plan, change, moment)

        drift()

    assert site.count.changed >= WANTED
    assert site.count.ran > 0
    assert site.count.stopped > 0


# ---------------------------------------------------------------------------------------------------------------------
# One by one
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_block_whose_parameters_did_change_does_not_run(door: Door, moment: str) -> None:
    offer = Stubborn(1)
    ran: list[Grant] = []
    transport = Meanwhile(moment, lambda: vars(offer).update(item=2))
    block = authorized(action_type="t", tool_name="t", parameters={"offer": offer}, transport=transport)

    with pytest.raises(ActionChanged):
        door.block(block, ran.append)

    assert ran == []
    assert transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))


@given(plan=plans, moment=st.sampled_from(MOMENTS))
@pytest.mark.parametrize("door", [SyncDoor(), AsyncDoor()], ids=["sync", "async"])
def test_a_block_finds_what_was_shown_or_does_not_run(door: Door, plan: Plan, moment: str) -> None:
    arguments = plan.arguments()
    found: list[object] = []
    transport = Meanwhile(moment, lambda: apply(plan.changes[0], arguments))

    def body(grant: Grant) -> None:
        found.append(spell(grant.parameters, View(), binding_key(transport))[0])

    try:
        block = authorized(action_type="t", tool_name="t", parameters=arguments, transport=transport)
        door.block(block, body)
    except (ActionChanged, UnserializableArgument):
        assert found == []
    else:
        assert found == [transport.asked[0].parameters]


class Account:
    """Its methods work on it; which one it is can change."""

    def __init__(self, number: object) -> None:
        self.number = number
        self.paid: list[object] = []

    def __clearance_resource__(self) -> str:
        return f"account:{self.number}"

    @requires_authorization(action_type="t")
    def pay(self, amount: int) -> None:
        self.paid.append(amount)

    @requires_authorization(action_type="t")
    async def apay(self, amount: int) -> None:
        self.paid.append(amount)

    @requires_authorization(action_type="t", resource=lambda self: f"account:{self.number}")
    def pay_by_guard(self, amount: int) -> None:
        self.paid.append(amount)


@pytest.mark.parametrize("number", [2, "1 ", None])
@pytest.mark.parametrize(
    "pay",
    [
        lambda account: account.pay(5),
        lambda account: asyncio.run(account.apay(5)),
        lambda account: account.pay_by_guard(5),
        lambda account: Account.pay(account, 5),
    ],
    ids=["sync", "async", "by the guard", "by the class"],
)
def test_a_method_of_an_object_that_is_another_by_now_does_not_run(
    pay: Callable[[Account], None], number: object
) -> None:
    account = Account(1)
    transport = Meanwhile("claim", lambda: vars(account).update(number=number))

    with override(transport=transport), pytest.raises(ActionChanged):
        pay(account)

    assert account.paid == []
    assert transport.asked[0].resource == "account:1"


def test_a_resource_that_cannot_be_said_a_second_time_stops_the_call(door: Door) -> None:
    account = Account(1)
    transport = Meanwhile("claim", lambda: vars(account).clear())

    with pytest.raises(ActionChanged) as changed:
        door.guard(lambda: None, transport=transport, resource=lambda: f"account:{account.number}")()

    assert isinstance(changed.value.__cause__, ConfigurationError)


def test_a_resource_of_fixed_arguments_is_compared_too_if_it_is_computed(door: Door) -> None:
    region = ["eu"]
    transport = Meanwhile("claim", lambda: region.append("us"))
    ran: list[int] = []

    with pytest.raises(ActionChanged):
        door.guard(lambda amount: ran.append(amount), transport=transport, resource=lambda: "".join(region))(5)

    assert ran == []


def test_a_description_that_changes_what_it_describes_stops_the_call(door: Door) -> None:
    transport = FakeTransport(True)
    ran: list[object] = []

    def describe(items: list[int]) -> str:
        return f"Take {items.pop()}"

    with pytest.raises(ActionChanged):
        door.guard(lambda items: ran.append(items), transport=transport, description=describe)([1, 2])

    assert ran == []


@pytest.mark.parametrize("by_reference", [False, True])
def test_a_coroutine_runs_what_was_shown_whenever_it_is_awaited(by_reference: bool) -> None:
    transport = FakeTransport(True)

    @requires_authorization(action_type="t", transport=transport, by_reference=("items",) if by_reference else ())
    async def take(items: list[int]) -> list[int]:
        return items

    async def main() -> list[int]:
        items = [1]
        coroutine = take(items)
        items.append(2)
        return await coroutine

    assert asyncio.run(main()) == transport.asked[0].parameters["items"] == ([1, 2] if by_reference else [1])


def test_a_task_that_changes_an_argument_while_its_files_are_read_does_not_get_it_run(tmp_path: Path) -> None:
    """The files are read in a thread, and the loop goes on meanwhile."""
    script = tmp_path / "script"
    script.write_text("create")
    items = [1]
    ran: list[object] = []
    transport = Meanwhile("claim", lambda: asyncio.get_running_loop().call_soon(items.append, 2))

    @requires_authorization(action_type="t", transport=transport, by_reference=("items",))
    async def take(items: list[int], script: Annotated[Path, FileContents]) -> None:
        ran.append(items)

    with pytest.raises(ActionChanged):
        asyncio.run(take(items, script))

    assert ran == []


class Interrupted(FakeTransport):
    """Clears and claims; ``interrupt`` follows."""

    def __init__(self, offer: Stubborn, interrupt: BaseException) -> None:
        super().__init__(True)
        self.offer = offer
        self.interrupt = interrupt

    def send(self, command: Command) -> Decision:
        decision = super().send(command)
        if isinstance(command, Submit):
            self.offer.__class__ = Interrupting
            vars(self.offer)["interrupt"] = self.interrupt
        return decision


class Interrupting(Stubborn):
    """Whoever looks at it is interrupted."""

    def __getattribute__(self, name: str) -> Any:
        if name == "item":
            raise object.__getattribute__(self, "__dict__")["interrupt"]
        return super().__getattribute__(name)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()], ids=repr)
def test_an_interruption_between_the_claim_and_the_body_is_told_as_not_started_and_goes_on(
    door: Door, interrupt: BaseException
) -> None:
    offer = Stubborn(1)
    transport = Interrupted(offer, interrupt)
    ran: list[object] = []

    with pytest.raises(type(interrupt)):
        door.guard(lambda offer: ran.append(offer), transport=transport)(offer)

    assert ran == []
    why = f"interrupted by {type(interrupt).__name__}"
    assert transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, (why,))


def test_one_call_has_one_transport_and_one_key_whatever_is_configured_meanwhile(door: Door) -> None:
    """Else a secret would look changed, and the outcome would be told to somebody who never heard of the call."""

    class Keyed(FakeTransport):
        def __init__(self, key: bytes) -> None:
            super().__init__(self.approve)
            self.binding_key = key

        def approve(self, _asked: object) -> bool:
            configure(transport=other)
            return True

    first, other = Keyed(b"one key"), Keyed(b"another key")
    configure(transport=first)

    assert door.guard(lambda password: password, by_reference=("password",))(["hunter2"]) == ["hunter2"]

    assert first.asked[0].status is Status.COMPLETED
    assert other.asked == []


def test_a_block_reports_to_whom_it_asked_wherever_it_ends() -> None:
    asked, other = FakeTransport(True), FakeTransport(True)
    block = authorized(action_type="t", tool_name="t")
    with override(transport=asked):
        block.__enter__()
    with override(transport=other):
        block.__exit__(None, None, None)

    assert asked.asked[0].status is Status.COMPLETED
    assert other.asked == []
