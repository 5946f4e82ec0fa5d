"""Backups of a Center's database, and what can be told of it to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from clearance.center import breakglass, trail
from clearance.center.audit import Report
from clearance.center.faults import DatabaseRefused
from clearance.center.records import Entry, Record
from clearance.center.service import Center
from clearance.center.store import copies, databases
from clearance.center.store.base import Tx

T = TypeVar("T")
_AT_ONCE = 500
_REASON = "Restored from a backup: whether this approval was used since is not known"
_CLOSING = "Restored from a backup: whether it was closed since is not known"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore: how the audit trail of the backup stood, and how many approvals were taken back."""

    trail: Report
    revoked: int


def backup(database: str, file: Path) -> Report:
    """Copy a SQLite database, which a Center may be using, to the new ``file``; returns how its audit trail stands.

    Raises:
        DatabaseRefused: it cannot be copied, or not to there.
    """
    return copies.copy(_file(database, "Back it up with pg_dump, which is safe while Centers run."), file)


def restore(file: Path, database: str) -> Restored:
    """Make a new database of a backup.

    What happened after the backup is not in it. So approvals that nobody had claimed by then are taken back: they may
    have been used since. The audit trail tells of the restore.

    Raises:
        DatabaseRefused: there is a database already, or the backup is damaged or its audit trail broken.
    """
    target = _file(database, "Restore it with pg_restore, into a new database.")
    revoked: list[int] = []

    def finish(part: Path, report: Report) -> None:
        _check(file, report)
        revoked.append(_reopened(file, part, report))

    return Restored(copies.copy(file, target, finish), revoked[0])


def export(center: Center) -> Iterator[dict[str, object]]:
    """Every action, then every entry of the audit trail; no keys, sessions or nonces of actions.

    It is read page by page, so that it holds up no Center. What is done meanwhile may be in the trail only.
    """
    for record in _pages(
        center, lambda tx, after: tx.actions(oldest_first=True, after=after, limit=_AT_ONCE), attrgetter("id")
    ):
        yield {"kind": "action", **_told(record)}
    for link in _pages(center, lambda tx, after: list(tx.audit(after=after, limit=_AT_ONCE)), attrgetter("seq")):
        yield {"kind": "audit", "seq": link.seq, "body": link.body, "hash": link.hash}


def _pages(center: Center, read: Callable[[Tx, int], list[T]], number: Callable[[T], int]) -> Iterator[T]:
    after = 0
    while page := center.do(lambda tx, after=after: read(tx, after)):  # type: ignore[misc]
        yield from page
        after = number(page[-1])


def _told(record: Record) -> dict[str, object]:
    document = asdict(record)
    del document["nonce"]  # whoever has it can report the outcome
    return document


def _file(database: str, otherwise: str) -> Path:
    if databases.is_url(database):
        raise DatabaseRefused(f"{databases.shown(database)}: is a database on a server. {otherwise}")
    return Path(database)


def _check(file: Path, report: Report) -> None:
    """Refuse what is not as its audit trail says."""
    if report.problem is not None:
        raise DatabaseRefused(
            f"{file}: its audit trail is broken after {report.entries} entries ({report.problem}). "
            "Nothing was restored."
        )


def _reopened(file: Path, part: Path, report: Report) -> int:
    """Bring the copy forward, take back what may have been used since, and say in its trail what was done."""
    copies.leave_room(part)
    with closing(Center(databases.open_store(part))) as center:
        _check(file, trail.verify(center))  # and that every action stands as the trail says

        def note(tx: Tx) -> int:
            revoked = center.desk.revoke_unclaimed(tx, "local", _REASON)
            breakglass.close_all(tx, center.desk.now(), "local", _CLOSING)
            details: dict[str, object] = {"entries": report.entries, "head": report.head, "revoked": revoked}
            tx.append(Entry(center.desk.now(), "center.restored", "local", details=details))
            return revoked

        return center.do(note)
