"""An approver who clears every call with other values."""

from __future__ import annotations

from collections.abc import Mapping

from tests.helpers import LEVEL_2

from clearance import Decision, Outcome, Status
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.models import Action, Json


class EditingApprover:
    """A small Center whose approver clears every call, but with these values.

    Where that changes something, a claim is honoured only if it names the digest that was asked for, and another one
    for the call as it will run.
    """

    def __init__(self, edits: Mapping[str, Json]) -> None:
        self._wanted = edits
        self._edits: Mapping[str, Json] = {}
        self._nonce: str | None = None
        self.actions: list[Action] = []
        self.claims: list[Claim] = []
        self.outcomes: list[Outcome] = []
        self.withdrawn: list[str] = []

    def send(self, command: Command) -> Decision:
        match command:
            case Submit(action):
                self.actions.append(action)
                self._edits = {k: v for k, v in self._wanted.items() if action.parameters.get(k) != v}
                return self._decision(Status.APPROVED)
            case Await():
                return self._decision(Status.APPROVED)
            case Claim(_, digest, nonce, _, edited_digest):
                self.claims.append(command)
                named_another = edited_digest is not None and edited_digest != digest
                if digest != self.actions[-1].digest or named_another is not bool(self._edits):
                    return self._decision(Status.STALE)
                self._nonce = nonce
                return self._decision(Status.EXECUTING)
            case Report(_, _, outcome):
                self.outcomes.append(outcome)
                return self._decision(outcome.status)
            case Withdraw(_, reason):
                self.withdrawn.append(reason)
                return self._decision(Status.WITHDRAWN)

    async def asend(self, command: Command) -> Decision:
        return self.send(command)

    def _decision(self, status: Status) -> Decision:
        nonce = self._nonce if status is Status.EXECUTING else None
        number = str(len(self.actions))
        return Decision(number, status, decided_by="ann", nonce=nonce, offers=LEVEL_2, edits=self._edits)
