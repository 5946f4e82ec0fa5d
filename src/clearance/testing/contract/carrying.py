"""How the cases talk to the other end: one command, or several at the same time. Here sync and async differ."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

from clearance.commands import Await, Claim, Command, Report, Submit, Withdraw
from clearance.errors import AuthorizationUnavailable
from clearance.guards import authorized, requires_authorization
from clearance.models import Action, Decision, Json, Outcome, Status
from clearance.testing.contract.peers import Contract, Peer

T = TypeVar("T")
Job: TypeAlias = Command | Callable[[], object]
"""A command to carry, or something that the approver does."""

DECIDE_WITHIN = 60.0
"""Seconds for a decision, in all cases."""
RUN_WITHIN = 300.0
"""Seconds for which an approval is good."""
TIMEOUT = 20.0
"""Seconds that one exchange may take."""
PATIENCE = 60.0
"""Seconds after which something that should have happened counts as never happening."""
EDITS: dict[str, Json] = {"amount": 3}
"""What an approver changes: 5 was asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it was submitted, and the answer. ``nonce`` is the one that it is, or would be, claimed with."""

    submit: Submit
    decision: Decision
    nonce: str

    @property
    def id(self) -> str:
        """The action's id."""
        return self.decision.action_id

    @property
    def digest(self) -> str:
        """The digest of the call as it was asked."""
        return self.submit.action.digest

    def claim(self, *, nonce: str | None = None, digest: str | None = None, edited: str | None = None) -> Claim:
        """Its claim, with its own nonce and digest unless told otherwise."""
        return Claim(
            self.id, self.digest if digest is None else digest, nonce or self.nonce, TIMEOUT, edited_digest=edited
        )

    def report(self, status: Status = Status.COMPLETED, *, nonce: str | None = None) -> Report:
        """The report of that outcome."""
        return Report(self.id, nonce or self.nonce, Outcome(status), TIMEOUT)

    def wait(self, hold: float = 0.0) -> Await:
        """The question how it stands."""
        return Await(self.id, hold, hold + TIMEOUT)

    def withdraw(self) -> Withdraw:
        """Its withdrawal."""
        return Withdraw(self.id, "no longer wanted", TIMEOUT)


def digest_of(what: str) -> str:
    """A digest, as calls have them."""
    return base64.urlsafe_b64encode(hashlib.sha256(what.encode()).digest()).decode().rstrip("=")


OTHER_CALL, CHANGED_CALL = digest_of("another call"), digest_of("the call, as an approver changed it")
"""Digests of calls that nobody asked for, and of one that an approver made of another."""


def fresh() -> str:
    """A name that nothing else has."""
    return secrets.token_hex(16)


class Carrying(Contract):
    """Carries commands for the cases; made for one kind of transport by `SyncCarrying` and `AsyncCarrying`."""

    @classmethod
    def connected(cls, folder: Path) -> AbstractContextManager[Peer]:
        """The transport under test, a new one, on a new Center; what it needs on disk goes in ``folder``.

        Override it, as a `contextlib.contextmanager` that yields a `Peer` and tidies up afterwards.
        """
        raise NotImplementedError(
            f"{cls.__name__} says of no transport that it is to be tested: override connected(folder) with a "
            "@classmethod @contextmanager that yields a Peer."
        )

    @classmethod
    def run_all(cls) -> Iterator[tuple[str, BaseException | None]]:
        """Run every case without pytest: its name, and what it raised, if anything."""
        with tempfile.TemporaryDirectory() as folder, cls.connected(Path(folder)) as peer:
            for each in cls.cases():
                try:
                    each.run(peer)
                except Exception as error:  # noqa: BLE001 - whatever it is, the case has failed
                    yield each.name, error
                else:
                    yield each.name, None
        cls.teardown_class()

    @classmethod
    def teardown_class(cls) -> None:
        """End what the class has opened for itself."""

    def carry(self, transport: Any, command: Command) -> Decision:
        """Carry one command."""
        raise NotImplementedError

    def together(self, transport: Any, jobs: Sequence[Job]) -> list[Any]:
        """All of these at the same time; what each gave, or raised."""
        raise NotImplementedError

    def act(
        self, transport: Any, door: str, ran: list[object], error: Exception | None = None, **options: Any
    ) -> object:
        """Make a guarded call that appends the amount to ``ran``, and raises ``error`` then; 5 is asked for."""
        raise NotImplementedError

    # What most cases say

    def action(self, **changes: Any) -> Action:
        """An action that nobody asked for before."""
        name = fresh()
        action = Action(
            agent_id="contract",
            action_type=self.action_type,
            tool_name="contract",
            description=f"Refund 5 on {name}",
            parameters={"charge_id": name, "amount": 5},
            digest=digest_of(name),
            decide_within=DECIDE_WITHIN,
            run_within=RUN_WITHIN,
            editable=("amount",),
        )
        return replace(action, **changes)

    def submitted(self, transport: Any, nonce: str = "", **changes: Any) -> Request:
        """Submit a new action."""
        submit = Submit(self.action(**changes), fresh(), nonce, TIMEOUT)
        return Request(submit, self.carry(transport, submit), nonce or fresh())

    def approved(self, peer: Peer, edits: dict[str, Json] | None = None) -> Request:
        """A request that was approved."""
        request = self.submitted(peer.transport)
        peer.approver.approve(request.id, edits or {})
        return request

    def claimed(self, peer: Peer) -> Request:
        """A request whose approval was spent."""
        request = self.approved(peer)
        assert is_yes(self.carry(peer.transport, request.claim()), request.nonce), "an approval can be claimed"
        return request

    def tried(self, transport: Any, command: Command) -> Decision | None:
        """The answer; None if there is none that can be trusted. Whatever else is raised fails the case."""
        try:
            return self.carry(transport, command)
        except AuthorizationUnavailable:
            return None

    def is_unavailable(self, transport: Any, command: Command) -> None:
        """Nothing is answered but that there is no answer."""
        try:
            answer = self.carry(transport, command)
        except AuthorizationUnavailable:
            return
        raise AssertionError(f"{type(command).__name__} was answered with {answer}; AuthorizationUnavailable is due")


