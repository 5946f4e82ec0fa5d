"""The front door: `requires_authorization` on a callable, `authorized` around a block."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Collection, Coroutine, Mapping
from types import MethodType, TracebackType
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

import wrapt

from clearance import canonical, settings
from clearance.calls import Call, Callee, private_copy, seal, spell
from clearance.errors import ActionDenied, ConfigurationError
from clearance.gate import Gate
from clearance.models import Action, CodeIdentity, Grant, Json
from clearance.redaction import View
from clearance.transports.base import AsyncTransport, Transport
from clearance.wording import Computed, Template, check_names, shorten

P = ParamSpec("P")
R = TypeVar("R")
AnyTransport = Transport | AsyncTransport

# Keys the hashes of secret arguments where the transport brings no key of its own.
_PROCESS_KEY = os.urandom(32)


class Decorator(Protocol):
    """Keeps the signature of what it decorates."""

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """Guard ``function``."""
        ...


class ReturningDecorator(Protocol):
    """Keeps the parameters; the denial joins the results."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, Coroutine[Any, Any, R | ActionDenied]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R | ActionDenied]: ...


@overload
def requires_authorization(
    *,
    action_type: str,
    tool_name: str | None = None,
    description: str | Callable[..., str] | None = None,
    resource: str | Callable[..., str] | None = None,
    context: Mapping[str, object] | Callable[..., Mapping[str, object]] | None = None,
    when: Callable[..., bool] | None = None,
    redact: Collection[str] = (),
    timeout: float | None = None,
    transport: AnyTransport | None = None,
    on_denied: Literal["raise"] = "raise",
) -> Decorator: ...
@overload
def requires_authorization(
    *,
    action_type: str,
    tool_name: str | None = None,
    description: str | Callable[..., str] | None = None,
    resource: str | Callable[..., str] | None = None,
    context: Mapping[str, object] | Callable[..., Mapping[str, object]] | None = None,
    when: Callable[..., bool] | None = None,
    redact: Collection[str] = (),
    timeout: float | None = None,
    transport: AnyTransport | None = None,
    on_denied: Literal["return"],
) -> ReturningDecorator: ...
def requires_authorization(
    *,
    action_type: str,
    tool_name: str | None = None,
    description: str | Callable[..., str] | None = None,
    resource: str | Callable[..., str] | None = None,
    context: Mapping[str, object] | Callable[..., Mapping[str, object]] | None = None,
    when: Callable[..., bool] | None = None,
    redact: Collection[str] = (),
    timeout: float | None = None,
    transport: AnyTransport | None = None,
    on_denied: Literal["raise", "return"] = "raise",
) -> Any:
    """Hold every call of a function or coroutine function until exactly that call is cleared.

    Args:
        action_type: what kind of thing is done, such as ``"payment.refund"``; policies go by it.
        tool_name: what it is done with, such as ``"stripe"``; default: the function's qualified name.
        description: the sentence an approver reads: a template over the parameters
            (``"Refund {amount} on {charge_id}"``) or a function of them; default: the docstring's first line
            and the call.
        resource: what it is done to, or a function of the parameters; covered by the digest.
        context: what else an approver should know, or a function of the parameters.
        when: a function of the parameters that says whether to ask at all, evaluated once a call; if it
            raises, the call is asked for.
        redact: names of parameters (or of keys inside them) that no approver may see. The usual names
            (``password``, ``api_key`` ...) are hidden anyway.
        timeout: seconds that the decision may take; default: see `configure`.
        transport: who is asked; default: see `configure`.
        on_denied: ``"raise"`` raises `ActionDenied`; ``"return"`` returns it.

    The arguments are copied when the call is made; the approver sees that copy and the body receives it. The
    body's return value and exceptions pass through untouched.

    Raises (at decoration):
        ConfigurationError: an unreadable signature, an unknown name in ``redact`` or in the template.

    Raises (at each call):
        ActionDenied: refused. ActionUndecided: nobody answered in time. AuthorizationUnavailable: could not
        ask. ActionChanged: the arguments changed meanwhile. ConfigurationError: not set up. The body did not
        run in any of these cases.
    """
    if on_denied not in ("raise", "return"):
        raise ConfigurationError(
            f"on_denied={on_denied!r} is not known.", next_step='Write on_denied="raise" or "return".'
        )

    def decorate(function: Callable[..., Any]) -> Any:
        guard = Guard(
            Callee(function),
            action_type=action_type,
            tool_name=tool_name,
            description=description,
            resource=resource,
            context=context,
            when=when,
            redact=redact,
            timeout=timeout,
            transport=transport,
        )
        shell = _async_shell if guard.callee.is_coroutine_function else _sync_shell
        return wrapt.FunctionWrapper(function, shell(guard, returns_denial=on_denied == "return"))

    return decorate


