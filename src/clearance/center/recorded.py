"""The actions that a Center keeps, from a time on, read a batch at a time so that nobody is held up."""

from __future__ import annotations

from collections.abc import Iterator

from clearance.center.records import Record
from clearance.center.service import Center

AT_ONCE = 500


def since(center: Center, start: int) -> Iterator[Record]:
    """Every action asked at ``start`` (microseconds since 1970) or later, oldest first.

    Ids grow with time, for the Center's clock never goes back: so the first of them is found by halving.
    """
    after = _before(center, start)
    while True:
        page = _behind(center, after, AT_ONCE)
        yield from (record for record in page if record.created_at >= start)
        if len(page) < AT_ONCE:
            return
        after = page[-1].id


def _behind(center: Center, after: int, limit: int) -> list[Record]:
    return center.do(lambda tx: tx.actions(oldest_first=True, after=after, limit=limit))


def _before(center: Center, start: int) -> int:
    """An id behind which every action is from ``start`` or later, and none that is from then stands before."""
    newest = center.do(lambda tx: tx.actions(limit=1))
    low, high = 0, newest[0].id if newest else 0
    while low < high:
        middle = (low + high) // 2
        found = _behind(center, middle, 1)
        if found and found[0].created_at < start:
            low = found[0].id
        else:
            high = middle
    return low
