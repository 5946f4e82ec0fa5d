"""What carries commands to a Center. Write one method, and `clearance` works over it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from clearance.commands import Command
from clearance.models import Decision


@runtime_checkable
class Transport(Protocol):
    """Carries one command and brings back how the action stands now.

    An instance may be used by many threads at once. It must never retry on its own (the conversation does,
    under the same key), never decide anything, and answer only with what the Center said.

    It may also have: ``clock`` (a `Clock`, for virtual time), ``binding_key`` (bytes that key the hashes of
    secret arguments; the same in every process that may continue another's request).
    """

    def send(self, command: Command) -> Decision:
        """Carry ``command``, within ``command.timeout`` seconds.

        Raises:
            AuthorizationUnavailable: no answer that can be trusted; ``transient=True`` if the same command may
                be tried again.
        """
        ...


@runtime_checkable
class AsyncTransport(Protocol):
    """The same for an event loop, which ``asend`` must never block. One object may be both."""

    async def asend(self, command: Command) -> Decision:
        """As `Transport.send`."""
        ...
