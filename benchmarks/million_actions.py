"""What a Center with a million stored actions takes, against one with a thousand, in one run.

Both are filled through the desk itself, many actions a transaction, so that every row, index and audit entry is what a
Center leaves behind: of a hundred actions one waits for a person, nine were refused by the policy, the rest were
cleared, claimed and reported on. Then both take the same submits, turn by turn, each one durable before the next.

Goals: the median of a submit at most 1.2 times, its 99th percentile at most 1.5 times that of the small one; the first
page of the inbox within 50 ms; and memory that does not grow with what is stored.

Run: ``python benchmarks/million_actions.py [actions]``. A million take ten minutes or so, and 4 GB of disk.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import requests

from clearance.center import audit
from clearance.center.records import Principal, Role, Submission
from clearance.center.server import CenterServer
from clearance.center.service import Center
from clearance.center.store.base import Tx
from clearance.models import Action, Outcome, Status

ACTIONS = 1_000_000
FEW = 1_000
A_COMMIT = 500
SUBMITS = 3_000
PAGES = 40
MONTH = 30 * 24 * 3600.0
AGENTS = [Principal(f"agent-{number}", f"bot-{number}", Role.USER) for number in range(100)]
REFUND = Action(
    agent_id="billing-bot",
    action_type="payment.refund",
    tool_name="refunds",
    description="Refund 120.00 to acc-77",
    parameters={"account": "acc-77", "amount": 120.0, "currency": "EUR", "note": "double charge in March"},
    digest="d" * 43,
    decide_within=MONTH,
    run_within=300.0,
    context={"ticket": "T-1009"},
)
LOOKUP = replace(REFUND, action_type="order.lookup", description="Look up o-1009", parameters={"order": "o-1009"})
DROP = replace(REFUND, action_type="customer.drop", description="Drop c-1009", parameters={"customer": "c-1009"})
DONE = Outcome(Status.COMPLETED, duration=0.2)


def lives(center: Center, tx: Tx, numbers: range) -> None:
    """Actions, each from its submit to its end, if it has one."""
    for number in numbers:
        live(center, tx, number)


def live(center: Center, tx: Tx, number: int) -> None:
    """The action with this number."""
    who, key, nonce = AGENTS[number // 100 % len(AGENTS)], f"key-{number}", f"nonce-{number}"
    asked = REFUND if number % 100 == 0 else DROP if number % 100 < 10 else LOOKUP
    record = center.desk.submit(tx, who, Submission(asked, key, nonce, claims=True))
    if record.status is Status.EXECUTING:
        center.desk.report(tx, who, record.id, nonce, DONE)


def fill(center: Center, first: int, last: int) -> None:
    """Store the actions with these numbers."""
    for start in range(first, last, A_COMMIT):
        numbers = range(start, min(start + A_COMMIT, last))
        center.do(partial(lives, center, numbers=numbers))


def memory() -> float:
    """MB that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def compare_submits(few: Center, many: Center) -> None:
    """The same submits to both, turn by turn, so that whatever else this machine does meets both."""
    took: dict[Center, list[float]] = {few: [], many: []}
    numbers = count()
    for _ in range(SUBMITS):
        number = next(numbers)
        submission = Submission(REFUND, f"submit-{number}", "nonce-of-a-submit", claims=True)
        who = AGENTS[number % len(AGENTS)]
        for center, times in took.items():
            times.append(seconds(lambda: center.do(lambda tx: center.desk.submit(tx, who, submission))))  # noqa: B023
    for name, at in (("median", 0.5), ("p99", 0.99)):
        small, large = (sorted(times)[int(at * len(times))] * 1000 for times in took.values())
        print(f"submit, {name:6}: at {FEW:,} {small:6.3f} ms   at many {large:6.3f} ms   ratio {large / small:4.2f}")


def show_inbox(center: Center) -> None:
    """The first page, as a browser gets it."""
    key = center.create_key(Role.ADMIN, "carol")
    with CenterServer(center) as server, requests.Session() as browser:
        browser.trust_env = False
        browser.headers["Accept"] = "text/html"
        browser.post(f"{server.url}/sign-in", data={"token": key}).raise_for_status()
        took = [seconds(lambda: browser.get(server.url).raise_for_status()) * 1000 for _ in range(PAGES)]
    print(f"first page of the inbox: median {statistics.median(took):.1f} ms, the first one {took[0]:.1f} ms")


def main(actions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        few, many = (Center.open(Path(folder) / f"{name}.db") for name in ("few", "many"))
        fill(few, 0, FEW)
        fill(many, 0, actions // 10)
        before = memory()
        started = time.perf_counter()
        fill(many, actions // 10, actions)
        rate = 0.9 * actions / (time.perf_counter() - started)
        print(f"filled with {actions:,} actions, {rate:,.0f} a second")
        print(f"memory: {before:.1f} MB at {actions // 10:,} actions, {memory():.1f} MB at {actions:,}")
        compare_submits(few, many)
        show_inbox(many)
        report = many.do(lambda tx: audit.verify(tx.audit()))
        print(f"audit trail: {report.entries:,} entries, {report.problem or 'whole'}")
        few.close()
        many.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ACTIONS)
