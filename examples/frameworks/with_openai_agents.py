"""A guarded function as a tool of the OpenAI Agents SDK.

    python examples/frameworks/with_openai_agents.py

The model is scripted, and so is the approver: nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Agent, RunConfig, RunContextWrapper, Runner, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.tool import default_tool_error_function

import clearance
from clearance import AuthorizationError, requires_authorization
from clearance.testing import FakeTransport


def tell_model(context: RunContextWrapper[Any], error: Exception) -> str:
    """What the model reads instead of a result."""
    if isinstance(error, AuthorizationError):
        return error.for_model()
    return default_tool_error_function(context, error)


@function_tool(failure_error_function=tell_model)
@requires_authorization(action_type="payment.refund", tool_name="stripe")
async def refund(context: RunContextWrapper[str], charge: str, amount: int) -> str:
    """Give a customer money back."""
    return f"refunded {amount} on {charge} for {context.context}"


# ----------------------------------------------------------------------------------------------------------------------


async def ask_for(amount: int) -> None:
    call = function_call("refund", {"charge": "ch_1", "amount": amount}, call_id="c1")
    model = ScriptedModel([[call], [assistant_message("done")]])
    agent: Agent[str] = Agent(name="clerk", model=model, tools=[refund])
    run = await Runner.run(agent, "refund it", context="ada", run_config=RunConfig(tracing_disabled=True))
    print(*[item.output for item in run.new_items if item.type == "tool_call_output_item"])


async def main() -> None:
    clearance.configure(transport=FakeTransport(lambda asked: asked.parameters["amount"] == 50))
    await ask_for(50)
    await ask_for(5000)


if __name__ == "__main__":
    asyncio.run(main())
