"""What a framework hands over beside the arguments is known by its class's name; the framework need not be there.

That it is what the frameworks really hand over is tested in ``tests/frameworks``.
"""

from __future__ import annotations

import threading
from typing import Annotated, Any, Generic, Optional, TypeVar

import pytest

from clearance import UnserializableArgument, requires_authorization
from clearance.testing import FakeTransport

T = TypeVar("T")


class RunContext(Generic[T]):
    """Stands for pydantic-ai's."""

    __module__ = "pydantic_ai._run_context"


class MyContext(RunContext[str]):
    """A context class of the author's own."""


class InjectedState:
    """Stands for LangGraph's marker."""

    __module__ = "langgraph.prebuilt.tool_node"

    def __init__(self, field: str | None = None) -> None:
        self.field = field


def parameters_shown(annotation: Any, context: Any) -> dict[str, Any]:
    """What an approver sees of a call with such a parameter; the body checks that it has the very object."""
    approver = FakeTransport(True)

    def act(amount: int, context: Any) -> None:
        received.append(context)

    received: list[Any] = []
    act.__annotations__["context"] = annotation
    requires_authorization(action_type="test.act", transport=approver)(act)(5, context)
    assert received[0] is context
    return dict(approver.asked[0].parameters)


@pytest.mark.parametrize(
    "annotation",
    [
        RunContext,
        RunContext[int],
        MyContext,
        Optional[RunContext[int]],  # noqa: UP045 - the older spelling is what is tested
        RunContext | None,
        Annotated[RunContext[int], "the run"],
        "RunContext[int]",
        "RunContext | None",
        Annotated[dict[str, Any], InjectedState],
        Annotated[dict[str, Any], InjectedState()],
        "Annotated[dict[str, Any], InjectedState()]",
    ],
)
def test_a_framework_s_context_is_left_out_and_reaches_the_body_itself(annotation: Any) -> None:
    assert parameters_shown(annotation, threading.Lock()) == {"amount": 5}


def test_one_field_of_a_framework_s_state_is_an_argument() -> None:
    assert parameters_shown(Annotated[str, InjectedState("user")], "ada") == {"amount": 5, "context": "ada"}


def test_an_object_of_a_class_that_is_merely_named_alike_is_an_argument() -> None:
    class RunContext:
        """Not pydantic-ai's."""

    with pytest.raises(UnserializableArgument, match="context"):
        parameters_shown(RunContext, threading.Lock())
