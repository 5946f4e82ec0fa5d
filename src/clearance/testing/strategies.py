"""hypothesis strategies: actions, decisions, signatures, and the calls that fit one. They need ``hypothesis``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from clearance.lifecycle import CLAIMED, REFUSED
from clearance.models import Action, CodeIdentity, Decision, Json, Status
from clearance.testing.held import OFFERS

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError as _missing:
    raise ImportError(
        "clearance.testing.strategies needs hypothesis, which is not installed. Run: pip install hypothesis"
    ) from _missing


def actions(**fields: SearchStrategy[Any]) -> SearchStrategy[Action]:
    """Actions that any Center takes in.

    Args:
        fields: strategies for some of the fields of an `Action`, instead of those here.
    """
    words, texts, json = _words(), _texts(), json_values()
    return st.builds(
        Action,
        **{
            "agent_id": words,
            "action_type": words,
            "tool_name": words,
            "description": words,
            "parameters": st.dictionaries(texts, json, max_size=3),
            "digest": words,
            "decide_within": st.floats(1, 1e6),
            "run_within": st.floats(1, 1e6),
            "resource": st.none() | words,
            "context": st.dictionaries(texts, json, max_size=2),
            "reasoning": st.none() | texts,
            "redacted": st.lists(texts, max_size=2).map(tuple),
            "abridged": st.dictionaries(texts, st.tuples(st.integers(0, 9), st.integers(10, 99)), max_size=2),
            "code": st.none() | st.builds(CodeIdentity, texts, texts, texts),
            **fields,
        },
    )


def decisions(status: Status | None = None, **fields: SearchStrategy[Any]) -> SearchStrategy[Decision]:
    """Decisions that a Center can make: edits only of what was approved, words for a model only in a refusal.

    Args:
        status: of this status only; default: of any.
        fields: strategies for some of the fields of a `Decision`, instead of those here.
    """
    if status is None:
        return st.sampled_from(Status).flatmap(lambda one: decisions(one, **fields))
    texts = _texts()
    times = st.none() | st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))
    edits: SearchStrategy[dict[str, Json]] = st.just({})
    if status is Status.APPROVED or status in CLAIMED:
        edits = st.just({}) | st.dictionaries(texts, json_values(), max_size=2)
    return st.builds(
        Decision,
        **{
            "action_id": st.integers(1, 10**12).map(str),
            "status": st.just(status),
            "reason": texts,
            "reason_code": texts,
            "decided_by": st.none() | texts,
            "decided_at": times,
            "channel": st.none() | texts,
            "risk_score": st.none() | st.integers(0, 100),
            "risk_level": st.none() | st.sampled_from(["low", "medium", "high", "critical"]),
            "decide_by": times,
            "nonce": st.none() | texts if status in CLAIMED else st.none(),
            "offers": st.frozensets(st.sampled_from(sorted(OFFERS))),
            "edits": edits,
            "message_for_model": texts if status in REFUSED else st.just(""),
            **fields,
        },
    )


def json_values() -> SearchStrategy[Json]:
    """Whatever JSON can say, a few levels deep."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts()
    values: SearchStrategy[Json] = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts(), inner, max_size=3),
        max_leaves=6,
    )
    return values


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a caller passes: ``function(*args, **kwargs)``."""

    args: tuple[object, ...]
    kwargs: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was made up; `function` has it.

    The positional parameters are ``p0``, ``p1`` ..., the keyword-only ones ``k0``, ``k1`` ..., the starred ones
    ``*rest`` and ``**more``.

    Attributes:
        positional_only: how many parameters stand before the ``/``.
        standard: how many can be passed by position and by name.
        defaults: how many of these, from the last on, have a default (their own name).
        keyword_only: how many can be passed by name only.
        keyword_defaults: those of them that have a default.
        star: is there a ``*rest``?
        two_stars: is there a ``**more``?
    """

    positional_only: int
    standard: int
    defaults: int
    keyword_only: int
    keyword_defaults: frozenset[str]
    star: bool
    two_stars: bool

    @property
    def positional(self) -> list[str]:
        """The parameters that can be passed by position."""
        return [f"p{n}" for n in range(self.positional_only + self.standard)]

    @property
    def required(self) -> list[str]:
        """The positional parameters without a default."""
        return self.positional[: len(self.positional) - self.defaults]

    @property
    def keywords(self) -> list[str]:
        """The parameters that can be passed by name only."""
        return [f"k{n}" for n in range(self.keyword_only)]

    @property
    def labels(self) -> list[str]:
        """All parameters, in order, as an approver sees them named."""
        return [*self.positional, *["*rest"] * self.star, *self.keywords, *["**more"] * self.two_stars]

    @property
    def source(self) -> str:
        """The function's definition."""
        parts = [name if name in self.required else f"{name}='{name}'" for name in self.positional]
        if self.positional_only:
            parts.insert(self.positional_only, "/")
        if self.star or self.keyword_only:
            parts.append("*rest" if self.star else "*")
        parts += [f"{name}='{name}'" if name in self.keyword_defaults else name for name in self.keywords]
        parts += ["**more"] * self.two_stars
        return f"def made_up({', '.join(parts)}): return dict(locals())"

    def function(self) -> Callable[..., dict[str, object]]:
        """A new function with this signature, which returns what it received, by parameter."""
        namespace: dict[str, Any] = {}
        exec(self.source, namespace)  # noqa: S102 - there is no other way to a function with a signature of its own
        function: Callable[..., dict[str, object]] = namespace["made_up"]
        return function


