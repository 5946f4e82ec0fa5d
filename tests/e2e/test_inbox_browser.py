"""The inbox in a real browser, over a real Center, with real programs waiting behind it."""

from __future__ import annotations

import http.server
import itertools
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.center.inbox import hostile
from tests.helpers import an_action
from tests.servers import PATIENCE, Running, in_thread, running_center, until

from clearance import ActionDenied, current_grant, requires_authorization
from clearance.center import breakglass
from clearance.center.emergencies import BreakGlass
from clearance.center.policy import built_in
from clearance.center.records import Principal, Record, Role, Submission
from clearance.models import Action, Status

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=PATIENCE * 1000)

pytestmark = pytest.mark.browser

SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.example 127.0.0.1"),
]
_NUMBERS = itertools.count()


def chromium() -> str:
    """Where Chromium is. Without it these tests are left out, loudly; in CI that is a failure."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and os.environ.get("CI"):
        pytest.fail("Chromium is not installed")
    if found is None:
        pytest.skip("Chromium is not installed")
    return found


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """One browser for all tests of this file; each has a context of its own."""
    path = chromium()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_center(tmp_path / "center.db") as found:
        yield found


@dataclass
class Desktop:
    """Carol's browser: its page, and all that went wrong in it."""

    page: Any
    running: Running
    wrong: list[str] = field(default_factory=list)
    expected: str = ""
    """What the console is to say in this test."""

    def sign_in(self) -> None:
        """Follow a sign-in link."""
        token = self.running.center.sign_in_token(whose(self.running, self.running.admin_key))
        self.page.goto(f"{self.running.url}/sign-in?token={token}")
        expect(self.page.locator("#live")).to_have_text("live")

    def card(self, record: Record) -> Any:
        """The card of a request."""
        return self.page.locator(f"#request-{record.id}")

    def watch(self, page: Any) -> None:
        """Note errors of scripts, of the console and of the content security policy."""
        page.add_init_script(
            "addEventListener('securitypolicyviolation', event => console.error('violates ' + event.violatedDirective))"
        )
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.wrong.append(message.text)


@contextmanager
def a_desktop(engine: Any, running: Running, **options: Any) -> Iterator[Desktop]:
    """A browser of its own; nothing may go wrong in it unnoticed."""
    context = engine.new_context(**options)
    context.set_default_timeout(PATIENCE * 1000)
    try:
        desktop = Desktop(context.new_page(), running)
        desktop.watch(desktop.page)
        yield desktop
    finally:
        context.close()
    assert [text for text in desktop.wrong if not desktop.expected or desktop.expected not in text] == []


@pytest.fixture
def desktop(engine: Any, running: Running) -> Iterator[Desktop]:
    with a_desktop(engine, running) as found:
        yield found


def whose(running: Running, key: str) -> Principal:
    return running.center.do(lambda tx: running.center.principal(tx, key))


def ask(running: Running, **changes: Any) -> Record:
    """Ask for what nobody has asked for before."""
    return submit(running, an_action(decide_within=900.0, **{"digest": f"digest-{next(_NUMBERS)}", **changes}))


def submit(running: Running, action: Action) -> Record:
    who, desk = whose(running, running.user_key), running.center.desk
    return running.center.do(lambda tx: desk.submit(tx, who, Submission(action, None, None, claims=True)))


def ask_for_a_migration(running: Running) -> Record:
    """One of high risk."""
    return ask(running, action_type="db.migrate", tool_name="postgres", resource="production/shop")


def settled(running: Running, record: Record) -> Record:
    """The request as soon as it is decided."""

    def decided(tx: Any) -> Record | None:
        found = tx.action(record.id)
        return found if found.status is not Status.PENDING else None

    return until(running.center, decided)


def status(running: Running, record: Record) -> Status:
    found = running.center.do(lambda tx: tx.action(record.id))
    assert found is not None
    return found.status


# The main job