def _sync_shell(guard: Guard, *, returns_denial: bool) -> Callable[..., Any]:
    def call(wrapped: Callable[..., Any], instance: object, args: Any, kwargs: Any) -> Any:
        wrapped, instance, args = _with_its_class(wrapped, instance, args)
        bound = guard.bind(wrapped, instance, args, kwargs)
        if not guard.asks(bound):
            return bound.run(wrapped)
        gate = guard.gate(bound)
        try:
            gate.open()
        except ActionDenied as denial:
            if returns_denial:
                return denial
            raise
        try:
            result = bound.run(wrapped)
        except BaseException as error:
            gate.close(error)
            raise
        gate.close(None)
        return result

    return call


def _async_shell(guard: Guard, *, returns_denial: bool) -> Callable[..., Any]:
    async def finish(wrapped: Callable[..., Any], bound: Call) -> Any:
        if not guard.asks(bound):
            return await bound.run(wrapped)
        gate = guard.gate(bound)
        try:
            await gate.aopen()
        except ActionDenied as denial:
            if returns_denial:
                return denial
            raise
        try:
            result = await bound.run(wrapped)
        except BaseException as error:
            await gate.aclose(error)
            raise
        await gate.aclose(None)
        return result

    # Bound here, not in the coroutine: the arguments are those of the call, whenever it is awaited.
    def call(wrapped: Callable[..., Any], instance: object, args: Any, kwargs: Any) -> Any:
        wrapped, instance, args = _with_its_class(wrapped, instance, args)
        return finish(wrapped, guard.bind(wrapped, instance, args, kwargs))

    return call


def _with_its_class(wrapped: Callable[..., Any], instance: object, args: Any) -> tuple[Callable[..., Any], object, Any]:
    """The call, bound to its class if the guard stands under ``@classmethod``, which Python 3.13 leaves to us."""
    owner = args[0] if args else None
    if instance is not None or not isinstance(owner, type) or not _is_classmethod_of(owner, wrapped):
        return wrapped, instance, args
    return MethodType(wrapped, owner), owner, args[1:]


def _is_classmethod_of(owner: type, function: Callable[..., Any]) -> bool:
    found = inspect.getattr_static(owner, getattr(function, "__name__", ""), None)
    layer = found.__func__ if isinstance(found, classmethod) else None
    while layer is not None and layer is not function:
        layer = getattr(layer, "__wrapped__", None)
    return layer is not None


class Ask:
    """What every request of one guard or block has in common."""

    __slots__ = ("action_type", "redact", "timeout", "tool_name", "transport")

    def __init__(
        self,
        action_type: str,
        tool_name: str,
        redact: Collection[str],
        timeout: float | None,
        transport: AnyTransport | None,
    ) -> None:
        self.action_type = _required(action_type, "action_type")
        self.tool_name = _required(tool_name, "tool_name")
        self.redact = _names(redact)
        self.timeout = None if timeout is None else settings.check_timeout(timeout)
        self.transport = transport

    def gate(
        self,
        code: CodeIdentity,
        arguments: Mapping[str, object],
        describe: Callable[[Mapping[str, Json], View], str],
        *,
        resource: str | None,
        context: Mapping[str, object] | None,
        is_frozen: bool,
    ) -> Gate:
        """The gate for one request: ``arguments`` by label, shown and digested in one walk."""
        defaults = settings.defaults()
        key = getattr(self.transport or defaults.transport, "binding_key", None) or _PROCESS_KEY
        view = View(self.redact)
        shown, pieces = spell(arguments, view, key)
        agent_id = defaults.agent_id or settings.default_agent_id()

        def digest_of(pieces: canonical.Pieces) -> str:
            return seal(agent_id, self.action_type, self.tool_name, resource, code, pieces)

        action = Action(
            agent_id=agent_id,
            action_type=self.action_type,
            tool_name=self.tool_name,
            description=shorten(describe(shown, view)),
            parameters=shown,
            digest=digest_of(pieces),
            decide_within=self.timeout or defaults.timeout,
            run_within=settings.RUN_WITHIN,
            resource=resource,
            context=spell(context, view, key)[0] if context else {},
            redacted=tuple(view.redacted),
            abridged=view.abridged,
            code=code,
        )
        again = None if is_frozen else lambda: digest_of(spell(arguments, View(self.redact), key)[1])
        return Gate(action, self.transport, again)


