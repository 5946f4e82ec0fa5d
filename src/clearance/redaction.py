"""What an approver may see of an argument: which names are secret, and how the hidden and the long are spelled."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

REDACTED = "[redacted]"
"""Stands in the view for a value that must not be seen. The digest still covers the value, keyed."""

SHOWN_CHARACTERS = 4_000
"""The longest text that is shown whole; of a longer one this many characters are shown, and said so."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SECRET_WORDS = frozenset(
    """
    password passwd passwort passphrase passcode pwd pass secret secrets token apikey credential credentials cred
    creds authorization auth bearer cookie cookies jwt otp totp mfa pin cvv cvc cvv2 ssn privkey keyfile
    connectionstring dsn
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
_SECRET_PAIRS = frozenset(
    {
        ("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("signing", "key"),
        ("encryption", "key"), ("session", "key"), ("session", "id"), ("connection", "string"),
        ("client", "key"), ("ssh", "key"), ("account", "key"), ("shared", "key"), ("master", "key"),
        ("recovery", "code"), ("backup", "code"), ("security", "code"), ("card", "number"),
    }
)  # fmt: skip
# `token_limit` counts tokens, `secret_name` names one: what follows says that the value is not the secret itself.
_ABOUT_WORDS = frozenset(
    """
    limit limits count counts max min length len size name names type types kind url uri path expiry expires
    expiration ttl age enabled required policy rotation version budget usage total used mode scheme status
    """.split()  # noqa: SIM905
)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Does a parameter, key or field of this name usually hold a credential?

    Read word by word (``dbPassword``, ``STRIPE_API_KEY``), so ``compass`` and ``token_limit`` are not.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _ABOUT_WORDS:
        return False
    return (
        any(word in _SECRET_WORDS for word in words)
        or any(pair in _SECRET_PAIRS for pair in pairwise(words))
        or "".join(words) in _SECRET_WORDS
    )


@dataclass(slots=True)
class View:
    """Collects, while the arguments are walked, what an approver will not see or will see in part.

    ``named`` are the names that the author of the guard declared secret, on top of the usual ones.
    """

    named: Collection[str] = ()
    redacted: list[str] = field(default_factory=list)
    abridged: dict[str, tuple[int, int]] = field(default_factory=dict)

    def hides(self, name: str) -> bool:
        """Must the value under this name stay hidden?"""
        return name in self.named or is_secret_name(name)

    def hide(self, path: str) -> str:
        """Note that ``path`` is hidden; returns what is shown instead."""
        self.redacted.append(path)
        return REDACTED

    def text(self, text: str, path: str) -> str:
        """The text as shown: whole, or its beginning with a note of how much there is."""
        if len(text) <= SHOWN_CHARACTERS:
            return text
        self.abridged[path] = (SHOWN_CHARACTERS, len(text))
        return f"{text[:SHOWN_CHARACTERS]}… [{SHOWN_CHARACTERS:,} of {len(text):,} characters shown]"
