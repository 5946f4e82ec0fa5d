"""Receipts: what a Center signs about one decision, and how anybody checks it without asking the Center.

A receipt is one canonical JSON text: sorted keys, no spaces, ASCII. It holds what was decided, the entry of the audit
trail that says so, the head of the trail with that entry as its newest, and the proof that leads from the one to the
other. The Center's Ed25519 key signs all of it. So a receipt cannot be made by a client, nor be about another call,
and its head is a witness of the trail like any other.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from clearance.errors import ConfigurationError
from clearance.models import Json
from clearance.wire import strictjson
from clearance.witness import Head, leaf, root_over

VERSION = 1
LONGEST = 256 * 1024
"""Bytes of a receipt."""
_DOMAIN = b"clearance receipt/1\0"
_KEY = re.compile(r"ed25519:([A-Za-z0-9_-]{43})")
_STATUS = {"approve": "approved", "deny": "denied"}
_HASH = re.compile(r"[0-9a-f]{64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadReceipt(ValueError):
    """The receipt proves nothing; the message says why."""


def statement(entry: Mapping[str, Any]) -> dict[str, Json]:
    """What a decision's entry in the audit trail says, as a receipt says it.

    Raises:
        BadReceipt: it is no such entry.
    """
    try:
        details, at = entry["details"], entry["at"]
        told: dict[str, Json] = {
            "action_id": entry["action_id"],
            "status": _STATUS[entry["event"]],
            "decider": entry["actor"],
            "decided_at": (_EPOCH + timedelta(microseconds=at)).isoformat(),
        }
        for name in (
            *("decided_by", "reason", "reason_code", "channel", "digest", "policy", "edits"),
            *("standing", "break_glass"),
        ):
            if name in details:
                told[name] = details[name]
    except (KeyError, TypeError, OverflowError):
        raise BadReceipt("Its entry of the audit trail is not one of a decision") from None
    return told


def draft(body: str, asked: Mapping[str, Json], head: Head, proof: Sequence[bytes], public_key: str) -> dict[str, Json]:
    """A receipt without its signature.

    Args:
        body: the decision's entry in the audit trail.
        asked: more about the action, to be read by people.
        head: how the trail stood when the entry was its newest.
        proof: what shows that the entry is under it.
        public_key: whose signature will be under the receipt.
    """
    return {
        **asked,
        **statement(json.loads(body)),
        "v": VERSION,
        "entry": body,
        "entries": head.entries,
        "head": head.root,
        "proof": [digest.hex() for digest in proof],
        "center": public_key,
    }


def message(receipt: Mapping[str, Json]) -> bytes:
    """The bytes that are signed."""
    return _DOMAIN + _canonical({name: value for name, value in receipt.items() if name != "signature"})


def signed(receipt: Mapping[str, Json], signature: bytes) -> bytes:
    """The whole receipt."""
    return _canonical({**receipt, "signature": _text(signature)})


def public_key_text(raw: bytes) -> str:
    """A public key as text: ``ed25519:`` and 43 characters."""
    return f"ed25519:{_text(raw)}"


def verify(data: bytes, public_key: str) -> dict[str, Json]:
    """Check a receipt against a Center's public key, and return what it says. Nobody is asked.

    The bytes must be those that the Center gave out; a line break at the end may be added.

    Raises:
        BadReceipt: it was changed or cut off, is another Center's, or is no receipt.
        ConfigurationError: the public key is none, or the package ``cryptography`` is missing.
    """
    key = _bytes_of_key(public_key)
    receipt = _read(data.removesuffix(b"\n"))
    if receipt.get("v") != VERSION:
        raise BadReceipt("It is no receipt of a version that is known here")
    if receipt.get("center") != public_key.strip():
        raise BadReceipt("It is from another Center: its key is not the one that was given")
    if not _is_signed(key, receipt):
        raise BadReceipt("Its signature does not fit: it was changed, or the Center did not make it")
    _check_entry(receipt)
    return receipt


def head_of(receipt: Mapping[str, Json]) -> Head:
    """The head of the audit trail that a receipt names.

    Raises:
        BadReceipt: it names none.
    """
    entries, root = receipt.get("entries"), receipt.get("head")
    if type(entries) is not int or not isinstance(root, str) or not _HASH.fullmatch(root):
        raise BadReceipt("It names no head of the audit trail")
    return Head(entries, root)


def _read(data: bytes) -> dict[str, Json]:
    if len(data) > LONGEST:
        raise BadReceipt(f"It is longer than {LONGEST:,} bytes")
    try:
        receipt = strictjson.read(data)
    except strictjson.NotJson as error:
        raise BadReceipt(f"It is {error}; it may have been cut off") from None
    if not isinstance(receipt, dict):
        raise BadReceipt("It is no receipt")
    if _canonical(receipt) != data:
        raise BadReceipt("It is not written as the Center writes it; check the file as it was received")
    return receipt


def _is_signed(key: bytes, receipt: Mapping[str, Json]) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ConfigurationError(
            "A receipt cannot be checked without the package 'cryptography'.",
            next_step="pip install 'clearance[crypto]'",
        ) from None
    signature = _bytes(receipt.get("signature"))
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message(receipt))
    except InvalidSignature:
        return False
    return True


def _check_entry(receipt: Mapping[str, Json]) -> None:
    """The signature is the Center's: hold what it says against itself."""
    body, proof, head = receipt.get("entry"), receipt.get("proof"), head_of(receipt)
    if not isinstance(body, str) or not isinstance(proof, list):
        raise BadReceipt("It holds no entry of the audit trail")
    try:
        entry = json.loads(body)
        digests = [bytes.fromhex(str(digest)) for digest in proof]
    except ValueError:
        raise BadReceipt("Its entry or its proof cannot be read") from None
    if any(receipt.get(name) != value for name, value in statement(entry).items()):
        raise BadReceipt("It contradicts itself: its entry of the audit trail says otherwise")
    root = root_over(leaf(body.encode()), head.entries - 1, head.entries, digests)
    if entry.get("seq") != head.entries or root is None or root.hex() != head.root:
        raise BadReceipt("Its entry is not under the head of the audit trail that it names")


def _canonical(value: Mapping[str, Json]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: object) -> bytes:
    """What base64url text stands for; nothing, if it is not how we write it: no two texts may mean the same."""
    try:
        raw = base64.urlsafe_b64decode(f"{text}{'=' * (-len(str(text)) % 4)}".encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return b""
    return raw if _text(raw) == text else b""


def _bytes_of_key(public_key: str) -> bytes:
    match = _KEY.fullmatch(public_key.strip())
    raw = _bytes(match[1]) if match else b""
    if len(raw) != 32:
        raise ConfigurationError(
            "That is no Center's public key.",
            next_step="It has the form ed25519:..., as `clearance receipt key` prints it.",
        )
    return raw
