"""`Client` and `AsyncClient`, against a real Center and against servers whose answers the test makes up."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.leaks import CANARY
from tests.servers import PATIENCE, Running, in_thread, running_center
from tests.transports.peers import Exchange, Reply, says
from tests.transports.peers import running as peer
from tests.transports.test_http import without_httpx2

from clearance import (
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    AsyncClient,
    AuthorizationUnavailable,
    Client,
    ConfigurationError,
    Decision,
    Status,
    UnserializableArgument,
    flow,
)
from clearance.center.records import Role
from clearance.settings import Settings
from clearance.wire.inquiring import quoted

KEY = "owkai_user_hunter2"
FIELDS: dict[str, Any] = {
    "agent_id": "billing-bot",
    "action_type": "payment.refund",
    "tool_name": "stripe",
    "description": "Refund 5 on ch_1",
    "action_details": {"charge_id": "ch_1", "amount": 5},
}
HEAD = {"Clearance-Audit-Head": f"1:{'0' * 64}"}


class Do(Protocol):
    """Calls one method of a new client and closes it."""

    def __call__(self, settings: Settings, method: str, *args: Any, **options: Any) -> Any: ...


def do_sync(settings: Settings, method: str, *args: Any, **options: Any) -> Any:
    with Client(settings, debug=True) as client:
        return getattr(client, method)(*args, **options)


def do_async(settings: Settings, method: str, *args: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with AsyncClient(settings, debug=True) as client:
            return await getattr(client, method)(*args, **options)

    return asyncio.run(main())


def do_in_threads(settings: Settings, method: str, *args: Any, **options: Any) -> Any:
    with without_httpx2():
        return do_async(settings, method, *args, **options)


@pytest.fixture(params=[do_sync, do_async, do_in_threads], ids=["sync", "async", "async without httpx2"])
def do(request: pytest.FixtureRequest) -> Do:
    side: Do = request.param
    return side


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        yield found


@pytest.fixture
def agent(running: Running) -> Settings:
    return Settings(running.user_key, running.url)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between polls and retries take no time worth the name."""
    monkeypatch.setattr(flow, "FIRST_PAUSE", 0.001)


def refused(do: Do, url: str, method: str, *args: Any, **options: Any) -> AuthorizationUnavailable:
    with pytest.raises(AuthorizationUnavailable) as error:
        do(Settings(KEY, url, timeout=PATIENCE), method, *args, **options)
    assert KEY not in str(error.value)
    return error.value


# ---------------------------------------------------------------------------------------------------------------------
# The life of an action
# ---------------------------------------------------------------------------------------------------------------------


def test_what_is_submitted_waits_is_approved_claimed_once_and_reported(
    do: Do, running: Running, agent: Settings
) -> None:
    asked = do(agent, "submit_action", **FIELDS)
    assert (type(asked), asked.status) == (Decision, Status.PENDING)

    with running.approver() as approver:
        approver.approve(int(asked.action_id), "the photo shows it broken")
    decided = do(agent, "wait_for_decision", asked)
    assert (decided.status, decided.decided_by, decided.reason) == (
        Status.APPROVED,
        "carol",
        "the photo shows it broken",
    )

    claimed = do(agent, "claim", decided)
    assert claimed.status is Status.EXECUTING
    with pytest.raises(AlreadyClaimed):
        do(agent, "claim", decided)
    do(agent, "report_outcome", claimed, "failed", error_type="LookupError", seconds=1.5, notes=["no such charge"])

    (record,) = running.records()
    assert record.status is Status.FAILED
    assert record.outcome is not None
    assert (record.outcome.error_type, record.outcome.notes) == ("LookupError", ("no such charge",))


def test_an_outcome_of_an_action_that_nobody_claimed_is_claimed_on_the_way(
    do: Do, running: Running, agent: Settings
) -> None:
    asked = do(agent, "submit_action", **FIELDS)
    with running.approver() as approver:
        approver.approve(int(asked.action_id))

    do(agent, "report_outcome", int(asked.action_id), Status.COMPLETED)

    assert running.records()[0].status is Status.COMPLETED


