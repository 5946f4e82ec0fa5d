"""The REST counter for the policy: which one is in force, which were, and reading the file again."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clearance.center import telling
from clearance.center.api import at_the_desk, caller_of, center_of
from clearance.center.faults import Forbidden, Invalid, NotFound
from clearance.center.policy import PolicyError
from clearance.center.records import InForce, KeptPolicy, Principal
from clearance.center.store.base import Tx
from clearance.models import Json
from clearance.wire import answering

MOST_VERSIONS = 500
"""Changes of the policy that one list answers at most."""
MAY_NOT_READ = "This key may not read the policy; ask for one with the role auditor"


async def show(request: Request) -> Response:
    """The policy in force, or the one of a version, as it was written."""
    desk, wanted = center_of(request).desk, request.query_params.get("version")

    def find(tx: Tx, who: Principal) -> tuple[KeptPolicy, InForce | None]:
        if not who.may_read_all:
            raise Forbidden(MAY_NOT_READ)
        changes = tx.policies_in_force(limit=1) if wanted is None else tx.policies_in_force()
        change = next((each for each in changes if wanted is None or each.version == wanted), None)
        kept = tx.policy(change.version) if change is not None else None
        used = desk.policy
        if kept is None and wanted in (None, used.version):  # a Center in a program, that has put nothing in force
            kept = KeptPolicy(used.version, used.format, used.source)
        if kept is None:
            raise NotFound(f"No policy {wanted} was ever in force here")
        return kept, change

    kept, change = await at_the_desk(request, find)
    told: dict[str, Json] = {"version": kept.version, "format": kept.format, "text": kept.text}
    told |= _told(change) if change is not None else {"since": None, "by": None}
    used = desk.policy
    return JSONResponse(told | {"in_use": used.version, "unclear": dict(used.unclear)})


async def versions(request: Request) -> Response:
    """Which policies came in force when."""

    def find(tx: Tx, who: Principal) -> list[InForce]:
        if not who.may_read_all:
            raise Forbidden(MAY_NOT_READ)
        return tx.policies_in_force(limit=MOST_VERSIONS)

    return JSONResponse([_told(change) for change in await at_the_desk(request, find)])


async def reload(request: Request) -> Response:
    """Read the policy file again."""
    caller, rollout = caller_of(request), center_of(request).rollout

    def author(tx: Tx) -> Principal:
        who = caller(tx)
        if not who.may_manage:
            raise Forbidden("Only a key with the role super_admin reloads the policy")
        return who

    await at_the_desk(request, lambda tx, _who: author(tx))  # before any file is read
    try:
        change = await run_in_threadpool(rollout.reload, author)
    except PolicyError as error:
        raise Invalid(str(error)) from None
    return JSONResponse(_told(change.policy) | {"changed": change.is_new, "before": change.before})


def _told(change: InForce) -> dict[str, Json]:
    since = answering.iso(telling.time_of(change.at))
    return {"version": change.version, "since": since, "by": change.author_name}


ROUTES = [
    Route("/api/v1/policy", show, methods=["GET"]),
    Route("/api/v1/policy/versions", versions, methods=["GET"]),
    Route("/api/v1/policy/reload", reload, methods=["POST"]),
]
