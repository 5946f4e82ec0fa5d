"""The verbs of a scripted approver."""

from __future__ import annotations

from clearance.models import Decision, Json, Status
from clearance.testing.matchers import Wanted
from clearance.testing.rules import Answer, Approver, Later, Rule, Step, denial, edit
from clearance.testing.script import Script


class Scripted:
    """An approver that goes by rules. The first rule that fits a request answers it.

    Each verb takes the action type (a text, a function or a matcher; none: every request) and returns the `Rule`, which
    can be narrowed: ``fake.allow("payment.refund").with_parameters(amount=under(100)).once()``.
    """

    _script: Script

    def allow(self, action_type: Wanted | None = None, /) -> Rule:
        """Clear at once."""
        return self._script.add(Rule("allow", action_type, True))

    def deny(self, action_type: Wanted | None = None, /, *, reason: str = "") -> Rule:
        """Refuse at once, for this reason."""
        return self._script.add(Rule("deny", action_type, denial(reason)))

    def ask(self, action_type: Wanted | None = None, /) -> Rule:
        """Leave it waiting: until an answer comes (`Rule.then_allow` and its like), or the caller gives up."""
        return self._script.add(Rule("ask", action_type, None))

    def edit(self, action_type: Wanted | None = None, /, **parameters: Json) -> Rule:
        """Clear at once, but with these parameters changed; the guard must have them in ``editable=``."""
        return self._script.add(Rule("edit", action_type, edit(parameters)))

    def answer(self, answer: Answer | Approver, action_type: Wanted | None = None, /) -> Rule:
        """Answer with this value, or with what this function returns, given the `Asked`."""
        return self._script.add(Rule("answer", action_type, answer))

    def expire(self, action_type: Wanted | None = None, /) -> Rule:
        """Leave it waiting until its time is over: the Center says that it has expired."""
        expired = Decision("", Status.EXPIRED, "nobody decided in time", "expired")
        return self._script.add(Rule("expire", action_type, None, Later(expired, None)))

    def answer_late(self, answer: bool | Decision, action_type: Wanted | None = None, /) -> Rule:
        """Answer when the caller has given up, just before its withdrawal arrives."""
        return self._script.add(Rule("answer late", action_type, None, Later(answer, None, late=True)))

    def answer_twice(
        self, first: bool | Decision, second: bool | Decision, action_type: Wanted | None = None, /
    ) -> Rule:
        """Answer, and then answer again before the first answer has reached the caller: the first one counts."""
        return self._script.add(Rule("answer twice", action_type, None, Later(first, 0.0), Later(second, 0.0)))

    def unavailable(self, action_type: Wanted | None = None, /, *, transient: bool = False) -> Rule:
        """Be out of reach, always; ``transient`` says that to try again may help, so that the guard tries again."""
        rule = self._script.add(Rule("be unavailable for", action_type, None))
        return rule.unavailable(times=None, transient=transient)

    def lose_reply(self, action_type: Wanted | None = None, /, *, step: Step = "submit") -> Rule:
        """Clear, but lose the first reply to this step of the call; the guard must find its way all the same.

        Raises:
            ValueError: there is no such step.
        """
        return self._script.add(Rule("lose a reply to", action_type, True)).lose_reply(step)

    def crash_after_claim(self, action_type: Wanted | None = None, /) -> Rule:
        """Clear, and end the caller (`SimulatedCrash`) when the approval is spent and the body has not begun."""
        return self._script.add(Rule("crash after the claim of", action_type, True)).crash_after_claim()