def test_an_outcome_of_a_refused_action_is_not_taken(do: Do, running: Running, agent: Settings) -> None:
    asked = do(agent, "submit_action", **FIELDS)
    with running.approver() as approver:
        approver.reject(int(asked.action_id))

    with pytest.raises(ActionDenied, match="The outcome was not taken"):
        do(agent, "report_outcome", asked.action_id, "completed")
    assert running.records()[0].status is Status.DENIED


def test_whoever_waits_hears_of_the_decision_when_it_is_made(do: Do, running: Running, agent: Settings) -> None:
    asked = do(agent, "submit_action", **FIELDS)
    with in_thread(lambda: do(agent, "wait_for_decision", asked.action_id)) as results, running.approver() as approver:
        approver.reject(int(asked.action_id), "not today")
        decided = results.get(timeout=PATIENCE)

    assert isinstance(decided, Decision), decided
    assert (decided.status, decided.reason) == (Status.DENIED, "not today")


def test_a_wait_that_ends_undecided_says_so_and_leaves_the_request_open(
    do: Do, running: Running, agent: Settings
) -> None:
    asked = do(agent, "submit_action", **FIELDS)

    with pytest.raises(ActionUndecided) as told:
        do(agent, "wait_for_decision", asked, 0.01)

    assert "the request stays as it is" in str(told.value)
    assert "Nothing was run" not in str(told.value)
    assert running.records()[0].status is Status.PENDING


def test_a_request_is_withdrawn(do: Do, running: Running, agent: Settings) -> None:
    asked = do(agent, "submit_action", **FIELDS)

    assert do(agent, "withdraw", asked, "no longer needed").status is Status.WITHDRAWN
    assert do(agent, "get_action_status", asked).status is Status.WITHDRAWN
    assert running.records()[0].reason == "no longer needed"


def test_the_same_idempotency_key_is_the_same_action(do: Do, running: Running, agent: Settings) -> None:
    first = do(agent, "submit_action", **FIELDS, idempotency_key="order-7")
    again = do(agent, "submit_action", **FIELDS, idempotency_key="order-7")

    assert first.action_id == again.action_id
    assert len(running.records()) == 1
    with pytest.raises(AuthorizationUnavailable, match="already used"):
        do(agent, "submit_action", **{**FIELDS, "description": "another"}, idempotency_key="order-7")


def test_what_is_asked_arrives_as_it_was_said(do: Do, running: Running, agent: Settings) -> None:
    do(
        agent,
        "submit_action",
        **FIELDS,
        resource="ch_1",
        context={"ticket": 7},
        reasoning="The customer asked.",
        decide_within=60,
        run_within=30.5,
        nist_control="AC-3",
    )

    (record,) = running.records()
    action = record.action
    assert (action.resource, action.context, action.reasoning) == ("ch_1", {"ticket": 7}, "The customer asked.")
    assert (action.decide_within, action.run_within, record.nist_control) == (60, 30.5, "AC-3")


@pytest.mark.usefixtures("quiet")
def test_secrets_never_leave(do: Do, running: Running, agent: Settings) -> None:
    details = {"amount": 5, "password": CANARY, "nested": {"api_key": CANARY}}
    asked = do(agent, "submit_action", **{**FIELDS, "action_details": details})

    shown = do(agent, "get_action", asked).parameters
    assert shown == {"amount": 5, "password": "[redacted]", "nested": {"api_key": "[redacted]"}}
    assert CANARY.encode() not in b"".join(file.read_bytes() for file in running.database.parent.glob("center.db*"))


# ---------------------------------------------------------------------------------------------------------------------
# Looking
# ---------------------------------------------------------------------------------------------------------------------


def test_actions_are_listed_newest_first_and_by_how_they_stand(do: Do, running: Running, agent: Settings) -> None:
    ids = [do(agent, "submit_action", **{**FIELDS, "action_details": {"amount": n}}).action_id for n in range(3)]
    with running.approver() as approver:
        approver.reject(int(ids[1]))

    assert [item.action_id for item in do(agent, "list_actions")] == ids[::-1]
    assert [item.action_id for item in do(agent, "list_actions", status=Status.PENDING)] == [ids[2], ids[0]]
    assert [item.action_id for item in do(agent, "list_actions", status="denied")] == [ids[1]]
    assert [item.action_id for item in do(agent, "list_actions", limit=1, offset=1)] == [ids[1]]


