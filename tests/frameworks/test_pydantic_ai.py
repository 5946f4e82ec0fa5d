"""Guarded functions as tools of pydantic-ai: in its own loop, with its own scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from pydantic_ai import Agent, RunContext, Tool
from pydantic_ai.capabilities import Hooks
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
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


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """A model that calls the one tool once, and then says what it read of it."""
    read = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if read:
        return ModelResponse(parts=[TextPart(f"{read[0].content}")])
    (tool,) = info.function_tools
    return ModelResponse(parts=[ToolCallPart(tool.name, ARGUMENTS)])


def clerk(*tools: Tool[Any], hooks: Hooks[Any] | None = None) -> Agent[Any, str]:
    return Agent(FunctionModel(script), tools=tools, deps_type=object, capabilities=[hooks] if hooks else [])


async def run(agent: Agent[Any, str], deps: object = None) -> str:
    """One run, whose model calls the tool once; what it read of it is the run's output."""
    return (await agent.run("refund it", deps=deps)).output


class TestTools(ToolContract):
    example = "with_pydantic_ai.py"

    def tool(self, function: Callable[..., Any]) -> Tool[Any]:
        return Tool(function)

    async def described(self, tool: Tool[Any]) -> Described:
        schema = tool.function_schema
        return Described(tool.name, str(tool.description), schema.json_schema, (schema.is_async, schema.takes_ctx))

    async def call(self, tool: Tool[Any]) -> str:
        return await run(clerk(tool))


def test_a_refusal_ends_the_run(till: Till, kind: str) -> None:
    approver = refused()

    with pytest.raises(ActionDenied):
        asyncio.run(run(clerk(Tool(guarded(refund_into(till, kind), approver)))))

    assert not till.calls
    assert len(approver.asked) == 1


def test_a_hook_tells_the_model_in_fixed_words(till: Till, kind: str) -> None:
    hooks: Hooks[Any] = Hooks()

    @hooks.on.tool_execute_error
    async def tell(_context: RunContext[Any], *, error: Exception, **_rest: Any) -> NoReturn:
        raise ToolFailed(error.for_model()) if isinstance(error, AuthorizationError) else error

    said = asyncio.run(run(clerk(Tool(guarded(refund_into(till, kind), refused())), hooks=hooks)))

    assert NOTICE in said
    assert HINT not in said
    assert not till.calls


def with_context(till: Till, kind: str) -> Callable[..., Any]:
    def refund(run: RunContext[Any], charge: str, amount: int, lines: list[str]) -> str:
        return till.take(charge, amount, lines, run)

    async def refund_async(run: RunContext[Any], charge: str, amount: int, lines: list[str]) -> str:
        return till.take(charge, amount, lines, run)

    return {"sync": refund, "async": refund_async}[kind]


def test_the_context_is_not_shown_and_reaches_the_body_itself(till: Till, kind: str, spelling: str) -> None:
    approver, session = cleared(), Session()
    agent = clerk()
    agent.tool(guarded(spelled(with_context(till, kind), spelling), approver))

    asyncio.run(run(agent, session))

    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == ARGUMENTS
    (context,) = till.contexts
    assert isinstance(context, RunContext)
    assert context.deps is session


def test_the_decorator_hands_back_the_guarded_function_itself(till: Till, kind: str) -> None:
    refund = guarded(refund_into(till, kind), cleared())

    assert clerk().tool_plain(refund) is refund


def test_a_guard_above_the_decorator_meets_a_plain_function_and_cannot_know(till: Till, kind: str) -> None:
    """A known limit: the agent calls what it was given, without the guard."""
    approver, agent = refused(), clerk()
    function = refund_into(till, kind)
    assert agent.tool_plain(function) is function

    guarded(function, approver)
    asyncio.run(run(agent))

    assert till.calls == [ARGUMENTS]
    assert not approver.asked


def test_a_guard_on_a_tool_object_is_refused_with_the_right_order(till: Till, kind: str) -> None:
    tool: Any = Tool(refund_into(till, kind))

    with pytest.raises(UnguardableCallable, match=r"@agent\.tool, then @requires_authorization\(\.\.\.\), then def"):
        requires_authorization(action_type="payment.refund")(tool)
