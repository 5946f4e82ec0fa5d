"""How long a policy takes to decide, with 10 and 1,000 rules, against Cedar by the same rules, in one run.

Each rule names an action type or a tool, and holds a number against one; in ``without index`` it names neither, so that
every rule is looked at. Cedar is measured where ``cedarpy`` is installed, with its policies parsed beforehand. Then:
how long a file with 10,000 rules takes to be read, and the longest of some decisions that are made to take long.
Run: ``python benchmarks/policy_decisions.py``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from random import Random
from typing import Any

from clearance.center.policy import Asked, parse
from clearance.models import Action

DECISIONS = 2_000
FILE_RULES = 10_000
GOALS = {10: 2.0, 1_000: 50.0}
"""Microseconds for a decision with so many rules, in the median."""
ASKED = Asked(
    Action(
        "billing-bot", "payment.refund", "stripe", "Refund 42", {"amount": 42, "charge_id": "ch_1"}, "d" * 43, 60, 60
    )
)
RULES: dict[str, Callable[[int], str]] = {
    "by action type or tool": lambda n: f"action_type: work{n}.do" if n % 2 else f"tool_name: tool-{n}",
    "without index": lambda n: f"agent_id: agent-{n}*",
}


def policy_text(rules: int, about: Callable[[int], str]) -> str:
    lines = [
        f"- {{name: r{n}, match: {{{about(n)}, parameters.amount: {{gt: {n}}}}}, then: {'ask' if n % 3 else 'deny'}}}"
        for n in range(rules - 1)
    ]
    matching = "- {name: refunds, match: {action_type: payment.refund, parameters.amount: {le: 50}}, then: allow}"
    return "rules:\n" + "\n".join([*lines, matching])


def cedar_text(rules: int, about: Callable[[int], str]) -> str:
    names = {"action_type": "action_type", "tool_name": "tool_name", "agent_id": "agent_id"}
    lines = []
    for n in range(rules - 1):
        field, _, word = about(n).partition(": ")
        test = f'context.{names[field]} like "{word}"' if word.endswith("*") else f'context.{names[field]} == "{word}"'
        lines.append(f"forbid(principal, action, resource) when {{ {test} && context.amount > {n} }};")
    lines.append(
        'permit(principal, action, resource) when { context.action_type == "payment.refund" && context.amount <= 50 };'
    )
    return "\n".join(lines)


def cedar_judge(text: str) -> Callable[[], Any]:
    cedar = import_module("cedarpy")
    action = ASKED.action
    request = {
        "principal": 'Agent::"billing-bot"',
        "action": 'Action::"payment.refund"',
        "resource": 'Tool::"stripe"',
        "context": {
            "action_type": action.action_type,
            "tool_name": action.tool_name,
            "agent_id": action.agent_id,
            "amount": 42,
        },
    }
    policies, entities = cedar.PolicySet.from_str(text), cedar.Entities.from_json_str("[]")
    return lambda: cedar.is_authorized(request, policies, entities)


def median_of(decide: Callable[[], object]) -> float:
    """Microseconds."""
    taken: list[int] = []
    for _ in range(DECISIONS):
        started = time.perf_counter_ns()
        decide()
        taken.append(time.perf_counter_ns() - started)
    return statistics.median(taken) / 1_000


def longest() -> float:
    """Milliseconds of the longest of some decisions by patterns that are as large as they may be, over long texts."""
    worst = 0.0
    mixed = "".join(Random(1).choices("abx", k=4_096))
    texts = [mixed, "a" * 4_096, "ab" * 2_048, "x" * 1_048_576]
    patterns = [
        "(a|b)*a(a|b){20}c",
        "(a*)*b",
        "a.{0,20}z",
        "(x+x+)+y",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(?:a?){30}a{30}",
    ]
    for pattern in patterns:
        policy = parse(f"rules:\n- {{name: r, match: {{parameters.text: {{regex: '{pattern}'}}}}, then: deny}}")
        for text in texts:
            asked = Asked(Action("agent", "text.read", "reader", "", {"text": text}, "", 60, 60))
            started = time.perf_counter_ns()
            policy.judge(asked)
            worst = max(worst, (time.perf_counter_ns() - started) / 1_000_000)
    return worst


def main() -> None:
    for name, about in RULES.items():
        for rules, goal in GOALS.items():
            policy = parse(policy_text(rules, about))
            ours = median_of(partial(policy.judge, ASKED))
            said = f"{name}, {rules:,} rules: {ours:.2f} us a decision (goal: at most {goal:g})"
            if find_spec("cedarpy"):
                cedar = median_of(cedar_judge(cedar_text(rules, about)))
                said += f"; Cedar {cedar:.1f} us, {cedar / ours:.0f} x"
            print(said)
    text = policy_text(FILE_RULES, RULES["by action type or tool"])
    started = time.perf_counter()
    parse(text)
    print(f"a file with {FILE_RULES:,} rules is read in {time.perf_counter() - started:.2f} s (goal: at most 2)")
    print(f"the longest of the decisions that are made to take long: {longest():.2f} ms (goal: at most 10)")


if __name__ == "__main__":
    main()
