"""Programs for the desk: who is there, what can be asked, and every step that somebody or time may take.

A program is a list of steps. It is made from a seed, or drawn by hypothesis, from one table of choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

PEOPLE: dict[str, tuple[str, str | None]] = {
    "bot": ("user", "alice"),
    "other": ("user", None),
    "alice": ("admin", "alice"),
    "carol": ("admin", None),
    "frank": ("admin", "frank"),
    "laptop": ("admin", "frank"),
    "dave": ("super_admin", None),
    "eve": ("auditor", None),
}
"""Everybody's role and owner. Two keys are Frank's, and Alice's bot asks for most."""
AT_MOST_PENDING = 4
"""Requests of one key that may wait at once."""


@dataclass(frozen=True)
class Kind:
    """A kind of request: what the policy says of it, and who must agree, as (quorum, names) for each stage."""

    action_type: str
    effect: str = "ask"
    level: str = "medium"
    stages: tuple[tuple[int, tuple[str, ...]], ...] = ()
    escalate_to: tuple[str, ...] = ()
    tool: str = "stripe"
    decide_within: int = 60
    editable: bool = False


RUN_WITHIN = 300
KINDS = {
    "plain": Kind("payment.refund"),
    "risky": Kind("table.delete", level="high", tool="sql"),
    "cleared": Kind("order.lookup", effect="allow", level="low"),
    "banned": Kind("customer.drop", effect="deny", level="high"),
    "editable": Kind("email.send", editable=True),
    "slow": Kind("record.update", decide_within=900, tool="sql"),
    "pair": Kind("money.transfer", stages=((2, ()),)),
    "named": Kind("user.grant", stages=((1, ("carol",)),), escalate_to=("frank",)),
    "staged": Kind("host.deploy", stages=((1, ("carol",)), (2, ("dave", "frank"))), escalate_to=("alice", "carol")),
}


@dataclass(frozen=True)
class Step:
    """One step: what is done, and how. ``which`` counts actions from the newest, round and round."""

    deed: str
    said: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"{self.deed}({', '.join(f'{name}={value!r}' for name, value in self.said.items())})"


MOSTLY_NEW = (0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 6, 9)
NONCES = ("nonce-one", "nonce-one", "nonce-two")
EDITED = "e" * 43
CHOICES: dict[str, tuple[int, dict[str, tuple[Any, ...]]]] = {
    "submit": (
        20,
        {
            "who": ("bot", "bot", "bot", "bot", "bot", "other", "carol", "eve"),
            "kind": (*KINDS, "plain", "plain", "cleared", "slow", "pair"),
            "call": (0, 1, 2, 3, 4, 5),
            "claims": (True, True, False),
            "key": (None, None, None, "key-one", "key-two"),
            "nonce": (None, *NONCES),
            "too_long": (False,) * 24 + (True,),
        },
    ),
    "decide": (
        28,
        {
            "who": ("carol", "carol", "frank", "dave", "dave", "laptop", "alice", "bot", "eve", "other"),
            "which": MOSTLY_NEW,
            "approve": (True, True, True, False),
            "edits": (False, False, False, False, True),
        },
    ),
    "claim": (
        18,
        {
            "who": ("bot",) * 12 + ("other", "carol", "alice", "eve"),
            "which": MOSTLY_NEW,
            "digest": (True,) * 8 + (False,),
            "nonce": NONCES,
            "edited": (None, None, None, EDITED, "f" * 43),
        },
    ),
    "report": (
        14,
        {
            "who": ("bot",) * 12 + ("other", "carol", "eve"),
            "which": MOSTLY_NEW,
            "nonce": NONCES,
            "outcome": ("completed", "failed", "unknown", "unknown"),
        },
    ),
    "withdraw": (4, {"who": ("bot",) * 6 + ("other", "carol"), "which": MOSTLY_NEW}),
    "revoke": (4, {"who": ("carol", "dave", "alice", "bot", "eve"), "which": MOSTLY_NEW}),
    "resolve": (
        8,
        {
            "who": ("carol",) * 4 + ("dave",) * 4 + ("alice", "bot", "eve"),
            "which": MOSTLY_NEW,
            "outcome": ("completed", "failed"),
            "reason": ("looked",) * 6 + (" ",),
        },
    ),
    "read": (6, {"who": ("bot", "bot", "bot", "other", "carol", "eve"), "which": MOSTLY_NEW}),
    "wait": (3, {"who": ("bot", "bot", "other", "eve"), "whiches": ((0,), (0, 1), (0, 2, 4), (1, 2, 3, 5, 7))}),
    "list": (1, {"who": ("bot", "other", "dave")}),
    "approve_all": (
        1,
        {"who": ("carol", "frank", "alice", "bot"), "levels": (("low", "medium"), ("medium",), ("high",), ())},
    ),
    "kill": (
        3,
        {
            "who": ("dave",) * 7 + ("carol", "bot"),
            "on": (True, False, False),
            "agent": ("", "", "the-bot", "OTHER"),
            "tool": ("", "", "sql"),
        },
    ),
    "advance": (12, {"seconds": (0.001, 1, 5, 29.9, 30, 31, 59, 61, 301, 900, 3601)}),
    "sweep": (2, {}),
    "change_policy": (2, {}),
}
"""What can be done: how often, and what may be said with it."""
DEEDS = [deed for deed, (weight, _) in CHOICES.items() for _ in range(weight)]


def program(seed: object, length: int) -> list[Step]:
    """The program of this seed."""
    dice = Random(f"program {seed}")
    deeds = [dice.choice(DEEDS) for _ in range(length)]
    return [
        Step(deed, {name: choices[int(dice.random() * len(choices))] for name, choices in CHOICES[deed][1].items()})
        for deed in deeds
    ]


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Any step."""
    deed = draw(st.sampled_from(DEEDS))
    return Step(deed, {name: draw(st.sampled_from(choices)) for name, choices in CHOICES[deed][1].items()})
