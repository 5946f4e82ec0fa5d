"""API keys: their form, that they are shown once, and that only a hash of them is kept."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.center.desks import Office

from clearance.center import keys
from clearance.center.faults import Forbidden, Invalid, NotAuthenticated, NotFound
from clearance.center.moves import SECOND
from clearance.center.records import KeyRecord, Principal, Role, Session
from clearance.center.store.base import Tx


def made(office: Office, role: Role = Role.USER, name: str = "billing") -> tuple[str, KeyRecord]:
    """A new key."""
    return office.do(lambda tx: keys.create(tx, role, name, office.clock.now, "local"))


def whose(office: Office, presented: str | None) -> Principal:
    """Who presented it."""
    return office.do(lambda tx: keys.principal(tx, presented, office.clock.now))


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
        keys.principal(cast("Tx", NoStore()), key[:at] + typed + key[at + 1 :], 0)


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


# Its end


def test_a_key_is_known_until_its_last_microsecond_and_not_from_then_on(office: Office) -> None:
    key, record = office.do(lambda tx: keys.create(tx, Role.USER, "brief", office.clock.now, "local", lifetime=60))
    end = office.clock.now + 60 * SECOND
    assert record.expires_at == end

    office.clock.now = end - 1
    assert whose(office, key).id == record.id
    office.clock.now = end
    with pytest.raises(NotAuthenticated, match=r"^Invalid or missing API key$"):
        whose(office, key)


@pytest.mark.parametrize("lifetime", [0, -1, keys.LONGEST_LIFE + 1, float("nan"), float("inf")])
def test_a_lifetime_that_cannot_be_meant_makes_no_key(office: Office, lifetime: float) -> None:
    with pytest.raises(Invalid, match="lives up to"):
        office.do(lambda tx: keys.create(tx, Role.USER, "x", office.clock.now, "local", lifetime=lifetime))
    assert office.do(lambda tx: tx.keys()) == []


def test_a_revoked_key_is_over_at_once_and_for_good_and_that_stands_in_the_trail_once(office: Office) -> None:
    key, record = made(office)

    for _ in range(2):
        ended = office.do(lambda tx: keys.revoke(tx, record.id, office.clock.now, "admin-2"))
        assert ended.revoked_at == 1_700_000_000 * SECOND
        office.clock.advance(1)

    with pytest.raises(NotAuthenticated, match=r"^Invalid or missing API key$"):
        whose(office, key)
    entries = [json.loads(link.body) for link in office.trail()]
    (entry,) = [entry for entry in entries if entry["event"] == "key.revoked"]
    assert (entry["actor"], entry["details"]) == ("admin-2", {"key": record.id, "name": "billing"})


def test_revoking_a_key_ends_its_sessions_and_links_and_nobody_elses(office: Office) -> None:
    until = office.clock.now + SECOND
    mine, other = (made(office, Role.ADMIN)[1].principal() for _ in range(2))

    def sign_in(tx: Tx) -> None:
        for who in (mine, other):
            tx.add_session(Session(f"s-{who.id}", who, "form", until))
            tx.add_sign_in(f"t-{who.id}", who, until)

    office.do(sign_in)
    office.do(lambda tx: keys.revoke(tx, mine.id, office.clock.now, "local"))

    assert office.do(lambda tx: tx.session(f"s-{mine.id}", 0)) is None
    assert office.do(lambda tx: tx.take_sign_in(f"t-{mine.id}", 0)) is None
    assert office.do(lambda tx: tx.session(f"s-{other.id}", 0)) is not None
    assert office.do(lambda tx: tx.take_sign_in(f"t-{other.id}", 0)) is not None


def test_a_key_that_was_never_made_cannot_be_revoked(office: Office) -> None:
    with pytest.raises(NotFound):
        office.do(lambda tx: keys.revoke(tx, "zzzzzzzz", office.clock.now, "local"))
    assert office.trail() == []


# Its name and its owner

MISLEADING = [
    "a\x1b[2J",
    "a\nb",
    "a\u202eb",
    "a\u200bb",
    "a\u00a0b",
    "\u3164",
    "policy:allow@1",
    "kill-switch:x",
    "x" * 101,
    "   ",
]


@pytest.mark.parametrize("name", MISLEADING, ids=ascii)
def test_a_name_that_could_mislead_makes_no_key(office: Office, name: str) -> None:
    with pytest.raises(Invalid, match="A key's name"):
        made(office, name=name)
    assert office.do(lambda tx: tx.keys()) == []


@pytest.mark.parametrize("name", ["Ada Lovelace", "日本語", "Zoë", "x" * 100, "o'brien <b>"])
def test_a_name_that_can_be_read_is_kept_as_it_is(office: Office, name: str) -> None:
    assert made(office, name=f" {name} ")[1].name == name


@pytest.mark.parametrize("written", ["ada", "Ada", " ADA "])
def test_an_owner_is_one_person_however_it_is_written(office: Office, written: str) -> None:
    _, record = office.do(lambda tx: keys.create(tx, Role.USER, "x", office.clock.now, "local", owner=written))

    assert record.owner == "ada"
    assert record.principal().owner == "ada"


@pytest.mark.parametrize("owner", ["", " ", "аda", "a b", "a\u200b", "-ada", "x" * 65, "ada:1"], ids=ascii)
def test_an_owner_that_could_be_taken_for_another_makes_no_key(office: Office, owner: str) -> None:
    with pytest.raises(Invalid, match="An owner is"):
        office.do(lambda tx: keys.create(tx, Role.USER, "x", office.clock.now, "local", owner=owner))
    assert office.do(lambda tx: tx.keys()) == []


# Who makes keys


def maker(office: Office, role: Role, lifetime: float | None = None) -> Principal:
    """The holder of a key with that role."""
    made = office.do(lambda tx: keys.create(tx, role, "maker", office.clock.now, "local", lifetime=lifetime))
    return made[1].principal()


@pytest.mark.parametrize("wanted", Role)
@pytest.mark.parametrize("role", Role)
def test_only_a_super_admin_makes_keys_of_whatever_role(office: Office, role: Role, wanted: Role) -> None:
    who = maker(office, role)

    def make(tx: Tx) -> KeyRecord:
        return keys.create_for(tx, who, wanted, "new", office.clock.now, owner=None, lifetime=None)[1]

    if role is Role.SUPER_ADMIN:
        assert office.do(make).role is wanted
        assert json.loads(office.trail()[-1].body)["actor"] == who.id
    else:
        with pytest.raises(Forbidden):
            office.do(make)
        assert len(office.do(lambda tx: tx.keys())) == 1


@pytest.mark.parametrize(("lifetime", "may"), [(None, False), (101.0, False), (100.0, True), (1.0, True)])
def test_a_key_makes_none_that_outlives_it(office: Office, lifetime: float | None, may: bool) -> None:
    who = maker(office, Role.SUPER_ADMIN, 100.0)

    def make(tx: Tx) -> KeyRecord:
        return keys.create_for(tx, who, Role.USER, "new", office.clock.now, owner=None, lifetime=lifetime)[1]

    if may:
        assert office.do(make).expires_at == office.clock.now + round((lifetime or 0) * SECOND)
    else:
        with pytest.raises(Forbidden, match="lives longer"):
            office.do(make)


# Its use


def test_the_use_of_a_key_is_written_down_once_an_hour(office: Office) -> None:
    key, record = made(office)

    def used() -> int | None:
        whose(office, key)
        (kept,) = office.do(lambda tx: tx.keys())
        return kept.last_used_at

    first = office.clock.now
    assert used() == first
    office.clock.advance(keys.USED_EVERY - 1)
    assert used() == first
    office.clock.advance(1)
    assert used() == office.clock.now == first + keys.USED_EVERY * SECOND
    (kept,) = office.do(lambda tx: tx.keys())
    assert replace(kept, last_used_at=None) == record


def test_a_key_that_is_refused_leaves_no_trace_of_use(office: Office) -> None:
    key, record = made(office)
    other = "b" if key[30] == "a" else "a"
    with pytest.raises(NotAuthenticated):
        whose(office, resealed(key[:30] + other + key[31:-8]))

    assert office.do(lambda tx: tx.keys()) == [record]
