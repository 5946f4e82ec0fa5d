"""Guard a function; run it cleared, and refused.

    python examples/guarded_function.py

With ``OWKAI_API_KEY`` (and ``OWKAI_API_URL``) set it asks that Center and waits for its approver. Without, it brings
an approver of its own, who clears refunds up to 100 and refuses larger ones.
"""

from __future__ import annotations

import os
from decimal import Decimal

import clearance
from clearance import ActionDenied, requires_authorization
from clearance.testing import Asked, FakeTransport


@requires_authorization(
    action_type="payment.refund",
    tool_name="stripe",
    description="Refund {amount} on charge {charge_id}",
    resource=lambda charge_id: f"charge:{charge_id}",
)
def refund(charge_id: str, amount: Decimal, *, api_key: str) -> str:
    """Give a customer money back."""
    return f"refunded {amount} on {charge_id}"


def up_to_100(asked: Asked) -> bool:
    """Stands in for a person. It sees what an approver sees: the description, and no secrets."""
    print(f"approver sees: {asked.description}; api_key = {asked.parameters['api_key']}")
    return Decimal(str(asked.parameters["amount"])) <= 100


def main() -> None:
    if not os.environ.get("OWKAI_API_KEY"):
        clearance.configure(transport=FakeTransport(up_to_100))
    for amount in (Decimal("49.90"), Decimal(5000)):
        try:
            print(refund("ch_1", amount, api_key="example-payment-credential"))
        except ActionDenied as denied:
            print(f"refused: {denied}")


if __name__ == "__main__":
    main()
