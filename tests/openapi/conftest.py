"""The test here needs schemathesis, so a lane of tox of its own names it; nothing else collects it."""

from __future__ import annotations

collect_ignore_glob = ["test_*.py"]
