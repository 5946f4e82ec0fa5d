"""``clearance run``: a command that waits, runs as it was shown, and passes everything on."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.jobs import PAUSE, TELL, Shell, python, told
from tests.servers import PATIENCE, Running, center_process, command, in_thread, running_center, until

from clearance.center.records import Record
from clearance.center.store.base import Tx
from clearance.cli import running as command_of_run
from clearance.cli.commands import cli
from clearance.cli.jobs import process
from clearance.client import Client
from clearance.commands import Claim, Withdraw
from clearance.models import Status
from clearance.settings import Settings


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        yield found


@pytest.fixture
def shell(running: Running, tmp_path: Path) -> Shell:
    return Shell(running.url, running.user_key, tmp_path / "state")


def approve(running: Running) -> Record:
    """Clear the one request that waits, as soon as it does."""
    [record] = running.held()
    with running.approver() as approver:
        approver.approve(record.id)
    return record


def shown(record: Record) -> dict[str, Any]:
    """What the approver sees of the command."""
    return dict(record.action.parameters)


def deny(running: Running, reason: str = "not tonight") -> Record:
    [record] = running.held()
    with running.approver() as approver:
        approver.reject(record.id, reason)
    return record


def became(running: Running, record: Record, status: Status) -> Record:
    """The record, as soon as it stands so."""

    def look(tx: Tx) -> Record | None:
        found = tx.action(record.id)
        return found if found is not None and found.status is status else None

    return until(running.center, look)


ODD = ["a b", "", "Zoë ☃", "two\nlines", "--help", "$HOME", "'\"\\"]


def test_a_command_runs_with_exactly_the_arguments_directory_and_variables_that_were_shown(
    running: Running, shell: Shell, tmp_path: Path
) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    line = ["--directory", str(place), "--env", "COLOUR=dark blue", "--unset", "LANG", *python(TELL, *ODD)]
    with shell.started(*line) as run:
        record = approve(running)
        assert run.process.stdin is not None
        run.process.stdin.write("given")
        code, out, _ = run.ended()

    assert (code, told(out)) == (0, [ODD, str(place), "dark blue", "given"])
    told_of = shown(record)
    assert told_of["argv"] == [sys.executable, "-c", TELL, *ODD]
    assert told_of["executable"]["path"] == sys.executable
    assert told_of["directory"] == str(place)
    environment = told_of["environment"]
    assert (environment["set"], environment["removed"]) == ({"COLOUR": "dark blue"}, ["LANG"])
    assert "PATH" in str(environment["inherited"])
    assert environment["inherited_values"] == "[redacted]"
    assert became(running, record, Status.COMPLETED).outcome is not None


def test_what_is_asked_can_be_said_in_full(running: Running, shell: Shell) -> None:
    line = [
        *("--tool-name", "pg_dump", "--description", "Back the shop up", "--resource", "shop", "--agent", "cron"),
        *("--reason", "it is night", "--parameter", "rows=18000", "--parameter", "to=tape"),
        *("--context", "ticket=OPS-1", "--risk", "pii=true"),
    ]
    with shell.started(*line, "--", "true") as run:
        record = approve(running)
        assert run.ended()[0] == 0

    action = record.action
    assert (action.agent_id, action.action_type, action.tool_name) == ("cron", "db.backup", "pg_dump")
    assert (action.description, action.resource, action.reasoning) == ("Back the shop up", "shop", "it is night")
    assert (action.parameters["rows"], action.parameters["to"]) == (18_000, "tape")
    assert (action.context, action.risk_indicators) == ({"ticket": "OPS-1"}, {"pii": True})


def test_the_exit_code_of_the_command_is_passed_on_and_reported(running: Running, shell: Shell) -> None:
    with shell.started("--", "sh", "-c", "echo out; echo err >&2; exit 41") as run:
        record = approve(running)
        code, out, err = run.ended()

    assert (code, out) == (41, "out\n")
    assert err.splitlines() == [
        f"clearance: db.backup (sh), action {record.id}, waits for a decision.",
        f"clearance: Action {record.id} was cleared by carol.",
        "err",
    ]
    outcome = became(running, record, Status.FAILED).outcome
    assert outcome is not None
    assert (outcome.error_type, outcome.notes) == ("CommandFailed", ("exit code 41",))


def test_a_command_that_dies_of_a_signal_is_followed(running: Running, shell: Shell) -> None:
    with shell.started("--", "sh", "-c", "kill -KILL $$") as run:
        record = approve(running)
        assert run.ended()[0] == -signal.SIGKILL

    outcome = became(running, record, Status.FAILED).outcome
    assert outcome is not None
    assert outcome.notes == ("ended by signal 9",)


def test_a_refused_command_does_not_run_and_who_and_why_is_told(running: Running, shell: Shell) -> None:
    with shell.started("--quiet", "--", "touch", "ran") as run:
        deny(running)
        code, out, err = run.ended()

    assert (code, out, Path("ran").exists()) == (123, "", False)
    assert "was denied by carol: not tonight. Nothing was run." in err


@pytest.mark.parametrize("keep", [False, True])
def test_a_command_that_nobody_decided_on_in_time_does_not_run(running: Running, shell: Shell, keep: bool) -> None:
    code, _, err = shell.run("--wait", "1s", *(["--keep", "1d"] if keep else []), "--", "touch", "ran")

    assert (code, Path("ran").exists()) == (124, False)
    assert "Nobody decided on" in err
    [record] = running.records()  # whose time is over: the Center or the run may be the first to see it
    assert record.status in ({Status.PENDING} if keep else {Status.WITHDRAWN, Status.EXPIRED})
    assert (list(shell.state.glob("*.json")) != []) is keep


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"OWKAI_API_URL": "http://127.0.0.1:9"}, "could not be reached"),
        ({"OWKAI_API_KEY": "owkai_user_wrong"}, "does not accept the API key"),
        ({"OWKAI_API_KEY": ""}, "API key required"),
    ],
)
def test_a_command_that_could_not_be_asked_about_does_not_run(
    shell: Shell, settings: dict[str, str], says: str
) -> None:
    code, _, err = shell.run("--wait", "1s", "--quiet", "--", "touch", "ran", **settings)

    assert (code, Path("ran").exists()) == (125, False)
    assert says in err
    assert "Nothing was run." in err


MISUSES = {
    "no command": ["--tool-name", "t"],
    "an option that is none": ["--colour", "--", "true"],
    "no pair": ["--env", "hunter2", "--", "true"],
    "no time": ["--wait", "soon", "--", "true"],
    "too long a time": ["--keep", "3w", "--", "true"],
    "no name of a lock": ["--lock", "../up", "--", "true"],
    "a lock and none": ["--lock", "a", "--no-lock", "--", "true"],
    "kept without a lock": ["--keep", "1d", "--no-lock", "--", "true"],
    "a name that is taken": ["--parameter", "argv=x", "--", "true"],
}


@pytest.mark.parametrize("how", MISUSES)
def test_called_wrongly_it_does_not_end_like_a_command_might(how: str) -> None:
    found = CliRunner().invoke(cli, ["run", "--action-type", "a.b", *MISUSES[how]])

    assert found.exit_code == 125
    assert "Usage: " in found.stderr
    assert "hunter2" not in found.output


def test_a_command_that_is_not_there_or_is_no_program_ends_as_in_a_shell_and_nobody_is_asked(
    running: Running, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("no program")

    assert [shell.run("--", name)[0] for name in ("no-such-command", "./nowhere", "./text", "/")] == [
        127,
        127,
        126,
        126,
    ]
    assert running.records() == []


def test_a_program_that_cannot_be_started_after_all_is_told_as_a_failure(
    running: Running, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "script").write_text("no interpreter is named here")
    (tmp_path / "script").chmod(0o755)
    with shell.started("--", "./script") as run:
        record = approve(running)
        code, _, err = run.ended()

    assert (code, "could not be started" in err) == (126, True)
    assert became(running, record, Status.FAILED).action.parameters["argv"] == ["./script"]


def test_a_program_whose_file_was_replaced_while_it_waited_does_not_run(
    running: Running, shell: Shell, tmp_path: Path
) -> None:
    script = tmp_path / "job"
    script.write_text("#!/bin/sh\necho good\n")
    script.chmod(0o755)
    with shell.started("--", "./job") as run:
        running.held()
        other = tmp_path / "other"
        other.write_text("#!/bin/sh\ntouch ran\n")
        other.chmod(0o755)
        other.replace(script)
        record = approve(running)
        code, out, err = run.ended()

    assert (code, out, Path("ran").exists()) == (121, "", False)
    assert "changed after it was shown. Nothing was run." in err
    outcome = became(running, record, Status.FAILED).outcome
    assert outcome is not None
    assert outcome.error_type == "not_started"


def test_a_script_that_is_named_with_file_is_cleared_with_its_contents(
    running: Running, shell: Shell, tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    script.write_text("echo good\n")
    with shell.started("--file", "job.sh", "--", "sh", "job.sh") as run:
        running.held()
        script.write_text("touch ran\n")
        record = approve(running)
        code = run.ended()[0]

    assert (code, Path("ran").exists()) == (121, False)
    assert shown(record)["files"][0]["bytes"] == 10


def test_no_file_can_stand_in_for_the_program_itself(running: Running, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "executable").write_text("harmless")
    with shell.started("--file", "executable", "--", "true") as run:
        record = approve(running)
        assert run.ended()[0] == 0

    program, [file] = shown(record)["executable"], shown(record)["files"]
    assert program["path"].endswith("/true")
    assert file["bytes"] == 8


def test_a_file_that_is_not_there_is_told_and_nobody_is_asked(running: Running, shell: Shell) -> None:
    code, _, err = shell.run("--file", "nowhere.sh", "--", "sh", "nowhere.sh")

    assert (code, running.records()) == (125, [])
    assert "files[0] names a file that cannot be read" in err


def test_secrets_of_a_command_line_are_neither_shown_nor_kept(running: Running, shell: Shell, tmp_path: Path) -> None:
    secret = "hunter2-canary"
    line = ["--env", f"DB_PASSWORD={secret}", "--env", f"BACKUP_KEY={secret}", "--redact", "-p", "--"]
    words = ["true", "--password", secret, f"--token={secret}", f"-p{secret}", "-p", secret, "shown"]
    with shell.started(*line, *words, HOME_TOKEN=secret) as run:
        record = approve(running)
        out = run.ended()

    hidden = "[redacted]"
    assert shown(record)["argv"] == ["true", "--password", hidden, hidden, hidden, "-p", hidden, "shown"]
    assert shown(record)["environment"]["set"] == {"DB_PASSWORD": hidden, "BACKUP_KEY": hidden}
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert secret.encode() not in kept
    assert secret not in str(out)


def test_only_the_variables_that_are_named_are_inherited_where_some_are(running: Running, shell: Shell) -> None:
    with shell.started("--pass-env", "COLOUR", "--", "/usr/bin/env", COLOUR="red", OTHER="x") as run:
        record = approve(running)
        out = run.ended()[1]

    assert out == "COLOUR=red\n"
    assert shown(record)["environment"]["inherited"] == ["COLOUR"]


# ---------------------------------------------------------------------------------------------------------------------
# Signals
# ---------------------------------------------------------------------------------------------------------------------


@contextmanager
def disposed(number: signal.Signals, how: signal.Handlers) -> Iterator[None]:
    """What a process that is started in the block does at this signal, whatever the tests were started with."""
    before = signal.signal(number, how)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_it_waits_withdraws_the_request_and_ends_it(
    running: Running, shell: Shell, number: signal.Signals
) -> None:
    with disposed(number, signal.SIG_DFL), shell.started("--", "touch", "ran") as run:
        run.waits()
        run.send(number)
        code, _, _ = run.ended()

    assert (code, Path("ran").exists()) == (-number, False)
    [record] = running.records()
    assert (record.status, record.reason) == (Status.WITHDRAWN, f"interrupted by {number.name}")


def test_a_signal_that_was_ignored_from_the_start_stays_so(running: Running, shell: Shell) -> None:
    with disposed(signal.SIGHUP, signal.SIG_IGN), shell.started("--", "sh", "-c", "kill -HUP $$; echo ran") as run:
        run.waits()
        run.send(signal.SIGHUP)
        approve(running)
        assert run.ended()[:2] == (0, "ran\n")


def test_a_signal_between_the_claim_and_the_start_is_told_as_a_failure_and_nothing_runs(
    running: Running, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, where the moment can be met."""
    monkeypatch.setattr(command_of_run._Voice, "cleared", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(process, "end_by", lambda number: sys.exit(128 + number))
    with in_thread(lambda: approve(running)) as results:
        line = ["run", "--action-type", "db.backup", "--", "touch", "ran"]
        found = CliRunner().invoke(cli, line, env=shell.environment)
        record = results.get(timeout=PATIENCE)

    assert (found.exit_code, Path("ran").exists()) == (128 + signal.SIGTERM, False)
    assert isinstance(record, Record)
    outcome = became(running, record, Status.FAILED).outcome
    assert outcome is not None
    assert outcome.error_type == "SIGTERM"
    assert list(shell.state.glob("*.json")) == []


def test_signals_while_it_runs_are_the_commands(running: Running, shell: Shell) -> None:
    with shell.started(*python(PAUSE)) as run:
        approve(running)
        assert run.said() == "ready"
        run.send(signal.SIGUSR1)
        assert run.said() == "told"
        run.send(signal.SIGTERM)
        assert run.ended()[0] == 7


COUNT = """
import signal, sys
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
print("ready", flush=True)
sys.stdin.readline()
print("interrupts:", len(interrupts), flush=True)
"""
ON_A_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def test_what_is_typed_at_the_terminal_reaches_the_command_once(running: Running, shell: Shell) -> None:
    ours, theirs = pty.openpty()
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    line = command("run", "--action-type", "db.backup", "--quiet", *python(COUNT))
    with (
        open(ours, "r+b", buffering=0) as terminal,
        subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *line],
            env=shell.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as job,
    ):
        os.close(theirs)
        approve(running)
        assert terminal.readline().strip() == b"ready"
        terminal.write(b"\x03")
        terminal.write(b"\n")
        assert terminal.readline().strip() == b"interrupts: 1"
        assert job.wait(PATIENCE) == 0


