"""How the reasons of a risk score quote what an agent wrote: never more than a little of it."""

from __future__ import annotations

LONGEST_NAME = 200
"""Characters of an action type or a tool's name that are read."""
LONGEST_QUOTE = 60
"""Characters of an agent's text that a reason quotes."""


def quoted(text: str) -> str:
    """The text in quotes, with what cannot be printed spelled out, and cut visibly where it is long."""
    spelled = repr(text[: LONGEST_QUOTE + 1])
    if len(text) <= LONGEST_QUOTE and len(spelled) <= LONGEST_QUOTE + 2:
        return spelled
    return f"{spelled[:LONGEST_QUOTE]}…"
