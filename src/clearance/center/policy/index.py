"""Which rules can match an action at all, found by its action type and tool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import Any, TypeAlias

from clearance.center.policy import patterns
from clearance.center.policy.conditions import Leaf, Test
from clearance.center.policy.rules import Rule
from clearance.models import Action

Entry: TypeAlias = tuple[Test, Rule]
"""A rule with its test, which is made while the policy is read: no decision waits for it."""


class Index:
    """Rules by the action type, the first word of it, or the tool that they are for; the rest are for all."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_type: dict[str, list[Entry]] = defaultdict(list)
        self._by_family: dict[str, list[Entry]] = defaultdict(list)
        self._by_tool: dict[str, list[Entry]] = defaultdict(list)
        self._rest: list[Entry] = []
        for rule in rules:
            self._place(rule)

    def candidates(self, action: Action) -> Iterable[Entry]:
        """The rules that can match this action, with their tests; each once."""
        kind = action.action_type
        return chain(
            self._by_type.get(kind, ()),
            self._by_family.get(kind.partition(".")[0], ()),
            self._by_tool.get(action.tool_name, ()),
            self._rest,
        )

    def rivals(self, rule: Rule, most: int) -> Iterable[Rule]:
        """Rules, ``most`` of each kind, that may match what this one matches; not all of those that do."""
        types = _literals(rule, "action_type") or ()
        families = {each.partition(".")[0] for each in types} | (_families(rule) or set())
        groups = [
            *(self._by_type.get(each, ()) for each in types),
            *(self._by_family.get(each, ()) for each in families),
            *(self._by_tool.get(each, ()) for each in _literals(rule, "tool_name") or ()),
            self._rest,
        ]
        return (other for group in groups for _, other in group[:most] if other is not rule)

    def most_work(self) -> int:
        """The most that judging one action may take, whatever it is."""
        work = _work(self._rest)
        for group in (self._by_type, self._by_family, self._by_tool):
            work += max(map(_work, group.values()), default=0)
        return work

    def _place(self, rule: Rule) -> None:
        entry = (rule.test, rule)
        if (types := _literals(rule, "action_type")) is not None:
            for each in types:
                self._by_type[each].append(entry)
        elif (families := _families(rule)) is not None:
            for each in families:
                self._by_family[each].append(entry)
        elif (tools := _literals(rule, "tool_name")) is not None:
            for each in tools:
                self._by_tool[each].append(entry)
        else:
            self._rest.append(entry)


def _work(entries: Iterable[Entry]) -> int:
    return sum(rule.match.work for _, rule in entries)


def _operands(rule: Rule, field: str, operators: tuple[str, ...]) -> Iterable[tuple[str, list[Any]]]:
    """What the rule holds this field against, for each such condition that every match must meet."""
    for part in rule.match.parts:
        if isinstance(part, Leaf) and part.field.name == field and part.operator in operators:
            yield part.operator, part.operand if isinstance(part.operand, list) else [part.operand]


def _literals(rule: Rule, field: str) -> set[str] | None:
    """The only values of the field for which the rule can match; None if they cannot be listed."""
    for operator, operands in _operands(rule, field, ("eq", "in", "glob", "is any of")):
        is_exact = operator in ("eq", "in")
        if all(isinstance(each, str) and (is_exact or patterns.is_plain(each)) for each in operands):
            return set(operands)
    return None


def _families(rule: Rule) -> set[str] | None:
    """The first words of the action types for which the rule can match; None if they cannot be listed."""
    for _, operands in _operands(rule, "action_type", ("glob", "is any of")):
        words = {str(each).partition(".")[0] for each in operands}
        if all(isinstance(each, str) and "." in each for each in operands) and all(map(patterns.is_plain, words)):
            return words
    return None
