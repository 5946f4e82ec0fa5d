"""What the test kit costs: guarded calls through the fixture's fake with their assertions, and a start of pytest.

The calls are compared with as many through a fake that nobody asks anything of; the start of pytest with the plugin,
with one without it, turn by turn, in processes of their own. Run: ``python benchmarks/testing_kit.py``.
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

from clearance import configure, requires_authorization
from clearance.testing import FakeTransport
from clearance.testing.matchers import under

CALLS = 10_000
TEST = 10
"""Calls in one test."""
REPEATS = 5
TURNS = 15
STARTS = {"without": ["-p", "no:clearance"], "with": []}


@requires_authorization(action_type="payment.refund", tool_name="stripe")
def refund(charge_id: str, amount: int, api_key: str = "hunter2") -> int:
    return amount


def bare() -> None:
    """The calls alone."""
    configure(transport=FakeTransport(True))
    for number in range(CALLS):
        refund("ch_1", number % TEST)


def in_tests() -> None:
    """As tests do it: a fake each, rules, ten calls, and an assertion for each of them."""
    for _ in range(CALLS // TEST):
        with FakeTransport() as fake:
            fake.allow("payment.refund").with_parameters(amount=under(100))
            for number in range(TEST):
                refund("ch_1", number)
                assert fake.assert_asked_once("payment.refund", amount=number).ran
            fake.assert_never_shown("hunter2")


def in_one_test() -> None:
    """All in one test, whose assertions look through all of them."""
    with FakeTransport() as fake:
        fake.allow("payment.refund").with_parameters(amount=under(100))
        for number in range(CALLS):
            refund("ch_1", number % TEST)
        assert len(fake.asked("payment.refund").with_parameters(amount=5)) == CALLS // TEST
        fake.assert_never_shown("hunter2")
        fake.assert_not_asked("mail.send")


def seconds(run: Callable[[], None]) -> float:
    """The best of several: the least disturbed one."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def starts() -> dict[str, float]:
    """Milliseconds that pytest takes for one empty test, by the median."""
    times: dict[str, list[float]] = {name: [] for name in STARTS}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_it.py").write_text("def test_it(): ...\n")
        environ = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
        for turn in range(TURNS + 1):
            for name, options in STARTS.items():
                started = time.perf_counter()
                command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
                subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
                if turn:  # the first one writes bytecode
                    times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    base = seconds(bare)
    print(f"{CALLS:,} guarded calls, fake alone   {base:6.3f} s")
    for name, run in (("in tests of ten, asserted", in_tests), ("in one test, asserted", in_one_test)):
        cost = seconds(run)
        print(f"{name:31} {cost:6.3f} s   ratio {cost / base:4.2f}")
    found = starts()
    without, with_it = found["without"], found["with"]
    print(
        f"pytest, without the plugin {without:5.0f} ms   with it {with_it:5.0f} ms   "
        f"added {with_it - without:4.1f} ms   ratio {with_it / without:4.2f}"
    )


if __name__ == "__main__":
    main()
