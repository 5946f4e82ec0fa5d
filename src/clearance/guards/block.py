"""The block: `authorized`; and `check`, which asks without running anything."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Coroutine, Mapping
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from clearance.calls import private_copy
from clearance.errors import ConfigurationError
from clearance.guards.ask import AnyTransport, Ask, mapping, names, text
from clearance.guards.granted import enter, leave
from clearance.snapshot import is_fixed
from clearance.wording import check_names

if TYPE_CHECKING:
    from clearance.guards.gate import Gate
    from clearance.models import Decision, Grant, Json
    from clearance.redaction import View


class authorized:
    """Hold a block until it is cleared: ``with authorized(...) as grant:`` or ``async with``.

    Args:
        action_type: what kind of thing is done, such as ``"db.migrate"``.
        tool_name: what it is done with, such as ``"postgres"``.
        description: the sentence an approver reads; default: made from the others.
        parameters: what the block will work with. They are copied, shown and digested; the block finds them in
            ``grant.parameters``.
        resource: what it is done to; covered by the digest.
        context: what else an approver should know.
        risk_indicators: what you know of the risk; it may raise the risk that the Center sees, never lower it.
        redact: names in ``parameters`` that no approver may see, on top of the usual ones.
        opaque: names in ``parameters`` that are not copied, and shown as not inspected.
        timeout: seconds that the decision may take; default: see `configure`.
        transport: who is asked; default: see `configure`.

    Entering asks, waits and claims, and gives the `Grant`; nothing in the block runs before. How the block
    ends is reported as the outcome. The object can be used again: each ``with`` asks anew. One that is thrown away
    without ever being entered is warned of: it held nothing.

    Raises (on entering):
        ActionDenied, ActionUndecided, AuthorizationUnavailable, ConfigurationError: the block did not run.
    """

    _entered = True  # until it is made whole: nothing is said of one whose arguments were wrong

    def __init__(
        self,
        *,
        action_type: str,
        tool_name: str,
        description: str | None = None,
        parameters: Mapping[str, object] | None = None,
        resource: str | None = None,
        context: Mapping[str, object] | None = None,
        risk_indicators: Mapping[str, object] | None = None,
        redact: Collection[str] = (),
        opaque: Collection[str] = (),
        timeout: float | None = None,
        transport: AnyTransport | None = None,
    ) -> None:
        ask = Ask(action_type, tool_name, redact, timeout, transport)
        self._subject = _BlockSubject(
            ask, sys._getframe(1), description, parameters, resource, context, risk_indicators, opaque
        )
        self._gate: Gate | None = None
        self._outer: Grant | None = None
        self._entered = False

    def __enter__(self) -> Grant:
        self._gate = gate = self._new_gate()
        try:
            return self._opened(gate.open())
        except BaseException as error:
            self._gate = None
            gate.close(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (gate := self._left()) is not None:
            gate.close(error)

    async def __aenter__(self) -> Grant:
        self._gate = gate = self._new_gate()
        try:
            return self._opened(await gate.aopen())
        except BaseException as error:
            self._gate = None
            await gate.aclose(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (gate := self._left()) is not None:
            await gate.aclose(error)

    def __bool__(self) -> NoReturn:
        raise ConfigurationError(
            "authorized(...) is neither true nor false: it holds a block.",
            next_step="Write `with authorized(...):`, or look at the status of what clearance.check(...) answers.",
        )

    def __del__(self) -> None:
        if not self._entered and not sys.is_finalizing():
            warnings.warn(
                f"authorized(action_type={self._subject.ask.action_type!r}) was never entered: nobody was asked, and "
                "nothing was held. Write `with authorized(...):`.",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )

    def _new_gate(self) -> Gate:
        if self._gate is not None:
            raise ConfigurationError(
                "This authorized(...) is already entered; one object holds one block at a time.",
                next_step="Write authorized(...) anew for the inner block.",
            )
        self._entered = True
        from clearance.guards.proposal import gate_for

        return gate_for(self._subject.ask, self._subject)

    def _opened(self, grant: Grant) -> Grant:
        grant.parameters = self._subject.given()
        self._outer = enter(grant)
        return grant

    def _left(self) -> Gate | None:
        gate, self._gate = self._gate, None
        leave(self._outer)
        return gate


class _BlockSubject:
    """A block that leave is asked for; see `Subject`. What it works with is frozen from the start."""

    editable: tuple[str, ...] = ()
    names_files = False

    def __init__(
        self,
        ask: Ask,
        caller: FrameType,
        description: str | None,
        parameters: Mapping[str, object] | None,
        resource: str | None,
        context: Mapping[str, object] | None,
        risk_indicators: Mapping[str, object] | None,
        opaque: Collection[str],
    ) -> None:
        uninspected = names(opaque, "opaque")
        parameters = mapping(parameters, "parameters") or {}
        check_names(uninspected, parameters, "opaque=")
        self.ask = ask
        from clearance.models import CodeIdentity
        from clearance.sealing import cleaned

        self.code = CodeIdentity(caller.f_globals.get("__name__", ""), caller.f_code.co_qualname, "block")
        self._description = "" if description is None else cleaned(text(description, "description"))
        self._frozen = private_copy({name: value for name, value in parameters.items() if name not in uninspected})
        self._uninspected = {name: value for name, value in parameters.items() if name in uninspected}
        self._resource = None if resource is None else text(resource, "resource")
        self._facts = mapping(context, "context"), mapping(risk_indicators, "risk_indicators")

    @property
    def is_frozen(self) -> bool:
        return all(map(is_fixed, self._frozen.values()))

    def read_files(self) -> None:
        """There are none: a path among the parameters is a path."""

    def labelled(self) -> Mapping[str, object]:
        from clearance.forms import Uninspected

        return {**self._frozen, **{name: Uninspected(value) for name, value in self._uninspected.items()}}

    def resource(self) -> str | None:
        return self._resource

    def describe(self, shown: Mapping[str, Json], view: View) -> str:
        del view  # a block's description is fixed
        inside = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        title = f"{self.ask.action_type} with {self.ask.tool_name}"
        return self._description or title + (f": {inside}" if inside else "")

    def facts(self) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
        return self._facts

    def change(self, edits: Mapping[str, Json]) -> NoReturn:
        raise AssertionError("no approver can change a block")

    def given(self) -> dict[str, object]:
        """The values for the block, in a copy of its own."""
        return {**private_copy(self._frozen), **self._uninspected}


def check(
    *,
    action_type: str,
    tool_name: str,
    description: str | None = None,
    parameters: Mapping[str, object] | None = None,
    resource: str | None = None,
    context: Mapping[str, object] | None = None,
    risk_indicators: Mapping[str, object] | None = None,
    redact: Collection[str] = (),
    opaque: Collection[str] = (),
    timeout: float | None = None,
    transport: AnyTransport | None = None,
) -> Decision:
    """Ask without running anything, for code that branches: ``check(...).status is Status.APPROVED``.

    Takes what `authorized` takes, and waits as long. The answer is *not* leave to run: an approval is withdrawn as
    soon as it is seen, so that it can never be spent. Hold what you then do with `authorized`.

    Returns:
        The decision, cleared or refused.

    Raises:
        ActionUndecided: nobody decided in time. AuthorizationUnavailable: could not ask. ConfigurationError.
    """
    from clearance.guards import proposal

    ask = Ask(action_type, tool_name, redact, timeout, transport)
    subject = _BlockSubject(ask, sys._getframe(1), description, parameters, resource, context, risk_indicators, opaque)
    return proposal.consult(ask, subject)


def acheck(
    *,
    action_type: str,
    tool_name: str,
    description: str | None = None,
    parameters: Mapping[str, object] | None = None,
    resource: str | None = None,
    context: Mapping[str, object] | None = None,
    risk_indicators: Mapping[str, object] | None = None,
    redact: Collection[str] = (),
    opaque: Collection[str] = (),
    timeout: float | None = None,
    transport: AnyTransport | None = None,
) -> Coroutine[Any, Any, Decision]:
    """What `check` does, on the event loop; to be awaited."""
    from clearance.guards import proposal

    ask = Ask(action_type, tool_name, redact, timeout, transport)
    subject = _BlockSubject(ask, sys._getframe(1), description, parameters, resource, context, risk_indicators, opaque)
    return proposal.aconsult(ask, subject)
