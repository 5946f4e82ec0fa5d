"""Blocks, and questions that hold nothing: what they find, how often they can be used, and what is told of them."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import Door

from clearance import (
    ActionDenied,
    ActionUndecided,
    AuthorizationUnavailable,
    ConfigurationError,
    Decision,
    Grant,
    Status,
    UnserializableArgument,
    acheck,
    authorized,
    check,
    configure,
)
from clearance.commands import Claim, Command, Report, Submit, Withdraw
from clearance.testing import FakeTransport

pytestmark = pytest.mark.usefixtures("little_to_collect")


@pytest.fixture
def cleared() -> FakeTransport:
    """An approver who clears everything."""
    return FakeTransport(True)


def a_block(transport: Any = None, **options: Any) -> authorized:
    return authorized(**{"action_type": "db.migrate", "tool_name": "postgres", "transport": transport, **options})


class Connection:
    """Cannot be copied."""

    def __reduce_ex__(self, _protocol: object) -> str:
        raise TypeError("an open connection")


@dataclass
class Order:
    lines: list[str]


# ---------------------------------------------------------------------------------------------------------------------
# What a block finds
# ---------------------------------------------------------------------------------------------------------------------


def test_a_block_finds_a_copy_of_what_was_shown(door: Door, cleared: FakeTransport) -> None:
    order = Order(["a"])
    block = a_block(cleared, parameters={"order": order, "same": order, "to": "0042"})
    order.lines.append("mallory")

    found = door.block(block, lambda grant: grant.parameters)

    assert found == {"order": Order(["a"]), "same": Order(["a"]), "to": "0042"}
    assert found["order"] is found["same"] is not order
    assert cleared.asked[0].parameters == {"order": {"lines": ["a"]}, "same": {"lines": ["a"]}, "to": "0042"}


def test_what_a_block_does_to_its_parameters_is_gone_the_next_time(door: Door, cleared: FakeTransport) -> None:
    block = a_block(cleared, parameters={"order": Order(["a"])})

    def add(grant: Grant) -> Any:
        grant.parameters["order"].lines.append("b")
        return grant.parameters["order"]

    assert [door.block(block, add), door.block(block, add)] == [Order(["a", "b"])] * 2
    assert len({asked.action.digest for asked in cleared.asked}) == 1


def test_an_opaque_parameter_of_a_block_is_handed_over_as_it_is(door: Door, cleared: FakeTransport) -> None:
    connection = Connection()
    block = a_block(cleared, parameters={"to": "0042", "connection": connection}, opaque=("connection",))

    found = door.block(block, lambda grant: grant.parameters)

    assert found["connection"] is connection
    assert cleared.asked[0].parameters == {"to": "0042", "connection": f"[not inspected: {__name__}.Connection]"}


def test_a_block_without_parameters_finds_none(door: Door, cleared: FakeTransport) -> None:
    assert door.block(a_block(cleared), lambda grant: grant.parameters) == {}


def test_a_path_in_a_block_is_a_path(door: Door, cleared: FakeTransport) -> None:
    door.block(a_block(cleared, parameters={"script": Path("nothing")}), lambda grant: grant.parameters)

    assert cleared.asked[0].parameters == {"script": "nothing"}


class Twice:
    """Can be copied once."""

    copies = 0

    def __deepcopy__(self, _memo: object) -> Order:
        return Once(["a"])


@dataclass
class Once(Order):
    """Cannot be copied at all."""

    def __deepcopy__(self, _memo: object) -> Once:
        raise LookupError


def test_a_block_that_cannot_be_given_its_parameters_is_told_as_failed(door: Door, cleared: FakeTransport) -> None:
    block = a_block(cleared, parameters={"order": Twice()})

    with pytest.raises(UnserializableArgument):
        door.block(block, lambda _grant: pytest.fail("it ran"))

    assert cleared.asked[0].status is Status.FAILED


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "parameters as pairs": ({"parameters": [("a", 1)]}, "parameters= is or returned a list, not a mapping of names"),
    "parameters with other keys": ({"parameters": {1: 2}}, "parameters= is or returned a dict, not a mapping of names"),
    "context as a text": ({"context": "ticket 7"}, "context= is or returned a str, not a mapping"),
    "context with other keys": ({"context": {None: 2}}, "context= is or returned a dict, not a mapping"),
    "risk indicators as a list": ({"risk_indicators": ["new"]}, "risk_indicators= is or returned a list"),
    "a resource that is no text": ({"resource": 5}, "resource= is or returned a int, not a text"),
    "a description that is no text": ({"description": b"a"}, "description= is or returned a bytes, not a text"),
    "opaque as one text": ({"opaque": "a"}, r"Write opaque=\('a',\)"),
    "opaque that is no parameter": (
        {"parameters": {"connection": 1}, "opaque": ["conection"]},
        "opaque= names 'conection'.* Did you mean 'connection'",
    ),
    "uncopiable": ({"parameters": {"pool": Connection()}}, "pool cannot be copied"),
}


@pytest.mark.parametrize(("options", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_an_error_where_the_block_is_written_and_not_warned_of_besides(
    options: dict[str, Any], problem: str
) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(ConfigurationError, match=problem):
            a_block(**options)
        gc.collect()

    assert warned == []


@pytest.mark.parametrize("option", ["parameters", "context", "risk_indicators"])
def test_what_cannot_be_shown_stops_the_block_and_leaves_it_as_it_was(
    door: Door, cleared: FakeTransport, option: str
) -> None:
    block = a_block(cleared, **{option: {"a": Strange()}})

    for _ in range(2):
        with pytest.raises(UnserializableArgument, match=r"^a is a .*Strange"):
            door.block(block, lambda _grant: pytest.fail("it ran"))
    assert cleared.asked == []


class Strange:
    """Can be copied; nothing is known of it."""


# ---------------------------------------------------------------------------------------------------------------------
# How often it can be used
# ---------------------------------------------------------------------------------------------------------------------


def test_a_block_can_be_used_again_after_any_end(door: Door) -> None:
    answers = iter([True, False, None, True, True])
    transport = FakeTransport(lambda _asked: next(answers))
    block = a_block(transport, timeout=60)
    entered: list[str] = []

    def fail(_grant: Grant) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        door.block(block, fail)
    with pytest.raises(ActionDenied):
        door.block(block, fail)
    with pytest.raises(ActionUndecided):
        door.block(block, fail)
    for _ in range(2):
        door.block(block, lambda grant: entered.append(grant.idempotency_key))

    assert len({*entered}) == 2
    statuses = [asked.status for asked in transport.asked]
    assert statuses == [Status.FAILED, Status.DENIED, Status.WITHDRAWN, Status.COMPLETED, Status.COMPLETED]


def test_an_entered_block_cannot_be_entered_again_and_goes_on(cleared: FakeTransport) -> None:
    block = a_block(cleared)

    async def aenter() -> None:
        async with block:
            pytest.fail("it ran")

    with block as grant:
        with pytest.raises(ConfigurationError, match="already entered"), block:
            pytest.fail("it ran")
        with pytest.raises(ConfigurationError, match="already entered"):
            asyncio.run(aenter())
        grant.note("still here")

    outcome = cleared.asked[0].outcome
    assert outcome is not None
    assert (outcome.status, outcome.notes) == (Status.COMPLETED, ("still here",))
    assert len(cleared.asked) == 1


def test_a_second_task_cannot_enter_a_block_that_the_first_is_in() -> None:
    """Else two bodies would run under one object, and one of their ends would be lost."""
    transport = FakeTransport(True)
    block = a_block(transport)

    async def main() -> list[object]:
        inside = asyncio.Event()

        async def first() -> str:
            async with block:
                inside.set()
                await asyncio.sleep(0)
                return "ran"

        async def second() -> str:
            await inside.wait()
            async with block:
                return "ran too"

        return [*await asyncio.gather(first(), second(), return_exceptions=True)]

    ran, refused = asyncio.run(main())

    assert ran == "ran"
    assert isinstance(refused, ConfigurationError)
    assert [asked.status for asked in transport.asked] == [Status.COMPLETED]


def test_a_block_is_neither_true_nor_false(door: Door, cleared: FakeTransport) -> None:
    block = a_block(cleared)

    with pytest.raises(ConfigurationError, match="neither true nor false"):
        assert block  # pyright: ignore[reportGeneralTypeIssues] - a type checker says so, too
    with pytest.raises(ConfigurationError, match=r"clearance\.check"):
        bool(block)

    door.block(block, lambda _grant: None)
    assert len(cleared.asked) == 1


# ---------------------------------------------------------------------------------------------------------------------
# A block that nobody entered
# ---------------------------------------------------------------------------------------------------------------------


def warned_of(use: Callable[[], object]) -> list[str]:
    """What is warned of while this runs and its objects go."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        use()
        gc.collect()
    assert {warning.category for warning in warned} <= {RuntimeWarning}
    return [str(warning.message) for warning in warned]


