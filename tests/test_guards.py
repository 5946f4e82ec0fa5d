"""The front door: what holds for a guarded function, a guarded coroutine function and a guarded block.

``door`` is each side in turn, sync and async; the approver is a function of the test's own.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.helpers import Door

from clearance import (
    ActionChanged,
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    AuthorizationError,
    AuthorizationUnavailable,
    ConfigurationError,
    Decision,
    Grant,
    Outcome,
    Status,
    UnserializableArgument,
    authorized,
    configure,
    requires_authorization,
)
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.models import MAX_NOTE_LENGTH, MAX_NOTES, CodeIdentity
from clearance.testing import Asked, FakeTransport
from clearance.testing.fake import Answer
from clearance.wording import LONGEST_DESCRIPTION

NO_KEY = "API key required. Set OWKAI_API_KEY environment variable."


@dataclass
class Body:
    """A body that notes what it was called with; its name, docstring and parameters are those of `pay`."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def pay(self, charge: str, amount: int = 5, *lines: object, reason: str = "none", **more: object) -> str:
        """Pay a charge.

        All of it.
        """
        self.calls.append((charge, amount, lines, reason, more))
        return "paid"

    @property
    def ran(self) -> bool:
        return bool(self.calls)


class Broken(FakeTransport):
    """Fails to carry some kinds of command."""

    def __init__(self, *kinds: type[Command], fault: BaseException | None = None) -> None:
        super().__init__(True)
        self._kinds = kinds
        self._fault = fault or AuthorizationUnavailable("The line is dead.", reason_code="unreachable")

    def send(self, command: Command) -> Decision:
        if isinstance(command, self._kinds):
            raise self._fault
        return super().send(command)


class Recorder(FakeTransport):
    """Notes every command that it carries."""

    def __init__(self, answer: Callable[[Asked], Answer] | bool = True) -> None:
        super().__init__(answer)
        self.carried: list[Command] = []

    def send(self, command: Command) -> Decision:
        self.carried.append(command)
        return super().send(command)


def unclaimed(command: Command) -> Command:
    """A submit that does not claim, so that a claim has to be made; anything else as it is."""
    return replace(command, nonce="") if isinstance(command, Submit) else command


@pytest.fixture
def body() -> Body:
    return Body()


@pytest.fixture
def cleared() -> FakeTransport:
    """An approver who clears everything."""
    return FakeTransport(True)


# ---------------------------------------------------------------------------------------------------------------------
# What runs
# ---------------------------------------------------------------------------------------------------------------------


def test_a_cleared_call_runs_once_with_its_arguments(door: Door, body: Body, cleared: FakeTransport) -> None:
    pay = door.guard(body.pay, transport=cleared)

    assert pay("ch_1", 7, "a", "b", reason="broken", tip=1) == "paid"
    assert body.calls == [("ch_1", 7, ("a", "b"), "broken", {"tip": 1})]


def test_the_very_object_that_the_body_returns_is_returned(door: Door, cleared: FakeTransport) -> None:
    result = object()

    assert door.guard(lambda: result, transport=cleared)() is result


def test_a_denied_call_does_not_run(door: Door, body: Body) -> None:
    def no(_asked: Asked) -> Decision:
        return Decision("", Status.DENIED, reason="not on a Friday", decided_by="ann", reason_code="approver")

    with pytest.raises(ActionDenied) as denied:
        door.guard(body.pay, transport=FakeTransport(no))("ch_1")

    assert not body.ran
    assert (denied.value.reason, denied.value.decided_by) == ("not on a Friday", "ann")
    assert denied.value.reason_code == "approver"
    assert denied.value.action is not None


def test_a_call_that_nobody_decides_on_gives_up_at_its_deadline_and_is_withdrawn(door: Door, body: Body) -> None:
    transport = FakeTransport(lambda _asked: None)

    with pytest.raises(ActionUndecided):
        door.guard(body.pay, transport=transport, timeout=90)("ch_1")

    assert not body.ran
    assert transport.clock.now() == 90.0
    assert transport.asked[0].status is Status.WITHDRAWN


@pytest.mark.parametrize("kind", [Submit, Claim])
@pytest.mark.parametrize("fault", [AuthorizationUnavailable("Dead."), OSError("dead"), LookupError("dead")], ids=repr)
def test_a_call_that_cannot_be_asked_for_does_not_run(
    door: Door, body: Body, kind: type[Command], fault: Exception
) -> None:
    class ClaimsApart(Broken):
        def send(self, command: Command) -> Decision:
            return super().send(unclaimed(command))

    with pytest.raises(AuthorizationUnavailable):
        door.guard(body.pay, transport=ClaimsApart(kind, fault=fault))("ch_1")

    assert not body.ran


