"""Whatever text comes in where a value belongs, the database takes it for a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import Api, Running, a_submit, running_center

import clearance.center
from clearance.models import Status

SUBMIT = "/api/v1/actions/submit"
CORPUS = [
    "'",
    "''",
    '"',
    "`",
    "\\",
    "\\'",
    "--",
    "/*",
    ";",
    "%",
    "_",
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR ""="',
    "1; DROP TABLE actions; --",
    "'; DROP TABLE keys; --",
    "' UNION SELECT id, digest FROM keys --",
    "pending' AND (SELECT 1) --",
    "0 OR 1=1",
    "1 AND SLEEP(5)",
    "1e309",
    ":name",
    "?1",
    "$1",
    "%s",
    "{0}",
    "${jndi:ldap://x}",
    "NULL",
    "\x00",
    "\u02bc OR 1=1",
    "ʹ; DROP TABLE audit; --",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_center(tmp_path_factory.mktemp("sql") / "center.db") as running:
        yield running


@pytest.mark.parametrize("text", CORPUS, ids=ascii)
@pytest.mark.parametrize("name", ["status_filter", "status", "limit", "offset"])
@pytest.mark.parametrize("path", ["/api/v1/actions", "/api/audit/logs"])
def test_a_filter_is_one_of_those_there_are_or_unreadable(chief: Api, path: str, name: str, text: str) -> None:
    answer = chief.get(path, params={name: text})

    is_ignored = path == "/api/audit/logs" and name.startswith("status")
    assert answer.status_code == (200 if is_ignored else 422)


@pytest.mark.parametrize("text", CORPUS, ids=ascii)
def test_an_id_in_a_path_is_a_number_or_unreadable(chief: Api, text: str) -> None:
    from urllib.parse import quote

    for end in ("", "/status", "/approve", "/claim"):
        method = "GET" if end in ("", "/status") else "POST"
        body = {"digest": "d", "nonce": "nonce-one"} if end == "/claim" else {}
        answer = chief.call(method, f"/api/v1/actions/{quote(text, safe='')}{end}", json=body)
        assert answer.status_code in (404, 422)
    assert chief.call("POST", f"/api/v1/break-glass/{quote(text, safe='')}/close").status_code in (404, 422)
    assert chief.call("DELETE", f"/api/keys/{quote(text, safe='')}/revoke").status_code == 404


@pytest.mark.parametrize("text", CORPUS, ids=ascii)
def test_text_in_a_value_is_kept_and_found_as_it_is(running: Running, agent: Api, chief: Api, text: str) -> None:
    key = text.encode("latin-1", "ignore").strip(b"\x00 ") or b"k"  # what a header can have of it
    headers = {"Idempotency-Key": key}
    before = len(running.records())

    first = agent.post(SUBMIT, a_submit(agent_id=text, resource=text, description=text), headers=headers)
    again = agent.post(SUBMIT, a_submit(agent_id=text, resource=text, description=text), headers=headers)

    assert first.status_code == 200
    assert again.json()["id"] == first.json()["id"]
    assert len(running.records()) == before + 1
    details = chief.get(f"/api/v1/actions/{first.json()['id']}").json()
    assert (details["agent_id"], details["description"]) == (text, text)
    refused = chief.post(f"/api/v1/actions/{first.json()['id']}/reject", {"reason": text})
    assert refused.json()["reason"] == text


@pytest.mark.parametrize("text", [text for text in CORPUS if "\x00" not in text], ids=ascii)
def test_a_kill_switch_named_so_stops_nothing_else(running: Running, agent: Api, chief: Api, text: str) -> None:
    scope = {"reason": text, "agent": text}
    assert chief.post("/api/v1/kill-switch", {"on": True, **scope}).status_code == 200
    (switch,) = chief.get("/api/sdk/kill-switch/status").json()["switches"]

    assert (switch["agent"], switch["reason"]) == (text, text)
    assert agent.submit()["status"] == "pending_approval"
    assert agent.submit(agent_id=text)["reason_code"] == "kill_switch"
    assert chief.post("/api/v1/kill-switch", {"on": False, **scope}).status_code == 200


@pytest.mark.parametrize("text", [text for text in CORPUS if text.isprintable() and "*" not in text], ids=ascii)
def test_a_break_glass_named_so_clears_nothing_else(agent: Api, chief: Api, text: str) -> None:
    opened = chief.post("/api/v1/break-glass", {"agent": text, "tool": text, "reason": text})
    assert opened.status_code == 200

    told = chief.get("/api/v1/break-glass").json()[0]
    assert (told["agent"], told["tool"], told["reason"]) == (text.strip(), text.strip(), text.strip())
    assert agent.submit()["status"] == "pending_approval"
    assert agent.submit(agent_id=told["agent"], tool_name=told["tool"])["reason_code"] == "break_glass"
    assert chief.post(f"/api/v1/break-glass/{told['id']}/close").status_code == 200


@pytest.mark.parametrize("text", CORPUS, ids=ascii)
def test_a_key_or_a_token_that_is_none_signs_nobody_in(running: Running, text: str) -> None:
    with Api(running.url) as nobody:
        for header in ("Authorization", "X-API-Key"):
            value = f"Bearer {text}" if header == "Authorization" else text
            sent = value.encode("latin-1", "ignore").replace(b"\x00", b"")
            assert nobody.get("/api/v1/actions", headers={header: sent.strip()}).status_code == 401
        token = nobody.call("POST", "/sign-in", data={"token": text}, headers={"Accept": "application/json"})
        cookie = nobody._session.get(
            running.url + "/inbox/list",
            headers={"Cookie": f"clearance-{running.url.rpartition(':')[2]}=".encode() + b"x' OR 1=1 --"},
            timeout=30,
        )
    assert (token.status_code, cookie.status_code) == (401, 401)


def test_after_all_that_every_table_is_there_and_the_trail_is_whole(running: Running) -> None:
    from clearance.center import audit

    report = running.center.do(lambda tx: audit.verify(tx.audit()))
    assert report.problem is None
    assert running.center.do(lambda tx: tx.keys())
    assert {record.status for record in running.records()} <= set(Status)


SOURCES = sorted(Path(clearance.center.__file__).parent.rglob("*.py"))
TEXTUAL = frozenset({"text", "exec_driver_sql", "literal_column", "execute", "executemany", "executescript"})
"""Functions that take SQL as text."""


STORES = ("tables.py", "sqlite.py", "postgres.py", "copies.py", "wakeups.py")


def built(node: ast.expr) -> bool:
    """Is this a text that is put together when the program runs?"""
    return isinstance(node, (ast.JoinedStr, ast.BinOp)) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")
    )


def is_constant(node: ast.expr) -> bool:
    """Is it put together from names that the module itself defines: constants, tables, the steps' own loops?"""
    values = [value.value for value in ast.walk(node) if isinstance(value, ast.FormattedValue)]
    return isinstance(node, ast.JoinedStr) and all(isinstance(value, (ast.Name, ast.Attribute)) for value in values)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_no_sql_is_put_together_from_values(source: Path) -> None:
    """Only what the stores themselves say about schema, settings and channels is text with names in it: their own."""
    schema = source.parent.name == "store" and source.name in STORES
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in TEXTUAL and built(node.args[0]):
            assert schema, f"{source.name}:{node.lineno}"
            assert is_constant(node.args[0]), f"{source.name}:{node.lineno}"
