"""How risky an action looks, as a sum of named factors. A guess to sort by, never a reason to allow on its own."""

from clearance.center.risk.model import BUILT_IN, Assessment, Bands, RiskModel
from clearance.center.risk.verbs import KINDS, Kind

__all__ = ["BUILT_IN", "KINDS", "Assessment", "Bands", "Kind", "RiskModel"]
