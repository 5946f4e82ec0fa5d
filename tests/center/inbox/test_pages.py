"""The inbox over a real socket: who comes in, what a form must prove, and what the page says."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.center.desks import Clock
from tests.center.inbox import hostile
from tests.center.policies import a_rule
from tests.helpers import an_action
from tests.servers import PATIENCE, Running, running_center

from clearance.center.approvals import LONGEST_REASON
from clearance.center.emergencies import BreakGlass
from clearance.center.inbox import doors, pages
from clearance.center.inbox.allowed import Allowed
from clearance.center.policy import Policy, built_in, parse
from clearance.center.records import KillSwitch, Principal, Record, Role, Submission
from clearance.center.service import SESSION_FOR, SIGN_IN_FOR
from clearance.center.standing.approval import StandingApproval
from clearance.models import Action, CodeIdentity, Outcome, Status

NONCE = "nonce-of-the-agent"
MIGRATION = an_action(action_type="db.migrate", tool_name="postgres", resource="production/shop")
"""An action of high risk."""
_NUMBERS = itertools.count()


class Browser:
    """What a browser does, without a screen: keeps cookies, wants pages, names the origin of its forms."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept"] = "text/html,application/xhtml+xml,*/*;q=0.8"

    def get(self, path: str, **options: Any) -> requests.Response:
        """Open an address."""
        return self.session.get(self.url + path, **{"timeout": PATIENCE, "allow_redirects": False, **options})

    def post(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> requests.Response:
        """Send a form from one of the Center's own pages."""
        own = {"Origin": self.url, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return self.session.post(self.url + path, data=fields, headers=own, timeout=PATIENCE, allow_redirects=False)

    def token(self) -> str:
        """The form token of the page that is open."""
        [token] = set(re.findall(r'name="form_token" value="([^"]+)"', self.get("/").text))
        return str(token)

    def decide(self, what: str, record: Record, **fields: str) -> requests.Response:
        """Press a button of a request."""
        return self.post(f"/inbox/{record.id}/{what}", {"form_token": self.token(), **fields})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(tmp_path: Path, clock: Clock) -> Iterator[Running]:
    with running_center(tmp_path / "center.db", now=clock) as found:
        yield found


@pytest.fixture
def browser(running: Running) -> Iterator[Browser]:
    """A browser that nobody signed in."""
    browser = Browser(running.url)
    with browser.session:
        yield browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Center for the tests that only look, or only are refused: starting one takes longer than they do."""
    with running_center(tmp_path_factory.mktemp("shared") / "center.db") as found:
        yield found


@pytest.fixture
def stranger(shared: Running) -> Iterator[Browser]:
    """A browser at the shared Center that nobody signed in."""
    browser = Browser(shared.url)
    with browser.session:
        yield browser


@pytest.fixture
def visitor(shared: Running, stranger: Browser) -> Browser:
    """Carol's browser at the shared Center."""
    assert stranger.post("/sign-in", {"token": shared.admin_key}).status_code == 303
    return stranger


@pytest.fixture
def inbox(running: Running, browser: Browser) -> Browser:
    """Carol's browser."""
    assert browser.post("/sign-in", {"token": running.admin_key}).status_code == 303
    return browser


def whose(running: Running, key: str) -> Principal:
    return running.center.do(lambda tx: running.center.principal(tx, key))


def ask(running: Running, action: Action | None = None, key: str | None = None) -> Record:
    """Ask for a refund, or for ``action``; to the Center it is a call that nobody has asked for before."""
    who, desk = whose(running, key or running.user_key), running.center.desk
    action = replace(action or an_action(), digest=f"the-digest-{next(_NUMBERS)}")
    submission = Submission(action, None, None, claims=True)
    return running.center.do(lambda tx: desk.submit(tx, who, submission))


def stored(running: Running, record: Record) -> Record:
    found = running.center.do(lambda tx: tx.action(record.id))
    assert found is not None
    return found


def words(page: requests.Response) -> str:
    """The page's text, as it reads."""
    body = page.text.partition("<body")[2]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


# Coming in


@pytest.mark.parametrize("path", ["/", "/actions/1"])
def test_a_page_without_a_session_leads_to_the_sign_in(stranger: Browser, path: str) -> None:
    answer = stranger.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", ["/inbox/list", "/inbox/events"])
def test_the_pages_own_reads_without_a_session_are_refused(stranger: Browser, path: str) -> None:
    assert stranger.get(path, headers={"Accept": "*/*"}).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/inbox/{id}/approve", "/inbox/{id}/deny", "/inbox/approve-all", "/inbox/break-glass/1/close", "/sign-out"],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_form_without_a_session_is_refused(shared: Running, stranger: Browser, path: str, accept: str) -> None:
    record = ask(shared)

    assert stranger.post(path.format(id=record.id), {"form_token": "x"}, {"Accept": accept}).status_code == 401
    assert stored(shared, record).status is Status.PENDING


def test_looking_at_a_sign_in_link_does_not_use_it_up(shared: Running, stranger: Browser) -> None:
    token = shared.center.sign_in_token(whose(shared, shared.admin_key))

    pages = [stranger.get(f"/sign-in?token={token}") for _ in range(3)]

    assert {page.status_code for page in pages} == {200}
    assert f'<input type="hidden" name="token" value="{token}">' in pages[0].text
    assert stranger.post("/sign-in", {"token": token}).status_code == 303
    assert stranger.get("/").status_code == 200


def test_a_sign_in_link_works_once(shared: Running, stranger: Browser) -> None:
    token = shared.center.sign_in_token(whose(shared, shared.admin_key))
    assert stranger.post("/sign-in", {"token": token}).status_code == 303
    stranger.session.cookies.clear()

    again = stranger.post("/sign-in", {"token": token})

    assert again.status_code == 401
    assert "used already" in words(again)
    assert "set-cookie" not in again.headers
    assert stranger.get("/").status_code == 303


def test_a_sign_in_link_gets_too_old(running: Running, clock: Clock, browser: Browser) -> None:
    token = running.center.sign_in_token(whose(running, running.admin_key))
    clock.advance(SIGN_IN_FOR)

    assert browser.post("/sign-in", {"token": token}).status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "owkai_admin_nonsense", "\u202e", "a" * 10_000])
