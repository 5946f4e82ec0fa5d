"""API keys: ``owkai_{role}_{id}_{secret}{checksum}``, shown once, kept as a hash.

The secret has 256 bits, so one round of SHA-256 is enough: there is nothing to guess. The checksum lets a
scanner tell a key from a look-alike, and us refuse a mistyped one without asking the store.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import zlib

from clearance.center.records import Entry, KeyRecord, NotAuthenticated, Principal, Role
from clearance.center.store.base import Tx

_FORM = re.compile(
    r"owkai_(?P<role>super_admin|admin|user)_(?P<id>[a-z0-9]{8})_(?P<rest>[a-z2-7]{52})(?P<check>[0-9a-f]{8})"
)
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def create(tx: Tx, role: Role, name: str, now: int, actor: str) -> tuple[str, KeyRecord]:
    """Make a key; its text is returned here and never again."""
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(8))
    secret = base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=").lower()
    stem = f"owkai_{role.value}_{key_id}_{secret}"
    key = f"{stem}{zlib.crc32(stem.encode()):08x}"
    record = KeyRecord(key_id, role, name or f"{role.value}-{key_id}", _digest(key), now)
    tx.add_key(record)
    tx.append(Entry(now, "key.created", actor, details={"key": key_id, "role": role.value, "name": record.name}))
    return key, record


def principal(tx: Tx, presented: str | None) -> Principal:
    """Whose key this is. The prefix is only a hint: the role is the one that is stored.

    Raises:
        NotAuthenticated: no key, a mistyped, unknown or revoked one; which of these is not told.
    """
    match = _FORM.fullmatch(presented or "")
    if match is None or not presented or zlib.crc32(presented[:-8].encode()) != int(match["check"], 16):
        raise NotAuthenticated("Invalid or missing API key")
    record = tx.key(match["id"])
    digest = record.digest if record else _digest("")
    if not hmac.compare_digest(digest, _digest(presented)) or record is None or record.revoked_at is not None:
        raise NotAuthenticated("Invalid or missing API key")
    return Principal(record.id, record.name, record.role)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
