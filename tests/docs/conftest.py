"""The pages tell of the Center too: without its packages there is nothing to compare them with."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("starlette") and find_spec("click") else ["test_docs_tell_all.py"]
