"""Cases beside the rules: for this action the policy must say this, by this rule. And which rules no case reaches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clearance.center.policy.asked import Asked
from clearance.center.policy.described import Described, described, document
from clearance.center.policy.document import Node, Problems, Reader, nearest
from clearance.center.policy.engine import WITHOUT_RULE, Policy, Verdict
from clearance.center.policy.limits import Charge, over
from clearance.center.policy.rules import LARGEST_QUORUM, LONGEST_NAME, Effect, Rules
from clearance.center.records import Stage

MOST_CASES = 20_000
_KEYS = ("name", "action", "expect", "by", "quorum", "stages")
_NEEDED = (("name", "small refunds pass"), ("action", "{action_type: payment.refund}"), ("expect", "ask"))
_MOST_PEOPLE = LARGEST_QUORUM * 10


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, and what must come. ``quorum`` is how many people must agree, over all stages."""

    name: str
    line: int
    described: Described
    expect: Effect
    by: str | None = None
    quorum: int | None = None
    stages: tuple[Stage, ...] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case. ``wrong`` says, a sentence each, what is not as expected; empty: it holds."""

    case: Case
    asked: Asked
    charges: tuple[Charge, ...]
    verdict: Verdict
    wrong: tuple[str, ...]
    decided_by: frozenset[str]
    """The rules that matched, and the limits that left no room, that say what came."""


@dataclass(frozen=True, slots=True)
class Report:
    """All results, and which of the rules and limits decided no case, in the order of the policy."""

    results: tuple[Result, ...]
    rules: int
    never: tuple[str, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """Those that are not as expected."""
        return tuple(result for result in self.results if result.wrong)


def beside(policy_file: Path) -> Path:
    """Where the cases of a policy are: ``policy.tests.yaml`` beside ``policy.yaml``."""
    return policy_file.with_suffix(".tests.yaml")


def load_cases(path: Path, policy: Policy) -> tuple[Case, ...]:
    """The cases of a file, which are about this policy.

    Raises:
        PolicyError: it cannot be read, or says anything that is not understood.
    """
    problems = Problems(str(path))
    reader = Reader(problems)
    node = document(path, problems)
    table = reader.table(node, "the file", ("cases",))
    if "cases" not in table and not problems:
        problems.add(node.place, "the file has no cases; write a list of them under cases.")
    entries = reader.items(table["cases"], "cases") if "cases" in table else []
    if len(entries) > MOST_CASES:
        problems.add(table["cases"].place, f"there are {len(entries):,} cases; {MOST_CASES:,} is the most.")
        entries = []
    # Each entry has a list of problems of its own: what is wrong in one does not leave the next unread.
    names: dict[str, int] = {}
    cases = [_case(entry, number, problems, policy, names) for number, entry in enumerate(entries, 1)]
    if problems:
        raise problems.error()
    return tuple(case for case in cases if case is not None)


def run(policy: Policy, cases: tuple[Case, ...]) -> Report:
    """Hold the policy against each case."""
    results = tuple(_run(policy, case) for case in cases)
    reached = frozenset(name for result in results for name in result.decided_by)
    never = tuple(rule.name for rule in policy.entries if rule.name not in reached)
    return Report(results, len(policy.entries), never)


def people(stages: tuple[Stage, ...]) -> int:
    """How many must agree: nobody's approval counts twice, in whichever stage."""
    return sum(stage.quorum for stage in stages) or 1


def _run(policy: Policy, case: Case) -> Result:
    asked = case.described.asked(policy)
    charges = case.described.charges(policy)
    verdict = policy.judge(asked, charges)
    matched = [rule for rule in policy.rules if rule.test(asked) is True]
    matched += [charge.limit for charge in over(charges)]
    deciding = frozenset(rule.name for rule in matched if rule.then is verdict.effect)
    return Result(case, asked, charges, verdict, tuple(_wrong(case, verdict)), deciding)


def _wrong(case: Case, verdict: Verdict) -> list[str]:
    found: list[str] = []
    if verdict.effect is not case.expect:
        found.append(f"expected {case.expect}, but it is {verdict.effect} by {verdict.rule}")
    elif case.by is not None and verdict.rule != case.by:
        found.append(f"expected {case.expect} by {case.by}, but it is by {verdict.rule}")
    if verdict.effect is not Effect.ASK:
        return found
    if case.quorum is not None and people(verdict.stages) != case.quorum:
        found.append(f"expected that {case.quorum} must agree, but it is {people(verdict.stages)}")
    if case.stages is not None and verdict.stages != case.stages:
        found.append(f"expected {_said(case.stages)}, but it is {_said(verdict.stages)}")
    return found


def _said(stages: tuple[Stage, ...]) -> str:
    pieces = [
        f"{stage.quorum} of {', '.join(stage.wanted()) or 'any approver'}"
        + (f", not {', '.join(stage.excluded)}" if stage.excluded else "")
        for stage in stages
    ]
    return " then ".join(pieces) or "any approver"


def _case(entry: Node, number: int, whole: Problems, policy: Policy, names: dict[str, int]) -> Case | None:
    problems = Problems(whole.file)
    found = _read(entry, number, Reader(problems), policy)
    if found is not None and found.name in names:
        problems.add(entry.place, f"two cases are named {found.name!r} (see line {names[found.name]}); names differ.")
    elif found is not None:
        names[found.name] = found.line
    whole.extend(problems)
    return found


def _read(entry: Node, number: int, reader: Reader, policy: Policy) -> Case | None:
    table = reader.table(entry, f"case {number}", _KEYS)
    name = reader.text(table["name"], f"case {number}: name", longest=LONGEST_NAME) if "name" in table else None
    what = f"case {name!r}" if name else f"case {number}"
    if isinstance(entry.value, dict):
        for key, hint in _NEEDED:
            if key not in entry.value:
                reader.problems.add(entry.place, f"{what} has no {key}; give it one, such as {key}: {hint}.")
    expect = reader.choice(table["expect"], f"{what}: expect", list(Effect)) if "expect" in table else None
    for key in ("quorum", "stages"):
        if key in table and expect is not None and expect != Effect.ASK:
            reader.problems.add(entry.keys[key], f"{what}: {key} is only for a case that says expect: ask.")
    by = _rule(table["by"], reader, f"{what}: by", policy) if "by" in table else None
    quorum = reader.whole(table["quorum"], f"{what}: quorum", 1, _MOST_PEOPLE) if "quorum" in table else None
    stages = Rules(reader).stages(table["stages"], what) if "stages" in table else None
    limits = [limit.name for limit in policy.limits]
    action = described(table["action"], reader, f"{what}: action", limits) if "action" in table else None
    if not name or expect is None or action is None:
        return None
    return Case(name, entry.place.line, action, Effect(expect), by, quorum, stages)


def _rule(node: Node, reader: Reader, what: str, policy: Policy) -> str | None:
    name = reader.text(node, what)
    known = [*policy.names, *WITHOUT_RULE]
    if name is not None and name not in policy.names and name not in WITHOUT_RULE:
        words = nearest(name, known, "decisions name")
        reader.problems.add(node.place, f"{what}: the policy has no rule {name!r}; {words}")
    return name
