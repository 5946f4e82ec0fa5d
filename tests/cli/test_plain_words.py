"""What the commands print: plain words for what is wrong, JSON when asked, nothing that acts on a terminal."""

from __future__ import annotations

import http.server
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result
from tests.servers import PATIENCE, Api, Running, running_center

from clearance import dialogues
from clearance.center.records import KeyRecord, Role
from clearance.center.server import Binding
from clearance.center.store.sqlite import open_store
from clearance.cli.commands import cli
from clearance.models import Status

HOSTILE = "a\x1b[2Jb\u202ec\u200bd\r\ne"
ACTING = frozenset("\x1b\u202e\u200b\r")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as running:
        yield running


def run(*arguments: str, code: int = 0, **environ: str) -> Result:
    """The command in this process; it must end with that exit code."""
    result = CliRunner().invoke(cli, arguments, env=environ)
    assert result.exit_code == code, result.output
    return result


@contextmanager
def saying(body: bytes) -> Iterator[str]:
    """A server that says the same to everybody."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_check_says_that_the_center_did_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogues, "CONNECTION_TEST_TIMEOUT", 0.1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = run("check", code=1, OWKAI_API_URL=url, OWKAI_API_KEY="key")

    assert "did not answer in time" in found.stderr
    assert "OWKAI_TIMEOUT" in found.stderr


def test_check_says_that_the_certificate_is_not_trusted_and_what_to_set(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    binding = Binding(tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem"))

    with running_center(tmp_path / "center.db", binding=binding) as running:
        env_file = running.env_file()
        distrusted = run("check", "--env-file", env_file, code=1)
        with open(env_file, "a") as settings:
            settings.write(f"OWKAI_CA_BUNDLE={tmp_path / 'ca.pem'}\n")
        trusted = run("check", "--env-file", env_file)

    assert "could not be verified" in distrusted.stderr
    assert "OWKAI_CA_BUNDLE" in distrusted.stderr
    assert "Connected" in trusted.stdout


@pytest.mark.parametrize(
    "body", [b"<html>Welcome</html>", b"[1]", b"7", b""], ids=["html", "a list", "a number", "nothing"]
)
@pytest.mark.parametrize(
    "line",
    [["check"], ["pending"], ["approve", "1"], ["approve", "--all", "low"], ["deny", "1", "--reason", "no"]],
    ids=" ".join,
)
def test_an_answer_that_is_nonsense_is_called_so(line: list[str], body: bytes) -> None:
    with saying(body) as url:
        found = run(*line, code=1, OWKAI_API_URL=url, OWKAI_API_KEY="key")

    assert "cannot be trusted" in found.stderr
    assert "Traceback" not in found.output


def test_a_list_of_something_else_is_printed_for_what_it_is() -> None:
    with saying(b'[{"id": "\\u001b", "action_details": [1]}, {}]') as url:
        printed = run("pending", OWKAI_API_URL=url, OWKAI_API_KEY="key").stdout

    assert len(printed.splitlines()) == 2
    assert ACTING.isdisjoint(printed)


@pytest.mark.parametrize("body", [b"{}", b'{"approved": 3}', b'{"approved": [true]}'])
def test_an_approval_of_all_that_does_not_say_what_was_approved_is_not_believed(body: bytes) -> None:
    with saying(body) as url:
        found = run("approve", "--all", "low", code=1, OWKAI_API_URL=url, OWKAI_API_KEY="key")

    assert "cannot be trusted" in found.stderr


@pytest.mark.parametrize(
    "line", [["approve"], ["approve", "1", "--all", "low"], ["approve", "--all", "high"], ["deny", "1"]]
)
def test_a_command_that_is_called_wrongly_says_how_to_call_it(line: list[str]) -> None:
    assert "Usage: " in run(*line, code=2).stderr


def test_nothing_that_an_agent_sends_acts_on_the_approvers_terminal(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        for number in range(2):
            details = {HOSTILE: HOSTILE, "number": number}
            agent.submit(agent_id=HOSTILE, tool_name=HOSTILE, description=HOSTILE, action_details=details)
    env_file = running.env_file()

    listed = run("pending", "--env-file", env_file).output
    approved = run("approve", "1", "--env-file", env_file).output
    denied = run("deny", "2", "--reason", "no", "--env-file", env_file).output

    assert len(listed.splitlines()) == 2
    for printed in (listed, approved, denied):
        assert ACTING.isdisjoint(printed)
        assert r"\u{1b}" in printed


def test_nothing_in_a_keys_name_acts_on_the_terminal(tmp_path: Path) -> None:
    database = str(tmp_path / "center.db")
    store = open_store(database)  # as an older version may have kept it; a new key cannot be called that
    store.submit(lambda tx: tx.add_key(KeyRecord("abcd2345", Role.USER, HOSTILE, "", 0))).result(PATIENCE)
    store.close()
    refused = run("keys", "create", "--role", "user", "--name", HOSTILE, "--database", database, code=1)

    listed = run("keys", "list", "--database", database).output

    assert ACTING.isdisjoint(listed + refused.output)
    assert len(listed.splitlines()) == 1


def test_json_is_printed_by_every_command_that_decides(running: Running) -> None:
    with Api(running.url, running.user_key) as agent:
        ids = [agent.submit(action_details={"amount": amount})["id"] for amount in range(3)]
    env_file = running.env_file()

    approved = json.loads(run("approve", str(ids[0]), "--json", "--env-file", env_file).stdout)
    denied = json.loads(run("deny", str(ids[1]), "--reason", "no", "--json", "--env-file", env_file).stdout)
    rest = json.loads(run("approve", "--all", "medium", "--json", "--env-file", env_file).stdout)

    assert (approved["id"], approved["status"]) == (ids[0], "approved")
    assert (denied["id"], denied["status"], denied["reason"]) == (ids[1], "denied", "no")
    assert rest == [ids[2]]
    assert json.loads(run("pending", "--json", "--env-file", env_file).stdout) == []
    assert run("approve", "--all", "low", "--env-file", env_file).stdout == "Nothing to approve.\n"
    assert [record.status for record in running.records()] == [Status.APPROVED, Status.DENIED, Status.APPROVED]


def test_the_trails_verdict_is_printed_as_json_too(running: Running) -> None:
    line = ["audit", "verify", "--json", "--database", str(running.database)]
    whole = json.loads(run(*line).stdout)
    with closing(sqlite3.connect(running.database)) as raw, raw:
        raw.execute("DROP TRIGGER audit_no_delete")
        raw.execute("DELETE FROM audit WHERE seq = 1")
    broken = json.loads(run(*line, code=1).stdout)

    assert (whole["entries"], whole["problem"]) == (2, None)
    assert len(whole["head"]) == 64
    assert (broken["entries"], broken["problem"]) == (0, "entry 1 is missing (the next one there is 2)")


def test_a_sign_in_link_is_made_for_a_key_that_is_there(running: Running) -> None:
    database = str(running.database)
    key_id = running.admin_key.split("_")[2]

    link = run("keys", "sign-in", key_id, "--database", database, "--url", running.url).stdout
    nobody = run("keys", "sign-in", "zzzzzzzz", "--database", database, code=1).stderr

    assert link.startswith(f"{running.url}/sign-in?token=")
    assert "There is no key 'zzzzzzzz'" in nobody


def test_an_env_file_that_is_given_wins_over_the_environment(running: Running) -> None:
    found = run("check", "--env-file", running.env_file(), OWKAI_API_URL="http://127.0.0.1:9", OWKAI_API_KEY="other")

    assert "role admin" in found.stdout


@pytest.mark.parametrize("options", [["--approve-all", "--script"], ["--deny-all", "--script", "file"]], ids=" ".join)
def test_the_demo_has_one_approver(options: list[str]) -> None:
    assert "Choose one of" in run("demo", *options, code=2).stderr


def test_a_script_that_is_not_there_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    found = run("demo", "--script", str(tmp_path / "nowhere"), "--directory", str(folder), code=1)

    assert "cannot be read" in found.stderr
    assert not folder.exists()