# ---------------------------------------------------------------------------------------------------------------------
# For cron
# ---------------------------------------------------------------------------------------------------------------------


def test_a_quiet_run_says_nothing_of_its_own(running: Running, shell: Shell) -> None:
    with shell.started("--quiet", "--", "echo", "done") as run:
        approve(running)
        assert run.ended() == (0, "done\n", "")


def test_a_second_run_of_a_job_that_is_there_still_ends_at_once_and_says_so(running: Running, shell: Shell) -> None:
    with shell.started("--", "true") as first:
        first.waits()
        code, out, err = shell.run("--quiet", "--", "true")
        assert (code, out) == (122, "")
        assert err == "clearance: Another run of this job is there still. Nothing was run.\n"
        approve(running)
        assert first.ended()[0] == 0
    assert len(running.records()) == 1


def test_other_jobs_and_runs_without_a_lock_do_not_overlap(running: Running, shell: Shell) -> None:
    with (
        shell.started("--", "true") as first,
        shell.started("--", "true", "other") as other,
        shell.started("--no-lock", "--", "true") as free,
    ):
        running.held(3)
        with running.approver() as approver:
            for record in running.records():
                approver.approve(record.id)
        assert [run.ended()[0] for run in (first, other, free)] == [0, 0, 0]


def test_a_command_that_outlives_a_killed_run_keeps_the_lock(running: Running, shell: Shell) -> None:
    with shell.started(*python(f"import os\nprint(os.getpid())\n{PAUSE}")) as run:
        approve(running)
        child = int(run.said())
        assert run.said() == "ready"
        run.process.kill()
        run.process.wait(PATIENCE)
        [lock] = shell.state.glob("*.lock")
        with lock.open() as file:
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.kill(child, signal.SIGTERM)
            fcntl.flock(file, fcntl.LOCK_EX)  # comes back when the command has ended


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_same_job_run_again_joins_the_request_that_was_left_and_runs_once(
    running: Running, shell: Shell, how: signal.Signals
) -> None:
    line = ["--keep", "1d", "--", "sh", "-c", "echo ran >> log"]
    with shell.started(*line) as first:
        first.waits()
        first.send(how)
        assert first.ended()[0] == -how
    with shell.started(*line) as second:
        second.waits()
        approve(running)
        assert second.ended()[0] == 0

    assert [record.status for record in running.records()] == [Status.COMPLETED]
    assert Path("log").read_text() == "ran\n"
    with shell.started(*line) as third:
        third.waits()
        approve(running)
        assert third.ended()[0] == 0
    assert len(running.records()) == 2


