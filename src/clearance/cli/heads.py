"""A file of heads of an audit trail: one a line, ``entries root``; ``#`` starts a comment."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from clearance.client import Client
from clearance.witness import Head


class BadHeads(Exception):
    """The file cannot be used; the message says where."""


def read(file: str | os.PathLike[str]) -> list[Head]:
    """Every head in the file; none, if there is no file.

    Raises:
        BadHeads: it cannot be read, or a line is no head: what is not understood must not be skipped.
    """
    path = Path(file)
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadHeads(f"{path}: cannot be read ({error}).") from None
    found = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        head = Head.parse(" ".join(text.split()))
        if head is None:
            raise BadHeads(f"{path}, line {number}: is no head; write the number of entries and the hash.")
        found.append(head)
    return found


def line_of(head: Head) -> str:
    """A head as a line of such a file."""
    return f"{head.entries} {head.root}"


def witnessed(client: Client, file: str) -> str:
    """Have it proven that every known head was continued, one by the next, then add the newest.

    Returns what to tell.

    Raises:
        BadHeads: the file cannot be read or written.
        AuthorizationUnavailable: the Center's audit trail does not continue one of them.
    """
    known = sorted(set(read(file)))
    for head, later in pairwise(known):
        client.grown(head, later)
    newest = client.grown(known[-1]) if known else client.head
    if newest is None:
        raise BadHeads("This Center does not say how its audit trail stands; it is none of Clearance, or damaged.")
    if newest not in known:
        try:
            with open(file, "a", encoding="utf-8") as stream:
                stream.write(f"{line_of(newest)}\n")
        except OSError as error:
            raise BadHeads(f"{file}: cannot be written ({error.strerror}).") from None
    since = f"It continues all {len(known)} heads in {file}." if known else f"Its head is the first in {file}."
    return f"Audit trail: {newest.entries} entries. {since}"
