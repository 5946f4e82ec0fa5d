"""What one decorator knows: how to read a call, and how to say what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import cache, partialmethod
from types import MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import wrapt

from clearance.arguments import hints_of
from clearance.callables import Kind, unwrap_partialmethod, unwrap_partials
from clearance.calls import Call, Callee
from clearance.editing import Editable
from clearance.errors import ConfigurationError
from clearance.guards.ask import AnyTransport, Ask, mapping, names, text
from clearance.redaction import View
from clearance.registry import GuardRecord, Recorded
from clearance.wording import Computed, Template, check_names

if TYPE_CHECKING:
    from clearance.guards.gate import Gate
    from clearance.models import Json
    from clearance.redaction import View

Facts = Mapping[str, object] | Callable[..., Mapping[str, object]] | None
RESOURCE = "__clearance_resource__"
"""What a class may have to say what a method of its objects works on: a text, or a method without arguments."""


class Options(NamedTuple):
    """What `requires_authorization` was given; see there."""

    action_type: str
    tool_name: str | None
    description: str | Callable[..., str] | None
    resource: str | Callable[..., str] | None
    context: Facts
    risk_indicators: Facts
    when: Callable[..., bool] | None
    redact: Collection[str]
    opaque: Collection[str]
    by_reference: Collection[str]
    editable: Collection[str]
    timeout: float | None
    transport: AnyTransport | None
    on_denied: Literal["raise", "return"]


class Guard(Recorded):
    """See above.

    Args:
        function: what is guarded.
        options: how.
        owner: the class whose constructor the function is.

    Raises:
        ConfigurationError: it cannot be guarded so.
    """

    __slots__ = (
        "_context",
        "_description",
        "_layers",
        "_owner",
        "_resource",
        "_risk",
        "_when",
        "ask",
        "callee",
        "editable",
    )

    def __init__(self, function: Any, options: Options, owner: type | None = None) -> None:
        opaque, kept = names(options.opaque, "opaque"), names(options.by_reference, "by_reference")
        callee = Callee(function, opaque, kept, owner)
        self.callee: Callee = callee
        labels = callee.labels
        self._owner = owner
        tool_name = callee.qualname if options.tool_name is None else options.tool_name
        redact = names(options.redact, "redact")
        self.ask: Ask = Ask(
            options.action_type, tool_name, redact | callee.treatment.secret, options.timeout, options.transport
        )
        for what, given in (("opaque=", opaque), ("by_reference=", kept)):
            check_names(given, labels, what)
        if not any(label.startswith("**") for label in labels.values()):
            check_names(redact, labels, "redact=")
        self.editable: Editable = Editable(
            names(options.editable, "editable"),
            labels,
            callee.treatment,
            View(self.ask.redact),
            lambda: hints_of(callee.anatomy.body),
        )
        self._layers = function if callee.anatomy.is_layered else None
        self._description = _text_or_computed(options.description, labels, "description", template=True)
        self._resource = _text_or_computed(options.resource, labels, "resource")
        self._context = _facts(options.context, labels, "context")
        self._risk = _facts(options.risk_indicators, labels, "risk_indicators")
        self._when = None if options.when is None else Computed(options.when, labels, "when")
        if options.on_denied == "return":
            _refuse_returned_denials(callee)
        super().__init__(
            GuardRecord(
                name=f"{callee.module}.{callee.qualname}",
                kind=callee.kind,
                action_type=self.ask.action_type,
                tool_name=self.ask.tool_name,
                conditional=self._when is not None,
                editable=self.editable.names,
                opaque=tuple(sorted(opaque)),
            )
        )

    def bind(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Call:
        """Bind a call; for a method, ``self`` is already bound and no parameter."""
        anatomy = self.callee.anatomy
        if self._layers is not None:
            if isinstance(wrapped, wrapt.PartialCallableObjectProxy):  # found on the class: wrapt took `self` off
                wrapped, args = wrapped.__wrapped__, (instance, *args)
            if isinstance(self._layers, partialmethod):
                wrapped, args, kwargs = unwrap_partialmethod(self._layers, wrapped, args, kwargs)
            else:
                wrapped, args, kwargs = unwrap_partials(wrapped, args, kwargs)
            instance = None
        if instance is None:
            if isinstance(wrapped, MethodType):
                instance = wrapped.__self__
            elif anatomy.is_object:
                instance = wrapped
            elif args and (anatomy.home or isinstance(args[0], type)) and anatomy.takes_as_receiver(args[0]):
                instance, args = args[0], args[1:]
                wrapped = MethodType(wrapped, instance)
        return self.callee.bind(args, kwargs, wrapped, instance)

    def asks(self, call: Call) -> bool:
        """Does this call need leave? Doubt says yes."""
        if self._when is None:
            return True
        try:
            return self._when(self._known(call)) is not False
        except Exception:  # noqa: BLE001 - a predicate that fails means: ask
            return True

    def gate(self, call: Call) -> Gate:
        """The gate for one call."""
        subject = _CallSubject(self, call)
        if self.callee.treatment.files:
            subject.read_files()
        gate: Gate = _proposal().gate_for(self.ask, subject)
        return gate

    async def agate(self, call: Call) -> Gate:
        """As `gate`, on the event loop, which reads no files."""
        subject = _CallSubject(self, call)
        if self.callee.treatment.files:
            await asyncio.to_thread(subject.read_files)
        gate: Gate = _proposal().gate_for(self.ask, subject)
        return gate

    def resource_of(self, call: Call) -> str | None:
        """What the call is done to, as far as anybody said."""
        given: object = self._resource
        if isinstance(given, Computed):
            given = given(self._known(call))
        elif given is None and call.instance is not None:
            given = _said_by(type(call.instance) if self._owner else call.instance)
        return None if given is None else text(given, "resource")

    def resource_may_change(self, call: Call) -> bool:
        """Could another moment give another resource?"""
        return call.instance is not None or isinstance(self._resource, Computed)

    def facts_of(self, call: Call) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
        """The context and the risk indicators of the call."""
        if self._context is None and self._risk is None:
            return None, None
        return self._said(self._context, call, "context"), self._said(self._risk, call, "risk_indicators")

    def description_of(self, call: Call, shown: Mapping[str, Json], view: View) -> str:
        """The sentence that an approver reads."""
        if isinstance(self._description, Template):
            by_name = {name: shown[label] for name, label in call.labels.items() if label in shown}
            filled: str = _proposal().cleaned(self._description.fill(self._known(call), by_name, view))
            return filled
        if isinstance(self._description, Computed):
            said: str = _proposal().cleaned(text(self._description(self._known(call)), "description"))
            return said
        return f"{call.callee.summary} {call.title(shown)}".strip()

    def _known(self, call: Call) -> Mapping[str, Any]:
        """What the author's functions and templates may use: the arguments, and what the method is called on."""
        if call.instance is None or self.callee.receiver is None:
            return call.arguments
        return {self.callee.receiver: call.instance, **call.arguments}

    def _said(
        self, given: Computed | Mapping[str, object] | None, call: Call, what: str
    ) -> Mapping[str, object] | None:
        return mapping(given(self._known(call)) if isinstance(given, Computed) else given, what)


