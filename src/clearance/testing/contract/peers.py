"""Who is at the other end: a transport under test, the person who decides there, and what neither of them can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NoReturn

from clearance.models import Json
from clearance.testing.contract.declared import Declared, marked, values_of

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


class Contract(Declared):
    """What both contracts for transports are made of.

    Attributes:
        cannot: what the other end, or its approver in the tests, cannot do: words of `ABILITIES`. The cases that need
            it are left out.
        action_type: a type of action that waits for an approver there.
        cleared_type: a type that is cleared there without anybody; None if there is none.
        refused_type: a type that is refused there without anybody; None if there is none.
    """

    abilities: ClassVar[Mapping[str, str]] = ABILITIES
    action_type: ClassVar[str] = "payment.refund"
    cleared_type: ClassVar[str | None] = None
    refused_type: ClassVar[str | None] = None

    @classmethod
    def can(cls, needs: Iterable[str]) -> bool:
        """Can the other end do all of this?"""
        types = {"cleared": cls.cleared_type, "refused": cls.refused_type}
        return super().can(needs) and all(types.get(name, "") is not None for name in needs)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every case, in no order. pytest collects them by itself; other runners may go through these."""
        for name, method in marked(cls):
            for values in values_of(cls, method):
                label = f"{name}[{'-'.join(map(str, values.values()))}]" if values else name
                yield Case(label, partial(_run, cls, name, values))


def _run(cls: type[Contract], name: str, values: dict[str, Any], peer: Peer) -> None:
    getattr(cls(), name)(peer=peer, **values)
