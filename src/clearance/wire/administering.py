"""The server's half of what administrators send: keys, the kill switch, standing approvals and break-glass.

Unlike elsewhere a field that is not known refuses the whole body: one that is skipped could be the one that narrows
a key, what a kill switch stops, or what is allowed again.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from clearance.wire.answering import ShortText

DAYS = Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)]
_STRICT = ConfigDict(extra="forbid")


@with_config(_STRICT)
class KeyBody(TypedDict, total=False):
    """Make a key. ``description`` is taken and not kept."""

    name: ShortText | None
    description: ShortText | None
    role: ShortText | None
    owner: ShortText | None
    expires_in_days: DAYS | None


@with_config(_STRICT)
class SwitchBody(TypedDict):
    """Turn a kill switch on or off; without an agent and a tool, the one for everything."""

    on: bool
    reason: Annotated[str, Field(max_length=2_000)]
    agent: Annotated[ShortText | None, Field(default=None)]
    tool: Annotated[ShortText | None, Field(default=None)]


@with_config(_STRICT)
class StandingBody(TypedDict):
    """Allow again what an action asks: exactly the same, or with ``match`` and ``free`` also what differs there."""

    action_id: Annotated[int, Field(gt=0, lt=10**18)]
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]
    uses: NotRequired[Annotated[int, Field(ge=1, le=1_000)]]
    expires_in_hours: NotRequired[Annotated[float, Field(gt=0, le=168, allow_inf_nan=False)]]
    match: NotRequired[dict[str, Any]]
    free: NotRequired[list[str]]


@with_config(_STRICT)
class BreakGlassBody(TypedDict):
    """Open a break-glass; without ``minutes``, for 15, and without a ``key``, for any that asks under that name."""

    agent: ShortText
    tool: ShortText
    reason: Annotated[str, Field(max_length=2_000)]
    minutes: NotRequired[Annotated[int, Field(ge=1, le=60)] | None]
    key: NotRequired[ShortText | None]
