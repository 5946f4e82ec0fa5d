"""How much one key may ask: a bucket that empties by use and fills by time, with a clock that only the test moves."""

from __future__ import annotations

import pytest

from clearance.center import rates
from clearance.center.rates import BURST_SECONDS, Rates, Standing


class Monotonic:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


def took(limit: Rates, who: str) -> bool:
    """Was a request of this key taken?"""
    standing = limit.take(who)
    assert standing is not None
    return standing.wait == 0


def test_a_burst_is_taken_and_one_more_is_not(clock: Monotonic) -> None:
    limit = Rates(2.0, clock)
    burst = round(2.0 * BURST_SECONDS)

    assert all(took(limit, "agent") for _ in range(burst))
    assert not took(limit, "agent")


def test_time_fills_the_bucket_at_the_rate_and_never_over_its_brim(clock: Monotonic) -> None:
    limit = Rates(2.0, clock)
    burst = round(2.0 * BURST_SECONDS)
    for _ in range(burst):
        took(limit, "agent")

    clock.now += 0.5
    assert took(limit, "agent")
    assert not took(limit, "agent")
    clock.now += 1_000_000
    assert sum(took(limit, "agent") for _ in range(burst + 10)) == burst


def test_one_key_does_not_use_up_anothers(clock: Monotonic) -> None:
    limit = Rates(1.0, clock)
    while took(limit, "loud"):
        pass

    assert took(limit, "quiet")


def test_being_refused_costs_nothing(clock: Monotonic) -> None:
    limit = Rates(1.0, clock)
    while took(limit, "agent"):
        pass
    for _ in range(1_000):
        limit.take("agent")

    clock.now += 1.0
    assert took(limit, "agent")


def test_a_key_is_told_how_it_stands(clock: Monotonic) -> None:
    limit = Rates(0.5, clock)
    standings = [limit.take("agent") for _ in range(6)]

    assert standings[0] == Standing(limit=5, remaining=4, reset=2.0)
    assert standings[5] == Standing(limit=5, remaining=0, reset=10.0, wait=2.0)
    first, last = standings[0], standings[5]
    assert first is not None
    assert last is not None
    assert first.headers() == {
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "4",
        "X-RateLimit-Reset": "2",
    }
    assert last.headers()["Retry-After"] == "2"


def test_no_rate_is_no_limit(clock: Monotonic) -> None:
    limit = Rates(0, clock)

    assert {limit.take("agent") for _ in range(10_000)} == {None}


def test_a_rate_below_one_in_the_window_still_lets_one_through(clock: Monotonic) -> None:
    limit = Rates(0.01, clock)

    assert took(limit, "agent")
    assert not took(limit, "agent")


def test_buckets_that_are_full_again_are_forgotten_and_others_are_not(
    clock: Monotonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "MOST_BUCKETS", 3)
    limit = Rates(1.0, clock)
    for name in ("one", "two", "three"):
        took(limit, name)
    clock.now += BURST_SECONDS
    while took(limit, "three"):
        pass
    took(limit, "four")

    assert set(limit._buckets) == {"three", "four"}
    assert not took(limit, "three")
