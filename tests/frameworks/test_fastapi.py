"""Guarded functions as route handlers and dependencies of FastAPI, asked over its own ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import SecurityScopes
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from tests.frameworks.contract import Described, ToolContract
from tests.frameworks.helpers import (
    ARGUMENTS,
    HINT,
    NOTICE,
    Patient,
    Session,
    Till,
    cleared,
    guarded,
    held,
    refund_into,
    refused,
    spelled,
    the_only,
)

from clearance import ActionDenied, AuthorizationError, Status

QUERY: dict[str, str | int] = {"charge": "ch_1", "amount": 25}
LINES = ["broken", "late"]


def shop(handler: Callable[..., Any]) -> FastAPI:
    app = FastAPI()
    app.post("/refund")(handler)
    return app


async def post(app: FastAPI, json: object = LINES) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://shop") as client:
        return await client.post("/refund", params=QUERY, json=json)


class TestHandlers(ToolContract):
    example = "with_fastapi.py"

    def tool(self, function: Callable[..., Any]) -> FastAPI:
        return shop(function)

    async def described(self, app: FastAPI) -> Described:
        (route,) = [route for route in app.routes if getattr(route, "path", "") == "/refund"]
        operation = app.openapi()["paths"]["/refund"]["post"]
        return Described(
            route.name, operation["description"], (operation["parameters"], operation["requestBody"]), app.openapi()
        )

    async def call(self, app: FastAPI) -> str:
        response = await post(app)
        assert response.status_code == 200, response.text
        return response.text


def test_a_refusal_reaches_the_server_as_the_exception_that_it_is(till: Till, kind: str) -> None:
    approver = refused()

    with pytest.raises(ActionDenied):
        asyncio.run(post(shop(guarded(refund_into(till, kind), approver))))

    assert not till.calls
    assert len(approver.asked) == 1


def test_an_exception_handler_makes_an_answer_of_it(till: Till, kind: str) -> None:
    app = shop(guarded(refund_into(till, kind), refused()))

    @app.exception_handler(AuthorizationError)
    async def answer(_request: Request, refusal: AuthorizationError) -> JSONResponse:
        status = 403 if isinstance(refusal, ActionDenied) else 503
        return JSONResponse({"detail": refusal.for_model()}, status)

    response = asyncio.run(post(app))

    assert response.status_code == 403
    assert response.json()["detail"].startswith(NOTICE)
    assert HINT not in response.text
    assert not till.calls


def with_everything(till: Till, kind: str) -> Callable[..., Any]:
    def refund(
        charge: str,
        amount: int,
        lines: list[str],
        request: Request,
        connection: HTTPConnection,
        response: Response,
        later: BackgroundTasks,
        scopes: SecurityScopes,
    ) -> str:
        response.headers["x-scopes"] = scopes.scope_str
        later.add_task(till.contexts.append, connection)
        return till.take(charge, amount, lines, request)

    async def refund_async(
        charge: str,
        amount: int,
        lines: list[str],
        request: Request,
        connection: HTTPConnection,
        response: Response,
        later: BackgroundTasks,
        scopes: SecurityScopes,
    ) -> str:
        response.headers["x-scopes"] = scopes.scope_str
        later.add_task(till.contexts.append, connection)
        return till.take(charge, amount, lines, request)

    return {"sync": refund, "async": refund_async}[kind]


def test_what_fastapi_hands_over_is_not_shown_and_reaches_the_body_itself(till: Till, kind: str, spelling: str) -> None:
    approver, session = cleared(), Session()
    app = shop(guarded(spelled(with_everything(till, kind), spelling), approver))
    app.state.session = session

    response = asyncio.run(post(app))

    assert response.json() == "refunded 25 on ch_1"
    assert response.headers["x-scopes"] == ""
    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == ARGUMENTS
    request, connection = till.contexts
    assert request.app.state.session is connection.app.state.session is session


class Order(BaseModel):
    charge: str
    amount: int
    lines: list[str]


def test_a_model_in_the_body_is_shown_field_by_field(till: Till, kind: str) -> None:
    approver = cleared()

    def refund(order: Order) -> str:
        return till.take(order.charge, order.amount, order.lines)

    async def refund_async(order: Order) -> str:
        return till.take(order.charge, order.amount, order.lines)

    app = shop(guarded({"sync": refund, "async": refund_async}[kind], approver))
    response = asyncio.run(post(app, ARGUMENTS))

    assert response.json() == "refunded 25 on ch_1"
    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == {"order": ARGUMENTS}


# ---------------------------------------------------------------------------------------------------------------------
# Dependencies
# ---------------------------------------------------------------------------------------------------------------------


def dependency(till: Till, kind: str) -> Callable[..., Any]:
    """What a handler depends on, of each kind that FastAPI knows."""

    def yielding(charge: str, amount: int, lines: list[str]) -> Iterator[str]:
        yield till.take(charge, amount, lines)
        till.contexts.append("put away")

    async def yielding_async(charge: str, amount: int, lines: list[str]) -> AsyncIterator[str]:
        yield till.take(charge, amount, lines)
        till.contexts.append("put away")

    return {"yielding": yielding, "yielding async": yielding_async}.get(kind) or refund_into(till, kind)


def depending_on(needed: Callable[..., Any]) -> FastAPI:
    async def handler(said: Annotated[str, Depends(needed)]) -> str:
        return said

    handler.__annotations__["said"] = Annotated[str, Depends(needed)]
    return shop(handler)


KINDS = pytest.mark.parametrize("kind", ["sync", "async", "yielding", "yielding async"])


@KINDS
def test_a_dependency_is_that_of_the_same_function_without_a_guard(till: Till, kind: str) -> None:
    plain = depending_on(dependency(till, kind)).openapi()

    assert depending_on(guarded(dependency(till, kind), cleared())).openapi() == plain


@KINDS
def test_a_cleared_dependency_runs_once_with_the_arguments_that_were_shown(till: Till, kind: str) -> None:
    approver = cleared()

    response = asyncio.run(post(depending_on(guarded(dependency(till, kind), approver))))

    assert response.json() == "refunded 25 on ch_1"
    assert till.calls == [ARGUMENTS]
    assert dict(the_only(approver).parameters) == ARGUMENTS
    assert the_only(approver).status is Status.COMPLETED
    assert till.contexts[1:] == (["put away"] if "yielding" in kind else [])


@KINDS
def test_a_refused_dependency_does_not_run_nor_does_the_handler(till: Till, kind: str) -> None:
    with pytest.raises(ActionDenied):
        asyncio.run(post(depending_on(guarded(dependency(till, kind), refused()))))

    assert not till.calls


@KINDS
def test_a_dependency_is_held_until_another_task_clears_it(till: Till, kind: str) -> None:
    async def scene() -> tuple[Patient, httpx2.Response]:
        approver = Patient()
        return approver, await held(post(depending_on(guarded(dependency(till, kind), approver))), approver, till)

    approver, response = asyncio.run(scene())

    assert response.json() == "refunded 25 on ch_1"
    assert till.calls == [ARGUMENTS]
    assert the_only(approver).status is Status.COMPLETED


# ---------------------------------------------------------------------------------------------------------------------
# The order of the decorators
# ---------------------------------------------------------------------------------------------------------------------


def test_the_decorator_hands_back_the_guarded_function_itself(till: Till, kind: str) -> None:
    refund = guarded(refund_into(till, kind), cleared())

    assert FastAPI().post("/refund")(refund) is refund


def test_a_guard_above_the_decorator_meets_a_plain_function_and_cannot_know(till: Till, kind: str) -> None:
    """A known limit: the route calls what it was given, without the guard."""
    approver, app, function = refused(), FastAPI(), refund_into(till, kind)
    assert app.post("/refund")(function) is function

    guarded(function, approver)
    asyncio.run(post(app))

    assert till.calls == [ARGUMENTS]
    assert not approver.asked
