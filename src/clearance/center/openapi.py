"""The API described in OpenAPI 3.1, made from the types that its routes read and answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from clearance._version import __version__
from clearance.center import answers
from clearance.models import Json, Status
from clearance.wire import administering, answering
from clearance.wire.vocabulary import HEARD, IDEMPOTENCY_KEY_LENGTH, MOST_IDS

PATH = "/api/openapi.json"
_SCHEMAS = "#/components/schemas/{model}"
_LONGEST_ID = 10**18 - 1


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    summary: str
    answer: Any
    body: Any = None
    parameters: tuple[str, ...] = ()
    refusals: tuple[int, ...] = ()
    is_open: bool = False


def _query(name: str, schema: dict[str, Json], *, required: bool = False) -> dict[str, Json]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _count(most: int) -> dict[str, Json]:
    return {"type": "integer", "minimum": 0, "maximum": most}


PARAMETERS: Mapping[str, dict[str, Json]] = {
    "action": {"name": "id", "in": "path", "required": True, "schema": _count(_LONGEST_ID)},
    "number": {"name": "id", "in": "path", "required": True, "schema": _count(_LONGEST_ID)},
    "key": {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
    "limit": _query("limit", _count(10**9 - 1)),
    "offset": _query("offset", _count(10**9 - 1)),
    "status_filter": _query("status_filter", {"enum": sorted({*HEARD, *Status})}),
    "ids": _query("ids", {"type": "string", "pattern": "^[0-9]{1,18}(,[0-9]{1,18})*$"}, required=True),
    "entries": _query("entries", _count(_LONGEST_ID)),
    "until": _query("until", _count(_LONGEST_ID)),
    "version": _query("version", {"type": "string", "minLength": 1}),
    "agent_id": _query("agent_id", {"type": "string", "maxLength": 200}),
    "standing": {"name": "id", "in": "path", "required": True, "schema": _count(_LONGEST_ID)},
    "ended": _query("ended", {"enum": ["true", "false"]}),
    "prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "wait=N holds the answer until there is news, or N seconds have passed (60 at most)",
        "schema": {"type": "string"},
    },
    "idempotency": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "the same key and body is the same action",
        "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_LENGTH},
    },
}
_ACTION = "/api/v1/actions/{id}"
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/health"): Operation("Is it up?", answers.Health, is_open=True),
    ("GET", PATH): Operation("This description", dict[str, Any], is_open=True),
    ("GET", "/api/deployment-info"): Operation("Which Center this is", answers.Deployment),
    ("GET", "/api/v1/center-key"): Operation("What receipts are checked with", answers.CenterKey),
    ("GET", "/api/v1/audit/growth"): Operation(
        "The audit trail's head, and that it continues an older one", answers.Growth, parameters=("entries", "until")
    ),
    ("POST", "/api/v1/actions/submit"): Operation(
        "Ask", answers.Submitted, answering.SubmitBody, ("idempotency",), refusals=(403,)
    ),
    ("GET", "/api/v1/actions/wait"): Operation(
        "Wait for many", list[answers.Standing], parameters=("ids", "prefer"), refusals=(404,)
    ),
    ("POST", "/api/v1/actions/wait"): Operation(
        f"Wait for up to {MOST_IDS:,}", list[answers.Standing], answering.WaitBody, ("prefer",), refusals=(404,)
    ),
    ("GET", "/api/v1/actions"): Operation(
        "Actions, newest first", list[answers.Details], parameters=("limit", "offset", "status_filter")
    ),
    ("GET", _ACTION): Operation("One action", answers.Details, parameters=("action",), refusals=(404,)),
    ("GET", f"{_ACTION}/status"): Operation(
        "How it stands", answers.Standing, parameters=("action", "prefer"), refusals=(404,)
    ),
    ("GET", f"{_ACTION}/receipt"): Operation(
        "What the Center signs about its decision", answers.Receipt, parameters=("action",), refusals=(404, 409)
    ),
    ("POST", f"{_ACTION}/approve"): Operation(
        "Clear it", answers.Details, answering.DecisionBody, ("action",), refusals=(403, 404, 409)
    ),
    ("POST", f"{_ACTION}/reject"): Operation(
        "Refuse it", answers.Details, answering.DecisionBody, ("action",), refusals=(403, 404, 409)
    ),
    ("POST", "/api/v1/actions/approve-all"): Operation(
        "Clear all that is pending at these levels", answers.Approved, answering.BulkBody, refusals=(403,)
    ),
    ("POST", f"{_ACTION}/revoke"): Operation(
        "Take its approval back", answers.Details, answering.ReasonBody, ("action",), refusals=(403, 404, 409)
    ),
    ("POST", f"{_ACTION}/resolve"): Operation(
        "Say what became of one that is unknown",
        answers.Details,
        answering.ResolveBody,
        ("action",),
        refusals=(403, 404, 409),
    ),
    ("POST", f"{_ACTION}/claim"): Operation(
        "Spend its approval", answers.Standing, answering.ClaimBody, ("action",), refusals=(403, 404, 409)
    ),
    ("POST", f"{_ACTION}/outcome"): Operation(
        "Say what came of it", answers.Standing, answering.OutcomeBody, ("action",), refusals=(403, 404, 409)
    ),
    ("POST", f"{_ACTION}/withdraw"): Operation(
        "Close it before it runs", answers.Standing, answering.ReasonBody, ("action",), refusals=(403, 404, 409)
    ),
    ("POST", "/api/keys/generate"): Operation("Make a key", answers.NewKey, administering.KeyBody, refusals=(403, 409)),
    ("GET", "/api/keys/list"): Operation("Every key", answers.Keys, refusals=(403,)),
    ("DELETE", "/api/keys/{id}/revoke"): Operation(
        "End a key", answers.RevokedKey, parameters=("key",), refusals=(403, 404, 409)
    ),
    ("GET", "/api/sdk/kill-switch/status"): Operation(
        "Is this key stopped?", answers.Stopped, parameters=("agent_id",)
    ),
    ("POST", "/api/v1/kill-switch"): Operation(
        "Stop everything, one agent or one tool", answers.Switch, administering.SwitchBody, refusals=(403, 409)
    ),
    ("GET", "/api/v1/break-glass"): Operation(
        "Every break-glass, newest first", list[answers.BreakGlass], parameters=("limit", "offset"), refusals=(403,)
    ),
    ("POST", "/api/v1/break-glass"): Operation(
        "Clear one agent's calls of one tool for some minutes",
        answers.BreakGlass,
        administering.BreakGlassBody,
        refusals=(403, 409),
    ),
    ("POST", "/api/v1/break-glass/{id}/close"): Operation(
        "Close one before its time",
        answers.BreakGlass,
        answering.ReasonBody,
        ("number",),
        refusals=(403, 404, 409),
    ),
    ("GET", "/api/v1/policy"): Operation(
        "The policy in force, or one that was", answers.Policy, parameters=("version",), refusals=(403, 404)
    ),
    ("GET", "/api/v1/policy/versions"): Operation(
        "Which policies came in force when, newest first", list[answers.PolicyVersion], refusals=(403,)
    ),
    ("POST", "/api/v1/policy/reload"): Operation("Read the policy file again", answers.Reloaded, refusals=(403, 409)),
    ("POST", "/api/v1/standing-approvals"): Operation(
        "Allow again what an action asks",
        answers.StandingApproval,
        administering.StandingBody,
        refusals=(403, 404, 409),
    ),
    ("GET", "/api/v1/standing-approvals"): Operation(
        "Standing approvals, newest first", list[answers.StandingApproval], parameters=("ended", "limit", "offset")
    ),
    ("POST", "/api/v1/standing-approvals/{id}/revoke"): Operation(
        "End one, with what it approved and nobody has claimed",
        answers.StandingApproval,
        answering.ReasonBody,
        ("standing",),
        refusals=(403, 404),
    ),
    ("GET", "/api/audit/logs"): Operation(
        "The audit trail, newest first", answers.Logs, parameters=("limit", "offset"), refusals=(403,)
    ),
}
_WORDS = {
    401: "no key, or none that is valid",
    403: "not this key's to do",
    404: "there is none, or it is somebody else's",
    409: "it cannot do that as it stands",
    422: "it cannot be meant",
    429: "too much of this key; Retry-After says when to come back",
}


@cache
def document() -> dict[str, Json]:
    """The description of every route that programs use."""
    schemas: dict[str, Json] = {}
    paths: dict[str, dict[str, Json]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _described(method, path, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clearance Center",
            "version": __version__,
            "description": "Holds risky calls until someone, or some policy, has cleared exactly that call.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {path: dict(found) for path, found in paths.items()},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"bearer": []}, {"header": []}],
    }


def _described(method: str, path: str, operation: Operation, schemas: dict[str, Json]) -> dict[str, Json]:
    refusal: dict[str, Json] = {"application/json": {"schema": _schema(answers.Refusal, schemas)}}
    codes = [*operation.refusals] if operation.is_open else [401, *operation.refusals, 422, 429]
    responses: dict[str, Json] = {
        "200": {
            "description": "done",
            "content": {"application/json": {"schema": _schema(operation.answer, schemas)}},
        },
        **{str(code): {"description": _WORDS[code], "content": refusal} for code in codes},
        "4XX": {"description": "refused unread", "content": refusal},
        "5XX": {"description": "the Center cannot do it now", "content": refusal},
    }
    described: dict[str, Json] = {
        "operationId": f"{method.lower()}{path.replace('/', '_').replace('{id}', 'id')}",
        "summary": operation.summary,
        "parameters": [PARAMETERS[name] for name in operation.parameters],
        "responses": responses,
    }
    if operation.is_open:
        described["security"] = []
    if operation.body is not None:
        content: dict[str, Json] = {"application/json": {"schema": _schema(operation.body, schemas)}}
        described["requestBody"] = {"required": False, "content": content}
    return described


def _schema(kind: Any, schemas: dict[str, Json]) -> dict[str, Json]:
    """The schema of a type; what it is made of goes to ``schemas``."""
    found = TypeAdapter(kind).json_schema(ref_template=_SCHEMAS)
    schemas.update(found.pop("$defs", {}))
    if "title" in found and found.get("type") == "object" and found.get("properties"):
        name = str(found["title"])
        schemas[name] = found
        return {"$ref": _SCHEMAS.format(model=name)}
    return found
