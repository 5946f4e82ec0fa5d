"""Actions drawn from what rules say: from their words, bounds and what lies just beside these. The same every time."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from clearance.center.policy import checks, paths, patterns
from clearance.center.policy.conditions import Condition, Group, Leaf, Presence
from clearance.center.policy.described import NOON, Described
from clearance.center.policy.engine import Policy
from clearance.center.policy.limits import MICRO, Limit
from clearance.center.policy.rules import Rule
from clearance.models import Action

Space: TypeAlias = dict[str, list[Any]]
"""What each field may be, by its name; `paths.MISSING` for not at all."""

USED = "used"
"""Before the name of a limit: what is used of it."""
MOST_VALUES = 400
"""Values of a field."""
MOST_STEPS = 1_000
"""Items of a list up to which a place in one is filled."""
_TIME = re.compile(r"the (time of day|day of the week) \((.+)\)")
_DEFAULTS = {"action_type": "other.action", "tool_name": "other-tool", "agent_id": "other-agent"}
_WEEK = tuple(range(7))


def draw(policies: Iterable[Policy], most: int, seed: int) -> Iterator[Described]:
    """Up to ``most`` actions: for each rule such as it matches and such as it just does not, then any mixture.

    Args:
        policies: whose rules to draw from.
        most: how many.
        seed: another one, and other mixtures are drawn.
    """
    found = tuple(policies)
    space, chance = space_of(found), random.Random(seed)
    seen: set[str] = set()
    for values in _values(found, space, chance, most):
        spelled = repr(sorted(values.items(), key=lambda item: item[0]))
        if spelled not in seen:
            seen.add(spelled)
            yield _described(values)
        if len(seen) >= most:
            return


def undrawn(policies: Iterable[Policy]) -> int:
    """How many regular expressions no value is drawn from, because they do not fit their own text."""
    leaves = [leaf for policy in policies for rule in policy.entries for leaf in _leaves(rule.match)]
    return sum(leaf.operator == "regex" and leaf.check(_plain(leaf.operand)) is not True for leaf in leaves)


def space_of(policies: Iterable[Policy]) -> Space:
    """What each field may be, so that each condition of the rules is met by something and missed by something."""
    space: dict[str, dict[str, Any]] = {name: {repr(value): value} for name, value in _DEFAULTS.items()}
    for policy in policies:
        bounds = (policy.clear_up_to, policy.clear_up_to + 1)
        _add(space, "risk", [bound for bound in bounds if 0 <= bound <= 100])
        for rule in policy.entries:
            for leaf in _leaves(rule.match):
                name, values = _drawn(leaf)
                _add(space, name, values)
        for limit in policy.limits:
            _add(space, f"{USED}.{limit.name}", _used(limit))
            if limit.amount is not None:
                _add(space, limit.amount.name, _taken(limit))
    return {name: list(values.values()) for name, values in space.items()}


def _add(space: dict[str, dict[str, Any]], name: str, values: Iterable[Any]) -> None:
    known = space.setdefault(name, {} if name in _DEFAULTS else {"": paths.MISSING})
    for value in values:
        if len(known) < MOST_VALUES:
            known.setdefault(repr(value), value)


def _leaves(condition: Condition) -> Iterator[Leaf]:
    if isinstance(condition, Group):
        for part in condition.parts:
            yield from _leaves(part)
    elif isinstance(condition, Presence):
        # Something that is there; that nothing is, is always tried.
        yield Leaf(condition.field, "eq", "something", checks.equal_to("something"))
    else:
        yield condition


def _drawn(leaf: Leaf) -> tuple[str, list[Any]]:
    """The field that a condition is about, and values on both sides of it."""
    if (time := _TIME.fullmatch(leaf.field.name)) is not None:
        return "at", _moments(time[1], time[2], leaf.operand)
    operands = leaf.operand if isinstance(leaf.operand, list) else [leaf.operand]
    values = [value for each in operands for value in _around(leaf.operator, each)]
    if leaf.field.name == "risk":
        values = [value for value in values if type(value) is int and 0 <= value <= 100]
    elif "." not in leaf.field.name:
        values = [value for value in values if isinstance(value, str) and value]
    return leaf.field.name, values


def _around(operator: str, operand: Any) -> list[Any]:
    if isinstance(operand, bool):
        return [operand, not operand]
    if isinstance(operand, (int, float)):
        # Differences of floats are taken as they are written, so that 50.01 does not become 50.010000000000005.
        number = Decimal(repr(operand))
        return [operand, *(_number(number + step) for step in (Decimal(1), Decimal(-1), Decimal("0.01")))]
    if operator == "contains":
        return [operand, f"x{operand}x", [operand], "x"]
    if operator == "regex":
        return [_plain(operand), operand, "x"]
    if operator in ("glob", "is any of"):
        return [_fitting(operand, ""), _fitting(operand, "x"), f"{_fitting(operand, 'x')}x"]
    return [operand, f"{operand}x"]


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _plain(pattern: str) -> str:
    """What a simple regular expression stands for: its text without anchors, ``.*`` and backslashes."""
    return re.sub(r"\.[*+]", "x", pattern.strip("^$")).replace("\\", "")


def _fitting(glob: str, filling: str) -> str:
    text = re.sub(r"\[!?(.)[^\]]*\]", r"\1", glob).replace("?", "x")
    return text.replace("*", filling) if not patterns.is_plain(glob) else glob


def _moments(kind: str, zone: str, operand: Any) -> list[int]:
    """Times, in microseconds since 1970, at the bounds of hours, or on each day of a week."""
    start = NOON.replace(hour=0, tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
    if kind == "day of the week":
        found = [start + timedelta(days=day, hours=12) for day in _WEEK]
    else:
        minutes = [int(hour) * 60 + int(minute) for hour, minute in re.findall(r"(\d\d):(\d\d)", str(operand))]
        beside = [minute + step for minute in minutes for step in (-1, 0)]
        found = [start + timedelta(days=day, minutes=minute) for minute in beside for day in (0, 5)]
    return [int(moment.timestamp()) * 1_000_000 for moment in found]


def _values(policies: tuple[Policy, ...], space: Space, chance: random.Random, most: int) -> Iterator[dict[str, Any]]:
    seeds = [_meeting(rule, space) for policy in policies for rule in policy.entries]
    yield {}
    yield from seeds
    for seed in seeds:
        for name in seed:
            for value in space[name]:
                yield {**seed, name: value}
    names = sorted(space)
    # Some mixtures come twice; so there is an end to trying.
    for _ in range(most * 3):
        mixed = dict(chance.choice(seeds)) if seeds else {}
        for name in chance.sample(names, min(len(names), chance.randint(1, 3))):
            mixed[name] = chance.choice(space[name])
        yield mixed


def _meeting(rule: Rule, space: Space) -> dict[str, Any]:
    """Values with which a rule matches, as far as they can be found one field at a time; a limit is used up."""
    found: dict[str, Any] = {}
    match = rule.match
    if isinstance(rule, Limit):
        found[f"{USED}.{rule.name}"] = _used(rule)[0]
        if rule.amount is not None:
            found[rule.amount.name] = _taken(rule)[0]
    wanted: dict[str, list[Leaf]] = {}
    for part in match.parts:
        chosen = part
        # Of "any" the first will do; of "not", nothing.
        while isinstance(chosen, Group) and chosen.kind == "any":
            chosen = chosen.parts[0]
        parts = chosen.parts if isinstance(chosen, Group) and chosen.kind == "all" else (chosen,)
        for leaf in parts:
            if isinstance(leaf, Leaf) and _TIME.fullmatch(leaf.field.name) is None:
                wanted.setdefault(leaf.field.name, []).append(leaf)
            elif isinstance(leaf, Presence) and leaf.wanted:
                found[leaf.field.name] = "something"
    for name, leaves in wanted.items():
        values = (value for value in space[name] if value is not paths.MISSING)
        found[name] = next(
            (value for value in values if all(leaf.check(value) is True for leaf in leaves)), space[name][0]
        )
    return found


def _used(limit: Limit) -> list[int | float]:
    """All of it is used, or all but one."""
    parts = 1 if limit.amount is None else MICRO
    return [_number(Decimal(number) / parts) for number in (limit.at_most, limit.at_most - parts) if number >= 0]


def _taken(limit: Limit) -> list[int | float]:
    """Amounts, of which the last is one more than there is room for where nothing is used yet."""
    most = Decimal(limit.at_most) / MICRO
    return [1, _number(most), _number(most + 1)]


def _described(values: dict[str, Any]) -> Described:
    tables: dict[str, dict[str, Any]] = {"parameters": {}, "context": {}}
    plain: dict[str, Any] = {}
    used: dict[str, Any] = {}
    for name, value in values.items():
        table, _, path = name.partition(".")
        if value is paths.MISSING:
            continue
        if table == USED:
            used[path] = value
        elif table not in tables:
            plain[name] = value
        elif (steps := paths.parse(path)) is not None:
            _put(tables[table], steps, value)
    action = Action(
        agent_id=plain.get("agent_id", _DEFAULTS["agent_id"]),
        action_type=plain.get("action_type", _DEFAULTS["action_type"]),
        tool_name=plain.get("tool_name", _DEFAULTS["tool_name"]),
        description="",
        parameters=tables["parameters"],
        digest="",
        decide_within=60.0,
        run_within=60.0,
        resource=plain.get("resource"),
        context=tables["context"],
        reasoning=plain.get("reasoning"),
    )
    at = plain.get("at", int(NOON.timestamp()) * 1_000_000)
    return Described(action, at, plain.get("risk"), plain.get("requester", ""), plain.get("owner", ""), used)


def _put(tree: Any, steps: paths.Steps, value: Any) -> None:
    """Lay a value where a path leads, over nothing that is there already in another shape."""
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        if not _fits(tree, step):
            return
        if following is None:
            tree[step] = value
            return
        inner = tree[step] if isinstance(step, int) else tree.get(step)
        if inner is None:
            inner = tree[step] = [] if isinstance(following, int) else {}
        tree = inner


def _fits(tree: Any, step: int | str) -> bool:
    """Can a value be laid there? A list is made long enough."""
    if isinstance(step, str):
        return isinstance(tree, dict)
    if not isinstance(tree, list) or step > MOST_STEPS:
        return False
    tree.extend([None] * (step + 1 - len(tree)))
    return True
