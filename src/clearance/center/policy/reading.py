"""A policy file as a policy. What is not understood is never skipped: the file is refused, with all that is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

from clearance.center.policy import reachability, weights
from clearance.center.policy.document import Node, Place, PolicyError, Problems, Reader
from clearance.center.policy.engine import CLEAR_NOTHING, Policy
from clearance.center.policy.files import document_of, text_of
from clearance.center.policy.limiting import MOST_LIMITS, Limits
from clearance.center.policy.limits import Limit
from clearance.center.policy.rules import Rule, Rules
from clearance.center.policy.weights import Weights
from clearance.center.risk import BUILT_IN, RiskModel

R = TypeVar("R", bound=Rule)

MOST_RULES = 20_000
MOST_WORK = 15_000
"""What judging one action may take at most, in comparisons of a short value; more could hold the Center up."""
FORMATS = {".cedar": "cedar", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
NEEDS_CEDAR = "policies in Cedar need cedarpy, which is not installed. Install it: pip install 'clearance[cedar]'"
_KEYS = ("rules", "limits", "risk")


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
    rules, limits = _entries(table, reader)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    policy = Policy(rules, clear_up_to, version, text, format, risk, limits)
    if (work := policy.most_work()) > MOST_WORK:
        sentence = (
            f"one action may take {work:,} steps to judge; {MOST_WORK:,} is the most. Say action_type or tool_name in "
            "the rules, so that fewer of them are about one action, or use fewer and shorter patterns."
        )
        problems.add(table["rules" if "rules" in table else "limits"].place, sentence)
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


def _entries(table: dict[str, Node], reader: Reader) -> tuple[tuple[Rule, ...], tuple[Limit, ...]]:
    """The rules, and the limits over time; decisions name either, so no two have one name."""
    places: dict[str, Place] = {}
    rules, limits = Rules(reader), Limits(reader)
    found_rules = _list(table.get("rules"), "rules", MOST_RULES, rules.rule, places, reader)
    found_limits = _list(table.get("limits"), "limits", MOST_LIMITS, limits.limit, places, reader)
    if not reader.problems:
        reachability.look(found_rules, places, reader.problems)
        reachability.look_at_limits(found_limits, found_rules, places, reader.problems)
    return found_rules, found_limits


def _list(
    node: Node | None,
    what: str,
    most: int,
    read: Callable[[Node, int], R | None],
    places: dict[str, Place],
    reader: Reader,
) -> tuple[R, ...]:
    """The entries of a list; ``places`` are those of what has a name already."""
    if node is None or node.value == []:
        return ()
    entries = reader.items(node, what)
    if len(entries) > most:
        reader.problems.add(node.place, f"there are {len(entries):,} {what}; {most:,} is the most.")
        return ()
    found: list[R] = []
    for number, entry in enumerate(entries, 1):
        rule = read(entry, number)
        if rule is None:
            continue
        if rule.name in places:
            line = places[rule.name].line
            which = "two rules are" if what == "rules" else "two limits, or a rule and a limit, are"
            sentence = f"{which} named {rule.name!r} (see line {line}); give this one another name."
            reader.problems.add(entry.place, sentence)
            continue
        places[rule.name] = entry.place
        found.append(rule)
    return tuple(found)
