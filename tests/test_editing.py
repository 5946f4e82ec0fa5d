"""An approver's changes to a call: only to what may be changed, only by what fits, and the call runs with them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from annotated_types import Ge
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator
from tests.helpers import LEVEL_1, LEVEL_2, Door, a_decision, an_action

from clearance import (
    Action,
    ActionChanged,
    ActionDenied,
    ActionUndecided,
    AlreadyClaimed,
    ConfigurationError,
    Decision,
    FileContents,
    Grant,
    Outcome,
    Secret,
    Status,
    current_grant,
    flow,
    requires_authorization,
)
from clearance.arguments import hints_of
from clearance.calls import Callee
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.editing import Editable
from clearance.models import Json
from clearance.redaction import View
from clearance.testing import FakeTransport

NONCE = "our-nonce"


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Line:
    item: str
    price: Decimal = Decimal(1)


class Order(BaseModel):
    line: Line
    count: int = Field(ge=1)


class Careful(BaseModel):
    share: int

    @field_validator("share")
    @classmethod
    def divide(cls, share: int) -> int:
        return 100 // share


class Pair(NamedTuple):
    one: int
    other: str


def editable(annotation: Any, names: tuple[str, ...] = ("x",)) -> Editable:
    """What an approver may change of a function whose ``x`` is annotated so."""

    def take(x: object, y: int = 0, *rest: int, **more: int) -> None: ...

    take.__annotations__ = {**take.__annotations__, "x": annotation}
    callee = Callee(take)
    return Editable(names, callee.labels, callee.treatment, View(), lambda: hints_of(take))


# ---------------------------------------------------------------------------------------------------------------------
# Values
# ---------------------------------------------------------------------------------------------------------------------

FITTING: list[tuple[Any, Json, object]] = [
    (int, 5, 5),
    ("int", 5, 5),
    (float, 5, 5.0),
    (bool, True, True),
    (str, "", ""),
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, 2, Decimal(2)),
    (date, "2026-01-31", date(2026, 1, 31)),
    (datetime, "2026-01-31T10:00:00", datetime(2026, 1, 31, 10)),
    (timedelta, "PT1H", timedelta(hours=1)),
    (UUID, "00000000-0000-0000-0000-000000000001", UUID(int=1)),
    (Path, "a/b", Path("a/b")),
    (Colour, "green", Colour.GREEN),
    (Literal["a", "b"], "b", "b"),
    (int | None, None, None),
    (int | None, 5, 5),
    (int | str, "5", "5"),
    (list[int], [1, 2], [1, 2]),
    ("list[Line]", [{"item": "a"}], [Line("a")]),
    (tuple[int, str], [1, "a"], (1, "a")),
    (set[int], [1, 2], {1, 2}),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (bytes, "ab", b"ab"),
    (Line, {"item": "a", "price": "2.5"}, Line("a", Decimal("2.5"))),
    (Order, {"line": {"item": "a"}, "count": 2}, Order(line=Line("a"), count=2)),
    (Pair, [1, "a"], Pair(1, "a")),
    (Annotated[int, Ge(1)], 1, 1),
    (object, {"a": [1]}, {"a": [1]}),
    (Any, "anything", "anything"),
]
UNFITTING: list[tuple[Any, Json]] = [
    (int, "5"),
    (int, 5.5),
    (int, True),
    (int, None),
    (bool, 1),
    (bool, "yes"),
    (str, 5),
    (float, "5"),
    (Decimal, "many"),
    (Decimal, True),
    (date, "tomorrow"),
    (date, 0),
    (Colour, "blue"),
    (Literal["a", "b"], "c"),
    (int | None, "5"),
    (list[int], ["1"]),
    (list[int], 1),
    (dict[str, int], [["a", 1]]),
    (Line, {"price": "2"}),
    (Line, "a"),
    (Order, {"line": {"item": "a"}, "count": 0}),
    (Annotated[int, Ge(1)], 0),
    (Careful, {"share": 0}),
]


@pytest.mark.parametrize(("annotation", "given_", "expected"), FITTING)
def test_a_value_becomes_an_object_of_the_annotated_type(annotation: Any, given_: Json, expected: object) -> None:
    found = editable(annotation).values({"x": given_}, "ann")

    assert found == {"x": expected}
    assert type(found["x"]) is type(expected)


@pytest.mark.parametrize(("annotation", "given_"), UNFITTING)
def test_a_value_of_another_type_is_refused_and_never_made_to_fit(annotation: Any, given_: Json) -> None:
    with pytest.raises(ActionChanged, match="ann cleared the call with another 'x' that does not fit it") as refused:
        editable(annotation).values({"x": given_}, "ann")

    assert refused.value.reason_code == "bad_edit"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_an_int_is_only_ever_made_of_an_int(value: Any) -> None:
    try:
        found = editable(int).values({"x": value}, "ann")
    except ActionChanged:
        assert type(value) is not int or abs(value) >= 2**63
    else:
        assert found == {"x": value}
        assert type(found["x"]) is type(value) is int


def test_a_value_is_nobody_elses_object() -> None:
    edit: dict[str, Json] = {"x": [[1]]}

    found = editable(list[list[int]]).values(edit, "ann")

    assert found["x"] == edit["x"]
    assert found["x"] is not edit["x"]


# ---------------------------------------------------------------------------------------------------------------------
# What may be named
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("annotation", ["NeverMade", "list[NeverMade]", list["NeverMade"], "Treatment", "TypeAdapter"])  # type: ignore[name-defined]  # noqa: F821
def test_a_type_that_is_still_not_known_when_it_is_needed_is_a_configuration_error(annotation: Any) -> None:
    """Not even if the module that reads it happens to know such a name."""
    found = editable(annotation)

    with pytest.raises(ConfigurationError, match="says nothing that a value could be checked against"):
        found.values({"x": 1}, "ann")


@pytest.mark.parametrize("annotation", [5, FakeTransport, list[FakeTransport]], ids=repr)
def test_an_annotation_that_says_nothing_is_an_error_at_once(annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match="says nothing that a value could be checked against"):
        editable(annotation)


def test_a_type_that_is_defined_only_later_is_found_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = editable("MadeLater")
    monkeypatch.setitem(globals(), "MadeLater", int)

    assert found.values({"x": 5}, "ann") == {"x": 5}


def test_the_names_are_in_the_order_of_the_parameters() -> None:
    assert editable(int, ("y", "x")).names == ("x", "y")


HIDDEN: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "by its name": (lambda password: None, {"editable": ["password"]}),
    "by redact": (lambda iban: None, {"editable": ["iban"], "redact": ["iban"]}),
    "opaque": (lambda pool: None, {"editable": ["pool"], "opaque": ["pool"]}),
    "by reference": (lambda cart: None, {"editable": ["cart"], "by_reference": ["cart"]}),
    "a star": (lambda *rest: None, {"editable": ["rest"]}),
    "two stars": (lambda **more: None, {"editable": ["more"]}),
}


def by_marker(code: Annotated[str, Secret]) -> None: ...


def by_file(script: Annotated[Path, FileContents]) -> None: ...


HIDDEN["by the marker"] = (by_marker, {"editable": ["code"]})
HIDDEN["a file"] = (by_file, {"editable": ["script"]})


@pytest.mark.parametrize(("function", "options"), HIDDEN.values(), ids=HIDDEN)
def test_what_an_approver_does_not_see_as_one_plain_value_cannot_be_changed(
    function: Callable[..., object], options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="which an approver does not see as one plain value"):
        requires_authorization(action_type="t", **options)(function)


def test_a_parameter_without_an_annotation_cannot_be_changed(door: Door) -> None:
    with pytest.raises(ConfigurationError, match="has no annotation that a new value could be checked against"):
        door.guard(lambda amount: None, editable=["amount"])


# ---------------------------------------------------------------------------------------------------------------------
# The conversation, by hand
# ---------------------------------------------------------------------------------------------------------------------

ACTION = an_action(editable=("amount", "charge_id"))


def talk(action: Action, amend: flow.Amend | None) -> flow.Conversation[Grant]:
    """A conversation that has just submitted."""
    conversation = flow.authorization(action, flow.Terms("our-key", NONCE, lambda: 0.0, lambda: 0.5), amend)
    assert isinstance(next(conversation), Submit)
    return conversation


def ended(conversation: flow.Conversation[Grant], answer: Decision) -> Grant:
    with pytest.raises(StopIteration) as stopped:
        conversation.send(answer)
    grant: Grant = stopped.value.value
    return grant


def test_a_changed_call_is_claimed_by_both_digests_and_granted_by_the_new_one() -> None:
    amended: list[Mapping[str, Json]] = []

    def amend(edits: Mapping[str, Json]) -> str:
        amended.append(edits)
        return "digest of 7"

    conversation = talk(ACTION, amend)
    said = conversation.send(a_decision(Status.APPROVED, edits={"amount": 7}, decided_by="ann"))

    assert said == Claim("1", "the-digest", NONCE, timeout=10.0, edited_digest="digest of 7")
    grant = ended(conversation, a_decision(Status.EXECUTING, nonce=NONCE))
    assert (grant.digest, grant.edited, amended) == ("digest of 7", {"amount": 7}, [{"amount": 7}])


def test_changes_that_come_only_after_a_wait_count_too() -> None:
    conversation = talk(ACTION, lambda _edits: "digest of 7")

    assert isinstance(conversation.send(a_decision(Status.PENDING)), Await)
    said = conversation.send(a_decision(Status.APPROVED, edits={"amount": 7}))

    assert isinstance(said, Claim)
    assert said.edited_digest == "digest of 7"


def test_what_a_claims_answer_says_of_changes_is_not_what_was_cleared() -> None:
    conversation = talk(ACTION, lambda _edits: "digest of 7")
    conversation.send(a_decision(Status.APPROVED, edits={"amount": 7}))

    grant = ended(conversation, a_decision(Status.EXECUTING, nonce=NONCE, edits={"amount": 1_000_000}))

    assert grant.edited == {"amount": 7}


def test_a_call_that_is_cleared_unchanged_is_not_amended() -> None:
    conversation = talk(ACTION, lambda _edits: "another digest")
    said = conversation.send(a_decision(Status.APPROVED))

    assert said == Claim("1", "the-digest", NONCE, timeout=10.0, edited_digest=None)
    grant = ended(conversation, a_decision(Status.EXECUTING, nonce=NONCE))
    assert (grant.digest, grant.edited, grant.for_model()) == ("the-digest", {}, "")


NOT_ALLOWED: dict[str, tuple[Action, bool, Decision]] = {
    "not editable at all": (an_action(), False, a_decision(Status.APPROVED, edits={"amount": 7})),
    "another parameter": (ACTION, True, a_decision(Status.APPROVED, edits={"amount": 7, "currency": "USD"})),
    "a server without claims": (ACTION, True, a_decision(Status.APPROVED, edits={"amount": 7}, offers=LEVEL_1)),
}


@pytest.mark.parametrize(("action", "amends", "decision"), NOT_ALLOWED.values(), ids=NOT_ALLOWED)
def test_changes_that_the_guard_does_not_allow_are_refused_and_the_request_is_withdrawn(
    action: Action, amends: bool, decision: Decision
) -> None:
    conversation = talk(action, (lambda _edits: "digest of 7") if amends else None)

    if decision.offers:
        said = conversation.send(decision)
        assert said == Withdraw("1", "not_editable", timeout=1.0)
        decision = a_decision(Status.WITHDRAWN)
    with pytest.raises(ActionChanged, match="which this guard does not allow") as refused:
        conversation.send(decision)

    assert refused.value.reason_code == "not_editable"
    assert refused.value.action is action
    assert refused.value.decision is not None
    assert refused.value.decision.edits


def test_changes_that_do_not_fit_are_refused_and_the_request_is_withdrawn() -> None:
    def amend(_edits: Mapping[str, Json]) -> str:
        raise ActionChanged("It does not fit.", reason_code="bad_edit")

    conversation = talk(ACTION, amend)

    assert conversation.send(a_decision(Status.APPROVED, edits={"amount": "7"})) == Withdraw("1", "bad_edit", 1.0)
    with pytest.raises(ActionChanged) as refused:
        conversation.send(a_decision(Status.WITHDRAWN))
    assert (refused.value.reason_code, refused.value.action) == ("bad_edit", ACTION)


@pytest.mark.parametrize("status", [status for status in Status if status not in (Status.APPROVED, Status.PENDING)])
def test_no_status_but_approved_makes_changes_a_leave_to_run(status: Status) -> None:
    conversation = talk(ACTION, lambda _edits: "digest of 7")

    with pytest.raises((ActionDenied, AlreadyClaimed, ActionUndecided)):
        conversation.send(a_decision(status, edits={"amount": 7}, nonce=NONCE))


# ---------------------------------------------------------------------------------------------------------------------
# The guard
# ---------------------------------------------------------------------------------------------------------------------


class Editor:
    """A level 2 Center whose approver changes what is asked; it claims by both digests, as a Center must."""

    binding_key = b"a key"

    def __init__(self, edits: Mapping[str, Json], offers: frozenset[str] = LEVEL_2) -> None:
        self.edits = edits
        self.offers = offers
        self.carried: list[Command] = []

    def send(self, command: Command) -> Decision:
        self.carried.append(command)
        decision = Decision("1", Status.APPROVED, offers=self.offers, edits=self.edits, decided_by="ann")
        match command:
            case Claim():
                assert command.digest == self.action.digest
                return replace(decision, status=Status.EXECUTING, nonce=command.nonce)
            case Report(outcome=outcome):
                return replace(decision, status=outcome.status)
            case Withdraw():
                return replace(decision, status=Status.WITHDRAWN)
            case _:
                return decision

    async def asend(self, command: Command) -> Decision:
        return self.send(command)

    @property
    def action(self) -> Action:
        return next(command.action for command in self.carried if isinstance(command, Submit))

    def last(self, kind: type[Command]) -> Any:
        return next(command for command in reversed(self.carried) if isinstance(command, kind))


def pay(charge: str, amount: int = 5, lines: list[Line] | None = None, token: str = "t") -> Any:
    grant = current_grant()
    return (charge, amount, lines), grant.edited, grant.digest, grant.for_model()


def test_a_changed_call_runs_as_changed_and_the_grant_tells_it(door: Door) -> None:
    transport = Editor({"amount": 7, "lines": [{"item": "a"}]})
    guarded = door.guard(pay, transport=transport, editable=("lines", "amount"))

    received, edited, digest, notice = guarded("ch_1", 5)

    assert received == ("ch_1", 7, [Line("a")])
    assert edited == {"amount": 7, "lines": [{"item": "a"}]}
    assert notice == (
        "This action was executed with parameters that the approver changed: amount=7, lines=[{'item': 'a'}]. "
        "Go by these values, not by those you asked for."
    )
    assert transport.action.editable == ("amount", "lines")
    assert transport.last(Claim).edited_digest == digest != transport.action.digest
    assert transport.last(Report).outcome.status is Status.COMPLETED


def test_the_digest_of_a_changed_call_is_that_of_a_call_asked_for_so(door: Door) -> None:
    changed, plain = Editor({"amount": 7, "lines": [{"item": "a"}]}), Editor({})
    door.guard(pay, transport=changed, editable=("lines", "amount"))("ch_1", 5)
    door.guard(pay, transport=plain)("ch_1", 7, [Line("a")])

    assert changed.last(Claim).edited_digest == plain.action.digest != changed.action.digest


def test_a_change_to_what_was_asked_for_is_the_call_that_was_asked_for(door: Door) -> None:
    transport = Editor({"amount": 5})

    _, edited, digest, _ = door.guard(pay, transport=transport, editable=("amount",))("ch_1", 5)

    assert edited == {"amount": 5}
    assert digest == transport.last(Claim).edited_digest == transport.action.digest


def test_the_resource_of_a_changed_call_is_that_of_the_call_that_runs(door: Door) -> None:
    changed, plain = Editor({"charge": "ch_2"}), Editor({})
    for transport, charge in ((changed, "ch_1"), (plain, "ch_2")):
        door.guard(pay, transport=transport, editable=("charge",), resource=lambda charge: f"charge:{charge}")(charge)

    assert changed.last(Claim).edited_digest == plain.action.digest


BAD: dict[str, tuple[Mapping[str, Json], str]] = {
    "of another type": ({"amount": "7"}, "bad_edit"),
    "not editable": ({"charge": "ch_2"}, "not_editable"),
    "one of two": ({"amount": 7, "charge": "ch_2"}, "not_editable"),
    "no parameter": ({"tip": 7}, "not_editable"),
    "hidden": ({"token": "x"}, "not_editable"),
}


@pytest.mark.parametrize(("edits", "code"), BAD.values(), ids=BAD)
def test_a_bad_change_stops_the_call_and_withdraws_the_request(
    door: Door, edits: Mapping[str, Json], code: str
) -> None:
    transport = Editor(edits)
    ran: list[object] = []

    def body(charge: str, amount: int, token: str) -> None:
        ran.append(amount)

    with pytest.raises(ActionChanged) as refused:
        door.guard(body, transport=transport, editable=("amount",))("ch_1", 5, "t")

    assert refused.value.reason_code == code
    assert f"(reason: {code})" in refused.value.for_model()
    assert ran == []
    assert isinstance(transport.carried[-1], Withdraw)
    assert not any(isinstance(command, Claim) for command in transport.carried)


def test_a_guard_that_lets_nobody_change_anything_refuses_every_change(door: Door) -> None:
    transport = Editor({"amount": 7})

    with pytest.raises(ActionChanged) as refused:
        door.guard(pay, transport=transport)("ch_1")

    assert refused.value.reason_code == "not_editable"
    assert transport.action.editable == ()


def test_a_server_that_cannot_claim_cannot_clear_another_call(door: Door) -> None:
    with pytest.raises(ActionChanged) as refused:
        door.guard(pay, transport=Editor({"amount": 7}, LEVEL_1), editable=("amount",))("ch_1")

    assert refused.value.reason_code == "not_editable"


def test_a_change_that_cannot_be_digested_stops_the_call(door: Door) -> None:
    transport = Editor({"x": float("nan")})

    def body(x: float) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match=r"^x is nan"):
        door.guard(body, transport=transport, editable=("x",))(1.0)
    assert isinstance(transport.carried[-1], Withdraw)


def test_a_type_that_nobody_knows_when_it_is_needed_stops_the_call(door: Door) -> None:
    transport = Editor({"x": 1})

    def body(x: NeverMade) -> None:  # type: ignore[name-defined]  # noqa: F821
        raise AssertionError

    with pytest.raises(ConfigurationError, match="says nothing"):
        door.guard(body, transport=transport, editable=("x",))(1)
    assert isinstance(transport.carried[-1], Withdraw)


class Mutating(Editor):
    """The caller changes its list at one moment, whatever the approver does."""

    def __init__(self, edits: Mapping[str, Json], kind: type[Command], lines: list[Line]) -> None:
        super().__init__(edits)
        self.kind = kind
        self.lines = lines

    def send(self, command: Command) -> Decision:
        decision = super().send(command)
        if isinstance(command, self.kind):
            self.lines.append(Line("mallory"))
            self.lines[0].item = "mallory"
        return decision


@pytest.mark.parametrize("kind", [Submit, Claim])
@pytest.mark.parametrize(("edits", "ran"), [({"amount": 7}, "a"), ({"lines": [{"item": "b"}]}, "b")])
def test_a_list_that_the_caller_changes_meanwhile_is_neither_what_was_shown_nor_what_was_cleared_instead(
    door: Door, kind: type[Command], edits: Mapping[str, Json], ran: str
) -> None:
    lines = [Line("a")]
    transport = Mutating(edits, kind, lines)

    received, *_ = door.guard(pay, transport=transport, editable=("amount", "lines"))("ch_1", 5, lines)

    assert received[2] == [Line(ran)]


@pytest.mark.parametrize("kind", [Submit, Claim])
def test_a_change_of_one_argument_does_not_cover_for_another_that_changed_by_itself(
    door: Door, kind: type[Command]
) -> None:
    lines = [Line("a")]
    transport = Mutating({"amount": 7}, kind, lines)
    ran: list[object] = []

    def body(amount: int, lines: list[Line]) -> None:
        ran.append(lines)

    guarded = door.guard(body, transport=transport, editable=("amount",), by_reference=("lines",))
    with pytest.raises(ActionChanged):
        guarded(5, lines)

    assert ran == []
    if kind is Submit:
        assert transport.last(Withdraw).reason == "changed"
    else:
        assert transport.last(Report).outcome == Outcome(Status.FAILED, "not_started", 0.0, ("changed",))


@pytest.mark.parametrize(
    "note",
    ["x" * 5_000, ["a"] * 201, {"password": "hunter2"}, {"a": [{"token": "hunter2"}]}, [b"x" * 4_000]],
    ids=["a long text", "a long list", "a secret inside", "a secret far inside", "long bytes inside"],
)
def test_what_is_shown_in_part_cannot_be_changed(door: Door, note: object) -> None:
    transport = Editor({})

    def body(note: object, notes: str, amount: int) -> None: ...

    door.guard(body, transport=transport, editable=("note", "notes", "amount"))(note, "short", 5)

    assert transport.action.editable == ("notes", "amount")


def test_what_is_cut_in_the_context_can_be_changed_among_the_arguments(door: Door) -> None:
    transport = Editor({})

    door.guard(pay, transport=transport, editable=("charge",), context={"charge": "x" * 5_000})("ch_1")

    assert transport.action.editable == ("charge",)
