"""Serving a Center: where it may listen, TLS, and that whoever waits is answered before it stops."""

from __future__ import annotations

import gc
import http.client
import json
import queue
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from tests.helpers import an_action
from tests.servers import PATIENCE, Api, CenterProcess, Running, center_process, in_thread, running_center

from clearance import AuthorizationUnavailable
from clearance.center.connections import FULL_RETRY_AFTER, MOST_CONNECTIONS, TOLD_OFF
from clearance.center.lookout import Watch
from clearance.center.records import Role
from clearance.center.server import COLLECT_AFTER, OTHER_FILES, Binding, CannotServe, CenterServer, room_for
from clearance.center.service import Center
from clearance.client import Client
from clearance.commands import Await, Submit
from clearance.models import Status
from clearance.settings import Settings
from clearance.transports import HttpTransport


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center.open(tmp_path / "center.db")
    yield center
    center.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def certified(folder: Path, authority: trustme.CA, host: str) -> dict[str, str]:
    """The binding's files for a certificate of ``host``."""
    certificate = authority.issue_cert(host)
    files = {"tls_cert": folder / "cert.pem", "tls_key": folder / "key.pem"}
    certificate.cert_chain_pems[0].write_to_path(str(files["tls_cert"]))
    certificate.private_key_pem.write_to_path(str(files["tls_key"]))
    return {name: str(file) for name, file in files.items()}


def bundle(folder: Path, authority: trustme.CA) -> str:
    """The authority's certificate in a file."""
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


# Where it listens


def test_port_0_picks_a_free_one_and_the_address_says_which(running: Running) -> None:
    assert running.url.startswith("http://127.0.0.1:")
    assert requests.get(f"{running.url}/health", timeout=PATIENCE).status_code == 200


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "running.db") as running:
        yield running


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "center.example.com", "127.0.0.1.example.com", ""])
def test_beyond_this_machine_it_listens_only_where_keys_are_not_sent_in_clear(host: str) -> None:
    with pytest.raises(CannotServe, match="in clear") as refused:
        Binding(host, public_url="https://center.example.com").check()
    for word in ("--tls-cert", "--behind-proxy"):
        assert word in str(refused.value)


@pytest.mark.parametrize("secured", [{"behind_proxy": True}, {"tls_cert": "c.pem", "tls_key": "k.pem"}], ids=str)
def test_beyond_this_machine_it_must_know_the_name_that_people_use(secured: dict[str, Any]) -> None:
    with pytest.raises(CannotServe, match="--public-url"):
        Binding("0.0.0.0", **secured).check()
    Binding("0.0.0.0", public_url="https://center.example.com", **secured).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.5.5.5", "localhost", "::1"])
def test_on_this_machine_it_needs_nothing(host: str) -> None:
    Binding(host).check()


@pytest.mark.parametrize("half", [{"tls_cert": "c.pem"}, {"tls_key": "k.pem"}], ids=str)
def test_a_certificate_and_its_key_go_together(half: dict[str, str]) -> None:
    with pytest.raises(CannotServe, match="go together"):
        Binding(**half).check()  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["center.example.com", "https://", "/center"])
def test_a_public_url_is_a_whole_address(url: str) -> None:
    with pytest.raises(CannotServe, match="whole address"):
        Binding(public_url=url).check()


def test_behind_a_proxy_it_answers_to_the_public_name_and_gives_that_address(tmp_path: Path) -> None:
    binding = Binding("127.0.0.1", behind_proxy=True, public_url="https://center.example.com/")
    center = Center.open(tmp_path / "center.db")
    with CenterServer(center, binding) as server:
        assert server.url == "https://center.example.com"
        host, port = server._socket.getsockname()
        address = f"http://{host}:{port}/health"
        assert requests.get(address, headers={"Host": "center.example.com"}, timeout=PATIENCE).status_code == 200
        assert requests.get(address, headers={"Host": "other.example.com"}, timeout=PATIENCE).status_code == 421
    center.close()


