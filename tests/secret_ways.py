"""The ways in which a secret can come into a call, each with a function that takes it so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, SecretBytes, SecretStr
from tests.leaks import CANARY

from clearance import Secret


@dataclass
class Login:
    user: str
    password: str


@dataclass
class Vault:
    contents: Annotated[str, Secret]


class Account(BaseModel):
    owner: str
    pin: SecretStr


def by_name(password: str) -> str:
    return password


def by_annotation(value: Annotated[str, Secret]) -> str:
    return value


def plain(value: Any) -> Any:
    return value


def starred(*values: Any, **more: Any) -> Any:
    return values, more


WAYS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
    "a parameter's name": (by_name, (CANARY,), {}),
    "a parameter's annotation": (by_annotation, (CANARY,), {}),
    "a key": (plain, ({"db": {"apiKey": CANARY}},), {}),
    "a key in a list": (plain, ([{"token": CANARY}],), {}),
    "a list under a key": (plain, ({"tokens": [CANARY, CANARY]},), {}),
    "a made-up keyword": (starred, (), {"client_secret": CANARY}),
    "a field": (plain, (Login("ada", CANARY),), {}),
    "a field's annotation": (plain, (Vault(CANARY),), {}),
    "a SecretStr": (plain, (SecretStr(CANARY),), {}),
    "SecretBytes": (plain, (SecretBytes(CANARY.encode()),), {}),
    "a field of a model": (plain, (Account(owner="ada", pin=SecretStr(CANARY)),), {}),
    "an assignment in a text": (plain, (f"run --password={CANARY} now",), {}),
    "a password in an address": (plain, (f"postgres://ada:{CANARY}@db.example/shop",), {}),
    "an option's value": (plain, (["login", "--password", CANARY],), {}),
    "a header": (plain, ({"headers": [f"Authorization: Bearer {CANARY}"]},), {}),
}


def reveal(value: Any) -> Any:
    """The value with pydantic's covers taken off."""
    if isinstance(value, (SecretStr, SecretBytes)):
        return value.get_secret_value()
    return value.pin.get_secret_value() if isinstance(value, Account) else value
