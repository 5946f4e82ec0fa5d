"""A guard above a framework's decorator would guard nothing, so it is refused; the frameworks need not be there.

What they really hand back is tested in ``tests/frameworks``.
"""

from __future__ import annotations

from typing import Any

import pytest

from clearance import UnguardableCallable, requires_authorization
from clearance.testing import FakeTransport


def guard(function: Any) -> Any:
    return requires_authorization(action_type="test.act", transport=FakeTransport(True))(function)


def an_object_of(module: str, name: str, *bases: type) -> Any:
    """A callable object of a class that says it is from there."""
    return type(name, bases, {"__module__": module, "__call__": lambda self, amount: amount})()


@pytest.mark.parametrize(
    ("module", "name", "decorator"),
    [
        ("agents.tool", "FunctionTool", "@function_tool"),
        ("langchain_core.tools.structured", "StructuredTool", "@tool"),
        ("fastmcp.tools.function_tool", "FunctionTool", "@mcp.tool"),
        ("google.adk.tools.function_tool", "FunctionTool", "@tool"),
        ("langgraph.func", "_TaskFunction", "@tool"),
    ],
)
def test_a_framework_s_tool_object_is_refused_with_the_right_order(module: str, name: str, decorator: str) -> None:
    with pytest.raises(UnguardableCallable) as refused:
        guard(an_object_of(module, name))

    assert f"it was given a {module}.{name}" in str(refused.value)
    assert f"{decorator}, then @requires_authorization(...), then def" in refused.value.next_step
    assert isinstance(refused.value, TypeError)


def test_an_object_of_a_class_made_from_a_framework_s_tool_is_refused_too() -> None:
    base = type(an_object_of("langchain_core.tools.base", "BaseTool"))

    with pytest.raises(UnguardableCallable, match="above the decorator of a framework"):
        guard(an_object_of("shop.tools", "Refund", base))


@pytest.mark.parametrize("module", ["agents.clerk", "google.cloud.storage", "mcp.client"])
def test_a_callable_object_of_a_package_that_is_merely_named_like_a_framework_is_guarded(module: str) -> None:
    assert guard(an_object_of(module, "Clerk"))(5) == 5


def test_a_function_that_fastmcp_has_made_a_tool_of_is_refused() -> None:
    def refund(amount: int) -> int:
        return amount

    refund.__fastmcp__ = object()  # type: ignore[attr-defined]

    with pytest.raises(UnguardableCallable, match=r"@mcp\.tool, then @requires_authorization"):
        guard(refund)
