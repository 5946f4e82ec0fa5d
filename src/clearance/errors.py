"""The family of refusals. Whichever is raised, the body did not run.

::

    AuthorizationError
    ├── ActionDenied               "no": somebody with the right to say so refused
    │   └── AlreadyClaimed         the approval was spent by another run
    ├── ActionUndecided            nobody answered in time
    ├── ActionChanged              what would run is no longer what was shown
    ├── AuthorizationUnavailable   could not ask, or got no answer that can be trusted
    └── ConfigurationError         called or set up wrongly (also a ValueError)
        ├── UnguardableCallable    cannot be guarded truthfully, or not in this place (also a TypeError)
        └── UnserializableArgument an argument has no form that could be shown and digested

Every message says what happened, what was not done, and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from clearance.models import Action, Decision

_NOT_RUN = "Nothing was run."


class AuthorizationError(Exception):
    """The base of the family: a call was not cleared, so it did not run.

    Attributes:
        happened: what went wrong, one sentence.
        next_step: what the reader can do about it, or "".
        reason_code: a stable word for programs (``approver``, ``policy``, ``expired``, ``unreachable`` ...).
        action: what was asked, where it came that far.
        decision: what the Center answered, where it did.
    """

    default_code: ClassVar[str] = "error"
    not_run = _NOT_RUN
    model_notice: ClassVar[str] = "This action was not executed. Do not assume that it happened."

    def __init__(
        self,
        happened: str,
        *,
        next_step: str = "",
        reason_code: str = "",
        action: Action | None = None,
        decision: Decision | None = None,
    ) -> None:
        super().__init__(happened)
        self.happened = happened
        self.next_step = next_step
        self.reason_code: str = reason_code or self.default_code
        self.action = action
        self.decision = decision

    def __str__(self) -> str:
        return " ".join(part for part in (self.happened, self.not_run, self.next_step) if part)

    def for_model(self) -> str:
        """A fixed sentence to hand to a language model, with the reason code; no free text from anybody."""
        return f"{self.model_notice} (reason: {self.reason_code})"


class ActionDenied(AuthorizationError):
    """Somebody, or some rule, with the right to say so refused this call."""

    default_code = "denied"
    model_notice = (
        "This action was refused and was not executed. Do not retry it unchanged, "
        "and do not try to reach the same end by other means."
    )

    def for_model(self) -> str:
        """The fixed sentence, the reason code, and what the policy says to a model then; no text of anybody else."""
        said = self.decision.message_for_model if self.decision else ""
        return f"{super().for_model()} {said}".rstrip()

    @property
    def reason(self) -> str:
        """Why, in the words of whoever refused; "" when they gave none."""
        return self.decision.reason if self.decision else ""

    @property
    def decided_by(self) -> str | None:
        """Who refused: a person's name, or ``policy:<rule>@<version>``."""
        return self.decision.decided_by if self.decision else None


class AlreadyClaimed(ActionDenied):
    """The approval of this very request was already spent; this run would have been a second one."""

    default_code = "already_claimed"


class ActionUndecided(AuthorizationError):
    """Nobody decided in time. A guard's request is closed then, and can never run from this call."""

    default_code = "undecided"
    model_notice = (
        "Nobody decided on this action in time, so it was not executed. This is not a fault to work around: "
        "do not reach the same end by other means."
    )


class ActionChanged(AuthorizationError):
    """The arguments are no longer those that were shown and cleared."""

    default_code = "changed"


class AuthorizationUnavailable(AuthorizationError):
    """Could not ask, or got no answer that can be trusted.

    Transports raise this. ``transient`` says that the same exchange may work later (a reset, a 503);
    ``retry_after`` is how many seconds the server asked to be left alone.
    """

    default_code = "unavailable"
    model_notice = (
        "This action could not be authorized, so it was not executed. "
        "Do not reach the same end by other means; tell the person you work for."
    )

    def __init__(
        self,
        happened: str,
        *,
        next_step: str = "",
        reason_code: str = "",
        action: Action | None = None,
        decision: Decision | None = None,
        transient: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(happened, next_step=next_step, reason_code=reason_code, action=action, decision=decision)
        self.transient = transient
        self.retry_after = retry_after


class ConfigurationError(AuthorizationError, ValueError):
    """Called or set up wrongly: a missing key, an unknown parameter in ``redact``, a bad address."""

    default_code = "configuration"


class UnguardableCallable(ConfigurationError, TypeError):
    """A callable that cannot be guarded truthfully: its arguments cannot be named, or something would run around it."""

    default_code = "unguardable"


class UnserializableArgument(ConfigurationError):
    """An argument has no canonical form, so no one could be shown exactly what would run.

    ``path`` names it, as in ``order.lines[3].price``.
    """

    default_code = "unserializable"

    def __init__(self, path: str, problem: str = "", *, next_step: str = "") -> None:
        super().__init__(f"{path or 'The value'} {problem}.", next_step=next_step)
        self.args: tuple[Any, ...] = (path, problem)
        self.path = path
