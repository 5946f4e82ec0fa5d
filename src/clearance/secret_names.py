"""Which names of parameters, keys and fields usually hold a credential."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

ABOUT_WORDS = frozenset(
    """
    age arn at attempts banner budget column consent count counts date days decimals domain enabled expires expiration
    expiry field file filename filter format hours index invalid kind label len length limit limits manager max method
    min minutes missing mode name names path placeholder policy position prefix provider rate ratio ref reference
    required reset rotation samesite santa scheme seconds service size standard status stdin strength suffix symbol
    time timeout timestamp total ttl type types uri url usage used valid validator version
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""``token_limit`` counts tokens, ``secret_name`` names one: a name that ends so is not about the secret itself."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SECRET_WORDS = frozenset(
    """
    password passwd passwort passphrase passcode pwd pswd pw pass secret token apikey credential credentials cred creds
    authorization auth bearer cookie cookies jwt otp totp mfa pin cvv cvc cvv2 ssn psk mnemonic privkey keyfile
    connectionstring sessionid dsn kennwort senha wachtwoord contrasena contraseña пароль 密码 パスワード
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
_PLURALS = frozenset(f"{word}s" for word in _SECRET_WORDS - {"pass", "auth", "authorization", "bearer"})
_SECRET_PAIRS = frozenset(
    {
        ("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("signing", "key"),
        ("encryption", "key"), ("session", "key"), ("session", "id"), ("connection", "string"),
        ("client", "key"), ("ssh", "key"), ("account", "key"), ("shared", "key"), ("master", "key"),
        ("recovery", "code"), ("backup", "code"), ("security", "code"), ("card", "number"),
        ("app", "key"), ("deploy", "key"), ("hmac", "key"), ("tls", "key"), ("ssl", "key"), ("pgp", "key"),
        ("gpg", "key"), ("webhook", "key"), ("decryption", "key"), ("seed", "phrase"), ("recovery", "phrase"),
        ("access", "code"),
        ("security", "number"), ("security", "answer"), ("secret", "answer"),
    }
)  # fmt: skip
_RUN_TOGETHER = re.compile(
    r"\w*(?:(?:password|passwd|passphrase|passcode|pwd|secret|apikey|secretkey|privatekey|accesskey)s?|token)"
)
"""``dbpassword``, ``PGPASSWORD``, ``authtoken``: words that are written as one."""

# `max_tokens` and `prompt_tokens` are counts, `eos_token` is a word of a language model, and a page token only says
# where a list goes on.
_COUNTED = frozenset(
    "max min num total n prompt completion input output used context cached reasoning".split()  # noqa: SIM905
)
_OTHER_TOKENS = frozenset("eos bos pad unk mask sep cls stop page next continuation pagination".split())  # noqa: SIM905
_QUESTIONS = frozenset({"is", "has", "had", "show", "requires", "require", "needs", "allow", "allows", "num", "count"})
"""``has_password`` asks, and does not tell it."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Does a parameter, key or field of this name usually hold a credential, or several?

    Read word by word (``dbPassword``, ``STRIPE_API_KEYS``), so ``compass`` and ``token_limit`` are not.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return name.lower() in _SECRET_WORDS
    if words[-1] in ABOUT_WORDS or words[0] in _QUESTIONS:
        return False
    if not _OTHER_TOKENS.isdisjoint(words):
        words = [word for word in words if word not in ("token", "tokens")]
    elif not _COUNTED.isdisjoint(words):
        words = [word for word in words if word != "tokens"]
    whole = "".join(words)
    return (
        any(word in _SECRET_WORDS or word in _PLURALS or _RUN_TOGETHER.fullmatch(word) for word in words)
        or any((first, second.removesuffix("s")) in _SECRET_PAIRS for first, second in pairwise(words))
        or whole.removesuffix("s") in _SECRET_WORDS
        or name.lower() in _SECRET_WORDS
    )
