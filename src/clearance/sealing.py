"""Labelled arguments -> what is shown of them, and the digest of the whole call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from clearance import canonical, credentials
from clearance.forms import Pieces
from clearance.models import CodeIdentity, Json
from clearance.redaction import View, without
from clearance.secret_names import is_secret_name


def spell(arguments: Mapping[str, object], view: View, key: canonical.Key) -> tuple[dict[str, Json], Pieces]:
    """What is shown of labelled arguments, and their canonical bytes: one walk for both."""
    walk = canonical.Walk(view, key)
    pieces: Pieces = []
    shown: dict[str, Json] = {}
    for label, value in arguments.items():
        name, spelled, is_secret = _spelled_label(label)
        pieces.append(spelled)
        if is_secret or name in view.named:
            shown[label] = walk.named(name, value, label, 0, pieces)
        else:
            shown[label] = walk.value(value, label, 0, pieces)
    return shown, pieces


@lru_cache(maxsize=4096)
def _spelled_label(label: str) -> tuple[str, bytes, bool]:
    """The parameter's name, its label as it is digested, and whether the name says that it holds a secret."""
    data = label.encode()
    name = label.lstrip("*")
    return name, b"p%d:%b" % (len(data), data), is_secret_name(name)


def seal(
    agent_id: str,
    action_type: str,
    tool_name: str,
    resource: str | None,
    code: CodeIdentity,
    arguments: Pieces,
) -> str:
    """The digest of a call: who acts, what is asked, by which code, with exactly which arguments."""
    header = _header(agent_id, action_type, tool_name, resource, code.module, code.qualname)
    return canonical.digest([header, *arguments])


@lru_cache(maxsize=1024)
def _header(*names: str | None) -> bytes:
    pieces: Pieces = []
    canonical.Walk(View(), b"").value(names, "action", 0, pieces)
    return b"".join(pieces)


def cleaned(text: str) -> str:
    """A text of the author's or the agent's own, without the credentials in it."""
    return without(text, credentials.find(text))
