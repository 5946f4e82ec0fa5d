"""What needs no person, what none may allow, and who must agree to the rest: rules over an action.

Deny beats ask beats allow, whatever the order; a rule that cannot be evaluated asks; where no rule matches, a person
is asked, unless the risk is low enough to be cleared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from clearance.center.policy.asked import Asked
from clearance.center.policy.index import Index
from clearance.center.policy.rules import Effect, Rule
from clearance.center.records import Stage
from clearance.center.risk import BUILT_IN, RiskModel
from clearance.quick import quick

CLEAR_NOTHING = -1
WITHOUT_RULE = ("no-rule", "risk-clear", "risk-ask")
"""What decisions name where no rule matches."""
MOST_TOLD = 100
"""Conditions of a rule that are gone through to say why it cannot be evaluated."""
LONGEST_WHY = 500
"""Characters of that."""
_STRENGTH = {Effect.DENY: 0, Effect.ASK: 1, Effect.ALLOW: 2}


@quick
@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says about one action, by which rule.

    ``unclear`` names the rules that could not be evaluated; the other fields are those of `Rule`, of all the rules
    that ask taken together.
    """

    effect: Effect
    rule: str
    reason: str
    stages: tuple[Stage, ...] = ()
    escalate_to: tuple[str, ...] = ()
    decide_within: float | None = None
    run_within: float | None = None
    editable: tuple[str, ...] | None = None
    message_for_model: str = ""
    unclear: tuple[str, ...] = ()


class PolicyEngine(Protocol):
    """What decides about an action before any person does. It must be pure: the same asked, the same answer."""

    @property
    def risk(self) -> RiskModel:
        """How risky an action looks by it."""
        ...

    @property
    def version(self) -> str:
        """Names what it decides by; another version, and what was approved under it cannot be claimed any more."""
        ...

    @property
    def source(self) -> str:
        """The text that it was read from, to be kept."""
        ...

    @property
    def format(self) -> str:
        """What that text is: ``yaml``, ``toml`` or ``cedar``."""
        ...

    @property
    def clear_up_to(self) -> int:
        """The highest risk score that is cleared where no rule matches; -1 for none."""
        ...

    @property
    def unclear(self) -> Counter[str]:
        """How often each rule could not be evaluated."""
        ...

    def judge(self, asked: Asked) -> Verdict:
        """What happens to this action. It must not raise: what it cannot tell, it asks a person about."""
        ...


