"""What a desk must do, said as plainly as can be: dictionaries in memory, written from the lifecycle and nothing else.

It knows no store and no timer: whatever is due has happened, when the clock says so. ``lags`` are the statuses that a
store may still have for an action meanwhile, until somebody looks.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NoReturn

from tests.center.programs import AT_MOST_PENDING, KINDS, PEOPLE, RUN_WITHIN, Step

TABLE: dict[str, dict[str, str]] = {
    "pending": {"vote": "pending", "escalate": "pending", "approve": "approved", "deny": "denied", "expire": "expired",
                "withdraw": "withdrawn"},
    "approved": {"claim": "executing", "withdraw": "withdrawn", "revoke": "revoked", "lapse": "lapsed",
                 "outdate": "stale", "lose": "unknown"},
    "executing": {"complete": "completed", "fail": "failed", "lose": "unknown"},
    "unknown": {"complete": "completed", "fail": "failed"},
    "completed": {}, "failed": {}, "denied": {}, "expired": {}, "lapsed": {}, "withdrawn": {}, "revoked": {},
    "stale": {},
}  # fmt: skip
TIME = ("advance", "sweep")
OUTCOMES = {"completed": "complete", "failed": "fail", "unknown": "lose"}
SECOND = 1_000_000
RUN_FOR, REPEAT_WITHIN, REMEMBER = 3600 * SECOND, 60 * SECOND, 60 * SECOND
Answer = tuple[Any, ...]


class Refused(Exception):
    """The answer is no, of this kind."""


def refuse(kind: str) -> NoReturn:
    raise Refused(kind)


def is_decider(who: str) -> bool:
    return PEOPLE[who][0] in ("admin", "super_admin")


def is_reader(who: str) -> bool:
    return is_decider(who) or PEOPLE[who][0] == "auditor"


def is_same_person(one: str, other: str) -> bool:
    return one == other or (PEOPLE[one][1] is not None and PEOPLE[one][1] == PEOPLE[other][1])


class Reference:
    """The desk. `do` takes a step; everything there is to know is in its dictionaries."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.policy = 0
        self.actions: list[dict[str, Any]] = []
        self.keys: dict[tuple[str, str], tuple[tuple[Any, ...], int]] = {}
        self.switches: dict[tuple[str, str], bool] = {}
        self.refused: Counter[tuple[int, str, str]] = Counter()
        self.moved: set[tuple[str, str]] = set()
        self.stayed: set[tuple[str, str]] = set()
        self._looked: list[dict[str, Any]] = []

    def do(self, step: Step) -> Answer:
        """Take the step; the answer starts with a status, or is a refusal of one word."""
        said = dict(step.said)
        if "which" in said:
            said["action"] = self.nth(said.pop("which"))
        self._looked = []
        try:
            answer: Answer = ("done",) if step.deed in TIME else getattr(self, step.deed)(**said)
        except Refused as refusal:
            answer = refusal.args
        if answer[0] not in ("invalid", "not found", "too many"):  # there, nothing is kept of what was looked at
            for action in self._looked:
                action["lags"].clear()
        return answer

    def nth(self, which: int) -> dict[str, Any]:
        """An action, counted from the newest."""
        return self.actions[len(self.actions) - 1 - which % len(self.actions)]

    # What agents do

    def submit(
        self, who: str, kind: str, call: int, claims: bool, key: str | None, nonce: str | None, too_long: bool
    ) -> Answer:
        if PEOPLE[who][0] == "auditor":
            refuse("forbidden")
        body = (kind, call, claims, too_long)
        if key is not None and (who, key) in self.keys:
            return self.submit_again(self.keys[who, key], body, nonce)
        if too_long:
            refuse("invalid")
        action: dict[str, Any] = {
            "index": len(self.actions), "who": who, "kind": kind, "call": call, "claims": claims, "status": "pending",
            "created": self.now, "decide_by": self.now + KINDS[kind].decide_within * SECOND, "policy": self.policy,
            "votes": [], "decider": None, "denied_at": None, "run_by": None, "nonce": None, "claimed_at": 0,
            "edits": False, "edited": None, "read": False, "escalated": False, "maybe": False, "outdated": False,
            "lags": set(),
        }  # fmt: skip
        effect = "deny" if self.is_stopped(action) or self.was_just_denied(action) else KINDS[kind].effect
        if effect == "deny":
            self.move(action, "deny")
        elif effect == "allow":
            self.approve(action)
            if claims and nonce:
                self.start(action, nonce, None)
        elif sum(other["status"] == "pending" and other["who"] == who for other in self.actions) >= AT_MOST_PENDING:
            refuse("too many")
        self.actions.append(action)
        if key is not None:
            self.keys[who, key] = (body, action["index"])
        self.mark_read(action, who)
        return action["status"], action["index"], action["status"] == "executing"

    def submit_again(self, known: tuple[tuple[Any, ...], int], body: tuple[Any, ...], nonce: str | None) -> Answer:
        action = self.look(self.actions[known[1]])
        if known[0] != body:
            refuse("invalid")
        self.mark_read(action, action["who"])
        holds = action["status"] == "executing" and nonce is not None and action["nonce"] == nonce
        return action["status"], action["index"], holds and not self.is_stopped(action)

    def claim(self, who: str, action: dict[str, Any], digest: bool, nonce: str, edited: str | None) -> Answer:
        self.own(who, action, "claim")
        self.look(action)
        is_repeat = (action["nonce"], action["edited"], True) == (nonce, edited, digest)
        if action["status"] == "executing" and is_repeat and self.now <= action["claimed_at"] + REPEAT_WITHIN:
            if self.is_stopped(action):
                self.refuse(action, "claim")
            return ("executing",)
        if action["policy"] != self.policy:
            self.stayed.add((action["status"], "outdate"))
        self.allow(action, "claim")
        if not digest or action["edits"] != (edited is not None):
            self.refuse(action, "claim")
        self.start(action, nonce, edited)
        return ("executing",)

    def report(self, who: str, action: dict[str, Any], nonce: str, outcome: str) -> Answer:
        event = OUTCOMES[outcome]
        self.own(who, action, event)
        if action["nonce"] != nonce:
            self.refuse(action, event)
        if action["status"] != outcome:
            self.allow(action, event, "alarm")
            self.move(action, event)
        return (outcome,)

    def withdraw(self, who: str, action: dict[str, Any]) -> Answer:
        self.own(who, action, "withdraw")
        if self.look(action)["status"] == "withdrawn":
            self.stayed.add(("withdrawn", "withdraw"))  # asked for again, and nothing moved
            return ("withdrawn",)
        self.allow(action, "withdraw")
        self.move(action, "withdraw")
        return ("withdrawn",)

    # What people do

    def decide(self, who: str, action: dict[str, Any], approve: bool, edits: bool) -> Answer:
        event, kind = ("approve" if approve else "deny"), KINDS[action["kind"]]
        self.look(self.see(who, action))
        if not is_decider(who) or is_same_person(who, action["who"]):
            self.refuse(action, event, "forbidden")
        has_voted = any(voter == who for _, voter in action["votes"])
        is_said = approve and has_voted and action["status"] in ("pending", "approved")
        if is_said or (not approve and (action["status"], action["decider"]) == ("denied", who)):
            return (action["status"],)
        if approve and kind.stages:
            self.stayed.add((action["status"], "vote"))
        self.allow(action, event)
        if edits and (not approve or sum(quorum for quorum, _ in kind.stages) > 1):
            refuse("invalid")
        if not self.has_a_say(who, action, approve):
            self.refuse(action, event, "forbidden")
        if approve and self.is_stopped(action):
            self.refuse(action, event)
        if edits and not (kind.editable and action["claims"]):
            refuse("invalid")
        if approve:
            action["edits"] = edits
            self.vote(who, action)
        else:
            self.deny(who, action)
        return (action["status"],)

    def revoke(self, who: str, action: dict[str, Any]) -> Answer:
        self.look(self.see(who, action))
        if not is_decider(who):
            self.refuse(action, "revoke", "forbidden")
        if (action["status"], action["decider"]) == ("revoked", who):
            return ("revoked",)
        self.allow(action, "revoke")
        self.take_back(action, who)
        return (action["status"],)

    def resolve(self, who: str, action: dict[str, Any], outcome: str, reason: str) -> Answer:
        event = OUTCOMES[outcome]
        self.look(self.see(who, action))
        if not is_decider(who) or is_same_person(who, action["who"]):
            self.refuse(action, event, "forbidden")
        if action["status"] == outcome:
            return (outcome,)
        if action["status"] != "unknown":
            self.refuse(action, event)
        if not reason.strip():
            refuse("invalid")
        self.move(action, event)
        return (outcome,)

    def approve_all(self, who: str, levels: tuple[str, ...]) -> Answer:
        if not is_decider(who):
            refuse("forbidden")
        if not levels or "high" in levels:
            refuse("invalid")
        found = [action for action in self.actions if action["status"] == "pending"]
        found = [action for action in found if KINDS[action["kind"]].level in levels and not self.is_stopped(action)]
        found = [each for each in found if not is_same_person(who, each["who"]) and self.has_a_say(who, each, True)]
        for action in found:
            self.vote(who, action)
        return ("approved", *(action["index"] for action in found))

    def kill(self, who: str, on: bool, agent: str, tool: str) -> Answer:
        if PEOPLE[who][0] != "super_admin":
            refuse("forbidden")
        if not on and not self.switches.get((agent, tool)):
            refuse("conflict")
        for action in self.actions if on else ():
            if not self.covers(agent, tool, action):
                continue
            # Turned on anew, it forgets when it was before: who looks only then may find that an approval lapsed.
            action["maybe"] |= (agent, tool) in self.switches and "approved" in action["lags"]
            if action["status"] == "approved":
                action["lags"].add("approved")
                self.take_back(action, None)
        self.switches[agent, tool] = on
        return ("on" if on else "off",)

    # Looking, and time

    def read(self, who: str, action: dict[str, Any]) -> Answer:
        self.mark_read(self.look(self.see(who, action)), who)
        return (action["status"],)

    def wait(self, who: str, whiches: tuple[int, ...]) -> Answer:
        actions = [self.look(self.see(who, self.nth(which))) for which in whiches]
        for action in actions:
            self.mark_read(action, who)
        return ("decided", *sorted({each["index"] for each in actions if each["status"] != "pending"}))

    def list(self, who: str) -> Answer:
        found = [action for action in self.actions if is_reader(who) or action["who"] == who]
        for action in found:
            self.mark_read(self.look(action), who)
        return ("found", *((action["index"], action["status"]) for action in found))

    def change_policy(self) -> Answer:
        self.policy += 1
        for action in self.actions:
            if action["status"] == "approved":
                self.move(self.look(action), "lose" if action["read"] and not action["claims"] else "outdate")
        return ("done",)

    def tick(self, now: int) -> None:
        """It is later: whatever is due has happened."""
        self.now = now
        for action in self.actions:
            was = action["status"]
            half = action["created"] + (action["decide_by"] - action["created"]) // 2
            run_by = action["run_by"] or action["created"] + RUN_WITHIN * SECOND
            for event, due in (("escalate", half), ("expire", action["decide_by"]), ("lapse", run_by)):
                if now >= due and event not in TABLE[action["status"]]:
                    self.stayed.add((action["status"], event))
            if was == "approved" and action["policy"] != self.policy:  # it was asked before the policy changed
                self.move(action, "outdate", outdated=True)
            elif was == "pending" and now >= half and not action["escalated"]:
                self.move(action, "escalate", escalated=True)
            if was == "pending" and now >= action["decide_by"]:
                self.move(action, "expire")
            elif action["status"] == "approved" and now >= run_by:
                self.move(action, "lose" if action["read"] and not action["claims"] else "lapse")
            elif was == "executing" and now >= action["claimed_at"] + RUN_FOR:
                self.move(action, "lose")
            if action["status"] != was:
                action["lags"].add(was)

    # What the rules are made of

    def see(self, who: str, action: dict[str, Any]) -> dict[str, Any]:
        if not is_reader(who) and action["who"] != who:
            refuse("not found")
        return action

    def own(self, who: str, action: dict[str, Any], event: str) -> None:
        if self.see(who, action)["who"] != who:
            self.refuse(action, event, "forbidden")

    def look(self, action: dict[str, Any]) -> dict[str, Any]:
        self._looked.append(action)
        return action

    def mark_read(self, action: dict[str, Any], who: str) -> None:
        action["read"] = action["read"] or (action["status"] == "approved" and action["who"] == who)

    def allow(self, action: dict[str, Any], event: str, word: str = "refused") -> None:
        if event not in TABLE[action["status"]]:
            self.refuse(action, event, word=word)

    def refuse(self, action: dict[str, Any], event: str, kind: str = "conflict", word: str = "refused") -> NoReturn:
        """Say no, of which there is an entry."""
        self.refused[action["index"], word, event] += 1
        if kind == "conflict":
            self.stayed.add((action["status"], event))
        refuse(kind)

    def move(self, action: dict[str, Any], event: str, **changes: Any) -> None:
        self.moved.add((action["status"], event))
        action.update(status=TABLE[action["status"]][event], **changes)

    def approve(self, action: dict[str, Any]) -> None:
        self.move(action, "approve", run_by=self.now + RUN_WITHIN * SECOND)

    def start(self, action: dict[str, Any], nonce: str, edited: str | None) -> None:
        self.move(action, "claim", nonce=nonce, edited=edited, claimed_at=self.now)

    def take_back(self, action: dict[str, Any], who: str | None) -> None:
        """Who never claims and had read its approval may have run it."""
        if action["read"] and not action["claims"]:
            self.move(action, "lose")
        else:
            self.move(action, "revoke", decider=who)

    def stage(self, action: dict[str, Any]) -> int:
        """The first stage that lacks an approval."""
        stages = KINDS[action["kind"]].stages or ((1, ()),)
        said = [stage for stage, _ in action["votes"]]
        return next((number for number, (quorum, _) in enumerate(stages) if said.count(number) < quorum), len(stages))

    def has_a_say(self, who: str, action: dict[str, Any], approve: bool) -> bool:
        kind = KINDS[action["kind"]]
        stages, known = kind.stages or ((1, ()),), {who, PEOPLE[who][1]}
        if not approve:
            named = {*kind.escalate_to, *(name for _, names in stages for name in names)}
            return not all(names for _, names in stages) or bool(known & named)
        if any(is_same_person(who, voter) for _, voter in action["votes"]):
            return False
        names = stages[self.stage(action)][1]
        return not names or bool(known & {*names, *(kind.escalate_to if action["escalated"] else ())})

    def vote(self, who: str, action: dict[str, Any]) -> None:
        action["votes"].append((self.stage(action), who))
        if self.stage(action) < len(KINDS[action["kind"]].stages or ((1, ()),)):
            self.move(action, "vote")
        else:
            self.approve(action)
            action["decider"] = who

    def deny(self, who: str, action: dict[str, Any]) -> None:
        """Refuse it, and what is like it and waits."""
        for each in self.actions:
            if each["status"] == "pending" and self.is_like(each, action):
                self.move(each, "deny", decider=who, denied_at=self.now)

    def is_like(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        return all(one[name] == other[name] for name in ("who", "kind", "call", "claims"))

    def was_just_denied(self, action: dict[str, Any]) -> bool:
        """Only what waits for a person is held against what one has refused."""
        denied = [each["denied_at"] for each in self.actions if each["denied_at"] and self.is_like(each, action)]
        return KINDS[action["kind"]].effect == "ask" and bool(denied) and self.now < max(denied) + REMEMBER

    def is_stopped(self, action: dict[str, Any]) -> bool:
        return any(on and self.covers(*scope, action) for scope, on in self.switches.items())

    def covers(self, agent: str, tool: str, action: dict[str, Any]) -> bool:
        return agent.lower() in ("", action["who"], f"the-{action['who']}") and tool in ("", KINDS[action["kind"]].tool)
