"""What a guard costs: an auto-cleared call over the fake transport, against a bare wrapt passthrough, in one run.

Everything is included: binding, snapshot, redaction, digest, the conversation, the claim and the outcome. Ends with
where the time goes. Run: ``python benchmarks/guard_overhead.py``.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wrapt

from clearance import configure, requires_authorization
from clearance.testing import FakeTransport

CALLS = 3_000
REPEATS = 15


@wrapt.decorator
def passthrough(wrapped: Callable[..., Any], _instance: object, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


guard = requires_authorization(action_type="bench.call")


@passthrough
def bare(account: str, amount: int = 2) -> None: ...


@guard
def guarded(account: str, amount: int = 2) -> None: ...


@passthrough
async def abare(account: str, amount: int = 2) -> None: ...


@guard
async def aguarded(account: str, amount: int = 2) -> None: ...


def new_fake() -> None:
    """A fake that has nothing to remember yet."""
    configure(transport=FakeTransport(True))


def microseconds(call: Callable[[], object]) -> float:
    """The best of several runs, each of many calls: the least disturbed one."""
    return min(timeit.repeat(call, setup=new_fake, number=CALLS, repeat=REPEATS)) / CALLS * 1e6


async def amicroseconds(call: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        new_fake()
        started = timeit.default_timer()
        for _ in range(CALLS):
            await call()
        best = min(best, (timeit.default_timer() - started) / CALLS * 1e6)
    return best


def profile() -> None:
    """The share of each module in the time of a guarded call."""
    new_fake()
    profiler = cProfile.Profile()
    profiler.runcall(lambda: [guarded("acc-1", amount=5) for _ in range(CALLS)])
    shares: dict[str, float] = {}
    for (file, _, _), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        name = "/".join(Path(file).parts[-2:]) if "clearance" in file else "Python itself"
        shares[name] = shares.get(name, 0.0) + own
    total = sum(shares.values())
    for name, own in sorted(shares.items(), key=lambda item: -item[1])[:12]:
        print(f"  {own / total:5.1%}  {name}")


def main() -> None:
    base, cost = microseconds(lambda: bare("acc-1", amount=5)), microseconds(lambda: guarded("acc-1", amount=5))
    print(f"sync:  passthrough {base:6.2f} µs   guarded {cost:6.2f} µs   ratio {cost / base:5.1f}")
    abase = asyncio.run(amicroseconds(lambda: abare("acc-1", amount=5)))
    acost = asyncio.run(amicroseconds(lambda: aguarded("acc-1", amount=5)))
    print(f"async: passthrough {abase:6.2f} µs   guarded {acost:6.2f} µs   ratio {acost / abase:5.1f}")
    print("where it goes:")
    profile()


if __name__ == "__main__":
    main()
