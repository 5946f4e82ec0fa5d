"""What the pytest plugin does for tests that have to do with guards. pytest itself loads `_clearance_pytest`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import pytest

from clearance import settings
from clearance.commands import Command, Submit
from clearance.errors import AuthorizationError, AuthorizationUnavailable
from clearance.models import Action, Decision
from clearance.testing import cassettes
from clearance.testing.asked import named
from clearance.testing.fake import FakeTransport, SimulatedCrash
from clearance.testing.recording import Player, Recorder
from clearance.transports.origin import Origin, is_loopback

MARKER = "authorization"
LONGEST_SECTION = 20_000
"""Characters of what was asked and answered that a report shows."""


class Session:
    """One run of pytest: the approvers of the tests that run now, and the calls that reached none."""

    def __init__(self, config: pytest.Config) -> None:
        self._mode: str | None = config.getoption("--authorization")
        self._is_full: bool = bool(config.getoption("fulltrace", default=False))
        self._folder: str = config.getini("authorization_cassettes")
        self._open: dict[str, _Approver] = {}
        self._unreached = _Unreached(self._open)

    # The fixture.

    def approver(self, request: pytest.FixtureRequest) -> Iterator[FakeTransport]:
        """The approver of one test, from its setup to its teardown."""
        item: pytest.Item = request.node
        approver = _Approver(item, _cassette_of(item, self._folder), self._mode)
        self._open[item.nodeid] = approver
        try:
            with approver.stack, settings.override(transport=approver.fake):
                yield approver.fake
        finally:
            del self._open[item.nodeid]
        if problem := approver.problem_after_the_test():
            pytest.fail(problem, pytrace=False)

    # In front of the network.

    def instead_of(self, configured: settings.AnyTransport | None) -> settings.AnyTransport | None:
        """What a guard uses that names no transport itself, and that no `override` reaches.

        A thread that was started without its starter's context finds the approver of the test that runs, if only one
        does. A transport that was configured is used, unless it leads off this machine.
        """
        if len(self._open) == 1:
            return next(iter(self._open.values())).fake
        if configured is not None and not _leads_out(configured):
            return configured
        return self._unreached

    # What the hooks ask.

    def check(self, item: pytest.Item, phase: str) -> None:
        """Fail the test if something went astray in this phase."""
        __tracebackhide__ = True
        problems = self._unreached.taken()
        approver = self._open.get(item.nodeid)
        if approver is not None and phase == "call" and (problem := approver.problem_of_the_test()):
            problems.append(problem)
        if problems:
            pytest.fail("\n".join(problems), pytrace=False)

    def shorten(self, call: pytest.CallInfo[None]) -> None:
        """Leave out of a refusal's traceback what Clearance does inside; ``--full-trace`` shows it."""
        error = None if call.excinfo is None else call.excinfo.value
        if self._is_full or not isinstance(error, (AuthorizationError, SimulatedCrash)):
            return
        if (kept := _without_ours(error.__traceback__)) is not None:
            # pytest reads the chain itself, so the chain it must be; a filtered list of it would be lost on the way.
            call.excinfo = pytest.ExceptionInfo.from_exception(error.with_traceback(kept))

    def show(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Add what was asked and answered to the report of a failure."""
        approver = self._open.get(item.nodeid)
        # The test has failed; its next phase is not to fail for the same.
        if astray := [sentence for sentence in self._unreached.taken() if sentence not in report.longreprtext]:
            report.sections.append(("authorization: calls that reached no approver", "\n".join(astray)))
        if approver is not None and approver.fake.asked:
            told = approver.fake.asked.told()
            cut = f"{told[:LONGEST_SECTION]}\n…" if len(told) > LONGEST_SECTION else told
            report.sections.append(("authorization: asked and answered", cut))


class _Approver:
    """The approver of one test, with what its marks and its cassette say."""

    def __init__(self, item: pytest.Item, cassette: Path, mode: str | None) -> None:
        self.fake: FakeTransport = FakeTransport()
        self.stack: ExitStack = ExitStack()
        self._cassette = cassette
        self._recorder: Recorder | None = None
        self._test = item.nodeid
        self._known: str | None = None
        """What the end of the test has said already; None: it has not ended, or has failed."""
        for node, mark in item.iter_markers_with_node(MARKER):
            _add_rules(self.fake, mark, is_own=node is item)
        self._is_replayed = mode in ("replay", "strict")
        if mode == "record":
            self._recorder = Recorder()
            self.stack.enter_context(self.fake.asking(self._recorder))
        elif self._is_replayed:
            player = Player(cassettes.read(cassette), strictly=mode == "strict")
            self.stack.enter_context(self.fake.asking(player))

    def problem_of_the_test(self) -> str:
        """What is amiss at the end of a test that passed; then what was recorded is kept."""
        self._known = problem = self.fake.problems()
        if problem and not self._is_replayed and self._cassette.exists():
            problem += f"\nThere is a cassette ({self._cassette.name}), which --authorization=replay would use."
        if not problem and self._recorder is not None:
            cassettes.write(self._cassette, self._test, self._recorder.entries)
        return problem

    def problem_after_the_test(self) -> str:
        """What has gone amiss since."""
        problem = self.fake.problems()
        return problem if self._known is not None and problem != self._known else ""


class _Unreached:
    """Stands where a Center would be: whatever is asked of it is refused, and the test is told."""

    def __init__(self, open_now: Mapping[str, object]) -> None:
        self._open = open_now
        self._sentences: list[str] = []

    def send(self, command: Command) -> Decision:
        """Refuse."""
        if not isinstance(command, Submit):
            raise AuthorizationUnavailable("Nothing was ever submitted here.", reason_code="not_found")
        happened = self._sentence(command.action)
        next_step = (
            "Give the test the fixture `authorization`, and say what is to happen: "
            f"authorization.allow({command.action.action_type!r}). See the documentation, Test guarded code."
        )
        if self._open:
            next_step = "Start the thread in a copy of the test's context, or give the guard a transport= of its own."
        self._sentences.append(f"{happened} Nothing was run. {next_step}")
        raise AuthorizationUnavailable(happened, reason_code="no_fixture", next_step=next_step)

    async def asend(self, command: Command) -> Decision:
        """As `send`."""
        return self.send(command)

    def taken(self) -> list[str]:
        """What was refused since this was asked last, each once."""
        sentences, self._sentences[:] = list(dict.fromkeys(self._sentences)), []
        return sentences

    def _sentence(self, action: Action) -> str:
        if self._open:
            return (
                f"A guarded call, {named(action)}, came from a thread that belongs to none of the "
                f"{len(self._open)} tests that run now."
            )
        return (
            f"A guarded call, {named(action)}, reached no approver of this test, "
            "and would have gone out to the network."
        )


def _add_rules(fake: FakeTransport, mark: pytest.Mark, *, is_own: bool) -> None:
    """The rules of a mark; those of a class or a module need not be used by each of its tests."""
    unknown = sorted(set(mark.kwargs) - {"allow", "deny"}) + [repr(given) for given in mark.args]
    if unknown:
        raise pytest.UsageError(f"@pytest.mark.authorization takes allow= and deny=, not {', '.join(unknown)}.")
    denied = mark.kwargs.get("deny", ())
    reasons: Mapping[str, str] = denied if isinstance(denied, Mapping) else {}
    rules = [fake.deny(kind, reason=reasons.get(kind or "", "")) for kind in _kinds("deny", denied)]
    rules += [fake.allow(kind) for kind in _kinds("allow", mark.kwargs.get("allow", ()))]
    for rule in rules:
        rule.place = "@pytest.mark.authorization"
        if not is_own:
            rule.optional()


def _kinds(name: str, given: Any) -> Iterable[str | None]:
    if given is True:
        return [None]
    kinds = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [None]
    if not all(isinstance(kind, str) for kind in kinds):
        raise pytest.UsageError(
            f"@pytest.mark.authorization({name}=...) takes an action type, a list of them, or True; not {given!r}."
        )
    return kinds


def _cassette_of(item: pytest.Item, folder: str) -> Path:
    file, _, name = item.nodeid.partition("::")
    return item.path.parent / folder / cassettes.file_name(Path(file).stem, name)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """The chain of a traceback without the frames of Clearance."""
    kept: TracebackType | None = None
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    for entry in reversed(entries):
        if entry.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "clearance":
            kept = TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return kept


def _leads_out(transport: settings.AnyTransport) -> bool:
    """Does it lead off this machine?"""
    origin = getattr(transport, "origin", None)
    return isinstance(origin, Origin) and not is_loopback(urlsplit(origin.url).hostname or "")
