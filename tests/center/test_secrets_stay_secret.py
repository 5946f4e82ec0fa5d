"""A secret is in no answer of a Center, and in no byte of its database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.leaks import CANARY
from tests.secret_ways import WAYS
from tests.servers import PATIENCE, Api, Running, in_thread, running_center

from clearance import AuthorizationError, requires_authorization
from clearance.models import Status


@pytest.mark.usefixtures("quiet")
def test_a_secret_is_in_no_answer_and_no_byte_of_the_database(tmp_path: Path) -> None:
    with running_center(tmp_path / "center.db") as running:
        for name, (function, args, kwargs) in WAYS.items():
            ask(running, f"secret.{name.replace(' ', '_')}", function, args, kwargs)
        with Api(running.url, running.admin_key) as api:
            told = [api.get(f"/api/v1/actions/{record.id}").text for record in running.records()]
            told.append(api.get("/api/v1/actions").text)
    assert len(told) == len(WAYS) + 1
    assert not [text for text in told if CANARY in text]
    with closing(sqlite3.connect(tmp_path / "center.db")) as database:
        assert database.execute("SELECT count(*) FROM actions").fetchone() == (len(WAYS),)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("center.db*"))
    assert CANARY.encode() not in kept


def ask(running: Running, action_type: str, function: Any, args: Any, kwargs: Any) -> None:
    """Have the call held by a person, and refused."""
    guarded = requires_authorization(
        action_type=action_type, risk_indicators={"risk_score": 60}, transport=running.transport()
    )(function)

    def call() -> None:
        with pytest.raises(AuthorizationError):
            guarded(*args, **kwargs)

    with in_thread(call) as results:
        held = [record for record in running.held() if record.action.action_type == action_type]
        with running.approver() as approver:
            approver.reject(held[0].id, "not today")
        assert results.get(timeout=PATIENCE) is None
    assert running.records()[-1].status is Status.DENIED
