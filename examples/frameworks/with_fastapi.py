"""Guarded functions as a route handler and a dependency of FastAPI.

    python examples/frameworks/with_fastapi.py

The application is asked in this process, and the approver is scripted: nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import httpx2
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

import clearance
from clearance import ActionDenied, AuthorizationError, requires_authorization
from clearance.testing import FakeTransport

app = FastAPI()


@app.exception_handler(AuthorizationError)
async def tell_caller(_request: Request, refusal: AuthorizationError) -> JSONResponse:
    return JSONResponse({"detail": refusal.for_model()}, 403 if isinstance(refusal, ActionDenied) else 503)


@app.post("/refunds")
@requires_authorization(action_type="payment.refund", tool_name="stripe")
async def refund(request: Request, charge: str, amount: int) -> str:
    """Give a customer money back."""
    return f"refunded {amount} on {charge} for {request.headers['x-clerk']}"


@requires_authorization(action_type="books.read", tool_name="ledger")
async def books(year: int) -> str:
    """Open the books of a year."""
    return f"the books of {year}"


@app.get("/profit")
async def profit(opened: Annotated[str, Depends(books)]) -> str:
    return f"nothing was earned, say {opened}"


# ----------------------------------------------------------------------------------------------------------------------


def approver(asked: clearance.testing.Asked) -> bool:
    return asked.parameters in ({"charge": "ch_1", "amount": 50}, {"year": 2025})


async def main() -> None:
    clearance.configure(transport=FakeTransport(approver))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://shop") as client:
        for amount in (50, 5000):
            query = {"charge": "ch_1", "amount": amount}
            print((await client.post("/refunds", params=query, headers={"x-clerk": "ada"})).text)
        print((await client.get("/profit", params={"year": 2025})).text)
        print((await client.get("/profit", params={"year": 2026})).status_code)


if __name__ == "__main__":
    asyncio.run(main())