def test_nonsense_does_not_sign_in(stranger: Browser, token: str) -> None:
    assert stranger.post("/sign-in", {"token": token}).status_code == 401
    assert stranger.post("/sign-in", {"token": token}, {"Accept": "application/json"}).status_code == 401


def test_the_cookie_is_for_this_site_and_for_no_script(shared: Running, stranger: Browser) -> None:
    answer = stranger.post("/sign-in", {"token": shared.admin_key})
    cookie = answer.headers["set-cookie"].lower()

    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie
    assert "domain" not in cookie
    assert shared.admin_key not in cookie
    assert cookie.startswith(f"clearance-{shared.url.rpartition(':')[2]}=")  # ports share cookies


def test_the_cookie_goes_over_tls_only_where_the_browser_sees_tls(shared: Running, stranger: Browser) -> None:
    origin = shared.url.replace("http://", "https://")
    answer = stranger.post("/sign-in", {"token": shared.admin_key}, {"Origin": origin})

    assert answer.status_code == 303
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_a_key_that_may_not_decide_gets_a_friendly_refusal_and_no_session(shared: Running, stranger: Browser) -> None:
    answer = stranger.post("/sign-in", {"token": shared.user_key})

    assert answer.status_code == 403
    assert "This key may ask, but not decide" in words(answer)
    assert "set-cookie" not in answer.headers


def test_a_link_of_a_key_that_may_not_decide_is_refused(shared: Running, stranger: Browser) -> None:
    token = shared.center.sign_in_token(whose(shared, shared.user_key))

    assert stranger.post("/sign-in", {"token": token}).status_code == 403
    assert stranger.get("/").status_code == 303


@pytest.mark.parametrize("path", ["/", "/actions/1", "/inbox/list", "/inbox/events"])
def test_a_session_that_may_not_decide_sees_nothing(shared: Running, stranger: Browser, path: str) -> None:
    ask(shared)
    user = whose(shared, shared.user_key)
    cookie, _ = shared.center.do(lambda tx: shared.center.start_session(tx, user))
    stranger.session.cookies.set(f"clearance-{shared.url.rpartition(':')[2]}", cookie)

    answer = stranger.get(path)

    assert answer.status_code == 403
    assert "This key may ask, but not decide" in words(answer)
    assert "ch_1" not in answer.text


def test_a_session_ends(running: Running, clock: Clock, inbox: Browser) -> None:
    clock.advance(SESSION_FOR)

    assert inbox.get("/").status_code == 303


