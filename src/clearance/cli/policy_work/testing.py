"""``clearance policy test``: the cases beside the rules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from clearance.center import policy as policies
from clearance.center.policy import Policy, cases
from clearance.center.policy.cases import Report, Result
from clearance.center.policy.explaining import explain, in_words
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, plain_errors, say
from clearance.cli.policy_work.options import FILE, POLICY


@click.command("test")
@POLICY
@click.argument("cases_file", type=FILE, required=False, metavar="[CASES]")
@click.option("--require-coverage", is_flag=True, help="Fail also if a rule or limit decides no case.")
@AS_JSON
@plain_errors
def test_policy(file: Path, cases_file: Path | None, *, require_coverage: bool, as_json: bool) -> None:
    """Hold the policy in FILE against the cases in CASES; default: the file NAME.tests.yaml beside it."""
    policy = policies.load(file)
    source = cases_file or cases.beside(file)
    report = cases.run(policy, cases.load_cases(source, policy))
    lines = [line for result in report.failed for line in _failure(policy, source, result)]
    say(_document(policy, report), "\n".join([*lines, _summary(report), _coverage(policy, report)]), as_json=as_json)
    if report.failed or (require_coverage and report.never):
        sys.exit(1)


def _failure(policy: Policy, source: Path, result: Result) -> list[str]:
    head = plain(f"FAILED: {result.case.name} ({source}:{result.case.line})")
    return [head, *(f"  {plain(each)}" for each in (*result.wrong, *_why(policy, result)))]


def _why(policy: Policy, result: Result) -> list[str]:
    """What led there: the rules that matched or were unclear, and what kept the expected one from matching."""
    told = explain(policy, result.asked, charges=result.charges)
    found = [f"{each.rule.name} matched: {'; '.join(map(in_words, each.conditions))}" for each in told.matched]
    found += [
        f"{each.rule.name} could not be told: {'; '.join(part.why for part in each.unclear)}" for each in told.unclear
    ]
    found += [f"{each.rule.name} nearly matched, but not: {in_words(each.missed[0])}" for each in told.nearly]
    found += [each.why or each.charge.said for each in told.limits]
    return found or [result.verdict.reason]


def _summary(report: Report) -> str:
    total, failed = len(report.results), len(report.failed)
    return f"{total - failed} of {total} cases hold." if failed else f"All {total} cases hold."


def _coverage(policy: Policy, report: Report) -> str:
    what = "rules and limits" if policy.limits else "rules"
    reached = report.rules - len(report.never)
    never = plain(f"; never: {', '.join(report.never)}") if report.never else ""
    return f"{reached} of {report.rules} {what} decided a case{never}."


def _document(policy: Policy, report: Report) -> dict[str, Any]:
    return {
        "policy": policy.version,
        "cases": [
            {
                "name": result.case.name,
                "line": result.case.line,
                "passed": not result.wrong,
                "effect": result.verdict.effect.value,
                "rule": result.verdict.rule,
                "wrong": list(result.wrong),
                "why": _why(policy, result) if result.wrong else [],
            }
            for result in report.results
        ],
        "failed": len(report.failed),
        "rules": report.rules,
        "never": list(report.never),
    }
