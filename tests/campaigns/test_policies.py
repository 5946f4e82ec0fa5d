"""A hundred thousand decisions of random policies over random actions, each by the engine and by its reference.

And as many by rules that Cedar can say as well, by ours and by Cedar.

One that differs names its seed: ``tests.center.policy.pairs.compare(SEED, Tally(), 25)`` makes it again, or
``tests.center.policy.cedar_pairs.compare(SEED, Tally(), 200)``.
"""

from __future__ import annotations

import os

from tests.center.policy import cedar_pairs
from tests.center.policy.pairs import Tally, compare

PAIRS = 1_000_000 if os.environ.get("CLEARANCE_DEEP") == "1" else 100_000
ACTIONS = 25
"""For each policy."""
ACTIONS_OF_CEDAR = 200
"""The same; to read a policy takes Cedar longer than to judge by it."""


def test_policies_mean_what_their_reference_says() -> None:
    tally, seed = Tally(), 0

    while tally.pairs < PAIRS:
        compare(seed, tally, ACTIONS)
        seed += 1

    # The world is small enough for rules to meet, and wide enough for all that can come of it.
    assert tally.refused < tally.policies / 4
    assert tally.by_rule > PAIRS / 2
    assert PAIRS / 5 < tally.unclear < PAIRS * 4 / 5


def test_policies_that_cedar_can_say_mean_the_same_to_both_engines() -> None:
    tally, seed = cedar_pairs.Tally(), 0

    while tally.pairs < PAIRS:
        cedar_pairs.compare(seed, tally, ACTIONS_OF_CEDAR)
        seed += 1

    # Most actions show all that the rules look at, and then a rule decides most often.
    assert tally.equal > PAIRS / 2
    assert tally.by_rule > PAIRS / 4
    assert tally.in_doubt > PAIRS / 10
