"""Policies for tests of what stands on them, and how to ask one."""

from __future__ import annotations

from typing import Any

from tests.helpers import an_action

from clearance.center.policy import Asked, Effect, Policy, Rule, Verdict, parse
from clearance.center.policy.checks import fitting
from clearance.center.policy.conditions import Group, Leaf
from clearance.center.policy.matching import FIELDS
from clearance.center.policy.patterns import glob
from clearance.center.records import Stage


def a_rule(name: str, then: Effect = Effect.ASK, action_type: str = "payment.*", **more: Any) -> Rule:
    """A rule about an action type, by a glob."""
    leaf = Leaf(FIELDS["action_type"], "glob", action_type, fitting(glob(action_type)))
    return Rule(name, then, Group("all", (leaf,)), **more)


def together(*stages: Stage, escalate_to: tuple[str, ...] = ()) -> Policy:
    """A policy by which payments need these."""
    return Policy((a_rule("together", stages=stages, escalate_to=escalate_to),), version="together")


def judged(policy: Policy, at: int = 0, requester: str = "", **changes: Any) -> Verdict:
    """What a policy says about a refund, or about what it is changed to."""
    action = an_action(**changes)
    return policy.judge(Asked(action, at, policy.risk.assess(action).score, requester))


def saying(*rules: str, clear_up_to: int | None = None) -> Policy:
    """The policy whose rules have these entries, in YAML; each gets a name."""
    head = "" if clear_up_to is None else f"risk: {{clear_up_to: {clear_up_to}}}\n"
    lines = [f"- {{name: r{number}, {rule}}}" for number, rule in enumerate(rules)]
    return parse(f"{head}rules:\n" + "\n".join(lines))
