"""The contract for stores."""

from __future__ import annotations

from clearance.testing.contract.keeping import ActionCases, OtherCases, TrailCases
from clearance.testing.contract.store_machine import StoreMachineCases
from clearance.testing.contract.units import UnitCases

__all__ = ["StoreContract"]


class StoreContract(UnitCases, ActionCases, TrailCases, OtherCases, StoreMachineCases):
    """What every store of a Center promises; subclass it, override `open`, and run pytest.

    Units of work that fail, are refused, are cancelled, or race each other; what is durable and who is told; every
    way to look for actions, entries, keys, switches, policies and sessions; and a state machine of hypothesis that
    holds the store against plain lists.

    In a new store actions are numbered from 1, without gaps as long as no unit of work fails.
    """
