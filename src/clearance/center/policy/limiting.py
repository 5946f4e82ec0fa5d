"""The ``limits`` of a policy file: from what it says to limits over time."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from clearance.center.policy import checks
from clearance.center.policy.conditions import Field, parameter
from clearance.center.policy.document import Node, Problems, Reader
from clearance.center.policy.hours import seconds
from clearance.center.policy.limits import LARGEST_SUM, MICRO, Limit, Per
from clearance.center.policy.paths import parse
from clearance.center.policy.rules import Effect, Kind, Rule, Rules

MOST_LIMITS = 100
MOST_CALLS = 100_000
LONGEST_WINDOW = 31 * 24 * 3600.0
"""Seconds for which a call may count."""
KEYS = ("calls", "sum", "at_most", "within", "per")
"""What a limit has besides the keys of a rule."""
A_LIMIT = Kind("limit", KEYS, (Effect.DENY, Effect.ASK))
_OF_RULES = [field.name for field in fields(Rule)]
_DIGITS = 6


class Limits:
    """Reads limits, noting what is wrong with them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.problems: Problems = reader.problems
        self._rules = Rules(reader)

    def limit(self, node: Node, number: int) -> Limit | None:
        """One limit; None if it cannot be used."""
        rule = self._rules.rule(node, number, A_LIMIT)
        if not isinstance(node.value, dict):
            return None
        table = node.value
        what = f"limit {rule.name!r}" if rule is not None else f"limit {number}"
        at_most, amount = self._measure(table, node, what)
        within, said = self._within(table, node, what)
        per = self.reader.choice(table["per"], f"{what}: per", list(Per)) if "per" in table else Per.KEY
        if rule is None or at_most is None or within is None or per is None:
            return None
        of_rule: dict[str, Any] = {name: getattr(rule, name) for name in _OF_RULES}
        return Limit(**of_rule, at_most=at_most, within=within, within_said=said, per=Per(per), amount=amount)

    def _measure(self, table: dict[str, Node], node: Node, what: str) -> tuple[int | None, Field | None]:
        """How much there is, and what is summed up, unless calls are counted."""
        if ("calls" in table) is ("sum" in table):
            sentence = (
                f"{what} counts either calls or a sum: write calls: 5, or sum: parameters.amount and at_most: 500."
            )
            self.problems.add(node.place, sentence)
            return None, None
        if "calls" in table:
            if "at_most" in table:
                sentence = f"{what}: at_most is for a sum; how many calls there may be stands at calls. Take it out."
                self.problems.add(node.keys["at_most"], sentence)
            return self.reader.whole(table["calls"], f"{what}: calls", 1, MOST_CALLS), None
        amount = self._amount(table["sum"], f"{what}: sum")
        if "at_most" not in table:
            self.problems.add(node.place, f"{what} has no at_most; say how much the sum may be, such as at_most: 500.")
            return None, None
        at_most = self._at_most(table["at_most"], f"{what}: at_most")
        return (at_most, amount) if amount is not None else (None, None)

    def _amount(self, node: Node, what: str) -> Field | None:
        """What is summed up: a parameter, for only these are what will run."""
        said = node.value if isinstance(node.value, str) else ""
        is_path = said.startswith(("parameters.", "parameters["))
        steps = parse(said.removeprefix("parameters").removeprefix(".")) if is_path else None
        if steps is None:
            self.problems.add(node.place, f'{what} must be the path of a parameter, such as "parameters.amount".')
            return None
        return parameter("parameters", steps)

    def _at_most(self, node: Node, what: str) -> int | None:
        number = checks.number_of(node.value) if isinstance(node.value, (int, float)) else None
        if number is None or not 0 < number <= LARGEST_SUM or (scaled := number * MICRO) != int(scaled):
            sentence = f"{what} must be a number over 0, of {LARGEST_SUM:,} at most, with up to {_DIGITS} decimals."
            self.problems.add(node.place, sentence)
            return None
        return int(scaled)

    def _within(self, table: dict[str, Node], node: Node, what: str) -> tuple[float | None, str]:
        if "within" not in table:
            self.problems.add(node.place, f'{what} has no within; say for how long a call counts, such as "24h".')
            return None, ""
        return seconds(table["within"], self.reader, f"{what}: within", LONGEST_WINDOW), str(table["within"].value)