def test_a_session_ends_with_its_key(running: Running, inbox: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from clearance.center.store.sql import SqlTx

    found = SqlTx.key
    monkeypatch.setattr(SqlTx, "key", lambda tx, key_id: replace(found(tx, key_id), revoked_at=1))  # type: ignore[type-var]

    assert inbox.get("/").status_code == 303


def test_signing_out_ends_the_session_and_takes_the_cookie_away(visitor: Browser) -> None:
    kept = dict(visitor.session.cookies)

    answer = visitor.post("/sign-out", {"form_token": visitor.token()})

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    visitor.session.cookies.update(kept)
    assert visitor.get("/").status_code == 303


# What a form must prove

_FOREIGN: dict[str, dict[str, str]] = {
    "another origin": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "an opaque origin": {"Origin": "null"},
    "our name in its path": {"Origin": "https://evil.example/127.0.0.1"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "another port of this host": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", _FOREIGN.values(), ids=_FOREIGN)
@pytest.mark.parametrize("what", ["approve", "deny"])
def test_a_form_of_another_site_is_refused(
    shared: Running, visitor: Browser, what: str, headers: dict[str, str]
) -> None:
    record = ask(shared)
    token = visitor.token()

    answer = visitor.post(f"/inbox/{record.id}/{what}", {"form_token": token}, headers)

    assert answer.status_code == 403
    assert "another site" in answer.text
    assert stored(shared, record).status is Status.PENDING


@pytest.mark.parametrize("headers", _FOREIGN.values(), ids=_FOREIGN)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/inbox/approve-all", "/inbox/break-glass/1/close"])
def test_so_are_the_other_forms(shared: Running, visitor: Browser, path: str, headers: dict[str, str]) -> None:
    fields = {"form_token": visitor.token(), "token": shared.admin_key, "ids": "1"}

    assert visitor.post(path, fields, headers).status_code == 403


@pytest.mark.parametrize("token", [None, "", "wrong", "\u00e9"])
@pytest.mark.parametrize(
    "path",
    ["/inbox/{id}/approve", "/inbox/{id}/deny", "/inbox/approve-all", "/inbox/break-glass/1/close", "/sign-out"],
)
def test_a_form_needs_the_sessions_own_token(shared: Running, visitor: Browser, path: str, token: str | None) -> None:
    record = ask(shared)

    answer = visitor.post(
        path.format(id=record.id), {"ids": str(record.id)} | ({} if token is None else {"form_token": token})
    )

    assert answer.status_code == 403
    assert "not from your session" in words(answer)
    assert stored(shared, record).status is Status.PENDING
    assert visitor.get("/").status_code == 200


def test_the_token_of_another_session_is_none(shared: Running, visitor: Browser) -> None:
    record = ask(shared)
    theirs = visitor.token()
    visitor.session.cookies.clear()
    visitor.post("/sign-in", {"token": shared.admin_key})

    assert visitor.post(f"/inbox/{record.id}/approve", {"form_token": theirs}).status_code == 403


def test_a_browser_that_names_no_origin_needs_the_token_still(shared: Running, visitor: Browser) -> None:
    record = ask(shared)
    url, token = f"{shared.url}/inbox/{record.id}/approve", visitor.token()

    with visitor.session.post(url, data={"form_token": "wrong"}, timeout=PATIENCE) as refused:
        assert refused.status_code == 403
    with visitor.session.post(url, data={"form_token": token}, timeout=PATIENCE, allow_redirects=False) as taken:
        assert taken.status_code == 303


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"form_token": "x"}', "application/json", 422),
        (b"form_token=x", "text/plain", 415),
        (b"form_token=x", "multipart/form-data", 415),
        (b"a=1&a=2", "application/x-www-form-urlencoded", 422),
        (b"\xff=1", "application/x-www-form-urlencoded", 422),
        (b"&".join(b"f%d=1" % number for number in range(30)), "application/x-www-form-urlencoded", 422),
    ],
)
def test_what_is_no_form_of_ours_is_refused(
    shared: Running, visitor: Browser, body: bytes, kind: str, status: int
) -> None:
    record = ask(shared)
    headers = {"Content-Type": kind, "Accept": "application/json"}
    url = f"{shared.url}/inbox/{record.id}/approve"

    with visitor.session.post(url, data=body, headers=headers, timeout=PATIENCE) as answer:
        assert answer.status_code == status
        assert "form" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/", "/sign-in", "/actions/1", "/inbox/list", "/nothing", "/static/inbox.js"])
