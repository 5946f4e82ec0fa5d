"""A guarded function as a tool of a FastMCP server.

    python examples/frameworks/with_fastmcp.py

Server and client are joined in memory, and the approver is scripted: nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from fastmcp import Client, Context, FastMCP
from fastmcp.exceptions import ToolError

import clearance
from clearance import AuthorizationError, requires_authorization
from clearance.testing import FakeTransport

P = ParamSpec("P")
R = TypeVar("R")


def tell_model(tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Without it, the model reads the whole refusal, the approver's own words and all."""

    @functools.wraps(tool)
    async def telling(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await tool(*args, **kwargs)
        except AuthorizationError as refusal:
            raise ToolError(refusal.for_model()) from refusal

    return telling


mcp: FastMCP = FastMCP("shop", mask_error_details=True)


@mcp.tool
@tell_model
@requires_authorization(action_type="payment.refund", tool_name="stripe")
async def refund(charge: str, amount: int, context: Context) -> str:
    """Give a customer money back."""
    return f"refunded {amount} on {charge} in {context.fastmcp.name}"


# ----------------------------------------------------------------------------------------------------------------------


async def main() -> None:
    clearance.configure(transport=FakeTransport(lambda asked: asked.parameters["amount"] == 50))
    async with Client(mcp) as client:
        for amount in (50, 5000):
            result = await client.call_tool("refund", {"charge": "ch_1", "amount": amount}, raise_on_error=False)
            print(*[part.text for part in result.content if part.type == "text"])


if __name__ == "__main__":
    asyncio.run(main())