class Guard:
    """What one decorator knows: how to read a call, and how to say what is asked."""

    def __init__(
        self,
        callee: Callee,
        *,
        action_type: str,
        tool_name: str | None,
        description: str | Callable[..., str] | None,
        resource: str | Callable[..., str] | None,
        context: Mapping[str, object] | Callable[..., Mapping[str, object]] | None,
        when: Callable[..., bool] | None,
        redact: Collection[str],
        timeout: float | None,
        transport: AnyTransport | None,
    ) -> None:
        parameters = list(callee.labels)
        self.callee = callee
        tool_name = callee.code.qualname if tool_name is None else tool_name
        self.ask = Ask(action_type, tool_name, redact, timeout, transport)
        self.description = _text_or_computed(description, parameters, "description", template=True)
        self.resource = _text_or_computed(resource, parameters, "resource")
        self.context = Computed(context, parameters, "context") if callable(context) else context
        self.when = None if when is None else Computed(when, parameters, "when")
        if not any(label.startswith("**") for label in callee.labels.values()):
            check_names(self.ask.redact, parameters, "redact=")
        self._bound_callee: Callee | None = None

    def bind(self, wrapped: Callable[..., Any], instance: object, args: Any, kwargs: Any) -> Call:
        """Bind a call; for a method, ``self`` is already bound and no parameter."""
        if instance is None:
            return self.callee.bind(args, kwargs)
        if self._bound_callee is None:
            self._bound_callee = Callee(wrapped)
        return self._bound_callee.bind(args, kwargs)

    def asks(self, call: Call) -> bool:
        """Does this call need leave? Doubt says yes."""
        if self.when is None:
            return True
        try:
            return self.when(call.arguments) is not False
        except Exception:  # noqa: BLE001 - a predicate that fails means: ask
            return True

    def gate(self, call: Call) -> Gate:
        """The gate for one call."""
        context = self.context(call.arguments) if isinstance(self.context, Computed) else self.context
        return self.ask.gate(
            call.callee.code,
            call.labelled,
            lambda shown, view: self._described(call, shown, view),
            resource=_filled(self.resource, call),
            context=context,
            is_frozen=call.is_frozen,
        )

    def _described(self, call: Call, shown: Mapping[str, Json], view: View) -> str:
        if isinstance(self.description, Template):
            by_name = {name: shown[label] for name, label in call.callee.labels.items()}
            return self.description.fill(call.arguments, by_name, view)
        if self.description is not None:
            return _filled(self.description, call) or ""
        return f"{call.callee.summary} {call.title(shown)}".strip()


class authorized:
    """Hold a block until it is cleared: ``with authorized(...) as grant:`` or ``async with``.

    Args:
        action_type: what kind of thing is done, such as ``"db.migrate"``.
        tool_name: what it is done with, such as ``"postgres"``.
        description: the sentence an approver reads; default: made from the others.
        parameters: what the block will work with. They are copied, shown and digested.
        resource: what it is done to; covered by the digest.
        context: what else an approver should know.
        redact: names in ``parameters`` that no approver may see, on top of the usual ones.
        timeout: seconds that the decision may take; default: see `configure`.
        transport: who is asked; default: see `configure`.

    Entering asks, waits and claims, and gives the `Grant`; nothing in the block runs before. How the block
    ends is reported as the outcome. The object can be used again: each ``with`` asks anew.

    Raises (on entering):
        ActionDenied, ActionUndecided, AuthorizationUnavailable, ConfigurationError: the block did not run.
    """

    def __init__(
        self,
        *,
        action_type: str,
        tool_name: str,
        description: str | None = None,
        parameters: Mapping[str, object] | None = None,
        resource: str | None = None,
        context: Mapping[str, object] | None = None,
        redact: Collection[str] = (),
        timeout: float | None = None,
        transport: AnyTransport | None = None,
    ) -> None:
        caller = sys._getframe(1)
        self._code = CodeIdentity(caller.f_globals.get("__name__", ""), caller.f_code.co_qualname, "block")
        self._ask = Ask(action_type, tool_name, redact, timeout, transport)
        self._parameters = private_copy(dict(parameters or {}))
        self._description = description
        self._resource = resource
        self._context = context
        self._gate: Gate | None = None

    def __enter__(self) -> Grant:
        self._gate = gate = self._new_gate()
        try:
            return gate.open()
        except BaseException:
            self._gate = None
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.close(error)

    async def __aenter__(self) -> Grant:
        self._gate = gate = self._new_gate()
        try:
            return await gate.aopen()
        except BaseException:
            self._gate = None
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            await gate.aclose(error)

    def _new_gate(self) -> Gate:
        if self._gate is not None:
            raise ConfigurationError(
                "This authorized(...) is already entered; one object holds one block at a time.",
                next_step="Write authorized(...) anew for the inner block.",
            )
        return self._ask.gate(
            self._code,
            self._parameters,
            lambda shown, _view: self._description or self._title(shown),
            resource=self._resource,
            context=self._context,
            is_frozen=True,
        )

    def _title(self, shown: Mapping[str, Json]) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{self._ask.action_type} with {self._ask.tool_name}" + (f": {inside}" if inside else "")


def _required(text: str, what: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(
            f"{what}={text!r} says nothing.", next_step=f'Write something like {what}="payment.refund".'
        )
    return text


def _names(names: Collection[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise ConfigurationError(
            f"redact={names!r} is one text, not a list of names.", next_step=f"Write redact=({names!r},)."
        )
    return frozenset(names)


def _text_or_computed(
    given: str | Callable[..., str] | None, parameters: Collection[str], what: str, *, template: bool = False
) -> str | Template | Computed | None:
    if callable(given):
        return Computed(given, parameters, what)
    return Template(given, parameters) if given is not None and template else given


def _filled(given: str | Computed | Template | None, call: Call) -> str | None:
    value = given(call.arguments) if isinstance(given, Computed) else given
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(
        f"The description or resource function returned a {type(value).__name__}, not a text.",
        next_step="Return a str.",
    )