def test_no_other_site_may_frame_a_page_or_run_a_script_in_it(shared: Running, visitor: Browser, path: str) -> None:
    ask(shared)
    headers = visitor.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "trusted-types 'none'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/sign-in", "/actions/1", "/nothing"])
def test_pages_have_no_script_and_no_style_of_their_own(shared: Running, visitor: Browser, path: str) -> None:
    ask(shared)
    page = visitor.get(path).text

    assert re.findall(r"<script(?! src=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    assert "https://" not in page


# Deciding


def test_a_request_is_approved_by_its_form(shared: Running, visitor: Browser) -> None:
    record = ask(shared)

    answer = visitor.decide("approve", record)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    found = stored(shared, record)
    assert (found.status, found.decided_by, found.channel) == (Status.APPROVED, "carol", "inbox")


def test_a_request_is_denied_with_its_reason(shared: Running, visitor: Browser) -> None:
    record = ask(shared)

    assert visitor.decide("deny", record, reason="  not this quarter ").status_code == 303

    found = stored(shared, record)
    assert (found.status, found.reason, found.channel) == (Status.DENIED, "not this quarter", "inbox")


@pytest.mark.parametrize(("more", "status"), [(-1, 303), (0, 422)])
def test_a_form_has_so_many_fields_and_no_more(shared: Running, visitor: Browser, more: int, status: int) -> None:
    record = ask(shared)
    others = {f"other-{number}": "x" for number in range(doors.MOST_FIELDS + more)}

    assert visitor.decide("approve", record, **others).status_code == status


def test_a_page_that_stays_open_gets_a_sentence_instead_of_a_page(shared: Running, visitor: Browser) -> None:
    record = ask(shared)
    fields = {"form_token": visitor.token()}

    answer = visitor.post(f"/inbox/{record.id}/approve", fields, {"Accept": "application/json"})

    assert answer.json() == {"said": f"Approved: payment.refund (#{record.id})"}


@pytest.mark.parametrize(("length", "status"), [(LONGEST_REASON, 303), (LONGEST_REASON + 1, 422)])
def test_a_reason_is_taken_whole_or_not_at_all(shared: Running, visitor: Browser, length: int, status: int) -> None:
    record = ask(shared)

    assert visitor.decide("deny", record, reason="x" * length).status_code == status
    assert len(stored(shared, record).reason) in (0, length)


def test_ones_own_request_is_shown_without_buttons_and_cannot_be_approved(running: Running, inbox: Browser) -> None:
    record = ask(running, key=running.admin_key)
    page = inbox.get("/")
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)

    assert "You asked for this, with this key or another one of yours, so somebody else must decide." in words(page)
    assert f"/inbox/{record.id}/approve" not in page.text
    assert token is not None
    answer = inbox.post(f"/inbox/{record.id}/approve", {"form_token": token[1]})
    assert answer.status_code == 403
    assert "Nobody decides their own request" in words(answer)
    assert stored(running, record).status is Status.PENDING


def test_high_risk_needs_a_second_step(shared: Running, visitor: Browser) -> None:
    record = ask(shared, MIGRATION)
    assert record.risk_level == "high"

    hasty = visitor.decide("approve", record)
    assert hasty.status_code == 422
    assert "confirm first that you have read every value" in words(hasty)
    assert stored(shared, record).status is Status.PENDING

    assert visitor.decide("approve", record, confirmed="yes").status_code == 303
    assert stored(shared, record).status is Status.APPROVED


def test_at_high_risk_nothing_is_folded_away(running: Running, inbox: Browser) -> None:
    ask(running, replace(MIGRATION, parameters={"script": "x" * 3_000}))
    folds = re.findall(r'<details class="fold"[^>]*>', inbox.get("/").text)

    assert folds == ['<details class="fold" open>']


def test_at_medium_risk_long_values_are_folded(running: Running, inbox: Browser) -> None:
    ask(running, an_action(parameters={"note": "x" * 3_000}))
    page = inbox.get("/")

    assert '<details class="fold">' in page.text
    assert "3,000 characters" in words(page)


def test_a_late_decision_says_who_was_first(shared: Running, visitor: Browser) -> None:
    record = ask(shared)
    other = whose(shared, shared.center.create_key(Role.ADMIN, "dave"))
    token = visitor.token()
    shared.center.do(lambda tx: shared.center.desk.decide(tx, other, record.id, approve=False))

    answer = visitor.post(f"/inbox/{record.id}/approve", {"form_token": token})

    assert answer.status_code == 409
    assert "denied by dave" in words(answer)


