"""``clearance policy explain``: why a policy says what it says of an action."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from clearance.center import policy as policies
from clearance.center.policy import Asked, Policy, explaining
from clearance.center.policy.cases import people
from clearance.center.policy.described import load_action
from clearance.center.policy.explaining import Explanation, LimitExplained, RuleExplained, in_words
from clearance.center.policy.rules import Effect
from clearance.center.records import Factor, Record
from clearance.center.store.base import Tx, Use
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, DatabaseAddress, opened, plain_errors, say
from clearance.cli.policy_work.options import FILE

MOST_TOLD = 20
"""Rules of a kind that are printed at most; in JSON they are all."""


@click.command("explain")
@click.argument("what", metavar="FILE_OR_ACTION_ID")
@click.option("--policy", "file", type=FILE, help="By this policy file; default for an action: the one that judged it.")
@click.option(
    "--database",
    type=DatabaseAddress(exists=True),
    help="The Center's SQLite file, or postgresql://..., where the action is.",
)
@AS_JSON
@plain_errors
def explain_policy(what: str, file: Path | None, database: str | None, *, as_json: bool) -> None:
    """Tell which rules match an action, which nearly do, which cannot be told, how much is used of which limit, and
    what its risk is made of.

    The action is one that a Center keeps, by its id, or one that a YAML, TOML or JSON file describes.
    """
    given = policies.load(file) if file is not None else None
    if database is not None:
        policy, told = _recorded(what, database, given)
    else:
        if what.isdecimal() and not Path(what).exists():
            raise click.UsageError("To explain an action by its id, say where it is: --database DATABASE.")
        if given is None:
            raise click.UsageError("To explain an action of a file, say by which policy: --policy FILE.")
        policy, described = given, load_action(Path(what), [limit.name for limit in given.limits])
        factors = () if described.risk is not None else described.assessed(policy).factors
        told = explaining.explain(policy, described.asked(policy), factors, described.charges(policy))
    say(_document(policy, told), "\n".join(_lines(policy, told)), as_json=as_json)


def _recorded(what: str, database: str, given: Policy | None) -> tuple[Policy, Explanation]:
    """An action that a Center keeps, by the policy that it was judged by, unless another is given."""
    if not what.isdecimal() or len(what) > 18:
        raise click.UsageError(f"{what!r} is no id of an action; with --database, give its number.")
    with opened(database, Use.READ) as center:
        record, policy = center.do(lambda tx: _found(tx, int(what)))
    if given is not None:
        assessed = given.risk.assess(record.action, at=record.created_at, is_new=record.new_call is not None)
        return given, _then(given, record, assessed.score, assessed.factors)
    if policy is None:
        raise click.ClickException(
            f"Action {record.id} was judged by policy {plain(record.policy_version)}, which is not kept. "
            "Nothing was explained. Say by which one: --policy FILE"
        )
    return policy, _then(policy, record, record.risk_score, record.factors)


def _then(policy: Policy, record: Record, risk: int, factors: tuple[Factor, ...]) -> Explanation:
    """As it was asked, with what was used of limits at the time."""
    asked = Asked.again(record, risk)
    charges, unknown = explaining.charges_then(policy, asked, record)
    return explaining.explain(policy, asked, factors, charges, unknown)


def _found(tx: Tx, action_id: int) -> tuple[Record, Policy | None]:
    record = tx.action(action_id)
    if record is None:
        raise click.ClickException(f"There is no action {action_id} in this database.")
    kept = tx.policy(record.policy_version)
    if kept is not None:
        return record, policies.parse(kept.text, kept.format, f"policy {kept.version}")
    built_in = policies.built_in()
    return record, built_in if record.policy_version == built_in.version else None


def _lines(policy: Policy, told: Explanation) -> Iterator[str]:
    verdict = told.verdict
    needed = f", {people(verdict.stages)} must agree" if verdict.effect is Effect.ASK else ""
    yield plain(f"{verdict.effect} by {verdict.rule}{needed} (policy {policy.version})")
    if verdict.reason:
        yield f"  {plain(verdict.reason)}"
    yield from _section("Matched:", told.matched)
    yield from _section("Could not be told, so that a person is asked at least:", told.unclear)
    yield from _section("Nearly matched, but for one condition:", told.nearly)
    if told.limits:
        yield "Limits over time:"
    yield from (plain(f"  {_limit(each)}") for each in told.limits)
    yield f"Risk {told.risk}:" if told.factors else f"Risk {told.risk}."
    for factor in told.factors:
        yield plain(f"  {factor.points:+d}  {factor.name}: {factor.reason}")


def _limit(told: LimitExplained) -> str:
    charge = told.charge
    if told.why:
        return f"{charge.limit.name} cannot be evaluated: {told.why}"
    if not told.is_known:
        return f"{charge.limit.name}: what was used of it then is not kept; counted as nothing"
    return f"{charge.said} {'There is no room for it.' if charge.is_over else 'There is room for it.'}"


def _section(head: str, rules: tuple[RuleExplained, ...]) -> Iterator[str]:
    if not rules:
        return
    yield head
    for each in rules[:MOST_TOLD]:
        yield plain(f"  {each.rule.name} ({each.rule.then}, line {each.rule.line})")
        for condition in each.conditions:
            answer = {True: "yes", False: "no ", None: "?  "}[condition.found]
            why = f": {condition.why}" if condition.why else ""
            yield plain(f"    {answer}  {in_words(condition)}{why}")
    if len(rules) > MOST_TOLD:
        yield f"  and {len(rules) - MOST_TOLD} more"


def _document(policy: Policy, told: Explanation) -> dict[str, Any]:
    return {
        "policy": policy.version,
        "effect": told.verdict.effect.value,
        "rule": told.verdict.rule,
        "reason": told.verdict.reason,
        "matched": _rules(told.matched),
        "unclear": _rules(told.unclear),
        "nearly": _rules(told.nearly),
        "limits": [
            {
                "limit": each.charge.limit.name,
                "then": each.charge.limit.then.value,
                "used": each.charge.limit.shown(each.charge.used) if each.is_known else None,
                "at_most": each.charge.limit.shown(each.charge.limit.at_most),
                "over": each.charge.is_over,
                "why": each.why,
            }
            for each in told.limits
        ],
        "risk": told.risk,
        "factors": [{"name": each.name, "points": each.points, "reason": each.reason} for each in told.factors],
    }


def _rules(rules: Iterable[RuleExplained]) -> list[dict[str, Any]]:
    return [
        {
            "rule": each.rule.name,
            "then": each.rule.then.value,
            "line": each.rule.line,
            "conditions": [
                {"condition": in_words(part), "holds": part.found, "why": part.why} for part in each.conditions
            ],
        }
        for each in rules
    ]
