"""What nobody should send to a Center, over raw sockets: each limit on both sides of it, and what every refusal has."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from starlette.routing import Route
from tests.servers import PATIENCE, Api, Running, a_submit, running_center

from clearance.center import app
from clearance.center.connections import Patience
from clearance.center.inbox import pages
from clearance.center.limits import MAX_HEAD, MAX_TARGET, SECURITY_HEADERS
from clearance.wire.vocabulary import MAX_BODY, MAX_KEYS

SUBMIT = "/api/v1/actions/submit"
SHORT = Patience(head=0.4, body=0.4)
"""For tests in which the Center loses it."""
ROUTES = [(method, route.path) for route in app.API_ROUTES for method in sorted((route.methods or set()) - {"HEAD"})]


PAGES = [
    (method, route.path)
    for route in pages.ROUTES
    if isinstance(route, Route) and not route.path.startswith("/static/")  # these may be kept by browsers
    for method in sorted((route.methods or set()) - {"HEAD"})
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Center as it is by default; these tests are refused by it, or only look."""
    with running_center(tmp_path_factory.mktemp("hostile") / "center.db") as running:
        yield running


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Running]:
    """A Center with little patience."""
    with running_center(tmp_path / "center.db", patience=SHORT) as running:
        yield running


def connection(running: Running) -> socket.socket:
    """A connection to it."""
    where = urlsplit(running.url)
    return socket.create_connection((where.hostname, where.port or 0), timeout=PATIENCE)


def whatever_comes(link: socket.socket) -> bytes:
    """All that the Center says until it closes the connection."""
    received = bytearray()
    try:
        while chunk := link.recv(65_536):
            received += chunk
    except ConnectionResetError:  # it hung up while we were still talking
        pass
    return bytes(received)


def exchange(running: Running, request: bytes) -> bytes:
    """Send exactly these bytes, and read until the Center closes the connection."""
    with closing(connection(running)) as link:
        with suppress(BrokenPipeError, ConnectionResetError):
            link.sendall(request)
        return whatever_comes(link)


def head(running: Running, *headers: str, method: str = "POST", path: str = SUBMIT) -> bytes:
    """The head of a request with the agent's key; ``Connection: close``, so that the answer is all that comes."""
    own = [f"Host: {urlsplit(running.url).netloc}", f"Authorization: Bearer {running.user_key}", "Connection: close"]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *own, *headers, "", ""]).encode()


def kept(request: bytes) -> bytes:
    """The same request on a connection that is to be kept."""
    return request.replace(b"Connection: close\r\n", b"")