@pytest.mark.parametrize("wanted", ["0", "999", "x", "1e3", "9" * 30, "-1"])
def test_a_request_that_is_not_there(visitor: Browser, wanted: str) -> None:
    token_page = visitor.get(f"/actions/{wanted}")

    assert token_page.status_code in (404, 422)
    assert visitor.post(f"/inbox/{wanted}/deny", {}).status_code in (403, 404, 422)


def test_approving_all_covers_the_low_and_medium_ones_that_were_on_the_page(running: Running, inbox: Browser) -> None:
    shown = [ask(running), ask(running)]
    risky, own = ask(running, MIGRATION), ask(running, key=running.admin_key)
    page = inbox.get("/").text
    ids = re.search(r'name="ids" value="([^"]+)"', page)
    later = ask(running)

    assert ids is not None
    assert ids[1] == " ".join(str(record.id) for record in shown)
    everything = " ".join(str(record.id) for record in (*shown, risky, own))
    answer = inbox.post(
        "/inbox/approve-all", {"form_token": inbox.token(), "ids": everything}, {"Accept": "application/json"}
    )

    assert answer.json() == {"said": "Approved 2 requests"}
    assert {stored(running, record).status for record in shown} == {Status.APPROVED}
    assert {stored(running, record).status for record in (risky, own, later)} == {Status.PENDING}


@pytest.mark.parametrize("ids", ["x", "1 -2", "9" * 19, " ".join(["1"] * (pages.MOST_WAITING + 1))])
def test_approving_all_of_nonsense_is_refused(shared: Running, visitor: Browser, ids: str) -> None:
    assert visitor.post("/inbox/approve-all", {"form_token": visitor.token(), "ids": ids}).status_code == 422


def test_approving_all_with_one_that_is_not_there_approves_none(shared: Running, visitor: Browser) -> None:
    record = ask(shared)

    answer = visitor.post("/inbox/approve-all", {"form_token": visitor.token(), "ids": f"{record.id} 999"})

    assert answer.status_code == 404
    assert stored(shared, record).status is Status.PENDING


# What the page says


def test_a_card_says_everything(running: Running, inbox: Browser) -> None:
    ask(
        running,
        an_action(
            description="Give the money back.",
            reasoning="The parcel came back.",
            resource="orders/10482",
            parameters={"amount": "5", "count": 5, "api_key": "[redacted]", "body": "abc", "to": {"name": "Jo"}},
            redacted=("api_key",),
            abridged={"body": (3, 10_000)},
            context={"ticket": "OPS-12"},
            code=CodeIdentity("shop.tools", "refund", "function"),
        ),
    )
    page = words(inbox.get("/"))

    for said in (
        *("payment.refund", "stripe", "orders/10482", "Medium risk", "60", "billing-bot", "just now", "1 min left"),
        *("“ 5 ”", "count 5", "hidden", "first 3 of 10,000 characters shown; the rest was not sent", "Jo", "OPS-12"),
        *("Give the money back.", "The parcel came back.", "shop.tools : refund".replace(" : ", ":"), "the-digest"),
    ):
        assert said in page, said
    facts, agent = page.index("Exactly this will run"), page.index("What the agent says")
    assert facts < page.index("api_key") < agent < page.index("Give the money back.")


def test_of_a_client_that_does_not_claim_no_more_is_said_than_is_so(running: Running, inbox: Browser) -> None:
    agent, desk = whose(running, running.user_key), running.center.desk
    action = an_action(parameters={"api_key": "[redacted]"}, redacted=("api_key",))
    running.center.do(lambda tx: desk.submit(tx, agent, Submission(action, None, None, claims=False)))
    page = words(inbox.get("/"))

    assert "It asks to run this" in page
    assert "Exactly" not in page
    assert "hidden a secret" in page
    assert "exact value" not in page


def test_requests_stand_oldest_first_and_the_riskiest_is_one_click_away(running: Running, inbox: Browser) -> None:
    first, risky, last = ask(running), ask(running, MIGRATION), ask(running)
    page = inbox.get("/").text

    assert re.findall(r'data-id="(\d+)"', page) == [str(record.id) for record in (first, risky, last)]
    assert re.findall(r'<a class="(\w+)" href="#request-(\d+)">', page) == [
        ("high", str(risky.id)),
        ("medium", str(first.id)),
    ]


