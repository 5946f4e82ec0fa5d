"""The demo's agent: an on-call assistant for a shop. Its tools are guarded; nothing here knows of any approver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from clearance.cli.demo.shop import Shop
from clearance.errors import AuthorizationError
from clearance.guards import authorized, requires_authorization
from clearance.models import Grant

AGENT_ID = "shop-oncall"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the agent tried: what, how it ended, and the refusal if there was one."""

    title: str
    result: str
    refusal: AuthorizationError | None = None


class Tools:
    """What the agent can do in the shop."""

    def __init__(self, shop: Shop) -> None:
        @requires_authorization(action_type="order.lookup", tool_name="shop-db")
        def look_up_order(order_id: str) -> dict[str, str]:
            """Look up an order."""
            return shop.order(order_id)

        @requires_authorization(
            action_type="payment.refund",
            tool_name="stripe",
            description="Refund {amount} on order {order_id}: {note}",
            resource=lambda order_id: f"order:{order_id}",
        )
        def refund(order_id: str, amount: Decimal, *, note: str, api_key: str) -> str:
            """Give a customer money back."""
            shop.refund(order_id, amount)
            return f"refunded {amount}"

        @requires_authorization(action_type="customer.drop", tool_name="shop-db")
        def drop_customer(customer_id: str) -> str:
            """Forget a customer and all their orders."""
            shop.drop_customer(customer_id)
            return "dropped"

        self.look_up_order = look_up_order
        self.refund = refund
        self.drop_customer = drop_customer
        self.migrate: Callable[[], None] = shop.add_loyalty_column


def work(shop: Shop) -> Iterator[Step]:
    """Do the night's tickets, one after the other; a refusal ends a ticket, not the shift."""
    tools = Tools(shop)

    def refund() -> str:
        # The key would be the payment API's; the approver never sees it.
        return tools.refund("o-1042", Decimal("49.90"), note="arrived broken", api_key="example-payment-credential")

    yield _tried("Look up order o-1042", lambda: f"found: total {tools.look_up_order('o-1042')['total']}")
    yield _tried("Refund 49.90 on o-1042", refund)
    yield _tried("Run migration 0042", lambda: _migrate(tools))
    yield _tried("Drop customer c-17", lambda: tools.drop_customer("c-17"))


def _migrate(tools: Tools) -> str:
    parameters = {"to": "0042", "adds": "customers.loyalty"}
    with authorized(action_type="db.migrate", tool_name="shop-db", parameters=parameters) as grant:
        tools.migrate()
        grant.note("one column added")
        return _told(grant)


def _told(grant: Grant) -> str:
    return f"migrated, cleared by {grant.decision.decided_by}"


def _tried(title: str, do: Callable[[], str]) -> Step:
    try:
        return Step(title, do())
    except AuthorizationError as refusal:
        return Step(title, "not run", refusal)
