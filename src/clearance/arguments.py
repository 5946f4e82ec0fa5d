"""How one parameter is to be treated, where its annotation or its guard says so.

The markers go into ``Annotated``: ``token: Annotated[str, Secret]``, ``script: Annotated[Path, FileContents]``.
"""

from __future__ import annotations

import builtins
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import wraps
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from weakref import WeakKeyDictionary

from clearance.errors import ConfigurationError

T = TypeVar("T")


class Secret:
    """Marks a parameter or a field that no approver may see: ``token: Annotated[str, Secret]``."""


class FileContents:
    """Marks a path whose file is part of what is cleared: ``script: Annotated[Path, FileContents]``.

    The SHA-256 of the file is shown, enters the digest, and is compared again after the claim.
    """


_CONTEXTS = frozenset(
    {
        ("agents", "RunContextWrapper"), ("agents", "ToolContext"), ("pydantic_ai", "RunContext"),
        ("langchain", "ToolRuntime"), ("langgraph", "ToolRuntime"), ("langchain_core", "RunnableConfig"),
        ("mcp", "Context"), ("fastmcp", "Context"), ("google", "ToolContext"), ("strands", "ToolContext"),
        ("starlette", "Request"), ("starlette", "WebSocket"), ("fastapi", "Request"), ("fastapi", "BackgroundTasks"),
        ("starlette", "BackgroundTasks"), ("starlette", "HTTPConnection"), ("starlette", "Response"),
        ("fastapi", "SecurityScopes"),
    }
)  # fmt: skip
"""What frameworks hand to a tool beside the arguments: by package and class, so that none has to be imported."""
_INJECTIONS = frozenset({("langgraph", "InjectedState"), ("langgraph", "InjectedStore")})
"""The same for the markers in ``Annotated`` that ask for it."""


_SECRET_TYPES = frozenset({"Secret", "SecretStr", "SecretBytes"})


class Treatment(NamedTuple):
    """The parameters of one callable that are not simply copied, shown and digested, by name.

    ``secret`` are hidden. ``files`` name a file that is digested too. ``contexts`` come from a framework and are
    left out. ``opaque`` are handed over as they are and not looked into. ``kept`` keep their identity: they are
    shown, and digested again right before the body.
    """

    secret: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    contexts: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    @property
    def uncopied(self) -> frozenset[str]:
        """The parameters that the body receives as the caller gave them."""
        return self.contexts | self.opaque | self.kept


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations that can be resolved by now; one that cannot stays the text that it is."""
    body = _body(function)
    raw = getattr(body, "__annotations__", None)
    if not isinstance(raw, Mapping):
        return {}
    names = names_of(function)
    return {name: _resolved(given, names) for name, given in raw.items() if name != "return"}


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations, resolved to the last name in them; one that cannot be is a text."""
    raw, names = getattr(_body(function), "__annotations__", None), names_of(function)
    names = {**vars(builtins), **names}  # a named tuple's constructor is made in a module without any
    hints: dict[str, Any] = {}
    for name, given in raw.items() if isinstance(raw, Mapping) else ():
        holder: Any = SimpleNamespace(__annotations__={name: given})
        try:
            hints |= get_type_hints(holder, dict(names), include_extras=True)
        except Exception:  # noqa: BLE001 - a name that is not known, by now or ever
            hints[name] = given if isinstance(given, str) else repr(given)
    return hints


def names_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """What the texts in a callable's annotations are resolved by: what its module knows."""
    names: Mapping[str, Any] = getattr(_body(function), "__globals__", {})
    return names


def treatment(
    annotations: Mapping[str, Any],
    names: Mapping[str, Any],
    opaque: Collection[str] = (),
    kept: Collection[str] = (),
    owner: type | None = None,
) -> Treatment:
    """What a callable's annotations and its guard say together; ``owner`` is the class that the callable makes.

    Raises:
        ConfigurationError: `FileContents` stands where no single path does.
    """
    files = frozenset(name for name, given in annotations.items() if _is_marked(given, FileContents, names))
    for name in files:
        if not _is_path(annotations[name], names):
            raise ConfigurationError(
                f"{name!r} is annotated {annotations[name]!r}, but `FileContents` marks a path, not what holds some.",
                next_step=f"Give each file a parameter of its own: `{name}: Annotated[Path, FileContents]`.",
            )
    secret = frozenset(name for name, given in annotations.items() if _is_marked(given, Secret, names))
    return Treatment(
        secret=secret if owner is None else secret | secret_fields(owner),
        files=files,
        contexts=frozenset(
            name for name, given in annotations.items() if _is_context(given, names) or _is_injected(given, names)
        ),
        opaque=frozenset(opaque),
        kept=frozenset(kept),
    )


def remembered(function: Callable[[Any], T]) -> Callable[[Any], T]:
    """Remembers what a function says of a class, for as long as the class lives and no longer."""
    known: WeakKeyDictionary[Any, T] = WeakKeyDictionary()

    @wraps(function)
    def ask(cls: Any) -> T:
        found = known.get(cls)
        if found is None:
            found = known[cls] = function(cls)
        return found

    return ask


@remembered
def secret_fields(cls: Any) -> frozenset[str]:
    """The fields of a class that are annotated `Secret`, or were meant to be."""
    found: set[str] = set()
    for base in cls.__mro__:
        names = _names_around(base)
        found |= {name for name, given in inspect.get_annotations(base).items() if _is_marked(given, Secret, names)}
    # pydantic has resolved them already, and knew the names of the function that the class stands in, too.
    for name, field in getattr(cls, "__pydantic_fields__", {}).items():
        if any(_is_mark(mark, Secret) for mark in field.metadata) or _is_marked(field.annotation, Secret, {}):
            found.add(name)
    return frozenset(found)


