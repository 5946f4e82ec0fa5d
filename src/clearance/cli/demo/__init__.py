"""``clearance demo``: a Center, a small agent and its shop, in one go on this machine."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from clearance import settings
from clearance.center import telling
from clearance.center.records import Role
from clearance.center.server import CenterServer
from clearance.center.service import Center
from clearance.center.trail import verify
from clearance.cli.demo import show
from clearance.cli.demo.agent import AGENT_ID, Step, work
from clearance.cli.demo.approver import Answers, ScriptedApprover
from clearance.cli.demo.shop import Shop
from clearance.client import Client
from clearance.models import Decision
from clearance.settings import DECIDE_WITHIN, Settings
from clearance.transports import HttpTransport

UNATTENDED_WAIT = 120.0
"""Seconds to wait for each answer where no terminal, and so perhaps no person, is there."""


def run_demo(answers: Answers | None, wait: float | None, directory: str | None) -> None:
    """Run the demo to its table; ``wait`` is the seconds that each answer may take."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    folder = Path(directory) if directory else Path(tempfile.mkdtemp(prefix="clearance-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    seconds = wait or (DECIDE_WITHIN if console.is_terminal else UNATTENDED_WAIT)
    with ExitStack() as stack:
        center = Center.open(folder / "center.db")
        stack.callback(center.close)
        server = stack.enter_context(CenterServer(center))
        admin_key = center.create_key(Role.ADMIN, "demo-approver")
        transport = HttpTransport(server.url, center.create_key(Role.USER, AGENT_ID))
        env_file = _write_env(folder / "approver.env", server.url, admin_key)
        link = f"{server.url}/sign-in?token={_sign_in_token(center, admin_key)}"
        screen = show.Screen(console, link, str(env_file))
        _greet(console, server.url, link, folder, attended=answers is None)
        before = settings.defaults()
        stack.callback(
            settings.configure,
            transport=before.transport,
            agent_id=before.agent_id,
            timeout=before.timeout,
            on_wait=before.on_wait,
        )
        settings.configure(transport=transport, agent_id=AGENT_ID, timeout=seconds, on_wait=screen.on_wait)
        if answers is not None:
            client = stack.enter_context(Client(Settings(admin_key, server.url)))
            stack.enter_context(ScriptedApprover(client, answers))
        shop = Shop(_fresh(folder / "shop.db"))
        steps = _run(shop, screen)
        trail = verify(center)
        show.summary(console, steps, _decisions(center, steps), shop.summary(), trail)
        console.print(f"Kept in {folder}", style="dim")


def _run(shop: Shop, screen: show.Screen) -> list[Step]:
    steps = []
    with screen.live():
        for step in work(shop):
            screen.done(step)
            steps.append(step)
    return steps


def _greet(console: Console, url: str, link: str, folder: Path, *, attended: bool) -> None:
    console.print(f"[bold]Clearance demo[/]: {AGENT_ID} works four tickets; what is risky is held for an approver.")
    console.print(f"Center: {url}")
    if attended:
        console.print(f"[bold]Inbox[/]:  {link}   (works once, for 15 minutes)", soft_wrap=True)
        console.print(
            f"        or in another terminal: clearance pending --env-file {folder / 'approver.env'}", soft_wrap=True
        )
    console.print()


def _decisions(center: Center, steps: list[Step]) -> dict[str, Decision]:
    """The decision behind each step, from what the Center has on record, in the order of asking."""
    records = center.do(lambda tx: tx.actions(oldest_first=True))
    return {step.title: telling.decision_of(record) for step, record in zip(steps, records, strict=False)}


def _sign_in_token(center: Center, admin_key: str) -> str:
    return center.sign_in_token(center.do(lambda tx: center.principal(tx, admin_key)))


def _write_env(file: Path, url: str, key: str) -> Path:
    """The approver's settings, readable by this user only; never printed."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(f"OWKAI_API_URL={url}\nOWKAI_API_KEY={key}\n")
    return file


def _fresh(file: Path) -> Path:
    file.unlink(missing_ok=True)
    return file
