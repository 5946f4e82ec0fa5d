"""Names that published catalogues have for a kind of deed, where it is true to give one.

The control (NIST SP 800-53, revision 5) is what holding such a call until somebody has cleared it helps to meet. The
tactic (MITRE ATT&CK) is what such a call would serve in the hands of an adversary. Neither says that this call is an
attack. There is no CVSS score: that one rates weaknesses of software, which a call is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from clearance.center.risk import verbs
from clearance.center.risk.model import BUILT_IN


@dataclass(frozen=True, slots=True)
class Labels:
    """The control and the tactic; None where there is nothing true to say."""

    nist_control: str | None = None
    mitre_tactic: str | None = None


_IMPACT, _EXECUTION, _PRIVILEGE_ESCALATION = "TA0040", "TA0002", "TA0004"
_ACCESS_ENFORCEMENT, _ACCOUNT_MANAGEMENT = "AC-3", "AC-2"
_SEPARATION_OF_DUTIES, _ACCESS_RESTRICTIONS_FOR_CHANGE = "AC-5", "CM-5"
LABELS = {
    verbs.DESTROYS: Labels(_ACCESS_ENFORCEMENT, _IMPACT),  # T1485 Data Destruction
    verbs.RUNS_CODE: Labels(_ACCESS_ENFORCEMENT, _EXECUTION),  # T1059 Command and Scripting Interpreter
    verbs.GIVES_ACCESS: Labels(_ACCOUNT_MANAGEMENT, _PRIVILEGE_ESCALATION),  # T1098 Account Manipulation
    verbs.CHANGES_SYSTEMS: Labels(_ACCESS_RESTRICTIONS_FOR_CHANGE),
    verbs.MOVES_MONEY: Labels(_SEPARATION_OF_DUTIES, _IMPACT),  # T1657 Financial Theft
    verbs.WRITES: Labels(_ACCESS_ENFORCEMENT),
    verbs.READS: Labels(_ACCESS_ENFORCEMENT),
}
_NOTHING = Labels()


def labels_of(action_type: str) -> Labels:
    """What can be said of an action type, by the kinds that are built in, however a policy weighs them."""
    kind = BUILT_IN.kind_of(action_type)
    return LABELS[kind] if kind is not None else _NOTHING
