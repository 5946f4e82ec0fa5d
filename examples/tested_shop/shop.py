"""The code under test: a shop whose risky functions are guarded."""

from __future__ import annotations

from clearance import AuthorizationError, requires_authorization


@requires_authorization(
    action_type="payment.refund", tool_name="stripe", description="Refund {amount} on {charge_id}", editable={"amount"}
)
def refund(charge_id: str, amount: int, *, api_key: str = "") -> str:
    """Give a customer money back."""
    return f"refunded {amount} on {charge_id}"


@requires_authorization(action_type="mail.send", tool_name="smtp")
def send(to: str, text: str) -> str:
    """Send a customer a mail."""
    return f"sent to {to}"


def settle(charge_id: str, amount: int) -> str:
    """Refund, or apologize where that is refused. It forgets why it was refused."""
    try:
        return refund(charge_id, amount)
    except AuthorizationError:
        return "we are sorry"