def status_of(answer: bytes) -> int:
    """The status of the first answer in it; 0 if there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def assert_refused(answer: bytes, *statuses: int) -> None:
    """One whole refusal: its status, its sentence, and the headers that every answer has."""
    assert status_of(answer) in statuses, answer[:200]
    top, _, body = answer.partition(b"\r\n\r\n")
    assert isinstance(json.loads(body)["detail"], str)
    for name, value in SECURITY_HEADERS:
        assert name + b": " + value in top, name


def stored(running: Running) -> int:
    """How many actions there are."""
    return len(running.records())


# The body


def body_of(size: int) -> bytes:
    """A submit of that many bytes."""
    empty = json.dumps(a_submit(action_details={"text": ""}))
    body = empty.replace('""', '"' + "x" * (size - len(empty)) + '"').encode()
    assert len(body) == size
    return body


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY - 1, 200), (MAX_BODY, 200), (MAX_BODY + 1, 413)])
@pytest.mark.parametrize("chunk", [None, 1_000, 65_536], ids=["whole", "small chunks", "large chunks"])
def test_a_body_may_have_a_mebibyte_and_not_one_byte_more(
    running: Running, size: int, status: int, chunk: int | None
) -> None:
    body, before = body_of(size), stored(running)
    if chunk is None:
        request = head(running, f"Content-Length: {size}") + body
    else:
        parts = (body[start : start + chunk] for start in range(0, size, chunk))
        chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        request = head(running, "Transfer-Encoding: chunked") + chunked + b"0\r\n\r\n"

    answer = exchange(running, request)

    if status == 200:
        assert status_of(answer) == 200
        assert stored(running) == before + 1
    else:
        # Who is still sending when the Center hangs up may lose the answer; it is not read on in any case.
        assert status_of(answer) in (413, 0)
        assert stored(running) == before


LYING: dict[str, tuple[list[str], bytes]] = {
    "a chunk that says it is no number": (["Transfer-Encoding: chunked"], b"zz\r\nabc\r\n0\r\n\r\n"),
    "a chunk of negative size": (["Transfer-Encoding: chunked"], b"-3\r\nabc\r\n0\r\n\r\n"),
    "a chunk beyond all bounds": (["Transfer-Encoding: chunked"], b"ffffffffffffffffff\r\nabc\r\n"),
    "a chunk that is longer than it says": (["Transfer-Encoding: chunked"], b"2\r\nabcdef\r\n0\r\n\r\n"),
    "two lengths": (["Content-Length: 2", "Content-Length: 3"], b"{} "),
    "the same length twice": (["Content-Length: 2", "Content-Length: 2"], b"{}"),
    "a length and chunks": (["Content-Length: 2", "Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
    "a negative length": (["Content-Length: -2"], b"{}"),
    "a length with a sign": (["Content-Length: +2"], b"{}"),
    "a length in hexadecimal": (["Content-Length: 0x2"], b"{}"),
    "two numbers for a length": (["Content-Length: 2 2"], b"{}"),
    "an unknown coding": (["Transfer-Encoding: gzip"], b"{}"),
    "chunked twice": (["Transfer-Encoding: chunked, chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize(("headers", "body"), LYING.values(), ids=LYING)
def test_a_body_that_lies_about_its_length_is_refused_and_keeps_nothing(
    running: Running, headers: list[str], body: bytes
) -> None:
    before = stored(running)

    answer = exchange(running, head(running, *headers) + body)

    assert 400 <= status_of(answer) < 500, answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert stored(running) == before


def test_what_follows_a_body_that_is_longer_than_it_says_is_no_part_of_it(running: Running) -> None:
    body = json.dumps(a_submit()).encode()
    before = stored(running)
    request = kept(head(running, f"Content-Length: {len(body)}")) + body

    answer = exchange(running, request + b"}}}}")

    assert status_of(answer) == 200
    assert stored(running) == before + 1


def test_a_client_that_hangs_up_in_its_body_has_asked_for_nothing(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    before = stored(running)
    with closing(connection(running)) as link:
        link.sendall(head(running, "Content-Length: 1000") + b'{"agent_id":')
        link.shutdown(socket.SHUT_WR)
        whatever_comes(link)

    assert stored(running) == before
    assert "Traceback" not in caplog.text


def test_a_body_that_is_packed_is_not_unpacked(running: Running) -> None:
    import gzip

    body = gzip.compress(json.dumps(a_submit()).encode())
    before = stored(running)

    answer = exchange(running, head(running, f"Content-Length: {len(body)}", "Content-Encoding: gzip") + body)

    assert_refused(answer, 415, 422)
    assert stored(running) == before


def keys_in(count: int) -> str:
    """A submit with that many keys in all."""
    fields: dict[str, Any] = a_submit(action_details={})
    fields["action_details"] = {"inner": {str(number): 0 for number in range(count - len(fields) - 1)}}
    return json.dumps(fields)


@pytest.mark.parametrize(("count", "status"), [(MAX_KEYS, 200), (MAX_KEYS + 1, 422)])
def test_a_body_may_have_ten_thousand_keys(agent: Api, count: int, status: int) -> None:
    answer = agent.call("POST", SUBMIT, data=keys_in(count))

    assert answer.status_code == status
    if status == 422:
        assert "10,000 keys" in answer.json()["detail"]


@pytest.mark.parametrize(("depth", "status"), [(32, 200), (33, 422)])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")], ids=["objects", "lists"])
def test_a_body_may_be_nested_thirty_two_levels_deep(
    agent: Api, depth: int, status: int, opening: str, closing: str
) -> None:
    nested = opening * (depth - 2) + "1" + closing * (depth - 2)
    body = '{"agent_id":"a","action_type":"x.y","action_details":{"a":' + nested + "}}"

    assert agent.call("POST", SUBMIT, data=body).status_code == status


# Its type


@pytest.mark.parametrize(
    ("content_type", "path", "status"),
    [
        ("application/json", SUBMIT, 200),
        ("application/json; charset=utf-8", SUBMIT, 200),
        ("APPLICATION/JSON", SUBMIT, 200),
        (None, SUBMIT, 200),
        ("multipart/form-data; boundary=x", SUBMIT, 415),
        ("multipart/mixed", SUBMIT, 415),
        ("application/x-www-form-urlencoded", SUBMIT, 415),
        ("text/plain", SUBMIT, 415),
        ("application/xml", SUBMIT, 415),
        ("application/json5", SUBMIT, 415),
        ("application/x-msgpack", SUBMIT, 415),
        ("multipart/form-data; boundary=x", "/sign-in", 415),
        ("text/plain", "/sign-in", 415),
        ("application/json", "/sign-in", 422),
    ],
)
def test_only_json_is_read_and_from_pages_only_plain_forms(
    running: Running, agent: Api, content_type: str | None, path: str, status: int
) -> None:
    before = stored(running)
    headers = {"Content-Type": content_type} if content_type else {}

    answer = agent.call("POST", path, data=json.dumps(a_submit()), headers=headers)

    assert answer.status_code == status
    assert stored(running) == before + (status == 200)


# The head


def padded(running: Running, size: int) -> bytes:
    """A request for /health whose path, query and headers have that many bytes."""
    host = urlsplit(running.url).netloc
    fixed = len("/health") + len("host") + len(host) + len("connection") + len("close") + len("x-pad")
    pad = "p" * (size - fixed)
    return f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Pad: {pad}\r\n\r\n".encode()


@pytest.mark.parametrize(("size", "status"), [(MAX_HEAD - 1, 200), (MAX_HEAD, 200), (MAX_HEAD + 1, 431)])
def test_a_head_may_have_sixteen_kibibytes(running: Running, size: int, status: int) -> None:
    answer = exchange(running, padded(running, size))

    assert status_of(answer) == status
    if status == 431:
        assert_refused(answer, 431)


@pytest.mark.parametrize(("size", "status"), [(MAX_TARGET, 200), (MAX_TARGET + 1, 414)])
def test_an_address_may_have_eight_kibibytes(agent: Api, size: int, status: int) -> None:
    path = "/health?" + "q" * (size - len("/health"))

    assert agent.call("GET", path).status_code == status


ENDLESS = {
    "a header": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Endless: " + b"x" * 2_000_000,
    "a name": b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"x" * 2_000_000,
    "many headers": b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 300_000,
    "an address": b"GET /" + b"x" * 2_000_000,
    "a method": b"X" * 2_000_000,
}


@pytest.mark.parametrize("request_", ENDLESS.values(), ids=ENDLESS)
def test_a_head_that_does_not_end_is_not_read_to_its_end(running: Running, request_: bytes) -> None:
    """None of these is ever complete: without the limit the Center would wait for the rest until its patience ends."""
    assert status_of(exchange(running, request_)) in (400, 414, 431, 0)
    with Api(running.url) as other:
        assert other.get("/health").status_code == 200


NO_HTTP = {
    "noise": b"\x00\xff\x00\xff" * 50,
    "a TLS greeting": bytes.fromhex("16030100a5010000a10303") + b"\x00" * 160,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "half a method": b"GE\r\n\r\n",
    "a space before the colon": b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "a folded header": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "a null in a header": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    "a path that is no text": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no path": b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a tunnel": b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("request_", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused_as_everything_else_is(running: Running, request_: bytes) -> None:
    assert_refused(exchange(running, request_), 400, 404, 405, 421)


def test_no_connection_becomes_anything_but_http(running: Running) -> None:
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    request = head(running, *upgrade, method="GET", path="/health").replace(b"close", b"Upgrade")

    with closing(connection(running)) as link:
        link.sendall(request)
        answer = link.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 200")


# Host and origin


def with_host(running: Running, *hosts: str, target: str = "/health") -> bytes:
    """A request with these Host headers."""
    lines = [f"GET {target} HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example",
        "evil.localhost",
        "localhost:{port}:evil",
        "localhost:{port}@evil.example",
        "localhost@evil.example",
        "localhost/evil",
        "localhost:80a",
        "localhost:999999",
        "localhost#x",
        "[::1].evil.example",
        "[::1]x:80",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0:{port}",
        "localhost, evil.example",
        "ſocalhost",
        "",
    ],
)
def test_a_name_that_only_leads_here_is_not_answered_to(running: Running, host: str) -> None:
    """DNS rebinding: a stranger's name that points to this address, so that its page shares our origin."""
    port = urlsplit(running.url).port

    assert_refused(exchange(running, with_host(running, host.format(port=port).encode().decode("latin-1"))), 421)


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]], ids=str)
def test_a_request_has_one_host(running: Running, hosts: list[str]) -> None:
    assert_refused(exchange(running, with_host(running, *hosts)), 400, 421)