def test_all_about_one_action_is_told_in_fields_and_as_it_came(do: Do, running: Running, agent: Settings) -> None:
    asked = do(agent, "submit_action", **FIELDS)

    for action in (asked, int(asked.action_id), asked.action_id, do(agent, "get_action", asked)):
        found = do(agent, "get_action", action)
        assert (found.action_id, found.status) == (asked.action_id, Status.PENDING)
    assert (found.agent_id, found.action_type, found.tool_name) == ("billing-bot", "payment.refund", "stripe")
    assert (found.requested_by, found.parameters) == ("billing-bot", {"charge_id": "ch_1", "amount": 5})
    assert found.created_at is not None
    assert found.digest == running.records()[0].action.digest
    assert found.raw["approvals_needed"] == 1


def test_the_kill_switch_is_told(do: Do, running: Running, agent: Settings) -> None:
    assert not do(agent, "kill_switch_status").blocked
    with Client(Settings(running.center.create_key(Role.SUPER_ADMIN, "root"), running.url)) as owner:
        owner.turn_kill_switch(True, "an incident", agent="a bot/1")

    found = do(agent, "kill_switch_status", "a bot/1")

    assert (found.blocked, found.reason, found.activated_by) == (True, "an incident", "root")
    assert not do(agent, "kill_switch_status").blocked


@given(text=st.text())
def test_a_name_in_an_address_is_read_back_as_it_was(text: str) -> None:
    assert unquote(quoted(text)) == text.encode(errors="replace").decode()
    assert quoted(text).isascii()


@pytest.mark.parametrize("action", ["", "x", "1/../2", "-1", True, 1.5, "٣"], ids=repr)
def test_what_is_no_id_is_refused_and_nothing_is_sent(do: Do, action: Any) -> None:
    with peer(says({})) as server, pytest.raises(ConfigurationError, match="no id of an action"):
        do(Settings(KEY, server.url), "get_action_status", action)
    assert server.seen == []