@pytest.mark.parametrize(("count", "title"), [(0, "Clearance"), (1, "(1) Clearance"), (3, "(3) Clearance")])
def test_the_title_counts(running: Running, inbox: Browser, count: int, title: str) -> None:
    for _ in range(count):
        ask(running)

    assert f"<title>{title}</title>" in inbox.get("/").text


def test_an_empty_inbox_is_friendly(inbox: Browser) -> None:
    page = inbox.get("/")

    assert "Nothing waits for you." in words(page)
    assert "New requests come in here by themselves." in words(page)
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in page.text


def _cleared(running: Running, record: Record) -> None:
    carol, desk = whose(running, running.admin_key), running.center.desk
    running.center.do(lambda tx: desk.decide(tx, carol, record.id, approve=True))


def _claimed(running: Running, record: Record) -> None:
    _cleared(running, record)
    agent, desk = whose(running, running.user_key), running.center.desk
    running.center.do(lambda tx: desk.claim(tx, agent, record.id, record.action.digest, NONCE))


def _reported(outcome: Outcome) -> Callable[[Running, Record], None]:
    def report(running: Running, record: Record) -> None:
        _claimed(running, record)
        agent, desk = whose(running, running.user_key), running.center.desk
        running.center.do(lambda tx: desk.report(tx, agent, record.id, NONCE, outcome))

    return report


def _saved(status: Status) -> Callable[[Running, Record], None]:
    def save(running: Running, record: Record) -> None:
        running.center.do(lambda tx: tx.save_action(replace(record, status=status)))

    return save


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (_cleared, "Approved by carol not started yet"),
        (_claimed, "Approved by carol running"),
        (_reported(Outcome(Status.COMPLETED, duration=2)), "Approved by carol ran, completed in 2.0 s"),
        (_reported(Outcome(Status.FAILED, "OSError", 0.01)), "Approved by carol ran, failed with OSError "),
        (_reported(Outcome(Status.FAILED)), "Approved by carol ran, failed "),
        (_reported(Outcome(Status.FAILED, "not_started")), "Approved by carol did not run: its arguments had changed"),
        (_reported(Outcome(Status.UNKNOWN)), "Approved by carol may have run; nobody reported back"),
        (_saved(Status.EXPIRED), "Expired nobody decided in time; did not run"),
        (_saved(Status.WITHDRAWN), "Withdrawn taken back by the agent; did not run"),
        (_saved(Status.LAPSED), "Approved was not started in time; did not run"),
        (_saved(Status.REVOKED), "Revoked approved, then taken back; did not run"),
        (_saved(Status.STALE), "Approved outdated by a new policy; did not run"),
    ],
)
def test_what_came_of_a_request_is_told(
    running: Running, inbox: Browser, happens: Callable[[Running, Record], None], said: str
) -> None:
    happens(running, ask(running))

    assert said in words(inbox.get("/"))


def test_a_rules_decision_is_told_by_the_rules_name(running: Running, inbox: Browser) -> None:
    ask(running, an_action(action_type="customer.drop"))

    assert "Denied by policy rule deny-drop did not run" in words(inbox.get("/"))


def test_the_inbox_says_which_policy_is_in_force_since_when_and_by_whom(
    running: Running, clock: Clock, inbox: Browser
) -> None:
    assert f"Policy {built_in().version} ." in words(inbox.get("/"))

    running.center.rollout.begin()

    assert (
        f"Policy {built_in().version} is in force since 2023-11-14 22:13 UTC, put there by the start of a Center."
        in words(inbox.get("/"))
    )
    running.center.desk.policy = Policy(version="another")
    assert "This Center still judges by another: reload it with the same file." in words(inbox.get("/"))


def test_an_overdue_request_is_not_offered(running: Running, clock: Clock, inbox: Browser) -> None:
    ask(running)
    clock.advance(60)

    assert "Expired" in words(inbox.get("/"))
    assert "Nothing waits for you." in words(inbox.get("/"))


def test_a_request_has_a_page_with_everything(shared: Running, visitor: Browser) -> None:
    record = ask(shared, MIGRATION)
    other = ask(shared)
    page = words(visitor.get(f"/actions/{record.id}"))

    for said in ("Why high risk", "'migrate' changes systems", "'production' is named", "the-digest", "risk-ask"):
        assert said in page, said
    assert page.count("submit by") == 1
    trail = shared.center.do(lambda tx: list(tx.audit_of(record.id)))
    assert [link.hash in page for link in trail] == [True]
    assert shared.center.do(lambda tx: list(tx.audit_of(other.id)))[0].hash not in page