@pytest.mark.parametrize("status", [status for status in Status if status not in (Status.APPROVED, Status.PENDING)])
def test_no_status_but_approved_lets_a_call_run(door: Door, body: Body, status: Status) -> None:
    transport = FakeTransport(lambda _asked: Decision("", status))

    with pytest.raises(AuthorizationError):
        door.guard(body.pay, transport=transport)("ch_1")

    assert not body.ran


@pytest.mark.parametrize("answer", ["yes", 1, [True], object()], ids=repr)
def test_nothing_that_is_merely_truthy_lets_a_call_run(door: Door, body: Body, answer: Any) -> None:
    with pytest.raises(ActionDenied):
        door.guard(body.pay, transport=FakeTransport(lambda _asked: answer))("ch_1")

    assert not body.ran


@pytest.mark.parametrize("answer", [True, None, "approved", {"status": "approved"}, Status.APPROVED], ids=repr)
def test_a_transport_that_answers_with_no_decision_lets_no_call_run(door: Door, body: Body, answer: object) -> None:
    class Confused(FakeTransport):
        def send(self, command: Command) -> Any:
            return answer

    with pytest.raises(AuthorizationUnavailable, match=r"not with a Decision\. Nothing was run\."):
        door.guard(body.pay, transport=Confused(True))("ch_1")

    assert not body.ran


@pytest.mark.parametrize("status", ["approved", "executing", "cleared", None, True], ids=repr)
def test_a_decision_whose_status_is_none_that_there_is_lets_no_call_run(door: Door, body: Body, status: Any) -> None:
    class Confused(FakeTransport):
        def send(self, command: Command) -> Decision:
            return replace(super().send(command), status=status)

    with pytest.raises(AuthorizationUnavailable, match=r"whose status is no Status\. Nothing was run\."):
        door.guard(body.pay, transport=Confused(True))("ch_1")

    assert not body.ran


def test_every_call_is_a_request_of_its_own(door: Door, body: Body) -> None:
    transport = Recorder()
    pay = door.guard(body.pay, transport=transport)

    pay("ch_1")
    pay("ch_1")

    submits = [command for command in transport.carried if isinstance(command, Submit)]
    assert len({submit.key for submit in submits}) == len({submit.nonce for submit in submits}) == 2
    assert submits[0].action.digest == submits[1].action.digest


def test_arguments_that_do_not_fit_are_the_type_error_they_always_were_and_nobody_is_asked(
    door: Door, body: Body, cleared: FakeTransport
) -> None:
    with pytest.raises(TypeError, match="charge"):
        door.guard(body.pay, transport=cleared)()

    assert cleared.asked == []


# ---------------------------------------------------------------------------------------------------------------------
# What is shown is what runs
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "shown"),
    [
        (("ch_1",), {}, {}),
        (("ch_1", 7), {}, {"amount": 7}),
        ((), {"amount": 7, "charge": "ch_1"}, {"amount": 7}),
        (("ch_1", 7, "a", "b"), {}, {"amount": 7, "*lines": ["a", "b"]}),
        (("ch_1",), {"reason": "broken"}, {"reason": "broken"}),
        (("ch_1",), {"tip": 1}, {"**more": {"tip": 1}}),
    ],
)
def test_an_approver_sees_every_argument_however_it_was_passed(
    door: Door, body: Body, cleared: FakeTransport, args: tuple[Any, ...], kwargs: dict[str, Any], shown: dict[str, Any]
) -> None:
    door.guard(body.pay, transport=cleared)(*args, **kwargs)

    defaults = {"charge": "ch_1", "amount": 5, "*lines": [], "reason": "none", "**more": {}}
    assert cleared.asked[0].parameters == {**defaults, **shown}


def test_a_call_with_a_mutated_list_runs_the_list_that_was_shown(door: Door) -> None:
    recipients = ["ann"]

    def approve_and_mutate(_asked: Asked) -> bool:
        recipients.append("mallory")
        return True

    transport = FakeTransport(approve_and_mutate)
    sent = door.guard(lambda recipients: recipients, transport=transport)(recipients)

    assert recipients == ["ann", "mallory"]
    assert sent == ["ann"]
    assert transport.asked[0].parameters == {"recipients": ["ann"]}


def test_what_the_body_does_to_its_arguments_does_not_reach_the_caller(door: Door, cleared: FakeTransport) -> None:
    items = [1]

    door.guard(lambda items: items.append(2), transport=cleared)(items)

    assert items == [1]


@dataclass
class Stubborn:
    """Hands out itself instead of a copy, so that it can change while it waits."""

    price: object = 1

    def __deepcopy__(self, _memo: object) -> Stubborn:
        return self


