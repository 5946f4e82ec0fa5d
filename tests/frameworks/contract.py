"""What holds for a guarded function as a tool of any framework. Each file here says how its framework does things."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.frameworks.helpers import (
    ARGUMENTS,
    HINT,
    NOTICE,
    Patient,
    Till,
    cleared,
    guarded,
    held,
    refund_into,
    refused,
    telling_the_model,
    the_only,
)

from clearance import Status, agent, reasoning

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "frameworks"


@dataclass(frozen=True)
class Described:
    """What a model, or whoever calls, is told of a tool."""

    name: str
    description: str
    parameters: object
    more: object = None


class ToolContract:
    """Tests that every framework's class inherits, and what it has to say for them."""

    example: str
    """The file of the framework's example."""

    def tool(self, function: Callable[..., Any], /) -> Any:
        """The framework's tool, made of a function as its users make it."""
        raise NotImplementedError

    async def described(self, tool: Any, /) -> Described:
        """What the framework tells of the tool."""
        raise NotImplementedError

    async def call(self, tool: Any, /) -> str:
        """Let the framework's own loop call the tool once, with `ARGUMENTS`; returns what the model reads of it."""
        raise NotImplementedError

    def test_the_tool_is_that_of_the_same_function_without_a_guard(self, till: Till, kind: str, spelling: str) -> None:
        async def both() -> tuple[Described, Described]:
            tool = self.tool(guarded(refund_into(till, kind, spelling), cleared()))
            plain = self.tool(refund_into(till, kind, spelling))
            return await self.described(tool), await self.described(plain)

        tool, plain = asyncio.run(both())

        assert tool == plain
        assert tool.name == "refund"
        assert tool.description.startswith("Give a customer money back.")
        assert "'amount'" in repr(tool.parameters)

    def test_a_cleared_call_runs_once_with_the_arguments_that_were_shown(self, till: Till, kind: str) -> None:
        approver = cleared()

        said = asyncio.run(self.call(self.tool(guarded(refund_into(till, kind), approver))))

        assert "refunded 25 on ch_1" in said
        assert till.calls == [ARGUMENTS]
        asked = the_only(approver)
        assert dict(asked.parameters) == ARGUMENTS
        assert asked.status is Status.COMPLETED

    def test_the_body_runs_where_it_runs_without_a_guard(self, till: Till, kind: str) -> None:
        asyncio.run(self.call(self.tool(refund_into(till, kind))))
        asyncio.run(self.call(self.tool(guarded(refund_into(till, kind), cleared()))))

        plainly, behind_the_guard = till.on_loop
        assert behind_the_guard is plainly is (kind == "async")

    def test_a_returned_denial_can_be_told_to_the_model_in_its_fixed_words(self, till: Till, kind: str) -> None:
        approver = refused()
        refund = guarded(refund_into(till, kind), approver, on_denied="return")

        said = asyncio.run(self.call(self.tool(telling_the_model(refund))))

        assert NOTICE in said
        assert HINT not in said
        assert not till.calls
        assert the_only(approver).status is Status.DENIED

    def test_a_call_is_held_until_another_task_clears_it(self, till: Till, kind: str) -> None:
        async def scene() -> tuple[Patient, str]:
            approver = Patient()
            tool = self.tool(guarded(refund_into(till, kind), approver))
            return approver, await held(self.call(tool), approver, till)

        approver, said = asyncio.run(scene())

        assert "refunded 25 on ch_1" in said
        assert till.calls == [ARGUMENTS]
        assert the_only(approver).status is Status.COMPLETED

    def test_a_held_call_is_withdrawn_when_the_run_is_cancelled(self, till: Till) -> None:
        async def scene() -> Patient:
            approver = Patient()
            running = asyncio.create_task(self.call(self.tool(guarded(refund_into(till, "async"), approver))))
            await approver.waiting.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            return approver

        assert the_only(asyncio.run(scene())).status is Status.WITHDRAWN
        assert not till.calls

    def test_who_acts_and_why_is_known_in_the_tool(self, till: Till, kind: str) -> None:
        approver = cleared()
        tool = self.tool(guarded(refund_into(till, kind), approver))

        with agent("clerk"), reasoning("the customer asked for it"):
            asyncio.run(self.call(tool))

        action = the_only(approver).action
        assert (action.agent_id, action.reasoning) == ("clerk", "the customer asked for it")

    def test_the_example_runs_one_call_and_tells_of_the_refused_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        runpy.run_path(str(EXAMPLES / self.example), run_name="__main__")

        cleared_call, refused_call, *_ = capsys.readouterr().out.splitlines()
        assert "refunded 50 on ch_1" in cleared_call
        assert NOTICE in refused_call
