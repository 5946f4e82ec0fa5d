"""The front door: what is asked, what runs, and what does not."""

from __future__ import annotations

import asyncio
import functools
import traceback
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from clearance import (
    ActionChanged,
    ActionDenied,
    ActionUndecided,
    AuthorizationUnavailable,
    ConfigurationError,
    Decision,
    Status,
    authorized,
    configure,
    requires_authorization,
)
from clearance.commands import Command
from clearance.testing import Asked, FakeTransport


def refund(charge_id: str, amount: Decimal = Decimal(1), *items: object, password: str = "", **more: object) -> object:
    """Refund a charge."""
    return charge_id, amount, items, password, more


def hold(function: Callable[..., Any], kind: str, **options: Any) -> Callable[..., Any]:
    """The function guarded, as a plain function or as a coroutine function that is run to its end."""
    guard = requires_authorization(**{"action_type": "payment.refund", "tool_name": "stripe", **options})
    if kind == "sync":
        held_function: Callable[..., Any] = guard(function)
        return held_function

    @functools.wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    held = guard(coroutine)
    return lambda *args, **kwargs: asyncio.run(held(*args, **kwargs))


both = pytest.mark.parametrize("kind", ["sync", "async"])


@both
def test_every_argument_is_shown_positional_defaulted_and_made_up_and_just_those_reach_the_body(kind: str) -> None:
    fake = FakeTransport(True)
    held = hold(refund, kind, transport=fake)

    assert held("ch_1", Decimal("49.90"), "a", password="hunter2", extra=[1]) == (
        "ch_1",
        Decimal("49.90"),
        ("a",),
        "hunter2",
        {"extra": [1]},
    )
    assert held("ch_2")[1] == Decimal(1)

    first, second = fake.asked
    assert first.parameters == {
        "charge_id": "ch_1",
        "amount": "49.90",
        "*items": ["a"],
        "password": "[redacted]",
        "**more": {"extra": [1]},
    }
    assert second.parameters["amount"] == "1"
    assert [asked.status for asked in fake.asked] == [Status.COMPLETED, Status.COMPLETED]


@both
def test_a_list_that_is_appended_to_while_the_request_is_pending_runs_as_it_was_shown(kind: str) -> None:
    items = ["a"]

    def answer(asked: Asked) -> bool:
        items.append("evil")
        return True

    fake = FakeTransport(answer)
    assert hold(lambda things: things, kind, transport=fake)(items) == ["a"]
    assert fake.asked[0].parameters == {"things": ["a"]}


@both
def test_a_secret_is_in_no_part_of_what_is_asked_but_its_value_is_in_the_digest(kind: str) -> None:
    fake = FakeTransport(True)
    held = hold(
        refund, kind, transport=fake, description="Refund {charge_id} with {password} and {more}", redact={"nick"}
    )
    held("ch_1", password="hunter2", nick="hunter2", nested={"api_key": "hunter2"})
    held("ch_1", password="hunter3", nick="hunter2", nested={"api_key": "hunter2"})

    assert "hunter" not in repr(fake.asked)
    assert fake.asked[0].action.redacted == ("password", "**more.nick", "**more.nested.api_key")
    assert fake.asked[0].action.digest != fake.asked[1].action.digest


@both
def test_a_refused_call_does_not_run_and_says_who_and_why(kind: str) -> None:
    ran: list[object] = []
    no = Decision("", Status.DENIED, reason="too much", reason_code="approver", decided_by="carol")
    held = hold(ran.append, kind, transport=FakeTransport(lambda _asked: no))

    with pytest.raises(ActionDenied, match=r"was denied by carol: too much\. Nothing was run\.") as caught:
        held("x")

    assert (caught.value.reason, caught.value.decided_by, caught.value.reason_code) == ("too much", "carol", "approver")
    assert caught.value.action is not None
    assert ran == []


@both
def test_a_denial_can_be_a_value_but_could_not_ask_is_still_raised(kind: str) -> None:
    denied = hold(refund, kind, transport=FakeTransport(False), on_denied="return")("ch_1")
    assert isinstance(denied, ActionDenied)
    assert "Do not retry it unchanged" in denied.for_model()
    with pytest.raises(ActionUndecided):
        hold(refund, kind, transport=FakeTransport(lambda _asked: None), on_denied="return")("ch_1")


