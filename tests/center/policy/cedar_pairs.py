"""Policies that both engines can say, drawn by chance, and written a second time in Cedar; and actions to hold them to.

What they must agree on: where nothing that a rule looks at is hidden, missing or beyond comparison, the whole verdict.
Elsewhere, Cedar says the same or asks, and whoever must agree by ours must agree by Cedar's, too: it gives up a policy
at the first thing that it cannot tell, where ours goes on to see whether that matters.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.center.policy import reference
from tests.center.policy.pairs import asked, in_short, read

from clearance.center.policy import Effect, Policy, parse

TYPES = ("payment.refund", "payment.payout", "order.read", "db.migrate", "deploy")
TOOLS = ("stripe", "postgres", "shop")
AGENTS = ("billing-bot", "builder", "billing-2")
TEXTS = ("a", "ab", "abc", "prod", "a*c", 'say "hi"', "back\\slash", "naïve")
GLOBS = ("*", "a*", "*b*", "*c", "prod", "a*c", "*i*")
NUMBERS = (0, 1, 5, -3, 12, 50, 10**9)
WORDS = {
    "agent_id": ("principal.name", AGENTS),
    "action_type": ("action.name", TYPES),
    "tool_name": ("resource.name", TOOLS),
    "resource": ("resource.resource", ("prod", "abc")),
    "requester": ("principal.key", AGENTS),
    "owner": ("principal.owner", ("carol", "dave")),
    "parameters.note": ("context.parameters.note", TEXTS),
    "context.env": ("context.caller.env", ("prod", "stage")),
    "reasoning": ("context.reasoning", ("a", "because")),
}
"""About -> what it is in Cedar, and what it may be."""
HIDDEN = ("amount", "note", "order.total", "tags[0]", "env", "flag")
SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
DECIMAL = {"lt": "lessThan", "le": "lessThanOrEqual", "gt": "greaterThan", "ge": "greaterThanOrEqual"}
THERE = {
    "parameters.amount": "context.parameters has amount",
    "parameters.note": "context.parameters has note",
    "parameters.tags": "context.parameters has tags",
    "parameters.order.total": "context.parameters has order.total",
    "context.env": "context.caller has env",
    "reasoning": "context has reasoning",
}


@dataclass
class Tally:
    """How much was compared, and how it came out."""

    pairs: int = 0
    policies: int = 0
    equal: int = 0
    by_rule: int = 0
    in_doubt: int = 0


def documents(dice: Random) -> tuple[dict[str, Any], Policy, str]:
    """A policy of ours, as its file says it and as it was read; and the same in Cedar."""
    while True:
        document = {"rules": [_rule(dice, f"r{number}") for number in range(dice.randint(1, 6))]}
        policy = read(document, "yaml")
        if policy is not None:
            return document, policy, "\n".join(in_cedar(rule) for rule in document["rules"])


def action_document(dice: Random) -> dict[str, Any]:
    """An action, with all that these rules look at; not all of it is always there, or shown."""
    tree: dict[str, Any] = {
        "amount": dice.choice([*NUMBERS, *NUMBERS, 12.5, 5.0, None]),
        "note": dice.choice([*TEXTS, *TEXTS, None]),
        "order": {"total": dice.choice(NUMBERS)} if dice.random() < 0.9 else {},
        "tags": [dice.choice(TEXTS) for _ in range(dice.randint(0, 3))],
        "flag": dice.choice([True, False]),
    }
    tree = {name: value for name, value in tree.items() if dice.random() < 0.95}
    context = {"env": dice.choice(["prod", "stage"])} if dice.random() < 0.9 else {}
    there = {
        *tree,
        *context,
        *(["order.total"] if tree.get("order") else []),
        *(["tags[0]"] if tree.get("tags") else []),
    }
    blurred = [path for path in HIDDEN if path in there and dice.random() < 0.04]
    return {
        "agent_id": dice.choice(AGENTS),
        "action_type": dice.choice(TYPES),
        "tool_name": dice.choice(TOOLS),
        "resource": dice.choice([None, "prod", "abc"]),
        "reasoning": dice.choice([None, "a", "because", "because", "a"]),
        "parameters": tree,
        "context": context,
        "requester": dice.choice(AGENTS),
        "owner": dice.choice(["", "carol"]),
        "risk": dice.choice([0, 10, 30, 31, 60, 100]),
        "at": 1_700_000_000_000_000,
        "redacted": blurred[:1],
        "abridged": blurred[1:],
    }


def compare(seed: int, tally: Tally, actions: int) -> None:
    """Hold one policy against itself in Cedar, over some actions. ``seed`` is all that it takes to see it again."""
    dice = Random(seed)
    document, ours, text = documents(dice)
    cedar = parse(text, "cedar")
    tally.policies += 1
    for _ in range(actions):
        action = action_document(dice)
        mine, other = ours.judge(asked(action)), cedar.judge(asked(action))
        said = f"seed {seed}: Cedar says {other}, ours {mine}\n{text}\n{action}"
        is_clear = all(tells_all(rule["match"], action) for rule in document["rules"])
        if is_clear:
            assert in_short(other) == in_short(mine), said
        else:
            assert other.effect in (Effect.ASK, mine.effect), said
            assert mine.effect is not Effect.ASK or set(mine.stages) <= set(other.stages), said
            assert set(mine.unclear) <= set(other.unclear), said
        tally.pairs += 1
        tally.equal += is_clear
        tally.by_rule += is_clear and mine.rule != "no-rule"
        tally.in_doubt += bool(other.unclear)


def tells_all(match: dict[str, Any], action: dict[str, Any]) -> bool:
    """Can each single condition be told, whether it matters or not?"""
    for about, wanted in match.items():
        if about in ("all", "any"):
            if not all(tells_all(each, action) for each in wanted):
                return False
        elif about == "not":
            if not tells_all(wanted, action):
                return False
        elif reference.holds(about, wanted, action) == reference.WHO_KNOWS:
            return False
    return True


# The same in Cedar


def in_cedar(rule: dict[str, Any]) -> str:
    """A rule as a policy of Cedar."""
    scope = {"principal": "principal", "action": "action", "resource": "resource"}
    conditions = []
    for about, wanted in rule["match"].items():
        match about, wanted:
            case "agent_id", {"eq": str(name)}:
                scope["principal"] = f"principal == Agent::{quoted(name)}"
            case "requester", {"eq": str(name)}:
                scope["principal"] += f" in Key::{quoted(name)}" if scope["principal"] == "principal" else ""
                conditions.append(f"principal.key == {quoted(name)}")
            case "action_type", {"eq": str(name)}:
                scope["action"] = f"action == Action::{quoted(name)}"
            case "action_type", {"glob": "payment.*"}:
                scope["action"] = 'action in Action::"payment"'
            case "tool_name", {"eq": str(name)}:
                scope["resource"] = f"resource == Tool::{quoted(name)}"
            case _:
                conditions.append(condition(about, wanted))
    effect = "forbid" if rule["then"] == "deny" else "permit"
    when = f" when {{ {' && '.join(conditions)} }}" if conditions else ""
    return f"{what_stands_above(rule)} {effect}({', '.join(scope.values())}){when};"


def what_stands_above(rule: dict[str, Any]) -> str:
    """What stands above it."""
    found = {"id": rule["name"]} | {
        key: str(rule[key]) for key in ("quorum", "decide_within", "run_within") if key in rule
    }
    if rule["then"] == "ask":
        found["ask"] = rule.get("reason", "")
    elif "reason" in rule:
        found["reason"] = rule["reason"]
    if "editable" in rule:
        found["editable"] = ", ".join(rule["editable"])
    named = {"names": "approvers", "roles": "approver_roles", "not": "not_approvers"}
    for key, names in rule.get("approvers", {}).items():
        found[named[key]] = ", ".join(names)
    return " ".join(f"@{key}({quoted(value)})" for key, value in found.items())


def condition(about: str, wanted: Any) -> str:
    """One condition as an expression."""
    if about in ("all", "any"):
        word = " && " if about == "all" else " || "
        return f"({word.join(together(each) for each in wanted)})"
    if about == "not":
        return f"!{together(wanted)}"
    ((operator, operand),) = wanted.items()
    if operator == "present":
        return THERE[about] if operand else f"!({THERE[about]})"
    if about in WORDS:
        return of_text(WORDS[about][0], operator, operand)
    if about == "parameters.tags":
        return f"context.parameters.tags.contains({quoted(operand)})"
    if about == "parameters.amount" and operator in DECIMAL:
        return f'context.decimals.amount.{DECIMAL[operator]}(decimal("{operand}.0"))'
    value = "context.risk" if about == "risk" else f"context.{about}"
    if operator == "in":
        return f"{json.dumps(operand)}.contains({value})"
    return f"{value} {SIGNS[operator]} {json.dumps(operand)}"


def together(match: dict[str, Any]) -> str:
    """Conditions that must all hold."""
    return f"({' && '.join(condition(about, wanted) for about, wanted in match.items())})"


def of_text(value: str, operator: str, operand: Any) -> str:
    """A condition on a text."""
    if operator == "in":
        return f"[{', '.join(map(quoted, operand))}].contains({value})"
    if operator == "contains":
        return f"{value} like {liked('*', operand, '*')}"
    if operator == "glob":
        return f"{value} like {liked(*re.split(r'([*])', operand))}"
    return f"{value} {SIGNS[operator]} {quoted(operand)}"


def liked(*pieces: str) -> str:
    """A pattern: a star alone is any text, one within a text is itself."""
    return '"' + "".join("*" if piece == "*" else quoted(piece)[1:-1].replace("*", "\\*") for piece in pieces) + '"'


def quoted(text: str) -> str:
    """A text as Cedar writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# The pieces of a policy


