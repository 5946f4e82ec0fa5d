"""The HTTP transports against a real server on this machine.

What holds for the sync one must hold for the async one, and for the async one that has no `httpx2`.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json
import os
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme
from tests.helpers import an_action
from tests.transports.peers import Exchange, Reply, running, says

from clearance import AuthorizationUnavailable, ConfigurationError, Decision, Outcome, Status, __version__
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.transports import AsyncHttpTransport, AsyncTransport, HttpTransport, Transport
from clearance.transports.origin import Origin, is_loopback
from clearance.wire import asking
from clearance.wire.vocabulary import MAX_ANSWER

KEY = "owkai_user_hunter2"
PATIENCE = 30.0
"""Seconds that no exchange here ever takes; only a broken one would."""
SOON = 0.3
"""Seconds after which an exchange that can never end is given up."""

SUBMIT = Submit(an_action(), "our-key", "our-nonce", PATIENCE)
AWAIT = Await("7", 0.0, PATIENCE)
CLAIM = Claim("7", "the-digest", "our-nonce", PATIENCE)
REPORT = Report("7", "our-nonce", Outcome(Status.COMPLETED), PATIENCE)
WITHDRAW = Withdraw("7", "undecided", PATIENCE)
COMMANDS: list[Command] = [SUBMIT, AWAIT, CLAIM, REPORT, WITHDRAW]

APPROVED = {"action_id": 7, "status": "approved"}


class Carry(Protocol):
    """Carries commands, one after the other, over one transport that is made for it and closed afterwards."""

    def __call__(self, url: str, *commands: Command, ca_bundle: str | None = None) -> list[Decision]: ...


def carry_sync(url: str, *commands: Command, ca_bundle: str | None = None) -> list[Decision]:
    with HttpTransport(url, KEY, ca_bundle=ca_bundle) as transport:
        return [transport.send(command) for command in commands]


def carry_async(url: str, *commands: Command, ca_bundle: str | None = None) -> list[Decision]:
    async def main() -> list[Decision]:
        async with AsyncHttpTransport(url, KEY, ca_bundle=ca_bundle) as transport:
            return [await transport.asend(command) for command in commands]

    return asyncio.run(main())


@contextmanager
def without_httpx2() -> Iterator[None]:
    """As if it were not installed."""
    find_spec = importlib.util.find_spec
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None if name == "httpx2" else find_spec(name))
        yield


def carry_in_threads(url: str, *commands: Command, ca_bundle: str | None = None) -> list[Decision]:
    with without_httpx2():
        return carry_async(url, *commands, ca_bundle=ca_bundle)


@pytest.fixture(params=[carry_sync, carry_async, carry_in_threads], ids=["sync", "async", "async without httpx2"])
def carry(request: pytest.FixtureRequest) -> Carry:
    carrier: Carry = request.param
    return carrier


@pytest.fixture(params=[False, True], ids=["httpx2", "threads"])
def async_transport(request: pytest.FixtureRequest) -> Callable[[str], AsyncHttpTransport]:
    """Makes the async transport of each kind."""

    def make(url: str) -> AsyncHttpTransport:
        if not request.param:
            return AsyncHttpTransport(url, KEY)
        with without_httpx2():
            return AsyncHttpTransport(url, KEY)

    return make


def refused(carry: Carry, url: str, command: Command = AWAIT, ca_bundle: str | None = None) -> AuthorizationUnavailable:
    """Why an exchange gave no answer; the key is never a part of it, nor of its causes."""
    with pytest.raises(AuthorizationUnavailable) as error:
        carry(url, command, ca_bundle=ca_bundle)
    assert KEY not in "".join(traceback.format_exception(error.value))
    return error.value


# ---------------------------------------------------------------------------------------------------------------------
# What is sent
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_every_command_arrives_as_the_wire_spells_it_with_the_key_and_nothing_of_the_surroundings(
    carry: Carry, command: Command
) -> None:
    with running(says(APPROVED)) as peer:
        assert carry(peer.url, command) == [Decision("7", Status.APPROVED)]

    request, (seen,) = asking.request(command), peer.seen
    assert (seen.method, seen.path, seen.body) == (request.method, request.path, request.body or b"")
    ours = {
        "authorization": f"Bearer {KEY}",
        "user-agent": f"Clearance/{__version__} Python",
        "accept": "application/json",
        "accept-encoding": "identity",
        **{name.lower(): value for name, value in request.headers.items()},
    }
    assert ours.items() <= seen.headers.items()
    assert set(seen.headers) - set(ours) <= {"host", "connection", "content-length"}


def test_an_address_may_have_a_path(carry: Carry) -> None:
    with running(says(APPROVED)) as peer:
        carry(f"{peer.url}/clearance/", AWAIT)

    assert peer.seen[0].path == "/clearance/api/v1/actions/7/status"


def test_exchanges_share_a_connection(carry: Carry) -> None:
    with running(says(APPROVED)) as peer:
        carry(peer.url, *[AWAIT] * 5)

    assert (len(peer.seen), len(peer.connections)) == (5, 1)


def test_cookies_are_not_kept(carry: Carry) -> None:
    with running(says(APPROVED, headers={"Set-Cookie": "session=1; Path=/"})) as peer:
        carry(peer.url, AWAIT, AWAIT)

    assert [seen.headers.get("cookie") for seen in peer.seen] == [None, None]


def test_proxies_and_netrc_of_the_surroundings_are_not_used(
    carry: Carry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login mallory password hunter3\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with running(says(APPROVED)) as peer, running(says(APPROVED)) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        carry(peer.url, AWAIT)

    assert proxy.seen == []
    assert peer.seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("command", [SUBMIT, AWAIT], ids=["submit", "await"])
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(carry: Carry, command: Command, status: int) -> None:
    with running(says(APPROVED)) as elsewhere:
        location = f"{elsewhere.url}/api/v1/actions/7/status"
        with running(says(APPROVED, status, {"Location": location})) as peer:
            error = refused(carry, peer.url, command)

    assert (error.reason_code, error.transient) == ("redirect", False)
    assert (len(peer.seen), len(elsewhere.seen)) == (1, 0)


# ---------------------------------------------------------------------------------------------------------------------
# What comes back
# ---------------------------------------------------------------------------------------------------------------------


def test_the_servers_headers_are_read_whatever_their_case(carry: Carry) -> None:
    with running(says(APPROVED, headers={"rEtRy-AfTeR": "7"})) as peer:
        assert carry(peer.url, AWAIT)[0].retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "reason_code", "transient"),
    [(401, "bad_key", False), (429, "rate_limited", True), (503, "server_error", True)],
)
def test_an_error_status_is_told_as_the_wire_tells_it(
    carry: Carry, status: int, reason_code: str, transient: bool
) -> None:
    with running(says({"detail": "because"}, status)) as peer:
        error = refused(carry, peer.url)

    assert (error.reason_code, error.transient) == (reason_code, transient)
    assert "'because'" in error.happened


def test_a_transport_never_tries_again_on_its_own(carry: Carry) -> None:
    with running(says({}, 503, {"Retry-After": "0"})) as peer:
        refused(carry, peer.url, SUBMIT)

    assert len(peer.seen) == 1


def padded(size: int) -> bytes:
    """An approval of exactly this many bytes."""
    head = json.dumps(APPROVED)[:-1].encode() + b', "padding": "'
    return head + b"x" * (size - len(head) - 2) + b'"}'


def chunked(body: bytes) -> Reply:
    """The body in one chunk, whose length nobody says beforehand."""

    def reply(exchange: Exchange) -> None:
        exchange.start(200, {"Transfer-Encoding": "chunked"})
        exchange.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    return reply


@pytest.mark.parametrize("manner", [says, chunked], ids=["with a length", "in chunks"])
def test_an_answer_is_read_to_the_limit_and_refused_past_it(carry: Carry, manner: Callable[[bytes], Reply]) -> None:
    with running(manner(padded(MAX_ANSWER))) as peer:
        assert carry(peer.url, AWAIT) == [Decision("7", Status.APPROVED)]
    with running(manner(padded(MAX_ANSWER + 1))) as peer:
        error = refused(carry, peer.url)

    assert (error.reason_code, error.transient) == ("bad_answer", False)
    assert "longer than 262,144 bytes" in error.happened


def test_an_answer_without_end_is_not_waited_for(carry: Carry) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.start(200, {"Connection": "close"})
        while not exchange.peer.over.is_set():
            exchange.write(b" " * 16_384)

    with running(endless) as peer:
        assert refused(carry, peer.url).reason_code == "bad_answer"


def test_a_compressed_answer_is_not_unpacked(carry: Carry) -> None:
    bomb = gzip.compress(json.dumps(APPROVED).encode())
    with running(says(bomb, headers={"Content-Encoding": "gzip"})) as peer:
        assert refused(carry, peer.url).reason_code == "bad_answer"


def drip(exchange: Exchange) -> None:
    """A good answer that never stands still, and takes ten seconds and more."""
    body = padded(1_000)
    exchange.start(200, {"Content-Length": str(len(body))})
    for byte in body:
        if exchange.peer.over.wait(0.01):
            return
        exchange.write(bytes([byte]))


def stall(exchange: Exchange) -> None:
    """The beginning of a good answer."""
    exchange.start(200, {"Content-Length": "1000"})
    exchange.write(b'{"action_id": 7,')
    exchange.peer.over.wait(10.0)
    exchange.hang_up()


def silence(exchange: Exchange) -> None:
    """No answer."""
    exchange.peer.over.wait(10.0)
    exchange.hang_up()


@pytest.mark.parametrize("reply", [drip, stall, silence])
def test_an_answer_that_is_not_whole_in_time_is_given_up(carry: Carry, reply: Reply) -> None:
    with running(reply) as peer:
        error = refused(carry, peer.url, Await("7", 0.0, timeout=SOON))

    assert (error.reason_code, error.transient) == ("timeout", True)


def cut_off(exchange: Exchange) -> None:
    exchange.start(200, {"Content-Length": "1000", "Connection": "close"})
    exchange.write(json.dumps(APPROVED).encode())


def hang_up(exchange: Exchange) -> None:
    exchange.write(b"")


def babble(exchange: Exchange) -> None:
    exchange.write(b"220 mail.example ESMTP ready\r\n")


@pytest.mark.parametrize("reply", [cut_off, hang_up, babble])
def test_an_answer_that_breaks_off_or_is_none_is_a_fault_that_may_pass(carry: Carry, reply: Reply) -> None:
    def once(exchange: Exchange) -> None:
        reply(exchange)
        exchange.hang_up()

    with running(once) as peer:
        error = refused(carry, peer.url)

    assert (error.reason_code, error.transient) == ("unreachable", True)


def test_a_server_that_is_not_there_is_a_fault_that_may_pass(carry: Carry) -> None:
    with running(says(APPROVED)) as peer:
        pass

    error = refused(carry, peer.url)

    assert (error.reason_code, error.transient) == ("unreachable", True)
    assert "(ConnectionRefusedError: " in error.happened


def test_a_host_that_nobody_knows_is_a_fault_that_may_pass(carry: Carry, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    error = refused(carry, "https://center.invalid")

    assert (error.reason_code, error.transient) == ("unreachable", True)


# ---------------------------------------------------------------------------------------------------------------------
# TLS
# ---------------------------------------------------------------------------------------------------------------------


class Authority:
    """A private certificate authority, and the servers that it vouches for."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.bundle = str(directory / "ca.pem")
        self._authority.cert_pem.write_to_path(self.bundle)

    def server(self, *names: str, **options: Any) -> ssl.SSLContext:
        """The context of a server with a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names, **options).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"))


def test_a_server_that_a_private_authority_vouches_for_is_believed(carry: Carry, authority: Authority) -> None:
    with running(says(APPROVED), tls=authority.server("127.0.0.1")) as peer:
        assert carry(peer.url, AWAIT, ca_bundle=authority.bundle) == [Decision("7", Status.APPROVED)]


def untrusted(carry: Carry, tls: ssl.SSLContext, ca_bundle: str | None) -> AuthorizationUnavailable:
    with running(says(APPROVED), tls=tls) as peer:
        error = refused(carry, peer.url, SUBMIT, ca_bundle)
    assert peer.seen == []
    assert (error.reason_code, error.transient) == ("tls", False)
    assert "OWKAI_CA_BUNDLE" in error.next_step
    return error


def test_a_server_that_an_unknown_authority_vouches_for_gets_nothing(
    carry: Carry, authority: Authority, stranger: Authority
) -> None:
    error = untrusted(carry, stranger.server("127.0.0.1"), authority.bundle)

    assert "unable to get local issuer certificate" in error.happened


def test_the_authorities_of_the_surroundings_are_not_trusted(
    carry: Carry, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, stranger.bundle)

    untrusted(carry, stranger.server("127.0.0.1"), None)


def test_a_server_with_a_certificate_for_another_host_gets_nothing(carry: Carry, authority: Authority) -> None:
    error = untrusted(carry, authority.server("center.example"), authority.bundle)

    assert "IP address mismatch" in error.happened


def test_a_server_with_an_expired_certificate_gets_nothing(carry: Carry, authority: Authority) -> None:
    then = datetime(2021, 1, 1, tzinfo=UTC)
    expired = authority.server("127.0.0.1", not_before=then - timedelta(days=1), not_after=then)

    assert "certificate has expired" in untrusted(carry, expired, authority.bundle).happened


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_a_server_that_speaks_only_old_tls_gets_nothing(carry: Carry, authority: Authority) -> None:
    old = authority.server("127.0.0.1")
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    untrusted(carry, old, authority.bundle)


def test_a_plain_server_where_tls_was_expected_gets_nothing(carry: Carry, authority: Authority) -> None:
    with running(says(APPROVED)) as peer:
        error = refused(carry, peer.url.replace("http:", "https:"), ca_bundle=authority.bundle)

    assert error.reason_code == "tls"
    assert peer.seen == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "nonsense"])
def test_a_ca_bundle_that_cannot_be_read_is_a_configuration_error(
    carry: Carry, tmp_path: Path, content: bytes | None
) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"CA bundle .* cannot be read"):
        carry("https://127.0.0.1:1", AWAIT, ca_bundle=str(bundle))


# ---------------------------------------------------------------------------------------------------------------------
# The address and the key
# ---------------------------------------------------------------------------------------------------------------------

kinds = pytest.mark.parametrize("kind", [HttpTransport, AsyncHttpTransport])


@kinds
@pytest.mark.parametrize(
    "url",
    [
        "http://center.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "HTTP://center.example",
    ],
)
def test_plain_http_to_another_machine_is_refused(kind: type, url: str) -> None:
    with pytest.raises(ConfigurationError, match="would send the API key over the network in clear"):
        kind(url, KEY)


@kinds
@pytest.mark.parametrize(
    "url",
    [
        "",
        "center.example",
        "//center.example",
        "ftp://center.example",
        "file:///etc/passwd",
        "https://",
        "https://:443",
        "https://center.example:port",
        "https://center.example:99999",
        "https://[::1",
        "https://ann@center.example",
        "https://ann:pw@center.example",
        "https://:pw@center.example",
        "http://127.0.0.1@center.example",
        "https://center.example?x=1",
        "https://center.example#x",
    ],
)
def test_what_is_no_plain_address_is_refused(kind: type, url: str) -> None:
    with pytest.raises(ConfigurationError, match="not a plain http"):
        kind(url, KEY)


@kinds
@pytest.mark.parametrize(
    "url",
    [
        "https://center.example",
        "https://center.example:8443/base",
        "http://localhost:8000",
        "http://127.0.0.1",
        "http://127.8.8.8",
        "http://[::1]:8000",
    ],
)
def test_https_anywhere_and_http_on_this_machine_are_accepted(kind: type, url: str) -> None:
    assert repr(kind(f"{url}/", KEY)) == f"{kind.__name__}('{url}')"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("127.1", False), ("", False), ("10.0.0.1", False)],
)
def test_this_machine_is_known_by_its_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@kinds
@pytest.mark.parametrize("key", ["a b", "a\n", "a\r\nX-Admin: 1", "schlüssel", "a\0"])
def test_a_key_with_characters_that_no_key_has_is_refused_without_repeating_it(kind: type, key: str) -> None:
    with pytest.raises(ConfigurationError, match="characters that no key has") as refusal:
        kind("https://center.example", key)

    assert key not in str(refusal.value)


@pytest.mark.parametrize("thing", [HttpTransport, AsyncHttpTransport, Origin])
def test_the_key_does_not_appear_when_a_transport_is_printed(thing: type) -> None:
    assert KEY not in repr(thing("https://center.example", KEY))


def test_secrets_are_keyed_by_the_api_key_but_not_with_it() -> None:
    sync, again = HttpTransport("https://one.example", KEY), AsyncHttpTransport("https://two.example", KEY)
    other = HttpTransport("https://one.example", KEY + "x")

    assert sync.binding_key == again.binding_key != other.binding_key
    assert KEY.encode() not in sync.binding_key


def test_both_are_transports() -> None:
    assert isinstance(HttpTransport("https://center.example", KEY), Transport)
    assert isinstance(AsyncHttpTransport("https://center.example", KEY), AsyncTransport)


# ---------------------------------------------------------------------------------------------------------------------
# Many at once
# ---------------------------------------------------------------------------------------------------------------------


def echo(exchange: Exchange) -> None:
    """Approves whatever action is asked about."""
    exchange.say({"action_id": int(exchange.seen.path.split("/")[4]), "status": "approved"})


def test_threads_may_share_a_transport_and_each_gets_its_own_answer() -> None:
    with running(echo) as peer, HttpTransport(peer.url, KEY) as transport, ThreadPoolExecutor(16) as threads:
        decisions = list(threads.map(lambda n: transport.send(Await(str(n), 0.0, PATIENCE)), range(100)))

    assert [decision.action_id for decision in decisions] == [str(n) for n in range(100)]


def test_coroutines_may_share_a_transport_and_each_gets_its_own_answer(
    async_transport: Callable[[str], AsyncHttpTransport],
) -> None:
    async def main(url: str) -> list[Decision]:
        async with async_transport(url) as transport:
            return await asyncio.gather(*(transport.asend(Await(str(n), 0.0, PATIENCE)) for n in range(50)))

    with running(echo) as peer:
        decisions = asyncio.run(main(peer.url))

    assert [decision.action_id for decision in decisions] == [str(n) for n in range(50)]


def test_one_async_transport_serves_one_loop_after_the_other(
    async_transport: Callable[[str], AsyncHttpTransport],
) -> None:
    async def main(transport: AsyncHttpTransport) -> Decision:
        async with transport:
            return await transport.asend(AWAIT)

    with running(says(APPROVED)) as peer:
        transport = async_transport(peer.url)
        assert [asyncio.run(main(transport)) for _ in range(2)] == [Decision("7", Status.APPROVED)] * 2


def test_a_closed_sync_transport_opens_again_when_it_is_needed() -> None:
    with running(says(APPROVED)) as peer, HttpTransport(peer.url, KEY) as transport:
        transport.send(AWAIT)
        transport.close()
        transport.send(AWAIT)

    assert len(peer.connections) == 2


def test_a_forked_child_does_not_use_its_parents_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(says(APPROVED)) as peer, HttpTransport(peer.url, KEY) as transport:
        transport.send(AWAIT)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        transport.send(AWAIT)

    assert len(peer.connections) == 2


def test_the_loop_goes_on_while_an_answer_is_awaited(async_transport: Callable[[str], AsyncHttpTransport]) -> None:
    arrived, released = threading.Event(), threading.Event()

    def when_released(exchange: Exchange) -> None:
        arrived.set()
        released.wait(PATIENCE)
        exchange.say(APPROVED)

    async def release() -> None:
        while not arrived.is_set():
            await asyncio.sleep(0.001)
        released.set()

    async def main(url: str) -> Decision:
        async with async_transport(url) as transport:
            decision, _ = await asyncio.gather(transport.asend(AWAIT), release())
            return decision

    with running(when_released) as peer:
        assert asyncio.run(main(peer.url)).status is Status.APPROVED


def test_a_cancelled_exchange_ends_at_once(async_transport: Callable[[str], AsyncHttpTransport]) -> None:
    arrived, released = threading.Event(), threading.Event()

    def hold(exchange: Exchange) -> None:
        arrived.set()
        released.wait(PATIENCE)

    async def main(url: str) -> bool:
        async with async_transport(url) as transport:
            task = asyncio.create_task(transport.asend(AWAIT))
            while not arrived.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            unanswered = not released.is_set()
            released.set()
            return unanswered

    with running(hold) as peer:
        assert asyncio.run(main(peer.url))


@pytest.mark.parametrize(("installed", "asked_to_hold"), [(True, "wait=20"), (False, None)], ids=["httpx2", "threads"])
def test_no_thread_is_parked_for_as_long_as_a_person_thinks(installed: bool, asked_to_hold: str | None) -> None:
    with running(says(APPROVED)) as peer:
        (carry_async if installed else carry_in_threads)(peer.url, Await("7", hold=20.0, timeout=PATIENCE))

    assert peer.seen[0].headers.get("prefer") == asked_to_hold
