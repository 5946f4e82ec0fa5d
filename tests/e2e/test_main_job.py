"""The main job over real sockets and processes: a risky call is held until somebody clears it."""

from __future__ import annotations

import asyncio
import http.server
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from tests.e2e.minimal_client import OWKAIClient
from tests.servers import PATIENCE, Running, center_process, in_thread, running_center, until

from clearance import (
    ActionDenied,
    AuthorizationUnavailable,
    ConfigurationError,
    authorized,
    configure,
    requires_authorization,
)
from clearance.center.records import Record
from clearance.center.store.base import Tx
from clearance.client import Client
from clearance.models import Status
from clearance.settings import Settings
from clearance.transports import HttpTransport


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        yield found


def test_a_held_refund_shows_its_exact_arguments_and_runs_once_when_it_is_approved(running: Running) -> None:
    ran: list[object] = []

    @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=running.transport())
    def refund(charge_id: str, amount: Decimal, *, api_key: str) -> str:
        ran.append((charge_id, amount, api_key))
        return "refunded"

    with in_thread(lambda: refund("ch_1", Decimal("49.90"), api_key="sk-secret")) as results:
        [record] = running.held()
        assert record.action.parameters == {"charge_id": "ch_1", "amount": "49.90", "api_key": "[redacted]"}
        assert ran == []
        with running.approver() as approver:
            approver.approve(record.id)
        assert results.get(timeout=PATIENCE) == "refunded"

    assert ran == [("ch_1", Decimal("49.90"), "sk-secret")]
    assert [record.status for record in running.records()] == [Status.COMPLETED]


def test_a_denied_block_does_not_run_and_the_program_gets_who_and_why(running: Running) -> None:
    ran: list[str] = []

    def migrate() -> None:
        with authorized(action_type="db.migrate", tool_name="postgres", transport=running.transport()):
            ran.append("migrated")

    with in_thread(migrate) as results:
        [record] = running.held()
        with running.approver() as approver:
            approver.reject(record.id, "not during the backup")
        denial = results.get(timeout=PATIENCE)

    assert isinstance(denial, ActionDenied)
    assert (denial.reason, denial.decided_by, denial.reason_code) == ("not during the backup", "carol", "approver")
    assert ran == []


def test_the_published_minimal_client_works_unmodified(running: Running) -> None:
    client = OWKAIClient(running.user_key, running.url)
    assert client.test_connection()
    assert not OWKAIClient("owkai_user_wrong", running.url).test_connection()
    fields = {"agent_id": "a", "description": "d", "tool_name": "t"}

    read = client.submit_action(action_type="order.lookup", **fields)
    dropped = client.submit_action(action_type="orders.drop", **fields)
    held = client.submit_action(action_type="payment.refund", action_details={"amount": 5}, **fields)

    assert (read["status"], client.get_action_status(read["id"])["status"]) == ("approved", "approved")
    assert (dropped["status"], dropped["requires_approval"]) == ("denied", True)
    assert (held["status"], client.get_action_status(held["id"])["decision_ready"]) == ("pending_approval", False)
    with running.approver() as approver:
        approver.approve(held["id"])
    assert client.get_action_status(held["id"])["status"] == "approved"


def test_a_hundred_coroutines_and_fifty_threads_are_released_by_one_approval_of_all_and_none_runs_twice(
    running: Running,
) -> None:
    ran: Counter[str] = Counter()
    lock = threading.Lock()

    def count(name: str) -> None:
        with lock:
            ran[name] += 1

    guarded = requires_authorization(action_type="payment.refund", transport=running.transport())(count)

    transport = running.async_transport()

    @requires_authorization(action_type="payment.refund", transport=transport)
    async def arefund(name: str) -> None:
        count(name)

    async def program() -> None:
        async with transport, asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(arefund(f"task-{number}"))

    threads = [threading.Thread(target=guarded, args=(f"thread-{number}",)) for number in range(50)]
    with in_thread(lambda: asyncio.run(program())) as results:
        for thread in threads:
            thread.start()
        running.held(150)
        with running.approver() as approver:
            assert len(approver.approve_all(["low", "medium"])) == 150
        assert results.get(timeout=PATIENCE) is None
        for thread in threads:
            thread.join(PATIENCE)

    assert len(ran) == 150
    assert set(ran.values()) == {1}
    assert {record.status for record in running.records()} == {Status.COMPLETED}


