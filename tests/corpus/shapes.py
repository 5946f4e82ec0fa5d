"""Credentials that are known by their own shape, wherever they stand: one maker a kind."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.corpus.dice import LOWER, UPPER, URLSAFE, Dice

BASE32 = UPPER + "234567"


def _jwt(dice: Dice) -> str:
    header = dice.encoded(json.dumps({"alg": dice.choice(["HS256", "RS256"]), "typ": "JWT"}))
    claims = dice.encoded(json.dumps({"sub": dice.person(), "iat": dice.randint(1, 2**31), "jti": dice.uuid()}))
    return f"{header}.{claims}.{dice.base64url(32)}"


def _slack_webhook(dice: Dice) -> str:
    return f"T{dice.of(UPPER, 8, 10)}/B{dice.of(UPPER + '0123456789', 8, 10)}/{dice.base62(24)}"


def _card_in_groups(dice: Dice) -> str:
    number = dice.luhn(dice.choice(["4", "53"]), 16)
    return dice.choice(" -").join(number[at : at + 4] for at in (0, 4, 8, 12))


def pem(dice: Dice, label: str, *, headers: str = "", end: str = "\n") -> str:
    """A private key block; ``end`` is how its lines end."""
    body = dice.base64(dice.randint(300, 900))
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return end.join([f"-----BEGIN {label}-----", *headers.splitlines(), *lines, f"-----END {label}-----"])


SHAPES: dict[str, Callable[[Dice], str]] = {
    "aws access key id": lambda dice: dice.choice(["AKIA", "ASIA"]) + dice.of(BASE32, 16),
    "aws id and secret": lambda dice: f"AKIA{dice.of(BASE32, 16)}{dice.choice([',', ':', ' / '])}{dice.base64(30)}",
    "github classic": lambda dice: f"gh{dice.choice('pousr')}_{dice.base62(36)}",
    "github fine-grained": lambda dice: f"github_pat_{dice.base62(22)}_{dice.base62(59)}",
    "gitlab": lambda dice: f"glpat-{dice.of(URLSAFE, 20)}",
    "gitlab runner": lambda dice: f"glrt-{dice.of(URLSAFE, 20)}",
    "slack bot": lambda dice: f"xoxb-{dice.digits(12)}-{dice.digits(12)}-{dice.base62(24)}",
    "slack user": lambda dice: f"xoxp-{dice.digits(11)}-{dice.digits(11)}-{dice.digits(12)}-{dice.hex(32)}",
    "slack app": lambda dice: f"xapp-1-A{dice.of(UPPER, 10)}-{dice.digits(13)}-{dice.hex(64)}",
    "slack webhook": _slack_webhook,
    "stripe secret": lambda dice: f"sk_{dice.choice(['live', 'test'])}_{dice.base62(24, 99)}",
    "stripe restricted": lambda dice: f"rk_live_{dice.base62(24, 99)}",
    "stripe webhook": lambda dice: f"whsec_{dice.base62(32)}",
    "google api key": lambda dice: f"AIza{dice.of(URLSAFE, 35)}",
    "google oauth": lambda dice: f"ya29.{dice.of(URLSAFE, 60, 180)}",
    "google client secret": lambda dice: f"GOCSPX-{dice.of(URLSAFE, 28)}",
    "google refresh token": lambda dice: f"1//0{dice.of(URLSAFE, 60, 100)}",
    "openai": lambda dice: f"sk-{dice.base62(48)}",
    "openai project": lambda dice: f"sk-proj-{dice.of(URLSAFE, 74, 120)}",
    "openrouter": lambda dice: f"sk-or-v1-{dice.hex(64)}",
    "anthropic": lambda dice: f"sk-ant-api03-{dice.of(URLSAFE, 93)}AA",
    "groq": lambda dice: f"gsk_{dice.base62(52)}",
    "hugging face": lambda dice: f"hf_{dice.of(LOWER + UPPER, 34)}",
    "replicate": lambda dice: f"r8_{dice.base62(37)}",
    "npm": lambda dice: f"npm_{dice.base62(36)}",
    "pypi": lambda dice: f"pypi-AgEIcHlwaS5vcmc{dice.of(URLSAFE, 120, 180)}",
    "rubygems": lambda dice: f"rubygems_{dice.hex(48)}",
    "docker hub": lambda dice: f"dckr_pat_{dice.of(URLSAFE, 27)}",
    "sendgrid": lambda dice: f"SG.{dice.of(URLSAFE, 22)}.{dice.of(URLSAFE, 43)}",
    "twilio key": lambda dice: f"SK{dice.hex(32)}",
    "twilio account and token": lambda dice: f"AC{dice.hex(32)}:{dice.hex(32)}",
    "mailgun": lambda dice: f"key-{dice.hex(32)}",
    "mailchimp": lambda dice: f"{dice.hex(32)}-us{dice.randint(1, 21)}",
    "brevo": lambda dice: f"xkeysib-{dice.hex(64)}-{dice.base62(16)}",
    "digitalocean": lambda dice: f"dop_v1_{dice.hex(64)}",
    "shopify": lambda dice: f"shpat_{dice.hex(32)}",
    "square": lambda dice: f"sq0atp-{dice.of(URLSAFE, 22)}",
    "square access token": lambda dice: f"EAAA{dice.of(URLSAFE, 60)}",
    "databricks": lambda dice: f"dapi{dice.hex(32)}",
    "telegram bot": lambda dice: f"{dice.randint(10**8, 10**10 - 1)}:AA{dice.of(URLSAFE, 33)}",
    "discord bot": lambda dice: (
        f"{dice.choice('MNO')}{dice.base62(23, 25)}.{dice.of(URLSAFE, 6)}.{dice.of(URLSAFE, 38)}"
    ),
    "discord webhook": lambda dice: f"{dice.digits(18)}/{dice.of(URLSAFE, 68)}",
    "linear": lambda dice: f"lin_api_{dice.base62(40)}",
    "figma": lambda dice: f"figd_{dice.of(URLSAFE, 40)}",
    "notion": lambda dice: f"ntn_{dice.base62(46)}",
    "grafana": lambda dice: f"glsa_{dice.base62(32)}_{dice.hex(8)}",
    "vault": lambda dice: f"hvs.{dice.of(URLSAFE, 90, 110)}",
    "terraform cloud": lambda dice: f"{dice.base62(14)}.atlasv1.{dice.of(URLSAFE, 67)}",
    "doppler": lambda dice: f"dp.pt.{dice.base62(43)}",
    "postman": lambda dice: f"PMAK-{dice.hex(24)}-{dice.hex(34)}",
    "atlassian": lambda dice: f"ATATT3xFfGF0{dice.of(URLSAFE, 170)}={dice.hex(8).upper()}",
    "airtable": lambda dice: f"pat{dice.base62(14)}.{dice.hex(64)}",
    "supabase": lambda dice: f"sbp_{dice.hex(40)}",
    "planetscale": lambda dice: f"pscale_pw_{dice.of(URLSAFE, 43)}",
    "tailscale": lambda dice: f"tskey-auth-{dice.base62(17)}-{dice.base62(32)}",
    "new relic": lambda dice: f"NRAK-{dice.of(UPPER + '0123456789', 27)}",
    "sentry": lambda dice: f"sntrys_{dice.encoded(dice.sentence() * 2)}_{dice.base62(43)}",
    "pulumi": lambda dice: f"pul-{dice.hex(40)}",
    "owkai": lambda dice: (
        f"owkai_{dice.choice(['super_admin', 'admin', 'user'])}"
        f"_{dice.of(LOWER + '0123456789', 8)}_{dice.of(BASE32.lower(), 52)}{dice.hex(8)}"
    ),
    "age": lambda dice: f"AGE-SECRET-KEY-1{dice.of('QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58)}",
    "jwt": _jwt,
    "bcrypt": lambda dice: f"$2b${dice.randint(8, 14):02}${dice.base62(53)}",
    "crypt sha-512": lambda dice: f"$6${dice.base62(16)}${dice.base62(86)}",
    "argon2": lambda dice: f"$argon2id$v=19$m=65536,t=3,p=4${dice.base62(22)}${dice.base62(43)}",
    "card number": lambda dice: dice.luhn(
        *dice.choice([("4", 16), ("51", 16), ("55", 16), ("34", 15), ("6011", 16), ("2221", 16), ("3530", 16)])
    ),
    "card number in groups": _card_in_groups,
    "rsa private key": lambda dice: pem(dice, "RSA PRIVATE KEY"),
    "encrypted private key": lambda dice: pem(
        dice, "RSA PRIVATE KEY", headers=f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{dice.hex(32).upper()}\n\n"
    ),
    "ssh private key": lambda dice: pem(dice, "OPENSSH PRIVATE KEY"),
    "pgp private key": lambda dice: pem(dice, "PGP PRIVATE KEY BLOCK", headers="Version: GnuPG v2\n\n"),
    "private key in one line": lambda dice: pem(dice, dice.choice(["PRIVATE KEY", "EC PRIVATE KEY"]), end="\\n"),
}

_HOMES: dict[str, str] = {
    "slack webhook": "https://hooks.slack.com/services/{}",
    "discord webhook": "https://discord.com/api/webhooks/{}",
}
"""Kinds that are only part of an address: the rest of it is no secret."""


def found_as(kind: str, token: str) -> str:
    """The token with what always stands before it."""
    return _HOMES.get(kind, "{}").format(token)


PLACES: list[Callable[[Dice, str], str]] = [
    lambda _dice, token: token,
    lambda _dice, token: f" {token}\n",
    lambda dice, token: f"{dice.sentence()} Use {token} for the deploy, then {dice.words(3)}.",
    lambda dice, token: f"here it is: {token}, {dice.words(2)}",
    lambda dice, token: f"({token})",
    lambda dice, token: f"`{token}` {dice.sentence()}",
    lambda dice, token: f"{dice.words(2)} \u201c{token}\u201d {dice.words(2)}",
    lambda dice, token: json.dumps({"id": dice.randint(1, 999), dice.word(): token, "to": dice.person()}),
    lambda dice, token: json.dumps({"body": json.dumps({dice.word(): token, "n": 1})}),
    lambda dice, token: f"{dice.word().upper()}={token}\n{dice.word().upper()}={dice.words(1)}",
    lambda dice, token: f"HOME=/root\n{dice.word().upper()}='{token}'\nLANG=C.UTF-8",
    lambda dice, token: f"deploy --{dice.word()} {token} --region eu-west-1",
    lambda dice, token: f"deploy --{dice.word()}={token} --dry-run",
    lambda dice, token: f"{dice.word()}: {token}\n{dice.word()}: {dice.words(1)}\n",
    lambda dice, token: f'{dice.word()} = "{token}"  # {dice.words(2)}',
    lambda dice, token: f"client = Client('{token}', timeout={dice.randint(1, 60)})",
    lambda dice, token: f"{dice.instant()} INFO {dice.word()} {dice.words(3)} {token} took {dice.randint(1, 900)} ms",
    lambda dice, token: f"{dice.person()},{token},{dice.digits(4)}\r\n",
    lambda dice, token: f"<{(tag := dice.word())}>{token}</{tag}>",
    lambda dice, token: f"| {dice.word()} | {token} |",
    lambda dice, token: f"Grüße aus Zürich, {dice.words(2)} – {token} – 東京",
    lambda dice, token: f"{dice.sentence()}\n\n{token}\n\n{dice.sentence()}",
]


def places_for(kind: str) -> list[Callable[[Dice, str], str]]:
    """Where a token of this kind may stand; a private key stands in whole texts only."""
    return PLACES[:7] if "private key" in kind else PLACES
