"""Policies and actions drawn by chance from a small world, so that rules match, nearly match, or cannot be told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

import yaml
from tests.center.policy import reference
from tests.helpers import an_action

from clearance.center.policy import Asked, Policy, PolicyError, Verdict, parse

TYPES = ("payment.refund", "payment.payout", "order.read", "order.delete", "db.migrate", "deploy")
TOOLS = ("stripe", "postgres", "shop")
AGENTS = ("billing-bot", "builder", "billing-2")
PATHS = ("amount", "note", "order.total", "order.lines[0].sku", "order.lines[1]", "tags", "flag", "order", "env")
TEXTS = ("a", "ab", "abc", "stripe", "prod", "12", "12.50", "-3", "", "x" * 4_097, "naïve")
NUMBERS = (0, 1, 5, -3, 12, 12.5, 0.1, 50, 10**20)
GLOBS = ("*", "a*", "*b*", "?b", "*c", "payment.*", "*.read", "billing-*", "prod", "a*c", "s*e")
REGEXES = ("^a", "b", "c$", "^[0-9]+$", "a.c", "prod|stage", "(a|b)+")
LENGTHS = ("90s", "10m", "1h", "1h30m", "2d")
IMPOSSIBLE = ("has no effect", "can never match", "says the same")
"""What a file is refused for that is well written all the same."""


def policy_document(dice: Random) -> dict[str, Any]:
    """A policy, as a file says it."""
    document: dict[str, Any] = {"rules": [_rule(dice, f"r{number}") for number in range(dice.randint(1, 6))]}
    if dice.random() < 0.5:
        document["risk"] = {"clear_up_to": dice.choice([-1, 0, 30, 60, 100])}
    return document


def action_document(dice: Random) -> dict[str, Any]:
    """An action, with all that a rule may look at."""
    lines = [{"sku": dice.choice(TEXTS)}, dice.choice(NUMBERS)][: dice.randint(0, 2)]
    tree: dict[str, Any] = {
        "amount": dice.choice([*NUMBERS, *TEXTS, True, None]),
        "note": dice.choice([*TEXTS, None]),
        "order": dice.choice([{"total": dice.choice(NUMBERS), "lines": lines}, [], "ab", {"abc": 1}]),
        "tags": [dice.choice([*TEXTS, *NUMBERS, False]) for _ in range(dice.randint(0, 3))],
        "flag": dice.choice([True, False, 1, "true"]),
    }
    parameters = {name: value for name, value in tree.items() if dice.random() < 0.8}
    blurred = [path for path in ("amount", "note", "order.total", "order.lines[0]", "tags[0]") if dice.random() < 0.06]
    return {
        "agent_id": dice.choice(AGENTS),
        "action_type": dice.choice(TYPES),
        "tool_name": dice.choice(TOOLS),
        "resource": dice.choice([None, "", "prod", "abc"]),
        "reasoning": dice.choice([None, "", "ab", "because"]),
        "parameters": parameters,
        "context": {"env": dice.choice(["prod", "stage", 3])} if dice.random() < 0.7 else {},
        "requester": dice.choice(AGENTS),
        "owner": dice.choice(["", "carol"]),
        "risk": dice.choice([0, 10, 30, 31, 60, 100]),
        "at": dice.randrange(0, 14 * 86_400) * 1_000_000 + 1_700_000_000_000_000,
        "redacted": blurred[:1],
        "abridged": blurred[1:],
    }


def read(document: dict[str, Any], kind: str) -> Policy | None:
    """The policy that the document says, by way of a file; None if one of its rules could never have an effect."""
    text = in_toml(document) if kind == "toml" else yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    try:
        return parse(text, kind)
    except PolicyError as error:
        if all(any(words in line for words in IMPOSSIBLE) for line in str(error).splitlines()):
            return None
        raise AssertionError(f"{error}\n{text}") from error


def asked(action: dict[str, Any]) -> Asked:
    """The action as the Center knows it."""
    names = ("agent_id", "action_type", "tool_name", "resource", "reasoning", "parameters", "context")
    blurred = {"redacted": tuple(action["redacted"]), "abridged": dict.fromkeys(action["abridged"], (1, 9))}
    made = an_action(**{name: action[name] for name in names}, **blurred)
    return Asked(made, action["at"], action["risk"], action["requester"], action["owner"])


def in_short(verdict: Verdict) -> dict[str, Any]:
    """What a verdict says, as the reference says it."""
    return {
        "effect": verdict.effect.value,
        "rule": verdict.rule,
        "unclear": list(verdict.unclear),
        "stages": [(each.quorum, [*each.approvers], [*each.roles], [*each.excluded]) for each in verdict.stages],
        "decide_within": verdict.decide_within,
        "run_within": verdict.run_within,
        "editable": None if verdict.editable is None else list(verdict.editable),
    }


@dataclass
class Tally:
    """How much was compared, and how it came out."""

    pairs: int = 0
    policies: int = 0
    refused: int = 0
    unclear: int = 0
    by_rule: int = 0


def compare(seed: int, tally: Tally, actions: int) -> None:
    """Hold one policy against the reference, over some actions. ``seed`` is all that it takes to see it again."""
    dice = Random(seed)
    document = policy_document(dice)
    policy = read(document, dice.choice(["yaml", "toml"]))
    if policy is None:
        tally.refused += 1
        return
    tally.policies += 1
    for _ in range(actions):
        action = action_document(dice)
        expected, found = reference.decide(document, action), in_short(policy.judge(asked(action)))
        assert found == expected, f"seed {seed}: {found}, expected {expected}\n{json.dumps(document)}\n{action}"
        tally.pairs += 1
        tally.unclear += bool(expected["unclear"])
        tally.by_rule += expected["rule"].startswith("r") and expected["rule"][1:].isdigit()


def in_toml(value: Any, depth: int = 0) -> str:
    """The same document in TOML."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key, ensure_ascii=False)} = {in_toml(each, depth + 1)}" for key, each in value.items()]
        return "\n".join(pairs) + "\n" if depth == 0 else f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[ {', '.join(in_toml(each, depth + 1) for each in value)} ]"
    return json.dumps(value, ensure_ascii=False)


