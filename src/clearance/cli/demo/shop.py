"""The demo's shop: a small SQLite database that really changes, so that one sees what ran and what did not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

_SCHEMA = """
CREATE TABLE customers (id TEXT PRIMARY KEY, name TEXT, email TEXT);
CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT REFERENCES customers, total TEXT, refunded TEXT DEFAULT '0');
INSERT INTO customers VALUES ('c-17', 'Ada Park', 'ada@example.com'), ('c-18', 'Ben Ortiz', 'ben@example.com');
INSERT INTO orders (id, customer, total) VALUES ('o-1041', 'c-17', '129.00'), ('o-1042', 'c-18', '49.90');
"""


class Shop:
    """Orders and customers in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._open() as database:
            database.executescript(_SCHEMA)

    def order(self, order_id: str) -> dict[str, str]:
        """One order with its customer."""
        query = (
            "SELECT o.id, o.total, o.refunded, c.name "
            "FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id = ?"
        )
        with self._open() as database:
            row = database.execute(query, (order_id,)).fetchone()
        return dict(zip(("id", "total", "refunded", "customer"), row, strict=True))

    def refund(self, order_id: str, amount: Decimal) -> None:
        """Give money back."""
        with self._open() as database:
            database.execute("UPDATE orders SET refunded = ? WHERE id = ?", (str(amount), order_id))

    def add_loyalty_column(self) -> None:
        """Migration 0042."""
        with self._open() as database:
            database.execute("ALTER TABLE customers ADD COLUMN loyalty INTEGER DEFAULT 0")

    def drop_customer(self, customer_id: str) -> None:
        """Forget a customer and their orders."""
        with self._open() as database:
            database.execute("DELETE FROM orders WHERE customer = ?", (customer_id,))
            database.execute("DELETE FROM customers WHERE id = ?", (customer_id,))

    def summary(self) -> str:
        """What the shop looks like, in one line."""
        with self._open() as database:
            customers = database.execute("SELECT count(*) FROM customers").fetchone()[0]
            columns = [row[1] for row in database.execute("PRAGMA table_info(customers)")]
            refunds = database.execute("SELECT id, refunded FROM orders WHERE refunded != '0'").fetchall()
        refunded = ", ".join(f"{order} by {amount}" for order, amount in refunds) or "none"
        migrated = "applied" if "loyalty" in columns else "not applied"
        return f"{customers} customers · refunds: {refunded} · migration 0042: {migrated}"

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file)) as database, database:
            yield database
