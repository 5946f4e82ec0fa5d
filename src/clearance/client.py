"""The Center's REST API as plain calls, for programs that decide, list and look rather than guard."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, cast
from urllib.parse import quote

from clearance.errors import AuthorizationUnavailable
from clearance.models import Status
from clearance.settings import Settings
from clearance.transports.http import HttpTransport
from clearance.wire import asking, strictjson
from clearance.wire.vocabulary import SPOKEN
from clearance.witness import Head, continues

CHECK_TIMEOUT = 10.0
"""Seconds that a status check may take."""
RELOAD_TIMEOUT = 30.0
"""Seconds that the Center may take to read its policy again."""
PAGE = 50
"""Actions that are asked for at once."""
CONNECTION_TEST_TIMEOUT = 5.0
"""Seconds that a connection test may take."""


class Client:
    """Talks to a Center with one key.

    Args:
        settings: where it is, and the key; default: the ``OWKAI_*`` settings.

    Every method raises `AuthorizationUnavailable` if the Center cannot be reached, does not accept the key or
    will not do it; the message says which.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings: Settings = settings or Settings.load()
        self._http = HttpTransport(self.settings.api_url, self.settings.api_key, ca_bundle=self.settings.ca_bundle)

    def test_connection(self) -> dict[str, Any]:
        """Reach the Center and have the key verified; returns what it says of itself (``version``, ``role``)."""
        self._call("GET", "/health", timeout=CONNECTION_TEST_TIMEOUT)
        return self._object("GET", "/api/deployment-info", timeout=CONNECTION_TEST_TIMEOUT)

    def pending(self) -> list[dict[str, Any]]:
        """All that waits for a decision, newest first."""
        found: list[dict[str, Any]] = []
        while True:  # in pages, since an answer has at most 256 KiB
            page = self.list_actions(status=SPOKEN[Status.PENDING], limit=PAGE, offset=len(found))
            found += page
            if len(page) < PAGE:
                return found

    def list_actions(self, *, status: str | None = None, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
        """Actions, newest first; with ``status`` (``pending_approval``, ``denied`` ...) only those."""
        query = f"?limit={int(limit)}&offset={int(offset)}" + (f"&status_filter={status}" if status else "")
        found = self._call("GET", f"/api/v1/actions{query}")
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise _nonsense("it is no list of actions")
        return cast("list[dict[str, Any]]", found)

    def get_action(self, action_id: int) -> dict[str, Any]:
        """All that is known of one action."""
        return self._object("GET", f"/api/v1/actions/{int(action_id)}")

    def approve(
        self, action_id: int, reason: str = "", parameters: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Clear a pending action; with ``parameters``, only with these values of those that may be changed."""
        body = {"reason": reason, **({"parameters": dict(parameters)} if parameters else {})}
        return self._object("POST", f"/api/v1/actions/{int(action_id)}/approve", body)

    def reject(self, action_id: int, reason: str = "") -> dict[str, Any]:
        """Refuse a pending action."""
        return self._object("POST", f"/api/v1/actions/{int(action_id)}/reject", {"reason": reason})

    def revoke(self, action_id: int, reason: str = "") -> dict[str, Any]:
        """Take an approval back before it is claimed."""
        return self._object("POST", f"/api/v1/actions/{int(action_id)}/revoke", {"reason": reason})

    def resolve(self, action_id: int, outcome: str, reason: str) -> dict[str, Any]:
        """Say that an action whose end is unknown was ``completed`` or has ``failed``, and how that is known."""
        body = {"outcome": outcome, "reason": reason}
        return self._object("POST", f"/api/v1/actions/{int(action_id)}/resolve", body)

    def kill_switch(self) -> dict[str, Any]:
        """Is this key stopped (``blocked``), and, for those who may see all, which ``switches`` are on."""
        return self._object("GET", "/api/sdk/kill-switch/status")

    def turn_kill_switch(
        self, on: bool, reason: str, *, agent: str | None = None, tool: str | None = None
    ) -> dict[str, Any]:
        """Stop everything, or one agent or one tool; or let it go on. Needs a super_admin key."""
        only = {name: value for name, value in (("agent", agent), ("tool", tool)) if value is not None}
        return self._object("POST", "/api/v1/kill-switch", {"on": on, "reason": reason, **only})

    def break_glasses(self) -> list[dict[str, Any]]:
        """Every break-glass, newest first, with what was done under it. Needs a key that may see all."""
        found = self._call("GET", "/api/v1/break-glass")
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise _nonsense("it is no list of break-glasses")
        return cast("list[dict[str, Any]]", found)

    def open_break_glass(
        self, agent: str, tool: str, reason: str, *, minutes: int | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """Have what the policy would ask people about cleared at once, for one agent with one tool.

        Needs a super_admin key. It ends by itself, after 15 minutes if ``minutes`` are not given. With ``key``, the id
        of a key, it is for that one alone; otherwise for any that asks under the agent's name.
        """
        only = {name: value for name, value in (("minutes", minutes), ("key", key)) if value is not None}
        return self._object("POST", "/api/v1/break-glass", {"agent": agent, "tool": tool, "reason": reason, **only})

    def close_break_glass(self, number: int, reason: str = "") -> dict[str, Any]:
        """Close a break-glass before its time; what it cleared and nobody has claimed is void."""
        return self._object("POST", f"/api/v1/break-glass/{int(number)}/close", {"reason": reason})

    def policy(self, version: str | None = None) -> dict[str, Any]:
        """The policy in force, or the one of that ``version``, with its ``text``. Needs a key that may see all."""
        query = f"?version={quote(version, safe='')}" if version is not None else ""
        return self._object("GET", f"/api/v1/policy{query}")

    def policy_versions(self) -> list[dict[str, Any]]:
        """Which policies came in force when, newest first. Needs a key that may see all."""
        found = self._call("GET", "/api/v1/policy/versions")
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise _nonsense("it is no list of policies")
        return cast("list[dict[str, Any]]", found)

    def reload_policy(self) -> dict[str, Any]:
        """Have the Center read its policy file again. Needs a super_admin key.

        If the file cannot be used the old rules stay; the error (``reason_code`` ``policy_refused``) has all that
        the Center says about it.
        """
        status, answered, content = self._http.exchange("POST", "/api/v1/policy/reload", {}, None, RELOAD_TIMEOUT)
        if status in (409, 422) and (why := asking.detail(content)) is not None:
            raise AuthorizationUnavailable(
                f"The policy was not reloaded, and the old one stays in force: {why}", reason_code="policy_refused"
            )
        found = asking.value(status, answered, content)
        if not isinstance(found, dict):
            raise _nonsense("it is no object")
        return found

    def allow_again(
        self,
        action_id: int,
        reason: str,
        *,
        uses: int | None = None,
        hours: float | None = None,
        match: Mapping[str, object] | None = None,
        free: Collection[str] = (),
    ) -> dict[str, Any]:
        """Make a standing approval: what this action asks is allowed again, ``uses`` times within ``hours``.

        With ``match`` (conditions on some of its parameters) and ``free`` (parameters that may have any value), also a
        call that differs only there.
        """
        body: dict[str, object] = {"action_id": int(action_id), "reason": reason}
        more = {"uses": uses, "expires_in_hours": hours, "match": dict(match or {}) or None, "free": list(free) or None}
        body |= {name: value for name, value in more.items() if value is not None}
        return self._object("POST", "/api/v1/standing-approvals", body)

    def standing_approvals(self, *, ended: bool = False) -> list[dict[str, Any]]:
        """Standing approvals, newest first; with ``ended`` also those that have ended."""
        found: list[dict[str, Any]] = []
        while True:  # in pages, since an answer has at most 256 KiB
            query = f"?ended={str(ended).lower()}&limit={PAGE}&offset={len(found)}"
            page = self._call("GET", f"/api/v1/standing-approvals{query}")
            if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
                raise _nonsense("it is no list of standing approvals")
            found += page
            if len(page) < PAGE:
                return found

    def revoke_standing_approval(self, standing_id: int, reason: str = "") -> dict[str, Any]:
        """End a standing approval at once, with what it approved and nobody has claimed."""
        return self._object("POST", f"/api/v1/standing-approvals/{int(standing_id)}/revoke", {"reason": reason})

    def approve_all(self, risk_levels: Collection[str]) -> list[int]:
        """Clear everything pending of these risk levels (``low``, ``medium``); returns the ids."""
        body = {"risk_levels": sorted(risk_levels)}
        approved = self._object("POST", "/api/v1/actions/approve-all", body).get("approved")
        if not isinstance(approved, list) or not all(type(item) is int for item in approved):
            raise _nonsense("it does not say what was approved")
        return approved

    @property
    def head(self) -> Head | None:
        """The newest head of the audit trail that any answer carried."""
        return self._http.head

    def grown(self, known: Head, later: Head | None = None) -> Head:
        """The audit trail's head as it stands, or ``later``, once it is proven to continue the ``known`` one.

        Raises:
            AuthorizationUnavailable: it does not (``reason_code`` ``audit_broken``): entries are gone or were changed.
        """
        until = f"&until={later.entries}" if later else ""
        answer = self._object("GET", f"/api/v1/audit/growth?entries={known.entries}{until}")
        try:
            head = Head.parse(f"{answer['entries']}:{answer['root']}")
            proof = [bytes.fromhex(digest) for digest in answer["proof"]]
        except (KeyError, TypeError, ValueError):
            head, proof = None, []
        if head is None:
            raise _nonsense("it has no head of the audit trail")
        if not continues(known, head, proof) or (later is not None and head != later):
            wanted = max(known.entries, later.entries if later else 0)
            what = f"it has {head.entries} entries" if head.entries < wanted else "entries were changed"
            raise AuthorizationUnavailable(
                f"The Center's audit trail does not continue the head {known}: {what}.",
                reason_code="audit_broken",
                next_step="Ask the Center's owner. A restored backup looks like this, and so does tampering.",
            )
        return head

    def receipt(self, action_id: int) -> bytes:
        """The receipt of the decision about an action, to be kept as it is; `clearance.receipts` checks it."""
        status, answered, content = self._http.exchange("GET", f"/api/v1/actions/{int(action_id)}/receipt")
        asking.value(status, answered, content)
        return content

    def public_key(self) -> str:
        """The Center's public key, as it says. Who checks receipts with it should have it from elsewhere, once."""
        found = self._object("GET", "/api/v1/center-key").get("public_key")
        if not isinstance(found, str):
            raise _nonsense("it has no key")
        return found

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _object(
        self, method: str, path: str, body: Mapping[str, object] | None = None, timeout: float = CHECK_TIMEOUT
    ) -> dict[str, Any]:
        found = self._call(method, path, body, timeout)
        if not isinstance(found, dict):
            raise _nonsense("it is no object")
        return found

    def _call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, timeout: float = CHECK_TIMEOUT
    ) -> Any:
        data = None if body is None else strictjson.write(dict(body))
        headers = {"Content-Type": "application/json"} if data else {}
        status, answered, content = self._http.exchange(method, path, headers, data, timeout)
        return asking.value(status, answered, content)


def _nonsense(problem: str) -> AuthorizationUnavailable:
    return AuthorizationUnavailable(
        f"The Center's answer cannot be trusted: {problem}.",
        reason_code="bad_answer",
        next_step="Check that OWKAI_API_URL is the address of an Authorization Center.",
    )
