"""The Center's Ed25519 key, and the receipts that it signs.

The key is in a file of its own and not in the database: neither a copy of the database nor the right to read or
write it is enough to make a receipt. Several Centers on one database share the file.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from clearance import receipts
from clearance.center import trail
from clearance.center.faults import Conflict
from clearance.center.records import Record
from clearance.center.store.base import Tx
from clearance.center.store.databases import is_url
from clearance.models import Json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_DECISIONS = ("approve", "deny")
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
"""What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410)."""


class CannotSign(Exception):
    """There is no key to sign with; the message says why and what to do."""


class SigningKey:
    """The key in ``file`` (PEM, PKCS #8); made there when it is first needed. Threads may share it.

    Without a file nothing is signed.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._key: Ed25519PrivateKey | None = None

    def __repr__(self) -> str:
        return f"SigningKey({str(self.file)!r})"

    def make(self) -> None:
        """Make the key, unless it is there.

        Raises:
            CannotSign: it cannot be made there.
        """
        file = self._place()
        if file.exists():
            return
        pem = base64.encodebytes(_PKCS8 + os.urandom(32)).decode()
        try:
            _put(file, f"-----BEGIN PRIVATE KEY-----\n{pem}-----END PRIVATE KEY-----\n")
        except OSError as error:
            raise CannotSign(f"{file}: the signing key cannot be made ({error.strerror}).") from None

    def public(self) -> str:
        """The public key as text.

        Raises:
            CannotSign: there is no key that can be used.
        """
        return receipts.public_key_text(self._loaded().public_key().public_bytes_raw())

    def sign(self, receipt: dict[str, Json]) -> bytes:
        """The receipt with its signature.

        Raises:
            CannotSign: there is no key that can be used.
        """
        return receipts.signed(receipt, self._loaded().sign(receipts.message(receipt)))

    def _place(self) -> Path:
        if self.file is None:
            raise CannotSign("This Center has no signing key: start it with --signing-key FILE.")
        return self.file

    def _loaded(self) -> Ed25519PrivateKey:
        with self._lock:
            if self._key is None:
                self.make()
                self._key = _load(self._place())
            return self._key


def draft(tx: Tx, record: Record, public_key: str) -> dict[str, Json]:
    """The receipt of the decision about an action, to be signed.

    All of it is from the audit trail, so it is the same whenever it is asked for.

    Raises:
        Conflict: nobody has decided.
    """
    decision, asked = None, {}
    for link in tx.audit_of(record.id):
        entry = json.loads(link.body)
        if entry["event"] == "submit":
            asked = {name: entry["details"][name] for name in ("agent_id", "action_type", "tool_name", "digest")}
        elif entry["event"] in _DECISIONS:
            decision = link
    if decision is None:
        raise Conflict(f"Action {record.id} is {record.status}: there is no decision to give a receipt of", record)
    head, proof = trail.place_of(tx, decision.seq)
    return receipts.draft(decision.body, asked, head, proof, public_key)


def beside(database: str | os.PathLike[str]) -> Path | None:
    """Where the key of a Center on this database is, unless said otherwise; a server's has no place beside it."""
    return None if is_url(database) else Path(f"{os.fspath(database)}.key")


def _put(file: Path, text: str) -> None:
    """Write a file that its owner alone may read; whole, or not at all, and never over another."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(name, file)
        except FileExistsError:
            return  # another process was quicker; its key is the one
    finally:
        os.unlink(name)


def _load(file: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            pem = stream.read(10_000)
    except OSError as error:
        raise CannotSign(f"{file}: the signing key cannot be read ({error.strerror}).") from None
    if mode & 0o077:
        raise CannotSign(f"{file}: others may read the signing key. Change that (chmod 600), and think of a new one.")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CannotSign(f"{file}: is not an Ed25519 key (PEM, without a password).")
    return key
