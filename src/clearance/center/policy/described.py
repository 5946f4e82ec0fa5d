"""An action as a file describes it, with the fields of a ``match``: for cases, and to have it explained."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clearance.center.policy.asked import NOBODY, Asked
from clearance.center.policy.checks import Number, number_of
from clearance.center.policy.document import Node, PolicyError, Problems, Reader, nearest
from clearance.center.policy.engine import PolicyEngine
from clearance.center.policy.files import document_of, text_of
from clearance.center.policy.limits import Charge, in_micro
from clearance.center.risk import Assessment
from clearance.models import Action

LARGEST_FILE = 4 * 1024 * 1024
"""Bytes of such a file."""
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""When an action is asked that does not say so: a Monday at noon."""
_TEXTS = ("agent_id", "action_type", "tool_name", "resource", "reasoning", "requester", "owner")
_TABLES = ("parameters", "context", "risk_indicators")
KEYS = (*_TEXTS, *_TABLES, "redacted", "risk", "at", "used")


@dataclass(frozen=True, slots=True)
class Described:
    """An action, with what else a rule may look at. ``risk`` is None where the policy is to assess it.

    ``used`` is what is used of limits over time, by their names: calls, or as much of what is summed up.
    """

    action: Action
    at: int
    risk: int | None = None
    requester: str = NOBODY
    owner: str = NOBODY
    used: Mapping[str, Number] = field(default_factory=dict)

    def assessed(self, engine: PolicyEngine) -> Assessment:
        """How risky it looks by that policy."""
        return engine.risk.assess(self.action, at=self.at)

    def asked(self, engine: PolicyEngine) -> Asked:
        """What that policy is asked."""
        risk = self.assessed(engine).score if self.risk is None else self.risk
        return Asked(self.action, self.at, risk, self.requester, self.owner)

    def charges(self, engine: PolicyEngine) -> tuple[Charge, ...]:
        """What it takes of the limits of that policy, and what is used of them."""
        return tuple(
            replace(charge, used=_used_of(charge, self.used.get(charge.limit.name, 0)))
            for charge in engine.charges(self.asked(engine))
        )


def _used_of(charge: Charge, said: Number) -> int:
    return math.ceil(said) if charge.limit.amount is None else in_micro(said)


def document(path: Path, problems: Problems) -> Node:
    """What a file says, be it YAML, TOML or JSON, as its name says.

    Raises:
        PolicyError: it cannot be read.
    """
    if path.suffix.lower() not in (".yaml", ".yml", ".toml", ".json"):
        raise PolicyError(f"{path}: the name of this file must end in .yaml, .toml or .json; this one does not.")
    # What JSON can say, YAML reads the same.
    return document_of(text_of(path), "toml" if path.suffix.lower() == ".toml" else "yaml", problems)


def load_action(path: Path, limits: Collection[str] = ()) -> Described:
    """The action that a file describes. ``limits`` are the names of those it may say what is used of.

    Raises:
        PolicyError: it cannot be read, or says anything that is not understood.
    """
    problems = Problems(str(path))
    found = described(document(path, problems), Reader(problems), "the action", limits)
    if problems or found is None:
        raise problems.error()
    return found


def described(node: Node, reader: Reader, what: str, limits: Collection[str] = ()) -> Described | None:
    """The action that a table describes; None if it does not. ``limits`` are those it may say what is used of."""
    table = reader.table(node, what, KEYS)
    texts = {key: _text(table[key], reader, f"{what}: {key}") for key in _TEXTS if key in table}
    if isinstance(node.value, dict) and "action_type" not in table:
        reader.problems.add(node.place, f'{what} has no action_type; give it one, such as "payment.refund".')
    tables: dict[str, Any] = {}
    for key in _TABLES:
        if key in table:
            reader.table(table[key], f"{what}: {key}")
            tables[key] = plain_of(table[key])
    risk = reader.whole(table["risk"], f"{what}: risk", 0, 100) if "risk" in table else None
    hidden = reader.names(table["redacted"], f"{what}: redacted") if "redacted" in table else ()
    at = _moment(table["at"], reader, f"{what}: at") if "at" in table else _microseconds(NOON)
    used = _used(table["used"], reader, f"{what}: used", limits) if "used" in table else {}
    if reader.problems:
        return None
    action = Action(
        agent_id=texts.get("agent_id", ""),
        action_type=texts["action_type"],
        tool_name=texts.get("tool_name", ""),
        description="",
        parameters=tables.get("parameters", {}),
        digest="",
        decide_within=60.0,
        run_within=60.0,
        resource=texts.get("resource"),
        context=tables.get("context", {}),
        reasoning=texts.get("reasoning"),
        redacted=hidden,
        risk_indicators=tables.get("risk_indicators", {}),
    )
    return Described(action, at, risk, texts.get("requester", NOBODY), texts.get("owner", NOBODY), used)


def _used(node: Node, reader: Reader, what: str, limits: Collection[str]) -> dict[str, Number]:
    """What is used of which limit."""
    found: dict[str, Number] = {}
    for name, each in reader.table(node, what).items():
        number = number_of(each.value) if type(each.value) in (int, float) else None
        if name not in limits:
            hint = nearest(name, limits, "its limits") if limits else "it has none."
            reader.problems.add(node.keys[name], f"{what}: the policy has no limit {name!r}; {hint}")
        elif number is None or number < 0:
            reader.problems.add(each.place, f"{what}: {name} must be a number from 0 on.")
        else:
            found[name] = number
    return found


def plain_of(node: Node) -> Any:
    """The value of a node, without its places."""
    if isinstance(node.value, dict):
        return {key: plain_of(each) for key, each in node.value.items()}
    if isinstance(node.value, list):
        return [plain_of(each) for each in node.value]
    return node.value


def _text(node: Node, reader: Reader, what: str) -> str:
    return reader.text(node, what, longest=100_000) or ""


def _moment(node: Node, reader: Reader, what: str) -> int:
    try:
        found = datetime.fromisoformat(node.value) if isinstance(node.value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        reader.problems.add(node.place, f'{what} must be a time with its zone, such as "2026-01-05T12:00:00+01:00".')
        return 0
    return _microseconds(found)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
