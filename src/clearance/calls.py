"""A callable and its arguments -> a `Call`: every parameter bound, a private copy of every value.

The call's view, its digest and what the body receives all come from that one copy, so the caller may do
with its own lists what it likes while a person thinks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from clearance.arguments import Treatment, annotations_of, names_of, treatment
from clearance.callables import Anatomy, take_apart
from clearance.errors import ConfigurationError, UnserializableArgument
from clearance.snapshot import FIXED, Memo, is_fixed, snapshot

if TYPE_CHECKING:
    from clearance.models import CodeIdentity, Json

_STARS: Mapping[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
Binder = Callable[..., list[Any]]
Runner = Callable[[Callable[..., Any], list[Any]], Any]


class Parameters:
    """The parameters of one signature: how a call is bound to them, copied and handed over.

    If ``bound``, the first is ``self`` or ``cls``, and none of them.

    ``labels`` has for each name what an approver sees: ``*args`` and ``**kwargs`` keep their stars, so that no keyword
    a caller makes up can look like a parameter.
    """

    __slots__ = ("_bind", "_defaults", "_is_plain", "_names", "_treatment", "_uncopied", "_visible", "labels", "run")

    def __init__(self, whole: inspect.Signature, name: str, treatment: Treatment, *, bound: bool = False) -> None:
        signature = _without_first(whole) if bound else whole
        self.labels: dict[str, str] = {
            name: _STARS.get(parameter.kind, "") + name for name, parameter in signature.parameters.items()
        }
        self._names = tuple(self.labels)
        self._visible = tuple(self.labels.values())
        self._treatment = treatment
        self._defaults = {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if parameter.default is not parameter.empty and not _has_a_form(parameter.default)
        }
        self._uncopied = treatment.uncopied
        self._is_plain = not (self._uncopied or treatment.files or self._defaults)
        self._bind = _binder(whole, name, signature.parameters)
        if signature is not whole:  # the first takes nothing of the call, nor lets a keyword have its name
            self._bind = partial(self._bind, None)
        self.run: Runner = _runner(signature)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[list[Any], bool]:
        """The values of a call, defaults included, each as a private copy; and whether none had to be copied.

        Raises:
            TypeError: the arguments do not fit the signature, as when calling the function itself.
            UnserializableArgument: a value cannot be copied.
        """
        values = self._bind(*args, **kwargs)
        for value in values:
            if type(value) not in FIXED:
                break
        else:
            return values, not self._treatment.files
        memo: Memo = {}
        return [
            value if self._stays(name, value) else snapshot(self.labels[name], value, memo)
            for name, value in zip(self._names, values, strict=True)
        ], False

    def labelled(self, values: list[Any], files: Mapping[str, object]) -> dict[str, Any]:
        """What is shown and digested of the values, by label; ``files`` stand for the paths of that name."""
        if self._is_plain:
            return dict(zip(self._visible, values, strict=True))
        return {
            self.labels[name]: files.get(name, self._stand_in(name, value))
            for name, value in zip(self._names, values, strict=True)
            if name not in self._treatment.contexts
        }

    def paths(self, values: list[Any]) -> dict[str, Any]:
        """The values that name a file whose contents count."""
        wanted = self._treatment.files
        found = zip(self._names, values, strict=True)
        return {name: value for name, value in found if name in wanted and value is not None}

    def are_fixed(self, values: list[Any]) -> bool:
        """True if nothing that is shown and digested could change, whoever held it."""
        if self._treatment.files:
            return False
        hidden = self._treatment.contexts | self._treatment.opaque
        return all(is_fixed(value) or name in hidden for name, value in zip(self._names, values, strict=True))

    def _stays(self, name: str, value: Any) -> bool:
        return name in self._uncopied or (name in self._defaults and value is self._defaults[name])

    def _stand_in(self, name: str, value: Any) -> Any:
        from clearance import forms  # not loaded by decorating alone, as all that a call needs first

        if name in self._treatment.opaque:
            return forms.Uninspected(value)
        if name in self._defaults and value is self._defaults[name]:
            return forms.Untouched()
        return value


class Callee:
    """What can be known of a callable when it is decorated.

    Args:
        function: what is guarded.
        opaque: names of parameters that are handed over as they are, and not looked into.
        kept: names of parameters whose objects must keep their identity.
        owner: the class whose constructor the function is.

    Raises:
        UnguardableCallable: it cannot be guarded truthfully.
        ConfigurationError: an annotation asks for what cannot be done.
    """

    __slots__ = (
        "_bound",
        "_code",
        "_free",
        "anatomy",
        "kind",
        "module",
        "qualname",
        "receiver",
        "summary",
        "treatment",
    )

    def __init__(
        self, function: Any, opaque: Collection[str] = (), kept: Collection[str] = (), owner: type | None = None
    ) -> None:
        self.anatomy: Anatomy = take_apart(function)
        self.kind: str = self.anatomy.kind.value if owner is None else "class"
        self.module: str
        self.qualname: str
        self.module, self.qualname = self.anatomy.name if owner is None else (owner.__module__, owner.__qualname__)
        self._code: CodeIdentity | None = None
        self.summary: str = (inspect.getdoc(owner or self.anatomy.core) or "").strip().partition("\n")[0]
        body = self.anatomy.body
        self.treatment: Treatment = treatment(annotations_of(body), names_of(body), opaque, kept, owner)
        names = list(self.anatomy.signature.parameters)
        self.receiver: str | None = names[0] if names and self.anatomy.has_receiver else None
        self._free = self._parameters(bound=False)
        for name in self.treatment.files:
            if (label := self.labels.get(name, name)) != name:
                raise ConfigurationError(
                    f"{label!r} is annotated with `FileContents`, but holds any number of values.",
                    next_step=f"Give each file a parameter of its own: `{name}: Annotated[Path, FileContents]`.",
                )
        self._bound = self._parameters(bound=True) if self.receiver else self._free

    @property
    def code(self) -> CodeIdentity:
        """Which code it is."""
        if self._code is None:
            from clearance.models import CodeIdentity

            self._code = CodeIdentity(self.module, self.qualname, self.kind)
        return self._code

    @property
    def labels(self) -> Mapping[str, str]:
        """The label of each parameter, by its name; the receiver is among them."""
        return self._free.labels

    def bind(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        function: Callable[..., Any] | None = None,
        instance: object = None,
    ) -> Call:
        """Bind a call as Python would; ``instance`` is what a method is called on, and no parameter.

        Raises:
            TypeError: the arguments do not fit the signature, as when calling the function itself.
            UnserializableArgument: a value cannot be copied.
        """
        parameters = self._free if instance is None else self._bound
        run = self.anatomy.core if function is None else function
        values, is_fixed = parameters.bind(args, kwargs)
        return Call(self, parameters, values, run, instance, is_fixed=is_fixed)

    def _parameters(self, *, bound: bool) -> Parameters:
        return Parameters(self.anatomy.signature, self.qualname, self.treatment, bound=bound)


class Call:
    """One call: its arguments, by parameter, as a private copy. ``files`` hold what was read of the files it names."""

    __slots__ = ("_is_fixed", "_parameters", "callee", "files", "function", "instance", "values")

    def __init__(
        self,
        callee: Callee,
        parameters: Parameters,
        values: list[Any],
        function: Callable[..., Any],
        instance: object,
        *,
        is_fixed: bool,
    ) -> None:
        self.callee: Callee = callee
        self.function: Callable[..., Any] = function
        self.instance: object = instance
        self.values: list[Any] = values
        self.files: Mapping[str, object] = {}
        self._parameters = parameters
        self._is_fixed = is_fixed

    def run(self) -> Any:
        """Call the function with the private copy."""
        return self._parameters.run(self.function, self.values)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Put other values in the place of some of them."""
        self.values = [changes.get(name, value) for name, value in self.arguments.items()]

    @property
    def labels(self) -> Mapping[str, str]:
        """The label of each parameter of this call, by its name."""
        return self._parameters.labels

    @property
    def arguments(self) -> dict[str, Any]:
        """The private copy, by parameter name."""
        return dict(zip(self._parameters.labels, self.values, strict=True))

    @property
    def labelled(self) -> dict[str, Any]:
        """What is shown and digested, by label."""
        return self._parameters.labelled(self.values, self.files)

    @property
    def paths(self) -> dict[str, Any]:
        """The arguments that name a file whose contents count."""
        return self._parameters.paths(self.values)

    @property
    def is_frozen(self) -> bool:
        """True if nothing that is shown and digested could change, whoever held it."""
        return self._is_fixed or self._parameters.are_fixed(self.values)

    def title(self, shown: Mapping[str, Json]) -> str:
        """The call as a line of code, with what is shown for values: ``refund(charge_id='ch_1', amount='5')``."""
        inside = ", ".join([f"{label}={value!r}" for label, value in shown.items()])
        return f"{self.callee.qualname}({inside})"


