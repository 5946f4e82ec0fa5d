"""What programs run against: the desk on any store, and a Center over HTTP. Both answer in the reference's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from tests.center.desks import Clock
from tests.center.memory import MemoryStore
from tests.center.policies import a_rule
from tests.center.programs import AT_MOST_PENDING, KINDS, PEOPLE, RUN_WITHIN, Step
from tests.center.reference import Answer
from tests.helpers import an_action
from tests.servers import Api, running_center

from clearance.center import refusals, switches, trail
from clearance.center.audit import Link
from clearance.center.desk import Desk
from clearance.center.faults import Conflict, DeskError, Forbidden, Invalid, NotFound, TooMany
from clearance.center.policy import Effect, Policy
from clearance.center.records import Principal, Record, Role, Stage, Submission
from clearance.center.store.base import Store, Tx
from clearance.center.store.databases import open_store
from clearance.lifecycle import CLAIMED
from clearance.models import Outcome, Status
from clearance.witness import Head

T = TypeVar("T")
WORDS: dict[type[DeskError], str] = {
    Forbidden: "forbidden",
    NotFound: "not found",
    Conflict: "conflict",
    Invalid: "invalid",
    TooMany: "too many",
}
CODES = {403: "forbidden", 404: "not found", 409: "conflict", 422: "invalid", 429: "too many"}
TOO_LONG = 31 * 24 * 3600
"""Seconds for a decision, which no Center gives."""


def the_policy() -> Policy:
    """What `KINDS` says, as a policy."""
    rules = [
        a_rule(
            name,
            Effect(kind.effect),
            kind.action_type,
            stages=tuple(Stage(quorum, names) for quorum, names in kind.stages),
            escalate_to=kind.escalate_to,
        )
        for name, kind in KINDS.items()
    ]
    return Policy(rules, version="1")


class System:
    """The desk on a store. Programs run on it one after the other, each with actions of its own.

    Args:
        name: what it is called when it fails.
        do: runs one transaction on its store, and raises what the desk refuses.
        desk: the desk, with a clock that only programs move.
    """

    programs = 25
    """How many are run on one before the next is opened."""

    def __init__(
        self, name: str, store: Store, desk: Desk, clock: Clock, do: Callable[[Callable[[Tx], Any]], Any]
    ) -> None:
        self.name, self.store, self.desk, self.clock, self._do = name, store, desk, clock, do
        self.people = {name: Principal(f"id-{name}", name, Role(role), owner) for name, (role, owner) in PEOPLE.items()}
        self.ids: list[int] = []
        self._program = 0

    def do(self, work: Callable[[Tx], T]) -> T:
        """Run one transaction."""
        value: T = self._do(work)
        return value

    def begin(self) -> None:
        """The next program: nothing was asked for yet."""
        self._program = self.do(lambda tx: tx.audit_length())  # a number that no other program on it has
        self.ids = []
        self.clock.now += 1

    def perform(self, step: Step) -> Answer:
        """Take the step."""
        said = dict(step.said)
        if "which" in said:
            said["action"] = self.nth(said.pop("which"))
        try:
            answer: Answer = getattr(self, step.deed)(**said)
        except DeskError as refusal:
            return (WORDS[type(refusal)],)
        return answer

    def agrees(self, expected: Answer, answer: Answer) -> bool:
        """Is it what was expected?"""
        return answer == expected

    def look(self, after: int) -> tuple[list[str], list[Link], Head | None]:
        """How the program's actions are kept, the entries of the trail behind ``after``, and the head, untouched."""

        def see(tx: Tx) -> tuple[dict[int, str], list[Link]]:
            return {each.id: each.status.value for each in tx.standings(self.ids)}, list(tx.audit(after=after))

        found, links = self.do(see)
        return [found[action_id] for action_id in self.ids], links, self.store.head

    def records(self) -> list[Record]:
        """The program's actions after somebody has looked at each, as they are kept."""
        carol = self.people["carol"]
        return [self.do(partial(self.desk.read, who=carol, action_id=each)) for each in self.ids]

    def end(self) -> None:
        """The program is over: nothing of it waits any more, and nothing is stopped."""
        dave = self.people["dave"]
        for it in self.do(switches.on):
            self.do(partial(self.desk.turn_switch, who=dave, on=False, agent=it.agent, tool=it.tool, reason="over"))
        self.clock.advance(24 * 3600)
        self.sweep()

    def nth(self, which: int) -> int:
        """The id of an action, counted from the newest."""
        return self.ids[len(self.ids) - 1 - which % len(self.ids)]

    def index(self, action_id: int) -> int:
        """The number of an action in the program; a new one has the next."""
        if action_id not in self.ids:
            self.ids.append(action_id)
        return self.ids.index(action_id)

    def fields(self, kind: str, call: int, *, claims: bool, too_long: bool) -> dict[str, Any]:
        """What is asked for, in the words of an `Action`."""
        it = KINDS[kind]
        return {
            "action_type": it.action_type,
            "tool_name": it.tool,
            "description": kind,
            "parameters": {"charge_id": f"{self._program}-{call}-{claims}", "amount": 5},
            "digest": f"digest-{self._program}-{kind}-{call}-{claims}",
            "decide_within": TOO_LONG if too_long else it.decide_within,
            "run_within": float(RUN_WITHIN),
            "editable": ("amount",) if it.editable else (),
        }

    # The deeds of `CHOICES`

    def submit(
        self, who: str, kind: str, call: int, claims: bool, key: str | None, nonce: str | None, too_long: bool
    ) -> Answer:
        action = an_action(**self.fields(kind, call, claims=claims, too_long=too_long), agent_id=f"the-{who}")
        submission = Submission(action, key and f"{self._program}-{key}", nonce, claims)
        record = self.do(lambda tx: self.desk.submit(tx, self.people[who], submission))
        holds = record.status is Status.EXECUTING and record.nonce is not None and record.nonce == nonce
        return record.status.value, self.index(record.id), holds

    def decide(self, who: str, action: int, approve: bool, edits: bool) -> Answer:
        changes: dict[str, Any] = {"amount": 4} if edits else {}
        return self._told(lambda tx: self.desk.decide(tx, self.people[who], action, approve=approve, edits=changes))

    def claim(self, who: str, action: int, digest: bool, nonce: str, edited: str | None) -> Answer:
        sent = self.digest_of(action) if digest else "another-digest"
        record = self.do(lambda tx: self.desk.claim(tx, self.people[who], action, sent, nonce, edited))
        return (record.status.value,) if record.status is Status.EXECUTING else ("conflict",)

    def report(self, who: str, action: int, nonce: str, outcome: str) -> Answer:
        said = Outcome(Status(outcome))
        return self._told(lambda tx: self.desk.report(tx, self.people[who], action, nonce, said))

    def withdraw(self, who: str, action: int) -> Answer:
        return self._told(lambda tx: self.desk.withdraw(tx, self.people[who], action, "no longer wanted"))

    def revoke(self, who: str, action: int) -> Answer:
        return self._told(lambda tx: self.desk.revoke(tx, self.people[who], action))

    def resolve(self, who: str, action: int, outcome: str, reason: str) -> Answer:
        status = Status(outcome)
        return self._told(lambda tx: self.desk.resolve(tx, self.people[who], action, status=status, reason=reason))

    def read(self, who: str, action: int) -> Answer:
        return self._told(lambda tx: self.desk.read(tx, self.people[who], action))

    def wait(self, who: str, whiches: tuple[int, ...]) -> Answer:
        ids = {self.nth(which) for which in whiches}
        found = self.do(lambda tx: self.desk.settled_among(tx, self.people[who], ids))
        return ("decided", *(self.index(record.id) for record in found))

    def list(self, who: str) -> Answer:
        found = self.do(lambda tx: self.desk.list(tx, self.people[who], limit=len(self.ids)))
        ours = [record for record in reversed(found) if record.id in self.ids]
        return ("found", *((self.index(record.id), record.status.value) for record in ours))

    def approve_all(self, who: str, levels: tuple[str, ...]) -> Answer:
        found = self.do(lambda tx: self.desk.decide_all(tx, self.people[who], frozenset(levels)))
        return ("approved", *sorted(self.index(record.id) for record in found))

    def kill(self, who: str, on: bool, agent: str, tool: str) -> Answer:
        self.do(lambda tx: self.desk.turn_switch(tx, self.people[who], on=on, agent=agent, tool=tool, reason="a drill"))
        return ("on" if on else "off",)

    def advance(self, seconds: float) -> Answer:
        self.clock.advance(seconds)
        return ("done",)

    def sweep(self) -> Answer:
        self.do(self.desk.sweep)
        return ("done",)

    def change_policy(self) -> Answer:
        policy, after = self.desk.policy, 0
        assert isinstance(policy, Policy)
        self.desk.policy = Policy(policy.rules, version=str(int(policy.version) + 1))
        while (found := self.do(partial(self.desk.outdate, after=after))) is not None:
            after = found
        return ("done",)

    def digest_of(self, action: int) -> str:
        """The digest under which it is kept."""
        record = self.do(lambda tx: tx.action(action))
        assert record is not None
        return record.action.digest

    def _told(self, work: Callable[[Tx], Record]) -> Answer:
        return (self.do(work).status.value,)


