"""Hundreds of thousands of steps of random programs: the desk answers and keeps what its reference says, everywhere.

Each system runs programs of its own. One that fails says how to see it again.
"""

from __future__ import annotations

import logging
import os

import pytest
from tests.center.campaign import ILLEGAL, LEGAL, Campaign
from tests.postgres import Cluster

DEEP = os.environ.get("CLEARANCE_DEEP") == "1"
STEPS = 9_700_000 if DEEP else 285_000
"""In memory."""
STEPS_ELSEWHERE = 100_000 if DEEP else 6_000
"""On each of SQLite, PostgreSQL and a Center over HTTP."""
SEED = "2026"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Every second outcome that differs is an alarm, and there are thousands."""
    caplog.set_level(logging.CRITICAL, "clearance.center")


def test_the_desk_in_memory_agrees_with_its_reference_through_every_transition_and_every_refusal() -> None:
    campaign = Campaign()

    campaign.run("memory", SEED, STEPS)

    assert campaign.steps >= STEPS
    assert campaign.moved == LEGAL
    assert campaign.stayed >= ILLEGAL


@pytest.mark.parametrize("where", ["sqlite", "http"])
def test_the_desk_on_a_file_and_a_center_over_http_agree_with_the_reference_too(where: str) -> None:
    campaign = Campaign()

    campaign.run(where, f"{SEED}.{where}", STEPS_ELSEWHERE)

    assert campaign.steps >= STEPS_ELSEWHERE
    assert campaign.moved == LEGAL


@pytest.mark.postgres
def test_the_desk_on_postgresql_agrees_with_the_reference_too(cluster: Cluster) -> None:
    campaign = Campaign()

    with cluster.database() as address:
        campaign.run(address, f"{SEED}.postgresql", STEPS_ELSEWHERE)

    assert campaign.steps >= STEPS_ELSEWHERE
    assert campaign.moved == LEGAL