@both
def test_an_hour_without_an_answer_is_undecided_withdrawn_and_takes_no_time(kind: str) -> None:
    fake = FakeTransport(lambda _asked: None)
    with pytest.raises(ActionUndecided, match="within 3600 seconds"):
        hold(refund, kind, transport=fake, timeout=3600)("ch_1")
    assert fake.asked[0].status is Status.WITHDRAWN
    assert fake.clock.now() >= 3600


@both
def test_the_bodys_own_exception_passes_through_untouched_and_is_reported_as_failed(kind: str) -> None:
    fake = FakeTransport(True)
    boom = LookupError("the secret is hunter2")

    def body() -> None:
        raise boom

    with pytest.raises(LookupError) as caught:
        hold(body, kind, transport=fake)()

    assert caught.value is boom
    assert traceback.extract_tb(boom.__traceback__)[-1].name == "body"
    outcome = fake.asked[0].outcome
    assert outcome is not None
    assert (outcome.status, outcome.error_type) == (Status.FAILED, "LookupError")
    assert "hunter2" not in repr(fake.asked)


@both
def test_a_refusal_inside_the_body_is_the_bodys_and_not_returned_as_its_own(kind: str) -> None:
    inner = requires_authorization(action_type="a.b", tool_name="t", transport=FakeTransport(False))(print)
    with pytest.raises(ActionDenied):
        hold(lambda: inner("x"), kind, transport=FakeTransport(True), on_denied="return")()


@pytest.mark.parametrize(("answer", "asked"), [(True, 1), (False, 0), (None, 1)])
def test_when_decides_whether_to_ask_and_only_a_plain_no_means_no(answer: Any, asked: int) -> None:
    fake = FakeTransport(True)
    hold(refund, "sync", transport=fake, when=lambda amount: answer)("ch_1")
    assert len(fake.asked) == asked


def test_a_predicate_that_raises_means_ask() -> None:
    fake = FakeTransport(True)
    hold(refund, "sync", transport=fake, when=lambda amount: amount / 0)("ch_1")
    assert len(fake.asked) == 1


