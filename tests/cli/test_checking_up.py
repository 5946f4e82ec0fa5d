"""``clearance check``: every step of the way to a Center, and what is said of the first that fails."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.servers import PATIENCE, Running, command, running_center
from tests.transports.peers import Exchange, says
from tests.transports.peers import running as peer
from tests.transports.test_http import Authority

from clearance.checkup import CLOCK_TOLERANCE, Checkup, Step
from clearance.cli.commands import cli

KEY = "owkai_user_hunter2"
STEPS = ["settings", "name", "connection", "certificate", "center", "key", "clock"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        yield found


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


def run(*arguments: str, code: int = 0, **environ: str) -> Result:
    result = CliRunner().invoke(cli, ["check", *arguments], env=environ)
    assert result.exit_code == code, result.output
    assert environ.get("OWKAI_API_KEY", KEY) not in result.output
    return result


def steps(url: str, key: str = KEY, **options: Any) -> list[Step]:
    """The steps to this address; of the settings, those that `Checkup` takes itself are left to it."""
    of_checkup = {name: options.pop(name) for name in ("wall_clock", "timeout") if name in options}
    environ = {"OWKAI_API_URL": url, "OWKAI_API_KEY": key, **options}
    found = list(Checkup(environ, **of_checkup).steps())
    assert [step.name for step in found] == STEPS[: len(found)]
    assert all(step.result != "failed" for step in found[:-1])
    assert key not in "".join(map(str, found))
    return found


def failed(step: str, url: str, **options: Any) -> Step:
    """How the last step failed."""
    last = steps(url, **options)[-1]
    assert (last.name, last.result) == (step, "failed")
    assert last.next_step
    return last


def test_every_step_of_a_way_that_is_open_is_a_line(running: Running) -> None:
    lines = run(OWKAI_API_URL=running.url, OWKAI_API_KEY=running.user_key).stdout.splitlines()

    assert [line.split(":")[0].split() for line in lines] == [["ok", step] for step in STEPS]
    told = dict(zip(STEPS, lines, strict=True))
    assert "OWKAI_API_KEY from the environment" in told["settings"]
    assert f"Center: {running.url}" in told["settings"]
    assert "127.0.0.1" in told["name"]
    assert "plain HTTP" in told["certificate"]
    assert "Clearance Center" in told["center"]
    assert "level 2" in told["center"]
    assert "role user" in told["key"]
    assert "agree" in told["clock"]


def test_as_json_it_is_one_object(running: Running) -> None:
    good = json.loads(run("--json", OWKAI_API_URL=running.url, OWKAI_API_KEY=running.user_key).stdout)
    bad = json.loads(run("--json", code=1, OWKAI_API_URL=running.url, OWKAI_API_KEY="owkai_user_wrong").stdout)

    assert good["ok"] is True
    assert [step["name"] for step in good["steps"]] == STEPS
    assert bad["ok"] is False
    assert bad["steps"][-1]["name"] == "key"
    assert bad["steps"][-1]["reason_code"] == "bad_key"
    assert "OWKAI_API_KEY" in bad["steps"][-1]["next_step"]


def test_a_wrong_option_is_exit_code_2() -> None:
    run("--jsn", code=2)


def test_it_is_the_same_as_a_module_of_python(running: Running) -> None:
    done = subprocess.run(
        command("check", "--env-file", running.env_file()), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert "role admin" in done.stdout


# The settings


def test_where_each_setting_comes_from_is_told() -> None:
    Path(".env").write_text(f"OWKAI_API_KEY={KEY}\nOWKAI_TIMEOUT=5\n")

    told = next(iter(Checkup({"OWKAI_TIMEOUT": "6"}).steps())).told

    assert "OWKAI_API_KEY from .env, OWKAI_TIMEOUT from the environment" in told
    assert "OWKAI_API_URL is not set: https://pilot.owkai.app is the default" in told


def test_the_file_that_is_given_is_named_and_not_the_environment(running: Running) -> None:
    file = running.env_file()
    found = run("--env-file", file, OWKAI_API_KEY="owkai_user_other", OWKAI_TIMEOUT="soon")
    assert f"OWKAI_API_KEY from {file}" in found.stdout


def test_settings_that_cannot_be_used_are_the_first_step_to_fail() -> None:
    (step,) = Checkup({}).steps()
    assert (step.name, step.result, step.reason_code) == ("settings", "failed", "no_key")
    assert "OWKAI_TIMEOUT" in failed("settings", "https://c.example", OWKAI_TIMEOUT="soon").told
    assert "in clear" in failed("settings", "http://center.example.com").told
    assert "OWKAI_CA_BUNDLE" in failed("settings", "https://127.0.0.1:1", OWKAI_CA_BUNDLE="/none.pem").next_step


# Name and connection


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    step = failed("name", "https://center.exmaple.com")

    assert "center.exmaple.com has no address" in step.told
    assert "spelling" in step.next_step


@pytest.mark.parametrize("host", [f"{'a' * 64}.example.com", "a..example.com"])
def test_what_can_be_no_name_is_told_too(host: str) -> None:
    assert failed("name", f"https://{host}").reason_code == "no_address"


def test_a_port_where_nothing_listens_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    step = failed("connection", f"http://127.0.0.1:{port}")

    assert step.reason_code == "unreachable"
    assert "Nothing listens there" in step.next_step


class Walled(socket.socket):
    """A socket behind a firewall that drops everything."""

    def connect(self, _address: object) -> None:
        raise TimeoutError("timed out")


def test_a_firewall_that_drops_everything_is_told_with_the_port_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", Walled)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    step = failed("connection", "https://127.0.0.1:8443")

    assert step.reason_code == "timeout"
    assert "firewall" in step.next_step
    assert "127.0.0.1, port 8443" in step.next_step
    assert "HTTPS_PROXY is set, but proxies of the surroundings are not used" in step.next_step


# The certificate


def at(tls: ssl.SSLContext) -> Any:
    return peer(says({"status": "healthy", "version": "1", "role": "user"}), tls=tls)


def test_an_authority_that_is_not_known_here_is_told_and_how_to_make_it_known(authority: Authority) -> None:
    with at(authority.server("127.0.0.1")) as server:
        step = failed("certificate", server.url)
        believed = steps(server.url, OWKAI_CA_BUNDLE=authority.bundle)

    assert "unable to get local issuer" in step.told
    assert "OWKAI_CA_BUNDLE" in step.next_step
    assert "TLSv1." in believed[3].told
    assert believed[-1].name == "clock"


def test_nothing_is_sent_to_a_server_that_is_not_believed(authority: Authority) -> None:
    with at(authority.server("127.0.0.1")) as server:
        failed("certificate", server.url)
        assert server.seen == []


def test_the_store_of_this_machine_counts_where_it_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.bundle)
    with at(authority.server("127.0.0.1")) as server:
        assert failed("certificate", server.url).reason_code == "tls"
        assert steps(server.url, OWKAI_CA_BUNDLE="system")[-1].name == "clock"


def test_a_certificate_that_has_expired_is_told(authority: Authority) -> None:
    then = datetime(2021, 1, 1, tzinfo=UTC)
    expired = authority.server("127.0.0.1", not_before=then - timedelta(days=1), not_after=then)
    with at(expired) as server:
        step = failed("certificate", server.url, OWKAI_CA_BUNDLE=authority.bundle)

    assert "expired" in step.told
    assert "renewed" in step.next_step
    assert "clock" in step.next_step


def test_a_certificate_for_another_name_is_told(authority: Authority) -> None:
    with at(authority.server("center.example.com")) as server:
        by_address = failed("certificate", server.url, OWKAI_CA_BUNDLE=authority.bundle)
        by_name = failed("certificate", server.url.replace("127.0.0.1", "localhost"), OWKAI_CA_BUNDLE=authority.bundle)

    assert "another name" in by_address.next_step
    assert "another name" in by_name.next_step
    assert "have one made for localhost" in by_name.next_step


def test_plain_http_where_tls_was_expected_is_told() -> None:
    with peer(says({})) as server:
        step = failed("certificate", server.url.replace("http:", "https:"))

    assert step.reason_code == "tls"
    assert "Plain HTTP may be spoken there" in step.next_step


def test_tls_where_plain_http_was_expected_is_told(authority: Authority) -> None:
    with at(authority.server("127.0.0.1")) as server:
        assert failed("center", server.url.replace("https:", "http:")).reason_code == "unreachable"


def test_a_port_that_says_nothing_is_not_waited_for() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        assert failed("certificate", f"https://127.0.0.1:{port}", timeout=0.1).reason_code == "timeout"
        assert failed("center", f"http://127.0.0.1:{port}", timeout=0.1).reason_code == "timeout"
        assert failed("center", f"http://127.0.0.1:{port}", OWKAI_TIMEOUT="0.1").reason_code == "timeout"


# The Center, the key and the clock


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"<html><title>Welcome to the hotel</title></html>", 200, "bad_answer"),
        (b"<html>Blocked by policy</html>", 403, "forbidden"),
        ({"status": "healthy"}, 302, "redirect"),
        ({"detail": "Not Found"}, 404, "not_found"),
        ({"status": 1}, 200, "bad_answer"),
        ({"detail": "down"}, 503, "server_error"),
    ],
    ids=["a sign-in page", "a proxy", "a redirect", "another API", "another JSON", "a server that is down"],
)
def test_what_is_no_center_is_told(body: Any, status: int, code: str) -> None:
    headers = {"Location": "https://portal.example"} if status == 302 else {}
    with peer(says(body, status, headers)) as server:
        step = failed("center", server.url)

    assert step.reason_code == code
    assert "is not a Center" in step.told
    assert [seen.path for seen in server.seen] == ["/health"]
    if code in ("bad_answer", "redirect"):
        assert "A proxy or a sign-in page may stand in between" in step.next_step


def test_a_wrong_key_is_not_connected(running: Running) -> None:
    found = run(code=1, OWKAI_API_URL=running.url, OWKAI_API_KEY="owkai_user_wrong")

    assert "failed  key: The Center does not accept the API key" in found.stderr
    assert "Check OWKAI_API_KEY" in found.stderr
    assert "Connected" not in found.output


def test_a_plain_server_is_named_so() -> None:
    def reply(exchange: Exchange) -> None:
        last = exchange.seen.path.rpartition("/")[2]
        exchange.say({"health": {"status": "ok"}, "deployment-info": {"version": "2.0"}}.get(last, []))

    with peer(reply) as server:
        found = steps(server.url)

    assert "A server of the ASCEND contract 2.0 (level 1)" in found[4].told
    assert "Connected: version 2.0, role not told." in found[5].told


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(2 * CLOCK_TOLERANCE, "seconds ahead of the server's"), (-2 * CLOCK_TOLERANCE, "seconds behind the server's")],
)
def test_a_clock_that_is_wrong_is_a_warning(running: Running, ahead: float, words: str) -> None:
    def wrong() -> float:
        return datetime.now(UTC).timestamp() + ahead

    last = steps(running.url, running.user_key, wall_clock=wrong)[-1]

    assert (last.name, last.result) == ("clock", "warning")
    assert words in last.told
    assert "NTP" in last.next_step


def test_a_server_that_tells_no_time_is_no_fault() -> None:
    def reply(exchange: Exchange) -> None:
        body = json.dumps({"status": "ok", "version": "1", "role": "user"}).encode()
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with peer(reply) as server:
        last = steps(server.url)[-1]
    assert (last.name, last.result, last.told) == ("clock", "ok", "The server does not tell its time.")


def test_a_hostile_answer_is_spelled_out() -> None:
    with peer(says({"detail": "\x1b[2Jcome\u202ein"}, 403)) as server:
        found = run(code=1, OWKAI_API_URL=server.url, OWKAI_API_KEY=KEY)
    assert {"\x1b", "\u202e"}.isdisjoint(found.output)


# Without the extra


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line of an installation that has neither click nor what else comes with the `center` extra."""
    script = "import sys; sys.modules.update(dict.fromkeys(['click', 'rich', 'sqlalchemy', 'starlette', 'uvicorn']))"
    line = [sys.executable, "-c", f"{script}; from clearance.cli import main; main()", *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_check_needs_no_extra(running: Running) -> None:
    full = run("--env-file", running.env_file()).stdout

    done = bare("check", "--env-file", running.env_file())
    assert (done.returncode, done.stdout, done.stderr) == (0, full, "")
    assert json.loads(bare("check", "--env-file", running.env_file(), "--json").stdout)["ok"] is True


def test_without_the_extra_a_fault_has_the_same_words_and_exit_codes(running: Running) -> None:
    file = running.env_file("owkai_user_wrong")
    full = run("--env-file", file, code=1)

    done = bare("check", "--env-file", file)
    assert (done.returncode, done.stdout, done.stderr) == (1, full.stdout, full.stderr)
    assert bare("check", "--jsn").returncode == 2
    assert bare("check", "--env-file", "none.env").returncode == 2
    for other in (["pending"], ["check", "--heads", "heads"]):
        assert "pip install 'clearance[center]'" in bare(*other).stderr
