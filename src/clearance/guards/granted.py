"""The grant that the code is running under."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from clearance.errors import ConfigurationError

if TYPE_CHECKING:
    from clearance.models import Grant

_current: ContextVar[Grant | None] = ContextVar("clearance_grant", default=None)


def current_grant() -> Grant:
    """The grant that the code is running under: for its ``idempotency_key``, ``note`` and ``edited``.

    Inside the body of a guarded function or coroutine function, and inside an ``authorized`` block. The innermost
    one counts.

    Raises:
        ConfigurationError: the code runs under no grant (a ``when`` that let the call through gives none).
    """
    grant = _current.get()
    if grant is None:
        raise ConfigurationError(
            "No grant is in force here.",
            next_step="Ask for it inside a guarded function or an authorized(...) block.",
            reason_code="no_grant",
        )
    return grant


def enter(grant: Grant) -> Grant | None:
    """Put a grant in force; returns the one that was, for `leave`."""
    outer = _current.get()
    _current.set(grant)
    return outer


def leave(outer: Grant | None) -> None:
    """Put back in force what was before."""
    _current.set(outer)
