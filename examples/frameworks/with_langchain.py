"""A guarded function as a tool of a LangChain agent.

    python examples/frameworks/with_langchain.py

The model is scripted, and so is the approver: nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain.tools import ToolRuntime, tool
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, ToolMessage

import clearance
from clearance import AuthorizationError, requires_authorization
from clearance.testing import FakeTransport


@wrap_tool_call
async def tell_model(request: Any, handler: Callable[..., Any]) -> Any:
    """What the model reads instead of a result."""
    try:
        return await handler(request)
    except AuthorizationError as refusal:
        return ToolMessage(refusal.for_model(), tool_call_id=request.tool_call["id"], status="error")


@tool
@requires_authorization(action_type="payment.refund", tool_name="stripe")
async def refund(charge: str, amount: int, runtime: ToolRuntime[str]) -> str:
    """Give a customer money back."""
    return f"refunded {amount} on {charge} for {runtime.context}"


def clerk(model: Any) -> Any:
    return create_agent(model, [refund], middleware=[tell_model], context_schema=str)


# ----------------------------------------------------------------------------------------------------------------------


class Scripted(FakeMessagesListChatModel):
    """Stands in for a model."""

    def bind_tools(self, _tools: Any, **_options: Any) -> Any:
        return self


async def ask_for(amount: int) -> None:
    call = {"name": "refund", "args": {"charge": "ch_1", "amount": amount}, "id": "c1", "type": "tool_call"}
    model = Scripted(responses=[AIMessage("", tool_calls=[call]), AIMessage("done")])
    end = await clerk(model).ainvoke({"messages": [("user", "refund it")]}, context="ada")
    print(*[message.content for message in end["messages"] if isinstance(message, ToolMessage)])


async def main() -> None:
    clearance.configure(transport=FakeTransport(lambda asked: asked.parameters["amount"] == 50))
    await ask_for(50)
    await ask_for(5000)


if __name__ == "__main__":
    asyncio.run(main())