def test_a_block_that_is_thrown_away_unentered_is_warned_of(cleared: FakeTransport) -> None:
    (warning,) = warned_of(lambda: a_block(cleared))

    assert warning.startswith("authorized(action_type='db.migrate') was never entered: nobody was asked")
    assert cleared.asked == []


def entered(block: authorized) -> None:
    with block:
        pass


def refused(block: authorized) -> None:
    with pytest.raises((ActionDenied, ConfigurationError)):
        block.__enter__()


async def _aentered(block: authorized) -> None:
    async with block:
        pass


QUIET: dict[str, Callable[[], object]] = {
    "entered": lambda: entered(a_block(FakeTransport(True))),
    "entered on a loop": lambda: asyncio.run(_aentered(a_block(FakeTransport(True)))),
    "denied": lambda: refused(a_block(FakeTransport(False))),
    "not set up": lambda: refused(a_block()),
    "not showable": lambda: refused(a_block(FakeTransport(True), parameters={"a": Strange()})),
    "still there": lambda: KEPT.append(a_block(FakeTransport(True))),
}
KEPT: list[authorized] = []


@pytest.mark.parametrize("use", QUIET.values(), ids=QUIET)
def test_a_block_that_somebody_tried_to_enter_or_still_holds_is_not_warned_of(use: Callable[[], object]) -> None:
    assert warned_of(use) == []