class HttpSystem(System):
    """A Center that listens, its timer running. What it is asked goes over a socket; what is looked at does not."""

    def __init__(self, *args: Any, apis: dict[str, Api]) -> None:
        super().__init__(*args)
        self._apis = apis

    def agrees(self, expected: Answer, answer: Answer) -> bool:
        """Some routes say of what is claimed only that it is."""
        words = [CLAIMED if word == "claimed" else {word} for word in answer]
        return len(words) == len(expected) and all(it in word for it, word in zip(expected, words, strict=True))

    def submit(
        self, who: str, kind: str, call: int, claims: bool, key: str | None, nonce: str | None, too_long: bool
    ) -> Answer:
        fields = self.fields(kind, call, claims=claims, too_long=too_long)
        extra = {"v": 1, "decide_within_s": float(fields["decide_within"]), "run_within_s": fields["run_within"]}
        extra |= {"editable": fields["editable"], "claim": claims}
        extra |= {"digest": fields["digest"]} if claims else {}
        extra |= {"nonce": nonce} if nonce else {}
        body = {name: fields[name] for name in ("action_type", "tool_name", "description")}
        body |= {"agent_id": f"the-{who}", "action_details": fields["parameters"], "extra_data": {"clearance": extra}}
        headers = {"Idempotency-Key": f"{self._program}-{key}"} if key else {}
        answer = self._apis[who].post("/api/v1/actions/submit", body, headers=headers)
        if answer.status_code != 200:
            return (CODES[answer.status_code],)
        told = answer.json()
        return told["lifecycle"] or "claimed", self.index(told["id"]), told["status"] == "executing"

    def decide(self, who: str, action: int, approve: bool, edits: bool) -> Answer:
        body: dict[str, Any] = {"reason": "", **({"parameters": {"amount": 4}} if edits else {})}
        return self._post(who, action, "approve" if approve else "reject", body)

    def claim(self, who: str, action: int, digest: bool, nonce: str, edited: str | None) -> Answer:
        sent = self.digest_of(action) if digest else "another-digest"
        return self._post(who, action, "claim", {"digest": sent, "nonce": nonce, "edited_digest": edited})

    def report(self, who: str, action: int, nonce: str, outcome: str) -> Answer:
        return self._post(who, action, "outcome", {"nonce": nonce, "outcome": outcome})

    def withdraw(self, who: str, action: int) -> Answer:
        return self._post(who, action, "withdraw", {"reason": "no longer wanted"})

    def revoke(self, who: str, action: int) -> Answer:
        return self._post(who, action, "revoke", {})

    def resolve(self, who: str, action: int, outcome: str, reason: str) -> Answer:
        return self._post(who, action, "resolve", {"outcome": outcome, "reason": reason})

    def read(self, who: str, action: int) -> Answer:
        route = "/status" if action % 2 else ""
        return self._told_over(self._apis[who].get(f"/api/v1/actions/{action}{route}"))

    def wait(self, who: str, whiches: tuple[int, ...]) -> Answer:
        ids = ",".join(str(self.nth(which)) for which in whiches)
        answer = self._apis[who].get(f"/api/v1/actions/wait?ids={ids}")
        if answer.status_code != 200:
            return (CODES[answer.status_code],)
        return ("decided", *(self.index(told["id"]) for told in answer.json()))

    def list(self, who: str) -> Answer:
        told = self._apis[who].get(f"/api/v1/actions?limit={len(self.ids)}").json()
        ours = [each for each in reversed(told) if each["id"] in self.ids]
        return ("found", *((self.index(each["id"]), each["lifecycle"]) for each in ours))

    def approve_all(self, who: str, levels: tuple[str, ...]) -> Answer:
        answer = self._apis[who].post("/api/v1/actions/approve-all", {"risk_levels": levels})
        if answer.status_code != 200:
            return (CODES[answer.status_code],)
        return ("approved", *sorted(self.index(each) for each in answer.json()["approved"]))

    def kill(self, who: str, on: bool, agent: str, tool: str) -> Answer:
        body = {
            "on": on,
            "reason": "a drill",
            **({"agent": agent} if agent else {}),
            **({"tool": tool} if tool else {}),
        }
        answer = self._apis[who].post("/api/v1/kill-switch", body)
        return (CODES[answer.status_code],) if answer.status_code != 200 else ("on" if on else "off",)

    def _post(self, who: str, action: int, route: str, body: dict[str, Any]) -> Answer:
        return self._told_over(self._apis[who].post(f"/api/v1/actions/{action}/{route}", body))

    def _told_over(self, answer: Any) -> Answer:
        if answer.status_code != 200:
            return (CODES[answer.status_code],)
        return (answer.json()["lifecycle"] or "claimed",)


