"""Judging by Cedar: forbid beats permit, as Cedar has it; a permit may be one to ask; what matches nothing is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cedarpy import PolicySet

from clearance.center.policy.asked import Asked
from clearance.center.policy.cedar.asking import Alone, ask
from clearance.center.policy.cedar.telling import tell
from clearance.center.policy.conditions import Field, Group, Leaf
from clearance.center.policy.engine import Policy
from clearance.center.policy.rules import Effect, Rule


@dataclass(frozen=True, slots=True)
class _Whole(Field):
    """The action as a whole, as far as one policy looks at it."""

    alone: Alone = field(default_factory=lambda: Alone(""))

    def trouble(self, asked: Asked) -> str | None:
        """Why the policy cannot be evaluated."""
        return self.alone.why(asked) or None


def matching(text: str) -> Group:
    """The match of a rule that is this policy of Cedar: one condition, that Cedar tells."""
    alone = Alone(text)
    whole = _Whole("the action", lambda asked: asked, alone=alone)
    return Group("all", (Leaf(whole, "fits", " ".join(text.split()), alone.answer),))


class CedarPolicy(Policy):
    """Policies of Cedar, each a rule: a forbid denies, a permit with ``@ask`` asks, any other permit allows.

    Args:
        rules: in the order of the file, made by `matching`.
        texts: their policies, in the same order.
        version: what decisions name.
        source: the text that they were read from.
    """

    def __init__(self, rules: Sequence[Rule], texts: Sequence[str], version: str, source: str) -> None:
        super().__init__(rules, version=version, source=source, format="cedar")
        self._policies = PolicySet.from_str("\n".join(texts))
        self._permits = [number for number, rule in enumerate(self.rules) if rule.then is not Effect.DENY]
        self._permitting = PolicySet.from_str("\n".join(texts[number] for number in self._permits))

    def _found(self, asked: Asked) -> tuple[list[Rule], list[Rule]]:
        """The policies that hold, and those of which nobody can tell: all are put to Cedar at once."""
        told = tell(asked)
        found = ask(self._policies, told)
        if found is None:
            return [], list(self.rules)
        # Where Cedar allows nothing, no permit of which it tells may allow anything here.
        matched = [rule for rule in self._of(found.holding) if found.allows or rule.then is Effect.DENY]
        failed = set(found.failed)
        if failed and not any(rule.then is Effect.DENY for rule in matched):
            # Cedar leaves open which permits hold where a forbid may; but what those that ask demand must be met.
            permitted = ask(self._permitting, told)
            if permitted is None:
                return [], list(self.rules)
            matched = self._of(self._permits[number] for number in permitted.holding)
            failed |= {self._permits[number] for number in permitted.failed}
        return matched, self._of(failed)

    def _of(self, numbers: Iterable[int]) -> list[Rule]:
        return [self.rules[number] for number in sorted(numbers)]
