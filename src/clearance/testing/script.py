"""The rules of a test's approver, in order; and what of them did not come true."""

from __future__ import annotations

from collections.abc import Iterable

from clearance.models import Action
from clearance.testing.asked import named
from clearance.testing.rules import Rule


class AuthorizationMismatch(AssertionError):
    """What was asked is not what the test had rules for, or not what it asserted."""


class Script:
    """Rules, of which the first that fits answers; ``in_order``, each must be used up before the next one counts."""

    __slots__ = ("in_order", "rules")

    def __init__(self, in_order: bool) -> None:
        self.in_order: bool = in_order
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> Rule:
        """Put a rule below the others."""
        if self.in_order:
            rule.once()
        self.rules.append(rule)
        return rule

    def rule_for(self, action: Action) -> Rule | None:
        """The rule that answers this request; it counts as used."""
        for rule in self.rules:
            if rule.is_spent:
                continue
            if rule.fits(action):
                rule.used += 1
                return rule
            if self.in_order and rule.used < rule.least:
                return None
        return None

    def begin_anew(self, kept: Iterable[Rule]) -> None:
        """Keep these rules only, as if none were ever used."""
        self.rules = list(kept)
        for rule in self.rules:
            rule.used = 0

    def unused(self) -> list[str]:
        """The rules that were used less often than they must be, in words."""
        return [f"{rule}{_place(rule)}{_often(rule)}" for rule in self.rules if rule.used < rule.least]

    def nearest(self, action: Action) -> str:
        """Why no rule is about this request: what the nearest one has against it."""
        if not self.rules:
            return 'no rule is here at all; say what is to happen, as in allow("…")'
        if self.in_order and (due := next((rule for rule in self.rules if rule.used < rule.least), None)):
            against = "; ".join(due.why_not(action)) or "it is not due yet"
            return f"the next rule in order is: {due}{_place(due)}; but {against}"
        rule = min(self.rules, key=lambda rule: (not rule.is_of_type(action), _distance(rule, action)))
        against = "; ".join(rule.why_not(action)) or f"it was used {rule.used} times already"
        return f"the nearest rule is: {rule}{_place(rule)}; but {against}"


def _distance(rule: Rule, action: Action) -> tuple[int, bool, float]:
    """How much is against it, and whether it is used up; of several alike, which reads most like the request."""
    from difflib import SequenceMatcher

    likeness = SequenceMatcher(None, str(rule), named(action), autojunk=False).ratio()
    return len(list(rule.why_not(action))), rule.is_spent, -likeness


def _place(rule: Rule) -> str:
    return f" ({rule.place})" if rule.place else ""


def _often(rule: Rule) -> str:
    return f": used {rule.used} of {rule.least} times" if rule.least > 1 else ""