def _has_a_form(value: object) -> bool:
    """Can this default be shown and digested? A sentinel cannot, and is left to Python."""
    if type(value) in FIXED:
        return True
    from clearance import canonical
    from clearance.redaction import View

    try:
        canonical.Walk(View(), b"").value(snapshot("", value, {}), "", 0, [])
    except UnserializableArgument:
        return False
    return True


def _without_first(signature: inspect.Signature) -> inspect.Signature:
    """The signature behind ``self`` or ``cls``, as on a bound method."""
    first, *rest = signature.parameters.values() or (None,)
    if first is None or first.kind is first.VAR_POSITIONAL:
        return signature
    return signature.replace(parameters=rest)


def _binder(signature: inspect.Signature, name: str, wanted: Collection[str]) -> Binder:
    """A function with exactly this signature that returns the wanted arguments: Python itself does the binding."""
    defaults: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for number, parameter in enumerate(signature.parameters.values()):
        plain = parameter.replace(annotation=parameter.empty)
        if parameter.default is not parameter.empty:
            defaults[f"_{number}"] = parameter.default
            plain = plain.replace(default=_Name(f"_{number}"))
        parameters.append(plain)
    header = str(inspect.Signature(parameters))[1:-1]
    values = ", ".join(wanted)
    # The source is made of parameter names alone, which `inspect` has checked to be identifiers.
    binder: Binder = eval(f"lambda {header}: [{values}]", defaults)  # noqa: S307
    binder.__qualname__ = name
    return binder


def _runner(signature: inspect.Signature) -> Runner:
    """A function that hands bound values over, each the way its parameter takes it."""
    handed = []
    for number, parameter in enumerate(signature.parameters.values()):
        prefix = f"{parameter.name}=" if parameter.kind is parameter.KEYWORD_ONLY else _STARS.get(parameter.kind, "")
        handed.append(f"{prefix}values[{number}]")
    runner: Runner = eval(f"lambda function, values: function({', '.join(handed)})")  # noqa: S307 - as in `_binder`
    return runner


class _Name(str):
    """Stands for a default in a signature's text, as the name that it is looked up by."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def private_copy(arguments: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of the values that could change; shared references stay shared.

    Raises:
        UnserializableArgument: a value cannot be copied.
    """
    memo: Memo = {}
    return {name: snapshot(name, value, memo) for name, value in arguments.items()}
