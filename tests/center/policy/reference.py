"""What a policy means, a second time: slow, plain, over the document itself, from what the reference page says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

YES, NO, WHO_KNOWS = "yes", "no", "who knows"
GONE = object()
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def decide(document: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    """What the policy that this document says makes of the action."""
    rules = document.get("rules", [])
    answers = [(rule, every(rule["match"], action)) for rule in rules]
    matched = [rule for rule, answer in answers if answer == YES]
    unclear = [rule for rule, answer in answers if answer == WHO_KNOWS]
    verdict: dict[str, Any] = {
        "stages": [], "decide_within": None, "run_within": None, "editable": None,
        "unclear": [rule["name"] for rule in unclear],
    }  # fmt: skip
    for effect in ("deny", "ask", "allow"):
        if effect == "allow" and unclear:
            break
        saying = [rule for rule in matched if rule["then"] == effect]
        if saying:
            verdict |= {"effect": effect, "rule": saying[0]["name"]}
            if effect == "ask":
                in_order = [rule for rule in rules if rule in saying or (rule in unclear and rule["then"] == "ask")]
                return verdict | demands(in_order)
            return verdict | {"run_within": least(rule.get("run_within") for rule in saying)}
    if unclear:
        demanding = [rule for rule in unclear if rule["then"] == "ask"]
        return verdict | {"effect": "ask", "rule": unclear[0]["name"]} | demands(demanding)
    limit = document.get("risk", {}).get("clear_up_to", -1)
    if action["risk"] <= limit:
        return verdict | {"effect": "allow", "rule": "risk-clear"}
    return verdict | {"effect": "ask", "rule": "no-rule" if limit == -1 else "risk-ask"}


def demands(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """All of what these rules want before they are content."""
    stages: list[Any] = []
    for rule in rules:
        left = list(stages)
        for stage in rule.get("stages", [rule] if "quorum" in rule or "approvers" in rule else []):
            named = stage.get("approvers", [])
            if not isinstance(named, dict):
                named = {"names": named}
            people = {key: [value] if isinstance(value, str) else value for key, value in named.items()}
            without = [name for name in people.get("not", []) if name != "requester"]
            wanted = (stage.get("quorum", 1), people.get("names", []), people.get("roles", []), without)
            if wanted in left:
                left.remove(wanted)
            else:
                stages.append(wanted)
    lists = [rule["editable"] for rule in rules if "editable" in rule]
    return {
        "stages": stages,
        "decide_within": least(rule.get("decide_within") for rule in rules),
        "run_within": least(rule.get("run_within") for rule in rules),
        "editable": sorted(name for name in lists[0] if all(name in each for each in lists)) if lists else None,
    }


def least(lengths: Any) -> int | None:
    """The shortest of some lengths of time, in seconds."""
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    found = [
        sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([dhms])", length))
        for length in lengths
        if length is not None
    ]
    return min(found) if found else None


# Conditions: the weakest link decides. A no is a no, whatever nobody knows of the rest.


def every(conditions: dict[str, Any], action: dict[str, Any]) -> str:
    """Do they all hold?"""
    return both([holds(about, wanted, action) for about, wanted in conditions.items()])


def both(answers: list[str]) -> str:
    """All of them."""
    return NO if NO in answers else WHO_KNOWS if WHO_KNOWS in answers else YES


def either(answers: list[str]) -> str:
    """One of them."""
    return YES if YES in answers else WHO_KNOWS if WHO_KNOWS in answers else NO


def opposite(answer: str) -> str:
    """Not that."""
    return {YES: NO, NO: YES, WHO_KNOWS: WHO_KNOWS}[answer]


def holds(about: str, wanted: Any, action: dict[str, Any]) -> str:
    """Does this one hold?"""
    if about == "all":
        return both([every(each, action) for each in wanted])
    if about == "any":
        return either([every(each, action) for each in wanted])
    if about == "not":
        return opposite(every(wanted, action))
    if about == "time":
        return in_time(wanted, action["at"])
    if about in ("parameters", "context"):
        return both([of_tree(about, path, each, action) for path, each in wanted.items()])
    for tree in ("parameters", "context"):
        if about.startswith(tree):
            return of_tree(tree, about[len(tree) :].removeprefix("."), wanted, action)
    value = action[about]
    if about == "resource":
        value = value or ""
    if about == "reasoning" and not value:
        value = GONE
    return fits(value, wanted, known=value is not GONE)


def of_tree(tree: str, path: str, wanted: Any, action: dict[str, Any]) -> str:
    """A condition on a parameter, or on something of the context."""
    value: Any = action[tree]
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            if (index == "") is not isinstance(value, dict):
                raise LookupError
            value = value[int(index)] if index else value[name]
        except LookupError:
            value = GONE
            break
    blurred = [*action["redacted"], *action["abridged"]]
    is_seen = not any(within(path, other) or within(other, path) for other in blurred)
    return fits(value, wanted, known=value is not GONE and is_seen)


def within(inner: str, outer: str) -> bool:
    """Is one path the other, or inside of it?"""
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def fits(value: Any, wanted: Any, *, known: bool) -> str:
    """Is the value as it should be?"""
    if isinstance(wanted, dict):
        return both([one(value, operator, operand, known=known) for operator, operand in wanted.items()])
    if isinstance(wanted, list):
        return either([fits(value, each, known=known) for each in wanted])
    return one(value, "glob" if isinstance(wanted, str) else "eq", wanted, known=known)


def one(value: Any, operator: str, operand: Any, *, known: bool) -> str:
    """One operator."""
    if operator == "present":
        return YES if (value is not GONE) == operand else NO
    if not known:
        return WHO_KNOWS
    if operator in ("eq", "ne", "in"):
        answer = any(same(value, each) for each in (operand if operator == "in" else [operand]))
        return YES if answer != (operator == "ne") else NO
    if operator in ("lt", "le", "gt", "ge"):
        number = as_number(value)
        if number is None:
            return WHO_KNOWS
        bound = as_number(operand)
        assert bound is not None
        found = {"lt": number < bound, "le": number <= bound, "gt": number > bound, "ge": number >= bound}[operator]
        return YES if found else NO
    if operator == "contains":
        return contains(value, operand)
    is_wild = operator == "regex" or any(wild in operand for wild in "*?")
    if not isinstance(value, str) or (is_wild and len(value.encode()) > 4_096):
        return WHO_KNOWS
    found = globbed(operand, value) if operator == "glob" else re.search(operand, value) is not None
    return YES if found else NO


def contains(value: Any, operand: Any) -> str:
    """Is it in there?"""
    if isinstance(value, list):
        return YES if any(same(each, operand) for each in value) else NO
    is_short = not isinstance(value, str) or len(value) <= 4_096
    if isinstance(value, (str, dict)) and isinstance(operand, str) and is_short:
        return YES if operand in value else NO
    return WHO_KNOWS


def as_number(value: Any) -> Fraction | None:
    """The number that it is or spells."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    exponent = "" if isinstance(value, str) else r"(e[-+]?\d+)?"
    spelled = re.fullmatch(rf"[-+]?\d+(\.\d+)?{exponent}", str(value), re.ASCII)
    return Fraction(str(value)) if spelled else None


