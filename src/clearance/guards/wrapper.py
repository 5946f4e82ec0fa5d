"""The object that a guarded callable is replaced by: to every eye the callable itself, in copies and pickles too."""

from __future__ import annotations

import copy
import importlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:  # only the stubs can be subscripted, in all versions of wrapt
    _BoundWrapper = wrapt.BoundFunctionWrapper[..., Any]
    _Wrapper = wrapt.FunctionWrapper[..., Any]
else:
    _BoundWrapper, _Wrapper = wrapt.BoundFunctionWrapper, wrapt.FunctionWrapper


def found_again(module: str, qualname: str) -> Any:
    """What stands under a name; a pickle of a method holds this."""
    return attrgetter(qualname)(importlib.import_module(module))


class BoundGuarded(_BoundWrapper):
    """A guarded method, as it is found on an object or a class."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        owner = getattr(self, "__self__", None)
        if owner is None or isinstance(owner, type):
            return self
        return getattr(copy.deepcopy(owner, memo), self.__name__)

    def __reduce_ex__(self, _protocol: Any) -> Any:
        owner = getattr(self, "__self__", None)
        if owner is not None:
            return getattr, (owner, _name_of(self, "__name__"))
        way = self.__module__, _name_of(self, "__qualname__")
        try:
            found = found_again(*way)
        except (ImportError, AttributeError):
            found = None
        if getattr(found, "_self_parent", None) is not self._self_parent:
            raise _nameless(self)
        return found_again, way


class Guarded(_Wrapper):
    """A guarded callable. It copies to itself, and is pickled by its name."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Any:
        return self

    def __reduce_ex__(self, _protocol: Any) -> Any:
        # A name alone: pickle looks it up, and refuses if it does not lead back here.
        return _name_of(self, "__qualname__")


# An annotation in the class would hide those of the callable inside, and without one its type could not be told.
Guarded.__bound_function_wrapper__ = BoundGuarded  # type: ignore[misc]


def _name_of(guarded: Any, attribute: str) -> str:
    name = getattr(guarded, attribute, None)
    if isinstance(name, str):
        return name
    raise _nameless(guarded)


def _nameless(guarded: Any) -> TypeError:
    return TypeError(
        f"cannot pickle a guarded {type(guarded.__wrapped__).__qualname__}: it goes by its name, and is found again "
        f"under none. Pickle a guarded function at the top of a module instead."
    )
