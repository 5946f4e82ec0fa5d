"""Values that are no secrets, chosen because they look like some: one maker of (name, value) a kind."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from typing import TypeAlias

from tests.corpus.dice import BASE62, DIGITS, LOWER, UPPER, URLSAFE, Dice
from tests.corpus.harmless_texts import TEXTS

Pair: TypeAlias = tuple[str, str]
Maker: TypeAlias = Callable[[Dice], str]

NAMES = """
    amount note body text value payload data item query path target reason command content message subject label title
    url ref id order_id customer comment args primary_key sort_key cache_key partition_key key keyboard author compass
    bypass passenger monkey tokenizer spinner secretary authored_by keynote hotkey pinned
""".split()  # noqa: SIM905 - a list of words reads better as words
"""Names that say nothing, and some that only look as if they did."""


def _picture(dice: Dice) -> str:
    head = dice.choice([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBP"])
    body = b64encode(head + dice.randbytes(dice.randint(60, 1500))).decode()
    return body if dice.random() < 0.5 else f"data:image/png;base64,{body}"


def _small_numbers(dice: Dice) -> str:
    """base64 of small numbers, which begins as a well-known token does."""
    numbers = b"".join(dice.randint(0, 400).to_bytes(4, "little") for _ in range(dice.randint(9, 40)))
    return b64encode(b"\x10\x00\x00\x00" + numbers).decode()


def _camel(dice: Dice) -> str:
    return "".join(word.capitalize() for word in dice.words(3, 8).split())


def _kebab(dice: Dice) -> str:
    first = dice.choice(["sk", "hf", "key", "pul", "npm", "task", "risk", "desk", "disk", "xoxo", "ya29"])
    return f"{first}-{dice.words(3, 7, by='-')}"


def _snake(dice: Dice) -> str:
    first = dice.choice(["sk", "hf", "npm", "sk_live", "gsk", "ghp", "sbp", "r8", "shpat", "whsec"])
    return f"{first}_{dice.words(3, 7, by='_')}"


def _group(number: str, by: str = " ") -> str:
    return by.join(number[at : at + 4] for at in range(0, len(number), 4))


def _not_a_card(dice: Dice) -> str:
    """Sixteen digits that begin as a card does, with a wrong check digit."""
    right = dice.luhn(dice.choice(["4", "51", "6011"]), 16)
    wrong = right[:-1] + str((int(right[-1]) + dice.randint(1, 9)) % 10)
    return _group(wrong) if dice.random() < 0.5 else wrong


def _usage(dice: Dice) -> str:
    usage = {"prompt_tokens": dice.randint(1, 9999), "completion_tokens": 12, "total_tokens": 1234567}
    model = dice.choice(["gpt-4o-mini", "claude-sonnet-4-20250514", "text-embedding-3-small"])
    return json.dumps(
        {"model": model, "usage": usage, "max_tokens": 512, "token_type": "bearer", "stop_token": None},
    )


def _public_block(dice: Dice) -> str:
    label = dice.choice(["PUBLIC KEY", "CERTIFICATE", "CERTIFICATE REQUEST", "PGP PUBLIC KEY BLOCK", "PGP SIGNATURE"])
    return f"-----BEGIN {label}-----\n{dice.base64(300)}\n-----END {label}-----"


def _fingerprint(dice: Dice) -> str:
    return dice.choice([f"SHA256:{dice.base64(32).rstrip('=')}", _group(dice.hex(40).upper())])


def _tracking_number(dice: Dice) -> str:
    return dice.choice([f"1Z{dice.of(UPPER + DIGITS, 16)}", f"9400 1{dice.digits(3)} {_group(dice.digits(14))}"])


def _content_id(dice: Dice) -> str:
    return dice.choice([f"Qm{dice.base62(44)}", f"bafybei{dice.of(LOWER + '234567', 52)}"])


def _image(dice: Dice) -> str:
    return f"{dice.host()}/{dice.word()}:{dice.randint(1, 9)}.{dice.randint(0, 30)}@sha256:{dice.hex(64)}"


def _vendor_id(dice: Dice) -> str:
    return dice.choice(
        ["ch_3", "cus_", "pi_3", "price_1", "evt_1", "acct_1", "pk_live_", "pk_test_", "prod_", "in_1"]
    ) + dice.base62(24)


def _cloud_id(dice: Dice) -> str:
    return dice.choice(
        ["i-0", "vpc-0", "sg-0", "subnet-0", "ami-0", "vol-0", "eni-0", "snap-0", "task-", "req-"]
    ) + dice.hex(16)


def _json(dice: Dice) -> str:
    record = {"id": dice.uuid(), dice.word(): dice.sentence(), "n": dice.randint(1, 99), "sha": dice.hex(40)}
    return json.dumps(record | {"tags": dice.words(3).split()}, indent=dice.choice([None, 2]))


def _cursor(dice: Dice) -> str:
    return dice.encoded(json.dumps({"id": dice.randint(1, 10**9), "at": dice.instant()}))


ANYWHERE: dict[str, Maker] = {
    "uuid": lambda dice: dice.choice([dice.uuid(), dice.uuid().replace("-", "").upper()]),
    "digest": lambda dice: f"{dice.choice(['sha256:', 'md5=', 'sha1-', ''])}{dice.hex(64)}",
    "integrity": lambda dice: f"{dice.choice(['sha512-', 'sha384-', 'h1:', 'sha256='])}{dice.base64(48)}",
    "ulid": lambda dice: dice.of("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26),
    "order number": lambda dice: f"{dice.choice(['ORD', 'INV', 'PO', 'RMA', 'SK', 'AC'])}-{dice.digits(4, 10)}",
    "vendor id": _vendor_id,
    "cloud id": _cloud_id,
    "arn": lambda dice: f"arn:aws:iam::{dice.digits(12)}:role/{_camel(dice)}",
    "arn of a secret": lambda dice: f"arn:aws:secretsmanager:eu-west-1:{dice.digits(12)}:secret:prod/{dice.base62(6)}",
    "chat id": lambda dice: dice.choice("CUTWD") + dice.of(UPPER + DIGITS, 10),
    "client id": lambda dice: f"{dice.digits(12)}-{dice.of(LOWER + DIGITS, 32)}.apps.googleusercontent.com",
    "public key": lambda dice: f"ssh-{dice.choice(['rsa', 'ed25519'])} AAAA{dice.base64(60)} {dice.person()}@laptop",
    "age recipient": lambda dice: f"age1{dice.of(LOWER + DIGITS, 58)}",
    "public block": _public_block,
    "fingerprint": _fingerprint,
    "wallet": lambda dice: f"{dice.choice(['0x', 'bc1q'])}{dice.hex(40)}",
    "transaction": lambda dice: f"0x{dice.hex(64)}",
    "content id": _content_id,
    "trace parent": lambda dice: f"00-{dice.hex(32)}-{dice.hex(16)}-01",
    "pod": lambda dice: f"{dice.word()}-{dice.hex(10)}-{dice.of(LOWER + DIGITS, 5)}",
    "image": _image,
    "cache entry": lambda dice: f"user:{dice.randint(1, 10**6)}:profile:{dice.hex(8)}",
    "isbn and ean": lambda dice: dice.choice(["978-3-16-", "9783", "4006"]) + dice.digits(9),
    "not a card": _not_a_card,
    "long number": lambda dice: dice.choice("123456789") + dice.digits(9, 24),
    "tracking number": _tracking_number,
    "iban": lambda dice: f"DE{dice.digits(2)} {_group(dice.digits(18))}",
    "imei": lambda dice: f"35{dice.digits(13)}",
    "phone": lambda dice: f"+{dice.randint(1, 99)} {dice.digits(3)} {dice.digits(3)}-{dice.digits(4)}",
    "version": lambda dice: f"v{dice.randint(0, 20)}.{dice.randint(0, 99)}.0-rc.1+build.{dice.hex(7)}",
    "time": lambda dice: dice.choice([dice.instant(), dice.digits(13), "P3DT4H12M", "00:14:59.120"]),
    "address": lambda dice: dice.choice(
        [f"10.0.{dice.digits(2)}.7:8080", "2001:db8::8a2e:370:7334", "00:1b:44:11:3a:b7"]
    ),
    "place": lambda dice: f"52.{dice.digits(14)}, 13.{dice.digits(14)}",
    "colour": lambda dice: f"#{dice.hex(dice.choice([3, 6, 8]))}",
    "dna": lambda dice: dice.of("ACGT", 30, 300),
    "money": lambda dice: f"{dice.choice(['EUR', 'USD', '$', '€'])} {dice.randint(1, 10**6):,}.{dice.digits(2)}",
    "mixed alphabet": lambda dice: dice.of(BASE62 + " .,;:-_/()", 10, 60),
    "address of a page": lambda dice: f"https://{dice.host()}/{dice.word()}/{dice.uuid()}?page=3&q={dice.word()}",
    "kebab words": _kebab,
    "snake words": _snake,
    "camel words": _camel,
    "dotted words": lambda dice: f"com.{dice.words(4, 8, by='.')}.{_camel(dice)}",
    "prose": lambda dice: " ".join(dice.sentence() for _ in range(dice.randint(1, 8))),
    "json": _json,
    "table": lambda dice: "\n".join(f"{dice.uuid()},{dice.person()},{dice.instant()}" for _ in range(5)),
    "usage of a model": _usage,
}
"""Values under any harmless name."""

UNDER_NAMES: dict[str, tuple[str, Maker]] = {
    "git sha": ("sha commit ref revision", lambda dice: dice.hex(dice.choice([7, 40, 64]))),
    "etag": ("etag if_match", lambda dice: f'{dice.choice(["", "W/"])}"{dice.hex(32)}-{dice.randint(1, 99)}"'),
    "nano id": ("id slug upload_id trace", lambda dice: dice.of(URLSAFE, 21)),
    "random id": ("id request_id job cursor", lambda dice: dice.base62(16, 64)),
    "snowflake": ("id channel message_id", lambda dice: f"1{dice.digits(17, 18)}"),
    "account sid": ("account_sid sid", lambda dice: f"AC{dice.hex(32)}"),
    "site key": ("site_key widget", lambda dice: f"6L{dice.of(URLSAFE, 38)}"),
    "cursor": ("cursor after next_page_token page_token continuation_token", _cursor),
    "picture": ("thumbnail image avatar data attachment", _picture),
    "bytes": ("data blob payload body", lambda dice: dice.base64(dice.randint(20, 2000))),
    "url-safe bytes": ("data blob payload", lambda dice: dice.base64url(dice.randint(20, 2000))),
    "small numbers in base64": ("data tensor buffer", _small_numbers),
}
"""Values under the names that they have; many would be secrets under others."""


def _filled(dice: Dice, template: str) -> str:
    makers: dict[str, Callable[[], object]] = {
        "w": dice.word, "v": dice.word, "p": dice.person, "s": dice.sentence, "u": dice.uuid, "host": dice.host,
        "t": dice.instant, "n": lambda: dice.randint(1, 9999), "h": lambda: dice.hex(40), "b": lambda: dice.base64(60),
    }  # fmt: skip
    return re.sub("<<([a-z]+)>>", lambda match: str(makers[match[1]]()), template)


def _any_name(maker: Maker) -> Callable[[Dice], Pair]:
    return lambda dice: (dice.choice(NAMES), maker(dice))


def _known_name(names: str, maker: Maker) -> Callable[[Dice], Pair]:
    return lambda dice: (dice.choice(names.split()), maker(dice))


def _text(kind: str) -> Callable[[Dice], Pair]:
    return lambda dice: (dice.choice(NAMES), _filled(dice, dice.choice(TEXTS[kind])))


HARMLESS: dict[str, Callable[[Dice], Pair]] = {
    **{kind: _any_name(maker) for kind, maker in ANYWHERE.items()},
    **{kind: _known_name(*found) for kind, found in UNDER_NAMES.items()},
    **{kind: _text(kind) for kind in TEXTS},
}
