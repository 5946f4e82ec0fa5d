"""Why a policy says what it says of an action: which rules matched, which nearly, and which could not be told."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from clearance.center.policy.asked import Asked
from clearance.center.policy.conditions import Condition, Explained, Group
from clearance.center.policy.engine import Policy, Verdict
from clearance.center.policy.limits import Charge, Limit, amount_trouble
from clearance.center.policy.rules import Rule
from clearance.center.records import Factor, Record


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
class LimitExplained:
    """What an action takes of a limit that is, or may be, about it. ``why`` is set where nobody can tell."""

    charge: Charge
    why: str
    is_known: bool
    """Is it known what was used of it?"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the policy says, and all that led to it; rules and limits in the order of the file."""

    verdict: Verdict
    risk: int
    factors: tuple[Factor, ...]
    matched: tuple[RuleExplained, ...]
    nearly: tuple[RuleExplained, ...]
    unclear: tuple[RuleExplained, ...]
    limits: tuple[LimitExplained, ...] = ()


def explain(
    policy: Policy,
    asked: Asked,
    factors: tuple[Factor, ...] = (),
    charges: tuple[Charge, ...] | None = None,
    unknown: Collection[str] = (),
) -> Explanation:
    """Hold an action against each rule, and keep how that came out.

    Args:
        policy: what judges.
        asked: what it is asked.
        factors: what the risk is made of.
        charges: what it takes of the limits, with what is used of them; None: nothing is.
        unknown: limits of which it is not known what was used; nothing, then.
    """
    charges = policy.charges(asked) if charges is None else charges
    matched: list[RuleExplained] = []
    nearly: list[RuleExplained] = []
    unclear: list[RuleExplained] = []
    for rule in policy.entries:
        found = rule.test(asked)
        if isinstance(rule, Limit) and found is not False:
            continue  # it is told with what is used of it
        told = RuleExplained(rule, tuple(part.explain(asked) for part in _flat(rule.match)))
        if found is True:
            matched.append(told)
        elif found is None:
            unclear.append(told)
        elif told.is_near:
            nearly.append(told)
    verdict = policy.judge(asked, charges)
    limits = tuple(LimitExplained(each, _why(each, asked), each.limit.name not in unknown) for each in charges)
    return Explanation(verdict, asked.risk, factors, tuple(matched), tuple(nearly), tuple(unclear), limits)


def charges_then(policy: Policy, asked: Asked, record: Record) -> tuple[tuple[Charge, ...], frozenset[str]]:
    """What a recorded action takes of the limits of a policy, with what was used of them when it was asked.

    Also the names of the limits of which that was not kept, because it was judged by another policy.
    """
    used = {(share.quota, share.subject): share.used for share in record.shares}
    kept = [
        (charge, (charge.limit.kept_as, charge.limit.subject(record.requester, record.action.agent_id)))
        for charge in policy.charges(asked)
    ]
    charges = tuple(replace(charge, used=used.get(where, 0)) for charge, where in kept)
    return charges, frozenset(charge.limit.name for charge, where in kept if where not in used)


def _why(charge: Charge, asked: Asked) -> str:
    if charge.is_clear:
        return ""
    return charge.limit.match.explain(asked).why or amount_trouble(charge.limit, asked)


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
