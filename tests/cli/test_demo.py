"""`clearance demo`: the main job, without a person and without a terminal."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from tests.servers import PATIENCE, command

TICKETS = ("Look up order o-1042", "Refund 49.90", "Run migration 0042", "Drop customer c-17")


def demo(folder: Path, *options: str, code: int = 0) -> str:
    """Run the demo in ``folder``; returns what it printed."""
    line = command("demo", "--directory", str(folder), *options)
    done = subprocess.run(
        line, capture_output=True, text=True, timeout=2 * PATIENCE, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def shop(folder: Path) -> tuple[str, bool, int]:
    """What really changed: the refund on o-1042, whether the migration ran, how many customers are left."""
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        refunded = database.execute("SELECT refunded FROM orders WHERE id = 'o-1042'").fetchone()[0]
        columns = [row[1] for row in database.execute("PRAGMA table_info(customers)")]
        customers = database.execute("SELECT count(*) FROM customers").fetchone()[0]
    return refunded, "loyalty" in columns, customers


@pytest.mark.parametrize(
    ("options", "refunded", "migrated"),
    [
        (["--approve-all"], "49.90", True),
        (["--deny-all"], "0", False),
        (["--script"], "49.90", False),
        (["--wait", "0.3"], "0", False),
    ],
    ids=["all approved", "all denied", "the built-in script", "nobody answers"],
)
def test_the_demo_ends_with_its_table_and_the_shop_changed_only_by_what_ran(
    tmp_path: Path, options: list[str], refunded: str, migrated: bool
) -> None:
    printed = demo(tmp_path, *options)

    assert "What came of it" in printed
    assert all(ticket in printed for ticket in TICKETS)
    assert "verified" in printed
    assert shop(tmp_path) == (refunded, migrated, 2)


def test_a_script_of_ones_own_decides_and_its_reason_is_shown(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("deny payment.refund ask Ben first\napprove db.migrate # fine\n")

    printed = demo(tmp_path / "demo", "--script", str(script))

    assert "ask Ben first" in printed
    assert shop(tmp_path / "demo") == ("0", True, 2)


@pytest.mark.parametrize("script", ["maybe payment.refund\n", "approve\n"])
def test_a_script_that_cannot_be_read_names_the_line_and_nothing_runs(tmp_path: Path, script: str) -> None:
    file = tmp_path / "script.txt"
    file.write_text(script)
    assert "Script line 1" in demo(tmp_path / "demo", "--script", str(file), code=1)
    assert not (tmp_path / "demo").exists()


def test_without_a_person_it_says_what_it_waits_for_and_how_to_answer(tmp_path: Path) -> None:
    printed = demo(tmp_path, "--wait", "0.3")
    assert "Held action 2: payment.refund (stripe)" in printed
    assert "amount = '49.90'" in printed
    assert "/sign-in?token=" in printed
    assert "clearance approve 2 --env-file" in printed
    assert "Nobody decided" in printed


def test_no_key_and_no_secret_argument_is_ever_printed(tmp_path: Path) -> None:
    printed = demo(tmp_path, "--approve-all")
    key = (tmp_path / "approver.env").read_text().split("OWKAI_API_KEY=")[1].strip()
    assert key.startswith("owkai_admin_")
    assert key not in printed
    assert "example-payment-credential" not in printed
    assert (tmp_path / "approver.env").stat().st_mode & 0o077 == 0


def test_the_audit_trail_it_leaves_can_be_verified_afterwards(tmp_path: Path) -> None:
    demo(tmp_path, "--script")
    line = command("audit", "verify", "--database", str(tmp_path / "center.db"))
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.startswith("Verified ")
