"""Why a policy says what it says of an action: which rules matched, which nearly, and which could not be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clearance.center.policy.asked import Asked
from clearance.center.policy.conditions import Condition, Explained, Group
from clearance.center.policy.engine import Policy, Verdict
from clearance.center.policy.rules import Rule
from clearance.center.records import Factor


@dataclass(frozen=True, slots=True)
class RuleExplained:
    """How the conditions of a rule came out."""

    rule: Rule
    conditions: tuple[Explained, ...]

    @property
    def missed(self) -> tuple[Explained, ...]:
        """The conditions that did not hold."""
        return tuple(each for each in self.conditions if each.found is False)

    @property
    def unclear(self) -> tuple[Explained, ...]:
        """The conditions that could not be told."""
        return tuple(each for each in self.conditions if each.found is None)

    @property
    def is_near(self) -> bool:
        """Did all conditions hold but one? Of a single condition nothing held."""
        return len(self.conditions) > 1 and len(self.missed) == 1 and not self.unclear


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the policy says, and all that led to it; rules in the order of the file."""

    verdict: Verdict
    risk: int
    factors: tuple[Factor, ...]
    matched: tuple[RuleExplained, ...]
    nearly: tuple[RuleExplained, ...]
    unclear: tuple[RuleExplained, ...]


def explain(policy: Policy, asked: Asked, factors: tuple[Factor, ...] = ()) -> Explanation:
    """Hold an action against each rule, and keep how that came out.

    Args:
        policy: what judges.
        asked: what it is asked.
        factors: what the risk is made of.
    """
    matched: list[RuleExplained] = []
    nearly: list[RuleExplained] = []
    unclear: list[RuleExplained] = []
    for rule in policy.rules:
        found = rule.test(asked)
        told = RuleExplained(rule, tuple(part.explain(asked) for part in _flat(rule.match)))
        if found is True:
            matched.append(told)
        elif found is None:
            unclear.append(told)
        elif told.is_near:
            nearly.append(told)
    verdict = policy.judge(asked)
    return Explanation(verdict, asked.risk, factors, tuple(matched), tuple(nearly), tuple(unclear))


def in_words(explained: Explained) -> str:
    """A condition with its parts, in a line."""
    if not explained.parts:
        return explained.said
    return f"{explained.said} ({'; '.join(map(in_words, explained.parts))})"


def _flat(match: Group) -> Iterator[Condition]:
    for part in match.parts:
        if isinstance(part, Group) and part.kind == "all":
            yield from _flat(part)
        else:
            yield part