# ---------------------------------------------------------------------------------------------------------------------
# Fields that cannot be meant
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({**FIELDS, "tool": "x"}, ["knows no field 'tool'", "Did you mean 'tool_name'?"]),
        ({**FIELDS, "action_detials": {}}, ["Did you mean 'action_details'?"]),
        ({**FIELDS, "timeout": 5}, ["Did you mean 'decide_within'?"]),
        ({**FIELDS, "xyzzy": 5}, ["It knows agent_id, action_type"]),
        ({"agent_id": "a", "action_type": "b"}, ["Missing required fields: description, tool_name."]),
        ({**FIELDS, "description": " "}, ["Missing required fields: description."]),
        ({**FIELDS, "tool_name": None}, ["Missing required fields: tool_name."]),
        ({**FIELDS, "tool_name": 5}, ["tool_name: Input should be a valid string"]),
        ({**FIELDS, "action_details": [1]}, ["action_details"]),
        ({**FIELDS, "context": "prod"}, ["context"]),
        ({**FIELDS, "orchestration_depth": 6}, ["a number from 0 to 5"]),
        ({**FIELDS, "orchestration_depth": -1}, ["a number from 0 to 5"]),
        ({**FIELDS, "decide_within": 0}, ["decide_within is a number of seconds"]),
        ({**FIELDS, "run_within": float("nan")}, ["run_within is a number of seconds"]),
        ({**FIELDS, "run_within": "60"}, ["run_within"]),
        ({**FIELDS, "idempotency_key": "a\nb"}, ["printable ASCII"]),
        ({**FIELDS, "idempotency_key": "x" * 201}, ["1 to 200"]),
        ({**FIELDS, "idempotency_key": ""}, ["1 to 200"]),
        ({**FIELDS, "extra_data": {"clearance": {"claim": True}}}, ["what the client itself says"]),
        ({**FIELDS, "description": "half \ud800"}, ["half a character"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_submit_that_cannot_be_meant_says_why_and_is_not_sent(fields: dict[str, Any], words: list[str]) -> None:
    with peer(says({})) as server:
        for do in (do_sync, do_async):
            with pytest.raises(ConfigurationError) as told:
                do(Settings(KEY, server.url), "submit_action", **fields)
            assert [word for word in words if word not in str(told.value)] == []
            assert "Nothing was asked." in str(told.value)
    assert server.seen == []


def test_a_value_without_a_form_is_refused_with_its_path(do: Do) -> None:
    details = {"rows": [{"handle": object()}]}
    with peer(says({})) as server, pytest.raises(UnserializableArgument) as told:
        do(Settings(KEY, server.url), "submit_action", **{**FIELDS, "action_details": details})
    assert told.value.path == "rows[0].handle"
    assert server.seen == []


def test_a_request_larger_than_any_server_reads_is_not_sent(do: Do) -> None:
    details = {f"n{number}": "x" * 4_000 for number in range(300)}
    with peer(says({})) as server:
        error = refused(do, server.url, "submit_action", **{**FIELDS, "action_details": details})
    assert (error.reason_code, server.seen) == ("too_large", [])


@pytest.mark.parametrize("word", ["done", "approved", "", "COMPLETED"])
def test_an_outcome_that_is_none_is_refused(do: Do, word: str) -> None:
    with peer(says({})) as server, pytest.raises(ConfigurationError, match="completed, failed, unknown"):
        do(Settings(KEY, server.url), "report_outcome", 7, word)
    assert server.seen == []


# ---------------------------------------------------------------------------------------------------------------------
# The connection test
# ---------------------------------------------------------------------------------------------------------------------


def test_a_connection_says_to_what_and_as_what(do: Do, running: Running, agent: Settings) -> None:
    found = do(agent, "test_connection")

    assert found
    assert (found.reachable, found.authenticated, found.role) == (True, True, "user")
    assert (found.name, found.level, found.problem, found.url) == ("Clearance Center", 2, None, running.url)
    assert found.clock_ahead is not None


def test_a_wrong_key_is_not_connected(do: Do, running: Running) -> None:
    found = do(Settings("owkai_user_wrong", running.url), "test_connection")

    assert not found
    assert (found.reachable, found.authenticated, found.role) == (True, False, None)
    assert found.problem.reason_code == "bad_key"
    assert "owkai_user_wrong" not in repr(found) + str(found.problem)


def routed(**answers: tuple[Any, int]) -> Reply:
    """A server with these routes, by the last word of their paths."""

    def reply(exchange: Exchange) -> None:
        last = exchange.seen.path.partition("?")[0].rpartition("/")[2]
        exchange.say(*answers.get(last.replace("-", "_"), ({"detail": "not here"}, 404)))

    return reply


HEALTHY = ({"status": "healthy"}, 200)
PLAIN = ({"version": "2.0", "environment": "pilot"}, 200)


@pytest.mark.parametrize(
    ("listed", "connected"),
    [
        (([], 200), True),
        (({"actions": []}, 200), True),
        (({"detail": "no"}, 401), False),
        (({"detail": "no"}, 403), False),
        (({"detail": "gone"}, 404), False),
        (({"detail": "later"}, 503), False),
        ((b"<html>", 200), False),
        ((7, 200), False),
    ],
    ids=str,
)
def test_a_plain_server_that_tells_anybody_its_version_must_accept_the_key_elsewhere(
    do: Do, listed: tuple[Any, int], connected: bool
) -> None:
    with peer(routed(health=HEALTHY, deployment_info=PLAIN, actions=listed)) as server:
        found = do(Settings(KEY, server.url), "test_connection")

    assert (bool(found), found.level, found.version) == (connected, 1, "2.0")
    assert (found.problem is None) is connected


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({}, "not_found"),
        ({"health": ({}, 200)}, "bad_answer"),
        ({"health": ([], 200)}, "bad_answer"),
        ({"health": (b"<html>Sign in</html>", 200)}, "bad_answer"),
        ({"health": ({"status": "healthy"}, 302)}, "redirect"),
        ({"health": HEALTHY, "deployment_info": ({}, 200)}, "bad_answer"),
        ({"health": HEALTHY, "deployment_info": ({"version": 2}, 200)}, "bad_answer"),
        ({"health": HEALTHY}, "not_found"),
    ],
    ids=str,
)
def test_what_is_no_center_is_no_connection(do: Do, answers: dict[str, Any], code: str) -> None:
    with peer(routed(**answers)) as server:
        found = do(Settings(KEY, server.url), "test_connection")

    assert not found
    assert found.problem.reason_code == code
    assert found.reachable is (answers.get("health") == HEALTHY)


