"""One request waits for many actions, and is answered as soon as one of them does not wait any more."""

from __future__ import annotations

import logging
import os
import queue
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
import requests
from tests.center.desks import Clock
from tests.helpers import an_action
from tests.servers import PATIENCE, Api, Running, in_thread, running_center, until

from clearance.center.desk import MOST_TOLD
from clearance.center.faults import StoreUnavailable
from clearance.center.lookout import AT_ONCE, Watch
from clearance.center.records import Principal, Record, Role, Submission
from clearance.center.store.base import Tx
from clearance.wire.vocabulary import MOST_IDS, WAIT_PATH

HELD = {"Prefer": "wait=60"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(tmp_path: Path, clock: Clock) -> Iterator[Running]:
    with running_center(tmp_path / "center.db", now=clock, max_pending=100_000) as running:
        yield running


def many(running: Running, count: int) -> list[int]:
    """So many actions of the agent that wait."""
    center = running.center

    def ask(tx: Tx) -> list[int]:
        who = center.principal(tx, running.user_key)
        submission = Submission(an_action(), None, None, claims=True)
        return [center.desk.submit(tx, who, submission).id for _ in range(count)]

    return center.do(ask)


def withdraw_all(running: Running, ids: list[int]) -> None:
    """The agent has thought better of it."""
    center = running.center

    def withdraw(tx: Tx) -> None:
        who = center.principal(tx, running.user_key)
        for action_id in ids:
            center.desk.withdraw(tx, who, action_id, "")

    center.do(withdraw)


def waited(agent: Api, ids: list[int], **options: object) -> requests.Response:
    """A wait for these."""
    return agent.get(f"{WAIT_PATH}?ids={','.join(map(str, ids))}", **options)


def told(answer: object) -> dict[int, str]:
    """The actions that an answer tells of, and how they stand."""
    assert isinstance(answer, requests.Response), answer
    assert answer.status_code == 200, answer.text
    return {entry["id"]: entry["lifecycle"] for entry in answer.json()}


def test_only_those_that_do_not_wait_any_more_are_told(agent: Api, approver: Api) -> None:
    first, second, third = (agent.submit(action_details={"amount": amount})["id"] for amount in range(3))
    approver.post(f"/api/v1/actions/{second}/approve")
    approver.post(f"/api/v1/actions/{third}/reject")

    assert told(waited(agent, [first, second, third])) == {second: "approved", third: "denied"}
    assert told(waited(agent, [first])) == {}


def test_it_is_answered_by_the_first_decision(
    agent: Api, approver: Api, running: Running, held: queue.SimpleQueue[Watch]
) -> None:
    ids = [agent.submit()["id"] for _ in range(5)]

    with in_thread(lambda: waited(agent, ids, headers=HELD)) as answers:
        held.get(timeout=PATIENCE)
        approver.post(f"/api/v1/actions/{ids[3]}/approve")
        answer = answers.get(timeout=PATIENCE)

    assert told(answer) == {ids[3]: "approved"}
    assert isinstance(answer, requests.Response)
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_whatever_else_is_decided_does_not_end_it(agent: Api, approver: Api) -> None:
    mine, other = agent.submit()["id"], agent.submit()["id"]
    approver.post(f"/api/v1/actions/{other}/approve")

    answer = waited(agent, [mine], headers={"Prefer": "wait=1"})

    assert told(answer) == {}
    assert answer.headers["Preference-Applied"] == "wait=1"


def test_what_time_has_ended_is_told_by_whoever_asks_first(agent: Api, clock: Clock) -> None:
    asked = agent.submit(extra_data={"clearance": {"v": 1, "decide_within_s": 60}})["id"]
    clock.advance(60)

    assert told(waited(agent, [asked])) == {asked: "expired"}


def test_an_approval_that_was_told_counts_as_read(agent: Api, approver: Api, running: Running) -> None:
    asked = agent.submit()["id"]
    approver.post(f"/api/v1/actions/{asked}/approve")

    waited(agent, [asked])

    found = running.center.do(lambda tx: tx.action(asked))
    assert found is not None
    assert found.approval_read


@pytest.mark.parametrize("whose", ["another's", "nobody's"])
def test_one_that_is_not_the_callers_refuses_all_of_it(running: Running, agent: Api, whose: str) -> None:
    mine = agent.submit()["id"]
    with Api(running.url, running.center.create_key(Role.USER, "other")) as other:
        foreign = other.submit()["id"] if whose == "another's" else mine + 1_000

    answer = waited(agent, [mine, foreign])

    assert answer.status_code == 404
    assert answer.json()["detail"] == f"Action {foreign} not found"


@pytest.mark.parametrize("ids", ["", ",", "1,", "x", "-1", "1.5", "1" * 19, "1 ,2"])
def test_a_list_that_cannot_be_meant_is_unreadable(agent: Api, ids: str) -> None:
    assert agent.get(WAIT_PATH, params={"ids": ids}).status_code == 422
    assert agent.get(WAIT_PATH).status_code == 422


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": [0]}, {"ids": ["1"]}, {"ids": [1.0]}, {"ids": 1}])
def test_a_body_that_cannot_be_meant_is_unreadable(agent: Api, body: object) -> None:
    assert agent.post(WAIT_PATH, body).status_code == 422


def test_a_body_names_ten_thousand_and_no_more(agent: Api) -> None:
    ids = list(range(1, MOST_IDS + 1))

    assert agent.post(WAIT_PATH, {"ids": ids}).status_code == 404  # it was read: nobody asked for them
    assert agent.post(WAIT_PATH, {"ids": [*ids, MOST_IDS + 1]}).status_code == 422


def test_many_that_have_ended_are_told_in_portions(running: Running, agent: Api) -> None:
    ids = many(running, MOST_TOLD + 50)
    withdraw_all(running, ids)

    first = told(agent.post(WAIT_PATH, {"ids": ids}))
    second = told(agent.post(WAIT_PATH, {"ids": ids[MOST_TOLD:]}))

    assert (list(first), list(second)) == (ids[:MOST_TOLD], ids[MOST_TOLD:])
    assert set(first.values()) | set(second.values()) == {"withdrawn"}


def test_the_link_that_an_action_offers_waits_for_it(agent: Api, approver: Api) -> None:
    asked = agent.submit()
    approver.post(f"/api/v1/actions/{asked['id']}/approve")

    assert told(agent.get(asked["links"]["wait"])) == {asked["id"]: "approved"}


def test_whoever_waits_is_answered_when_the_center_stops(
    agent: Api, running: Running, held: queue.SimpleQueue[Watch]
) -> None:
    asked = agent.submit()["id"]
    with in_thread(lambda: waited(agent, [asked], headers=HELD)) as answers:
        held.get(timeout=PATIENCE)
        running.center.bell.close()
        assert told(answers.get(timeout=PATIENCE)) == {}


# What many that wait cost


@pytest.fixture
def reads(running: Running, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every action that the desk reads for whoever asks how it stands."""
    found: list[int] = []
    desk = running.center.desk
    read = desk.read

    def counted(tx: Tx, who: Principal, action_id: int) -> Record:
        found.append(action_id)
        return read(tx, who, action_id)

    monkeypatch.setattr(desk, "read", counted)
    return found


def status_of(agent: Api, action_id: int) -> requests.Response:
    """One that waits for this action alone."""
    return agent.get(f"/api/v1/actions/{action_id}/status", headers=HELD)


def test_what_is_no_news_wakes_nobody(
    agent: Api, approver: Api, running: Running, clock: Clock, held: queue.SimpleQueue[Watch], reads: list[int]
) -> None:
    asked = agent.submit(extra_data={"clearance": {"v": 1, "decide_within_s": 60}})["id"]
    with in_thread(lambda: status_of(agent, asked)) as answers:
        held.get(timeout=PATIENCE)
        clock.advance(31)
        until(running.center, lambda tx: (tx.action(asked) or unknown()).escalated_at)
        for _ in range(2):  # whoever was woken by that has read again before these are answered
            approver.get("/api/deployment-info")
        approver.post(f"/api/v1/actions/{asked}/approve")
        answer = answers.get(timeout=PATIENCE)

    assert isinstance(answer, requests.Response)
    assert answer.json()["status"] == "approved"
    assert held.empty()
    assert reads == [asked, asked]


@pytest.mark.parametrize("path", ["/api/v1/actions/{}/status", WAIT_PATH + "?ids={}"])
def test_whoever_has_waited_long_enough_is_answered_once(
    agent: Api, running: Running, held: queue.SimpleQueue[Watch], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    asked = agent.submit()["id"]

    answer = agent.get(path.format(asked), headers={"Prefer": "wait=1"})
    held.get_nowait()
    agent.get("/api/deployment-info")  # what the Center still did about the one before comes to its end first

    assert answer.status_code == 200
    assert held.empty()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def unknown() -> Record:
    raise AssertionError("There is no such action.")


@pytest.mark.parametrize("count", [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1])
def test_all_that_wait_for_one_action_are_answered_however_many_they_are(
    agent: Api, approver: Api, running: Running, held: queue.SimpleQueue[Watch], count: int
) -> None:
    asked = agent.submit()["id"]
    request = (
        f"GET /api/v1/actions/{asked}/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: Bearer {running.user_key}\r\nPrefer: wait=60\r\n\r\n"
    ).encode()
    with ExitStack() as stack:
        waiting = [stack.enter_context(connected(running)) for _ in range(count)]
        for connection in waiting:
            connection.sendall(request)
        for _ in waiting:
            held.get(timeout=PATIENCE)

        approver.post(f"/api/v1/actions/{asked}/approve")

        for connection in waiting:
            assert b'"status":"approved"' in everything(connection)


def connected(running: Running) -> socket.socket:
    """A connection with nothing of ours in between."""
    port = int(running.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    while some := connection.recv(65_536):
        found += some
    return found


def test_for_whoever_hangs_up_nothing_is_read_any_more(
    agent: Api, approver: Api, running: Running, held: queue.SimpleQueue[Watch], reads: list[int]
) -> None:
    asked = agent.submit()["id"]
    with connected(running) as connection:
        connection.sendall(
            f"GET /api/v1/actions/{asked}/status HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {running.user_key}\r\nPrefer: wait=60\r\n\r\n".encode()
        )
        watch = held.get(timeout=PATIENCE)
    eventually(lambda: watch.has_left)

    approver.post(f"/api/v1/actions/{asked}/approve")

    record = running.center.do(lambda tx: tx.action(asked))
    assert record is not None
    assert not record.approval_read
    assert reads == [asked]


def eventually(happens: Callable[[], bool]) -> None:
    """Wait for what nothing tells of."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "It never came to that."
        os.sched_yield()


def test_a_key_that_ends_while_its_holder_waits_is_told_nothing(
    agent: Api, approver: Api, running: Running, held: queue.SimpleQueue[Watch]
) -> None:
    asked = agent.submit()["id"]
    with in_thread(lambda: status_of(agent, asked)) as answers:
        held.get(timeout=PATIENCE)
        running.center.revoke_key(running.user_key.split("_")[2])
        approver.post(f"/api/v1/actions/{asked}/approve")
        answer = answers.get(timeout=PATIENCE)

    assert isinstance(answer, requests.Response)
    assert answer.status_code == 401


def test_a_store_that_fails_while_many_wait_is_told_to_those_whom_it_concerns(
    agent: Api, running: Running, held: queue.SimpleQueue[Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, submit = agent.submit()["id"], running.center.store.submit

    def fails(_work: object) -> NoReturn:
        raise StoreUnavailable("The disk is gone")

    with in_thread(lambda: status_of(agent, asked)) as answers:
        held.get(timeout=PATIENCE)
        monkeypatch.setattr(running.center.store, "submit", fails)
        running.center.bell.ring([asked])
        answer = answers.get(timeout=PATIENCE)
        monkeypatch.setattr(running.center.store, "submit", submit)

    assert isinstance(answer, requests.Response)
    assert answer.status_code == 503