def test_a_held_refund_is_seen_with_its_exact_arguments_and_runs_when_it_is_approved(
    running: Running, desktop: Desktop
) -> None:
    ran: list[object] = []

    @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=running.transport())
    def refund(charge_id: str, amount: Decimal, quantity: int, api_key: str) -> str:
        ran.append((charge_id, amount, quantity, api_key))
        return "refunded"

    desktop.sign_in()
    with in_thread(lambda: refund("ch_1", Decimal("49.90"), 12000, "sk-secret")) as results:
        [record] = running.held()
        card = desktop.card(record)
        rows = card.locator(".exactly > .rows > tbody > tr")
        expect(rows).to_have_text(
            [
                re.compile(r"^\s*charge_id\s*“ch_1”\s*$"),
                re.compile(r"^\s*amount\s*“49\.90”\s*$"),
                re.compile(r"^\s*quantity\s*12000\s*$"),
                re.compile(r"^\s*api_key\s*hidden a secret; the approval covers its exact value\s*$"),
            ]
        )
        assert "sk-secret" not in desktop.page.content()
        assert ran == []
        card.get_by_role("button", name="Approve").click()
        assert results.get(timeout=PATIENCE) == "refunded"

    assert ran == [("ch_1", Decimal("49.90"), 12000, "sk-secret")]
    expect(desktop.page.locator("#recent li").first).to_contain_text("ran, completed")
    expect(desktop.page.locator("#waiting > .card")).to_have_count(0)
    assert running.records()[0].channel == "inbox"


def test_a_refusal_by_keyboard_reaches_the_program_with_its_reason(running: Running, desktop: Desktop) -> None:
    @requires_authorization(action_type="payment.refund", tool_name="stripe", transport=running.transport())
    def refund(charge_id: str) -> str:
        return charge_id

    desktop.sign_in()
    with in_thread(lambda: refund("ch_1")) as results:
        [record] = running.held()
        expect(desktop.card(record)).to_be_visible()
        keyboard = desktop.page.keyboard
        keyboard.press("j")
        expect(desktop.card(record)).to_be_focused()
        keyboard.press("d")
        keyboard.type("the order was never paid? ask again later")  # letters of shortcuts are text in a field
        keyboard.press("Enter")
        denied = results.get(timeout=PATIENCE)

    assert isinstance(denied, ActionDenied)
    assert denied.reason == "the order was never paid? ask again later"
    assert denied.decided_by == "carol"


# Living with the page


def test_a_request_comes_in_by_itself_and_is_announced(running: Running, desktop: Desktop) -> None:
    desktop.sign_in()
    desktop.page.evaluate("window.here = true")
    expect(desktop.page.locator("#empty")).to_be_visible()

    record = ask(running)

    expect(desktop.card(record)).to_be_visible()
    expect(desktop.page).to_have_title("(1) Clearance")
    expect(desktop.page.get_by_role("status")).to_have_text(
        "New request: payment.refund, asked by billing-bot, medium risk"
    )
    expect(desktop.page.locator("#empty")).to_be_hidden()
    assert desktop.page.evaluate("window.here") is True


def test_what_is_being_typed_survives_what_comes_in(running: Running, desktop: Desktop) -> None:
    first = ask(running)
    desktop.sign_in()
    reason = desktop.card(first).locator(".reason")
    reason.fill("because")

    second = ask(running)
    running.center.do(lambda tx: tx.save_action(tx.action(first.id)))  # type: ignore[arg-type]  # a newer version

    expect(desktop.card(second)).to_be_visible()
    expect(reason).to_have_value("because")
    expect(reason).to_be_focused()


def test_a_request_that_somebody_else_decides_stays_in_its_place_and_takes_no_click(
    running: Running, desktop: Desktop
) -> None:
    first, second = ask(running), ask(running)
    desktop.sign_in()
    before = desktop.card(second).bounding_box()

    agent, desk = whose(running, running.user_key), running.center.desk
    running.center.do(lambda tx: desk.withdraw(tx, agent, first.id, "not needed any more"))

    expect(desktop.card(first)).to_contain_text("Decided elsewhere")
    expect(desktop.card(first).get_by_text("Approve", exact=True)).to_be_disabled()
    assert desktop.card(second).bounding_box() == before
    expect(desktop.page).to_have_title("(1) Clearance")


