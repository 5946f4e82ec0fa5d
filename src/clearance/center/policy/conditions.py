"""Conditions over an action, compiled once: true, false, or not to be told. How they combine never depends on order.

What is not there, hidden from the Center, shown in part or of another kind makes a condition that nobody can tell;
so that no rule is passed over only because it could not be evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from clearance.center.policy.asked import MOST_BLURRED, Asked
from clearance.center.policy.checks import Answer, Check
from clearance.center.policy.paths import MISSING, Steps, find, spelled
from clearance.redaction import above, touches

Test: TypeAlias = Callable[[Asked], Answer]
SHOWN = 200
"""Characters of an operand that people are shown."""


@dataclass(frozen=True, slots=True)
class Field:
    """Something of an action that a condition can be about. ``get`` returns `MISSING` for what is not there."""

    name: str
    get: Callable[[Asked], Any]
    path: str | None = None
    """As a submit spells it where it says what is hidden or cut; None for what never is."""
    longest: int = 200
    """Characters that it may have."""

    def trouble(self, asked: Asked) -> str | None:
        """Why nothing can be told of it; None if something can."""
        if self.get(asked) is MISSING:
            return f"{self.name} is not there"
        if self.path is None or asked.is_seen(self.path, above(self.path)):
            return None
        is_cut = len(asked.action.abridged) <= MOST_BLURRED and touches(self.path, asked.action.abridged)
        return f"{self.name} is {'shown only in part' if is_cut else 'hidden from the Center'}"


def parameter(table: Literal["parameters", "context"], steps: Steps) -> Field:
    """A parameter of the call, or something of its context, or what lies within."""

    def get(asked: Asked) -> Any:
        return find(getattr(asked.action, table), steps)

    return Field(f"{table}.{spelled(steps)}", get, spelled(steps), longest=4_096)


@dataclass(frozen=True, slots=True)
class Explained:
    """How a condition came out. ``why`` is set where nobody can tell."""

    said: str
    found: Answer
    why: str = ""
    parts: tuple[Explained, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field held against one thing. ``operator`` and ``operand`` are what the file says."""

    field: Field
    operator: str
    operand: Any
    check: Check
    work: int = 1

    @property
    def said(self) -> str:
        """In words, for people."""
        return f"{self.field.name} {self.operator} {_shown(self.operand)}"

    def compiled(self) -> Test:
        """As a function."""
        get, check, path = self.field.get, self.check, self.field.path
        if path is None:
            return _test_of(get, check)

        over = above(path)

        def test(asked: Asked) -> Answer:
            action = asked.action
            if (action.redacted or action.abridged) and not asked.is_seen(path, over):
                return None
            value = get(asked)
            return None if value is MISSING else check(value)

        return test

    def explain(self, asked: Asked) -> Explained:
        """How it comes out for this action."""
        found = self.compiled()(asked)
        if found is not None:
            return Explained(self.said, found)
        trouble = self.field.trouble(asked) or f"{self.field.name} is too long, or of a kind that cannot be compared so"
        return Explained(self.said, None, trouble)


def _test_of(get: Callable[[Asked], Any], check: Check) -> Test:
    def test(asked: Asked) -> Answer:
        value = get(asked)
        return None if value is MISSING else check(value)

    return test


@dataclass(frozen=True, slots=True)
class Presence:
    """Is a field there at all? That can always be told."""

    field: Field
    wanted: bool
    work: int = 1

    @property
    def said(self) -> str:
        """In words, for people."""
        return f"{self.field.name} is {'' if self.wanted else 'not '}there"

    def compiled(self) -> Test:
        """As a function."""
        get, wanted = self.field.get, self.wanted
        return lambda asked: (get(asked) is not MISSING) is wanted

    def explain(self, asked: Asked) -> Explained:
        """How it comes out for this action."""
        return Explained(self.said, self.compiled()(asked))


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions together: all of them, any of them, or not all of them."""

    kind: Literal["all", "any", "not"]
    parts: tuple[Condition, ...]

    @property
    def work(self) -> int:
        """The most that it may take."""
        return sum(part.work for part in self.parts)

    @property
    def size(self) -> int:
        """How many conditions it is made of."""
        return sum(part.size if isinstance(part, Group) else 1 for part in self.parts)

    @property
    def said(self) -> str:
        """In words, for people."""
        return {"all": "all of", "any": "any of", "not": "not"}[self.kind]

    def compiled(self) -> Test:
        """As a function."""
        tests = [part.compiled() for part in sorted(self.parts, key=lambda part: part.work)]
        if self.kind == "any":
            return _either(tests, True)
        if self.kind == "all":
            return tests[0] if len(tests) == 1 else _either(tests, False)
        inner = _either(tests, False)

        def negated(asked: Asked) -> Answer:
            found = inner(asked)
            return None if found is None else not found

        return negated

    def explain(self, asked: Asked) -> Explained:
        """How it comes out for this action, with its parts."""
        found = self.compiled()(asked)
        parts = tuple(part.explain(asked) for part in self.parts)
        why = "; ".join(dict.fromkeys(part.why for part in parts if part.why)) if found is None else ""
        return Explained(self.said, found, why, parts)


Condition: TypeAlias = Leaf | Presence | Group


def _either(tests: Iterable[Test], decisive: bool) -> Test:
    """True decides for "any", false for "all"; otherwise what cannot be told stays so."""
    tests = tuple(tests)

    def test(asked: Asked) -> Answer:
        unclear = False
        for each in tests:
            found = each(asked)
            if found is decisive:
                return decisive
            if found is None:
                unclear = True
        return None if unclear else not decisive

    return test


def _shown(operand: Any) -> str:
    """In short. What would not be shown is cut off first: to spell a list that fills its file takes milliseconds."""
    short = [_cut(each) for each in operand[:SHOWN]] if isinstance(operand, list) else _cut(operand)
    text = f"{short!r}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _cut(operand: Any) -> Any:
    return operand[:SHOWN] if isinstance(operand, str) else operand