def test_a_job_that_was_cleared_while_no_run_of_it_was_there_runs_at_its_next_run(
    running: Running, shell: Shell
) -> None:
    line = ["--wait", "1s", "--keep", "1d", "--", "echo", "ran"]
    assert shell.run(*line)[0] == 124
    record = approve(running)

    assert shell.run(*line)[:2] == (0, "ran\n")
    assert [found.status for found in running.records()] == [Status.COMPLETED]
    assert record.action.run_within == 86_400


def test_a_job_that_was_refused_meanwhile_is_told_so_once_and_then_asks_anew(running: Running, shell: Shell) -> None:
    line = ["--wait", "1s", "--keep", "1d", "--", "touch", "ran"]
    assert shell.run(*line)[0] == 124
    deny(running)

    assert "not tonight" in shell.run(*line)[2]
    assert Path("ran").exists() is False
    assert shell.run(*line)[0] == 123  # remembered by the Center for a minute, as another request
    assert len(running.records()) == 2


def test_a_request_that_nobody_can_decide_on_any_more_is_not_joined(running: Running, shell: Shell) -> None:
    with shell.started("--", "echo", "ran") as first:
        first.waits()
        first.killed()
    [left] = running.held()
    with running.transport() as agent:
        agent.send(Withdraw(str(left.id), "by hand", 10.0))
    with shell.started("--", "echo", "ran") as second:
        approve(running)
        assert second.ended()[:2] == (0, "ran\n")

    assert [record.status for record in running.records()] == [Status.WITHDRAWN, Status.COMPLETED]


