"""A guarded function as a tool of pydantic-ai.

    python examples/frameworks/with_pydantic_ai.py

The model is scripted, and so is the approver: nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from pydantic_ai import Agent, RunContext
from pydantic_ai.capabilities import Hooks
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import clearance
from clearance import AuthorizationError, requires_authorization
from clearance.testing import FakeTransport


def script(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Stands in for a model: asks for what the user says, and repeats what came of it."""
    (part, *_) = messages[-1].parts
    if isinstance(part, ToolReturnPart):
        return ModelResponse(parts=[TextPart(str(part.content))])
    return ModelResponse(parts=[ToolCallPart("refund", {"charge": "ch_1", "amount": int(str(part.content))})])


# ----------------------------------------------------------------------------------------------------------------------

hooks: Hooks[str] = Hooks()


@hooks.on.tool_execute_error
async def tell_model(_context: RunContext[str], *, error: Exception, **_more: Any) -> NoReturn:
    if isinstance(error, AuthorizationError):
        raise ToolFailed(error.for_model()) from error
    raise error


agent = Agent(FunctionModel(script), deps_type=str, capabilities=[hooks])


@agent.tool
@requires_authorization(action_type="payment.refund", tool_name="stripe")
async def refund(context: RunContext[str], charge: str, amount: int) -> str:
    """Give a customer money back."""
    return f"refunded {amount} on {charge} for {context.deps}"


# ----------------------------------------------------------------------------------------------------------------------


async def main() -> None:
    clearance.configure(transport=FakeTransport(lambda asked: asked.parameters["amount"] == 50))
    print((await agent.run("50", deps="ada")).output)
    print((await agent.run("5000", deps="ada")).output)


if __name__ == "__main__":
    asyncio.run(main())
