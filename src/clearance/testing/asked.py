"""What a test reads afterwards: what was asked, how it was answered, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clearance import lifecycle
from clearance.models import Action, Decision, Json, Outcome, Status
from clearance.quick import quick
from clearance.testing.matchers import Matcher, Wanted, wanted


@quick
@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What an approver would see of one request, and what has become of it.

    ``parameters`` is the redacted view. ``outcome`` is set once the body was reported on. ``history`` has, in words,
    what happened to the request besides, such as an answer that came too late. ``waited`` is the seconds, in virtual
    time, that the caller waited for the decision.
    """

    action: Action
    decision: Decision
    outcome: Outcome | None = None
    history: tuple[str, ...] = ()
    waited: float = 0.0

    @property
    def action_type(self) -> str:
        """What kind of thing is asked for."""
        return self.action.action_type

    @property
    def tool_name(self) -> str:
        """What it would be done with."""
        return self.action.tool_name

    @property
    def description(self) -> str:
        """The sentence an approver reads."""
        return self.action.description

    @property
    def parameters(self) -> Mapping[str, Json]:
        """The arguments, as an approver sees them."""
        return self.action.parameters

    @property
    def resource(self) -> str | None:
        """What it would be done to."""
        return self.action.resource

    @property
    def status(self) -> Status:
        """How the action stands now."""
        return self.decision.status

    @property
    def ran(self) -> bool:
        """Was the approval spent, so that the body may have run?"""
        return self.status in lifecycle.CLAIMED

    def __repr__(self) -> str:
        return f"<Asked {self.decision.action_id}: {named(self.action)} -> {self.status}>"

    def told(self) -> str:
        """What was asked and answered, in lines for a report."""
        lines = [f"{self.decision.action_id}. {named(self.action)}", f"   asks: {self.description}"]
        if self.decision.reason or self.decision.decided_by:
            who = f" by {self.decision.decided_by}" if self.decision.decided_by else ""
            why = f": {self.decision.reason}" if self.decision.reason else ""
            lines.append(f"   answered{who}{why}")
        if self.decision.edits:
            lines.append(f"   cleared with {_pairs(self.decision.edits)}")
        lines += [f"   {happened}" for happened in self.history]
        ended = f", after {self.waited:g} s of virtual time" if self.waited else ""
        failed = f" ({self.outcome.error_type})" if self.outcome and self.outcome.error_type else ""
        return "\n".join([*lines, f"   {self.status}{failed}{ended}"])


class AskedList(list[Asked]):
    """Requests in the order of asking. Call it for those of one kind: ``fake.asked("payment.refund")``."""

    def __call__(
        self,
        action_type: str | None = None,
        *,
        tool_name: str | None = None,
        resource: str | None = None,
        status: Status | None = None,
    ) -> AskedList:
        """Those of this action type, tool, resource and status; what is not named may be anything."""
        kept: Iterable[Asked] = self
        if action_type is not None:
            kept = [asked for asked in kept if asked.action.action_type == action_type]
        if tool_name is not None:
            kept = [asked for asked in kept if asked.action.tool_name == tool_name]
        if resource is not None:
            kept = [asked for asked in kept if asked.action.resource == resource]
        if status is not None:
            kept = [asked for asked in kept if asked.decision.status is status]
        return AskedList(kept)

    def with_parameters(self, **parameters: Wanted) -> AskedList:
        """Those that were asked with these parameters, and maybe more.

        Give plain values, functions that return True, or `clearance.testing.matchers`. Values are compared as an
        approver sees them.
        """
        checks = {name: wanted(value) for name, value in parameters.items()}
        return AskedList(asked for asked in self if not any(misfits(asked.action.parameters, checks)))

    def told(self) -> str:
        """All of them, in lines for a report."""
        return "\n".join(asked.told() for asked in self) or "nothing was asked"


def misfits(parameters: Mapping[str, Json], checks: Mapping[str, Matcher]) -> Iterable[str]:
    """Why the parameters do not fit, for each that does not."""
    for name, matcher in checks.items():
        if name not in parameters:
            there = ", ".join(parameters) or "none"
            yield f"there is no parameter {name} (there is: {there})"
        elif problem := matcher.why_not(parameters[name]):
            yield f"{name} {problem}"


def named(action: Action) -> str:
    """The request in one line."""
    resource = f" on {action.resource}" if action.resource is not None else ""
    return f"{action.action_type} with {action.tool_name}{resource} ({_pairs(action.parameters)})"


def _pairs(values: Mapping[str, Json]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
