"""Guarded functions as tools of the MCP SDK: a server and a client of its own, joined in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent
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
    with_tool_errors,
)

from clearance import UnguardableCallable, requires_authorization


def shop(function: Callable[..., Any]) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("shop")
    server.tool(name="refund")(function)
    return server


async def call(server: MCPServer[Any]) -> CallToolResult:
    async with Client(server) as client:
        return await client.call_tool("refund", ARGUMENTS)


def text(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


class TestTools(ToolContract):
    example = "with_mcp.py"

    def tool(self, function: Callable[..., Any]) -> MCPServer[Any]:
        server: MCPServer[Any] = MCPServer("shop")
        server.tool()(function)
        return server

    async def described(self, server: MCPServer[Any]) -> Described:
        async with Client(server) as client:
            (tool,) = (await client.list_tools()).tools
        return Described(tool.name, str(tool.description), tool.input_schema, tool.output_schema)

    async def call(self, server: MCPServer[Any]) -> str:
        result = await call(server)
        assert not result.is_error
        return text(result)


def test_a_refusal_is_a_tool_error_that_gives_nothing_away(till: Till, kind: str) -> None:
    approver = refused()

    result = asyncio.run(call(shop(guarded(refund_into(till, kind), approver))))

    assert result.is_error
    assert text(result) == "Error executing tool refund"
    assert not till.calls
    assert len(approver.asked) == 1


def test_a_tool_error_tells_the_model_in_fixed_words(till: Till, kind: str) -> None:
    result = asyncio.run(call(shop(with_tool_errors(guarded(refund_into(till, kind), refused()), ToolError))))

    assert result.is_error
    assert NOTICE in text(result)
    assert HINT not in text(result)
    assert not till.calls


def with_context(till: Till, kind: str) -> Callable[..., Any]:
    def refund(charge: str, amount: int, lines: list[str], context: Context[Any, Any]) -> str:
        return till.take(charge, amount, lines, context)

    async def refund_async(charge: str, amount: int, lines: list[str], context: Context[Any, Any]) -> str:
        return till.take(charge, amount, lines, context)

    return {"sync": refund, "async": refund_async}[kind]


def test_the_context_is_not_shown_and_reaches_the_body_itself(till: Till, kind: str, spelling: str) -> None:
    approver, session = cleared(), Session()

    @asynccontextmanager
    async def lifespan(_server: MCPServer[Any]) -> AsyncIterator[Any]:
        yield session

    server: MCPServer[Any] = MCPServer("shop", lifespan=lifespan)
    server.tool(name="refund")(guarded(spelled(with_context(till, kind), spelling), approver))

    result = asyncio.run(call(server))

    assert text(result) == "refunded 25 on ch_1"
    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == ARGUMENTS
    (context,) = till.contexts
    assert isinstance(context, Context)
    assert context.request_context.lifespan_context is session


def test_the_decorator_hands_back_the_guarded_function_itself(till: Till, kind: str) -> None:
    refund = guarded(refund_into(till, kind), cleared())

    assert MCPServer("shop").tool()(refund) is refund


def test_a_guard_above_the_decorator_meets_a_plain_function_and_cannot_know(till: Till, kind: str) -> None:
    """A known limit: the server calls what it was given, without the guard."""
    approver, function = refused(), refund_into(till, kind)
    server: MCPServer[Any] = MCPServer("shop")
    assert server.tool()(function) is function

    guarded(function, approver)
    asyncio.run(call(server))

    assert till.calls == [ARGUMENTS]
    assert not approver.asked


def test_a_guard_on_a_tool_object_is_refused_with_the_right_order(till: Till, kind: str) -> None:
    tool: Any = Tool.from_function(refund_into(till, kind))

    with pytest.raises(UnguardableCallable, match=r"@mcp\.tool\(\), then @requires_authorization\(\.\.\.\), then def"):
        requires_authorization(action_type="payment.refund")(tool)