def test_a_host_in_the_address_does_not_stand_in_for_the_header(running: Running) -> None:
    assert_refused(exchange(running, with_host(running, "evil.example", target="http://localhost/health")), 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:{port}", "[::1]:8420"])
def test_the_names_of_this_machine_are_answered_to(running: Running, host: str) -> None:
    answer = exchange(running, with_host(running, host.format(port=urlsplit(running.url).port)))

    assert status_of(answer) == 200


STRANGE_ORIGINS = [
    "https://evil.example",
    "null",
    "http://localhost",
    "http://localhost:1",
    "http://127.0.0.1",
    "file://",
    "http://{netloc}.evil.example",
    "http://evil.example/{netloc}",
    "http://{netloc}@evil.example",
    "ftp://{netloc}",
    "{netloc}",
    "http://[",
    "",
]


@pytest.mark.parametrize("origin", STRANGE_ORIGINS)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", SUBMIT), ("GET", "/api/v1/actions"), ("OPTIONS", SUBMIT), ("POST", "/sign-in")]
)
def test_another_sites_page_asks_for_nothing_here_even_with_a_key(
    running: Running, agent: Api, origin: str, method: str, path: str
) -> None:
    before = stored(running)
    headers = {"Origin": origin.format(netloc=urlsplit(running.url).netloc)}
    if path == "/sign-in":
        headers["Content-Type"] = "application/x-www-form-urlencoded"

    answer = agent.call(method, path, data=None if method == "GET" else json.dumps(a_submit()), headers=headers)

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert stored(running) == before


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_of_its_own_may_ask(running: Running, agent: Api, scheme: str) -> None:
    origin = f"{scheme}://{urlsplit(running.url).netloc}"

    assert agent.get("/api/v1/actions", headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "Idempotency-Key", "Content-Type", "Origin"])
