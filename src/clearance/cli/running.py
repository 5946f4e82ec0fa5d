"""``clearance run``: a command that is held until it is cleared, and then run as it was shown."""

from __future__ import annotations

import hmac
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import click

from clearance import settings
from clearance.center.visible import plain
from clearance.cli.jobs import process, slot
from clearance.cli.jobs.job import NOT_EXECUTABLE, NOT_FOUND, Environment, Job, JobSubject, NoCommand, executable
from clearance.cli.jobs.options import NOT_ASKED, Misused, RunCommand, with_options
from clearance.cli.jobs.request import Request
from clearance.errors import (
    ActionChanged,
    ActionDenied,
    ActionUndecided,
    AuthorizationError,
)
from clearance.guards.ask import Ask
from clearance.models import Action, Decision, Grant
from clearance.settings import Settings
from clearance.transports.http import HttpTransport

CHANGED = 121
OVERLAPPED = 122
REFUSED = 123
UNDECIDED = 124


class CommandFailed(Exception):
    """The command ended with another exit code than 0, or by a signal: the outcome is told by this name."""


@click.command(
    cls=RunCommand,
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
    epilog="Its exit code is the command's own. If the command was not run: 121 it changed after it was cleared, 122 "
    "another run of it is there, 123 refused, 124 nobody decided in time, 125 could not ask or wrongly called, 126 "
    "it cannot be executed, 127 there is no such command.",
)
@with_options
def run(argv: tuple[str, ...], action_type: str, lock: str | None, *, no_lock: bool, quiet: bool, **given: Any) -> None:
    """Hold COMMAND until it is cleared, then run exactly what was shown."""
    if no_lock and (lock or given["keep"]):
        raise Misused("--no-lock goes with neither --lock nor --keep.")
    say = _Voice(quiet)
    try:
        job = _job(argv, given)
        with _warnings_on_stderr(), _transport(given["env_file"]) as (transport, timeout):
            ask = _ask(action_type, job, given, transport)
            name = lock or _name_of(transport.binding_key, action_type, given["tool_name"], job)
            folder = given["state"] or slot.default_folder()
            with nullcontext() if no_lock else slot.taken(folder, name) as place:
                request = Request(ask, place, patience=given["wait"], keeps=bool(given["keep"]), timeout=timeout)
                code = _held(request, job, given, say)
    except slot.Overlap:
        say.always("Another run of this job is there still. Nothing was run.")
        sys.exit(OVERLAPPED)
    except AuthorizationError as error:
        say.always(_told(error))
        sys.exit(_exit_code(error))
    except process.Signalled as ended:
        process.end_by(ended.number)
    except KeyboardInterrupt:  # before anything was asked
        process.end_by(signal.SIGINT)
    if code < 0:
        process.end_by(-code)
    sys.exit(code)


def _held(request: Request, job: Job, given: Mapping[str, Any], say: _Voice) -> int:
    """Ask, wait, run, and tell what came of it; returns how the command ended."""
    subject = JobSubject(
        request.ask,
        job,
        description=given["description"],
        resource=given["resource"],
        context=given["context"],
        risk_indicators=given["risk"],
    )
    reason, agent = given["reason"], given["agent"] or "clearance-run"
    reasoning: AbstractContextManager[None] = settings.reasoning(reason) if reason else nullcontext()
    with process.interruptible(), reasoning, settings.override(agent_id=agent, on_wait=say.waiting):
        try:
            gate, grant = request.granted(subject)
            say.cleared(grant)
            held = ExitStack()
            mask = held.enter_context(process.signals_held())
        except BaseException as error:
            request.abandon(error)
            raise
    with held:  # from here on a signal is the command's
        try:
            code = process.run(job, mask)
            grant.note(f"exit code {code}" if code >= 0 else f"ended by signal {-code}")
        except OSError as error:
            grant.note("it could not be started")
            gate.close(error)
            raise _not_started(job, error) from error
        gate.close(None if code == 0 else CommandFailed())
    return code


def _not_started(job: Job, error: OSError) -> NoCommand:
    code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    happened = f"{job.executable!r} could not be started ({error.strerror or type(error).__name__})."
    return NoCommand(happened, "Its approval is spent. A script needs a first line that names its interpreter.", code)


def _job(argv: tuple[str, ...], given: Mapping[str, Any]) -> Job:
    directory = os.path.realpath(given["directory"] or os.getcwd())
    environment = Environment.of(os.environ, given["given"], given["unset"], given["pass_env"])
    found = executable(argv[0], directory, environment.variables().get("PATH"))
    return Job(argv, found, directory, environment, given["files"], frozenset(given["redact"]), given["parameters"])


def _ask(action_type: str, job: Job, given: Mapping[str, Any], transport: HttpTransport) -> Ask:
    """What the request is about. A kept one may be cleared, and its approval used, as long as it is kept."""
    tool_name = given["tool_name"] or os.path.basename(job.argv[0])
    keep = given["keep"]
    if not keep:
        return Ask(action_type, tool_name, (), given["wait"], transport)
    return Ask(action_type, tool_name, (), keep, transport, run_within=keep)


@contextmanager
def _transport(env_file: str | None) -> Iterator[tuple[HttpTransport, float]]:
    found = Settings.load({}, env_file) if env_file else Settings.load()
    with HttpTransport(found.api_url, found.api_key, ca_bundle=found.ca_bundle) as transport:
        yield transport, found.timeout


def _name_of(key: bytes, action_type: str, tool_name: str | None, job: Job) -> str:
    """The same for the same job; keyed, since there may be a password in it."""
    told = json.dumps([action_type, tool_name, job.directory, job.argv]).encode()
    return hmac.digest(key, b"clearance: a job's lock\0" + told, "sha256").hex()[:32]


def _exit_code(error: AuthorizationError) -> int:
    match error:
        case NoCommand():
            return error.exit_code
        case ActionDenied():
            return REFUSED
        case ActionUndecided():
            return UNDECIDED
        case ActionChanged():
            return CHANGED
        case _:
            return NOT_ASKED


def _told(error: AuthorizationError) -> str:
    """The error, with what to do about it at a command line."""
    match error:
        case ActionChanged():
            happened, next_step = "The command's file changed after it was shown.", "Run it again to ask anew."
        case ActionUndecided():
            happened, next_step = error.happened, "Run it again when an approver is there, or wait longer with --wait."
        case _:
            happened, next_step = error.happened, error.next_step
    return f"{happened} {error.not_run} {next_step}".strip()


class _Voice:
    """Says things on standard error; the other streams are the command's."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._waiting = ""

    def always(self, text: str) -> None:
        """What whoever reads cron's mail must know."""
        click.echo(f"clearance: {plain(text)}", err=True)

    def waiting(self, action: Action, decision: Decision) -> None:
        """Said once of a request that waits."""
        if self._quiet or self._waiting == decision.action_id:
            return
        self._waiting = decision.action_id
        self.always(f"{action.action_type} ({action.tool_name}), action {decision.action_id}, waits for a decision.")

    def cleared(self, grant: Grant) -> None:
        """Said before the command says anything."""
        if not self._quiet:
            self.always(f"Action {grant.action_id} was cleared by {grant.decision.decided_by or 'the Center'}.")


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """What the library warns of (an outcome that could not be told) is said, too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("clearance: %(message)s"))
    handler.setLevel(logging.WARNING)
    log = logging.getLogger("clearance")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
