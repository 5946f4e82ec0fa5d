"""``clearance policy diff``: what changes from one policy file to another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from clearance.center import policy as policies
from clearance.center.moves import SECOND
from clearance.center.policy import Policy, PolicyError, Verdict, comparing
from clearance.center.policy.cases import people
from clearance.center.policy.comparing import Change, Comparison, in_words
from clearance.center.policy.described import NOON
from clearance.center.policy.rules import Effect
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, plain_errors, say
from clearance.cli.policy_work.options import FILE


@click.command("diff")
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option(
    "--tries",
    type=click.IntRange(1, 1_000_000),
    default=comparing.MOST,
    show_default=True,
    help="How many actions to try.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number tries other actions.")
@AS_JSON
@plain_errors
def diff_policies(old: Path, new: Path, tries: int, seed: int, *, as_json: bool) -> None:
    """Search for actions of which NEW says something else than OLD. It is a search, not a proof."""
    found = comparing.compare(_own(old), _own(new), tries, seed)
    say(_document(found), "\n".join(_lines(found)), as_json=as_json)


def _own(file: Path) -> Policy:
    policy = policies.load(file)
    if policy.format == "cedar":
        sentence = (
            f"{file}: actions are drawn from the rules of Clearance's own files, and this one is in Cedar. Nothing was "
            "compared. Hold both files against the same cases with policy test, or use policy simulate."
        )
        raise PolicyError(sentence)
    return policy


def _lines(found: Comparison) -> Iterator[str]:
    for change in found.changes:
        more = f"  and {change.count - 1:,} like it" if change.count > 1 else ""
        before, after = _verdict(change.before), _verdict(change.after)
        yield plain(f"{in_words(change.example, change.used)}{_when(change)}: {before} -> {after}{more}")
    yield from map(plain, found.counting)
    if not found.changes:
        yield "No action was found of which they say different things."
    number = sum(change.count for change in found.changes)
    yield f"{number:,} of {found.tried:,} actions that were tried come out otherwise. This is a search, not a proof."
    if found.undrawn:
        yield f"{found.undrawn} regular expressions are beyond it: no value is drawn from them."


def _verdict(verdict: Verdict) -> str:
    number = people(verdict.stages) if verdict.effect is Effect.ASK else 1
    return f"{verdict.effect} ({verdict.rule}{f', {number} must agree' if number > 1 else ''})"


def _when(change: Change) -> str:
    moment = datetime.fromtimestamp(change.example.at // SECOND, UTC)
    when = "" if moment == NOON else f" at {moment:%a %H:%M} UTC"
    by_risk = {"risk-clear", "risk-ask"} & {change.before.rule, change.after.rule}
    return f"{when} at risk {change.example.risk}" if by_risk else when


def _document(found: Comparison) -> dict[str, Any]:
    return {
        "tried": found.tried,
        "undrawn": found.undrawn,
        "counting": found.counting,
        "changes": [
            {
                "action": _action(change),
                "before": {"effect": change.before.effect.value, "rule": change.before.rule},
                "after": {"effect": change.after.effect.value, "rule": change.after.rule},
                "wider": change.is_wider,
                "count": change.count,
            }
            for change in found.changes
        ],
    }


def _action(change: Change) -> dict[str, Any]:
    """As `explain` reads it."""
    asked, action = change.example, change.example.action
    fields = {
        "action_type": action.action_type,
        "tool_name": action.tool_name,
        "agent_id": action.agent_id,
        "resource": action.resource,
        "parameters": dict(action.parameters),
        "context": dict(action.context),
        "reasoning": action.reasoning,
        "requester": asked.requester,
        "owner": asked.owner,
        "risk": asked.risk,
        "used": dict(change.used),
        "at": datetime.fromtimestamp(asked.at // SECOND, UTC).isoformat(),
    }
    return {key: value for key, value in fields.items() if value not in (None, "", {})}
