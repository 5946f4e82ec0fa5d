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
from dataclasses import replace

from clearance.center import breakglass
from clearance.center.faults import Forbidden, Invalid, NotAuthenticated, NotFound
from clearance.center.moves import SECOND
from clearance.center.records import Entry, KeyRecord, Principal, Role
from clearance.center.store.base import Tx
from clearance.center.visible import is_spelled

LONGEST_NAME = 100
"""Characters of a key's name."""
LONGEST_OWNER = 64
"""Characters of an owner."""
LONGEST_LIFE = 10 * 365 * 24 * 3600
"""Seconds that a key with an end may live."""
USED_EVERY = 3600
"""Seconds in which the use of a key is written down once."""

_FORM = re.compile(
    r"owkai_(?P<role>super_admin|admin|user|auditor)_(?P<id>[a-z0-9]{8})_(?P<rest>[a-z2-7]{52})(?P<check>[0-9a-f]{8})"
)
_OWNER = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{0,{LONGEST_OWNER - 1}}}")
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def create(
    tx: Tx,
    role: Role,
    name: str,
    now: int,
    actor: str,
    *,
    owner: str | None = None,
    lifetime: float | None = None,
) -> tuple[str, KeyRecord]:
    """Make a key that lives ``lifetime`` seconds, or until it is revoked; its text is returned here and never again.

    Raises:
        Invalid: the name or the owner could mislead, or the lifetime is out of bounds.
    """
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(8))
    secret = base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=").lower()
    stem = f"owkai_{role.value}_{key_id}_{secret}"
    key = f"{stem}{zlib.crc32(stem.encode()):08x}"
    name = _name(name or f"{role.value}-{key_id}")
    record = KeyRecord(key_id, role, name, _digest(key), now, None, _end(now, lifetime), _owner(owner))
    tx.add_key(record)
    told = {"key": key_id, "role": role.value, "name": name, "owner": record.owner, "expires_at": record.expires_at}
    details: dict[str, object] = {field: value for field, value in told.items() if value is not None}
    tx.append(Entry(now, "key.created", actor, details=details))
    return key, record


def create_for(
    tx: Tx, maker: Principal, role: Role, name: str, now: int, *, owner: str | None, lifetime: float | None
) -> tuple[str, KeyRecord]:
    """As `create`, on behalf of a principal: no key makes one that may do, or lives, more than itself.

    Raises:
        Forbidden: it may not make keys, or would outlive itself.
    """
    if not maker.may_manage:
        raise Forbidden("Only a key with the role super_admin makes keys")
    own = tx.key(maker.id)
    end = _end(now, lifetime)
    if own is not None and own.expires_at is not None and (end is None or end > own.expires_at):
        raise Forbidden("A key that expires cannot make one that lives longer; give a shorter lifetime")
    return create(tx, role, name, now, maker.id, owner=owner, lifetime=lifetime)


def revoke(tx: Tx, key_id: str, now: int, actor: str) -> KeyRecord:
    """End a key for good, with every session, sign-in link and break-glass of it. Again is fine.

    Raises:
        NotFound: there is no such key.
    """
    record = tx.key(key_id)
    if record is None:
        raise NotFound("There is no such key")
    if record.revoked_at is not None:
        return record
    record = replace(record, revoked_at=now)
    tx.save_key(record)
    tx.end_sessions_of(key_id)
    breakglass.close_all(tx, now, actor, "The key that opened it was revoked", opened_by=key_id)
    tx.append(Entry(now, "key.revoked", actor, details={"key": key_id, "name": record.name}))
    return record


def principal(tx: Tx, presented: str | None, now: int) -> Principal:
    """Whose key this is. The prefix is only a hint: the role is the one that is stored.

    Raises:
        NotAuthenticated: no key, a mistyped, unknown, expired or revoked one; which of these is not told.
    """
    match = _FORM.fullmatch(presented or "")
    if match is None or not presented or zlib.crc32(presented[:-8].encode()) != int(match["check"], 16):
        raise NotAuthenticated("Invalid or missing API key")
    record = tx.key(match["id"])
    digest = record.digest if record else _digest("")
    if not hmac.compare_digest(digest, _digest(presented)) or record is None or record.standing(now) != "active":
        raise NotAuthenticated("Invalid or missing API key")
    if record.last_used_at is None or now - record.last_used_at >= USED_EVERY * SECOND:
        tx.save_key(replace(record, last_used_at=now))
    return record.principal()


def holder(tx: Tx, key_id: str, now: int) -> Principal | None:
    """Who holds this key, as it stands now; None if it has ended."""
    record = tx.key(key_id)
    return record.principal() if record is not None and record.standing(now) == "active" else None


def _name(name: str) -> str:
    """The name, if it can be shown as it is and passes for no other kind of author (they have a colon)."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise Invalid(f"A key's name has 1 to {LONGEST_NAME} characters")
    if any(is_spelled(character) for character in name) or ":" in name:
        raise Invalid("A key's name has no control, invisible or direction-changing characters, and no colon")
    return name


def _owner(owner: str | None) -> str | None:
    """The owner in the one way it is written, so that two spellings are not two people."""
    if owner is None:
        return None
    owner = owner.strip().lower()
    if _OWNER.fullmatch(owner) is None:
        raise Invalid(f"An owner is a user name or e-mail address: 1 to {LONGEST_OWNER} of a-z, 0-9, and . _ @ + -")
    return owner


def _end(now: int, lifetime: float | None) -> int | None:
    if lifetime is None:
        return None
    if not 0 < lifetime <= LONGEST_LIFE:
        raise Invalid(f"A key that expires lives up to {LONGEST_LIFE // (24 * 3600):,} days")
    return now + round(lifetime * SECOND)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
