"""A Center in this very process: guarded calls are held, woken, refused and counted as over a socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import Clock
from tests.helpers import AsyncDoor, Door, SyncDoor, an_action
from tests.servers import PATIENCE, in_thread, until

from clearance import ActionDenied, ActionUndecided, AuthorizationUnavailable, Decision, Grant, Outcome, authorized
from clearance.center.bell import EVERYTHING
from clearance.center.desk import PENDING_RETRY_AFTER
from clearance.center.records import Record, Role
from clearance.center.service import Center
from clearance.center.store.base import Tx
from clearance.center.store.sqlite import open_store
from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.models import Status
from clearance.transports import AsyncTransport, HttpTransport, Transport
from clearance.transports.embedded import EmbeddedTransport

doors = pytest.mark.parametrize("door", [SyncDoor(), AsyncDoor()], ids=["sync", "async"])
NONCE = "nonce-of-the-agent"


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center.open(tmp_path / "center.db")
    yield center
    center.close()


@pytest.fixture
def transport(center: Center) -> EmbeddedTransport:
    return EmbeddedTransport(center, center.create_key(Role.USER, "billing-bot"))


def decide(center: Center, *, approve: bool, reason: str = "") -> int:
    """Wait until something is held, and decide it; returns its id."""
    admin = center.create_key(Role.ADMIN, "carol")

    def answer(tx: Tx) -> int | None:
        for record in tx.actions(statuses=[Status.PENDING]):
            who = center.principal(tx, admin)
            return center.desk.decide(tx, who, record.id, approve=approve, reason=reason).id
        return None

    return until(center, answer)


def record_of(center: Center, action_id: int) -> Record:
    """What the Center has on record."""
    found = center.do(lambda tx: tx.action(action_id))
    assert found is not None
    return found


def carried(transport: EmbeddedTransport, command: Command, *, asynchronous: bool) -> Decision:
    """One command, over either side."""
    if asynchronous:
        return asyncio.run(transport.asend(command))
    return transport.send(command)


sides = pytest.mark.parametrize("asynchronous", [False, True], ids=["send", "asend"])


def test_it_is_a_transport_for_threads_and_for_event_loops(transport: EmbeddedTransport) -> None:
    sync: Transport = transport
    asynchronous: AsyncTransport = transport

    assert isinstance(sync, Transport)
    assert isinstance(asynchronous, AsyncTransport)


@doors
def test_what_the_policy_clears_runs_at_once_and_is_reported(
    center: Center, transport: EmbeddedTransport, door: Door
) -> None:
    def look_up(order: str) -> str:
        return f"found {order}"

    guarded = door.guard(look_up, action_type="order.lookup", transport=transport)

    assert guarded("o-1") == "found o-1"
    assert record_of(center, 1).status is Status.COMPLETED


@doors
def test_a_held_call_goes_on_when_another_thread_approves_it(
    center: Center, transport: EmbeddedTransport, door: Door
) -> None:
    ran: list[int] = []
    guarded = door.guard(ran.append, action_type="payment.refund", transport=transport)

    with in_thread(lambda: guarded(5)) as results:
        action_id = decide(center, approve=True)
        assert results.get(timeout=PATIENCE) is None

    assert ran == [5]
    assert record_of(center, action_id).status is Status.COMPLETED


@doors
def test_a_call_that_is_refused_does_not_run_and_says_who_and_why(
    center: Center, transport: EmbeddedTransport, door: Door
) -> None:
    ran: list[int] = []
    guarded = door.guard(ran.append, action_type="payment.refund", transport=transport)

    with in_thread(lambda: guarded(5)) as results:
        decide(center, approve=False, reason="not tonight")
        refusal = results.get(timeout=PATIENCE)

    assert isinstance(refusal, ActionDenied)
    assert (refusal.reason, refusal.decided_by, refusal.reason_code) == ("not tonight", "carol", "approver")
    assert ran == []


@doors
def test_a_call_that_nobody_decides_in_time_does_not_run_and_is_closed(
    center: Center, transport: EmbeddedTransport, door: Door
) -> None:
    ran: list[int] = []
    guarded = door.guard(ran.append, action_type="payment.refund", transport=transport, timeout=0.05)

    with pytest.raises(ActionUndecided):
        guarded(5)

    assert ran == []
    center.do(center.desk.sweep)  # on a slow machine its time was over before it could be withdrawn
    assert record_of(center, 1).status in (Status.WITHDRAWN, Status.EXPIRED)


@doors
def test_a_block_whose_body_fails_is_reported_as_failed_with_its_notes(
    center: Center, transport: EmbeddedTransport, door: Door
) -> None:
    def body(grant: Grant) -> None:
        grant.note("half done")
        raise LookupError("no such row")

    block = authorized(action_type="order.lookup", tool_name="db", transport=transport)
    with pytest.raises(LookupError):
        door.block(block, body)

    record = record_of(center, 1)
    assert record.outcome is not None
    assert (record.status, record.outcome.error_type) == (Status.FAILED, "LookupError")
    assert record.outcome.notes == ("half done",)


@sides
def test_a_wait_is_woken_by_the_decision_and_not_by_its_end(
    center: Center, transport: EmbeddedTransport, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = transport.send(Submit(an_action(), "k", NONCE, 5))
    listening = threading.Event()
    original = center.bell.listening

    def noticed(action_ids: Collection[int] = (EVERYTHING,)) -> Any:
        if int(submitted.action_id) in action_ids:
            listening.set()
        return original(action_ids)

    monkeypatch.setattr(center.bell, "listening", noticed)
    waiting = Await(submitted.action_id, hold=600, timeout=600)
    with in_thread(lambda: carried(transport, waiting, asynchronous=asynchronous)) as results:
        assert listening.wait(PATIENCE)
        decide(center, approve=True)
        answer = results.get(timeout=PATIENCE)

    assert isinstance(answer, Decision)
    assert (answer.status, answer.decided_by) == (Status.APPROVED, "carol")


@sides
def test_a_wait_ends_with_its_hold_when_nobody_decides(transport: EmbeddedTransport, asynchronous: bool) -> None:
    submitted = transport.send(Submit(an_action(), "k", NONCE, 5))

    answer = carried(transport, Await(submitted.action_id, hold=0.01, timeout=5), asynchronous=asynchronous)

    assert answer.status is Status.PENDING


@sides
def test_a_wait_ends_when_the_center_closes(center: Center, transport: EmbeddedTransport, asynchronous: bool) -> None:
    submitted = transport.send(Submit(an_action(), "k", NONCE, 5))
    waiting = Await(submitted.action_id, hold=600, timeout=600)

    with in_thread(lambda: carried(transport, waiting, asynchronous=asynchronous)) as results:
        center.close()
        answer = results.get(timeout=PATIENCE)

    pending = isinstance(answer, Decision) and answer.status is Status.PENDING
    assert pending or (isinstance(answer, AuthorizationUnavailable) and answer.transient)


@sides
def test_the_whole_conversation_is_carried(center: Center, transport: EmbeddedTransport, asynchronous: bool) -> None:
    def send(command: Command) -> Decision:
        return carried(transport, command, asynchronous=asynchronous)

    asked = send(Submit(an_action(), "k", NONCE, 5))
    assert asked.offers == {"status", "wait", "claim", "outcome", "withdraw"}
    assert send(Submit(an_action(), "k", "another-nonce", 5)).action_id == asked.action_id
    decide(center, approve=True)
    assert send(Await(asked.action_id, 0, 5)).status is Status.APPROVED
    claimed = send(Claim(asked.action_id, "the-digest", NONCE, 5))
    assert (claimed.status, claimed.nonce) == (Status.EXECUTING, NONCE)
    done = send(Report(asked.action_id, NONCE, Outcome(Status.COMPLETED), 5))
    assert done.status is Status.COMPLETED


@sides
@pytest.mark.parametrize(
    "command",
    [
        Claim("1", "the-digest", NONCE, 5),
        Claim("1", "another", NONCE, 5),
        Report("1", NONCE, Outcome(Status.FAILED), 5),
    ],
    ids=["claim", "claim of another call", "report"],
)
def test_a_conflict_is_an_answer_that_says_how_the_action_stands(
    transport: EmbeddedTransport, command: Command, asynchronous: bool
) -> None:
    transport.send(Submit(an_action(), "k", NONCE, 5))
    transport.send(Withdraw("1", "cancelled", 5))

    answer = carried(transport, command, asynchronous=asynchronous)

    assert answer.status is Status.WITHDRAWN
    assert answer.nonce is None


@sides
@pytest.mark.parametrize("nonce", [NONCE, "another-nonce"])
def test_a_claim_that_comes_too_late_is_not_granted_whatever_its_nonce(
    tmp_path: Path, nonce: str, asynchronous: bool
) -> None:
    clock = Clock()
    center = Center(open_store(tmp_path / "another.db"), now=clock)
    transport = EmbeddedTransport(center, center.create_key(Role.USER))
    claimed = transport.send(Submit(an_action(action_type="order.lookup"), "k", NONCE, 5))
    assert (claimed.status, claimed.nonce) == (Status.EXECUTING, NONCE)
    clock.advance(61)

    answer = carried(transport, Claim(claimed.action_id, "the-digest", nonce, 5), asynchronous=asynchronous)

    assert (answer.status, answer.nonce) == (Status.EXECUTING, None)
    center.close()


@sides
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Await("4711", 0, 5), "notfound"),
        (Await("x", 0, 5), "notfound"),
        (Submit(replace(an_action(), decide_within=1e9), "k", NONCE, 5), "invalid"),
    ],
)
def test_what_the_center_will_not_do_is_could_not_ask(
    transport: EmbeddedTransport, command: Command, code: str, asynchronous: bool
) -> None:
    with pytest.raises(AuthorizationUnavailable) as refused:
        carried(transport, command, asynchronous=asynchronous)
    assert (refused.value.reason_code, refused.value.transient) == (code, False)


@sides
def test_a_key_that_is_not_known_is_could_not_ask(center: Center, asynchronous: bool) -> None:
    with pytest.raises(AuthorizationUnavailable) as refused:
        carried(EmbeddedTransport(center, "owkai_user_wrong"), Await("1", 0, 5), asynchronous=asynchronous)
    assert refused.value.reason_code == "bad_key"


@sides
def test_a_closed_center_is_could_not_ask_for_now(
    center: Center, transport: EmbeddedTransport, asynchronous: bool
) -> None:
    center.close()

    with pytest.raises(AuthorizationUnavailable) as refused:
        carried(transport, Submit(an_action(), "k", NONCE, 5), asynchronous=asynchronous)
    assert refused.value.transient


@pytest.mark.parametrize("asynchronous", [False, True], ids=["send", "asend"])
def test_too_many_pending_calls_is_could_not_ask_for_now(tmp_path: Path, asynchronous: bool) -> None:
    center = Center(open_store(tmp_path / "crowded.db"), max_pending=1)
    transport = EmbeddedTransport(center, center.create_key(Role.USER, "billing-bot"))
    transport.send(Submit(an_action(), "one", NONCE, PATIENCE))
    another = Submit(an_action(), "two", NONCE, PATIENCE)

    with pytest.raises(AuthorizationUnavailable) as refused:
        asyncio.run(transport.asend(another)) if asynchronous else transport.send(another)

    assert (refused.value.reason_code, refused.value.transient) == ("rate_limited", True)
    assert refused.value.retry_after == PENDING_RETRY_AFTER
    center.close()


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_key_that_has_ended_is_could_not_ask(tmp_path: Path, how: str) -> None:
    clock = Clock()
    center = Center(open_store(tmp_path / "ended.db"), now=clock)
    key = center.create_key(Role.USER, "billing-bot", lifetime=60)
    transport = EmbeddedTransport(center, key)
    asked = transport.send(Submit(an_action(), "one", NONCE, PATIENCE))
    if how == "revoked":
        center.revoke_key(key.split("_")[2])
    else:
        clock.advance(60)

    with pytest.raises(AuthorizationUnavailable) as refused:
        transport.send(Await(asked.action_id, 0, PATIENCE))

    assert (refused.value.reason_code, refused.value.transient) == ("bad_key", False)
    center.close()


def test_the_kill_switch_stops_the_claim_of_a_call_that_was_approved(
    center: Center, transport: EmbeddedTransport
) -> None:
    key = center.create_key(Role.SUPER_ADMIN, "dave")
    action = an_action(action_type="order.lookup")
    asked = transport.send(Submit(action, "one", "", PATIENCE))
    assert asked.status is Status.APPROVED
    center.do(lambda tx: center.desk.turn_switch(tx, center.principal(tx, key), on=True, reason="smoke"))

    answer = transport.send(Claim(asked.action_id, action.digest, NONCE, PATIENCE))

    assert (answer.status, answer.reason_code) == (Status.REVOKED, "kill_switch")


def test_the_key_is_not_in_its_repr_and_binds_secrets_as_over_http(center: Center) -> None:
    key = center.create_key(Role.USER)
    transport = EmbeddedTransport(center, key)

    assert key not in repr(transport)
    assert transport.binding_key == HttpTransport("http://127.0.0.1:1", key).binding_key


def test_many_waits_on_one_event_loop_are_all_woken(center: Center, transport: EmbeddedTransport) -> None:
    ran: list[int] = []
    lock = threading.Lock()

    def body(number: int) -> None:
        with lock:
            ran.append(number)

    async def act(number: int) -> None:
        async with authorized(
            action_type="payment.refund", tool_name="t", parameters={"number": number}, transport=transport
        ):
            body(number)

    async def program() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(act(number))

    with in_thread(lambda: asyncio.run(program())) as results:
        for _ in range(20):
            decide(center, approve=True)
        assert results.get(timeout=PATIENCE) is None

    assert sorted(ran) == list(range(20))
