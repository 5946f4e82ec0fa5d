"""What a Cedar policy says besides permit and forbid, in its annotations: its name, whom it asks, and on what terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clearance.center.policy.cedar.source import Piece
from clearance.center.policy.conditions import Group
from clearance.center.policy.document import Node, Problems, Reader, nearest
from clearance.center.policy.rules import LONGEST_NAME, Effect, Rule, Rules

_PLAIN = ("id", "ask", "reason", "message_for_model", "run_within")
_APPROVERS = {"approvers": "names", "approver_roles": "roles", "not_approvers": "not"}
"""Annotation -> the key of ``approvers`` in a file of ours."""
_OF_ASKING = (*_APPROVERS, "quorum", "escalate_to", "decide_within", "editable")
KNOWN = (*_PLAIN, *_OF_ASKING)


class Annotations:
    """Reads what stands above one policy, noting what is wrong with it."""

    def __init__(self, said: Mapping[str, str], piece: Piece, problems: Problems) -> None:
        self._said, self._piece, self._problems = said, piece, problems
        self._rules = Rules(Reader(problems))

    def rule(self, effect: str, number: int, match: Group) -> Rule | None:
        """The rule that the policy is; None if it cannot be used."""
        name = self._name(number)
        what = f"policy {name!r}" if name else f"policy {number}"
        for each in self._said:
            if each not in KNOWN:
                self._add(each, f"unknown annotation @{each} of {what}; {nearest(each, KNOWN)}")
        then = Effect.DENY if effect == "forbid" else Effect.ASK if "ask" in self._said else Effect.ALLOW
        if then is Effect.DENY and "ask" in self._said:
            self._add("ask", f"{what}: @ask is only for a permit; a forbid refuses. Take it out, or write permit.")
        elif then is not Effect.ASK:
            for each in filter(self._said.__contains__, _OF_ASKING):
                self._add(each, f"{what}: @{each} is only for a permit with @ask. Take it out, or add @ask.")
        table = self._table(what)
        if then is Effect.ASK:
            table |= self._terms_of_asking(what)
        terms = self._rules.terms(table, Node({}, self._piece.place, self._places(table)), what)
        return Rule(name, then, match, line=self._piece.place.line, **terms) if name else None

    def _name(self, number: int) -> str:
        if "id" not in self._said:
            self._add("", f'policy {number} has no name; write one above it, such as @id("large-refunds").')
            return ""
        name = self._said["id"]
        if not name.strip() or len(name) > LONGEST_NAME:
            self._add("id", f"@id of policy {number} must be a text of 1 to {LONGEST_NAME} characters.")
        return name

    def _table(self, what: str) -> dict[str, Node]:
        """What every policy may say, as a rule of a file of ours says it."""
        found = {name: self._node(name) for name in ("message_for_model", "run_within") if name in self._said}
        reason = [name for name in ("ask", "reason") if self._said.get(name)]
        if len(reason) == 2:
            self._add("reason", f"{what}: @ask and @reason both say why; leave one of them.")
        if reason or "reason" in self._said:
            found["reason"] = self._node((*reason, "reason")[0])
        return found

    def _terms_of_asking(self, what: str) -> dict[str, Node]:
        found = {"decide_within": self._node("decide_within")} if "decide_within" in self._said else {}
        if "quorum" in self._said:
            text = self._said["quorum"]
            found["quorum"] = self._node("quorum", int(text) if re.fullmatch("[0-9]{1,9}", text) else text)
        if "editable" in self._said:
            found["editable"] = self._list("editable")
        if "escalate_to" in self._said and self._names("escalate_to", what):
            found["escalate_to"] = self._list("escalate_to")
        named = {key: self._list(each) for each, key in _APPROVERS.items() if self._names(each, what)}
        if named:
            places = {key: self._place(each) for each, key in _APPROVERS.items() if key in named}
            found["approvers"] = Node(named, next(iter(places.values())), places)
        return found

    def _names(self, name: str, what: str) -> bool:
        """Does it name anybody? An annotation that names nobody is a problem: it would let anybody approve."""
        if name not in self._said:
            return False
        if not any(each.strip() for each in self._said[name].split(",")):
            example = "admin, super_admin" if name == "approver_roles" else "carol, dave"
            self._add(name, f'{what}: @{name} must name somebody, such as @{name}("{example}").')
            return False
        return True

    def _node(self, name: str, value: Any = None) -> Node:
        return Node(self._said[name] if value is None else value, self._place(name))

    def _list(self, name: str) -> Node:
        """The entries of a text between commas."""
        place, text = self._place(name), self._said[name]
        return Node([Node(each.strip(), place) for each in text.split(",")] if text.strip() else [], place)

    def _places(self, table: Mapping[str, Node]) -> dict[str, Any]:
        return {name: node.place for name, node in table.items()}

    def _place(self, name: str) -> Any:
        return self._piece.annotations.get(name, self._piece.place)

    def _add(self, name: str, sentence: str) -> None:
        self._problems.add(self._place(name), sentence)