# The pieces of a policy


def _rule(dice: Random, name: str) -> dict[str, Any]:
    then = dice.choice(["allow", "deny", "ask", "ask"])
    rule: dict[str, Any] = {"name": name, "match": _match(dice, 0), "then": then}
    if dice.random() < 0.3:
        rule["run_within"] = dice.choice(LENGTHS)
    if then != "ask":
        return rule
    if dice.random() < 0.3:
        rule["decide_within"] = dice.choice(LENGTHS)
    if dice.random() < 0.3:
        rule["editable"] = dice.sample(["amount", "note", "tags"], dice.randint(0, 3))
    if dice.random() < 0.5:
        rule |= dice.choice([_stage(dice), {"stages": [_stage(dice) for _ in range(dice.randint(1, 2))]}])
    return rule


def _stage(dice: Random) -> dict[str, Any]:
    approvers: Any = dice.choice(["carol", ["carol", "dave"], {"roles": "admin"}, {"roles": ["admin", "super_admin"]}])
    if dice.random() < 0.4:
        approvers = {"names": ["carol", "dave"], "not": dice.choice(["requester", ["erin"], ["erin", "requester"]])}
    stage = {"quorum": 1, "approvers": approvers} if dice.random() < 0.7 else {"quorum": dice.randint(1, 3)}
    return stage


def _match(dice: Random, depth: int) -> dict[str, Any]:
    kinds = (
        [_who, _who, _tree, _tree, _risk] + ([_group] if depth < 2 else []) + ([_time] if dice.random() < 0.4 else [])
    )
    match: dict[str, Any] = {}
    for _ in range(dice.choice([1, 1, 2, 3])):
        match |= dice.choice(kinds)(dice, depth)
    return match


def _who(dice: Random, _depth: int) -> dict[str, Any]:
    about, words = dice.choice(
        [("action_type", TYPES), ("action_type", TYPES), ("tool_name", TOOLS), ("agent_id", AGENTS),
         ("requester", AGENTS), ("owner", ("carol", "dave")), ("resource", ("prod", "abc")),
         ("reasoning", ("ab", "because"))]
    )  # fmt: skip
    kind = dice.random()
    if kind < 0.4:
        return {about: dice.choice(words)}
    if kind < 0.6:
        return {about: dice.choice(GLOBS)}
    if kind < 0.7:
        return {about: dice.sample([*words, *GLOBS], 2)}
    return {about: _operators(dice, words)}


def _tree(dice: Random, _depth: int) -> dict[str, Any]:
    tree = "context" if dice.random() < 0.15 else "parameters"
    path = "env" if tree == "context" else dice.choice(PATHS)
    wanted = dice.choice([dice.choice(NUMBERS), dice.choice(GLOBS), True, ["a*", 5, False], _operators(dice, TEXTS)])
    return {tree: {path: wanted}} if dice.random() < 0.5 else {f"{tree}.{path}": wanted}


def _risk(dice: Random, _depth: int) -> dict[str, Any]:
    return {"risk": {dice.choice(["lt", "le", "gt", "ge"]): dice.choice([0, 10, 30, 60])}}


def _time(dice: Random, _depth: int) -> dict[str, Any]:
    hours: dict[str, Any] = {"hours": dice.choice(["09:00-17:00", "22:00-06:00", "00:00-24:00"])}
    days: dict[str, Any] = {"days": dice.choice(["mon-fri", ["sat", "sun"], "fri-mon", "wed"])}
    zones = ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York"]
    zone = {"zone": dice.choice(zones)} if dice.random() < 0.5 else {}
    return {"time": dice.choice([hours, days, hours | days]) | zone}


def _group(dice: Random, depth: int) -> dict[str, Any]:
    inner = [_match(dice, depth + 1) for _ in range(dice.randint(1, 3))]
    kind = dice.choice(["all", "any", "not"])
    return {kind: inner[0] if kind == "not" else inner}


def _operators(dice: Random, words: tuple[str, ...]) -> dict[str, Any]:
    texts = [word for word in words if 0 < len(word) < 100]
    plain = dice.choice([*texts, *NUMBERS, True, False])
    made: list[dict[str, Any]] = [
        {"eq": plain}, {"ne": plain}, {"in": [dice.choice(texts), dice.choice(NUMBERS), True]},
        {"contains": dice.choice([*texts, 5])}, {"glob": dice.choice(GLOBS)}, {"regex": dice.choice(REGEXES)},
        {"gt": dice.choice(NUMBERS)}, {"ge": dice.choice(NUMBERS)}, {"lt": dice.choice(NUMBERS)},
        {"le": dice.choice(NUMBERS)}, {"present": dice.choice([True, False])},
    ]  # fmt: skip
    return dice.choice(made) | (dice.choice(made) if dice.random() < 0.3 else {})
