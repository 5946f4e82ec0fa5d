"""What importing Clearance costs, against importing wrapt alone, in one run.

Each import happens in a process of its own, turn by turn, and is timed inside it; the medians are compared. Run:
``python benchmarks/import_time.py``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

TURNS = 25
TIMED = "import time; started = time.perf_counter(); {}; print(time.perf_counter() - started)"
IMPORTS = {
    "wrapt": "import wrapt",
    "clearance": "from clearance import ActionDenied, authorized, requires_authorization",
}


def milliseconds(statement: str, cache: str) -> float:
    timed = [sys.executable, "-c", TIMED.format(statement)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPYCACHEPREFIX": cache}
    return float(subprocess.run(timed, env=environ, capture_output=True, text=True, check=True).stdout) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        compare(cache)


def compare(cache: str) -> None:
    for statement in IMPORTS.values():  # writes the bytecode of both
        milliseconds(statement, cache)
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(TURNS):
        for name, statement in IMPORTS.items():
            times[name].append(milliseconds(statement, cache))
    wrapt, clearance = (statistics.median(times[name]) for name in IMPORTS)
    print(f"wrapt {wrapt:5.1f} ms   clearance {clearance:5.1f} ms   ratio {clearance / wrapt:4.2f}")


if __name__ == "__main__":
    main()
