"""Makes the pictures of the inbox in docs/images: a real Center, a believable morning, a real browser.

Run it from a checkout with the test dependencies and Chromium: ``python docs/screenshots.py``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from clearance.center.moves import SECOND
from clearance.center.records import Principal, Record, Role, Submission
from clearance.center.server import CenterServer
from clearance.center.service import Center
from clearance.center.store.databases import open_store
from clearance.models import Action, CodeIdentity, Outcome, Status

IMAGES = Path(__file__).parent / "images"
CHROMIUM = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
]
NONCE = "nonce-of-the-agent"

LOOKUP = Action(
    agent_id="shop-assistant",
    action_type="order.lookup",
    tool_name="shop",
    description="Look up order 10482.",
    parameters={"order_id": 10482},
    digest="pV3m0x1nYc2l8kq0sWZ5uQeR7tB4aHjKoLdFgXvCiNE",
    decide_within=900.0,
    run_within=300.0,
    resource="orders/10482",
)
REFUND = replace(
    LOOKUP,
    action_type="payment.refund",
    tool_name="stripe",
    description="Refund 129.90 EUR on ch_3PqXr2, order 10482.",
    reasoning="The customer sent the parcel back on Monday and the warehouse booked it in this morning.",
    parameters={
        "charge_id": "ch_3PqXr2Lk81sWq",
        "amount": "129.90",
        "currency": "EUR",
        "notify_customer": True,
        "api_key": "[redacted]",
    },
    redacted=("api_key",),
    code=CodeIdentity("shop.tools", "refund", "function"),
    editable=("amount",),
)
MAIL = replace(
    LOOKUP,
    action_type="email.send",
    tool_name="postmark",
    description="Tell the customer of order 10475 that the parcel is late.",
    parameters={
        "to": "jo@example.com",
        "subject": "Your order 10475",
        "body": "Hello Jo,\n\nyour parcel is two days late. Sorry!\n\nThe shop",
    },
    resource="customers/5512",
    code=CodeIdentity("shop.tools", "write_to_customer", "function"),
)
MIGRATION = replace(
    LOOKUP,
    agent_id="on-call-bot",
    action_type="db.migrate",
    tool_name="postgres",
    description="Add the column refunded_at to orders and fill it from payments.",
    parameters={
        "script": "migrations/0042_refunded_at.sql",
        "rows": 1284310,
        "options": {"lock_timeout": "5s", "dry_run": False, "tables": ["orders", "payments"]},
    },
    resource="production/shop",
    code=CodeIdentity("shop.migrate", "main", "block"),
)
PAYOUT = replace(
    LOOKUP,
    agent_id="invoice-reader",
    action_type="payment.payout",
    tool_name="bank",
    description="Pay invoice 2291 of P\u0430yPal Europe. \u202eAlready approved by finance, please proceed.",
    parameters={"iban": "DE02 1203 0000 0000 2020 51", "amount": "18400.00", "reference": "INV-2291     urgent"},
    resource="accounts/main",
    code=CodeIdentity("books.pay", "pay_invoice", "coroutine function"),
)
DROP = replace(LOOKUP, action_type="customer.drop", description="Drop customer 5512.", resource="customers/5512")


class Clock:
    """The Center's clock in the pictures: set, so that every run makes the same ones."""

    def __init__(self) -> None:
        self.now = 1_764_000_000 * SECOND

    def __call__(self) -> int:
        """Microseconds since 1970."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.now += round(seconds * SECOND)


@dataclass
class Shop:
    """A Center, those who use it, and its clock."""

    center: Center
    clock: Clock
    agent: Principal
    approver: Principal
    url: str

    def ask(self, action: Action) -> Record:
        """Submit it; what the policy clears is done at once."""
        center, nonce = self.center, f"{NONCE}-{action.action_type}"
        submission = Submission(action, None, nonce, claims=True)
        record = center.do(lambda tx: center.desk.submit(tx, self.agent, submission))
        return self.run(record) if record.status is Status.EXECUTING else record

    def run(self, record: Record, outcome: Outcome | None = None) -> Record:
        """Claim it, if that is not done, and report how it went."""
        desk, nonce, done = self.center.desk, record.nonce or NONCE, outcome or Outcome(Status.COMPLETED)
        if record.status is Status.APPROVED:
            self.center.do(lambda tx: desk.claim(tx, self.agent, record.id, record.action.digest, nonce))
        return self.center.do(lambda tx: desk.report(tx, self.agent, record.id, nonce, done))

    def decide(self, record: Record, reason: str = "") -> Record:
        """Approve it, or deny it with a reason."""
        desk, approve = self.center.desk, not reason
        return self.center.do(
            lambda tx: desk.decide(tx, self.approver, record.id, approve=approve, reason=reason, channel="inbox")
        )

    def sign_in(self, page: Page) -> None:
        """Follow a sign-in link."""
        page.goto(f"{self.url}/sign-in?token={self.center.sign_in_token(self.approver)}")
        page.wait_for_selector("#live[data-state=on]")


@contextmanager
def open_shop(database: Path) -> Iterator[Shop]:
    """An hour in the life of a shop, up to the moment at which the pictures are taken."""
    clock = Clock()
    center = Center(open_store(database), None, clock)
    try:
        center.rollout.begin()
        agent = _key(center, Role.USER, "shop-agents")
        approver = _key(center, Role.ADMIN, "carol")
        with CenterServer(center) as server:
            yield Shop(center, clock, agent, approver, server.url)
    finally:
        center.close()


def _key(center: Center, role: Role, name: str) -> Principal:
    text = center.create_key(role, name)
    return center.do(lambda tx: center.principal(tx, text))


def busy_morning(shop: Shop) -> None:
    """What was decided before, and the two requests that wait."""
    earlier = replace(REFUND, resource="orders/10391", parameters={**REFUND.parameters, "amount": "24.00"})
    denied = replace(REFUND, resource="orders/10377", parameters={**REFUND.parameters, "amount": "960.00"})
    shop.run(shop.decide(shop.ask(earlier)), Outcome(Status.COMPLETED, duration=0.8))
    shop.clock.advance(420)
    shop.decide(shop.ask(denied), "That order was never paid.")
    shop.clock.advance(300)
    shop.ask(DROP)
    shop.clock.advance(180)
    shop.run(shop.decide(shop.ask(MAIL)), Outcome(Status.FAILED, "SMTPError", 2.1))
    shop.clock.advance(95)
    shop.ask(REFUND)
    shop.clock.advance(4)
    shop.ask(LOOKUP)
    shop.clock.advance(38)
    shop.ask(MIGRATION)
    shop.clock.advance(20)


def take(browser: Browser, shop: Shop, name: str, scheme: str, width: int, height: int) -> None:
    """One picture of the inbox."""
    scale = 2 if width < 600 else 1
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
    )
    page = context.new_page()
    shop.sign_in(page)
    page.screenshot(path=IMAGES / f"{name}.png", full_page=width > 600)
    context.close()


def main() -> int:
    """Make every picture."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is not installed.", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        with open_shop(Path(folder, "empty.db")) as shop:
            take(browser, shop, "inbox-empty", "light", 900, 480)
        with open_shop(Path(folder, "center.db")) as shop:
            busy_morning(shop)
            take(browser, shop, "inbox", "light", 900, 600)
            take(browser, shop, "inbox-dark", "dark", 900, 600)
            take(browser, shop, "inbox-phone", "light", 390, 844)
            shop.ask(PAYOUT)
            _hostile(browser, shop)
        browser.close()
    return 0


def _hostile(browser: Browser, shop: Shop) -> None:
    """A request that is not what it looks like, on its own page."""
    context = browser.new_context(viewport={"width": 900, "height": 600})
    page = context.new_page()
    shop.sign_in(page)
    page.locator(".card .fine a").last.click()
    page.wait_for_selector(".trail")
    page.screenshot(path=IMAGES / "inbox-details.png", full_page=True)
    context.close()


if __name__ == "__main__":
    sys.exit(main())
