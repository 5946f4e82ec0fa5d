"""The server's half of what administrators send: keys, the kill switch and break-glass.

Unlike elsewhere a field that is not known refuses the whole body: one that is skipped could be the one that narrows
a key, or what a kill switch stops.
"""

from __future__ import annotations

from typing import Annotated, NotRequired

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
class BreakGlassBody(TypedDict):
    """Open a break-glass; without ``minutes``, for 15, and without a ``key``, for any that asks under that name."""

    agent: ShortText
    tool: ShortText
    reason: Annotated[str, Field(max_length=2_000)]
    minutes: NotRequired[Annotated[int, Field(ge=1, le=60)] | None]
    key: NotRequired[ShortText | None]