def test_the_page_of_a_decided_request_tells_the_reason_and_has_no_buttons(shared: Running, visitor: Browser) -> None:
    record = ask(shared)
    visitor.decide("deny", record, reason="not today")
    page = visitor.get(f"/actions/{record.id}")

    assert "Denied by carol" in words(page)
    assert "not today" in words(page)
    assert f"/inbox/{record.id}/approve" not in page.text


def test_a_request_that_is_too_long_for_the_list_is_read_on_its_own_page(running: Running, inbox: Browser) -> None:
    record = ask(running, an_action(parameters={"body": "x" * 30_000}))
    ask(running)
    ask(running)
    listed, page = inbox.get("/"), inbox.get(f"/actions/{record.id}")

    assert "x" * 1_000 not in listed.text
    assert f"/inbox/{record.id}/approve" not in listed.text
    assert f'value="{record.id} ' not in listed.text
    assert "x" * 30_000 in page.text
    assert f"/inbox/{record.id}/approve" in page.text


@pytest.mark.parametrize("text", hostile.ALL.values(), ids=hostile.ALL)
def test_hostile_text_is_spelled_out_wherever_it_stands(text: str) -> None:
    from tests.center.inbox.test_display import characters_that_mislead

    from clearance.center.inbox import rendering
    from clearance.center.inbox.cards import Card
    from clearance.center.inbox.emergencies import Banner
    from clearance.center.records import Session

    action = an_action(
        agent_id=text, action_type=text, tool_name=text, description=text, reasoning=text, resource=text, digest=text,
        parameters={text: text, "nested": {text: [text]}}, context={text: text}, code=CodeIdentity(text, text, text),
        abridged={text: (1, 2)},
    )  # fmt: skip
    record = Record(
        action, "agent", text, 0, 10**6, "", text, 1, 1, Status.PENDING,
        rule=text, decided_by=text, asked_because=text,
    )  # fmt: skip
    viewer = Principal("carol", text, Role.ADMIN)
    approval = StandingApproval(
        "agent",
        text,
        text,
        text,
        text,
        text,
        "low",
        "",
        1,
        "carol",
        text,
        0,
        9,
        1,
        text,
        match={text: text},
        free=(text,),
    )
    page = rendering.render(
        "action.html",
        {
            "now_ms": 0,
            "session": Session("s", viewer, "t", 0),
            "card": Card(record, viewer, 0),
            "trail": [],
            "switches": [KillSwitch(text, text, True, text, 0, "dave", text)],
            "allowed": Allowed(approval, viewer, 0),
            "banners": [Banner(BreakGlass(text, text, text, text, 0, "dave", text, text, 10**6), viewer, 0, 1)],
        },
    )

    assert characters_that_mislead(html.unescape(page)) == set()
    assert re.findall(r"<script(?! src=\"/static/)|<(?:img|iframe|svg|style)(?! src=\"/static/icon)", page) == []
    assert re.findall(r"<[^>]*\son\w+=", page) == []


# The live part


def test_the_stream_says_when_anything_changed_and_ends_with_the_center(running: Running, inbox: Browser) -> None:
    with inbox.get("/inbox/events", stream=True, headers={"Accept": "text/event-stream"}) as answer:
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(line for line in lines if line.startswith("event")) == "event: changed"
        ask(running)
        assert next(line for line in lines if line.startswith("id"))
        assert next(line for line in lines if line.startswith("event")) == "event: changed"
        running.center.bell.close()
        assert [line for line in lines if line.startswith("event")] == []


def test_the_stream_gives_signs_of_life(inbox: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "KEEP_ALIVE", 0.001)

    with inbox.get("/inbox/events", stream=True, headers={"Accept": "text/event-stream"}) as answer:
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(line for line in lines if line.startswith(":")) == ": still here"


def test_the_stream_ends_with_the_session(clock: Clock, inbox: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "KEEP_ALIVE", 0.001)

    with inbox.get("/inbox/events", stream=True, headers={"Accept": "text/event-stream"}) as answer:
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(line for line in lines if line.startswith("event"))
        clock.advance(SESSION_FOR)
        assert [line for line in lines if line.startswith("event")] == []


