"""What the desk refuses to do, and what the store cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clearance.center.records import Record


class DeskError(Exception):
    """The desk will not do that. ``record`` is how the action stands, where that may be told.

    ``is_audited``: the unit of work that raises it has an entry about it, and is kept.
    """

    is_audited = False

    def __init__(self, detail: str, record: Record | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.record = record


class NotAuthenticated(DeskError):
    """No credential, or none that is known here."""


class Forbidden(DeskError):
    """A known principal without the right to do this."""


class NotFound(DeskError):
    """No such action, or none that this principal may know of."""


class Conflict(DeskError):
    """The action does not stand so that this could happen to it."""


class Invalid(DeskError):
    """What was sent cannot be meant."""


class TooMany(DeskError):
    """Too much was asked at once. ``retry_after`` is in seconds."""

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class StoreUnavailable(Exception):
    """The store cannot keep anything now, so nothing was done.

    ``full`` tells a full disk from the rest. ``unknown``: the connection was lost while the database was asked to
    keep it, so it may have been kept after all.
    """

    def __init__(self, detail: str, *, full: bool = False, unknown: bool = False) -> None:
        super().__init__(detail)
        self.full = full
        self.unknown = unknown


class DatabaseRefused(Exception):
    """The database is not one that this Center may serve from; the message says why and what to do."""
