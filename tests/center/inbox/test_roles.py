"""Who sees what in the inbox: auditors read only, a key's end ends its sessions, and the kill switch is announced."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.center.desks import Clock
from tests.center.inbox.test_pages import Browser, ask, stored, whose
from tests.helpers import an_action
from tests.servers import Running, running_center

from clearance.center.records import Record, Role
from clearance.models import Status


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(tmp_path: Path, clock: Clock) -> Iterator[Running]:
    with running_center(tmp_path / "center.db", now=clock) as found:
        yield found


@pytest.fixture
def browser(running: Running) -> Iterator[Browser]:
    browser = Browser(running.url)
    with browser.session:
        yield browser


def words(page: requests.Response) -> str:
    """The text of a page, or of a part of one, as it reads."""
    body = page.text.partition("<body")[2] or page.text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def signed_in(running: Running, browser: Browser, role: Role, **key: str) -> str:
    """Sign the browser in with a new key; returns the key."""
    made = running.center.create_key(role, role.value, owner=key.get("owner"))
    assert browser.post("/sign-in", {"token": made}).status_code == 303
    return made


def kill(running: Running, *, on: bool = True, reason: str = "it deletes too much", **scope: str) -> None:
    """Turn the kill switch."""
    key = running.center.create_key(Role.SUPER_ADMIN, "dave")
    who = whose(running, key)
    running.center.do(
        lambda tx: running.center.desk.turn_switch(
            tx, who, on=on, reason=reason, agent=scope.get("agent", ""), tool=scope.get("tool", "")
        )
    )


# Auditors


def test_an_auditor_reads_every_page_and_finds_no_button_that_decides(running: Running, browser: Browser) -> None:
    record = ask(running)
    signed_in(running, browser, Role.AUDITOR)

    pages = [browser.get(path) for path in ("/", "/inbox/list", f"/actions/{record.id}")]

    for page in pages:
        assert page.status_code == 200
        assert "ch_1" in page.text
        assert 'action="/inbox/' not in page.text
        assert "Your key reads only" in words(page)
    assert "Audit trail" in words(pages[2])


@pytest.mark.parametrize("what", ["approve", "deny"])
def test_an_auditor_decides_nothing_not_even_with_a_form_of_their_own(
    running: Running, browser: Browser, what: str
) -> None:
    record = ask(running)
    signed_in(running, browser, Role.AUDITOR)

    answer = browser.decide(what, record, confirmed="yes")
    bulk = browser.post("/inbox/approve-all", {"form_token": browser.token(), "ids": str(record.id)})

    assert answer.status_code == bulk.status_code == 403
    assert "may read, but not decide" in words(answer)
    assert stored(running, record).status is Status.PENDING


def test_an_auditor_signs_out(running: Running, browser: Browser) -> None:
    signed_in(running, browser, Role.AUDITOR)

    assert browser.post("/sign-out", {"form_token": browser.token()}).status_code == 303
    assert browser.get("/").status_code == 303


def test_what_another_key_of_the_same_owner_asked_for_is_ones_own(running: Running, browser: Browser) -> None:
    asker = running.center.create_key(Role.USER, "adas-bot", owner="ada")
    record = ask(running, key=asker)
    signed_in(running, browser, Role.ADMIN, owner="ada")

    page = browser.get("/")
    answer = browser.decide("approve", record)

    assert "somebody else must decide" in words(page)
    assert f'action="/inbox/{record.id}/approve"' not in page.text
    assert answer.status_code == 403
    assert stored(running, record).status is Status.PENDING


# The end of a key


def test_a_session_ends_with_the_revocation_of_its_key(running: Running, browser: Browser) -> None:
    key = signed_in(running, browser, Role.ADMIN)
    record = ask(running)
    token = browser.token()

    running.center.revoke_key(whose(running, key).id)

    assert browser.get("/").status_code == 303
    assert browser.post(f"/inbox/{record.id}/approve", {"form_token": token}).status_code == 401
    assert stored(running, record).status is Status.PENDING


def test_a_session_ends_with_the_time_of_its_key(running: Running, browser: Browser, clock: Clock) -> None:
    key = running.center.create_key(Role.ADMIN, "brief", lifetime=60)
    assert browser.post("/sign-in", {"token": key}).status_code == 303
    clock.advance(59)
    assert browser.get("/").status_code == 200
    clock.advance(1)

    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_sign_in_link_ends_with_its_key(running: Running, browser: Browser, clock: Clock, how: str) -> None:
    key = running.center.create_key(Role.ADMIN, "brief", lifetime=60)
    token = running.center.sign_in_token(whose(running, key))
    if how == "revoked":
        running.center.revoke_key(whose(running, key).id)
    else:
        clock.advance(60)

    assert browser.post("/sign-in", {"token": token}).status_code == 401


def test_a_stream_of_events_ends_with_the_key(running: Running, browser: Browser) -> None:
    key = signed_in(running, browser, Role.ADMIN)
    key_id = whose(running, key).id
    with browser.get("/inbox/events", stream=True) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith(b"id: ")
        running.center.revoke_key(key_id)
        ask(running)  # something happens, which it must not be told of

        rest = list(lines)

    assert [line for line in rest if line.startswith(b"event:")] == [b"event: changed"]


def test_old_sessions_and_links_do_not_pile_up(running: Running, clock: Clock) -> None:
    who = whose(running, running.admin_key)
    for _ in range(3):
        running.center.do(lambda tx: running.center.start_session(tx, who))
        running.center.sign_in_token(who)
    clock.advance(24 * 3600)
    running.center.sign_in_token(who)

    def count(tx: object) -> list[int]:
        from sqlalchemy import func, select

        from clearance.center.store import tables
        from clearance.center.store.sql import SqlTx

        assert isinstance(tx, SqlTx)
        both = (tables.sessions, tables.sign_ins)
        return [tx._connection.execute(select(func.count()).select_from(table)).scalar_one() for table in both]

    assert running.center.do(count) == [0, 1]


# The kill switch


def test_every_page_says_that_the_kill_switch_is_on_until_it_is_off(running: Running, browser: Browser) -> None:
    record = ask(running)
    signed_in(running, browser, Role.ADMIN)
    paths = ("/", "/inbox/list", f"/actions/{record.id}")
    for path in paths:
        assert "Kill switch" not in browser.get(path).text

    kill(running)
    for path in paths:
        assert "Kill switch on: everything. dave turned it on: it deletes too much" in words(browser.get(path))

    kill(running, on=False)
    for path in paths:
        assert "Kill switch" not in browser.get(path).text


def test_it_says_what_is_stopped_in_text_that_does_nothing(running: Running, browser: Browser) -> None:
    signed_in(running, browser, Role.ADMIN)
    kill(running, agent="<script>bot</script>", tool="stripe", reason="<img src=x>\u202e")

    page = browser.get("/")

    assert "agent <script>bot</script> with tool stripe" in words(page)
    assert "<script>bot" not in page.text
    assert "<img src=x>" not in page.text
    assert "\u202e" not in page.text


def test_open_pages_are_told_at_once(running: Running, browser: Browser) -> None:
    signed_in(running, browser, Role.ADMIN)
    with browser.get("/inbox/events", stream=True) as stream:
        lines = stream.iter_lines()
        while next(lines) != b"data: {}":
            pass
        kill(running)

        assert next(line for line in lines if line.startswith(b"event")) == b"event: changed"


def test_approving_while_it_is_on_says_so_and_denying_goes_on(running: Running, browser: Browser) -> None:
    first, second = ask(running), ask(running)
    signed_in(running, browser, Role.ADMIN)
    kill(running)

    refused = browser.decide("approve", first)
    bulk = browser.post("/inbox/approve-all", {"form_token": browser.token(), "ids": f"{first.id} {second.id}"})
    denied = browser.decide("deny", second)

    assert refused.status_code == 409
    assert "kill switch is on" in words(refused)
    assert (bulk.status_code, denied.status_code) == (303, 303)
    assert stored(running, first).status is Status.PENDING
    assert stored(running, second).status is Status.DENIED


def test_what_it_stopped_is_said_of_a_request(running: Running, browser: Browser) -> None:
    signed_in(running, browser, Role.ADMIN)
    kill(running)
    record = ask(running)

    page = words(browser.get(f"/actions/{record.id}"))

    assert "Denied by the kill switch of dave" in page
    assert "Kill switch: it deletes too much" in page


# Taking an approval back


def approved(running: Running, browser: Browser) -> Record:
    """An approved request."""
    record = ask(running, an_action())
    assert browser.decide("approve", record).status_code == 303
    return record


def test_an_approval_is_taken_back_on_the_requests_own_page(running: Running, browser: Browser) -> None:
    signed_in(running, browser, Role.ADMIN)
    record = approved(running, browser)
    assert f'action="/inbox/{record.id}/revoke"' in browser.get(f"/actions/{record.id}").text

    answer = browser.decide("revoke", record, reason="wrong customer")

    assert answer.status_code == 303
    kept = stored(running, record)
    assert (kept.status, kept.reason, kept.channel) == (Status.REVOKED, "wrong customer", "inbox")
    page = browser.get(f"/actions/{record.id}")
    assert "Revoked by admin" in words(page)
    assert "wrong customer" in words(page)
    assert "/revoke" not in page.text


@pytest.mark.parametrize("fields", [{"reason": "x"}, {"form_token": "x"}])
def test_it_takes_a_form_of_the_session_to_take_it_back(
    running: Running, browser: Browser, fields: dict[str, str]
) -> None:
    signed_in(running, browser, Role.ADMIN)
    record = approved(running, browser)

    assert browser.post(f"/inbox/{record.id}/revoke", fields).status_code == 403
    assert stored(running, record).status is Status.APPROVED


def test_an_auditor_is_not_offered_to_take_it_back(running: Running, browser: Browser) -> None:
    signed_in(running, browser, Role.ADMIN)
    record = approved(running, browser)
    browser.session.cookies.clear()
    signed_in(running, browser, Role.AUDITOR)

    assert "/revoke" not in browser.get(f"/actions/{record.id}").text
    assert browser.decide("revoke", record).status_code == 403
    assert stored(running, record).status is Status.APPROVED
