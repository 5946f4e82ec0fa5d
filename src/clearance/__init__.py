"""Clearance holds risky code until someone, or some policy, with the right to say so has cleared exactly that call."""

from typing import TYPE_CHECKING

from clearance._version import __version__
from clearance.arguments import FileContents, Secret
from clearance.errors import (
    ActionChanged,
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    AuthorizationError,
    AuthorizationUnavailable,
    ConfigurationError,
    UnguardableCallable,
    UnserializableArgument,
)
from clearance.guards import acheck, authorized, check, current_grant, requires_authorization
from clearance.settings import agent, configure, override, reasoning

if TYPE_CHECKING:
    from clearance.client import AsyncClient, Client
    from clearance.models import Action, Decision, Grant, Outcome, Status

__all__ = [
    "Action",
    "ActionChanged",
    "ActionDenied",
    "ActionUndecided",
    "AlreadyClaimed",
    "AsyncClient",
    "AuthorizationError",
    "AuthorizationUnavailable",
    "Client",
    "ConfigurationError",
    "Decision",
    "FileContents",
    "Grant",
    "Outcome",
    "Secret",
    "Status",
    "UnguardableCallable",
    "UnserializableArgument",
    "__version__",
    "acheck",
    "agent",
    "authorized",
    "check",
    "configure",
    "current_grant",
    "override",
    "reasoning",
    "requires_authorization",
]


def __getattr__(name: str) -> object:
    """Load a noun or a client when it is first named: decorating needs none of them."""
    if name in ("AsyncClient", "Client"):
        from clearance import client

        return getattr(client, name)
    if name in ("Action", "Decision", "Grant", "Outcome", "Status"):
        from clearance import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
