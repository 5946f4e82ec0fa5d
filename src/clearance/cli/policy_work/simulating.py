"""``clearance policy simulate``: what a policy would have said of recorded actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from clearance.center import policy as policies
from clearance.center import recorded
from clearance.center.moves import SECOND
from clearance.center.policy.rules import Effect
from clearance.center.policy.simulation import MOST_NAMED, Simulation
from clearance.center.store.base import Use
from clearance.center.visible import plain
from clearance.cli.common import AS_JSON, DATABASE, opened, plain_errors, say
from clearance.cli.light import lifetime
from clearance.cli.policy_work.options import POLICY

_WORDS = {
    Effect.DENY: "would be refused",
    Effect.ASK: "would ask a person",
    Effect.ALLOW: "would be cleared without a person",
}
_WAS = {Effect.DENY: "refused by the policy", Effect.ASK: "asked about", Effect.ALLOW: "cleared by the policy"}


@click.command("simulate")
@POLICY
@DATABASE
@click.option("--since", callback=lifetime, default="7d", show_default=True, help="How far to look back: 7d, 12h.")
@AS_JSON
@plain_errors
def simulate_policy(file: Path, database: str, since: float, *, as_json: bool) -> None:
    """Judge the actions of a Center by the policy in FILE, and count what would change. Nothing is written."""
    simulation = Simulation(policies.load(file))
    with opened(database, Use.READ) as center:
        now = center.desk.now()
        for record in recorded.since(center, now - round(since * SECOND)):
            simulation.add(record)
    days = simulation.days(now)
    say(_document(simulation, days), "\n".join(_lines(simulation, days)), as_json=as_json)


def _lines(found: Simulation, days: float) -> Iterator[str]:
    version = found.policy.version
    yield f"{found.total:,} actions in {days:.1f} days, judged by policy {version} as if they were asked again:"
    for effect in Effect:
        more = f", {found.now(effect) / days:.3g} a day" if effect is Effect.ASK else ""
        yield f"  {found.now(effect):,} {_WORDS[effect]}{more}; it was {found.was(effect):,}"
    if tools := found.most_asking():
        head = f"{len(tools)} tools make" if len(tools) > 1 else "1 tool makes"
        yield plain(f"{head} 90 % of the asking: {', '.join(f'{tool} ({found.asking[tool]:,})' for tool in tools)}")
    if found.policy.limits:
        yield (
            "Limits are counted from the first of these actions on, each from when it was asked; one that would ask a "
            "person counts if it ran."
        )
    for rule, number in found.unclear.most_common(10):
        yield plain(f"{rule} could not be told {number:,} times, which asks a person")
    for (was, now), number in sorted(found.effects.items()):
        if was is not now:
            yield from _changes(found, was, now, number)


def _changes(found: Simulation, was: Effect, now: Effect, number: int) -> Iterator[str]:
    named = found.changed[was, now]
    yield f"{_WORDS[now].capitalize()}, and was {_WAS[was]}: {number:,}"
    for each in named:
        yield plain(f"  {each.id}  {each.action_type} ({each.tool_name}): by {each.now_by}, it was {each.was_by}")
    if number > MOST_NAMED:
        yield f"  and {number - MOST_NAMED:,} more"


def _document(found: Simulation, days: float) -> dict[str, Any]:
    return {
        "policy": found.policy.version,
        "actions": found.total,
        "days": days,
        "now": {effect.value: found.now(effect) for effect in Effect},
        "was": {effect.value: found.was(effect) for effect in Effect},
        "asks_a_day": found.now(Effect.ASK) / days,
        "most_asking": {tool: found.asking[tool] for tool in found.most_asking()},
        "rules": dict(found.rules.most_common()),
        "unclear": dict(found.unclear.most_common()),
        "changes": [
            {
                "was": was.value,
                "now": now.value,
                "count": number,
                "actions": [asdict(each) for each in found.changed[was, now]],
            }
            for (was, now), number in sorted(found.effects.items())
            if was is not now
        ],
    }
