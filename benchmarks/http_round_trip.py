"""What the way to a Center costs: an auto-cleared guarded call, against a bare POST of the same body, in one run.

Both go over loopback HTTP to the same embedded Center, in a process of its own. The guarded call has two round
trips, submit with claim and outcome; the bare POST has one. Run: ``python benchmarks/http_round_trip.py``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

from clearance import requires_authorization
from clearance.commands import Command, Submit
from clearance.models import Decision
from clearance.transports import HttpTransport
from clearance.wire import asking

CALLS = 300
WARM_UP = 30


class Remembering(HttpTransport):
    """Keeps the body of the last submit, so that the bare POST sends the same."""

    body = b""

    def send(self, command: Command) -> Decision:
        if isinstance(command, Submit):
            self.body = asking.request(command).body or b""
        return super().send(command)


def median_ms(call: Callable[[], object]) -> float:
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "center.db")
        clearance = [sys.executable, "-m", "clearance"]
        make_key = [*clearance, "keys", "create", "--role", "user", "--database", database]
        key = subprocess.run(make_key, capture_output=True, text=True, check=True).stdout.strip()
        serve = [*clearance, "center", "--port", "0", "--database", database]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=os.environ) as center:
            try:
                assert center.stdout is not None
                compare(center.stdout.readline().split()[-1], key)
            finally:
                center.terminate()


def compare(url: str, key: str) -> None:
    transport = Remembering(url, key)

    @requires_authorization(action_type="order.lookup", tool_name="bench", transport=transport)
    def look_up(order_id: str, *, verbose: bool = False) -> None: ...

    guarded = median_ms(lambda: look_up("o-1"))
    session = requests.Session()
    session.trust_env = False
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    submit = f"{url}/api/v1/actions/submit"
    bare = median_ms(lambda: session.post(submit, data=transport.body, headers=headers).raise_for_status())
    print(f"bare POST {bare:5.2f} ms   guarded call {guarded:5.2f} ms   ratio {guarded / bare:4.2f}")


if __name__ == "__main__":
    main()
