"""What every request of one guard or block has in common, checked where it is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from clearance import settings
from clearance.errors import ConfigurationError

if TYPE_CHECKING:
    from clearance.transports.base import AsyncTransport, Transport

AnyTransport: TypeAlias = "Transport | AsyncTransport"


class Ask:
    """What every request of one guard or block has in common."""

    __slots__ = ("action_type", "redact", "run_within", "timeout", "tool_name", "transport")

    def __init__(
        self,
        action_type: str,
        tool_name: str,
        redact: Collection[str],
        timeout: float | None,
        transport: AnyTransport | None,
        run_within: float = settings.RUN_WITHIN,
    ) -> None:
        self.action_type: str = _required(action_type, "action_type")
        self.tool_name: str = _required(tool_name, "tool_name")
        self.redact: frozenset[str] = names(redact, "redact")
        self.timeout: float | None = None if timeout is None else settings.check_timeout(timeout)
        self.transport: AnyTransport | None = transport
        self.run_within: float = run_within


def names(given: Collection[str], what: str) -> frozenset[str]:
    """A collection of names, which one text is not.

    Raises:
        ConfigurationError: it is one text.
    """
    if isinstance(given, str):
        raise ConfigurationError(
            f"{what}={given!r} is one text, not a list of names.", next_step=f"Write {what}=({given!r},)."
        )
    return frozenset(given)


def mapping(given: Any, what: str) -> Mapping[str, object] | None:
    """A mapping that a guard was given, or that its function returned.

    Raises:
        ConfigurationError: it is something else.
    """
    if given is None or (isinstance(given, Mapping) and all(type(name) is str for name in given)):
        return given
    raise ConfigurationError(
        f"{what}= is or returned a {type(given).__name__}, not a mapping of names to values.",
        next_step="Use a dict whose keys are texts.",
    )


def text(given: object, what: str) -> str:
    """A text that a guard was given, or that its function returned, as a plain `str`.

    Raises:
        ConfigurationError: it is something else.
    """
    if isinstance(given, str):
        return str.__str__(given)
    raise ConfigurationError(f"{what}= is or returned a {type(given).__name__}, not a text.", next_step="Use a str.")


def _required(given: str, what: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ConfigurationError(
            f"{what}={given!r} says nothing.", next_step=f'Write something like {what}="payment.refund".'
        )
    return text(given, what)