def test_a_double_click_approves_one_request_and_not_the_one_that_moves_up(running: Running, desktop: Desktop) -> None:
    first, second = ask(running), ask(running)
    desktop.sign_in()

    desktop.card(first).get_by_role("button", name="Approve").dblclick()

    assert settled(running, first).status is Status.APPROVED
    expect(desktop.card(first)).to_have_count(0)
    assert status(running, second) is Status.PENDING


def test_a_decision_that_comes_too_late_says_so_in_the_card(running: Running, desktop: Desktop) -> None:
    record = ask(running)
    desktop.sign_in()
    desktop.expected = "Failed to load resource"
    desktop.page.route("**/inbox/list", lambda route: route.abort())  # the page has not heard of it yet
    agent, desk = whose(running, running.user_key), running.center.desk
    running.center.do(lambda tx: desk.withdraw(tx, agent, record.id, ""))

    desktop.card(record).get_by_role("button", name="Approve").click()

    expect(desktop.card(record).get_by_role("alert")).to_contain_text("withdrawn")


def test_a_list_that_was_asked_for_before_a_decision_does_not_bring_the_request_back(
    running: Running, desktop: Desktop
) -> None:
    desktop.sign_in()
    first = ask(running)
    card = desktop.card(first)
    card.wait_for()
    held: list[tuple[Any, Any]] = []

    def hold_the_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    # For good, not once: a browser may leave a request hanging that begins while a route is taken away.
    desktop.page.route("**/inbox/list", hold_the_first)
    second = ask(running)  # the page asks for the list, and the answer has both
    while not held:
        desktop.page.wait_for_timeout(20)  # the browser calls back only while it is waited for

    card.get_by_role("button", name="Approve", exact=True).click()
    assert settled(running, first).status is Status.APPROVED
    expect(card).to_have_count(0)
    route, answer = held[0]
    route.fulfill(response=answer)

    desktop.card(second).wait_for()
    expect(card).to_have_count(0)


def test_a_list_that_could_not_be_read_is_read_again(running: Running, desktop: Desktop) -> None:
    desktop.sign_in()
    desktop.expected = "net::ERR_FAILED"
    desktop.page.clock.install()
    broken: list[Any] = []

    def break_the_first(route: Any) -> None:
        if broken:
            route.continue_()
        else:
            broken.append(route)
            route.abort()

    desktop.page.route("**/inbox/list", break_the_first)
    record = ask(running)
    for _ in range(2_000):  # seconds of the page's own clock
        if desktop.card(record).is_visible():
            break
        desktop.page.clock.run_for(1000)
    expect(desktop.card(record)).to_be_visible()
    assert broken


def test_approving_all_low_and_medium_leaves_the_high_ones(running: Running, desktop: Desktop) -> None:
    cleared, risky = [ask(running), ask(running), ask(running)], ask_for_a_migration(running)
    desktop.sign_in()

    desktop.page.get_by_text("Approve all low and medium…").click()
    desktop.page.get_by_role("button", name="Approve these 3").click()

    assert {settled(running, record).status for record in cleared} == {Status.APPROVED}
    assert status(running, risky) is Status.PENDING
    expect(desktop.page.locator("#waiting > .card")).to_have_count(1)


# Keys


def test_high_risk_is_approved_in_two_deliberate_steps(running: Running, desktop: Desktop) -> None:
    record = ask_for_a_migration(running)
    desktop.sign_in()
    keyboard, checkbox = desktop.page.keyboard, desktop.card(record).get_by_role("checkbox")

    keyboard.press("j")
    keyboard.press("a")
    expect(checkbox).to_be_focused()
    keyboard.press("Enter")  # not confirmed yet: the browser itself refuses
    expect(checkbox).to_be_focused()
    assert status(running, record) is Status.PENDING
    keyboard.press("Space")
    keyboard.press("Enter")

    assert settled(running, record).status is Status.APPROVED