class Shifty:
    """Lies to `copy`: the body would get the caller's own object."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __deepcopy__(self, memo: object) -> Shifty:
        return self


def test_an_object_that_resists_copying_and_changes_while_pending_is_never_run() -> None:
    import dataclasses

    shifty = dataclasses.make_dataclass("Order", [("total", int)], bases=(Shifty,), init=True)(5)
    ran: list[object] = []

    def answer(asked: Asked) -> bool:
        shifty.total = 5_000
        return True

    fake = FakeTransport(answer)
    with pytest.raises(ActionChanged):
        hold(ran.append, "sync", transport=fake)(shifty)
    assert ran == []
    assert fake.asked[0].status is Status.FAILED
    assert fake.asked[0].outcome is not None
    assert fake.asked[0].outcome.error_type == "not_started"


def test_the_description_defaults_to_the_docstring_and_the_call() -> None:
    fake = FakeTransport(True)
    hold(refund, "sync", transport=fake)("ch_1")
    assert fake.asked[0].description.startswith("Refund a charge. refund(charge_id='ch_1', amount='1'")


def test_resource_and_context_are_functions_of_the_parameters_they_name() -> None:
    fake = FakeTransport(True)
    options = {
        "resource": lambda charge_id: f"charge:{charge_id}",
        "context": lambda amount: {"cents": int(amount) * 100},
    }
    hold(refund, "sync", transport=fake, **options)("ch_1")
    assert (fake.asked[0].resource, fake.asked[0].action.context) == ("charge:ch_1", {"cents": 100})


WRONG: dict[str, dict[str, Any]] = {
    "did you mean 'charge_id'": {"description": "Refund {charge_i}"},
    "write a literal brace": {"description": "Refund {"},
    "names 'amonut', which is no parameter": {"when": lambda amonut: True},
    "names 'self', which is no parameter": {"resource": lambda self: "x"},
    "one text, not a list": {"redact": "amount"},
    "action_type='' says nothing": {"action_type": ""},
    "30 days": {"timeout": 0},
    "on_denied='ignore'": {"on_denied": "ignore"},
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_meant_is_an_error_at_decoration(words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        hold(refund, "sync", **WRONG[words])
    assert words in str(caught.value) or words.lower() in str(caught.value).lower()


def test_an_unknown_redacted_parameter_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'amount'"):
        requires_authorization(action_type="a.b", redact=["amuont"])(lambda amount: None)


def test_a_generator_is_refused_at_decoration() -> None:
    def generator() -> Any:
        yield 1

    with pytest.raises(ConfigurationError, match="is a generator"):
        requires_authorization(action_type="a.b")(generator)


def test_arguments_that_do_not_fit_are_a_type_error_at_the_call_and_nobody_is_asked() -> None:
    fake = FakeTransport(True)
    with pytest.raises(TypeError, match=r"refund\(\) missing 1 required positional argument: 'charge_id'"):
        hold(refund, "sync", transport=fake)()
    assert fake.asked == []


def test_a_coroutine_is_bound_when_it_is_called_whenever_it_is_awaited() -> None:
    fake = FakeTransport(True)
    items = ["a"]

    @requires_authorization(action_type="a.b", transport=fake)
    async def run(things: list[str]) -> list[str]:
        return things

    async def program() -> list[str]:
        coroutine = run(items)
        items.append("late")
        return await coroutine

    assert asyncio.run(program()) == ["a"]


def test_a_block_runs_once_with_a_grant_and_reports_its_notes() -> None:
    fake = FakeTransport(True)
    block = authorized(action_type="db.migrate", tool_name="postgres", parameters={"to": "0042"}, transport=fake)
    with block as grant:
        grant.note("one column")
    with block as second:
        pass

    assert (grant.assurance, grant.action_id, second.action_id) == ("center", "1", "2")
    assert grant.idempotency_key != second.idempotency_key
    assert fake.asked[0].parameters == {"to": "0042"}
    assert fake.asked[0].outcome is not None
    assert fake.asked[0].outcome.notes == ("one column",)


def test_a_refused_block_does_not_run_in_either_door() -> None:
    ran: list[str] = []
    block = authorized(action_type="db.migrate", tool_name="postgres", transport=FakeTransport(False))

    async def program() -> None:
        async with block:
            ran.append("async")

    with pytest.raises(ActionDenied), block:
        ran.append("sync")
    with pytest.raises(ActionDenied):
        asyncio.run(program())
    assert ran == []


def test_one_block_object_is_not_entered_twice_at_once() -> None:
    block = authorized(action_type="a.b", tool_name="t", transport=FakeTransport(True))
    with block, pytest.raises(ConfigurationError, match="already entered"), block:
        pass


def test_configure_sets_who_acts_who_is_asked_and_for_how_long() -> None:
    fake = FakeTransport(True)
    configure(transport=fake, agent_id="night-shift", timeout=60)
    hold(refund, "sync")("ch_1")
    assert (fake.asked[0].action.agent_id, fake.asked[0].action.decide_within) == ("night-shift", 60)


@both
def test_nothing_configured_is_a_refusal_that_says_what_to_write(kind: str) -> None:
    with pytest.raises(ConfigurationError, match="API key required") as caught:
        hold(refund, kind)("ch_1")
    assert "clearance.configure(transport=...)" in str(caught.value)


class Broken:
    """A transport that fails as no transport should."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def send(self, command: Command) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@both
@pytest.mark.parametrize(
    "answer", [True, None, "approved", {"status": "approved"}, OSError("gone"), KeyError("status")]
)
def test_a_broken_transport_never_runs_a_body(kind: str, answer: Any) -> None:
    ran: list[object] = []
    with pytest.raises(AuthorizationUnavailable, match="Nothing was run"):
        hold(ran.append, kind, transport=Broken(answer))("x")
    assert ran == []


def test_a_method_sees_its_instance_and_self_is_no_parameter() -> None:
    fake = FakeTransport(True)

    class Account:
        def __init__(self, name: str) -> None:
            self.name = name

        @requires_authorization(action_type="account.pay", transport=fake)
        def pay(self, amount: int) -> str:
            return f"{self.name} pays {amount}"

    assert Account("alice").pay(5) == "alice pays 5"
    assert fake.asked[0].parameters == {"amount": 5}