@cache
def _proposal() -> ModuleType:
    """What only a call needs, loaded by the first one: decorating stays cheap."""
    from clearance.guards import proposal

    return proposal


class _CallSubject:
    """A call that leave is asked for; see `Subject`."""

    __slots__ = ("_call", "_guard", "code")

    def __init__(self, guard: Guard, call: Call) -> None:
        self._guard = guard
        self._call = call
        self.code = call.callee.code

    @property
    def is_frozen(self) -> bool:
        return self._call.is_frozen and not self._guard.resource_may_change(self._call)

    @property
    def editable(self) -> tuple[str, ...]:
        names = self._guard.editable.names
        return tuple(name for name in names if name in self._call.labels) if names else names

    @property
    def names_files(self) -> bool:
        return bool(self._guard.callee.treatment.files)

    def read_files(self) -> None:
        from clearance import files

        self._call.files = files.digests(self._call.paths)

    def labelled(self) -> Mapping[str, object]:
        return self._call.labelled

    def resource(self) -> str | None:
        return self._guard.resource_of(self._call)

    def describe(self, shown: Mapping[str, Json], view: View) -> str:
        return self._guard.description_of(self._call, shown, view)

    def facts(self) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
        return self._guard.facts_of(self._call)

    def change(self, edits: Mapping[str, Json]) -> None:
        self._call.change(self._guard.editable.values(edits, "The approver"))


def _said_by(instance: object) -> object:
    """What an object says of itself in `RESOURCE`; of a class, only what holds for it without an object."""
    if isinstance(instance, type):
        given = getattr(instance, RESOURCE, None)
        return given() if isinstance(given, MethodType) else given if isinstance(given, str) else None
    try:
        given = getattr(instance, RESOURCE)
        return given() if callable(given) else given
    except Exception as error:
        if isinstance(error, AttributeError) and not hasattr(type(instance), RESOURCE):
            return None
        raise ConfigurationError(
            f"{type(instance).__qualname__}.{RESOURCE} failed with {type(error).__name__}, "
            "so it could not be said what the call works on.",
            next_step="The cause is attached; mend it, or name the resource with resource=.",
        ) from error


def _refuse_returned_denials(callee: Callee) -> None:
    if callee.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR, "class"):
        raise ConfigurationError(
            f"A {callee.kind} has nobody to return a denial to.", next_step='Leave out on_denied="return".'
        )


def _text_or_computed(
    given: str | Callable[..., str] | None, parameters: Collection[str], what: str, *, template: bool = False
) -> str | Template | Computed | None:
    if callable(given):
        return Computed(given, parameters, what)
    if given is None:
        return None
    return Template(text(given, what), parameters) if template else text(given, what)


def _facts(given: Facts, parameters: Collection[str], what: str) -> Computed | Mapping[str, object] | None:
    return Computed(given, parameters, what) if callable(given) else mapping(given, what)
