"""What every page of the inbox says while a break-glass is open."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.center import breakglass
from clearance.center.emergencies import BreakGlass
from clearance.center.inbox.cards import Moment, moment
from clearance.center.records import Principal
from clearance.center.store.base import Tx


@dataclass(frozen=True, slots=True)
class Banner:
    """One break-glass that is open, for one viewer."""

    glass: BreakGlass
    viewer: Principal
    now: int
    cleared: int

    @property
    def scope(self) -> str:
        """What it is for."""
        return breakglass.scope(self.glass)

    @property
    def until(self) -> Moment:
        """When it ends."""
        return moment(self.glass.ends_at, self.now)

    @property
    def uses(self) -> str:
        """How often it was used."""
        return f"{self.cleared} call{'s' * (self.cleared != 1)} cleared by it so far"

    @property
    def may_close(self) -> bool:
        """May the viewer close it?"""
        return self.viewer.may_decide


def banners(tx: Tx, viewer: Principal, now: int) -> list[Banner]:
    """Those that are open, newest first."""
    return [
        Banner(glass, viewer, now, tx.uses_of_break_glass(glass.id).cleared)
        for glass in tx.open_break_glasses()
        if glass.is_open(now)
    ]
