"""The Center's own key, and the receipts that it signs with it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.center.desks import CAROL, DROP, READ, Office

from clearance import receipts
from clearance.center import signing, trail
from clearance.center.faults import Conflict
from clearance.center.records import Record
from clearance.center.service import Center
from clearance.center.signing import CannotSign, SigningKey, beside
from clearance.models import Action, Status
from clearance.receipts import BadReceipt
from clearance.witness import Head, continues


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey(tmp_path / "center.db.key")


def pem_of(key: Ed25519PrivateKey | X25519PrivateKey, password: bytes | None = None) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption(),
    )


def receipt_of(office: Office, key: SigningKey, record: Record) -> bytes:
    return key.sign(office.do(lambda tx: signing.draft(tx, record, key.public())))


# The key


def test_the_key_is_made_once_in_a_file_of_its_own_that_only_its_owner_may_read(key: SigningKey) -> None:
    assert key.file is not None
    key.make()
    made = key.file.read_bytes()

    assert stat.S_IMODE(key.file.stat().st_mode) == 0o600
    assert [file.name for file in key.file.parent.iterdir()] == [key.file.name]
    key.make()
    assert key.file.read_bytes() == made
    assert SigningKey(key.file).public() == key.public()


def test_it_is_made_when_it_is_first_needed_and_every_center_has_another(tmp_path: Path) -> None:
    one, other = SigningKey(tmp_path / "one"), SigningKey(tmp_path / "other")

    assert one.public() != other.public()
    assert (tmp_path / "one").exists()


def test_the_file_is_one_that_other_tools_make_and_read(key: SigningKey) -> None:
    assert key.file is not None
    theirs = Ed25519PrivateKey.generate()
    key.file.touch(0o600)
    key.file.write_bytes(pem_of(theirs))

    assert key.public() == receipts.public_key_text(theirs.public_key().public_bytes_raw())
    key.file.unlink()
    again = SigningKey(key.file)
    again.make()
    loaded = serialization.load_pem_private_key(key.file.read_bytes(), None)
    assert isinstance(loaded, Ed25519PrivateKey)
    assert pem_of(loaded) == key.file.read_bytes()


def test_of_many_who_make_it_at_once_one_wins_and_all_use_that_one(tmp_path: Path) -> None:
    keys = [SigningKey(tmp_path / "shared") for _ in range(16)]
    barrier = threading.Barrier(len(keys))
    found: list[str] = []

    def use(key: SigningKey) -> None:
        barrier.wait(30)
        found.append(key.public())

    threads = [threading.Thread(target=use, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == len(keys)
    assert len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["shared"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_key_that_others_may_read_or_write_is_not_used(key: SigningKey, mode: int) -> None:
    assert key.file is not None
    key.make()
    key.file.chmod(mode)

    with pytest.raises(CannotSign, match="others may"):
        key.public()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a key", pem_of(X25519PrivateKey.generate()), pem_of(Ed25519PrivateKey.generate(), b"password")],
    ids=["empty", "text", "another kind", "a password"],
)
def test_what_is_no_key_is_refused_and_left_as_it_is(key: SigningKey, content: bytes) -> None:
    assert key.file is not None
    key.file.touch(0o600)
    key.file.write_bytes(content)

    with pytest.raises(CannotSign, match="is not an Ed25519 key"):
        key.public()
    assert key.file.read_bytes() == content


def test_where_no_key_can_be_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotSign, match="--signing-key"):
        SigningKey(None).public()
    with pytest.raises(CannotSign, match="cannot be made"):
        SigningKey(tmp_path / "nowhere" / "key").public()
    with pytest.raises(CannotSign, match="cannot be read"):
        SigningKey(tmp_path).public()


def test_the_key_is_beside_a_file_and_nowhere_for_a_server() -> None:
    assert beside("a/center.db") == Path("a/center.db.key")
    assert beside("postgresql://host/database") is None


def test_the_private_key_is_in_no_receipt_no_database_and_no_text(office: Office, key: SigningKey) -> None:
    data = receipt_of(office, key, office.approve(office.submit()))
    assert key.file is not None
    private = serialization.load_pem_private_key(key.file.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    raw = private.private_bytes_raw()

    seen = [data, repr(key).encode(), *(file.read_bytes() for file in key.file.parent.glob("center.db*"))]
    seen.remove(key.file.read_bytes())
    for content in seen:
        assert raw not in content
        assert raw.hex().encode() not in content
        assert key.file.read_bytes().splitlines()[1] not in content


def test_a_center_that_signs_nothing_loads_no_cryptography_and_makes_no_key(tmp_path: Path) -> None:
    script = """