def signatures() -> SearchStrategy[Signature]:
    """Signatures with parameters of every kind, in every mixture, with and without defaults."""
    return _signatures()


@st.composite
def _signatures(draw: DrawFn) -> Signature:
    small = st.integers(0, 3)
    positional_only, standard = draw(small), draw(small)
    return Signature(
        positional_only,
        standard,
        draw(st.integers(0, positional_only + standard)),
        draw(small),
        draw(st.frozensets(st.sampled_from(["k0", "k1", "k2"]))),
        draw(st.booleans()),
        draw(st.booleans()),
    )


def calls(
    of: Signature | Callable[..., object], values: SearchStrategy[object] | None = None
) -> SearchStrategy[Arguments]:
    """Arguments that a signature, or any callable, accepts, passed in any of the ways that Python allows.

    Args:
        of: what `signatures` made up, or a callable.
        values: of what the arguments are drawn; default: small integers, and lists of them.
    """
    parameters = list(inspect.signature(of.function() if isinstance(of, Signature) else of).parameters.values())
    if values is None:
        values = st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)
    return _arguments(parameters, values)


@st.composite
def _arguments(draw: DrawFn, parameters: list[inspect.Parameter], values: SearchStrategy[object]) -> Arguments:
    kinds = inspect.Parameter
    positional = [it for it in parameters if it.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    unnamed = [it for it in positional if it.kind is kinds.POSITIONAL_ONLY]
    has = partial(_has, parameters)
    least = sum(it.default is it.empty for it in unnamed)
    count = draw(st.integers(least, len(positional) + 3 * has(kinds.VAR_POSITIONAL)))
    by_name = positional[max(count, len(unnamed)) :] + [it for it in parameters if it.kind is kinds.KEYWORD_ONLY]
    kwargs = {it.name: draw(values) for it in by_name if it.default is it.empty or draw(st.booleans())}
    if has(kinds.VAR_KEYWORD):  # a made-up keyword may bear the name of a positional-only parameter, or of a star
        free = ["extra", "rest", "more", *(it.name for it in unnamed)]
        taken = {it.name for it in parameters if it.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)}
        free = [name for name in free if name not in taken]
        kwargs |= draw(st.dictionaries(st.sampled_from(free), values, max_size=2)) if free else {}
    return Arguments(tuple(draw(values) for _ in range(count)), kwargs)


def _has(parameters: list[inspect.Parameter], kind: Any) -> bool:
    return any(it.kind is kind for it in parameters)


def _texts() -> SearchStrategy[str]:
    return st.text(max_size=20)


def _words() -> SearchStrategy[str]:
    return st.text(min_size=1, max_size=20)