def test_a_server_that_is_not_there_is_no_connection(do: Do) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    found = do(Settings(KEY, url), "test_connection")

    assert (bool(found), found.reachable, found.problem.reason_code) == (False, False, "unreachable")


@pytest.mark.parametrize("call", [("test_connection",), ("get_action_status", 7), ("withdraw", 7)], ids=str)
def test_the_timeout_of_the_settings_is_kept(do: Do, call: tuple[Any, ...]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        settings = Settings(KEY, f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.1)
        if call[0] == "test_connection":
            problem = do(settings, *call).problem
        else:
            with pytest.raises(AuthorizationUnavailable) as told:
                do(settings, *call)
            problem = told.value
    assert problem.reason_code == "timeout"


# ---------------------------------------------------------------------------------------------------------------------
# A plain ASCEND server
# ---------------------------------------------------------------------------------------------------------------------


def ascend(*statuses: str) -> Callable[[Exchange], None]:
    """A server without links, whose action stands so in one answer after the other."""
    left = list(statuses)

    def reply(exchange: Exchange) -> None:
        exchange.say({"id": 7, "action_id": 7, "status": left.pop(0) if len(left) > 1 else left[0]})

    return reply


@pytest.mark.usefixtures("at_once")
def test_a_plain_server_is_polled_until_it_has_decided(do: Do) -> None:
    with peer(ascend(*["pending_approval"] * 3, "approved")) as server:
        settings = Settings(KEY, server.url)
        asked = do(settings, "submit_action", **FIELDS)
        decided = do(settings, "wait_for_decision", asked)

    assert (asked.offers, decided.status) == (frozenset(), Status.APPROVED)
    assert [seen.path for seen in server.seen] == ["/api/v1/actions/submit", *["/api/v1/actions/7/status"] * 3]
    body = json.loads(server.seen[0].body)
    assert body.pop("extra_data") == {"clearance": {"v": 1, "claim": False}}
    assert body == FIELDS
    assert not any("prefer" in seen.headers for seen in server.seen)


@pytest.mark.parametrize(("method", "words"), [("claim", "nobody else runs"), ("withdraw", "stays open")])
def test_what_a_plain_server_cannot_do_is_said_and_not_tried(do: Do, method: str, words: str) -> None:
    with peer(ascend("approved")) as server:
        error = refused(do, server.url, method, 7)

    assert error.reason_code == "not_offered"
    assert words in str(error)
    assert {seen.method for seen in server.seen} == {"GET"}


@pytest.mark.parametrize(("outcome", "verb"), [("completed", "complete"), (Status.FAILED, "fail")])
def test_a_plain_server_is_told_the_outcome_on_its_own_route(do: Do, outcome: str, verb: str) -> None:
    with peer(ascend("approved")) as server:
        do(Settings(KEY, server.url), "report_outcome", 7, outcome, error_type="KeyError", seconds=0.25)

    assert (server.seen[-1].method, server.seen[-1].path) == ("POST", f"/api/agent-action/7/{verb}")
    assert json.loads(server.seen[-1].body) == {"error_type": "KeyError", "duration_ms": 250, "notes": []}


def test_an_unknown_outcome_is_nothing_that_a_plain_server_has_a_word_for(do: Do) -> None:
    with peer(ascend("approved")) as server:
        assert refused(do, server.url, "report_outcome", 7, "unknown").reason_code == "not_offered"
    assert {seen.method for seen in server.seen} == {"GET"}


def test_a_list_with_a_word_that_is_not_known_hides_nothing_and_lets_nothing_run(do: Do) -> None:
    listed = {
        "actions": [
            {"id": 3, "status": "emergency_override", "decision": "approved"},
            {"id": 2, "status": "approved", "agent_id": 5, "action_details": []},
        ]
    }
    with peer(says(listed)) as server:
        found = do(Settings(KEY, server.url), "list_actions")

    assert [(item.action_id, item.status) for item in found] == [("3", Status.UNKNOWN), ("2", Status.APPROVED)]
    assert (found[1].agent_id, found[1].parameters) == ("", {})
    assert found[0].raw["status"] == "emergency_override"


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 7, "status": "approved", "decision": "denied"},
        {"id": 7, "action_id": 8, "status": "approved"},
        {"id": 8, "status": "approved"},
        {"id": 7, "status": "fine"},
        {"id": "7", "status": "approved"},
        {"status": "approved"},
        [],
        b"<html>",
        b'{"id":7,"status":"denied","status":"approved"}',
    ],
    ids=str,
)
def test_an_answer_that_contradicts_itself_or_says_nothing_is_no_decision(do: Do, answer: Any) -> None:
    with peer(says(answer)) as server:
        assert refused(do, server.url, "get_action_status", 7).reason_code == "bad_answer"
        assert refused(do, server.url, "wait_for_decision", 7).reason_code == "bad_answer"


