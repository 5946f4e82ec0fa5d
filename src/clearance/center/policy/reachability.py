"""Rules that can never have an effect: a slip of the pen that nothing else would show."""

from __future__ import annotations

from collections.abc import Iterable

from clearance.center.policy import checks, patterns
from clearance.center.policy.conditions import Condition, Group, Leaf, Presence
from clearance.center.policy.document import Place, Problems
from clearance.center.policy.index import Index
from clearance.center.policy.limits import Limit
from clearance.center.policy.rules import Effect, Rule

MOST_COMPARED = 200
"""Rules that one rule is held against at most."""
_STRENGTH = {Effect.DENY: 0, Effect.ASK: 1, Effect.ALLOW: 2}


def look(rules: tuple[Rule, ...], places: dict[str, Place], problems: Problems) -> None:
    """Note each rule that can never match, or that another one always overrides."""
    index = Index(rules)
    for rule in rules:
        if (reason := _contradiction(rule.match)) is not None:
            problems.add(places[rule.name], f"rule {rule.name!r} can never match: {reason}. Take one of these out.")
        elif (other := _overriding(rule, index.rivals(rule, MOST_COMPARED))) is not None:
            problems.add(places[rule.name], _sentence(rule, other))


def look_at_limits(
    limits: tuple[Limit, ...], rules: tuple[Rule, ...], places: dict[str, Place], problems: Problems
) -> None:
    """Note each limit that can be about nothing, or that a rule or another limit makes void."""
    index = Index(rules)
    for limit in limits:
        place = places[limit.name]
        if (reason := _contradiction(limit.match)) is not None:
            problems.add(place, f"limit {limit.name!r} is about nothing: {reason}. Take one of these out.")
        elif (rule := _denying(limit, index)) is not None:
            problems.add(
                place,
                f"limit {limit.name!r} has no effect: whatever it is about, rule {rule.name!r} in line {rule.line} "
                "denies. Take it out, or narrow that rule.",
            )
        elif (other := _tighter(limit, limits)) is not None:
            problems.add(
                place,
                f"limit {limit.name!r} has no effect: limit {other.name!r} in line {other.line} counts the same and "
                "leaves no more room. Take it out.",
            )


def _denying(limit: Limit, index: Index) -> Rule | None:
    rivals = index.rivals(limit, MOST_COMPARED)
    return next((rule for rule in rivals if rule.then is Effect.DENY and _covers(rule.match, limit.match)), None)


def _tighter(limit: Limit, limits: tuple[Limit, ...]) -> Limit | None:
    """Another one that counts the same, does as much as this, and leaves as much room or less."""
    alike = [other for other in limits if other is not limit and _counted(other) == _counted(limit)]
    for other in alike:
        if other.then is Effect.DENY and limit.then is Effect.ASK and other.at_most <= limit.at_most:
            return other
        is_first = (other.at_most, other.line) < (limit.at_most, limit.line)
        if is_first and _demanded(other) == _demanded(limit):
            return other
    return None


def _counted(limit: Limit) -> tuple[object, ...]:
    return _said(limit.match), limit.measure, limit.within, limit.per


def _demanded(rule: Rule) -> tuple[object, ...]:
    times = (rule.decide_within, rule.run_within)
    return rule.then, rule.stages, rule.escalate_to, rule.editable, times


def _sentence(rule: Rule, other: Rule) -> str:
    if other.then is rule.then:
        return f"rule {rule.name!r} says the same as rule {other.name!r} in line {other.line}; take one of them out."
    return (
        f"rule {rule.name!r} has no effect: whatever it matches, rule {other.name!r} in line {other.line} matches, "
        f"too, and {other.then} beats {rule.then}. Take it out, or narrow that rule."
    )


def _overriding(rule: Rule, rivals: Iterable[Rule]) -> Rule | None:
    for other in rivals:
        if _STRENGTH[other.then] < _STRENGTH[rule.then] and _covers(other.match, rule.match):
            return other
        is_before = other.line < rule.line
        if other.then is rule.then and is_before and _said(other.match) == _said(rule.match):
            return other
    return None


def _covers(wide: Group, narrow: Group) -> bool:
    """Does every action that meets the narrow conditions meet the wide ones? A no may also mean "not seen"."""
    said = {_said(part) for part in narrow.parts}
    return all(_said(part) in said or any(_follows(part, from_) for from_ in narrow.parts) for part in wide.parts)


def _follows(wide: Condition, narrow: Condition) -> bool:
    """Is the wide condition met by each value that the narrow one allows?"""
    if not (isinstance(wide, Leaf) and isinstance(narrow, Leaf)) or wide.field.name != narrow.field.name:
        return False
    if narrow.operator == "eq":
        return wide.check(narrow.operand) is True
    if narrow.operator == "in":
        return all(wide.check(each) is True for each in narrow.operand)
    if narrow.operator != "glob":
        return False
    text = str(narrow.operand)
    if patterns.is_plain(text):
        return wide.check(text) is True
    stem = str(wide.operand)[:-1]
    is_prefix = wide.operator == "glob" and str(wide.operand).endswith("*") and patterns.is_plain(stem)
    return is_prefix and text.startswith(stem)


def _contradiction(match: Group) -> str | None:
    """Two conditions on one field that no value meets, in words."""
    leaves = [part for part in match.parts if isinstance(part, Leaf)]
    absent = {part.field.name for part in match.parts if isinstance(part, Presence) and not part.wanted}
    for leaf in leaves:
        if leaf.field.name in absent:
            return f"{leaf.said}, and {leaf.field.name} is not to be there"
        for other in leaves:
            if other is not leaf and leaf.field.name == other.field.name and _exclude(leaf, other):
                return f"{leaf.said}, and {other.said}"
    return None


def _exclude(one: Leaf, other: Leaf) -> bool:
    """Is there no value that meets both?"""
    if one.operator == "eq":
        return other.check(one.operand) is not True
    if one.operator == "in":
        return not any(other.check(each) is True for each in one.operand)
    if one.operator in ("gt", "ge") and other.operator in ("lt", "le"):
        low, high = checks.number_of(one.operand), checks.number_of(other.operand)
        assert low is not None
        assert high is not None
        return low > high or (low == high and (one.operator, other.operator) != ("ge", "le"))
    return False


def _said(part: Condition) -> str:
    """What a condition says, so that two that say the same are equal; texts and numbers differ."""
    if isinstance(part, Group):
        return f"{part.kind}({', '.join(sorted(map(_said, part.parts)))})"
    return part.said if isinstance(part, Presence) else f"{part.field.name} {part.operator} {part.operand!r}"