@pytest.mark.parametrize("price", [2, True, 1.0, float("nan"), object()], ids=repr)
def test_a_call_whose_arguments_did_change_while_it_was_pending_never_runs(
    door: Door, body: Body, price: object
) -> None:
    offer = Stubborn()

    def approve_and_mutate(_asked: Asked) -> bool:
        offer.price = price
        return True

    transport = FakeTransport(approve_and_mutate)
    with pytest.raises(ActionChanged, match="changed after they were shown"):
        door.guard(body.pay, transport=transport)("ch_1", offer)

    assert not body.ran
    assert transport.asked[0].outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))


@pytest.mark.parametrize(
    "argument",
    [(letter for letter in "ab"), [object()], float("nan"), {"a": {frozenset([complex("nan")])}}],
    ids=["generator", "object", "nan", "set"],
)
def test_an_argument_that_nobody_could_be_shown_is_refused_before_anybody_is_asked(
    door: Door, body: Body, cleared: FakeTransport, argument: object
) -> None:
    with pytest.raises(UnserializableArgument, match=r"^reason"):
        door.guard(body.pay, transport=cleared)("ch_1", reason=argument)

    assert not body.ran
    assert cleared.asked == []


def test_different_arguments_have_different_digests(door: Door, body: Body, cleared: FakeTransport) -> None:
    pay = door.guard(body.pay, transport=cleared)
    for amount in (1, 1.0, True, "1"):
        pay("ch_1", amount)

    assert len({asked.action.digest for asked in cleared.asked}) == 4


# ---------------------------------------------------------------------------------------------------------------------
# Secrets
# ---------------------------------------------------------------------------------------------------------------------


def login(user: str, password: str, options: dict[str, object] | None = None) -> str:
    """Log in."""
    return password


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"description": "Log {user} in with {password}"},
        {"description": lambda user: f"Log {user} in"},
        {"context": {"token": "hunter2"}},
        {"context": lambda password: {"login": {"secret": password}}},
    ],
    ids=["default", "template", "function", "context", "computed context"],
)
def test_a_password_is_never_shown_but_reaches_the_body(
    door: Door, cleared: FakeTransport, options: dict[str, Any]
) -> None:
    guarded = door.guard(login, transport=cleared, **options)

    assert guarded("ann", "hunter2", {"api_key": "hunter2"}) == "hunter2"

    action = cleared.asked[0].action
    assert "hunter2" not in repr(action)
    assert {"password", "options.api_key"} <= set(action.redacted)
    assert action.parameters == {"user": "ann", "password": "[redacted]", "options": {"api_key": "[redacted]"}}


def test_a_password_is_digested_all_the_same(door: Door, cleared: FakeTransport) -> None:
    guarded = door.guard(login, transport=cleared)
    for password in ("hunter2", "hunter2", "hunter3"):
        guarded("ann", password)

    first, again, other = (asked.action.digest for asked in cleared.asked)
    assert first == again != other


def test_a_name_in_redact_is_hidden_too(door: Door, body: Body, cleared: FakeTransport) -> None:
    door.guard(body.pay, transport=cleared, redact=("charge", "iban"))("ch_1", iban="DE00")

    action = cleared.asked[0].action
    assert (action.parameters["charge"], action.parameters["**more"]) == ("[redacted]", {"iban": "[redacted]"})
    assert action.redacted == ("charge", "**more.iban")
    assert "ch_1" not in action.description


# ---------------------------------------------------------------------------------------------------------------------
# What is said
# ---------------------------------------------------------------------------------------------------------------------


def test_the_description_is_the_docstrings_first_line_and_the_call_by_default(
    door: Door, cleared: FakeTransport
) -> None:
    door.guard(login, transport=cleared)("ann", "hunter2")

    assert cleared.asked[0].description == "Log in. login(user='ann', password='[redacted]', options=None)"


def test_without_a_docstring_the_description_is_the_call(door: Door, cleared: FakeTransport) -> None:
    def drop(table: str) -> None: ...

    drop.__qualname__ = "drop"
    door.guard(drop, transport=cleared)("users")

    assert cleared.asked[0].description == "drop(table='users')"


@pytest.mark.parametrize(
    "description", ["Pay {amount:.2f} on {charge}", lambda amount, charge: f"Pay {amount:.2f} on {charge}"]
)
def test_a_description_is_a_template_or_a_function_of_the_parameters(
    door: Door, body: Body, cleared: FakeTransport, description: Any
) -> None:
    door.guard(body.pay, transport=cleared, description=description)("ch_1", 7)

    assert cleared.asked[0].description == "Pay 7.00 on ch_1"


def test_a_template_may_name_parameters_with_stars(door: Door, body: Body, cleared: FakeTransport) -> None:
    door.guard(body.pay, transport=cleared, description="{lines} {more[tip]}")("ch_1", 7, "a", tip=1)

    assert cleared.asked[0].description == "['a'] 1"


