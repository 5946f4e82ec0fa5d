"""What the REST API lets everybody see of the audit trail: its head in every answer, proofs, and signed receipts."""

from __future__ import annotations

import logging
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from tests.center.trails import heads_of
from tests.servers import PATIENCE, Api, Running, a_submit, claiming, running_center

from clearance import receipts
from clearance.center import api, trail
from clearance.center.faults import StoreUnavailable
from clearance.center.records import Role
from clearance.center.server import CenterServer
from clearance.center.service import Center
from clearance.center.signing import SigningKey
from clearance.receipts import BadReceipt
from clearance.witness import Head, continues

HEADER = "Clearance-Audit-Head"
ROUTES = [(method, route.path) for route in api.ROUTES for method in sorted((route.methods or set()) - {"HEAD"})]
PAGES = [("GET", "/"), ("GET", "/sign-in"), ("GET", "/static/inbox.css"), ("GET", "/inbox/events")]


def handed_out(running: Running) -> list[Head]:
    """The head at every length of the Center's trail."""
    return heads_of(trail.pages(running.center))


# The head


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One Center for all the requests that only look at one header."""
    with running_center(tmp_path_factory.mktemp("shared") / "center.db") as running:
        yield running


@pytest.mark.parametrize(("method", "path"), [*ROUTES, *PAGES, ("GET", "/nowhere"), ("DELETE", "/health")])
@pytest.mark.parametrize("as_whom", ["agent", "nobody"])
def test_every_answer_carries_the_newest_head(shared: Running, method: str, path: str, as_whom: str) -> None:
    headers = {"Authorization": f"Bearer {shared.user_key}"} if as_whom == "agent" else {}

    answer = requests.request(
        method,
        shared.url + path.format(id=1),
        headers=headers,
        json={},
        timeout=PATIENCE,
        allow_redirects=False,
    )

    assert answer.headers[HEADER] == str(handed_out(shared)[-1])


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /api/v1/actions/submit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n", 413),
        (b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    ],
)
def test_so_does_a_refusal_that_comes_before_any_route(running: Running, head: bytes, status: int) -> None:
    where = urlsplit(running.url)
    with closing(socket.create_connection((where.hostname, where.port or 0), timeout=PATIENCE)) as connection:
        connection.sendall(head)
        received = bytearray()
        while chunk := connection.recv(65_536):
            received += chunk

    assert received.startswith(f"HTTP/1.1 {status}".encode())
    assert f"{HEADER.lower()}: {handed_out(running)[-1]}".encode() in received


def test_so_does_a_failure_of_the_center(
    running: Running, agent: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    def unavailable(*_: object) -> None:
        raise StoreUnavailable("no disk")

    with monkeypatch.context() as patched, caplog.at_level(logging.CRITICAL):
        patched.setattr(running.center.desk, "read", broken)
        answer = agent.get("/api/v1/actions/1")
        patched.setattr(running.center.desk, "read", unavailable)
        with Api(running.url, running.user_key) as other:  # after a failure the server closes the connection
            unkept = other.get("/api/v1/actions/1")

    assert (answer.status_code, unkept.status_code) == (500, 503)
    for each in (answer, unkept):
        assert each.headers[HEADER] == str(handed_out(running)[-1])
        assert each.headers["X-Frame-Options"] == "DENY"
    assert "a bug" not in answer.text


def test_an_answer_about_a_change_carries_a_head_with_that_change_in_it(
    running: Running, agent: Api, approver: Api
) -> None:
    seen = []
    action_id = agent.submit(extra_data=claiming())["id"]
    seen.append(agent.entries)
    approver.post(f"/api/v1/actions/{action_id}/approve")
    seen.append(approver.entries)
    agent.post(f"/api/v1/actions/{action_id}/claim", {"digest": "the-digest", "nonce": "nonce-of-the-agent"})
    seen.append(agent.entries)
    agent.post(f"/api/v1/actions/{action_id}/withdraw")  # refused, and audited
    seen.append(agent.entries)

    first = len(handed_out(running)) - 1 - 3
    assert seen == [first, first + 1, first + 2, first + 3]


def test_a_center_whose_trail_is_damaged_hands_out_no_head(tmp_path: Path) -> None:
    with running_center(tmp_path / "center.db"):
        pass
    with closing(sqlite3.connect(tmp_path / "center.db")) as raw, raw:
        raw.execute("DROP TRIGGER audit_no_delete")
        raw.execute("DELETE FROM audit WHERE seq = 1")
    center = Center.open(tmp_path / "center.db")
    with CenterServer(center) as server:
        answer = requests.get(f"{server.url}/health", timeout=PATIENCE)
    center.close()

    assert answer.status_code == 200
    assert HEADER not in answer.headers


# Proofs


def test_any_key_gets_a_proof_that_the_trail_continues_a_head(running: Running, agent: Api) -> None:
    for _ in range(9):
        agent.submit()
    heads = handed_out(running)

    for known in heads:
        answer = agent.get(f"/api/v1/audit/growth?entries={known.entries}").json()
        proof = [bytes.fromhex(digest) for digest in answer["proof"]]
        assert Head(answer["entries"], answer["root"]) == heads[-1]
        assert continues(known, heads[-1], proof)
    then = agent.get("/api/v1/audit/growth?entries=2&until=5").json()
    assert Head(then["entries"], then["root"]) == heads[5]
    assert continues(heads[2], heads[5], [bytes.fromhex(digest) for digest in then["proof"]])


def test_a_head_that_is_longer_than_the_trail_is_answered_with_what_there_is(running: Running, agent: Api) -> None:
    answer = agent.get("/api/v1/audit/growth?entries=999999999999&until=999999999999999999").json()

    assert answer == {"entries": 2, "root": handed_out(running)[2].root, "proof": []}
    assert agent.get("/api/v1/audit/growth?entries=1000000000000000000").status_code == 422
    assert agent.get("/api/v1/audit/growth?entries=-1").status_code == 422


def test_a_proof_shows_nobody_elses_entries(running: Running, approver: Api, agent: Api) -> None:
    approver.post("/api/v1/actions/submit", a_submit(agent_id="somebody-else", action_type="secret.thing"))

    answer = agent.get("/api/v1/audit/growth?entries=1")

    assert set(answer.json()) == {"entries", "root", "proof"}
    assert all(len(digest) == 64 for digest in answer.json()["proof"])


# Receipts


def test_a_requester_and_whoever_decides_get_the_same_receipt_and_it_is_genuine(
    running: Running, agent: Api, approver: Api
) -> None:
    action_id = agent.submit()["id"]
    approver.post(f"/api/v1/actions/{action_id}/reject", {"reason": "not today"})
    public_key = agent.get("/api/v1/center-key").json()["public_key"]

    first, second = (client.get(f"/api/v1/actions/{action_id}/receipt") for client in (agent, approver))

    assert first.content == second.content
    assert first.headers["Content-Type"] == "application/json"
    found = receipts.verify(first.content, public_key)
    assert (found["status"], found["decided_by"], found["reason"]) == ("denied", "carol", "not today")
    assert receipts.head_of(found) in handed_out(running)
    with pytest.raises(BadReceipt):
        receipts.verify(first.content.replace(b"denied", b"approved"), public_key)


def test_nobody_else_gets_it_and_nobody_before_there_is_a_decision(running: Running, agent: Api) -> None:
    action_id = agent.submit()["id"]

    pending = agent.get(f"/api/v1/actions/{action_id}/receipt")
    with Api(running.url, running.center.create_key(Role.USER, "other-bot")) as other:
        hidden = other.get(f"/api/v1/actions/{action_id}/receipt")

    assert pending.status_code == 409
    assert "there is no decision" in pending.json()["detail"]
    assert hidden.status_code == 404


def test_a_center_that_cannot_sign_says_so_and_no_more(
    running: Running, agent: Api, caplog: pytest.LogCaptureFixture
) -> None:
    action_id = agent.submit(action_type="order.lookup")["id"]
    running.center.signing_key = SigningKey(running.database / "nowhere" / "key")

    with caplog.at_level(logging.ERROR, "clearance.center"):
        answers = [agent.get(f"/api/v1/actions/{action_id}/receipt"), agent.get("/api/v1/center-key")]

    for answer in answers:
        assert answer.status_code == 503
        assert answer.json() == {"detail": "This Center cannot sign now; its log has the cause"}
    assert "the signing key cannot be made" in caplog.text
