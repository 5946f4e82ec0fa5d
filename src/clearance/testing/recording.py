"""What answers a request that no rule of a test answers: a real Center, or what was recorded of one."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from clearance import drivers, flow, settings
from clearance.errors import ActionUndecided
from clearance.guards.gate import async_side, sync_side, terms_over
from clearance.models import Action, Decision, Status
from clearance.testing.cassettes import Entry
from clearance.testing.matchers import Recorded
from clearance.testing.rules import Rule
from clearance.testing.script import Script


class Recorder:
    """Asks the Center that guards would ask outside of tests, and remembers, in order, what it said.

    It never spends an approval there: what is cleared is withdrawn at once, and the test's own approver clears it.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def ask(self, action: Action) -> Decision:
        """What the Center decides; waits for it in real time.

        Raises:
            AuthorizationError: it could not be asked.
        """
        transport = sync_side(settings.beneath(asynchronous=False))
        try:
            decision = drivers.run(flow.consultation(action, terms_over(transport)), transport)
        except ActionUndecided as undecided:
            decision = _expired(undecided)
        return self._kept(action, decision)

    async def aask(self, action: Action) -> Decision:
        """As `ask`, on the event loop."""
        transport = async_side(settings.beneath(asynchronous=True))
        try:
            decision = await drivers.arun(flow.consultation(action, terms_over(transport)), transport)
        except ActionUndecided as undecided:
            decision = _expired(undecided)
        return self._kept(action, decision)

    def nearest(self, action: Action) -> str:
        """It answers everything."""
        del action
        return "the Center was asked"

    def unused(self) -> list[str]:
        """Nothing."""
        return []

    def _kept(self, action: Action, decision: Decision) -> Decision:
        entry = Entry.of(action, decision)
        self.entries.append(entry)
        return entry.decision


class Player:
    """Answers as a cassette says: each entry for one request; ``strictly``: all of them, in order."""

    def __init__(self, entries: Iterable[Entry], *, strictly: bool) -> None:
        self._script = Script(in_order=strictly)
        self._lock = threading.Lock()
        for entry in entries:
            rule = _rule_of(entry)
            self._script.add(rule if strictly else rule.optional())

    def ask(self, action: Action) -> Decision | None:
        """What was recorded for this request, if it was not used up."""
        with self._lock:
            rule = self._script.rule_for(action)
        return rule.answer if rule is not None and isinstance(rule.answer, Decision) else None

    async def aask(self, action: Action) -> Decision | None:
        """As `ask`."""
        return self.ask(action)

    def nearest(self, action: Action) -> str:
        """What the nearest request that was recorded has against it."""
        if not self._script.rules:
            return "nothing is recorded for this test; record it with --authorization=record"
        return self._script.nearest(action)

    def unused(self) -> list[str]:
        """What must be asked, and was not."""
        return self._script.unused()


def _rule_of(entry: Entry) -> Rule:
    rule = Rule("answer", entry.action_type, entry.decision).with_tool(entry.tool_name).once()
    rule.with_parameters(**{name: Recorded(value) for name, value in entry.parameters.items()})
    if entry.resource is not None:
        rule.on_resource(entry.resource)
    rule.place = "recorded"
    return rule


def _expired(undecided: ActionUndecided) -> Decision:
    return Decision("", Status.EXPIRED, "nobody decided in time", undecided.reason_code)