def _rule(dice: Random, name: str) -> dict[str, Any]:
    then = dice.choice(["allow", "deny", "ask"])
    rule: dict[str, Any] = {"name": name, "match": _match(dice, 0), "then": then}
    if dice.random() < 0.3:
        rule["run_within"] = dice.choice(["90s", "10m", "1h"])
    if dice.random() < 0.3:
        rule["reason"] = dice.choice(TEXTS)
    if then == "ask":
        if dice.random() < 0.3:
            rule["decide_within"] = dice.choice(["90s", "1h30m"])
        if dice.random() < 0.3:
            rule["editable"] = dice.sample(["amount", "note", "tags"], dice.randint(0, 3))
        if dice.random() < 0.5:
            rule["approvers"] = dice.choice(
                [{"names": ["carol", "dave"]}, {"roles": ["admin"]}, {"names": ["carol", "dave"], "not": ["erin"]}]
            )
            rule["quorum"] = dice.choice([1, 2])
    return rule


def _match(dice: Random, depth: int) -> dict[str, Any]:
    kinds = [_word, _word, _tree, _tree, _risk, *([_group] if depth < 2 else [])]
    match: dict[str, Any] = {}
    for _ in range(dice.choice([1, 1, 2, 3])):
        match |= dice.choice(kinds)(dice, depth)
    return match


