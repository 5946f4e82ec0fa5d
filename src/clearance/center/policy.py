"""What needs no person, what none may allow, and who must agree to the rest: rules over an action, from one file.

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
from clearance.center.records import Factor, Stage
from clearance.models import Action
from clearance.quick import quick


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
    stages: tuple[Stage, ...] = ()
    escalate_to: tuple[str, ...] = ()

    def matches(self, action: Action) -> bool:
        """Does every pattern of the rule fit the action?"""
        return all(fnmatchcase(str(getattr(action, field) or ""), pattern) for field, pattern in self.match.items())


@quick
@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says about one action, by which rule, and how risky it looks."""

    effect: Effect
    rule: str
    reason: str
    risk_score: int
    risk_level: str
    factors: tuple[Factor, ...]
    stages: tuple[Stage, ...] = ()
    escalate_to: tuple[str, ...] = ()


MATCHABLE = ("agent_id", "action_type", "tool_name", "resource")
LARGEST_QUORUM = 20
_AGREEMENT = ("quorum", "approvers")
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
            # What any of the rules demands must be met.
            asking = [each for each in matched if each.then is rule.then is Effect.ASK]
            stages = tuple(dict.fromkeys(stage for each in asking for stage in each.stages))
            others = tuple(dict.fromkeys(name for each in asking for name in each.escalate_to))
            return Verdict(rule.then, rule.name, rule.reason, score, level, factors, stages, others)
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
    _known(entry, ("name", "match", "then", "reason", "stages", *_AGREEMENT, "escalate_to"), path, where)
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
    stages = _stages(entry, path, where)
    escalate_to = _names(entry, "escalate_to", path, where)
    if (stages or escalate_to) and then != Effect.ASK:
        raise PolicyError(f'{path}: {where}only a rule that says then = "ask" can say who must agree.')
    if escalate_to and not any(stage.approvers for stage in stages):
        raise PolicyError(f"{path}: {where}escalate_to adds to approvers, and none are named: anybody may approve.")
    return Rule(name, Effect(then), reason, match, stages, escalate_to)


def _stages(entry: dict[str, Any], path: Path, where: str) -> tuple[Stage, ...]:
    """Who must agree: one stage written into the rule itself, or a list of them, in order."""
    listed = entry.get("stages")
    if listed is None:
        return (_stage(entry, path, where),) if any(key in entry for key in _AGREEMENT) else ()
    if not isinstance(listed, list) or not listed or any(key in entry for key in _AGREEMENT):
        raise PolicyError(f"{path}: {where}stages is a list of tables, and takes the place of quorum and approvers.")
    found = []
    for number, stage in enumerate(listed, 1):
        inside = f"{where}stage {number}: "
        _known(_table(stage, path, f"{where}stage {number}"), _AGREEMENT, path, inside)
        found.append(_stage(stage, path, inside))
    return tuple(found)


def _stage(table: dict[str, Any], path: Path, where: str) -> Stage:
    quorum, approvers = table.get("quorum", 1), _names(table, "approvers", path, where)
    if type(quorum) is not int or not 1 <= quorum <= LARGEST_QUORUM:
        raise PolicyError(f"{path}: {where}quorum must be a number from 1 to {LARGEST_QUORUM}.")
    if approvers and quorum > len(approvers):
        raise PolicyError(f"{path}: {where}quorum is {quorum}, but only {len(approvers)} approvers are named.")
    return Stage(quorum, approvers)


def _names(table: dict[str, Any], key: str, path: Path, where: str) -> tuple[str, ...]:
    names = table.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise PolicyError(f'{path}: {where}{key} must be a list of names, such as ["carol", "dave"].')
    if key in table and (not names or len(set(names)) < len(names)):
        raise PolicyError(f"{path}: {where}{key} must name somebody, and nobody twice.")
    return tuple(names)


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