@pytest.mark.parametrize("answer", [{"id": 8, "status": "denied"}, [], {"id": 7}, b"no"], ids=str)
def test_details_of_another_action_or_of_none_are_refused(do: Do, answer: Any) -> None:
    with peer(says(answer)) as server:
        assert refused(do, server.url, "get_action", 7).reason_code == "bad_answer"


@pytest.mark.parametrize("answer", [{"blocked": "no"}, {}, [], b"", {"blocked": None}], ids=str)
def test_a_kill_switch_that_does_not_say_how_it_stands_is_refused(do: Do, answer: Any) -> None:
    with peer(says(answer)) as server:
        assert refused(do, server.url, "kill_switch_status").reason_code == "bad_answer"


# ---------------------------------------------------------------------------------------------------------------------
# Faults
# ---------------------------------------------------------------------------------------------------------------------


def losing(count: int, then: Reply) -> Reply:
    """Takes the first ``count`` submits and never answers them."""
    lost: list[None] = []

    def reply(exchange: Exchange) -> None:
        if exchange.seen.method == "POST" and len(lost) < count:
            lost.append(None)
            exchange.hang_up()
        else:
            then(exchange)

    return reply


def test_a_lost_submit_is_not_sent_again_to_a_server_that_may_take_it_twice(do: Do) -> None:
    with peer(losing(1, says({"id": 7, "status": "approved"}))) as server:
        error = refused(do, server.url, "submit_action", **FIELDS)

    assert "Whether the request was taken is not known" in str(error)
    assert len(server.seen) == 1


@pytest.mark.usefixtures("at_once")
def test_a_lost_submit_is_sent_again_under_the_same_key_to_a_center_that_keeps_keys() -> None:
    answer = says({"id": 7, "status": "pending_approval", "actions": []}, headers=HEAD)
    with peer(losing(2, answer)) as server, Client(Settings(KEY, server.url)) as client:
        client.list_actions()
        asked = client.submit_action(**FIELDS)

    first, *others = [(seen.headers["idempotency-key"], seen.body) for seen in server.seen[1:]]
    assert asked.status is Status.PENDING
    assert others == [first, first]


@pytest.mark.usefixtures("at_once")
def test_an_async_client_sends_it_again_too() -> None:
    answer = says({"id": 7, "status": "pending_approval", "actions": []}, headers=HEAD)

    async def main(url: str) -> Decision:
        async with AsyncClient(Settings(KEY, url)) as client:
            await client.list_actions()
            return await client.submit_action(**FIELDS)

    with peer(losing(2, answer)) as server:
        assert asyncio.run(main(server.url)).status is Status.PENDING
    assert len({(seen.headers["idempotency-key"], seen.body) for seen in server.seen[1:]}) == 1


def test_what_a_client_asks_goes_over_one_connection() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(Settings(KEY, url)) as client:
            for _ in range(3):
                await client.list_actions()

    with peer(says([])) as server:
        with Client(Settings(KEY, server.url)) as client:
            for _ in range(3):
                client.list_actions()
        asyncio.run(main(server.url))
    assert (len(server.seen), len(server.connections)) == (6, 2)


def test_a_conflict_of_outcomes_is_an_error(do: Do) -> None:
    links = dict.fromkeys(("status", "wait", "claim", "outcome", "withdraw"), "/")
    known = Decision("7", Status.EXECUTING, nonce="our-nonce", offers=frozenset(links))
    stands = {"id": 7, "status": "executed", "lifecycle": "failed", "links": links}
    with peer(says(stands, 409)) as server:
        error = refused(do, server.url, "report_outcome", known, "completed")
    assert error.reason_code == "conflict"
    assert "as failed, not as completed" in str(error)


