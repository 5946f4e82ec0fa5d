"""What needs no person, what none may allow, and what is asked: rules over an action, from one small file.

Deny beats ask beats allow, whatever the order; where no rule matches, the risk decides between clearing and
asking. A file with an unknown key is refused whole: a rule that is not understood must not be skipped.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from clearance.center import risk
from clearance.center.records import Factor
from clearance.models import Action


class Effect(StrEnum):
    """What a rule says: in the order in which one beats the next."""

    DENY = "deny"
    ASK = "ask"
    ALLOW = "allow"


_STRENGTH = list(Effect)


class PolicyError(ValueError):
    """The policy file cannot be used; the message says where, and what to write."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy: what it matches, by shell-style patterns, and what it says."""

    name: str
    then: Effect
    reason: str
    match: Mapping[str, str]

    def matches(self, action: Action) -> bool:
        """Does every pattern of the rule fit the action?"""
        return all(fnmatchcase(str(getattr(action, field) or ""), pattern) for field, pattern in self.match.items())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says about one action, by which rule, and how risky it looks."""

    effect: Effect
    rule: str
    reason: str
    risk_score: int
    risk_level: str
    factors: tuple[Factor, ...]


MATCHABLE = ("agent_id", "action_type", "tool_name", "resource")
_NEVER = "What is dropped or wiped cannot be brought back; that is never done through an agent."
_DEFAULT_RULES = (
    Rule("deny-drop", Effect.DENY, _NEVER, {"action_type": "*.drop"}),
    Rule("deny-wipe", Effect.DENY, _NEVER, {"action_type": "*.wipe"}),
    Rule("deny-audit", Effect.DENY, "The audit trail is not an agent's to change.", {"action_type": "audit.*"}),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """A set of rules with a version: the digest of what it says."""

    rules: tuple[Rule, ...] = _DEFAULT_RULES
    clear_up_to: int = 30
    version: str = "built-in-1"

    def judge(self, action: Action) -> Verdict:
        """What happens to this action."""
        score, level, factors = risk.assess(action)
        matched = [rule for rule in self.rules if rule.matches(action)]
        if matched:
            rule = min(matched, key=lambda rule: _STRENGTH.index(rule.then))
            return Verdict(rule.then, rule.name, rule.reason, score, level, factors)
        if score <= self.clear_up_to:
            reason = f"Risk {score} is at most {self.clear_up_to}."
            return Verdict(Effect.ALLOW, "risk-clear", reason, score, level, factors)
        reason = f"Risk {score} is over {self.clear_up_to}."
        return Verdict(Effect.ASK, "risk-ask", reason, score, level, factors)


def load(path: Path) -> Policy:
    """Read a policy file (TOML).

    Raises:
        PolicyError: it cannot be read, or says anything that is not understood.
    """
    try:
        data = path.read_bytes()
        document = tomllib.loads(data.decode())
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: is not TOML: {error}.") from None
    _known(document, ("risk", "rules"), path, "")
    risk_table = _table(document.get("risk", {}), path, "[risk]")
    _known(risk_table, ("clear_up_to",), path, "[risk] ")
    clear_up_to = risk_table.get("clear_up_to", 30)
    if type(clear_up_to) is not int or not -1 <= clear_up_to <= 100:
        raise PolicyError(f"{path}: [risk] clear_up_to must be a number from -1 (clear nothing) to 100.")
    entries = document.get("rules", [])
    if not isinstance(entries, list):
        raise PolicyError(f"{path}: write each rule as a [[rules]] table.")
    rules = tuple(_rule(entry, path, number) for number, entry in enumerate(entries, 1))
    names = [rule.name for rule in rules]
    if twice := {name for name in names if names.count(name) > 1}:
        raise PolicyError(
            f"{path}: two rules are named {sorted(twice)[0]!r}; decisions name the rule, so names differ."
        )
    return Policy(rules, clear_up_to, hashlib.sha256(data).hexdigest()[:12])


def _rule(entry: Any, path: Path, number: int) -> Rule:
    where = f"rule {number}: "
    entry = _table(entry, path, f"rule {number}")
    _known(entry, ("name", "match", "then", "reason"), path, where)
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise PolicyError(f'{path}: {where}give it a name = "...".')
    match = _table(entry.get("match", {}), path, f"{where}match")
    _known(match, MATCHABLE, path, f"{where}match: ")
    if not match or not all(isinstance(pattern, str) and pattern for pattern in match.values()):
        raise PolicyError(f'{path}: {where}match needs patterns, such as match = {{ action_type = "payment.*" }}.')
    then = entry.get("then")
    if then not in list(Effect):
        raise PolicyError(f'{path}: {where}then must be "allow", "ask" or "deny".')
    reason = entry.get("reason", "")
    if not isinstance(reason, str):
        raise PolicyError(f"{path}: {where}reason must be a text.")
    return Rule(name, Effect(then), reason, match)


def _table(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"{path}: {where} must be a table.")
    return value


def _known(table: Mapping[str, object], known: Collection[str], path: Path, where: str) -> None:
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."
            raise PolicyError(f"{path}: {where}unknown key {key!r}; {hint}")
