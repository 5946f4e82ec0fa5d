"""The client's side of the audit trail: it keeps the newest head it was shown, and has growth proven to it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import an_action
from tests.servers import PATIENCE, Api, Running, running_center
from tests.transports.peers import Exchange, Reply
from tests.transports.peers import running as peer

from clearance import AuthorizationUnavailable, receipts
from clearance.center import trail
from clearance.client import Client
from clearance.commands import Await, Submit
from clearance.settings import Settings
from clearance.transports import AsyncHttpTransport, HttpTransport
from clearance.witness import Head

ROOTS = ["0" * 63 + str(number) for number in range(10)]
AWAIT = Await("7", 0.0, PATIENCE)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as running:
        yield running


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    with Client(Settings(running.user_key, running.url)) as client:
        yield client


def with_heads(*headers: str | None) -> Reply:
    """Answers that an action is approved, with one of these heads after the other."""
    left = list(headers)

    def reply(exchange: Exchange) -> None:
        header = left.pop(0)
        more = {} if header is None else {"Clearance-Audit-Head": header}
        exchange.say({"action_id": 7, "status": "approved"}, headers=more)

    return reply


def seen(*headers: str | None) -> Head | None:
    """The head that a transport keeps after these answers."""
    with peer(with_heads(*headers)) as server, HttpTransport(server.url, "key") as transport:
        for _ in headers:
            transport.send(AWAIT)
        return transport.head


def test_before_any_answer_there_is_no_head() -> None:
    assert HttpTransport("http://127.0.0.1:9", "key").head is None
    assert AsyncHttpTransport("http://127.0.0.1:9", "key").head is None


def test_the_newest_head_is_kept_whatever_the_order_of_the_answers() -> None:
    assert seen(f"5:{ROOTS[5]}", f"7:{ROOTS[7]}", f"6:{ROOTS[6]}", None) == Head(7, ROOTS[7])


@pytest.mark.parametrize(
    "header", [None, "", "7", "7:abc", f"-1:{ROOTS[1]}", f"{'9' * 30}:{ROOTS[1]}", f"7:{ROOTS[1]},8:{ROOTS[1]}", "\xff"]
)
def test_what_is_no_head_is_passed_over_and_the_answer_counts(header: str | None) -> None:
    assert seen(header) is None
    assert seen(f"5:{ROOTS[5]}", header) == Head(5, ROOTS[5])


def test_two_heads_of_one_length_are_an_error_in_the_log_and_the_first_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "clearance"):
        assert seen(f"5:{ROOTS[5]}", f"5:{ROOTS[5]}") == Head(5, ROOTS[5])
        assert caplog.messages == []
        assert seen(f"5:{ROOTS[5]}", f"5:{ROOTS[6]}") == Head(5, ROOTS[5])

    (message,) = caplog.messages
    assert "has shown two audit trails" in message
    assert ROOTS[5] in message
    assert ROOTS[6] in message


@pytest.mark.parametrize("has_httpx2", [True, False])
def test_every_transport_keeps_it(running: Running, monkeypatch: pytest.MonkeyPatch, has_httpx2: bool) -> None:
    find_spec = importlib.util.find_spec
    if not has_httpx2:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "httpx2" else find_spec(name))
    submit = Submit(an_action(action_type="order.lookup"), "k", "nonce-one", PATIENCE)

    async def main() -> Head | None:
        async with running.async_transport() as transport:
            await transport.asend(submit)
            return transport.head

    with running.transport() as transport:
        transport.send(submit)
        assert transport.head == running.center.store.head
    assert asyncio.run(main()) == running.center.store.head


# Growth


def test_a_trail_that_grew_is_proven_to_continue_a_head_and_one_head_another(running: Running, client: Client) -> None:
    client.test_connection()
    first = client.head
    with Api(running.url, running.user_key) as agent:
        agent.submit()
        second = running.center.store.head
        agent.submit()
    assert first is not None
    assert second is not None

    assert client.grown(first) == running.center.store.head
    assert client.grown(first, second) == second
    assert client.grown(second) == client.head


def broken(client: Client, known: Head, later: Head | None = None) -> str:
    """What is said of a trail that does not continue it."""
    with pytest.raises(AuthorizationUnavailable) as told:
        client.grown(known, later)
    assert told.value.reason_code == "audit_broken"
    assert str(known) in str(told.value)
    return str(told.value)


def test_a_trail_that_does_not_continue_it_is_an_error_that_says_what_is_wrong(client: Client) -> None:
    client.test_connection()
    head = client.head
    assert head is not None

    assert "entries were changed" in broken(client, Head(1, "0" * 64))
    assert "entries were changed" in broken(client, Head(head.entries, "0" * 64))
    assert "it has 2 entries" in broken(client, Head(3, head.root))
    assert "entries were changed" in broken(client, Head(1, "0" * 64), head)
    assert "entries were changed" in broken(client, head, Head(head.entries, "0" * 64))
    assert "it has 2 entries" in broken(client, head, Head(3, head.root))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"entries": 2, "root": ROOTS[1]},
        {"entries": "two", "root": ROOTS[1], "proof": []},
        {"entries": 2, "root": "zz", "proof": []},
        {"entries": 2, "root": ROOTS[1], "proof": ["zz"]},
        {"entries": 2, "root": ROOTS[1], "proof": [5]},
        {"entries": 2, "root": ROOTS[1], "proof": None},
        {"entries": -1, "root": ROOTS[1], "proof": []},
    ],
    ids=str,
)
def test_an_answer_without_a_head_proves_nothing(answer: Any) -> None:
    with (
        peer(lambda exchange: exchange.say(answer)) as server,
        Client(Settings("key", server.url)) as client,
        pytest.raises(AuthorizationUnavailable) as told,
    ):
        client.grown(Head(1, ROOTS[1]))
    assert told.value.reason_code == "bad_answer"


@pytest.mark.parametrize("digest", ["0" * 64, "", "00"])
def test_a_proof_that_is_made_up_proves_nothing(digest: str) -> None:
    answer = {"entries": 3, "root": ROOTS[3], "proof": [digest]}
    with peer(lambda exchange: exchange.say(answer)) as server, Client(Settings("key", server.url)) as client:
        broken(client, Head(2, ROOTS[2]))


# Receipts


def test_a_client_gets_receipts_and_the_key_to_check_them_with(running: Running, client: Client) -> None:
    with Api(running.url, running.user_key) as agent:
        action_id = agent.submit()["id"]
    with running.approver() as approver:
        approver.approve(action_id)

    found = receipts.verify(client.receipt(action_id), client.public_key())

    assert (found["action_id"], found["status"]) == (action_id, "approved")
    assert trail.verify(running.center, [receipts.head_of(found)]).problem is None


def test_a_receipt_that_is_not_there_is_an_error(running: Running, client: Client) -> None:
    with Api(running.url, running.user_key) as agent:
        action_id = agent.submit()["id"]

    with pytest.raises(AuthorizationUnavailable, match="no decision"):
        client.receipt(action_id)
    with pytest.raises(AuthorizationUnavailable, match="not found"):
        client.receipt(4_711)
    with (
        peer(lambda exchange: exchange.say({"public_key": 5})) as server,
        Client(Settings("k", server.url)) as other,
        pytest.raises(AuthorizationUnavailable, match="no key"),
    ):
        other.public_key()