def is_yes(answer: object, nonce: str) -> bool:
    """Is it the yes to a claim with this nonce: leave to run?"""
    return isinstance(answer, Decision) and answer.status is Status.EXECUTING and answer.nonce == nonce


class SyncCarrying(Carrying):
    """Over a transport with ``send``, from threads."""

    def carry(self, transport: Any, command: Command) -> Decision:
        """Carry one command."""
        decision: Decision = transport.send(command)
        return decision

    def together(self, transport: Any, jobs: Sequence[Job]) -> list[Any]:
        """All of these at the same time, each in a thread."""
        barrier = threading.Barrier(len(jobs))

        def work(job: Job) -> object:
            barrier.wait(PATIENCE)
            try:
                return job() if callable(job) else transport.send(job)
            except Exception as error:  # noqa: BLE001 - it is what came of it
                return error

        with ThreadPoolExecutor(len(jobs)) as threads:
            return list(threads.map(work, jobs))

    def act(
        self, transport: Any, door: str, ran: list[object], error: Exception | None = None, **options: Any
    ) -> object:
        """Make a guarded call; see `Carrying`."""

        def body(amount: object) -> object:
            ran.append(amount)
            if error is not None:
                raise error
            return amount

        given: dict[str, Any] = {
            "action_type": self.action_type,
            "tool_name": "contract",
            "transport": transport,
            **options,
        }
        if door == "block":
            with authorized(**given, parameters={"amount": 5, "charge_id": fresh()}) as grant:
                return body(grant.parameters["amount"])

        def called(amount: int, charge_id: str) -> object:
            return body(amount)

        guarded: Callable[..., object] = requires_authorization(**given, editable={"amount"})(called)
        return guarded(5, fresh())


class AsyncCarrying(Carrying):
    """Over a transport with ``asend``, on one event loop for the class."""

    _runner: ClassVar[asyncio.Runner | None] = None

    @classmethod
    def run(cls, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop of the class; also for what `connected` has to await."""
        if cls.__dict__.get("_runner") is None:
            cls._runner = asyncio.Runner()
        assert cls._runner is not None
        return cls._runner.run(coroutine)

    @classmethod
    def teardown_class(cls) -> None:
        """Close the event loop."""
        runner, cls._runner = cls.__dict__.get("_runner"), None
        if runner is not None:
            runner.close()

    def carry(self, transport: Any, command: Command) -> Decision:
        """Carry one command."""
        decision: Decision = self.run(transport.asend(command))
        return decision

    def together(self, transport: Any, jobs: Sequence[Job]) -> list[Any]:
        """All of these at the same time, each in a task."""

        async def all_of_them() -> list[Any]:
            works = [asyncio.to_thread(job) if callable(job) else transport.asend(job) for job in jobs]
            return await asyncio.gather(*works, return_exceptions=True)

        return self.run(all_of_them())

    def act(
        self, transport: Any, door: str, ran: list[object], error: Exception | None = None, **options: Any
    ) -> object:
        """Make a guarded call; see `Carrying`."""

        async def body(amount: object) -> object:
            ran.append(amount)
            if error is not None:
                raise error
            return amount

        given: dict[str, Any] = {
            "action_type": self.action_type,
            "tool_name": "contract",
            "transport": transport,
            **options,
        }

        async def block() -> object:
            async with authorized(**given, parameters={"amount": 5, "charge_id": fresh()}) as grant:
                return await body(grant.parameters["amount"])

        async def called(amount: int, charge_id: str) -> object:
            return await body(amount)

        guarded: Callable[..., Coroutine[Any, Any, object]]
        guarded = requires_authorization(**given, editable={"amount"})(called)
        return self.run(block() if door == "block" else guarded(5, fresh()))


def silently(work: Callable[..., object], *arguments: object) -> Callable[[], None]:
    """Something that an approver does, which may be too late to do."""

    def try_it() -> None:
        with suppress(Exception):
            work(*arguments)

    return try_it
