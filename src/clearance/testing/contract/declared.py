"""Cases, what each of them needs, and contracts that leave out the cases for what is declared not to be there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

F = TypeVar("F", bound=Callable[..., None])


def case(*needs: str, **over: Iterable[Any]) -> Callable[[F], F]:
    """Mark a method as a case.

    Args:
        needs: the abilities without which it has no meaning.
        over: for each parameter, its values; a value may have ``needs`` of its own.
    """

    def mark(method: F) -> F:
        method.needs = frozenset(needs)  # type: ignore[attr-defined]
        method.over = {name: list(values) for name, values in over.items()}  # type: ignore[attr-defined]
        return method

    return mark


class Declared:
    """What all contracts are made of.

    Attributes:
        abilities: what cases may need, and what each of it means.
        cannot: what is declared not to be there; the cases that need it are left out.
    """

    abilities: ClassVar[Mapping[str, str]] = {}
    cannot: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if unknown := sorted(set(cls.cannot) - set(cls.abilities)):
            known = ", ".join(cls.abilities)
            raise TypeError(f"{cls.__name__}.cannot has {unknown[0]!r}; what can be declared: {known}.")
        for name, method in _inherited(cls):
            # pytest does not collect what cannot be called.
            setattr(cls, name, method if values_of(cls, method) else None)

    @classmethod
    def can(cls, needs: Iterable[str]) -> bool:
        """Is all of this there?"""
        return not set(needs) & set(cls.cannot)

    @classmethod
    def left_out(cls) -> list[str]:
        """The abilities that are declared not to be there."""
        return [name for name in cls.abilities if not cls.can([name])]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Tell pytest over which values each case goes."""
        method = getattr(type(self), metafunc.function.__name__, None)
        if over := getattr(method, "over", None):
            values = [tuple(each.values()) for each in values_of(type(self), method)]
            metafunc.parametrize(tuple(over), values, ids=["-".join(map(str, each)) for each in values])


def marked(cls: type[Declared]) -> Iterator[tuple[str, Any]]:
    """The cases of a contract."""
    for name in dir(cls):
        method = getattr(cls, name)
        if hasattr(method, "over"):
            yield name, method


def values_of(cls: type[Declared], method: Any) -> list[dict[str, Any]]:
    """The values of the parameters of each run of a case; none where it needs what there is not."""
    if not cls.can(method.needs):
        return []
    found = [dict(zip(method.over, values, strict=True)) for values in itertools.product(*method.over.values())]
    return [each for each in found if all(cls.can(getattr(value, "needs", ())) for value in each.values())]


def _inherited(cls: type[Declared]) -> Iterator[tuple[str, Any]]:
    """The cases of all classes above, also those that one of these has left out; not those that this one overrides."""
    found: dict[str, Any] = {}
    for above in reversed(cls.__mro__[1:]):
        for name, method in vars(above).items():
            if hasattr(method, "over"):
                found[name] = method
            elif method is not None:
                found.pop(name, None)
    yield from ((name, method) for name, method in found.items() if name not in vars(cls))