def test_a_block_that_is_kept_is_warned_of_when_it_goes() -> None:
    kept = [a_block(FakeTransport(True))]

    assert len(warned_of(kept.clear)) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Questions
# ---------------------------------------------------------------------------------------------------------------------


class Recorder(FakeTransport):
    """Notes every command that it carries."""

    def __init__(self, answer: Any = True) -> None:
        super().__init__(answer)
        self.carried: list[Command] = []

    def send(self, command: Command) -> Decision:
        self.carried.append(command)
        return super().send(command)


async def _awaited(coroutine: Any) -> Decision:
    decision: Decision = await coroutine
    return decision


def asking(**options: Any) -> Decision:
    return check(**{"action_type": "db.migrate", "tool_name": "postgres", **options})


def aasking(**options: Any) -> Decision:
    return asyncio.run(_awaited(acheck(**{"action_type": "db.migrate", "tool_name": "postgres", **options})))


both = pytest.mark.parametrize("ask", [asking, aasking], ids=["sync", "async"])
Asking = Callable[..., Decision]


@both
def test_a_question_is_answered_and_leaves_no_approval_that_could_be_spent(ask: Asking) -> None:
    transport = Recorder()

    decision = ask(transport=transport)

    assert decision.status is Status.APPROVED
    assert decision.decided_by == "the test"
    assert transport.asked[0].status is Status.WITHDRAWN
    assert not any(isinstance(command, (Claim, Report)) for command in transport.carried)
    assert [command.nonce for command in transport.carried if isinstance(command, Submit)] == [""]