import sys
from clearance.center.app import application
from clearance.center.service import Center
center = Center.open(sys.argv[1])
application(center)
center.signing_key.make()
center.close()
assert "cryptography" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "c.db")], check=True, timeout=60)

    assert sorted(os.listdir(tmp_path)) == ["c.db", "c.db.key"]
    Center.open(tmp_path / "d.db").close()
    assert "d.db.key" not in os.listdir(tmp_path)


# Receipts


def test_an_approval_and_a_denial_by_a_person_get_a_receipt(office: Office, key: SigningKey) -> None:
    approved, denied = office.approve(office.submit(), reason="seen"), office.deny(office.submit())

    for record, status, reason in ((approved, "approved", "seen"), (denied, "denied", "not today")):
        found = receipts.verify(receipt_of(office, key, record), key.public())
        assert {name: found[name] for name in ("action_id", "status", "decider", "decided_by", "reason")} == {
            "action_id": record.id,
            "status": status,
            "decider": CAROL.id,
            "decided_by": "carol",
            "reason": reason,
        }
        assert (found["digest"], found["policy"]) == (record.action.digest, record.policy_version)
        assert (found["action_type"], found["agent_id"]) == (record.action.action_type, record.action.agent_id)


@pytest.mark.parametrize(("action", "status"), [(READ, "approved"), (DROP, "denied")])
def test_a_decision_of_the_policy_gets_a_receipt(office: Office, key: SigningKey, action: Action, status: str) -> None:
    record = office.submit(action)
    found = receipts.verify(receipt_of(office, key, record), key.public())

    assert found["status"] == status
    assert found["decider"] == found["decided_by"] == record.decided_by
    assert str(found["decider"]).startswith("policy:")


@pytest.mark.parametrize("status", [Status.PENDING, Status.EXPIRED, Status.WITHDRAWN])
def test_without_a_decision_there_is_no_receipt(office: Office, key: SigningKey, status: Status) -> None:
    record = office.at(status)

    with pytest.raises(Conflict, match="no decision"):
        receipt_of(office, key, record)


@pytest.mark.parametrize("status", [Status.EXECUTING, Status.COMPLETED, Status.FAILED, Status.UNKNOWN, Status.LAPSED])
def test_the_receipt_is_the_same_whatever_became_of_the_action(office: Office, key: SigningKey, status: Status) -> None:
    record = office.submit()
    first = receipt_of(office, key, office.approve(record))
    for _ in range(3):
        office.submit()
    if status is Status.LAPSED:
        office.clock.advance(record.action.run_within)
        record = office.read(record)
    else:
        record = office.claim(record)
        record = record if status is Status.EXECUTING else office.report(record, status)

    assert record.status is status
    assert receipt_of(office, key, record) == first
    assert receipts.verify(first, key.public())["status"] == "approved"


def test_the_head_of_a_receipt_is_one_that_the_center_handed_out_and_continued(office: Office, key: SigningKey) -> None:
    record = office.approve(office.submit())
    head = office.store.head
    for _ in range(20):
        office.submit()

    found = receipts.head_of(receipts.verify(receipt_of(office, key, record), key.public()))

    assert found == head
    later, proof = office.do(lambda tx: trail.growth(tx, found.entries))
    assert continues(found, later, proof)
    assert trail.verify(office, [found]).problem is None
    assert trail.verify(office, [Head(found.entries, "0" * 64)]).problem


def test_a_receipt_of_one_center_is_none_at_another(tmp_path: Path, office: Office, key: SigningKey) -> None:
    other_office, other_key = Office(tmp_path / "other.db"), SigningKey(tmp_path / "other.db.key")
    records = [each.approve(each.submit(), CAROL) for each in (office, other_office)]
    assert records[0].id == records[1].id
    theirs = receipt_of(other_office, other_key, records[1])
    other_office.close()

    receipts.verify(theirs, other_key.public())
    with pytest.raises(BadReceipt, match="another Center"):
        receipts.verify(theirs, key.public())


def test_a_receipt_tells_nothing_that_only_the_executor_may_know(office: Office, key: SigningKey) -> None:
    record = office.claim(office.approve(office.submit()))
    data = receipt_of(office, key, record)

    assert record.nonce is not None
    assert record.nonce.encode() not in data
    assert "nonce" not in json.loads(data)
