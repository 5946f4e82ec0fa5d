"""The policy over the API: who may see and reload it, what is answered, and what a bad file does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import Api, Running, a_submit, running_center

from clearance import AuthorizationUnavailable
from clearance.center import policy
from clearance.center.policy import Policy, built_in
from clearance.center.records import Role
from clearance.client import Client
from clearance.settings import Settings

FIRST = "[risk]\nclear_up_to = 30\n"
SECOND = "[risk]\nclear_up_to = -1\n"
LIMITED = """
rules = [{ name = "all", match = { tool_name = "*" }, then = "allow" }]

[[limits]]
name = "hundred"
match = { tool_name = "*" }
sum = "parameters.amount"
at_most = 100
within = "1h"
then = "deny"
"""
URL = "/api/v1/policy"


def version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "policy.toml"
    found.write_text(FIRST)
    return found


@pytest.fixture
def running(tmp_path: Path, file: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db", policy=policy.load(file), policy_file=file) as running:
        running.center.rollout.begin()
        yield running


def test_what_is_in_force_is_told_with_its_text_and_when_and_by_whom(running: Running, approver: Api) -> None:
    told = approver.get(URL).json()

    since = told.pop("since")
    assert told == {
        "version": version(FIRST),
        "format": "toml",
        "text": FIRST,
        "by": "the start of a Center",
        "in_use": version(FIRST),
        "unclear": {},
    }
    assert approver.get(f"{URL}/versions").json() == [
        {"version": version(FIRST), "since": since, "by": "the start of a Center"}
    ]


def test_an_agent_is_told_which_limit_is_used_up_and_an_approver_how_often_one_could_not_be_told(
    file: Path, running: Running, agent: Api, approver: Api
) -> None:
    file.write_text(LIMITED)
    running.center.desk.policy = policy.load(file)

    told = [agent.submit(action_details={"amount": amount}) for amount in (60, 40, 1, "much")]

    assert [each["status"] for each in told] == ["approved", "approved", "denied", "pending_approval"]
    details = agent.get(f"/api/v1/actions/{told[2]['id']}").json()
    said = "Limit 'hundred': 100 of 100 of parameters.amount in 1h are used, and this call takes 1."
    assert said in str(details)
    assert approver.get(URL).json()["unclear"] == {"hundred": 1}


def test_a_reload_is_in_force_when_it_is_answered_and_both_are_told(
    file: Path, agent: Api, approver: Api, chief: Api
) -> None:
    assert agent.submit(action_type="order.lookup")["status"] == "approved"
    file.write_text(SECOND)

    answer = chief.post(f"{URL}/reload").json()

    assert agent.submit(action_type="order.lookup", action_details={})["status"] == "pending_approval"
    since = answer.pop("since")
    assert answer == {"version": version(SECOND), "by": "dave", "changed": True, "before": version(FIRST)}
    assert [each["version"] for each in approver.get(f"{URL}/versions").json()] == [version(SECOND), version(FIRST)]
    assert approver.get(URL).json()["since"] == since
    assert approver.get(URL, params={"version": version(FIRST)}).json()["text"] == FIRST
    again = chief.post(f"{URL}/reload").json()
    assert (again["changed"], again["before"], again["since"]) == (False, version(SECOND), since)


def test_a_file_that_cannot_be_used_is_a_422_with_all_that_is_wrong_and_the_old_rules_stay(
    file: Path, agent: Api, approver: Api, chief: Api
) -> None:
    file.write_text('[[rules]]\nname = "a"\nmacth = { action_type = "*" }\nthen = "deny"\n')
    with pytest.raises(policy.PolicyError) as wrong:
        policy.load(file)

    answer = chief.post(f"{URL}/reload")

    assert answer.status_code == 422
    assert answer.json() == {"detail": str(wrong.value)}
    assert approver.get(URL).json()["version"] == version(FIRST)
    assert agent.submit(action_type="order.lookup")["status"] == "approved"


def test_a_file_is_not_even_read_for_whoever_may_not_reload_it(
    file: Path, agent: Api, approver: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "load", lambda _file: pytest.fail("it was read"))

    for who in (agent, approver):
        answer = who.post(f"{URL}/reload")
        assert answer.status_code == 403
        assert "super_admin" in answer.json()["detail"]


def test_a_version_that_never_was_in_force_is_not_found(approver: Api) -> None:
    answer = approver.get(URL, params={"version": "nonsense"})

    assert answer.status_code == 404
    assert "No policy nonsense was ever in force" in answer.json()["detail"]


def test_a_center_with_the_built_in_policy_has_nothing_to_reload(tmp_path: Path) -> None:
    with (
        running_center(tmp_path / "other.db") as running,
        Api(running.url, running.center.create_key(Role.SUPER_ADMIN)) as chief,
    ):
        answer = chief.post(f"{URL}/reload")
        told = chief.get(URL).json()

    assert answer.status_code == 409
    assert "--policy FILE" in answer.json()["detail"]
    assert (told["version"], told["since"], told["in_use"]) == (built_in().version, None, built_in().version)
    assert told["text"] == built_in().source


def test_a_key_that_is_revoked_while_the_file_is_read_reloads_nothing(
    running: Running, file: Path, approver: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = running.center.create_key(Role.SUPER_ADMIN, "dave")
    load = policy.load
    file.write_text(SECOND)

    def slow(path: Path) -> Policy:
        running.center.revoke_key(key.split("_")[-2])
        return load(path)

    monkeypatch.setattr(policy, "load", slow)
    with Api(running.url, key) as chief:
        assert chief.post(f"{URL}/reload").status_code == 401
    assert approver.get(URL).json()["version"] == version(FIRST)


def test_the_client_tells_the_whole_of_a_refusal_and_what_came_of_a_reload(running: Running, file: Path) -> None:
    name = "x" * 400
    settings = Settings(running.center.create_key(Role.SUPER_ADMIN, "dave"), running.url)
    with Client(settings) as client:
        file.write_text(f'[[rules]]\nname = "a"\n{name} = 1\n')
        with pytest.raises(AuthorizationUnavailable) as refused:
            client.reload_policy()
        file.write_text(SECOND)
        assert client.reload_policy()["changed"] is True
        assert client.policy()["text"] == SECOND
        assert client.policy(version(FIRST))["text"] == FIRST
        assert len(client.policy_versions()) == 2

    assert name in refused.value.happened
    assert refused.value.reason_code == "policy_refused"
    with Client(Settings(running.user_key, running.url)) as client:
        with pytest.raises(AuthorizationUnavailable, match="super_admin"):
            client.reload_policy()
        with pytest.raises(AuthorizationUnavailable, match="auditor"):
            client.policy_versions()


def test_a_waiting_client_is_told_that_an_approval_under_the_old_policy_is_none(
    running: Running, file: Path, agent: Api, approver: Api, chief: Api
) -> None:
    asked = agent.post(
        "/api/v1/actions/submit",
        a_submit(extra_data={"clearance": {"v": 1, "digest": "d", "claim": True}}),
    ).json()["id"]
    approver.post(f"/api/v1/actions/{asked}/approve")
    file.write_text(SECOND)
    chief.post(f"{URL}/reload")

    stands = agent.get(f"/api/v1/actions/{asked}/status", headers={"Prefer": "wait=60"}).json()

    assert (stands["status"], stands["lifecycle"], stands["reason_code"]) == ("denied", "stale", "stale")


def test_the_policy_in_use_tells_how_often_which_rule_could_not_be_evaluated(running: Running, chief: Api) -> None:
    agent = Api(running.url, running.user_key)
    text = "rules: [{name: totals, match: {action_type: payment.*, parameters.total: {gt: 5}}, then: deny}]"
    running.center.desk.policy = policy.parse(text)

    with agent:
        for _ in range(2):
            agent.submit()

    assert chief.get("/api/v1/policy").json()["unclear"] == {"totals": 2}
