"""Receipts: what was signed is found genuine, and everything else is not."""

from __future__ import annotations

import json
import os
import sys
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearance import ConfigurationError, receipts
from clearance.receipts import BadReceipt
from clearance.witness import Head, Tree, leaf, proof_of_entry

FLIPS = 100_000 if os.environ.get("CLEARANCE_DEEP") == "1" else 2_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ASKED = {"agent_id": "billing-bot", "action_type": "payment.refund", "tool_name": "stripe", "digest": "d" * 43}
DETAILS = {"decided_by": "carol", "reason": "seen", "reason_code": "approver", "channel": "api", "digest": "d" * 43}
# Made once; whoever changes the format breaks every receipt that is out there.
VECTOR = (
    '{"action_id":17,"action_type":"payment.refund","agent_id":"billing-bot",'
    '"center":"ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg","channel":"api",'
    '"decided_at":"2023-11-14T22:13:20.000007+00:00","decided_by":"carol","decider":"admin-1",'
    f'"digest":"{"d" * 43}","entries":5,'
    '"entry":"{\\"action_id\\":17,\\"actor\\":\\"admin-1\\",\\"at\\":1700000000000007,\\"details\\":'
    f'{{\\"channel\\":\\"api\\",\\"decided_by\\":\\"carol\\",\\"digest\\":\\"{"d" * 43}\\",\\"policy\\":\\"p1\\",'
    '\\"reason\\":\\"seen\\",\\"reason_code\\":\\"approver\\"},\\"event\\":\\"approve\\",\\"seq\\":5,'
    '\\"status\\":\\"approved\\"}"'
)


def key_of(private: Ed25519PrivateKey) -> str:
    return receipts.public_key_text(private.public_key().public_bytes_raw())


PUBLIC = key_of(KEY)


def an_entry(seq: int = 5, event: str = "approve", **changes: Any) -> str:
    """The entry of a decision."""
    entry = {
        "action_id": 17,
        "actor": "admin-1",
        "at": 1_700_000_000_000_007,
        "event": event,
        "seq": seq,
        "status": {"approve": "approved", "deny": "denied"}.get(event, event),
        "details": {**DETAILS, "policy": "p1"},
    }
    return json.dumps({**entry, **changes}, sort_keys=True, separators=(",", ":"))


def a_draft(body: str | None = None, **changes: Any) -> dict[str, Any]:
    """A receipt without a signature, of the fifth entry of a trail."""
    body = an_entry() if body is None else body
    leaves = [leaf(f"entry {number}".encode()) for number in range(4)] + [leaf(body.encode())]
    tree = Tree()
    for digest in leaves:
        tree.add(digest)

    def subtree(start: int, size: int) -> bytes:
        part = Tree()
        for digest in leaves[start : start + size]:
            part.add(digest)
        return bytes.fromhex(part.head.root)

    made = receipts.draft(body, dict(ASKED), tree.head, proof_of_entry(4, 5, subtree), PUBLIC)
    return {**made, **changes}


def signed(draft: dict[str, Any] | None = None, key: Ed25519PrivateKey = KEY) -> bytes:
    """The receipt, signed whatever it says."""
    draft = a_draft() if draft is None else draft
    return receipts.signed(draft, key.sign(receipts.message(draft)))


def test_a_receipt_says_what_was_decided_about_which_call_and_by_whom() -> None:
    found = receipts.verify(signed(), PUBLIC)

    assert {name: found[name] for name in (*ASKED, "action_id", "status", "decided_by", "decider", "policy")} == {
        **ASKED,
        "action_id": 17,
        "status": "approved",
        "decided_by": "carol",
        "decider": "admin-1",
        "policy": "p1",
    }
    assert found["decided_at"] == "2023-11-14T22:13:20.000007+00:00"
    assert receipts.head_of(found) == Head(5, str(found["head"]))


def test_a_receipt_has_the_form_that_it_always_had() -> None:
    data = signed()

    document = json.loads(data)
    assert data.decode().startswith(VECTOR)
    assert data == json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert data == signed()  # and is the same whenever it is made
    del document["signature"]
    unsigned = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert receipts.message(a_draft()) == b"clearance receipt/1\0" + unsigned


@pytest.mark.parametrize("event", ["approve", "deny"])
def test_both_decisions_get_one(event: str) -> None:
    body = an_entry(event=event, details={**DETAILS, "edits": {"amount": 5}})
    found = receipts.verify(signed(a_draft(body)) + b"\n", PUBLIC)

    assert found["status"] == {"approve": "approved", "deny": "denied"}[event]
    assert found["edits"] == {"amount": 5}


def test_no_bits_of_a_receipt_can_be_flipped() -> None:
    data, dice = signed(), Random(17)
    places = range(len(data) * 8)
    several = ({dice.choice(places) for _ in range(dice.randint(2, 9))} for _ in range(FLIPS))
    for bits in ({at} for at in places):
        assert_refused(data, bits)
    for bits in several:
        assert_refused(data, bits)


