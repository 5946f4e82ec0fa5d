"""Policies and actions that are made to keep the Center busy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from tests.helpers import an_action

from clearance.models import Action

PATTERNS = (
    "(a*)*b", "(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)*x", "(.*a){10}b", "(.*a){20}b", "(x+x+)+y", "([a-z]+)*1",
    "^(([a-z])+.)+[A-Z]([a-z])+$", "(a?){30}a{30}", "(a?){60}a{60}", "(a|b)*a(a|b){10}c", "(a|b)*a(a|b){20}c",
    "(a|b|x)*a(a|b|x){40}z", "(a|b|x)*a(a|b|x){90}z", "a.{0,5}z", "a.{0,20}z", "a.{0,200}z", "(a{1000}){1000}",
    "((((a{10}){10}){10}){10}){10}", "[^x]*[^y]*[^z]*q", "(.|\\n)*(.|\\n)*z", "\\pL+\\pN+\\pL+z", "(?i)(straße|ſ)+k",
    "(a|b|c|d|e|f|g|h|i|j)*k" * 20, "|".join(f"word{n}" for n in range(90)), "^" * 400, "(" * 200 + ")" * 200,
    ".*" * 200, "a" * 500, "a" * 501, "(?=a)b", "(a)\\1", "(?<=a)b", "[", "(", "*", "a{2,1}", "\\", "(?P<n>a)(?P<n>b)",
)  # fmt: skip
"""Regular expressions: such as take exponential time elsewhere, are huge, or are none."""
GLOBS = (
    "*a" * 20 + "*", "?" * 400, "*?" * 100, "[a-z]" * 90, "[!a-z]*" * 60, "*" * 500, "*" * 501, "[" * 300, "[]-a]" * 50,
    "*[!" + "x" * 300 + "]*",
)  # fmt: skip


def in_rules(conditions: list[str]) -> str:
    """A policy with one rule for each condition, in YAML."""
    rules = (
        f"- {{name: r{number}, match: {{{condition}}}, then: deny}}" for number, condition in enumerate(conditions)
    )
    return "rules:\n" + "\n".join(rules)


def quoted(text: str) -> str:
    """A text in YAML."""
    return "'" + text.replace("'", "''") + "'"


def nested(depth: int, kind: str) -> str:
    """Conditions inside conditions."""
    inner = "risk: {ge: 101}"
    for _ in range(depth):
        inner = f"not: {{{inner}}}" if kind == "not" else f"{kind}: [{{{inner}}}]"
    return inner


def of_one(operator: str, text: str) -> str:
    """A policy that holds a text against this."""
    return in_rules([f"parameters.text: {{{operator}: {quoted(text)}}}"])


FILES: dict[str, Callable[[], str]] = {
    **{f"regex {number}": partial(of_one, "regex", text) for number, text in enumerate(PATTERNS)},
    **{f"glob {number}": partial(of_one, "glob", text) for number, text in enumerate(GLOBS)},
    "500 expressions about one action": lambda: in_rules(
        [f"parameters.text: {{regex: '(a|b)*a{{{n % 9 + 1}}}x{n}'}}" for n in range(500)]
    ),
    "15,000 rules for everybody": lambda: in_rules([f"risk: {{ge: {n}}}" for n in range(101, 15_101)]),
    "20,001 rules": lambda: in_rules([f"action_type: a{n}" for n in range(20_001)]),
    "5,000 look for a text": lambda: in_rules([f"parameters.text: {{contains: needle{n}}}" for n in range(5_000)]),
    "50,000 words": lambda: in_rules([f"parameters.text: {{in: [{', '.join(f'w{n}' for n in range(50_000))}]}}"]),
    "2,000 globs in one list": lambda: in_rules([f"parameters.text: [{', '.join(f'*w{n}*x' for n in range(2_000))}]"]),
    "14 deep, all": lambda: in_rules([nested(14, "all")]),
    "14 deep, any": lambda: in_rules([nested(14, "any")]),
    "28 deep, not": lambda: in_rules([nested(28, "not")]),
    "5,000 deep": lambda: in_rules([nested(5_000, "not")]),
    "wide": lambda: in_rules([f"any: [{', '.join(f'{{risk: {{ge: {n}}}}}' for n in range(101, 15_101))}]"]),
    "a long path": lambda: in_rules([f"'parameters.{'.'.join('a' * 2_000)}': 1"]),
    "aliases of aliases": lambda: "a: &a [x, x]\n" + "\n".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]" for n in range(20)
    ),
    "500,000 brackets": lambda: "[" * 500_000,
}  # fmt: skip


def actions() -> dict[str, Action]:
    """Actions that are long, wide or deep."""
    deep: Any = "a"
    for _ in range(30):
        deep = {"a": deep}
    mixed = "".join(Random(1).choices("abx", k=4_096))
    made: dict[str, Any] = {
        "mixed": {"text": mixed},
        "repeated": {"text": "a" * 4_096},
        "a mebibyte": {"text": "ab" * 524_288},
        "other letters": {"text": "ſ" * 2_048},
        "a list of 10,000": {"text": list(range(10_000))},
        "10,000 names": {f"name{number}": number for number in range(10_000)},
        "deep": {"a": deep, "text": deep},
    }
    found = {name: an_action(parameters=parameters) for name, parameters in made.items()}
    hidden = tuple(f"secret{number}.inner" for number in range(10_000))
    found["1,000 hidden"] = an_action(parameters={"text": "a"}, redacted=hidden[:1_000])
    found["10,000 hidden"] = an_action(parameters={"text": "a"}, redacted=hidden)
    return found