def test_an_approval_that_a_run_may_have_spent_is_not_used_again(running: Running, shell: Shell) -> None:
    line = ["--keep", "1d", "--", "touch", "ran"]
    with shell.started(*line) as first:
        first.waits()
        first.killed()
    record = approve(running)
    with running.transport() as agent:  # as the killed run did at its last moment
        agent.send(Claim(str(record.id), record.action.digest, "its-nonce", 10.0))

    code, _, err = shell.run(*line)
    assert (code, Path("ran").exists()) == (123, False)
    assert "already spent by another run" in err
    with shell.started(*line) as later:
        approve(running)
        assert later.ended()[0] == 0


@pytest.mark.parametrize("change", ["an argument", "a variable"])
def test_another_command_under_the_same_lock_withdraws_what_was_left_and_asks_for_itself(
    running: Running, shell: Shell, change: str
) -> None:
    line = ["--lock", "backup", "--keep", "1d", "--", "echo", "one"]
    with shell.started(*line) as first:
        first.waits()
        first.killed()
    other = [*line, "two"] if change == "an argument" else line
    with shell.started(*other, **({} if change == "an argument" else {"COLOUR": "red"})) as second:
        second.waits()
        approve(running)
        assert second.ended()[0] == 0

    assert [record.status for record in running.records()] == [Status.WITHDRAWN, Status.COMPLETED]


