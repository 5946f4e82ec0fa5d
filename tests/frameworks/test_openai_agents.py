"""Guarded functions as tools of the OpenAI Agents SDK: in its own loop, with its own scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from agents import Agent, FunctionTool, RunContextWrapper, Runner, RunResult, function_tool
from agents.exceptions import UserError
from agents.run import RunConfig
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.tool_context import ToolContext
from tests.frameworks.contract import Described, ToolContract
from tests.frameworks.helpers import (
    ARGUMENTS,
    HINT,
    NOTICE,
    Session,
    Till,
    cleared,
    guarded,
    refund_into,
    refused,
    spelled,
    the_only,
)

from clearance import ActionDenied, AuthorizationError, UnguardableCallable, requires_authorization


async def run(tool: FunctionTool, context: object = None) -> RunResult:
    """One run of an agent whose model calls the tool once, and then ends."""
    model = ScriptedModel([[function_call("refund", ARGUMENTS, call_id="c1")], [assistant_message("done")]])
    agent: Agent[object] = Agent(name="clerk", model=model, tools=[tool])
    return await Runner.run(agent, "refund it", context=context, run_config=RunConfig(tracing_disabled=True))


def told(result: RunResult) -> str:
    """What the model read as the tool's result."""
    (output,) = [item.output for item in result.new_items if item.type == "tool_call_output_item"]
    return str(output)


class TestTools(ToolContract):
    example = "with_openai_agents.py"

    def tool(self, function: Callable[..., Any]) -> FunctionTool:
        return function_tool(function)

    async def described(self, tool: FunctionTool) -> Described:
        return Described(tool.name, tool.description, tool.params_json_schema, tool.strict_json_schema)

    async def call(self, tool: FunctionTool) -> str:
        return told(await run(tool))


def test_the_sdk_tells_the_model_of_a_raised_refusal_to_try_again(till: Till, kind: str) -> None:
    """Why the guide gives every tool a `failure_error_function`."""
    approver = refused()

    said = told(asyncio.run(run(function_tool(guarded(refund_into(till, kind), approver)))))

    assert said == "An error occurred while running the tool. Please try again."
    assert not till.calls
    assert len(approver.asked) == 1


def test_a_failure_error_function_tells_the_model_in_fixed_words(till: Till, kind: str) -> None:
    def tell(_context: RunContextWrapper[Any], error: Exception) -> str:
        assert isinstance(error, AuthorizationError)
        return error.for_model()

    tool = function_tool(guarded(refund_into(till, kind), refused()), failure_error_function=tell)
    said = told(asyncio.run(run(tool)))

    assert said.startswith(NOTICE)
    assert HINT not in said
    assert not till.calls


def test_without_a_failure_error_function_the_refusal_ends_the_run(till: Till, kind: str) -> None:
    tool = function_tool(guarded(refund_into(till, kind), refused()), failure_error_function=None)

    with pytest.raises(UserError) as ended:
        asyncio.run(run(tool))

    assert isinstance(ended.value.__cause__, ActionDenied)
    assert not till.calls


def with_context(till: Till, kind: str, which: str) -> Callable[..., Any]:
    def of_the_run(run: RunContextWrapper[Any], charge: str, amount: int, lines: list[str]) -> str:
        return till.take(charge, amount, lines, run)

    async def of_the_run_async(run: RunContextWrapper[Any], charge: str, amount: int, lines: list[str]) -> str:
        return till.take(charge, amount, lines, run)

    def of_the_tool(run: ToolContext[Any], charge: str, amount: int, lines: list[str]) -> str:
        return till.take(charge, amount, lines, run)

    async def of_the_tool_async(run: ToolContext[Any], charge: str, amount: int, lines: list[str]) -> str:
        return till.take(charge, amount, lines, run)

    return {
        ("RunContextWrapper", "sync"): of_the_run,
        ("RunContextWrapper", "async"): of_the_run_async,
        ("ToolContext", "sync"): of_the_tool,
        ("ToolContext", "async"): of_the_tool_async,
    }[which, kind]


@pytest.mark.parametrize("which", ["RunContextWrapper", "ToolContext"])
def test_the_context_is_not_shown_and_reaches_the_body_itself(till: Till, kind: str, spelling: str, which: str) -> None:
    approver, session = cleared(), Session()
    refund = guarded(spelled(with_context(till, kind, which), spelling), approver)

    asyncio.run(run(function_tool(refund, name_override="refund"), context=session))

    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == ARGUMENTS
    (context,) = till.contexts
    assert isinstance(context, ToolContext)
    assert context.context is session


def test_a_guard_above_the_decorator_is_refused_with_the_right_order(till: Till, kind: str) -> None:
    tool = function_tool(refund_into(till, kind))

    with pytest.raises(UnguardableCallable, match=r"@function_tool, then @requires_authorization\(\.\.\.\), then def"):
        requires_authorization(action_type="payment.refund")(tool)
