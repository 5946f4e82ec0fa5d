"""Guarded functions as tools of LangChain: in the loop of `create_agent`, with its own fake model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain.tools import InjectedState, InjectedStore, ToolRuntime
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, tool
from langgraph.store.memory import InMemoryStore
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


class Store(Session, InMemoryStore):
    """What the agent's runs share."""


class Scripted(FakeMessagesListChatModel):
    """Calls the tool once, and then ends."""

    def bind_tools(self, tools: Any, **_options: Any) -> Any:
        (self._tool,) = tools
        return self


def clerk(made: BaseTool, **options: Any) -> Any:
    call = {"name": made.name, "args": ARGUMENTS, "id": "c1", "type": "tool_call"}
    model = Scripted(responses=[AIMessage("", tool_calls=[call]), AIMessage("done")])
    return create_agent(model, [made], **options)


async def run(agent: Any, context: object = None) -> str:
    """One run of an agent; returns what the model read as the tool's result."""
    config = {"configurable": {"session": context}}
    end = await agent.ainvoke({"messages": [("user", "refund it")]}, config, context=context)
    (message,) = [message for message in end["messages"] if isinstance(message, ToolMessage)]
    return str(message.content)


class TestTools(ToolContract):
    example = "with_langchain.py"

    def tool(self, function: Callable[..., Any]) -> BaseTool:
        return tool(function)

    async def described(self, made: StructuredTool) -> Described:
        kind = (made.func is not None, made.coroutine is not None)
        return Described(made.name, made.description, made.tool_call_schema.model_json_schema(), kind)

    async def call(self, made: BaseTool) -> str:
        return await run(clerk(made))


def test_a_refusal_ends_the_run(till: Till, kind: str) -> None:
    approver = refused()

    with pytest.raises(ActionDenied):
        asyncio.run(run(clerk(tool(guarded(refund_into(till, kind), approver)))))

    assert not till.calls
    assert len(approver.asked) == 1


def test_a_middleware_tells_the_model_in_fixed_words(till: Till, kind: str) -> None:
    @wrap_tool_call
    async def tell(request: Any, handler: Callable[..., Any]) -> Any:
        try:
            return await handler(request)
        except AuthorizationError as refusal:
            return ToolMessage(refusal.for_model(), tool_call_id=request.tool_call["id"], status="error")

    said = asyncio.run(run(clerk(tool(guarded(refund_into(till, kind), refused())), middleware=[tell])))

    assert said.startswith(NOTICE)
    assert HINT not in said
    assert not till.calls


def with_runtime(till: Till, kind: str) -> Callable[..., Any]:
    def refund(charge: str, amount: int, lines: list[str], runtime: ToolRuntime[Any, Any]) -> str:
        """Give a customer money back."""
        return till.take(charge, amount, lines, runtime.context)

    async def refund_async(charge: str, amount: int, lines: list[str], runtime: ToolRuntime[Any, Any]) -> str:
        """Give a customer money back."""
        return till.take(charge, amount, lines, runtime.context)

    return {"sync": refund, "async": refund_async}[kind]


def with_store(till: Till, kind: str) -> Callable[..., Any]:
    def refund(charge: str, amount: int, lines: list[str], store: Annotated[Any, InjectedStore()]) -> str:
        """Give a customer money back."""
        return till.take(charge, amount, lines, store)

    async def refund_async(charge: str, amount: int, lines: list[str], store: Annotated[Any, InjectedStore]) -> str:
        """Give a customer money back."""
        return till.take(charge, amount, lines, store)

    return {"sync": refund, "async": refund_async}[kind]


def with_config_and_state(till: Till, kind: str) -> Callable[..., Any]:
    def refund(
        charge: str,
        amount: int,
        lines: list[str],
        config: RunnableConfig,
        state: Annotated[dict[str, Any], InjectedState],
    ) -> str:
        """Give a customer money back."""
        return till.take(charge, amount, lines, config["configurable"]["session"] if state["messages"] else None)

    async def refund_async(
        charge: str,
        amount: int,
        lines: list[str],
        config: RunnableConfig,
        state: Annotated[dict[str, Any], InjectedState],
    ) -> str:
        """Give a customer money back."""
        return till.take(charge, amount, lines, config["configurable"]["session"] if state["messages"] else None)

    return {"sync": refund, "async": refund_async}[kind]


@pytest.mark.parametrize("function", [with_runtime, with_store, with_config_and_state])
def test_what_langchain_injects_is_not_shown_and_reaches_the_body_itself(
    till: Till, kind: str, spelling: str, function: Callable[..., Any]
) -> None:
    approver, session = cleared(), Store()
    agent = clerk(tool(guarded(spelled(function(till, kind), spelling), approver)), store=session)

    asyncio.run(run(agent, session))

    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == ARGUMENTS
    (context,) = till.contexts
    assert context is session


def test_one_field_of_the_state_is_shown_like_any_argument(till: Till) -> None:
    approver = cleared()

    def refund(charge: str, amount: int, lines: Annotated[list[str], InjectedState("reasons")]) -> str:
        """Give a customer money back."""
        return till.take(charge, amount, lines)

    tool(guarded(refund, approver)).invoke(ARGUMENTS)

    assert dict(the_only(approver).parameters) == ARGUMENTS


def test_a_guard_above_the_decorator_is_refused_with_the_right_order(till: Till, kind: str) -> None:
    made: Any = tool(refund_into(till, kind))

    with pytest.raises(UnguardableCallable, match=r"@tool, then @requires_authorization\(\.\.\.\), then def"):
        requires_authorization(action_type="payment.refund")(made)