def test_j_k_and_arrows_move_and_a_alone_decides_nothing(running: Running, desktop: Desktop) -> None:
    first, second = ask(running), ask(running)
    desktop.sign_in()
    keyboard = desktop.page.keyboard

    for key, record in (("j", first), ("ArrowDown", second), ("j", second), ("k", first), ("ArrowUp", first)):
        keyboard.press(key)
        expect(desktop.card(record)).to_be_focused()
    keyboard.press("a")
    expect(desktop.card(first).get_by_role("button", name="Approve")).to_be_focused()
    assert status(running, first) is Status.PENDING
    keyboard.press("Enter")

    assert settled(running, first).status is Status.APPROVED
    expect(desktop.card(second)).to_be_focused()


def test_the_keys_are_explained(running: Running, desktop: Desktop) -> None:
    desktop.sign_in()

    desktop.page.keyboard.press("?")
    expect(desktop.page.get_by_role("dialog")).to_be_visible()
    desktop.page.keyboard.press("Escape")
    expect(desktop.page.get_by_role("dialog")).to_be_hidden()


def test_tab_and_enter_are_enough(running: Running, desktop: Desktop) -> None:
    record = ask(running)
    desktop.sign_in()
    approve = desktop.card(record).get_by_role("button", name="Approve")

    for _ in range(20):
        if approve.evaluate("button => button === document.activeElement"):
            break
        desktop.page.keyboard.press("Tab")
        assert desktop.page.evaluate("document.activeElement.matches(':focus-visible')")
    desktop.page.keyboard.press("Enter")

    assert settled(running, record).status is Status.APPROVED


def test_without_scripts_forms_and_links_do_it_all(engine: Any, running: Running) -> None:
    record, other = ask(running), ask_for_a_migration(running)
    token = running.center.sign_in_token(whose(running, running.admin_key))
    with a_desktop(engine, running, java_script_enabled=False) as desktop:
        desktop.page.goto(f"{running.url}/sign-in?token={token}")
        desktop.page.get_by_role("button", name="Open the inbox").click()
        desktop.card(record).locator(".reason").fill("no")
        desktop.card(record).get_by_role("button", name="Deny").click()
        desktop.card(other).get_by_role("link", name="all details").click()
        desktop.page.get_by_text("Approve…").click()
        desktop.page.get_by_role("checkbox").check()
        desktop.page.get_by_role("button", name="Approve this high-risk call").click()
        expect(desktop.page.locator("#recent li")).to_have_count(2)

    assert settled(running, record).reason == "no"
    assert settled(running, other).status is Status.APPROVED


def test_signing_in_with_a_key_and_out_again(running: Running, desktop: Desktop) -> None:
    desktop.page.goto(running.url)
    desktop.page.get_by_label("API key").fill(running.admin_key)
    desktop.page.get_by_role("button", name="Sign in").click()
    expect(desktop.page.locator(".who")).to_have_text("carol")

    assert desktop.page.evaluate("document.cookie") == ""
    desktop.page.get_by_role("button", name="Sign out").click()
    expect(desktop.page.get_by_role("heading")).to_have_text("Sign in")


# What must not be possible


