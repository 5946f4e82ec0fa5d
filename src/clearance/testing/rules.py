"""One rule of a test's approver: what it is about, what is answered, and which faults come between."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from types import FrameType
from typing import TYPE_CHECKING, Literal, TypeAlias

from clearance.lifecycle import Event
from clearance.models import Action, Decision, Json, Status
from clearance.testing.asked import misfits
from clearance.testing.matchers import Matcher, Wanted, wanted

if TYPE_CHECKING:
    from clearance.testing.asked import Asked

Answer: TypeAlias = bool | Decision | None
"""True clears, False refuses, None says nothing, ever; a `Decision` has its status, reason, names and edits taken."""
Approver: TypeAlias = "Callable[[Asked], Answer]"
Step: TypeAlias = Literal["submit", "wait", "claim", "report", "withdraw"]
"""Which exchange of a call a fault befalls."""

STEPS: tuple[Step, ...] = ("submit", "wait", "claim", "report", "withdraw")


EVENTS = {
    Status.APPROVED: Event.APPROVE,
    Status.DENIED: Event.DENY,
    Status.EXPIRED: Event.EXPIRE,
    Status.WITHDRAWN: Event.WITHDRAW,
    Status.REVOKED: Event.REVOKE,
    Status.LAPSED: Event.LAPSE,
    Status.STALE: Event.OUTDATE,
}
"""What happens to an action when an answer with this status is given."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong at one step, so many ``times`` for each request; None: always."""

    kind: Literal["unavailable", "lost", "crash"]
    step: Step
    times: int | None
    transient: bool = True


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that comes ``after`` so many seconds; None: at the end of the request's own time.

    A ``late`` one comes when the caller has given up, just before its withdrawal arrives.
    """

    answer: bool | Decision
    after: float | None
    late: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.answer, Decision) and self.answer.status not in EVENTS:
            raise ValueError(f"nobody can answer a request with {self.answer.status.value!r}")


class Rule:
    """What the approver of a test does about some requests. Made by `FakeTransport.allow` and its like.

    Each method narrows it, or adds to what happens, and returns the rule itself.
    """

    __slots__ = (
        "_action_type", "_parameters", "_resource", "_tool", "_verb", "answer", "faults", "later", "least", "most",
        "place", "used",
    )  # fmt: skip

    def __init__(self, verb: str, action_type: Wanted | None, answer: Answer | Approver, *later: Later) -> None:
        self._verb = verb
        self._action_type: Matcher | None = None if action_type is None else wanted(action_type)
        self._tool: Matcher | None = None
        self._resource: Matcher | None = None
        self._parameters: dict[str, Matcher] = {}
        self.answer: Answer | Approver = answer
        """What is answered at once; None: nothing, or what `later` says."""
        self.later: list[Later] = list(later)
        self.faults: list[Fault] = []
        self.least: int = 1
        """How often it must be used."""
        self.most: int | None = None
        """How often it may be used; None: any number of times."""
        self.used: int = 0
        """How often it was used."""
        self.place: str = _written_at(sys._getframe(1))
        """Where it was written, as file and line."""

    # What it is about.

    def with_parameters(self, **parameters: Wanted) -> Rule:
        """Only requests with these parameters, and maybe more; see `AskedList.with_parameters`."""
        self._parameters |= {name: wanted(value) for name, value in parameters.items()}
        return self

    def with_tool(self, tool_name: Wanted) -> Rule:
        """Only requests with this tool."""
        self._tool = wanted(tool_name)
        return self

    def on_resource(self, resource: Wanted) -> Rule:
        """Only requests for this resource."""
        self._resource = wanted(resource)
        return self

    # How often.

    def times(self, count: int) -> Rule:
        """For so many requests, no fewer and no more; later ones go to the rules below it.

        Raises:
            ValueError: fewer than one.
        """
        if count < 1:
            raise ValueError(f"a rule for {count} requests says nothing; use assert_not_asked")
        self.least = self.most = count
        return self

    def once(self) -> Rule:
        """For one request; later ones go to the rules below it."""
        return self.times(1)

    def optional(self) -> Rule:
        """It is no failure if the rule is never used."""
        self.least = 0
        return self

    # What else is answered, later.

    def then_allow(self, after: float = 0.0) -> Rule:
        """Clear it, ``after`` so many seconds of virtual time since it was asked."""
        return self._then(True, after)

    def then_deny(self, reason: str = "", after: float = 0.0) -> Rule:
        """Refuse it, ``after`` so many seconds of virtual time since it was asked."""
        return self._then(denial(reason), after)

    def then_edit(self, after: float = 0.0, /, **parameters: Json) -> Rule:
        """Clear it with these parameters changed, ``after`` so many seconds of virtual time since it was asked."""
        return self._then(edit(parameters), after)

    def then_revoke(self, reason: str = "", after: float = 0.0) -> Rule:
        """Take the approval back before it is claimed."""
        return self._then(Decision("", Status.REVOKED, reason, "approver", "the test"), after)

    # What goes wrong.

    def unavailable(self, step: Step = "submit", *, times: int | None = 1, transient: bool = True) -> Rule:
        """Be out of reach at this step, the first ``times`` that it comes (None: always).

        Raises:
            ValueError: there is no such step.
        """
        return self._with(Fault("unavailable", _step(step), times, transient))

    def lose_reply(self, step: Step = "submit", *, times: int | None = 1) -> Rule:
        """Do what is asked at this step, but lose the reply, the first ``times`` that it comes (None: always).

        Raises:
            ValueError: there is no such step.
        """
        return self._with(Fault("lost", _step(step), times))

    def crash_after_claim(self) -> Rule:
        """End the caller, as a power cut would, when its approval is spent and its body has not begun."""
        return self._with(Fault("crash", "claim", None))

    # What the fake asks of it.

    @property
    def claims_apart(self) -> bool:
        """Must the claim be an exchange of its own, so that something can befall it?"""
        return any(fault.step == "claim" for fault in self.faults)

    @property
    def is_spent(self) -> bool:
        """Was it used as often as it may be?"""
        return self.most is not None and self.used >= self.most

    def fits(self, action: Action) -> bool:
        """Is it about this request?"""
        for _ in self.why_not(action):
            return False
        return True

    def why_not(self, action: Action) -> Iterator[str]:
        """Why it is not about this request: each thing that does not fit, the weightiest first."""
        if self._action_type is not None and (problem := self._action_type.why_not(action.action_type)):
            yield f"the action type {problem}"
        if self._tool is not None and (problem := self._tool.why_not(action.tool_name)):
            yield f"the tool {problem}"
        if self._resource is not None and (problem := self._resource.why_not(action.resource)):
            yield f"the resource {problem}"
        if self._parameters:
            yield from misfits(action.parameters, self._parameters)

    def is_of_type(self, action: Action) -> bool:
        """Is at least the action type the rule's?"""
        return self._action_type is None or not self._action_type.why_not(action.action_type)

    def __str__(self) -> str:
        about = "everything" if self._action_type is None else _plain(self._action_type)
        if self._tool is not None:
            about += f" with {_plain(self._tool)}"
        if self._resource is not None:
            about += f" on {_plain(self._resource)}"
        if self._parameters:
            about += f" where {', '.join(f'{name} is {value!r}' for name, value in self._parameters.items())}"
        return f"{self._verb} {about}"

    def __repr__(self) -> str:
        return f"<Rule: {self}; used {self.used} times>"

    def _then(self, answer: bool | Decision, after: float) -> Rule:
        self.later.append(Later(answer, after))
        return self

    def _with(self, fault: Fault) -> Rule:
        self.faults.append(fault)
        return self


def denial(reason: str) -> Decision:
    """No, said by the test."""
    return Decision("", Status.DENIED, reason, "approver", "the test")


def edit(parameters: dict[str, Json]) -> Decision:
    """Yes, said by the test, but with these values."""
    return Decision("", Status.APPROVED, "", "approver", "the test", edits=parameters)


def _step(step: Step) -> Step:
    if step not in STEPS:
        raise ValueError(f"{step!r} is no step of a call; the steps are {', '.join(STEPS)}")
    return step


def _plain(matcher: Matcher) -> str:
    """A plain text without its quotes."""
    text = repr(matcher)
    return text[1:-1] if text[:1] == "'" else text


def _written_at(frame: FrameType | None) -> str:
    """The first place above that is not of this package."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("clearance.testing"):
        frame = frame.f_back
    return "" if frame is None else f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"
