"""One rule of a policy: what it matches, what it says then, and who must agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from clearance.center.policy.conditions import Group, Test
from clearance.center.policy.document import Node, Problems, Reader
from clearance.center.policy.hours import seconds
from clearance.center.policy.matching import Matching
from clearance.center.records import Role, Stage

LARGEST_QUORUM = 20
LONGEST_DECIDE_WITHIN = 30 * 24 * 3600.0
"""Seconds that a request may wait for its decision."""
LONGEST_RUN_WITHIN = 14 * 24 * 3600.0
"""Seconds after its approval within which a call may be claimed."""
LONGEST_NAME = 100
DECIDING_ROLES = (Role.ADMIN.value, Role.SUPER_ADMIN.value)


class Effect(StrEnum):
    """What a rule says: in the order in which one beats the next."""

    DENY = "deny"
    ASK = "ask"
    ALLOW = "allow"


@dataclass(frozen=True)
class Rule:
    """What a rule matches, and what it says then.

    Attributes:
        name: unique; decisions name it.
        then: its effect.
        match: the conditions, all of which must hold.
        reason: told to whoever asked.
        stages: who must agree, of a rule that asks; empty: any approver.
        escalate_to: who else may approve once half of the time is over.
        decide_within: the most seconds that its requests wait for a decision; None: what the caller says.
        run_within: the most seconds for which its approvals are good; None: what the caller says.
        editable: the parameters that an approver may change, of those that the guard allows; None: all of those.
        message_for_model: what an agent is told, besides the fixed sentence, when the call is refused.
        line: where it begins in its file.
    """

    name: str
    then: Effect
    match: Group
    reason: str = ""
    stages: tuple[Stage, ...] = ()
    escalate_to: tuple[str, ...] = ()
    decide_within: float | None = None
    run_within: float | None = None
    editable: tuple[str, ...] | None = None
    message_for_model: str = ""
    line: int = field(default=0, compare=False)

    @cached_property
    def test(self) -> Test:
        """Does it match? True, False, or None if that cannot be told."""
        return self.match.compiled()


_AGREEMENT = ("quorum", "approvers")
_OF_ASKING = (*_AGREEMENT, "stages", "escalate_to", "decide_within", "editable")
_NEEDED = (("name", '"large-refunds"'), ("then", '"ask"'), ("match", '{ action_type = "payment.*" }'))
_KEYS = ("name", "match", "then", "reason", *_OF_ASKING, "run_within", "message_for_model")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is read as a rule is: the word for it, the keys that it has besides, and what it may say."""

    word: str
    more: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = tuple(Effect)


A_RULE = Kind("rule")