def test_what_is_new_at_each_start_keeps_no_job_from_joining(running: Running, shell: Shell) -> None:
    line = ["--keep", "1d", "--", "true"]
    with shell.started(*line, INVOCATION_ID="one") as first:
        first.waits()
        first.killed()
    with shell.started(*line, INVOCATION_ID="two") as second:
        second.waits()
        approve(running)
        assert second.ended()[0] == 0
    assert len(running.records()) == 1


def test_a_folder_that_cannot_be_used_is_told_and_nobody_is_asked(
    running: Running, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = shell.run("--state", str(tmp_path / "file" / "below"), "--", "true")

    assert (code, "--no-lock" in err) == (125, True)
    assert running.records() == []


def test_a_file_of_what_was_left_that_cannot_be_read_is_as_none(running: Running, shell: Shell) -> None:
    shell.state.mkdir(parents=True)
    (shell.state / "backup.json").write_text('{"key": 1')
    with shell.started("--lock", "backup", "--", "true") as run:
        approve(running)
        assert run.ended()[0] == 0


# ---------------------------------------------------------------------------------------------------------------------
# A Center that comes and goes
# ---------------------------------------------------------------------------------------------------------------------


def test_a_center_that_dies_while_a_command_waits_is_waited_for(tmp_path: Path) -> None:
    with center_process(tmp_path / "center.db") as center:
        shell = Shell(center.url, center.key("user"), tmp_path / "state")
        with (
            shell.started("--", "echo", "ran") as run,
            Client(Settings(center.key("admin"), center.url)) as approver,
        ):
            run.waits()
            center.kill()
            center.start()
            [action] = approver.pending()
            approver.approve(action["id"])
            assert run.ended()[:2] == (0, "ran\n")


def test_an_outcome_that_could_not_be_told_changes_nothing_and_is_said(tmp_path: Path) -> None:
    with center_process(tmp_path / "center.db") as center:
        shell = Shell(center.url, center.key("user"), tmp_path / "state")
        with (
            shell.started("--quiet", *python("print('ready', flush=True); input(); raise SystemExit(5)")) as run,
            Client(Settings(center.key("admin"), center.url)) as approver,
        ):
            while not (waiting := approver.pending()):
                assert run.process.poll() is None
            approver.approve(waiting[0]["id"])
            assert run.said() == "ready"
            center.kill()
            assert run.process.stdin is not None
            run.process.stdin.write("\n")
            code, _, err = run.ended()

    assert code == 5
    assert "could not be reported" in err


def test_it_asks_without_loading_a_center(shell: Shell) -> None:
    script = """
import sys
from clearance.cli import main
sys.argv = ["clearance", "run", "--action-type", "a.b", "--wait", "1s", "--", "true"]
try:
    main()
except SystemExit as end:
    print(end.code, sorted({"sqlalchemy", "starlette", "uvicorn", "jinja2", "rich", "cryptography"} & set(sys.modules)))
"""
    environment = {**shell.environment, "OWKAI_API_URL": "http://127.0.0.1:9"}
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert found.stdout == "125 []\n"
