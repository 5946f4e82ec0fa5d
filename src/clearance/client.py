"""Clients for a Center's REST API: for programs that submit, wait, look and decide themselves, rather than guard."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, cast

from typing_extensions import Unpack

from clearance import dialogues, drivers
from clearance.dialogues import CHECK_TIMEOUT, AnyAction
from clearance.errors import AuthorizationUnavailable
from clearance.exchanges import AsyncLine, Line
from clearance.flow import Terms
from clearance.models import Decision, Status
from clearance.settings import DECIDE_WITHIN, Settings, check_timeout
from clearance.told import ActionDetails, Connection, KillSwitchStatus
from clearance.wire import asking, inquiring
from clearance.wire.inquiring import nonsense
from clearance.wire.submitting import SubmitFields
from clearance.witness import Head, continues

RELOAD_TIMEOUT = 30.0
"""Seconds that the Center may take to read its policy again."""
PAGE = 50
"""Actions that are asked for at once."""


class Client:
    """Talks to a Center with one key. Safe to share between threads; use it as a context manager, or `close` it.

    Args:
        settings: where it is, the key and the timeout; default: the ``OWKAI_*`` settings.
        debug: log each exchange, at DEBUG to the logger ``clearance.client``, with all secrets hidden.

    Every method raises `AuthorizationUnavailable` if the Center cannot be reached, does not accept the key or
    will not do it; the message says which. What is returned as a `dict` is the server's JSON.
    """

    def __init__(self, settings: Settings | None = None, *, debug: bool = False) -> None:
        self.settings: Settings = settings or Settings.load()
        self._line = Line(self.settings, debug=debug)

    def __repr__(self) -> str:
        return f"Client({self.settings.api_url!r})"

    # Asking

    def submit_action(self, **fields: Unpack[SubmitFields]) -> Decision:
        """Ask for leave, in ASCEND's own field names; returns how the action stands.

        Needed are ``agent_id``, ``action_type``, ``description`` and ``tool_name``. The arguments go into
        ``action_details``. Secrets are hidden before anything is sent, as those of a guarded call. What ``approved``
        lets run is for the caller to keep to: nothing is held here. See `wait_for_decision` and `claim`.

        Raises:
            ConfigurationError: a field that is not known, or missing, or of the wrong kind; nothing was asked.
        """
        return drivers.run(
            dialogues.submitted(fields, _terms(self.settings), is_keyed=self.head is not None), self._line
        )

    def get_action_status(self, action: AnyAction) -> Decision:
        """How an action stands now. Only ``Status.APPROVED`` is leave to run."""
        return drivers.run(dialogues.standing(action, min(CHECK_TIMEOUT, self.settings.timeout)), self._line)

    def wait_for_decision(self, action: AnyAction, timeout: float = DECIDE_WITHIN) -> Decision:
        """Wait until an action is decided, for ``timeout`` seconds at most; returns the decision, whichever it is.

        One request is held by a Center that can; a plain ASCEND server is polled at the pace that it asks for.

        Raises:
            ActionUndecided: nobody decided in time. The request stays open.
        """
        return drivers.run(dialogues.decided(action, check_timeout(timeout), _terms(self.settings)), self._line)

    def claim(self, action: AnyAction) -> Decision:
        """Spend an approval: of all who may hold it, one gets a yes, once. Hand what it returns to `report_outcome`.

        Raises:
            ActionDenied, AlreadyClaimed: it is not, or no longer, ours to run.
            AuthorizationUnavailable: also where the server has no claims (``reason_code`` ``not_offered``).
        """
        return drivers.run(dialogues.claimed(action, _terms(self.settings)), self._line)

    def report_outcome(
        self,
        action: AnyAction,
        outcome: Status | str,
        *,
        error_type: str | None = None,
        seconds: float = 0.0,
        notes: Collection[str] = (),
    ) -> None:
        """Say what came of an approved action: ``completed``, ``failed`` or ``unknown``. The first outcome stands.

        Args:
            action: what `claim` returned; an action that was not claimed yet is claimed on the way.
            outcome: how it ended.
            error_type: the class name of the error, never its text.
            seconds: how long it ran.
            notes: at most 20 lines of 500 characters, kept in the audit trail.
        """
        said = dialogues.outcome_of(outcome, error_type, seconds, notes)
        drivers.run(dialogues.reported(action, said, _terms(self.settings)), self._line)

    def withdraw(self, action: AnyAction, reason: str = "") -> Decision:
        """Say that an action is no longer wanted; returns how it stands: ``withdrawn``, or as it had ended before."""
        return drivers.run(dialogues.withdrawn(action, reason, _terms(self.settings)), self._line)

    # Looking

    def test_connection(self) -> Connection:
        """Reach the Center and have the key verified. What goes wrong is in the answer's ``problem``, not raised.

        The answer is true only if the key was accepted: a wrong key is not a connection.
        """
        timeout = min(dialogues.CONNECTION_TEST_TIMEOUT, self.settings.timeout)
        return drivers.run(dialogues.connected(self.settings.api_url, timeout, time.time), self._line)

    def list_actions(
        self, *, status: Status | str | None = None, limit: int = 50, offset: int = 0
    ) -> list[ActionDetails]:
        """Actions, newest first; with ``status`` only those that stand so. A ``user`` key sees its own."""
        return drivers.run(dialogues.listed(status, limit, offset), self._line)

    def get_action(self, action: AnyAction) -> ActionDetails:
        """All that is known of one action."""
        return drivers.run(dialogues.known(action), self._line)

    def kill_switch_status(self, agent_id: str | None = None) -> KillSwitchStatus:
        """Is this key, or the named agent, stopped altogether?"""
        return drivers.run(dialogues.stopped(agent_id), self._line)

    # Deciding and administering

    def pending(self) -> list[dict[str, Any]]:
        """All that waits for a decision, newest first."""
        found: list[dict[str, Any]] = []
        while True:  # in pages, since an answer has at most 256 KiB
            page = inquiring.objects(self._call("GET", inquiring.listing_path(Status.PENDING, PAGE, len(found))))
            found += page
            if len(page) < PAGE:
                return found

    def approve(
        self, action_id: AnyAction, reason: str = "", parameters: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Clear a pending action; with ``parameters``, only with these values of those that may be changed."""
        body = {"reason": reason, **({"parameters": dict(parameters)} if parameters else {})}
        return self._object("POST", f"/api/v1/actions/{dialogues.id_of(action_id)}/approve", body)

    def reject(self, action_id: AnyAction, reason: str = "") -> dict[str, Any]:
        """Refuse a pending action."""
        return self._object("POST", f"/api/v1/actions/{dialogues.id_of(action_id)}/reject", {"reason": reason})

    def revoke(self, action_id: AnyAction, reason: str = "") -> dict[str, Any]:
        """Take an approval back before it is claimed."""
        return self._object("POST", f"/api/v1/actions/{dialogues.id_of(action_id)}/revoke", {"reason": reason})

    def resolve(self, action_id: AnyAction, outcome: str, reason: str) -> dict[str, Any]:
        """Say that an action whose end is unknown was ``completed`` or has ``failed``, and how that is known."""
        body = {"outcome": outcome, "reason": reason}
        return self._object("POST", f"/api/v1/actions/{dialogues.id_of(action_id)}/resolve", body)

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
            raise nonsense("is no list of break-glasses")
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
        query = f"?version={inquiring.quoted(version)}" if version is not None else ""
        return self._object("GET", f"/api/v1/policy{query}")

    def policy_versions(self) -> list[dict[str, Any]]:
        """Which policies came in force when, newest first. Needs a key that may see all."""
        found = self._call("GET", "/api/v1/policy/versions")
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise nonsense("is no list of policies")
        return cast("list[dict[str, Any]]", found)

    def reload_policy(self) -> dict[str, Any]:
        """Have the Center read its policy file again. Needs a super_admin key.

        If the file cannot be used the old rules stay; the error (``reason_code`` ``policy_refused``) has all that
        the Center says about it.
        """
        request = asking.Request("POST", "/api/v1/policy/reload", {}, None)
        status, answered, content = self._line.exchange(request, RELOAD_TIMEOUT)
        if status in (409, 422) and (why := asking.detail(content)) is not None:
            raise AuthorizationUnavailable(
                f"The policy was not reloaded, and the old one stays in force: {why}", reason_code="policy_refused"
            )
        return inquiring.an_object(asking.value(status, answered, content))

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
                raise nonsense("is no list of standing approvals")
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
            raise nonsense("does not say what was approved")
        return approved

    @property
    def head(self) -> Head | None:
        """The newest head of the audit trail that any answer carried."""
        return self._line.http.head

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
            raise nonsense("has no head of the audit trail")
        if not continues(known, head, proof) or (later is not None and head != later):
            wanted = max(known.entries, later.entries if later else 0)
            what = f"it has {head.entries} entries" if head.entries < wanted else "entries were changed"
            raise AuthorizationUnavailable(
                f"The Center's audit trail does not continue the head {known}: {what}.",
                reason_code="audit_broken",
                next_step="Ask the Center's owner. A restored backup looks like this, and so does tampering.",
            )
        return head

    def receipt(self, action_id: AnyAction) -> bytes:
        """The receipt of the decision about an action, to be kept as it is; `clearance.receipts` checks it."""
        request = asking.Request("GET", f"/api/v1/actions/{dialogues.id_of(action_id)}/receipt", {}, None)
        status, answered, content = self._line.exchange(request, CHECK_TIMEOUT)
        asking.value(status, answered, content)
        return content

    def public_key(self) -> str:
        """The Center's public key, as it says. Who checks receipts with it should have it from elsewhere, once."""
        found = self._object("GET", "/api/v1/center-key").get("public_key")
        if not isinstance(found, str):
            raise nonsense("has no key")
        return found

    def close(self) -> None:
        """Close the connections."""
        self._line.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _object(
        self, method: str, path: str, body: Mapping[str, object] | None = None, timeout: float = CHECK_TIMEOUT
    ) -> dict[str, Any]:
        return inquiring.an_object(self._call(method, path, body, timeout))

    def _call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, timeout: float = CHECK_TIMEOUT
    ) -> Any:
        return self._line.send(inquiring.asked(method, path, lambda found: found, timeout, body))


