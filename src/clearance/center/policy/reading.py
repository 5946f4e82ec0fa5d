"""A policy file as a policy. What is not understood is never skipped: the file is refused, with all that is wrong."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

from clearance.center.policy import reachability, weights
from clearance.center.policy.document import Node, Place, PolicyError, Problems, Reader
from clearance.center.policy.engine import CLEAR_NOTHING, Policy
from clearance.center.policy.files import document_of, text_of
from clearance.center.policy.rules import Rule, Rules
from clearance.center.policy.weights import Weights
from clearance.center.risk import BUILT_IN, RiskModel

MOST_RULES = 20_000
MOST_WORK = 15_000
"""What judging one action may take at most, in comparisons of a short value; more could hold the Center up."""
FORMATS = {".cedar": "cedar", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
NEEDS_CEDAR = "policies in Cedar need cedarpy, which is not installed. Install it: pip install 'clearance[cedar]'"
_KEYS = ("rules", "risk")


@cache
def built_in() -> Policy:
    """What a Center goes by that was given no policy: `default.yaml`, beside this module."""
    text = resources.files("clearance.center.policy").joinpath("default.yaml").read_text("utf-8")
    return parse(text, "yaml", "the built-in policy")


def load(path: Path) -> Policy:
    """Read a policy file: YAML, TOML or Cedar, as its name says.

    Raises:
        PolicyError: it cannot be read, or says anything that is not understood.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise PolicyError(f"{path}: the name of a policy file ends in .yaml, .toml or .cedar; this one does not.")
    return parse(text_of(path), kind, str(path))


def parse(text: str, format: str = "yaml", file: str = "policy") -> Policy:
    """The policy that a text says. ``file`` is what errors call it.

    Raises:
        PolicyError: it says anything that is not understood.
    """
    if format == "cedar":
        return _cedar(text, file)
    problems = Problems(file)
    document = document_of(text, format, problems)
    reader = Reader(problems)
    table = reader.table(document, "the file", _KEYS)
    clear_up_to, risk = _risk(table["risk"], reader) if "risk" in table else (CLEAR_NOTHING, BUILT_IN)
    rules = _rules(table["rules"], reader) if "rules" in table else ()
    policy = Policy(rules, clear_up_to, hashlib.sha256(text.encode()).hexdigest()[:12], text, format, risk)
    if (work := policy.most_work()) > MOST_WORK:
        sentence = (
            f"one action may take {work:,} steps to judge; {MOST_WORK:,} is the most. Say action_type or tool_name in "
            "the rules, so that fewer of them are about one action, or use fewer and shorter patterns."
        )
        problems.add(table["rules"].place, sentence)
    if problems:
        raise problems.error()
    return policy


def _cedar(text: str, file: str) -> Policy:
    try:
        from clearance.center.policy.cedar.reading import parse as parse_cedar
    except ModuleNotFoundError as error:
        if error.name != "cedarpy":
            raise
        raise PolicyError(f"{file}: {NEEDS_CEDAR}.") from None
    return parse_cedar(text, file)


def _risk(node: Node, reader: Reader) -> tuple[int, RiskModel]:
    """Up to which score is cleared where no rule matches, and what makes a score."""
    table = reader.table(node, "risk", ("clear_up_to", *weights.KEYS))
    model = Weights(reader).model(table)
    if "clear_up_to" not in table:
        return CLEAR_NOTHING, model
    found = reader.whole(table["clear_up_to"], "risk: clear_up_to", CLEAR_NOTHING, 100)
    return CLEAR_NOTHING if found is None else found, model


def _rules(node: Node, reader: Reader) -> tuple[Rule, ...]:
    if node.value == []:
        return ()
    reading = Rules(reader)
    rules: list[Rule] = []
    places: dict[str, Place] = {}
    entries = reader.items(node, "rules")
    if len(entries) > MOST_RULES:
        reader.problems.add(node.place, f"there are {len(entries):,} rules; {MOST_RULES:,} is the most.")
        return ()
    for number, entry in enumerate(entries, 1):
        rule = reading.rule(entry, number)
        if rule is None:
            continue
        if rule.name in places:
            line = places[rule.name].line
            sentence = f"two rules are named {rule.name!r} (see line {line}); give this one another name."
            reader.problems.add(entry.place, sentence)
            continue
        places[rule.name] = entry.place
        rules.append(rule)
    found = tuple(rules)
    if not reader.problems:
        reachability.look(found, places, reader.problems)
    return found
