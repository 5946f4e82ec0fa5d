"""A command as a person will read it, and exactly as it will be started."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from clearance import files
from clearance.cli.jobs.words import Word, masked
from clearance.errors import ConfigurationError
from clearance.forms import FileDigest
from clearance.guards.ask import Ask
from clearance.models import CodeIdentity, Json
from clearance.redaction import View
from clearance.sealing import cleaned

NOT_EXECUTABLE = 126
NOT_FOUND = 127

PASSING = frozenset(
    """
    _ SHLVL INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID WINDOWID XDG_SESSION_ID SSH_CLIENT SSH_CONNECTION SSH_TTY
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""Variables that are new at each start or login. They are named, but their values are no part of what is cleared."""

_KEYS = ("_KEY", "_KEYS")
"""Variables are called so, as hardly anything else is, for the credentials in them; others go by the usual names."""

OWN = frozenset({"argv", "executable", "directory", "environment", "user", "host", "files"})
"""The names of what is shown of every job."""


class NoCommand(ConfigurationError):
    """There is nothing that could be started; ``exit_code`` is the one that a shell has for it."""

    default_code = "no_command"

    def __init__(self, happened: str, next_step: str, exit_code: int) -> None:
        super().__init__(happened, next_step=next_step)
        self.exit_code = exit_code


class Hidden:
    """A value that is digested, keyed, and not shown. The canonical form knows it by its method."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def get_secret_value(self) -> object:
        """The value."""
        return self._value


@dataclass(frozen=True, slots=True)
class Environment:
    """What becomes of the caller's environment: some variables are set, some removed, the rest is inherited."""

    inherited: Mapping[str, str] = field(repr=False)
    set: Mapping[str, str] = field(repr=False)
    removed: Collection[str] = ()

    @classmethod
    def of(
        cls, caller: Mapping[str, str], given: Mapping[str, str], unset: Collection[str], only: Collection[str]
    ) -> Environment:
        """The caller's, with changes; where ``only`` names some variables, no others are inherited."""
        gone = {*unset, *given}
        inherited = {
            name: value for name, value in caller.items() if name not in gone and (name in only if only else True)
        }
        return cls(inherited, dict(given), tuple(sorted(unset)))

    def variables(self) -> dict[str, str]:
        """All that the command gets."""
        return {**self.inherited, **self.set}

    def shown(self) -> dict[str, object]:
        """What an approver sees: the changes whole, of the rest the names. All of it is digested."""
        kept = sorted((os.fsencode(name), os.fsencode(value)) for name, value in self.inherited.items())
        return {
            "set": {name: Hidden(value) if name.endswith(_KEYS) else value for name, value in self.set.items()},
            "removed": list(self.removed),
            "inherited": [name.decode("utf-8", "backslashreplace") for name, _ in kept],
            "inherited_values": Hidden(tuple(pair for pair in kept if os.fsdecode(pair[0]) not in PASSING)),
        }


@dataclass(frozen=True, slots=True)
class Job:
    """One command: what is shown of it, what is digested, and what is started are these values.

    ``executable`` is looked up once; it is the file that is started, whatever is found under the name later.
    """

    argv: tuple[str, ...] = field(repr=False)
    executable: str
    directory: str
    environment: Environment
    files: tuple[str, ...] = ()
    redact: frozenset[str] = frozenset()
    parameters: Mapping[str, object] = field(default_factory=dict, repr=False)

    def words(self) -> list[object]:
        """The arguments; those that an approver must not see are `Hidden`."""
        return [Hidden(word) if how is Word.HIDDEN else word for word, how in masked(self.argv, self.redact)]


def executable(name: str, directory: str, path: str | None) -> str:
    """The absolute path of the file that ``name`` means in ``directory``, as a shell finds it.

    Raises:
        NoCommand: there is none, or it cannot be executed.
    """
    has_place = os.sep in name
    found = os.path.join(directory, name) if has_place else shutil.which(name, path=path or os.defpath)
    if not found or not os.path.exists(found):
        raise NoCommand(f"There is no command {name!r}.", "Check its name, and the PATH that the job has.", NOT_FOUND)
    if os.path.isdir(found) or not os.access(found, os.X_OK):
        raise NoCommand(f"{found!r} cannot be executed.", "Is it a program, and is it marked so?", NOT_EXECUTABLE)
    # No link is followed: many programs go by the name that they were started under.
    return os.path.abspath(found)


class JobSubject:
    """A job that leave is asked for; see `clearance.guards.proposal.Subject`."""

    editable: tuple[str, ...] = ()
    is_frozen: bool = False
    names_files: bool = True
    code: CodeIdentity = CodeIdentity("clearance.cli.running", "run", "command")

    def __init__(
        self,
        ask: Ask,
        job: Job,
        *,
        description: str | None = None,
        resource: str | None = None,
        context: Mapping[str, object] | None = None,
        risk_indicators: Mapping[str, object] | None = None,
    ) -> None:
        self.ask = ask
        self._job = job
        self._description = cleaned(description or "")
        self._resource = resource
        self._facts = context, risk_indicators
        self._read: dict[str, FileDigest] = {}
        self._who = _user(), socket.gethostname()
        self.read_files()

    def read_files(self) -> None:
        """The program's own file, and the others that count."""
        job = self._job
        named = {f"files[{index}]": Path(job.directory, name) for index, name in enumerate(job.files)}
        self._read = files.digests({"executable": job.executable, **named})

    def labelled(self) -> Mapping[str, object]:
        """What is shown and digested."""
        job, (user, host) = self._job, self._who
        told: dict[str, object] = {
            "argv": job.words(),
            "executable": self._read["executable"],
            "directory": job.directory,
            "environment": job.environment.shown(),
            "user": user,
            "host": host,
        }
        if job.files:
            told["files"] = [self._read[f"files[{index}]"] for index in range(len(job.files))]
        return {**told, **job.parameters}

    def resource(self) -> str | None:
        """What it is done to."""
        return self._resource

    def describe(self, shown: Mapping[str, Json], view: View) -> str:
        """The sentence that an approver reads."""
        del view  # it is made of what is shown, or fixed
        words = shown["argv"]
        assert isinstance(words, list)
        return self._description or f"Run {shlex.join(map(str, words))} in {shown['directory']}"

    def facts(self) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
        """The context and the risk indicators."""
        return self._facts

    def change(self, edits: Mapping[str, Json]) -> NoReturn:
        """Never called."""
        raise AssertionError("no approver can change a command")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