def test_a_long_description_is_cut_and_says_so(door: Door, body: Body, cleared: FakeTransport) -> None:
    door.guard(body.pay, transport=cleared, description="{charge}")("x" * (LONGEST_DESCRIPTION + 1))

    assert cleared.asked[0].description == "x" * LONGEST_DESCRIPTION + "… [2,000 of 2,001 characters shown]"


@pytest.mark.parametrize("option", ["description", "resource"])
def test_a_function_that_says_no_text_is_a_configuration_error(
    door: Door, body: Body, cleared: FakeTransport, option: str
) -> None:
    with pytest.raises(ConfigurationError, match="returned a int, not a text"):
        door.guard(body.pay, transport=cleared, **{option: lambda amount: amount})("ch_1")

    assert not body.ran
    assert cleared.asked == []


@pytest.mark.parametrize("resource", ["acct_1", lambda charge: charge.replace("ch", "acct")])
def test_a_resource_is_a_text_or_a_function_of_the_parameters(
    door: Door, body: Body, cleared: FakeTransport, resource: Any
) -> None:
    door.guard(body.pay, transport=cleared, resource=resource)("ch_1")

    assert cleared.asked[0].resource == "acct_1"


def test_the_resource_is_covered_by_the_digest(door: Door, body: Body, cleared: FakeTransport) -> None:
    for resource in (None, "acct_1", "acct_2"):
        door.guard(body.pay, transport=cleared, resource=resource)("ch_1")

    assert len({asked.action.digest for asked in cleared.asked}) == 3


@pytest.mark.parametrize("context", [{"ticket": 7}, lambda charge: {"ticket": 7}])
def test_a_context_is_a_mapping_or_a_function_of_the_parameters(
    door: Door, body: Body, cleared: FakeTransport, context: Any
) -> None:
    door.guard(body.pay, transport=cleared, context=context)("ch_1")

    assert cleared.asked[0].action.context == {"ticket": 7}


@pytest.mark.parametrize(("given", "said"), [(None, "Body.pay"), ("stripe", "stripe")])
def test_the_tool_is_the_functions_name_unless_somebody_says(
    door: Door, body: Body, cleared: FakeTransport, given: str | None, said: str
) -> None:
    door.guard(body.pay, transport=cleared, tool_name=given)("ch_1")

    assert cleared.asked[0].tool_name == said
    assert cleared.asked[0].action.code is not None
    assert cleared.asked[0].action.code.qualname == "Body.pay"


def test_the_action_says_who_acts_and_for_how_long(door: Door, body: Body, cleared: FakeTransport) -> None:
    configure(agent_id="billing-bot", timeout=120)
    door.guard(body.pay, transport=cleared, action_type="payment.charge")("ch_1")
    door.guard(body.pay, transport=cleared, timeout=30)("ch_1")

    first, second = (asked.action for asked in cleared.asked)
    assert (first.action_type, first.agent_id) == ("payment.charge", "billing-bot")
    assert (first.decide_within, second.decide_within, first.run_within) == (120.0, 30.0, 300.0)


# ---------------------------------------------------------------------------------------------------------------------
# when= and on_denied=
# ---------------------------------------------------------------------------------------------------------------------


def failing(**_parameters: object) -> bool:
    raise LookupError("no such customer")


def test_a_call_that_needs_no_leave_runs_unasked(door: Door, body: Body, cleared: FakeTransport) -> None:
    pay = door.guard(body.pay, transport=cleared, when=lambda amount: amount > 100)

    assert [pay("ch_1", 100), pay("ch_2", 101)] == ["paid", "paid"]
    assert [asked.parameters["charge"] for asked in cleared.asked] == ["ch_2"]


@pytest.mark.parametrize("when", [failing, lambda: None, lambda: 0, lambda: "", lambda: 1], ids=repr)
def test_whatever_is_not_a_clear_no_means_ask(
    door: Door, body: Body, cleared: FakeTransport, when: Callable[..., Any]
) -> None:
    door.guard(body.pay, transport=cleared, when=when)("ch_1")

    assert len(cleared.asked) == 1


def test_whether_to_ask_is_asked_once_a_call(door: Door, body: Body, cleared: FakeTransport) -> None:
    judged: list[str] = []

    def judge(charge: str) -> bool:
        judged.append(charge)
        return True

    door.guard(body.pay, transport=cleared, when=judge)("ch_1")

    assert judged == ["ch_1"]


def test_an_unasked_call_runs_what_was_judged_not_what_it_was_changed_into(door: Door, cleared: FakeTransport) -> None:
    basket = ["a"]

    def judge(items: list[str]) -> bool:
        basket.append("b")
        return len(items) > 1

    assert door.guard(lambda items: items, transport=cleared, when=judge)(basket) == ["a"]
    assert cleared.asked == []