@pytest.mark.parametrize("half", [0, 1])  # the list does not show all of them at once
def test_hostile_text_runs_nothing_and_breaks_nothing(running: Running, desktop: Desktop, half: int) -> None:
    texts = [each for each in hostile.ALL.items() if "\ud800" not in each[1]]  # no client can send half a character
    for name, text in texts[half::2]:
        ask(
            running, agent_id=text, tool_name=text, description=text, reasoning=text, resource=text,
            parameters={text: text, "list": [text]}, context={name: text},
        )  # fmt: skip
    desktop.sign_in()
    cards = desktop.page.locator("#waiting > .card")
    count = len(texts[half::2])
    expect(cards).to_have_count(count)

    ask(running, description="one more, so that the list is merged")
    expect(cards).to_have_count(count + 1)
    desktop.page.set_viewport_size({"width": 360, "height": 640})
    assert desktop.page.evaluate("document.documentElement.scrollWidth") == 360
    assert desktop.page.locator(".decide, .card header .button").count() == count + 1
    for link in desktop.page.locator(".fine a").all()[:: count // 8]:
        page = desktop.page.context.new_page()
        desktop.watch(page)
        page.goto(running.url + link.get_attribute("href"))
        assert page.evaluate("window.__pwned") is None
        page.close()

    assert desktop.page.evaluate("window.__pwned") is None


@contextmanager
def another_site(html: str) -> Iterator[str]:
    """A site on this machine that serves one page; gives its port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield str(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"], ids=["same site", "cross-site"])
def test_a_form_on_another_origin_is_refused_even_with_the_right_token(
    running: Running, desktop: Desktop, host: str
) -> None:
    record = ask(running)
    desktop.sign_in()
    token = desktop.page.locator("[name=form_token]").first.get_attribute("value")
    attack = f"""<form method=post action="{running.url}/inbox/{record.id}/approve">
        <input name=form_token value="{token}"><button>Win a prize</button></form>"""

    with another_site(attack) as port:
        page = desktop.page.context.new_page()
        page.goto(f"http://{host}:{port}/")
        with page.expect_navigation() as navigation:
            page.get_by_role("button").click()
        assert navigation.value.status == 403

    assert status(running, record) is Status.PENDING


def test_a_request_by_another_origins_script_is_refused(running: Running, desktop: Desktop) -> None:
    record = ask(running)
    desktop.sign_in()
    token = desktop.page.locator("[name=form_token]").first.get_attribute("value")

    with another_site("<p>hello") as port:
        page = desktop.page.context.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        seen = page.evaluate(
            """([url, token]) => fetch(url, {method: "POST", mode: "no-cors", credentials: "include",
                body: new URLSearchParams({form_token: token})}).then(() => "answered", () => "blocked")""",
            [f"{running.url}/inbox/{record.id}/approve", token],
        )
        assert seen == "blocked"  # not even the refusal may be read there

    assert status(running, record) is Status.PENDING


def test_the_inbox_cannot_be_framed(running: Running, desktop: Desktop) -> None:
    ask(running)
    desktop.sign_in()

    with another_site(f'<iframe src="{running.url}/"></iframe>') as port:
        page = desktop.page.context.new_page()
        with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            page.goto(f"http://127.0.0.1:{port}/")
        assert page.frame_locator("iframe").get_by_text("Approve").count() == 0


def test_another_name_for_this_machine_is_not_answered_to(running: Running, desktop: Desktop) -> None:
    port = running.url.rpartition(":")[2]
    page = desktop.page.context.new_page()

    answer = page.goto(f"http://rebound.example:{port}/")

    assert answer.status == 421
    assert "does not answer to that host name" in page.content()


def test_an_approver_changes_the_amount_and_just_that_runs(desktop: Desktop, running: Running) -> None:
    ran: list[object] = []

    @requires_authorization(
        action_type="payment.refund", tool_name="stripe", editable={"amount"}, transport=running.transport()
    )
    def refund(charge_id: str, amount: Decimal) -> str:
        ran.append((charge_id, amount))
        return current_grant().for_model()

    desktop.sign_in()
    with in_thread(lambda: refund("ch_1", Decimal("49.90"))) as results:
        [record] = running.held()
        card = desktop.card(record)
        card.get_by_text("Change before approving").click()
        card.get_by_label("amount", exact=True).fill("20.00")
        card.get_by_role("button", name="Approve", exact=True).click()
        told = results.get(timeout=PATIENCE)

    assert ran == [("ch_1", Decimal("20.00"))]
    assert "parameters that the approver changed: amount='20.00'" in str(told)
    desktop.page.get_by_text("Approved with changes").wait_for()
    desktop.page.goto(f"{running.url}/actions/{record.id}")
    expect(desktop.page.locator(".changed ins")).to_contain_text("20.00")
    expect(desktop.page.locator(".changed del")).to_contain_text("49.90")


# The policy


def test_a_reload_of_the_policy_appears_on_an_open_page_by_itself(running: Running, desktop: Desktop) -> None:
    desktop.sign_in()
    line = desktop.page.locator("#policy")
    expect(line).to_have_text(f"Policy {built_in().version}.", use_inner_text=True)

    running.center.rollout.begin()

    expect(line).to_contain_text(f"Policy {built_in().version} is in force since")
    expect(line).to_contain_text("put there by the start of a Center.")


# The kill switch, and who only reads


def test_the_kill_switch_appears_on_an_open_page_and_goes_by_itself(running: Running, desktop: Desktop) -> None:
    desktop.sign_in()
    chief = whose(running, running.center.create_key(Role.SUPER_ADMIN, "dave"))
    desk = running.center.desk
    stopped = desktop.page.locator("#stopped")
    expect(stopped).to_have_text("", use_inner_text=True)

    running.center.do(lambda tx: desk.turn_switch(tx, chief, on=True, reason="<b>smoke</b>"))
    expect(stopped).to_contain_text("Kill switch on: everything. dave turned it on: <b>smoke</b>")

    running.center.do(lambda tx: desk.turn_switch(tx, chief, on=False, reason="out"))
    expect(stopped).not_to_contain_text("Kill switch")


def an_open_glass(running: Running, **changes: Any) -> BreakGlass:
    """Opened by dave for the refunds of the tests."""
    chief = whose(running, running.center.create_key(Role.SUPER_ADMIN, "dave"))
    said = {"agent": "billing-bot", "tool": "stripe", "reason": "the queue is <b>stuck</b>", **changes}
    return running.center.do(lambda tx: breakglass.open_one(tx, chief, running.center.desk.now(), **said))


def test_a_break_glass_appears_on_an_open_page_is_announced_and_is_closed_by_its_button(
    running: Running, desktop: Desktop
) -> None:
    waits = ask(running, tool_name="paypal")
    desktop.sign_in()
    banner = desktop.page.locator(".glass")
    expect(banner).to_have_count(0)

    an_open_glass(running)

    expect(banner).to_contain_text("Break-glass open")
    expect(banner).to_contain_text("Nobody is asked about agent billing-bot with tool stripe.")
    expect(banner).to_contain_text("dave opened it: the queue is <b>stuck</b>")
    expect(banner.locator("time")).to_have_text(re.compile(r"^1[45] min left$"))
    expect(desktop.page).to_have_title("BREAK-GLASS OPEN (1) Clearance")
    expect(desktop.page.get_by_role("status")).to_have_text(
        "Break-glass opened. Nobody is asked about agent billing-bot with tool stripe."
    )
    desktop.card(waits).locator(".reason").fill("because")

    cleared = ask(running)

    assert cleared.status is Status.APPROVED
    first = desktop.page.locator("#recent li.emergency").first
    expect(first).to_contain_text("Approved by the break-glass of dave")
    expect(banner).to_contain_text("1 call cleared by it so far")
    banner.get_by_role("button", name="Close it now").click()

    expect(banner).to_have_count(0)
    expect(desktop.page).to_have_title("(1) Clearance")
    expect(first).to_contain_text("Revoked by carol, who closed the break-glass")
    expect(desktop.card(waits).locator(".reason")).to_have_value("because")
    assert ask(running).status is Status.PENDING


def test_a_break_glass_that_was_closed_elsewhere_leaves_an_open_page(running: Running, desktop: Desktop) -> None:
    desktop.sign_in()
    glass = an_open_glass(running)
    banner = desktop.page.locator(".glass")
    expect(banner).to_have_count(1)

    carol = whose(running, running.admin_key)
    running.center.do(lambda tx: running.center.desk.close_glass(tx, carol, glass.id))

    expect(banner).to_have_count(0)
    expect(desktop.page).to_have_title("Clearance")


def test_another_break_glass_appears_while_the_button_of_the_first_has_the_focus(
    running: Running, desktop: Desktop
) -> None:
    first = an_open_glass(running)
    desktop.sign_in()
    button = desktop.page.locator(f".glass[data-id='{first.id}']").get_by_role("button", name="Close it now")
    button.focus()

    an_open_glass(running, tool="paypal")

    expect(desktop.page.locator(".glass")).to_have_count(2)
    expect(button).to_be_focused()


def test_a_break_glass_fits_a_narrow_page_and_the_page_of_a_request(running: Running, desktop: Desktop) -> None:
    record = ask(running, tool_name="paypal")
    an_open_glass(running, reason="w" * 500, agent="a" * 200, tool="t" * 200)
    desktop.page.set_viewport_size({"width": 360, "height": 640})
    desktop.sign_in()
    expect(desktop.page.locator(".glass")).to_be_visible()
    assert desktop.page.evaluate("document.documentElement.scrollWidth") == 360

    desktop.page.goto(f"{running.url}/actions/{record.id}")
    expect(desktop.page).to_have_title(f"BREAK-GLASS OPEN #{record.id} Clearance")
    assert desktop.page.evaluate("document.documentElement.scrollWidth") == 360
    desktop.page.get_by_role("button", name="Close it now").click()

    expect(desktop.page.locator(".glass")).to_have_count(0)


def test_without_scripts_a_break_glass_is_closed_by_its_form(engine: Any, running: Running) -> None:
    an_open_glass(running)
    token = running.center.sign_in_token(whose(running, running.admin_key))
    with a_desktop(engine, running, java_script_enabled=False) as desktop:
        desktop.page.goto(f"{running.url}/sign-in?token={token}")
        desktop.page.get_by_role("button", name="Open the inbox").click()
        expect(desktop.page).to_have_title("BREAK-GLASS OPEN Clearance")
        desktop.page.get_by_role("button", name="Close it now").click()
        expect(desktop.page.locator(".glass")).to_have_count(0)


def test_an_auditor_sees_a_break_glass_and_has_no_button_for_it(running: Running, desktop: Desktop) -> None:
    an_open_glass(running)
    desktop.page.goto(f"{running.url}/sign-in")
    desktop.page.get_by_label("API key").fill(running.center.create_key(Role.AUDITOR, "eve"))
    desktop.page.get_by_role("button", name="Sign in").click()

    expect(desktop.page.locator(".glass")).to_contain_text("dave opened it")
    expect(desktop.page.locator(".glass").get_by_role("button")).to_have_count(0)


def test_an_auditor_sees_a_request_come_in_and_has_no_button_for_it(running: Running, desktop: Desktop) -> None:
    key = running.center.create_key(Role.AUDITOR, "eve")
    desktop.page.goto(f"{running.url}/sign-in")
    desktop.page.get_by_label("API key").fill(key)
    desktop.page.get_by_role("button", name="Sign in").click()
    expect(desktop.page.locator("#live")).to_have_text("live")

    card = desktop.card(ask(running))

    expect(card).to_contain_text("Your key reads only")
    expect(card.get_by_role("button")).to_have_count(0)


def test_an_approval_is_taken_back_by_its_button(running: Running, desktop: Desktop) -> None:
    desktop.sign_in()
    record = ask(running)
    desktop.card(record).get_by_role("button", name="Approve", exact=True).click()
    assert settled(running, record).status is Status.APPROVED

    desktop.page.goto(f"{running.url}/actions/{record.id}")
    desktop.page.get_by_label("Reason for taking the approval back").fill("wrong customer")
    desktop.page.get_by_role("button", name="Take the approval back").click()

    expect(desktop.page.locator("#recent li").first).to_contain_text("Revoked by carol")
    assert status(running, record) is Status.REVOKED


# Allowed again


def a_refund(note: str) -> Action:
    """One that differs from the others only in its note, and has a digest of its own."""
    parameters = {"charge_id": "ch_1", "amount": 5, "note": note}
    return an_action(parameters=parameters, digest=f"refund {note}", decide_within=900.0)


def test_a_request_is_approved_and_the_next_ones_that_differ_where_it_was_ticked_come_through(
    running: Running, desktop: Desktop
) -> None:
    desktop.sign_in()
    record = submit(running, a_refund("late"))
    card = desktop.card(record)
    card.get_by_text("Approve and allow the same again…").click()
    card.get_by_label("Times").fill("2")
    card.get_by_label("any note").check()
    card.get_by_label("Why").fill("the weekly refunds")
    ask(running)  # what comes in does not close the form
    expect(desktop.page.locator("#waiting > .card")).to_have_count(2)
    card.get_by_role("button", name="Approve this and allow it again").click()

    expect(card).to_have_count(0)
    assert status(running, record) is Status.APPROVED
    standing = desktop.page.locator("#standing li")
    expect(standing).to_contain_text("2 of 2 uses left")
    assert submit(running, a_refund("lost")).status is Status.APPROVED
    expect(standing).to_contain_text("1 of 2 uses left")
    expect(desktop.page.locator("#recent li").first).to_contain_text("by standing approval 1 of carol, use 1 of 2")


def test_a_standing_approval_is_revoked_on_the_open_page_by_its_button(running: Running, desktop: Desktop) -> None:
    seen = submit(running, a_refund("late"))
    carol, desk = whose(running, running.admin_key), running.center.desk
    running.center.do(lambda tx: desk.make_standing(tx, carol, seen.id, reason="weekly"))
    cleared = submit(running, a_refund("late"))
    desktop.sign_in()

    desktop.page.get_by_role("button", name="Revoke standing approval 1").click()

    expect(desktop.page.locator("#said")).to_have_text("Revoked standing approval 1")
    expect(desktop.page.locator("#standing li")).to_have_count(0)
    assert status(running, cleared) is Status.REVOKED
    assert submit(running, a_refund("late")).status is Status.PENDING


def test_a_form_that_is_refused_says_so_beside_its_button(running: Running, desktop: Desktop) -> None:
    record = submit(running, a_refund("late"))
    desktop.sign_in()
    card = desktop.card(record)
    card.get_by_text("Approve and allow the same again…").click()
    card.get_by_label("Why").fill(" ")
    desktop.expected = "422"

    card.get_by_role("button", name="Approve this and allow it again").click()

    expect(card.locator(".again .problem")).to_have_text("Say why: reason is empty")
    assert status(running, record) is Status.PENDING


def test_without_scripts_a_call_is_allowed_again_and_that_is_revoked(engine: Any, running: Running) -> None:
    record = submit(running, a_refund("late"))
    with a_desktop(engine, running, java_script_enabled=False) as desktop:
        page = desktop.page
        page.goto(f"{running.url}/sign-in?token={running.center.sign_in_token(whose(running, running.admin_key))}")
        page.get_by_role("button").first.click()
        desktop.card(record).get_by_text("Approve and allow the same again…").click()
        desktop.card(record).get_by_label("Why").fill("weekly")
        desktop.card(record).get_by_role("button", name="Approve this and allow it again").click()
        expect(page.locator("#standing li")).to_contain_text("10 of 10 uses left")
        assert submit(running, a_refund("late")).status is Status.APPROVED
        page.get_by_role("button", name="Revoke standing approval 1").click()
        expect(page.locator("#standing li")).to_have_count(0)

    assert submit(running, a_refund("late")).status is Status.PENDING


@pytest.mark.parametrize("width", [320, 390, 1100])
def test_the_form_and_the_list_fit_every_width(engine: Any, running: Running, width: int) -> None:
    name = "a_parameter_with_quite_a_long_name_that_somebody_gave_it"
    seen = submit(running, an_action(parameters={name: 1}, digest="long", decide_within=900.0))
    carol, desk = whose(running, running.admin_key), running.center.desk
    running.center.do(lambda tx: desk.make_standing(tx, carol, seen.id, reason="weekly", free=[name]))
    with a_desktop(engine, running, viewport={"width": width, "height": 800}) as desktop:
        desktop.sign_in()
        card = desktop.card(seen)
        card.get_by_text("Approve and allow the same again…").click()
        expect(card.get_by_role("button", name="Approve this and allow it again")).to_be_visible()

        sticks_out = """() => {
          const wide = document.documentElement.clientWidth;
          const panel = document.querySelector(".again .panel").getBoundingClientRect();
          return [...document.querySelectorAll(".again .panel *, #standing *")].filter((each) => {
            const box = each.getBoundingClientRect();
            const edge = each.closest(".again") ? panel.right : wide;
            return box.width && box.right > edge + 0.5;
          }).map((each) => each.outerHTML.slice(0, 80));
        }"""
        assert desktop.page.evaluate(sticks_out) == []
