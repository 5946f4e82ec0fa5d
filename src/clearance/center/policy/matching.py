"""The ``match`` of a rule: from what the file says to conditions."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from clearance.center.policy import checks, hours, patterns
from clearance.center.policy.asked import Asked
from clearance.center.policy.conditions import Condition, Field, Group, Leaf, Presence, parameter
from clearance.center.policy.document import Node, Problems, Reader, nearest
from clearance.center.policy.paths import MISSING, parse


def _reasoning(asked: Asked) -> Any:
    return asked.action.reasoning or MISSING


def _resource(asked: Asked) -> Any:
    return asked.action.resource or ""


FIELDS = {
    field.name: field
    for field in (
        Field("agent_id", attrgetter("action.agent_id")),
        Field("action_type", attrgetter("action.action_type")),
        Field("tool_name", attrgetter("action.tool_name")),
        Field("resource", _resource, longest=4_096),
        Field("reasoning", _reasoning, longest=4_096),
        Field("requester", attrgetter("requester")),
        Field("owner", attrgetter("owner")),
        Field("risk", attrgetter("risk")),
    )
}
"""What a condition can be about, besides parameters, context and time."""
TABLES = ("parameters", "context")
GROUPS = ("all", "any", "not")
OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "contains", "glob", "regex", "present")
_WORDS = (*FIELDS, *TABLES, "time", *GROUPS)


class Matching:
    """Reads conditions, noting what is wrong with them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.problems: Problems = reader.problems

    def match(self, node: Node, what: str) -> Group:
        """All the conditions of a ``match``."""
        table = self.reader.table(node, what)
        if isinstance(node.value, dict) and not table:
            self.problems.add(node.place, f'{what} needs a condition, such as action_type = "payment.*".')
        parts: list[Condition] = []
        for key, value in table.items():
            parts += self._entry(key, value, node, what)
        return Group("all", tuple(parts))

    def _entry(self, key: str, value: Node, table: Node, what: str) -> list[Condition]:
        if key in GROUPS:
            return self._group(key, value, what)
        if key == "time":
            return hours.conditions(value, self.reader, f"{what}: time")
        if key in FIELDS:
            return self._field(FIELDS[key], value, f"{what}: {key}")
        if key in TABLES:
            return self._tree(key, value, what)
        for name in TABLES:
            if key.startswith((f"{name}.", f"{name}[")):
                return self._path(name, key.removeprefix(name).removeprefix("."), value, table.keys[key], what)
        self.problems.add(table.keys[key], f"unknown key {key!r} in {what}; {nearest(key, _WORDS)}")
        return []

    def _group(self, key: str, value: Node, what: str) -> list[Condition]:
        if key == "not":
            return [Group("not", self.match(value, f"{what}: not").parts)]
        parts = [self.match(each, f"{what}: {key}") for each in self.reader.items(value, f"{what}: {key}")]
        return [Group("any" if key == "any" else "all", tuple(parts))]

    def _tree(self, name: str, value: Node, what: str) -> list[Condition]:
        parts: list[Condition] = []
        if value.value == {}:
            self.problems.add(value.place, f"{what}: {name} needs a condition, such as amount = {{ gt = 50 }}.")
        for key, inner in self.reader.table(value, f"{what}: {name}").items():
            parts += self._path(name, key, inner, value.keys[key], what)
        return parts

    def _path(self, name: str, path: str, value: Node, place: Any, what: str) -> list[Condition]:
        steps = parse(path)
        if steps is None:
            self.problems.add(place, f'{what}: {path!r} is no path; write it as order.lines[0].sku, or ["odd.name"].')
            return []
        field = parameter("context" if name == "context" else "parameters", steps)
        return self._field(field, value, f"{what}: {field.name}")

    def _field(self, field: Field, value: Node, what: str) -> list[Condition]:
        """One field: a bare value or list, or a table of operators, all of which must hold."""
        if isinstance(value.value, dict):
            found = []
            for operator, operand in value.value.items():
                if operator not in OPERATORS:
                    hint = nearest(operator, OPERATORS)
                    self.problems.add(value.keys[operator], f"unknown operator {operator!r} in {what}; {hint}")
                elif (condition := self._operation(field, operator, operand, what)) is not None:
                    found.append(condition)
            if not value.value:
                self.problems.add(value.place, f"{what} needs a value, or an operator such as eq.")
            return found
        if isinstance(value.value, list):
            pieces = [self._bare(field, each, what) for each in self.reader.items(value, what)]
            known = [piece for piece in pieces if piece is not None]
            if not known:
                return []
            operands = [leaf.operand for leaf in known]
            work = sum(leaf.work for leaf in known)
            return [Leaf(field, "is any of", operands, checks.any_of([leaf.check for leaf in known]), work)]
        bare = self._bare(field, value, what)
        return [bare] if bare else []

    def _bare(self, field: Field, value: Node, what: str) -> Leaf | None:
        """A text is a glob; a number, true or false stands for itself."""
        if isinstance(value.value, str):
            return self._pattern(field, "glob", value, what)
        return self._literal(field, "eq", value, what, checks.equal_to)

    def _operation(self, field: Field, operator: str, operand: Node, what: str) -> Condition | None:
        what = f"{what}: {operator}"
        match operator:
            case "eq":
                return self._literal(field, operator, operand, what, checks.equal_to)
            case "ne":
                return self._literal(field, operator, operand, what, checks.not_equal_to)
            case "contains":
                return self._literal(field, operator, operand, what, checks.containing)
            case "in":
                return self._in(field, operand, what)
            case "glob" | "regex":
                return self._pattern(field, operator, operand, what)
            case "present":
                if not isinstance(operand.value, bool):
                    self.problems.add(operand.place, f"{what} must be true or false.")
                    return None
                return Presence(field, operand.value)
            case _:
                return self._compared(field, operator, operand, what)

    def _literal(self, field: Field, operator: str, operand: Node, what: str, make: Any) -> Leaf | None:
        if not _is_literal(operand):
            hint = ""
            if operand.value is None:
                hint = " There is nothing here; for what is not to be there, write { present = false }."
            elif isinstance(operand.value, list):
                hint = " For one of several, write in = [...]."
            self.problems.add(operand.place, f"{what} must be a text, a number, true or false.{hint}")
            return None
        if operand.value == "" and operator == "contains":
            self.problems.add(operand.place, f"{what} must not be empty; everything contains that.")
            return None
        return Leaf(field, operator, operand.value, make(operand.value), 6 if operator == "contains" else 1)

    def _in(self, field: Field, operand: Node, what: str) -> Leaf | None:
        items = self.reader.items(operand, what)
        if not all(_is_literal(each) for each in items):
            self.problems.add(operand.place, f"{what} must be a list of texts, numbers, true or false.")
            return None
        operands: list[Any] = [each.value for each in items]
        return Leaf(field, "in", operands, checks.one_of(operands)) if operands else None

    def _compared(self, field: Field, operator: str, operand: Node, what: str) -> Leaf | None:
        value = operand.value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or checks.number_of(value) is None:
            hint = " Leave the quotes out." if isinstance(value, str) and checks.number_of(value) is not None else ""
            self.problems.add(operand.place, f"{what} must be a number, such as 50.{hint}")
            return None
        return Leaf(field, operator, value, checks.compared(operator, value))

    def _pattern(self, field: Field, operator: str, operand: Node, what: str) -> Leaf | None:
        text = operand.value
        if not isinstance(text, str) or not text:
            self.problems.add(operand.place, f"{what} must be a text that is not empty.")
            return None
        try:
            pattern = patterns.glob(text) if operator == "glob" else patterns.regex(text)
        except patterns.BadPattern as error:
            self.problems.add(operand.place, f"{what}: {error}.")
            return None
        return Leaf(field, operator, text, checks.fitting(pattern), 1 + pattern.size * field.longest // 70)


def _is_literal(node: Node) -> bool:
    value = node.value
    return isinstance(value, (str, bool)) or (isinstance(value, (int, float)) and checks.number_of(value) is not None)
