"""An asyncio agent whose tools are guarded: several calls wait at once, and the loop goes on.

    python examples/async_agent.py

With ``OWKAI_API_KEY`` (and ``OWKAI_API_URL``) set it asks that Center. Without, it brings an approver of its own.
"""

from __future__ import annotations

import asyncio
import os

import clearance
from clearance import ActionDenied, authorized, requires_authorization
from clearance.testing import Asked, FakeTransport


@requires_authorization(action_type="mail.send", tool_name="smtp", on_denied="return")
async def send_mail(to: str, subject: str) -> str:
    """Send a mail."""
    await asyncio.sleep(0)
    return f"sent {subject!r} to {to}"


async def restart(service: str) -> str:
    """Restart a service; the block is what is held."""
    async with authorized(action_type="service.restart", tool_name="systemd", parameters={"service": service}):
        await asyncio.sleep(0)
        return f"restarted {service}"


def observe(result: str | ActionDenied) -> str:
    """What the model is told: a result, or a fixed sentence that holds nobody's free text."""
    return result.for_model() if isinstance(result, ActionDenied) else result


def colleague(asked: Asked) -> bool:
    """Stands in for a person: no mail leaves the house."""
    return asked.action_type != "mail.send" or str(asked.parameters["to"]).endswith("@example.com")


async def main() -> None:
    if not os.environ.get("OWKAI_API_KEY"):
        clearance.configure(transport=FakeTransport(colleague))
    async with asyncio.TaskGroup() as agent:
        inside = agent.create_task(send_mail("ada@example.com", "tonight"))
        outside = agent.create_task(send_mail("eve@elsewhere.example", "tonight"))
        service = agent.create_task(restart("shop"))
    print(observe(inside.result()))
    print(observe(outside.result()))
    print(service.result())


if __name__ == "__main__":
    asyncio.run(main())
