"""A hundred thousand decisions of random policies over random actions, each by the engine and by its reference.

One that differs names its seed: ``tests.center.policy.pairs.compare(SEED, Tally(), 25)`` makes it again.
"""

from __future__ import annotations

import os

from tests.center.policy.pairs import Tally, compare

PAIRS = 1_000_000 if os.environ.get("CLEARANCE_DEEP") == "1" else 100_000
ACTIONS = 25
"""For each policy."""


def test_policies_mean_what_their_reference_says() -> None:
    tally, seed = Tally(), 0

    while tally.pairs < PAIRS:
        compare(seed, tally, ACTIONS)
        seed += 1

    # The world is small enough for rules to meet, and wide enough for all that can come of it.
    assert tally.refused < tally.policies / 4
    assert tally.by_rule > PAIRS / 2
    assert PAIRS / 5 < tally.unclear < PAIRS * 4 / 5