def test_a_denial_can_be_returned_instead_of_raised(door: Door, body: Body) -> None:
    denial: object = door.guard(body.pay, transport=FakeTransport(False), on_denied="return")("ch_1")

    assert type(denial) is ActionDenied
    assert not body.ran


def test_a_spent_approval_is_a_denial_that_can_be_returned_too(door: Door, body: Body) -> None:
    transport = FakeTransport(lambda _asked: Decision("", Status.EXECUTING, nonce="another"))

    denial: object = door.guard(body.pay, transport=transport, on_denied="return")("ch_1")

    assert type(denial) is AlreadyClaimed
    assert not body.ran


@pytest.mark.parametrize(
    ("transport", "error"),
    [(FakeTransport(lambda _asked: None), ActionUndecided), (Broken(Submit), AuthorizationUnavailable)],
    ids=["undecided", "unavailable"],
)
def test_only_a_denial_is_returned(
    door: Door, body: Body, transport: FakeTransport, error: type[AuthorizationError]
) -> None:
    with pytest.raises(error):
        door.guard(body.pay, transport=transport, on_denied="return")("ch_1")

    assert not body.ran


def test_where_denials_are_returned_a_bodys_own_denial_is_still_raised(door: Door, cleared: FakeTransport) -> None:
    inner = ActionDenied("An inner guard said no.")

    def refuse() -> None:
        raise inner

    with pytest.raises(ActionDenied) as raised:
        door.guard(refuse, transport=cleared, on_denied="return")()
    assert raised.value is inner


# ---------------------------------------------------------------------------------------------------------------------
# How it ended
# ---------------------------------------------------------------------------------------------------------------------


def test_the_approval_is_spent_before_the_body_and_its_end_is_reported_after(
    door: Door, cleared: FakeTransport
) -> None:
    during: list[Status] = []
    door.guard(lambda: during.append(cleared.asked[0].status), transport=cleared)()

    assert during == [Status.EXECUTING]
    assert cleared.asked[0].status is Status.COMPLETED
    outcome = cleared.asked[0].outcome
    assert outcome is not None
    assert (outcome.status, outcome.error_type) == (Status.COMPLETED, None)
    assert outcome.duration >= 0


class Custom(Exception):
    """With a text that is nobody's business."""


@pytest.mark.parametrize("error", [Custom("card 4242"), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()])
def test_a_bodys_exception_passes_untouched_and_only_its_kind_is_reported(
    door: Door, cleared: FakeTransport, error: BaseException
) -> None:
    error = type(error)(*error.args)

    def explode() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        door.guard(explode, transport=cleared)()

    assert raised.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    assert "raise error" in traceback.format_exception(error)[-2]
    outcome = cleared.asked[0].outcome
    assert outcome is not None
    assert (outcome.status, outcome.error_type, outcome.notes) == (Status.FAILED, type(error).__name__, ())


