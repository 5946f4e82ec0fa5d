"""A transport of one's own: requests are files in a folder, and so are the answers.

    python examples/own_transport.py

Whoever may write to the folder decides: ``yes`` or ``no, and why`` in ``<id>.answer``. It can wait and claim, so an
approval is spent once, by whichever process is first to make ``<id>.claim``. A folder knows no names and keeps no
audit trail; this is to show the moving parts.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from clearance import ActionDenied, Decision, Status, requires_authorization
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw

OFFERS = frozenset({"wait", "claim", "outcome", "withdraw"})


class FolderTransport:
    """Carries commands to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, command: Command) -> Decision:
        """Carry one command; see `clearance.transports.Transport`."""
        match command:
            case Submit(action, key):
                # The same key is the same request, so a repeated submit writes the same file.
                shown = {"digest": action.digest, "description": action.description, **action.parameters}
                self._write(key, "request", json.dumps(shown))
                return self._standing(key)
            case Await(action_id, hold):
                until = time.monotonic() + hold
                while (now := self._standing(action_id)).status is Status.PENDING and time.monotonic() < until:
                    time.sleep(0.02)
                return now
            case Claim(action_id, digest, nonce):
                return self._claim(action_id, digest, nonce)
            case Report(action_id, _, outcome):
                self._write(action_id, "outcome", outcome.status)
                return self._standing(action_id)
            case Withdraw(action_id, reason):
                self._write(action_id, "answer", f"no, withdrawn: {reason}")
                return self._standing(action_id)

    def _standing(self, action_id: str) -> Decision:
        """How the request stands. Only the word ``yes`` clears; an unreadable answer is a refusal."""
        answer = self._file(action_id, "answer")
        said = answer.read_text().strip() if answer.exists() else ""
        if not said:
            return Decision(action_id, Status.PENDING, offers=OFFERS)
        status = Status.APPROVED if said == "yes" else Status.DENIED
        reason = said.removeprefix("no").lstrip(", ")
        return Decision(action_id, status, "" if said == "yes" else reason, "folder", "folder", offers=OFFERS)

    def _claim(self, action_id: str, digest: str, nonce: str) -> Decision:
        now = self._standing(action_id)
        asked = json.loads(self._file(action_id, "request").read_text())
        if now.status is not Status.APPROVED or digest != asked["digest"]:
            return replace(now, status=Status.DENIED)
        claim = self._file(action_id, "claim")
        try:
            with claim.open("x") as first:  # one process makes this file; every other one fails
                first.write(nonce)
        except FileExistsError:
            pass
        return replace(now, status=Status.EXECUTING, nonce=claim.read_text())

    def _write(self, action_id: str, kind: str, text: str) -> None:
        """Write a file that others see whole or not at all."""
        draft = self._file(action_id, f"{kind}-draft")
        draft.write_text(text)
        draft.replace(self._file(action_id, kind))

    def _file(self, action_id: str, kind: str) -> Path:
        return self._folder / f"{action_id}.{kind}"


def answer_all(folder: Path, stop: threading.Event) -> None:
    """Stands in for a person with a text editor."""
    while not stop.wait(0.02):
        for request in folder.glob("*.request"):
            answer = request.with_suffix(".answer")
            if not answer.exists():
                amount = json.loads(request.read_text())["amount"]
                answer.write_text("yes" if amount <= 100 else "no, too much")


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
