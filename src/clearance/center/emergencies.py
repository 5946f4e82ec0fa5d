"""What is kept of a break-glass."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.center.records import Principal, Record, Role


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """In an emergency, clears what the policy would ask people about: of one agent with one tool, for some minutes.

    ``key`` is the id of the only key that it is for; "" stands for any that asks under the agent's name. Once it is
    over, ``closed_at`` is when it was closed, or when its time was up.
    """

    agent: str
    tool: str
    key: str
    reason: str
    opened_at: int
    opened_by: str
    opened_by_name: str
    opened_by_owner: str | None
    ends_at: int
    id: int = 0
    closed_at: int | None = None
    closed_by: str | None = None
    closed_by_name: str | None = None

    @property
    def author(self) -> Principal:
        """Who opened it."""
        return Principal(self.opened_by, self.opened_by_name, Role.SUPER_ADMIN, self.opened_by_owner)

    def is_open(self, now: int) -> bool:
        """Is it open at this time?"""
        return self.closed_at is None and now < self.ends_at

    def covers(self, record: Record) -> bool:
        """Is this action one that it is for? Names must be the same, to the letter: it lets more through, not less."""
        action = record.action
        is_named = (action.agent_id, action.tool_name) == (self.agent, self.tool)
        return is_named and self.key in ("", record.requester)

    def took_back(self, record: Record) -> bool:
        """Was it closed while this approval of its own still stood?"""
        return self.closed_at is not None and record.run_by is not None and self.closed_at < record.run_by


@dataclass(frozen=True, slots=True)
class Count:
    """What was done under a break-glass: how many actions it cleared, and how many of these ran or may have run."""

    cleared: int
    ran: int