@pytest.mark.parametrize("fault", [AuthorizationUnavailable("Dead."), OSError("dead")], ids=repr)
def test_an_outcome_that_cannot_be_reported_changes_nothing_but_the_log(
    door: Door, body: Body, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    with caplog.at_level(logging.WARNING, "clearance"):
        assert door.guard(body.pay, transport=Broken(Report, fault=fault))("ch_1") == "paid"

    assert "The outcome of test.act (Body.pay) could not be reported" in caplog.text


def test_a_bodys_exception_passes_untouched_even_if_it_cannot_be_reported(door: Door) -> None:
    error = Custom()

    def explode() -> None:
        raise error

    with pytest.raises(Custom) as raised:
        door.guard(explode, transport=Broken(Report))()
    assert raised.value is error


# ---------------------------------------------------------------------------------------------------------------------
# Setting up
# ---------------------------------------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "on_denied": ({"on_denied": "ignore"}, "on_denied='ignore' is not known"),
    "no action type": ({"action_type": " "}, "action_type=' ' says nothing"),
    "action type of another kind": ({"action_type": None}, "action_type=None says nothing"),
    "no tool name": ({"tool_name": ""}, "tool_name='' says nothing"),
    "redact": ({"redact": ["pasword"]}, "redact= names 'pasword'.* Did you mean 'password'"),
    "redact as one text": ({"redact": "password"}, r"Write redact=\('password',\)"),
    "template": ({"description": "For {usr}"}, "template names 'usr'.* Did you mean 'user'"),
    "broken template": ({"description": "For {user"}, "cannot be read"),
    "description function": ({"description": lambda usr: usr}, "description= names 'usr'.* Did you mean 'user'"),
    "resource function": ({"resource": lambda usr: usr}, "resource= names 'usr'"),
    "context function": ({"context": lambda usr: {}}, "context= names 'usr'"),
    "when": ({"when": lambda usr: True}, "when= names 'usr'"),
    "timeout": ({"timeout": 0}, "timeout=0 is not a number of seconds"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_guard_is_an_error_where_it_is_written(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        requires_authorization(**{"action_type": "user.login", **options})(login)


def test_an_unreadable_signature_is_an_error_where_the_guard_is_written() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        requires_authorization(action_type="math.max")(max)


def test_nothing_is_read_and_nobody_is_asked_when_a_guard_is_written(
    door: Door, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWKAI_TIMEOUT", "soon")

    pay = door.guard(body.pay)

    monkeypatch.undo()
    configure(transport=FakeTransport(True))
    assert pay("ch_1") == "paid"


def test_a_guard_that_nobody_configured_says_what_to_set(door: Door, body: Body) -> None:
    with pytest.raises(ConfigurationError) as refused:
        door.guard(body.pay)("ch_1")

    assert NO_KEY in str(refused.value)
    assert "Nothing was run." in str(refused.value)
    assert "clearance.configure(transport=...)" in str(refused.value)
    assert not body.ran


def test_a_guard_uses_the_configured_transport_unless_it_has_its_own(
    door: Door, body: Body, cleared: FakeTransport
) -> None:
    configure(transport=cleared)
    own = FakeTransport(True)

    door.guard(body.pay)("ch_1")
    door.guard(body.pay, transport=own)("ch_2")

    assert [asked.parameters["charge"] for asked in (*cleared.asked, *own.asked)] == ["ch_1", "ch_2"]


def test_a_listener_is_told_of_every_wait(door: Door, body: Body) -> None:
    waits: list[tuple[str, Status]] = []
    configure(on_wait=lambda action, decision: waits.append((action.action_type, decision.status)))

    with pytest.raises(ActionUndecided):
        door.guard(body.pay, transport=FakeTransport(lambda _asked: None), timeout=60)("ch_1")

    assert waits == [("test.act", Status.PENDING)] * 3


def test_a_guarded_function_keeps_its_name_its_docstring_its_signature_and_its_kind(cleared: FakeTransport) -> None:
    async def coroutine(user: str) -> None:
        """Wait."""

    guard = requires_authorization(action_type="test.act", transport=cleared)
    guarded, guarded_coroutine = guard(login), guard(coroutine)

    assert (guarded.__name__, guarded.__doc__, guarded.__module__) == ("login", "Log in.", __name__)
    assert inspect.signature(guarded) == inspect.signature(login)
    assert inspect.iscoroutinefunction(guarded_coroutine)
    assert not inspect.iscoroutinefunction(guarded)


class Account:
    """Guarded methods of each kind."""

    transport = FakeTransport(True)

    @requires_authorization(action_type="account.act", transport=transport)
    def pay(self, amount: int) -> tuple[object, int]:
        return self, amount

    @classmethod
    @requires_authorization(action_type="account.act", transport=transport)
    def open(cls, amount: int) -> tuple[object, int]:
        return cls, amount

    @staticmethod
    @requires_authorization(action_type="account.act", transport=transport)
    def check(amount: int) -> tuple[object, int]:
        return None, amount

    @classmethod
    @requires_authorization(action_type="account.act", transport=transport)
    async def aopen(cls, amount: int) -> tuple[object, int]:
        return cls, amount

    @requires_authorization(action_type="account.act", transport=transport)
    async def apay(self, amount: int) -> tuple[object, int]:
        return self, amount


ACCOUNT = Account()


@pytest.mark.parametrize(
    ("call", "owner", "name"),
    [
        (lambda: ACCOUNT.pay(5), ACCOUNT, "pay"),
        (lambda: Account.pay(ACCOUNT, 5), ACCOUNT, "pay"),
        (lambda: Account.open(5), Account, "open"),
        (lambda: ACCOUNT.open(5), Account, "open"),
        (lambda: Account.check(5), None, "check"),
        (lambda: ACCOUNT.check(amount=5), None, "check"),
        (lambda: asyncio.run(ACCOUNT.apay(5)), ACCOUNT, "apay"),
        (lambda: asyncio.run(Account.aopen(5)), Account, "aopen"),
    ],
    ids=[
        "instance",
        "instance by class",
        "class",
        "class by instance",
        "static",
        "static by instance",
        "coroutine",
        "class coroutine",
    ],
)
def test_a_method_is_called_on_its_owner_which_is_no_parameter(
    call: Callable[[], tuple[object, int]], owner: object, name: str
) -> None:
    assert call() == (owner, 5)

    asked = Account.transport.asked[-1]
    assert asked.parameters == {"amount": 5}
    assert asked.description == f"Account.{name}(amount=5)"


# ---------------------------------------------------------------------------------------------------------------------
# Only sync, only async
# ---------------------------------------------------------------------------------------------------------------------


class OnlySync:
    """A transport without an async side."""

    def __init__(self) -> None:
        self.inner = Recorder()
        self.clock = self.inner.clock

    def send(self, command: Command) -> Decision:
        return self.inner.send(command)


class OnlyAsync:
    """A transport without a sync side."""

    def __init__(self) -> None:
        self.inner = FakeTransport(True)

    async def asend(self, command: Command) -> Decision:
        return self.inner.send(command)


def test_a_transport_with_a_sync_side_only_serves_both(door: Door, body: Body) -> None:
    assert door.guard(body.pay, transport=OnlySync())("ch_1") == "paid"


def test_a_transport_with_an_async_side_only_cannot_serve_a_plain_function(body: Body) -> None:
    guarded = requires_authorization(action_type="test.act", transport=OnlyAsync())(body.pay)

    with pytest.raises(ConfigurationError, match=r"OnlyAsync has no send\(\)"):
        guarded("ch_1")
    assert not body.ran


def test_a_transport_with_no_side_at_all_is_a_configuration_error(door: Door, body: Body) -> None:
    with pytest.raises(ConfigurationError, match="object has n"):
        door.guard(body.pay, transport=object())("ch_1")
    assert not body.ran


def test_a_coroutine_runs_the_arguments_of_its_call_whenever_it_is_awaited(cleared: FakeTransport) -> None:
    @requires_authorization(action_type="test.act", transport=cleared)
    async def send(recipients: list[str]) -> list[str]:
        return recipients

    async def main() -> list[str]:
        recipients = ["ann"]
        coroutine = send(recipients)
        recipients.append("mallory")
        return await coroutine

    assert asyncio.run(main()) == ["ann"]
    assert cleared.asked[0].parameters == {"recipients": ["ann"]}


class Silent(Recorder):
    """Never answers the kind of command that it is told; ``reached`` is set once somebody waits for it."""

    def __init__(self, kind: type[Command], answer: bool | None) -> None:
        super().__init__(lambda _asked: answer)
        self._kind = kind
        self.reached = asyncio.Event()

    async def asend(self, command: Command) -> Decision:
        if isinstance(command, self._kind) and not self.reached.is_set():
            self.reached.set()
            await asyncio.Event().wait()
        return self.send(unclaimed(command))


@pytest.mark.parametrize("kind", [Submit, Await, Claim])
@pytest.mark.parametrize("form", ["decorator", "block"])
def test_a_cancelled_call_withdraws_its_request_and_stays_cancelled(body: Body, kind: type[Command], form: str) -> None:
    async def main() -> Silent:
        transport = Silent(kind, answer=None if kind is Await else True)

        @requires_authorization(action_type="test.act", transport=transport)
        async def guarded() -> None:
            body.pay("ch_1")

        async def block() -> None:
            async with authorized(action_type="test.act", tool_name="t", transport=transport):
                body.pay("ch_1")

        task = asyncio.create_task(guarded() if form == "decorator" else block())
        await transport.reached.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        return transport

    transport = asyncio.run(main())

    assert not body.ran
    assert isinstance(transport.carried[-1], Withdraw)
    assert transport.asked[0].status is Status.WITHDRAWN


def test_many_coroutines_wait_at_once_and_each_gets_its_own_answer() -> None:
    transport = FakeTransport(lambda asked: asked.parameters["n"] != 3)

    @requires_authorization(action_type="test.act", transport=transport, on_denied="return")
    async def square(n: int) -> int:
        await asyncio.sleep(0)
        return n * n

    async def main() -> list[int | ActionDenied]:
        return await asyncio.gather(*map(square, range(6)))

    results = asyncio.run(main())

    assert [result if isinstance(result, int) else "denied" for result in results] == [0, 1, 4, "denied", 16, 25]


# ---------------------------------------------------------------------------------------------------------------------
# Blocks
# ---------------------------------------------------------------------------------------------------------------------


def a_block(transport: FakeTransport, **options: Any) -> authorized:
    return authorized(**{"action_type": "db.migrate", "tool_name": "postgres", "transport": transport, **options})


def test_a_cleared_block_runs_with_its_grant_and_its_end_is_reported(door: Door, cleared: FakeTransport) -> None:
    def body(grant: Grant) -> str:
        assert cleared.asked[0].status is Status.EXECUTING
        assert (grant.action_id, grant.digest) == ("1", cleared.asked[0].action.digest)
        assert grant.assurance == "center"
        grant.note("12 tables")
        return "done"

    assert door.block(a_block(cleared), body) == "done"

    outcome = cleared.asked[0].outcome
    assert outcome is not None
    assert (outcome.status, outcome.notes) == (Status.COMPLETED, ("12 tables",))


@pytest.mark.parametrize(
    ("transport", "error"),
    [
        (FakeTransport(False), ActionDenied),
        (FakeTransport(lambda _asked: None), ActionUndecided),
        (Broken(Submit), AuthorizationUnavailable),
    ],
    ids=["denied", "undecided", "unavailable"],
)
def test_a_block_that_is_not_cleared_does_not_run(
    door: Door, body: Body, transport: FakeTransport, error: type[AuthorizationError]
) -> None:
    with pytest.raises(error):
        door.block(a_block(transport), lambda _grant: body.pay("ch_1"))

    assert not body.ran


@pytest.mark.parametrize("error", [Custom(), KeyboardInterrupt()], ids=repr)
def test_a_blocks_exception_passes_untouched_and_is_reported(
    door: Door, cleared: FakeTransport, error: BaseException
) -> None:
    def explode(_grant: Grant) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        door.block(a_block(cleared), explode)

    assert raised.value is error
    outcome = cleared.asked[0].outcome
    assert outcome is not None
    assert (outcome.status, outcome.error_type) == (Status.FAILED, type(error).__name__)


def test_a_block_says_what_it_works_with(door: Door, cleared: FakeTransport) -> None:
    block = a_block(
        cleared,
        parameters={"table": "users", "password": "hunter2", "iban": "DE00"},
        resource="prod",
        context={"ticket": 7},
        redact=("iban",),
        timeout=30,
    )
    door.block(block, lambda _grant: None)

    action = cleared.asked[0].action
    assert action.parameters == {"table": "users", "password": "[redacted]", "iban": "[redacted]"}
    assert action.description == ("db.migrate with postgres: table='users', password='[redacted]', iban='[redacted]'")
    assert (action.resource, action.context, action.decide_within) == ("prod", {"ticket": 7}, 30.0)
    assert action.redacted == ("password", "iban")
    assert action.code == CodeIdentity(__name__, a_block.__qualname__, "block")


def test_a_block_without_parameters_says_what_it_does_with_what(door: Door, cleared: FakeTransport) -> None:
    door.block(a_block(cleared), lambda _grant: None)
    door.block(a_block(cleared, description="Migrate."), lambda _grant: None)

    assert [asked.description for asked in cleared.asked] == ["db.migrate with postgres", "Migrate."]


def test_a_blocks_parameters_are_those_that_it_was_made_with(door: Door, cleared: FakeTransport) -> None:
    tables = ["users"]
    block = a_block(cleared, parameters={"tables": tables})

    tables.append("payments")
    door.block(block, lambda _grant: None)

    assert cleared.asked[0].parameters == {"tables": ["users"]}


def test_a_block_can_be_used_again_and_asks_anew(door: Door, body: Body) -> None:
    answers = iter([False, True, True])
    transport = FakeTransport(lambda _asked: next(answers))
    block = a_block(transport)

    with pytest.raises(ActionDenied):
        door.block(block, lambda _grant: body.pay("ch_1"))
    door.block(block, lambda _grant: body.pay("ch_2"))
    door.block(block, lambda _grant: body.pay("ch_3"))

    assert [call[0] for call in body.calls] == ["ch_2", "ch_3"]
    assert len(transport.asked) == 3


def test_every_grant_has_a_key_of_its_own_for_whatever_stands_behind_the_block(
    door: Door, cleared: FakeTransport
) -> None:
    block = a_block(cleared)
    keys = {door.block(block, lambda grant: grant.idempotency_key) for _ in range(3)}

    assert len(keys) == 3


def test_one_object_holds_one_block_at_a_time(cleared: FakeTransport) -> None:
    block = a_block(cleared)

    with block, pytest.raises(ConfigurationError, match="already entered"):
        block.__enter__()

    assert len(cleared.asked) == 1
    assert cleared.asked[0].status is Status.COMPLETED


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"action_type": ""}, "action_type='' says nothing"),
        ({"tool_name": " "}, "tool_name=' ' says nothing"),
        ({"timeout": -1}, "timeout=-1"),
        ({"redact": "iban"}, "is one text"),
        ({"parameters": {"lines": (line for line in "ab")}}, "lines cannot be copied"),
    ],
)
def test_a_mistake_in_a_block_is_an_error_where_it_is_written(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        a_block(FakeTransport(True), **options)


def test_a_block_that_nobody_configured_says_what_to_set(door: Door) -> None:
    with pytest.raises(ConfigurationError, match=NO_KEY):
        door.block(authorized(action_type="db.migrate", tool_name="postgres"), lambda _grant: None)


def test_the_notes_of_a_grant_are_kept_to_their_limits(door: Door, cleared: FakeTransport) -> None:
    def talkative(grant: Grant) -> None:
        grant.note("x" * (MAX_NOTE_LENGTH + 1))
        for number in range(MAX_NOTES):
            grant.note(str(number))

    door.block(a_block(cleared), talkative)

    outcome = cleared.asked[0].outcome
    assert outcome is not None
    assert outcome.notes == ("x" * MAX_NOTE_LENGTH, *map(str, range(MAX_NOTES - 1)))
