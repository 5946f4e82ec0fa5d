"""The web application: the routes of the API and the inbox, and what each refusal looks like outside."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import AsyncIterator, Collection, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from clearance.center import administration, api, breakglass_routes, openapi, policy_routes, telling
from clearance.center.faults import (
    Conflict,
    DeskError,
    Forbidden,
    Invalid,
    NotAuthenticated,
    NotFound,
    StoreUnavailable,
    TooMany,
)
from clearance.center.inbox import pages
from clearance.center.inbox import standing as standing_pages
from clearance.center.limits import BODY_WITHIN, Headers, Limits
from clearance.center.lookout import Lookout
from clearance.center.service import Center
from clearance.center.signing import CannotSign
from clearance.center.standing import routes as standing_routes
from clearance.models import Json
from clearance.wire.answering import Unreadable
from clearance.wire.vocabulary import AUDIT_HEAD

log: logging.Logger = logging.getLogger("clearance.center")

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_STATUS: dict[type[DeskError], int] = {
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    TooMany: 429,
}


async def described(_request: Request) -> Response:
    """The API in OpenAPI 3.1. Needs no key: it tells nothing of this Center."""
    return JSONResponse(openapi.document())


API_ROUTES = [
    *api.ROUTES,
    *administration.ROUTES,
    *breakglass_routes.ROUTES,
    *policy_routes.ROUTES,
    *standing_routes.ROUTES,
    Route(openapi.PATH, described, methods=["GET"]),
]
"""Every route that programs use; the others are the inbox's."""


def application(
    center: Center, hosts: Collection[str] = LOOPBACK_HOSTS, *, body_within: float = BODY_WITHIN
) -> ASGIApp:
    """The Center's ASGI application, answering to these host names; a body has ``body_within`` seconds to arrive."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with center.sweeping():
            yield

    app = Starlette(
        routes=[*API_ROUTES, *pages.ROUTES, *standing_pages.ROUTES],
        exception_handlers={
            DeskError: _refused,
            Unreadable: _unreadable,
            StoreUnavailable: _unavailable,
            CannotSign: _cannot_sign,
            HTTPException: _http,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.center = center
    limited = Limits(app, hosts, headers=lambda: _audit_head(center), body_within=body_within)
    lookout = app.state.lookout = Lookout(limited, center)
    return lookout


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DeskError)
    status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
    told = telling.claim_of(error.record) | {"nonce": None} if error.record is not None else {}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    if isinstance(error, TooMany):
        headers = {"Retry-After": str(math.ceil(error.retry_after))}
    return await _told(request, status, error.detail, told, headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    return await _told(request, 422, str(error))


async def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreUnavailable)
    log.error("The store failed: %s", error)
    status = 507 if error.full else 503
    done = "whether it was kept is not known; ask again" if error.unknown else "nothing was changed"
    return await _told(request, status, f"The store is not available; {done}")


async def _cannot_sign(request: Request, error: Exception) -> Response:
    log.error("No receipt could be signed: %s", error)
    return await _told(request, 503, "This Center cannot sign now; its log has the cause")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _told(request, error.status_code, error.detail, headers=error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Whoever sent half a body and hung up: nobody reads this, and nothing was done."""
    return Response(status_code=400)


async def _told(
    request: Request,
    status: int,
    detail: str,
    more: Mapping[str, Json] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A refusal: a page for a person, JSON for a program."""
    if pages.is_page(request):
        page = await pages.refused(request, status, detail)
        page.headers.update(headers or {})
        return page
    return JSONResponse({**(more or {}), "detail": detail}, status, headers=headers)


async def _broken(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"detail": "The Center failed; its log has the cause"}, 500)


def _audit_head(center: Center) -> Headers:
    """The newest head of the audit trail: whoever keeps it can show later that the trail was so."""
    head = center.store.head
    return [(AUDIT_HEAD.lower().encode(), str(head).encode())] if head else []
