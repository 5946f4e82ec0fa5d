"""What the demo prints: a live line while something waits, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clearance.center.audit import Report
from clearance.cli.demo.agent import Step
from clearance.errors import ActionDenied
from clearance.models import Action, Decision


class Screen:
    """The demo's output, for a terminal or a file."""

    def __init__(self, console: Console, inbox_link: str, env_file: str) -> None:
        self.console = console
        self._link = inbox_link
        self._env_file = env_file
        self._told: set[str] = set()
        self._waiting: tuple[Action, Decision, float] | None = None

    def on_wait(self, action: Action, decision: Decision) -> None:
        """Say, once for each action, what is waited for and how to answer."""
        if decision.action_id in self._told:
            return
        self._told.add(decision.action_id)
        until = decision.decide_by.astimezone().strftime("%H:%M:%S") if decision.decide_by else "?"
        number = decision.action_id
        self.console.print(f"[yellow]Held[/] action {number}: {action.action_type} ({action.tool_name}), until {until}")
        for name, value in action.parameters.items():
            self.console.print(Text(f"       {name} = {value!r}"))
        self.console.print(
            Text(f"       answer in the inbox, or: clearance approve {number} --env-file {self._env_file}")
        )
        self._waiting = (action, decision, time.monotonic())

    @contextmanager
    def live(self) -> Iterator[None]:
        """A line that counts while something waits; only where there is a terminal."""
        if not self.console.is_terminal:
            yield
            return
        with Live(get_renderable=self._line, console=self.console, transient=True, refresh_per_second=4):
            yield

    def done(self, step: Step) -> None:
        """One ticket is over."""
        self._waiting = None
        mark, colour = ("✗", "red") if step.refusal else ("✓", "green")
        self.console.print(f"[{colour}]{mark}[/] {step.title}: {step.result}")

    def _line(self) -> Text:
        if self._waiting is None:
            return Text("")
        action, decision, since = self._waiting
        left = (
            (decision.decide_by - datetime.now(decision.decide_by.tzinfo)).total_seconds() if decision.decide_by else 0
        )
        text = f"  … waiting for an approver of {action.action_type}: {time.monotonic() - since:.0f} s, "
        return Text(f"{text}{max(0, left):.0f} s left", style="yellow")


def summary(console: Console, steps: list[Step], records: dict[str, Decision], shop: str, trail: Report) -> None:
    """The table at the end: what ran, what did not, who decided, and whether the trail is whole."""
    table = Table(title="What came of it", title_justify="left")
    for column in ("Ticket", "Ran", "Decided by", "Why"):
        table.add_column(column, overflow="fold")
    for step in steps:
        decision = step.refusal.decision if step.refusal else records.get(step.title)
        why = decision.reason if decision else ""
        if step.refusal and not isinstance(step.refusal, ActionDenied):
            why = step.refusal.happened
        ran = Text("no", style="red") if step.refusal else Text("yes", style="green")
        table.add_row(step.title, ran, Text((decision.decided_by if decision else None) or "nobody"), Text(why))
    console.print(table)
    console.print(Text(f"Shop:  {shop}"))
    verdict = "verified" if trail.problem is None else f"BROKEN: {trail.problem}"
    console.print(Text(f"Audit: {trail.entries} entries, {verdict}"))
