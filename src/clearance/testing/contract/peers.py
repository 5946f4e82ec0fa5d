"""Who is at the other end: a transport under test, the person who decides there, and what neither of them can do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NoReturn, TypeVar

from clearance.models import Json

F = TypeVar("F", bound=Callable[..., None])

ABILITIES: Mapping[str, str] = {
    "wait": "holds an answer back until the decision changes",
    "claim": "spends an approval, once",
    "outcome": "takes what came of the call",
    "withdraw": "closes a request that its caller no longer wants",
    "edit": "lets an approver change parameters",
    "revoke": "lets an approver take an approval back",
    "time": "lets time pass for a test, and closes what is overdue",
    "words": "can be made to say a status that there is not",
    "other": "has other callers, who may not know of this one's requests (`Peer.other`)",
    "unreachable": "can be unreachable (`Peer.unreachable`)",
    "cleared": "clears actions of one type by itself (``cleared_type``)",
    "refused": "refuses actions of one type by itself (``refused_type``)",
}
"""What cases of the contract need. The first four are offered in each answer to a submit, or are not."""
OFFERED: tuple[str, ...] = ("wait", "claim", "outcome", "withdraw")


class Approver:
    """The person at the other end of a transport. Override what can be done there; declare the rest in ``cannot``.

    What is done may fail with an exception where the action does not stand so: a late or a second answer, say.
    """

    def approve(self, action_id: str, edits: Mapping[str, Json]) -> None:
        """Clear it; with ``edits``, only with these values of the parameters that are named."""
        self._cannot("edit" if edits else "approve")

    def deny(self, action_id: str, reason: str) -> None:
        """Refuse it, in these words."""
        self._cannot("deny")

    def revoke(self, action_id: str) -> None:
        """Take the approval back."""
        self._cannot("revoke")

    def let_pass(self, seconds: float) -> None:
        """Let so much time pass at the other end, without waiting."""
        self._cannot("time")

    def say(self, action_id: str, word: str) -> None:
        """Have the other end say this word where the status should be."""
        self._cannot("words")

    def _cannot(self, what: str) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} cannot {what!r}: override it, or declare it in `cannot`.")


@dataclass(frozen=True, slots=True)
class Peer:
    """A transport under test, and who is at its other end.

    Attributes:
        transport: the transport; a new one, on a new Center, for each class of tests.
        approver: who decides what it carries.
        other: a transport of the same kind to the same Center, for another caller (another key).
        unreachable: a transport of the same kind whose Center cannot be reached.
    """

    transport: Any
    approver: Approver
    other: Any = None
    unreachable: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a contract, ready to be run by whatever runs tests: ``case.run(peer)``."""

    name: str
    run: Callable[[Peer], None]


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


class Contract:
    """What both contracts for transports are made of: which cases there are for whoever declares what it cannot do.

    Attributes:
        cannot: what the other end, or its approver in the tests, cannot do: words of `ABILITIES`. The cases that need
            it are left out.
        action_type: a type of action that waits for an approver there.
        cleared_type: a type that is cleared there without anybody; None if there is none.
        refused_type: a type that is refused there without anybody; None if there is none.
    """

    cannot: ClassVar[frozenset[str]] = frozenset()
    action_type: ClassVar[str] = "payment.refund"
    cleared_type: ClassVar[str | None] = None
    refused_type: ClassVar[str | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if unknown := sorted(set(cls.cannot) - set(ABILITIES)):
            raise TypeError(f"{cls.__name__}.cannot has {unknown[0]!r}; what can be declared: {', '.join(ABILITIES)}.")
        for name, method in _inherited(cls):
            # pytest does not collect what cannot be called.
            setattr(cls, name, method if _values(cls, method) else None)

    @classmethod
    def can(cls, needs: Iterable[str]) -> bool:
        """Can the other end do all of this?"""
        has = set(ABILITIES) - set(cls.cannot)
        has -= {name for name, kind in (("cleared", cls.cleared_type), ("refused", cls.refused_type)) if kind is None}
        return set(needs) <= has

    @classmethod
    def left_out(cls) -> list[str]:
        """The abilities that are declared not to be there."""
        return [name for name in ABILITIES if not cls.can([name])]

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every case, in no order. pytest collects them by itself; other runners may go through these."""
        for name, method in _marked(cls):
            for values in _values(cls, method):
                label = f"{name}[{'-'.join(map(str, values.values()))}]" if values else name
                yield Case(label, partial(_run, cls, name, values))

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Tell pytest over which values each case goes."""
        method = getattr(type(self), metafunc.function.__name__, None)
        if over := getattr(method, "over", None):
            values = [tuple(each.values()) for each in _values(type(self), method)]
            metafunc.parametrize(tuple(over), values, ids=["-".join(map(str, each)) for each in values])


def _run(cls: type[Contract], name: str, values: dict[str, Any], peer: Peer) -> None:
    getattr(cls(), name)(peer=peer, **values)


def _inherited(cls: type[Contract]) -> Iterator[tuple[str, Any]]:
    """The cases of all classes above, also those that one of these has left out; not those that this one overrides."""
    found: dict[str, Any] = {}
    for above in reversed(cls.__mro__[1:]):
        found |= {name: method for name, method in vars(above).items() if hasattr(method, "over")}
    yield from ((name, method) for name, method in found.items() if name not in vars(cls))


def _marked(cls: type[Contract]) -> Iterator[tuple[str, Any]]:
    for name in dir(cls):
        method = getattr(cls, name)
        if hasattr(method, "over"):
            yield name, method


def _values(cls: type[Contract], method: Any) -> list[dict[str, Any]]:
    """The values of the parameters of each run of a case; none where it needs what there is not."""
    if not cls.can(method.needs):
        return []
    found = [dict(zip(method.over, values, strict=True)) for values in itertools.product(*method.over.values())]
    return [each for each in found if all(cls.can(getattr(value, "needs", ())) for value in each.values())]
