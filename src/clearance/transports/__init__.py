"""Transports: what carries commands to an Authorization Center.

`HttpTransport` and `AsyncHttpTransport` speak the REST contract; ``clearance.transports.embedded`` talks to a
Center in this process. They are loaded when first named, so that importing `clearance` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearance.transports.base import AsyncTransport, Transport

if TYPE_CHECKING:
    from clearance.transports.aio import AsyncHttpTransport
    from clearance.transports.http import HttpTransport

__all__ = ["AsyncHttpTransport", "AsyncTransport", "HttpTransport", "Transport"]


def __getattr__(name: str) -> object:
    if name == "HttpTransport":
        from clearance.transports.http import HttpTransport

        return HttpTransport
    if name == "AsyncHttpTransport":
        from clearance.transports.aio import AsyncHttpTransport

        return AsyncHttpTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