# ---------------------------------------------------------------------------------------------------------------------
# Settings and debug
# ---------------------------------------------------------------------------------------------------------------------


def test_both_clients_go_by_the_settings_around_them() -> None:
    Path(".env").write_text("OWKAI_API_KEY=owkai_user_1\nOWKAI_API_URL=https://c.example\nOWKAI_TIMEOUT=7\n")

    for client in (Client(), AsyncClient()):
        assert client.settings == Settings("owkai_user_1", "https://c.example", 7.0)
        assert repr(client) == f"{type(client).__name__}('https://c.example')"


def test_debug_tells_of_each_exchange(do: Do, agent: Settings, caplog: pytest.LogCaptureFixture) -> None:
    asked = do(agent, "submit_action", **FIELDS)
    do(agent, "get_action_status", asked)

    first, second = [record for record in caplog.records if record.name == "clearance.client"]
    told = first.getMessage()
    assert told.startswith("POST /api/v1/actions/submit -> 200 in ")
    assert '"charge_id": "ch_1"' in told
    assert '"status": "pending_approval"' in told
    assert second.getMessage().startswith(f"GET /api/v1/actions/{asked.action_id}/status -> 200 in ")
    assert (vars(second)["method"], vars(second)["result"]) == ("GET", "200")


def echo(exchange: Exchange) -> None:
    """A server that is careless with what it was given."""
    key = exchange.seen.headers["authorization"].partition(" ")[2]
    body = {
        "id": 7,
        "status": "approved",
        "reason": f"welcome {key}",
        "nonce": "the-nonce-itself",
        "api_key": CANARY,
        "nested": [{"password": CANARY}],
    }
    exchange.say(body, headers={"Set-Cookie": "session=of-a-cookie", "X-Echo": key})


def told_of(caplog: pytest.LogCaptureFixture) -> str:
    """What our own logger told; `httpcore2` has one, too, which is the user's to leave off."""
    records = [record for record in caplog.records if record.name == "clearance.client"]
    return "\n".join(record.getMessage() + repr(vars(record)) for record in records)


@pytest.mark.usefixtures("quiet")
def test_debug_tells_no_secret(do: Do, caplog: pytest.LogCaptureFixture) -> None:
    with peer(echo) as server:
        do(
            Settings(KEY, server.url),
            "submit_action",
            **{**FIELDS, "action_details": {"password": CANARY}},
            idempotency_key="key-of-the-request",
        )
    told = told_of(caplog)

    assert '"reason": "welcome [redacted]"' in told
    assert [
        secret for secret in (KEY, CANARY, "the-nonce-itself", "key-of-the-request", "of-a-cookie") if secret in told
    ] == []


@pytest.mark.usefixtures("quiet")
def test_debug_tells_the_kind_and_size_of_what_is_no_json_and_no_more(do: Do, caplog: pytest.LogCaptureFixture) -> None:
    page = f"<html>{CANARY}</html>".encode()
    with peer(says(page, headers={"Content-Type": "text/html"})) as server:
        refused(do, server.url, "get_action_status", 7)
    assert f'[{len(page)} bytes of "text/html"]' in told_of(caplog)


def test_debug_tells_of_an_exchange_without_an_answer(do: Do, caplog: pytest.LogCaptureFixture) -> None:
    with peer(lambda exchange: exchange.hang_up()) as server:
        refused(do, server.url, "get_action_status", 7)
    assert "GET /api/v1/actions/7/status -> no answer (unreachable) in " in told_of(caplog)


def test_without_debug_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with peer(says([])) as server, Client(Settings(KEY, server.url)) as client:
        client.list_actions()
    assert [record for record in caplog.records if record.name.startswith("clearance")] == []


@given(key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60))
def test_no_key_is_told_whatever_it_is_made_of(key: str) -> None:
    def careless(exchange: Exchange) -> None:
        exchange.say({"id": 7, "status": "denied", "reason": f"<{key}>"}, headers={"Server": key})

    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("clearance.client")
    logger.addHandler(handler)
    try:
        with peer(careless) as server, Client(Settings(key, server.url), debug=True) as client:
            client.get_action_status(7)
    finally:
        logger.removeHandler(handler)
    assert len(records) == 1
    assert key not in records[0]