def test_the_list_is_the_page_without_what_stands_around_it(running: Running, inbox: Browser) -> None:
    record = ask(running)
    fragment = inbox.get("/inbox/list").text

    assert fragment.strip().startswith('<section id="inbox" data-count="1" data-title="(1) Clearance">')
    assert f'data-id="{record.id}" data-version="1"' in fragment
    assert "<html" not in fragment


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("inbox.css", "text/css; charset=utf-8"),
        ("inbox.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_static_files_have_the_right_types(stranger: Browser, name: str, kind: str) -> None:
    answer = stranger.get(f"/static/{name}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fpages.py", "%2e%2e%2fpages.py", "pages.py"])
def test_nothing_else_is_served(stranger: Browser, name: str) -> None:
    assert stranger.get(f"/static/{name}").status_code == 404


def test_an_address_that_is_not_there_is_a_friendly_page(stranger: Browser) -> None:
    answer = stranger.get("/nothing")

    assert answer.status_code == 404
    assert "Back to the inbox" in words(answer)


# ---------------------------------------------------------------------------------------------------------------------
# Changing a call before approving it
# ---------------------------------------------------------------------------------------------------------------------

EDITABLE = an_action(
    parameters={"amount": 5, "note": "one\ntwo", "flags": ["a"], "charge_id": "ch_1"},
    editable=("amount", "note", "flags"),
)


def test_a_call_that_may_be_changed_has_a_field_for_each_such_parameter(running: Running, inbox: Browser) -> None:
    ask(running, EDITABLE)

    page = inbox.get("/").text
    assert set(re.findall(r'name="edit\.(\w+)"', page)) == {"amount", "note", "flags"}
    assert re.search(r'name="edit\.amount"[^>]* value="5"', page)
    assert "one\ntwo</textarea>" in page


def test_a_call_that_may_not_be_changed_has_none(running: Running, inbox: Browser) -> None:
    ask(running)

    assert "edit." not in inbox.get("/").text


def test_what_the_approver_typed_is_what_is_cleared_and_the_page_says_so(running: Running, inbox: Browser) -> None:
    record = ask(running, EDITABLE)

    fields = {"edit.amount": "3", "edit.note": "one\r\ntwo", "edit.flags": '["a"]'}
    assert inbox.decide("approve", record, **fields).status_code == 303

    assert stored(running, record).edits == {"amount": 3}
    page = words(inbox.get(f"/actions/{record.id}"))
    assert "Approved with changes by carol" in page
    assert "What the approver changed amount 5 → 3" in page


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"edit.amount": "three"}, "amount: write a value like 5"),
        ({"edit.amount": "true"}, "amount: write a number, like 5"),
        ({"edit.flags": "{}"}, "flags: write a list"),
    ],
)
def test_a_value_of_another_kind_decides_nothing(
    running: Running, inbox: Browser, fields: dict[str, str], problem: str
) -> None:
    record = ask(running, EDITABLE)

    refused = inbox.decide("approve", record, **fields)

    assert refused.status_code == 422
    assert problem in words(refused)
    assert stored(running, record).status is Status.PENDING


def test_a_field_for_what_may_not_be_changed_is_left_alone(running: Running, inbox: Browser) -> None:
    record = ask(running, EDITABLE)

    assert inbox.decide("approve", record, **{"edit.charge_id": "ch_2"}).status_code == 303

    assert stored(running, record).edits == {}


def test_hostile_text_in_a_field_stays_text(running: Running, inbox: Browser) -> None:
    attack = '"><script>alert(1)</script>'
    ask(running, an_action(parameters={"note": attack}, editable=("note",)))

    assert "<script>alert" not in inbox.get("/").text


def test_a_card_says_why_the_policy_leaves_it_to_people_and_by_which_rule(running: Running, inbox: Browser) -> None:
    because = "Refunds are looked at\u202e."
    running.center.desk.policy = Policy((a_rule("refunds", reason=because),))
    ask(running)

    card = words(inbox.get("/"))

    assert "The policy leaves it to people: Refunds are looked at \\u{202e} . rule refunds" in card
    running.center.desk.policy = Policy()
    ask(running, an_action(action_type="order.lookup"))
    assert words(inbox.get("/")).count("leaves it to people") == 1


def test_a_card_says_which_limit_is_used_up_and_how_much_of_it(running: Running, inbox: Browser) -> None:
    text = "limits:\n- {name: one a day, match: {tool_name: stripe}, calls: 1, within: 24h, then: ask, reason: Slowly.}"
    running.center.desk.policy = parse(text)
    for number in range(2):
        ask(running, an_action(digest=f"limited-{number}"))

    card = words(inbox.get("/"))

    assert "to people: Limit 'one a day': 1 of 1 calls in 24h are used. Slowly. limit one a day" in card
