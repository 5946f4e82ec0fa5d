"""Answers without a person, for ``--approve-all``, ``--deny-all`` and ``--script``: over the same API as anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from clearance.client import Client
from clearance.errors import AuthorizationUnavailable

Answer: TypeAlias = tuple[bool, str]
Answers: TypeAlias = Callable[[str], Answer | None]

BUILT_IN = """\
approve payment.refund the photo shows it broken
deny    db.migrate     not tonight, the backup runs until six
"""
LOOK_EVERY = 0.1
"""Seconds between looks for something to answer."""


class BadScript(ValueError):
    """A line of the script cannot be read; the message says which, and how to write it."""


def answers_from(approver: str | None, script: str | None) -> Answers | None:
    """The answer to each action type, or None if a person answers."""
    if approver is not None:
        return lambda _action_type: (approver == "approve", "" if approver == "approve" else "the demo denies all")
    if script is None:
        return None
    answers = parse(_read(script))
    return answers.get


def parse(script: str) -> dict[str, Answer]:
    """Lines of ``approve|deny ACTION_TYPE [reason]``; blank lines and comments (#) are left out.

    Raises:
        BadScript: anything else.
    """
    answers: dict[str, Answer] = {}
    for number, line in enumerate(script.splitlines(), 1):
        words = line.split("#", 1)[0].split(maxsplit=2)
        if not words:
            continue
        if len(words) < 2 or words[0] not in ("approve", "deny"):
            raise BadScript(
                f"Script line {number}: write 'approve ACTION_TYPE [reason]' or 'deny ACTION_TYPE [reason]'."
            )
        answers[words[1]] = (words[0] == "approve", words[2] if len(words) > 2 else "")
    return answers


def _read(script: str) -> str:
    if not script:
        return BUILT_IN
    try:
        return Path(script).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadScript(f"The script {script} cannot be read ({type(error).__name__}).") from None


class ScriptedApprover:
    """Looks at the pending list and answers from a script, until it is left."""

    def __init__(self, client: Client, answers: Answers) -> None:
        self._client = client
        self._answers = answers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="demo-approver", daemon=True)

    def __enter__(self) -> ScriptedApprover:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _main(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            for action in self._client.pending():
                self._answer(action)

    def _answer(self, action: dict[str, Any]) -> None:
        answer = self._answers(action["action_type"])
        if answer is None:
            return
        decide = self._client.approve if answer[0] else self._client.reject
        try:
            decide(action["id"], answer[1])
        except AuthorizationUnavailable as fault:
            if fault.reason_code != "in_flight":  # somebody else was quicker
                raise
