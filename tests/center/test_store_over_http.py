"""What a client is told when the store cannot keep what it asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.servers import Api, a_submit, running_center

from clearance.center.faults import StoreUnavailable


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (StoreUnavailable("locked"), 503, "The store is not available; nothing was changed"),
        (StoreUnavailable("full", full=True), 507, "The store is not available; nothing was changed"),
        (
            StoreUnavailable("lost", unknown=True),
            503,
            "The store is not available; whether it was kept is not known; ask again",
        ),
    ],
    ids=["unavailable", "full", "unknown"],
)
def test_a_store_that_fails_is_told_as_it_is_and_served_from_again_afterwards(
    tmp_path: Path, error: StoreUnavailable, status: int, says: str
) -> None:
    def fail(_work: object) -> None:
        raise error

    with running_center(tmp_path / "center.db") as running, Api(running.url, running.user_key) as agent:
        with pytest.MonkeyPatch.context() as failing:
            failing.setattr(running.center.store, "submit", fail)
            answer = agent.post("/api/v1/actions/submit", a_submit())
        assert (answer.status_code, answer.json()["detail"]) == (status, says)
        assert agent.submit()["id"] == 1
