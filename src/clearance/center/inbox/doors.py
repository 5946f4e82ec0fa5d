"""Who may come in: the session cookie, and what a form must prove before it changes anything.

A form must come from a page of ours. Three things say so, each enough against most attackers: the cookie is
``SameSite=Strict``, the browser names the page's origin (see `clearance.center.limits`) or says that the sites
differ, and the form carries the session's own token.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from clearance.center.api import center_of
from clearance.center.faults import Forbidden, Invalid
from clearance.center.limits import FORM
from clearance.center.records import Session
from clearance.center.service import SESSION_FOR
from clearance.center.store.base import Tx

T = TypeVar("T")
MOST_FIELDS = 20
MAY_NOT_ENTER = "This key may ask, but not decide. The inbox is for keys with the role admin, super_admin or auditor."
MAY_NOT_DECIDE = "This key may read, but not decide. Ask somebody with the role admin."


def cookie_name(request: Request) -> str:
    """The cookie's name. Browsers share cookies among the ports of a host, so it has the port in it."""
    host, _, port = request.headers.get("host", "").rpartition(":")
    return f"clearance-{port}" if host and port.isdigit() else "clearance"


def check_reader(session: Session) -> None:
    """Refuse whoever may not see what others ask.

    Raises:
        Forbidden: then.
    """
    if not session.principal.may_read_all:
        raise Forbidden(MAY_NOT_ENTER)


async def as_approver(request: Request, work: Callable[[Tx, Session], T]) -> T:
    """Run one transaction as whoever is signed in, and may decide.

    Raises:
        NotAuthenticated: nobody is.
        Forbidden: the one who is may not.
    """

    def inside(tx: Tx, session: Session) -> T:
        if not session.principal.may_decide:
            raise Forbidden(MAY_NOT_DECIDE)
        return work(tx, session)

    return await as_reader(request, inside)


async def as_reader(request: Request, work: Callable[[Tx, Session], T]) -> T:
    """Run one transaction as whoever is signed in, and may see what others ask.

    Raises:
        NotAuthenticated: nobody is.
        Forbidden: the one who is may not.
    """
    center, cookie = center_of(request), request.cookies.get(cookie_name(request))

    def inside(tx: Tx) -> T:
        session = center.session(tx, cookie)
        check_reader(session)
        return work(tx, session)

    return await center.ado(inside)


def check_site(request: Request) -> None:
    """Refuse a form that another site's page sent.

    Raises:
        Forbidden: the browser says that the sites differ.
    """
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Forbidden("This form was sent by another site, so nothing was done")


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form of ours.

    Raises:
        Forbidden: another site sent it.
        Invalid: it is not a form, or has a field twice.
    """
    check_site(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Invalid("This address takes a form")
    try:
        fields = parse_qs((await request.body()).decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Invalid("The form cannot be read") from None
    if any(len(values) > 1 for values in fields.values()):
        raise Invalid("The form has a field twice")
    return {name: values[0] for name, values in fields.items()}


def check_token(session: Session, form: Mapping[str, str]) -> None:
    """Refuse a form that was not made for this session.

    Raises:
        Forbidden: its token is missing, or another one's.
    """
    if not hmac.compare_digest(session.form_token.encode(), form.get("form_token", "").encode()):
        raise Forbidden("This form is not from your session, so nothing was done. Reload the inbox and try again.")


def let_in(request: Request, response: Response, cookie: str) -> None:
    """Give the browser its session. The cookie goes over TLS only, wherever the browser sees TLS."""
    is_tls = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
    response.set_cookie(
        cookie_name(request), cookie, max_age=SESSION_FOR, path="/", secure=is_tls, httponly=True, samesite="strict"
    )


def see_out(request: Request, response: Response) -> None:
    """Take the session's cookie away."""
    response.delete_cookie(cookie_name(request), path="/", httponly=True, samesite="strict")
