"""What needs no person, what none may allow, and who must agree to the rest: rules over an action.

Deny beats ask beats allow, whatever the order; a rule that cannot be evaluated asks; where no rule matches, a person
is asked, unless the risk is low enough to be cleared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from clearance.center.policy import limits as over_time
from clearance.center.policy.asked import Asked
from clearance.center.policy.index import Index
from clearance.center.policy.limits import Charge, Limit, amount_trouble, charge_of
from clearance.center.policy.rules import Effect, Rule
from clearance.center.records import Stage
from clearance.center.risk import BUILT_IN, RiskModel
from clearance.quick import quick, replace

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

    ``unclear`` names the rules and limits that could not be evaluated; the other fields are those of `Rule`, of all
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
    cannot_be_denied: bool = False
    """None of the rules in ``unclear`` would deny it, whatever they come to."""
    is_over_limit: bool = False
    """A limit over time without room is among what it follows from."""


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

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Its limits over time."""
        ...

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """What this action takes of the limits over time that are, or may be, about it; nothing is used of them yet.

        Whoever keeps what was used fills that in, and hands them to `judge`. It must not raise.
        """
        ...

    def judge(self, asked: Asked, charges: tuple[Charge, ...] | None = None) -> Verdict:
        """What happens to this action. It must not raise: what it cannot tell, it asks a person about.

        ``charges`` are its own, with what is used of each limit; without them nothing is used yet.
        """
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
        limits: those over time, in the order of the file; no rule has the name of one.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        clear_up_to: int = CLEAR_NOTHING,
        version: str = "",
        source: str = "",
        format: str = "yaml",
        risk: RiskModel = BUILT_IN,
        limits: Iterable[Limit] = (),
    ) -> None:
        self.rules: tuple[Rule, ...] = tuple(rules)
        self.clear_up_to: int = clear_up_to
        self.version: str = version
        self.source: str = source
        self.format: str = format
        self.risk: RiskModel = risk
        self.limits: tuple[Limit, ...] = tuple(limits)
        self.unclear: Counter[str] = Counter()
        """How often each rule or limit could not be evaluated, since this policy was read."""
        self._index: Index = Index(self.rules)
        self._alone: dict[str, Verdict] = {rule.name: _verdict([rule], ()) for rule in self.entries}
        self._positions: dict[str, int] = {rule.name: number for number, rule in enumerate(self.entries)}
        self._limits: dict[str, Limit] = {limit.name: limit for limit in self.limits}
        self._index_of_limits: Index = Index(self.limits)

    @property
    def entries(self) -> tuple[Rule, ...]:
        """The rules, then the limits."""
        return (*self.rules, *self.limits)

    @property
    def names(self) -> Collection[str]:
        """Theirs."""
        return self._positions.keys()

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """What this action takes of the limits that are, or may be, about it."""
        if not self.limits:
            return ()
        found = [
            charge_of(self._limits[rule.name], asked, test(asked))
            for test, rule in self._index_of_limits.candidates(asked.action)
        ]
        known = [charge for charge in found if charge is not None]
        return tuple(sorted(known, key=lambda charge: self._positions[charge.limit.name]))

    def judge(self, asked: Asked, charges: tuple[Charge, ...] | None = None) -> Verdict:
        """What happens to this action."""
        matched, unclear = self._found(asked)
        if not self.limits:
            return self._said(asked, matched, unclear)
        charges = self.charges(asked) if charges is None else charges
        matched += [charge.limit for charge in over_time.over(charges)]
        unclear += [charge.limit for charge in charges if not charge.is_clear]
        return _told(self._said(asked, matched, unclear), charges)

    def most_work(self) -> int:
        """The most that judging one action may take, in comparisons of a short value."""
        return self._index.most_work() + self._index_of_limits.most_work()

    def _found(self, asked: Asked) -> tuple[list[Rule], list[Rule]]:
        """The rules that match, and those of which nobody can tell."""
        matched: list[Rule] = []
        unclear: list[Rule] = []
        for test, rule in self._index.candidates(asked.action):
            found = test(asked)
            if found is True:
                matched.append(rule)
            elif found is None:
                unclear.append(rule)
        return matched, unclear

    def _said(self, asked: Asked, matched: list[Rule], unclear: list[Rule]) -> Verdict:
        """What the rules and limits that match say together, and those of which nobody can tell."""
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
        verdict = self._at_least_asking(asked, matched, unclear)
        return replace(verdict, cannot_be_denied=all(rule.then is not Effect.DENY for rule in unclear))

    def _at_least_asking(self, asked: Asked, matched: list[Rule], unclear: list[Rule]) -> Verdict:
        names = tuple(rule.name for rule in unclear)
        asking = [rule for rule in (*matched, *unclear) if rule.then is Effect.ASK]
        denying = [rule for rule in matched if rule.then is Effect.DENY]
        if denying or any(rule.then is Effect.ASK for rule in matched):
            return _verdict(self._in_order(denying or asking), names)
        word = "Limit" if isinstance(unclear[0], Limit) else "Rule"
        reason = f"{word} {unclear[0].name!r} cannot be evaluated{_why(unclear[0], asked)}."
        return _asking(unclear[0].name, reason, asking, names)

    def _in_order(self, rules: Iterable[Rule]) -> list[Rule]:
        return sorted(rules, key=lambda rule: self._positions[rule.name])


def _why(rule: Rule, asked: Asked) -> str:
    """What nobody can tell of a rule; nothing of one that would take long to go through."""
    if rule.match.size > MOST_TOLD:
        return ""
    why = rule.match.explain(asked).why or (amount_trouble(rule, asked) if isinstance(rule, Limit) else "")
    if not why:
        return ""
    return f": {why}" if len(why) <= LONGEST_WHY else f": {why[:LONGEST_WHY]}…"


def _told(verdict: Verdict, charges: Iterable[Charge]) -> Verdict:
    """The verdict, whose reason says how much is used of the limits that led to it."""
    found = [charge for charge in over_time.over(charges) if charge.limit.then is verdict.effect]
    is_named = any(charge.limit.name == verdict.rule for charge in found)
    if verdict.effect is Effect.DENY and not is_named:  # forbidden anyway: nobody is to wait until there is room again
        return verdict
    said = [charge.said for charge in found]
    reasons = [*said, verdict.reason] if is_named else [verdict.reason, *said]
    return replace(verdict, reason=" ".join(filter(None, reasons)), is_over_limit=True) if said else verdict


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
        stages=_stages(asking),
        escalate_to=tuple(dict.fromkeys(name for rule in asking for name in rule.escalate_to)),
        decide_within=_least(rule.decide_within for rule in asking),
        run_within=_least(rule.run_within for rule in asking),
        editable=tuple(sorted(set.intersection(*allowed))) if allowed else None,
        message_for_model=next((rule.message_for_model for rule in asking if rule.message_for_model), ""),
        unclear=unclear,
    )


def _stages(asking: Iterable[Rule]) -> tuple[Stage, ...]:
    """Those that satisfy each rule. Two alike in one rule want two different people; two rules may want the same."""
    stages: list[Stage] = []
    for rule in asking:
        there = Counter(stages)
        for stage in rule.stages:
            if there[stage]:
                there[stage] -= 1
            else:
                stages.append(stage)
    return tuple(stages)


def _least(seconds: Iterable[float | None]) -> float | None:
    return min((each for each in seconds if each is not None), default=None)