def _word(dice: Random, _depth: int) -> dict[str, Any]:
    about = dice.choice(list(WORDS))
    words = WORDS[about][1]
    globs = ("payment.*", "*.read") if about == "action_type" else GLOBS
    made: list[dict[str, Any]] = [
        {"eq": dice.choice(words)}, {"eq": dice.choice(words)}, {"ne": dice.choice(words)},
        {"in": dice.sample(words, 2)}, {"contains": dice.choice(words)}, {"glob": dice.choice(globs)},
    ]  # fmt: skip
    if about in THERE:
        made.append({"present": dice.choice([True, False])})
    return {about: dice.choice(made)}


def _tree(dice: Random, _depth: int) -> dict[str, Any]:
    number: dict[str, Any] = {dice.choice([*SIGNS]): dice.choice(NUMBERS)}
    numbers = [number, number, {"in": dice.sample(NUMBERS, 2)}, {"present": dice.choice([True, False])}]
    return dice.choice(
        [
            {"parameters.amount": dice.choice(numbers)},
            {"parameters.order.total": dice.choice(numbers)},
            {"parameters.flag": {dice.choice(["eq", "ne"]): dice.choice([True, False])}},
            {"parameters.tags": dice.choice([{"contains": dice.choice(TEXTS)}, {"present": True}])},
        ]
    )


def _risk(dice: Random, _depth: int) -> dict[str, Any]:
    return {"risk": {dice.choice(["lt", "le", "gt", "ge"]): dice.choice([0, 10, 30, 60])}}


def _group(dice: Random, depth: int) -> dict[str, Any]:
    inner = [_match(dice, depth + 1) for _ in range(dice.randint(1, 3))]
    kind = dice.choice(["all", "any", "not"])
    return {kind: inner[0] if kind == "not" else inner}
