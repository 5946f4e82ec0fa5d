"""A submit in ASCEND's own field names: what may be said in it, and how it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from clearance.errors import AuthorizationUnavailable, ConfigurationError
from clearance.models import Decision, Json
from clearance.redaction import View
from clearance.sealing import cleaned, spell
from clearance.wire import asking, strictjson
from clearance.wire.asking import Request
from clearance.wire.inquiring import Headers, Inquiry
from clearance.wire.vocabulary import IDEMPOTENCY_KEY_LENGTH, MAX_BODY, SUBMIT_PATH

REQUIRED: Final = ("agent_id", "action_type", "description", "tool_name")
"""What every submit must say; an empty text says nothing."""
LONGEST_DEPTH: Final = 5
"""How deep an orchestration can be."""


@with_config(ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True))
class SubmitFields(TypedDict):
    """What `submit_action` takes: ASCEND's fields, and under them what Clearance adds.

    Values in the mappings may be whatever a guarded call may have as an argument; secrets in them are hidden.
    """

    agent_id: str
    action_type: str
    description: str
    tool_name: str
    action_details: NotRequired[Mapping[str, Any] | None]
    parameters: NotRequired[Mapping[str, Any] | None]
    extra_data: NotRequired[Mapping[str, Any] | None]
    context: NotRequired[Mapping[str, Any] | None]
    risk_indicators: NotRequired[Mapping[str, Any] | None]
    metadata: NotRequired[Mapping[str, Any] | None]
    target_system: NotRequired[str | None]
    nist_control: NotRequired[str | None]
    mitre_tactic: NotRequired[str | None]
    agent_name: NotRequired[str | None]
    resource: NotRequired[str | None]
    resource_id: NotRequired[str | None]
    orchestration_session_id: NotRequired[str | None]
    parent_action_id: NotRequired[int | str | None]
    orchestration_depth: NotRequired[int | None]
    mcp_server_name: NotRequired[str | None]
    model_id: NotRequired[str | None]

    idempotency_key: NotRequired[str | None]
    """The request's name: the same again, with the same fields, is the same action. Default: a fresh one."""
    reasoning: NotRequired[str | None]
    """The agent's own justification; approvers see it as that."""
    decide_within: NotRequired[float | None]
    """Seconds that the decision may take."""
    run_within: NotRequired[float | None]
    """Seconds that an approval stays good."""


_OURS: Final = frozenset({"idempotency_key", "reasoning", "decide_within", "run_within"})
_MEANT: Mapping[str, str] = {
    "tool": "tool_name", "agent": "agent_id", "name": "agent_name", "type": "action_type", "action": "action_type",
    "args": "action_details", "arguments": "action_details", "params": "parameters", "details": "action_details",
    "timeout": "decide_within", "server": "target_system", "reason": "reasoning", "model": "model_id",
}  # fmt: skip
"""Words that are written for others, and too far from them to be found by their letters."""


def submission(fields: Mapping[str, Any], fresh_key: str, timeout: float) -> Inquiry[Decision]:
    """The submit that these fields make. It claims nothing: whoever sent it does that, or only reads the decision.

    Raises:
        ConfigurationError: a field that is not known, or missing, or of the wrong kind; the message says which.
        UnserializableArgument: a value that cannot be shown exactly.
        AuthorizationUnavailable: it would be larger than any server accepts.
    """
    said = _checked(fields)
    body = strictjson.write(_body(said))
    if len(body) > MAX_BODY:
        raise AuthorizationUnavailable(
            f"The request for {said['action_type']!r} has {len(body):,} bytes; a Center reads {MAX_BODY:,}.",
            reason_code="too_large",
            next_step="Pass the bulk by reference (a path, an id).",
        )
    key = said.get("idempotency_key") or fresh_key
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return Inquiry(Request("POST", SUBMIT_PATH, headers, body), _read, timeout)


def _read(status: int, headers: Headers, body: bytes) -> Decision:
    return asking.decision_of(asking.value(status, headers, body), headers)


def _body(said: Mapping[str, Any]) -> dict[str, Json]:
    """What is sent: no text with a credential in it, no value under the name of a secret, nothing that is None."""
    ours = {
        "v": 1,
        "claim": False,
        "decide_within_s": said.get("decide_within"),
        "run_within_s": said.get("run_within"),
        "reasoning": said.get("reasoning"),
    }
    named = {name: value for name, value in said.items() if name not in _OURS and value is not None}
    body: dict[str, Json] = {name: _sent(value) for name, value in named.items()}
    ours = {name: _sent(value) for name, value in ours.items() if value is not None}
    extra = body.get("extra_data")
    body["extra_data"] = {**(extra if isinstance(extra, dict) else {}), "clearance": ours}
    return body


def _sent(value: Any) -> Any:
    if isinstance(value, str):
        return cleaned(value)
    return spell(value, View(), b"")[0] if isinstance(value, Mapping) else value


@cache
def _schema() -> TypeAdapter[SubmitFields]:
    return TypeAdapter(SubmitFields)


def _checked(fields: Mapping[str, Any]) -> SubmitFields:
    """The fields, if they can be meant."""
    known = list(SubmitFields.__annotations__)
    for name in fields:
        if name not in known:
            raise _wrong(f"submit_action() knows no field {name!r}.", _instead(name, known))
    missing = [name for name in REQUIRED if fields.get(name) is None or not str(fields[name]).strip()]
    if missing:
        raise _wrong(f"Missing required fields: {', '.join(missing)}.", "Give each of them a text.")
    try:
        said: SubmitFields = _schema().validate_python(dict(fields))
        "".join(value for value in fields.values() if isinstance(value, str)).encode()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _wrong(f"submit_action(): {where}: {first['msg']}.", "See SubmitFields for what each takes.") from None
    except UnicodeEncodeError:
        raise _wrong("submit_action(): a text has half a character in it (a lone surrogate).", "Mend it.") from None
    _check_meaning(said)
    return said


def _check_meaning(said: SubmitFields) -> None:
    if not 0 <= (said.get("orchestration_depth") or 0) <= LONGEST_DEPTH:
        raise _wrong(f"orchestration_depth is a number from 0 to {LONGEST_DEPTH}.", "Leave it out if there is none.")
    for name in ("decide_within", "run_within"):
        seconds = said.get(name)
        if isinstance(seconds, (int, float)) and not 0 < seconds <= 30 * 24 * 3600:
            raise _wrong(f"{name} is a number of seconds, 30 days at most.", "Leave it out for the server's own.")
    key = said.get("idempotency_key")
    if key is not None and not (0 < len(key) <= IDEMPOTENCY_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise _wrong(
            f"idempotency_key has 1 to {IDEMPOTENCY_KEY_LENGTH} printable ASCII characters.", "Leave it out for a new."
        )
    extra = said.get("extra_data")
    if extra is not None and "clearance" in extra:
        raise _wrong("extra_data['clearance'] is what the client itself says.", "Use another name.")


def _instead(name: str, known: list[str]) -> str:
    meant = _MEANT.get(name.lower()) or next(iter(get_close_matches(name.lower(), known, 1, 0.6)), None)
    return f"Did you mean {meant!r}?" if meant else f"It knows {', '.join(known)}."


def _wrong(happened: str, next_step: str) -> ConfigurationError:
    return ConfigurationError(happened, next_step=next_step, reason_code="bad_field")
