"""The corpus: thousands of secrets and of harmless values, thrown from a seed.

No value is written down here: a scanner that reads this repository finds nothing, and every seed is another corpus.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.corpus.contexts import CONTEXTS
from tests.corpus.dice import Dice
from tests.corpus.harmless import HARMLESS
from tests.corpus.misleading import MISLEADING_NAMES
from tests.corpus.shapes import SHAPES, found_as, places_for

NEUTRAL = ["note", "body", "text", "message", "value", "payload", "command", "args", "config", "data", "url", "comment"]

SECRET_NAMES = """
    password passwords passwd pwd db_password dbPassword DB_PASSWORD PGPASSWORD mysqlpwd user_pass passphrase
    new-password password_confirmation old_password_2 root_pw secret secrets client_secret clientSecret app_secrets
    secret_key_base token tokens access_token refreshToken authtoken bot_tokens api_key apiKey apikeys api_keys
    STRIPE_API_KEY X-Api-Key private_key ssh_private_keys signing_key encryptionKey master_key session_id sessionid
    session_cookie cookies Authorization auth_header bearer credentials creds jwt jwts otp otps totp_code mfa_code pin
    pin_code cvv cvc2 card_number card_numbers ssn social_security_number connection_string connectionStrings dsn
    database_dsns recovery_codes backup_code seed_phrase wifi_psk preSharedKey hmac_key deploy_key service_account_key
    webhook_secret kennwort passwort senha contraseña пароль auth_key vault-token access_keys secretAccessKey
    storage_account_key security_answer security_code encrypted_password password_hash userpassword mnemonic
    accessToken csrf_token id_token security_pins user_passwords app_passcode smtpPasswd privatekey tls_key
""".split()  # noqa: SIM905 - a list of words reads better as words
"""Names, of every style, under which a value is secret whatever it looks like."""


@dataclass(frozen=True)
class Secret:
    """A value with a secret in it; every character of ``secret_part`` must be hidden."""

    kind: str
    name: str
    value: str
    secret_part: str


@dataclass(frozen=True)
class Harmless:
    """A value with no secret in it."""

    kind: str
    name: str
    value: str


def secrets(seed: int, each: int = 24) -> list[Secret]:
    """``each`` secrets of every kind, and two under every secret name."""
    dice = Dice(seed)
    return [
        *(_shaped(dice, kind) for kind in SHAPES for _ in range(each)),
        *(_told(dice, kind) for kind in CONTEXTS for _ in range(each)),
        *(Secret("by name", name, word, word) for name in SECRET_NAMES for word in (dice.password(), dice.word())),
        *(_command(dice) for _ in range(each)),
    ]


def harmless_values(seed: int, each: int = 120) -> list[Harmless]:
    """``each`` values of every kind, and every misleading name."""
    dice = Dice(seed)
    made = [Harmless(kind, *make(dice)) for kind, make in HARMLESS.items() for _ in range(each)]
    return [*made, *(Harmless("misleading name", *pair) for pair in MISLEADING_NAMES.items())]


def _shaped(dice: Dice, kind: str) -> Secret:
    token = SHAPES[kind](dice)
    text = dice.choice(places_for(kind))(dice, found_as(kind, token))
    return Secret(kind, dice.choice(NEUTRAL), text, token.partition(":")[2] if kind.startswith("twilio acc") else token)


def _told(dice: Dice, kind: str) -> Secret:
    text, secret = CONTEXTS[kind](dice)
    return Secret(kind, dice.choice(NEUTRAL), text, secret)


def _command(dice: Dice) -> Secret:
    """A list of arguments as JSON, as a tool call has them."""
    secret = dice.password("!#%*+-.=?@^_~")
    words = ["tool", "login", f"--password={secret}", "--user", dice.person()]
    return Secret("argument list", "argv", json.dumps(words), secret)
