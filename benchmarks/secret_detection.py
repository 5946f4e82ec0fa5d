"""What the search for credentials costs: typical texts, against a search for one word in the same text, in one run.

Run: ``python benchmarks/secret_detection.py``.
"""

from __future__ import annotations

import json
import re
import timeit
from collections.abc import Callable

from clearance.credentials import find

REPEATS = 7
WORD = re.compile("password=")

SENTENCE = "The order of Ada left the harbour in the evening, and nobody asked for the twelve crates of paper. "
RECORD = {"id": "3f2b8c1a-0d4e-4f5a-9b6c-7d8e9f0a1b2c", "name": "Ada Lovelace", "total": "49.90", "note": SENTENCE}

TEXTS = {
    "an id": "acc-1042",
    "a name": "Ada Lovelace",
    "an action": "payment.refund",
    "a mail address": "ada@example.com",
    "a reason": "Refund for a late parcel",
    "a number": "INV-2024-00017",
    "a time": "2024-05-01T10:00:00Z",
    "an address": "https://shop.example/orders/1042",
    "a uuid": "3f2b8c1a-0d4e-4f5a-9b6c-7d8e9f0a1b2c",
    "a subject": "Subject: the order of Ada",
    "a page of prose": SENTENCE * 20,
    "a page of JSON": json.dumps([RECORD] * 8),
    "a secret": "PGPASSWORD=hunter2 psql -h db",
}


def nanoseconds(call: Callable[[], object], length: int) -> float:
    """The best of several runs, each of many calls: the least disturbed one."""
    calls = max(50, 200_000 // (length + 20))
    return min(timeit.repeat(call, number=calls, repeat=REPEATS)) / calls * 1e9


def main() -> None:
    find("password=hunter2")  # compiles the patterns
    for name, text in TEXTS.items():
        base = nanoseconds(lambda text=text: WORD.search(text), len(text))  # type: ignore[misc]
        cost = nanoseconds(lambda text=text: find(text), len(text))  # type: ignore[misc]
        print(f"{name:16} {len(text):5} characters  word {base:6.0f} ns  find {cost:7.0f} ns  ratio {cost / base:6.1f}")


if __name__ == "__main__":
    main()