def test_a_port_in_use_is_told_with_what_to_write(center: Center, running: Running) -> None:
    port = int(running.url.rpartition(":")[2])

    with pytest.raises(CannotServe, match=rf"Cannot listen on 127\.0\.0\.1:{port} .*--port"):
        CenterServer(center, Binding(port=port))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_of_this_machine_is_served_and_written_as_an_address(center: Center, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            with pytest.raises(CannotServe):  # a machine without IPv6 says so
                CenterServer(center, Binding(host))
            return
    with CenterServer(center, Binding(host)) as server:
        assert requests.get(f"{server.url}/health", timeout=PATIENCE).status_code == 200


# TLS


def test_over_tls_a_client_that_knows_the_authority_is_served(tmp_path: Path, authority: trustme.CA) -> None:
    binding = Binding(**certified(tmp_path, authority, "127.0.0.1"))  # type: ignore[arg-type]
    ca_bundle = bundle(tmp_path, authority)
    with running_center(tmp_path / "center.db", binding=binding) as running:
        assert running.url.startswith("https://")
        with HttpTransport(running.url, running.user_key, ca_bundle=ca_bundle) as transport:
            decision = transport.send(Submit(an_action(action_type="order.lookup"), "k", "nonce-one", PATIENCE))
        with Client(Settings(running.admin_key, running.url, ca_bundle=ca_bundle)) as client:
            assert client.test_connection().role == "admin"
    assert decision.status is Status.EXECUTING


def test_over_tls_a_client_that_does_not_know_the_authority_sends_nothing(
    tmp_path: Path, authority: trustme.CA
) -> None:
    binding = Binding(**certified(tmp_path, authority, "127.0.0.1"))  # type: ignore[arg-type]
    with running_center(tmp_path / "center.db", binding=binding) as running:
        with HttpTransport(running.url, running.user_key) as transport, pytest.raises(AuthorizationUnavailable) as told:
            transport.send(Submit(an_action(), "k", "nonce-one", PATIENCE))
        assert running.records() == []
    assert told.value.reason_code == "tls"


def test_a_certificate_for_another_name_is_not_believed(tmp_path: Path, authority: trustme.CA) -> None:
    binding = Binding(**certified(tmp_path, authority, "center.example.com"))  # type: ignore[arg-type]
    ca_bundle = bundle(tmp_path, authority)
    with (
        running_center(tmp_path / "center.db", binding=binding) as running,
        HttpTransport(running.url, running.user_key, ca_bundle=ca_bundle) as transport,
        pytest.raises(AuthorizationUnavailable) as told,
    ):
        transport.send(Submit(an_action(), "k", "nonce-one", PATIENCE))
    assert told.value.reason_code == "tls"


# How many


FEW = 3


@pytest.fixture
def small(center: Center) -> Iterator[int]:
    """The port of a Center that serves a few connections at once."""
    with CenterServer(center, most_connections=FEW) as server:
        yield int(server.url.rpartition(":")[2])


def connections(port: int, stack: ExitStack, count: int) -> list[http.client.HTTPConnection]:
    """So many connections, all of which are there when this returns."""
    found = []
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        found.append(stack.enter_context(closing(connection)))
        connection.connect()
    return found


def health(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """The answer to a request that everybody may make."""
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    return answer


def test_as_many_connections_as_there_may_be_are_served_and_the_next_is_told_when_to_come_back(small: int) -> None:
    with ExitStack() as stack:
        *served, surplus = connections(small, stack, FEW + 1)
        assert [health(connection).status for connection in served] == [200] * FEW

        answer = health(surplus)

        assert answer.status == 503
        assert answer.headers["Retry-After"] == str(FULL_RETRY_AFTER)
        assert answer.headers["Connection"] == "close"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert [health(connection).status for connection in served] == [200] * FEW


def test_where_one_leaves_there_is_room_for_another(small: int) -> None:
    with ExitStack() as stack:
        served = connections(small, stack, FEW)
        assert [health(connection).status for connection in served] == [200] * FEW
        served[0].close()
        deadline = time.monotonic() + PATIENCE
        while health(connections(small, stack, 1)[0]).status != 200:
            assert time.monotonic() < deadline, "There never was room."


def test_more_connections_than_can_be_told_off_are_hung_up_on(small: int) -> None:
    with ExitStack() as stack:
        connections(small, stack, FEW + TOLD_OFF - 1)
        last, surplus = connections(small, stack, 2)

        assert health(last).status == 503
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            health(surplus)


@pytest.mark.parametrize("files", [600, 1 << 20])
def test_it_serves_as_many_connections_as_the_system_lets_it_have_files(
    monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, files))
    monkeypatch.setattr(resource, "setrlimit", lambda _what, limits: raised.append(limits))

    room = room_for(MOST_CONNECTIONS)

    others = TOLD_OFF + OTHER_FILES
    assert room == min(MOST_CONNECTIONS, files - others)
    assert raised == [(room + others, files)]


# Stopping


def test_whoever_waits_is_answered_when_the_center_stops(tmp_path: Path, held: queue.SimpleQueue[Watch]) -> None:
    center = Center.open(tmp_path / "center.db")
    key = center.create_key(Role.USER)
    server = CenterServer(center)
    with server:
        transport = HttpTransport(server.url, key)
        asked = transport.send(Submit(an_action(), "k", "nonce-one", PATIENCE))
        waiting = Await(asked.action_id, hold=60, timeout=90)
        with in_thread(lambda: transport.send(waiting)) as answers:
            held.get(timeout=PATIENCE)
            server.__exit__(None, None, None)
            answer = answers.get(timeout=PATIENCE)
    transport.close()
    center.close()

    assert not isinstance(answer, BaseException)
    assert answer.status is Status.PENDING


@pytest.fixture
def process(tmp_path: Path) -> Iterator[CenterProcess]:
    with center_process(tmp_path / "center.db") as process:
        yield process


def test_sigterm_answers_whoever_waits_and_ends_with_success(process: CenterProcess) -> None:
    key = process.key("user")
    waiting = http.client.HTTPConnection("127.0.0.1", process.port, timeout=PATIENCE)
    with Api(process.url, key) as agent, closing(waiting):
        path, headers = f"/api/v1/actions/{agent.submit()['id']}/status", {"Authorization": f"Bearer {key}"}
        waiting.request("GET", path, headers=headers)
        waiting.getresponse().read()
        waiting.request("GET", path, headers={**headers, "Prefer": "wait=60"})
        agent.get("/health")  # what was sent before this is read before this is answered

        code = process.terminate()

        answer = waiting.getresponse()
        assert (answer.status, json.load(answer)["status"]) == (200, "pending_approval")
    assert code == 0


def test_what_was_answered_is_there_after_a_sudden_death(process: CenterProcess) -> None:
    with Api(process.url, process.key("user")) as agent:
        ids = [agent.submit()["id"] for _ in range(5)]
        process.kill()
        address = process.url
        process.start()
        assert process.url == address
        assert [action["id"] for action in agent.get("/api/v1/actions").json()] == ids[::-1]


def test_the_greeting_says_where_it_is_and_that_nobody_can_approve_yet(tmp_path: Path) -> None:
    with center_process(tmp_path / "center.db") as process:
        first, inbox, database = process.greeting
        assert process.url in first
        assert process.url in inbox
        assert str(process.database) in database


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 1)], ids=["SIGTERM", "Ctrl-C"])
def test_a_center_without_anything_to_do_stops_at_once_and_closes_its_database(
    process: CenterProcess, how: signal.Signals, code: int
) -> None:
    assert process.end(how) == code
    assert sorted(file.name for file in Path(process.database).parent.iterdir()) == ["center.db", "center.db.key"]


def test_garbage_is_looked_for_seldom_while_it_serves_and_as_before_afterwards(center: Center) -> None:
    before, server = gc.get_threshold(), CenterServer(center)
    thread = threading.Thread(target=server.serve)
    thread.start()
    assert server._server.started_event.wait(30)

    meanwhile, frozen = gc.get_threshold(), gc.get_freeze_count()
    server._server.should_exit = True
    thread.join(30)

    assert meanwhile == (COLLECT_AFTER, *before[1:])
    assert frozen > 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_beside_other_work_in_its_process_it_leaves_the_garbage_collector_alone(running: Running) -> None:
    assert Api(running.url).get("/health").status_code == 200
    assert gc.get_threshold()[0] < COLLECT_AFTER
    assert gc.get_freeze_count() == 0
