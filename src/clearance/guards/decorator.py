"""The decorator: `requires_authorization`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from functools import partialmethod
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

from clearance.errors import ActionDenied, ConfigurationError
from clearance.guards.ask import AnyTransport
from clearance.guards.classes import guard_class
from clearance.guards.reading import Facts, Guard, Options
from clearance.guards.shells import shell_for
from clearance.guards.wrapper import Guarded

P = ParamSpec("P")
R = TypeVar("R")
Guardable = TypeVar("Guardable", bound="Callable[..., Any] | classmethod[Any, Any, Any] | partialmethod[Any]")


class Decorator(Protocol):
    """Hands back what it decorates, as it is: function, coroutine function, generator, method or class."""

    def __call__(self, function: Guardable, /) -> Guardable:
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
    context: Facts = None,
    risk_indicators: Facts = None,
    when: Callable[..., bool] | None = None,
    redact: Collection[str] = (),
    opaque: Collection[str] = (),
    by_reference: Collection[str] = (),
    editable: Collection[str] = (),
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
    context: Facts = None,
    risk_indicators: Facts = None,
    when: Callable[..., bool] | None = None,
    redact: Collection[str] = (),
    opaque: Collection[str] = (),
    by_reference: Collection[str] = (),
    editable: Collection[str] = (),
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
    context: Facts = None,
    risk_indicators: Facts = None,
    when: Callable[..., bool] | None = None,
    redact: Collection[str] = (),
    opaque: Collection[str] = (),
    by_reference: Collection[str] = (),
    editable: Collection[str] = (),
    timeout: float | None = None,
    transport: AnyTransport | None = None,
    on_denied: Literal["raise", "return"] = "raise",
) -> Any:
    """Hold every call of a callable until exactly that call is cleared.

    It goes directly above ``def`` or ``class``, below every decorator of a framework. A generator is held at its first
    step, a class when an object of it is made.

    Args:
        action_type: what kind of thing is done, such as ``"payment.refund"``; policies go by it.
        tool_name: what it is done with, such as ``"stripe"``; default: the callable's qualified name.
        description: the sentence an approver reads: a template over the parameters
            (``"Refund {amount} to {customer.name}"``) or a function of them; default: the docstring's first line
            and the call.
        resource: what it is done to, or a function of the parameters (and of ``self``, for a method); covered by the
            digest. Default for methods: what the class says in ``__clearance_resource__``.
        context: what else an approver should know, or a function of the parameters.
        risk_indicators: what you know of the risk (names and values), or a function of the parameters; it may raise
            the risk that the Center sees, never lower it.
        when: a function of the parameters that says whether to ask at all, evaluated once a call; if it
            raises, the call is asked for.
        redact: names of parameters that no approver may see; what has such a name inside an argument is hidden, too.
            The usual names (``password``, ``api_key`` ...) and whatever is annotated `Secret` are hidden anyway.
        opaque: parameters that are handed over as they are, and shown as not inspected.
        by_reference: parameters whose objects must keep their identity: not copied, but digested again right before
            the body runs.
        editable: parameters that an approver may change while clearing the call. The new value is checked against
            the annotation, and the call runs with it.
        timeout: seconds that the decision may take; default: see `configure`.
        transport: who is asked; default: see `configure`.
        on_denied: ``"raise"`` raises `ActionDenied`; ``"return"`` returns it.

    The arguments are copied when the call is made; the approver sees that copy and the body receives it. The
    body's return value and exceptions pass through untouched.

    Raises (at decoration):
        UnguardableCallable: its arguments cannot be named, or the guard stands above a framework's decorator.
        ConfigurationError: an unknown name in ``redact``, ``editable`` and the like, or in the template.

    Raises (at each call):
        ActionDenied: refused. ActionUndecided: nobody answered in time. AuthorizationUnavailable: could not
        ask. ActionChanged: the arguments changed meanwhile. ConfigurationError: not set up. The body did not
        run in any of these cases.
    """
    if on_denied not in ("raise", "return"):
        raise ConfigurationError(
            f"on_denied={on_denied!r} is not known.", next_step='Write on_denied="raise" or "return".'
        )
    options = Options(
        action_type=action_type,
        tool_name=tool_name,
        description=description,
        resource=resource,
        context=context,
        risk_indicators=risk_indicators,
        when=when,
        redact=redact,
        opaque=opaque,
        by_reference=by_reference,
        editable=editable,
        timeout=timeout,
        transport=transport,
        on_denied=on_denied,
    )

    def decorate(function: Any) -> Any:
        if isinstance(function, type):
            return guard_class(function, options)
        return Guarded(function, shell_for(Guard(function, options), returns_denial=on_denied == "return"))

    return decorate