class AsyncClient:
    """The same for an event loop, which it never blocks: what `Client` has for asking and looking.

    One object serves any number of loops. Use it with ``async with``, or `aclose` it.
    """

    def __init__(self, settings: Settings | None = None, *, debug: bool = False) -> None:
        self.settings: Settings = settings or Settings.load()
        self._line = AsyncLine(self.settings, debug=debug)

    def __repr__(self) -> str:
        return f"AsyncClient({self.settings.api_url!r})"

    async def submit_action(self, **fields: Unpack[SubmitFields]) -> Decision:
        """See `Client.submit_action`."""
        return await drivers.arun(
            dialogues.submitted(fields, _terms(self.settings), is_keyed=self.head is not None), self._line
        )

    async def get_action_status(self, action: AnyAction) -> Decision:
        """See `Client.get_action_status`."""
        return await drivers.arun(dialogues.standing(action, min(CHECK_TIMEOUT, self.settings.timeout)), self._line)

    async def wait_for_decision(self, action: AnyAction, timeout: float = DECIDE_WITHIN) -> Decision:
        """See `Client.wait_for_decision`."""
        return await drivers.arun(dialogues.decided(action, check_timeout(timeout), _terms(self.settings)), self._line)

    async def claim(self, action: AnyAction) -> Decision:
        """See `Client.claim`."""
        return await drivers.arun(dialogues.claimed(action, _terms(self.settings)), self._line)

    async def report_outcome(
        self,
        action: AnyAction,
        outcome: Status | str,
        *,
        error_type: str | None = None,
        seconds: float = 0.0,
        notes: Collection[str] = (),
    ) -> None:
        """See `Client.report_outcome`."""
        said = dialogues.outcome_of(outcome, error_type, seconds, notes)
        await drivers.arun(dialogues.reported(action, said, _terms(self.settings)), self._line)

    async def withdraw(self, action: AnyAction, reason: str = "") -> Decision:
        """See `Client.withdraw`."""
        return await drivers.arun(dialogues.withdrawn(action, reason, _terms(self.settings)), self._line)

    async def test_connection(self) -> Connection:
        """See `Client.test_connection`."""
        timeout = min(dialogues.CONNECTION_TEST_TIMEOUT, self.settings.timeout)
        return await drivers.arun(dialogues.connected(self.settings.api_url, timeout, time.time), self._line)

    async def list_actions(
        self, *, status: Status | str | None = None, limit: int = 50, offset: int = 0
    ) -> list[ActionDetails]:
        """See `Client.list_actions`."""
        return await drivers.arun(dialogues.listed(status, limit, offset), self._line)

    async def get_action(self, action: AnyAction) -> ActionDetails:
        """See `Client.get_action`."""
        return await drivers.arun(dialogues.known(action), self._line)

    async def kill_switch_status(self, agent_id: str | None = None) -> KillSwitchStatus:
        """See `Client.kill_switch_status`."""
        return await drivers.arun(dialogues.stopped(agent_id), self._line)

    @property
    def head(self) -> Head | None:
        """The newest head of the audit trail that any answer carried."""
        return self._line.http.head

    async def aclose(self) -> None:
        """Close this loop's connections."""
        await self._line.http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _terms(settings: Settings) -> Terms:
    """What a new conversation of a client is given."""
    fresh = os.urandom(32).hex()
    return Terms(fresh[:32], fresh[32:], drivers.SYSTEM_CLOCK.now, random.random, settings.timeout)
