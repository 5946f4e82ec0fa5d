"""Cedar files that cannot be used: each is refused with its line and column, and a sentence that says what to write."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.policy.cedar_pairs import documents

from clearance.center.policy import PolicyError, load, parse
from clearance.center.policy.cedar import asking
from clearance.center.policy.cedar.source import Source

REST = "permit(principal, action, resource);"
BROKEN = [
    ('@id("a")\npermit(principal, action, resource)\nwhen { context.risk >< 3 };',
     "3:22: Cedar cannot read this: unexpected token `<`."),
    ('@id("a") permit(principal, action, resource)\nwhen { context.risk == 3 }',
     "2:26: Cedar cannot read this: unexpected end of input. This policy is not finished; each ends with a semicolon."),
    ('@id("a")\nallow(principal, action, resource);',
     "2:1: Cedar cannot read this: invalid policy effect: allow. A policy begins with permit or forbid."),
    ('// one\n@id("a") permit(principal, action, ressource);',
     "2:36: Cedar cannot read this: found an invalid variable in the policy scope: ressource."
     " Write (principal, action, resource)."),
    ('@id("a") permit(principal, action, resource) where { true };',
     "1:46: Cedar cannot read this: invalid policy condition: where."
     " After the brackets come when { ... } or unless { ... }."),
    ('@id("a") permit(principal, action, resource) when { context.risk = 1 };',
     "1:66: Cedar cannot read this: '=' is not a valid operator in Cedar. To compare, write == with two signs."),
    ('@id("a") permit(principal, action, resource) when { context.risk == 1 and true };',
     '1:71: Cedar cannot read this: unexpected token `and`. Write && for "and".'),
    ("@id(\"a\") permit(principal, action, resource) when { context.reasoning == 'a' };",
     "1:74: Cedar cannot read this: invalid token. Texts stand in double quotes."),
    ('@id("a") permit(principal, action, resource) when { foo(context.risk) };',
     "1:53: Cedar cannot read this: `foo` is not a valid function."),
    (f'@id("a") {REST}\n@id("b") permit(principal, action == "x", resource);',
     '2:38: Cedar cannot read this: expected an entity uid, found literal `"x"`. Name one thing there, such as '
     'Action::"payment.refund"; for several, action in [...].'),
    (f'@id("a) {REST}', '1:5: the text that begins here has no closing quote (").'),
    (f'@id("a")\n@id("b")\n{REST}', "2:1: Cedar cannot read this: duplicate annotation: @id."),
    (REST, '1:1: policy 1 has no name; write one above it, such as @id("large-refunds").'),
    (f"@id\n{REST}", "1:1: @id of policy 1 must be a text of 1 to 100 characters."),
    (f'@id("a") {REST}\n@id("a") {REST}', "2:10: two policies are named 'a' (see line 1); rename this one."),
    (f'@id("a") @quorm("2") @ask {REST}', "1:10: unknown annotation @quorm of policy 'a'; did you mean 'quorum'?"),
    (f'@id("a") @quorum("2") {REST}',
     "1:10: policy 'a': @quorum is only for a permit with @ask. Take it out, or add @ask."),
    ('@id("a") @ask forbid(principal, action, resource);',
     "1:10: policy 'a': @ask is only for a permit; a forbid refuses. Take it out, or write permit."),
    (f'@id("a") @ask("why") @reason("because") {REST}',
     "1:22: policy 'a': @ask and @reason both say why; leave one of them."),
    (f'@id("a") @reason {REST}', "1:10: policy 'a': reason must be a text. Write one, in quotes."),
    (f'@id("a") @ask @quorum("many") {REST}', "1:15: policy 'a': quorum must be a whole number from 1 to 20."),
    (f'@id("a") @ask @quorum("3") @approvers("carol, dave") {REST}',
     "1:15: policy 'a': quorum is 3, but only 2 can approve: carol, dave. Lower it, or name more."),
    (f'@id("a") @ask @approvers(" , ") {REST}',
     "1:15: policy 'a': @approvers must name somebody, such as @approvers(\"carol, dave\")."),
    (f'@id("a") @ask @approvers("carol, carol") {REST}',
     "1:15: policy 'a': approvers: names names 'carol' twice. Keep one of them."),
    (f'@id("a") @ask @approver_roles("admim") {REST}',
     '1:15: policy \'a\': approvers: roles must be one of "admin", "super_admin". Did you mean "admin"?'),
    (f'@id("a") @ask @escalate_to("erin") {REST}',
     "1:15: policy 'a': escalate_to adds to approvers, and none are named: name them, or leave it out."),
    (f'@id("a") @ask @decide_within("soon") {REST}',
     "1:15: policy 'a': decide_within must be a length of time, such as \"90s\", \"15m\", \"1h30m\" or \"7d\"."),
    ('@id("a") permit(principal == User::"x", action, resource);',
     "1:30: there is no entity type 'User' here; known here: Action, Agent, Key, Null, Number, Owner, Tool."),
    ('@id("a") permit(principal, action, resource is Toll);',
     "1:48: there is no entity type 'Toll' here; did you mean 'Tool'?"),
    ('@id("a") permit(principal, action, resource) when { principal.kee == "x" };',
     "1:63: principal has no 'kee'; did you mean 'key'?"),
    ('@id("a") permit(principal, action, resource) when { context.amount < 5 };',
     "1:61: context has no 'amount'; is it context.parameters.amount? Known here: caller, decimals, parameters, "
     "reasoning, risk, time."),
    ('@id("a") forbid(principal, action, resource) when { context has env };',
     "1:65: context has no 'env'; is it context.parameters.env? Known here: caller, decimals, parameters, "
     "reasoning, risk, time."),
    ('@id("a") permit(principal, action, resource) when { context.time.our == 5 };',
     "1:66: context.time has no 'our'; did you mean 'hour'?"),
    ('@id("a") permit(principal, action, resource) when { context == {} };',
     "1:53: context is not compared as a whole; name what of it you mean."),
    ('@id("a") forbid(principal, action, resource) when { context.decimals == {"x": 1} };',
     "1:61: context.decimals is not compared as a whole; name what of it you mean."),
    ('@id("a") forbid(principal, action, resource) when { context.caller.env == 1 && [context.parameters] == [1] };',
     "1:89: context.parameters is not compared as a whole; name what of it you mean."),
    ('@id("a") permit(principal == ?principal, action, resource);',
     "1:10: a template is not filled in here; name who and what, instead of ?principal and ?resource."),
    (f'@id("a") permit(principal, action, resource) when {{ {"(" * 40}true{")" * 40} }};',
     "1:10: this policy has over 30 brackets within one another and ifs; make several policies of it."),
    (f'@id("a") permit(principal, action, resource) when {{ {"if true then true else " * 31}true }};',
     "1:10: this policy has over 30 brackets within one another and ifs; make several policies of it."),
    (f'@id("a") permit(principal, action, resource) when {{ {" && ".join(["context.risk < 9"] * 150)} }};',
     "1:10: this policy cannot be used: cedarpy: expression nesting exceeds the supported limit of 100 levels."
     " Make several policies of it."),
    ('@id("a") permit(principal, action, resource) when { unknown("x") };',
     "1:10: this policy cannot be used: invalid expression: clause contains an `Unknown`."
     " Make several policies of it."),
    ("\n".join(f'@id("a{n}") {REST}' for n in range(1_001)),
     "1:11: there are 1,001 policies; 1,000 is the most."),
    (f'@id("a") permit(principal, action, resource) when {{ context.reasoning like "{"x" * 4_001}" }};',
     "1:1: the patterns have 4,001 characters together; 4,000 is the most."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "refusal"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_refused_with_just_these_words(tmp_path: Path, text: str, refusal: str) -> None:
    file = tmp_path / "policy.cedar"
    file.write_text(text)

    with pytest.raises(PolicyError) as caught:
        load(file)

    assert str(caught.value) == f"{file}:{refusal}"


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(PolicyError) as caught:
        parse(f'@id("a") permit(\n@id("b") {REST}\n{REST}\n@id("c") @nope {REST}', "cedar", "p.cedar")

    places = [line.split(": ")[0] for line in str(caught.value).split("\n")]
    assert places == ["p.cedar:2:1", "p.cedar:3:1", "p.cedar:4:10"]


def test_semicolons_and_slashes_in_texts_and_comments_part_no_policies() -> None:
    policy = parse(f'// one; two\n@id("a;b//c") @reason("say \\"x;\\"") {REST} // @id("no")\n@id("d") {REST}', "cedar")

    assert [(rule.name, rule.line) for rule in policy.rules] == [("a;b//c", 2), ("d", 3)]


@given(st.integers(0, 2**32), st.lists(st.sampled_from(["\n", "\r", "\r\n", " // x;\n", '// "\r', "\t"]), max_size=8))
def test_a_file_is_parted_where_cedar_parts_it(seed: int, between: list[str]) -> None:
    _, _, text = documents(Random(seed))
    pieces = text.split("\n")
    spread = "".join(f"{each}{''.join(between)}" for each in pieces)

    assert len(parse(spread, "cedar").rules) == len(pieces)


def test_a_file_that_cedar_parts_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "pieces", lambda _self: [])

    with pytest.raises(PolicyError, match="Cedar finds other policies in it than Clearance"):
        parse(f'@id("a") {REST}', "cedar")


def test_a_cedar_that_evaluates_what_it_cannot_know_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asking.keeps_apart.cache_clear()
    monkeypatch.setattr(asking, "_PROBE", "permit(principal, action, resource); forbid(principal, action, resource);")
    try:
        with pytest.raises(PolicyError, match="Install another version of it"):
            parse(f'@id("a") {REST}', "cedar")
    finally:
        asking.keeps_apart.cache_clear()


def test_without_cedarpy_the_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "cedarpy":
            raise ModuleNotFoundError("No module named 'cedarpy'", name="cedarpy")
        return found(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("clearance.center.policy.cedar")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    (tmp_path / "policy.cedar").write_text(f'@id("a") {REST}')

    with pytest.raises(PolicyError, match=r"Install it: pip install 'clearance\[cedar\]'\.$"):
        load(tmp_path / "policy.cedar")