def _body(function: Any) -> Any:
    """The function that a call ends in."""
    inner = inspect.unwrap(function)
    if inspect.isroutine(inner):
        return inner
    if isinstance(inner, type):
        return inner.__init__ if hasattr(inner.__init__, "__code__") else inner.__new__  # type: ignore[misc]
    return inspect.unwrap(type(inner).__call__)


def _names_around(cls: type) -> dict[str, Any]:
    """What the annotations of a class can use. A name of its module wins: a field may be called like its type."""
    return {**vars(cls), **getattr(sys.modules.get(cls.__module__), "__dict__", {})}


def _resolved(given: Any, names: Mapping[str, Any]) -> Any:
    text = given.__forward_arg__ if isinstance(given, ForwardRef) else given
    if not isinstance(text, str):
        return given
    try:
        return eval(text, dict(names))  # noqa: S307 - the author's own annotation, as typing.get_type_hints reads it
    except Exception:  # noqa: BLE001 - a name that only a type checker knows
        return text


def _is_marked(given: Any, marker: type, names: Mapping[str, Any]) -> bool:
    """Does the annotation carry the marker, anywhere? One that cannot be read is taken at its word: doubt hides."""
    for part in _parts(given, names, set()):
        if part is _UNREADABLE:
            return marker is Secret
        if isinstance(part, str) and not {marker.__name__, *_types_like(marker)}.isdisjoint(_words(part)):
            return True
        if marker is Secret and hasattr(part, "get_secret_value"):  # a plain text is then meant to be one, too
            return True
        if get_origin(part) is Annotated and any(_is_mark(mark, marker) for mark in get_args(part)[1:]):
            return True
    return False


def _types_like(marker: type) -> frozenset[str]:
    return _SECRET_TYPES if marker is Secret else frozenset()


def _is_mark(found: Any, marker: type) -> bool:
    return isinstance(found, marker) or (isinstance(found, type) and issubclass(found, marker))


def _is_path(given: Any, names: Mapping[str, Any]) -> bool:
    """Does a marker of this annotation stand at the value itself, or at a member of a union, and nowhere deeper?"""
    return not any(_is_marked(_bare(member), FileContents, names) for member in _members(given, names) if _read(member))


def _is_context(given: Any, names: Mapping[str, Any]) -> bool:
    """Is it what a framework hands over, and nothing else?"""
    members = [member for member in map(_bare, _members(given, names)) if member is not NoneType]
    return bool(members) and all(map(_is_of_framework, members))


def _is_of_framework(given: Any) -> bool:
    cls = get_origin(given) or given
    return isinstance(cls, type) and any(
        (base.__module__.partition(".")[0], base.__name__) in _CONTEXTS for base in cls.__mro__
    )


_UNREADABLE: Any = object()
"""Stands for the inside of an alias that cannot be evaluated."""


def _is_injected(given: Any, names: Mapping[str, Any]) -> bool:
    """Does a marker ask for all that a framework keeps? One field of it is an argument like any other."""
    given = _resolved(given, names)
    for marker in get_args(given)[1:] if get_origin(given) is Annotated else ():
        cls = marker if isinstance(marker, type) else type(marker)
        if (cls.__module__.partition(".")[0], cls.__name__) in _INJECTIONS and getattr(marker, "field", None) is None:
            return True
    return False


def _parts(given: Any, names: Mapping[str, Any], met: set[int]) -> Iterator[Any]:
    """The annotation and everything that it is made of, to the end of every alias."""
    given = _resolved(given, names)
    yield given
    origin = get_origin(given)
    if origin is Literal:
        return
    inside = list(get_args(given)[:1] if origin is Annotated else get_args(given))
    alias = origin if _is_alias(origin) else given
    if (_is_alias(alias) or _is_typed_dict(alias)) and id(alias) not in met:
        met.add(id(alias))
        inside += _inside(alias)
    for part in inside:
        for each in part if isinstance(part, list) else (part,):  # what a Callable takes is a list of its own
            yield from _parts(each, names, met)


def _members(given: Any, names: Mapping[str, Any]) -> Iterator[Any]:
    """The members of a union, or the annotation itself."""
    given = _resolved(given, names)
    alias = get_origin(given) if _is_alias(get_origin(given)) else given
    if _is_alias(alias):
        inside = _inside(alias)
    elif _is_union(_bare(given)):
        inside = list(get_args(_bare(given)))
    else:
        yield given
        return
    for part in inside:
        yield from _members(part, names)


def _bare(given: Any) -> Any:
    return get_args(given)[0] if get_origin(given) is Annotated else given


def _read(given: Any) -> bool:
    return not isinstance(given, str) and given is not _UNREADABLE


def _is_alias(given: Any) -> bool:
    """Is it a name for another type: by a ``type`` statement, or by NewType?"""
    return type(given).__name__ in ("TypeAliasType", "NewType")


def _is_typed_dict(given: Any) -> bool:
    return isinstance(given, type) and hasattr(given, "__required_keys__")


def _inside(given: Any) -> list[Any]:
    """What an alias stands for, or the types of a TypedDict's values."""
    if _is_typed_dict(given):
        around = _names_around(given)
        return [_resolved(value, around) for value in inspect.get_annotations(given).values()]
    try:
        return [given.__supertype__ if type(given).__name__ == "NewType" else given.__value__]
    except Exception:  # noqa: BLE001 - it is evaluated only now, and may use what only a type checker knows
        return [_UNREADABLE]


def _is_union(given: Any) -> bool:
    return get_origin(given) in (Union, UnionType)


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isidentifier() or letter.isdigit() else " " for letter in text).split()
