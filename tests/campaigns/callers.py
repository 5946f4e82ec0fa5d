"""Programs that go on asking a Center which keeps dying: what got no answer is asked again, under the same key."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from dataclasses import dataclass

import requests
from tests.campaigns.ledger import Ledger, Wish
from tests.campaigns.mortals import NOWHERE
from tests.servers import PATIENCE, Api, a_submit, claiming

from clearance import AuthorizationUnavailable, Decision, requires_authorization
from clearance.models import Action
from clearance.settings import override
from clearance.transports import HttpTransport


@dataclass(frozen=True)
class Keys:
    """One program's, of its own."""

    agent: str
    agent_id: str
    approver: str
    approver_id: str


class Site:
    """The address at which one Center after the other listens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_over = False
        """Ends the programs, once they are through with what they do."""
        self.number = 0
        """How many have listened."""
        self.errors: list[BaseException] = []
        self._answers = 0
        self._changed = threading.Condition()

    def opened(self) -> None:
        """Another one listens."""
        with self._changed:
            self.number += 1
            self._changed.notify_all()

    def answered(self) -> None:
        """It has answered a request."""
        with self._changed:
            self._answers += 1
            self._changed.notify_all()

    def failed(self, error: BaseException) -> None:
        """A program was told what must not be; nobody need wait any more."""
        with self._changed:
            self.errors.append(error)
            self._changed.notify_all()

    def await_the_next(self, number: int) -> None:
        """Wait until another one listens than the one with this number."""
        with self._changed:
            self._changed.wait_for(lambda: self.number > number or self.errors, PATIENCE)
            assert self.number > number, "No other Center has come."

    def await_answers(self, count: int) -> None:
        """Wait until so many more requests were answered."""
        with self._changed:
            enough = self._answers + count
            self._changed.wait_for(lambda: self._answers >= enough or self.errors, PATIENCE)
            assert self._answers >= enough, "No answers have come."


class Line:
    """One key's connection to the Center, whichever it is."""

    def __init__(self, site: Site, key: str) -> None:
        self._site = site
        self._api = Api(site.url, key)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.__exit__()

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        """Ask until there is an answer."""
        while True:
            number = self._site.number
            try:
                answer = self._api.post(f"/api/v1/actions/{path}", body, headers=headers)
            except requests.exceptions.RequestException:
                self._site.await_the_next(number)
            else:
                self._site.answered()
                return answer


class Caller:
    """An agent and its approver, over real sockets; what they are answered is in the ledger."""

    def __init__(self, site: Site, ledger: Ledger, name: str, keys: Keys) -> None:
        self._site, self._ledger, self._name, self._keys = site, ledger, name, keys
        self._random = random.Random(name)
        self._numbers = itertools.count(1)
        self._asked: list[tuple[str, str]] = []
        self.bodies: Counter[int] = Counter()

    def run(self) -> None:
        """Ask, decide, claim, run and report, until it is over."""
        with Line(self._site, self._keys.agent) as agent, Line(self._site, self._keys.approver) as approver:
            while not self._site.is_over:
                self._one_action(agent, approver)

    def _one_action(self, agent: Line, approver: Line) -> None:
        key, kind = (
            f"{self._name}/{next(self._numbers)}",
            self._random.choice(["payment.refund"] * 4 + ["order.lookup"]),
        )
        self._asked.append((key, kind))
        action, is_claimed = self._submit(agent, key, kind)
        if self._random.random() < 0.3:
            assert agent.post(f"{NOWHERE}/withdraw", {}).status_code == 404
        if self._random.random() < 0.3:
            self._submit(agent, *self._random.choice(self._asked[-20:]))
        if not is_claimed:
            match self._random.choice(["approve"] * 6 + ["reject", "withdraw"]):
                case "approve":
                    self._ask(approver, Wish("approve", action, self._keys.approver_id), "approve", {}, yes=True)
                case "reject":
                    self._ask(
                        approver, Wish("deny", action, self._keys.approver_id), "reject", {"reason": "no"}, yes=True
                    )
                    self._claim(agent, action, f"{key}/too late", yes=False)
                    return
                case _:
                    self._ask(agent, Wish("withdraw", action), "withdraw", {}, yes=True)
                    return
            self._claim(agent, action, f"{key}/nonce", yes=True)
        self._run_and_report(agent, action, key)

    def _run_and_report(self, agent: Line, action: int, key: str) -> None:
        """With leave to run: nobody else gets it, and the same one is told the same again."""
        self.bodies[action] += 1
        if self._random.random() < 0.5:
            self._claim(agent, action, f"{key}/rival", yes=False)
        if self._random.random() < 0.5:
            self._claim(agent, action, f"{key}/nonce", yes=True)
        word = self._random.choice(["completed", "failed"])
        wish = Wish("complete" if word == "completed" else "fail", action)
        self._ask(agent, wish, "outcome", {"nonce": f"{key}/nonce", "outcome": word}, yes=True)

    def _submit(self, agent: Line, key: str, kind: str) -> tuple[int, bool]:
        token = f"{self._name}#{next(self._numbers)}"
        self._ledger.tried(token, Wish("submit", 0, key, kind))
        body = a_submit(action_type=kind, extra_data=claiming(nonce=f"{key}/nonce", digest=f"digest of {key}"))
        answer = agent.post("submit", body, **{"Idempotency-Key": key})
        assert answer.status_code == 200, answer.text
        said = answer.json()
        is_claimed = said["status"] == "executing"
        self._ledger.said_yes(token, said["id"], said["nonce"] if is_claimed else None)
        return said["id"], is_claimed

    def _claim(self, agent: Line, action: int, nonce: str, *, yes: bool) -> None:
        wish = Wish("claim", action, nonce)
        digest = f"digest of {nonce.rpartition('/')[0]}"
        self._ask(agent, wish, "claim", {"digest": digest, "nonce": nonce}, yes=yes)

    def _ask(self, line: Line, wish: Wish, path: str, body: object, *, yes: bool) -> None:
        """One request that is to be granted, or refused."""
        token = f"{self._name}#{next(self._numbers)}"
        self._ledger.tried(token, wish)
        answer = line.post(f"{wish.action}/{path}", body)
        assert answer.status_code == (200 if yes else 409), f"{wish}: {answer.status_code} {answer.text}"
        if yes:
            self._ledger.said_yes(token, wish.action, answer.json()["nonce"] if wish.deed == "claim" else None)
        else:
            self._ledger.said_no(token)


class Guarded:
    """A program that calls a guarded function; whoever is asked says yes at once."""

    def __init__(self, site: Site, keys: Keys) -> None:
        self._site, self._keys = site, keys
        self.ran: Counter[str] = Counter()
        self.returned: set[str] = set()
        self.refused: dict[str, AuthorizationUnavailable] = {}

    def run(self) -> None:
        """Call it, until it is over."""
        with HttpTransport(self._site.url, self._keys.agent) as transport, Line(self._site, self._keys.approver) as yes:

            def approve(_action: Action, decision: Decision) -> None:
                answer = yes.post(f"{decision.action_id}/approve", {})
                assert answer.status_code == 200, answer.text

            @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=transport)
            def refund(number: str) -> None:
                self.ran[number] += 1

            with override(on_wait=approve):
                for number in map(str, itertools.count()):
                    if self._site.is_over:
                        break
                    try:
                        refund(number)
                        self.returned.add(number)
                    except AuthorizationUnavailable as refusal:
                        self.refused[number] = refusal
