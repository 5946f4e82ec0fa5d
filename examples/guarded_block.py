"""A job for cron: a migration that runs only once it is cleared.

    python examples/guarded_block.py

With ``OWKAI_API_KEY`` (and ``OWKAI_API_URL``) set it asks that Center. Without, it brings a small Center of its own
in a temporary folder, whose policy clears migrations to a number and leaves every other to a person; none is there.

Exit codes: 0 done, 3 refused or undecided (try again tomorrow), 1 could not ask (somebody should look).
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import clearance
from clearance import ActionDenied, ActionUndecided, AuthorizationError, authorized

POLICY = """\
[[rules]]
name = "numbered-migrations"
match = { action_type = "db.migrate", resource = "shop.db/00*" }
then = "allow"
reason = "Numbered migrations were reviewed before they were merged."
"""


def migrate(database: Path, to: str) -> int:
    """Migrate, if cleared; returns the exit code."""
    try:
        with authorized(
            action_type="db.migrate",
            tool_name="sqlite",
            description=f"Migrate {database.name} to {to}",
            parameters={"database": database.name, "to": to},
            resource=f"{database.name}/{to}",
            timeout=1,
        ) as grant:
            with closing(sqlite3.connect(database)) as shop, shop:
                shop.execute("CREATE TABLE IF NOT EXISTS loyalty (customer TEXT, points INTEGER)")
            grant.note("table loyalty created")
            print(f"migrated to {to}; cleared by {grant.decision.decided_by}")
            return 0
    except (ActionDenied, ActionUndecided) as refusal:
        print(f"not migrated: {refusal}")
        return 3
    except AuthorizationError as fault:
        print(f"could not ask: {fault}", file=sys.stderr)
        return 1


@contextmanager
def own_center(folder: Path) -> Iterator[None]:
    """A Center in this process, for trying things out."""
    from clearance.center.records import Role
    from clearance.center.service import Center
    from clearance.transports.embedded import EmbeddedTransport

    policy = folder / "policy.toml"
    policy.write_text(POLICY)
    with closing(Center.open(folder / "center.db", policy)) as center:
        clearance.configure(transport=EmbeddedTransport(center, center.create_key(Role.USER, "cron")))
        yield


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        shop = Path(name, "shop.db")
        if os.environ.get("OWKAI_API_KEY"):
            return migrate(shop, "0042")
        with own_center(Path(name)):
            print(f"exit code {migrate(shop, 'latest')}")
            return migrate(shop, "0042")


if __name__ == "__main__":
    sys.exit(main())
