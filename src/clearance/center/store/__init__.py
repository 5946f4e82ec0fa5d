"""Where the Center keeps things: one Protocol (``base``), and SQLite or PostgreSQL behind it.

A store runs each unit of work as one transaction on one writer thread, and commits many at once.
"""
