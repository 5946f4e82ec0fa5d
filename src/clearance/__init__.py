"""Clearance holds risky code until someone, or some policy, with the right to say so has cleared exactly that call."""

from clearance._version import __version__
from clearance.errors import (
    ActionChanged,
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    AuthorizationError,
    AuthorizationUnavailable,
    ConfigurationError,
    UnserializableArgument,
)
from clearance.guards import authorized, requires_authorization
from clearance.models import Action, Decision, Grant, Outcome, Status
from clearance.settings import configure

__all__ = [
    "Action",
    "ActionChanged",
    "ActionDenied",
    "ActionUndecided",
    "AlreadyClaimed",
    "AuthorizationError",
    "AuthorizationUnavailable",
    "ConfigurationError",
    "Decision",
    "Grant",
    "Outcome",
    "Status",
    "UnserializableArgument",
    "__version__",
    "authorized",
    "configure",
    "requires_authorization",
]
