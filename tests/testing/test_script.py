"""A scripted approver: what each of its rules does to a call, on both sides of the front door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import Door, an_action

from clearance import (
    ActionDenied,
    ActionUndecided,
    AuthorizationError,
    AuthorizationUnavailable,
    Decision,
    Status,
    requires_authorization,
)
from clearance.commands import Await, Claim, Submit
from clearance.lifecycle import CLAIMED
from clearance.testing import AuthorizationMismatch, FakeTransport, Rule, SimulatedCrash
from clearance.testing.matchers import one_of, under

ran: list[int] = []


def pay(amount: int) -> int:
    ran.append(amount)
    return amount


@pytest.fixture(autouse=True)
def _nothing_ran_yet() -> None:
    ran.clear()


def called(door: Door, fake: FakeTransport, amount: int = 5) -> Any:
    """What a guarded call over the fake comes to: the result, or the class of what it raises."""
    try:
        return door.guard(pay, editable={"amount"}, transport=fake, timeout=3600)(amount)
    except (AuthorizationError, SimulatedCrash) as error:
        return type(error)


YES = Decision("", Status.APPROVED, decided_by="ada")
NO = Decision("", Status.DENIED, decided_by="bob")

# What the rule is, what the call comes to, how the request stands, and the virtual seconds that it took.
RULES: dict[str, tuple[Callable[[FakeTransport], Rule], Any, Status, float]] = {
    "allow": (lambda fake: fake.allow(), 5, Status.COMPLETED, 0),
    "deny": (lambda fake: fake.deny(reason="no"), ActionDenied, Status.DENIED, 0),
    "ask, and no answer": (lambda fake: fake.ask(), ActionUndecided, Status.WITHDRAWN, 3600),
    "ask, then allow": (lambda fake: fake.ask().then_allow(after=600), 5, Status.COMPLETED, 600),
    "ask, then allow at the last moment": (lambda fake: fake.ask().then_allow(after=3600), 5, Status.COMPLETED, 3600),
    "ask, then deny": (lambda fake: fake.ask().then_deny("no", after=1), ActionDenied, Status.DENIED, 1),
    "ask, then edit": (lambda fake: fake.ask().then_edit(60, amount=3), 3, Status.COMPLETED, 60),
    "ask, then allow too late": (lambda fake: fake.ask().then_allow(4000), ActionUndecided, Status.WITHDRAWN, 3600),
    "edit": (lambda fake: fake.edit(amount=3), 3, Status.COMPLETED, 0),
    "expire": (lambda fake: fake.expire(), ActionUndecided, Status.EXPIRED, 3600),
    "allow late": (lambda fake: fake.answer_late(True), ActionUndecided, Status.WITHDRAWN, 3600),
    "deny late": (lambda fake: fake.answer_late(False), ActionUndecided, Status.DENIED, 3600),
    "allow twice": (lambda fake: fake.answer_twice(True, YES), 5, Status.COMPLETED, 0),
    "allow, then deny": (lambda fake: fake.answer_twice(True, NO), 5, Status.COMPLETED, 0),
    "deny, then allow": (lambda fake: fake.answer_twice(NO, True), ActionDenied, Status.DENIED, 0),
    "allow, then revoke": (lambda fake: fake.allow().then_revoke(), ActionDenied, Status.REVOKED, 0),
    "answer": (lambda fake: fake.answer(YES), 5, Status.COMPLETED, 0),
    "answer by a function": (lambda fake: fake.answer(lambda asked: False), ActionDenied, Status.DENIED, 0),
    "unavailable": (lambda fake: fake.unavailable(), AuthorizationUnavailable, Status.PENDING, 0),
    "crash": (lambda fake: fake.crash_after_claim(), SimulatedCrash, Status.UNKNOWN, 0),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_does_to_a_call_what_it_says_in_no_time(door: Door, name: str) -> None:
    rule, end, status, waited = RULES[name]
    fake = FakeTransport()
    rule(fake)

    assert called(door, fake) == end

    (asked,) = fake.asked
    assert asked.status is status
    assert asked.waited == pytest.approx(waited)
    assert ran == ([end] if isinstance(end, int) else [])
    fake.assert_done()


FAULTS: dict[str, Callable[[FakeTransport], Rule]] = {
    **{f"a lost reply to {step}": lambda fake, step=step: fake.lose_reply(step=step) for step in ("submit", "claim")},  # type: ignore[misc]
    "a lost reply to the wait": lambda fake: fake.ask().then_allow(60).lose_reply("wait"),
    "a lost reply to the report": lambda fake: fake.allow().lose_reply("report"),
    **{f"no way to {step}": lambda fake, step=step: fake.allow().unavailable(step) for step in ("submit", "claim")},  # type: ignore[misc]
    "three times no way to submit": lambda fake: fake.allow().unavailable(times=3),
    "no way to wait": lambda fake: fake.ask().then_allow(60).unavailable("wait"),
    "no way to report, ever": lambda fake: fake.allow().unavailable("report", times=None, transient=False),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes_is_absorbed_and_the_body_runs_once(door: Door, name: str) -> None:
    fake = FakeTransport()
    FAULTS[name](fake)

    assert called(door, fake) == 5

    (asked,) = fake.asked
    assert asked.status is (Status.EXECUTING if "ever" in name else Status.COMPLETED)
    assert ran == [5]
    assert len(asked.history) == 1


@pytest.mark.parametrize("step", ["submit", "wait", "claim"])
def test_a_fault_that_stays_is_a_refusal_at_every_step_before_the_body(door: Door, step: Any) -> None:
    fake = FakeTransport()
    fake.ask().then_allow(60).unavailable(step, times=None)

    assert called(door, fake) is AuthorizationUnavailable
    assert ran == []


@pytest.mark.parametrize("rule", [lambda fake: fake.crash_after_claim(), lambda fake: fake.edit(amount=3)])
def test_nothing_more_comes_from_a_caller_that_has_crashed(door: Door, rule: Callable[[FakeTransport], Rule]) -> None:
    fake = FakeTransport()
    rule(fake).crash_after_claim()

    assert called(door, fake) is SimulatedCrash

    (asked,) = fake.asked
    assert (asked.status, asked.outcome, asked.ran, ran) == (Status.UNKNOWN, None, True, [])
    with pytest.raises(SimulatedCrash):
        fake.send(Await("1", 0.0, 1.0))


def test_an_answer_that_changed_nothing_is_told(door: Door) -> None:
    fake = FakeTransport()
    fake.answer_twice(True, NO)
    called(door, fake)

    assert fake.asked[0].history == ("another answer (denied) changed nothing: it was approved by then",)
    assert fake.asked[0].decision.decided_by == "the test"


def test_an_answer_to_a_caller_that_has_given_up_is_told(door: Door) -> None:
    fake = FakeTransport()
    fake.ask().then_allow(after=4000)
    called(door, fake)

    assert fake.asked[0].history == ("another answer (approved) changed nothing: it was withdrawn by then",)


# ---------------------------------------------------------------------------------------------------------------------
# Which rule answers
# ---------------------------------------------------------------------------------------------------------------------


def submit(fake: FakeTransport, key: str, **changes: Any) -> Status:
    return fake.send(Submit(an_action(**changes), key, "", 1.0)).status


def test_the_first_rule_that_fits_answers() -> None:
    fake = FakeTransport()
    fake.deny("payment.refund").with_tool("paypal")
    fake.allow("payment.refund").with_parameters(amount=under(10)).on_resource("acct_1")
    fake.deny()

    assert submit(fake, "a", resource="acct_1") is Status.APPROVED
    assert submit(fake, "b", resource="acct_2") is Status.DENIED
    assert submit(fake, "c", tool_name="paypal", resource="acct_1") is Status.DENIED
    fake.assert_done()


def test_a_rule_for_so_many_requests_leaves_the_others_to_those_below() -> None:
    fake = FakeTransport()
    fake.allow().times(2)
    fake.deny()

    assert [submit(fake, key) for key in "abc"] == [Status.APPROVED, Status.APPROVED, Status.DENIED]


def test_a_request_that_is_repeated_uses_no_second_rule() -> None:
    fake = FakeTransport()
    fake.allow().once()

    assert submit(fake, "a") is submit(fake, "a") is Status.APPROVED
    fake.assert_done()


def test_rules_go_before_the_answer_that_the_fake_was_made_with() -> None:
    fake = FakeTransport(True)
    fake.deny("mail.send")

    assert submit(fake, "a") is Status.APPROVED
    assert submit(fake, "b", action_type="mail.send") is Status.DENIED


def test_in_order_each_rule_answers_one_request_and_none_before_its_turn() -> None:
    fake = FakeTransport(in_order=True)
    fake.allow("payment.refund")
    fake.deny("mail.send")

    assert submit(fake, "a") is Status.APPROVED
    with pytest.raises(AuthorizationUnavailable, match=r"the next rule in order is: deny mail\.send"):
        submit(fake, "b")
    assert submit(fake, "c", action_type="mail.send") is Status.DENIED
    with pytest.raises(AuthorizationUnavailable, match="it was used 1 times already"):
        submit(fake, "d", action_type="mail.send")


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_in_order_exactly_the_sequence_of_the_rules_is_without_complaint(rules: list[str], asked: list[str]) -> None:
    fake = FakeTransport(in_order=True)
    for kind in rules:
        fake.allow(kind)
    refused = 0
    for number, kind in enumerate(asked):
        try:
            submit(fake, str(number), action_type=kind)
        except AuthorizationUnavailable:
            refused += 1

    assert (fake.problems() == "") is (rules == asked)
    assert len(fake.asked) == len(asked)
    assert len(fake.asked(status=Status.APPROVED)) == len(asked) - refused


@given(
    st.lists(st.tuples(st.sampled_from(["ab", "a", "b"]), st.integers(1, 3)), max_size=5),
    st.lists(st.sampled_from("ab"), max_size=12),
)
def test_of_rules_that_are_used_up_the_first_fitting_one_with_uses_left_answers(
    rules: list[tuple[str, int]], asked: list[str]
) -> None:
    """Against a model of a few lines."""
    fake = FakeTransport()
    made = [fake.allow(one_of(*kinds)).times(count) for kinds, count in rules]
    left = [count for _, count in rules]
    for number, kind in enumerate(asked):
        expected = next((n for n, (kinds, _) in enumerate(rules) if kind in kinds and left[n]), None)
        try:
            submit(fake, str(number), action_type=kind)
        except AuthorizationUnavailable:
            assert expected is None
        else:
            assert expected is not None
            left[expected] -= 1

    assert [count - rule.used for (_, count), rule in zip(rules, made, strict=True)] == left


# ---------------------------------------------------------------------------------------------------------------------
# What does not fit
# ---------------------------------------------------------------------------------------------------------------------


def refusal(fake: FakeTransport, **changes: Any) -> str:
    with pytest.raises(AuthorizationUnavailable) as refused:
        submit(fake, "a-key", **changes)
    assert refused.value.reason_code == "no_rule"
    return str(refused.value)


def test_a_request_without_a_rule_is_refused_and_the_nearest_rule_says_why_it_is_not_its() -> None:
    fake = FakeTransport()
    fake.allow("mail.send")
    fake.allow("payment.refund").with_parameters(amount=under(3), charge_id="ch_1")
    fake.allow("payment.refund").with_tool("paypal").with_parameters(amount=7)

    message = refusal(fake)

    assert "No rule of the test answers payment.refund with stripe (charge_id='ch_1', amount=5)" in message
    assert "the nearest rule is: allow payment.refund where amount is under 3, charge_id is 'ch_1'" in message
    assert "(test_script.py:" in message
    assert "but amount is 5, not under 3. Nothing was run." in message


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (lambda fake: fake.allow("payment.refundd"), "the action type is 'payment.refund', not 'payment.refundd'"),
        (lambda fake: fake.allow().with_tool("paypal"), "the tool is 'stripe', not 'paypal'"),
        (lambda fake: fake.allow().on_resource("acct_1"), "the resource is None, not 'acct_1'"),
        (
            lambda fake: fake.allow().with_parameters(amont=5),
            "there is no parameter amont (there is: charge_id, amount)",
        ),
        (lambda fake: fake.allow().with_parameters(amount=5.0), "amount is 5, not 5.0 (int, not float)"),
        (lambda fake: fake.allow().with_parameters(amount=True), "amount is 5, not True"),
    ],
)
def test_whatever_does_not_fit_is_said(rule: Callable[[FakeTransport], Rule], why: str) -> None:
    fake = FakeTransport()
    rule(fake)
    assert f"but {why}" in refusal(fake)


def test_of_rules_about_other_things_the_one_with_the_likest_name_is_told() -> None:
    fake = FakeTransport()
    for kind in ("mail.send", "payment.refunds", "db.migrate"):
        fake.allow(kind)
    assert "the nearest rule is: allow payment.refunds" in refusal(fake)


def test_a_fake_without_rules_says_what_to_write() -> None:
    assert "no rule is here at all" in refusal(FakeTransport())


def test_what_found_no_rule_and_what_no_request_used_is_told_together() -> None:
    fake = FakeTransport()
    fake.allow("mail.send").times(2)
    fake.deny().with_tool("nobody's").optional()
    refusal(fake)
    submit(fake, "b", action_type="mail.send")

    with pytest.raises(AuthorizationMismatch) as mismatch:
        fake.assert_done()

    lines = str(mismatch.value).splitlines()
    assert lines[0] == "What was asked, and no rule answers:"
    assert lines[1].startswith("  - payment.refund with stripe (charge_id='ch_1', amount=5): no rule answers it; the")
    assert lines[2] == "Rules that nothing asked for:"
    assert lines[3].startswith("  - allow mail.send (test_script.py:")
    assert lines[3].endswith("): used 1 of 2 times")
    assert len(lines) == 4


def test_an_approver_that_fails_is_told_even_if_the_caller_swallows_it(door: Door) -> None:
    fake = FakeTransport()
    fake.answer(lambda asked: 1 / 0 > 1)

    assert called(door, fake) is AuthorizationUnavailable
    assert "the test's approver failed with ZeroDivisionError" in fake.problems()


@pytest.mark.parametrize("status", [Status.EXECUTING, Status.COMPLETED, Status.FAILED, Status.UNKNOWN, Status.PENDING])
def test_no_later_answer_is_what_nobody_can_answer(status: Status) -> None:
    with pytest.raises(ValueError, match="nobody can answer a request with"):
        FakeTransport().answer_late(Decision("", status))


def test_a_step_that_does_not_exist_and_a_rule_for_nothing_are_refused() -> None:
    step: Any = "sumbit"
    with pytest.raises(ValueError, match="'sumbit' is no step of a call; the steps are submit, wait"):
        FakeTransport().allow().lose_reply(step)
    with pytest.raises(ValueError, match="a rule for 0 requests says nothing"):
        FakeTransport().allow().times(0)


# ---------------------------------------------------------------------------------------------------------------------
# The laws that hold whatever is scripted
# ---------------------------------------------------------------------------------------------------------------------

adornments = st.lists(
    st.one_of(
        st.tuples(st.just("then_allow"), st.integers(0, 100)),
        st.tuples(st.just("then_deny"), st.just("no"), st.integers(0, 100)),
        st.tuples(st.just("then_revoke"), st.just("no"), st.integers(0, 100)),
        st.tuples(
            st.sampled_from(["unavailable", "lose_reply"]), st.sampled_from(["submit", "wait", "claim", "report"])
        ),
        st.tuples(st.just("crash_after_claim")),
    ),
    max_size=4,
)


@given(st.sampled_from(["allow", "deny", "ask", "expire"]), adornments, st.booleans())
def test_no_script_makes_a_body_run_that_was_not_cleared_and_claimed_nor_run_twice(
    verb: str, adorned: list[tuple[Any, ...]], asynchronous: bool
) -> None:
    ran.clear()
    fake = FakeTransport()
    rule: Rule = getattr(fake, verb)()
    for name, *arguments in adorned:
        getattr(rule, name)(*arguments)
    body = requires_authorization(action_type="test.act", transport=fake, timeout=50)(pay)

    async def apay(amount: int) -> int:
        return pay(amount)

    abody = requires_authorization(action_type="test.act", transport=fake, timeout=50)(apay)
    try:
        result = asyncio.run(abody(5)) if asynchronous else body(5)
    except (AuthorizationError, SimulatedCrash):
        assert ran == []
    else:
        assert (result, ran) == (5, [5])
        assert fake.asked[0].status in CLAIMED
    assert len(fake.asked) == 1


@given(st.sampled_from(["another", "the-digest"]), st.sampled_from(["ours", "theirs"]), st.none() | st.just("edited"))
def test_no_claim_but_the_first_ones_very_repetition_hears_yes(digest: str, nonce: str, edited: str | None) -> None:
    fake = FakeTransport(True)
    submit(fake, "a")
    first = Claim("1", "the-digest", "ours", 1.0)
    assert fake.send(first).nonce == "ours"

    again = Claim("1", digest, nonce, 1.0, edited)
    heard = fake.send(again)

    is_yes = heard.status is Status.EXECUTING and heard.nonce == nonce
    assert is_yes is (again == first)