class Policy:
    """A set of rules with a version: the digest of the file that they are from.

    Args:
        rules: in the order of the file; names differ.
        clear_up_to: the highest risk score that is cleared where no rule matches; -1 for none.
        version: what decisions name.
        source: the text that it was read from.
        format: ``yaml``, ``toml`` or ``cedar``.
        risk: how risky an action looks by it.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        clear_up_to: int = CLEAR_NOTHING,
        version: str = "",
        source: str = "",
        format: str = "yaml",
        risk: RiskModel = BUILT_IN,
    ) -> None:
        self.rules: tuple[Rule, ...] = tuple(rules)
        self.clear_up_to: int = clear_up_to
        self.version: str = version
        self.source: str = source
        self.format: str = format
        self.risk: RiskModel = risk
        self.unclear: Counter[str] = Counter()
        """How often each rule could not be evaluated, since this policy was read."""
        self._index: Index = Index(self.rules)
        self._alone: dict[str, Verdict] = {rule.name: _verdict([rule], ()) for rule in self.rules}

    def judge(self, asked: Asked) -> Verdict:
        """What happens to this action."""
        matched: list[Rule] = []
        unclear: list[Rule] = []
        for test, rule in self._index.candidates(asked.action):
            found = test(asked)
            if found is True:
                matched.append(rule)
            elif found is None:
                unclear.append(rule)
        return self._said(asked, matched, unclear)

    def most_work(self) -> int:
        """The most that judging one action may take, in comparisons of a short value."""
        return self._index.most_work()

    def _said(self, asked: Asked, matched: list[Rule], unclear: list[Rule]) -> Verdict:
        """What the rules that match say together, and those of which nobody can tell."""
        if unclear:
            return self._in_doubt(asked, matched, unclear)
        if len(matched) == 1:
            return self._alone[matched[0].name]
        return _verdict(self._in_order(matched), ()) if matched else self._by_risk(asked.risk)

    def _by_risk(self, risk: int) -> Verdict:
        if risk <= self.clear_up_to:
            return Verdict(Effect.ALLOW, "risk-clear", f"Risk {risk} is at most {self.clear_up_to}.")
        if self.clear_up_to == CLEAR_NOTHING:
            return Verdict(Effect.ASK, "no-rule", "No rule of the policy matches.")
        return Verdict(Effect.ASK, "risk-ask", f"Risk {risk} is over {self.clear_up_to}.")

    def _in_doubt(self, asked: Asked, matched: list[Rule], unclear: list[Rule]) -> Verdict:
        """A person is asked at least; what rules that ask demand must be met even if they may not apply."""
        self.unclear.update(rule.name for rule in unclear)
        unclear = self._in_order(unclear)
        names = tuple(rule.name for rule in unclear)
        asking = [rule for rule in (*matched, *unclear) if rule.then is Effect.ASK]
        denying = [rule for rule in matched if rule.then is Effect.DENY]
        if denying or any(rule.then is Effect.ASK for rule in matched):
            return _verdict(self._in_order(denying or asking), names)
        reason = f"Rule {unclear[0].name!r} cannot be evaluated{_why(unclear[0], asked)}."
        return _asking(unclear[0].name, reason, asking, names)

    def _in_order(self, rules: Iterable[Rule]) -> list[Rule]:
        return sorted(rules, key=self._index.position)


def _why(rule: Rule, asked: Asked) -> str:
    """What nobody can tell of a rule; nothing of one that would take long to go through."""
    if rule.match.size > MOST_TOLD:
        return ""
    why = rule.match.explain(asked).why
    return f": {why}" if len(why) <= LONGEST_WHY else f": {why[:LONGEST_WHY]}…"


def _verdict(matched: list[Rule], unclear: tuple[str, ...]) -> Verdict:
    """What the rules that matched say together, first to last."""
    strongest = min(matched, key=lambda rule: _STRENGTH[rule.then])
    if strongest.then is Effect.ASK:
        asking = [rule for rule in matched if rule.then is Effect.ASK]
        named = next(rule for rule in asking if rule.name not in unclear)
        return _asking(named.name, named.reason, asking, unclear)
    same = [rule for rule in matched if rule.then is strongest.then]
    return Verdict(
        strongest.then,
        strongest.name,
        strongest.reason,
        run_within=_least(rule.run_within for rule in same),
        message_for_model=strongest.message_for_model,
        unclear=unclear,
    )


def _asking(name: str, reason: str, asking: list[Rule], unclear: tuple[str, ...]) -> Verdict:
    """What any of the rules that ask demands must be met."""
    allowed = [set(rule.editable) for rule in asking if rule.editable is not None]
    return Verdict(
        Effect.ASK,
        name,
        reason,
        stages=tuple(dict.fromkeys(stage for rule in asking for stage in rule.stages)),
        escalate_to=tuple(dict.fromkeys(name for rule in asking for name in rule.escalate_to)),
        decide_within=_least(rule.decide_within for rule in asking),
        run_within=_least(rule.run_within for rule in asking),
        editable=tuple(sorted(set.intersection(*allowed))) if allowed else None,
        message_for_model=next((rule.message_for_model for rule in asking if rule.message_for_model), ""),
        unclear=unclear,
    )


def _least(seconds: Iterable[float | None]) -> float | None:
    return min((each for each in seconds if each is not None), default=None)
