"""Runs programs against the reference and a system at the same time, and holds each step of one against the other.

To see a program that failed again, without the steps that it fails without, too::

    python -m tests.center.campaign SEED [memory | sqlite | http | postgresql://...]
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterable

from tests.center.invariants import Watch
from tests.center.programs import Step, program
from tests.center.reference import Answer, Reference
from tests.center.systems import System, opened

from clearance.center import trail
from clearance.center.audit import Link
from clearance.center.records import Record
from clearance.center.refusals import MOST_REFUSALS
from clearance.lifecycle import TABLE, Event
from clearance.witness import Head

LENGTH = 60
"""Steps of a program."""
LEGAL = {(status, event) for status, events in TABLE.items() for event in events}
ILLEGAL = {(status, event) for status in TABLE for event in Event} - LEGAL
NEEDS_NO_ACTION = ("submit", "advance", "sweep", "change_policy", "kill", "approve_all")


class Run:
    """One program on one system. `step` takes a step on both sides, `end` looks at what has come of it."""

    def __init__(self, system: System) -> None:
        system.begin()
        self.system = system
        self.reference = Reference(system.clock.now)
        self.watch = Watch({each.id: each for each in system.people.values()})
        self.heads: set[Head] = set()
        self.steps = 0
        self._leaves: Counter[tuple[int, str]] = Counter()
        length = system.do(lambda tx: tx.audit_length())
        self.watch.skip(system.do(lambda tx: list(tx.audit(after=max(0, length - 1)))))

    def all_of(self, steps: Iterable[Step]) -> None:
        """These steps, and the end."""
        for number, step in enumerate(steps, 1):
            try:
                self.step(step)
            except BaseException as error:
                error.add_note(f"This was step {number}: {step}")
                raise
        self.end()

    def step(self, step: Step) -> None:
        """Take it on both sides, and compare; unless there is nothing yet that it could be done to."""
        system, reference = self.system, self.reference
        if not reference.actions and step.deed not in NEEDS_NO_ACTION:
            return
        self.steps += 1
        system.clock.now += 1
        answer = system.perform(step)
        reference.tick(system.clock.now)
        links = self._look()
        expected = reference.do(step)
        assert system.agrees(expected, answer), f"the answer should be {expected}, and is {answer}"
        self._compare()
        self.watch.take(links)
        told = [self.watch.lives[number].status.value for number in system.ids]
        assert told == self._kept, f"kept: {self._kept}, by the trail: {told}"  # I7, I9
        self._note_leave(step, expected)

    def end(self) -> None:
        """Look at everything once more: nothing lags any more, and all of it is as it should be."""
        system, reference = self.system, self.reference
        reference.tick(system.clock.now)
        records = system.records()
        self.watch.take(self._look())
        for action in reference.actions:
            action["lags"].clear()
        self._compare()
        found, expected = (
            [_facts(record, system) for record in records],
            [_expected(each) for each in reference.actions],
        )
        assert found == expected, f"kept: {found}, expected: {expected}"
        self.watch.check(records, self._leaves)
        counted = {(system.ids[number], *what): count for (number, *what), count in reference.refused.items()}
        # The claim that finds an approval outdated is told so by that move; a later one by an entry of its own.
        either = {
            (system.ids[action["index"]], "refused", "claim") for action in reference.actions if action["outdated"]
        }
        told = {what: count for what, count in self.watch.refusals().items() if what not in either}
        limited = {what: min(count, MOST_REFUSALS) for what, count in counted.items() if what not in either}
        assert told == limited  # I14
        system.end()

    def _look(self) -> list[Link]:
        """How it is kept now; where the reference leaves two ways open, this is the one that was taken."""
        self._kept, links, head = self.system.look(self.watch.entries)
        assert head is not None
        self.heads.add(head)
        for action, status in zip(self.reference.actions, self._kept, strict=False):
            if action["maybe"] and (action["status"], status) == ("revoked", "lapsed"):
                action.update(status=status, decider=action["votes"][-1][1] if action["votes"] else None)
            if action["outdated"] and action["status"] == "stale" and status in ("lapsed", "revoked"):
                action.update(status=status, decider=None if status == "revoked" else action["decider"])
        return links

    def _compare(self) -> None:
        """Every action is kept as it stands, or as it stood when somebody looked last."""
        actions = self.reference.actions
        assert len(self._kept) == len(actions)
        for action, status in zip(actions, self._kept, strict=True):
            assert status == action["status"] or status in action["lags"], f"{status} is kept of {action}"

    def _note_leave(self, step: Step, answer: Answer) -> None:
        """An answer that says: run it now."""
        if step.deed == "claim" and answer[0] == "executing":
            self._leaves[self.system.nth(step.said["which"]), step.said["nonce"]] += 1
        elif step.deed == "submit" and answer[-1] is True:
            self._leaves[self.system.ids[answer[1]], step.said["nonce"]] += 1


def _facts(record: Record, system: System) -> tuple[object, ...]:
    """What must come out the same on both sides."""
    names = {principal.id: name for name, principal in system.people.items()}
    votes = [(vote.stage, names[vote.voter]) for vote in record.votes]
    return (
        names[record.requester],
        record.status.value,
        votes,
        names.get(record.decider or ""),
        record.nonce,
        record.edited_digest,
        bool(record.edits),
    )


def _expected(action: dict[str, object]) -> tuple[object, ...]:
    return tuple(action[name] for name in ("who", "status", "votes", "decider", "nonce", "edited", "edits"))


class Campaign:
    """Many programs; counts the steps, and which events happened or were refused in which status."""

    def __init__(self) -> None:
        self.steps = 0
        self.moved: set[tuple[str, str]] = set()
        self.stayed: set[tuple[str, str]] = set()

    def run(self, where: str, seed: str, steps: int) -> None:
        """Programs, one after the other, until they had so many steps. One that fails says how to see it again."""
        enough = self.steps + steps
        numbers = itertools.count()
        while self.steps < enough:
            with opened(where) as system:
                heads: set[Head] = set()
                for number in itertools.islice(numbers, system.programs):
                    self.run_program(system, f"{seed}.{number}", heads)
                    if self.steps >= enough:
                        break
                is_sound(system, heads)

    def run_program(self, system: System, seed: str, heads: set[Head]) -> None:
        """The program of this seed, on a system that no other one runs on now. Adds the heads that it was told."""
        run = Run(system)
        try:
            run.all_of(program(seed, LENGTH))
        except BaseException as error:
            error.add_note(f"To see it again: python -m tests.center.campaign {seed} {system.name}")
            raise
        self.steps += run.steps
        self.moved |= run.reference.moved
        self.stayed |= run.reference.stayed
        heads |= run.heads


def is_sound(system: System, heads: Iterable[Head]) -> None:
    """I8, and all else that `clearance audit verify` looks at."""
    report = trail.verify(system, heads)
    assert report.problem is None, report.problem


def failure(where: str, steps: list[Step]) -> BaseException | None:
    """How these steps fail."""
    with opened(where) as system:
        run = Run(system)
        try:
            run.all_of(steps)
            is_sound(system, run.heads)
        except Exception as error:
            return error
    return None


def shortened(where: str, steps: list[Step]) -> list[Step]:
    """The steps without those that it fails without, too."""
    for at in reversed(range(len(steps))):
        fewer = steps[:at] + steps[at + 1 :]
        if failure(where, fewer) is not None:
            return shortened(where, fewer)
    return steps


def main(seed: str, where: str = "memory") -> None:
    """Show what fails of a program."""
    steps = program(seed, LENGTH)
    if failure(where, steps) is None:
        print(f"Alone on {where}, all is well.")
        return
    for step in (steps := shortened(where, steps)):
        print(step)
    raise SystemExit(f"{failure(where, steps)!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
