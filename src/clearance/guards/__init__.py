"""The front door: `requires_authorization` on a callable, `authorized` around a block, `check` for a bare answer."""

from clearance.guards.block import acheck, authorized, check
from clearance.guards.decorator import requires_authorization
from clearance.guards.granted import current_grant

__all__ = ["acheck", "authorized", "check", "current_grant", "requires_authorization"]