def same(value: Any, operand: Any) -> bool:
    """Numbers by value, also where they are spelled; true is no number; a text is only that text."""
    if isinstance(operand, bool) or isinstance(value, bool):
        return value is operand
    if isinstance(operand, str):
        return isinstance(value, str) and value == operand
    return as_number(value) is not None and as_number(value) == as_number(operand)


def globbed(pattern: str, text: str) -> bool:
    """A star is anything, a question mark one character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(globbed(pattern[1:], text[skipped:]) for skipped in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and globbed(pattern[1:], text[1:])


def in_time(wanted: dict[str, Any], at: int) -> str:
    """Is it one of these hours and days?"""
    local = datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(ZoneInfo(wanted.get("zone", "UTC")))
    answer = True
    if "hours" in wanted:
        start, end = wanted["hours"].split("-")
        now = f"{local:%H:%M}"
        answer = start <= now < end if start < end else now >= start or now < end
    if "days" in wanted:
        spans = wanted["days"] if isinstance(wanted["days"], list) else [wanted["days"]]
        named: list[str] = []
        for span in spans:
            first, _, last = span.partition("-")
            day = first
            while day != (last or first):
                named.append(day)
                day = DAYS[(DAYS.index(day) + 1) % 7]
            named.append(day)
        answer = answer and DAYS[local.weekday()] in named
    return YES if answer else NO