def opened(where: str) -> AbstractContextManager[System]:
    """The desk in ``memory``, on ``sqlite`` or at ``postgresql://...``; or a Center that answers over ``http``."""
    match where:
        case "memory":
            return nullcontext(in_memory())
        case "sqlite":
            return on_sqlite()
        case "http":
            return over_http()
        case _:
            return on_database(where, where)


def in_memory() -> System:
    """The desk on a store in memory. There is nothing to close, so each program has its own."""
    store, clock = MemoryStore(), Clock()
    desk = Desk(the_policy(), clock, AT_MOST_PENDING)
    system = System("memory", store, desk, clock, lambda work: refusals.told(store.do(refusals.keeping(work))))
    system.programs = 1
    return system


@contextmanager
def on_sqlite() -> Iterator[System]:
    """The desk on a new file."""
    folder = TemporaryDirectory(prefix="clearance-model-")
    with folder, on_database("sqlite", f"{folder.name}/center.db") as system:
        yield system


@contextmanager
def on_database(name: str, address: str) -> Iterator[System]:
    """The desk on SQLite, or on PostgreSQL."""
    clock = Clock()
    desk = Desk(the_policy(), clock, AT_MOST_PENDING)
    with closing(open_store(address)) as store:
        clock.now = max(clock.now, store.submit(trail.last_time).result(30))

        def do(work: Callable[[Tx], T]) -> T:
            return refusals.told(store.submit(refusals.keeping(work)).result(30))

        yield System(name, store, desk, clock, do)


@contextmanager
def over_http() -> Iterator[System]:
    """A Center on a new file, that listens on a socket."""
    clock = Clock()
    with ExitStack() as stack:
        database = Path(stack.enter_context(TemporaryDirectory(prefix="clearance-model-"))) / "center.db"
        serving = running_center(database, policy=the_policy(), now=clock, rate=0, max_pending=AT_MOST_PENDING)
        running = stack.enter_context(serving)
        center = running.center
        keys = {name: center.create_key(Role(role), name, owner=owner) for name, (role, owner) in PEOPLE.items()}
        apis = {name: stack.enter_context(Api(running.url, key)) for name, key in keys.items()}
        system = HttpSystem("http", center.store, center.desk, clock, center.do, apis=apis)
        system.people = {name: center.do(partial(center.principal, key=key)) for name, key in keys.items()}
        yield system
