"""What a test asserts of what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clearance.models import Action
from clearance.testing.asked import Asked, AskedList, misfits
from clearance.testing.matchers import Wanted, wanted
from clearance.testing.script import AuthorizationMismatch


class Assertions:
    """Assertions over ``asked``. Each failure shows what was asked instead."""

    @property
    def asked(self) -> AskedList:
        """Every request so far, as it stands now, in the order of asking."""
        raise NotImplementedError

    def assert_asked_once(self, action_type: str | None = None, /, **parameters: Wanted) -> Asked:
        """Exactly one request of this type had these parameters; returns it.

        Raises:
            AuthorizationMismatch: there was none, or there were several.
        """
        __tracebackhide__ = True
        asked = self.asked
        found = asked(action_type).with_parameters(**parameters)
        if len(found) == 1:
            return found[0]
        what = _what(action_type, parameters)
        raise AuthorizationMismatch(
            f"{what} was asked {_times(len(found))}, not once.{_nearest(asked(action_type), parameters)}{_all(asked)}"
        )

    def assert_not_asked(self, action_type: str | None = None, /, **parameters: Wanted) -> None:
        """No request of this type had these parameters.

        Raises:
            AuthorizationMismatch: there was one.
        """
        __tracebackhide__ = True
        found = self.asked(action_type).with_parameters(**parameters)
        if found:
            what = _what(action_type, parameters)
            raise AuthorizationMismatch(f"{what} was asked {_times(len(found))}, not never.{_all(found)}")

    def assert_nothing_ran(self) -> None:
        """No approval was spent, so that no body can have run.

        Raises:
            AuthorizationMismatch: one was.
        """
        __tracebackhide__ = True
        ran = AskedList(asked for asked in self.asked if asked.ran)
        if ran:
            raise AuthorizationMismatch(f"{_calls(len(ran))} ran, where none should have.{_all(ran)}")

    def assert_never_shown(self, secret: object) -> None:
        """This is in nothing that an approver was shown: no parameter, no description, no context, no note.

        The message of the failure says where it was shown, and does not repeat it.

        Raises:
            AuthorizationMismatch: it was shown.
            ValueError: an empty text, which is in everything.
        """
        __tracebackhide__ = True
        text = str(secret)
        if not text:
            raise ValueError("an empty text is in everything that is shown")
        places = [
            f"\n  {place} of {asked.action_type}, request {asked.decision.action_id}"
            for asked in self.asked
            for place, shown in _shown(asked)
            if text in shown
        ]
        if places:
            raise AuthorizationMismatch(f"What should never be shown was shown to the approver:{''.join(places)}")


def _shown(asked: Asked) -> Iterator[tuple[str, str]]:
    """Every text that an approver was shown, and where it stands."""
    action: Action = asked.action
    yield "the description", action.description
    yield "the resource", action.resource or ""
    yield "the reasoning", action.reasoning or ""
    yield "the agent's name", action.agent_id
    yield "the tool's name", action.tool_name
    yield from _within("parameters", action.parameters)
    if action.context:
        yield from _within("context", action.context)
    if action.risk_indicators:
        yield from _within("risk_indicators", action.risk_indicators)
    if asked.outcome is not None and asked.outcome.notes:
        yield "a note on the outcome", "\n".join(asked.outcome.notes)


def _within(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _within(f"{place}[{number}]", item)
    elif hasattr(value, "items"):
        for name, item in value.items():
            yield f"a name in {place}", name
            yield from _within(f"{place}.{name}", item)
    else:
        yield place, str(value)


def _what(action_type: str | None, parameters: dict[str, Wanted]) -> str:
    what = "anything" if action_type is None else repr(action_type)
    if not parameters:
        return what
    return f"{what} with {', '.join(f'{name}={wanted(value)!r}' for name, value in parameters.items())}"


def _nearest(asked: AskedList, parameters: dict[str, Wanted]) -> str:
    """Of those that have the type, what the nearest has against it."""
    checks = {name: wanted(value) for name, value in parameters.items()}
    against = sorted(((list(misfits(one.parameters, checks)), one) for one in asked), key=lambda pair: len(pair[0]))
    if not against or not against[0][0]:
        return ""
    problems, one = against[0]
    return f"\nThe nearest was request {one.decision.action_id}, but {'; '.join(problems)}."


def _all(asked: AskedList) -> str:
    if not asked:
        return "\nNothing was asked."
    more = len(asked) - MOST_TOLD
    lines = [f"\n  {one!r}" for one in asked[:MOST_TOLD]] + ([f"\n  and {more} more"] if more > 0 else [])
    return f"\nAsked:{''.join(lines)}"


MOST_TOLD = 20
"""Requests that a failure lists."""


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"
