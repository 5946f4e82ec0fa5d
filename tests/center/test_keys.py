"""API keys: their form, that they are shown once, and that only a hash of them is kept."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.desks import Office

from clearance.center import keys
from clearance.center.records import KeyRecord, NotAuthenticated, Principal, Role


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "center.db")
    yield office
    office.close()


def made(office: Office, role: Role = Role.USER, name: str = "billing") -> tuple[str, KeyRecord]:
    """A new key."""
    return office.do(lambda tx: keys.create(tx, role, name, office.clock.now, "local"))


def whose(office: Office, presented: str | None) -> Principal:
    """Who presented it."""
    return office.do(lambda tx: keys.principal(tx, presented))


def resealed(stem: str) -> str:
    """The text with the checksum that belongs to it."""
    return f"{stem}{zlib.crc32(stem.encode()):08x}"


@pytest.mark.parametrize("role", Role)
def test_a_key_says_its_role_and_is_known_by_it(office: Office, role: Role) -> None:
    key, record = made(office, role)

    assert re.fullmatch(rf"owkai_{role.value}_{record.id}_[a-z2-7]{{52}}[0-9a-f]{{8}}", key)
    assert whose(office, key) == Principal(record.id, "billing", role)


def test_a_key_without_a_name_is_named_after_its_role_and_id(office: Office) -> None:
    _, record = made(office, Role.ADMIN, "")

    assert record.name == f"admin-{record.id}"


def test_keys_differ(office: Office) -> None:
    assert len({made(office)[0] for _ in range(20)}) == 20


def test_making_a_key_stands_in_the_trail_without_the_key(office: Office) -> None:
    key, record = made(office)

    (link,) = office.trail()
    assert json.loads(link.body)["details"] == {"key": record.id, "role": "user", "name": "billing"}
    assert key not in link.body
    assert record.digest not in link.body


def test_only_a_hash_of_a_key_is_in_the_files_of_the_database(tmp_path: Path) -> None:
    office = Office(tmp_path / "center.db")
    key, record = made(office)
    secret = key.removeprefix(f"owkai_user_{record.id}_")[:52]

    files = list(tmp_path.iterdir())
    content = b"".join(file.read_bytes() for file in files)
    office.close()
    content += (tmp_path / "center.db").read_bytes()

    assert "center.db-wal" in [file.name for file in files]
    assert hashlib.sha256(key.encode()).hexdigest().encode() in content
    assert secret.encode() not in content
    assert secret.upper().encode() not in content


def test_a_revoked_key_is_not_known_any_more(office: Office) -> None:
    key, record = made(office)
    revoked = replace(record, id="revoked0", revoked_at=office.clock.now)
    stem = key[:-8].replace(record.id, revoked.id)
    digest = hashlib.sha256(resealed(stem).encode()).hexdigest()
    office.do(lambda tx: tx.add_key(replace(revoked, digest=digest)))

    with pytest.raises(NotAuthenticated):
        whose(office, resealed(stem))


def test_a_key_that_was_never_made_is_not_known(office: Office) -> None:
    key, record = made(office)

    with pytest.raises(NotAuthenticated):
        whose(office, resealed(key[:-8].replace(record.id, "zzzzzzzz")))


def test_another_secret_under_a_known_id_is_not_known(office: Office) -> None:
    key, _ = made(office)
    other = "b" if key[30] == "a" else "a"

    with pytest.raises(NotAuthenticated):
        whose(office, resealed(key[:30] + other + key[31:-8]))


@given(st.data())
def test_one_mistyped_character_is_noticed_without_asking_the_store(data: st.DataObject) -> None:
    key = resealed("owkai_user_abcd2345_" + "abcdefghij234567" * 3 + "abcd")
    at = data.draw(st.integers(0, len(key) - 1))
    typed = data.draw(st.characters(codec="latin-1").filter(lambda character: character != key[at]))

    class NoStore:
        def key(self, key_id: str) -> KeyRecord | None:
            raise AssertionError(f"asked for {key_id}")

    with pytest.raises(NotAuthenticated):
        keys.principal(NoStore(), key[:at] + typed + key[at + 1 :])  # type: ignore[arg-type]


@pytest.mark.parametrize("presented", [None, "", " ", "owkai_user_x", "Bearer", "\x00", "ключ"])
def test_what_is_no_key_is_not_known_and_one_answer_fits_all(office: Office, presented: str | None) -> None:
    with pytest.raises(NotAuthenticated, match=r"^Invalid or missing API key$"):
        whose(office, presented)


@pytest.mark.parametrize("spoiled", ["{} ", " {}", "{}\n", "{}x"])
def test_a_key_with_anything_around_it_is_not_known(office: Office, spoiled: str) -> None:
    key, _ = made(office)

    with pytest.raises(NotAuthenticated):
        whose(office, spoiled.format(key))


def test_a_key_cannot_be_promoted_by_writing_another_role_into_it(office: Office) -> None:
    key, _ = made(office)

    with pytest.raises(NotAuthenticated):
        whose(office, resealed(key[:-8].replace("owkai_user_", "owkai_admin_")))


def test_the_prefix_is_only_a_hint_what_is_stored_counts(office: Office) -> None:
    key, record = made(office, Role.ADMIN)
    demoted = replace(record, id="demoted0", role=Role.USER)
    text = resealed(key[:-8].replace(record.id, demoted.id))
    office.do(lambda tx: tx.add_key(replace(demoted, digest=hashlib.sha256(text.encode()).hexdigest())))

    assert text.startswith("owkai_admin_")
    assert not whose(office, text).may_decide