def test_a_header_that_says_two_things_says_nothing(running: Running, name: str) -> None:
    netloc = urlsplit(running.url).netloc
    request = f"GET /api/v1/actions HTTP/1.1\r\nHost: {netloc}\r\nConnection: close\r\n{name}: a\r\n{name}: b\r\n\r\n"

    assert_refused(exchange(running, request.encode()), 400)


# Redirects, and what every answer has


@pytest.mark.parametrize("key", [True, False], ids=["with a key", "without"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("slash", ["", "/", "//"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_program_is_ever_sent_elsewhere(
    running: Running, method: str, path: str, slash: str, accept: str, key: bool
) -> None:
    with Api(running.url, running.user_key if key else None) as client:
        options: dict[str, Any] = {"headers": {"Accept": accept}, "allow_redirects": False}
        address = path.format(id="zzzzzzzz") + slash
        answer = client._session.request(method, running.url + address, timeout=PATIENCE, **options)

    assert not 300 <= answer.status_code < 400
    assert "location" not in answer.headers


def test_every_answer_has_the_headers_also_one_that_nobody_wanted(
    running: Running, agent: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    asked: dict[int, Callable[[], requests.Response]] = {
        200: lambda: agent.get("/health"),
        404: lambda: agent.get("/nowhere"),
        405: lambda: agent.call("PUT", SUBMIT),
        413: lambda: agent.call("POST", SUBMIT, data=" " * (MAX_BODY + 1)),
        421: lambda: agent.get("/health", headers={"Host": "evil.example"}),
        422: lambda: agent.post(SUBMIT, []),
    }
    answers = {status: ask() for status, ask in asked.items()}
    monkeypatch.setattr(running.center.desk, "list", broken)
    answers[500] = agent.get("/api/v1/actions")

    for status, answer in answers.items():
        assert answer.status_code == status
        for name, value in SECURITY_HEADERS:
            assert answer.headers[name.decode()] == value.decode(), (status, name)
    assert "fault of ours" not in answers[500].text


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_every_page_has_them_too(running: Running, method: str, path: str) -> None:
    headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
    with Api(running.url) as client:
        answer = client._session.request(
            method, running.url + path.format(id=1), headers=headers, timeout=PATIENCE, allow_redirects=False
        )

    for name, value in SECURITY_HEADERS:
        assert answer.headers[name.decode()] == value.decode()


# Slowness. The Center of these tests has little patience, so that they need little; nothing here depends on how
# little exactly: each waits until the Center has hung up, or has answered.


STALLED: dict[str, Callable[[Running], bytes]] = {
    "nothing at all": lambda _: b"",
    "half a line": lambda _: b"GET /hea",
    "half a head": lambda _: b"GET /health HTTP/1.1\r\nHost: localhost\r\n",
    "only line ends": lambda _: b"\r\n\r\n",
    "a body that does not come": lambda running: head(running, "Content-Length: 500"),
    "half a body": lambda running: head(running, "Content-Length: 500") + b'{"agent_id":',
    "half a chunk": lambda running: head(running, "Transfer-Encoding: chunked") + b"500\r\nabc",
    "a body that nobody reads": lambda running: head(running, "Content-Length: 500", method="GET", path="/health"),
    "a body that nobody wants": lambda running: head(running, "Content-Length: 500", path="/nowhere"),
}


@pytest.mark.parametrize("sent", STALLED.values(), ids=STALLED)
def test_who_stalls_is_hung_up_on(hasty: Running, sent: Any) -> None:
    answer = exchange(hasty, sent(hasty))

    assert status_of(answer) in (408, 200, 404)  # the last two answered before the body was due
    if status_of(answer) == 408:
        assert_refused(answer, 408)
    assert hasty.records() == []


def trickle(link: socket.socket, drops: Iterator[bytes]) -> bytes:
    """Send a drop at a time until the Center hangs up, whatever it answers; what it said."""
    until = time.monotonic() + PATIENCE
    said = bytearray()
    for drop in drops:
        assert time.monotonic() < until, "It would have listened for ever."
        with suppress(BrokenPipeError, ConnectionResetError):
            link.sendall(drop)
        if not select.select([link], [], [], 0.02)[0]:
            continue
        try:
            chunk = link.recv(65_536)
        except ConnectionResetError:
            return bytes(said)
        if not chunk:
            return bytes(said)
        said += chunk
    raise AssertionError("It ran dry.")


DRIPPING: dict[str, tuple[Callable[[Running], bytes], bytes]] = {
    "a head": (lambda _: b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"X-Drop: 1\r\n"),
    "a header": (lambda _: b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Drip: ", b"x"),
    "line ends": (lambda _: b"", b"\r\n"),
    "a body": (lambda running: head(running, "Content-Length: 100000"), b" "),
    "chunks": (lambda running: head(running, "Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "a body that nobody reads": (
        lambda running: kept(head(running, "Content-Length: 100000", method="GET", path="/health")),
        b" ",
    ),
    "a body that nobody wants": (lambda running: kept(head(running, "Content-Length: 100000", path="/nowhere")), b" "),
}


@pytest.mark.parametrize(("begins", "drop"), DRIPPING.values(), ids=DRIPPING)
def test_a_trickle_does_not_keep_a_connection_open(hasty: Running, begins: Any, drop: bytes) -> None:
    """The time is for the whole, not for each byte."""
    with closing(connection(hasty)) as link:
        link.sendall(begins(hasty))
        answer = trickle(link, iter([drop] * 5_000))

    assert status_of(answer) in (408, 200, 404, 0)  # the last two answered before the body was due
    assert b'"action_id"' not in answer
    assert hasty.records() == []


@pytest.mark.parametrize("drop", [b"\r\n", b"GET /health HTTP/1.1\r\nX-Drop: 1\r\n"], ids=["line ends", "a head"])
def test_a_connection_that_was_answered_once_is_not_kept_by_a_trickle_either(tmp_path: Path, drop: bytes) -> None:
    # Its first request has to come in time, also on a slow machine.
    with running_center(tmp_path / "center.db", patience=Patience(head=1.5)) as some, closing(connection(some)) as link:
        link.sendall(kept(head(some, method="GET", path="/health")))
        assert link.recv(65_536).startswith(b"HTTP/1.1 200")
        drops = iter([drop, *[b"\r\n" if drop == b"\r\n" else b"X-Drop: 1\r\n"] * 5_000])
        answer = trickle(link, drops)

    assert status_of(answer) in (408, 0)


def test_a_body_that_comes_in_parts_but_in_time_is_read(running: Running, agent: Api) -> None:
    body = json.dumps(a_submit()).encode()
    before = stored(running)
    with closing(connection(running)) as link:
        link.sendall(head(running, f"Content-Length: {len(body)}"))
        for part in (body[:1], body[1:40], body[40:]):
            agent.get("/health")  # a whole exchange with somebody else in between
            link.sendall(part)
        answer = whatever_comes(link)

    assert status_of(answer) == 200
    assert stored(running) == before + 1


def test_a_held_answer_is_not_cut_off_by_the_patience_for_bodies(tmp_path: Path) -> None:
    # The bodies here are there at once, or nearly so on a slow machine.
    with (
        running_center(tmp_path / "center.db", patience=Patience(body=1.2)) as some,
        Api(some.url, some.user_key) as agent,
    ):
        action_id = agent.submit()["id"]
        answer = agent.get(f"/api/v1/actions/{action_id}/status", headers={"Prefer": "wait=2"})

    assert answer.headers["Preference-Applied"] == "wait=2"
    assert answer.json()["status"] == "pending_approval"


def test_many_who_stall_leave_the_others_served(running: Running, agent: Api) -> None:
    with ExitStack() as stack:
        for number in range(200):
            link = stack.enter_context(closing(connection(running)))
            link.sendall(list(STALLED.values())[number % len(STALLED)](running))
        before = stored(running)
        for _ in range(20):
            assert agent.submit()["status"] == "pending_approval"
        assert stored(running) == before + 20


def test_many_who_stall_are_all_hung_up_on(hasty: Running) -> None:
    with ExitStack() as stack:
        links = [stack.enter_context(closing(connection(hasty))) for _ in range(100)]
        for number, link in enumerate(links):
            link.sendall(list(STALLED.values())[number % len(STALLED)](hasty))
        for link in links:
            whatever_comes(link)  # ends only when the Center has closed it
    assert hasty.records() == []
