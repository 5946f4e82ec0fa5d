"""Guarded functions as tools of FastMCP: a server and a client of its own, joined in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.dependencies import CurrentContext, Depends
from fastmcp.exceptions import ToolError
from fastmcp.tools import Tool, tool
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


def shop(function: Callable[..., Any], **options: Any) -> FastMCP[Any]:
    server: FastMCP[Any] = FastMCP("shop", **options)
    server.tool(name="refund")(function)
    return server


async def call(server: FastMCP[Any]) -> str:
    """One call by a client; returns what the model reads, and raises `ToolError` as a client does."""
    async with Client(server) as client:
        result = await client.call_tool("refund", ARGUMENTS)
    return "".join(part.text for part in result.content)


class TestTools(ToolContract):
    example = "with_fastmcp.py"

    def tool(self, function: Callable[..., Any]) -> FastMCP[Any]:
        server: FastMCP[Any] = FastMCP("shop")
        server.tool(function)
        return server

    async def described(self, server: FastMCP[Any]) -> Described:
        async with Client(server) as client:
            (made,) = await client.list_tools()
        return Described(made.name, str(made.description), made.input_schema, made.output_schema)

    async def call(self, server: FastMCP[Any]) -> str:
        return await call(server)


def test_a_refusal_is_a_tool_error_in_the_approver_s_own_words(till: Till, kind: str) -> None:
    """Why the guide masks the details or translates the refusal."""
    approver = refused()

    with pytest.raises(ToolError, match=HINT):
        asyncio.run(call(shop(guarded(refund_into(till, kind), approver))))

    assert not till.calls
    assert len(approver.asked) == 1


def test_a_server_that_masks_details_gives_nothing_away(till: Till, kind: str) -> None:
    server = shop(guarded(refund_into(till, kind), refused()), mask_error_details=True)

    with pytest.raises(ToolError) as error:
        asyncio.run(call(server))

    assert str(error.value) == "Error calling tool 'refund'"
    assert not till.calls


def test_a_tool_error_tells_the_model_in_fixed_words(till: Till, kind: str) -> None:
    server = shop(with_tool_errors(guarded(refund_into(till, kind), refused()), ToolError), mask_error_details=True)

    with pytest.raises(ToolError) as error:
        asyncio.run(call(server))

    assert NOTICE in str(error.value)
    assert HINT not in str(error.value)
    assert not till.calls


def with_context(till: Till, kind: str) -> Callable[..., Any]:
    def refund(charge: str, amount: int, lines: list[str], context: Context) -> str:
        return till.take(charge, amount, lines, context)

    async def refund_async(charge: str, amount: int, lines: list[str], context: Context | None = None) -> str:
        return till.take(charge, amount, lines, context)

    return refund_async if kind == "async" else refund


def with_current_context(till: Till, kind: str) -> Callable[..., Any]:
    def refund(charge: str, amount: int, lines: list[str], context: Context = CurrentContext()) -> str:  # noqa: B008
        return till.take(charge, amount, lines, context)

    async def refund_async(charge: str, amount: int, lines: list[str], context: Context = CurrentContext()) -> str:  # noqa: B008
        return till.take(charge, amount, lines, context)

    return {"sync": refund, "async": refund_async}[kind]


@pytest.mark.parametrize("function", [with_context, with_current_context])
def test_the_context_is_not_shown_and_reaches_the_body_itself(
    till: Till, kind: str, spelling: str, function: Callable[..., Any]
) -> None:
    approver = cleared()
    server = shop(guarded(spelled(function(till, kind), spelling), approver))

    assert asyncio.run(call(server)) == "refunded 25 on ch_1"

    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == ARGUMENTS
    (context,) = till.contexts
    assert isinstance(context, Context)
    assert context.fastmcp is server


def test_what_a_dependency_gives_is_named_opaque_where_it_cannot_be_copied(till: Till) -> None:
    approver, kept = cleared(), Session()

    def refund(charge: str, amount: int, lines: list[str], session: object = Depends(lambda: kept)) -> str:
        return till.take(charge, amount, lines, session)

    asyncio.run(call(shop(guarded(refund, approver, opaque=("session",)))))

    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == {
        **ARGUMENTS,
        "session": "[not inspected: tests.frameworks.helpers.Session]",
    }
    (session,) = till.contexts
    assert session is kept


def test_the_decorator_hands_back_the_guarded_function_itself(till: Till, kind: str) -> None:
    refund = guarded(refund_into(till, kind), cleared())

    assert FastMCP("shop").tool(refund) is refund


@pytest.mark.parametrize("decorate", [lambda: FastMCP("shop").tool, lambda: FastMCP("shop").tool(), lambda: tool])
def test_a_guard_above_the_decorator_is_refused_with_the_right_order(till: Till, kind: str, decorate: Any) -> None:
    made = decorate()(refund_into(till, kind))

    with pytest.raises(UnguardableCallable, match=r"@mcp\.tool, then @requires_authorization\(\.\.\.\), then def"):
        requires_authorization(action_type="payment.refund")(made)


def test_a_guard_on_a_tool_object_is_refused_with_the_right_order(till: Till, kind: str) -> None:
    made: Any = Tool.from_function(refund_into(till, kind))

    with pytest.raises(UnguardableCallable, match=r"@mcp\.tool, then @requires_authorization\(\.\.\.\), then def"):
        requires_authorization(action_type="payment.refund")(made)