def test_a_waiting_call_survives_the_sudden_death_of_the_center_and_goes_on_after_the_approval(tmp_path: Path) -> None:
    with center_process(tmp_path / "center.db") as center:
        waiting = threading.Event()
        configure(on_wait=lambda _action, _decision: waiting.set())
        transport = HttpTransport(center.url, center.key("user"))

        @requires_authorization(action_type="payment.refund", transport=transport)
        def refund() -> str:
            return "refunded"

        with in_thread(refund) as results, Client(Settings(center.key("admin"), center.url)) as approver:
            assert waiting.wait(PATIENCE)
            center.kill()
            center.start()
            [action] = approver.pending()
            approver.approve(action["id"])
            assert results.get(timeout=PATIENCE) == "refunded"


AGENT = """
import sys
import clearance
from clearance.transports import HttpTransport

@clearance.requires_authorization(action_type="payment.refund", transport=HttpTransport(sys.argv[1], sys.argv[2]))
def refund() -> None:
    print("ran")

refund()
"""


def test_ctrl_c_in_the_agent_withdraws_its_request(running: Running) -> None:
    line = [sys.executable, "-c", AGENT, running.url, running.user_key]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as agent:
        [record] = running.held()
        agent.send_signal(signal.SIGINT)
        out, err = agent.communicate(timeout=PATIENCE)

    assert (out, "KeyboardInterrupt" in err) == ("", True)

    def withdrawn(tx: Tx) -> Record | None:
        found = tx.action(record.id)
        return found if found and found.status is Status.WITHDRAWN else None

    until(running.center, withdrawn)


def test_a_cancelled_task_withdraws_its_request(running: Running) -> None:
    transport = running.async_transport()

    @requires_authorization(action_type="payment.refund", transport=transport)
    async def refund() -> None: ...

    async def program() -> None:
        async with transport:
            task = asyncio.create_task(refund())
            await asyncio.to_thread(running.held)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(program())
    assert [record.status for record in running.records()] == [Status.WITHDRAWN]


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """A server that says the same to everybody."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


NONSENSE = {
    "html": b"<html>Welcome</html>",
    "truncated": b'{"id": 1, "action_id": 1, "sta',
    "an unknown word": b'{"id": 1, "action_id": 1, "status": "sure"}',
    "a contradiction": b'{"id": 1, "action_id": 1, "status": "approved", "decision": "denied"}',
    "somebody else's claim": b'{"id": 1, "action_id": 1, "status": "executing", "nonce": "not yours", "links": {}}',
    "a list": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("said", NONSENSE)
def test_a_center_that_answers_nonsense_never_lets_a_body_run(said: str) -> None:
    ran: list[str] = []
    with answering(NONSENSE[said]) as url:
        guarded = requires_authorization(action_type="a.b", tool_name="t", transport=HttpTransport(url, "key"))(
            ran.append
        )
        with pytest.raises((AuthorizationUnavailable, ActionDenied), match="Nothing was run"):
            guarded("x")
    assert ran == []


def test_an_unreachable_center_is_could_not_ask_with_the_next_step() -> None:
    transport = HttpTransport("http://127.0.0.1:9", "key")
    guarded = requires_authorization(action_type="a.b", tool_name="t", transport=transport, timeout=0.01)(print)
    with pytest.raises(AuthorizationUnavailable, match="clearance check") as caught:
        guarded("x")
    assert caught.value.reason_code == "unreachable"


def test_no_key_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="API key required"):
        requires_authorization(action_type="a.b", tool_name="t")(print)("x")


def test_a_request_of_more_than_a_mebibyte_is_refused_before_it_is_sent(running: Running) -> None:
    names = {f"name-{number}": "x" * 4_000 for number in range(300)}
    block = authorized(action_type="a.b", tool_name="t", parameters=names, transport=running.transport())
    with pytest.raises(AuthorizationUnavailable, match="by reference") as caught, block:
        pass
    assert caught.value.reason_code == "too_large"
    assert running.records() == []
