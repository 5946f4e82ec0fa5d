"""What a guard costs: an auto-cleared call, against a bare wrapt passthrough, in one run.

Everything is included (binding, snapshot, redaction, digest, the conversation, the outcome) but the way to a
Center: the transport answers at once. Run: ``python benchmarks/guard_overhead.py``.
"""

from __future__ import annotations

import asyncio
import timeit
from collections.abc import Callable
from typing import Any

import wrapt

from clearance import Decision, Status, requires_authorization
from clearance.commands import Command, Submit

CALLS = 5_000
REPEATS = 7


class AtOnce:
    """Clears and claims whatever is submitted."""

    offers = frozenset({"claim", "outcome"})

    def send(self, command: Command) -> Decision:
        if isinstance(command, Submit):
            return Decision("1", Status.EXECUTING, nonce=command.nonce, offers=self.offers)
        return Decision("1", Status.COMPLETED)

    async def asend(self, command: Command) -> Decision:
        return self.send(command)


@wrapt.decorator
def passthrough(wrapped: Callable[..., Any], _instance: object, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


guard = requires_authorization(action_type="bench.call", transport=AtOnce())


@passthrough
def bare(account: str, amount: int = 2) -> None: ...


@guard
def guarded(account: str, amount: int = 2) -> None: ...


@passthrough
async def abare(account: str, amount: int = 2) -> None: ...


@guard
async def aguarded(account: str, amount: int = 2) -> None: ...


def microseconds(call: Callable[[], object]) -> float:
    """The best of several runs, each of many calls: the least disturbed one."""
    return min(timeit.repeat(call, number=CALLS, repeat=REPEATS)) / CALLS * 1e6


async def amicroseconds(call: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = timeit.default_timer()
        for _ in range(CALLS):
            await call()
        best = min(best, (timeit.default_timer() - started) / CALLS * 1e6)
    return best


def main() -> None:
    base, cost = microseconds(lambda: bare("acc-1", amount=5)), microseconds(lambda: guarded("acc-1", amount=5))
    print(f"sync:  passthrough {base:6.2f} µs   guarded {cost:6.2f} µs   ratio {cost / base:5.1f}")
    abase = asyncio.run(amicroseconds(lambda: abare("acc-1", amount=5)))
    acost = asyncio.run(amicroseconds(lambda: aguarded("acc-1", amount=5)))
    print(f"async: passthrough {abase:6.2f} µs   guarded {acost:6.2f} µs   ratio {acost / abase:5.1f}")


if __name__ == "__main__":
    main()
