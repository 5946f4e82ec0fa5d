"""A transport of one's own: requests are files in a folder, and so are the answers.

    python examples/own_transport.py

Whoever may write to the folder decides: ``yes`` or ``no, and why`` in ``<id>.answer``. It can wait, claim, report and
withdraw. A claim and a withdrawal are one file, ``<id>.end``, which one process is the first to make; so an approval is
spent once. A folder knows no names, keeps no audit trail, and lets nothing expire; this is to show the moving parts.
``examples/test_own_transport.py`` holds it to the contract that Clearance ships for transports.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from clearance import ActionDenied, AuthorizationUnavailable, Decision, Status, requires_authorization
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw

OFFERS = frozenset({"wait", "claim", "outcome", "withdraw"})
POLL = 0.02
"""Seconds between two looks at a file that is not there yet."""


class FolderTransport:
    """Carries commands to a folder, which must be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, command: Command) -> Decision:
        """Carry one command; see `clearance.transports.Transport`."""
        try:
            return self._submit(command) if isinstance(command, Submit) else self._about(command)
        except OSError as error:
            raise AuthorizationUnavailable(
                f"The folder {self._folder} cannot be used: {error.strerror}.",
                reason_code="unreachable",
                transient=True,
            ) from error

    def _submit(self, command: Submit) -> Decision:
        """The same key is the same request: its id is made of the key, and its file is made once."""
        action, action_id = command.action, hashlib.sha256(command.key.encode()).hexdigest()[:32]
        asked = {"digest": action.digest, "tool": action.tool_name, "shown": action.description, **action.parameters}
        if not make(self._file(action_id, "request"), json.dumps(asked)) and self._asked(action_id) != asked:
            raise AuthorizationUnavailable("This key was already used for another request.", reason_code="rejected")
        return self._standing(action_id)

    def _about(self, command: Await | Claim | Report | Withdraw) -> Decision:
        action_id = command.action_id
        if not re.fullmatch("[0-9a-f]{32}", action_id) or not self._file(action_id, "request").exists():
            raise AuthorizationUnavailable(f"Action {action_id!r} is not there.", reason_code="not_found")
        match command:
            case Await(_, hold):
                until = time.monotonic() + hold
                while (now := self._standing(action_id)).status is Status.PENDING and time.monotonic() < until:
                    time.sleep(POLL)
                return now
            case Claim():
                return self._claim(command)
            case Report(_, nonce, outcome):
                if self._read(action_id, "end") == f"claimed {nonce}":
                    # A doubt may still be settled; what is settled stays.
                    make(
                        self._file(action_id, "doubt" if outcome.status is Status.UNKNOWN else "outcome"),
                        outcome.status,
                    )
            case Withdraw():
                if self._standing(action_id).status in (Status.PENDING, Status.APPROVED):
                    make(self._file(action_id, "end"), "withdrawn")
        return self._standing(action_id)

    def _standing(self, action_id: str) -> Decision:
        """How the request stands. Only the word ``yes`` clears; an answer that cannot be understood is a refusal."""
        end, said = self._read(action_id, "end"), self._read(action_id, "answer")
        if end == "withdrawn":
            return Decision(action_id, Status.WITHDRAWN, offers=OFFERS)
        if end:
            came = self._read(action_id, "outcome") or self._read(action_id, "doubt") or Status.EXECUTING
            return Decision(action_id, Status(came), offers=OFFERS)
        if not said:
            return Decision(action_id, Status.PENDING, offers=OFFERS)
        if said == "yes":
            return Decision(action_id, Status.APPROVED, "", "folder", "folder", offers=OFFERS)
        return Decision(action_id, Status.DENIED, said.removeprefix("no, "), "folder", "folder", offers=OFFERS)

    def _claim(self, claim: Claim) -> Decision:
        """Yes to the first nonce that comes with the right digest, however often it comes; to no other one."""
        fits = claim.digest == self._asked(claim.action_id)["digest"] and claim.edited_digest is None
        if fits and self._standing(claim.action_id).status is Status.APPROVED:
            make(self._file(claim.action_id, "end"), f"claimed {claim.nonce}")
        is_ours = fits and self._read(claim.action_id, "end") == f"claimed {claim.nonce}"
        return replace(self._standing(claim.action_id), nonce=claim.nonce if is_ours else None)

    def _asked(self, action_id: str) -> dict[str, object]:
        asked: dict[str, object] = json.loads(self._read(action_id, "request"))
        return asked

    def _read(self, action_id: str, kind: str) -> str:
        file = self._file(action_id, kind)
        return file.read_text("utf-8").strip() if file.exists() else ""

    def _file(self, action_id: str, kind: str) -> Path:
        return self._folder / f"{action_id}.{kind}"


def make(file: Path, text: str) -> bool:
    """Make a file that others see whole or not at all. Who is first wins; the others hear that there is one."""
    draft = file.with_name(f"{secrets.token_hex(8)}.draft")
    draft.write_text(text, "utf-8")
    try:
        os.link(draft, file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def answer_all(folder: Path, stop: threading.Event) -> None:
    """Stands in for a person with a text editor."""
    while not stop.wait(POLL):
        for request in folder.glob("*.request"):
            amount = json.loads(request.read_text("utf-8"))["amount"]
            make(request.with_suffix(".answer"), "yes" if amount <= 100 else "no, too much")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, stop = Path(name), threading.Event()

        @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=FolderTransport(folder))
        def refund(charge_id: str, amount: int) -> str:
            """Give a customer money back."""
            return f"refunded {amount} on {charge_id}"

        person = threading.Thread(target=answer_all, args=(folder, stop))
        person.start()
        try:
            print(refund("ch_1", 50))
            print(refund("ch_1", 5000))
        except ActionDenied as denied:
            print(f"refused: {denied.reason}")
        finally:
            stop.set()
            person.join()
        print("outcomes:", [file.read_text() for file in folder.glob("*.outcome")])


if __name__ == "__main__":
    main()
