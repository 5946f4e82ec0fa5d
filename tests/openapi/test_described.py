"""The API's own description tells the truth: whatever it allows, and what it does not, is answered as it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.helpers import an_action
from tests.servers import PATIENCE, Running, running_center

from clearance.center import app, openapi
from clearance.center.records import Principal, Role, Submission
from clearance.center.store.base import Tx

DEEP = os.environ.get("CLEARANCE_DEEP") == "1"
OPERATIONS = sorted(openapi.OPERATIONS, key=lambda each: each[::-1])
SLOW_IS_FINE = (
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
)
CASES = (100_000 if DEEP else 5_000) // len(OPERATIONS) + 1
"""For each operation."""
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
KNOWN = 12
"""Actions that are there, so that not every id is nobody's."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_center(tmp_path_factory.mktemp("openapi") / "center.db", rate=0, max_pending=1_000_000) as running:
        center = running.center
        agent = center.do(lambda tx: center.principal(tx, running.user_key))
        judge = Principal("judge000", "the judge", Role.SUPER_ADMIN)

        def ask(tx: Tx) -> None:
            for number in range(KNOWN):
                action = an_action(digest=f"digest-{number}")
                record = center.desk.submit(tx, agent, Submission(action, None, None, claims=True))
                if number % 3:
                    center.desk.decide(tx, judge, record.id, approve=number % 3 == 1)

        center.do(ask)
        yield running


@pytest.fixture(scope="module")
def chief(running: Running) -> str:
    return running.center.create_key(Role.SUPER_ADMIN, "chief")


def test_the_description_is_served_and_tells_of_every_route_and_of_no_other(running: Running) -> None:
    served = {(method, route.path) for route in app.API_ROUTES for method in (route.methods or set()) - {"HEAD"}}
    found = requests.get(running.url + openapi.PATH, timeout=PATIENCE).json()

    assert found == openapi.document()
    assert found["openapi"] == "3.1.0"
    assert {(method.upper(), path) for path, each in found["paths"].items() for method in each} == served


@pytest.mark.parametrize(("method", "path"), [pytest.param(*each, id=" ".join(each)) for each in OPERATIONS])
def test_every_case_is_answered_as_the_description_says(running: Running, chief: str, method: str, path: str) -> None:
    described = schemathesis.openapi.from_dict(openapi.document())
    operation = described[path][method]
    cases: st.SearchStrategy[Any] = operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(
        GenerationMode.NEGATIVE
    )
    keys = st.sampled_from((chief, chief, chief, running.user_key, running.admin_key, None))

    @settings(max_examples=CASES, deadline=None, suppress_health_check=SLOW_IS_FINE)
    @given(case=cases, key=keys, known=st.integers(0, 2 * KNOWN))
    def answered(case: Any, key: str | None, known: int) -> None:
        if "id" in (case.path_parameters or {}) and 0 < known <= KNOWN:
            case.path_parameters["id"] = known
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = case.call(base_url=running.url, headers=headers, timeout=PATIENCE)
        case.validate_response(answer, checks=CHECKS)

    answered()