@both
def test_a_question_whose_withdrawal_is_lost_is_answered_all_the_same(ask: Asking) -> None:
    class Deaf(Recorder):
        def send(self, command: Command) -> Decision:
            if isinstance(command, Withdraw):
                raise AuthorizationUnavailable("Lost.")
            return super().send(command)

    assert ask(transport=Deaf()).status is Status.APPROVED


@both
@pytest.mark.parametrize("status", [Status.DENIED, Status.REVOKED, Status.WITHDRAWN, Status.STALE, Status.LAPSED])
def test_a_refusal_comes_back_as_a_decision(ask: Asking, status: Status) -> None:
    def no(_asked: object) -> Decision:
        return Decision("", status, reason="not on a Friday", decided_by="ann")

    decision = ask(transport=FakeTransport(no))

    assert (decision.status, decision.reason, decision.decided_by) == (status, "not on a Friday", "ann")


@both
@pytest.mark.parametrize(
    "transport",
    [FakeTransport(lambda _asked: None), FakeTransport(lambda _asked: Decision("", Status.EXPIRED))],
    ids=["still open", "expired"],
)
def test_no_decision_is_no_answer(ask: Asking, transport: FakeTransport) -> None:
    with pytest.raises(ActionUndecided):
        ask(transport=transport, timeout=60)

    assert transport.asked[-1].status in (Status.WITHDRAWN, Status.EXPIRED)


@both
def test_a_question_that_cannot_be_asked_is_an_error(ask: Asking) -> None:
    class Dead(FakeTransport):
        def send(self, command: Command) -> Decision:
            raise AuthorizationUnavailable("Dead.")

    with pytest.raises(AuthorizationUnavailable):
        ask(transport=Dead(True))


@both
def test_a_question_says_what_a_block_would_say(door: Door, ask: Asking) -> None:
    transport = FakeTransport(True)
    said: dict[str, Any] = {
        "parameters": {"to": "0042", "password": "hunter2", "pool": Connection()},
        "opaque": ("pool",),
        "resource": "prod",
        "context": {"ticket": 7},
        "risk_indicators": {"night": True},
        "redact": ("to",),
        "timeout": 30,
    }
    ask(transport=transport, **said)
    door.block(a_block(transport, **said), lambda _grant: None)

    question, block = (asked.action for asked in transport.asked)
    assert question.parameters == block.parameters
    assert question.parameters["password"] == question.parameters["to"] == "[redacted]"
    assert (question.resource, question.context, question.risk_indicators) == ("prod", {"ticket": 7}, {"night": True})
    assert question.decide_within == 30.0
    assert question.code is not None
    assert question.code.kind == "block"
    assert question.code.module == __name__


@both
@pytest.mark.parametrize(("options", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_question_is_an_error(
    ask: Asking, cleared: FakeTransport, options: Mapping[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        ask(transport=cleared, **options)

    assert cleared.asked == []


@both
def test_a_question_uses_the_configured_transport(ask: Asking, cleared: FakeTransport) -> None:
    configure(transport=cleared)

    assert ask().status is Status.APPROVED


def test_a_question_on_the_loop_is_put_together_at_once_and_asked_when_it_is_awaited(cleared: FakeTransport) -> None:
    async def main() -> None:
        tables = ["users"]
        coroutine = acheck(action_type="t", tool_name="t", parameters={"tables": tables}, transport=cleared)
        tables.append("payments")
        assert cleared.asked == []
        await coroutine

    asyncio.run(main())

    assert cleared.asked[0].parameters == {"tables": ["users"]}