class Rules:
    """Reads rules, noting what is wrong with them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.problems: Problems = reader.problems
        self._matching = Matching(reader)

    def rule(self, node: Node, number: int, kind: Kind = A_RULE) -> Rule | None:
        """One rule, or what else says the same as rules do; None if it cannot be used."""
        table = self.reader.table(node, f"{kind.word} {number}", (*_KEYS, *kind.more))
        name = self.reader.text(table["name"], "name", longest=LONGEST_NAME) if "name" in table else None
        what = f"{kind.word} {name!r}" if name else f"{kind.word} {number}"
        if isinstance(node.value, dict):
            for key, hint in _NEEDED:
                if key not in node.value:
                    self.problems.add(node.place, f"{what} has no {key}; give it one, such as {key} = {hint}.")
        then = self.reader.choice(table["then"], f"{what}: then", kind.effects) if "then" in table else None
        match = self._matching.match(table["match"], f"{what}: match") if "match" in table else None
        asks = then == Effect.ASK
        for key in _OF_ASKING:
            if key in table and then is not None and not asks:
                self.problems.add(
                    node.keys[key], f'{what}: {key} is only for a {kind.word} that says then = "ask". Take it out.'
                )
        terms = self.terms(table, node, what)
        if not name or then is None or match is None:
            return None
        return Rule(name, Effect(then), match, line=node.place.line, **terms)

    def terms(self, table: dict[str, Node], node: Node, what: str) -> dict[str, Any]:
        """What a rule says besides its name, its match and its effect; as `Rule` takes it."""
        stages = self._stages(table, node, what)
        escalate_to = self.reader.names(table["escalate_to"], f"{what}: escalate_to") if "escalate_to" in table else ()
        if escalate_to and not any(stage.is_closed for stage in stages):
            sentence = f"{what}: escalate_to adds to approvers, and none are named: name them, or leave it out."
            self.problems.add(node.keys["escalate_to"], sentence)
        return {
            "stages": stages,
            "escalate_to": escalate_to,
            "reason": self._text(table, "reason", what),
            "message_for_model": self._text(table, "message_for_model", what),
            "decide_within": self._seconds(table, "decide_within", what, LONGEST_DECIDE_WITHIN),
            "run_within": self._seconds(table, "run_within", what, LONGEST_RUN_WITHIN),
            "editable": self._editable(table, what),
        }

    def _text(self, table: dict[str, Node], key: str, what: str) -> str:
        return (self.reader.text(table[key], f"{what}: {key}") if key in table else None) or ""

    def _seconds(self, table: dict[str, Node], key: str, what: str, most: float) -> float | None:
        return seconds(table[key], self.reader, f"{what}: {key}", most) if key in table else None

    def _editable(self, table: dict[str, Node], what: str) -> tuple[str, ...] | None:
        node = table.get("editable")
        if node is None:
            return None
        must = 'must be a list of parameters, such as ["amount"], or [] for none.'
        return () if node.value == [] else self.reader.names(node, f"{what}: editable", must)

    def _stages(self, table: dict[str, Node], node: Node, what: str) -> tuple[Stage, ...]:
        """Who must agree: one stage written into the rule itself, or a list of them, in order."""
        if "stages" not in table:
            return (self._stage(table, what),) if any(key in table for key in _AGREEMENT) else ()
        for key in _AGREEMENT:
            if key in table:
                self.problems.add(node.keys[key], f"{what}: stages take the place of {key}; write it into a stage.")
        return self.stages(table["stages"], what)

    def stages(self, node: Node, what: str) -> tuple[Stage, ...]:
        """The entries of ``stages``, in order."""
        found: list[Stage] = []
        for number, stage in enumerate(self.reader.items(node, f"{what}: stages"), 1):
            inside = f"{what}: stage {number}"
            found.append(self._stage(self.reader.table(stage, inside, _AGREEMENT), inside))
        return tuple(found)

    def _stage(self, table: dict[str, Node], what: str) -> Stage:
        quorum = self.reader.whole(table["quorum"], f"{what}: quorum", 1, LARGEST_QUORUM) if "quorum" in table else 1
        names, roles, excluded = self._approvers(table["approvers"], what) if "approvers" in table else ((), (), ())
        if quorum and names and not roles and quorum > len(names):
            sentence = f"{what}: quorum is {quorum}, but only {len(names)} can approve: {', '.join(names)}."
            sentence += " Lower it, or name more."
            self.problems.add(table["quorum"].place, sentence)
        return Stage(quorum or 1, names, roles, excluded)

    def _approvers(self, node: Node, what: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Who may approve: names, roles, and who may not. The requester never may; to say so is allowed."""
        what = f"{what}: approvers"
        if not isinstance(node.value, dict):
            return self.reader.names(node, what), (), ()
        table = self.reader.table(node, what, ("names", "roles", "not"))
        names = self.reader.names(table["names"], f"{what}: names") if "names" in table else ()
        excluded = self.reader.names(table["not"], f"{what}: not") if "not" in table else ()
        roles = self._roles(table["roles"], f"{what}: roles") if "roles" in table else ()
        if not node.value:
            hint = 'such as {names: ["carol"]} or {roles: ["admin"]}; leave approvers out where anybody may approve.'
            self.problems.add(node.place, f"{what} must say who, {hint}")
        if node.value and (both := set(names) & set(excluded)):
            self.problems.add(
                node.keys["not"], f"{what}: {sorted(both)[0]!r} may approve and may not; keep one of them."
            )
        return names, roles, tuple(name for name in excluded if name != "requester")

    def _roles(self, node: Node, what: str) -> tuple[str, ...]:
        """A list of roles, or one, none of them twice. An empty list would let anybody approve."""
        if node.value == []:
            self.problems.add(node.place, f'{what} must name a role: a list such as ["admin"].')
        found: list[str] = []
        for each in node.value if isinstance(node.value, list) else [node]:
            role = self.reader.choice(each, what, DECIDING_ROLES)
            if role in found:
                self.problems.add(each.place, f"{what} names {role!r} twice. Keep one of them.")
            elif role is not None:
                found.append(role)
        return tuple(found)