def assert_refused(data: bytes, bits: set[int]) -> None:
    """With these bits flipped it is no receipt."""
    flipped = bytearray(data)
    for at in bits:
        flipped[at // 8] ^= 1 << at % 8
    with pytest.raises(BadReceipt):
        receipts.verify(bytes(flipped), PUBLIC)


def test_a_receipt_that_was_cut_off_is_none() -> None:
    data = signed()
    for length in range(len(data)):
        with pytest.raises(BadReceipt):
            receipts.verify(data[:length], PUBLIC)


@pytest.mark.parametrize("more", [b" ", b"\n\n", b"\0", b"{}", b"\r\n"])
def test_nothing_may_be_added_but_the_end_of_the_line(more: bytes) -> None:
    with pytest.raises(BadReceipt):
        receipts.verify(signed() + more, PUBLIC)


def test_a_receipt_of_another_center_is_none() -> None:
    theirs = signed(a_draft(center=key_of(OTHER)), OTHER)
    receipts.verify(theirs, key_of(OTHER))

    with pytest.raises(BadReceipt, match="another Center"):
        receipts.verify(theirs, PUBLIC)
    with pytest.raises(BadReceipt, match="another Center"):
        receipts.verify(signed(), key_of(OTHER))
    with pytest.raises(BadReceipt, match="signature does not fit"):
        receipts.verify(signed(key=OTHER), PUBLIC)  # it says that it is ours


def test_a_signature_is_for_receipts_alone() -> None:
    draft = a_draft()
    bare = receipts.signed(draft, KEY.sign(receipts.message(draft).partition(b"\0")[2]))

    with pytest.raises(BadReceipt, match="signature does not fit"):
        receipts.verify(bare, PUBLIC)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "version"),
        ({"v": "1"}, "version"),
        ({"status": "denied"}, "contradicts itself"),
        ({"digest": "another"}, "contradicts itself"),
        ({"action_id": 18}, "contradicts itself"),
        ({"decided_by": "mallory"}, "contradicts itself"),
        ({"reason": None}, "contradicts itself"),
        ({"entries": 6}, "not under the head"),
        ({"entries": 0}, "not under the head"),
        ({"entries": -1}, "not under the head"),
        ({"entries": "5"}, "names no head"),
        ({"entries": True}, "names no head"),
        ({"head": "0" * 64}, "not under the head"),
        ({"head": "0" * 63}, "names no head"),
        ({"head": None}, "names no head"),
        ({"proof": []}, "not under the head"),
        ({"proof": ["0" * 64]}, "not under the head"),
        ({"proof": ["zz"]}, "cannot be read"),
        ({"proof": None}, "no entry"),
        ({"entry": "{}"}, "not one of a decision"),
        ({"entry": "[]"}, "not one of a decision"),
        ({"entry": "not JSON"}, "cannot be read"),
        ({"entry": 5}, "no entry"),
        ({"entry": an_entry(event="claim")}, "not one of a decision"),
        ({"entry": an_entry(at=10**30)}, "not one of a decision"),
        ({"entry": an_entry(at="then")}, "not one of a decision"),
        ({"entry": an_entry(details=None)}, "not one of a decision"),
        ({"entry": an_entry(seq=4)}, "not under the head"),
    ],
    ids=str,
)
def test_what_a_center_signs_must_agree_with_itself(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadReceipt, match=says):
        receipts.verify(signed(a_draft(**changes)), PUBLIC)


@pytest.mark.parametrize("missing", sorted(set(a_draft()) - set(ASKED)))
def test_nothing_that_counts_may_be_missing(missing: str) -> None:
    draft = a_draft()
    del draft[missing]

    with pytest.raises(BadReceipt):
        receipts.verify(signed(draft), PUBLIC)


@pytest.mark.parametrize(
    "signature", [None, 5, "", "x", "A" * 85, "A" * 86, "A" * 87, "é" * 86, ["A" * 86], "A" * 85 + "="], ids=str
)
def test_what_is_no_signature_is_none(signature: object) -> None:
    data = json.dumps({**a_draft(), "signature": signature}, sort_keys=True, separators=(",", ":")).encode()

    with pytest.raises(BadReceipt, match="signature does not fit"):
        receipts.verify(data, PUBLIC)


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"1", b"\xff", b"{", b'{"v":1,"v":1}', b'{"v":NaN}', b"[" * 100_000],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_receipt_is_none(data: bytes) -> None:
    with pytest.raises(BadReceipt):
        receipts.verify(data, PUBLIC)


def test_a_receipt_without_an_end_is_not_read() -> None:
    with pytest.raises(BadReceipt, match="longer than"):
        receipts.verify(b'{"a":"' + b"x" * receipts.LONGEST, PUBLIC)


def test_the_same_meaning_in_other_bytes_is_not_what_was_signed() -> None:
    with pytest.raises(BadReceipt, match="as the Center writes it"):
        receipts.verify(json.dumps(json.loads(signed()), indent=1).encode(), PUBLIC)


@pytest.mark.parametrize(
    "key",
    ["", "ed25519:", PUBLIC[8:], PUBLIC[:-1], f"{PUBLIC}A", PUBLIC.replace("ed25519", "rsa"), PUBLIC[:-1] + "h", "é"],
)
def test_what_is_no_public_key_is_said_to_be_none(key: str) -> None:
    with pytest.raises(ConfigurationError, match="no Center's public key"):
        receipts.verify(signed(), key)


def test_spaces_around_a_key_that_was_copied_do_not_matter() -> None:
    assert receipts.verify(signed(), f" {PUBLIC}\n")["action_id"] == 17


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    with pytest.raises(ConfigurationError, match="cryptography") as told:
        receipts.verify(signed(), PUBLIC)
    assert "clearance[crypto]" in told.value.next_step
